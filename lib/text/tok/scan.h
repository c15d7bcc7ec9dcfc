/*
 * scan.h - cuts text into the pieces that a tokenizer's pattern finds
 *
 * Text is turned into bit masks, one bit a byte and one mask a kind of character, 4 KiB a turn; a
 * pattern then finds where pieces begin by shifts and carries over whole words, without a branch a
 * character. Patterns whose rules do not fit masks give the length of the next piece instead. Every
 * byte belongs to exactly one piece, invalid UTF-8 included: such a byte is a character of its own
 * and counts as punctuation.
 *
 * A ds_scan is a plain value for one text and one thread; the text stays with the caller.
 */
#ifndef DS_TEXT_TOK_SCAN_H
#define DS_TEXT_TOK_SCAN_H

#include "base/str.h"
#include "text/tok/category.h"

enum {
	DS_SCAN_WORDS = 64,                      /* of 64 bytes, a turn */
	DS_SCAN_PIECES = DS_SCAN_WORDS * 64 + 1, /* the most that one turn can give */
};

typedef enum {
	DS_IS_LETTER,
	DS_IS_DIGIT,
	DS_IS_PUNCT, /* neither letter nor number nor white space */
	DS_IS_SPACE, /* U+0020 */
	DS_IS_BLANK, /* other white space but CR and LF */
	DS_IS_LINE,  /* CR and LF */
	DS_IS_CONT,  /* 2nd to 4th bytes of characters, beside the character's own kind */
	DS_IS_QUOTE, /* U+0027, beside PUNCT */
	/* For patterns that are `cased`, beside LETTER (marks are letters there) and PUNCT: */
	DS_IS_UPPER, /* capitals and title case */
	DS_IS_LOWER, /* small letters */
	DS_IS_SLASH, /* U+002F */
	DS_N_KINDS
} ds_scan_kind;

typedef struct ds_scan ds_scan;

typedef struct ds_pattern {
	const char *name;
	const char *const *regexes; /* as files spell it, the first as we write it; NULL-ended */
	bool words;                 /* for WordPiece; the others are for byte-level BPE */
	bool sequence;              /* the regexes are one after the other, not spellings of one */
	bool cased;                 /* wants the kinds that are for such */
	/* One of the two: marks the pieces' first bytes of words 1…n_words in s->start, or gives the
	 * length of the piece at the front of n > 0 bytes. A cased pattern has both. */
	void (*starts)(ds_scan *s, unsigned n_words);
	size_t (*next)(const uint8_t *p, size_t n);
} ds_pattern;

const ds_pattern *ds_pattern_find(const char *name); /* NULL: none of that name */
const ds_pattern *ds_pattern_of_regex(ds_str regex); /* NULL: not one that we know */
const ds_pattern *ds_pattern_of_sequence(const ds_str *regexes, size_t n); /* the same */
const ds_pattern *ds_pattern_at(size_t i); /* in the order of patterns.def; NULL: the end */

struct ds_scan {
	const uint8_t *text;
	size_t n;
	const ds_pattern *pattern;
	size_t base; /* offset of word 1 */
	bool ended;
	unsigned skip; /* bytes of word `filled` that belong to a character of the one before */
	ds_scan_kind skip_kind, skip_case;
	unsigned filled; /* words classified so far beyond base */
	bool hard;       /* cased: masks do not tell what comes; by length from here on */
	unsigned run;    /* for the pattern: digits so far in this group */
	size_t given;    /* the end of the last piece given */
	/* Of the user, set after ds_scan_begin: pairs of characters between which pieces are not cut further
	 * (cuts.c). NULL: no piece is. */
	const struct ds_cuts *cuts;
	bool any_cut;      /* in this turn; where, is in `cut` */
	size_t turn;       /* offset of word 1 of the turn that was given */
	size_t contracted; /* cased: where the last contraction ended */
	uint64_t small;    /* cased: of the last word, small letters and what goes on after them */
	/* Word 0 is what came before, the last one what comes after. */
	uint64_t is[DS_N_KINDS][DS_SCAN_WORDS + 2];
	uint64_t start[DS_SCAN_WORDS + 2];
	uint64_t extra[DS_SCAN_WORDS + 2],
		clear[DS_SCAN_WORDS + 2];  /* marks set ahead of their word */
	uint64_t three[DS_SCAN_WORDS + 2]; /* first bytes of letters of three bytes */
	uint64_t cut[DS_SCAN_WORDS + 2];
	uint64_t attached[DS_SCAN_WORDS +
			  2]; /* for the pattern: line ends that belong to punctuation */
};

