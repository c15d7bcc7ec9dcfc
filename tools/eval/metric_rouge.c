/*
 * metric_rouge.c - ROUGE-1, -2, -L and -Lsum as Google's rouge-score computes them
 *
 * Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. The score is the mean F1 over the
 * records; of several references the best counts. The reference's tokens are runs of a-z and 0-9 alone,
 * so other scripts score 0 there: another tokenizer is named by a variant (rougeL:zh) or --tok.
 */
#include "metric.h"
#include "stem.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/overlap.h"
#include "text/unicode.h"

#include <stdlib.h>

typedef enum { GRAMS, LCS, LCS_SUM } kind;

typedef struct {
	kind kind;
	unsigned order;
	bool stem;
	bleu_tok tok; /* TOK_BAD: rouge-score's own */
} settings;

typedef struct {
	double p, r, f;
} prf;

static const char known[] = "stem, or a tokenizer (zh, char, intl, 13a, none)";

static ds_rc open_rouge(void **state, metric_args *a, ds_err *e)
{
	settings *s = DS_NEW(settings, 1);
	const char *rest = a->variant, *which = a->name + strlen("rouge");
	ds_str word, value;
	*state = s;
	s->tok = TOK_BAD;
	s->kind = strncmp(which, "Lsum", 4) == 0 ? LCS_SUM : *which == 'L' ? LCS : GRAMS;
	s->order = s->kind == GRAMS ? (unsigned)(*which - '0') : 1;
	if (a->tok && (s->tok = bleu_tok_find(ds_str_of(a->tok))) == TOK_BAD)
		return ds_fail(
			e, DS_USAGE, "--tok '%s' is no tokenizer of rouge: %s", a->tok, known);
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "stem"))
			s->stem = true;
		else if ((s->tok = bleu_tok_find(word)) == TOK_BAD)
			return metric_no_word("rouge", word, known, e);
	}
	return DS_OK;
}

