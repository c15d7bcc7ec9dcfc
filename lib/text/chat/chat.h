/*
 * chat.h - conversations as text and tokens, laid out as a family of models learned them
 *
 * A layout (chats.def) says what stands around the turns of a conversation. Rendering equals what the
 * family's published template gives in transformers' apply_chat_template, BOS, trimming, system prompts and the
 * opening of an answer included. What a person wrote stays text whatever special token's name is in it.
 * An answer's tokens and the token that ends it are targets; everything else is not.
 */
#ifndef DS_TEXT_CHAT_CHAT_H
#define DS_TEXT_CHAT_CHAT_H

#include "json/json.h"
#include "text/tok/tok.h"

typedef struct ds_chat_layout ds_chat_layout;

/* DS_USAGE names those there are. */
DS_MUST ds_rc ds_chat_find(const ds_chat_layout **l, const char *name, ds_err *e);
const ds_chat_layout *ds_chat_at(size_t i); /* NULL: there are no more */
const char *ds_chat_name(const ds_chat_layout *l);

typedef enum {
	DS_CHAT_SYSTEM,
	DS_CHAT_USER,
	DS_CHAT_ASSISTANT,
	DS_CHAT_TOOL,
	DS_CHAT_N_ROLES
} ds_chat_role;

typedef struct {
	ds_chat_role role;
	ds_str text;
	const ds_json *calls; /* an answer's tool_calls, an array; NULL: none */
} ds_chat_turn;

typedef struct {
	ds_chat_turn *at;
	size_t n;
} ds_chat_turns;

/*
 * A list of messages: {"role", "content"} or ShareGPT's {"from", "value"}. Content may be null and may be parts
 * of type text; `developer` is the system. DS_BAD names the message and a role that is not known. The turns
 * are views of the list and of mem.
 */
DS_MUST ds_rc ds_chat_read(ds_chat_turns *t, const ds_json *list, ds_arena *mem, ds_err *e);
/* Ends behind the last turn that is no answer: what a model is asked. */
void ds_chat_ask(ds_chat_turns *t);

typedef struct {
	ds_str text;
	bool marker; /* the name of a special token, and not text */
	bool must;   /* it cannot be written as text */
	bool target;
} ds_chat_run;
typedef struct {
	ds_chat_run *at;
	size_t n, cap;
} ds_chat_runs;
typedef struct {
	bool open;       /* with the opening of an answer at the end */
	ds_str bos, eos; /* their names; empty: there is none */
} ds_chat_how;
/* DS_BAD: turns that the layout has no place for ("messages[2]: …"). */
DS_MUST ds_rc ds_chat_render(const ds_chat_layout *l, const ds_chat_turns *t,
	const ds_chat_how *how, ds_arena *mem, ds_chat_runs *out, ds_err *e);
/*
 * The layout that behaves as a template in Jinja does, on conversations of all shapes: one of the table, or one of
 * them with another default system prompt or trimming, in mem. NULL: none does; *why says what was seen.
 */
const ds_chat_layout *ds_chat_recognise(
	ds_str jinja, ds_str bos, ds_str eos, ds_arena *mem, ds_err *why);
/* The layout as a Jinja template for chat_template.jinja. */
void ds_chat_jinja(const ds_chat_layout *l, ds_buf *out);

/* ---- a layout and a tokenizer ---- */

typedef struct ds_chat ds_chat;
/*
 * Both are borrowed. DS_USAGE: the tokenizer lacks a token of the layout. Only chatml does without its own: it
 * becomes the layout `roles`, which ds_chat_of says then.
 */
DS_MUST ds_rc ds_chat_open(ds_chat **c, const ds_chat_layout *l, const ds_tok *t, ds_err *e);
void ds_chat_close(ds_chat *c); /* NULL is fine */
DS_AUTO_WITH(ds_chat, ds_chat_close)
const ds_chat_layout *ds_chat_of(const ds_chat *c);
uint32_t ds_chat_end(const ds_chat *c); /* the token that ends an answer */

typedef struct {
	uint32_t *ids;
	uint8_t *mask; /* 1: a target */
	size_t n;
} ds_chat_tokens;
/* out lives in mem. */
DS_MUST ds_rc ds_chat_encode(const ds_chat *c, ds_tok_scratch *s, const ds_chat_turns *t, bool open,
	ds_arena *mem, ds_chat_tokens *out, ds_err *e);

#endif