/*
 * Which characters stand next to each other in some token: a bitmap over hashed pairs (a collision only
 * loses a cut). Where a token begins or ends inside a character, the pair is of the bytes that it has of
 * that one, and the two bytes at the boundary are noted, so that such pairs are seldom looked for.
 */
enum { DS_CUT_BITS = 20 }; /* 128 KiB: 5% of cuts lost to collisions with Qwen's 50,000 pairs */
typedef struct ds_cuts {
	uint64_t pairs[(1 << DS_CUT_BITS) / 64], parts[65536 / 64];
} ds_cuts;

static inline bool ds_cuts_bit(const uint64_t *m, uint32_t i)
{
	return m[i >> 6] >> (i & 63) & 1;
}
/* Characters as their bytes, little-endian. */
static inline uint32_t ds_cuts_hash(uint32_t left, uint32_t right)
{
	return (left * 0x9e3779b1u ^ right * 0x85ebca6bu) >> (32 - DS_CUT_BITS);
}
static inline bool ds_cuts_pair(const ds_cuts *c, uint32_t left, uint32_t right)
{
	return ds_cuts_bit(c->pairs, ds_cuts_hash(left, right));
}

/* Whether a token crosses from one character into the next that begins or ends inside one of them. */
bool ds_cuts_partly(
	const ds_cuts *c, uint32_t left, unsigned n_left, uint32_t right, unsigned n_right);
static inline bool ds_cuts_inside(
	const ds_cuts *c, uint32_t left, unsigned n_left, uint32_t right, unsigned n_right)
{
	uint32_t at = left >> 8 * (n_left - 1) << 8 | (right & 0xff);
	return ds_cuts_bit(c->parts, at) && ds_cuts_partly(c, left, n_left, right, n_right);
}

void ds_scan_begin(ds_scan *s, const ds_pattern *p, const void *text, size_t n); /* n < 4 GiB */
/* Where the next pieces end, ascending, the last one being n; 0 when there are no more. */
size_t ds_scan_next(ds_scan *s, uint32_t ends[DS_SCAN_PIECES]);

/* What one word of ASCII looks like; high: bytes over 0x7f, lead2/lead3: the leads of letters' blocks, and
 * lead4e: leads of U+4000-4FFF before a byte that makes it U+4E00 or more. */
typedef struct {
	uint64_t letter, upper, digit, space, blank, line, quote, slash;
	uint64_t high, cont, lead2, lead3, lead4e;
} ds_scan_raw;
typedef void ds_scan_classify(const uint8_t *p, size_t n_words, ds_scan_raw *out);
ds_scan_classify ds_scan_classify_scalar, ds_scan_classify_avx2, ds_scan_classify_avx512;

/* For patterns: a mask moved by k < 64 bytes, so that bit i tells of byte i - k or i + k. */
static inline uint64_t ds_mask_before(const uint64_t *m, unsigned w, unsigned k)
{
	return m[w] << k | m[w - 1] >> (64 - k);
}
static inline uint64_t ds_mask_after(const uint64_t *m, unsigned w, unsigned k)
{
	return m[w] >> k | m[w + 1] << (64 - k);
}
static inline void ds_mask_set(uint64_t *m, size_t bit)
{
	m[bit >> 6] |= 1ULL << (bit & 63);
}

#endif
