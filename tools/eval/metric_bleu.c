/*
 * metric_bleu.c - corpus BLEU as sacreBLEU 2.6 computes it
 *
 * Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002; smoothing
 * methods of Chen and Cherry, WMT 2014; several references by the greatest count and the closest length
 * (the shorter one on a tie).
 */
#include "metric.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/overlap.h"
#include "text/unicode.h"

#include <math.h>

enum { MAX_ORDER = 9 };
typedef enum { EXP, FLOOR, ADD_K, NO_SMOOTHING } smoothing;
static const char *const smoothings[] = { "exp", "floor", "add-k", "none", NULL };

typedef struct {
	bleu_tok tok;
	bool lower, effective;
	smoothing smooth;
	double value; /* of floor and add-k */
	unsigned order;
} settings;

/* sums: lengths, numbers of references by their extremes, then matches and totals of each order */
enum { HYP_LEN, REF_LEN, N_REFS, N_REFS2, MATCHES };

static const char known[] = "a tokenizer (13a, intl, zh, char, none), lc, eff, order=N, "
			    "smooth=exp|floor|add-k|none, value=V";

static ds_rc set_word(settings *s, ds_str word, ds_str value, ds_err *e)
{
	int64_t order;
	if (ds_str_is(word, "lc"))
		s->lower = true;
	else if (ds_str_is(word, "eff"))
		s->effective = true;
	else if (ds_str_is(word, "order") && ds_str_i64(value, &order) && order >= 1 &&
		 order <= MAX_ORDER)
		s->order = (unsigned)order;
	else if (ds_str_is(word, "value") && ds_str_f64(value, &s->value) && s->value >= 0)
		return DS_OK;
	else if (ds_str_is(word, "smooth")) {
		for (int i = 0; smoothings[i]; i++)
			if (ds_str_is(value, smoothings[i])) {
				s->smooth = (smoothing)i;
				return DS_OK;
			}
		return metric_no_word("bleu", word, known, e);
	} else if ((s->tok = bleu_tok_find(word)) == TOK_BAD)
		return metric_no_word("bleu", word, known, e);
	return DS_OK;
}

static ds_rc open_bleu(void **state, metric_args *a, ds_err *e)
{
	settings *s = DS_NEW(settings, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = s;
	s->order = 4;
	s->value = -1;
	if (a->tok && (s->tok = bleu_tok_find(ds_str_of(a->tok))) == TOK_BAD)
		return metric_no_word("bleu", ds_str_of(a->tok), known, e);
	while (metric_word(&rest, &word, &value))
		DS_TRY(set_word(s, word, value, e));
	if (s->value < 0)
		s->value = s->smooth == FLOOR ? 0.1 : 1;
	a->n_sums = MATCHES + 2 * s->order;
	return DS_OK;
}

static ds_units tokens_of(const settings *s, ds_str text, ds_arena *mem)
{
	ds_str *tokens;
	size_t n;
	bleu_tok_run(s->tok, s->lower ? ds_utf8_lower(text, mem) : text, mem, &tokens, &n);
	uint64_t *h = ds_arena_get(mem, (n + 1) * sizeof(*h));
	for (size_t i = 0; i < n; i++)
		h[i] = ds_hash64(tokens[i].at, tokens[i].n);
	return (ds_units){ h, n };
}

static size_t distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	const settings *s = state;
	uint64_t matches[MAX_ORDER];
	ds_units hyp = tokens_of(s, r->pred, mem);
	ds_units *refs = ds_arena_get(mem, (r->n_refs + 1) * sizeof(*refs));
	size_t closest = 0;
	for (size_t i = 0; i < r->n_refs; i++) {
		refs[i] = tokens_of(s, r->refs[i], mem);
		size_t d = distance(refs[i].n, hyp.n), best = distance(refs[closest].n, hyp.n);
		if (d < best || (d == best && refs[i].n < refs[closest].n))
			closest = i;
	}
	ds_overlap(hyp, refs, r->n_refs, s->order, matches, mem);
	sums[HYP_LEN] = (double)hyp.n;
	sums[REF_LEN] = (double)refs[closest].n;
	sums[N_REFS] = (double)r->n_refs;
	sums[N_REFS2] = (double)(r->n_refs * r->n_refs);
	for (unsigned k = 0; k < s->order; k++) {
		sums[MATCHES + k] = (double)matches[k];
		sums[MATCHES + s->order + k] = (double)ds_n_grams(hyp.n, k + 1);
	}
	return DS_OK;
}

