/*
 * unicode_icu.c - the door to ICU; no type of it leaves
 *
 * ICU works on UTF-16; only the few stretches of a text that may change are converted for NFC.
 */
#include "text/unicode.h"

#include "base/mem.h"
#include "text/grow.h"
#include "text/unicode_impl.h"
#include "text/words.h"

#include <unicode/ubrk.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

enum { SMALL = 64, STRETCH = 1 << 20 };

/* Room for n units in and three times as many out (UAX 15, section 9) is in wide. */
static bool normalize(ds_buf *out, ds_str text, UChar *wide)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
	int32_t most = (int32_t)text.n, n = 0, m = 0;
	UChar *normal = wide + most + 1;
	u_strFromUTF8(wide, most + 1, &n, text.at, most, &status);
	if (U_SUCCESS(status))
		m = unorm2_normalize(nfc, wide, n, normal, 3 * n + 1, &status);
	ds_buf_reserve(out, 3 * (size_t)m + 1);
	u_strToUTF8(out->at + out->n, 3 * m + 1, &n, normal, m, &status);
	if (U_FAILURE(status))
		return false;
	out->n += (size_t)n;
	return true;
}

/* ICU fails here only on lengths of its limits or a broken installation: then the text stays as it is. */
void ds_icu_nfc(ds_buf *out, ds_str text)
{
	UChar small[4 * SMALL + 2];
	bool done = false;
	if (text.n <= SMALL) {
		done = normalize(out, text, small);
	} else if (text.n < INT32_MAX / 4) {
		UChar *wide = ds_mem_get((4 * text.n + 2) * sizeof(*wide));
		done = normalize(out, text, wide);
		ds_mem_free(wide);
	}
	if (!done)
		ds_buf_add_str(out, text);
}

enum { KC_GROWS = 18 }; /* U+FDFA, the worst (UAX 15, section 9) */

bool ds_icu_nfkc(ds_buf *out, ds_str text)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfkc = unorm2_getNFKCInstance(&status);
	int32_t most = (int32_t)text.n + 1, n = 0, m;
	UChar *wide = ds_mem_get((1 + KC_GROWS) * (size_t)most * sizeof(*wide));
	UChar *normal = wide + most;
	u_strFromUTF8(wide, most, &n, text.at, (int32_t)text.n, &status);
	bool same = U_FAILURE(status) || unorm2_isNormalized(nfkc, wide, n, &status);
	if (!same) {
		m = unorm2_normalize(nfkc, wide, n, normal, KC_GROWS * most, &status);
		ds_buf_reserve(out, 3 * (size_t)m + 1);
		u_strToUTF8(out->at + out->n, 3 * m + 1, &n, normal, m, &status);
		same = U_FAILURE(status);
		out->n += same ? 0 : (size_t)n;
	}
	ds_mem_free(wide);
	if (same)
		ds_buf_add_str(out, text);
	return !same;
}

struct ds_icu_han {
	UTransliterator *t;
};

ds_icu_han *ds_icu_han_new(bool simplify)
{
	UErrorCode status = U_ZERO_ERROR;
	UChar id[16];
	u_uastrcpy(id, simplify ? "Hant-Hans" : "Hans-Hant");
	UTransliterator *t = utrans_openU(id, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
	if (U_FAILURE(status))
		return NULL;
	ds_icu_han *h = DS_NEW(ds_icu_han, 1);
	h->t = t;
	return h;
}

void ds_icu_han_free(ds_icu_han *h)
{
	if (!h)
		return;
	utrans_close(h->t);
	ds_mem_free(h);
}

size_t ds_icu_han_convert(ds_icu_han *h, ds_str s, char *out, size_t most)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t cap = 2 * (int32_t)s.n + 16, n = 0, m = 0;
	UChar *wide = ds_mem_get((size_t)cap * sizeof(*wide));
	u_strFromUTF8(wide, cap, &n, s.at, (int32_t)s.n, &status);
	int32_t limit = n;
	utrans_transUChars(h->t, wide, &n, cap, 0, &limit, &status);
	u_strToUTF8(out, (int32_t)most, &m, wide, n, &status);
	ds_mem_free(wide);
	return U_FAILURE(status) ? SIZE_MAX : (size_t)m;
}

