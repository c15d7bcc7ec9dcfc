/*
 * lines.c - fences, indents, tables, prompts, quotes and hunks (lines.h)
 */
#include "lines.h"

#include "blank.h"

enum { TAB_COLUMNS = 4, FENCE = 3 };

unsigned lines_columns(const uint8_t *p, const uint8_t *end)
{
	unsigned columns = 0, n;
	for (; p < end && (n = blank(p, end)); p += n)
		columns += *p == '\t' ? TAB_COLUMNS : n < 3;
	return columns;
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *stop)
{
	for (unsigned n; p < stop && (n = blank(p, stop));)
		p += n;
	return p;
}

/* Behind "- ", "* ", "+ ", "1. " or "1) ", where a fence may begin in a list. */
static const uint8_t *skip_item(const uint8_t *p, const uint8_t *stop)
{
	const uint8_t *q = p;
	if (q < stop && (*q == '-' || *q == '*' || *q == '+')) {
		q++;
	} else {
		while (q < stop && q - p < 9 && *q >= '0' && *q <= '9')
			q++;
		if (q == p || q == stop || (*q != '.' && *q != ')'))
			return p;
		q++;
	}
	const uint8_t *text = skip_blanks(q, stop);
	return text > q ? text : p;
}

/* Follows a fence that begins or ends here; true where the line is one or is inside. */
static bool follow_fence(lines_state *s, const uint8_t *p, const uint8_t *stop)
{
	const uint8_t *q = s->fence ? p : skip_item(p, stop), *from = q;
	uint8_t c = q < stop ? *q : 0;
	while (q < stop && *q == c && (c == '`' || c == '~'))
		q++;
	size_t n = (size_t)(q - from);
	if (s->fence) {
		if (c == s->fence && n >= s->length && skip_blanks(q, stop) == stop)
			s->fence = 0;
		return true;
	}
	/* `code` in a line that begins with it is no fence. */
	if (n < FENCE || (c == '`' && memchr(q, '`', (size_t)(stop - q))))
		return false;
	s->fence = c;
	s->length = n;
	return true;
}

static bool starts(const uint8_t *p, const uint8_t *stop, const char *word)
{
	size_t n = strlen(word);
	return (size_t)(stop - p) >= n && memcmp(p, word, n) == 0;
}

/* Behind ">>> ", "... " and quotes' marks; the blanks after them are the line's beginning. */
static const uint8_t *skip_marks(const uint8_t *p, const uint8_t *stop, bool *code)
{
	const uint8_t *q = p;
	if (starts(q, stop, ">>>") || starts(q, stop, "..."))
		q += 3;
	else
		while (q < stop && *q == '>') {
			q++;
			if (q < stop && *q == ' ' && q + 1 < stop && q[1] == '>')
				q++;
		}
	if (q == p)
		return p;
	const uint8_t *text = skip_blanks(q, stop);
	*code = text < stop && lines_columns(q, stop) > LINES_CODE;
	return text < stop ? text : q; /* blanks that end a line lead nothing */
}

lines_kind lines_next(lines_state *s, const uint8_t *p, const uint8_t *stop, unsigned columns)
{
	bool code = false;
	lines_kind k = { .at = skip_marks(p, stop, &code) };
	if (follow_fence(s, *p == '>' ? k.at : p, stop)) {
		k.whole = k.fenced = true;
		return k;
	}
	if (columns == 0 && starts(p, stop, "@@ -"))
		s->hunk = true;
	else if (s->hunk && columns == 0 && *p != '+' && *p != '-' && *p != '\\')
		s->hunk = false;
	k.whole = code || s->hunk || columns >= LINES_CODE || *p == '|';
	return k;
}
