/*
 * rule_control.c - characters that are not seen and mean nothing to a reader go
 *
 * What ends a line or page becomes a line feed: VT, FF, NEL, and the separators of lines and paragraphs (in program
 * text they stay: there they are white space, or part of a string). The other C0 and C1 controls but tab, line
 * feed and carriage return go; soft hyphen, zero width space, word
 * joiner and invisible operators, byte order mark, marks and overrides of direction, deprecated format
 * characters, interlinear annotation, tags and noncharacters. The joiners U+200C and U+200D stay:
 * Persian, Indic scripts and emoji need them; so do tags after U+1F3F4, which are flags.
 */
#include "rule.h"

#include "base/mem.h"
#include "text/byteset.h"
#include "text/grow.h"
#include "text/unicode.h"
#include "text/utf8.h"

static ds_rc open_set(void **state, const char *value, const rule_env *env, ds_err *e)
{
	ds_byteset *set = DS_NEW(ds_byteset, 1);
	ds_byteset_init(set);
	ds_byteset_add(set, 0x00, 0x08);
	ds_byteset_add(set, 0x0b, 0x0c);
	ds_byteset_add(set, 0x0e, 0x1f);
	ds_byteset_add(set, 0x7f, 0x7f);
	ds_byteset_add_all(
		set, "\xc2\xe2\xef\xf0\xf1\xf2\xf3\xf4"); /* leads of what may have to go */
	*state = set;
	return DS_OK;
}

static bool ends_line(uint32_t c)
{
	return c == 0x0b || c == 0x0c || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool goes(uint32_t c)
{
	if (c < 0xa0)
		return c != '\t' && c != '\n' && c != '\r' && (c < 0x20 || c >= 0x7f);
	if (c < 0x2000)
		return c == 0xad;
	if (c < 0x2070)
		return c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		       c >= 0x2060;
	return c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xe0000 && c <= 0xe007f);
}

typedef struct {
	const ds_byteset *set;
	ds_str s;
	bool code;
	uint32_t c; /* what was found, and its bytes */
	unsigned n;
	size_t flag; /* where a flag ends so far; a tag there is part of it */
} finder;

/* The next character from i on that goes or becomes a line end; s.n where there is none. */
static size_t next(finder *f, size_t i)
{
	const uint8_t *p = (const uint8_t *)f->s.at, *end = p + f->s.n;
	while ((i = ds_byteset_find(f->set, f->s, i)) < f->s.n) {
		f->n = ds_utf8_get(p + i, end, &f->c);
		if (f->c == 0x1f3f4 || (f->c >= 0xe0020 && f->c <= 0xe007f && i == f->flag))
			f->flag = i + 4;
		else if (f->n && goes(f->c) && !(f->code && ends_line(f->c)))
			return i;
		i += f->n ? f->n : 1;
	}
	return f->s.n;
}

static uint32_t count_lines(ds_str s)
{
	uint32_t n = 0;
	for (const char *p = s.at, *end = p + s.n; p < end; p++, n++)
		if (!(p = memchr(p, '\n', (size_t)(end - p))))
			break;
	return n;
}

typedef struct { /* lines of the text, which move as line ends come in: in order */
	ds_html_lines *lines;
	size_t from, to; /* ranges of which that end is where it will be */
	uint32_t more;
} mover;

/* All ends up to that line, in the old numbers, are known. */
static void settle(mover *m, uint32_t line)
{
	for (; m->from < m->lines->n && m->lines->at[m->from].from <= line; m->from++)
		m->lines->at[m->from].from += m->more;
	for (; m->to < m->lines->n && m->lines->at[m->to].to <= line; m->to++)
		m->lines->at[m->to].to += m->more;
}

/* What stood apart by a character that is gone may be one now; how many bytes of rest went into it. */
static size_t compose(ds_grow *out, ds_str rest)
{
	size_t n = ds_nfc_joins(rest), tail;
	if (!n || !(tail = ds_nfc_joined(ds_grow_view(out))))
		return 0;
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	ds_grow both = { .mem = mem };
	ds_grow_add(&both, out->at + out->n - tail, tail);
	ds_grow_add(&both, rest.at, n);
	ds_str one = ds_nfc(ds_grow_view(&both), mem);
	out->n -= tail;
	ds_grow_add(out, one.at, one.n);
	return n;
}

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	ds_str s = r->text;
	finder f = { thread, s, r->source == RULE_SOURCE_CODE, 0, 0, SIZE_MAX };
	size_t done = 0, i = next(&f, 0);
	if (i == s.n)
		return DS_OK;
	ds_grow out = { .mem = r->mem };
	mover moved = { .lines = &r->shaped };
	uint32_t line = 0;
	ds_grow_reserve(&out, s.n);
	for (; i < s.n; i = next(&f, done)) {
		ds_grow_add(&out, s.at + done, i - done);
		if (r->shaped.n)
			line += count_lines((ds_str){ s.at + done, i - done });
		done = i + f.n;
		if (!ends_line(f.c)) {
			if (r->composed)
				done += compose(&out, (ds_str){ s.at + done, s.n - done });
			continue;
		}
		ds_grow_byte(&out, '\n');
		settle(&moved, line);
		moved.more++;
	}
	settle(&moved, UINT32_MAX);
	ds_grow_add(&out, s.at + done, s.n - done);
	r->text = ds_grow_view(&out);
	return DS_OK;
}

const ds_rule ds_rule_control = {
	.name = "control",
	.help = "drop control, zero-width and direction characters; page and line ends to LF",
	.default_value = "",
	.keeps_lines = true,
	.open = open_set,
	.close = ds_mem_free,
	.record = record,
};