ds_str ds_nfd(ds_str text, ds_arena *mem)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
	int32_t most = (int32_t)text.n + 1, n = 0, m;
	if (text.n > INT32_MAX / 16)
		return text;
	/* At most four characters come of one in UTF-16 (UAX 15, section 9), three bytes for each. */
	UChar *wide = ds_arena_get(mem, 5 * (size_t)most * sizeof(*wide)), *apart = wide + most;
	u_strFromUTF8(wide, most, &n, text.at, (int32_t)text.n, &status);
	m = U_SUCCESS(status) ? unorm2_normalize(nfd, wide, n, apart, 4 * most, &status) : 0;
	char *out = ds_arena_bytes(mem, 3 * (size_t)m + 1);
	u_strToUTF8(out, 3 * m + 1, &n, apart, m, &status);
	return U_SUCCESS(status) ? (ds_str){ out, (size_t)n } : text;
}

static const UNormalizer2 *form_of(ds_form form, UErrorCode *status)
{
	switch (form) {
	case DS_NFC:
		return unorm2_getNFCInstance(status);
	case DS_NFD:
		return unorm2_getNFDInstance(status);
	case DS_NFKC:
		return unorm2_getNFKCInstance(status);
	default:
		return unorm2_getNFKDInstance(status);
	}
}

/* One stretch of valid UTF-8. U+FDFA is 18 characters in NFKD: the most there are. */
static void add_form(ds_grow *out, ds_str s, const UNormalizer2 *form)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t most = (int32_t)s.n + 1, n = 0, m = 0, cap = 2 * most + 64, k = 0;
	UChar *wide = ds_mem_get(sizeof(*wide) * (size_t)most), *to = NULL;
	u_strFromUTF8(wide, most, &n, s.at, (int32_t)s.n, &status);
	do {
		status = status == U_BUFFER_OVERFLOW_ERROR ? U_ZERO_ERROR : status;
		ds_mem_free(to);
		to = ds_mem_get(sizeof(*to) * (size_t)cap);
		m = U_SUCCESS(status) ? unorm2_normalize(form, wide, n, to, cap, &status) : 0;
		cap = m + 1;
	} while (status == U_BUFFER_OVERFLOW_ERROR);
	char *at = ds_grow_reserve(out, 3 * (size_t)m + 1);
	u_strToUTF8(at, 3 * m + 1, &k, to, m, &status);
	if (U_SUCCESS(status))
		out->n += (size_t)k;
	else
		ds_grow_add(out, s.at, s.n);
	ds_mem_free(wide);
	ds_mem_free(to);
}

ds_str ds_normal_form(ds_str text, ds_form form, ds_arena *mem)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *n2 = form_of(form, &status);
	ds_grow out = { .mem = mem };
	if (form == DS_NFC)
		return ds_nfc(text, mem);
	if (U_FAILURE(status) || ds_utf8_ascii(text) == text.n)
		return text;
	while (text.n) {
		size_t valid = ds_utf8_valid(text);
		valid = valid > STRETCH ? STRETCH : valid;
		while (valid < text.n && valid && (text.at[valid] & 0xc0) == 0x80 &&
			valid > STRETCH - 4)
			valid--;
		if (valid)
			add_form(&out, (ds_str){ text.at, valid }, n2);
		else
			ds_grow_byte(&out, text.at[valid++]);
		text = (ds_str){ text.at + valid, text.n - valid };
	}
	return ds_grow_view(&out);
}

/* Ends of the clusters of valid text, as offsets of UTF-8 from `base` on. */
static size_t add_graphemes(ds_str s, size_t base, uint32_t *ends, ds_arena *mem)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t most = (int32_t)s.n + 1, n = 0, from = 0, to;
	size_t k = 0, at = 0;
	UChar *wide = ds_arena_get(mem, sizeof(*wide) * (size_t)most);
	u_strFromUTF8(wide, most, &n, s.at, (int32_t)s.n, &status);
	UBreakIterator *it = ubrk_open(UBRK_CHARACTER, "", wide, n, &status);
	while (U_SUCCESS(status) && (to = ubrk_next(it)) != UBRK_DONE) {
		for (; from < to; from++) /* the second half of a pair has been counted */
			at += wide[from] < 0x80                             ? 1
			      : wide[from] < 0x800                          ? 2
			      : wide[from] >= 0xdc00 && wide[from] < 0xe000 ? 0
			      : wide[from] >= 0xd800 && wide[from] < 0xdc00 ? 4
									    : 3;
		ends[k++] = (uint32_t)(base + at);
	}
	if (it)
		ubrk_close(it);
	return k;
}

