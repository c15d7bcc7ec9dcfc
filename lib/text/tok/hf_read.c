/*
 * ds_hf_read.c - tokenizer.json of Hugging Face's tokenizers: vocabulary, merges, added tokens
 *
 * Byte-level BPE with a known pattern and BERT's WordPiece have fast paths (read_fast); all else
 * becomes a chain of steps (chain.h). What is not known is refused by its path in the JSON, never passed
 * over: a component that is left out would give other ids. A byte-level BPE's vocabulary and merges are
 * spelled in GPT-2's byte characters.
 */
#include "text/tok/chain.h"
#include "text/tok/hf.h"

#include <stdio.h>

enum { MAX_SPLITS = 4 }; /* that a known pattern is made of */

static bool is_null(const ds_json *v)
{
	return !v || v->kind == DS_J_NULL;
}

static ds_rc want(
	const ds_json *v, ds_json_kind kind, const char *path, const char *what, ds_err *e)
{
	if (!v)
		return ds_fail(e, DS_BAD, "%s is missing", path);
	return v->kind == kind ? DS_OK : ds_fail(e, DS_BAD, "%s is not %s", path, what);
}

static ds_rc unknown_type(const char *path, ds_str type, ds_err *e)
{
	return ds_fail(e, DS_BAD, "%s.type '%.*s' is not supported", path, DS_FMT(type));
}

ds_rc ds_hf_read_vocab(ds_tok *t, const ds_json *model, ds_err *e)
{
	const ds_json *vocab = ds_json_get(model, "vocab");
	DS_TRY(want(vocab, DS_J_OBJ, "model.vocab", "an object", e));
	for (const ds_json *v = vocab->first; v; v = v->next) {
		char *bytes = ds_arena_bytes(t->mem, v->key.n + 1);
		size_t n;
		if (v->kind != DS_J_I64 || v->i < 0 || v->i >= DS_TOK_MAX_IDS)
			return ds_fail(e, DS_BAD,
				"model.vocab['%.*s'] is no id: a whole number below %d",
				DS_FMT(v->key), DS_TOK_MAX_IDS);
		ds_str as = v->key;
		if (t->kind == TOK_BPE && v->key.n && ds_tok_unspell(v->key, bytes, &n))
			as = (ds_str){ bytes, n };
		DS_TRY_AT(ds_tok_put(t, (uint32_t)v->i, as, 0, e), e, "model.vocab['%.*s']",
			DS_FMT(v->key));
	}
	ds_tok_build_find(t);
	return DS_OK;
}

/* One half of a merge as bytes at `out`; the id is looked up. */
static ds_rc merge_half(
	const ds_tok *t, ds_str s, char *out, size_t *n, uint32_t *id, size_t i, ds_err *e)
{
	if (t->kind != TOK_BPE || !ds_tok_unspell(s, out, n)) {
		*n = s.n;
		memcpy(out, s.at, s.n);
	}
	*id = ds_tok_lookup(t, (ds_str){ out, *n });
	if (*id == DS_TOK_NONE)
		return ds_fail(
			e, DS_BAD, "model.merges[%zu]: '%.*s' is not in model.vocab", i, DS_FMT(s));
	return DS_OK;
}

