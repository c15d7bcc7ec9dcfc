/*
 * metric_features.c - Inception Score and Fréchet distance of any field of numbers
 *
 * Inception Score (Salimans et al. 2016): exp of the mean divergence of class probabilities from their mean, over :splits=10
 * parts of the stream, their mean; as torchmetrics has it, but in the order of the records, which is not shuffled. Fréchet
 * distance (Heusel et al. 2017) between the features of the input and of --fit FILE: |m1 - m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)),
 * with covariances over n - 1, all in f64. The trace of the root is that of the roots of L^T S2 L's eigenvalues, S1 = L L^T.
 */
#include "symmetric.h"
#include "value.h"

#include "base/mem.h"
#include "json/json.h"
#include "record/source.h"

#include <math.h>

enum { MAX_WIDTH = 1 << 16, MAX_FEATURES = 1 << 14 };

typedef struct {
	char *field;
	bool logits;
	int64_t splits;
	struct sums *real; /* of --fit */
} settings;

/* A list of numbers, of any type, in mem. */
static ds_rc numbers(ds_block *b, uint32_t row, const char *field, ds_arena *mem, double **out,
	size_t *n, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, field, &c, e));
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row))
		return value_lacks(b, row, field, NULL, e);
	if (c->type == DS_T_F32S) {
		const float *v = ds_col_f32s(c, row, n);
		*out = ds_arena_get(mem, (*n + 1) * sizeof(**out));
		for (size_t i = 0; i < *n; i++)
			(*out)[i] = (double)v[i];
		return DS_OK;
	}
	const ds_json *list = NULL;
	if (c->type == DS_T_JSON)
		DS_TRY(ds_json_parse(&list, mem, ds_col_bytes(c, row), e));
	if (!list || list->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "%s is no list of numbers", field);
	*n = list->n;
	*out = ds_arena_get(mem, (*n + 1) * sizeof(**out));
	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i]->kind != DS_J_I64 && list->items[i]->kind != DS_J_F64)
			return ds_fail(e, DS_BAD, "%s[%zu] is no number", field, i);
		(*out)[i] = list->items[i]->f;
	}
	return DS_OK;
}

static ds_rc checked(size_t n, size_t *width, size_t most, const double *v, ds_err *e)
{
	if (n < 1 || n > most)
		return ds_fail(e, DS_BAD, "%zu numbers, 1 to %zu are taken", n, most);
	if (*width && n != *width)
		return ds_fail(e, DS_BAD, "%zu numbers, records before have %zu", n, *width);
	for (size_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return ds_fail(e, DS_BAD, "number %zu is %g", i, v[i]);
	*width = n;
	return DS_OK;
}

static settings *settings_new(const char *field)
{
	settings *s = DS_NEW(settings, 1);
	*s = (settings){ .field = ds_mem_text(field), .splits = 10 };
	return s;
}

static void set_field(settings *s, ds_str name)
{
	ds_mem_free(s->field);
	s->field = ds_mem_get(name.n + 1);
	memcpy(s->field, name.at, name.n);
	s->field[name.n] = '\0';
}

/* ---- Inception Score ---- */

typedef struct {
	double *p; /* n × width */
	size_t n, width, cap;
} rows;

static void rows_free(void *p)
{
	rows *r = p;
	if (r)
		ds_mem_free(r->p);
	ds_mem_free(r);
}

static void *rows_new(void *state)
{
	return DS_NEW(rows, 1);
}

static void close_inception(void *state)
{
	settings *s = state;
	if (s)
		ds_mem_free(s->field);
	ds_mem_free(s);
}

static ds_rc open_inception(void **state, metric_args *a, ds_err *e)
{
	settings *s = settings_new("score");
	const char *rest = a->variant;
	ds_str word, value;
	*state = s;
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "field") && value.n)
			set_field(s, value);
		else if (ds_str_is(word, "logits"))
			s->logits = true;
		else if (!ds_str_is(word, "splits") || !ds_str_i64(value, &s->splits) ||
			 s->splits < 1 || s->splits > 1000)
			return metric_no_word(
				a->name, word, "field=NAME, logits, splits=N (1 to 1000)", e);
	}
	return DS_OK;
}

