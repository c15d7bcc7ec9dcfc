/*
 * report.c - what reports share: numbers, bars, text that a terminal can be shown
 */
#include "record.h"

#include "base/io.h"
#include "base/mem.h"

#include <stdio.h>

char report_form(const ds_common *c)
{
	if (!c->out.to || strcmp(c->out.to, "table") == 0)
		return 't';
	return strcmp(c->out.to, "tsv") == 0 ? 's' : 'j';
}

ds_rc write_report(const ds_common *c, const ds_buf *text, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_TRY(ds_out_open(&out, c->out.path, e));
	DS_TRY(ds_out_write(out, text->at, text->n, e));
	return ds_out_deliver(out, e);
}

ds_rc open_stream(ds_reader **r, const char *path, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	ds_str head;
	DS_TRY(ds_in_open(&in, path, e));
	DS_TRY(ds_in_peek(in, DS_MAGIC_BYTES, &head, e));
	if (!ds_stream_looks(head)) {
		bool named = ds_str_ends(ds_str_of(path), DS_S(".dsr"));
		return ds_fail(
			e, named ? DS_SHORT : DS_BAD, "%s: not a record stream", ds_in_name(in));
	}
	ds_in *given = in;
	in = NULL;
	return ds_reader_open(r, given, e);
}

void add_bar(ds_buf *out, double part, double whole, unsigned width)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	double share = whole > 0 ? part / whole : 0;
	unsigned n = (unsigned)((share > 1 ? 1 : share) * width * 8 + 0.5);
	if (n == 0 && part > 0)
		n = 1; /* something is not nothing */
	for (unsigned i = 0; i < n / 8; i++)
		ds_buf_add_c(out, "█");
	ds_buf_add_c(out, eighths[n % 8]);
}

void add_grouped(ds_buf *out, uint64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			ds_buf_add_byte(out, ',');
		ds_buf_add_byte(out, digits[i]);
	}
}

/* Length of the UTF-8 sequence at p, 0 where there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] >= 0xf5 || (p[0] >= 0x80 && p[0] < 0xc2) || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* surrogates, overlong forms, beyond Unicode */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

void add_visible(ds_buf *out, ds_str s, bool one_line)
{
	for (size_t i = 0; i < s.n;) {
		const unsigned char *p = (const unsigned char *)s.at + i;
		size_t len = sequence(p, s.n - i);
		/* C1 controls are two bytes, and a terminal obeys them. */
		bool c1 = len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
		if (len == 1 && (p[0] < 0x20 || p[0] == 0x7f)) {
			if ((p[0] == '\n' || p[0] == '\t') && !one_line)
				ds_buf_add_byte(out, (char)p[0]);
			else if (p[0] == '\n' || p[0] == '\t')
				ds_buf_add_byte(out, ' ');
			else
				ds_buf_fmt(out, "\\x%02x", p[0]);
		} else if (len == 0 || c1) {
			ds_buf_add_c(out, "\xef\xbf\xbd");
		} else {
			ds_buf_add(out, p, len);
		}
		i += len ? len : 1;
	}
}

/* Columns that a character takes: wide East Asian ones two. An estimate from the lead bytes. */
static unsigned columns(const unsigned char *p, size_t len)
{
	return len == 4 || (len == 3 && p[0] >= 0xe3 && p[0] < 0xee) ? 2 : 1;
}

void add_padded(ds_buf *out, ds_str s, unsigned width)
{
	ds_buf text = { 0 };
	unsigned used = 0, total = 0;
	add_visible(&text, s, true);
	for (size_t i = 0; i < text.n;) {
		size_t len = sequence((const unsigned char *)text.at + i, text.n - i);
		total += columns((const unsigned char *)text.at + i, len);
		i += len;
	}
	for (size_t i = 0; i < text.n;) {
		const unsigned char *p = (const unsigned char *)text.at + i;
		size_t len = sequence(p, text.n - i);
		if (used + columns(p, len) > width - (total > width)) {
			ds_buf_add_c(out, "…");
			used++;
			break;
		}
		ds_buf_add(out, p, len);
		used += columns(p, len);
		i += len;
	}
	for (; used < width; used++)
		ds_buf_add_byte(out, ' ');
	ds_buf_free(&text);
}
