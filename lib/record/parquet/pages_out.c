/*
 * pages_out.c - pages of version 1: levels as runs, values plain or as indices into a dictionary
 *
 * A dictionary is made where it saves a fifth, and is given up as soon as it is clear that it will not.
 */
#include "record/parquet/pages_out.h"

#include "base/hash.h"
#include "base/mem.h"
#include "record/parquet/page.h"
#include "record/parquet/thrift.h"

enum {
	PAGE_BYTES = 1 << 20,
	MOST_ENTRIES = 1 << 20, /* of a page */
	MOST_DISTINCT = 1 << 16,
	SLOTS = 1 << 17,
	LOOK = 4096, /* values after which half must have come before */
	PLAIN = 0,
	RLE = 3,
	RLE_DICTIONARY = 8,
};

static unsigned width_of(ds_value_shape_kind k)
{
	switch (k) {
	case DS_SHAPE_BOOL:
		return 1;
	case DS_SHAPE_U32:
	case DS_SHAPE_F32:
		return 4;
	case DS_SHAPE_I64:
	case DS_SHAPE_F64:
		return 8;
	default:
		return 0;
	}
}

int64_t ds_pq_physical(ds_value_shape_kind k)
{
	switch (k) {
	case DS_SHAPE_BOOL:
		return DS_PQ_BOOLEAN;
	case DS_SHAPE_OPEN:
	case DS_SHAPE_U32:
		return DS_PQ_INT32;
	case DS_SHAPE_F32:
		return DS_PQ_FLOAT;
	case DS_SHAPE_I64:
		return DS_PQ_INT64;
	case DS_SHAPE_F64:
		return DS_PQ_DOUBLE;
	default:
		return DS_PQ_BYTE_ARRAY;
	}
}

static unsigned bits_for(uint32_t most)
{
	return most ? 32 - (unsigned)__builtin_clz(most) : 0;
}

typedef struct {
	ds_pq_chunk_out *c;
	uint32_t *slots, *sizes;
	uint64_t *at; /* where in the leaf's data each entry of the dictionary lies */
	size_t bytes;
} dictionary;

/* The value's place; false where there are too many. */
static bool place_of(dictionary *d, const char *p, size_t at, uint32_t n, uint32_t *out)
{
	uint64_t h = ds_hash64(p + at, n);
	uint32_t count = d->c->n_dictionary;
	for (size_t slot = h % SLOTS;; slot = (slot + 1) % SLOTS) {
		uint32_t k = d->slots[slot];
		if (k == UINT32_MAX) {
			if (count == MOST_DISTINCT || d->bytes > PAGE_BYTES)
				return false;
			d->slots[slot] = *out = count;
			d->at[count] = at;
			d->sizes[count] = n;
			d->bytes += n + 4;
			d->c->n_dictionary++;
			return true;
		}
		if (d->sizes[k] == n && memcmp(p + d->at[k], p + at, n) == 0) {
			*out = k;
			return true;
		}
	}
}

static bool find_places(dictionary *d, unsigned width)
{
	const ds_pq_sink_leaf *l = d->c->leaf;
	size_t at = 0;
	for (size_t i = 0; i < l->n_values; i++) {
		uint32_t n = width;
		if (!width)
			memcpy(&n, l->sizes.at + 4 * i, 4);
		if (!place_of(d, l->data.at, at, n, &d->c->index[i]))
			return false;
		if (i == LOOK && d->c->n_dictionary > LOOK / 2)
			return false;
		at += n;
	}
	size_t plain = l->data.n + l->sizes.n;
	size_t by_index = d->bytes + l->n_values * bits_for(d->c->n_dictionary) / 8;
	return by_index < plain - plain / 5;
}

static void write_dictionary(const dictionary *d, unsigned width)
{
	for (uint32_t i = 0; i < d->c->n_dictionary; i++) {
		if (!width)
			ds_buf_add(&d->c->dictionary, &d->sizes[i], 4);
		ds_buf_add(&d->c->dictionary, d->c->leaf->data.at + d->at[i], d->sizes[i]);
	}
}

static void try_dictionary(ds_pq_chunk_out *c)
{
	const ds_pq_sink_leaf *l = c->leaf;
	unsigned width = width_of(l->kind);
	if (l->n_values < 16 || (width && l->kind != DS_SHAPE_I64))
		return;
	dictionary d = { .c = c };
	d.slots = ds_mem_get(SLOTS * sizeof(*d.slots));
	memset(d.slots, 0xff, SLOTS * sizeof(*d.slots));
	d.sizes = ds_mem_get((MOST_DISTINCT + 1) * sizeof(*d.sizes));
	d.at = ds_mem_get((MOST_DISTINCT + 1) * sizeof(*d.at));
	c->index = ds_mem_get(l->n_values * sizeof(*c->index));
	if (find_places(&d, width)) {
		write_dictionary(&d, width);
	} else {
		ds_mem_free(c->index);
		c->index = NULL;
		c->n_dictionary = 0;
	}
	ds_mem_free(d.slots);
	ds_mem_free(d.sizes);
	ds_mem_free(d.at);
}

