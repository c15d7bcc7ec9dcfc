/*
 * charset.c - ICU's converters as a stream of UTF-8
 *
 * A converter gives UTF-16 into `wide`, which becomes UTF-8 in `ready`, from where it is handed out; both are
 * small, so a piece of any size costs no memory. What ICU refuses is taken out of it, marked, and it goes on.
 */
#include "base/charset.h"

#include "base/lazy.h"
#include "base/mem.h"
#include "sonames.h"

#include <stdlib.h>
#include <strings.h>
#include <unicode/ucnv.h>
#include <unicode/uclean.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

/* A unit of UTF-16 is at most three bytes of UTF-8, or the marks of two. */
enum {
	WIDE = 4096,
	MOST_BAD = 32,
	READY = 2 * DS_CHARSET_MARK_BYTES * WIDE + MOST_BAD * DS_CHARSET_MARK_BYTES
};

struct ds_charset {
	UConverter *from;
	bool began, ended;
	size_t at, n;  /* what of ready is to be handed out */
	size_t n_kept; /* of wide: a half of a character */
	UChar wide[WIDE];
	char ready[READY];
};

static void *icu_get(const void *context, size_t bytes)
{
	return ds_mem_plain(bytes);
}

static void *icu_grow(const void *context, void *p, size_t bytes)
{
	return ds_mem_plain_grow(p, bytes);
}

static void icu_free(const void *context, void *p)
{
	ds_mem_plain_free(p);
}

#define FUNCTIONS(F) \
	F(u_setMemoryFunctions) \
	F(ucnv_close) \
	F(ucnv_getAlias) \
	F(ucnv_getInvalidChars) \
	F(ucnv_open) F(ucnv_setToUCallBack) F(ucnv_toUnicode) F(UCNV_TO_U_CALLBACK_STOP)
DS_LAZY(icu, DS_SONAME_icuuc, FUNCTIONS)

/* Not NULL in programs that use ICU for more than charsets, and so have it from the start. */
extern __typeof__(u_setMemoryFunctions) u_setMemoryFunctions __attribute__((weak));

/* Before anything else of ICU is called, as it demands. Without memory it would go on with less. */
__attribute__((constructor)) static void set_memory(void)
{
	UErrorCode status = U_ZERO_ERROR;
	if (u_setMemoryFunctions)
		u_setMemoryFunctions(NULL, icu_get, icu_grow, icu_free, &status);
}

static void opened(void)
{
	UErrorCode status = U_ZERO_ERROR;
	if (!u_setMemoryFunctions)
		icu.u_setMemoryFunctions(NULL, icu_get, icu_grow, icu_free, &status);
}

/* Names that others have for it, or that leave the order of bytes open. */
static const char *usual_name(const char *name)
{
	static const char *const names[][2] = {
		{ "utf-8-sig", "UTF-8" }, /* Python's */
		{ "UTF-16", "UTF-16LE" },
		{ "UTF-32", "UTF-32LE" },
	};
	UErrorCode status = U_ZERO_ERROR;
	const char *standard = icu.ucnv_getAlias(name, 0, &status);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(standard ? standard : name, names[i][0]) == 0)
			return names[i][1];
	return name;
}

