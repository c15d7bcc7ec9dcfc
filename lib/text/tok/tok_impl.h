/*
 * tok_impl.h - what is inside a tokenizer; for the files of this folder only
 *
 * Readers of file formats make one with ds_tok_new, add ids and merges, and ds_tok_finish builds the
 * tables that encoding needs. All memory is the tokenizer's own, freed by ds_tok_close.
 */
#ifndef DS_TEXT_TOK_TOK_IMPL_H
#define DS_TEXT_TOK_TOK_IMPL_H

#include "base/arena.h"
#include "base/mem.h"
#include "text/tok/scan.h"
#include "text/tok/tok.h"

#include <stdatomic.h>

typedef enum {
	TOK_BPE,
	TOK_WORDPIECE,
	TOK_SP_BPE,
	TOK_UNIGRAM,
	TOK_CHAIN_BPE, /* of characters; this and what follows: see chain.h */
	TOK_CHAIN_WORDPIECE,
	TOK_CHAIN_UNIGRAM,
	TOK_CHAIN_WORDS,
} tok_kind;

typedef enum {                /* how the file was written; the numbers are in optional blocks */
	TOK_FILE_COMPACT = 0, /* compact.c; the built-in one */
	TOK_FILE_HF = 1,      /* tokenizer.json */
	TOK_FILE_RANKS = 2,   /* tiktoken */
	TOK_FILE_VOCAB = 3,   /* BERT's vocab.txt */
	TOK_FILE_SP = 4,      /* SentencePiece's .model */
} tok_format;

typedef struct { /* a token that is found in the text before anything else */
	uint32_t id;
	bool special, lstrip, rstrip, single_word, normalized;
	ds_str content;
} tok_added;

typedef struct { /* a post-processor's sequence: ids before and after the text */
	uint32_t *before, *after;
	size_t n_before, n_after;
} tok_template;

typedef struct { /* the same for two texts: before the first, between them, after the second */
	uint32_t *ids[3];
	uint8_t *types[3];
	size_t n[3];
	uint8_t type[2]; /* of the texts */
	bool given;
} tok_pair;

typedef struct { /* BertNormalizer's and the decoder's settings */
	bool clean, chinese, strip, lower, cleanup;
} tok_bert;

typedef struct {
	uint64_t not_key;  /* ~(left << 32 | right); 0: free */
	uint32_t rank, id; /* the lower rank is merged first */
} tok_merge;

/* Flags of an id. TOK_LETTER: an added one that is the model's token of one byte as well. */
enum { TOK_HAS = 1, TOK_ADDED = 2, TOK_SPECIAL = 4, TOK_BYTE = 8, TOK_LETTER = 16 };

struct ds_tok {
	ds_arena *mem;
	atomic_uint n_scratches; /* that refer to it */
	const char *name;
	tok_kind kind;
	tok_format format;
	ds_str file;              /* as given */
	ds_str packed;            /* the same as ds_tok_pack makes it, for the built-in one */
	const char *pattern_name; /* the option, for rank files */
	ds_str regex;             /* the same where it is not a known pattern, or of training */

	const ds_pattern *pattern;
	bool nfc, prefix_space;
	bool asked_nfc; /* by option, not by the file */
	bool whole;     /* a piece that is a token is not merged (ignore_merges, rank files) */
	tok_template post;
	tok_pair pair;
	struct tok_sp *sp;       /* sentencepiece.h; NULL for others */
	struct tok_chain *chain; /* chain.h; NULL: the fast path does all */
	tok_bert bert;           /* wordpiece.c */
	uint32_t max_chars;      /* longer words are unknown */
	size_t longest;          /* bytes of the longest token */
	tok_added *added;
	size_t n_added, cap_added;
	bool any_plain_added;   /* added tokens that are not special: always looked for */
	tok_added *by_length;   /* the same by first byte, the longest first */
	uint32_t added_at[257]; /* where those of a first byte begin in it */