/* Logits become probabilities; these must be some. */
static ds_rc to_probabilities(const settings *s, double *v, size_t n, ds_err *e)
{
	double most = v[0], sum = 0;
	for (size_t i = 0; i < n; i++) {
		if (!s->logits && v[i] < 0)
			return ds_fail(e, DS_BAD,
				"%s has %g, which is no probability (:logits takes others)",
				s->field, v[i]);
		most = fmax(most, v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		v[i] = s->logits ? exp(v[i] - most) : v[i];
		sum += v[i];
	}
	if (!s->logits && fabs(sum - 1) > 1e-3)
		return ds_fail(e, DS_BAD, "%s adds up to %g, not to 1", s->field, sum);
	for (size_t i = 0; i < n; i++)
		v[i] /= sum;
	return DS_OK;
}

static ds_rc add_probabilities(
	const settings *s, rows *r, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	double *v;
	size_t n;
	DS_TRY(numbers(b, row, s->field, mem, &v, &n, e));
	DS_TRY(checked(n, &r->width, MAX_WIDTH, v, e));
	DS_TRY(to_probabilities(s, v, n, e));
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 256, one = r->width * sizeof(double);
		r->p = ds_mem_grow(r->p, r->cap * one, cap * one);
		r->cap = cap;
	}
	memcpy(r->p + r->n++ * r->width, v, n * sizeof(*v));
	return DS_OK;
}

static ds_rc update_inception(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	for (uint32_t i = from; i < to; i++)
		DS_TRY_AT(add_probabilities(state, p, b, i, mem, e), e, "record %llu",
			(unsigned long long)ds_block_record(b, i));
	return DS_OK;
}

/* exp of the mean divergence of rows [from, to) from their mean */
static double divergence(const rows *r, size_t from, size_t to, double *mean)
{
	double sum = 0, n = (double)(to - from);
	memset(mean, 0, r->width * sizeof(*mean));
	for (size_t i = from; i < to; i++)
		for (size_t c = 0; c < r->width; c++)
			mean[c] += r->p[i * r->width + c] / n;
	for (size_t i = from; i < to; i++)
		for (size_t c = 0; c < r->width; c++) {
			double p = r->p[i * r->width + c];
			sum += p > 0 ? p * (log(p) - log(mean[c])) : 0;
		}
	return exp(sum / n);
}

static ds_rc compute_inception(void *state, void *p, metric_result *out, ds_err *e)
{
	const settings *s = state;
	const rows *r = p;
	if (!r->n)
		return ds_fail(e, DS_BAD, "there are no records");
	/* As torch.chunk cuts: parts of one size, the last one shorter. */
	size_t size = (r->n + (size_t)s->splits - 1) / (size_t)s->splits, k = 0;
	double *mean = DS_NEW(double, r->width), sum = 0, squares = 0;
	double *scores = DS_NEW(double, (size_t)s->splits);
	for (size_t from = 0; from < r->n; from += size) {
		size_t to = from + size < r->n ? from + size : r->n;
		scores[k] = divergence(r, from, to, mean);
		sum += scores[k++];
	}
	out->score = sum / (double)k;
	for (size_t i = 0; i < k; i++)
		squares += (scores[i] - out->score) * (scores[i] - out->score);
	ds_mem_free(mean);
	ds_mem_free(scores);
	ds_buf_fmt(&out->detail, "standard deviation %.6g over %zu split%s of %zu record%s",
		k > 1 ? sqrt(squares / (double)(k - 1)) : 0, k, ds_s(k), r->n, ds_s(r->n));
	ds_buf_fmt(&out->signature, "field:%s|classes:%zu|splits:%lld|order:stream", s->field,
		r->width, (long long)s->splits);
	return DS_OK;
}