static ds_rc read_merge(ds_tok *t, const ds_json *m, size_t i, ds_buf *mem, ds_err *e)
{
	ds_str left, right = { "", 0 };
	uint32_t a, b;
	size_t na, nb;
	if (m->kind == DS_J_STR) {
		left = ds_str_cut(m->s, ' ', &right);
		if (right.at && memchr(right.at, ' ', right.n))
			right.n = 0;
	} else if (m->kind == DS_J_ARR && m->n == 2 && m->first->kind == DS_J_STR &&
		   m->first->next->kind == DS_J_STR) {
		left = m->first->s;
		right = m->first->next->s;
	} else {
		return ds_fail(
			e, DS_BAD, "model.merges[%zu] is neither 'a b' nor a pair of strings", i);
	}
	if (left.n == 0 || right.n == 0)
		return ds_fail(e, DS_BAD, "model.merges[%zu] is not a pair", i);
	ds_buf_clear(mem);
	ds_buf_reserve(mem, left.n + right.n);
	DS_TRY(merge_half(t, left, mem->at, &na, &a, i, e));
	DS_TRY(merge_half(t, right, mem->at + na, &nb, &b, i, e));
	ds_str prefix = t->chain ? t->chain->prefix : (ds_str){ "", 0 };
	if (prefix.n && nb >= prefix.n) { /* what is within a word loses its prefix */
		nb -= prefix.n;
		memmove(mem->at + na, mem->at + na + prefix.n, nb);
	}
	uint32_t id = ds_tok_lookup(t, (ds_str){ mem->at, na + nb });
	if (id == DS_TOK_NONE)
		return ds_fail(
			e, DS_BAD, "model.merges[%zu]: what it gives is not in model.vocab", i);
	ds_tok_put_merge(t, a, b, id);
	return DS_OK;
}

ds_rc ds_hf_read_merges(ds_tok *t, const ds_json *model, ds_err *e)
{
	const ds_json *merges = ds_json_get(model, "merges");
	DS_TRY(want(merges, DS_J_ARR, "model.merges", "an array", e));
	ds_buf mem = { 0 };
	ds_rc rc = DS_OK;
	size_t i = 0;
	for (const ds_json *m = merges->first; m && rc == DS_OK; m = m->next)
		rc = read_merge(t, m, i++, &mem, e);
	ds_buf_free(&mem);
	return rc;
}

/* A vocabulary in plain spelling, and what is longer than max_input_chars_per_word is unknown. */
static ds_rc read_wordpiece(ds_tok *t, const ds_json *model, ds_err *e)
{
	ds_str unk = ds_json_text(model, "unk_token", "[UNK]");
	int64_t max = ds_json_int(model, "max_input_chars_per_word", 100);
	if (!ds_str_is(ds_json_text(model, "continuing_subword_prefix", "##"), "##"))
		return ds_fail(e, DS_BAD,
			"model.continuing_subword_prefix other than '##' is not supported");
	if (max < 1 || max > 1 << 20)
		return ds_fail(e, DS_BAD, "model.max_input_chars_per_word is not 1 to %d", 1 << 20);
	t->kind = TOK_WORDPIECE;
	t->max_chars = (uint32_t)max;
	DS_TRY(ds_hf_read_vocab(t, model, e));
	t->special[DS_TOK_UNK] = ds_tok_lookup(t, unk);
	if (t->special[DS_TOK_UNK] == DS_TOK_NONE)
		return ds_fail(
			e, DS_BAD, "model.unk_token '%.*s' is not in model.vocab", DS_FMT(unk));
	return DS_OK;
}

static ds_rc read_model(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *model = ds_json_get(root, "model");
	DS_TRY(want(model, DS_J_OBJ, "model", "an object", e));
	ds_str type = ds_json_text(model, "type", "");
	if (type.n == 0 && ds_json_get(model, "merges"))
		type = DS_S("BPE"); /* files of the first versions do not say it */
	if (type.n == 0)
		return ds_fail(e, DS_BAD, "model.type is missing");
	if (t->pattern->words != ds_str_is(type, "WordPiece"))
		return ds_fail(e, DS_BAD,
			"model.type '%.*s' is not supported with this pre_tokenizer", DS_FMT(type));
	if (ds_str_is(type, "WordPiece"))
		return read_wordpiece(t, model, e);
	if (!ds_str_is(type, "BPE"))
		return unknown_type("model", type, e);
	static const char *const must_be_null[] = { "dropout", NULL };
	static const char *const must_be_empty[] = { "continuing_subword_prefix",
		"end_of_word_suffix", NULL };
	for (const char *const *k = must_be_null; *k; k++)
		if (!is_null(ds_json_get(model, *k)) && ds_json_num(model, *k, 1) != 0)
			return ds_fail(e, DS_BAD, "model.%s is not supported", *k);
	for (const char *const *k = must_be_empty; *k; k++)
		if (ds_json_text(model, *k, "").n)
			return ds_fail(e, DS_BAD, "model.%s is not supported", *k);
	t->kind = TOK_BPE;
	t->whole = ds_json_flag(model, "ignore_merges", false);
	DS_TRY(ds_hf_read_vocab(t, model, e));
	DS_TRY(ds_hf_read_merges(t, model, e));
	ds_str unk = ds_json_text(model, "unk_token", "");
	if (unk.n)
		t->special[DS_TOK_UNK] = ds_tok_lookup(t, unk);
	return DS_OK;
}

