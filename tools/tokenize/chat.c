/*
 * chat.c - see chat.h
 *
 * A template is a table: what stands around a turn of each role, as names of special tokens and text.
 * What a person wrote is always plain text: a special token's name in it stays text. The answer is encoded
 * by itself, as it is after a prompt when the model speaks; its end token is a target, too.
 */
#include "chat.h"

#include "record/json.h"

#include "base/mem.h"

#include <string.h>

enum { NAMES = 4, MAX_TURNS = 4096 };

typedef struct { /* {0} to {3} are the template's special tokens, {r} the role, {c} what was said */
	const char *name;
	const char *tokens[NAMES];
	const char *begin, *system, *user, *assistant;
	const char *lead; /* before the answer */
	const char *end;  /* after it: a target up to the first text */
	bool trims;
} template;

static const template templates[] = {
	{ "chatml", { "<|im_start|>", "<|im_end|>" }, "", "{0}{r}\n{c}{1}\n", "{0}{r}\n{c}{1}\n",
		"", "{0}assistant\n", "{1}\n", false },
	{ "llama3",
		{ "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>" },
		"{0}", "{1}{r}{2}\n\n{c}{3}", "{1}{r}{2}\n\n{c}{3}", "", "{1}assistant{2}\n\n",
		"{3}", true },
	{ "deepseek",
		{ "<\xef\xbd\x9c"
		  "begin\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
			"<\xef\xbd\x9cUser\xef\xbd\x9c>",
			"<\xef\xbd\x9c"
			"Assistant\xef\xbd\x9c>",
			"<\xef\xbd\x9c"
			"end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>" },
		"{0}", "{c}", "{1}{c}", "", "{2}", "{3}", false },
	{ "alpaca", { "" }, "", "{c}\n\n", "### Instruction:\n{c}\n\n", "", "### Response:\n",
		"{0}\n\n", true },
};

struct chat {
	const template *t;
	const ds_tok *tok;
	uint32_t ids[NAMES];
};

typedef struct {
	const chat *c;
	ds_tok_scratch *s;
	ds_arena *mem;
	chat_tokens *out;
	size_t cap;
	ds_buf text; /* plain text that waits to be encoded with what follows */
} writer;

ds_rc chat_new(chat **out, const char *name, const ds_tok *t, ds_err *e)
{
	const template *found = NULL;
	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++)
		if (strcmp(templates[i].name, name) == 0)
			found = &templates[i];
	if (!found)
		return ds_fail(
			e, DS_USAGE, "--chat '%s': chatml, llama3, deepseek or alpaca", name);
	chat c = { .t = found, .tok = t };
	for (int i = 0; i < NAMES && found->tokens[i]; i++) {
		const char *token = found->tokens[i];
		c.ids[i] =
			*token ? ds_tok_find(t, ds_str_of(token)) : ds_tok_special(t, DS_TOK_EOS);
		if (c.ids[i] == DS_TOK_NONE)
			return ds_fail(e, DS_USAGE, "--chat %s: the tokenizer has no token '%s'",
				name, *token ? token : "eos");
	}
	*out = DS_NEW(chat, 1);
	**out = c;
	return DS_OK;
}

void chat_free(chat *c)
{
	ds_mem_free(c);
}

static void put(writer *w, const uint32_t *ids, size_t n, bool target)
{
	chat_tokens *o = w->out;
	if (o->n + n > w->cap) {
		size_t cap = (o->n + n) * 2 + 64;
		uint32_t *to = ds_arena_get(w->mem, cap * sizeof(*to));
		uint8_t *mask = ds_arena_get(w->mem, cap);
		if (o->n) {
			memcpy(to, o->ids, o->n * sizeof(*to));
			memcpy(mask, o->mask, o->n);
		}
		o->ids = to;
		o->mask = mask;
		w->cap = cap;
	}
	memcpy(o->ids + o->n, ids, n * sizeof(*ids));
	memset(o->mask + o->n, target, n);
	o->n += n;
}

static ds_rc flush(writer *w, bool target, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	if (w->text.n == 0)
		return DS_OK;
	DS_TRY(ds_tok_encode(w->c->tok, w->s, ds_buf_view(&w->text), 0, &ids, &n, e));
	put(w, ids, n, target);
	ds_buf_clear(&w->text);
	return DS_OK;
}

/* What a template says; target: its tokens are, and its text is not. */
static ds_rc say(writer *w, const char *what, ds_str role, ds_str content, bool target, ds_err *e)
{
	for (const char *p = what; *p; p++) {
		if (*p != '{') {
			ds_buf_add_byte(&w->text, *p);
			continue;
		}
		if (p[1] == 'r') {
			ds_buf_add_str(&w->text, role);
		} else if (p[1] == 'c') {
			ds_buf_add_str(&w->text, content);
		} else {
			DS_TRY(flush(w, false, e));
			put(w, &w->c->ids[p[1] - '0'], 1, target);
		}
		p += 2;
	}
	return DS_OK;
}