	ds_str *bytes; /* by id */
	uint8_t *flags;
	uint32_t n_ids, cap_ids;
	uint64_t *find; /* by hash of their bytes: its upper half << 32 | id + 1; 0: free */
	size_t find_mask;
	uint32_t special[DS_TOK_N_SPECIAL];

	uint32_t (*pairs)[2]; /* merges in order: left, right; what they give is in pair_id */
	uint32_t *pair_id;
	uint32_t *pair_rank; /* NULL: the pair's number */
	size_t n_pairs, cap_pairs;
	tok_merge *merges;
	size_t merge_mask;
	uint64_t *merge_bits; /* hashes of pairs that merge: most others are not looked for */
	unsigned merge_shift;
	uint64_t *byte_pairs;  /* rank << 32 | id of two single bytes; UINT64_MAX: none */
	uint32_t byte_id[256]; /* DS_TOK_NONE: this byte has no token */
	ds_cuts *cuts;         /* see cuts.c; NULL: pieces are not cut */

	ds_h128 identity;
};

ds_tok *ds_tok_new(const char *name);
/* Room for so many, where it is known beforehand: growing costs copies. */
void ds_tok_reserve(ds_tok *t, size_t n_ids, size_t n_pairs);
/* Bytes are copied. A second use of an id is DS_BAD; so is an id over the limit. */
DS_MUST ds_rc ds_tok_put(ds_tok *t, uint32_t id, ds_str bytes, unsigned flags, ds_err *e);
void ds_tok_put_added(ds_tok *t, const tok_added *a); /* content is copied; none: the id's bytes */
void ds_tok_put_merge(ds_tok *t, uint32_t left, uint32_t right, uint32_t id);
void ds_tok_put_merge_ranked(ds_tok *t, uint32_t left, uint32_t right, uint32_t id, uint32_t rank);
void ds_tok_build_find(ds_tok *t); /* then ds_tok_lookup works; again after more ids */
uint32_t ds_tok_lookup(
	const ds_tok *t, ds_str bytes);             /* among ids that are not added; DS_TOK_NONE */
void ds_tok_foresee(const ds_tok *t, ds_str bytes); /* it will be asked for soon */
void ds_tok_name_bytes(ds_tok *t); /* which ids the 256 bytes have; part of ds_tok_finish */
/* The table of merges, for a reader that needs it before ds_tok_finish makes it (of what was put). */
void ds_tok_merges_begin(ds_tok *t, size_t n_merges);
void ds_tok_merges_add(ds_tok *t, uint32_t left, uint32_t right, uint32_t id, uint32_t rank);
DS_MUST ds_rc ds_tok_finish(ds_tok *t, ds_err *e);
void ds_tok_identify(ds_tok *t); /* anew, when special ids were set after that */

static inline uint64_t tok_hash_pair(uint64_t key)
{
	return (key ^ key >> 29) * 0x9e3779b97f4a7c15u; /* the upper half is good */
}

/* Where the search for a pair begins. */
static inline const tok_merge *tok_merge_at(const ds_tok *t, uint32_t left, uint32_t right)
{
	return &t->merges[tok_hash_pair((uint64_t)left << 32 | right) >> 32 & t->merge_mask];
}

static inline const tok_merge *tok_merge_of(const ds_tok *t, uint32_t left, uint32_t right)
{
	uint64_t key = (uint64_t)left << 32 | right, hash = tok_hash_pair(key);
	size_t bit = hash >> t->merge_shift, at = hash >> 32 & t->merge_mask;
	if (!(t->merge_bits[bit >> 6] >> (bit & 63) & 1))
		return NULL;
	while (t->merges[at].not_key != ~key) {
		if (t->merges[at].not_key == 0)
			return NULL;
		at = (at + 1) & t->merge_mask;
	}
	return &t->merges[at];
}

