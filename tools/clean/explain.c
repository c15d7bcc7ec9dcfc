/*
 * explain.c - two columns of text
 *
 * Lines are shown from the first that differs, cut to half the width; Han, kana and the like take two
 * places. Control characters become a middle dot, so that none reaches the terminal.
 */
#include "explain.h"

#include "text/unicode.h"
#include "text/utf8.h"

enum { HALF = 48, LINES = 24 };

static unsigned width_of(uint32_t c)
{
	return c >= 0x1100 && (c <= 0x115f || (c >= 0x2e80 && c <= 0xa4cf) ||
				      (c >= 0xac00 && c <= 0xd7a3) ||
				      (c >= 0xf900 && c <= 0xfaff) ||
				      (c >= 0xfe30 && c <= 0xfe6f) ||
				      (c >= 0xff00 && c <= 0xff60) ||
				      (c >= 0x1f300 && c <= 0x1faff) ||
				      (c >= 0x20000 && c <= 0x3fffd))
		       ? 2
		       : 1;
}

/* One line's beginning, padded with blanks to HALF places where pad. */
static void add_half(ds_buf *out, ds_str line, bool pad)
{
	const uint8_t *p = (const uint8_t *)line.at, *end = p + line.n;
	unsigned used = 0;
	while (p < end) {
		uint32_t c = 0;
		unsigned n = ds_utf8_get(p, end, &c);
		bool shown =
			n && c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x2028 && c != 0x2029;
		unsigned width = c == '\t' ? 2 : shown ? width_of(c) : 1;
		if (used + width > HALF)
			break;
		if (shown)
			ds_buf_add(out, p, n);
		else
			ds_buf_add_c(out, n && c == '\t' ? "\xe2\x86\x92 " : "\xc2\xb7");
		used += n && c == '\t' ? 2 : width;
		p += n ? n : 1;
	}
	for (; pad && used < HALF; used++)
		ds_buf_add_byte(out, ' ');
}

static void add_both(ds_buf *out, ds_str before, ds_str after, bool colour)
{
	unsigned shown = 0;
	bool differ = false;
	while ((before.n || after.n) && shown < LINES) {
		ds_str a = ds_str_cut(before, '\n', &before), b = ds_str_cut(after, '\n', &after);
		differ |= !ds_str_eq(a, b);
		if (!differ)
			continue;
		bool same = ds_str_eq(a, b), mark = colour && !same;
		ds_buf_add_c(out, mark ? "  \033[31m" : "  ");
		add_half(out, a, true);
		ds_buf_add_c(out, mark ? "\033[0m | \033[32m" : same ? "   " : " | ");
		add_half(out, b, false);
		if (mark)
			ds_buf_add_c(out, "\033[0m");
		ds_buf_add_byte(out, '\n');
		shown++;
	}
	if (before.n || after.n)
		ds_buf_fmt(out, "  ... and %zu bytes more before, %zu after\n", before.n, after.n);
}

ds_rc explain_head(ds_buf *out, ds_block *b, uint32_t row, const explained *x, ds_err *e)
{
	ds_str id;
	DS_TRY(ds_block_id(b, row, &id, e));
	ds_buf_add_c(out, "record ");
	ds_buf_add_shown(out, id);
	ds_buf_add_c(out, " of ");
	ds_buf_add_shown(out, ds_str_of(b->origin ? b->origin : "stdin"));
	ds_buf_add_c(out, ": ");
	if (x->dropped_by)
		ds_buf_fmt(out, "dropped by %s", x->dropped_by);
	else
		ds_buf_fmt(out, "%zu characters, then %zu", ds_utf8_count(x->before),
			ds_utf8_count(x->after));
	if (x->label_before.at) {
		ds_buf_add_c(out, ", label '");
		ds_buf_add_shown(out, x->label_before);
		ds_buf_add_c(out, "', then '");
		ds_buf_add_shown(out, x->label);
		ds_buf_add_byte(out, '\'');
	}
	ds_buf_add_byte(out, '\n');
	return DS_OK;
}

ds_rc explain_record(ds_buf *out, ds_block *b, uint32_t row, const explained *x, ds_err *e)
{
	DS_TRY(explain_head(out, b, row, x, e));
	add_both(out, x->before, x->dropped_by ? (ds_str){ NULL, 0 } : x->after, false);
	return DS_OK;
}

void explain_step(ds_buf *out, const char *rule, ds_str before, ds_str after, bool colour)
{
	ds_buf_fmt(out, colour ? " \033[1m%s\033[0m\n" : " %s\n", rule);
	add_both(out, before, after, colour);
}
