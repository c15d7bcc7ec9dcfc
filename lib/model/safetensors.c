/*
 * safetensors.c - weights in files
 *
 * The format: u64 n, n bytes of JSON {"name":{"dtype","shape","data_offsets":[from,to]}, …,
 * "__metadata__":{…}}, then the data. As the reference reader does, the offsets must cover the data
 * from the first byte to the last without a gap, so nothing can be hidden or shared.
 */
#include "model/safetensors.h"

#include "base/cur.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/mem.h"
#include "json/json.h"
#include "text/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	unsigned bytes;
} types[DS_ST_N_TYPES] = {
	[DS_ST_F64] = { "F64", 8 },
	[DS_ST_F32] = { "F32", 4 },
	[DS_ST_BF16] = { "BF16", 2 },
	[DS_ST_F16] = { "F16", 2 },
	[DS_ST_F8_E5M2] = { "F8_E5M2", 1 },
	[DS_ST_F8_E4M3] = { "F8_E4M3", 1 },
	[DS_ST_I64] = { "I64", 8 },
	[DS_ST_U64] = { "U64", 8 },
	[DS_ST_I32] = { "I32", 4 },
	[DS_ST_U32] = { "U32", 4 },
	[DS_ST_I16] = { "I16", 2 },
	[DS_ST_U16] = { "U16", 2 },
	[DS_ST_I8] = { "I8", 1 },
	[DS_ST_U8] = { "U8", 1 },
	[DS_ST_BOOL] = { "BOOL", 1 },
};

struct ds_st {
	ds_arena *mem;
	ds_in *in; /* NULL: the bytes are the caller's */
	ds_st_tensor *at;
	size_t n;
	ds_map *by_name; /* to an index of at */
	ds_str data;     /* what follows the header */
};

int64_t ds_st_count(const ds_st_tensor *t)
{
	int64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= t->dims[i];
	return n;
}

