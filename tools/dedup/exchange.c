/*
 * exchange.c - dsdedup exchange: which step, its files, and the steps that only hand on what a shard has
 */
#include "exchange.h"

#include "base/mem.h"
#include "base/sort.h"

static ds_rc step_texts(exchange *x, ds_err *e)
{
	for (size_t i = 0; i < x->s->n_blocks; i++) {
		const ds_col *key = ds_block_find(x->s->blocks[i].block, "key");
		for (uint32_t row = 0; key && row < x->s->blocks[i].block->n_rows; row++) {
			uint64_t w[3];
			if (!ds_col_has(key, row))
				continue;
			ds_str bytes = ds_col_bytes(key, row);
			if (key->type != DS_T_BYTES || bytes.n != sizeof(ds_h128))
				return ds_fail(e, DS_BAD, "%s: damaged signatures",
					x->s->blocks[i].of->path);
			memcpy(w, bytes.at, bytes.n);
			w[2] = frame_number(x->shard, x->s->blocks[i].first + row);
			DS_TRY(frames_row(
				x->out, FRAME_TEXTS, exchange_part(w, sizeof(ds_h128)), w, e));
		}
	}
	return DS_OK;
}

/* A bit a row: an earlier record has the same text. */
static ds_rc read_sames(exchange *x, uint8_t *same, ds_err *e)
{
	frame f;
	for (;;) {
		DS_TRY(frames_next(x->in, &f, e));
		if (!f.kind)
			return DS_OK;
		if (f.kind != FRAME_SAMES)
			return exchange_unknown(&f, e);
		for (size_t i = 0; i < f.n_rows; i++) {
			uint64_t row;
			DS_TRY(exchange_row(x, f.words[2 * i], &row, e));
			same[row / 8] |= (uint8_t)(1 << row % 8);
		}
	}
}

static ds_rc put_band(exchange *x, unsigned band, const uint8_t *same, ds_err *e)
{
	char name[32];
	signs_band_name(band, name);
	for (size_t i = 0; i < x->s->n_blocks; i++) {
		const ds_col *col = ds_block_find(x->s->blocks[i].block, name);
		if (col && col->type != DS_T_I64)
			return ds_fail(
				e, DS_BAD, "%s: damaged signatures", x->s->blocks[i].of->path);
		for (uint32_t r = 0; col && r < x->s->blocks[i].block->n_rows; r++) {
			uint64_t row = x->s->blocks[i].first + r, w[2];
			if (!ds_col_has(col, r))
				continue;
			w[0] = (uint64_t)band << 40 |
			       ((uint64_t)ds_col_i64(col, r) & ((UINT64_C(1) << 40) - 1));
			w[1] = frame_number(x->shard, row);
			if (same[row / 8] >> row % 8 & 1)
				w[1] |= FRAME_IS_SAME;
			DS_TRY(frames_row(x->out, FRAME_KEYS, exchange_part(w, sizeof(*w)), w, e));
		}
	}
	return DS_OK;
}

static ds_rc step_bands(exchange *x, ds_err *e)
{
	uint8_t *same = ds_mem_zero(x->s->n / 8 + 1);
	ds_rc rc = read_sames(x, same, e);
	for (unsigned i = 0; rc == DS_OK && x->s->plan.near && i < x->s->plan.bands.bands; i++)
		rc = put_band(x, i, same, e);
	ds_mem_free(same);
	return rc;
}

/* Who asks << 40 | row. */
static ds_rc read_asks(exchange *x, ds_buf *asks, ds_err *e)
{
	frame f;
	for (;;) {
		DS_TRY(frames_next(x->in, &f, e));
		if (!f.kind)
			return DS_OK;
		if (f.kind == FRAME_PAIRS || f.kind == FRAME_FULLS)
			continue;
		if (f.kind != FRAME_ASKS)
			return exchange_unknown(&f, e);
		for (size_t i = 0; i < f.n_rows; i++) {
			uint64_t row, ask;
			DS_TRY(exchange_row(x, f.words[2 * i], &row, e));
			ask = frame_number(f.words[2 * i + 1], row);
			ds_buf_add(asks, &ask, sizeof(ask));
		}
	}
}

