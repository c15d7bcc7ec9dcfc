/*
 * answer.h - an answer's text as its tokens come
 *
 * A token's text depends on those before it: a character may take several tokens, and some tokenizers write a blank only
 * between words. What may still change, or may be the beginning of a stop string, is not sure yet: what is sure
 * stays, so that it can be sent. A stop string ends the answer before it.
 */
#ifndef DS_INFER_ANSWER_H
#define DS_INFER_ANSWER_H

#include "text/tok/tok.h"

typedef struct {
	const ds_tok *tok; /* NULL: there is no text */
	const uint32_t
		*after; /* the prompt, of which the last few tokens are the beginning's context */
	size_t n_after;
	bool specials;       /* special tokens' names are text */
	const ds_str *stops; /* not empty */
	size_t n_stops;
	bool with_stop;    /* the stop string belongs to the text */
	size_t min_tokens; /* before so many, stop strings are text */
} ds_answer_opts;

typedef struct {
	ds_answer_opts o;
	ds_buf text, ids, piece; /* piece: what the last ids are */
	size_t from;             /* the id that piece begins with */
	size_t done;             /* bytes of it that are in the text */
	size_t n_tokens;
	size_t sure;  /* bytes of the text that stay */
	bool stopped; /* by a stop string */
} ds_answer;

/* What o points to is borrowed. */
void ds_answer_init(ds_answer *a, const ds_answer_opts *o);
void ds_answer_release(ds_answer *a);
/* DS_BAD: an id that the tokenizer does not have. */
DS_MUST ds_rc ds_answer_add(ds_answer *a, uint32_t id, ds_err *e);
void ds_answer_finish(ds_answer *a); /* nothing follows: all of it is sure */
static inline ds_str ds_answer_text(const ds_answer *a)
{
	return (ds_str){ a->text.at ? a->text.at : "", a->text.n };
}

#endif
