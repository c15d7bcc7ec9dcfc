/*
 * recognise.c - which layout a template in Jinja is
 *
 * The same template is spelled in a hundred ways, so what it does is asked: it renders a few conversations, which show
 * trimming, system prompts, several turns and the opening of an answer, and a layout has to give the same. What a
 * template raises is not compared (many refuse system prompts).
 */
#include "text/chat/jinja.h"
#include "text/chat/layout.h"

#include <string.h>

#define SYSTEM "{\"role\":\"system\",\"content\":\" s \"},"
#define USER(n) "{\"role\":\"user\",\"content\":\" q" n " \\n\"}"
#define ANSWER(n) "{\"role\":\"assistant\",\"content\":\"\\n a" n " \"}"

#define THOUGHT "{\"role\":\"assistant\",\"content\":\"<think>\\nt\\n</think>\\n\\n a\"}"

enum { N_PROBES = 7 };
static const struct {
	bool open, system;
	const char *messages;
} probes[N_PROBES] = {
	{ true, false, "[" USER("1") "]" },
	{ true, false, "[" USER("1") "," ANSWER("1") "," USER("2") "]" },
	{ true, true, "[" SYSTEM USER("1") "," ANSWER("1") "," USER("2") "]" },
	{ true, false, "[" USER("1") "," THOUGHT "," USER("2") "]" },
	{ false, false, "[" USER("1") "," ANSWER("1") "]" },
	{ false, false, "[" USER("1") "," ANSWER("1") "," USER("2") "," ANSWER("2") "]" },
	{ false, true, "[" SYSTEM USER("1") "," ANSWER("1") "," USER("2") "," ANSWER("2") "]" },
};

typedef struct {
	ds_arena *mem;
	ds_str bos, eos;
	ds_chat_turns turns[N_PROBES];
	ds_str want[N_PROBES]; /* what the template gave; at NULL: it raised something */
	bool ignores;          /* system prompts: the layout gets no place for them */
} asked;

static ds_rc ask(asked *a, ds_str template, ds_err *e)
{
	ds_jinja *j;
	size_t n = 0;
	DS_TRY(ds_jinja_parse(&j, template, a->mem, e));
	for (int i = 0; i < N_PROBES; i++) {
		const ds_json *list;
		ds_buf out = { 0 };
		DS_TRY(ds_json_parse(&list, a->mem, ds_str_of(probes[i].messages), e));
		DS_TRY(ds_chat_read(&a->turns[i], list, a->mem, e));
		ds_jinja_vars v = { list, probes[i].open, a->bos, a->eos };
		if (ds_jinja_run(j, &v, a->mem, &out, e) == DS_OK) {
			a->want[i] = ds_arena_str(a->mem, ds_buf_view(&out));
			n++;
		}
		ds_buf_free(&out);
	}
	if (!n || !a->want[0].at || !a->want[1].at)
		return DS_BAD;
	a->ignores = a->want[2].at && ds_str_eq(a->want[2], a->want[1]);
	return DS_OK;
}

/* What a layout gives, as one text. */
static bool give(const asked *a, const ds_chat_layout *l, int i, bool open, ds_str *out)
{
	ds_chat_how how = { open, a->bos.at ? a->bos : DS_S(""), a->eos.at ? a->eos : DS_S("") };
	ds_chat_runs runs;
	ds_buf b = { 0 };
	ds_err e;
	if (ds_chat_render(l, &a->turns[i], &how, a->mem, &runs, &e) != DS_OK)
		return false;
	for (size_t k = 0; k < runs.n; k++)
		ds_buf_add_str(&b, runs.at[k].text);
	*out = ds_arena_str(a->mem, ds_buf_view(&b));
	ds_buf_free(&b);
	return true;
}

/* A layout's string as text. */
static ds_str plain(const asked *a, const char *p)
{
	ds_chat_layout l = { .begin = p };
	asked none = { .mem = a->mem, .bos = a->bos, .eos = a->eos };
	ds_str s = DS_S("");
	give(&none, &l, 0, false, &s);
	return s;
}

