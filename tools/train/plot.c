/*
 * plot.c - the loss of one or more runs, drawn in the terminal
 *
 * A column shows the mean of the steps that fall into it. Plain characters, so that the picture
 * survives any terminal, file or mail.
 */
#include "run.h"

#include "base/mem.h"

#include <math.h>

enum { WIDTH = 72, HEIGHT = 18, MAX_RUNS = 6, LOG_BYTES = 1 << 30 };
static const char marks[] = "*+ox#%", eval_mark = '@';

typedef struct {
	double sum[WIDTH];
	int64_t n[WIDTH];
} curve;

typedef struct {
	ds_buf text[MAX_RUNS];
	curve train[MAX_RUNS], eval[MAX_RUNS];
	double low, high;
	int64_t last;
	size_t n;
} plot;

typedef void point_fn(plot *p, size_t run, int64_t step, const ds_json *line);

static ds_rc each_line(plot *p, size_t run, const char *name, point_fn *fn, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_str rest = ds_buf_view(&p->text[run]);
	for (unsigned n = 1; rest.at && rest.n; n++) {
		const ds_json *v;
		ds_str line = ds_str_cut(rest, '\n', &rest);
		/* A run that is being written may end in half a line. */
		if (!line.n || !rest.at)
			continue;
		ds_arena_reset(mem);
		DS_TRY_AT(ds_json_parse(&v, mem, line, e), e, "%s/log.jsonl:%u", name, n);
		int64_t step = ds_json_int(v, "step", 0);
		if (step < 1)
			return ds_fail(e, DS_BAD, "%s/log.jsonl:%u: no step", name, n);
		fn(p, run, step, v);
	}
	return DS_OK;
}

static void find_last(plot *p, size_t run, int64_t step, const ds_json *line)
{
	if (step > p->last)
		p->last = step;
}

static void add(curve *c, int64_t at, double loss)
{
	if (!isfinite(loss))
		return;
	c->sum[at] += loss;
	c->n[at]++;
}

static void add_point(plot *p, size_t run, int64_t step, const ds_json *line)
{
	int64_t at = (step - 1) * WIDTH / p->last;
	add(&p->train[run], at, ds_json_num(line, "loss", NAN));
	add(&p->eval[run], at, ds_json_num(line, "eval_loss", NAN));
}

static void find_range(plot *p, const curve *c)
{
	for (int i = 0; i < WIDTH; i++) {
		if (!c->n[i])
			continue;
		double v = c->sum[i] / (double)c->n[i];
		p->low = fmin(p->low, v);
		p->high = fmax(p->high, v);
	}
}

static void put(const plot *p, const curve *c, char mark, char grid[HEIGHT][WIDTH])
{
	for (int i = 0; i < WIDTH; i++) {
		if (!c->n[i])
			continue;
		double v = c->sum[i] / (double)c->n[i];
		double part = p->high > p->low ? (p->high - v) / (p->high - p->low) : 0;
		grid[(int)(part * (HEIGHT - 1) + 0.5)][i] = mark;
	}
}

static void draw(plot *p, const char **names, bool any_eval)
{
	char grid[HEIGHT][WIDTH];
	memset(grid, ' ', sizeof(grid));
	for (size_t i = 0; i < p->n; i++)
		put(p, &p->train[i], marks[i], grid);
	for (size_t i = 0; i < p->n; i++)
		put(p, &p->eval[i], eval_mark, grid);
	for (int y = 0; y < HEIGHT; y++) {
		double v = p->high - (p->high - p->low) * y / (HEIGHT - 1);
		int n = WIDTH;
		while (n && grid[y][n - 1] == ' ')
			n--;
		if (y % 3 == 0 || y == HEIGHT - 1)
			printf("%8.3f |%.*s\n", v, n, grid[y]);
		else
			printf("         |%.*s\n", n, grid[y]);
	}
	printf("         +");
	for (int i = 0; i < WIDTH; i++)
		putchar('-');
	printf("\n          1%*lld steps\n", WIDTH - 7, (long long)p->last);
	for (size_t i = 0; i < p->n; i++)
		printf("          %c loss of %s\n", marks[i], names[i]);
	if (any_eval)
		printf("          %c loss on held-out data\n", eval_mark);
}

static bool has_points(const curve *c)
{
	for (int i = 0; i < WIDTH; i++)
		if (c->n[i])
			return true;
	return false;
}

static ds_rc read_runs(plot *p, const char **names, ds_err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		ds_buf path = { 0 };
		ds_buf_fmt(&path, "%s/log.jsonl", names[i]);
		ds_rc rc = ds_file_read(ds_buf_text(&path), LOG_BYTES, &p->text[i], e);
		ds_buf_free(&path);
		DS_TRY(rc);
		DS_TRY(each_line(p, i, names[i], find_last, e));
	}
	for (size_t i = 0; i < p->n; i++)
		DS_TRY(each_line(p, i, names[i], add_point, e));
	return DS_OK;
}

static ds_rc read_and_draw(plot *p, const char **names, ds_err *e)
{
	bool any = false, any_eval = false;
	DS_TRY(read_runs(p, names, e));
	for (size_t i = 0; i < p->n; i++) {
		find_range(p, &p->train[i]);
		find_range(p, &p->eval[i]);
		any = any || has_points(&p->train[i]);
		any_eval = any_eval || has_points(&p->eval[i]);
	}
	if (!any && !any_eval)
		return ds_fail(e, DS_BAD, "%s: no losses to draw", names[0]);
	draw(p, names, any_eval);
	return DS_OK;
}

ds_rc train_plot(const ds_common *c, ds_err *e)
{
	if (c->in.n_files < 1 || c->in.n_files > MAX_RUNS)
		return ds_fail(e, DS_USAGE, "--plot takes 1 to %d run folders", MAX_RUNS);
	plot *p = DS_NEW(plot, 1);
	p->low = INFINITY;
	p->high = -INFINITY;
	p->n = c->in.n_files;
	ds_rc rc = read_and_draw(p, c->in.files, e);
	for (size_t i = 0; i < p->n; i++)
		ds_buf_free(&p->text[i]);
	ds_mem_free(p);
	return rc;
}