/* ---- Fréchet distance ---- */

enum { AT_ONCE = 4 };
typedef struct sums {
	size_t width, n, waiting;
	double *mean;   /* the sum, before it is finished */
	double *outer;  /* width × width, upper triangle */
	double *rows;   /* AT_ONCE × width, what is waiting; zeros behind it */
	double *origin; /* the first row, taken off all: sums of squares stay small */
} sums;

static void sums_free(void *p)
{
	sums *s = p;
	if (!s)
		return;
	ds_mem_free(s->mean);
	ds_mem_free(s->outer);
	ds_mem_free(s->rows);
	ds_mem_free(s->origin);
	ds_mem_free(s);
}

static void *sums_new(void *state)
{
	return DS_NEW(sums, 1);
}

static void sums_flush(sums *s)
{
	if (s->waiting)
		symmetric_add4(s->outer, s->rows, s->width);
	memset(s->rows, 0, AT_ONCE * s->width * sizeof(*s->rows));
	s->waiting = 0;
}

static ds_rc sums_row(
	sums *s, const char *field, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	double *v;
	size_t n;
	DS_TRY(numbers(b, row, field, mem, &v, &n, e));
	DS_TRY(checked(n, &s->width, MAX_FEATURES, v, e));
	if (!s->mean) {
		s->mean = DS_NEW(double, n);
		s->outer = DS_NEW(double, n *n);
		s->rows = DS_NEW(double, AT_ONCE *n);
		s->origin = DS_NEW(double, n);
		memcpy(s->origin, v, n * sizeof(*v));
	}
	for (size_t i = 0; i < n; i++) {
		v[i] -= s->origin[i];
		s->mean[i] += v[i];
	}
	memcpy(s->rows + s->waiting++ * n, v, n * sizeof(*v));
	s->n++;
	if (s->waiting == AT_ONCE)
		sums_flush(s);
	return DS_OK;
}

static ds_rc sums_rows(sums *s, const char *field, ds_block *b, uint32_t from, uint32_t to,
	ds_arena *mem, ds_err *e)
{
	for (uint32_t i = from; i < to; i++)
		DS_TRY_AT(sums_row(s, field, b, i, mem, e), e, "record %llu",
			(unsigned long long)ds_block_record(b, i));
	return DS_OK;
}

/* Mean and covariance, whole, in place of the sums. */
static ds_rc sums_finish(sums *s, const char *what, ds_err *e)
{
	if (s->n < 2)
		return ds_fail(
			e, DS_BAD, "%s: %zu record%s, two are needed", what, s->n, ds_s(s->n));
	sums_flush(s);
	double n = (double)s->n;
	size_t w = s->width;
	for (size_t i = 0; i < w; i++)
		s->mean[i] /= n;
	for (size_t i = 0; i < w; i++)
		for (size_t j = i; j < w; j++) {
			double v = (s->outer[i * w + j] - n * s->mean[i] * s->mean[j]) / (n - 1);
			s->outer[i * w + j] = s->outer[j * w + i] = v;
		}
	for (size_t i = 0; i < w; i++)
		s->mean[i] += s->origin[i];
	return DS_OK;
}

static ds_rc fit(settings *s, const metric_args *a, ds_err *e)
{
	ds_input_opts how = a->common->in;
	const char *files[] = { a->fit };
	how.files = files;
	how.n_files = 1;
	DS_AUTO(ds_source) in = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(DS_BLOCK_BYTES);
	DS_TRY(ds_source_open(&in, &how, e));
	s->real = sums_new(NULL);
	for (;;) {
		ds_block *b;
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(in, mem, &b, e));
		if (!b)
			return sums_finish(s->real, a->fit, e);
		DS_TRY_AT(sums_rows(s->real, s->field, b, 0, b->n_rows, mem, e), e, "%s", a->fit);
	}
}

