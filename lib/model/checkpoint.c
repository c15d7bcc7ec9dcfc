/*
 * checkpoint.c - the state of a run on disk
 */
#include "model/checkpoint.h"

#include "base/mem.h"
#include "model/gather.h"
#include "model/stack.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATE_BYTES = 64 << 20 };
static const char prefix[] = "checkpoint-", part[] = ".part"; /* part: being written */
enum { WEIGHTS, STATES, STATE, N_FILES };
static const char *const files[N_FILES] = { "model.safetensors", "optimizer.safetensors",
	"state.json" };
static const char sums_file[] = "xxh128sums";

typedef struct { /* paths of one call */
	ds_buf at;
} path;

static const char *join(path *p, const char *out, const char *end, int64_t step, const char *file)
{
	ds_buf_clear(&p->at);
	ds_buf_fmt(&p->at, "%s/%s%lld%s%s%s", out, prefix, (long long)step, end, *file ? "/" : "",
		file);
	return ds_buf_text(&p->at);
}

static ds_rc sync_dir(const char *dir, ds_err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ds_fail_errno(e, "%s: cannot open", dir);
	int bad;
	while ((bad = fsync(fd)) != 0 && errno == EINTR)
		;
	bad = bad && errno != EINVAL; /* some file systems cannot */
	int kept = errno;
	close(fd);
	errno = kept;
	return bad ? ds_fail_errno(e, "%s: cannot sync", dir) : DS_OK;
}

/* Of several ranks, one writes. */
static bool is_first(const ds_exec *x)
{
	return ds_world_rank(ds_exec_world(x)) == 0;
}

static ds_rc write_class(
	const char *to, ds_exec *x, ds_class memory, ds_st_type type, ds_st_how *how, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_st_item *items;
	size_t n;
	DS_TRY(ds_gather_class(x, memory, mem, &items, &n, e));
	items = ds_stack_split(items, &n, mem);
	return is_first(x) ? ds_st_write_how(to, items, n, type, how, e) : DS_OK;
}

static void print_state(ds_buf *b, const ds_ckpt *s)
{
	char best[32];
	best[ds_f64_print(best, s->best)] = 0;
	ds_buf_fmt(b,
		"{\"step\": %lld, \"tokens\": %lld, \"log_bytes\": %lld, \"data\": \"%016llx\",\n"
		" \"best_eval_loss\": %s, \"best_step\": %lld, \"evals_since_best\": %lld,\n",
		(long long)s->step, (long long)s->tokens, (long long)s->log_bytes,
		(unsigned long long)s->data, isfinite(s->best) ? best : "null",
		(long long)s->best_step, (long long)s->worse);
	ds_buf_fmt(b, " \"loss_mean\": %.17g, \"loss_var\": %.17g, \"empty_steps\": %lld,\n",
		s->mean, s->var, (long long)s->empty);
	if (s->scale > 0)
		ds_buf_fmt(b,
			"\"loss_scale\": %.17g, \"good_steps\": %lld, \"skipped_steps\": %lld,\n",
			s->scale, (long long)s->good, (long long)s->skipped);
	ds_buf_fmt(b, " \"chain\": [%s]}\n", s->chain ? s->chain : "");
}

/* A line as xxh128sum writes it. */
static void print_sum(ds_buf *b, ds_h128 h, const char *file)
{
	ds_buf_fmt(b, "%016llx%016llx  %s\n", (unsigned long long)h.hi, (unsigned long long)h.lo,
		file);
}

