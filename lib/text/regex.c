/*
 * regex.c - the door to PCRE2
 *
 * Limits: MATCH_LIMIT backtracking points a match and a JIT stack of STACK_BYTES. Both are counted, not
 * timed, so that the same text fails on every machine.
 */
#include "text/regex.h"

#include "base/mem.h"
#include "text/grow.h"
#include "text/needle.h"
#include "text/regex_impl.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	MATCH_LIMIT = 10000000,
	STACK_BYTES = 1 << 20,
	NO_HEAP = 121,       /* pcre2_compile's, which has no name in the older headers */
	HEAP_KIB = 64 << 10, /* of the interpreter, where there is no JIT */
	NEEDLES_MAX = 8,
	GROUPS_MAX = 1000,
};

typedef struct { /* a piece of the replacement: text, or a group */
	ds_str text;
	int group; /* -1: text */
} piece;

struct ds_regex {
	pcre2_code *code;
	bool jit, all;
	ds_needle *needles; /* one of which every match has in it */
	unsigned n_needles; /* 0: not known; over NEEDLES_MAX: too many to look for */
	ds_buf texts;       /* what the pieces' views are of */
	piece *pieces;
	size_t n_pieces;
};

struct ds_regex_run {
	const ds_regex *r;
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

void ds_regex_free(ds_regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	ds_mem_free(r->needles);
	ds_buf_free(&r->texts);
	ds_mem_free(r->pieces);
	ds_mem_free(r);
}

ds_str ds_regex_literal(const ds_regex *r, unsigned i)
{
	if (i >= r->n_needles || r->n_needles > NEEDLES_MAX)
		return (ds_str){ "", 0 };
	return (ds_str){ r->needles[i].at, r->needles[i].n };
}

static void add_needle(void *context, ds_str literal, bool any_case)
{
	ds_regex *r = context;
	if (r->n_needles++ < NEEDLES_MAX)
		ds_needle_init(&r->needles[r->n_needles - 1], literal, any_case);
}

static void find_needles(ds_regex *r, ds_str pattern, bool any_case)
{
	char *literals = DS_NEW(char, 2 * pattern.n + 1);
	r->needles = DS_NEW(ds_needle, NEEDLES_MAX);
	if (!ds_regex_required(pattern, any_case, literals, add_needle, r))
		r->n_needles = 0;
	ds_mem_free(literals);
}

static ds_rc compile_as(ds_regex *r, ds_str pattern, uint32_t options, ds_err *e)
{
	int code;
	PCRE2_SIZE at;
	options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	r->code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.n, options, &code, &at, NULL);
	if (!r->code && code == NO_HEAP)
		ds_mem_out(0);
	if (!r->code) {
		char why[200];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return ds_fail(
			e, DS_USAGE, "at %zu of '%.*s': %s", (size_t)at, DS_FMT(pattern), why);
	}
	r->jit = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
	return DS_OK;
}

/*
 * PCRE2 tries \d, which is all of Unicode's digits, at every byte. A class in front, of ranges that hold them all,
 * is one that it can search for.
 */
static ds_rc compile_digits(ds_regex *r, ds_str pattern, uint32_t options, ds_err *e)
{
	ds_buf text = { 0 };
	ds_buf_add_c(&text, "(?=[0-9\\x{660}-\\x{1fff}\\x{a620}-\\x{abff}\\x{ff10}-\\x{ff19}"
			    "\\x{10000}-\\x{10ffff}])");
	ds_buf_add_str(&text, pattern);
	pcre2_code_free(r->code);
	ds_rc rc = compile_as(r, ds_buf_view(&text), options, e);
	ds_buf_free(&text);
	return rc;
}