/*
 * ASCII characters stand alone, but for CR with LF; one before another character is left to ICU with that,
 * which may be a mark.
 */
static size_t add_ascii(ds_str s, uint32_t *ends, size_t *n)
{
	size_t run = ds_utf8_ascii(s), at = 0;
	if (run && run < s.n)
		run -= run > 1 && s.at[run - 2] == '\r' && s.at[run - 1] == '\n' ? 2 : 1;
	*n = 0;
	while (at < run) {
		at += s.at[at] == '\r' && at + 1 < run && s.at[at + 1] == '\n' ? 2 : 1;
		ends[(*n)++] = (uint32_t)at;
	}
	return run;
}

size_t ds_graphemes(ds_str text, uint32_t *ends, ds_arena *mem)
{
	size_t k, at = add_ascii(text, ends, &k);
	while (at < text.n) {
		ds_str left = { text.at + at, text.n - at };
		size_t valid = ds_utf8_valid(left);
		if (valid == 0)
			ends[k++] = (uint32_t)++at;
		else
			k += add_graphemes((ds_str){ left.at, valid }, at, ends + k, mem);
		at += valid;
	}
	return k;
}

unsigned ds_char_age(uint32_t c)
{
	UVersionInfo version;
	u_charAge((UChar32)c, version);
	return version[0];
}

uint32_t ds_char_lower(uint32_t c)
{
	return (uint32_t)u_tolower((UChar32)c);
}

bool ds_char_is_letter(uint32_t c)
{
	return (U_GET_GC_MASK((UChar32)c) & U_GC_L_MASK) != 0;
}

bool ds_char_is_number(uint32_t c)
{
	return (U_GET_GC_MASK((UChar32)c) & U_GC_N_MASK) != 0;
}

bool ds_char_is_icon(uint32_t c)
{
	return u_charType((UChar32)c) == U_OTHER_SYMBOL;
}

bool ds_char_is_emoji(uint32_t c)
{
	return u_hasBinaryProperty((UChar32)c, UCHAR_EMOJI_PRESENTATION);
}

bool ds_char_is_punct(uint32_t c)
{
	return (U_GET_GC_MASK((UChar32)c) & U_GC_P_MASK) != 0;
}

struct ds_han_cutter {
	UBreakIterator *words; /* NULL: a broken installation; every character is a word then */
	UChar wide[DS_HAN_RUN];
};

ds_han_cutter *ds_han_cutter_new(void)
{
	UErrorCode status = U_ZERO_ERROR;
	ds_han_cutter *c = DS_NEW(ds_han_cutter, 1);
	c->words = ubrk_open(UBRK_WORD, "zh", NULL, 0, &status);
	return c;
}

void ds_han_cutter_free(ds_han_cutter *c)
{
	if (!c)
		return;
	if (c->words)
		ubrk_close(c->words);
	ds_mem_free(c);
}

size_t ds_han_cut(ds_han_cutter *c, ds_str run, uint32_t *ends)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t n = (int32_t)(run.n / 3), m = 0;
	size_t found = 0;
	u_strFromUTF8(c->wide, DS_HAN_RUN, &m, run.at, (int32_t)run.n, &status);
	if (c->words)
		ubrk_setText(c->words, c->wide, m, &status);
	if (!c->words || U_FAILURE(status)) {
		for (; found < (size_t)n; found++)
			ends[found] = (uint32_t)(3 * found + 3);
		return found;
	}
	for (int32_t at = ubrk_next(c->words); at != UBRK_DONE; at = ubrk_next(c->words))
		ends[found++] = (uint32_t)at * 3;
	return found;
}

typedef int32_t case_fn(const UCaseMap *map, char *to, int32_t most, const char *from, int32_t n,
	UErrorCode *status);

