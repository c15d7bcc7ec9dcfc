/*
 * jinja_parse.c - a template as a tree
 *
 * White space round tags is settled while text is cut off: `-` takes all of it, a block's own line end goes
 * (trim_blocks) and so do blanks before a block at the beginning of a line (lstrip_blocks).
 */
#include "text/chat/jinja_impl.h"

#include <string.h>

typedef enum { T_END, T_NAME, T_STR, T_INT, T_FLOAT, T_OP } token_kind;

typedef struct {
	ds_arena *mem;
	ds_str text; /* the template */
	size_t at;
	bool strip; /* the tag before ended with - */
	/* the tag at hand */
	const char *close; /* "%}" or "}}" */
	token_kind kind;
	ds_str token; /* as written; of a string its value */
	int64_t number;
	double real;
	unsigned depth;
} parser;

static jinja_node *node(parser *p, jinja_node_kind kind)
{
	jinja_node *n = ds_arena_zero(p->mem, sizeof(*n));
	n->kind = kind;
	return n;
}

static ds_rc wrong(parser *p, const char *what, ds_err *e)
{
	return ds_fail(e, DS_BAD, "offset %zu: %s", p->at, what);
}

/* ---- tokens inside a tag ---- */

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool here(const parser *p, const char *s)
{
	size_t n = strlen(s);
	return p->text.n - p->at >= n && memcmp(p->text.at + p->at, s, n) == 0;
}

static ds_rc string(parser *p, ds_err *e)
{
	static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
	char quote = p->text.at[p->at++];
	ds_buf b = { 0 };
	while (p->at < p->text.n && p->text.at[p->at] != quote) {
		char c = p->text.at[p->at++];
		const char *escape = NULL;
		if (c == '\\' && p->at < p->text.n) {
			escape = memchr(from, p->text.at[p->at], sizeof(from) - 1);
			if (escape) {
				c = to[escape - from];
				p->at++;
			}
		}
		ds_buf_add_byte(&b, c);
	}
	p->token = ds_arena_str(p->mem, ds_buf_view(&b));
	ds_buf_free(&b);
	if (p->at == p->text.n)
		return wrong(p, "a string that does not end", e);
	p->at++;
	p->kind = T_STR;
	return DS_OK;
}

static ds_rc number(parser *p, ds_err *e)
{
	size_t from = p->at;
	p->kind = T_INT;
	while (p->at < p->text.n && is_digit(p->text.at[p->at]))
		p->at++;
	if (p->at + 1 < p->text.n && p->text.at[p->at] == '.' && is_digit(p->text.at[p->at + 1])) {
		p->kind = T_FLOAT;
		for (p->at++; p->at < p->text.n && is_digit(p->text.at[p->at]);)
			p->at++;
	}
	p->token = (ds_str){ p->text.at + from, p->at - from };
	bool ok = p->kind == T_INT ? ds_str_i64(p->token, &p->number)
				   : ds_str_f64(p->token, &p->real);
	return ok ? DS_OK : wrong(p, "a number out of range", e);
}

static ds_rc next(parser *p, ds_err *e)
{
	static const char *const two[] = { "==", "!=", "<=", ">=", "//", "**" };
	while (p->at < p->text.n && strchr(" \t\r\n", p->text.at[p->at]))
		p->at++;
	if (p->at == p->text.n)
		return wrong(p, "a tag that does not end", e);
	char c = p->text.at[p->at];
	bool minus = c == '-' || c == '+';
	if (here(p, p->close) || (minus && p->text.n - p->at > 2 &&
					 memcmp(p->text.at + p->at + 1, p->close, 2) == 0)) {
		p->kind = T_END;
		p->token = (ds_str){ p->text.at + p->at, 0 };
		return DS_OK;
	}
	if (c == '\'' || c == '"')
		return string(p, e);
	if (is_digit(c))
		return number(p, e);
	size_t from = p->at;
	p->kind = is_name(c) ? T_NAME : T_OP;
	while (p->kind == T_NAME && p->at < p->text.n && is_name(p->text.at[p->at]))
		p->at++;
	for (size_t i = 0; p->kind == T_OP && i < sizeof(two) / sizeof(*two) && p->at == from; i++)
		if (here(p, two[i]))
			p->at += 2;
	if (p->kind == T_OP && p->at == from)
		p->at++;
	p->token = (ds_str){ p->text.at + from, p->at - from };
	return DS_OK;
}

