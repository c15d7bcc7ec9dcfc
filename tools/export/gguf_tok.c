/*
 * gguf_tok.c - a tokenizer as llama.cpp's keys
 *
 * Everything comes from tokenizer.json, which any tokenizer can be written as. Two kinds are known: byte-level BPE with
 * one of the patterns below ("gpt2" there), and SentencePiece's BPE with bytes for what is no piece ("llama"), whose merges become
 * scores, as llama.cpp merges what gives the piece of the highest score first.
 */
#include "gguf_tok.h"

#include "base/mem.h"
#include "json/json.h"

#include <stdio.h>

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5, BYTE = 6 }; /* of a token */

typedef struct {
	gguf_file *f;
	const ds_model *m;
	const ds_json *root, *model;
	ds_arena *mem;
	uint32_t n; /* ids that the model has */
	ds_str *text;
	int32_t *type;
} job;

/* Ours and llama.cpp's names of one and the same pattern. */
static const char *pattern_name(const char *ours)
{
	static const char *const names[][2] = { { "gpt2", "gpt-2" }, { "cl100k", "dbrx" },
		{ "llama3", "llama-bpe" }, { "qwen2", "qwen2" }, { "o200k", "gpt-4o" },
		{ "deepseek", "deepseek-v3" } };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], ours) == 0)
			return names[i][1];
	return NULL;
}

/* ids that a token has, or an error that names it */
static ds_rc put(job *j, ds_str text, int64_t id, int32_t type, ds_err *e)
{
	if (id < 0 || id >= j->n)
		return ds_fail(e, DS_BAD,
			"the tokenizer's token %lld is over the model's vocabulary of %u",
			(long long)id, j->n);
	j->text[id] = text;
	j->type[id] = type;
	return DS_OK;
}

static bool is_byte(ds_str s)
{
	return s.n == 6 && memcmp(s.at, "<0x", 3) == 0 && s.at[5] == '>';
}

/* Ids without a token get a name that no text has. */
static ds_rc gather(job *j, bool bytes, ds_err *e)
{
	const ds_json *vocab = ds_json_get(j->model, "vocab");
	const ds_json *added = ds_json_get(j->root, "added_tokens");
	ds_str unknown = ds_json_text(j->model, "unk_token", "");
	j->text = ds_arena_zero(j->mem, j->n * sizeof(*j->text));
	j->type = ds_arena_zero(j->mem, j->n * sizeof(*j->type));
	for (uint32_t i = 0; i < j->n; i++) {
		j->text[i] = ds_arena_fmt(j->mem, "[PAD%u]", i);
		j->type[i] = UNUSED;
	}
	for (const ds_json *v = vocab ? vocab->first : NULL; v; v = v->next) {
		int32_t type = bytes && is_byte(v->key)              ? BYTE
			       : bytes && ds_str_eq(v->key, unknown) ? UNKNOWN
								     : NORMAL;
		DS_TRY(put(j, v->key, v->i, type, e));
	}
	for (const ds_json *v = added ? added->first : NULL; v; v = v->next) {
		ds_str text = ds_json_text(v, "content", "");
		int64_t id = ds_json_int(v, "id", -1);
		bool unk = bytes && ds_str_eq(text, unknown);
		int32_t type = unk ? UNKNOWN : ds_json_flag(v, "special", false) ? CONTROL : USER;
		DS_TRY(put(j, text, id, type, e));
	}
	gguf_texts(j->f, "tokenizer.ggml.tokens", j->n);
	for (uint32_t i = 0; i < j->n; i++)
		gguf_add_text(j->f, j->text[i]);
	gguf_i32s(j->f, "tokenizer.ggml.token_type", j->type, j->n);
	return DS_OK;
}

/* The two of a merge, "a b" or ["a", "b"]. */
static ds_str merge_pair(const ds_json *v, ds_str *right)
{
	if (v->kind == DS_J_ARR && v->n == 2) {
		*right = v->items[1]->s;
		return v->items[0]->s;
	}
	return ds_str_cut(v->s, ' ', right);
}

