/*
 * layout.h - what a line of chats.def consists of
 *
 * In the strings {c} is what was said, {r} the role's name, {s} the system prompt (in fold), {b} and {e} the
 * tokenizer's bos and eos, {n} and {a} a tool call's name and arguments. MUST and MAY enclose the name of a special
 * token: without the first kind a layout is refused, the second is text where the tokenizer has no such token.
 */
#ifndef DS_TEXT_CHAT_LAYOUT_H
#define DS_TEXT_CHAT_LAYOUT_H

#include "text/chat/chat.h"

#define MUST(name) "\x01" name "\x01"
#define MAY(name) "\x02" name "\x02"

enum {                           /* ds_chat_layout.flags */
	DS_CHAT_TRIM_SYSTEM = 1, /* white space at the ends of what was said goes */
	DS_CHAT_TRIM_USER = 2,
	DS_CHAT_TRIM_ANSWER = 4,
	DS_CHAT_TRIM = 7,
	DS_CHAT_TURNS = 8, /* user and assistant take turns, else it is an error */
	DS_CHAT_FOLD_LAST =
		16, /* the system prompt goes into a question at the end, not the first */
	DS_CHAT_THINKS =
		32, /* thoughts of earlier answers go, the last answer has some, if empty */
	DS_CHAT_FORGETS = 64,       /* thoughts of answers go */
	DS_CHAT_FOLD_TRIMMED = 256, /* a question is trimmed before, not after */
	DS_CHAT_STANDS_IN = 128     /* becomes `roles` where special tokens are lacking */
};

struct ds_chat_layout {
	const char *name, *help;
	const char *begin;     /* of the conversation; NULL here and below: nothing */
	const char *system;    /* a system prompt as a turn of its own */
	const char *fold;      /* or what it makes of a question */
	const char *otherwise; /* the system prompt where there is none */
	const char *user;
	const char *open;     /* of an answer, up to where the model goes on */
	const char *lead;     /* the same of one that is known; NULL: open */
	const char *say;      /* what the model says before every answer */
	const char *end;      /* of an answer: a target up to the first special token in it */
	const char *end_last; /* of the last turn; NULL: end */
	const char *tail;     /* of a conversation that does not end open */
	const char *tool, *tools_begin, *tools_end; /* results of tools, which follow one another */
	const char *call; /* a tool call in an answer; NULL: as Hermes and Qwen write it */
	unsigned flags;
};

extern const char *const ds_chat_hermes_call; /* a tool call as most write it */

/* Without the white space that Python's str.strip() takes off. */
ds_str ds_chat_strip(ds_str s);

#endif