static void close_fid(void *state)
{
	settings *s = state;
	if (s)
		sums_free(s->real);
	close_inception(state);
}

static ds_rc open_fid(void **state, metric_args *a, ds_err *e)
{
	settings *s = settings_new("embedding");
	const char *rest = a->variant;
	ds_str word, value;
	*state = s;
	while (metric_word(&rest, &word, &value)) {
		if (!ds_str_is(word, "field") || !value.n)
			return metric_no_word("fid", word, "field=NAME", e);
		set_field(s, value);
	}
	if (!a->fit)
		return ds_fail(e, DS_USAGE, "fid needs --fit FILE, the records to compare with");
	return fit(s, a, e);
}

static ds_rc update_fid(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	return sums_rows(p, ((settings *)state)->field, b, from, to, mem, e);
}

/* The sum of the roots of S1 S2's eigenvalues; a becomes the root of S1. */
static double trace_of_root(double *a, const double *b, size_t n)
{
	double *half = DS_NEW(double, n *n), *both = DS_NEW(double, n *n), sum = 0;
	double *values = DS_NEW(double, n);
	symmetric_root(a, n);
	for (size_t i = 0; i < n; i++) /* half = S2 L */
		for (size_t k = 0; k < n; k++)
			for (size_t j = 0; j <= k; j++)
				half[i * n + j] += b[i * n + k] * a[k * n + j];
	for (size_t k = 0; k < n; k++) /* both = L^T half */
		for (size_t i = 0; i <= k; i++)
			for (size_t j = 0; j < n; j++)
				both[i * n + j] += a[k * n + i] * half[k * n + j];
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			both[i * n + j] = both[j * n + i] = (both[i * n + j] + both[j * n + i]) / 2;
	symmetric_values(both, n, values);
	for (size_t i = 0; i < n; i++)
		sum += values[i] > 0 ? sqrt(values[i]) : 0;
	ds_mem_free(half);
	ds_mem_free(both);
	ds_mem_free(values);
	return sum;
}

static ds_rc compute_fid(void *state, void *p, metric_result *out, ds_err *e)
{
	settings *s = state;
	sums *x = p, *y = s->real;
	double d = 0, traces = 0;
	if (x->width != y->width)
		return ds_fail(e, DS_BAD, "%s has %zu numbers, in --fit %zu", s->field, x->width,
			y->width);
	DS_TRY(sums_finish(x, "fid", e));
	for (size_t i = 0; i < x->width; i++) {
		d += (x->mean[i] - y->mean[i]) * (x->mean[i] - y->mean[i]);
		traces += x->outer[i * x->width + i] + y->outer[i * x->width + i];
	}
	out->score = d + traces - 2 * trace_of_root(x->outer, y->outer, x->width);
	ds_buf_fmt(&out->detail, "%zu record%s against %zu", x->n, ds_s(x->n), y->n);
	if (x->n <= x->width || y->n <= x->width)
		ds_buf_fmt(&out->detail, "; fewer than the %zu features: the distance is too large",
			x->width);
	ds_buf_fmt(&out->signature, "field:%s|features:%zu|n:%zu", s->field, x->width, x->n);
	return DS_OK;
}

const metric metric_inception = {
	.name = "inception-score",
	.help = "Inception Score of probabilities in score (:field=NAME, :logits, :splits=10)",
	.serial = true,
	.open = open_inception,
	.close = close_inception,
	.part_new = rows_new,
	.part_free = rows_free,
	.update = update_inception,
	.compute = compute_inception,
};

const metric metric_fid = {
	.name = "fid",
	.help = "Fréchet distance of features in embedding (:field=NAME) to those of --fit FILE",
	.serial = true,
	.open = open_fid,
	.close = close_fid,
	.part_new = sums_new,
	.part_free = sums_free,
	.update = update_fid,
	.compute = compute_fid,
};
