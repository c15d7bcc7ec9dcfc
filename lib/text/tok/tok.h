/*
 * tok.h - tokenizers: text to ids and back
 *
 * A ds_tok is read once, never changes and serves any number of threads; what changes while encoding
 * (word cache, buffers) is in a ds_tok_scratch, one a thread. Ids equal those of the tokenizer's
 * reference implementation on every input; text may be any bytes, no UTF-8 is demanded. Files are
 * recognised by content. What is contradictory in one is DS_BAD and named by its path in the JSON
 * ("model.merges[3]") or its line.
 */
#ifndef DS_TEXT_TOK_TOK_H
#define DS_TEXT_TOK_TOK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

typedef struct ds_tok ds_tok;
typedef struct ds_tok_scratch ds_tok_scratch;

enum { DS_TOK_NONE = UINT32_MAX }; /* no such id */
enum { DS_TOK_MAX_IDS = 1 << 24 }; /* more is refused */

typedef enum {
	DS_TOK_PAD,
	DS_TOK_BOS,
	DS_TOK_EOS,
	DS_TOK_MASK,
	DS_TOK_CLS,
	DS_TOK_SEP,
	DS_TOK_UNK,
	DS_TOK_N_SPECIAL
} ds_tok_special_kind;

typedef struct { /* behaviour that the file does not say itself; all zero: as the file says */
	const char *pattern; /* a name from patterns.def; needed for tiktoken rank files */
	bool nfc;            /* normalize before splitting, for files without a normalizer */
} ds_tok_options;

/*
 * A file, or a folder with tokenizer.json or the files of older layouts in it (tokenizer_config.json, or
 * special_tokens_map.json where that says nothing, names bos, eos and so on; null is none).
 * path NULL: $DS_TOKENIZER, else the built-in one. options NULL: none.
 */
DS_MUST ds_rc ds_tok_open(ds_tok **t, const char *path, const ds_tok_options *options, ds_err *e);
bool ds_tok_in_folder(const char *path); /* is there one? */
DS_MUST ds_rc ds_tok_parse(ds_tok **t, ds_str file, const ds_tok_options *options, ds_err *e);
DS_MUST ds_rc ds_tok_builtin(ds_tok **t, ds_err *e);
void ds_tok_close(ds_tok *t); /* NULL is fine */

/* What DS_OPT_TOKENIZER carries: the file as given, its format and options; and back. */
DS_MUST ds_rc ds_tok_pack(const ds_tok *t, ds_buf *out, ds_err *e);
DS_MUST ds_rc ds_tok_unpack(ds_tok **t, ds_str opt_bytes, ds_err *e);

/* As tokenizer.json: the file itself where it was one, else the same tokenizer written that way. */
DS_MUST ds_rc ds_tok_json(const ds_tok *t, ds_buf *out, ds_err *e);

uint32_t ds_tok_size(const ds_tok *t);                              /* largest id + 1 */
uint32_t ds_tok_special(const ds_tok *t, ds_tok_special_kind kind); /* DS_TOK_NONE: it has none */
uint32_t ds_tok_find(
	const ds_tok *t, ds_str name); /* an added token by name, or a token by bytes */
/* Before anybody uses it: another token is bos, eos and so on. That makes it another tokenizer. */
void ds_tok_set_special(ds_tok *t, ds_tok_special_kind kind, uint32_t id);
bool ds_tok_is_special(const ds_tok *t, uint32_t id);
ds_str ds_tok_bytes(const ds_tok *t,
	uint32_t id); /* what it stands for; empty for unknown ids; lives as t does */
ds_h128 ds_tok_identity(const ds_tok *t); /* of what it does, not of its file */
/* Have they one identity, or has the one as tokenizer.json that of the other? */
DS_MUST ds_rc ds_tok_same(const ds_tok *a, const ds_tok *b, bool *same, ds_err *e);
const char *ds_tok_model(const ds_tok *t);   /* "bpe" "wordpiece" "unigram" */
const char *ds_tok_pattern(const ds_tok *t); /* "qwen2", or "" */
const char *ds_tok_name(const ds_tok *t);    /* the file's name, or "built-in" */

enum {
	DS_TOK_SPECIALS = 1,    /* special tokens' names in the text become those tokens */
	DS_TOK_ADD_SPECIAL = 2, /* what the tokenizer's own post-processor adds (CLS, SEP, BOS) */
	DS_TOK_INSIDE =
		4, /* other tokens come before: nothing that is done at a text's beginning alone */
};

/* 2.5 MiB, up to 40 with the words of the text. It refers to t and must be freed before it (asserted). */
ds_tok_scratch *ds_tok_scratch_new(const ds_tok *t);
void ds_tok_scratch_free(ds_tok_scratch *s);
/* *ids lives until the next call with this scratch. */
DS_MUST ds_rc ds_tok_encode(const ds_tok *t, ds_tok_scratch *s, ds_str text, unsigned flags,
	const uint32_t **ids, size_t *n, ds_err *e);
/*
 * One or two texts, encoded without special ids, as the tokenizer's post-processor joins them, in mem. Types are
 * 0 at the first text and 1 at the second one, unless the post-processor says otherwise. Where there
 * are more than limit ids, the texts are cut at their ends: the longer one first, or the one that is named;
 * DS_BAD where that is not enough.
 */
typedef struct {
	const uint32_t *ids;
	size_t n;
} ds_tok_text;
typedef enum { DS_TOK_CUT_LONGEST, DS_TOK_CUT_FIRST, DS_TOK_CUT_SECOND } ds_tok_cut;
typedef struct {
	bool add_special;
	size_t limit; /* 0: none */
	ds_tok_cut cut;
} ds_tok_join_options;
typedef struct {
	uint32_t *ids;
	uint8_t *types;
	size_t n, n_cut; /* n_cut: ids of the texts that were left out */
	size_t at[2];    /* where the texts begin */
} ds_tok_joined;
DS_MUST ds_rc ds_tok_join(const ds_tok *t, const ds_tok_text *texts, unsigned n_texts,
	const ds_tok_join_options *o, ds_arena *mem, ds_tok_joined *out, ds_err *e);
/*
 * Where in the text each token comes from, begin and end in bytes, 2 n numbers in out. tokens are what
 * ds_tok_encode gave without DS_TOK_ADD_SPECIAL; specials: with DS_TOK_SPECIALS. Only where
 * ds_tok_has_offsets: not for a tokenizer.json with normalizers that are followed step by step.
 */
bool ds_tok_has_offsets(const ds_tok *t);
DS_MUST ds_rc ds_tok_offsets(const ds_tok *t, ds_str text, bool specials, const ds_tok_text *tokens,
	ds_arena *mem, uint32_t *out, ds_err *e);
/* Appends to out; special tokens as their names unless skip_special. DS_BAD: "id 70000 is not in the tokenizer". */
DS_MUST ds_rc ds_tok_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e);

DS_AUTO_WITH(ds_tok, ds_tok_close)
DS_AUTO_WITH(ds_tok_scratch, ds_tok_scratch_free)

#endif
