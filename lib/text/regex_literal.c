/*
 * regex_literal.c - the literal that a pattern cannot match without
 *
 * Reads only what is plain: anything that might mean more than it seems (inline options, \Q, verbs)
 * gives no literal at all, which is slower and never wrong.
 */
#include "text/regex_impl.h"

typedef struct {
	ds_str p;
	size_t i;
	char *best, *run; /* run: the characters in a row up to here; in the second half of out */
	size_t n_best, n_run;
	size_t last; /* where the run's last character begins */
	bool lost;   /* nothing can be told */
} reader;

static void end_run(reader *r)
{
	if (r->n_run > r->n_best) {
		memcpy(r->best, r->run, r->n_run);
		r->n_best = r->n_run;
	}
	r->n_run = 0;
	r->last = 0;
}

static void add(reader *r, char c)
{
	if ((c & 0xc0) != 0x80)
		r->last = r->n_run;
	r->run[r->n_run++] = c;
}

static char at(const reader *r, size_t i)
{
	return i < r->p.n ? r->p.at[i] : '\0';
}

/* i is at '['; past the ']'. */
static void skip_class(reader *r)
{
	r->i++;
	if (at(r, r->i) == '^')
		r->i++;
	if (at(r, r->i) == ']')
		r->i++;
	for (; r->i < r->p.n && at(r, r->i) != ']'; r->i++) {
		if (at(r, r->i) == '\\') {
			r->lost |= at(r, r->i + 1) == 'Q';
			r->i++;
		} else if (at(r, r->i) == '[' && at(r, r->i + 1) == ':') {
			const char *end = memmem(r->p.at + r->i, r->p.n - r->i, ":]", 2);
			if (end)
				r->i = (size_t)(end - r->p.at) + 1;
		}
	}
	r->i++;
}

/* i is at '('; past its ')'. */
static void skip_group(reader *r)
{
	unsigned depth = 0;
	do {
		char c = at(r, r->i);
		if (c == '\\') {
			r->lost |= at(r, r->i + 1) == 'Q';
			r->i += 2;
		} else if (c == '[') {
			skip_class(r);
		} else {
			/* (?i) and the like work beyond themselves, (*...) are verbs, (?#...) holds anything. */
			if (c == '(' && (at(r, r->i + 1) == '*' ||
						(at(r, r->i + 1) == '?' &&
							!strchr(":=!<>|P'", at(r, r->i + 2)))))
				r->lost = true;
			depth += c == '(';
			depth -= c == ')';
			r->i++;
		}
	} while (depth && r->i < r->p.n && !r->lost);
}

static void escape(reader *r)
{
	char c = at(r, r->i + 1);
	bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
	r->i += 2;
	if (!word && c) {
		add(r, c);
		return;
	}
	end_run(r);
	/* What follows \x41, \p{L}, \g1 belongs to it. */
	r->lost |= !strchr("bBdDsSwWAzZRntr", c) || !c;
}

/* The bytes of "{2}", "{2,}" or "{2,3}" at i; 0: the brace is none of these, and stands for itself. */
static size_t braces(const reader *r, size_t i)
{
	size_t n = 1;
	while (at(r, i + n) >= '0' && at(r, i + n) <= '9')
		n++;
	bool counted = n > 1;
	if (at(r, i + n) == ',')
		n++;
	while (at(r, i + n) >= '0' && at(r, i + n) <= '9')
		n++;
	return counted && at(r, i + n) == '}' ? n + 1 : 0;
}

static void quantifier(reader *r, char c)
{
	size_t n = c == '{' ? braces(r, r->i) : 1;
	if (n == 0) {
		r->lost = true;
		return;
	}
	if (c != '+')
		r->n_run = r->last; /* may be there no time */
	end_run(r);
	r->i += n;
	while (at(r, r->i) == '+' || at(r, r->i) == '?')
		r->i++;
}

size_t ds_regex_required(ds_str pattern, char *out)
{
	reader r = { .p = pattern, .best = out, .run = out + pattern.n };
	while (r.i < pattern.n && !r.lost) {
		char c = at(&r, r.i);
		if (c == '|') {
			r.lost = true;
		} else if (c == '\\') {
			escape(&r);
		} else if (c == '[') {
			end_run(&r);
			skip_class(&r);
		} else if (c == '(') {
			end_run(&r);
			skip_group(&r);
		} else if (c == '*' || c == '+' || c == '?' || c == '{') {
			quantifier(&r, c);
		} else if (c == '.' || c == '^' || c == '$' || c == ')') {
			end_run(&r);
			r.i++;
		} else {
			add(&r, c);
			r.i++;
		}
	}
	end_run(&r);
	return r.lost ? 0 : r.n_best;
}
