/*
 * feed.c - rows into a step: what a task makes of them, and the graph's inputs
 */
#include "train/feed.h"

#include "base/mem.h"

struct ds_feed {
	const ds_train_plan *plan;
	const ds_mlm *mlm;   /* NULL: nothing is masked */
	ds_arena *all, *mem; /* mem: for the row at hand */
	/* a step's rows, all of this copy's: [rows * seq] */
	int32_t *ids, *positions, *first, *last, *types;
	int32_t *targets, *picks; /* [rows * per_row]; picks: their positions in the row */
	uint8_t *plain;           /* [seq] */
	int32_t *ends;            /* [rows] */
	ds_pictures *pictures;    /* NULL: the model takes none */
};

ds_feed *ds_feed_new(const ds_train_plan *p, const ds_mlm *mlm)
{
	ds_feed *f = DS_NEW(ds_feed, 1);
	size_t rows = (size_t)(p->micro_rows * p->n_micro);
	size_t n = rows * (size_t)p->seq, t = rows * (size_t)p->per_row;
	f->plan = p;
	f->mlm = p->targets == DS_TARGETS_PICKED ? mlm : NULL;
	f->all = ds_arena_new(1 << 16);
	f->mem = ds_arena_new(1 << 16);
	f->ids = ds_arena_get(f->all, n * 4);
	f->positions = ds_arena_get(f->all, n * 4);
	f->first = ds_arena_get(f->all, n * 4);
	f->last = ds_arena_get(f->all, n * 4);
	f->types = ds_arena_get(f->all, n * 4);
	f->targets = ds_arena_get(f->all, (t > n ? t : n) * 4);
	f->picks = ds_arena_get(f->all, t * 4);
	f->plain = ds_arena_get(f->all, (size_t)p->seq);
	f->ends = ds_arena_get(f->all, rows * 4);
	return f;
}

void ds_feed_take_pictures(ds_feed *f, const ds_prep *prep, const ds_vary *vary, unsigned threads)
{
	const ds_config *c = ds_config_images(&f->plan->config);
	f->pictures = ds_pictures_new(&(ds_pictures_opts){ .prep = *prep,
		.vary = *vary,
		.size = (int32_t)c->image_size,
		.patch = (int32_t)c->patch_size,
		.rows = f->plan->micro_rows * f->plan->n_micro,
		.threads = threads });
}

void ds_feed_free(ds_feed *f)
{
	if (!f)
		return;
	ds_pictures_free(f->pictures);
	ds_arena_free(f->all);
	ds_arena_free(f->mem);
	ds_mem_free(f);
}

/* ---- rows ---- */

void ds_feed_blank(ds_feed *f, int64_t i)
{
	for (int64_t t = i * f->plan->seq; t < (i + 1) * f->plan->seq; t++) {
		f->ids[t] = 0;
		f->positions[t] = (int32_t)(t - i * f->plan->seq);
		f->first[t] = 0;
		f->last[t] = 1;
		f->types[t] = 0;
	}
	for (int64_t t = i * f->plan->per_row; t < (i + 1) * f->plan->per_row; t++)
		f->targets[t] = f->picks[t] = -1;
	f->ends[i] = 0;
	if (f->pictures)
		ds_pictures_none(f->pictures, i);
}

ds_rc ds_feed_row(ds_feed *f, ds_rows *rows, int64_t row, int64_t i, uint64_t number,
	int64_t *n_targets, ds_err *e)
{
	int64_t to = i * f->plan->seq, at = i * f->plan->per_row;
	bool mlm = f->mlm != NULL;
	ds_arena_reset(f->mem);
	int32_t *targets = mlm ? ds_arena_get(f->mem, (size_t)f->plan->seq * 4) : f->targets + at;
	ds_row out = { .ids = f->ids + to,
		.targets = targets,
		.positions = f->positions + to,
		.first = f->first + to,
		.last = f->last + to,
		.types = f->types + to,
		.plain = f->plain };
	DS_TRY(ds_rows_get(rows, row, &out, e));
	if (mlm)
		out.n_targets = ds_mlm_mask(f->mlm, number,
			&(ds_mlm_row){
				out.ids, f->plain, f->plan->seq, f->picks + at, f->targets + at },
			f->mem);
	f->ends[i] = out.end;
	if (f->pictures)
		ds_pictures_want(f->pictures, i, out.image, number, number < DS_FEED_EVAL);
	*n_targets += out.n_targets;
	return DS_OK;
}

