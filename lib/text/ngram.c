/*
 * ngram.c - ASCII is classified 64 bytes at a time, the rest by table
 *
 * An ASCII unit is hashed where it lies in the text: its letters and digits are lower-cased by setting
 * one bit. Bound by the words: about 4 ns each, of which a third is the hash. A run with other
 * characters is read again from its start, a character at a time, into a window of 32 bytes.
 */
#include "text/ngram.h"

#include "base/mem.h"
#include "text/units_impl.h"
#include "text/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* K0 holds 0xff bytes, which no valid text has, so v ^ h is not zero at first. */
#define K0 UINT64_C(0xff51afd7ed558cff)
#define K1 UINT64_C(0x9e3779b97f4a7c15)
#define M UINT64_C(0xd6e8feb86659fd93)
#define C UINT64_C(0xa0761d6478bd642f)

struct ds_ngram {
	ds_unit mode;
	unsigned n;
	uint64_t power; /* M^n: takes the oldest unit out of the sum */
	const uint8_t *at, *end;
	const uint8_t *open; /* start of the ASCII run that at is in, or NULL */
	const uint8_t *text;
	const uint8_t *op, *op_end; /* the operator that at comes to next, or NULL */
	uint64_t sum, n_seen;
	size_t n_units;
	uint64_t units[DS_NGRAM_MAX + DS_NGRAM_BATCH]; /* the last n, then the new ones */
};

ds_ngram *ds_ngram_new(ds_unit unit, unsigned n)
{
	ds_ngram *g = DS_NEW(ds_ngram, 1);
	g->mode = unit;
	g->n = n;
	g->power = 1;
	for (unsigned i = 0; i < n; i++)
		g->power *= M;
	return g;
}

void ds_ngram_free(ds_ngram *g)
{
	ds_mem_free(g);
}

void ds_ngram_start(ds_ngram *g, ds_str text)
{
	g->at = g->text = (const uint8_t *)text.at;
	g->end = g->at + text.n;
	g->open = g->op = NULL;
	g->sum = 0;
	g->n_seen = 0;
	memset(g->units, 0, DS_NGRAM_MAX * sizeof(*g->units));
}