static void add_sketch(const exchange *x, ds_buf *out, uint64_t row)
{
	uint32_t r;
	size_t n = 0;
	const ds_col *col = ds_block_find(x->s->blocks[signs_find(x->s, row, &r)].block, "sketch");
	const uint32_t *v = col && col->type == DS_T_U32S && ds_col_has(col, r)
				    ? ds_col_u32s(col, r, &n)
				    : NULL;
	const uint64_t head[2] = { frame_number(x->shard, row), n };
	const uint32_t none = 0;
	ds_buf_add(out, head, sizeof(head));
	ds_buf_add(out, v, n * sizeof(*v));
	if (n % 2)
		ds_buf_add(out, &none, sizeof(none));
}

static ds_rc tell(exchange *x, uint64_t *ask, size_t n, ds_err *e)
{
	enum { FRAME_BYTES = 16 << 20 };
	ds_buf rows = { 0 };
	ds_rc rc = DS_OK;
	ds_sort_u64(ask, n);
	for (size_t i = 0; i < n && rc == DS_OK; i++) {
		if (!i || ask[i] != ask[i - 1])
			add_sketch(x, &rows, frame_row(ask[i]));
		bool last = i + 1 == n || frame_shard(ask[i + 1]) != frame_shard(ask[i]);
		if (!last && rows.n < FRAME_BYTES)
			continue;
		rc = frames_whole(
			x->out, FRAME_SKETCHES, frame_shard(ask[i]), ds_buf_view(&rows), e);
		ds_buf_clear(&rows);
	}
	ds_buf_free(&rows);
	return rc;
}

static ds_rc step_tell(exchange *x, ds_err *e)
{
	ds_buf asks = { 0 };
	ds_rc rc = read_asks(x, &asks, e);
	if (rc == DS_OK)
		rc = tell(x, (uint64_t *)(void *)asks.at, asks.n / sizeof(uint64_t), e);
	ds_buf_free(&asks);
	return rc;
}

static ds_rc step_large(exchange *x, ds_err *e)
{
	return step_star(x, true, e);
}

static ds_rc step_small(exchange *x, ds_err *e)
{
	return step_star(x, false, e);
}

uint64_t exchange_part(const void *key, size_t bytes)
{
	return ds_hash64(key, bytes) % opt.parts;
}

ds_rc exchange_row(const exchange *x, uint64_t number, uint64_t *row, ds_err *e)
{
	*row = frame_row(number);
	if (frame_shard(number) == x->shard && *row < x->s->n)
		return DS_OK;
	return ds_fail(e, DS_BAD, "record %llu of shard %llu is none of shard %llu",
		(unsigned long long)*row, (unsigned long long)frame_shard(number),
		(unsigned long long)x->shard);
}

ds_rc exchange_unknown(const frame *f, ds_err *e)
{
	return ds_fail(e, DS_BAD, "rows of another step (%d)", (int)f->kind);
}

void exchange_against(const signs *s, uint8_t *why)
{
	for (size_t i = 0; i < s->n_blocks; i++) {
		const ds_col *col = ds_block_find(s->blocks[i].block, "against");
		for (uint32_t row = 0; col && row < s->blocks[i].block->n_rows; row++)
			if (ds_col_has(col, row))
				why[s->blocks[i].first + row] = IS_AGAINST;
	}
}

static ds_rc put_verdicts(
	stage_out *o, const uint64_t *dup, const uint8_t *why, uint32_t n, ds_err *e)
{
	ds_block *b = ds_block_new(o->mem, n);
	ds_colb *far = ds_colb_new(b, "dup_far", DS_T_I64),
		*word = ds_colb_new(b, "why", DS_T_UTF8);
	for (uint32_t i = 0; i < n; i++) {
		if (dup[i] == UINT64_MAX)
			ds_colb_absent(far);
		else
			ds_colb_i64(far, (int64_t)dup[i]);
		if (why[i] == STAYS)
			ds_colb_absent(word);
		else
			ds_colb_bytes(word, ds_str_of(stage_why[why[i]]));
	}
	DS_TRY(ds_colb_put(far, e));
	DS_TRY(ds_colb_put(word, e));
	return stage_put(o, b, e);
}