void ds_st_shape(const ds_st_tensor *t, char out[128])
{
	size_t n = 0;
	out[n++] = '[';
	for (int i = 0; i < t->rank && n < 100; i++)
		n += (size_t)snprintf(
			out + n, 127 - n, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
	snprintf(out + n, 128 - n, "]");
}

/* ---- reading ---- */

static ds_rc read_type(ds_st_tensor *t, const ds_json *entry, ds_err *e)
{
	ds_str name = ds_json_text(entry, "dtype", "");
	for (int i = 0; i < DS_ST_N_TYPES; i++) {
		if (ds_str_is(name, types[i].name)) {
			t->type = (ds_st_type)i;
			return DS_OK;
		}
	}
	return ds_fail(e, DS_BAD, "dtype '%.*s' is not known", DS_FMT(name));
}

/* Non-negative whole numbers of an array. */
static ds_rc read_numbers(
	const ds_json *entry, const char *key, size_t most, int64_t *out, int *n, ds_err *e)
{
	const ds_json *list = ds_json_get(entry, key);
	if (!list || list->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "'%s' is not an array", key);
	if (list->n > most)
		return ds_fail(
			e, DS_BAD, "'%s' has %zu numbers, the limit is %zu", key, list->n, most);
	for (size_t i = 0; i < list->n; i++) {
		const ds_json *v = list->items[i];
		if (v->kind != DS_J_I64 || v->i < 0)
			return ds_fail(
				e, DS_BAD, "'%s' holds something else than whole numbers", key);
		out[i] = v->i;
	}
	*n = (int)list->n;
	return DS_OK;
}

static ds_rc read_entry(ds_st *s, const ds_json *entry, ds_st_tensor *t, ds_err *e)
{
	int64_t span[2];
	int n;
	size_t bytes = types[0].bytes;
	if (entry->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "not an object");
	DS_TRY(read_type(t, entry, e));
	DS_TRY(read_numbers(entry, "shape", DS_ST_MAX_RANK, t->dims, &t->rank, e));
	DS_TRY(read_numbers(entry, "data_offsets", 2, span, &n, e));
	if (n != 2)
		return ds_fail(e, DS_BAD, "'data_offsets' has %d numbers, wanted 2", n);
	bytes = types[t->type].bytes;
	for (int i = 0; i < t->rank; i++)
		if (!ds_mul(bytes, (size_t)t->dims[i], &bytes) || bytes > INT64_MAX)
			return ds_fail(e, DS_BAD, "the shape's size does not fit into 63 bits");
	if (span[0] > span[1])
		return ds_fail(e, DS_BAD, "data_offsets [%lld, %lld] run backwards",
			(long long)span[0], (long long)span[1]);
	if ((uint64_t)(span[1] - span[0]) != bytes)
		return ds_fail(e, DS_BAD, "%lld bytes of data, its shape needs %zu",
			(long long)(span[1] - span[0]), bytes);
	if ((uint64_t)span[1] > s->data.n)
		return ds_fail(e, DS_SHORT, "its data ends at byte %lld, the file has %zu",
			(long long)span[1], s->data.n);
	t->data = s->data.at + span[0];
	t->bytes = bytes;
	return DS_OK;
}

static int by_place(const void *a, const void *b)
{
	const ds_st_tensor *x = a, *y = b;
	const char *p = x->data, *q = y->data;
	if (p != q)
		return p < q ? -1 : 1;
	/* empty ones first, then by name: a fixed order */
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return ds_str_cmp(x->name, y->name);
}

static ds_rc check_cover(ds_st *s, ds_err *e)
{
	const char *at = s->data.at;
	qsort(s->at, s->n, sizeof(*s->at), by_place);
	for (size_t i = 0; i < s->n; i++) {
		const ds_st_tensor *t = &s->at[i];
		if ((const char *)t->data != at)
			return ds_fail(e, DS_BAD, "tensor '%.*s' %s at byte %zu of the data",
				DS_FMT(t->name),
				(const char *)t->data < at ? "overlaps another"
							   : "leaves a gap before it",
				(size_t)((const char *)t->data - s->data.at));
		at += t->bytes;
	}
	if (at != s->data.at + s->data.n)
		return ds_fail(e, DS_BAD, "%zu bytes after the last tensor",
			(size_t)(s->data.at + s->data.n - at));
	return DS_OK;
}

static ds_rc parse(ds_st *s, ds_str file, ds_err *e)
{
	ds_cur c = ds_cur_of(file.at, file.n);
	uint64_t n = ds_cur_u64(&c);
	const ds_json *root;
	if (!ds_cur_ok(&c))
		return ds_fail(e, DS_SHORT, "%zu bytes: too short for safetensors", file.n);
	if (n > DS_ST_MAX_HEADER)
		return ds_fail(e, DS_BAD,
			"a header of %llu bytes, the limit is %d: not safetensors",
			(unsigned long long)n, DS_ST_MAX_HEADER);
	if (n > ds_cur_left(&c))
		return ds_fail(e, DS_SHORT, "a header of %llu bytes in a file of %zu",
			(unsigned long long)n, file.n);
	ds_str header = ds_cur_bytes(&c, n);
	s->data = ds_cur_bytes(&c, ds_cur_left(&c));
	size_t valid = ds_utf8_valid(header);
	if (valid < header.n)
		return ds_fail(e, DS_BAD, "the header is no UTF-8 at its byte %zu", valid);
	DS_TRY_AT(ds_json_parse(&root, s->mem, header, e), e, "header");
	if (root->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "the header is not a JSON object");
	s->at = ds_arena_zero(s->mem, (root->n + 1) * sizeof(*s->at));
	for (const ds_json *m = root->first; m; m = m->next) {
		if (ds_utf8_valid(m->key) != m->key.n)
			return ds_fail(e, DS_BAD, "the name of tensor %zu, '%.*s', is no UTF-8",
				s->n + 1, DS_FMT(m->key));
		if (ds_str_is(m->key, "__metadata__"))
			continue;
		ds_st_tensor *t = &s->at[s->n++];
		t->name = m->key;
		DS_TRY_AT(read_entry(s, m, t, e), e, "tensor '%.*s'", DS_FMT(m->key));
	}
	DS_TRY(check_cover(s, e));
	s->by_name = ds_map_new(s->n);
	for (size_t i = 0; i < s->n; i++)
		*ds_map_put(s->by_name, s->at[i].name, NULL) = i;
	return DS_OK;
}

static ds_st *blank(void)
{
	ds_st *s = DS_NEW(ds_st, 1);
	s->mem = ds_arena_new(1 << 16);
	return s;
}

ds_rc ds_st_view(ds_st **out, ds_str bytes, ds_err *e)
{
	DS_AUTO(ds_st) s = blank();
	DS_TRY(parse(s, bytes, e));
	*out = s;
	s = NULL;
	return DS_OK;
}

ds_rc ds_st_open(ds_st **out, const char *path, ds_err *e)
{
	DS_AUTO(ds_st) s = blank();
	ds_str file = { "", 0 };
	DS_TRY(ds_in_open(&s->in, path, e));
	if (ds_in_wrap(s->in) != DS_RAW)
		return ds_fail(e, DS_BAD, "%s: compressed, wanted plain safetensors", path);
	if (ds_in_file_size(s->in) < 0)
		return ds_fail(e, DS_IO, "%s: not a regular file", path);
	if (ds_in_file_size(s->in) > 0 && !ds_in_map(s->in, &file))
		return ds_fail(e, DS_IO, "%s: cannot be mapped into memory", path);
	DS_TRY_AT(parse(s, file, e), e, "%s", path);
	*out = s;
	s = NULL;
	return DS_OK;
}

void ds_st_close(ds_st *s)
{
	if (!s)
		return;
	ds_map_free(s->by_name);
	ds_in_close(s->in);
	ds_arena_free(s->mem);
	ds_mem_free(s);
}

size_t ds_st_n(const ds_st *s)
{
	return s->n;
}

const ds_st_tensor *ds_st_at(const ds_st *s, size_t i)
{
	return &s->at[i];
}

const ds_st_tensor *ds_st_find(const ds_st *s, ds_str name)
{
	uint64_t *i = ds_map_find(s->by_name, name);
	return i ? &s->at[*i] : NULL;
}

/* ---- numbers ---- */

ds_rc ds_st_floats(const ds_st_tensor *t, int64_t from, int64_t n, float *out, ds_err *e)
{
	const char *at = (const char *)t->data + (size_t)from * types[t->type].bytes;
	uint16_t h;
	double d;
	switch (t->type) {
	case DS_ST_F32:
		if (n)
			memcpy(out, at, (size_t)n * 4);
		return DS_OK;
	case DS_ST_F64:
		for (int64_t i = 0; i < n; i++) {
			memcpy(&d, at + 8 * i, 8);
			out[i] = (float)d;
		}
		return DS_OK;
	case DS_ST_BF16:
		for (int64_t i = 0; i < n; i++) {
			memcpy(&h, at + 2 * i, 2);
			out[i] = ds_f32_of_bf16(h);
		}
		return DS_OK;
	case DS_ST_F16:
		for (int64_t i = 0; i < n; i++) {
			memcpy(&h, at + 2 * i, 2);
			out[i] = ds_f32_of_f16(h);
		}
		return DS_OK;
	default:
		return ds_fail(e, DS_BAD, "tensor '%.*s' is %s, wanted F32, F64, BF16 or F16",
			DS_FMT(t->name), types[t->type].name);
	}
}

/* ---- writing ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const ds_st_item *)a)->name, ((const ds_st_item *)b)->name);
}

static int64_t item_count(const ds_st_item *t)
{
	int64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= t->dims[i];
	return n;
}

static void print_header(ds_buf *b, const ds_st_item *items, size_t n, ds_st_type type)
{
	uint64_t at = 0;
	ds_buf_add_c(b, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = (uint64_t)item_count(&items[i]) * types[type].bytes;
		ds_buf_add_c(b, ",");
		ds_json_add_str(b, ds_str_of(items[i].name));
		ds_buf_fmt(b, ":{\"dtype\":\"%s\",\"shape\":[", types[type].name);
		for (int d = 0; d < items[i].rank; d++)
			ds_buf_fmt(b, "%s%lld", d ? "," : "", (long long)items[i].dims[d]);
		ds_buf_fmt(b, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
			(unsigned long long)(at + bytes));
		at += bytes;
	}
	ds_buf_add_byte(b, '}');
	while (b->n % 64) /* readers that map the file get aligned data */
		ds_buf_add_byte(b, ' ');
}