uint64_t ds_ngram_units(const ds_ngram *g)
{
	return g->n_seen;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t p = (__uint128_t)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t hash_step(uint64_t h, uint64_t v, uint64_t w)
{
	return fold(v ^ h, w ^ K1);
}

static inline void put(ds_ngram *g, uint64_t hash)
{
	g->units[DS_NGRAM_MAX + g->n_units++] = hash;
}

/* Masks for the first n bytes of 16 begin at ones + 16 - n. */
static const uint8_t ones[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff };
#define LOWER UINT64_C(0x2020202020202020)

static inline uint64_t hash_last(uint64_t h, const uint8_t *p, size_t n, uint64_t set)
{
	const uint8_t *mask = ones + 16 - n;
	return hash_step(
		h, (load64(p) | set) & load64(mask), (load64(p + 8) | set) & load64(mask + 8));
}

static inline void put_ascii(ds_ngram *g, const uint8_t *p, size_t n)
{
	uint64_t h = K0;
	for (; __builtin_expect(n > 16, 0); p += 16, n -= 16)
		h = hash_step(h, load64(p) | LOWER, load64(p + 8) | LOWER);
	if (__builtin_expect((size_t)(g->end - p) < 16, 0)) {
		uint8_t copy[16] = { 0 }; /* nothing behind the text is touched */
		memcpy(copy, p, n);
		put(g, hash_last(h, copy, n, LOWER));
		return;
	}
	put(g, hash_last(h, p, n, LOWER));
}

static inline unsigned class_of(const ds_ngram *g, unsigned e)
{
	unsigned class = e & DS_UNITS_CLASS;
	if (class == 3)
		return g->mode == DS_UNIT_LETTERS ? 0 : 3;
	if (g->mode == DS_UNIT_AUTO || g->mode == DS_UNIT_LETTERS || !class)
		return class;
	return g->mode == DS_UNIT_WORD ? 1 : 2;
}

/* The lower-case form of a character in the low bytes of a word; *n its length. */
static inline uint64_t lower(uint32_t c, unsigned e, unsigned *n)
{
	uint8_t b[8] = { 0 };
	*n = ds_utf8_put(b, ds_units_lower(c, e));
	return load64(b);
}

/* A run from p on that is not ASCII alone; leaves at behind it. */
static void put_run(ds_ngram *g, const uint8_t *p)
{
	uint8_t window[32] = { 0 };
	size_t fill = 0;
	uint64_t h = K0;
	while (p < g->end) {
		uint32_t c;
		unsigned n = ds_utf8_get(p, g->end, &c), m;
		if (!n)
			break;
		unsigned e = ds_units_entry(c);
		if (class_of(g, e) != 1)
			break;
		uint64_t v = lower(c, e, &m);
		memcpy(window + fill, &v, 8);
		fill += m;
		p += n;
		if (fill > 16) { /* the last block is hashed below, full or not */
			h = hash_step(h, load64(window), load64(window + 8));
			memmove(window, window + 16, 16);
			fill -= 16;
		}
	}
	put(g, hash_last(h, window, fill, 0));
	g->at = p;
}

/* The bit of every ASCII letter and digit among 64 bytes, of every byte that is not ASCII, and of what else is seen. */
static inline void classify(const uint8_t *p, uint64_t *word, uint64_t *high, uint64_t *sign)
{
	*word = *high = *sign = 0;
#ifdef __SSE2__
	for (unsigned i = 0; i < 4; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
		__m128i l = _mm_or_si128(v, _mm_set1_epi8(0x20));
		__m128i letter = _mm_sub_epi8(l, _mm_set1_epi8('a')),
			digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
		/* SSE2 compares signed bytes only: x <= n is min(x, n) == x. */
		letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
		digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
		*word |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(letter, digit))
			 << 16 * i;
		*high |= (uint64_t)(unsigned)_mm_movemask_epi8(v) << 16 * i;
		*sign |=
			(uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_set1_epi8(' ')))
			<< 16 * i;
	}
#else
	for (unsigned i = 0; i < 64; i++) {
		*word |= (uint64_t)((uint8_t)((p[i] | 0x20) - 'a') < 26 ||
				    (uint8_t)(p[i] - '0') < 10)
			 << i;
		*high |= (uint64_t)(p[i] >> 7) << i;
		*sign |= (uint64_t)(p[i] > ' ' && p[i] < 0x80) << i;
	}
#endif
	*sign &= ~*word;
}

/* Characters that operators are made of. */
static const uint8_t op[256] = { ['!'] = 1,
	['#'] = 1,
	['$'] = 1,
	['%'] = 1,
	['&'] = 1,
	['*'] = 1,
	['+'] = 1,
	['-'] = 1,
	['/'] = 1,
	['<'] = 1,
	['='] = 1,
	['>'] = 1,
	['@'] = 1,
	['\\'] = 1,
	['^'] = 1,
	['|'] = 1,
	['~'] = 1 };