static ds_rc compile(ds_regex *r, ds_str pattern, ds_str flags, bool subst, ds_err *e)
{
	uint32_t options = PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
	for (size_t i = 0; i < flags.n; i++) {
		char c = flags.at[i];
		if (c == 'g' && subst)
			r->all = true;
		else if (c == 'i')
			options |= PCRE2_CASELESS;
		else if (c == 'm')
			options |= PCRE2_MULTILINE;
		else if (c == 's')
			options |= PCRE2_DOTALL;
		else if (c == 'x')
			options |= PCRE2_EXTENDED;
		else
			return ds_fail(e, DS_USAGE, "flag '%c': it is %si, m, s or x", c,
				subst ? "g, " : "");
	}
	DS_TRY(compile_as(r, pattern, options, e));
	if (!(options & PCRE2_EXTENDED) && ds_regex_starts_with_digit(pattern))
		DS_TRY(compile_digits(r, pattern, options, e));
	if (!(options & PCRE2_EXTENDED))
		find_needles(r, pattern, options & PCRE2_CASELESS);
	return DS_OK;
}

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The part up to the next delimiter that has no backslash before it; s goes past it. */
static bool part(ds_str *s, char delimiter, ds_str *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->at[i] == '\\') {
			i++;
		} else if (s->at[i] == delimiter) {
			*out = (ds_str){ s->at, i };
			*s = (ds_str){ s->at + i + 1, s->n - i - 1 };
			return true;
		}
	}
	return false;
}

static bool all_letters(ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.at[i] | 32) < 'a' || (s.at[i] | 32) > 'z')
			return false;
	return true;
}

ds_rc ds_regex_parse(ds_regex **out, ds_str expression, ds_err *e)
{
	DS_AUTO(ds_regex) r = DS_NEW(ds_regex, 1);
	ds_str pattern = expression, flags = { "", 0 };
	if (expression.n && expression.at[0] == '/') {
		ds_str rest = { expression.at + 1, expression.n - 1 }, inner;
		/* "/usr/lib" is a pattern by itself: what follows the second '/' cannot be flags. */
		if (part(&rest, '/', &inner) && rest.n <= 4 && all_letters(rest)) {
			pattern = inner;
			flags = rest;
		}
	}
	if (pattern.n == 0)
		return ds_fail(e, DS_USAGE, "'%.*s': the pattern is empty", DS_FMT(expression));
	DS_TRY(compile(r, pattern, flags, false, e));
	*out = r;
	r = NULL;
	return DS_OK;
}

static ds_rc compile_split(ds_regex **out, ds_str pattern, uint32_t options, ds_err *e)
{
	DS_AUTO(ds_regex) r = DS_NEW(ds_regex, 1);
	if (pattern.n == 0)
		return ds_fail(e, DS_USAGE, "the pattern is empty");
	DS_TRY(compile_as(r, pattern, options, e));
	*out = r;
	r = NULL;
	return DS_OK;
}

ds_rc ds_regex_parse_split(ds_regex **out, ds_str pattern, bool ruby, ds_err *e)
{
	ds_buf text = { 0 };
	ds_rc rc = DS_OK;
	if (ruby)
		rc = ds_regex_of_ruby(pattern, &text, e);
	else
		ds_buf_add_str(&text, pattern);
	if (rc == DS_OK)
		rc = compile_split(out, ds_buf_view(&text),
			PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
				(ruby ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY),
			e);
	ds_buf_free(&text);
	return rc;
}

ds_rc ds_regex_parse_literal(ds_regex **out, ds_str text, ds_err *e)
{
	return compile_split(out, text, PCRE2_LITERAL, e);
}

/* --- the replacement --- */

static void add_text(ds_regex *r, char c)
{
	/* texts never moves: room for the whole replacement was made. */
	piece *last = r->n_pieces ? &r->pieces[r->n_pieces - 1] : NULL;
	if (!last || last->group >= 0) {
		last = &r->pieces[r->n_pieces++];
		*last = (piece){ { r->texts.at + r->texts.n, 0 }, -1 };
	}
	ds_buf_add_byte(&r->texts, c);
	last->text.n++;
}

static ds_rc add_group(ds_regex *r, ds_str name, ds_err *e)
{
	uint32_t n_groups = 0;
	int64_t number = -1;
	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
	if (!ds_str_i64(name, &number)) {
		ds_buf text = { 0 };
		ds_buf_add_str(&text, name);
		number = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)ds_buf_text(&text));
		ds_buf_free(&text);
	}
	if (number < 0 || number > n_groups || number > GROUPS_MAX)
		return ds_fail(e, DS_USAGE,
			"the replacement names group '%.*s', the pattern has %u", DS_FMT(name),
			n_groups);
	r->pieces[r->n_pieces++] = (piece){ .group = (int)number };
	return DS_OK;
}

