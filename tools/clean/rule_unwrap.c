/*
 * rule_unwrap.c - lines that were broken to fit a width become one again
 *
 * Within a paragraph, a line end stands for a blank where the next word would not have fitted: the line
 * and that word together are wider than the widest line. Where it would have fitted, somebody meant the
 * line end. Paragraphs narrower than 40 or wider than 160 columns were not wrapped. A line that begins
 * with a blank or the sign of a list item keeps its place. Between Chinese characters no blank is put; a
 * hyphen before the break goes unless the text has the word with the hyphen elsewhere.
 */
#include "rewrite.h"
#include "rule.h"

#include "base/args.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum { NARROW = 40, WIDE = 160, SLACK = 1, NEAR = 65536 };

static size_t columns(ds_str s) /* wide characters take two */
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.at[i];
		n += (c & 0xc0) != 0x80;
		n += c >= 0xe3 && c <= 0xef;
	}
	return n;
}

/* The piece of a line that had to stay together. */
static ds_str first_piece(ds_str line)
{
	const uint8_t *p = (const uint8_t *)line.at, *end = p + line.n;
	uint32_t c;
	size_t n = 0;
	if (line.n && *p >= 0xe3) {
		n = ds_utf8_get(p, end, &c);
		return (ds_str){ line.at, n ? n : 1 };
	}
	while (n < line.n && line.at[n] != ' ')
		n++;
	return (ds_str){ line.at, n };
}

static bool begins_item(ds_str line)
{
	size_t n = 0;
	if (line.n == 0 || strchr(" \t-*+>|#", line.at[0]) ||
		ds_str_starts(line, DS_S("\xe2\x80\xa2")))
		return true;
	while (n < line.n && line.at[n] >= '0' && line.at[n] <= '9')
		n++;
	return n && n < line.n && (line.at[n] == '.' || line.at[n] == ')');
}

static bool is_wide(uint8_t last_lead)
{
	return last_lead >= 0xe3 && last_lead <= 0xef;
}

static uint8_t last_lead(ds_str s)
{
	size_t n = s.n;
	while (n > 1 && ((uint8_t)s.at[n - 1] & 0xc0) == 0x80)
		n--;
	return n ? (uint8_t)s.at[n - 1] : 0;
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Whether a word cut at its end by a hyphen is written with it elsewhere, within 64 KiB. */
static bool keeps_hyphen(ds_str text, ds_str line, ds_str next)
{
	char word[128];
	size_t a = 1, b = 0;
	while (a < line.n && is_lower((char)(line.at[line.n - a - 1] | 32)))
		a++;
	while (b < next.n && is_lower((char)(next.at[b] | 32)))
		b++;
	if (a + b > sizeof(word))
		return true;
	memcpy(word, line.at + line.n - a, a);
	memcpy(word + a, next.at, b);
	size_t at = (size_t)(next.at - text.at), from = at > NEAR ? at - NEAR : 0;
	size_t to = text.n - at > NEAR ? at + NEAR : text.n;
	return memmem(text.at + from, to - from, word, a + b) != NULL;
}

/* Joins line and next, which a line feed parts. */
static void join(rewrite *w, ds_str line, ds_str next)
{
	size_t feed = (size_t)(line.at + line.n - w->text.at);
	bool hyphen = line.n > 1 && line.at[line.n - 1] == '-' &&
		      is_lower((char)(line.at[line.n - 2] | 32)) && is_lower(next.at[0]);
	if (hyphen && !keeps_hyphen(w->text, line, next))
		rewrite_put(w, feed - 1, 2, (ds_str){ "", 0 });
	else if (hyphen || (is_wide(last_lead(line)) && is_wide((uint8_t)next.at[0])))
		rewrite_put(w, feed, 1, (ds_str){ "", 0 });
	else
		rewrite_put(w, feed, 1, DS_S(" "));
}

/* One paragraph: lines without an empty one between. */
static void unwrap(rewrite *w, ds_str para)
{
	size_t widest = 0;
	for (ds_str rest = para; rest.at;) {
		size_t n = columns(ds_str_cut(rest, '\n', &rest));
		widest = n > widest ? n : widest;
	}
	if (widest < NARROW || widest > WIDE)
		return;
	ds_str rest, line = ds_str_cut(para, '\n', &rest);
	while (rest.at) {
		ds_str next = ds_str_cut(rest, '\n', &rest);
		size_t together = columns(line) + columns(first_piece(next)) +
				  !is_wide((uint8_t)(next.n ? next.at[0] : 0));
		if (next.n && together + SLACK > widest && !begins_item(next))
			join(w, line, next);
		line = next;
	}
}

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	rewrite w = { .text = *text, .out.mem = mem };
	const char *p = text->at, *end = p + text->n;
	while (p < end) {
		const char *gap = memmem(p, (size_t)(end - p), "\n\n", 2);
		unwrap(&w, (ds_str){ p, (size_t)((gap ? gap : end) - p) });
		p = gap ? gap + 2 : end;
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	return r->source == RULE_SOURCE_CODE ? DS_OK : apply(thread, &r->text, r->mem, e);
}

const ds_rule ds_rule_unwrap = {
	.name = "unwrap",
	.help = "join lines that were broken to fit a width",
	.flags = DS_ARG_HIDDEN,
	.record = record,
};