ds_rc ds_charset_open(ds_charset **out, const char *name, ds_err *e)
{
	UErrorCode status = U_ZERO_ERROR;
	DS_TRY(ds_lazy_open_with(&icu_lazy, opened, e));
	UConverter *from = *name ? icu.ucnv_open(usual_name(name), &status) : NULL;
	if (!from || U_FAILURE(status)) {
		icu.ucnv_close(from);
		return ds_fail(e, DS_USAGE, "no charset is named '%s'", name);
	}
	icu.ucnv_setToUCallBack(from, icu.UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
	*out = DS_NEW(ds_charset, 1);
	(*out)->from = from;
	return DS_OK;
}

void ds_charset_close(ds_charset *c)
{
	if (!c)
		return;
	icu.ucnv_close(c->from);
	ds_mem_free(c);
}

static void mark(ds_charset *c, const char *bytes, int n)
{
	for (int i = 0; i < n; i++) {
		unsigned char b = (unsigned char)bytes[i];
		c->ready[c->n++] = (char)DS_CHARSET_MARK;
		c->ready[c->n++] = (char)(0x80 | b >> 4);
		c->ready[c->n++] = (char)(0x80 | (b & 15));
	}
}

/* all: nothing comes behind. Some charsets (UTF-7, SCSU) can write halves of pairs. */
static void add_wide(ds_charset *c, size_t n, bool all)
{
	int32_t at = 0;
	c->n_kept = n && !all && U16_IS_LEAD(c->wide[n - 1]);
	n -= c->n_kept;
	while (at < (int32_t)n) {
		UChar32 ch;
		U16_NEXT(c->wide, at, (int32_t)n, ch);
		if (ch == 0xFEFF && !c->began) /* the mark of a byte order is no text */
			ch = -1;
		c->began = true;
		if (ch >= 0 && U_IS_SURROGATE(ch))
			mark(c, (char[]){ (char)(ch >> 8), (char)ch }, 2);
		else if (ch >= 0)
			U8_APPEND_UNSAFE(c->ready, c->n, ch);
	}
	if (c->n_kept)
		c->wide[0] = c->wide[n];
}

/* Fills ready from *from; false where nothing came and nothing more will. */
static bool convert(ds_charset *c, ds_str *from, bool last)
{
	enum { PIECE = 1 << 16 };
	UErrorCode status = U_ZERO_ERROR;
	size_t piece = from->n < PIECE ? from->n : PIECE;
	bool flush = last && piece == from->n;
	const char *source = from->at, *end = from->at + piece;
	UChar *w = c->wide + c->n_kept;
	if (c->ended || (!piece && !flush))
		return false;
	c->at = c->n = 0;
	icu.ucnv_toUnicode(c->from, &w, c->wide + WIDE, &source, end, NULL, flush, &status);
	*from = (ds_str){ source, from->n - (size_t)(source - from->at) };
	add_wide(c, (size_t)(w - c->wide),
		status != U_BUFFER_OVERFLOW_ERROR && (flush || U_FAILURE(status)));
	if (status == U_BUFFER_OVERFLOW_ERROR)
		return true;
	if (U_FAILURE(status)) {
		char bad[MOST_BAD];
		int8_t n = sizeof(bad);
		UErrorCode also = U_ZERO_ERROR;
		icu.ucnv_getInvalidChars(c->from, bad, &n, &also);
		mark(c, bad, U_FAILURE(also) ? 0 : n);
		c->began = true;
		return true;
	}
	c->ended = flush;
	return true;
}

bool ds_charset_step(ds_charset *c, ds_str *from, char **to, size_t *avail, bool last)
{
	for (;;) {
		size_t n = c->n - c->at < *avail ? c->n - c->at : *avail;
		if (n)
			memcpy(*to, c->ready + c->at, n);
		c->at += n;
		*to += n;
		*avail -= n;
		if (c->at < c->n)
			return true;
		if (!convert(c, from, last))
			return false;
	}
}

const char *ds_charset_of_bom(ds_str head, size_t *bom_bytes)
{
	static const struct {
		ds_str bom;
		const char *name;
	} boms[] = {
		{ DS_S("\xFF\xFE\0\0"), "UTF-32LE" }, /* before the mark that it begins with */
		{ DS_S("\0\0\xFE\xFF"), "UTF-32BE" },
		{ DS_S("\xFF\xFE"), "UTF-16LE" },
		{ DS_S("\xFE\xFF"), "UTF-16BE" },
		{ DS_S("\xEF\xBB\xBF"), "UTF-8" },
	};
	for (size_t i = 0; i < sizeof(boms) / sizeof(*boms); i++)
		if (ds_str_starts(head, boms[i].bom)) {
			*bom_bytes = boms[i].bom.n;
			return boms[i].name;
		}
	*bom_bytes = 0;
	return NULL;
}