static bool is_op(const parser *p, const char *op)
{
	return p->kind == T_OP && ds_str_is(p->token, op);
}

static bool is_word(const parser *p, const char *word)
{
	return p->kind == T_NAME && ds_str_is(p->token, word);
}

static ds_rc want_op(parser *p, const char *op, ds_err *e)
{
	if (!is_op(p, op))
		return ds_fail(e, DS_BAD, "offset %zu: '%s' is missing", p->at, op);
	return next(p, e);
}

/* ---- expressions ---- */

static ds_rc expression(parser *p, jinja_node **out, ds_err *e);
static ds_rc unary(parser *p, jinja_node **out, ds_err *e);

static ds_rc binary(parser *p, jinja_node_kind kind, jinja_node **left,
	ds_rc (*operand)(parser *, jinja_node **, ds_err *), ds_err *e)
{
	jinja_node *n = node(p, kind);
	n->s = p->token;
	n->a = *left;
	DS_TRY(next(p, e));
	DS_TRY(operand(p, &n->b, e));
	*left = n;
	return DS_OK;
}

static ds_rc arguments(parser *p, const char *end, jinja_node **out, ds_err *e)
{
	while (!is_op(p, end)) {
		parser before = *p;
		ds_str name = p->token;
		bool named = p->kind == T_NAME;
		DS_TRY(next(p, e));
		named = named && is_op(p, "=");
		if (named)
			DS_TRY(next(p, e));
		else
			*p = before;
		DS_TRY(expression(p, out, e));
		if (named)
			(*out)->name = name;
		out = &(*out)->next;
		if (!is_op(p, end))
			DS_TRY(want_op(p, ",", e));
	}
	return next(p, e);
}

static ds_rc map(parser *p, jinja_node **out, ds_err *e)
{
	while (!is_op(p, "}")) {
		DS_TRY(expression(p, out, e));
		out = &(*out)->next;
		DS_TRY(want_op(p, ":", e));
		DS_TRY(expression(p, out, e));
		out = &(*out)->next;
		if (!is_op(p, "}"))
			DS_TRY(want_op(p, ",", e));
	}
	return next(p, e);
}

static bool word_value(const parser *p, jinja_value *v)
{
	static const struct {
		const char *name;
		jinja_value v;
	} words[] = { { "true", { .kind = J_BOOL, .i = 1 } },
		{ "True", { .kind = J_BOOL, .i = 1 } }, { "false", { .kind = J_BOOL } },
		{ "False", { .kind = J_BOOL } }, { "none", { .kind = J_NONE } },
		{ "None", { .kind = J_NONE } } };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (ds_str_is(p->token, words[i].name)) {
			*v = words[i].v;
			return true;
		}
	return false;
}

static ds_rc strings(parser *p, jinja_node *n, ds_err *e)
{
	ds_buf b = { 0 };
	ds_rc rc = DS_OK;
	for (; p->kind == T_STR && rc == DS_OK; rc = next(p, e))
		ds_buf_add_str(&b, p->token);
	n->v = (jinja_value){ .kind = J_STR, .s = ds_arena_str(p->mem, ds_buf_view(&b)) };
	ds_buf_free(&b);
	return rc;
}