typedef struct { /* a file being written */
	ds_out *out;
	ds_hasher *hasher;
	ds_st_type type;
	bool clamp;
} writing;

static ds_rc write_bytes(writing *w, const void *p, size_t n, ds_err *e)
{
	ds_hasher_add(w->hasher, p, n);
	return ds_out_write(w->out, p, n, e);
}

static uint16_t halved(const writing *w, float v)
{
	return w->type == DS_ST_F16 ? ds_f16_of_f32(v) : ds_bf16_of_f32(v);
}

/* The largest of two bytes, with v's sign. */
static uint16_t largest(const writing *w, float v)
{
	return (uint16_t)((w->type == DS_ST_F16 ? 0x7bff : 0x7f7f) | (v < 0 ? 0x8000 : 0));
}

static ds_rc write_halves(writing *w, const ds_st_item *t, const float *v, int64_t n, ds_err *e)
{
	enum { PART = 4096 };
	uint16_t half[PART];
	for (int64_t from = 0; from < n; from += PART) {
		int64_t m = n - from < PART ? n - from : PART;
		for (int64_t i = 0; i < m; i++) {
			float one = v[from + i];
			uint16_t infinite = w->type == DS_ST_F16 ? 0x7c00 : 0x7f80;
			half[i] = halved(w, one);
			if ((half[i] & 0x7fff) != infinite || !isfinite(one))
				continue;
			if (!w->clamp)
				return ds_fail(e, DS_BAD,
					"tensor '%s': %g is over the range of %s; --clamp stores "
					"the largest that there is",
					t->name, (double)one, types[w->type].name);
			half[i] = largest(w, one);
		}
		DS_TRY(write_bytes(w, half, (size_t)m * 2, e));
	}
	return DS_OK;
}

