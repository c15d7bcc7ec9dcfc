/*
 * rows.c - rows of one length out of pieces
 *
 * A packed piece numbers its rows. An unpacked one numbers tokens: record i of a piece begins at
 * off[i] - off[0] of it plus i separators, so finding a token needs no table.
 */
#include "model/rows_impl.h"

#include "base/mem.h"

static piece *piece_of(ds_rows *r, int64_t at)
{
	size_t low = 0, high = r->n;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (r->pieces[mid].first <= at)
			low = mid;
		else
			high = mid;
	}
	return &r->pieces[low];
}

static void put(const ds_rows *r, filler *f, uint32_t id, bool target)
{
	ds_row *o = f->out;
	int64_t t = f->n++;
	if (f->begins)
		f->start = t;
	o->ids[t] = (int32_t)id;
	if (o->types)
		o->types[t] = 0;
	o->positions[t] = (int32_t)(r->docs ? t - f->start : t);
	if (o->first)
		o->first[t] = (int32_t)f->start;
	/* Who predicts this token is the one before it. */
	if (t > 0) {
		bool wanted = target && !(r->docs && f->begins);
		o->targets[t - 1] = wanted ? (int32_t)id : -1;
		o->n_targets += wanted;
	}
	if (o->plain)
		o->plain[t] = target;
	f->begins = false;
}

/* Positions from n on are padding; documents end where the next one begins. */
static void set_last(const ds_rows *r, ds_row *o, int64_t n)
{
	int64_t end = n;
	if (!o->last)
		return;
	for (int64_t t = r->seq - 1; t >= 0; t--) {
		o->last[t] = (int32_t)(t < n ? end : n);
		if (r->docs && t < n && o->positions[t] == 0)
			end = t;
	}
}

/* Packed rows are filled up with padding that their mask leaves out. */
static int64_t packed_length(const ds_rows *r, const ds_row *o)
{
	int64_t n = r->seq;
	while (o->last && n > 1 && o->ids[n - 1] == r->pad && o->targets[n - 2] < 0)
		n--;
	return n;
}

static ds_rc check_id(const ds_rows *r, const piece *p, uint32_t rec, uint32_t id, ds_err *e)
{
	if ((int64_t)id < r->vocab_size)
		return DS_OK;
	return ds_fail(e, DS_BAD, "%s:%llu: id %u, the vocabulary has %lld", p->origin,
		piece_record(p, rec), id, (long long)r->vocab_size);
}

static bool has_mask(const piece *p, uint32_t rec)
{
	return p->mask.off && (!p->mask.present || ds_bit(p->mask.present, rec));
}

bool ds_rows_is_target(const piece *p, uint32_t rec, uint32_t i)
{
	const list_col *m = &p->mask;
	if (!has_mask(p, rec))
		return true;
	if (i >= m->off[rec + 1] - m->off[rec])
		return true;
	return ((const uint8_t *)m->data)[m->off[rec] + i] != 0;
}

ds_rc ds_rows_type(
	const ds_rows *r, const piece *p, uint32_t rec, uint32_t i, int32_t *out, ds_err *e)
{
	const list_col *t = &p->types;
	*out = 0;
	if (!r->n_types || !t->off || (t->present && !ds_bit(t->present, rec)))
		return DS_OK;
	uint32_t n = t->off[rec + 1] - t->off[rec], ids = p->ids.off[rec + 1] - p->ids.off[rec];
	if (n != ids)
		return ds_fail(e, DS_BAD, "%s:%llu: types of %u bytes for %u tokens", p->origin,
			piece_record(p, rec), n, ids);
	*out = ((const uint8_t *)t->data)[t->off[rec] + i];
	if (*out >= r->n_types)
		return ds_fail(e, DS_BAD, "%s:%llu: type %d, the model has %lld", p->origin,
			piece_record(p, rec), *out, (long long)r->n_types);
	return DS_OK;
}

ds_rc ds_rows_put(const ds_rows *r, filler *f, const piece *p, uint32_t rec, uint32_t i, ds_err *e)
{
	uint32_t id = list_at(&p->ids, p->ids.off[rec] + i);
	int32_t type;
	DS_TRY(check_id(r, p, rec, id, e));
	DS_TRY(ds_rows_type(r, p, rec, i, &type, e));
	put(r, f, id, ds_rows_is_target(p, rec, i));
	if (f->out->types)
		f->out->types[f->n - 1] = type;
	return DS_OK;
}

void ds_rows_pad(const ds_rows *r, filler *f)
{
	set_last(r, f->out, f->n);
	while (f->n < r->seq)
		put(r, f, (uint32_t)r->pad, false);
}

static ds_rc check_packed(const ds_rows *r, const piece *p, uint32_t rec, ds_err *e)
{
	uint32_t n = p->ids.off[rec + 1] - p->ids.off[rec];
	const list_col *m = &p->mask;
	if (n != (uint64_t)r->seq || (p->ids.present && !ds_bit(p->ids.present, rec)))
		return ds_fail(e, DS_BAD, "%s:%llu: a row of %u tokens, the others have %lld",
			p->origin, piece_record(p, rec), n, (long long)r->seq);
	if (m->off && (!m->present || ds_bit(m->present, rec)) &&
		m->off[rec + 1] - m->off[rec] != n)
		return ds_fail(e, DS_BAD, "%s:%llu: a mask of %u bytes for %u tokens", p->origin,
			piece_record(p, rec), m->off[rec + 1] - m->off[rec], n);
	return DS_OK;
}