static inline bool is_white(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static inline bool is_word(uint8_t c)
{
	return is_digit(c) || (uint8_t)((c | 0x20) - 'a') < 26 || c >= 0x80;
}

/* What stands before p, blanks left out; a line feed where a line begins. */
static uint8_t left_of(const ds_ngram *g, const uint8_t *p)
{
	while (p > g->text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p > g->text && p[-1] != '\r' ? p[-1] : '\n';
}

static uint8_t right_of(const ds_ngram *g, const uint8_t *q)
{
	while (q < g->end && (*q == ' ' || *q == '\t'))
		q++;
	return q < g->end ? *q : '\n';
}

/* A dash is an operator as the sign of a number, and where it parts two or stands beside one. */
static bool is_minus(const ds_ngram *g, const uint8_t *p, uint8_t before, uint8_t after)
{
	if (is_digit(after))
		return !is_word(before) || is_digit(before);
	return is_white(before) && is_white(after) &&
	       (is_digit(left_of(g, p)) || is_digit(right_of(g, p + 1)));
}

/* The end of the operator that begins at p; NULL: these characters are punctuation. The one before p is none of them. */
static const uint8_t *op_end(const ds_ngram *g, const uint8_t *p)
{
	const uint8_t *q = p + 1;
	bool one_kind = true;
	for (; q < g->end && op[*q]; q++)
		one_kind &= *q == *p;
	uint8_t before = p > g->text ? p[-1] : '\n', after = q < g->end ? *q : '\n';
	/* Items, headings, comments, quotes and rules begin a line so. */
	if (is_white(before) && is_white(after) && left_of(g, p) == '\n')
		return NULL;
	if (!one_kind)
		return q;
	if (*p == '-')
		return q == p + 1 && is_minus(g, p, before, after) ? q : NULL;
	if (*p == '!')
		return q == p + 1 && !is_word(before) &&
				       (is_word(after) || after == '(' || after == '_')
			       ? q
			       : NULL;
	if (*p == '*' && is_white(before) != is_white(after)) /* emphasis */
		return NULL;
	return q;
}

/* The first operator among 64 bytes, by the bits of what may be one; 64: there is none. */
static inline unsigned find_op(ds_ngram *g, const uint8_t *p, uint64_t sign)
{
	for (; sign; sign &= sign - 1) {
		unsigned i = (unsigned)__builtin_ctzll(sign);
		if (!op[p[i]] || (p + i > g->text && op[p[(ptrdiff_t)i - 1]]))
			continue;
		const uint8_t *end = op_end(g, p + i);
		if (!end)
			continue;
		g->op = p + i;
		g->op_end = end;
		return i;
	}
	return 64;
}

static void put_op(ds_ngram *g)
{
	const uint8_t *p = g->op, *end = g->op_end;
	uint64_t h = K0;
	if (g->open)
		put_ascii(g, g->open, (size_t)(g->at - g->open));
	for (; end - p > 16; p += 16)
		h = hash_step(h, load64(p), load64(p + 8));
	uint8_t copy[16] = { 0 };
	memcpy(copy, p, (size_t)(end - p));
	put(g, hash_last(h, copy, (size_t)(end - p), 0));
	g->at = end;
	g->open = g->op = NULL;
}

/* The ASCII that at begins with, at most 64 bytes of it. At most 33 units come out. */
static void scan_ascii(ds_ngram *g)
{
	const uint8_t *p = g->at;
	size_t n = (size_t)(g->end - p) < 64 ? (size_t)(g->end - p) : 64;
	uint64_t word, high, sign;
	if (n == 64) {
		classify(p, &word, &high, &sign);
	} else {
		uint8_t copy[64] = { 0 };
		memcpy(copy, p, n);
		classify(copy, &word, &high, &sign);
	}
	if (high) {
		n = (size_t)__builtin_ctzll(high);
		word &= (high & -high) - 1;
		sign &= (high & -high) - 1;
	}
	if (sign && g->mode != DS_UNIT_LETTERS) {
		unsigned at = find_op(g, p, sign);
		n = at < n ? at : n;
		word &= at < 64 ? (UINT64_C(1) << at) - 1 : word;
	}
	/* A bit wherever a run starts or ends; beyond n nothing ends. */
	uint64_t edge = word ^ (word << 1 | (g->open != NULL));
	if (n < 64)
		edge &= (UINT64_C(1) << n) - 1;
	const uint8_t *start = g->open;
	if (start && edge) {
		put_ascii(g, start, (size_t)(p + __builtin_ctzll(edge) - start));
		edge &= edge - 1;
		start = NULL;
	}
	while (edge) {
		start = p + __builtin_ctzll(edge);
		edge &= edge - 1;
		if (!edge)
			break;
		put_ascii(g, start, (size_t)(p + __builtin_ctzll(edge) - start));
		edge &= edge - 1;
		start = NULL;
	}
	g->open = start;
	g->at = p + n;
}

/* One character outside ASCII, or the run that it begins or goes on with. */
static void scan_other(ds_ngram *g)
{
	uint32_t c;
	unsigned n = ds_utf8_get(g->at, g->end, &c);
	unsigned e = n ? ds_units_entry(c) : 0, class = n ? class_of(g, e) : 0, m;
	const uint8_t *open = g->open;
	g->open = NULL;
	if (class == 1) {
		put_run(g, open ? open : g->at);
		return;
	}
	if (open)
		put_ascii(g, open, (size_t)(g->at - open));
	if (class >= 2) {
		uint64_t v = lower(c, e, &m);
		put(g, hash_step(K0, v, 0));
	}
	g->at += n ? n : 1;
	if (class == 3 && g->end - g->at >= 3 && g->at[0] == 0xef && g->at[1] == 0xb8 &&
		(g->at[2] & 0xfe) == 0x8e)
		g->at += 3; /* U+FE0E and U+FE0F say how it is drawn */
}

static void scan_chars(ds_ngram *g)
{
	while (g->at < g->end && g->n_units < DS_NGRAM_BATCH) {
		uint32_t c;
		if (op[*g->at] && !(g->at > g->text && op[g->at[-1]]) &&
			(g->op_end = op_end(g, g->at))) {
			g->op = g->at;
			put_op(g);
			continue;
		}
		unsigned n = ds_utf8_get(g->at, g->end, &c), m;
		unsigned e = n ? ds_units_entry(c) : 0;
		if (e & DS_UNITS_CLASS) {
			uint64_t v = lower(c, e, &m);
			put(g, hash_step(K0, v, 0));
		}
		g->at += n ? n : 1;
	}
}

static void scan(ds_ngram *g)
{
	g->n_units = 0;
	if (g->mode == DS_UNIT_CHAR) {
		scan_chars(g);
		return;
	}
	while (g->at < g->end && g->n_units < DS_NGRAM_BATCH - 34) {
		if (g->op)
			put_op(g);
		else if (*g->at < 0x80)
			scan_ascii(g);
		else
			scan_other(g);
	}
	if (g->at == g->end && g->open) {
		put_ascii(g, g->open, (size_t)(g->end - g->open));
		g->open = NULL;
	}
}

static inline void give(void *out, size_t i, uint64_t sum, bool wide)
{
	uint64_t z = (sum ^ sum >> 32) * C;
	if (wide)
		((uint64_t *)out)[i] = z ^ z >> 32;
	else
		((uint32_t *)out)[i] = (uint32_t)(z >> 32);
}

static inline size_t roll(ds_ngram *g, void *out, bool wide)
{
	scan(g);
	const uint64_t *u = g->units + DS_NGRAM_MAX, *old = u - g->n;
	uint64_t sum = g->sum;
	size_t n = 0, m = g->n_units;
	size_t skip = g->n_seen < g->n - 1 ? g->n - 1 - (size_t)g->n_seen : 0;
	for (size_t i = 0; i < m; i++) {
		sum = sum * M + (u[i] - old[i] * g->power);
		if (i >= skip)
			give(out, n++, sum, wide);
	}
	g->sum = sum;
	g->n_seen += m;
	memmove(g->units, g->units + m, DS_NGRAM_MAX * sizeof(*u));
	return n;
}

size_t ds_ngram_next(ds_ngram *g, uint32_t out[DS_NGRAM_BATCH])
{
	return roll(g, out, false);
}

size_t ds_ngram_next64(ds_ngram *g, uint64_t out[DS_NGRAM_BATCH])
{
	return roll(g, out, true);
}
