/*
 * embed.h - one vector a sequence: the mean of its last hidden states, of length 1
 *
 * What sentence encoders give (mean pooling over the real tokens, normalised); any model does.
 */
#ifndef DS_INFER_EMBED_H
#define DS_INFER_EMBED_H

#include "infer/precision.h"
#include "model/engine.h"

typedef struct ds_embedder ds_embedder;

typedef struct {
	int64_t batch, seq; /* room for `batch` sequences of up to `seq` tokens */
	ds_exec *share;     /* whose weights to use, which outlives this one; NULL: its own */
	ds_precision precision;
} ds_embedder_opts;
/* The model and the device are borrowed. */
DS_MUST ds_rc ds_embedder_open(ds_embedder **d, const ds_model *m, ds_device *device,
	const ds_embedder_opts *o, ds_err *e);
void ds_embedder_close(ds_embedder *d); /* NULL is fine */
DS_AUTO_WITH(ds_embedder, ds_embedder_close)
int64_t ds_embedder_seq(const ds_embedder *d);
ds_exec *ds_embedder_weights(ds_embedder *d);

typedef struct {
	const uint32_t *ids; /* below the vocabulary's size */
	size_t n;            /* 1 … seq */
	float *out;          /* hidden_size */
} ds_embedding;
/* n <= batch of them. DS_BAD where what comes of it is not finite. */
DS_MUST ds_rc ds_embedder_run(ds_embedder *d, ds_embedding *s, size_t n, ds_err *e);

#endif
