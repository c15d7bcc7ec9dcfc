/*
 * mojibake_bad.c - what follows what in no writing
 */
#include "text/mojibake_bad_impl.h"

#include "text/unicode.h"
#include "text/utf8.h"

enum {                              /* kinds beside those of the table */
	SMALL = DS_MJ_A_MACRON + 1, /* a to z */
	CAPITAL,
	STOP, /* . , ? ! */
	SPACE,
	BLANK, /* any white space */
	WORD,
	NO_LETTER,
	ANY
};
#define B(name) (1ull << DS_MJ_##name)
#define K(name) (1ull << (name))
#define ACCENTED (B(LOWER) | B(UPPER))
#define QUOTES (B(START) | B(END))
#define SIGNS (ACCENTED | B(BOX) | QUOTES | B(CURRENCY) | B(NUMERIC) | B(LAW))
#define LATIN (K(SMALL) | K(CAPITAL))
#define ARABIC (B(COMMON) | B(CURRENCY) | B(BAD) | B(NUMERIC) | B(START) | B(AFTER_O))
#define MIDDLE (B(C1) | B(BAD) | QUOTES | B(CURRENCY))

enum { STEPS = 7 };

static const uint64_t rows[][STEPS] = {
	{ B(C1) },
	{ SIGNS | B(BAD), B(BAD) },
	{ B(BAD), SIGNS },
	{ LATIN, B(LOWER_COMMON) | B(UPPER_COMMON), B(BAD) },
	{ B(LOWER) | B(LOWER_COMMON) | B(BOX) | B(END) | B(CURRENCY) | B(NUMERIC), B(UPPER) },
	{ B(BOX) | B(END) | B(CURRENCY) | B(NUMERIC), B(LOWER) },
	{ B(LOWER) | B(BOX) | B(END), B(CURRENCY) },
	{ K(BLANK), B(UPPER), B(CURRENCY) },
	{ B(UPPER) | B(BOX), B(NUMERIC) | B(LAW) },
	{ ACCENTED | B(BOX) | B(CURRENCY) | B(END), B(START), B(NUMERIC) },
	{ ACCENTED | B(CURRENCY) | B(NUMERIC) | B(BOX) | B(LAW), B(END), B(START) },
	{ B(CURRENCY) | B(NUMERIC) | B(BOX), B(START) },
	{ K(SMALL), B(UPPER), B(START) | B(CURRENCY) },
	{ B(BOX), B(KAOMOJI) | B(END) },
	{ ACCENTED | B(CURRENCY) | B(NUMERIC) | QUOTES | B(LAW), B(BOX) },
	{ ACCENTED, QUOTES, K(WORD) },
	{ B(OE), K(NO_LETTER) },
	{ B(UPPER), B(DEGREE) },
	{ B(A_I_ETH), B(AFTER_A) | QUOTES },
	{ B(TIMES), B(SQUARED) },
	{ B(O_U), ARABIC, B(O_U), ARABIC },
	{ B(A_GRAVE), B(AFTER_GRAVE) },
	{ B(ROOT), B(AFTER_ROOT) },
	{ B(APPROX), B(AFTER_APPROX) },
	{ B(LOW_QUOTE), B(A_DIA), B(AFTER_DIA) },
	{ B(LOW_QUOTE), B(A_HAT_O), B(AFTER_HAT) },
	{ B(VE), B(DJE) },
	{ B(VGRS), MIDDLE | B(DEGREE_MICRO), B(VGRS) },
	{ B(GHE), B(SHORT_U), B(CAP_VE), B(DJE), B(CAP_VE), K(ANY), LATIN | K(SPACE) },
	{ B(A_TILDE), B(NBSP_BANG) },
	{ K(SMALL), B(A_TILDE_HAT), K(SPACE) },
	{ K(SMALL), K(BLANK), B(A_TILDE_HAT), K(SPACE) },
	{ K(SMALL) | K(STOP) | B(END), B(A_HAT), K(SPACE) | QUOTES },
	{ B(BETA), B(EURO), B(AFTER_BETA) },
	{ B(GREEK), MIDDLE | B(DEGREE), B(GREEK) },
	{ B(A_MACRON), B(EURO) },
};

static const ds_mj_char *find(uint32_t c)
{
	size_t low = 0, high = ds_mj_n_chars;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (ds_mj_chars[mid].c < c)
			low = mid + 1;
		else
			high = mid;
	}
	return low < ds_mj_n_chars && ds_mj_chars[low].c == c ? &ds_mj_chars[low] : NULL;
}

unsigned ds_mj_places(uint32_t c)
{
	const ds_mj_char *k = find(c);
	return k ? k->places : c == ' ' ? DS_MJ_NEXT : 0;
}

static bool is_word(uint32_t c)
{
	if (c < 0x80)
		return (c >= '0' && c <= '9') || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
	return ds_char_is_letter(c) || ds_char_is_number(c);
}

static bool is_blank(uint32_t c)
{
	return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) || c == 0x85 ||
	       c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static uint64_t kinds(uint32_t c)
{
	const ds_mj_char *k = c < 0x80 ? NULL : find(c);
	uint64_t m = K(ANY) | (k ? k->kinds : 0);
	bool small = c >= 'a' && c <= 'z', capital = c >= 'A' && c <= 'Z';
	m |= small ? K(SMALL) : capital ? K(CAPITAL) : K(NO_LETTER);
	m |= c == ' ' ? K(SPACE) : 0;
	m |= c && c < 0x80 && strchr(".,?!", (int)c) ? K(STOP) : 0;
	m |= is_blank(c) ? K(BLANK) : 0;
	return m | (is_word(c) ? K(WORD) : 0);
}

static bool matches(const uint64_t *row, const uint64_t *at, size_t n)
{
	size_t i = 0;
	for (; i < STEPS && row[i]; i++)
		if (i == n || !(at[i] & row[i]))
			return false;
	return true;
}

/* Of what begins at at[0], with n characters left, at most STEPS of them. */
static bool begins_badly(const uint64_t *at, size_t n)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++)
		if ((at[0] & rows[r][0]) && matches(rows[r], at, n))
			return true;
	return false;
}

bool ds_mj_is_bad(const ds_mj_line *l)
{
	uint64_t at[STEPS] = { 0 };
	for (size_t i = 0; i < STEPS && i < l->n; i++)
		at[i] = kinds(l->c[i]);
	if (l->n > 1 && (at[0] & B(A_TILDE_HAT)) && (at[1] & K(SPACE)))
		return true;
	for (size_t i = 0; i < l->n; i++) {
		size_t left = l->n - i;
		if (begins_badly(at, left < STEPS ? left : STEPS))
			return true;
		memmove(at, at + 1, (STEPS - 1) * sizeof(*at));
		at[STEPS - 1] = i + STEPS < l->n ? kinds(l->c[i + STEPS]) : 0;
	}
	return false;
}

/* Every row has a character of the table, but for those that most texts have: one of these is needed. */
bool ds_mj_may_be_bad(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	uint32_t c = 0;
	for (unsigned n; p < end; p += n) {
		if (*p < 0x80) {
			n = 1;
			continue;
		}
		n = ds_utf8_get(p, end, &c);
		if (n == 0)
			return false;
		if (c < 0x2e00 || c >= 0xa000) {
			const ds_mj_char *k = find(c);
			if (k && k->kinds & ~(B(COMMON) | B(KAOMOJI)))
				return true;
		}
	}
	return false;
}
