/*
 * rule_punct.c - punctuation in one spelling
 *
 * ascii: quotes, dashes, ellipses, and the marks of Chinese. zh: ASCII marks that follow a Chinese
 * character, or stand around one in parentheses, become those of Chinese.
 */
#include "rewrite.h"
#include "rule.h"

#include "base/args.h"
#include "base/mem.h"
#include "text/byteset.h"
#include "text/utf8.h"

typedef struct {
	ds_byteset set;
	bool to_ascii;
} state;

static ds_rc open_kind(void **out, const char *value, const rule_env *env, ds_err *e)
{
	bool to_ascii = strcmp(value, "ascii") == 0;
	if (!to_ascii && strcmp(value, "zh") != 0)
		return ds_fail(e, DS_USAGE, "'%s' is neither ascii nor zh", value);
	state *s = DS_NEW(state, 1);
	s->to_ascii = to_ascii;
	ds_byteset_init(&s->set);
	ds_byteset_add_all(&s->set, to_ascii ? "\xc2\xe2\xe3\xef" : ",;:?!.()");
	*out = s;
	return DS_OK;
}

/* Pairs: characters, and what stands for each of them. */
static const struct {
	uint32_t first, last;
	const char *by;
} to_ascii[] = { { 0xab, 0xab, "\"" }, { 0xb4, 0xb4, "'" }, { 0xbb, 0xbb, "\"" },
	{ 0x2010, 0x2013, "-" }, { 0x2014, 0x2015, "-" }, { 0x2018, 0x201b, "'" },
	{ 0x201c, 0x201f, "\"" }, { 0x2026, 0x2026, "..." }, { 0x2032, 0x2032, "'" },
	{ 0x2033, 0x2033, "\"" }, { 0x2039, 0x203a, "'" }, { 0x2212, 0x2212, "-" },
	{ 0x3001, 0x3001, "," }, { 0x3002, 0x3002, "." }, { 0x3008, 0x3008, "<" },
	{ 0x3009, 0x3009, ">" }, { 0x300a, 0x300a, "<" }, { 0x300b, 0x300b, ">" },
	{ 0x300c, 0x300f, "\"" }, { 0x3010, 0x3010, "[" }, { 0x3011, 0x3011, "]" },
	{ 0x3014, 0x3014, "[" }, { 0x3015, 0x3015, "]" }, { 0xff01, 0xff01, "!" },
	{ 0xff08, 0xff08, "(" }, { 0xff09, 0xff09, ")" }, { 0xff0c, 0xff0c, "," },
	{ 0xff0e, 0xff0e, "." }, { 0xff1a, 0xff1a, ":" }, { 0xff1b, 0xff1b, ";" },
	{ 0xff1f, 0xff1f, "?" }, { 0xff5e, 0xff5e, "~" }, { 0xff61, 0xff61, "." } };

static const char *ascii_of(uint32_t c)
{
	for (size_t i = 0; i < sizeof(to_ascii) / sizeof(*to_ascii); i++)
		if (c >= to_ascii[i].first && c <= to_ascii[i].last)
			return to_ascii[i].by;
	return NULL;
}

static bool is_chinese(uint32_t c) /* ideographs, and the marks that go with them */
{
	return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
	       (c >= 0x3001 && c <= 0x3011) || c == 0xff08 || c == 0xff09 || c == 0xff0c ||
	       c == 0x201d;
}

static uint32_t before(const uint8_t *start, const uint8_t *p)
{
	uint32_t c;
	for (unsigned n = 1; n <= 4 && p - start >= n; n++)
		if (ds_utf8_get(p - n, p, &c) == n)
			return c;
	return 0;
}

/* What an ASCII mark at p is in Chinese; NULL: it stays. */
static const char *chinese_of(const uint8_t *start, const uint8_t *p, const uint8_t *end)
{
	uint32_t next = 0;
	if (p + 1 < end)
		(void)!ds_utf8_get(p + 1, end, &next);
	bool after = is_chinese(before(start, p)), follows = is_chinese(next);
	switch (after || *p == '(' ? *p : 0) {
	case ',':
		return "\xef\xbc\x8c";
	case ';':
		return "\xef\xbc\x9b";
	case ':':
		return next == '/' ? NULL : "\xef\xbc\x9a";
	case '?':
		return "\xef\xbc\x9f";
	case '!':
		return "\xef\xbc\x81";
	case '.':
		return follows || next == 0 || next == '\n' || next == ' ' ? "\xe3\x80\x82" : NULL;
	case '(':
		return after || follows ? "\xef\xbc\x88" : NULL;
	case ')':
		return "\xef\xbc\x89";
	default:
		return NULL;
	}
}

static ds_rc apply(void *p, ds_str *text, ds_arena *mem, ds_err *e)
{
	const state *s = p;
	rewrite w = { .text = *text, .out.mem = mem };
	const uint8_t *start = (const uint8_t *)text->at, *end = start + text->n;
	for (size_t i = 0; (i = ds_byteset_find(&s->set, *text, i)) < text->n;) {
		uint32_t c = 0;
		unsigned n = ds_utf8_get(start + i, end, &c);
		const char *by = NULL;
		if (n)
			by = s->to_ascii ? ascii_of(c) : chinese_of(start, start + i, end);
		if (by)
			rewrite_put(&w, i, n, ds_str_of(by));
		i += n ? n : 1;
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

const ds_rule ds_rule_punct = {
	.name = "punct",
	.value = "ascii|zh",
	.help = "punctuation in one spelling",
	.keeps_lines = true,
	.flags = DS_ARG_HIDDEN,
	.open = open_kind,
	.close = ds_mem_free,
	.apply = apply,
};