static ds_rc primary(parser *p, jinja_node **out, ds_err *e)
{
	jinja_node *n = *out = node(p, N_VALUE);
	if (p->kind == T_STR)
		return strings(p, n, e);
	if (p->kind == T_INT || p->kind == T_FLOAT) {
		n->v = (jinja_value){
			.kind = p->kind == T_INT ? J_INT : J_FLOAT, .i = p->number, .f = p->real
		};
		return next(p, e);
	}
	if (p->kind == T_NAME) {
		if (!word_value(p, &n->v)) {
			n->kind = N_NAME;
			n->s = p->token;
		}
		return next(p, e);
	}
	if (is_op(p, "[")) {
		n->kind = N_LIST;
		DS_TRY(next(p, e));
		return arguments(p, "]", &n->args, e);
	}
	if (is_op(p, "{")) {
		n->kind = N_MAP;
		DS_TRY(next(p, e));
		return map(p, &n->args, e);
	}
	if (!is_op(p, "("))
		return wrong(p, "an expression is missing", e);
	DS_TRY(next(p, e));
	DS_TRY(expression(p, out, e));
	if (is_op(p, ")"))
		return next(p, e);
	n->kind = N_LIST; /* a tuple */
	n->args = *out;
	*out = n;
	DS_TRY(want_op(p, ",", e));
	return arguments(p, ")", &n->args->next, e);
}

static ds_rc subscript(parser *p, jinja_node **left, ds_err *e)
{
	jinja_node *n = node(p, N_INDEX), **part[] = { &n->b, &n->c, &n->d };
	n->a = *left;
	*left = n;
	for (int i = 0; i < 3 && !is_op(p, "]"); i++) {
		if (!is_op(p, ":"))
			DS_TRY(expression(p, part[i], e));
		if (!is_op(p, ":"))
			break;
		n->kind = N_SLICE;
		DS_TRY(next(p, e));
	}
	if (n->kind == N_INDEX && !n->b)
		return wrong(p, "an index is missing", e);
	return want_op(p, "]", e);
}

static ds_rc name_and_arguments(parser *p, jinja_node *n, ds_err *e)
{
	if (p->kind != T_NAME)
		return wrong(p, "a name is missing", e);
	n->s = p->token;
	DS_TRY(next(p, e));
	if (!is_op(p, "("))
		return DS_OK;
	DS_TRY(next(p, e));
	return arguments(p, ")", &n->args, e);
}

/* x is test, x is not test, x is test value */
static ds_rc test(parser *p, jinja_node **left, ds_err *e)
{
	jinja_node *n = node(p, N_TEST), *not = NULL;
	n->a = *left;
	DS_TRY(next(p, e));
	if (is_word(p, "not")) {
		not = node(p, N_NOT);
		not ->a = n;
		DS_TRY(next(p, e));
	}
	DS_TRY(name_and_arguments(p, n, e));
	bool value = p->kind == T_STR || p->kind == T_INT ||
		     (p->kind == T_NAME && !is_word(p, "and") && !is_word(p, "or") &&
			     !is_word(p, "if") && !is_word(p, "else") && !is_word(p, "is") &&
			     !is_word(p, "in") && !is_word(p, "not"));
	if (value && !n->args)
		DS_TRY(primary(p, &n->args, e));
	*left = not ? not : n;
	return DS_OK;
}

static ds_rc postfix(parser *p, jinja_node **out, ds_err *e)
{
	for (;;) {
		jinja_node *n;
		if (is_op(p, "[")) {
			DS_TRY(next(p, e));
			DS_TRY(subscript(p, out, e));
		} else if (is_op(p, ".") || is_op(p, "|")) {
			bool filter = is_op(p, "|");
			n = node(p, filter ? N_FILTER : N_ATTR);
			n->a = *out;
			*out = n;
			DS_TRY(next(p, e));
			if (filter) {
				DS_TRY(name_and_arguments(p, n, e));
				continue;
			}
			if (p->kind != T_NAME)
				return wrong(p, "a name is missing", e);
			n->s = p->token;
			DS_TRY(next(p, e));
		} else if (is_op(p, "(")) {
			n = node(p, N_CALL);
			n->a = *out;
			*out = n;
			DS_TRY(next(p, e));
			DS_TRY(arguments(p, ")", &n->args, e));
		} else if (is_word(p, "is")) {
			DS_TRY(test(p, out, e));
		} else {
			return DS_OK;
		}
	}
}

static ds_rc unary(parser *p, jinja_node **out, ds_err *e)
{
	if (++p->depth > JINJA_DEPTH)
		return wrong(p, "expressions nested too deeply", e);
	if (is_op(p, "-")) {
		jinja_node *n = *out = node(p, N_NEGATE);
		DS_TRY(next(p, e));
		DS_TRY(unary(p, &n->a, e));
	} else {
		DS_TRY(primary(p, out, e));
		DS_TRY(postfix(p, out, e));
	}
	p->depth--;
	return DS_OK;
}

