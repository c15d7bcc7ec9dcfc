/*
 * values.c - the values of a page, by their encoding, made ready to be read anywhere
 */
#include "record/parquet/page.h"

#include "base/half.h"
#include "base/mem.h"

enum {
	PLAIN = 0,
	PLAIN_DICTIONARY = 2,
	RLE = 3,
	DELTA_BINARY_PACKED = 5,
	DELTA_LENGTH_BYTE_ARRAY = 6,
	DELTA_BYTE_ARRAY = 7,
	RLE_DICTIONARY = 8,
	BYTE_STREAM_SPLIT = 9,
};

typedef struct {
	ds_pq_values *v;
	const ds_pq_loader *l;
	ds_str bytes;
	uint64_t *counted;
} job;

static ds_rc damaged(ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "damaged: %s", what);
}

ds_rc ds_pq_count(ds_pq_budget *b, uint64_t bytes, uint64_t *counted, ds_err *e)
{
	uint64_t live = __atomic_add_fetch(&b->live, bytes, __ATOMIC_RELAXED);
	*counted += bytes;
	if (live <= b->limit)
		return DS_OK;
	return ds_fail(e, DS_BAD,
		"pages of over %llu bytes at a time; --max-record sets four times the limit",
		(unsigned long long)b->limit);
}

static ds_rc get(job *j, unsigned which, uint64_t bytes, void **out, ds_err *e)
{
	DS_TRY(ds_pq_count(j->l->budget, bytes, j->counted, e));
	*out = j->v->own[which] = ds_mem_get((size_t)bytes + 64);
	return DS_OK;
}

static ds_rc plain(job *j, ds_err *e)
{
	uint64_t need = j->l->leaf->type == DS_PQ_BOOLEAN ? ((uint64_t)j->v->n + 7) / 8
							  : (uint64_t)j->v->n * j->l->leaf->width;
	if (need > j->bytes.n)
		return damaged(e, "a page has fewer values than it says");
	j->v->how = j->l->leaf->type == DS_PQ_BOOLEAN ? DS_PQ_BITS : DS_PQ_PLAIN;
	j->v->base = (const uint8_t *)j->bytes.at;
	return DS_OK;
}

/* Each has its length in front. */
static ds_rc plain_strings(job *j, ds_err *e)
{
	uint32_t n = j->v->n, *off;
	const char *p = j->bytes.at;
	size_t at = 4, size;
	if ((uint64_t)n * 4 > j->bytes.n || j->bytes.n > UINT32_MAX - 8)
		return damaged(e, "a page has fewer values than it says");
	DS_TRY(get(j, 0, ((uint64_t)n + 1) * sizeof(*off), (void **)&off, e));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t length;
		off[i] = (uint32_t)at;
		if (at > j->bytes.n)
			return damaged(e, "a string lies outside its page");
		memcpy(&length, p + at - 4, 4);
		size = length;
		if (size > j->bytes.n - at)
			return damaged(e, "a string lies outside its page");
		at += size + 4;
	}
	off[n] = (uint32_t)at;
	j->v->how = DS_PQ_STRINGS;
	j->v->base = (const uint8_t *)p;
	j->v->off = off;
	j->v->gap = 4;
	return DS_OK;
}

static ds_rc delta(job *j, ds_err *e)
{
	int64_t *out;
	ds_pq_type type = j->l->leaf->type;
	if (type != DS_PQ_INT32 && type != DS_PQ_INT64)
		return damaged(e, "numbers are written where there are none");
	DS_TRY(get(j, 0, (uint64_t)j->v->n * sizeof(*out), (void **)&out, e));
	if (!ds_pq_delta(&j->bytes, j->v->n, out))
		return damaged(e, "differences of numbers");
	if (type == DS_PQ_INT32)
		for (uint32_t i = 0; i < j->v->n; i++)
			out[i] = (int32_t)out[i];
	j->v->how = DS_PQ_WIDE;
	j->v->base = (const uint8_t *)out;
	return DS_OK;
}

