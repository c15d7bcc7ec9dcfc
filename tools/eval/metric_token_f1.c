/*
 * metric_token_f1.c - mean F1 of the words that pred and its best reference share
 *
 * Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016: answers are
 * normalised, words counted as a bag. `zh` compares characters, as CMRC 2018 does.
 */
#include "answer.h"
#include "metric.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/overlap.h"

static ds_rc open_f1(void **state, metric_args *a, ds_err *e)
{
	bool *characters = DS_NEW(bool, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = characters;
	while (metric_word(&rest, &word, &value)) {
		if (!ds_str_is(word, "zh"))
			return metric_no_word("token-f1", word, "zh", e);
		*characters = true;
	}
	return DS_OK;
}

static ds_units words_of(bool characters, ds_str text, ds_arena *mem)
{
	ds_str *t;
	size_t n;
	bleu_tok_run(characters ? TOK_CHAR : TOK_NONE, answer_normal(text, mem), mem, &t, &n);
	uint64_t *at = ds_arena_get(mem, (n + 1) * sizeof(*at));
	for (size_t i = 0; i < n; i++)
		at[i] = ds_hash64(t[i].at, t[i].n);
	return (ds_units){ at, n };
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	bool characters = *(const bool *)state;
	ds_units a = words_of(characters, r->pred, mem);
	for (size_t i = 0; i < r->n_refs; i++) {
		ds_units b = words_of(characters, r->refs[i], mem);
		uint64_t both;
		ds_overlap(a, &b, 1, 1, &both, mem);
		double f = a.n + b.n ? 2 * (double)both / (double)(a.n + b.n) : 1;
		sums[0] = f > sums[0] ? f : sums[0];
	}
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	out->score = sums[0] / (double)n;
	ds_buf_fmt(&out->signature, "norm:squad|tok:%s", *(const bool *)state ? "char" : "none");
	return DS_OK;
}

const metric metric_token_f1 = {
	.name = "token-f1",
	.help = "mean F1 of the words of pred and ref as SQuAD counts them; :zh takes characters",
	.needs = METRIC_PRED | METRIC_REF,
	.n_sums = 1,
	.open = open_f1,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};