static ds_rc product(parser *p, jinja_node **out, ds_err *e)
{
	DS_TRY(unary(p, out, e));
	while (is_op(p, "*") || is_op(p, "/") || is_op(p, "//") || is_op(p, "%"))
		DS_TRY(binary(p, N_OP, out, unary, e));
	return DS_OK;
}

static ds_rc concat(parser *p, jinja_node **out, ds_err *e)
{
	DS_TRY(product(p, out, e));
	while (is_op(p, "~"))
		DS_TRY(binary(p, N_OP, out, product, e));
	return DS_OK;
}

static ds_rc sum(parser *p, jinja_node **out, ds_err *e)
{
	DS_TRY(concat(p, out, e));
	while (is_op(p, "+") || is_op(p, "-"))
		DS_TRY(binary(p, N_OP, out, concat, e));
	return DS_OK;
}

static ds_rc compare(parser *p, jinja_node **out, ds_err *e)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };
	DS_TRY(sum(p, out, e));
	for (;;) {
		bool found = is_word(p, "in"), negated = false;
		for (size_t i = 0; i < 6; i++)
			found = found || is_op(p, ops[i]);
		if (is_word(p, "not")) {
			parser before = *p;
			DS_TRY(next(p, e));
			negated = found = is_word(p, "in");
			if (!found)
				*p = before;
		}
		if (!found)
			return DS_OK;
		DS_TRY(binary(p, N_OP, out, sum, e));
		if (negated) {
			jinja_node *n = node(p, N_NOT);
			n->a = *out;
			*out = n;
		}
	}
}

static ds_rc negation(parser *p, jinja_node **out, ds_err *e)
{
	if (!is_word(p, "not"))
		return compare(p, out, e);
	if (++p->depth > JINJA_DEPTH)
		return wrong(p, "expressions nested too deeply", e);
	jinja_node *n = *out = node(p, N_NOT);
	DS_TRY(next(p, e));
	DS_TRY(negation(p, &n->a, e));
	p->depth--;
	return DS_OK;
}

static ds_rc conjunction(parser *p, jinja_node **out, ds_err *e)
{
	DS_TRY(negation(p, out, e));
	while (is_word(p, "and"))
		DS_TRY(binary(p, N_AND, out, negation, e));
	return DS_OK;
}

static ds_rc disjunction(parser *p, jinja_node **out, ds_err *e)
{
	DS_TRY(conjunction(p, out, e));
	while (is_word(p, "or"))
		DS_TRY(binary(p, N_OR, out, conjunction, e));
	return DS_OK;
}

static ds_rc expression(parser *p, jinja_node **out, ds_err *e)
{
	if (++p->depth > JINJA_DEPTH)
		return wrong(p, "expressions nested too deeply", e);
	DS_TRY(disjunction(p, out, e));
	while (is_word(p, "if")) {
		jinja_node *n = node(p, N_COND);
		n->b = *out;
		*out = n;
		DS_TRY(next(p, e));
		DS_TRY(disjunction(p, &n->a, e));
		if (is_word(p, "else")) {
			DS_TRY(next(p, e));
			DS_TRY(expression(p, &n->c, e));
		}
	}
	p->depth--;
	return DS_OK;
}

/* ---- statements ---- */

/* Behind the tag's end; block: its own line end goes. */
static ds_rc close_tag(parser *p, ds_err *e)
{
	if (p->kind != T_END)
		return ds_fail(
			e, DS_BAD, "offset %zu: '%.*s' is not understood", p->at, DS_FMT(p->token));
	bool plus = p->text.at[p->at] == '+';
	p->strip = p->text.at[p->at] == '-';
	p->at += 2 + (plus || p->strip);
	if (!plus && !p->strip && p->close[0] == '%' && here(p, "\n"))
		p->at++;
	return DS_OK;
}

