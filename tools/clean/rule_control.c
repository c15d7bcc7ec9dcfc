/*
 * rule_control.c - characters that are not seen and mean nothing to a reader go
 *
 * C0 and C1 controls but tab, line feed and carriage return; soft hyphen, zero width space, word
 * joiner and invisible operators, byte order mark, marks and overrides of direction, deprecated format
 * characters, interlinear annotation, tags and noncharacters. The joiners U+200C and U+200D stay:
 * Persian, Indic scripts and emoji need them; so do tags after U+1F3F4, which are flags.
 */
#include "rule.h"

#include "base/mem.h"
#include "text/byteset.h"
#include "text/grow.h"
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

static bool goes(uint32_t c)
{
	if (c < 0xa0)
		return c != '\t' && c != '\n' && c != '\r' && (c < 0x20 || c >= 0x7f);
	if (c < 0x2000)
		return c == 0xad;
	if (c < 0x2070)
		return c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
		       c >= 0x2060;
	return c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xe0000 && c <= 0xe007f);
}

/*
 * The next character from i on that goes, and its bytes; s.n where there is none. *flag: where a flag
 * ends so far; a tag there is part of it.
 */
static size_t next(const ds_byteset *set, ds_str s, size_t i, unsigned *n, size_t *flag)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	while ((i = ds_byteset_find(set, s, i)) < s.n) {
		uint32_t c = 0;
		*n = ds_utf8_get(p + i, end, &c);
		if (c == 0x1f3f4 || (c >= 0xe0020 && c <= 0xe007f && i == *flag))
			*flag = i + 4;
		else if (*n && goes(c))
			return i;
		i += *n ? *n : 1;
	}
	return s.n;
}

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	ds_str s = *text;
	unsigned n;
	size_t flag = SIZE_MAX, done = 0, i = next(thread, s, 0, &n, &flag);
	if (i == s.n)
		return DS_OK;
	ds_grow out = { .mem = mem };
	ds_grow_room(&out, s.n);
	for (; i < s.n; i = next(thread, s, done, &n, &flag)) {
		ds_grow_add(&out, s.at + done, i - done);
		done = i + n;
	}
	ds_grow_add(&out, s.at + done, s.n - done);
	*text = ds_grow_view(&out);
	return DS_OK;
}

const ds_rule ds_rule_control = {
	.name = "control",
	.help = "drop control, zero-width and direction characters",
	.open = open_set,
	.close = ds_mem_free,
	.apply = apply,
};