/*
 * A conversation that is not open: templates differ in whether eos follows, whether an answer is opened all the same,
 * and some leave out how the last answer ends, which is written here all the same.
 */
static bool same_closed(const asked *a, ds_chat_layout *l, int i)
{
	ds_str got, want = a->want[i], end = plain(a, l->end);
	l->tail = l->tail ? NULL : "{e}";
	if (give(a, l, i, false, &got) && ds_str_eq(got, want))
		return true;
	l->tail = NULL;
	if (give(a, l, i, true, &got) && ds_str_eq(got, want))
		return true;
	if (!give(a, l, i, false, &got) || !ds_str_starts(got, want))
		return false;
	ds_str rest = { got.at + want.n, got.n - want.n };
	return ds_str_ends(end, rest);
}

static bool same(const asked *a, ds_chat_layout *l)
{
	for (int i = 0; i < N_PROBES; i++) {
		ds_str got;
		if (!a->want[i].at || (a->ignores && probes[i].system))
			continue;
		if (give(a, l, i, probes[i].open, &got) && ds_str_eq(got, a->want[i]))
			continue;
		if (probes[i].open || !same_closed(a, l, i))
			return false;
	}
	return true;
}

/* The system prompt that a template has where none is given: what stands in the place of it. */
static bool find_otherwise(const asked *a, ds_chat_layout *l)
{
	static const char mark[] = "\x7f\x7f";
	ds_str got, want = a->want[0];
	l->otherwise = mark;
	if ((!l->system && !l->fold) || !give(a, l, 0, true, &got))
		return false;
	const char *at = memmem(got.at, got.n, mark, 2);
	size_t before = at ? (size_t)(at - got.at) : 0, after = at ? got.n - before - 2 : 0;
	if (!at || want.n < before + after || memcmp(want.at, got.at, before) != 0 ||
		memcmp(want.at + want.n - after, at + 2, after) != 0)
		return false;
	ds_str s = { want.at + before, want.n - before - after };
	l->otherwise = ds_arena_str(a->mem, s).at;
	return true;
}

enum { N_VARIANTS = 2 * 3 * 4 * 3 * 2 };

/* Variant v of a layout, 0 is the layout itself; false: there is no such one. */
static bool vary(const asked *a, const ds_chat_layout *from, unsigned v, ds_chat_layout *l)
{
	static const unsigned trims[] = { 0, DS_CHAT_TRIM,
		DS_CHAT_TRIM_USER | DS_CHAT_TRIM_ANSWER };
	static const char *const says[] = { NULL, " " };
	*l = *from;
	unsigned begin = v % 2, system = v / 2 % 3, trim = v / 6 % 4, says_n = v / 24 % 3;
	if (trim)
		l->flags = (l->flags & ~(unsigned)DS_CHAT_TRIM) | trims[trim - 1];
	if (begin)
		l->begin = from->begin && from->begin[0] == '{' ? NULL : "{b}";
	if (says_n)
		l->say = says[says_n - 1];
	if (v / 72)
		l->flags |= DS_CHAT_FORGETS;
	if (system == 1)
		l->otherwise = NULL;
	if (a->ignores)
		l->system = l->fold = l->otherwise = NULL;
	return system < 2 || find_otherwise(a, l);
}

const ds_chat_layout *ds_chat_recognise(
	ds_str template, ds_str bos, ds_str eos, ds_arena *mem, ds_err *why)
{
	asked a = { .mem = mem, .bos = bos, .eos = eos };
	*why = (ds_err){ 0 };
	if (ask(&a, template, why) != DS_OK)
		return NULL;
	for (unsigned v = 0; v < N_VARIANTS; v++) {
		const ds_chat_layout *from;
		for (size_t i = 0; (from = ds_chat_at(i)); i++) {
			ds_chat_layout l;
			if (!vary(&a, from, v, &l) || !same(&a, &l))
				continue;
			ds_chat_layout *found = ds_arena_get(mem, sizeof(*found));
			*found = l;
			return found;
		}
	}
	ds_fail(why, DS_BAD, "what it writes is no known layout's");
	return NULL;
}