static ds_rc turn(writer *w, ds_str role, ds_str content, ds_err *e)
{
	const template *t = w->c->t;
	if (t->trims)
		content = ds_str_trim(content);
	if (ds_str_is(role, "system"))
		return say(w, t->system, role, content, false, e);
	if (ds_str_is(role, "user") || ds_str_is(role, "tool"))
		return say(w, t->user, role, content, false, e);
	if (!ds_str_is(role, "assistant"))
		return ds_fail(
			e, DS_BAD, "role '%.*s': system, user, tool or assistant", DS_FMT(role));
	DS_TRY(say(w, t->lead, role, content, false, e));
	DS_TRY(flush(w, false, e));
	ds_buf_add_str(&w->text, content);
	DS_TRY(flush(w, true, e));
	return say(w, t->end, role, content, true, e);
}

static ds_rc turns(writer *w, ds_str json, ds_err *e)
{
	const ds_json *list;
	DS_TRY_AT(ds_json_parse(&list, w->mem, json, e), e, "messages");
	if (list->kind != DS_J_ARR || list->n > MAX_TURNS)
		return ds_fail(e, DS_BAD, "messages is not an array of at most %d", MAX_TURNS);
	size_t i = 0;
	for (const ds_json *m = list->first; m; m = m->next, i++) {
		const ds_json *role = ds_json_get(m, "role"), *said = ds_json_get(m, "content");
		if (!role || role->kind != DS_J_STR || !said || said->kind != DS_J_STR)
			return ds_fail(e, DS_BAD,
				"messages[%zu] has no role and content that are text", i);
		DS_TRY_AT(turn(w, role->s, said->s, e), e, "messages[%zu]", i);
	}
	return DS_OK;
}

ds_rc chat_find(chat_columns *f, ds_block *b, ds_err *e)
{
	*f = (chat_columns){ 0 };
	DS_TRY(ds_block_get(b, "messages", &f->messages, e));
	DS_TRY(ds_block_get(b, "prompt", &f->pair[0].ask, e));
	DS_TRY(ds_block_get(b, "completion", &f->pair[0].answer, e));
	DS_TRY(ds_block_get(b, "instruction", &f->pair[1].ask, e));
	DS_TRY(ds_block_get(b, "input", &f->pair[1].more, e));
	return ds_block_get(b, "output", &f->pair[1].answer, e);
}

static ds_rc text_of(ds_block *b, const ds_col *col, uint32_t row, ds_str *s, bool *has, ds_err *e)
{
	*s = (ds_str){ "", 0 };
	*has = false;
	return col ? ds_block_text(b, col, row, s, has, e) : DS_OK;
}

/* A question, its input below it where there is one, and the answer. */
static ds_rc pair(writer *w, ds_block *b, const chat_columns *f, int which, uint32_t row, bool *has,
	ds_err *e)
{
	ds_str ask, more, answer;
	bool has_ask, has_answer, has_more;
	DS_TRY(text_of(b, f->pair[which].ask, row, &ask, &has_ask, e));
	DS_TRY(text_of(b, f->pair[which].answer, row, &answer, &has_answer, e));
	DS_TRY(text_of(b, f->pair[which].more, row, &more, &has_more, e));
	*has = has_ask && has_answer;
	if (!*has)
		return DS_OK;
	if (more.n) {
		bool alpaca = strcmp(w->c->t->name, "alpaca") == 0;
		ask = ds_arena_fmt(w->mem, "%.*s\n\n%s%.*s", DS_FMT(ask),
			alpaca ? "### Input:\n" : "", DS_FMT(more));
	}
	DS_TRY(turn(w, DS_S("user"), ask, e));
	return turn(w, DS_S("assistant"), answer, e);
}

static ds_rc conversation(
	writer *w, ds_block *b, const chat_columns *f, uint32_t row, bool *has, ds_err *e)
{
	const ds_col *m = f->messages;
	*has = m && ds_col_has(m, row) && !ds_col_null(m, row);
	if (*has && m->type != DS_T_JSON)
		return ds_fail(e, DS_BAD, "messages is not an array");
	if (*has)
		return turns(w, ds_col_bytes(m, row), e);
	for (int i = 0; i < 2 && !*has; i++)
		DS_TRY(pair(w, b, f, i, row, has, e));
	return DS_OK;
}

ds_rc chat_encode(const chat *c, ds_tok_scratch *s, ds_block *b, const chat_columns *f,
	uint32_t row, ds_arena *mem, chat_tokens *out, bool *has, ds_err *e)
{
	writer w = { .c = c, .s = s, .mem = mem, .out = out };
	*out = (chat_tokens){ 0 };
	ds_rc rc = say(&w, c->t->begin, DS_S(""), DS_S(""), false, e);
	if (rc == DS_OK)
		rc = conversation(&w, b, f, row, has, e);
	if (rc == DS_OK)
		rc = flush(&w, false, e);
	ds_buf_free(&w.text);
	return rc;
}
