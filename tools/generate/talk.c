/*
 * talk.c - see talk.h
 */
#include "talk.h"

#include "base/progress.h"
#include "model/own_chat.h"

ds_rc talker_open(talker *t, const ds_model *m, const char *layout, const ds_common *c, ds_err *e)
{
	const ds_chat_layout *l;
	const char *dir = ds_model_dir(m);
	if (!ds_model_tok(m))
		return ds_fail(e, DS_USAGE, "--chat: %s has no tokenizer", dir);
	t->mem = ds_arena_new(1 << 14);
	if (!ds_own_chat_has(dir))
		dir = ds_model_base(m);
	DS_TRY(ds_own_chat(&l, layout, dir, t->mem, e));
	DS_TRY(ds_chat_open(&t->chat, l, ds_model_tok(m), e));
	if (ds_chat_of(t->chat) != l)
		ds_warn(&c->who, "%s", ds_chat_roles_warning);
	return DS_OK;
}

void talker_close(talker *t)
{
	ds_chat_close(t->chat);
	ds_arena_free(t->mem);
}

ds_rc talker_prompt(const talker *t, ds_tok_scratch *s, ds_work *w, ds_texts *texts, uint32_t row,
	ds_str filled, ds_chat_tokens *out, bool *has, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	ds_chat_turns turns;
	*has = false;
	if (!filled.at)
		DS_TRY(ds_talk_get(&t->columns, texts->b, row, mem, &turns, has, e));
	if (!*has) {
		turns = (ds_chat_turns){ ds_arena_zero(mem, sizeof(*turns.at)), 1 };
		turns.at->role = DS_CHAT_USER;
		turns.at->text = filled;
		*has = filled.at != NULL;
		if (!*has)
			DS_TRY(ds_texts_get(texts, row, &turns.at->text, has, e));
	}
	if (!*has)
		return DS_OK;
	return ds_chat_encode(t->chat, s, &turns, true, mem, out, e);
}