ds_rc exchange_verdicts(
	const exchange *x, const uint64_t *dup, const uint8_t *why, uint64_t full, ds_err *e)
{
	stage_out o;
	stage_head head = stage_head_of(STAGE_CLUSTER, 0, &x->s->plan, x->s->keep);
	head.from = x->s->sum;
	head.full = full;
	ds_rc rc = stage_create(&o, x->c, x->s, "cluster.dsr", &head, e);
	for (uint64_t i = 0; i < x->s->n && rc == DS_OK; i += STAGE_ROWS) {
		uint64_t left = x->s->n - i;
		rc = put_verdicts(
			&o, dup + i, why + i, left < STAGE_ROWS ? (uint32_t)left : STAGE_ROWS, e);
	}
	if (rc == DS_OK)
		rc = stage_finish(&o, e);
	stage_discard(&o);
	return rc;
}

static const struct {
	const char *name;
	ds_rc (*run)(exchange *x, ds_err *e);
	bool of_shard, may_lack_out;
	const char *const columns[6]; /* of the signatures, besides bands */
} steps[] = {
	{ "texts", step_texts, true, false, { "key" } },
	{ "meet", step_meet, false, false, { NULL } },
	{ "bands", step_bands, true, false, { NULL } },
	{ "tell", step_tell, true, false, { "sketch" } },
	{ "confirm", step_confirm, true, true, { "sketch", "against" } },
	{ "large", step_large, false, false, { NULL } },
	{ "small", step_small, false, false, { NULL } },
	{ "members", step_members, false, false, { NULL } },
	{ "values", step_values, true, false, { "key", "value" } },
	{ "choose", step_choose, false, false, { NULL } },
	{ "settle", step_settle, true, true, { "against" } },
};
enum { N_STEPS = sizeof(steps) / sizeof(*steps), BANDS_STEP = 2 };

static ds_rc open_shard(exchange *x, const char *dir, size_t step, ds_err *e)
{
	if (opt.shard < 0 || opt.shard >= 1 << FRAME_SHARD_BITS)
		return ds_fail(
			e, DS_USAGE, "--shard is needed, 0 to %d", (1 << FRAME_SHARD_BITS) - 1);
	x->shard = (uint64_t)opt.shard;
	if (step != BANDS_STEP)
		return signs_open(&x->s, dir, steps[step].columns, e);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	const char **columns;
	DS_TRY(signs_band_columns(dir, mem, &columns, e));
	return signs_open(&x->s, dir, columns, e);
}

static ds_rc run_step(exchange *x, size_t step, ds_err *e)
{
	const ds_common *c = x->c;
	size_t first = steps[step].of_shard ? 2 : 1;
	if (c->in.n_files < first)
		return ds_fail(e, DS_USAGE, "%s: no folder of a shard is named", steps[step].name);
	if (opt.parts < 1)
		return ds_fail(e, DS_USAGE, "--parts is at least 1");
	if (first == 2)
		DS_TRY(open_shard(x, c->in.files[1], step, e));
	x->in = frames_open(c->in.files + first, c->in.n_files - first, opt.part);
	if (c->out.path || !steps[step].may_lack_out)
		DS_TRY(frames_create(&x->out, c->out.path, e));
	DS_TRY(steps[step].run(x, e));
	return x->out ? frames_finish(x->out, e) : DS_OK;
}

ds_rc run_exchange(const ds_common *c, ds_err *e)
{
	exchange x = { .c = c };
	size_t i = 0;
	while (c->in.n_files && i < N_STEPS && strcmp(steps[i].name, c->in.files[0]) != 0)
		i++;
	if (!c->in.n_files || i == N_STEPS)
		return ds_fail(e, DS_USAGE, "'%s' is no step", c->in.n_files ? c->in.files[0] : "");
	ds_rc rc = run_step(&x, i, e);
	frames_discard(x.out);
	frames_close(x.in);
	signs_close(x.s);
	return rc;
}
