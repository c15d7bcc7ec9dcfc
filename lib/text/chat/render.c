/*
 * render.c - turns as runs of text and special tokens, by the strings of a layout
 */
#include "text/chat/layout.h"

#include "text/utf8.h"

#include <string.h>

static const ds_chat_layout layouts[] = {
#define CHAT(name_, help_, ...) { .name = name_, .help = help_, __VA_ARGS__ },
#include "text/chat/chats.def"
#undef CHAT
};
enum { N_LAYOUTS = sizeof(layouts) / sizeof(*layouts) };

const ds_chat_layout *ds_chat_at(size_t i)
{
	return i < N_LAYOUTS ? &layouts[i] : NULL;
}

const char *ds_chat_name(const ds_chat_layout *l)
{
	return l->name;
}

ds_rc ds_chat_find(const ds_chat_layout **l, const char *name, ds_err *e)
{
	ds_buf all = { 0 };
	for (size_t i = 0; i < N_LAYOUTS; i++) {
		if (strcmp(layouts[i].name, name) == 0) {
			*l = &layouts[i];
			ds_buf_free(&all);
			return DS_OK;
		}
		ds_buf_fmt(&all, "%s%s", i ? ", " : "", layouts[i].name);
	}
	ds_rc rc =
		ds_fail(e, DS_USAGE, "no chat layout '%s'; there are %s", name, ds_buf_text(&all));
	ds_buf_free(&all);
	return rc;
}

typedef struct {
	const ds_chat_layout *l;
	const ds_chat_how *how;
	ds_arena *mem;
	ds_chat_runs *out;
	/* what stands for {c} {r} {s} {n} {a} */
	ds_str content, role, system, name, arguments;
} renderer;

static void add_run(renderer *r, ds_chat_run run)
{
	ds_chat_runs *o = r->out;
	if (!run.text.n)
		return;
	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 32;
		ds_chat_run *at = ds_arena_get(r->mem, cap * sizeof(*at));
		if (o->n)
			memcpy(at, o->at, o->n * sizeof(*at));
		o->at = at;
		o->cap = cap;
	}
	o->at[o->n++] = run;
}

static void add_text(renderer *r, ds_str text, bool target)
{
	add_run(r, (ds_chat_run){ .text = text, .target = target });
}

static void add_marker(renderer *r, ds_str name, bool must, bool target)
{
	add_run(r, (ds_chat_run){ .text = name, .marker = true, .must = must, .target = target });
}

/* {x} of a layout's string; NULL: it is text. */
static const ds_str *value_of(const renderer *r, const char *p)
{
	if (p[0] != '{' || !p[1] || p[2] != '}')
		return NULL;
	switch (p[1]) {
	case 'c':
		return &r->content;
	case 'r':
		return &r->role;
	case 's':
		return &r->system;
	case 'n':
		return &r->name;
	case 'a':
		return &r->arguments;
	case 'b':
		return &r->how->bos;
	case 'e':
		return &r->how->eos;
	default:
		return NULL;
	}
}

/* The string as runs. until_marker: what comes behind the first special token is no target. */
static void say(renderer *r, const char *p, bool target, bool until_marker)
{
	while (p && *p) {
		const ds_str *v = value_of(r, p);
		if (v && (p[1] == 'b' || p[1] == 'e')) {
			add_marker(r, *v, true, target);
			target = target && !until_marker;
			p += 3;
		} else if (v) {
			add_text(r, *v, target);
			p += 3;
		} else if (*p == '\x01' || *p == '\x02') {
			const char *end = strchr(p + 1, *p);
			add_marker(
				r, (ds_str){ p + 1, (size_t)(end - p - 1) }, *p == '\x01', target);
			target = target && !until_marker;
			p = end + 1;
		} else {
			size_t n = 1;
			while (p[n] && p[n] != '\x01' && p[n] != '\x02' && !value_of(r, p + n))
				n++;
			add_text(r, (ds_str){ p, n }, target);
			p += n;
		}
	}
}

/* A layout's string as text alone, the values put in. */
static ds_str fill(renderer *r, const char *p)
{
	ds_buf b = { 0 };
	while (*p) {
		const ds_str *v = value_of(r, p);
		if (v)
			ds_buf_add_str(&b, *v);
		else
			ds_buf_add_byte(&b, *p);
		p += v ? 3 : 1;
	}
	ds_str s = ds_arena_str(r->mem, ds_buf_view(&b));
	ds_buf_free(&b);
	return s;
}

/* What Python's str.strip() takes for white space. */
static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202F || c == 0x205F || c == 0x3000;
}