static ds_rc read_added_token(ds_tok *t, const ds_json *a, size_t i, ds_err *e)
{
	char path[48];
	snprintf(path, sizeof(path), "added_tokens[%zu]", i);
	const ds_json *id = ds_json_get(a, "id"), *content = ds_json_get(a, "content");
	if (!id || id->kind != DS_J_I64 || id->i < 0 || id->i >= DS_TOK_MAX_IDS)
		return ds_fail(
			e, DS_BAD, "%s.id is no id: a whole number below %d", path, DS_TOK_MAX_IDS);
	if (!content || content->kind != DS_J_STR || content->s.n == 0)
		return ds_fail(e, DS_BAD, "%s.content is not a string with something in it", path);
	tok_added add = {
		.id = (uint32_t)id->i,
		.special = ds_json_flag(a, "special", false),
		.lstrip = ds_json_flag(a, "lstrip", false),
		.rstrip = ds_json_flag(a, "rstrip", false),
		.single_word = ds_json_flag(a, "single_word", false),
		.normalized = ds_json_flag(a, "normalized", true),
	};
	/* Byte-level decoding undoes the spelling of added tokens too, where it is one. */
	ds_buf unspelt = { 0 };
	ds_str bytes = content->s;
	ds_buf_reserve(&unspelt, content->s.n);
	if (t->kind == TOK_BPE && ds_tok_unspell(content->s, unspelt.at, &unspelt.n))
		bytes = ds_arena_str(t->mem, ds_buf_view(&unspelt));
	ds_buf_free(&unspelt);
	if (!ds_str_eq(bytes, content->s))
		add.content = content->s;
	if (add.id < t->n_ids && t->flags[add.id]) {
		if (!ds_str_eq(t->bytes[add.id], bytes))
			return ds_fail(e, DS_BAD, "%s: id %u is '%.*s' already", path, add.id,
				DS_FMT(t->bytes[add.id]));
		if (t->flags[add.id] & TOK_ADDED)
			return ds_fail(e, DS_BAD, "%s: id %u is added twice", path, add.id);
		if (t->kind == TOK_BPE && bytes.n == 1)
			t->flags[add.id] |= TOK_LETTER;
	} else {
		DS_TRY_AT(ds_tok_put(t, add.id, bytes, 0, e), e, "%s", path);
	}
	ds_tok_put_added(t, &add);
	return DS_OK;
}

static ds_rc read_added(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *list = ds_json_get(root, "added_tokens");
	if (is_null(list))
		return DS_OK;
	DS_TRY(want(list, DS_J_ARR, "added_tokens", "an array", e));
	DS_AUTO(ds_map) names = ds_map_new(list->n);
	size_t i = 0;
	for (const ds_json *a = list->first; a; a = a->next, i++) {
		bool is_new;
		if (a->kind != DS_J_OBJ)
			return ds_fail(e, DS_BAD, "added_tokens[%zu] is not an object", i);
		DS_TRY(read_added_token(t, a, i, e));
		ds_str name = ds_json_text(a, "content", "");
		ds_map_put(names, name, &is_new);
		if (!is_new)
			return ds_fail(e, DS_BAD, "added_tokens[%zu]: '%.*s' has an id already", i,
				DS_FMT(name));
	}
	return DS_OK;
}

