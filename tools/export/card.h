/*
 * card.h - a model card: what a model is, what it was made of, and how it can be used
 */
#ifndef DS_EXPORT_CARD_H
#define DS_EXPORT_CARD_H

#include "model/model.h"
#include "provenance.h"

/* README.md with the front matter that the Hugging Face Hub reads. */
void card_print(const ds_model *m, int64_t n_weights, const provenance *p, ds_buf *out);

#endif
