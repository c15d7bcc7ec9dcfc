/*
 * rows_image.c - records with pictures, alone or with a text, each a row of its own
 *
 * What is kept of a picture is its file; it is decoded when a step wants it (lib/train). But all of it is looked
 * through once, when it is read: what is damaged is a bad record like any other, before training begins.
 */
#include "model/rows_impl.h"

#include "base/mem.h"
#include "image/image.h"
#include "model/pair.h"

#include <stdio.h>

static ds_str bytes_of(const ds_col *c, uint32_t row)
{
	bool has = c && c->type == DS_T_BYTES && ds_col_has(c, row) && !ds_col_null(c, row);
	return has ? ds_col_bytes(c, row) : (ds_str){ 0 };
}

/* ---- looking through a block's pictures ---- */

typedef struct {
	const ds_col *image;
	ds_arena **mems; /* a worker's own */
	const char **faults;
	char (*texts)[DS_ERR_BYTES]; /* of a worker */
	ds_buf *kept;
} looking;

static void look(void *context, size_t task, unsigned worker)
{
	looking *l = context;
	ds_err e;
	ds_str bytes = bytes_of(l->image, (uint32_t)task);
	ds_arena_reset(l->mems[worker]);
	if (bytes.at && ds_image_check(bytes, l->mems[worker], NULL, NULL, &e) != DS_OK) {
		snprintf(l->texts[task], sizeof(l->texts[task]), "%s", e.msg);
		l->faults[task] = l->texts[task];
	}
}

ds_rc ds_rows_look_through(ds_gather *q, ds_block *b, ds_err *e)
{
	unsigned n = ds_pool_threads(q->r->pool);
	looking l = { .faults = ds_arena_zero(b->mem, (b->n_rows + 1) * sizeof(char *)),
		.texts = ds_arena_get(b->mem, (b->n_rows + 1) * sizeof(*l.texts)),
		.mems = ds_arena_get(b->mem, n * sizeof(ds_arena *)) };
	DS_TRY(ds_block_get(b, "image", &l.image, e));
	for (unsigned i = 0; i < n; i++)
		l.mems[i] = ds_arena_new(1 << 16);
	ds_pool_run(q->r->pool, b->n_rows, look, &l);
	for (unsigned i = 0; i < n; i++)
		ds_arena_free(l.mems[i]);
	q->faults = l.faults;
	return DS_OK;
}

ds_rc ds_rows_add_image(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	const ds_col *image, *source;
	DS_TRY(ds_block_get(b, "image", &image, e));
	DS_TRY(ds_block_get(b, "source", &source, e));
	ds_str bytes = bytes_of(image, row), name = { 0 };
	bool named = source && source->type == DS_T_UTF8 && ds_col_has(source, row) &&
		     !ds_col_null(source, row);
	if (named)
		name = ds_col_bytes(source, row);
	if (!bytes.at)
		return ds_fail(e, DS_BAD, "no 'image' that is bytes");
	if (q->faults[row])
		return ds_fail(e, DS_BAD, "image%s%.*s%s: %s", named ? " '" : "", DS_FMT(name),
			named ? "'" : "", q->faults[row]);
	ds_str kept = ds_arena_str(q->r->mem, bytes);
	ds_buf_add(&q->images, &kept, sizeof(kept));
	return DS_OK;
}

/* ---- pairs ---- */

static ds_rc add_pair(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	bool has;
	ds_str text;
	DS_TRY(ds_texts_get(&q->r->texts, row, &text, &has, e));
	if (!has)
		return ds_fail(e, DS_BAD, "no '%s' to the picture", ds_field_name(q->r->field));
	DS_TRY(ds_rows_add_image(q, b, row, e));
	DS_TRY(ds_tok_encode(q->r->tok, q->scratch, text, 0, &ids, &n, e));
	uint32_t *whole = ds_arena_get(b->mem, (n + 2) * sizeof(*whole));
	n = ds_pair_text(q->r->tok, ids, n, n + 2, whole);
	ds_buf_add(&q->ids, whole, n * sizeof(*whole));
	return DS_OK;
}

ds_rc ds_rows_add_pairs(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e)
{
	ds_gather q = { .r = r, .scratch = scratch };
	DS_TRY(ds_rows_look_through(&q, b, e));
	return ds_rows_gather(&q, b, p, add_pair, e);
}

ds_rc ds_rows_get_pair(ds_rows *r, const piece *p, uint32_t rec, ds_row *out, ds_err *e)
{
	uint32_t begin = p->ids.off[rec], n = p->ids.off[rec + 1] - begin;
	int64_t used = n < (uint64_t)r->seq ? n : r->seq;
	for (int64_t t = 0; t < r->seq; t++) {
		uint32_t id = t < used ? list_at(&p->ids, begin + (uint32_t)t) : (uint32_t)r->pad;
		if (t == used - 1) /* what is cut keeps its end */
			id = list_at(&p->ids, begin + n - 1);
		if ((int64_t)id >= r->vocab_size)
			return ds_fail(e, DS_BAD, "%s:%llu: id %u, the vocabulary has %lld",
				p->origin, piece_record(p, rec), id, (long long)r->vocab_size);
		out->ids[t] = (int32_t)id;
		out->positions[t] = (int32_t)t;
		if (out->first)
			out->first[t] = 0;
		if (out->last)
			out->last[t] = (int32_t)used;
		if (out->types)
			out->types[t] = 0;
		if (out->plain)
			out->plain[t] = t < used;
	}
	int64_t eos = r->pair_eos < -1 ? (int64_t)ds_pair_eos(r->tok) : r->pair_eos;
	out->end = (int32_t)ds_pair_end(eos, (const uint32_t *)out->ids, (size_t)used);
	out->image = p->images[rec];
	out->targets[0] = 0;
	out->n_targets = 2; /* the text's picture, and the picture's text */
	return DS_OK;
}