static ds_rc byte_level(job *j, const char *pre, ds_err *e)
{
	const ds_json *merges = ds_json_get(j->model, "merges");
	gguf_text(j->f, "tokenizer.ggml.model", DS_S("gpt2"));
	gguf_text(j->f, "tokenizer.ggml.pre", ds_str_of(pre));
	DS_TRY(gather(j, false, e));
	gguf_texts(j->f, "tokenizer.ggml.merges", merges ? merges->n : 0);
	for (const ds_json *v = merges ? merges->first : NULL; v; v = v->next) {
		ds_str right, left = merge_pair(v, &right);
		gguf_add_text(j->f, ds_arena_cat(j->mem, (ds_str[]){ left, DS_S(" "), right }, 3));
	}
	return DS_OK;
}

/* The earlier a merge, the higher the score of what it gives. */
static void piece_scores(job *j)
{
	const ds_json *merges = ds_json_get(j->model, "merges");
	const ds_tok *tok = ds_model_tok(j->m);
	float *scores = ds_arena_zero(j->mem, j->n * sizeof(*scores));
	size_t rank = 0;
	for (const ds_json *v = merges ? merges->first : NULL; v; v = v->next, rank++) {
		ds_str right, left = merge_pair(v, &right);
		ds_str whole = ds_arena_cat(j->mem, (ds_str[]){ left, right }, 2);
		uint32_t id = ds_tok_find(tok, whole);
		if (id < j->n && scores[id] == 0)
			scores[id] = -(float)(rank + 1);
	}
	for (uint32_t i = 0; i < j->n; i++)
		if (scores[i] == 0 && j->type[i] == NORMAL)
			scores[i] = -(float)(rank + 1 + i);
	gguf_f32s(j->f, "tokenizer.ggml.scores", scores, j->n);
}

/* Is this all that a SentencePiece BPE does to spaces: U+2581 for each, one in front of the text or none? */
static bool only_spaces(const ds_json *v, bool *prefix)
{
	ds_str type = ds_json_text(v, "type", "");
	const ds_json *list = ds_json_get(v, "normalizers"), *what = ds_json_get(v, "pattern");
	if (!v || v->kind == DS_J_NULL)
		return true;
	if (ds_str_is(type, "Prepend"))
		*prefix = true;
	if (ds_str_is(type, "Metaspace")) {
		*prefix = !ds_str_is(ds_json_text(v, "prepend_scheme", "always"), "never") &&
			  ds_json_flag(v, "add_prefix_space", true);
		return !ds_json_flag(v, "split", false);
	}
	for (const ds_json *s = list ? list->first : NULL; s; s = s->next)
		if (!only_spaces(s, prefix))
			return false;
	return list || ds_str_is(type, "Prepend") ||
	       (ds_str_is(type, "Replace") && ds_str_is(ds_json_text(what, "String", ""), " "));
}

static ds_rc pieces(job *j, ds_err *e)
{
	bool prefix = false;
	if (!only_spaces(ds_json_get(j->root, "normalizer"), &prefix) ||
		!only_spaces(ds_json_get(j->root, "pre_tokenizer"), &prefix))
		return ds_fail(e, DS_BAD,
			"the tokenizer changes texts first, which llama.cpp does not do for this "
			"kind");
	gguf_text(j->f, "tokenizer.ggml.model", DS_S("llama"));
	gguf_text(j->f, "tokenizer.ggml.pre", DS_S("default"));
	gguf_bool(j->f, "tokenizer.ggml.add_space_prefix", prefix);
	DS_TRY(gather(j, true, e));
	piece_scores(j);
	return DS_OK;
}

/* What the tokenizer puts around a text. */
static ds_rc around(job *j, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(j->m);
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(tok);
	const uint32_t *ids;
	size_t n;
	uint32_t bos = ds_tok_special(tok, DS_TOK_BOS), eos = ds_tok_special(tok, DS_TOK_EOS);
	DS_TRY(ds_tok_encode(tok, s, DS_S(""), DS_TOK_ADD_SPECIAL, &ids, &n, e));
	gguf_bool(j->f, "tokenizer.ggml.add_bos_token", n && ids[0] == bos);
	gguf_bool(j->f, "tokenizer.ggml.add_eos_token", n && ids[n - 1] == eos && eos != bos);
	return DS_OK;
}