static ds_pq_page_out *add_page(ds_pq_chunk_out *c)
{
	if (c->n_pages == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 4;
		c->pages =
			ds_mem_grow(c->pages, c->cap * sizeof(*c->pages), cap * sizeof(*c->pages));
		c->cap = cap;
	}
	ds_pq_page_out *p = &c->pages[c->n_pages++];
	*p = (ds_pq_page_out){ 0 };
	return p;
}

static void cut_pages(ds_pq_chunk_out *c)
{
	const ds_pq_sink_leaf *l = c->leaf;
	unsigned width = width_of(l->kind), bits = bits_for(c->n_dictionary);
	ds_pq_page_out *p = NULL;
	size_t value = 0, data = 0, bytes = 0;
	for (size_t i = 0; i < l->def.n; i++) {
		bool row = !l->max_rep || !l->rep.at[i];
		if (!p || (row && (bytes >= PAGE_BYTES || p->n_entries >= MOST_ENTRIES))) {
			p = add_page(c);
			p->entry = i;
			p->value = value;
			p->data = data;
			bytes = 0;
		}
		p->n_entries++;
		if ((unsigned)l->def.at[i] < l->max_def)
			continue;
		uint32_t n = width;
		if (!width)
			memcpy(&n, l->sizes.at + 4 * value, 4);
		bytes += c->index ? (bits + 7) / 8 : n + 4;
		p->n_data += n;
		p->n_values++;
		value++;
		data += n;
	}
}

static void find_range(ds_pq_chunk_out *c)
{
	const ds_pq_sink_leaf *l = c->leaf;
	int64_t least = INT64_MAX, most = INT64_MIN, v;
	double low = __builtin_inf(), high = -__builtin_inf(), f;
	bool floats = l->kind == DS_SHAPE_F64;
	if (!floats && l->kind != DS_SHAPE_I64)
		return;
	for (size_t i = 0; i < l->n_values; i++) {
		memcpy(&v, l->data.at + 8 * i, 8);
		memcpy(&f, &v, 8);
		least = v < least ? v : least;
		most = v > most ? v : most;
		low = f < low ? f : low;
		high = f > high ? f : high;
	}
	c->has_range = floats ? low <= high : least <= most;
	/* As parquet.thrift asks: zero may be either one. */
	low = low == 0 ? -0.0 : low;
	high = high == 0 ? 0.0 : high;
	memcpy(c->least, floats ? (void *)&low : (void *)&least, 8);
	memcpy(c->most, floats ? (void *)&high : (void *)&most, 8);
}

void ds_pq_plan_pages(ds_pq_chunk_out *c)
{
	try_dictionary(c);
	if (c->index)
		add_page(c)->dictionary = true;
	cut_pages(c);
	find_range(c);
}

void ds_pq_plan_nulls(ds_pq_chunk_out *c, size_t n)
{
	for (size_t at = 0; at < n;) {
		ds_pq_page_out *p = add_page(c);
		p->n_entries = n - at < MOST_ENTRIES ? n - at : MOST_ENTRIES;
		at += p->n_entries;
	}
}

/* n numbers of some bits, packed from the lowest on, as one run. */
static void add_packed(ds_buf *b, const uint32_t *v, size_t n, unsigned bits)
{
	uint64_t gathered = 0;
	unsigned have = 0;
	size_t groups = (n + 7) / 8;
	ds_thrift_put_varint(b, groups << 1 | 1);
	ds_buf_reserve(b, groups * bits + 8);
	for (size_t i = 0; i < groups * 8; i++) {
		gathered |= (uint64_t)(i < n ? v[i] : 0) << have;
		for (have += bits; have >= 8; have -= 8, gathered >>= 8)
			b->at[b->n++] = (char)gathered;
	}
}

static void add_levels(ds_buf *b, const char *level, size_t n, unsigned most)
{
	size_t at = b->n;
	uint32_t size = 0;
	if (!most)
		return;
	ds_buf_add(b, &size, 4);
	if (!level || (n && memcmp(level, level + 1, n - 1) == 0)) {
		ds_thrift_put_varint(b, (uint64_t)n << 1);
		ds_buf_add_byte(b, level ? level[0] : 0);
	} else {
		uint32_t *wide = ds_mem_get(n * sizeof(*wide));
		for (size_t i = 0; i < n; i++)
			wide[i] = (uint8_t)level[i];
		add_packed(b, wide, n, bits_for(most));
		ds_mem_free(wide);
	}
	size = (uint32_t)(b->n - at - 4);
	memcpy(b->at + at, &size, 4);
}