static ds_rc get_packed(ds_rows *r, int64_t row, ds_row *out, ds_err *e)
{
	piece *p = piece_of(r, row);
	filler f = { .out = out };
	uint32_t rec = (uint32_t)(row - p->first), doc = 0, doc_end = 0;
	DS_TRY(ds_rows_ready(r, p, e));
	DS_TRY(check_packed(r, p, rec, e));
	const list_col *d = &p->docs;
	if (d->off && (!d->present || ds_bit(d->present, rec))) {
		doc = d->off[rec];
		doc_end = d->off[rec + 1];
	}
	for (uint32_t i = 0; i < (uint32_t)r->seq; i++) {
		while (doc < doc_end && list_at(d, doc) < i)
			doc++;
		f.begins = doc < doc_end && list_at(d, doc) == i;
		DS_TRY(ds_rows_put(r, &f, p, rec, i, e));
	}
	set_last(r, out, packed_length(r, out));
	return DS_OK;
}

/* Where record `rec` begins among an unpacked piece's tokens. */
static uint32_t begin_of(const ds_rows *r, const piece *p, uint32_t rec)
{
	return p->ids.off[rec] - p->ids.off[0] + (r->separator >= 0 ? rec : 0);
}

/* The record of an unpacked piece that holds token `at` of it, its separator included. */
static uint32_t record_of(const ds_rows *r, const piece *p, uint32_t at)
{
	uint32_t low = 0, high = p->n_rows;
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (begin_of(r, p, mid) <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Records of one piece from its token `at` on, until the row is full or the piece ends. */
static ds_rc fill_from(ds_rows *r, const piece *p, uint32_t at, filler *f, ds_err *e)
{
	for (uint32_t rec = record_of(r, p, at); rec < p->n_rows && f->n < r->seq; rec++) {
		uint32_t begin = p->ids.off[rec], n = p->ids.off[rec + 1] - begin;
		uint32_t i = at - begin_of(r, p, rec);
		if (i == 0)
			f->begins = true;
		for (; i < n && f->n < r->seq; i++)
			DS_TRY(ds_rows_put(r, f, p, rec, i, e));
		/* What has a mask says itself which of its ends is learned. */
		if (f->n < r->seq && r->separator >= 0)
			put(r, f, (uint32_t)r->separator, !has_mask(p, rec));
		at = begin_of(r, p, rec + 1);
	}
	return DS_OK;
}

static ds_rc get_cut(ds_rows *r, int64_t row, ds_row *out, ds_err *e)
{
	int64_t at = row * r->seq;
	filler f = { .out = out };
	size_t which = 0;
	while (which + 1 < r->n_parts && r->parts[which + 1].first <= row)
		which++;
	while (f.n < r->seq && at + f.n < r->parts[which].end) {
		piece *p = piece_of(r, at + f.n);
		DS_TRY(fill_from(r, p, (uint32_t)(at + f.n - p->first), &f, e));
	}
	ds_rows_pad(r, &f);
	return DS_OK;
}

ds_rc ds_rows_get(ds_rows *r, int64_t row, ds_row *out, ds_err *e)
{
	out->n_targets = 0;
	if (is_labelled(r)) {
		piece *p = piece_of(r, row);
		uint32_t rec = (uint32_t)(row - p->first);
		return r->kind == DS_ROWS_PAIR ? ds_rows_get_pair(r, p, rec, out, e)
					       : ds_rows_get_labelled(r, p, rec, out, e);
	}
	out->targets[r->seq - 1] = -1; /* a row of N gives N - 1 predictions */
	if (r->kind == DS_ROWS_CHAT)
		return ds_rows_get_chat(r, row, out, e);
	return r->packed ? get_packed(r, row, out, e) : get_cut(r, row, out, e);
}

ds_rc ds_rows_image(ds_rows *r, int64_t row, ds_str *out, ds_err *e)
{
	const piece *p = piece_of(r, row);
	if (!p->images)
		return ds_fail(e, DS_BAD, "%s: no pictures", p->origin);
	*out = p->images[row - p->first];
	return DS_OK;
}

uint64_t ds_rows_bad(const ds_rows *r)
{
	return r->n_bad;
}

int64_t ds_rows_records(const ds_rows *r)
{
	int64_t n = 0;
	for (size_t i = 0; i < r->n; i++)
		n += r->pieces[i].n_rows;
	return n;
}

int64_t ds_rows_count(const ds_rows *r)
{
	return r->count;
}

int64_t ds_rows_seq(const ds_rows *r)
{
	return r->seq;
}

const ds_tok *ds_rows_tok(const ds_rows *r)
{
	return r->tok_known ? r->tok : NULL;
}

uint64_t ds_rows_identity(const ds_rows *r)
{
	return r->identity;
}

ds_str ds_rows_chain(const ds_rows *r)
{
	return ds_buf_view(&r->chain);
}

void ds_rows_close(ds_rows *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_readers; i++)
		ds_reader_close(r->readers[i]);
	ds_mem_free(r->readers);
	ds_mem_free(r->pieces);
	ds_tok_close(r->own_tok);
	ds_buf_free(&r->chain);
	ds_rows_labels_free(r);
	ds_rows_chat_free(r);
	ds_pool_free(r->pool);
	ds_field_free(r->field);
	ds_arena_free(r->mem);
	ds_mem_free(r);
}
