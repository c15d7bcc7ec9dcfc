/*
 * where_parse.c - the text of an expression, to its tree
 */
#include "where_impl.h"

#include "base/mem.h"

#include <ctype.h>

typedef enum { END, OPEN, CLOSE, AND, OR, NOT, OP, STRING, NUMBER, WORD, NAME, WRONG } token;

typedef struct {
	where *w;
	ds_str text;
	size_t at;    /* behind the token */
	size_t begin; /* of the token */
	token kind;
	where_op op;
	ds_str s; /* STRING: between the quotes; NAME: between the backquotes; WORD, NUMBER: all of it */
	unsigned depth;
} parser;

static ds_rc wrong(const parser *p, const char *what, ds_err *e)
{
	ds_str rest = { p->text.at + p->begin, p->text.n - p->begin };
	if (rest.n > 24)
		rest.n = 24;
	if (!rest.n)
		return ds_fail(
			e, DS_USAGE, "the expression ends at byte %zu, wanted %s", p->text.n, what);
	return ds_fail(e, DS_USAGE, "the expression, byte %zu: '%.*s', wanted %s", p->begin + 1,
		DS_FMT(rest), what);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
	       (c && strchr("_.[]-*/:@$\\", c));
}

static char peek(const parser *p, size_t ahead)
{
	return p->at + ahead < p->text.n ? p->text.at[p->at + ahead] : '\0';
}

/* To the closing quote; backslashes stay. */
static token quoted(parser *p, char quote)
{
	size_t from = ++p->at;
	while (p->at < p->text.n && p->text.at[p->at] != quote)
		p->at += quote != '`' && p->text.at[p->at] == '\\' && p->at + 1 < p->text.n ? 2 : 1;
	if (p->at >= p->text.n)
		return WRONG;
	p->s = (ds_str){ p->text.at + from, p->at - from };
	p->at++;
	return quote == '`' ? NAME : STRING;
}

static token op(parser *p, where_op which, size_t n)
{
	p->op = which;
	p->at += n;
	return OP;
}

static token sign(parser *p, char c)
{
	char second = peek(p, 1);
	if (c == '=')
		return op(p, WHERE_EQ, second == '=' ? 2 : 1);
	if (c == '!' && second == '=')
		return op(p, WHERE_NE, 2);
	if (c == '!' && second == '~')
		return op(p, WHERE_UNLIKE, 2);
	if (c == '~')
		return op(p, WHERE_LIKE, 1);
	if (c == '<')
		return second == '=' ? op(p, WHERE_LE, 2) : op(p, WHERE_LT, 1);
	if (c == '>')
		return second == '=' ? op(p, WHERE_GE, 2) : op(p, WHERE_GT, 1);
	return WRONG;
}

static token word(parser *p)
{
	char c = peek(p, 0), second = peek(p, 1);
	bool number = isdigit((unsigned char)c) ||
		      (strchr("+-.", c) && (isdigit((unsigned char)second) || second == '.'));
	while (p->at < p->text.n &&
		(is_word(p->text.at[p->at]) || (number && p->text.at[p->at] == '+')))
		p->at += p->text.at[p->at] == '\\' && p->at + 1 < p->text.n ? 2 : 1;
	p->s = (ds_str){ p->text.at + p->begin, p->at - p->begin };
	if (number)
		return NUMBER;
	if (ds_str_is(p->s, "and"))
		return AND;
	if (ds_str_is(p->s, "or"))
		return OR;
	return ds_str_is(p->s, "not") ? NOT : WORD;
}

static void next(parser *p)
{
	while (p->at < p->text.n && isspace((unsigned char)p->text.at[p->at]))
		p->at++;
	p->begin = p->at;
	char c = peek(p, 0);
	if (p->at >= p->text.n) {
		p->kind = END;
	} else if (c == '(' || c == ')') {
		p->kind = c == '(' ? OPEN : CLOSE;
		p->at++;
	} else if (c == '\'' || c == '"' || c == '`') {
		p->kind = quoted(p, c);
	} else if (is_word(c) || (c == '+' && isdigit((unsigned char)peek(p, 1)))) {
		p->kind = word(p);
	} else {
		p->kind = sign(p, c);
	}
}

static ds_rc read_field(parser *p, const ds_field **out, ds_err *e)
{
	where *w = p->w;
	if ((p->kind != WORD && p->kind != NAME) || memchr(p->s.at, '\0', p->s.n))
		return wrong(p, "a field", e);
	for (size_t i = 0; i < w->n_fields; i++)
		if (ds_str_is(p->s, w->paths[i])) {
			*out = w->fields[i];
			return DS_OK;
		}
	const char *path = ds_arena_str(w->mem, p->s).at;
	if (ds_field_new(&w->fields[w->n_fields], &path, 1, e) != DS_OK)
		return wrong(p, "a path to a field", e);
	*out = w->fields[w->n_fields];
	w->paths[w->n_fields++] = path;
	return DS_OK;
}

static bool unescape(parser *p, ds_str *out)
{
	static const char letters[] = "ntr\\'\"", means[] = "\n\t\r\\'\"";
	char *to = ds_arena_bytes(p->w->mem, p->s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < p->s.n; i++) {
		char c = p->s.at[i];
		if (c == '\\') {
			const char *l = memchr(letters, p->s.at[++i], sizeof(letters) - 1);
			if (!l)
				return false;
			c = means[l - letters];
		}
		to[n++] = c;
	}
	*out = (ds_str){ to, n };
	return true;
}

