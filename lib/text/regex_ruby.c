/*
 * regex_ruby.c - patterns of tokenizer.json, which are Oniguruma's in Ruby's syntax, as PCRE2 spells them
 *
 * What differs: \s \w \h mean Unicode's White_Space, word characters and hexadecimal digits; {n,m}+
 * repeats the repetition instead of making it possessive; \uHHHH is a character; classes nest and
 * intersect, which is refused.
 */
#include "text/regex_impl.h"

enum { DEPTH = 64 };

typedef struct {
	ds_str in;
	size_t at;
	ds_buf *out;
	size_t atom;         /* where the last atom begins in out */
	size_t opens[DEPTH]; /* where the open groups do */
	int depth;
	ds_err *e;
} walk;

static ds_rc refused(walk *w, const char *what)
{
	return ds_fail(w->e, DS_USAGE, "at %zu of '%.*s': %s", w->at, DS_FMT(w->in), what);
}

static char peek(const walk *w, size_t ahead)
{
	return w->at + ahead < w->in.n ? w->in.at[w->at + ahead] : 0;
}

static void copy(walk *w, size_t n)
{
	for (; n && w->at < w->in.n; n--)
		ds_buf_add_byte(w->out, w->in.at[w->at++]);
}

/* A backslash and what belongs to it; in_class: between brackets. */
static ds_rc escape(walk *w, bool in_class)
{
	static const char word[] = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
	char c = peek(w, 1);
	if (c == 's' || c == 'S') {
		ds_buf_add_c(w->out, c == 's' ? "\\p{White_Space}" : "\\P{White_Space}");
	} else if (c == 'w' || (c == 'W' && !in_class)) {
		/* Outside brackets Oniguruma has the superscripts and fractions of Latin-1 in it, too. */
		ds_buf_fmt(w->out,
			in_class   ? "%s%s"
			: c == 'w' ? "[%s%s]"
				   : "[^%s%s]",
			word, in_class ? "" : "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}");
	} else if (c == 'h' && !in_class) {
		ds_buf_add_c(w->out, "[0-9A-Fa-f]");
	} else if (c == 'u') {
		if (w->at + 6 > w->in.n)
			return refused(w, "\\u wants four digits");
		ds_buf_fmt(w->out, "\\x{%.4s}", w->in.at + w->at + 2);
		w->at += 6;
		return DS_OK;
	} else if (c == 'p' || c == 'P' || c == 'x') {
		const char *end =
			peek(w, 2) == '{' ? memchr(w->in.at + w->at, '}', w->in.n - w->at) : NULL;
		copy(w, end ? (size_t)(end + 1 - (w->in.at + w->at)) : 2);
		return DS_OK;
	} else if (c == 0 || strchr("hHWkgGKyYOQEC", c)) {
		return refused(w, "this escape is not supported");
	} else {
		copy(w, 2);
		return DS_OK;
	}
	w->at += 2;
	return DS_OK;
}

static ds_rc char_class(walk *w)
{
	copy(w, 1);
	if (peek(w, 0) == '^')
		copy(w, 1);
	if (peek(w, 0) == ']')
		copy(w, 1);
	while (w->at < w->in.n && peek(w, 0) != ']') {
		if (peek(w, 0) == '\\')
			DS_TRY(escape(w, true));
		else if (peek(w, 0) == '&' && peek(w, 1) == '&')
			return refused(w, "classes that intersect are not supported");
		else if (peek(w, 0) == '[')
			return refused(w, "a class within a class is not supported");
		else
			copy(w, 1);
	}
	if (w->at == w->in.n)
		return refused(w, "a ']' is missing");
	copy(w, 1);
	return DS_OK;
}

/* {n,m} after an atom: with a '+' behind it, the whole is an atom that the '+' repeats. */
static void interval(walk *w)
{
	size_t n = 1;
	while (peek(w, n) && (strchr("0123456789,", peek(w, n)) != NULL))
		n++;
	if (n == 1 || peek(w, n) != '}') {
		w->atom = w->out->n;
		copy(w, 1);
		return;
	}
	copy(w, n + 1);
	if (peek(w, 0) != '+')
		return;
	ds_buf_add_c(w->out, "xxx)");
	memmove(w->out->at + w->atom + 3, w->out->at + w->atom, w->out->n - 4 - w->atom);
	memcpy(w->out->at + w->atom, "(?:", 3);
	copy(w, 1);
}

static ds_rc step(walk *w)
{
	char c = peek(w, 0);
	if (c == '{') {
		interval(w);
		return DS_OK;
	}
	if (c == '*' || c == '+' || c == '?' || c == '|') {
		copy(w, 1);
		return DS_OK;
	}
	if (c == ')') {
		if (w->depth > 0)
			w->atom = w->opens[--w->depth];
		copy(w, 1);
		return DS_OK;
	}
	w->atom = w->out->n;
	if (c == '\\')
		return escape(w, false);
	if (c == '[')
		return char_class(w);
	if (c == '(') {
		if (w->depth == DEPTH)
			return refused(w, "groups are nested too deep");
		if (peek(w, 1) == '?' && strchr("m<x-", peek(w, 2) ? peek(w, 2) : 'm') &&
			!(peek(w, 2) == '<' && (peek(w, 3) == '=' || peek(w, 3) == '!')))
			return refused(w, "this group is not supported");
		w->opens[w->depth++] = w->atom;
		copy(w, peek(w, 1) == '?' ? 3 : 1);
		return DS_OK;
	}
	copy(w, 1);
	while ((peek(w, 0) & 0xc0) == 0x80)
		copy(w, 1);
	return DS_OK;
}

ds_rc ds_regex_of_ruby(ds_str pattern, ds_buf *out, ds_err *e)
{
	walk w = { .in = pattern, .out = out, .e = e };
	while (w.at < pattern.n)
		DS_TRY(step(&w));
	return DS_OK;
}
