/*
 * sentencepiece.h - SentencePiece models: normalized text, then merges by score (BPE) or the best path
 * (Unigram)
 *
 * As sentencepiece's processor does it: the model's own normalizer by a precompiled map, spaces as
 * U+2581, pieces of characters, bytes or one unknown id for what no piece covers.
 */
#ifndef DS_TEXT_TOK_SENTENCEPIECE_H
#define DS_TEXT_TOK_SENTENCEPIECE_H

#include "text/tok/tok_impl.h"

typedef struct { /* a node of the trie over pieces; children lie together, by byte */
	uint32_t first, n;
	uint32_t id; /* DS_TOK_NONE: no piece ends here */
	uint8_t byte;
} sp_node;

struct tok_sp {
	bool dummy_prefix, remove_extra, escape, suffix, byte_fallback;
	const uint8_t
		*map;   /* a double array (Darts) of u32 from characters to offsets in strings */
	size_t n_map;   /* units */
	ds_str strings; /* each ends with NUL */
	float *score;
	float min_score, max_score;
	uint32_t byte_piece[256];
	ds_str unk_surface;
	sp_node *trie;      /* Unigram */
	uint32_t root[256]; /* the root's child by byte, 0: none */
};

typedef struct sp_mem sp_mem; /* working memory of a scratch */
sp_mem *ds_sp_mem_new(void);
void ds_sp_mem_free(sp_mem *m);

/* The text as the model sees it, until the next call with m. */
ds_str ds_sp_normalize(const ds_tok *t, sp_mem *m, ds_str text);
/* One step of it: how many bytes, and what they become. */
size_t ds_sp_step(const struct tok_sp *sp, const uint8_t *p, size_t n, ds_str *to);
/* Unigram: the best path's ids; at most one a byte. */
size_t ds_sp_best_path(const ds_tok *t, sp_mem *m, ds_str text, uint32_t *out);
/* The children of a node and what they are: made of the pieces by settle, or by chain_model.c. */
uint32_t ds_sp_child(const struct tok_sp *sp, uint32_t node, uint8_t byte);
void ds_sp_make_trie(const ds_tok *t, struct tok_sp *sp);
/* A charsmap as files carry it: a double array and strings. */
DS_MUST ds_rc ds_sp_read_map(struct tok_sp *sp, ds_str bytes, ds_err *e);
/* What the shortest key of the map at the front of s becomes. */
bool ds_sp_shortest_key(const struct tok_sp *sp, ds_str s, ds_str *to);
/* Neighbouring unknown ids become one. */
size_t ds_sp_join_unknown(const ds_tok *t, uint32_t *ids, size_t n);
DS_MUST ds_rc ds_sp_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e);

/*
 * BPE: what stands for a character that is no piece while merging, and ids after that. Of n such
 * values, as many ids as there are bytes at most come out.
 */
static inline uint32_t sp_stand_in(const ds_tok *t, uint32_t c)
{
	return t->n_ids + c;
}
size_t ds_sp_chars_to_ids(const ds_tok *t, const uint8_t *p, size_t n, uint32_t *out);
size_t ds_sp_resolve(const ds_tok *t, uint32_t *ids, size_t n);

#endif
