/*
 * read.c - turns out of messages as they are published
 *
 * OpenAI's lists and ShareGPT's differ in names alone. Content parts of type text are joined; a part that is no text
 * (an image) is an error, since leaving it out would change what was asked.
 */
#include "text/chat/chat.h"

#include <string.h>

enum { MAX_TURNS = 65536 };

static const struct {
	const char *name;
	ds_chat_role role;
} roles[] = {
	{ "system", DS_CHAT_SYSTEM },
	{ "developer", DS_CHAT_SYSTEM },
	{ "user", DS_CHAT_USER },
	{ "human", DS_CHAT_USER },
	{ "prompter", DS_CHAT_USER },
	{ "assistant", DS_CHAT_ASSISTANT },
	{ "gpt", DS_CHAT_ASSISTANT },
	{ "chatgpt", DS_CHAT_ASSISTANT },
	{ "bot", DS_CHAT_ASSISTANT },
	{ "model", DS_CHAT_ASSISTANT },
	{ "function_call", DS_CHAT_ASSISTANT },
	{ "tool", DS_CHAT_TOOL },
	{ "function", DS_CHAT_TOOL },
	{ "observation", DS_CHAT_TOOL },
	{ "ipython", DS_CHAT_TOOL },
};

static ds_rc role_of(const ds_json *m, ds_chat_role *role, ds_err *e)
{
	const ds_json *said = ds_json_get(m, "role");
	if (!said)
		said = ds_json_get(m, "from");
	if (!said || said->kind != DS_J_STR)
		return ds_fail(e, DS_BAD,
			"no role: known are role and content, and ShareGPT's from and value");
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (ds_str_is(said->s, roles[i].name)) {
			*role = roles[i].role;
			return DS_OK;
		}
	return ds_fail(e, DS_BAD,
		"role '%.*s' is none of system, developer, user, assistant, tool (or ShareGPT's "
		"human, gpt, observation)",
		DS_FMT(said->s));
}

static bool is_text(ds_str type)
{
	return ds_str_is(type, "text") || ds_str_is(type, "input_text") ||
	       ds_str_is(type, "output_text");
}

static ds_rc parts_of(const ds_json *list, ds_arena *mem, ds_str *out, ds_err *e)
{
	size_t n = 0;
	for (const ds_json *p = list->first; p; p = p->next) {
		const ds_json *text = ds_json_get(p, "text");
		ds_str type = ds_json_text(p, "type", "");
		if (p->kind == DS_J_STR)
			n += p->s.n;
		else if (!is_text(type) || !text || text->kind != DS_J_STR)
			return ds_fail(e, DS_BAD, "a content part of type '%.*s' is no text",
				DS_FMT(type));
		else
			n += text->s.n;
	}
	char *at = ds_arena_bytes(mem, n + 1);
	*out = (ds_str){ at, n };
	for (const ds_json *p = list->first; p; p = p->next) {
		ds_str s = p->kind == DS_J_STR ? p->s : ds_json_get(p, "text")->s;
		memcpy(at, s.at, s.n);
		at += s.n;
	}
	return DS_OK;
}

static ds_rc turn_of(const ds_json *m, ds_arena *mem, ds_chat_turn *t, ds_err *e)
{
	*t = (ds_chat_turn){ .text = DS_S("") };
	if (m->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "not an object with role and content");
	DS_TRY(role_of(m, &t->role, e));
	const ds_json *said = ds_json_get(m, "content"), *calls = ds_json_get(m, "tool_calls");
	if (!said)
		said = ds_json_get(m, "value");
	if (calls && calls->kind == DS_J_ARR && calls->n)
		t->calls = calls;
	if (!said && !t->calls)
		return ds_fail(e, DS_BAD, "no content");
	if (!said || said->kind == DS_J_NULL)
		return DS_OK;
	if (said->kind == DS_J_ARR)
		return parts_of(said, mem, &t->text, e);
	if (said->kind != DS_J_STR)
		return ds_fail(e, DS_BAD, "content is neither text nor parts");
	t->text = said->s;
	return DS_OK;
}

ds_rc ds_chat_read(ds_chat_turns *t, const ds_json *list, ds_arena *mem, ds_err *e)
{
	*t = (ds_chat_turns){ 0 };
	if (list->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "messages is not an array");
	if (list->n > MAX_TURNS)
		return ds_fail(e, DS_BAD, "%zu messages, the limit is %d", list->n, MAX_TURNS);
	t->at = ds_arena_get(mem, (list->n + 1) * sizeof(*t->at));
	for (const ds_json *m = list->first; m; m = m->next, t->n++)
		DS_TRY_AT(turn_of(m, mem, &t->at[t->n], e), e, "messages[%zu]", t->n);
	return DS_OK;
}

void ds_chat_ask(ds_chat_turns *t)
{
	while (t->n && t->at[t->n - 1].role == DS_CHAT_ASSISTANT)
		t->n--;
}
