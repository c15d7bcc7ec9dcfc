/*
 * talk.h - the conversation of a record, in the layouts in which they are published
 *
 * `messages` (OpenAI's list) or `conversations` (ShareGPT's, with a `system` beside it); `prompt` and
 * `completion` or `response`, each a text or messages; `instruction`, `input` or `context`, and `output` or
 * `response`. What is read lives as the block does.
 */
#ifndef DS_MODEL_TALK_H
#define DS_MODEL_TALK_H

#include "record/block.h"
#include "text/chat/chat.h"

enum { DS_TALK_PAIRS = 4 };
typedef struct {
	const ds_col *lists[2], *system;
	struct {
		const ds_col *ask, *more, *answer;
	} pair[DS_TALK_PAIRS];
	const ds_chat_layout *layout;
	bool asks;
} ds_talk;

extern const char *const ds_talk_fields[]; /* the names of all of them, ended by NULL */
extern const char ds_talk_known[];         /* the layouts, for messages */
/*
 * The columns of a block. With `asks` a question without an answer is a conversation, and answers at the end are left
 * out; else it has to have an answer.
 */
DS_MUST ds_rc ds_talk_find(ds_talk *f, ds_block *b, const ds_chat_layout *l, bool asks, ds_err *e);
/* *has: the record has a conversation. DS_BAD: what has the fields and is no conversation. */
DS_MUST ds_rc ds_talk_get(const ds_talk *f, ds_block *b, uint32_t row, ds_arena *mem,
	ds_chat_turns *t, bool *has, ds_err *e);

#endif
