/*
 * jinja_write.c - a layout as a template in Jinja, for those who use the model with other programs
 *
 * Every tag strips the white space round it, so lines are free.
 */
#include "text/chat/layout.h"

#include <string.h>

static void literal(ds_buf *o, const char *s, size_t n)
{
	ds_buf_add_byte(o, '\'');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			ds_buf_add_c(o, "\\n");
		else if (s[i] == '\'' || s[i] == '\\')
			ds_buf_fmt(o, "\\%c", s[i]);
		else
			ds_buf_add_byte(o, s[i]);
	}
	ds_buf_add_byte(o, '\'');
}

static const char *variable(const char *p)
{
	static const char letters[] = "crsnabe";
	static const char *const names[] = { "content", "role", "ns.system", "f.name", "args",
		"bos_token", "eos_token" };
	const char *at = p[0] == '{' && p[1] && p[2] == '}' ? strchr(letters, p[1]) : NULL;
	return at ? names[at - letters] : NULL;
}

/* A layout's string as an expression. */
static void expression(ds_buf *o, const char *p)
{
	const char *between = "";
	if (!p || !*p)
		ds_buf_add_c(o, "''");
	while (p && *p) {
		const char *name = variable(p), *from = p;
		ds_buf_add_c(o, between);
		between = " ~ ";
		if (name) {
			ds_buf_add_c(o, name);
			p += 3;
			continue;
		}
		if (*p == '\x01' || *p == '\x02') {
			p = strchr(p + 1, *p) + 1;
			literal(o, from + 1, (size_t)(p - from - 2));
			continue;
		}
		while (*p && *p != '\x01' && *p != '\x02' && (p == from || !variable(p)))
			p++;
		literal(o, from, (size_t)(p - from));
	}
}

static void print(ds_buf *o, const char *p)
{
	if (!p || !*p)
		return;
	ds_buf_add_c(o, "{{- ");
	expression(o, p);
	ds_buf_add_c(o, " -}}\n");
}

static void set(ds_buf *o, const char *name, const char *p)
{
	ds_buf_fmt(o, "{%%- set %s = ", name);
	expression(o, p);
	ds_buf_add_c(o, " -%}\n");
}

static void trim(ds_buf *o, const ds_chat_layout *l, unsigned flag)
{
	if (l->flags & flag)
		ds_buf_add_c(o, "{%- set content = content | trim -%}\n");
}

static void begin(ds_buf *o, const ds_chat_layout *l)
{
	ds_buf_add_c(o, "{%- set ns = namespace(system=none, fold=-1, last=-1, before='') -%}\n"
			"{%- set turns = messages -%}\n"
			"{%- if messages and messages[0]['role'] in ['system', 'developer'] -%}\n"
			"{%- set ns.system = messages[0]['content'] -%}\n"
			"{%- set turns = messages[1:] -%}\n"
			"{%- endif -%}\n");
	if (l->otherwise) {
		ds_buf_add_c(o, "{%- if ns.system is none -%}\n");
		set(o, "ns.system", l->otherwise);
		ds_buf_add_c(o, "{%- endif -%}\n");
	}
	ds_buf_add_c(o, "{%- for message in turns -%}\n{%- if message['role'] == 'user' -%}\n"
			"{%- set ns.last = loop.index0 -%}\n");
	ds_buf_fmt(o, "{%%- if %s -%%}{%%- set ns.fold = loop.index0 -%%}{%%- endif -%%}\n",
		l->flags & DS_CHAT_FOLD_LAST ? "loop.last" : "ns.fold < 0");
	ds_buf_add_c(o, "{%- endif -%}\n{%- endfor -%}\n");
	print(o, l->begin);
	ds_buf_add_c(o, "{%- if ns.system is not none -%}\n");
	if (l->flags & DS_CHAT_TRIM_SYSTEM)
		ds_buf_add_c(o, "{%- set ns.system = ns.system | trim -%}\n");
	ds_buf_add_c(o, "{%- set role = 'system' -%}\n{%- set content = ns.system -%}\n");
	if (l->system)
		print(o, l->system);
	else if (!l->fold)
		ds_buf_add_c(
			o, "{{- raise_exception('there is no place for a system prompt') -}}\n");
	ds_buf_add_c(o, "{%- endif -%}\n");
}

