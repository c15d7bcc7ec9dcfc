/*
 * rule_drop_chars.c - classes of characters that are pictures go
 *
 * emoji: what is shown as a picture, and what belongs to it: U+FE0F, skin tones, joiners between two, flags
 * and keycaps. boxes: box drawing and blocks. symbols: other symbols from U+2190 on (arrows, shapes,
 * dingbats), private use and U+FFFD; letters, digits, punctuation and mathematics stay.
 */
#include "rewrite.h"
#include "rule.h"

#include "base/mem.h"
#include "text/byteset.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum { EMOJI = 1, SYMBOLS = 2, BOXES = 4 };

typedef struct {
	ds_byteset set;
	unsigned classes;
} state;

static ds_rc open_classes(void **out, const char *value, const rule_env *env, ds_err *e)
{
	static const char *const names[] = { "emoji", "symbols", "boxes" };
	state *s = DS_NEW(state, 1);
	*out = s;
	ds_byteset_init(&s->set);
	ds_byteset_add_all(&s->set, "\xe2\xe3\xee\xef\xf0\xf3\xf4");
	for (ds_str rest = ds_str_of(value); rest.at;) {
		ds_str name = ds_str_cut(rest, ',', &rest);
		unsigned i = 0;
		while (i < 3 && !ds_str_is(name, names[i]))
			i++;
		if (i == 3)
			return ds_fail(e, DS_USAGE, "'%.*s' is none of emoji, symbols, boxes",
				DS_FMT(name));
		s->classes |= 1u << i;
	}
	return DS_OK;
}

static bool is_shape(uint32_t c) /* arrows, technical, shapes, dingbats; not mathematics */
{
	return (c >= 0x2190 && c <= 0x21ff) || (c >= 0x2300 && c <= 0x23ff) ||
	       (c >= 0x25a0 && c <= 0x27bf) || (c >= 0x2b00 && c <= 0x2bff) ||
	       (c >= 0xe000 && c <= 0xf8ff) || c >= 0xf0000;
}

/* Whether c goes by itself; next is the character after it. */
static bool goes(unsigned classes, uint32_t c, uint32_t next)
{
	bool emoji = ds_char_is_emoji(c) || (c >= 0x2190 && next == 0xfe0f) ||
		     (c >= 0x1f1e6 && c <= 0x1f1ff) || (c >= 0x1f3fb && c <= 0x1f3ff);
	if (emoji)
		return classes & EMOJI;
	if (c >= 0x2500 && c <= 0x259f)
		return classes & BOXES;
	return (classes & SYMBOLS) && (is_shape(c) || (c >= 0x2190 && ds_char_is_icon(c)));
}

static uint32_t peek(const uint8_t *p, const uint8_t *end)
{
	uint32_t c = 0;
	return p < end && ds_utf8_get(p, end, &c) ? c : 0;
}

/* What belongs to a character that went: selectors, tones, tags, a joiner before another that goes. */
static size_t belongs(unsigned classes, const uint8_t *p, const uint8_t *end)
{
	uint32_t c = peek(p, end);
	if (c == 0xfe0f || c == 0x20e3)
		return 3;
	if (c == 0x200d && p + 3 < end) {
		uint32_t next = peek(p + 3, end);
		return next >= 0x2190 && (ds_char_is_icon(next) || goes(classes, next, 0)) ? 3 : 0;
	}
	return c >= 0xe0020 && c <= 0xe007f ? 4 : 0;
}

static ds_rc apply(void *p, ds_str *text, ds_arena *mem, ds_err *e)
{
	const state *s = p;
	rewrite w = { .text = *text, .out.mem = mem };
	const uint8_t *at = (const uint8_t *)text->at, *end = at + text->n;
	bool joined = false;
	for (size_t i = 0; joined || (i = ds_byteset_find(&s->set, *text, i)) < text->n;) {
		uint32_t c = 0;
		unsigned n = i < text->n ? ds_utf8_get(at + i, end, &c) : 0;
		bool gone = n && (joined || goes(s->classes, c, peek(at + i + n, end)) ||
					 ((s->classes & EMOJI) && (c == 0x20e3 || c == 0xfe0f)));
		joined = false;
		size_t more = gone ? n : 0, part;
		while (gone && (part = belongs(s->classes, at + i + more, end))) {
			joined = peek(at + i + more, end) == 0x200d;
			more += part;
			if (joined)
				break;
		}
		/* A keycap is its digit: that stays, the cap goes. */
		if (gone)
			rewrite_put(&w, i, more, (ds_str){ "", 0 });
		i += gone ? more : n ? n : 1;
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

const ds_rule ds_rule_drop_chars = {
	.name = "drop-chars",
	.value = "CLASSES",
	.help = "drop emoji, symbols, boxes",
	.open = open_classes,
	.close = ds_mem_free,
	.apply = apply,
};