/* s is after a '$'; *used: the bytes that belong to it, 0: a plain dollar sign. */
static ds_rc dollar(ds_regex *r, ds_str s, size_t *used, ds_err *e)
{
	size_t n = 0;
	*used = 0;
	if (s.n && s.at[0] == '&') {
		*used = 1;
		return add_group(r, DS_S("0"), e);
	}
	if (s.n && s.at[0] == '$') {
		*used = 1;
		add_text(r, '$');
		return DS_OK;
	}
	if (s.n && s.at[0] == '{') {
		while (n < s.n && s.at[n] != '}')
			n++;
		if (n == s.n)
			return ds_fail(e, DS_USAGE, "the replacement has '${' without '}'");
		*used = n + 1;
		return add_group(r, (ds_str){ s.at + 1, n - 1 }, e);
	}
	while (n < s.n && s.at[n] >= '0' && s.at[n] <= '9')
		n++;
	*used = n;
	if (n)
		return add_group(r, (ds_str){ s.at, n }, e);
	add_text(r, '$');
	return DS_OK;
}

static ds_rc backslash(ds_regex *r, char c, ds_err *e)
{
	if (c >= '0' && c <= '9')
		return add_group(r, (ds_str){ &c, 1 }, e);
	if (c == 'n' || c == 't' || c == 'r')
		add_text(r, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
	else if (is_word(c) && c != '_')
		return ds_fail(e, DS_USAGE, "the replacement has '\\%c', which means nothing", c);
	else
		add_text(r, c);
	return DS_OK;
}

static ds_rc replacement(ds_regex *r, ds_str s, ds_err *e)
{
	ds_buf_reserve(&r->texts, s.n + 1);
	r->pieces = DS_NEW(piece, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		if (s.at[i] == '$') {
			size_t used;
			DS_TRY(dollar(r, (ds_str){ s.at + i + 1, s.n - i - 1 }, &used, e));
			i += used;
		} else if (s.at[i] == '\\' && i + 1 < s.n) {
			DS_TRY(backslash(r, s.at[++i], e));
		} else {
			add_text(r, s.at[i]);
		}
	}
	return DS_OK;
}

ds_rc ds_regex_parse_subst(ds_regex **out, ds_str expression, ds_err *e)
{
	DS_AUTO(ds_regex) r = DS_NEW(ds_regex, 1);
	ds_str rest = { expression.at + 2, expression.n - 2 }, pattern, repl;
	char d = expression.n > 2 ? expression.at[1] : 'a';
	if (expression.n < 2 || expression.at[0] != 's' || is_word(d) || d == '\\' || d == ' ' ||
		d == '\n' || (d & 0x80))
		return ds_fail(e, DS_USAGE, "'%.*s': it is s/PATTERN/REPLACEMENT/flags",
			DS_FMT(expression));
	if (!part(&rest, d, &pattern) || !part(&rest, d, &repl))
		return ds_fail(e, DS_USAGE, "'%.*s': a '%c' is missing", DS_FMT(expression), d);
	if (pattern.n == 0)
		return ds_fail(e, DS_USAGE, "'%.*s': the pattern is empty", DS_FMT(expression));
	DS_TRY(compile(r, pattern, rest, true, e));
	DS_TRY(replacement(r, repl, e));
	*out = r;
	r = NULL;
	return DS_OK;
}

/* --- matching --- */

ds_regex_run *ds_regex_run_new(const ds_regex *r)
{
	ds_regex_run *run = DS_NEW(ds_regex_run, 1);
	run->r = r;
	run->match = pcre2_match_data_create_from_pattern(r->code, NULL);
	run->context = pcre2_match_context_create(NULL);
	if (!run->match || !run->context)
		ds_mem_out(0);
	pcre2_set_match_limit(run->context, MATCH_LIMIT);
	pcre2_set_heap_limit(run->context, HEAP_KIB);
	if (r->jit) {
		run->stack = pcre2_jit_stack_create(32 << 10, STACK_BYTES, NULL);
		if (!run->stack)
			ds_mem_out(0);
		pcre2_jit_stack_assign(run->context, NULL, run->stack);
	}
	return run;
}

void ds_regex_run_free(ds_regex_run *run)
{
	if (!run)
		return;
	pcre2_match_data_free(run->match);
	pcre2_match_context_free(run->context);
	pcre2_jit_stack_free(run->stack);
	ds_mem_free(run);
}

/* One match from `from` on; not_empty: not an empty one right there. */
static ds_rc match(
	ds_regex_run *run, ds_str text, size_t from, bool not_empty, bool *found, ds_err *e)
{
	uint32_t options = not_empty ? PCRE2_NOTEMPTY_ATSTART : 0;
	PCRE2_SPTR s = (PCRE2_SPTR)text.at;
	/* The compiled code itself keeps clear of bytes that are not UTF-8: no check of the whole text. */
	int n = run->r->jit ? pcre2_jit_match(run->r->code, s, text.n, from, options, run->match,
				      run->context)
			    : pcre2_match(run->r->code, s, text.n, from, options, run->match,
				      run->context);
	*found = n > 0;
	if (n == PCRE2_ERROR_NOMEMORY)
		ds_mem_out(0);
	if (n > 0 || n == PCRE2_ERROR_NOMATCH)
		return DS_OK;
	if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT ||
		n == PCRE2_ERROR_HEAPLIMIT)
		return ds_fail(e, DS_BAD, "over the match limit of %d steps", MATCH_LIMIT);
	if (n == PCRE2_ERROR_JIT_STACKLIMIT)
		return ds_fail(e, DS_BAD, "over the match stack of %d bytes", STACK_BYTES);
	char why[200];
	pcre2_get_error_message(n, (PCRE2_UCHAR *)why, sizeof(why));
	return ds_fail(e, DS_BAD, "%s", why);
}