static ds_rc write_parts(path *p, const char *out, const ds_ckpt *s, ds_exec *x, ds_err *e)
{
	ds_buf state = { 0 }, sums = { 0 };
	ds_h128 hashes[N_FILES];
	ds_st_how weights = { 0 }, states = { 0 };
	if (is_first(x))
		DS_TRY(ds_dir_make(join(p, out, part, s->step, ""), e));
	DS_TRY(write_class(join(p, out, part, s->step, files[WEIGHTS]), x, DS_CLASS_PARAM,
		DS_ST_F32, &weights, e));
	DS_TRY(write_class(join(p, out, part, s->step, files[STATES]), x, DS_CLASS_OPT, DS_ST_F32,
		&states, e));
	if (!is_first(x))
		return DS_OK;
	print_state(&state, s);
	hashes[WEIGHTS] = weights.hash;
	hashes[STATES] = states.hash;
	hashes[STATE] = ds_hash128(state.at, state.n);
	ds_rc rc = ds_file_write(join(p, out, part, s->step, files[STATE]), ds_buf_view(&state), e);
	for (int i = 0; i < N_FILES; i++)
		print_sum(&sums, hashes[i], files[i]);
	if (rc == DS_OK)
		rc = ds_file_write(join(p, out, part, s->step, sums_file), ds_buf_view(&sums), e);
	ds_buf_free(&state);
	ds_buf_free(&sums);
	DS_TRY(rc);
	return sync_dir(join(p, out, part, s->step, ""), e);
}

static ds_rc move_dir(path *p, const char *out, int64_t step, ds_err *e)
{
	path to = { 0 };
	const char *from = join(p, out, part, step, "");
	ds_rc rc = ds_dir_remove(join(&to, out, "", step, ""), e);
	if (rc == DS_OK && rename(from, ds_buf_text(&to.at)) != 0)
		rc = ds_fail_errno(e, "%s: cannot rename", from);
	ds_buf_free(&to.at);
	DS_TRY(rc);
	return sync_dir(out, e);
}

ds_rc ds_ckpt_save(const char *out, const ds_ckpt *s, ds_exec *x, ds_err *e)
{
	path p = { 0 };
	ds_err later;
	bool first = is_first(x);
	ds_rc rc = first ? ds_dir_remove(join(&p, out, part, s->step, ""), e) : DS_OK;
	if (rc == DS_OK)
		rc = write_parts(&p, out, s, x, e);
	if (rc == DS_OK && first)
		rc = move_dir(&p, out, s->step, e);
	/* What is left of a failure only takes room; why it failed is what counts. */
	if (rc != DS_OK && first &&
		ds_dir_remove(join(&p, out, part, s->step, ""), &later) != DS_OK)
		rc = ds_at(e, rc, "%s left behind", ds_buf_text(&p.at));
	ds_buf_free(&p.at);
	return rc;
}

/* A second name for the checkpoint's file costs nothing and cannot fail half way. */
static bool publish_by_link(path *p, const char *out, int64_t step, const char *file)
{
	ds_buf mid = { 0 }, to = { 0 };
	ds_buf_fmt(&mid, "%s/.%s", out, file);
	ds_buf_fmt(&to, "%s/%s", out, file);
	unlink(ds_buf_text(&mid));
	bool ok = link(join(p, out, "", step, "model.safetensors"), ds_buf_text(&mid)) == 0 &&
		  rename(ds_buf_text(&mid), ds_buf_text(&to)) == 0;
	/* rename does nothing where both are the same file already */
	unlink(ds_buf_text(&mid));
	ds_buf_free(&mid);
	ds_buf_free(&to);
	return ok;
}

/* What rank 0 found, on all. */
static ds_rc tell_all(ds_exec *x, bool *what, ds_err *e)
{
	ds_world *w = ds_exec_world(x);
	ds_group all = ds_world_all(w);
	return w ? ds_world_broadcast(w, &all, 0, what, sizeof(*what), e) : DS_OK;
}

ds_rc ds_ckpt_publish(const char *out, const ds_ckpt *s, ds_exec *x, ds_st_type type, ds_err *e)
{
	path p = { 0 };
	const char *file = s->weights ? s->weights : "model.safetensors";
	bool linked = is_first(x) && type == DS_ST_F32 && publish_by_link(&p, out, s->step, file);
	ds_rc rc = tell_all(x, &linked, e);
	if (rc == DS_OK && !linked) {
		ds_buf_clear(&p.at);
		ds_buf_fmt(&p.at, "%s/%s", out, file);
		ds_st_how how = { .clamp = s->clamp };
		rc = write_class(ds_buf_text(&p.at), x, DS_CLASS_PARAM, type, &how, e);
	}
	ds_buf_free(&p.at);
	return rc;
}