/* bpe.c: one piece to ids; out has room for n. The number of ids is returned. */
typedef struct bpe_mem bpe_mem;
bpe_mem *ds_bpe_mem_new(void);
void ds_bpe_mem_free(bpe_mem *m);
/* ids in place, whatever made them; there are k. */
size_t ds_bpe_ids(const ds_tok *t, bpe_mem *m, uint32_t *ids, size_t k);
size_t ds_bpe_piece(const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *out);
/* Of characters of three bytes: their pieces will be asked for soon. */
void ds_bpe_foresee(const ds_tok *t, const bpe_mem *m, const uint8_t *p, size_t n);

/* added.c */
void ds_added_build(ds_tok *t);
/*
 * A walk over the added tokens of a text: start with { 0 }. What one takes of the text may lie before
 * `from`, the end of what the one before took with the white space behind it: tokens of white space are
 * found within that too, as by the reference.
 */
typedef struct {
	size_t from;       /* where the text begins that no token has taken */
	size_t look;       /* where the next token may begin */
	size_t begin, end; /* what the token takes; the text before it ends at text_end */
	size_t text_end;
} added_walk;
/* The next token, NULL: none, and text_end is the text's. Then from = end before the next call. */
const tok_added *ds_added_next(
	const ds_tok *t, ds_str text, added_walk *w, bool specials, bool normalized);

/* cuts.c: places inside a piece that no token crosses, so that both sides can be encoded apart. */
void ds_cuts_build(ds_tok *t);
/* Length of the part at the front of p (n > 0 bytes) up to the first such place. */
size_t ds_cuts_next(const ds_tok *t, const uint8_t *p, size_t n);
/* Whether p is characters, and a token that crosses from one into the next has both as a whole. */
bool ds_cuts_apart(const ds_tok *t, const uint8_t *p, size_t n);

/* compact.c: tokenizers as `dstok train` makes them, and their small form. */
DS_MUST ds_rc ds_tok_put_special(ds_tok *t, ds_str name, ds_err *e); /* with the next id */
DS_MUST ds_rc ds_tok_put_bytes(ds_tok *t, ds_err *e); /* the 256 bytes, with the next ids */
DS_MUST ds_rc ds_compact_read(ds_tok *t, ds_str bytes, ds_err *e);
void ds_compact_write(const ds_tok *t, ds_buf *out);
bool ds_compact_fits(const ds_tok *t);          /* it is such a tokenizer */
extern const unsigned char ds_builtin_packed[]; /* builtin_data.c: zstd around the small form */
extern const unsigned ds_builtin_bytes, ds_builtin_raw;

/* hf_post.c: appends one id to what stands in place 0, 1 or 2 of a pair. */
void ds_tok_pair_put(ds_tok *t, unsigned place, uint32_t id, uint8_t type);

/* Readers and writers of formats. */
DS_MUST ds_rc ds_hf_read(ds_tok *t, ds_str json, ds_err *e);
DS_MUST ds_rc ds_hf_write(const ds_tok *t, ds_buf *out, ds_err *e);
DS_MUST ds_rc ds_ranks_read(ds_tok *t, ds_str file, ds_err *e);
DS_MUST ds_rc ds_vocab_read(ds_tok *t, ds_str file, ds_err *e);
/* What BERT's tokenizers have beside their vocabulary, by t->pattern. DS_USAGE: no [UNK]. */
DS_MUST ds_rc ds_vocab_like_bert(ds_tok *t, ds_err *e);
/* gpt2_read.c: whether a JSON file is a vocabulary alone, and what it and its merges are together. */
bool ds_gpt2_is_vocab(ds_str file);
DS_MUST ds_rc ds_gpt2_join(ds_str vocab, ds_str merges, ds_buf *out, ds_err *e);
DS_MUST ds_rc ds_sp_read(ds_tok *t, ds_str file, ds_err *e);

/* GPT-2's mapping of bytes to printable characters, which tokenizer.json uses. */
extern const uint16_t ds_tok_char_of_byte[256];
/* Undoes it: bytes of a token spelled so into out (at least s.n bytes); false where it is not. */
bool ds_tok_unspell(ds_str s, char *out, size_t *n);
void ds_tok_spell(ds_str bytes, ds_buf *out); /* UTF-8, appended */

#endif