static ds_rc read_normalizer(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *n = ds_json_get(root, "normalizer");
	if (is_null(n))
		return DS_OK;
	ds_str type = ds_json_text(n, "type", "");
	if (ds_str_is(type, "BertNormalizer")) {
		t->bert.clean = ds_json_flag(n, "clean_text", true);
		t->bert.chinese = ds_json_flag(n, "handle_chinese_chars", true);
		t->bert.lower = ds_json_flag(n, "lowercase", true);
		t->bert.strip = ds_json_flag(n, "strip_accents", t->bert.lower);
		return DS_OK;
	}
	if (!ds_str_is(type, "NFC"))
		return unknown_type("normalizer", type, e);
	t->nfc = true;
	return DS_OK;
}

static ds_rc read_split(const ds_json *p, const char *path, ds_str *regexes, size_t *n, ds_err *e)
{
	const ds_json *pattern = ds_json_get(p, "pattern");
	ds_str regex = ds_json_text(pattern, "Regex", "");
	if (regex.n == 0)
		return ds_fail(e, DS_BAD, "%s.pattern is not a Regex", path);
	if (!ds_str_is(ds_json_text(p, "behavior", ""), "Isolated"))
		return ds_fail(e, DS_BAD, "%s.behavior '%.*s' is not supported", path,
			DS_FMT(ds_json_text(p, "behavior", "")));
	if (ds_json_flag(p, "invert", false))
		return ds_fail(e, DS_BAD, "%s.invert is not supported", path);
	regexes[(*n)++] = regex;
	return DS_OK;
}

/* The one regex, or the several, that a pattern is known by. */
static ds_rc know_pattern(ds_tok *t, const ds_str *regexes, size_t n, ds_err *e)
{
	if (n == 0)
		return DS_OK;
	t->pattern = n == 1 ? ds_pattern_of_regex(regexes[0]) : ds_pattern_of_sequence(regexes, n);
	return t->pattern ? DS_OK : ds_fail(e, DS_BAD, "the pattern is not one of the known ones");
}

static ds_rc read_byte_level(ds_tok *t, const ds_json *p, const char *path, ds_err *e)
{
	bool own_regex = ds_json_flag(p, "use_regex", true);
	t->prefix_space = ds_json_flag(p, "add_prefix_space", true);
	if (t->pattern && own_regex)
		return ds_fail(
			e, DS_BAD, "%s.use_regex after another pattern is not supported", path);
	if (t->pattern && t->prefix_space)
		return ds_fail(
			e, DS_BAD, "%s.add_prefix_space after a pattern is not supported", path);
	if (!t->pattern && !own_regex)
		return ds_fail(e, DS_BAD, "%s without a pattern is not supported", path);
	if (own_regex)
		t->pattern = ds_pattern_find("gpt2");
	return DS_OK;
}