static void answer(ds_buf *o, const ds_chat_layout *l)
{
	ds_buf_add_c(o, "{%- elif role == 'assistant' -%}\n");
	print(o, l->lead ? l->lead : l->open);
	print(o, l->say);
	trim(o, l, DS_CHAT_TRIM_ANSWER);
	if (l->flags & DS_CHAT_THINKS)
		ds_buf_add_c(o,
			"{%- set thought = '' -%}\n{%- if '</think>' in content -%}\n"
			"{%- set thought = content.split('</think>')[0].rstrip('\\n')"
			".split('<think>')[-1].strip('\\n') -%}\n"
			"{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}\n"
			"{%- endif -%}\n"
			"{%- if loop.index0 > ns.last and (loop.last or thought) -%}\n"
			"{{- '<think>\\n' ~ thought ~ '\\n</think>\\n\\n' -}}\n"
			"{%- set content = content.lstrip('\\n') -%}\n{%- endif -%}\n");
	else if (l->flags & DS_CHAT_FORGETS)
		ds_buf_add_c(o, "{%- set content = content.split('</think>')[-1] -%}\n");
	ds_buf_add_c(o, "{{- content -}}\n{%- for call in (message['tool_calls'] or []) -%}\n"
			"{%- set f = call.function or call -%}\n"
			"{%- set args = f.arguments if f.arguments is string "
			"else f.arguments | tojson -%}\n"
			"{{- '\\n' if content or not loop.first else '' -}}\n");
	print(o, l->call ? l->call : ds_chat_hermes_call);
	ds_buf_add_c(o, "{%- endfor -%}\n");
	if (l->end_last) {
		ds_buf_add_c(o, "{%- if loop.last -%}\n");
		print(o, l->end_last);
		ds_buf_add_c(o, "{%- else -%}\n");
	}
	print(o, l->end);
	if (l->end_last)
		ds_buf_add_c(o, "{%- endif -%}\n");
}

static void others(ds_buf *o, const ds_chat_layout *l)
{
	if (l->tool) {
		ds_buf_add_c(o, "{%- elif role == 'tool' -%}\n");
		if (l->tools_begin) {
			ds_buf_add_c(o, "{%- if ns.before != 'tool' -%}\n");
			print(o, l->tools_begin);
			ds_buf_add_c(o, "{%- endif -%}\n");
		}
		trim(o, l, DS_CHAT_TRIM_SYSTEM);
		print(o, l->tool);
		if (l->tools_end) {
			ds_buf_add_c(o, "{%- if loop.last or turns[loop.index0 + 1]['role'] != "
					"'tool' -%}\n");
			print(o, l->tools_end);
			ds_buf_add_c(o, "{%- endif -%}\n");
		}
	}
	if (l->system && !(l->flags & DS_CHAT_TURNS)) {
		ds_buf_add_c(o, "{%- elif role == 'system' -%}\n");
		trim(o, l, DS_CHAT_TRIM_SYSTEM);
		print(o, l->system);
	}
	ds_buf_add_c(o,
		"{%- else -%}\n{{- raise_exception('there is no place for role ' ~ role) -}}\n"
		"{%- endif -%}\n");
}

void ds_chat_jinja(const ds_chat_layout *l, ds_buf *o)
{
	begin(o, l);
	ds_buf_add_c(o, "{%- for message in turns -%}\n{%- set role = message['role'] -%}\n"
			"{%- set content = message['content'] or '' -%}\n");
	if (l->flags & DS_CHAT_TURNS)
		ds_buf_add_c(o, "{%- if (role == 'user') == (ns.before == 'user') -%}\n"
				"{{- raise_exception('user and assistant take turns') -}}\n"
				"{%- endif -%}\n");
	ds_buf_add_c(o, "{%- if role == 'user' -%}\n");
	if (l->flags & DS_CHAT_FOLD_TRIMMED)
		trim(o, l, DS_CHAT_TRIM_USER);
	if (l->fold) {
		ds_buf_add_c(o, "{%- if loop.index0 == ns.fold and ns.system is not none -%}\n");
		set(o, "content", l->fold);
		ds_buf_add_c(o, "{%- endif -%}\n");
	}
	if (!(l->flags & DS_CHAT_FOLD_TRIMMED))
		trim(o, l, DS_CHAT_TRIM_USER);
	print(o, l->user);
	answer(o, l);
	others(o, l);
	ds_buf_add_c(o, "{%- set ns.before = role -%}\n{%- endfor -%}\n"
			"{%- if add_generation_prompt -%}\n");
	print(o, l->open);
	ds_buf_add_c(o, "{%- else -%}\n");
	print(o, l->tail);
	ds_buf_add_c(o, "{%- endif -%}\n");
}
