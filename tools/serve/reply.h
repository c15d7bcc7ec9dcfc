/*
 * reply.h - what answers are made of: JSON of choices, log probabilities, numbers of tokens
 */
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include "gen.h"

/* A token in itself as a JSON string; bytes that are no character are spelled "bytes:\xe4\xb8". */
void reply_token(const server *s, uint32_t id, ds_buf *out);
/* Log probabilities of the marks [from, to): of completions, and of chat. */
void reply_logprobs(const gen_choice *c, size_t from, size_t to, ds_buf *out);
void reply_chat_logprobs(const gen_choice *c, size_t from, size_t to, ds_buf *out);
size_t reply_n_marks(const gen_choice *c);
/* "usage":{…} */
void reply_usage(size_t in, size_t out_tokens, size_t cached, ds_buf *out);
void reply_ids(const uint32_t *ids, size_t n, ds_buf *out); /* [1,2,3] */

#endif