/* ---- reading ---- */

static int64_t step_of(const char *name)
{
	int64_t step;
	ds_str s = ds_str_of(name), head = ds_str_of(prefix);
	if (!ds_str_starts(s, head) || !ds_str_i64((ds_str){ s.at + head.n, s.n - head.n }, &step))
		return -1;
	return step > 0 ? step : -1;
}

/* The step of a checkpoint that was never finished, or -1. */
static int64_t left_of(const char *name)
{
	ds_buf whole = { 0 };
	ds_str s = ds_str_of(name), end = ds_str_of(part);
	int64_t step = -1;
	if (ds_str_ends(s, end)) {
		ds_buf_add(&whole, s.at, s.n - end.n);
		step = step_of(ds_buf_text(&whole));
	}
	ds_buf_free(&whole);
	return step;
}

static ds_rc read_state(const char *file, ds_ckpt *s, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	const ds_json *v;
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(file, STATE_BYTES, &text, e);
	if (rc == DS_OK)
		rc = ds_json_parse(&v, mem, ds_buf_view(&text), e);
	if (rc == DS_OK) {
		*s = (ds_ckpt){ .step = ds_json_int(v, "step", 0),
			.tokens = ds_json_int(v, "tokens", 0),
			.log_bytes = ds_json_int(v, "log_bytes", 0),
			.best = ds_json_num(v, "best_eval_loss", INFINITY),
			.best_step = ds_json_int(v, "best_step", 0),
			.worse = ds_json_int(v, "evals_since_best", 0),
			.mean = ds_json_num(v, "loss_mean", 0),
			.var = ds_json_num(v, "loss_var", 0),
			.scale = ds_json_num(v, "loss_scale", 0),
			.empty = ds_json_int(v, "empty_steps", 0),
			.good = ds_json_int(v, "good_steps", 0),
			.skipped = ds_json_int(v, "skipped_steps", 0) };
		ds_str data = ds_arena_str(mem, ds_json_text(v, "data", ""));
		s->data = strtoull(data.at, NULL, 16);
		if (s->step < 1 || s->log_bytes < 0)
			rc = ds_fail(e, DS_BAD, "no step");
	}
	ds_buf_free(&text);
	return rc == DS_OK ? rc : ds_at(e, rc, "%s", file);
}

/* Are a file's bytes those that were written? */
static ds_rc check_sum(const char *file, const char *name, ds_str sums, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	ds_buf line = { 0 };
	ds_str bytes = { "", 0 };
	DS_TRY(ds_in_open(&in, file, e));
	if (ds_in_file_size(in) > 0 && !ds_in_map(in, &bytes))
		return ds_fail(e, DS_IO, "%s: cannot be mapped into memory", file);
	print_sum(&line, ds_hash128(bytes.at, bytes.n), name);
	bool same = memmem(sums.at, sums.n, line.at, line.n) != NULL;
	ds_buf_free(&line);
	return same ? DS_OK
		    : ds_fail(e, DS_SHORT, "%s: damaged: %s has another hash", file, sums_file);
}

static ds_rc check(path *p, const char *out, int64_t step, ds_err *e)
{
	ds_ckpt s;
	ds_buf sums = { 0 };
	ds_rc rc = ds_file_read(join(p, out, "", step, sums_file), STATE_BYTES, &sums, e);
	for (int i = 0; i < N_FILES && rc == DS_OK; i++)
		rc = check_sum(join(p, out, "", step, files[i]), files[i], ds_buf_view(&sums), e);
	ds_buf_free(&sums);
	DS_TRY(rc);
	DS_TRY(read_state(join(p, out, "", step, files[STATE]), &s, e));
	if (s.step != step)
		return ds_fail(e, DS_BAD, "state.json says step %lld", (long long)s.step);
	return DS_OK;
}

