/*
 * answer.h - answers as question-answering sets compare them
 */
#ifndef DS_EVAL_ANSWER_H
#define DS_EVAL_ANSWER_H

#include "base/arena.h"

/* SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single spaces. In mem. */
ds_str answer_normal(ds_str s, ds_arena *mem);

#endif
