/*
 * answers.h - what is done for each path; route.c has the table
 *
 * Each gets a call whose body is there, and answers it or sees that it is answered.
 */
#ifndef SERVE_ANSWERS_H
#define SERVE_ANSWERS_H

#include "fields.h"
#include "serve.h"

typedef void answer(server *s, http_call *c);
answer answer_complete, answer_chat;                        /* complete.c */
answer answer_embed, answer_classify;                       /* vectors.c */
answer answer_tokenize, answer_detokenize, answer_tok_info; /* tokens.c */
answer answer_models, answer_model, answer_health, answer_ready, answer_metrics, answer_openapi,
	answer_page; /* about.c, page.c */

extern const field vector_fields[], token_fields[];
enum { VECTOR_EMBED = 1, VECTOR_CLASSIFY = 2, TOKEN_ENCODE = 1, TOKEN_DECODE = 2 };
void openapi_document(const server *s, ds_buf *out);
uint64_t serve_deadline(const server *s, const http_call *c); /* in ns; 0: none */

#endif