ds_str ds_chat_strip(ds_str s)
{
	size_t from = 0, to = 0;
	bool seen = false;
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	unsigned len;
	for (size_t i = 0; i < s.n; i += len) {
		uint32_t c = 0;
		len = ds_utf8_get(p + i, end, &c);
		if (len && is_space(c))
			continue;
		len = len ? len : 1;
		from = seen ? from : i;
		seen = true;
		to = i + len;
	}
	return (ds_str){ s.at + from, to - from };
}

/* ---- answers ---- */

const char *const ds_chat_hermes_call =
	"<tool_call>\n{\"name\": \"{n}\", \"arguments\": {a}}\n</tool_call>";

/* JSON as Python's json.dumps prints it. */
static void dump(ds_buf *o, const ds_json *v)
{
	bool list = v->kind == DS_J_ARR, object = v->kind == DS_J_OBJ;
	if (!list && !object) {
		ds_json_add(o, v);
		return;
	}
	ds_buf_add_byte(o, list ? '[' : '{');
	for (const ds_json *m = v->first; m; m = m->next) {
		ds_buf_add_c(o, m == v->first ? "" : ", ");
		if (object) {
			ds_json_add_str(o, m->key);
			ds_buf_add_c(o, ": ");
		}
		dump(o, m);
	}
	ds_buf_add_byte(o, list ? ']' : '}');
}

/* OpenAI gives arguments as a string that holds JSON; others as an object. */
static ds_rc call_of(renderer *r, const ds_json *call, ds_err *e)
{
	const ds_json *f = ds_json_get(call, "function");
	f = f ? f : call;
	const ds_json *args = ds_json_get(f, "arguments");
	r->name = ds_json_text(f, "name", "");
	if (!r->name.n)
		return ds_fail(e, DS_BAD, "a tool call without a name");
	r->arguments = DS_S("{}");
	if (args && args->kind == DS_J_STR)
		DS_TRY_AT(ds_json_parse(&args, r->mem, args->s.n ? args->s : DS_S("{}"), e), e,
			"the arguments of tool call '%.*s'", DS_FMT(r->name));
	if (args) {
		ds_buf b = { 0 };
		dump(&b, args);
		r->arguments = ds_arena_str(r->mem, ds_buf_view(&b));
		ds_buf_free(&b);
	}
	return DS_OK;
}

static ds_str after_last(ds_str s, const char *mark)
{
	size_t n = strlen(mark);
	for (size_t i = s.n >= n ? s.n - n + 1 : 0; i-- > 0;)
		if (memcmp(s.at + i, mark, n) == 0)
			return (ds_str){ s.at + i + n, s.n - i - n };
	return s;
}

static ds_str strip_lines(ds_str s, bool left, bool right)
{
	while (left && s.n && s.at[0] == '\n')
		s.at++, s.n--;
	while (right && s.n && s.at[s.n - 1] == '\n')
		s.n--;
	return s;
}

/* An answer's thoughts: kept of those behind the last question, empty ones written where it is the last turn. */
static void think(renderer *r, bool recent, bool last)
{
	ds_str all = r->content, thought = DS_S(""), said = after_last(all, "</think>");
	if (said.at != all.at) {
		const char *end = memmem(all.at, all.n, "</think>", 8);
		thought = after_last(
			strip_lines((ds_str){ all.at, (size_t)(end - all.at) }, false, true),
			"<think>");
		thought = strip_lines(thought, true, true);
		said = strip_lines(said, true, false);
	}
	r->content = said;
	if (!recent || !(last || thought.n))
		return;
	add_run(r, (ds_chat_run){ DS_S("<think>"), true, false, true });
	add_text(r, DS_S("\n"), true);
	add_text(r, thought, true);
	add_text(r, DS_S("\n"), true);
	add_run(r, (ds_chat_run){ DS_S("</think>"), true, false, true });
	add_text(r, DS_S("\n\n"), true);
	r->content = strip_lines(said, true, false);
}

static ds_rc answer(renderer *r, const ds_chat_turn *t, bool recent, bool last, ds_err *e)
{
	const ds_chat_layout *l = r->l;
	say(r, l->lead ? l->lead : l->open, false, false);
	say(r, l->say, true, false);
	if (l->flags & DS_CHAT_TRIM_ANSWER)
		r->content = ds_chat_strip(r->content);
	if (l->flags & DS_CHAT_THINKS)
		think(r, recent, last);
	else if (l->flags & DS_CHAT_FORGETS)
		r->content = after_last(r->content, "</think>");
	add_text(r, r->content, true);
	for (const ds_json *c = t->calls ? t->calls->first : NULL; c; c = c->next) {
		if (r->content.n || c != t->calls->first)
			add_text(r, DS_S("\n"), true);
		DS_TRY(call_of(r, c, e));
		say(r, l->call ? l->call : ds_chat_hermes_call, true, false);
	}
	say(r, last && l->end_last ? l->end_last : l->end, true, true);
	return DS_OK;
}

