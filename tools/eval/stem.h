/*
 * stem.h - Porter's stemmer with NLTK's extensions, which rouge-score uses
 *
 * Porter, "An algorithm for suffix stripping", Program 14(3), 1980; NLTK's default mode adds irregular forms
 * and changes rules for short words.
 */
#ifndef DS_EVAL_STEM_H
#define DS_EVAL_STEM_H

#include "base/arena.h"

/* The stem of a word of a-z and 0-9, in mem. */
ds_str stem(ds_str word, ds_arena *mem);

#endif