/* One stretch of valid UTF-8, at most STRETCH bytes. */
static void map_case(ds_grow *out, const UCaseMap *map, case_fn *fn, ds_str s)
{
	size_t most = s.n + s.n / 2 + 16;
	for (;;) {
		UErrorCode status = U_ZERO_ERROR;
		int32_t n = fn(map, ds_grow_reserve(out, most), (int32_t)most, s.at, (int32_t)s.n,
			&status);
		if (status != U_BUFFER_OVERFLOW_ERROR) {
			out->n += (size_t)n;
			return;
		}
		most = (size_t)n + 1;
	}
}

/* As much of valid text as is mapped at once: cut after a blank, so that a word is never cut. */
static size_t stretch(ds_str s)
{
	if (s.n <= STRETCH)
		return s.n;
	for (size_t n = STRETCH; n > STRETCH / 2; n--)
		if (s.at[n - 1] == ' ' || s.at[n - 1] == '\n')
			return n;
	size_t n = STRETCH;
	while ((s.at[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static ds_str change_case(ds_str s, ds_arena *mem, case_fn *fn, uint32_t options)
{
	UErrorCode status = U_ZERO_ERROR;
	UCaseMap *map = ucasemap_open("", options, &status);
	ds_grow out = { .mem = mem };
	ds_grow_reserve(&out, s.n + s.n / 8);
	while (s.n && U_SUCCESS(status)) {
		size_t valid = ds_utf8_valid(s);
		if (valid == 0) {
			ds_grow_byte(&out, s.at[0]);
			valid = 1;
		} else {
			valid = stretch((ds_str){ s.at, valid });
			map_case(&out, map, fn, (ds_str){ s.at, valid });
		}
		s = (ds_str){ s.at + valid, s.n - valid };
	}
	ucasemap_close(map);
	return ds_grow_view(&out);
}

/* Lower-casing and folding are the same for ASCII. */
static ds_str ascii_lower(ds_str s, ds_arena *mem)
{
	size_t first = 0;
	while (first < s.n && !(s.at[first] >= 'A' && s.at[first] <= 'Z'))
		first++;
	if (first == s.n)
		return s;
	char *out = ds_arena_bytes(mem, s.n);
	for (size_t i = 0; i < s.n; i++)
		out[i] = (char)(s.at[i] + (s.at[i] >= 'A' && s.at[i] <= 'Z' ? 'a' - 'A' : 0));
	return (ds_str){ out, s.n };
}

ds_str ds_utf8_lower(ds_str s, ds_arena *mem)
{
	if (ds_utf8_ascii(s) == s.n)
		return ascii_lower(s, mem);
	ds_str out = change_case(s, mem, ucasemap_utf8ToLower, 0);
	return ds_str_eq(out, s) ? s : out;
}

ds_str ds_utf8_fold(ds_str s, ds_arena *mem)
{
	if (ds_utf8_ascii(s) == s.n)
		return ascii_lower(s, mem);
	ds_str out = change_case(s, mem, ucasemap_utf8FoldCase, U_FOLD_CASE_DEFAULT);
	return ds_str_eq(out, s) ? s : out;
}

ds_rc ds_charset_decode(ds_str *out, ds_str bytes, const char *charset, ds_arena *mem, ds_err *e)
{
	UErrorCode status = U_ZERO_ERROR;
	UConverter *from = ucnv_open(charset, &status), *to = ucnv_open("UTF-8", &status);
	UChar pivot[4096], *in = pivot, *end = pivot;
	ds_grow text = { .mem = mem };
	const char *p = bytes.at;
	ds_grow_reserve(&text, bytes.n + bytes.n / 2);
	bool reset = true;
	while (U_SUCCESS(status)) {
		char *start = ds_grow_reserve(&text, 4096), *w = start;
		ucnv_convertEx(to, from, &w, text.at + text.cap, &p, bytes.at + bytes.n, pivot, &in,
			&end, pivot + 4096, reset, true, &status);
		reset = false;
		text.n += (size_t)(w - start);
		if (status != U_BUFFER_OVERFLOW_ERROR)
			break;
		status = U_ZERO_ERROR;
	}
	ucnv_close(from);
	ucnv_close(to);
	if (U_FAILURE(status))
		return ds_fail(e, DS_USAGE, "charset '%s': %s", charset, u_errorName(status));
	*out = ds_grow_view(&text);
	return DS_OK;
}

/* The same name where it does not go with the detector; NULL: none that is known. */
static const char *lasting(const char *name)
{
	static const char *const known[] = { "GB18030", "Big5", "Shift_JIS", "EUC-JP", "EUC-KR",
		"ISO-8859-1", "ISO-8859-2", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7", "ISO-8859-8",
		"ISO-8859-8-I", "ISO-8859-9", "KOI8-R", "windows-1250", "windows-1251",
		"windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256" };
	for (size_t i = 0; name && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i]) == 0)
			return known[i];
	return NULL;
}

size_t ds_charset_guesses(ds_str bytes, ds_charset_guess out[DS_CHARSET_GUESSES])
{
	UErrorCode status = U_ZERO_ERROR;
	UCharsetDetector *d = ucsdet_open(&status);
	int32_t found = 0, most = bytes.n < INT32_MAX ? (int32_t)bytes.n : INT32_MAX;
	size_t n = 0;
	ucsdet_setText(d, bytes.at, most, &status);
	const UCharsetMatch **matches = ucsdet_detectAll(d, &found, &status);
	for (int32_t i = 0; U_SUCCESS(status) && i < found && n < DS_CHARSET_GUESSES; i++) {
		out[n].name = lasting(ucsdet_getName(matches[i], &status));
		out[n].confidence = ucsdet_getConfidence(matches[i], &status);
		n += out[n].name != NULL;
	}
	ucsdet_close(d);
	return n;
}

struct ds_cutter {
	bool words;
	UBreakIterator *at;
	UText *text;
};

ds_rc ds_cutter_new(ds_cutter **out, ds_cut cut, ds_err *e)
{
	UErrorCode status = U_ZERO_ERROR;
	UBreakIterator *at =
		ubrk_open(cut == DS_CUT_WORDS ? UBRK_WORD : UBRK_SENTENCE, "en", NULL, 0, &status);
	if (U_FAILURE(status))
		return ds_fail(e, DS_IO, "ICU has no rules for words: %s", u_errorName(status));
	*out = DS_NEW(ds_cutter, 1);
	(*out)->at = at;
	(*out)->words = cut == DS_CUT_WORDS;
	return DS_OK;
}

void ds_cutter_free(ds_cutter *c)
{
	if (!c)
		return;
	ubrk_close(c->at);
	utext_close(c->text);
	ds_mem_free(c);
}

static ds_piece_kind kind_of(int32_t status)
{
	if (status >= UBRK_WORD_KANA && status < UBRK_WORD_IDEO_LIMIT)
		return DS_PIECE_IDEO;
	if (status >= UBRK_WORD_LETTER && status < UBRK_WORD_LETTER_LIMIT)
		return DS_PIECE_LETTER;
	return status >= UBRK_WORD_NUMBER && status < UBRK_WORD_NUMBER_LIMIT ? DS_PIECE_NUMBER
									     : DS_PIECE_OTHER;
}

ds_piece *ds_cutter_run(ds_cutter *c, ds_str text, ds_arena *mem, size_t *n)
{
	UErrorCode status = U_ZERO_ERROR;
	/* What @ is differs between versions of ICU. */
	if (c->words && ds_utf8_ascii(text) == text.n && !memchr(text.at, '@', text.n))
		return ds_words_ascii(text, mem, n);
	size_t most = text.n / 3 + 16;
	ds_piece *out = ds_arena_get(mem, most * sizeof(*out));
	*n = 0;
	if (!text.n)
		return out;
	c->text = utext_openUTF8(c->text, text.at, (int64_t)text.n, &status);
	ubrk_setUText(c->at, c->text, &status);
	if (U_FAILURE(status) || text.n > INT32_MAX / 2) {
		out[(*n)++] = (ds_piece){ text, DS_PIECE_OTHER };
		return out;
	}
	int32_t from = ubrk_first(c->at), to;
	while ((to = ubrk_next(c->at)) != UBRK_DONE) {
		if (*n == most) {
			ds_piece *more = ds_arena_get(mem, 2 * most * sizeof(*more));
			memcpy(more, out, most * sizeof(*more));
			out = more;
			most *= 2;
		}
		out[(*n)++] = (ds_piece){ { text.at + from, (size_t)(to - from) },
			kind_of(ubrk_getRuleStatus(c->at)) };
		from = to;
	}
	return out;
}