static void add_strings(ds_buf *b, const ds_pq_sink_leaf *l, const ds_pq_page_out *p)
{
	const char *data = l->data.at + p->data;
	ds_buf_reserve(b, p->n_data + 4 * p->n_values);
	for (size_t i = 0; i < p->n_values; i++) {
		const char *size = l->sizes.at + 4 * (p->value + i);
		uint32_t n;
		memcpy(&n, size, 4);
		ds_buf_add(b, size, 4);
		ds_buf_add(b, data, n);
		data += n;
	}
}

static void add_values(ds_buf *b, const ds_pq_chunk_out *c, const ds_pq_page_out *p)
{
	const ds_pq_sink_leaf *l = c->leaf;
	unsigned bits = c->n_dictionary ? bits_for(c->n_dictionary - 1) : 0;
	if (c->index) {
		ds_buf_add_byte(b, (char)bits);
		if (p->n_values && bits)
			add_packed(b, c->index + p->value, p->n_values, bits);
		else if (p->n_values)
			ds_thrift_put_varint(b, (uint64_t)p->n_values << 1);
	} else if (l->kind == DS_SHAPE_BOOL) {
		for (size_t i = 0; i < p->n_values; i++) {
			if (i % 8 == 0)
				ds_buf_add_byte(b, 0);
			b->at[b->n - 1] |= (char)(l->data.at[p->data + i] << i % 8);
		}
	} else if (width_of(l->kind)) {
		ds_buf_add(b, l->data.at + p->data, p->n_data);
	} else {
		add_strings(b, l, p);
	}
}

static void write_head(const ds_pq_chunk_out *c, ds_pq_page_out *p)
{
	int last = 0, inner = 0;
	ds_buf *b = &p->head;
	size_t n = p->dictionary ? c->n_dictionary : p->n_entries;
	ds_thrift_put_int(
		b, &last, 1, DS_THRIFT_I32, p->dictionary ? DS_PQ_DICTIONARY : DS_PQ_DATA);
	ds_thrift_put_int(b, &last, 2, DS_THRIFT_I32, (int64_t)p->n_raw);
	ds_thrift_put_int(b, &last, 3, DS_THRIFT_I32, (int64_t)p->n_compressed);
	ds_thrift_put_int(
		b, &last, 4, DS_THRIFT_I32, (int32_t)ds_crc32(p->compressed, p->n_compressed));
	ds_thrift_put_field(b, &last, p->dictionary ? 7 : 5, DS_THRIFT_STRUCT);
	ds_thrift_put_int(b, &inner, 1, DS_THRIFT_I32, (int64_t)n);
	ds_thrift_put_int(
		b, &inner, 2, DS_THRIFT_I32, c->index && !p->dictionary ? RLE_DICTIONARY : PLAIN);
	if (!p->dictionary) {
		ds_thrift_put_int(b, &inner, 3, DS_THRIFT_I32, RLE);
		ds_thrift_put_int(b, &inner, 4, DS_THRIFT_I32, RLE);
	}
	ds_thrift_put_end(b);
	ds_thrift_put_end(b);
}

static ds_rc compress(ds_pq_page_out *p, ds_str raw, ds_compressor *compressor, ds_err *e)
{
	if (raw.n > INT32_MAX)
		return ds_fail(
			e, DS_BAD, "a value of %zu bytes is too large for a Parquet page", raw.n);
	size_t bound = ds_compress_bound(raw.n);
	p->compressed = ds_mem_get(bound);
	p->n_raw = raw.n;
	return ds_compress(compressor, raw.at, raw.n, p->compressed, bound, &p->n_compressed, e);
}

ds_rc ds_pq_make_page(
	const ds_pq_chunk_out *c, ds_pq_page_out *p, ds_compressor *compressor, ds_err *e)
{
	const ds_pq_sink_leaf *l = c->leaf;
	ds_buf raw = { 0 };
	if (!p->dictionary) {
		const char *def = l->def.n ? l->def.at + p->entry : NULL;
		const char *rep = l->def.n && l->max_rep ? l->rep.at + p->entry : NULL;
		add_levels(&raw, rep, p->n_entries, l->max_rep);
		add_levels(&raw, def, p->n_entries, l->max_def);
		add_values(&raw, c, p);
	}
	ds_rc rc = compress(
		p, p->dictionary ? ds_buf_view(&c->dictionary) : ds_buf_view(&raw), compressor, e);
	ds_buf_free(&raw);
	if (rc == DS_OK)
		write_head(c, p);
	return rc;
}

void ds_pq_chunk_out_free(ds_pq_chunk_out *c)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		ds_mem_free(c->pages[i].compressed);
		ds_buf_free(&c->pages[i].head);
	}
	ds_mem_free(c->pages);
	ds_mem_free(c->index);
	ds_buf_free(&c->dictionary);
}
