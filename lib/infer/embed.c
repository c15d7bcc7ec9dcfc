/*
 * embed.c - one vector a sequence
 */
#include "infer/embed.h"

#include "base/finite.h"
#include "base/mem.h"

#include <math.h>

struct ds_embedder {
	ds_engine *n;
	int64_t batch, seq, width;
	ds_arena *mem; /* for a run's states */
};

ds_rc ds_embedder_open(ds_embedder **out, const ds_model *m, ds_device *device,
	const ds_embedder_opts *how, ds_err *e)
{
	DS_AUTO(ds_embedder) d = DS_NEW(ds_embedder, 1);
	d->batch = how->batch;
	d->seq = how->seq;
	d->width = ds_model_config(m)->hidden_size;
	d->mem = ds_arena_new(1 << 16);
	ds_engine_opts o = { .config = ds_model_config(m),
		.batch = how->batch,
		.seq = how->seq,
		.build.only_hidden = true,
		.exec.share = how->share,
		.weights = how->share ? NULL : m };
	ds_precision_set(&o.compile, how->precision);
	DS_TRY(ds_engine_open(&d->n, device, &o, e));
	ds_model_positions(d->n->x, d->n->g, &d->n->b);
	*out = d;
	d = NULL;
	return DS_OK;
}

void ds_embedder_close(ds_embedder *d)
{
	if (!d)
		return;
	ds_engine_close(d->n);
	ds_arena_free(d->mem);
	ds_mem_free(d);
}

int64_t ds_embedder_seq(const ds_embedder *d)
{
	return d->seq;
}

ds_exec *ds_embedder_weights(ds_embedder *d)
{
	return d->n->x;
}

/* Row i of an input; NULL where the model has none. */
static int32_t *input(ds_embedder *d, ds_tid t, int64_t i)
{
	return t ? (int32_t *)ds_exec_input(d->n->x, t) + i * d->seq : NULL;
}

static void set_row(ds_embedder *d, int64_t i, const uint32_t *ids, int64_t n)
{
	int32_t *to = input(d, d->n->b.ids, i), *last = input(d, d->n->b.last, i);
	int32_t *segments = input(d, d->n->b.segments, i);
	for (int64_t t = 0; t < d->seq; t++) {
		to[t] = t < n ? (int32_t)ids[t] : 0;
		if (last)
			last[t] = (int32_t)n;
		if (segments)
			segments[t] = 0;
	}
}

/* The mean of the first n rows of h. */
static void pool_row(const ds_embedder *d, const float *h, int64_t n, float *out)
{
	double square = 0;
	for (int64_t c = 0; c < d->width; c++) {
		double sum = 0;
		for (int64_t r = 0; r < n; r++)
			sum += (double)h[r * d->width + c];
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
	const void *hidden;
	ds_arena_reset(d->mem);
	DS_TRY(ds_engine_run(d->n, e));
	DS_TRY(ds_exec_view(d->n->x, d->n->b.hidden, d->mem, &hidden, e));
	for (size_t i = 0; i < n; i++) {
		pool_row(d, (const float *)hidden + (int64_t)i * d->seq * d->width, (int64_t)s[i].n,
			s[i].out);
		if (ds_f32_finite(s[i].out, (size_t)d->width) < (size_t)d->width)
			return ds_fail(e, DS_BAD, "the model's hidden states are not finite");
	}
	return DS_OK;
}
