/*
 * regex_literal.c - the literals of which a pattern cannot match without one
 *
 * Reads only what is plain: anything that might mean more than it seems (inline options, \Q, verbs)
 * gives no literal at all, which is slower and never wrong.
 */
#include "text/regex_impl.h"

#include "text/utf8.h"

enum { REQUIRED_MIN = 3 }; /* shorter ones PCRE2 finds as fast */

typedef struct {
	ds_str p;
	size_t i;
	char *best, *run; /* run: the characters in a row up to here; in the second half of out */
	size_t n_best, n_run;
	size_t last; /* where the run's last character begins */
	bool lost;   /* nothing can be told */
	bool any_case;
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
	if (r->any_case) {
		char small = (char)(c | 32);
		/* U+017F and U+212A are s and k; other scripts' letters have cases too. */
		if (c & 0x80 || small == 'k' || small == 's') {
			end_run(r);
			return;
		}
		c = small >= 'a' && small <= 'z' ? small : c;
	}
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

/* \x{...} at i; false: it is not that. */
static bool code_point(reader *r)
{
	uint32_t c = 0;
	uint8_t bytes[4];
	size_t i = r->i + 3;
	for (char d; i < r->i + 9 && (d = at(r, i)) && strchr("0123456789abcdefABCDEF", d); i++)
		c = c * 16 + (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
	if (at(r, r->i + 2) != '{' || at(r, i) != '}' || i == r->i + 3 || c > 0x10ffff || c < 0x20)
		return false;
	unsigned n = ds_utf8_put(bytes, c);
	/* A quantifier behind it takes it whole, of however many bytes it is. */
	for (unsigned k = 0; k < n; k++)
		add(r, (char)bytes[k]);
	r->i = i + 1;
	return true;
}

static void escape(reader *r)
{
	char c = at(r, r->i + 1);
	if (c == 'x' && code_point(r))
		return;
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

/* "(?i)" and the like in front, of i, m and s. */
static void leading_flags(reader *r)
{
	size_t n = 2;
	if (at(r, 0) != '(' || at(r, 1) != '?')
		return;
	while (at(r, n) && strchr("ims", at(r, n)))
		n++;
	if (n == 2 || at(r, n) != ')')
		return;
	r->any_case |= memchr(r->p.at, 'i', n) != NULL;
	r->i = n + 1;
}

static void element(reader *r)
{
	char c = at(r, r->i);
	if (c == '\\') {
		escape(r);
	} else if (c == '[') {
		end_run(r);
		skip_class(r);
	} else if (c == '(') {
		end_run(r);
		skip_group(r);
	} else if (c == '*' || c == '+' || c == '?' || c == '{') {
		quantifier(r, c);
	} else if (c == '.' || c == '^' || c == '$' || c == ')') {
		end_run(r);
		r->i++;
	} else {
		add(r, c);
		r->i++;
	}
}

/* One alternative, whose literal is given out where found is set. */
static void alternative(reader *r, ds_regex_found *found, void *context)
{
	while (r->i < r->p.n && !r->lost && at(r, r->i) != '|')
		element(r);
	end_run(r);
	r->lost |= r->n_best < REQUIRED_MIN;
	if (!r->lost && found)
		found(context, (ds_str){ r->best, r->n_best }, r->any_case);
	r->n_best = 0;
	r->i++;
}

bool ds_regex_required(
	ds_str pattern, bool any_case, char *out, ds_regex_found *found, void *context)
{
	for (int turn = 0; turn < 2;
		turn++) { /* first whether all have one, then they are given out */
		reader r = {
			.p = pattern, .best = out, .run = out + pattern.n, .any_case = any_case
		};
		leading_flags(&r);
		do
			alternative(&r, turn ? found : NULL, context);
		while (!r.lost && r.i <= pattern.n);
		if (r.lost)
			return false;
	}
	return true;
}

bool ds_regex_starts_with_digit(ds_str pattern)
{
	static const char *const before[] = { "\\b", "(?<!\\d)", "(?<![\\d])", "(?<!\\w)" };
	for (unsigned i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (ds_str_starts(pattern, ds_str_of(before[i]))) {
			size_t n = strlen(before[i]);
			pattern = (ds_str){ pattern.at + n, pattern.n - n };
			break;
		}
	if (!ds_str_starts(pattern, DS_S("\\d")) || memchr(pattern.at, '|', pattern.n))
		return false;
	char next = pattern.n > 2 ? pattern.at[2] : '\0';
	char least = pattern.n > 3 ? pattern.at[3] : '\0';
	return next != '*' && next != '?' && (next != '{' || (least >= '1' && least <= '9'));
}
