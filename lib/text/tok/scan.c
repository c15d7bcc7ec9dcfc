/*
 * scan.c - text to masks, masks to pieces
 *
 * A turn covers up to 64 words of 64 bytes with one word of context on both sides. ASCII is
 * classified 64 bytes at a time (scan_avx512.c, scan_avx2.c, below in plain C); bytes over 0x7f are
 * then put right: blocks that hold letters only (CJK U+4E00-9FFF, Hangul U+B000-CFFF, Cyrillic
 * U+0400-047F) by shifts of their lead bytes' mask, the rest one character at a time by the table.
 */
#include "text/tok/scan.h"
#include "base/cpu.h"

static const uint8_t kind_of[32] = {
	[DS_CAT_NONE] = DS_IS_PUNCT,
	[DS_CAT_LU] = DS_IS_LETTER,
	[DS_CAT_LL] = DS_IS_LETTER,
	[DS_CAT_LT] = DS_IS_LETTER,
	[DS_CAT_LM] = DS_IS_LETTER,
	[DS_CAT_LO] = DS_IS_LETTER,
	[DS_CAT_MN] = DS_IS_PUNCT,
	[DS_CAT_MC] = DS_IS_PUNCT,
	[DS_CAT_ME] = DS_IS_PUNCT,
	[DS_CAT_ND] = DS_IS_DIGIT,
	[DS_CAT_NL] = DS_IS_DIGIT,
	[DS_CAT_NO] = DS_IS_DIGIT,
	[DS_CAT_P] = DS_IS_PUNCT,
	[DS_CAT_S] = DS_IS_PUNCT,
	[DS_CAT_BLANK] = DS_IS_BLANK,
	[DS_CAT_LINE] = DS_IS_LINE,
	[DS_CAT_CC] = DS_IS_PUNCT,
	[DS_CAT_CF] = DS_IS_PUNCT,
	[DS_CAT_CO] = DS_IS_PUNCT,
};

void ds_scan_classify_scalar(const uint8_t *p, size_t n_words, ds_scan_raw *out)
{
	for (size_t w = 0; w < n_words; w++, p += 64) {
		ds_scan_raw r = { 0 };
		for (unsigned i = 0; i < 64; i++) {
			uint8_t b = p[i];
			r.letter |= (uint64_t)((uint8_t)((b | 32) - 'a') < 26) << i;
			r.upper |= (uint64_t)((uint8_t)(b - 'A') < 26) << i;
			r.digit |= (uint64_t)((uint8_t)(b - '0') < 10) << i;
			r.space |= (uint64_t)(b == ' ') << i;
			r.line |= (uint64_t)(b == '\n' || b == '\r') << i;
			r.blank |= (uint64_t)(b == '\t' || b == '\v' || b == '\f') << i;
			r.quote |= (uint64_t)(b == '\'') << i;
			r.slash |= (uint64_t)(b == '/') << i;
			r.high |= (uint64_t)(b >> 7) << i;
			r.cont |= (uint64_t)(b >> 6 == 2) << i;
			r.lead2 |= (uint64_t)(b == 0xd0 || b == 0xd1) << i;
			r.lead3 |= (uint64_t)((b >= 0xe5 && b <= 0xe9) || b == 0xeb || b == 0xec)
				   << i;
			r.lead4e |= (uint64_t)(b == 0xe4 && i < 63 && p[i + 1] >= 0xb8) << i;
		}
		out[w] = r;
	}
}

static ds_scan_classify *classifier(void)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return ds_scan_classify_avx512;
	case DS_CPU_AVX2:
		return ds_scan_classify_avx2;
	default:
		return ds_scan_classify_scalar;
	}
}

static bool at_byte(const uint64_t *m, unsigned bit)
{
	return m[bit >> 6] >> (bit & 63) & 1;
}

/*
 * A mark at `bit` is a letter to a cased pattern, but after more than one character of punctuation, or
 * after a space and one, it is of these. A slash among them may be none, if it comes after line ends: that
 * is left to the pattern's `next`.
 */
static ds_scan_kind kind_of_mark(ds_scan *s, unsigned bit)
{
	const uint64_t *p = s->is[DS_IS_PUNCT];
	if (!at_byte(p, bit - 1))
		return DS_IS_LETTER;
	for (bit--; at_byte(s->is[DS_IS_CONT], bit); bit--)
		;
	s->hard |= at_byte(s->is[DS_IS_SLASH], bit - 1);
	return at_byte(p, bit - 1) || at_byte(s->is[DS_IS_SPACE], bit - 1) ? DS_IS_PUNCT
									   : DS_IS_LETTER;
}

static void mark(ds_scan *s, unsigned w, ds_scan_kind kind, ds_scan_kind letter_case, uint64_t bits)
{
	s->is[kind][w] |= bits;
	if (letter_case != kind)
		s->is[letter_case][w] |= bits;
}

