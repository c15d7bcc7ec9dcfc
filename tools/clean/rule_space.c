/*
 * rule_space.c - blanks and line ends
 *
 * A run of blanks becomes one: the same where all are alike, so that a tab between cells stays one, else
 * a space. Blanks are space, tab and Unicode's space separators. Line ends (CR LF, CR, the separators
 * U+2028 and U+2029) become LF, blanks before them go, more than one empty line becomes one, both ends
 * of the text are trimmed. Program text and Markdown lose only the blanks at the ends of lines.
 *
 * Most texts have nothing to change: a first look finds the first place that may.
 */
#include "rule.h"

#include "base/mem.h"
#include "text/byteset.h"
#include "text/grow.h"

/* The bytes of the blank at p, 0: none. */
static inline unsigned blank(const uint8_t *p, const uint8_t *end)
{
	if (*p == ' ' || *p == '\t')
		return 1;
	if (*p < 0xc2 || *p > 0xe3 || end - p < 2)
		return 0;
	if (*p == 0xc2)
		return p[1] == 0xa0 ? 2 : 0;
	if (end - p < 3)
		return 0;
	if (*p == 0xe2) /* U+2000 to U+200A, U+202F, U+205F */
		return (p[1] == 0x80 && ((p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xaf)) ||
				       (p[1] == 0x81 && p[2] == 0x9f)
			       ? 3
			       : 0;
	if (*p == 0xe3)
		return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
	return *p == 0xe1 && p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;
}

/* The bytes of the line end at p, 0: none. */
static inline unsigned line_end(const uint8_t *p, const uint8_t *end)
{
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return end - p > 1 && p[1] == '\n' ? 2 : 1;
	if (*p == 0xe2 && end - p > 2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

/* Bytes that no blank or line end begins with are copied without a look. */
static const uint8_t look[256] = { ['\t'] = 1,
	['\n'] = 1,
	['\r'] = 1,
	[' '] = 1,
	[0xc2] = 1,
	[0xe1] = 1,
	[0xe2] = 1,
	[0xe3] = 1 };

/* A byte of a text that is beside no blank and no line end, or is one of these alone, stays as it is. */
typedef struct {
	ds_byteset single; /* to be looked at wherever they are: leads of wide blanks, CR */
	ds_byteset pair;   /* only where two are in a row: all that look has */
} quick;

static ds_rc open_quick(void **state, const char *value, const rule_env *env, ds_err *e)
{
	quick *q = DS_NEW(quick, 1);
	ds_byteset_init(&q->single);
	ds_byteset_init(&q->pair);
	ds_byteset_add_all(&q->single, "\r\xc2\xe1\xe2\xe3");
	ds_byteset_add_all(&q->pair, "\t\n\r \xc2\xe1\xe2\xe3");
	*state = q;
	return DS_OK;
}

/* The next place from i on that is to be looked at, which begins a run if it is part of one; all before it stays. */
static inline size_t skip(const quick *q, ds_str s, size_t i)
{
	return ds_byteset_find_pair(&q->single, &q->pair, s, i);
}

/*
 * The offset of the first place that may have to change, s.n where there is none: a blank beside a blank
 * or a line end, a CR, a separator, a third line end in a row, any at the ends of the text.
 */
static size_t first_change(const quick *q, ds_str s)
{
	const uint8_t *start = (const uint8_t *)s.at, *end = start + s.n, *p = start;
	unsigned lines = 2; /* as many as may not come again: at the start none may */
	bool at_start = true;
	for (; p < end; at_start = false) {
		if (!look[*p]) {
			lines = 0;
			p = start + skip(q, s, (size_t)(p - start));
			continue;
		}
		unsigned n = blank(p, end), m = n ? 0 : line_end(p, end);
		if (n) {
			if (at_start || p + n == end || blank(p + n, end) || line_end(p + n, end))
				break;
			lines = 0;
			p += n;
		} else if (m) {
			if (*p != '\n' || lines == 2 || p + 1 == end)
				break;
			lines++;
			p++;
		} else {
			lines = 0;
			p++;
		}
	}
	return (size_t)(p - start);
}

typedef struct {
	const uint8_t *at; /* the run's first blank */
	unsigned n;        /* its bytes; 0: there is none */
	bool mixed;
} blanks;

static const uint8_t *take_blanks(const uint8_t *p, const uint8_t *end, blanks *b)
{
	*b = (blanks){ .at = p };
	for (unsigned n; p < end && look[*p] && (n = blank(p, end)); p += n) {
		if (!b->n)
			b->n = n;
		else if (n != b->n || memcmp(p, b->at, n) != 0)
			b->mixed = true;
	}
	return p;
}

/* Everything from p on, written to out, which begins after what stayed. */
static void squeeze(const quick *q, ds_grow *out, ds_str s, size_t first)
{
	const uint8_t *start = (const uint8_t *)s.at, *end = start + s.n, *p = start + first;
	unsigned lines = out->n ? 0 : 2;
	while (p < end) {
		blanks b;
		p = take_blanks(p, end, &b);
		unsigned m = p < end ? line_end(p, end) : 0;
		if (p == end)
			break;
		if (m) {
			p += m;
			if (lines < 2)
				ds_grow_byte(out, '\n');
			lines = lines < 2 ? lines + 1 : 2;
			continue;
		}
		if (b.n && out->n)
			ds_grow_add(out, b.mixed ? " " : (const char *)b.at, b.mixed ? 1 : b.n);
		const uint8_t *from = p++;
		while (p < end && (!look[*p] || !(blank(p, end) || line_end(p, end)))) {
			p = start + skip(q, s, (size_t)(p + 1 - start));
		}
		ds_grow_add(out, (const char *)from, (size_t)(p - from));
		lines = 0;
	}
	while (out->n && out->at[out->n - 1] == '\n')
		out->n--;
}

/* Only the ends of lines, which stay as they are. */
static ds_str trim_lines(ds_str s, ds_arena *mem)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	ds_grow out = { .mem = mem };
	ds_grow_room(&out, s.n);
	while (p < end) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(end - p)), *last;
		const uint8_t *next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		bool cr = stop > p && stop < end && stop[-1] == '\r';
		for (last = stop - cr; last > p && (last[-1] == ' ' || last[-1] == '\t');)
			last--;
		ds_grow_add(&out, (const char *)p, (size_t)(last - p));
		ds_grow_add(&out, (const char *)stop - cr, (size_t)(next - stop) + cr);
		p = next;
	}
	return out.n == s.n ? s : ds_grow_view(&out);
}

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	ds_str s = r->text;
	if (r->source == RULE_SOURCE_CODE) {
		r->text = trim_lines(s, r->mem);
		return DS_OK;
	}
	const quick *q = thread;
	size_t first = first_change(q, s);
	if (first == s.n)
		return DS_OK;
	/* Back to where a character stands that stays for sure. */
	while (first && look[(uint8_t)s.at[first - 1]])
		first--;
	while (first && ((uint8_t)s.at[first - 1] & 0x80))
		first--;
	ds_grow out = { .mem = r->mem };
	ds_grow_room(&out, s.n);
	ds_grow_add(&out, s.at, first);
	squeeze(q, &out, s, first);
	r->text = out.n == s.n && ds_str_eq(ds_grow_view(&out), s) ? s : ds_grow_view(&out);
	return DS_OK;
}

const ds_rule ds_rule_space = {
	.name = "space",
	.help = "runs of blanks to one, line ends and both ends trimmed",
	.open = open_quick,
	.close = ds_mem_free,
	.record = record,
};
