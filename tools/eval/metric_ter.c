/*
 * metric_ter.c - translation edit rate as sacreBLEU 2.6 computes it
 *
 * Snover et al., "A Study of Translation Edit Rate with Targeted Human Annotation", AMTA 2006: insertions,
 * deletions, substitutions and shifts of runs of words, a hundred times their number by the mean length of
 * the references. Shifts are found greedily; limits and ranking are Tercom's. Of several references the
 * one that needs the fewest edits counts.
 */
#include "metric.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/overlap.h"
#include "text/unicode.h"

#include <math.h>

enum { SHIFT_SIZE = 10, SHIFT_DISTANCE = 50, CANDIDATES = 1000, BEAM = 25 };
enum { FAR = 1 << 29 };
typedef enum { NONE, KEEP, CHANGE, INSERT, DELETE } edit;

typedef struct {
	ds_units ref;
	size_t n;       /* words of the hypothesis, which shifts do not change */
	uint32_t *cost; /* (n + 1) × (ref.n + 1) */
	uint8_t *op;
	uint64_t *last; /* the words that the rows were computed of */
	size_t whole;   /* rows that hold for `last` */
	/* The best path, by place: */
	int64_t *align; /* of a reference word: the hypothesis word, -1: before the first */
	uint8_t *ref_wrong, *hyp_wrong;
} matrix;

static matrix matrix_of(ds_units ref, size_t n, ds_arena *mem)
{
	size_t cells = (n + 1) * (ref.n + 1);
	matrix m = { .ref = ref, .n = n };
	m.cost = ds_arena_get(mem, cells * sizeof(*m.cost));
	m.op = ds_arena_get(mem, cells);
	m.last = ds_arena_get(mem, (n + 1) * sizeof(*m.last));
	m.align = ds_arena_get(mem, (ref.n + 1) * sizeof(*m.align));
	m.ref_wrong = ds_arena_get(mem, ref.n + 1);
	m.hyp_wrong = ds_arena_get(mem, n + 1);
	for (size_t j = 0; j <= ref.n; j++) {
		m.cost[j] = (uint32_t)j;
		m.op[j] = INSERT;
	}
	m.whole = 1;
	return m;
}

static void better(matrix *m, size_t at, uint32_t cost, edit op)
{
	if (m->cost[at] > cost) {
		m->cost[at] = cost;
		m->op[at] = (uint8_t)op;
	}
}

static void fill_row(matrix *m, const uint64_t *words, size_t i, size_t from, size_t to)
{
	size_t width = m->ref.n + 1, row = i * width, above = row - width;
	for (size_t j = 0; j < width; j++) {
		m->cost[row + j] = FAR;
		m->op[row + j] = NONE;
	}
	for (size_t j = from; j < to; j++) {
		if (j == 0) {
			m->cost[row] = m->cost[above] + 1;
			m->op[row] = DELETE;
			continue;
		}
		bool same = words[i - 1] == m->ref.at[j - 1];
		better(m, row + j, m->cost[above + j - 1] + !same, same ? KEEP : CHANGE);
		better(m, row + j, m->cost[above + j] + 1, DELETE);
		better(m, row + j, m->cost[row + j - 1] + 1, INSERT);
	}
}

/* Levenshtein's distance in a beam about the diagonal; rows of words that did not change are kept. */
static uint32_t distance(matrix *m, const uint64_t *words)
{
	double ratio = m->n ? (double)m->ref.n / (double)m->n : 1;
	size_t beam = BEAM < ratio / 2 ? (size_t)ceil(ratio / 2 + BEAM) : BEAM, i = 1;
	while (i < m->whole && m->last[i - 1] == words[i - 1])
		i++;
	for (; i <= m->n; i++) {
		size_t diagonal = (size_t)floor((double)i * ratio);
		size_t from = diagonal > beam ? diagonal - beam : 0;
		size_t to = diagonal + beam < m->ref.n + 1 ? diagonal + beam : m->ref.n + 1;
		fill_row(m, words, i, from, i == m->n ? m->ref.n + 1 : to);
		m->last[i - 1] = words[i - 1];
	}
	m->whole = m->n + 1;
	return m->cost[(m->n + 1) * (m->ref.n + 1) - 1];
}

/* Which words of both sides the best path calls wrong, and where each reference word stands. */
static void trace(matrix *m)
{
	size_t i = m->n, j = m->ref.n;
	while (i > 0 || j > 0) {
		edit op = (edit)m->op[i * (m->ref.n + 1) + j];
		bool wrong = op != KEEP;
		if (op == INSERT) {
			j--;
			m->align[j] = (int64_t)i - 1;
			m->ref_wrong[j] = 1;
		} else if (op == DELETE) {
			m->hyp_wrong[--i] = 1;
		} else {
			i--;
			j--;
			m->align[j] = (int64_t)i;
			m->ref_wrong[j] = m->hyp_wrong[i] = wrong;
		}
	}
}

static void shift(uint64_t *out, const uint64_t *w, size_t n, size_t start, size_t len, size_t to)
{
	size_t k = 0;
#define TAKE(from, until) \
	for (size_t i_ = (from); i_ < (until) && i_ < n; i_++) \
	out[k++] = w[i_]
	if (to < start) {
		TAKE(0, to);
		TAKE(start, start + len);
		TAKE(to, start);
		TAKE(start + len, n);
	} else if (to > start + len) {
		TAKE(0, start);
		TAKE(start + len, to);
		TAKE(start, start + len);
		TAKE(to, n);
	} else {
		TAKE(0, start);
		TAKE(start + len, len + to);
		TAKE(start, start + len);
		TAKE(len + to, n);
	}
#undef TAKE
}

