/*
 * likelihoods.c - marks of choices side by side
 */
#include "likelihoods.h"

#include <math.h>

bool likelihoods_has(const char *output)
{
	static const char *const names[] = { "output_ids", "logprobs", "top_ids", "top_logprobs" };
	for (int i = 0; i < 4; i++)
		if (strcmp(output, names[i]) == 0)
			return true;
	return false;
}

static size_t n_marks(const gen_choice *c)
{
	return c->marks.n / sizeof(gen_mark);
}

void likelihoods_add(const gen *g, infer_response *a, ds_arena *mem)
{
	size_t longest = 0, k = g->n_likely;
	for (size_t i = 0; i < g->n; i++)
		longest = n_marks(&g->choices[i]) > longest ? n_marks(&g->choices[i]) : longest;
	size_t n = g->n * longest;
	int64_t *ids = ds_arena_get(mem, (n + 1) * sizeof(*ids));
	int64_t *top_ids = ds_arena_get(mem, (n * k + 1) * sizeof(*top_ids));
	float *p = ds_arena_get(mem, (n + 1) * sizeof(*p));
	float *top = ds_arena_get(mem, (n * k + 1) * sizeof(*top));
	for (size_t i = 0; i < n; i++) {
		const gen_choice *c = &g->choices[i / longest];
		const gen_mark *m = (const gen_mark *)c->marks.at + i % longest;
		const ds_likely *l = (const ds_likely *)c->likely.at + i % longest * k;
		bool in = i % longest < n_marks(c), known = in && m->known;
		ids[i] = in ? (int64_t)m->id : -1;
		p[i] = known ? m->logprob : NAN;
		for (size_t z = 0; z < k; z++) {
			top_ids[i * k + z] = known ? (int64_t)l[z].id : -1;
			top[i * k + z] = known ? l[z].logprob : NAN;
		}
	}
	int64_t shape[3] = { (int64_t)g->n, (int64_t)longest, (int64_t)k };
	tensor_add_i64(a, "output_ids", ids, shape, 2, mem);
	tensor_add_floats(a, "logprobs", p, shape, 2, mem);
	if (!k)
		return;
	tensor_add_i64(a, "top_ids", top_ids, shape, 3, mem);
	tensor_add_floats(a, "top_logprobs", top, shape, 3, mem);
}
