/*
 * jinja.h - chat templates as transformers runs them: enough of Jinja to see what a template does
 *
 * Statements if, for, set and generation; expressions with filters, tests, methods, slices and namespaces;
 * trim_blocks and lstrip_blocks as transformers sets them. What is not known is DS_BAD and named, as is what the
 * template raises. Steps, depth and output are limited: a template may come from anywhere.
 */
#ifndef DS_TEXT_CHAT_JINJA_H
#define DS_TEXT_CHAT_JINJA_H

#include "json/json.h"

typedef struct ds_jinja ds_jinja; /* a parsed template; lives in the arena */

DS_MUST ds_rc ds_jinja_parse(ds_jinja **j, ds_str source, ds_arena *mem, ds_err *e);

typedef struct {
	const ds_json *messages;
	bool open;       /* add_generation_prompt */
	ds_str bos, eos; /* at NULL: undefined */
} ds_jinja_vars;
/* Appends what the template gives to out; mem is for working space. */
DS_MUST ds_rc ds_jinja_run(
	const ds_jinja *j, const ds_jinja_vars *v, ds_arena *mem, ds_buf *out, ds_err *e);

#endif