static uint64_t hash_of(const settings *s, ds_str t, ds_arena *mem)
{
	if (s->stem && t.n > 3)
		t = stem(t, mem);
	return ds_hash64(t.at, t.n);
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static ds_units tokens_of(const settings *s, ds_str text, ds_arena *mem)
{
	ds_str low = ds_utf8_lower(text, mem), *tokens;
	uint64_t *at;
	size_t n = 0;
	if (s->tok != TOK_BAD) {
		bleu_tok_run(s->tok, low, mem, &tokens, &n);
		at = ds_arena_get(mem, (n + 1) * sizeof(*at));
		for (size_t i = 0; i < n; i++)
			at[i] = hash_of(s, tokens[i], mem);
		return (ds_units){ at, n };
	}
	at = ds_arena_get(mem, (low.n / 2 + 1) * sizeof(*at));
	for (size_t i = 0, from; i < low.n; i++) {
		from = i;
		while (i < low.n && plain(low.at[i]))
			i++;
		if (i > from)
			at[n++] = hash_of(s, (ds_str){ low.at + from, i - from }, mem);
	}
	return (ds_units){ at, n };
}

static prf prf_of(double hits, size_t pred, size_t ref)
{
	prf x = { hits / (double)(pred ? pred : 1), hits / (double)(ref ? ref : 1), 0 };
	if (x.p + x.r > 0)
		x.f = 2 * x.p * x.r / (x.p + x.r);
	return x;
}

static prf grams(const settings *s, ds_str pred, ds_str ref, ds_arena *mem)
{
	uint64_t both[9];
	ds_units a = tokens_of(s, pred, mem), b = tokens_of(s, ref, mem);
	ds_overlap(a, &b, 1, s->order, both, mem);
	return prf_of(
		(double)both[s->order - 1], ds_n_grams(a.n, s->order), ds_n_grams(b.n, s->order));
}

/* The table of the longest common subsequence, (a.n + 1) × (b.n + 1). */
static uint32_t *lcs_table(ds_units a, ds_units b, ds_arena *mem)
{
	size_t width = b.n + 1;
	uint32_t *t = ds_arena_get(mem, (a.n + 1) * width * sizeof(*t));
	memset(t, 0, width * sizeof(*t));
	for (size_t i = 1; i <= a.n; i++) {
		uint32_t *row = t + i * width, *above = row - width;
		row[0] = 0;
		for (size_t j = 1; j <= b.n; j++) {
			uint32_t most = above[j] > row[j - 1] ? above[j] : row[j - 1];
			row[j] = a.at[i - 1] == b.at[j - 1] ? above[j - 1] + 1 : most;
		}
	}
	return t;
}

static prf lcs(const settings *s, ds_str pred, ds_str ref, ds_arena *mem)
{
	ds_units a = tokens_of(s, ref, mem), b = tokens_of(s, pred, mem);
	uint32_t *row = ds_arena_zero(mem, (b.n + 1) * sizeof(*row));
	for (size_t i = 0; i < a.n; i++) {
		uint32_t before = 0; /* of the row above, one to the left */
		for (size_t j = 0; j < b.n; j++) {
			uint32_t above = row[j + 1];
			uint32_t most = above > row[j] ? above : row[j];
			row[j + 1] = a.at[i] == b.at[j] ? before + 1 : most;
			before = above;
		}
	}
	return prf_of(row[b.n], b.n, a.n);
}

typedef struct {
	ds_units *at;
	size_t n, tokens;
} sentences;

static sentences sentences_of(const settings *s, ds_str text, ds_arena *mem)
{
	sentences o = { NULL, 0, 0 };
	size_t lines = 1;
	for (size_t i = 0; i < text.n; i++)
		lines += text.at[i] == '\n';
	o.at = ds_arena_get(mem, lines * sizeof(*o.at));
	for (ds_str line, rest = text; rest.at;) {
		line = ds_str_cut(rest, '\n', &rest);
		if (!line.n)
			continue;
		o.at[o.n] = tokens_of(s, line, mem);
		o.tokens += o.at[o.n++].n;
	}
	return o;
}

/* Marks the tokens of a that are in its longest common subsequence with b. */
static void mark(bool *in, ds_units a, ds_units b, ds_arena *mem)
{
	const uint32_t *t = lcs_table(a, b, mem);
	size_t i = a.n, j = b.n, width = b.n + 1;
	while (i > 0 && j > 0) {
		if (a.at[i - 1] == b.at[j - 1]) {
			in[i - 1] = true;
			i--;
			j--;
		} else if (t[i * width + j - 1] > t[(i - 1) * width + j]) {
			j--;
		} else {
			i--;
		}
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* All tokens of a text, sorted, so that one can be taken out once. */
static uint64_t *bag_of(const sentences *s, ds_arena *mem)
{
	uint64_t *all = ds_arena_get(mem, (s->tokens + 1) * sizeof(*all));
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->at[i].n; k++)
			all[n++] = s->at[i].at[k];
	if (n)
		qsort(all, n, sizeof(*all), by_value);
	return all;
}

/* The first place of x that was not taken; false where there is none. */
static bool take(const uint64_t *bag, uint8_t *taken, size_t n, uint64_t x, size_t *at)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (bag[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < n && bag[low] == x && taken[low])
		low++;
	*at = low;
	return low < n && bag[low] == x;
}

static prf lcs_sum(const settings *s, ds_str pred, ds_str ref, ds_arena *mem)
{
	sentences a = sentences_of(s, ref, mem), b = sentences_of(s, pred, mem);
	uint64_t *bag_a = bag_of(&a, mem), *bag_b = bag_of(&b, mem);
	uint8_t *taken_a = ds_arena_zero(mem, a.tokens + 1),
		*taken_b = ds_arena_zero(mem, b.tokens + 1);
	double hits = 0;
	for (size_t i = 0; i < a.n; i++) {
		bool *in = ds_arena_zero(mem, a.at[i].n + 1);
		for (size_t k = 0; k < b.n; k++)
			mark(in, a.at[i], b.at[k], mem);
		for (size_t k = 0; k < a.at[i].n; k++) {
			size_t x, y;
			if (!in[k] || !take(bag_a, taken_a, a.tokens, a.at[i].at[k], &x) ||
				!take(bag_b, taken_b, b.tokens, a.at[i].at[k], &y))
				continue;
			taken_a[x] = taken_b[y] = 1;
			hits++;
		}
	}
	return prf_of(hits, b.tokens, a.tokens);
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	static prf (*const by_kind[])(
		const settings *, ds_str, ds_str, ds_arena *) = { grams, lcs, lcs_sum };
	const settings *s = state;
	prf best = { 0, 0, -1 };
	for (size_t i = 0; i < r->n_refs; i++) {
		if (s->kind != GRAMS && r->refs[i].n &&
			r->pred.n > ((size_t)1 << 32) / r->refs[i].n)
			return ds_fail(e, DS_BAD, "%zu bytes beside %zu are too many for rougeL",
				r->pred.n, r->refs[i].n);
		prf x = by_kind[s->kind](s, r->pred, r->refs[i], mem);
		best = x.f > best.f ? x : best;
	}
	sums[0] = best.p;
	sums[1] = best.r;
	sums[2] = best.f;
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	const settings *s = state;
	out->score = sums[2] / (double)n;
	ds_buf_fmt(&out->signature, "tok:%s|stem:%s|version:dstools-%s",
		s->tok == TOK_BAD ? "rouge-score" : bleu_tok_name(s->tok), s->stem ? "yes" : "no",
		DS_VERSION);
	ds_buf_fmt(&out->detail, "precision %.4f recall %.4f", sums[0] / (double)n,
		sums[1] / (double)n);
	return DS_OK;
}

#define ROUGE(id, text) \
	const metric metric_##id = { \
		.name = #id, \
		.help = text, \
		.needs = METRIC_PRED | METRIC_REF, \
		.n_sums = 3, \
		.open = open_rouge, \
		.close = ds_mem_free, \
		.record = record, \
		.of_sums = of_sums, \
	}
ROUGE(rouge1, "mean F1 of the words that pred and ref share; :stem, :zh :char :intl");
ROUGE(rouge2, "of the pairs of words");
ROUGE(rougeL, "of the longest common subsequence");
ROUGE(rougeLsum, "the same sentence by sentence (a line each)");
