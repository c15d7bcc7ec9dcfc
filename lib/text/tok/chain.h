/*
 * chain.h - tokenizer.json in full: normalizers, pre-tokenizers, models and decoders as lists of steps
 *
 * What the fast path of encode.c does not know goes this way: each step is done as Hugging Face's
 * tokenizers does it, on whole texts; the pieces at the end go through the word cache like all others.
 * Steps never change once read. A regex's working memory is a thread's own, in chain_mem.
 */
#ifndef DS_TEXT_TOK_CHAIN_H
#define DS_TEXT_TOK_CHAIN_H

#include "json/json.h"
#include "text/regex.h"
#include "text/tok/tok_impl.h"
#include "text/unicode.h"

typedef enum {
	STEP_FORM, /* normalizers */
	STEP_LOWER,
	STEP_STRIP,
	STEP_ACCENTS,
	STEP_PREPEND,
	STEP_REPLACE,
	STEP_PRECOMPILED,
	STEP_BERT,
	STEP_NMT,
	STEP_SPELL,
	STEP_SPLIT, /* pre-tokenizers */
	STEP_METASPACE,
	STEP_FIXED,
	STEP_BYTES,
	STEP_JOIN_BYTES, /* decoders; Replace and Strip as well */
	STEP_WORDPIECE,
	STEP_SPACES,
	STEP_SUFFIX,
	STEP_CTC,
	STEP_FUSE,
	STEP_TRIM,
	STEP_FALLBACK,
} step_kind;

typedef enum {
	BY_REGEX,
	BY_WHITE,
	BY_PUNCT,
	BY_NUMBER,
} match_by;

typedef enum {
	SPLIT_REMOVED,
	SPLIT_ISOLATED,
	SPLIT_WITH_PREVIOUS,
	SPLIT_WITH_NEXT,
	SPLIT_CONTIGUOUS,
} split_how;

typedef enum { PREPEND_NEVER, PREPEND_FIRST, PREPEND_ALWAYS } prepend_when;

typedef struct {
	step_kind kind;
	ds_form form;
	bool left, right, flag; /* Strip's sides; flag: invert, cleanup, add_prefix_space, split */
	tok_bert bert;
	match_by by;
	split_how how;
	prepend_when when;
	ds_regex *regex;
	unsigned run; /* its number in chain_mem */
	ds_str text, other;
	size_t start, stop; /* of Strip as a decoder; FixedLength's length */
	struct tok_sp *map; /* Precompiled */
} chain_step;

typedef struct {
	chain_step *at;
	size_t n, cap;
} step_list;

struct tok_chain {
	step_list norm, split, decode;
	bool bytes; /* pieces become bytes and the vocabulary is spelled in GPT-2's characters */
	bool has_decoder; /* none: tokens are joined by spaces */
	bool fuse_unk, byte_fallback, bounded;
	bool renamed;          /* an added token is another in normalized text */
	ds_str prefix, suffix; /* of pieces within a word, and at its end */
	uint32_t byte_piece[256];
	bool has_bytes;      /* all 256 of them */
	double *score;       /* Unigram */
	struct tok_sp *trie; /* the same */
	double unk_score;
	unsigned n_runs;
	ds_h128 hash; /* of what the file says of it */
};

typedef struct chain_mem chain_mem;
chain_mem *ds_chain_mem_new(const ds_tok *t); /* NULL where it has no chain */
void ds_chain_mem_free(chain_mem *m);
void ds_chain_free(ds_tok *t);

/* hf_chain.c: reading; root is the whole file. */
DS_MUST ds_rc ds_chain_read_normalizer(ds_tok *t, const ds_json *root, ds_err *e);
DS_MUST ds_rc ds_chain_read_splits(ds_tok *t, const ds_json *root, ds_err *e);
DS_MUST ds_rc ds_chain_read_decoder(ds_tok *t, const ds_json *root, ds_err *e);
chain_step *ds_chain_add(step_list *list, step_kind kind);

/* hf_model.c: bytes cut by a regex as Rust spells it, for rank files. */
DS_MUST ds_rc ds_chain_of_regex(ds_tok *t, ds_str regex, ds_err *e);

/* chain_norm.c */
DS_MUST ds_rc ds_chain_normalize(const ds_tok *t, chain_mem *m, ds_str text, ds_arena *mem,
	ds_str *out, bool *moved,
	ds_err *e); /* moved: its first character is not the text's first */
DS_MUST ds_rc ds_chain_replace(
	ds_regex_run *run, ds_str text, ds_str with, ds_arena *mem, ds_str *out, ds_err *e);
ds_regex_run *ds_chain_run(chain_mem *m, const chain_step *s);

/* chain_split.c: pieces in order; first: the text's first character is the first of them. */
typedef struct {
	ds_str text;
	bool first;
} chain_piece;
DS_MUST ds_rc ds_chain_pieces(const ds_tok *t, chain_mem *m, chain_piece text, ds_arena *mem,
	const chain_piece **out, size_t *n, ds_err *e);

/* chain_model.c: ids of one piece, at most as many as it has bytes, and one. */
size_t ds_chain_encode(const ds_tok *t, ds_arena *mem, bpe_mem *bpe, ds_str piece, uint32_t *out);
/* Decoding is nothing but joining the tokens' bytes; so it is where bytes have no decoder named. */
static inline bool chain_joins(const ds_tok *t)
{
	const step_list *d = &t->chain->decode;
	return t->chain->bytes && !t->chain->renamed &&
	       (d->n == 0 || (d->n == 1 && d->at[0].kind == STEP_JOIN_BYTES));
}
/* ds_chain_decode.c */
DS_MUST ds_rc ds_chain_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e);

#endif