/* The character at bit i of word w, whose category is c. */
static void mark_char(ds_scan *s, unsigned w, unsigned i, ds_cat c, unsigned len)
{
	ds_scan_kind kind = kind_of[c], letter_case = kind;
	uint64_t bits = ((1ULL << len) - 1) << i;
	if (s->pattern->cased && ds_cat_mark(c))
		letter_case = kind = kind_of_mark(s, 64 * w + i);
	else if (s->pattern->cased && c == DS_CAT_LL)
		letter_case = DS_IS_LOWER;
	else if (s->pattern->cased && (c == DS_CAT_LU || c == DS_CAT_LT))
		letter_case = DS_IS_UPPER;
	mark(s, w, kind, letter_case, bits);
	s->is[DS_IS_CONT][w] |= bits & ~(1ULL << i);
	s->three[w] |= (uint64_t)(len == 3 && kind == DS_IS_LETTER) << i;
	if (i + len > 64) {
		s->skip = i + len - 64;
		s->skip_kind = kind;
		s->skip_case = letter_case;
	}
}

/* Characters over 0x7f in word w, which begins at text offset `at`. */
static void put_right(ds_scan *s, unsigned w, size_t at, const ds_scan_raw *r)
{
	uint64_t high = r->high;
	if (s->skip) {
		uint64_t m = (1ULL << s->skip) - 1;
		mark(s, w, s->skip_kind, s->skip_case, m);
		s->is[DS_IS_CONT][w] |= m;
		high &= ~m;
		s->skip = 0;
	}
	uint64_t three = (r->lead3 | r->lead4e) & r->cont >> 1 & r->cont >> 2;
	uint64_t two = s->pattern->cased ? 0 : r->lead2 & r->cont >> 1;
	uint64_t cont = three << 1 | three << 2 | two << 1;
	s->three[w] |= three;
	s->is[DS_IS_LETTER][w] |= three | two | cont;
	s->is[DS_IS_CONT][w] |= cont;
	high &= ~(three | two | cont);
	while (high) {
		unsigned i = (unsigned)__builtin_ctzll(high), len;
		ds_cat c = ds_utf8_cat(s->text + at + i, s->n - at - i, &len);
		mark_char(s, w, i, c, len);
		high &= ~(((1ULL << len) - 1) << i);
	}
}

static void set_word(ds_scan *s, unsigned w, size_t at, const ds_scan_raw *r)
{
	size_t left = s->n - at;
	uint64_t valid = left < 64 ? (1ULL << left) - 1 : ~0ULL;
	uint64_t rest = r->letter | r->digit | r->space | r->blank | r->line | r->high;
	s->is[DS_IS_LETTER][w] = r->letter;
	s->is[DS_IS_DIGIT][w] = r->digit;
	s->is[DS_IS_SPACE][w] = r->space;
	s->is[DS_IS_BLANK][w] = r->blank;
	s->is[DS_IS_LINE][w] = r->line;
	s->is[DS_IS_QUOTE][w] = r->quote;
	s->is[DS_IS_PUNCT][w] = ~rest & valid;
	s->is[DS_IS_CONT][w] = 0;
	s->is[DS_IS_UPPER][w] = r->upper;
	s->is[DS_IS_LOWER][w] = r->letter & ~r->upper;
	s->is[DS_IS_SLASH][w] = r->slash;
	s->three[w] = 0;
	if (r->high | s->skip)
		put_right(s, w, at, r);
}

static void clear_word(ds_scan *s, unsigned w)
{
	for (unsigned k = 0; k < DS_N_KINDS; k++)
		s->is[k][w] = 0;
	s->three[w] = 0;
}

/* Classifies what words from..to hold of the text; those beyond its end become empty. */
static void fill(ds_scan *s, unsigned from, unsigned to)
{
	ds_scan_classify *classify = classifier();
	ds_scan_raw raw[DS_SCAN_WORDS + 1];
	uint8_t last[64] = { 0 };
	size_t at = s->base + (size_t)(from - 1) * 64;
	size_t left = at < s->n ? s->n - at : 0;
	unsigned n = to - from + 1, whole = left / 64 < n ? (unsigned)(left / 64) : n;
	classify(s->text + (left ? at : 0), whole, raw);
	for (unsigned k = 0; k < whole; k++)
		set_word(s, from + k, at + 64 * (size_t)k, &raw[k]);
	for (unsigned k = whole; k < n; k++) {
		size_t off = at + 64 * (size_t)k;
		if (off >= s->n) {
			clear_word(s, from + k);
			continue;
		}
		memcpy(last, s->text + off, s->n - off);
		classify(last, 1, raw);
		set_word(s, from + k, off, raw);
	}
}

