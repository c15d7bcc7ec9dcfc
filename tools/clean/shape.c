/*
 * shape.c - lines of programs and lines of sentences are told apart and counted
 *
 * Comments, headings, keys with values and what is neither count for nothing. Prose is safe by the words that stand
 * beside one another: a line of five or more with nothing of a program's signs is a sentence. Measured on the shared
 * sets (docs/clean.md): of program files without their names most are found, of prose none.
 */
#include "shape.h"

#include "blank.h"
#include "lines.h"

enum {
	LINES = 256,
	LOOK = 512,
	WORDS = 5,
	PARAGRAPH = 16,
	SURE = 2,
	CODE = 3,
	TIMES = 2,
	SIGNS = 8192,
	PIECE = 512, /* of the text that has_signs looks at at once */
	SHARE = 50
};

typedef struct { /* a line between its blanks */
	const uint8_t *at, *end;
} line;

static bool is_letter(uint8_t c)
{
	return (uint8_t)((c | 32) - 'a') < 26 || c >= 0x80;
}

static bool is_name(uint8_t c)
{
	return (uint8_t)((c | 32) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '_' || c == '$';
}

static bool starts(line l, const char *word)
{
	size_t n = strlen(word);
	return (size_t)(l.end - l.at) >= n && memcmp(l.at, word, n) == 0;
}

/* word, and no name goes on behind it. */
static bool starts_word(line l, const char *word)
{
	size_t n = strlen(word);
	return starts(l, word) && (l.at + n == l.end || !is_name(l.at[n]));
}

static bool has(line l, const char *what)
{
	return memmem(l.at, (size_t)(l.end - l.at), what, strlen(what)) != NULL;
}

static bool any_word(line l, const char *const *words)
{
	for (; *words; words++)
		if (starts_word(l, *words))
			return true;
	return false;
}

static uint8_t last(line l)
{
	return l.end[-1];
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
	for (unsigned n; p < end && (n = blank(p, end));)
		p += n;
	return p;
}

/* a, a.b, a[0], a->b, @a: the end of what a statement may begin with; l.at where there is none. */
static const uint8_t *path_end(line l)
{
	const uint8_t *p = l.at + (l.at < l.end && (*l.at == '@' || *l.at == '*' || *l.at == '&'));
	if (p == l.end || !(is_name(*p) && !(uint8_t)(*p < 'A')) || *p >= 0x80)
		return p < l.end && (*p == '_' || *p == '$') ? p + 1 : l.at;
	while (p < l.end) {
		if (is_name(*p) || (*p == '.' && p + 1 < l.end && is_name(p[1])))
			p++;
		else if (l.end - p > 2 &&
			 ((p[0] == '-' && p[1] == '>') || (p[0] == ':' && p[1] == ':')))
			p += 2;
		else if (*p == '[' && memchr(p, ']', (size_t)(l.end - p)))
			p = (const uint8_t *)memchr(p, ']', (size_t)(l.end - p)) + 1;
		else
			break;
	}
	return p;
}

/* name = value, name += value, type name = value; */
static bool is_assignment(line l)
{
	const uint8_t *p = path_end(l);
	for (unsigned names = 0; p > l.at && names < 4; names++) {
		const uint8_t *q = skip_blanks(p, l.end);
		if (q < l.end && strchr("+-*/%|&^:?", *q) && l.end - q > 1 && q[1] == '=')
			q++;
		if (l.end - q > 1 && *q == '=' && q[1] != '=')
			return true;
		const uint8_t *next = path_end((line){ q, l.end });
		if (q == p || next == q)
			return false;
		p = next;
	}
	return false;
}

/* name(…), with what may follow a call. */
static bool is_call(line l)
{
	const uint8_t *p = path_end(l);
	return p > l.at && p < l.end && *p == '(' && strchr(");:{,(", last(l));
}

static bool is_brackets(line l)
{
	for (const uint8_t *p = l.at; p < l.end; p++)
		if (!strchr("{}[]();,", *p) && *p != ' ')
			return false;
	return true;
}

static const char *const openers[] = { "def", "class", "if", "elif", "else", "for", "while", "try",
	"except", "finally", "with", "match", "case", "switch", "default", "async", "lambda", "do",
	"catch", "} else", "} catch", "elsif", "unless", "function", "func", "fn", "struct", "enum",
	"interface", "impl", "trait", "module", "namespace", NULL };
static const char *const starters[] = { "#include", "#define", "#ifdef", "#ifndef", "#endif",
	"#pragma", "#!/", "<?php", "@Override", "public static", "private static", "public class",
	"public void", "using namespace", "export default", "export const", "export function",
	"module.exports", "std::", "println!", "echo $", NULL };

/* A block's head: its word, and at the end what opens the block. */
static bool is_head(line l)
{
	return any_word(l, openers) && strchr(":{(", last(l));
}

static bool is_import(line l)
{
	if (starts(l, "from "))
		return has(l, " import ");
	if (!starts(l, "import ") && !starts(l, "use ") && !starts(l, "package ") &&
		!starts(l, "require "))
		return false;
	unsigned names = 1; /* import a.b as c, import { a } from 'b'; */
	for (const uint8_t *p = l.at; p < l.end; p++)
		names += *p == ' ' && p[1] != ' ';
	return names == 2 || has(l, " as ") || has(l, " from ") || last(l) == ';';
}

static bool may_have_operator(line l)
{
	static const uint8_t parts[256] = { ['='] = 1,
		['&'] = 1,
		['|'] = 1,
		['>'] = 1,
		[':'] = 1,
		['+'] = 1,
		['<'] = 1,
		['('] = 1,
		['$'] = 1,
		['['] = 1,
		['\''] = 1,
		['"'] = 1 };
	for (const uint8_t *p = l.at; p < l.end; p++)
		if (parts[*p])
			return true;
	return false;
}

static bool has_operator(line l)
{
	if (!may_have_operator(l))
		return false;
	static const char *const signs[] = { "==", "!=", "&&", "||", "->", "=>", "::", "+=", "++",
		"<<", "();", "()", "${", "[i]", "', '", "\", \"", NULL };
	for (const char *const *s = signs; *s; s++)
		if (has(l, *s))
			return true;
	return false;
}

/* Words of letters alone, with the marks of a sentence behind them, and pieces in all. */
static unsigned count_words(line l, unsigned *pieces)
{
	unsigned words = 0;
	*pieces = 0;
	for (const uint8_t *p = l.at; (p = skip_blanks(p, l.end)) < l.end;) {
		const uint8_t *from = p;
		while (p < l.end && !blank(p, l.end))
			p++;
		const uint8_t *q = from, *to = p;
		while (q < to && strchr("\"'(", *q))
			q++;
		while (to > q && strchr(".,;:!?\"')", to[-1]))
			to--;
		bool word = q < to;
		for (; q < to && word; q++)
			word = is_letter(*q) || *q == '\'' || *q == '-';
		words += word;
		++*pieces;
	}
	return words;
}

static bool is_comment(line l)
{
	static const char *const marks[] = { "//", "/*", "*", "#", "--", ";", "%", "\"\"\"", "'''",
		"<!--", NULL };
	for (const char *const *m = marks; *m; m++)
		if (starts(l, *m))
			return true;
	return false;
}

typedef struct {
	unsigned code, sure, prose; /* sure: of code, what no formula is either */
} counts;

static void judge(line l, counts *c)
{
	unsigned pieces, words = count_words(l, &pieces);
	for (const char *const *s = starters; strchr("#<@pumese", l.at[0]) && *s; s++)
		if (starts(l, *s)) {
			c->code++;
			c->sure++;
			return;
		}
	if (is_comment(l))
		return;
	if (words >= WORDS &&
		words * 4 >= pieces * 3) { /* a paragraph in one line is many sentences */
		c->prose += 1 + words / PARAGRAPH;
		return;
	}
	bool sure = is_import(l) || is_head(l) || is_call(l),
	     weak = is_brackets(l) || is_assignment(l);
	bool ends = strchr(";{}", last(l)) || (l.at[0] == '<' && last(l) == '>') ||
		    (l.at[0] == '"' && has(l, "\":")) || starts_word(l, "return") ||
		    starts_word(l, "end") || has_operator(l);
	sure |= ends && words < WORDS;
	c->code += sure || weak;
	c->sure += sure;
	if (sure || weak || ends)
		return;
	/* A line of Han, or one that ends as a sentence does. */
	c->prose += l.at[0] >= 0xe3 || (words > 1 && strchr(".!?", last(l)));
}

/* has_signs over PIECE bytes, 16 at a time: a byte each was a third of what a record of English costs. */
static void count_signs(const uint8_t *p, size_t *signs, size_t *seen)
{
	typedef uint8_t lanes __attribute__((vector_size(16)));
	typedef int8_t ascii __attribute__((vector_size(16)));
	lanes is = { 0 }, shown = { 0 }, v;
	for (unsigned i = 0; i < PIECE; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
#define IS(c) (lanes)(v == (lanes){ 0 } + (uint8_t)(c))
		is -= IS('=') | IS('{') | IS('}') | IS(';') | IS('(') | IS(')') | IS('<') |
		      IS('>') | IS('#') | IS('_') | IS('[') | IS('"') | IS('/') | IS('*') | IS('$');
#undef IS
		shown -= (lanes)((ascii)v > (ascii){ 0 } + ' ');
	}
	for (unsigned i = 0; i < sizeof(v); i++) {
		*signs += is[i];
		*seen += shown[i];
	}
}

/* Of what programs are made of there is one in fifty characters at least: prose has fewer, and ends here. */
static bool has_signs(ds_str text)
{
	static const uint8_t parts[256] = { ['='] = 1,
		['{'] = 1,
		['}'] = 1,
		[';'] = 1,
		['('] = 1,
		[')'] = 1,
		['<'] = 1,
		['>'] = 1,
		['#'] = 1,
		['_'] = 1,
		['['] = 1,
		['"'] = 1,
		['/'] = 1,
		['*'] = 1,
		['$'] = 1 };
	size_t signs = 0, seen = 0, i = 0;
	while (text.n - i >= PIECE && seen < SIGNS) {
		i += PIECE;
		count_signs((const uint8_t *)text.at + i - PIECE, &signs, &seen);
	}
	for (; i < text.n && seen < SIGNS; i++) {
		seen += text.at[i] > ' '; /* of ASCII: blanks that are none do not count */
		signs += parts[(uint8_t)text.at[i]];
	}
	return signs * SHARE >= seen;
}

bool shape_is_code(ds_str text)
{
	if (!has_signs(text))
		return false;
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	counts c = { 0 };
	lines_state kinds = { 0 };
	for (unsigned lines = 0; p < end && lines < LINES;) {
		const uint8_t *stop = p;
		while (stop < end && !(blank_look[*stop] && line_end(stop, end)))
			stop++;
		const uint8_t *from = skip_blanks(p, stop), *to = stop;
		p = stop < end ? stop + line_end(stop, end) : end;
		if (from == to)
			continue;
		lines++;
		if (lines_next(&kinds, from, to, 0)
				.fenced) /* it is said to be code, in what may be none */
			continue;
		while (to[-1] == ' ' || to[-1] == '\t')
			to--;
		if (to - from >
			LOOK) /* of a line so long, its beginning: no program's, most often */
			to = from + LOOK;
		judge((line){ from, to }, &c);
	}
	return c.sure >= SURE && c.code >= CODE && c.code >= TIMES * c.prose;
}
