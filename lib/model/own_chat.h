/*
 * own_chat.h - the layout of conversations that a model directory was made with
 */
#ifndef DS_MODEL_OWN_CHAT_H
#define DS_MODEL_OWN_CHAT_H

#include "text/chat/chat.h"

extern const char *const ds_chat_roles_warning; /* where chatml became `roles` (ds_chat_open) */

/*
 * The layout of this name. NULL or "auto": that of the chat template in the directory (chat_template.jinja, or
 * "chat_template" of tokenizer_config.json), chatml where there is no template or dir is NULL or no directory. DS_USAGE: no such
 * name, or a template that is none of the known layouts.
 */
DS_MUST ds_rc ds_own_chat(
	const ds_chat_layout **l, const char *name, const char *dir, ds_arena *mem, ds_err *e);
/* Has the directory a chat template? */
bool ds_own_chat_has(const char *dir);

#endif