void ds_scan_begin(ds_scan *s, const ds_pattern *p, const void *text, size_t n)
{
	s->text = text;
	s->n = n;
	s->pattern = p;
	s->base = 0;
	s->ended = n == 0;
	s->skip = 0;
	s->filled = 0;
	s->hard = false;
	s->run = 0;
	s->given = 0;
	s->cuts = NULL;
	s->any_cut = false;
	s->contracted = 0;
	s->small = 0;
	clear_word(s, 0);
	s->extra[1] = s->clear[1] = s->attached[0] = 0;
}

static size_t next_by_length(ds_scan *s, uint32_t *ends)
{
	size_t k = 0;
	while (k < DS_SCAN_PIECES && s->base < s->n) {
		s->base += s->pattern->next(s->text + s->base, s->n - s->base);
		ends[k++] = (uint32_t)s->base;
	}
	s->ended = s->base >= s->n;
	return k;
}

/* The window moves on: what was the last word and the one after it come first. */
static void slide(ds_scan *s)
{
	for (unsigned k = 0; k < DS_N_KINDS; k++) {
		s->is[k][0] = s->is[k][DS_SCAN_WORDS];
		s->is[k][1] = s->is[k][DS_SCAN_WORDS + 1];
	}
	s->three[0] = s->three[DS_SCAN_WORDS];
	s->three[1] = s->three[DS_SCAN_WORDS + 1];
	s->extra[1] = s->extra[DS_SCAN_WORDS + 1];
	s->clear[1] = s->clear[DS_SCAN_WORDS + 1];
	s->attached[0] = s->attached[DS_SCAN_WORDS];
	s->base += DS_SCAN_WORDS * 64;
	s->filled = 1;
}

/* Boundaries between letters of three bytes inside pieces of word w where no token crosses. */
static uint64_t cuts_of(const ds_scan *s, unsigned w)
{
	uint64_t m = s->three[w] & ds_mask_before(s->three, w, 3) & ~s->start[w], cut = 0;
	const uint8_t *word = s->text + s->base + 64 * (size_t)(w - 1);
	for (; m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);
		const uint8_t *p = word + i;
		uint32_t left, right;
		memcpy(&left, p - 3, 4);
		memcpy(&right, p - 1, 4);
		left &= 0xffffff;
		right >>= 8;
		bool crossed = ds_cuts_pair(s->cuts, left, right) |
			       ds_cuts_inside(s->cuts, left, 3, right, 3);
		cut |= (uint64_t)!crossed << i;
	}
	return cut;
}

static void find_cuts(ds_scan *s, unsigned n_words)
{
	uint64_t any = 0;
	for (unsigned w = 1; w <= n_words; w++) {
		s->cut[w] = s->three[w] ? cuts_of(s, w) : 0;
		s->start[w] |= s->cut[w];
		any |= s->cut[w];
	}
	s->cut[n_words + 1] = 0;
	s->any_cut = any != 0;
}

static size_t gather(const ds_scan *s, unsigned n_words, uint32_t *ends)
{
	size_t k = 0;
	for (unsigned w = 1; w <= n_words; w++) {
		uint32_t at = (uint32_t)(s->base + (size_t)(w - 1) * 64);
		uint64_t m = s->start[w];
		unsigned n = (unsigned)__builtin_popcountll(m);
		uint32_t *out = ends + k;
		for (unsigned i = 0; i < n; i++, m &= m - 1)
			out[i] = at + (uint32_t)__builtin_ctzll(m);
		k += n;
	}
	return k;
}

/* From where the last piece ended. */
static size_t next_hard(ds_scan *s, uint32_t *ends)
{
	s->base = s->given;
	s->any_cut = false;
	size_t k = next_by_length(s, ends);
	s->given = s->base;
	return k;
}

size_t ds_scan_next(ds_scan *s, uint32_t ends[DS_SCAN_PIECES])
{
	if (!s->pattern->starts)
		return s->ended ? 0 : next_by_length(s, ends);
	while (!s->ended) {
		size_t left = s->n - s->base;
		unsigned n =
			left >= DS_SCAN_WORDS * 64 ? DS_SCAN_WORDS : (unsigned)((left + 63) / 64);
		if (n + 1 > s->filled)
			fill(s, s->filled + 1, n + 1);
		if (s->hard)
			return next_hard(s, ends);
		for (unsigned w = 2; w <= n + 1; w++)
			s->extra[w] = s->clear[w] = 0;
		s->pattern->starts(s, n);
		if (s->base == 0)
			s->start[1] &= ~1ULL; /* ends are wanted, and nothing ends at 0 */
		s->turn = s->base;
		if (s->cuts)
			find_cuts(s, n);
		size_t k = gather(s, n, ends);
		if (left <= DS_SCAN_WORDS * 64) {
			s->ended = true;
			ends[k++] = (uint32_t)s->n;
		} else {
			slide(s);
		}
		if (k) {
			s->given = ends[k - 1];
			return k;
		}
	}
	return 0;
}