static bool read_number(const parser *p, ds_json *v)
{
	if (ds_str_i64(p->s, &v->i)) {
		v->kind = DS_J_I64;
		v->f = (double)v->i;
		return true;
	}
	v->kind = DS_J_F64;
	return ds_str_f64(p->s, &v->f);
}

static ds_rc read_value(parser *p, where_node *t, ds_err *e)
{
	ds_json *v = &t->value;
	bool ordered = t->op >= WHERE_LT && t->op <= WHERE_GE;
	if (p->kind == STRING) {
		v->kind = DS_J_STR;
		if (!unescape(p, &v->s))
			return wrong(p, "\\n, \\t, \\r, \\\\, \\' or \\\" where a backslash is", e);
	} else if (p->kind == NUMBER) {
		if (!read_number(p, v))
			return wrong(p, "a number", e);
	} else if (ordered) {
		return wrong(p, "a number or a quoted string", e);
	} else if (p->kind == WORD && ds_str_is(p->s, "null")) {
		v->kind = DS_J_NULL;
	} else if (p->kind == WORD && (ds_str_is(p->s, "true") || ds_str_is(p->s, "false"))) {
		v->kind = DS_J_BOOL;
		v->b = p->s.at[0] == 't';
	} else {
		return wrong(p, "a number, a quoted string, true, false or null", e);
	}
	return DS_OK;
}

/* What stands between the quotes is the pattern, with its backslashes. */
static ds_rc read_regex(parser *p, where_node *t, ds_err *e)
{
	where *w = p->w;
	if (p->kind != STRING)
		return wrong(p, "a pattern between quotes", e);
	DS_TRY_AT(ds_regex_parse(&w->regexes[w->n_regexes], p->s, e), e, "the expression, byte %zu",
		p->begin + 1);
	t->regex = w->n_regexes++;
	return DS_OK;
}

static ds_rc read_test(parser *p, const where_node **out, ds_err *e)
{
	where_node *t = ds_arena_zero(p->w->mem, sizeof(*t));
	if (p->w->n_tests++ == WHERE_TESTS)
		return ds_fail(
			e, DS_USAGE, "the expression has more than %d comparisons", WHERE_TESTS);
	t->kind = WHERE_TEST;
	DS_TRY(read_field(p, &t->field, e));
	next(p);
	if (p->kind != OP)
		return wrong(p, "one of = != < <= > >= ~ !~", e);
	t->op = p->op;
	next(p);
	if (t->op == WHERE_LIKE || t->op == WHERE_UNLIKE)
		DS_TRY(read_regex(p, t, e));
	else
		DS_TRY(read_value(p, t, e));
	next(p);
	*out = t;
	return DS_OK;
}

static where_node *join(parser *p, int kind, const where_node *left, const where_node *right)
{
	where_node *n = ds_arena_zero(p->w->mem, sizeof(*n));
	n->kind = kind;
	n->left = left;
	n->right = right;
	return n;
}

static ds_rc read_or(parser *p, const where_node **out, ds_err *e);

static ds_rc read_not(parser *p, const where_node **out, ds_err *e)
{
	const where_node *inner;
	token kind = p->kind;
	if (kind != NOT && kind != OPEN)
		return read_test(p, out, e);
	if (p->depth++ == WHERE_DEPTH)
		return ds_fail(e, DS_USAGE, "the expression, byte %zu: more than %d levels",
			p->begin + 1, WHERE_DEPTH);
	next(p);
	DS_TRY(kind == NOT ? read_not(p, &inner, e) : read_or(p, &inner, e));
	if (kind == OPEN) {
		if (p->kind != CLOSE)
			return wrong(p, "and, or, or )", e);
		next(p);
	}
	p->depth--;
	*out = kind == NOT ? join(p, WHERE_NOT, inner, NULL) : inner;
	return DS_OK;
}

static ds_rc read_and(parser *p, const where_node **out, ds_err *e)
{
	const where_node *right;
	DS_TRY(read_not(p, out, e));
	while (p->kind == AND) {
		next(p);
		DS_TRY(read_not(p, &right, e));
		*out = join(p, WHERE_AND, *out, right);
	}
	return DS_OK;
}

static ds_rc read_or(parser *p, const where_node **out, ds_err *e)
{
	const where_node *right;
	DS_TRY(read_and(p, out, e));
	while (p->kind == OR) {
		next(p);
		DS_TRY(read_and(p, &right, e));
		*out = join(p, WHERE_OR, *out, right);
	}
	return DS_OK;
}

ds_rc where_parse(where **out, ds_str text, ds_err *e)
{
	DS_AUTO(where) w = DS_NEW(where, 1);
	w->mem = ds_arena_new(4096);
	parser p = { .w = w, .text = text };
	next(&p);
	DS_TRY(read_or(&p, &w->root, e));
	if (p.kind != END)
		return wrong(&p, "and, or, or the end", e);
	*out = w;
	w = NULL;
	return DS_OK;
}

void where_free(where *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_fields; i++)
		ds_field_free(w->fields[i]);
	for (size_t i = 0; i < w->n_regexes; i++)
		ds_regex_free(w->regexes[i]);
	ds_arena_free(w->mem);
	ds_mem_free(w);
}

const char *const *where_fields(const where *w)
{
	return w->paths;
}