/* ---- turns ---- */

static const char *const role_names[] = { "system", "user", "assistant", "tool" };

typedef struct { /* where the system prompt goes, and what was asked last */
	const ds_chat_turns *turns;
	size_t fold_at, last_user;
	bool folds;
} course;

static ds_rc begin(renderer *r, course *c, size_t *first, ds_err *e)
{
	const ds_chat_layout *l = r->l;
	const ds_chat_turns *t = c->turns;
	bool has = t->n && t->at[0].role == DS_CHAT_SYSTEM;
	*first = has;
	for (size_t i = t->n; i-- > 0;)
		if (t->at[i].role == DS_CHAT_USER) {
			c->last_user = i > c->last_user ? i : c->last_user;
			c->fold_at = i;
		}
	if (l->flags & DS_CHAT_FOLD_LAST) /* and nowhere, where an answer follows it */
		c->fold_at = c->last_user + 1 == t->n ? c->last_user : SIZE_MAX;
	say(r, l->begin, false, false);
	if (!has && !l->otherwise)
		return DS_OK;
	r->system = has ? t->at[0].text : ds_str_of(l->otherwise);
	if (l->flags & DS_CHAT_TRIM_SYSTEM)
		r->system = ds_chat_strip(r->system);
	if (l->system) {
		r->role = DS_S("system");
		r->content = r->system;
		say(r, l->system, false, false);
		return DS_OK;
	}
	c->folds = l->fold != NULL;
	return c->folds && c->last_user < *first
		       ? ds_fail(e, DS_BAD, "%s has no place for a system prompt alone", l->name)
		       : DS_OK;
}

static ds_rc turn(renderer *r, const course *c, size_t i, ds_err *e)
{
	const ds_chat_layout *l = r->l;
	const ds_chat_turn *t = &c->turns->at[i];
	ds_chat_role before = i ? c->turns->at[i - 1].role : DS_CHAT_SYSTEM,
		     after = i + 1 < c->turns->n ? c->turns->at[i + 1].role : DS_CHAT_SYSTEM;
	r->content = t->text;
	r->role = ds_str_of(role_names[t->role]);
	if (l->flags & DS_CHAT_TURNS && t->role == DS_CHAT_ASSISTANT && before != DS_CHAT_USER)
		return ds_fail(e, DS_BAD,
			"an answer that follows no question, which %s does not have", l->name);
	if (l->flags & DS_CHAT_TURNS && t->role == DS_CHAT_USER && before == DS_CHAT_USER)
		return ds_fail(
			e, DS_BAD, "a question after a question, which %s does not have", l->name);
	if (t->role == DS_CHAT_ASSISTANT)
		return answer(r, t, i > c->last_user, i + 1 == c->turns->n, e);
	if (t->role == DS_CHAT_USER) {
		bool trims = l->flags & DS_CHAT_TRIM_USER, early = l->flags & DS_CHAT_FOLD_TRIMMED;
		if (trims && early)
			r->content = ds_chat_strip(r->content);
		if (c->folds && i == c->fold_at)
			r->content = fill(r, l->fold);
		if (trims && !early)
			r->content = ds_chat_strip(r->content);
		say(r, l->user, false, false);
		return DS_OK;
	}
	const char *how = t->role == DS_CHAT_TOOL ? l->tool : l->system;
	if (!how || (t->role == DS_CHAT_SYSTEM && l->flags & DS_CHAT_TURNS))
		return ds_fail(e, DS_BAD, "%s has no place for role '%s'%s", l->name,
			role_names[t->role],
			t->role == DS_CHAT_SYSTEM ? " but at the beginning" : "");
	if (l->flags & DS_CHAT_TRIM_SYSTEM)
		r->content = ds_chat_strip(r->content);
	if (t->role == DS_CHAT_TOOL && before != DS_CHAT_TOOL)
		say(r, l->tools_begin, false, false);
	say(r, how, false, false);
	if (t->role == DS_CHAT_TOOL && after != DS_CHAT_TOOL)
		say(r, l->tools_end, false, false);
	return DS_OK;
}

ds_rc ds_chat_render(const ds_chat_layout *l, const ds_chat_turns *t, const ds_chat_how *how,
	ds_arena *mem, ds_chat_runs *out, ds_err *e)
{
	renderer r = { .l = l, .how = how, .mem = mem, .out = out };
	course c = { .turns = t };
	size_t first;
	*out = (ds_chat_runs){ 0 };
	DS_TRY(begin(&r, &c, &first, e));
	for (size_t i = first; i < t->n; i++)
		DS_TRY_AT(turn(&r, &c, i, e), e, "messages[%zu]", i);
	say(&r, how->open ? l->open : l->tail, false, false);
	return DS_OK;
}