/* n lengths, and what they sum up to. */
static ds_rc lengths(job *j, int64_t *out, uint64_t *sum, ds_err *e)
{
	*sum = 0;
	if (!ds_pq_delta(&j->bytes, j->v->n, out))
		return damaged(e, "lengths of strings");
	for (uint32_t i = 0; i < j->v->n; i++) {
		if (out[i] < 0 || out[i] > INT32_MAX)
			return damaged(e, "the length of a string");
		*sum += (uint64_t)out[i];
	}
	return DS_OK;
}

static ds_rc delta_lengths(job *j, ds_err *e)
{
	uint32_t n = j->v->n, *off;
	uint64_t sum;
	int64_t *length;
	DS_TRY(get(j, 0, (uint64_t)n * sizeof(*length), (void **)&length, e));
	DS_TRY(lengths(j, length, &sum, e));
	if (sum > j->bytes.n || sum > UINT32_MAX)
		return damaged(e, "strings lie outside their page");
	DS_TRY(get(j, 1, ((uint64_t)n + 1) * sizeof(*off), (void **)&off, e));
	off[0] = 0;
	for (uint32_t i = 0; i < n; i++)
		off[i + 1] = off[i] + (uint32_t)length[i];
	j->v->how = DS_PQ_STRINGS;
	j->v->base = (const uint8_t *)j->bytes.at;
	j->v->off = off;
	return DS_OK;
}

/* Each string is the beginning of the one before and something behind it. */
static ds_rc delta_strings(job *j, ds_err *e)
{
	uint32_t n = j->v->n, *off;
	uint64_t shared, own;
	int64_t *length;
	char *data;
	DS_TRY(ds_pq_count(j->l->budget, (uint64_t)n * 20, j->counted, e));
	j->v->own[0] = length = ds_mem_get(((size_t)n + 1) * 20);
	off = (uint32_t *)(void *)(length + 2 * (size_t)n);
	DS_TRY(lengths(j, length, &shared, e));
	DS_TRY(lengths(j, length + n, &own, e));
	if (own > j->bytes.n || shared + own > UINT32_MAX)
		return damaged(e, "strings lie outside their page");
	DS_TRY(get(j, 1, shared + own, (void **)&data, e));
	const char *from = j->bytes.at;
	off[0] = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t same = (uint32_t)length[i], more = (uint32_t)length[n + i], at = off[i];
		if (same > (i ? at - off[i - 1] : 0))
			return damaged(e, "a string shares more than there was");
		if (same)
			memcpy(data + at, data + off[i - 1], same);
		memcpy(data + at + same, from, more);
		from += more;
		off[i + 1] = at + same + more;
	}
	j->v->how = DS_PQ_STRINGS;
	j->v->base = (const uint8_t *)data;
	j->v->off = off;
	return DS_OK;
}

/* All first bytes, all second bytes …; undone in stretches that fit the nearest cache. */
static ds_rc split(job *j, ds_err *e)
{
	uint32_t n = j->v->n, width = j->l->leaf->width;
	const uint8_t *in = (const uint8_t *)j->bytes.at;
	uint8_t *out;
	if (!width || j->l->leaf->type == DS_PQ_INT96)
		return damaged(e, "bytes are split of values that cannot be");
	if ((uint64_t)n * width > j->bytes.n)
		return damaged(e, "a page has fewer values than it says");
	DS_TRY(get(j, 0, (uint64_t)n * width, (void **)&out, e));
	for (uint32_t first = 0; first < n; first += 1024) {
		uint32_t end = n - first < 1024 ? n : first + 1024;
		for (uint32_t b = 0; b < width; b++)
			for (uint32_t i = first; i < end; i++)
				out[(size_t)i * width + b] = in[(size_t)b * n + i];
	}
	j->v->how = DS_PQ_PLAIN;
	j->v->base = out;
	return DS_OK;
}

