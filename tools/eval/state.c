/*
 * state.c - a head that all files of a sum share, tallies, and a hash over both
 */
#include "state.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"

static const char magic[8] = "DSEVAL01";
enum { MAX_STATE = 1 << 30, MAX_TEXT = 4096 };

ds_rc state_can_store(const wanted_list *l, ds_err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].m->update)
			return ds_fail(
				e, DS_USAGE, "%s cannot be stored as a state", l->at[i].name);
	return DS_OK;
}

static void put_u32(ds_buf *o, uint32_t v)
{
	ds_buf_add(o, &v, 4);
}

static void put_text(ds_buf *o, const char *s)
{
	put_u32(o, s ? (uint32_t)strlen(s) : UINT32_MAX);
	if (s)
		ds_buf_add_c(o, s);
}

static void put_head(ds_buf *o, const wanted_list *l, const state_opts *opts)
{
	put_text(o, opts->tok);
	put_text(o, opts->by);
	put_u32(o, l->shape.rows);
	put_u32(o, (uint32_t)l->n);
	for (size_t i = 0; i < l->n; i++)
		put_text(o, l->at[i].name);
}

static void put_state(ds_buf *o, const wanted_list *l, const gathered *g, const state_opts *opts)
{
	ds_buf head = { 0 };
	put_head(&head, l, opts);
	ds_buf_add(o, magic, sizeof(magic));
	put_u32(o, (uint32_t)head.n);
	ds_buf_add_str(o, ds_buf_view(&head));
	ds_buf_free(&head);
	tally_store(g->all, o);
	put_u32(o, g->n);
	for (uint32_t i = 0; i < g->n; i++) {
		ds_str v = names_get(g->values, i);
		put_u32(o, (uint32_t)v.n);
		ds_buf_add_str(o, v);
		tally_store(g->by[i], o);
	}
	uint64_t hash = ds_hash64(o->at, o->n);
	ds_buf_add(o, &hash, 8);
}

ds_rc state_write(const char *path, const wanted_list *l, const gathered *g, const state_opts *opts,
	ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	ds_buf all = { 0 };
	put_state(&all, l, g, opts);
	ds_rc rc = all.n > MAX_STATE
			   ? ds_fail(e, DS_BAD, "the state takes %zu bytes, the limit is %d", all.n,
				     MAX_STATE)
			   : ds_out_open(&out, path, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, all.at, all.n, e);
	if (rc == DS_OK)
		rc = ds_out_finish(out, e);
	ds_buf_free(&all);
	return rc;
}

/* ---- reading ---- */

static ds_rc damaged(ds_err *e)
{
	return ds_fail(e, DS_SHORT, "the state is damaged");
}

/* A text of the head: *out is NULL where none was given. */
static ds_rc get_text(ds_cur *c, char **out, ds_err *e)
{
	uint32_t n = ds_cur_u32(c);
	if (n == UINT32_MAX && ds_cur_ok(c))
		return DS_OK;
	ds_str s = ds_cur_bytes(c, n);
	if (!ds_cur_ok(c) || n > MAX_TEXT || memchr(s.at, 0, s.n))
		return damaged(e);
	ds_buf b = { 0 };
	ds_buf_add_str(&b, s);
	*out = ds_mem_text(ds_buf_text(&b));
	ds_buf_free(&b);
	return DS_OK;
}

static ds_rc open_metric(state_sum *s, ds_cur *c, ds_err *e)
{
	char *name = NULL;
	ds_rc rc = get_text(c, &name, e);
	if (rc == DS_OK && !name)
		rc = damaged(e);
	if (rc == DS_OK) {
		metric_args a = { .name = name, .tok = s->tok, .common = s->common };
		const metric *m =
			s->named ? s->named(s->context, name, &a) : metric_find(ds_str_of(name));
		if (!m || m->update)
			rc = ds_fail(
				e, DS_BAD, "the state is of metric '%s', which is not known", name);
		else
			rc = wanted_add(s->l, m, &a, e);
	}
	ds_mem_free(name);
	return rc;
}

static ds_rc open_head(state_sum *s, ds_str head, ds_err *e)
{
	ds_cur c = ds_cur_of(head.at, head.n);
	DS_TRY(get_text(&c, &s->tok, e));
	DS_TRY(get_text(&c, &s->by, e));
	uint32_t rows = ds_cur_u32(&c), n = ds_cur_u32(&c);
	if (!ds_cur_ok(&c) || rows > 1 || n > MAX_METRICS)
		return damaged(e);
	for (uint32_t i = 0; i < n; i++)
		DS_TRY(open_metric(s, &c, e));
	if (ds_cur_left(&c))
		return damaged(e);
	s->l->shape.rows = rows;
	ds_buf_add_str(&s->head, head);
	s->g = gathered_new(&s->l->shape, s->by != NULL);
	return DS_OK;
}

static ds_rc add_tallies(state_sum *s, ds_cur *c, ds_err *e)
{
	DS_AUTO(gathered) part = DS_NEW(gathered, 1);
	DS_TRY(tally_load(&part->all, c, &s->l->shape, e));
	uint32_t n = ds_cur_u32(c);
	if (n && !s->by)
		return damaged(e);
	part->values = names_new();
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = ds_cur_u32(c);
		ds_str v = ds_cur_bytes(c, len);
		if (!ds_cur_ok(c) || names_put(part->values, v) != i)
			return damaged(e);
		part->by =
			ds_mem_grow(part->by, i * sizeof(*part->by), (i + 1) * sizeof(*part->by));
		part->by[i] = NULL;
		part->n = i + 1;
		DS_TRY(tally_load(&part->by[i], c, &s->l->shape, e));
	}
	if (!ds_cur_ok(c) || ds_cur_left(c))
		return damaged(e);
	return gathered_merge(s->g, part, e);
}

ds_rc state_add_bytes(state_sum *s, ds_str bytes, ds_err *e)
{
	uint64_t hash;
	if (bytes.n < sizeof(magic) || memcmp(bytes.at, magic, sizeof(magic)) != 0)
		return ds_fail(e, DS_BAD, "is no state of dseval");
	if (bytes.n < sizeof(magic) + 12)
		return damaged(e);
	memcpy(&hash, bytes.at + bytes.n - 8, 8);
	if (hash != ds_hash64(bytes.at, bytes.n - 8))
		return damaged(e);
	ds_cur c = ds_cur_of(bytes.at + sizeof(magic), bytes.n - sizeof(magic) - 8);
	uint32_t n = ds_cur_u32(&c);
	ds_str head = ds_cur_bytes(&c, n);
	if (!ds_cur_ok(&c))
		return damaged(e);
	if (!s->g)
		DS_TRY(open_head(s, head, e));
	else if (!ds_str_eq(head, ds_buf_view(&s->head)))
		return ds_fail(
			e, DS_BAD, "the state is of other metrics or options than the first one");
	return add_tallies(s, &c, e);
}

ds_rc state_add(state_sum *s, const char *path, ds_err *e)
{
	ds_buf bytes = { 0 };
	ds_rc rc = ds_file_read(path, MAX_STATE, &bytes, e);
	if (rc == DS_OK)
		rc = state_add_bytes(s, ds_buf_view(&bytes), e);
	ds_buf_free(&bytes);
	return rc == DS_OK ? rc : ds_at(e, rc, "%s", path);
}

void state_sum_release(state_sum *s)
{
	gathered_free(s->g);
	wanted_free(s->l);
	ds_buf_free(&s->head);
	ds_mem_free(s->tok);
	ds_mem_free(s->by);
}
