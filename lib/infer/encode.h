/*
 * encode.h - what an encoder's head says of sequences: a label's scores, each token's, or what masked positions hold
 *
 * The head is the model's own: a class for the sequence, a class for every token, or the vocabulary at some positions.
 */
#ifndef DS_INFER_ENCODE_H
#define DS_INFER_ENCODE_H

#include "infer/precision.h"
#include "model/engine.h"

typedef struct ds_encoder ds_encoder;

typedef struct {
	int64_t batch, seq; /* room for `batch` sequences of up to `seq` tokens */
	int64_t picks;      /* of a language model: up to so many positions of each */
	ds_exec *share;     /* as of an embedder */
	ds_precision precision;
} ds_encoder_opts;
/* The model and the device are borrowed. DS_USAGE: a model that is no encoder, or has no head. */
DS_MUST ds_rc ds_encoder_open(
	ds_encoder **d, const ds_model *m, ds_device *device, const ds_encoder_opts *o, ds_err *e);
void ds_encoder_close(ds_encoder *d); /* NULL is fine */
DS_AUTO_WITH(ds_encoder, ds_encoder_close)
ds_exec *ds_encoder_weights(ds_encoder *d);
int64_t ds_encoder_seq(const ds_encoder *d);
int64_t ds_encoder_picks(const ds_encoder *d);
int64_t ds_encoder_width(
	const ds_encoder *d); /* of a row of logits: labels, or the vocabulary's size */

typedef struct {
	const uint32_t *ids;  /* below the vocabulary's size */
	const uint8_t *types; /* segments, or NULL: all 0 */
	size_t n;             /* 1 … seq */
	const int32_t *picks; /* of a language model: positions */
	size_t n_picks;
	float *logits; /* rows of width: one, or one a token, or one a pick */
} ds_encoding;
/* n <= batch of them. DS_BAD: logits that are not finite. */
DS_MUST ds_rc ds_encoder_run(ds_encoder *d, ds_encoding *s, size_t n, ds_err *e);

#endif