/* A byte says how many bits an index has. */
static ds_rc indices(job *j, ds_err *e)
{
	unsigned bits = j->bytes.n ? (uint8_t)j->bytes.at[0] : 0;
	ds_str rest = { j->bytes.at + (j->bytes.n != 0), j->bytes.n - (j->bytes.n != 0) };
	j->v->how = DS_PQ_INDICES;
	if ((j->v->n && !j->bytes.n) ||
		!ds_pq_runs_read(&j->v->runs, rest, bits, j->v->n, UINT32_MAX))
		return damaged(e, "indices into a dictionary");
	return ds_pq_count(j->l->budget, j->v->runs.cap * sizeof(*j->v->runs.runs), j->counted, e);
}

static ds_rc bool_runs(job *j, ds_err *e)
{
	uint32_t n = 0;
	if (j->bytes.n >= 4)
		memcpy(&n, j->bytes.at, 4);
	if (j->l->leaf->type != DS_PQ_BOOLEAN || j->bytes.n < 4 || n > j->bytes.n - 4 ||
		!ds_pq_runs_read(&j->v->runs, (ds_str){ j->bytes.at + 4, n }, 1, j->v->n, 1))
		return damaged(e, "runs of truth values");
	j->v->how = DS_PQ_RUNS;
	return ds_pq_count(j->l->budget, j->v->runs.cap * sizeof(*j->v->runs.runs), j->counted, e);
}

ds_rc ds_pq_read_values(ds_pq_values *v, const ds_pq_loader *l, int64_t encoding, ds_str bytes,
	uint32_t n, uint64_t *counted, ds_err *e)
{
	ds_pq_type type = l->leaf->type;
	bool strings = type == DS_PQ_BYTE_ARRAY;
	job j = { v, l, bytes, counted };
	*v = (ds_pq_values){ .n = n };
	switch (encoding) {
	case PLAIN:
		return strings ? plain_strings(&j, e) : plain(&j, e);
	case PLAIN_DICTIONARY:
	case RLE_DICTIONARY:
		return indices(&j, e);
	case RLE:
		return bool_runs(&j, e);
	case DELTA_BINARY_PACKED:
		return delta(&j, e);
	case BYTE_STREAM_SPLIT:
		return split(&j, e);
	case DELTA_LENGTH_BYTE_ARRAY:
		if (strings)
			return delta_lengths(&j, e);
		break;
	case DELTA_BYTE_ARRAY:
		if (strings || type == DS_PQ_FIXED)
			return delta_strings(&j, e);
		break;
	default:
		return ds_fail(e, DS_BAD, "encoding %lld is not known", (long long)encoding);
	}
	return damaged(e, "strings are written where there are none");
}

void ds_pq_free_values(ds_pq_values *v)
{
	ds_pq_runs_free(&v->runs);
	ds_mem_free(v->own[0]);
	ds_mem_free(v->own[1]);
	v->own[0] = v->own[1] = NULL;
}

static void get_ints(
	const ds_pq_values *v, const ds_pq_node *leaf, uint32_t from, uint32_t n, int64_t *out)
{
	const uint8_t *p = v->base + (size_t)from * leaf->width;
	bool no_sign = leaf->scalar.kind == DS_SC_U64;
	if (v->how == DS_PQ_WIDE) {
		memcpy(out, v->base + (size_t)from * 8, (size_t)n * 8);
		for (uint32_t i = 0; i < n && no_sign && leaf->width == 4; i++)
			out[i] &= UINT32_MAX;
	} else if (leaf->width == 8) {
		memcpy(out, p, (size_t)n * 8);
	} else {
		for (uint32_t i = 0; i < n; i++) {
			int32_t x;
			memcpy(&x, p + (size_t)i * 4, 4);
			out[i] = no_sign ? (int64_t)(uint32_t)x : x;
		}
	}
}