/* Precisions in percent, smoothed; the reference stops at the first order without n-grams. */
static unsigned precisions(const settings *s, const double *sums, double *p)
{
	const double *matches = sums + MATCHES, *totals = matches + s->order;
	double smooth = 1;
	unsigned orders = 0;
	for (unsigned k = 0; k < s->order; k++) {
		double m = matches[k], t = totals[k];
		if (s->smooth == ADD_K && k > 0) {
			m += s->value;
			t += s->value;
		}
		if (t == 0)
			break;
		orders = k + 1;
		if (m > 0)
			p[k] = 100 * m / t;
		else if (s->smooth == EXP)
			p[k] = 100 / ((smooth *= 2) * t);
		else if (s->smooth == FLOOR)
			p[k] = 100 * s->value / t;
	}
	return orders;
}

static double score_of(const settings *s, const double *sums, double *p, double brevity)
{
	double sum = 0;
	bool any = false;
	unsigned orders = precisions(s, sums, p), count = s->effective ? orders : s->order;
	for (unsigned k = 0; k < s->order; k++)
		any = any || sums[MATCHES + k] > 0;
	if (!any)
		return 0;
	for (unsigned k = 0; k < count; k++)
		sum += p[k] > 0 ? log(p[k]) : -9999999999.0;
	return brevity * exp(sum / count);
}

static void sign(const settings *s, const double *sums, uint64_t n, ds_buf *out)
{
	double mean = sums[N_REFS] / (double)n;
	if (mean * mean * (double)n == sums[N_REFS2])
		ds_buf_fmt(out, "nrefs:%.0f", mean);
	else
		ds_buf_add_c(out, "nrefs:var");
	ds_buf_fmt(out, "|case:%s|eff:%s|tok:%s|smooth:%s", s->lower ? "lc" : "mixed",
		s->effective ? "yes" : "no", bleu_tok_name(s->tok), smoothings[s->smooth]);
	if (s->smooth == FLOOR || s->smooth == ADD_K)
		ds_buf_fmt(out, "[%.2f]", s->value);
	if (s->order != 4)
		ds_buf_fmt(out, "|order:%u", s->order);
	ds_buf_fmt(out, "|version:dstools-%s", DS_VERSION);
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	const settings *s = state;
	double p[MAX_ORDER] = { 0 }, hyp = sums[HYP_LEN], ref = sums[REF_LEN];
	double brevity = hyp >= ref ? 1 : hyp > 0 ? exp(1 - ref / hyp) : 0;
	out->score = score_of(s, sums, p, brevity);
	sign(s, sums, n, &out->signature);
	for (unsigned k = 0; k < s->order; k++)
		ds_buf_fmt(&out->detail, k ? "/%.1f" : "%.1f", p[k]);
	ds_buf_fmt(&out->detail, " (BP = %.3f ratio = %.3f hyp_len = %.0f ref_len = %.0f)", brevity,
		ref > 0 ? hyp / ref : 0, hyp, ref);
	return DS_OK;
}

const metric metric_bleu = {
	.name = "bleu",
	.help = "corpus BLEU of pred against ref; :13a :intl :zh :char :none, :lc :eff :order=N "
		":smooth=M",
	.needs = METRIC_PRED | METRIC_REF,
	.open = open_bleu,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};
