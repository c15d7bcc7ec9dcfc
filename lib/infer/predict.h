/*
 * predict.h - what an encoder says of records, as fields
 *
 * A classifier adds `pred`, the label, and `score`, each class's probability in the order of the model's labels. A token
 * classifier adds `pred`, a list of spans: label, start and end (words of the record's `words`, else characters of its
 * text), text and score. A masked language model adds `pred`, the text with its masks filled, and `score`,
 * the probability of each that was filled in.
 */
#ifndef DS_INFER_PREDICT_H
#define DS_INFER_PREDICT_H

#include "infer/encode.h"
#include "record/field.h"

typedef struct ds_predictor ds_predictor;

/* batch: records computed together. The model and the device are borrowed. DS_USAGE: it says nothing of records. */
DS_MUST ds_rc ds_predictor_open(ds_predictor **p, const ds_model *m, ds_device *device,
	int64_t batch, ds_precision precision, ds_err *e);
void ds_predictor_close(ds_predictor *p); /* NULL is fine */
DS_AUTO_WITH(ds_predictor, ds_predictor_close)

/* As ds_model_meet, unless every tokenizer's ids are taken. */
DS_MUST ds_rc ds_predict_meet(
	const ds_predictor *p, const ds_opt *opts, size_t n, size_t *seen, ds_err *e);
void ds_predict_any_tokenizer(ds_predictor *p);
/* Adds `logits` too: of a sequence's classes, else of the last token; masks are then no longer needed. */
void ds_predict_logits(ds_predictor *p);

/* Of a record about which nothing can be said, and why; what it returns ends the block unless it is DS_OK. */
typedef ds_rc ds_predict_bad(void *context, uint32_t row, const char *why, ds_err *e);
/* Adds the fields to a block whose texts are in field. */
DS_MUST ds_rc ds_predict_block(ds_predictor *p, ds_block *b, const ds_field *field, ds_arena *mem,
	ds_predict_bad *bad, void *context, ds_err *e);

#endif
