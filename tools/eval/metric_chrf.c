/*
 * metric_chrf.c - chrF and chrF++ as sacreBLEU 2.6 computes them
 *
 * Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, and "chrF++", WMT 2017:
 * the mean precision and recall of character n-grams 1 to 6 (chrF++: word n-grams 1 and 2 as well) over
 * the orders that both sides have, recall weighted by beta^2 = 4. Of several references the one with the
 * best score of the sentence counts.
 */
#include "metric.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/overlap.h"
#include "text/unicode.h"

enum { CHARS = 6, WORDS = 2, ORDERS = CHARS + WORDS, BETA2 = 4 };

typedef struct {
	bool lower, space;
	unsigned words;
} settings;

typedef struct {
	ds_units chars, words;
} units;

static ds_rc open_chrf(void **state, metric_args *a, ds_err *e)
{
	settings *s = DS_NEW(settings, 1);
	const char *rest = a->variant;
	ds_str word, value;
	bool plus = strncmp(a->name, "chrf++", 6) == 0;
	*state = s;
	s->words = plus ? WORDS : 0;
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "lc"))
			s->lower = true;
		else if (ds_str_is(word, "space"))
			s->space = true;
		else
			return metric_no_word(plus ? "chrf++" : "chrf", word, "lc, space", e);
	}
	return DS_OK;
}

static ds_units chars_of(const settings *s, ds_str text, ds_arena *mem)
{
	uint64_t *at = ds_arena_get(mem, (text.n + 1) * sizeof(*at));
	size_t n = 0;
	for (size_t i = 0, len; i < text.n; i += len) {
		uint32_t c = bleu_point(text.at + i, text.n - i, &len);
		if (s->space || !bleu_space(c))
			at[n++] = c;
	}
	return (ds_units){ at, n };
}

static bool punct(char c)
{
	return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~');
}

/* A word's last character is cut off where it is ASCII punctuation, else its first. */
static ds_units words_of(ds_str text, ds_arena *mem)
{
	ds_str *t;
	size_t n, k = 0;
	bleu_tok_run(TOK_NONE, text, mem, &t, &n);
	uint64_t *at = ds_arena_get(mem, (2 * n + 1) * sizeof(*at));
	for (size_t i = 0; i < n; i++) {
		size_t cut = t[i].n;
		if (t[i].n > 1 && punct(t[i].at[t[i].n - 1]))
			cut = t[i].n - 1;
		else if (t[i].n > 1 && punct(t[i].at[0]))
			cut = 1;
		at[k++] = ds_hash64(t[i].at, cut);
		if (cut < t[i].n)
			at[k++] = ds_hash64(t[i].at + cut, t[i].n - cut);
	}
	return (ds_units){ at, k };
}

static units units_of(const settings *s, ds_str text, ds_arena *mem)
{
	units u = { { NULL, 0 }, { NULL, 0 } };
	if (s->lower)
		text = ds_utf8_lower(text, mem);
	u.chars = chars_of(s, text, mem);
	if (s->words)
		u.words = words_of(text, mem);
	return u;
}

/* Of each order: n-grams of the hypothesis (0 where the reference has none), of the reference, shared. */
static void count(double *out, const settings *s, const units *hyp, const units *ref, ds_arena *mem)
{
	uint64_t both[ORDERS] = { 0 };
	ds_overlap(hyp->chars, &ref->chars, 1, CHARS, both, mem);
	if (s->words)
		ds_overlap(hyp->words, &ref->words, 1, s->words, both + CHARS, mem);
	for (unsigned k = 0; k < CHARS + s->words; k++) {
		bool word = k >= CHARS;
		size_t order = word ? k - CHARS + 1 : k + 1;
		size_t h = ds_n_grams(word ? hyp->words.n : hyp->chars.n, order);
		size_t r = ds_n_grams(word ? ref->words.n : ref->chars.n, order);
		out[3 * k] = r ? (double)h : 0;
		out[3 * k + 1] = (double)r;
		out[3 * k + 2] = (double)both[k];
	}
}

static double score_of(const double *sums)
{
	double p = 0, r = 0;
	unsigned orders = 0;
	for (unsigned k = 0; k < ORDERS; k++) {
		const double *c = sums + 3 * k;
		if (c[0] > 0 && c[1] > 0) {
			p += c[2] / c[0];
			r += c[2] / c[1];
			orders++;
		}
	}
	if (!orders || p + r == 0)
		return 0;
	p /= orders;
	r /= orders;
	return 100 * (1 + BETA2) * p * r / (BETA2 * p + r);
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	const settings *s = state;
	units hyp = units_of(s, r->pred, mem);
	double best = -1;
	for (size_t i = 0; i < r->n_refs; i++) {
		double c[3 * ORDERS] = { 0 };
		units ref = units_of(s, r->refs[i], mem);
		count(c, s, &hyp, &ref, mem);
		double score = score_of(c);
		if (score > best) {
			best = score;
			memcpy(sums, c, sizeof(c));
		}
	}
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	const settings *s = state;
	out->score = score_of(sums);
	ds_buf_fmt(&out->signature, "case:%s|eff:yes|nc:%d|nw:%u|space:%s|version:dstools-%s",
		s->lower ? "lc" : "mixed", CHARS, s->words, s->space ? "yes" : "no", DS_VERSION);
	return DS_OK;
}

const metric metric_chrf = {
	.name = "chrf",
	.help = "character n-gram F-score of pred against ref; :lc :space",
	.needs = METRIC_PRED | METRIC_REF,
	.n_sums = 3 * ORDERS,
	.open = open_chrf,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};

const metric metric_chrfpp = {
	.name = "chrf++",
	.help = "the same with word n-grams of 1 and 2",
	.needs = METRIC_PRED | METRIC_REF,
	.n_sums = 3 * ORDERS,
	.open = open_chrf,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};
