/*
 * talk.c - the conversation of a record
 */
#include "model/talk.h"

#include <string.h>

const char *const ds_talk_fields[] = { "messages", "conversations", "system", "prompt",
	"completion", "response", "instruction", "input", "context", "output", NULL };

const char ds_talk_known[] =
	"messages, conversations, prompt and completion, prompt and response, or "
	"instruction and output";

static const struct {
	const char *ask, *more, *answer;
} pairs[DS_TALK_PAIRS] = {
	{ "prompt", NULL, "completion" },
	{ "instruction", "input", "output" },
	{ "instruction", "context", "response" },
	{ "prompt", NULL, "response" },
};

ds_rc ds_talk_find(ds_talk *f, ds_block *b, const ds_chat_layout *l, bool asks, ds_err *e)
{
	*f = (ds_talk){ .layout = l, .asks = asks };
	DS_TRY(ds_block_get(b, "messages", &f->lists[0], e));
	DS_TRY(ds_block_get(b, "conversations", &f->lists[1], e));
	DS_TRY(ds_block_get(b, "system", &f->system, e));
	for (int i = 0; i < DS_TALK_PAIRS; i++) {
		DS_TRY(ds_block_get(b, pairs[i].ask, &f->pair[i].ask, e));
		DS_TRY(ds_block_get(b, pairs[i].answer, &f->pair[i].answer, e));
		if (pairs[i].more)
			DS_TRY(ds_block_get(b, pairs[i].more, &f->pair[i].more, e));
		/* gpteacher's: instruction, input, response */
		if (pairs[i].more && !f->pair[i].more)
			DS_TRY(ds_block_get(b, "input", &f->pair[i].more, e));
	}
	return DS_OK;
}

static bool here(const ds_col *c, uint32_t row)
{
	return c && ds_col_has(c, row) && !ds_col_null(c, row);
}

/* Turns behind those there are. */
static void append(ds_chat_turns *t, const ds_chat_turn *more, size_t n, ds_arena *mem)
{
	ds_chat_turn *at = ds_arena_get(mem, (t->n + n + 1) * sizeof(*at));
	if (t->n)
		memcpy(at, t->at, t->n * sizeof(*at));
	memcpy(at + t->n, more, n * sizeof(*at));
	t->at = at;
	t->n += n;
}

/* A list of messages, as JSON or as text that holds it. */
static ds_rc add_list(ds_chat_turns *t, const ds_col *c, uint32_t row, ds_arena *mem, ds_err *e)
{
	const ds_json *list;
	ds_chat_turns more;
	DS_TRY_AT(ds_json_parse(&list, mem, ds_col_bytes(c, row), e), e, "%.*s", DS_FMT(c->name));
	DS_TRY(ds_chat_read(&more, list, mem, e));
	append(t, more.at, more.n, mem);
	return DS_OK;
}

static bool is_list(const ds_col *c, uint32_t row)
{
	ds_str s = { 0 };
	if (c->type == DS_T_JSON || c->type == DS_T_UTF8 || c->type == DS_T_BYTES)
		s = ds_str_trim(ds_col_bytes(c, row));
	return s.n && s.at[0] == '[' && (c->type == DS_T_JSON || s.at[s.n - 1] == ']');
}

static ds_rc text_of(ds_block *b, const ds_col *c, uint32_t row, ds_str *s, ds_err *e)
{
	bool has;
	*s = DS_S("");
	return here(c, row) ? ds_block_text(b, c, row, s, &has, e) : DS_OK;
}

/* One side of a pair: messages, or a text that `role` said. */
static ds_rc add_side(ds_chat_turns *t, ds_block *b, const ds_col *c, uint32_t row,
	ds_chat_role role, ds_arena *mem, ds_err *e)
{
	ds_chat_turn one = { .role = role };
	if (c->type == DS_T_JSON && is_list(c, row))
		return add_list(t, c, row, mem, e);
	DS_TRY(text_of(b, c, row, &one.text, e));
	append(t, &one, 1, mem);
	return DS_OK;
}

static ds_str join(ds_str a, const char *between, ds_str b, ds_arena *mem)
{
	size_t n = strlen(between);
	char *at = ds_arena_bytes(mem, a.n + n + b.n + 1);
	memcpy(at, a.at, a.n);
	memcpy(at + a.n, between, n);
	memcpy(at + a.n + n, b.at, b.n);
	return (ds_str){ at, a.n + n + b.n };
}

/* A question, its input below it where there is one, and the answer. */
static ds_rc add_pair(const ds_talk *f, int which, ds_block *b, uint32_t row, ds_arena *mem,
	ds_chat_turns *t, ds_err *e)
{
	ds_str more;
	DS_TRY(add_side(t, b, f->pair[which].ask, row, DS_CHAT_USER, mem, e));
	DS_TRY(text_of(b, f->pair[which].more, row, &more, e));
	if (more.n) {
		ds_str *ask = &t->at[t->n - 1].text;
		bool alpaca = strcmp(ds_chat_name(f->layout), "alpaca") == 0;
		*ask = join(*ask, alpaca ? "\n\n### Input:\n" : "\n\n", more, mem);
	}
	if (!here(f->pair[which].answer, row))
		return DS_OK;
	return add_side(t, b, f->pair[which].answer, row, DS_CHAT_ASSISTANT, mem, e);
}

static ds_rc add_system(
	const ds_talk *f, ds_block *b, uint32_t row, ds_arena *mem, ds_chat_turns *t, ds_err *e)
{
	ds_chat_turn one = { .role = DS_CHAT_SYSTEM };
	DS_TRY(text_of(b, f->system, row, &one.text, e));
	if (one.text.n)
		append(t, &one, 1, mem);
	return DS_OK;
}

ds_rc ds_talk_get(const ds_talk *f, ds_block *b, uint32_t row, ds_arena *mem, ds_chat_turns *t,
	bool *has, ds_err *e)
{
	*t = (ds_chat_turns){ 0 };
	*has = false;
	for (int i = 0; i < 2 && !*has; i++) {
		const ds_col *c = f->lists[i];
		if (!here(c, row))
			continue;
		if (!is_list(c, row))
			return ds_fail(e, DS_BAD, "%.*s is not an array", DS_FMT(c->name));
		DS_TRY(add_system(f, b, row, mem, t, e));
		DS_TRY(add_list(t, c, row, mem, e));
		*has = true;
	}
	for (int i = 0; i < DS_TALK_PAIRS && !*has; i++) {
		if (!here(f->pair[i].ask, row) || !(f->asks || here(f->pair[i].answer, row)))
			continue;
		DS_TRY(add_system(f, b, row, mem, t, e));
		DS_TRY(add_pair(f, i, b, row, mem, t, e));
		*has = true;
	}
	if (f->asks)
		ds_chat_ask(t);
	return DS_OK;
}