static ds_rc read_pre_tokenizer(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *p = ds_json_get(root, "pre_tokenizer"), *list = NULL;
	if (is_null(p))
		return ds_fail(e, DS_BAD,
			"pre_tokenizer is missing: only ByteLevel and BertPreTokenizer are "
			"supported");
	if (ds_str_is(ds_json_text(p, "type", ""), "BertPreTokenizer")) {
		t->pattern = ds_pattern_find(t->bert.lower ? "bert" : "bert-cased");
		return t->bert.clean && t->bert.chinese ? DS_OK
							: ds_fail(e, DS_BAD,
								  "normalizer: BertPreTokenizer is "
								  "supported with clean_text and "
								  "handle_chinese_chars only");
	}
	bool sequence = ds_str_is(ds_json_text(p, "type", ""), "Sequence"), byte_level = false;
	if (sequence) {
		list = ds_json_get(p, "pretokenizers");
		DS_TRY(want(list, DS_J_ARR, "pre_tokenizer.pretokenizers", "an array", e));
	}
	ds_str regexes[MAX_SPLITS];
	size_t i = 0, n = 0;
	for (const ds_json *k = sequence ? list->first : p; k; k = sequence ? k->next : NULL, i++) {
		char path[64] = "pre_tokenizer";
		if (sequence)
			snprintf(path, sizeof(path), "pre_tokenizer.pretokenizers[%zu]", i);
		ds_str type = ds_json_text(k, "type", "");
		if (byte_level || !(ds_str_is(type, "Split") || ds_str_is(type, "ByteLevel")))
			return unknown_type(path, type, e);
		byte_level = ds_str_is(type, "ByteLevel");
		if (!byte_level && n == MAX_SPLITS)
			return ds_fail(e, DS_BAD, "%s: too many patterns", path);
		if (byte_level)
			DS_TRY(know_pattern(t, regexes, n, e));
		DS_TRY(byte_level ? read_byte_level(t, k, path, e)
				  : read_split(k, path, regexes, &n, e));
	}
	return byte_level ? DS_OK
			  : ds_fail(e, DS_BAD, "pre_tokenizer: without ByteLevel is not supported");
}

static ds_rc read_decoder(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *d = ds_json_get(root, "decoder");
	if (is_null(d))
		return DS_OK;
	ds_str type = ds_json_text(d, "type", "");
	t->bert.cleanup = ds_json_flag(d, "cleanup", true);
	return ds_str_is(type, t->kind == TOK_BPE ? "ByteLevel" : "WordPiece")
		       ? DS_OK
		       : unknown_type("decoder", type, e);
}

static ds_rc read_fast(ds_tok *t, const ds_json *root, ds_err *e)
{
	DS_TRY(read_normalizer(t, root, e));
	DS_TRY(read_pre_tokenizer(t, root, e));
	DS_TRY(read_model(t, root, e));
	return read_decoder(t, root, e);
}

/* An added token that is looked for in what the normalizer makes of the text. */
static bool any_normalized(const ds_json *root)
{
	const ds_json *list = ds_json_get(root, "added_tokens");
	for (const ds_json *a = list ? list->first : NULL; a; a = a->next)
		if (ds_json_flag(a, "normalized", true))
			return true;
	return false;
}

/* Whether read_fast knows all of it: tried on a tokenizer without a vocabulary. */
static bool is_fast(const ds_json *root)
{
	DS_AUTO(ds_tok) t = ds_tok_new("");
	ds_err e;
	const ds_json *model = ds_json_get(root, "model"), *d = ds_json_get(root, "decoder");
	ds_str type = ds_json_text(model, "type", "BPE");
	if (read_normalizer(t, root, &e) != DS_OK || read_pre_tokenizer(t, root, &e) != DS_OK)
		return false;
	bool words = ds_str_is(type, "WordPiece");
	if (t->pattern->words != words || (!words && !ds_str_is(type, "BPE")))
		return false;
	if (words && (t->nfc || any_normalized(root)))
		return false;
	if (words && !ds_str_is(ds_json_text(model, "continuing_subword_prefix", "##"), "##"))
		return false;
	if (!is_null(d) &&
		!ds_str_is(ds_json_text(d, "type", ""), words ? "WordPiece" : "ByteLevel"))
		return false;
	if (words && (is_null(d) || !ds_str_is(ds_json_text(d, "prefix", "##"), "##")))
		return false;
	return words || ds_hf_plain_bytes(model);
}

ds_rc ds_hf_read(ds_tok *t, ds_str json, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	const ds_json *root;
	DS_TRY(ds_json_parse(&root, mem, json, e));
	DS_TRY(want(root, DS_J_OBJ, "the file", "an object", e));
	DS_TRY(is_fast(root) ? read_fast(t, root, e) : ds_hf_read_chain(t, root, e));
	DS_TRY(read_added(t, root, e));
	DS_TRY(ds_hf_read_post(t, root, e));
	return t->chain ? ds_hf_settle_added(t, e) : DS_OK;
}
