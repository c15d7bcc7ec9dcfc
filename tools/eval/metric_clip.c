/*
 * metric_clip.c - how well texts go with pictures, by the model -m DIR
 *
 * As torchmetrics has it: 100 times the mean cosine, not below 0. clip:paper is the paper's (Hessel et al. 2021): the
 * mean of 2.5 max(cosine, 0). Which of them it is, the signature says.
 */
#include "pairs.h"

#include "base/mem.h"

#include <math.h>

#define PAPER_FACTOR 2.5

typedef struct {
	pairs p;
	bool paper;
} comparer;

typedef struct {
	double sum, positive;
	uint64_t n;
} part;

static void close_comparer(void *state)
{
	comparer *c = state;
	if (!c)
		return;
	pairs_close(&c->p);
	ds_mem_free(c);
}

static ds_rc open_comparer(void **state, metric_args *a, ds_err *e)
{
	comparer *c = DS_NEW(comparer, 1);
	ds_str word, value;
	*state = c;
	while (metric_word(&a->variant, &word, &value)) {
		if (!ds_str_is(word, "paper") && !ds_str_is(word, "torchmetrics"))
			return metric_no_word("clip", word, "torchmetrics or paper", e);
		c->paper = ds_str_is(word, "paper");
	}
	return pairs_open(&c->p, a, e);
}

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

static ds_rc update(
	void *state, void *part_, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	comparer *c = state;
	part *p = part_;
	pair_vectors v;
	int64_t width = ds_towers_width(c->p.t);
	DS_TRY(pairs_embed(&c->p, b, from, to, mem, &v, e));
	for (size_t i = 0; i < v.n; i++) {
		size_t at = i * (size_t)width;
		double cosine = pairs_cosine(v.text + at, v.image + at, width);
		p->sum += cosine;
		p->positive += cosine > 0 ? cosine : 0;
		p->n++;
	}
	return DS_OK;
}

static ds_rc compute(void *state, void *part_, metric_result *out, ds_err *e)
{
	const comparer *c = state;
	const part *p = part_;
	if (!p->n)
		return ds_fail(e, DS_BAD, "clip: there are no records with image and text");
	double mean = p->sum / (double)p->n, n = (double)p->n;
	double paper = PAPER_FACTOR * p->positive / n, usual = fmax(100 * mean, 0);
	out->score = c->paper ? paper : usual;
	ds_buf_fmt(&out->signature, "form:%s", c->paper ? "paper" : "torchmetrics");
	ds_buf_fmt(&out->detail, "%llu record%s, mean cosine %.4f; torchmetrics %.4f, paper %.4f",
		(unsigned long long)p->n, ds_s(p->n), mean, usual, paper);
	return DS_OK;
}

const metric metric_clip = {
	.name = "clip",
	.help = "how well texts go with pictures, by the model -m DIR; clip:paper",
	.fields = { "image", "text" },
	.serial = true,
	.open = open_comparer,
	.close = close_comparer,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.update = update,
	.compute = compute,
};