static ds_str without_blanks(ds_str s, bool line_only)
{
	size_t n = s.n;
	while (n && (s.at[n - 1] == ' ' || s.at[n - 1] == '\t' ||
			    (!line_only && (s.at[n - 1] == '\n' || s.at[n - 1] == '\r'))))
		n--;
	if (line_only && n && s.at[n - 1] != '\n')
		return s;
	s.n = n;
	return s;
}

/* Text up to the next tag, which is at p->at then; at its end text.n. */
static ds_str text_before(parser *p)
{
	while (p->strip && p->at < p->text.n && strchr(" \t\r\n", p->text.at[p->at]))
		p->at++;
	size_t from = p->at;
	bool at_line = from == 0 || p->text.at[from - 1] == '\n';
	p->strip = false;
	while (p->at < p->text.n && !here(p, "{{") && !here(p, "{%") && !here(p, "{#"))
		p->at++;
	ds_str s = { p->text.at + from, p->at - from };
	if (p->at == p->text.n)
		return s;
	char mark = p->at + 2 < p->text.n ? p->text.at[p->at + 2] : 0;
	if (mark == '-')
		return without_blanks(s, false);
	if (here(p, "{{") || mark == '+')
		return s;
	ds_str cut = without_blanks(s, true);
	return cut.n || at_line ? cut : s;
}

static ds_rc skip_comment(parser *p, ds_err *e)
{
	const char *end = memmem(p->text.at + p->at, p->text.n - p->at, "#}", 2);
	if (!end)
		return wrong(p, "a comment that does not end", e);
	p->at = (size_t)(end - p->text.at) + 2;
	p->strip = end[-1] == '-';
	if (!p->strip && here(p, "\n"))
		p->at++;
	return DS_OK;
}

static ds_rc open_tag(parser *p, const char *close, ds_err *e)
{
	p->close = close;
	p->at += 2;
	if (p->at < p->text.n && (p->text.at[p->at] == '-' || p->text.at[p->at] == '+'))
		p->at++;
	return next(p, e);
}

static ds_rc body(parser *p, jinja_node **out, const char *const *ends, ds_str *ended, ds_err *e);

static ds_rc if_statement(parser *p, jinja_node *n, ds_err *e)
{
	static const char *const ends[] = { "elif", "else", "endif", NULL };
	ds_str ended;
	n->kind = N_IF;
	DS_TRY(expression(p, &n->a, e));
	DS_TRY(close_tag(p, e));
	DS_TRY(body(p, &n->b, ends, &ended, e));
	if (ds_str_is(ended, "elif")) {
		if (++p->depth > JINJA_DEPTH)
			return wrong(p, "too many elif", e);
		n->c = node(p, N_IF);
		DS_TRY(if_statement(p, n->c, e));
		p->depth--;
		return DS_OK;
	}
	DS_TRY(close_tag(p, e));
	if (ds_str_is(ended, "else")) {
		DS_TRY(body(p, &n->c, ends + 2, &ended, e));
		return close_tag(p, e);
	}
	return DS_OK;
}

static ds_rc for_statement(parser *p, jinja_node *n, ds_err *e)
{
	static const char *const ends[] = { "else", "endfor", NULL };
	ds_str ended;
	n->kind = N_FOR;
	bool pair = false;
	do {
		if (pair)
			DS_TRY(next(p, e));
		if (p->kind != T_NAME || (pair && n->owner.at))
			return wrong(p, "a loop's names are not understood", e);
		*(pair ? &n->owner : &n->s) = p->token;
		pair = true;
		DS_TRY(next(p, e));
	} while (is_op(p, ","));
	if (!is_word(p, "in"))
		return wrong(p, "'in' is missing", e);
	DS_TRY(next(p, e));
	DS_TRY(disjunction(p, &n->a, e));
	if (is_word(p, "if")) {
		DS_TRY(next(p, e));
		DS_TRY(expression(p, &n->d, e));
	}
	DS_TRY(close_tag(p, e));
	DS_TRY(body(p, &n->b, ends, &ended, e));
	DS_TRY(close_tag(p, e));
	if (!ds_str_is(ended, "else"))
		return DS_OK;
	DS_TRY(body(p, &n->c, ends + 1, &ended, e));
	return close_tag(p, e);
}