static void special_ids(job *j)
{
	static const struct {
		ds_tok_special_kind kind;
		const char *key; /* llama.cpp misspells separator */
	} known[] = { { DS_TOK_BOS, "tokenizer.ggml.bos_token_id" },
		{ DS_TOK_UNK, "tokenizer.ggml.unknown_token_id" },
		{ DS_TOK_SEP, "tokenizer.ggml.seperator_token_id" },
		{ DS_TOK_PAD, "tokenizer.ggml.padding_token_id" },
		{ DS_TOK_MASK, "tokenizer.ggml.mask_token_id" } };
	size_t n;
	const int64_t *ends = ds_model_ends(j->m, &n);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint32_t id = ds_tok_special(ds_model_tok(j->m), known[i].kind);
		if (id < j->n)
			gguf_u32(j->f, known[i].key, id);
	}
	if (n && ends[0] >= 0 && ends[0] < j->n)
		gguf_u32(j->f, "tokenizer.ggml.eos_token_id", (uint32_t)ends[0]);
}

/* chat_template.jinja, else what tokenizer_config.json has. */
static ds_rc chat_template(job *j, ds_buf *text, ds_err *e)
{
	enum { MOST = 1 << 20 };
	static const char *const files[] = { "chat_template.jinja", "tokenizer_config.json" };
	for (int i = 0; i < 2; i++) {
		const ds_json *root;
		ds_err no;
		const char *path = ds_arena_fmt(j->mem, "%s/%s", ds_model_dir(j->m), files[i]).at;
		ds_buf_clear(text);
		if (ds_file_read(path, MOST, text, &no) != DS_OK)
			continue;
		ds_str s = ds_buf_view(text);
		if (i == 1) {
			DS_TRY_AT(ds_json_parse(&root, j->mem, s, e), e, "%s", path);
			s = ds_json_text(root, "chat_template", "");
		}
		if (s.n) {
			gguf_text(j->f, "tokenizer.chat_template", s);
			return DS_OK;
		}
	}
	return DS_OK;
}

static ds_rc kind(job *j, ds_err *e)
{
	const char *ours = ds_tok_pattern(ds_model_tok(j->m)), *pre = pattern_name(ours);
	bool bpe = ds_str_is(ds_json_text(j->model, "type", ""), "BPE");
	if (bpe && pre)
		return byte_level(j, pre, e);
	if (bpe && !ours[0] && ds_json_flag(j->model, "byte_fallback", false))
		return pieces(j, e);
	return ds_fail(e, DS_BAD, "llama.cpp has no name for this tokenizer: %s%s%s",
		ds_tok_model(ds_model_tok(j->m)), bpe ? " with the pattern " : "",
		!bpe      ? ""
		: ours[0] ? ours
			  : "of its own");
}

static ds_rc all(job *j, ds_buf *text, ds_err *e)
{
	DS_TRY(ds_tok_json(ds_model_tok(j->m), text, e));
	DS_TRY(ds_json_parse(&j->root, j->mem, ds_buf_view(text), e));
	j->model = ds_json_get(j->root, "model");
	DS_TRY_AT(kind(j, e), e, "%s", ds_model_dir(j->m));
	special_ids(j);
	DS_TRY(around(j, e));
	return chat_template(j, text, e);
}

ds_rc gguf_tokenizer(gguf_file *f, const ds_model *m, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	ds_buf text = { 0 };
	job j = { .f = f, .m = m, .mem = mem, .n = (uint32_t)ds_model_config(m)->vocab_size };
	if (!ds_model_tok(m))
		return ds_fail(e, DS_BAD, "%s has no tokenizer, which a GGUF file carries",
			ds_model_dir(m));
	ds_rc rc = all(&j, &text, e);
	ds_buf_free(&text);
	return rc;
}