static ds_rc write_item(writing *w, const ds_st_item *t, ds_err *e)
{
	int64_t n = item_count(t), cols = t->rank ? t->dims[t->rank - 1] : 1;
	int64_t at_once = !t->ld || t->ld == cols ? n : cols, ld = at_once == n ? n : t->ld;
	for (int64_t row = 0; row * at_once < n; row++) {
		const float *v = t->data + row * ld;
		DS_TRY(w->type == DS_ST_F32 ? write_bytes(w, v, (size_t)at_once * 4, e)
					    : write_halves(w, t, v, at_once, e));
	}
	return DS_OK;
}

static ds_rc write_head(writing *w, const ds_st_item *items, size_t n, ds_err *e)
{
	ds_buf head = { 0 };
	uint64_t head_n = 0;
	ds_buf_add(&head, &head_n, 8);
	print_header(&head, items, n, w->type);
	head_n = head.n - 8;
	memcpy(head.at, &head_n, 8);
	ds_rc rc = write_bytes(w, head.at, head.n, e);
	ds_buf_free(&head);
	return rc;
}

ds_rc ds_st_write_how(
	const char *path, ds_st_item *items, size_t n, ds_st_type type, ds_st_how *how, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_AUTO(ds_hasher) hasher = ds_hasher_new();
	qsort(items, n, sizeof(*items), by_name);
	DS_TRY(ds_out_open(&out, path, e));
	writing w = { out, hasher, type, how->clamp };
	DS_TRY(write_head(&w, items, n, e));
	for (size_t i = 0; i < n; i++)
		DS_TRY_AT(write_item(&w, &items[i], e), e, "%s", path);
	how->hash = ds_hasher_get128(hasher);
	return ds_out_finish(out, e);
}

ds_rc ds_st_write(const char *path, ds_st_item *items, size_t n, ds_st_type type, ds_err *e)
{
	return ds_st_write_how(path, items, n, type, &(ds_st_how){ 0 }, e);
}
