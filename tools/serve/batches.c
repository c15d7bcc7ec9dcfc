/*
 * batches.c - engines by length and number
 */
#include "batches.h"

#include "base/mem.h"
#include "infer/embed.h"
#include "infer/encode.h"

/* Lengths 16, 32 … ; numbers 1, 2, 4 … 32. What is over 8192 tokens together goes in smaller batches. */
enum { LENGTHS = 12, NUMBERS = 6, SHORTEST = 16, MOST_TOKENS = 8192 };

struct batches {
	const ds_model *m;
	ds_device *device;
	work_kind kind;
	ds_exec *weights;
	ds_precision precision;
	int64_t longest;
	ds_embedder *vectors[LENGTHS][NUMBERS];
	ds_encoder *labels[LENGTHS][NUMBERS];
};

static int64_t length_of(const batches *b, int class_of)
{
	int64_t n = (int64_t)SHORTEST << class_of;
	return n < b->longest ? n : b->longest;
}

int batches_class(const batches *b, size_t n_tokens)
{
	int c = 0;
	while (c + 1 < LENGTHS && (int64_t)n_tokens > length_of(b, c))
		c++;
	return c;
}

size_t batches_most(const batches *b, int class_of)
{
	size_t n = BATCH_MOST;
	while (n > 1 && (int64_t)n * length_of(b, class_of) > MOST_TOKENS)
		n /= 2;
	return n;
}

int64_t batches_longest(const batches *b)
{
	return b->longest;
}

ds_exec *batches_weights(batches *b)
{
	return b->weights;
}

/* The engine of this size, made if need be. */
static ds_rc engine(batches *b, int class_of, int number, ds_err *e)
{
	int64_t n = (int64_t)1 << number, length = length_of(b, class_of);
	ds_embedder **v = &b->vectors[class_of][number];
	ds_encoder **l = &b->labels[class_of][number];
	if (b->kind == WORK_VECTOR && !*v) {
		ds_embedder_opts o = { n, length, b->weights, b->precision };
		DS_TRY(ds_embedder_open(v, b->m, b->device, &o, e));
		if (!b->weights)
			b->weights = ds_embedder_weights(*v);
	}
	if (b->kind == WORK_LABEL && !*l) {
		ds_encoder_opts o = { n, length, 0, b->weights, b->precision };
		DS_TRY(ds_encoder_open(l, b->m, b->device, &o, e));
		if (!b->weights)
			b->weights = ds_encoder_weights(*l);
	}
	return DS_OK;
}

ds_rc batches_open(batches **out, const sched_opts *how, work_kind kind, ds_exec *share, ds_err *e)
{
	batches *b = DS_NEW(batches, 1);
	*out = b;
	b->m = how->model;
	b->device = how->device;
	b->precision = how->precision;
	b->kind = kind;
	b->weights = share;
	b->longest = ds_model_longest(b->m);
	if (b->longest > (int64_t)SHORTEST << (LENGTHS - 1))
		b->longest = (int64_t)SHORTEST << (LENGTHS - 1);
	return engine(b, 0, 0, e);
}

void batches_close(batches *b)
{
	if (!b)
		return;
	/* The first was made for the shortest length and one sequence: the others have its weights. */
	for (int c = LENGTHS - 1; c >= 0; c--)
		for (int n = NUMBERS - 1; n >= 0; n--) {
			ds_embedder_close(b->vectors[c][n]);
			ds_encoder_close(b->labels[c][n]);
		}
	ds_mem_free(b);
}

static ds_rc run_vectors(ds_embedder *d, work *const *works, size_t n, ds_err *e)
{
	ds_embedding s[BATCH_MOST];
	for (size_t i = 0; i < n; i++)
		s[i] = (ds_embedding){ works[i]->ask.prompt, works[i]->ask.n_prompt,
			works[i]->out };
	return ds_embedder_run(d, s, n, e);
}

static ds_rc run_labels(ds_encoder *d, work *const *works, size_t n, ds_err *e)
{
	ds_encoding s[BATCH_MOST];
	for (size_t i = 0; i < n; i++)
		s[i] = (ds_encoding){ .ids = works[i]->ask.prompt,
			.n = works[i]->ask.n_prompt,
			.logits = works[i]->out };
	return ds_encoder_run(d, s, n, e);
}

/* In the largest batches that are full: a row that nobody asked for costs as much as another. */
ds_rc batches_run(batches *b, int class_of, work *const *works, size_t n, ds_err *e)
{
	while (n) {
		int number = 0;
		while (number + 1 < NUMBERS && ((size_t)2 << number) <= n)
			number++;
		size_t k = (size_t)1 << number;
		DS_TRY(engine(b, class_of, number, e));
		if (b->kind == WORK_VECTOR)
			DS_TRY(run_vectors(b->vectors[class_of][number], works, k, e));
		else
			DS_TRY(run_labels(b->labels[class_of][number], works, k, e));
		works += k;
		n -= k;
	}
	return DS_OK;
}