ds_rc ds_ckpt_newest(const char *out, int64_t *step, ds_arena *mem, const char **passed, ds_err *e)
{
	char **names;
	path p = { 0 };
	*step = 0;
	DS_TRY(ds_dir_list(out, &names, e));
	for (int64_t below = INT64_MAX;;) {
		int64_t best = -1;
		ds_err why;
		for (size_t i = 0; names[i]; i++) {
			int64_t at = step_of(names[i]);
			if (at > best && at < below)
				best = at;
		}
		if (best < 0)
			break;
		if (check(&p, out, best, &why) == DS_OK) {
			*step = best;
			break;
		}
		if (passed)
			*passed = ds_arena_fmt(mem, "%s", why.msg).at;
		below = best;
	}
	ds_buf_free(&p.at);
	ds_names_free(names);
	return DS_OK;
}

static ds_rc load_one(void *context, const ds_tensor *t, void *to, ds_err *e)
{
	int64_t parts = ds_stack_parts(t), n = ds_t_count(t) / parts;
	for (int64_t i = 0; i < parts; i++) {
		char buffer[512];
		const char *name = ds_stack_name(t->name, i, buffer, sizeof(buffer));
		const ds_st_tensor *from = ds_st_find(context, ds_str_of(name));
		if (!from || ds_st_count(from) != n)
			return ds_fail(e, DS_BAD, "tensor '%s' is %s", name,
				from ? "of another size" : "missing");
		DS_TRY(ds_st_floats(from, 0, n, (float *)to + i * n, e));
	}
	return DS_OK;
}

static ds_rc load_class(const char *from, ds_exec *x, const ds_graph *g, ds_class memory, ds_err *e)
{
	DS_AUTO(ds_st) s = NULL;
	DS_TRY(ds_st_open(&s, from, e));
	for (ds_tid i = 1; i < g->n_tensors; i++)
		if (ds_gather_wants(&g->tensors[i], memory))
			DS_TRY_AT(ds_exec_fill(x, i, load_one, s, e), e, "%s", from);
	return DS_OK;
}

ds_rc ds_ckpt_load(
	const char *out, int64_t step, ds_ckpt *s, ds_exec *x, const ds_graph *g, ds_err *e)
{
	path p = { 0 };
	ds_rc rc = read_state(join(&p, out, "", step, files[STATE]), s, e);
	if (rc == DS_OK)
		rc = load_class(join(&p, out, "", step, files[WEIGHTS]), x, g, DS_CLASS_PARAM, e);
	if (rc == DS_OK)
		rc = load_class(join(&p, out, "", step, files[STATES]), x, g, DS_CLASS_OPT, e);
	ds_buf_free(&p.at);
	return rc;
}

static int newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

ds_rc ds_ckpt_prune(const char *out, int64_t keep, int64_t best, ds_err *e)
{
	char **names;
	path p = { 0 };
	size_t n = 0, all = 0;
	ds_rc rc = DS_OK;
	DS_TRY(ds_dir_list(out, &names, e));
	while (names[all])
		all++;
	int64_t *steps = DS_NEW(int64_t, all + 1);
	for (size_t i = 0; i < all && rc == DS_OK; i++) {
		int64_t left = left_of(names[i]);
		if (left > 0)
			rc = ds_dir_remove(join(&p, out, part, left, ""), e);
		if (step_of(names[i]) > 0)
			steps[n++] = step_of(names[i]);
	}
	qsort(steps, n, sizeof(*steps), newest_first);
	for (size_t i = keep ? (size_t)keep : n; i < n && rc == DS_OK; i++)
		if (steps[i] != best)
			rc = ds_dir_remove(join(&p, out, "", steps[i], ""), e);
	ds_buf_free(&p.at);
	ds_mem_free(steps);
	ds_names_free(names);
	return rc;
}