typedef struct {
	bool any;
	int64_t gain;
	size_t len, start, to;
} candidate;

static bool ranks_before(const candidate *a, const candidate *b)
{
	if (!b->any || a->gain != b->gain)
		return !b->any || a->gain > b->gain;
	if (a->len != b->len)
		return a->len > b->len;
	if (a->start != b->start)
		return a->start < b->start;
	return a->to < b->to;
}

typedef struct {
	matrix *m;
	const uint64_t *words;
	uint64_t *trial, *best_words;
	uint32_t before;
	candidate best;
	unsigned *checked;
} search;

/* Tries the run at hyp[h..h+len), which equals ref[r..r+len), at every place about its own. */
static void try_run(search *s, size_t h, size_t r, size_t len)
{
	const matrix *m = s->m;
	bool hyp_wrong = false, ref_wrong = false;
	int64_t before = -1;
	for (size_t k = 0; k < len; k++) {
		hyp_wrong = hyp_wrong || m->hyp_wrong[h + k];
		ref_wrong = ref_wrong || m->ref_wrong[r + k];
	}
	if (!hyp_wrong || !ref_wrong ||
		(m->align[r] >= (int64_t)h && m->align[r] < (int64_t)(h + len)))
		return;
	for (size_t k = 0; k <= len; k++) { /* offsets -1 … len - 1 */
		int64_t to = 0;
		if (r + k > 0) {
			if (r + k - 1 >= m->ref.n)
				break;
			to = m->align[r + k - 1] + 1;
		}
		if (to == before)
			continue;
		before = to;
		shift(s->trial, s->words, m->n, h, len, (size_t)to);
		candidate c = { true, 0, len, h, (size_t)to };
		c.gain = (int64_t)s->before - (int64_t)distance(s->m, s->trial);
		(*s->checked)++;
		if (ranks_before(&c, &s->best)) {
			s->best = c;
			memcpy(s->best_words, s->trial, m->n * sizeof(*s->trial));
		}
	}
}

/* The best shift, false where none was found. */
static bool best_shift(search *s)
{
	const matrix *m = s->m;
	s->best.any = false;
	s->before = distance(s->m, s->words);
	trace(s->m);
	for (size_t h = 0; h < m->n; h++)
		for (size_t r = 0; r < m->ref.n; r++) {
			if (h > r + SHIFT_DISTANCE || r > h + SHIFT_DISTANCE)
				continue;
			for (size_t len = 1;
				len <= SHIFT_SIZE && h + len <= m->n && r + len <= m->ref.n &&
				s->words[h + len - 1] == m->ref.at[r + len - 1];
				len++) {
				try_run(s, h, r, len);
				if (*s->checked >= CANDIDATES)
					return s->best.any;
			}
		}
	return s->best.any;
}

static double edits(ds_units hyp, ds_units ref, ds_arena *mem)
{
	if (ref.n == 0)
		return (double)hyp.n;
	matrix m = matrix_of(ref, hyp.n, mem);
	unsigned shifts = 0, checked = 0;
	uint64_t *words = ds_arena_get(mem, (hyp.n + 1) * sizeof(*words));
	search s = { .m = &m, .words = words, .checked = &checked };
	s.trial = ds_arena_get(mem, (hyp.n + 1) * sizeof(*words));
	s.best_words = ds_arena_get(mem, (hyp.n + 1) * sizeof(*words));
	memcpy(words, hyp.at, hyp.n * sizeof(*words));
	while (best_shift(&s) && checked < CANDIDATES && s.best.gain > 0) {
		memcpy(words, s.best_words, hyp.n * sizeof(*words));
		shifts++;
	}
	return shifts + distance(&m, words);
}

static ds_units words_of(ds_str text, ds_arena *mem)
{
	ds_str *t;
	size_t n;
	bleu_tok_run(TOK_NONE, ds_utf8_lower(text, mem), mem, &t, &n);
	uint64_t *at = ds_arena_get(mem, (n + 1) * sizeof(*at));
	for (size_t i = 0; i < n; i++)
		at[i] = ds_hash64(t[i].at, t[i].n);
	return (ds_units){ at, n };
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	ds_units hyp = words_of(r->pred, mem);
	double best = INFINITY, words = 0;
	for (size_t i = 0; i < r->n_refs; i++) {
		ds_units ref = words_of(r->refs[i], mem);
		if (ref.n && hyp.n > ((size_t)1 << 28) / ref.n)
			return ds_fail(e, DS_BAD, "%zu words beside %zu are too many for ter",
				hyp.n, ref.n);
		double x = edits(hyp, ref, mem);
		best = x < best ? x : best;
		words += (double)ref.n;
	}
	sums[0] = best;
	sums[1] = words / (double)r->n_refs;
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	out->score = sums[1] > 0 ? 100 * sums[0] / sums[1] : sums[0] > 0 ? 100 : 0;
	ds_buf_fmt(&out->signature,
		"case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:dstools-%s", DS_VERSION);
	ds_buf_fmt(&out->detail, "%.0f edits, ref_len = %.1f", sums[0], sums[1]);
	return DS_OK;
}

const metric metric_ter = {
	.name = "ter",
	.help = "translation edit rate of pred against ref",
	.needs = METRIC_PRED | METRIC_REF,
	.n_sums = 2,
	.record = record,
	.of_sums = of_sums,
};
