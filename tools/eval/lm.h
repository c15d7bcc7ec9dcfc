/*
 * lm.h - a language model that is asked how probable tokens are
 *
 * Sequences are cut into windows of the model's context that are gathered into batches; what a window says is added to
 * its sequence's sums when its batch is full, in the order in which they came: the figures do not depend on -j.
 */
#ifndef DS_EVAL_LM_H
#define DS_EVAL_LM_H

#include "metric.h"
#include "model/model.h"
#include "record/field.h"

typedef struct lm lm;
/* -m, --seq, --stride and so on of a; what is the metric's name. DS_USAGE: no model, or an encoder. */
DS_MUST ds_rc lm_open(lm **l, const char *what, const metric_args *a, ds_err *e);
void lm_close(lm *l); /* NULL is fine */
DS_MUST ds_rc lm_meet(lm *l, const ds_opt *opts, size_t n, ds_err *e);
const ds_model *lm_model(const lm *l);
const ds_field *lm_field(const lm *l); /* of the text */
int64_t lm_seq(const lm *l);           /* tokens that a window sees */
int64_t lm_stride(const lm *l);        /* by which windows follow one another */
/* The window that is enough for n tokens and not much wider, up to lm_seq; nothing may be waiting. */
DS_MUST ds_rc lm_fit(lm *l, size_t n, ds_err *e);

typedef struct {
	double nats;
	uint64_t targets;
} lm_sum;
/*
 * Targets are ids[first] and what follows, first over 0, but for those whose mask is 0; each is one once. Windows after the
 * first begin --stride further. *to gets their sum, no later than by lm_flush. DS_BAD: an id that the model does not have.
 */
DS_MUST ds_rc lm_add(
	lm *l, const uint32_t *ids, size_t n, size_t first, ds_str mask, lm_sum *to, ds_err *e);
DS_MUST ds_rc lm_flush(lm *l, ds_err *e);
/* Ids without special ones, until the next call. DS_BAD: the model has no tokenizer. */
DS_MUST ds_rc lm_encode(lm *l, ds_str text, const uint32_t **ids, size_t *n, ds_err *e);
/* What stands before a text: bos, else eos; DS_TOK_NONE: it has neither. */
uint32_t lm_start(const lm *l);

#endif
