/*
 * chat.h - conversations as tokens, with a mask that has a 1 where the assistant speaks
 */
#ifndef CHAT_H
#define CHAT_H

#include "base/arena.h"
#include "record/block.h"
#include "text/tok/tok.h"

typedef struct chat chat;
/* template: chatml, llama3, deepseek or alpaca. DS_USAGE: another name, or the tokenizer lacks its tokens. */
DS_MUST ds_rc chat_new(chat **c, const char *template, const ds_tok *t, ds_err *e);
void chat_free(chat *c);

typedef struct {
	uint32_t *ids;
	uint8_t *mask;
	size_t n;
} chat_tokens;

/* The columns of a block that hold conversations: messages, prompt and completion, or instruction,
 * input and output. */
typedef struct {
	const ds_col *messages;
	struct {
		const ds_col *ask, *more, *answer;
	} pair[2];
} chat_columns;
DS_MUST ds_rc chat_find(chat_columns *f, ds_block *b, ds_err *e);
/* *has is false where the record has no conversation. out lives in mem. */
DS_MUST ds_rc chat_encode(const chat *c, ds_tok_scratch *s, ds_block *b, const chat_columns *f,
	uint32_t row, ds_arena *mem, chat_tokens *out, bool *has, ds_err *e);

#endif