static bool cannot_match(const ds_regex *r, ds_str text)
{
	if (r->n_needles == 0 || r->n_needles > NEEDLES_MAX)
		return false;
	for (unsigned i = 0; i < r->n_needles; i++)
		if (ds_needle_in(&r->needles[i], text))
			return false;
	return true;
}

ds_rc ds_regex_find(ds_regex_run *run, ds_str text, bool *found, ds_err *e)
{
	*found = false;
	if (cannot_match(run->r, text))
		return DS_OK;
	return match(run, text.at ? text : DS_S(""), 0, false, found, e);
}

ds_rc ds_regex_next(
	ds_regex_run *run, ds_str text, size_t from, bool empty, ds_match *out, ds_err *e)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(run->match);
	DS_TRY(match(run, text, from, !empty, &out->found, e));
	if (out->found) {
		out->begin = at[0] < from ? from : at[0];
		out->end = at[1] < out->begin ? out->begin : at[1];
	}
	return DS_OK;
}

static void add_replacement(const ds_regex *r, ds_grow *out, ds_str text, const PCRE2_SIZE *at)
{
	for (size_t i = 0; i < r->n_pieces; i++) {
		const piece *p = &r->pieces[i];
		if (p->group < 0)
			ds_grow_add(out, p->text.at, p->text.n);
		else if (at[2 * p->group] != PCRE2_UNSET &&
			 at[2 * p->group + 1] >= at[2 * p->group])
			ds_grow_add(out, text.at + at[2 * p->group],
				at[2 * p->group + 1] - at[2 * p->group]);
	}
}

ds_rc ds_regex_subst(
	ds_regex_run *run, ds_str text, ds_arena *mem, ds_str *out, size_t *n, ds_err *e)
{
	const ds_regex *r = run->r;
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(run->match);
	ds_grow grow = { .mem = mem };
	size_t done = 0, from = 0;
	bool found, not_empty = false;
	*n = 0;
	*out = text;
	if (cannot_match(r, text))
		return DS_OK;
	if (!text.at)
		text = DS_S("");
	do {
		DS_TRY(match(run, text, from, not_empty, &found, e));
		if (!found)
			break;
		if (!(*n)++)
			ds_grow_reserve(&grow, text.n + 64);
		/* \K and look-behind may set the start before where the last match ended. */
		size_t start = at[0] < done ? done : at[0], end = at[1] < start ? start : at[1];
		ds_grow_add(&grow, text.at + done, start - done);
		add_replacement(r, &grow, text, at);
		not_empty = end == start;
		done = from = end;
	} while (r->all && from <= text.n);
	if (*n) {
		ds_grow_add(&grow, text.at + done, text.n - done);
		*out = ds_grow_view(&grow);
	}
	return DS_OK;
}