ds_rc ds_feed_ready(ds_feed *f, ds_err *e)
{
	return f->pictures ? ds_pictures_ready(f->pictures, e) : DS_OK;
}

bool ds_feed_looks_ahead(const ds_feed *f)
{
	return f->pictures != NULL;
}

ds_rc ds_feed_foresee(ds_feed *f, ds_rows *rows, int64_t row, int64_t i, uint64_t number, ds_err *e)
{
	ds_str file;
	DS_TRY(ds_rows_image(rows, row, &file, e));
	ds_pictures_foresee(f->pictures, i, file, number);
	return DS_OK;
}

ds_rc ds_feed_begin(ds_feed *f, ds_err *e)
{
	return ds_pictures_begin(f->pictures, e);
}

/* ---- into the graph ---- */

/* A row behind the virtual tokens of a prompt. */
static void put(int32_t *in, int64_t front, int32_t fill, const int32_t *row, int64_t n)
{
	for (int64_t p = 0; p < front; p++)
		in[p] = fill;
	memcpy(in + front, row, (size_t)n * 4);
}

static void copy_picture(const ds_feed *f, ds_engine *t, int64_t row, int64_t i)
{
	int64_t n = ds_pictures_floats(f->pictures);
	memcpy((float *)ds_exec_input(t->x, t->b.pixels) + i * n, ds_pictures_at(f->pictures, row),
		(size_t)n * sizeof(float));
}

static void copy_row(const ds_feed *f, ds_engine *t, int64_t row, int64_t i)
{
	if (t->b.pixels)
		copy_picture(f, t, row, i);
	if (!t->b.ids)
		return;
	if (t->b.ends)
		((int32_t *)ds_exec_input(t->x, t->b.ends))[i] =
			(int32_t)(i * f->plan->wide + f->ends[row]);
	int64_t front = f->plan->wide - f->plan->seq, to = i * f->plan->wide,
		from = row * f->plan->seq;
	int32_t *positions = (int32_t *)ds_exec_input(t->x, t->b.positions) + to;
	put((int32_t *)ds_exec_input(t->x, t->b.ids) + to, front, -1, f->ids + from, f->plan->seq);
	for (int64_t p = 0; p < f->plan->wide; p++)
		positions[p] = (int32_t)(p < front ? p
						   : f->positions[from + p - front] +
							     f->plan->soft.tokens);
	if (t->b.first)
		put((int32_t *)ds_exec_input(t->x, t->b.first) + to, front, 0, f->first + from,
			f->plan->seq);
	if (t->b.last)
		put((int32_t *)ds_exec_input(t->x, t->b.last) + to, front, 0, f->last + from,
			f->plan->seq);
	if (t->b.segments)
		put((int32_t *)ds_exec_input(t->x, t->b.segments) + to, front, 0, f->types + from,
			f->plan->seq);
}

/* Of a pair the right one is its own; what is none is nobody's candidate. */
static void copy_pair(const ds_feed *f, ds_engine *t, int64_t row, int64_t i)
{
	bool is_pair = f->targets[row * f->plan->per_row] >= 0;
	((int32_t *)ds_exec_input(t->x, t->b.targets))[i] = is_pair ? (int32_t)i : -1;
	((float *)ds_exec_input(t->x, t->b.pair_bias))[i] = is_pair ? 0 : -1e30f;
}

static void copy_targets(const ds_feed *f, ds_engine *t, int64_t row, int64_t i)
{
	if (t->b.pair_bias) {
		copy_pair(f, t, row, i);
		return;
	}
	int64_t n = ds_train_plan_targets(f->plan), front = n - f->plan->per_row,
		from = row * f->plan->per_row;
	int32_t *rows = t->b.rows ? (int32_t *)ds_exec_input(t->x, t->b.rows) + i * n : NULL;
	put((int32_t *)ds_exec_input(t->x, t->b.targets) + i * n, front, -1, f->targets + from,
		f->plan->per_row);
	for (int64_t p = 0; rows && p < n; p++) {
		int32_t at = f->picks[from + p];
		rows[p] = at < 0 ? -1
				 : (int32_t)(i * f->plan->wide + f->plan->wide - f->plan->seq + at);
	}
}

void ds_feed_give(const ds_feed *f, ds_engine *t, int64_t row, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		copy_row(f, t, row + i, i);
		copy_targets(f, t, row + i, i);
	}
}