static void get_floats(
	const ds_pq_values *v, const ds_pq_node *leaf, uint32_t from, uint32_t n, double *out)
{
	const uint8_t *p = v->base + (size_t)from * leaf->width;
	if (leaf->width == 8)
		memcpy(out, p, (size_t)n * 8);
	for (uint32_t i = 0; i < n && leaf->width == 4; i++) {
		float x;
		memcpy(&x, p + (size_t)i * 4, 4);
		out[i] = (double)x;
	}
	for (uint32_t i = 0; i < n && leaf->width == 2; i++) {
		uint16_t x;
		memcpy(&x, p + (size_t)i * 2, 2);
		out[i] = (double)ds_f32_of_f16(x);
	}
}

static void get_truth(const ds_pq_values *v, uint32_t from, uint32_t n, int64_t *out)
{
	uint8_t some[DS_PQ_PIECE];
	for (uint32_t i = 0; i < n && v->how == DS_PQ_BITS; i++)
		out[i] = v->base[(from + i) / 8] >> (from + i) % 8 & 1;
	for (uint32_t i = 0; i < n && v->how == DS_PQ_RUNS; i += DS_PQ_PIECE) {
		uint32_t k = n - i < DS_PQ_PIECE ? n - i : DS_PQ_PIECE;
		ds_pq_runs_u8(&v->runs, from + i, k, some);
		for (uint32_t x = 0; x < k; x++)
			out[i + x] = some[x];
	}
}

static bool get_strings(
	const ds_pq_values *v, const ds_pq_node *leaf, uint32_t from, uint32_t n, ds_str *out)
{
	bool fixed = leaf->type != DS_PQ_BYTE_ARRAY;
	if (v->how == DS_PQ_PLAIN) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = (ds_str){ (const char *)v->base + (size_t)(from + i) * leaf->width,
				leaf->width };
		return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = v->off[from + i];
		out[i] = (ds_str){ (const char *)v->base + at, v->off[from + i + 1] - at - v->gap };
		if ((fixed && out[i].n != leaf->width) ||
			(leaf->scalar.kind == DS_SC_DECIMAL && out[i].n > DS_DECIMAL_BYTES))
			return false;
	}
	return true;
}

static bool look_up(const ds_pq_values *v, ds_scalar_form form, const ds_pq_dictionary *d,
	uint32_t from, uint32_t n, void *out)
{
	uint32_t some[DS_PQ_PIECE];
	for (uint32_t i = 0; i < n; i += DS_PQ_PIECE) {
		uint32_t k = n - i < DS_PQ_PIECE ? n - i : DS_PQ_PIECE, most = 0;
		ds_pq_runs_u32(&v->runs, from + i, k, some);
		for (uint32_t x = 0; x < k; x++)
			most = some[x] > most ? some[x] : most;
		if (most >= d->n)
			return false;
		for (uint32_t x = 0; x < k && form == DS_FORM_INT; x++)
			((int64_t *)out)[i + x] = d->i[some[x]];
		for (uint32_t x = 0; x < k && form == DS_FORM_FLOAT; x++)
			((double *)out)[i + x] = d->f[some[x]];
		for (uint32_t x = 0; x < k && form == DS_FORM_BYTES; x++)
			((ds_str *)out)[i + x] = d->s[some[x]];
	}
	return true;
}

bool ds_pq_get(const ds_pq_values *v, const ds_pq_node *leaf, const ds_pq_dictionary *d,
	uint32_t from, uint32_t n, void *out)
{
	if (v->how == DS_PQ_INDICES)
		return n == 0 || look_up(v, leaf->scalar.form, d, from, n, out);
	if (leaf->type == DS_PQ_BOOLEAN)
		get_truth(v, from, n, out);
	else if (leaf->scalar.form == DS_FORM_INT)
		get_ints(v, leaf, from, n, out);
	else if (leaf->scalar.form == DS_FORM_FLOAT && v->how == DS_PQ_PLAIN)
		get_floats(v, leaf, from, n, out);
	else if (leaf->scalar.form == DS_FORM_BYTES)
		return get_strings(v, leaf, from, n, out);
	else
		return n == 0;
	return true;
}