static ds_rc set_statement(parser *p, jinja_node *n, ds_err *e)
{
	static const char *const ends[] = { "endset", NULL };
	ds_str ended;
	n->kind = N_SET;
	if (p->kind != T_NAME)
		return wrong(p, "a name is missing", e);
	n->s = p->token;
	DS_TRY(next(p, e));
	if (is_op(p, ".")) {
		n->owner = n->s;
		DS_TRY(next(p, e));
		n->s = p->token;
		DS_TRY(next(p, e));
	}
	if (is_op(p, "=")) {
		DS_TRY(next(p, e));
		DS_TRY(expression(p, &n->a, e));
		return close_tag(p, e);
	}
	n->kind = N_SET_BLOCK;
	DS_TRY(close_tag(p, e));
	DS_TRY(body(p, &n->b, ends, &ended, e));
	return close_tag(p, e);
}

static ds_rc statement(parser *p, jinja_node ***out, ds_str word, ds_err *e)
{
	static const char *const generation[] = { "endgeneration", NULL };
	jinja_node *n = **out = node(p, N_IF);
	ds_str ended;
	*out = &n->next;
	if (ds_str_is(word, "if"))
		return if_statement(p, n, e);
	if (ds_str_is(word, "for"))
		return for_statement(p, n, e);
	if (ds_str_is(word, "set"))
		return set_statement(p, n, e);
	if (!ds_str_is(word, "generation"))
		return ds_fail(e, DS_BAD, "offset %zu: the statement '%.*s' is not understood",
			p->at, DS_FMT(word));
	n->a = node(p, N_VALUE); /* its body, always */
	n->a->v = (jinja_value){ .kind = J_BOOL, .i = 1 };
	DS_TRY(close_tag(p, e));
	DS_TRY(body(p, &n->b, generation, &ended, e));
	return close_tag(p, e);
}

static bool among(ds_str word, const char *const *ends)
{
	for (; ends && *ends; ends++)
		if (ds_str_is(word, *ends))
			return true;
	return false;
}

/* Statements up to one of ends, whose word is read then; ends NULL: all. */
static ds_rc body(parser *p, jinja_node **out, const char *const *ends, ds_str *ended, ds_err *e)
{
	if (++p->depth > JINJA_DEPTH)
		return wrong(p, "statements nested too deeply", e);
	for (;;) {
		ds_str s = text_before(p);
		if (s.n) {
			*out = node(p, N_TEXT);
			(*out)->s = s;
			out = &(*out)->next;
		}
		if (p->at == p->text.n) {
			p->depth--;
			return ends ? ds_fail(e, DS_BAD, "'%s' is missing", ends[0]) : DS_OK;
		}
		if (here(p, "{#")) {
			DS_TRY(skip_comment(p, e));
			continue;
		}
		if (here(p, "{{")) {
			*out = node(p, N_PRINT);
			DS_TRY(open_tag(p, "}}", e));
			DS_TRY(expression(p, &(*out)->a, e));
			DS_TRY(close_tag(p, e));
			out = &(*out)->next;
			continue;
		}
		DS_TRY(open_tag(p, "%}", e));
		if (p->kind != T_NAME)
			return wrong(p, "a statement's name is missing", e);
		ds_str word = p->token;
		DS_TRY(next(p, e));
		if (among(word, ends)) {
			*ended = word;
			p->depth--;
			return DS_OK;
		}
		DS_TRY(statement(p, &out, word, e));
	}
}

ds_rc ds_jinja_parse(ds_jinja **j, ds_str template, ds_arena *mem, ds_err *e)
{
	parser p = { .mem = mem, .text = template };
	ds_str ended;
	if (template.n > JINJA_BYTES)
		return ds_fail(e, DS_BAD, "a template of %zu bytes, the limit is %d", template.n,
			JINJA_BYTES);
	if (p.text.n && p.text.at[p.text.n - 1] == '\n')
		p.text.n--; /* as Jinja does */
	*j = ds_arena_zero(mem, sizeof(**j));
	return body(&p, &(*j)->body, NULL, &ended, e);
}
