/*
 * talk.h - dsgen --chat: a record's conversation as a prompt that ends with the opening of an answer
 */
#ifndef GENERATE_TALK_H
#define GENERATE_TALK_H

#include "model/model.h"
#include "model/talk.h"
#include "record/run.h"

typedef struct {
	ds_chat *chat; /* NULL: prompts are texts */
	ds_arena *mem;
	ds_talk columns;
} talker;

/* layout NULL: the model's own. DS_USAGE: no tokenizer, or one that lacks the layout's tokens. */
DS_MUST ds_rc talker_open(
	talker *t, const ds_model *m, const char *layout, const ds_common *c, ds_err *e);
void talker_close(talker *t);
/*
 * A row's prompt in the block's arena; *has false: it has neither a conversation nor a text, which is a question. filled, unless
 * at NULL, is the question instead.
 */
DS_MUST ds_rc talker_prompt(const talker *t, ds_tok_scratch *s, ds_work *w, ds_texts *texts,
	uint32_t row, ds_str filled, ds_chat_tokens *out, bool *has, ds_err *e);

#endif
