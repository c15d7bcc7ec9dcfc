/*
 * embed.c - one vector a sequence
 */
#include "infer/embed.h"

#include "base/finite.h"
#include "base/mem.h"

#include <math.h>

struct ds_embedder {
	ds_graph *g;
	ds_exec *x;
	ds_build b;
	int64_t batch, seq, width;
};

ds_rc ds_embedder_open(
	ds_embedder **out, const ds_model *m, ds_pool *pool, int64_t batch, int64_t seq, ds_err *e)
{
	ds_embedder *d = DS_NEW(ds_embedder, 1);
	*out = d;
	d->batch = batch;
	d->seq = seq;
	d->width = ds_model_config(m)->hidden_size;
	d->g = ds_graph_new(batch, seq);
	d->b.only_hidden = true;
	ds_arch_build(d->g, ds_model_config(m), &d->b);
	DS_TRY(ds_graph_compile(d->g, &(ds_compile){ .train = false }, e));
	DS_TRY(ds_exec_new(&d->x, d->g, ds_backend_cpu(), pool, (ds_exec_opts){ 0 }, e));
	DS_TRY(ds_model_load(m, d->x, d->g, e));
	ds_model_positions(d->x, d->g, &d->b);
	return DS_OK;
}

void ds_embedder_close(ds_embedder *d)
{
	if (!d)
		return;
	ds_exec_free(d->x);
	ds_graph_free(d->g);
	ds_mem_free(d);
}

int64_t ds_embedder_seq(const ds_embedder *d)
{
	return d->seq;
}

static void set_row(ds_embedder *d, int64_t i, const uint32_t *ids, int64_t n)
{
	int32_t *to = (int32_t *)ds_exec_data(d->x, d->b.ids) + i * d->seq;
	int32_t *last = d->b.last ? (int32_t *)ds_exec_data(d->x, d->b.last) + i * d->seq : NULL;
	int32_t *segments =
		d->b.segments ? (int32_t *)ds_exec_data(d->x, d->b.segments) + i * d->seq : NULL;
	for (int64_t t = 0; t < d->seq; t++) {
		to[t] = t < n ? (int32_t)ids[t] : 0;
		if (last)
			last[t] = (int32_t)n;
		if (segments)
			segments[t] = 0;
	}
}

static void pool_row(const ds_embedder *d, int64_t i, int64_t n, float *out)
{
	const ds_tensor *t = ds_g_tensor(d->g, d->b.hidden);
	const float *h = (const float *)ds_exec_data(d->x, d->b.hidden) + i * d->seq * t->ld;
	double square = 0;
	for (int64_t c = 0; c < d->width; c++) {
		double sum = 0;
		for (int64_t r = 0; r < n; r++)
			sum += (double)h[r * t->ld + c];
		out[c] = (float)(sum / (double)n);
		square += (double)out[c] * (double)out[c];
	}
	double scale = square > 0 ? 1 / sqrt(square) : 0;
	for (int64_t c = 0; c < d->width; c++)
		out[c] = (float)((double)out[c] * scale);
}

ds_rc ds_embedder_run(ds_embedder *d, ds_embedding *s, size_t n, ds_err *e)
{
	static const uint32_t none = 0;
	for (int64_t i = 0; i < d->batch; i++) {
		bool used = (size_t)i < n;
		set_row(d, i, used ? s[i].ids : &none, used ? (int64_t)s[i].n : 1);
	}
	DS_TRY(ds_exec_run(d->x, DS_PHASE_FWD, &(ds_run){ 0 }, e));
	for (size_t i = 0; i < n; i++) {
		pool_row(d, (int64_t)i, (int64_t)s[i].n, s[i].out);
		if (ds_f32_finite(s[i].out, (size_t)d->width) < (size_t)d->width)
			return ds_fail(e, DS_BAD, "the model's hidden states are not finite");
	}
	return DS_OK;
}
