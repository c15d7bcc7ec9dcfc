/*
 * encode.c - sequences through an encoder and its head
 */
#include "infer/encode.h"

#include "base/finite.h"
#include "base/mem.h"

struct ds_encoder {
	ds_engine *n;
	ds_head head;
	int64_t batch, seq, picks, width;
	ds_arena *mem; /* for a run's logits */
};

ds_rc ds_encoder_open(ds_encoder **out, const ds_model *m, ds_device *device,
	const ds_encoder_opts *how, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	if (!(c->arch->traits & DS_ARCH_ENCODER) || c->head == DS_HEAD_NONE)
		return ds_fail(e, DS_USAGE, "%s: a %s without a head that says anything",
			ds_model_dir(m), c->arch->name);
	DS_AUTO(ds_encoder) d = DS_NEW(ds_encoder, 1);
	d->head = c->head;
	d->batch = how->batch;
	d->seq = how->seq;
	d->picks = c->head == DS_HEAD_LM ? how->picks : 0;
	d->width = c->head == DS_HEAD_LM ? c->vocab_size : c->n_labels;
	d->mem = ds_arena_new(1 << 16);
	ds_engine_opts o = { .config = c,
		.batch = how->batch,
		.seq = how->seq,
		.build.n_logits = d->picks * how->batch,
		.exec.share = how->share,
		.weights = how->share ? NULL : m };
	ds_precision_set(&o.compile, how->precision);
	DS_TRY(ds_engine_open(&d->n, device, &o, e));
	ds_model_positions(d->n->x, d->n->g, &d->n->b);
	*out = d;
	d = NULL;
	return DS_OK;
}

void ds_encoder_close(ds_encoder *d)
{
	if (!d)
		return;
	ds_engine_close(d->n);
	ds_arena_free(d->mem);
	ds_mem_free(d);
}

ds_exec *ds_encoder_weights(ds_encoder *d)
{
	return d->n->x;
}

int64_t ds_encoder_seq(const ds_encoder *d)
{
	return d->seq;
}

int64_t ds_encoder_picks(const ds_encoder *d)
{
	return d->picks;
}

int64_t ds_encoder_width(const ds_encoder *d)
{
	return d->width;
}

/* Row i of an input; NULL where the model has none. */
static int32_t *input(ds_encoder *d, ds_tid t, int64_t i, int64_t width)
{
	return t ? (int32_t *)ds_exec_input(d->n->x, t) + i * width : NULL;
}

static void set_row(ds_encoder *d, int64_t i, const ds_encoding *s)
{
	const ds_build *b = &d->n->b;
	int32_t *to = input(d, b->ids, i, d->seq), *last = input(d, b->last, i, d->seq);
	int32_t *types = input(d, b->segments, i, d->seq);
	int32_t *rows = input(d, b->rows, i, d->picks);
	for (int64_t t = 0; t < d->seq; t++) {
		bool in = (size_t)t < s->n;
		to[t] = in ? (int32_t)s->ids[t] : 0;
		if (last)
			last[t] = (int32_t)s->n;
		if (types)
			types[t] = in && s->types ? s->types[t] : 0;
	}
	for (int64_t k = 0; k < d->picks; k++)
		rows[k] = (int32_t)(i * d->seq) + ((size_t)k < s->n_picks ? s->picks[k] : 0);
}

static ds_rc take(const ds_encoder *d, const float *logits, int64_t i, ds_encoding *s, ds_err *e)
{
	size_t rows = d->head == DS_HEAD_SEQ ? 1 : d->head == DS_HEAD_TOKEN ? s->n : s->n_picks;
	int64_t each = d->head == DS_HEAD_SEQ ? 1 : d->head == DS_HEAD_TOKEN ? d->seq : d->picks;
	size_t n = rows * (size_t)d->width;
	const float *from = logits + i * each * d->width;
	if (ds_f32_finite(from, n) != n)
		return ds_fail(
			e, DS_BAD, "the logits of a sequence of %zu tokens are not finite", s->n);
	memcpy(s->logits, from, n * sizeof(*from));
	return DS_OK;
}

ds_rc ds_encoder_run(ds_encoder *d, ds_encoding *s, size_t n, ds_err *e)
{
	static const uint32_t none = 0;
	static const ds_encoding idle = { .ids = &none, .n = 1 };
	const void *at;
	for (int64_t i = 0; i < d->batch; i++)
		set_row(d, i, (size_t)i < n ? &s[i] : &idle);
	ds_arena_reset(d->mem);
	DS_TRY(ds_engine_run(d->n, e));
	DS_TRY(ds_exec_view(d->n->x, d->n->b.logits, d->mem, &at, e));
	for (size_t i = 0; i < n; i++)
		DS_TRY(take(d, at, (int64_t)i, &s[i], e));
	return DS_OK;
}
