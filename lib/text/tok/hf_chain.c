/*
 * hf_chain.c - normalizers and pre-tokenizers of tokenizer.json as steps of a chain
 *
 * A component that is not known is refused by its path in the JSON, never passed over.
 */
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"

#include "base/base64.h"

#include <stdio.h>

enum { PATH = 96, NESTED = 16 };

chain_step *ds_chain_add(step_list *list, step_kind kind)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 8;
		list->at =
			ds_mem_grow(list->at, list->n * sizeof(*list->at), cap * sizeof(*list->at));
		list->cap = cap;
	}
	list->at[list->n] = (chain_step){ .kind = kind };
	return &list->at[list->n++];
}

static ds_rc unknown(const char *path, ds_str type, ds_err *e)
{
	return ds_fail(e, DS_BAD, "%s.type '%.*s' is not supported", path, DS_FMT(type));
}

static ds_str keep(ds_tok *t, ds_str s)
{
	return ds_arena_str(t->mem, s);
}

static ds_rc read_regex(
	ds_tok *t, chain_step *s, const ds_json *pattern, const char *path, ds_err *e)
{
	const ds_json *text = ds_json_get(pattern, "String"),
		      *regex = ds_json_get(pattern, "Regex");
	const ds_json *v = text ? text : regex;
	if (!v || v->kind != DS_J_STR || v->s.n == 0)
		return ds_fail(e, DS_BAD, "%s.pattern is neither a String nor a Regex", path);
	s->by = BY_REGEX;
	s->run = t->chain->n_runs++;
	ds_rc rc = text ? ds_regex_parse_literal(&s->regex, v->s, e)
			: ds_regex_parse_split(&s->regex, v->s, true, e);
	return rc == DS_OK ? DS_OK : ds_at(e, DS_BAD, "%s.pattern", path);
}

/* --- normalizers --- */

static ds_rc read_map(ds_tok *t, chain_step *s, const ds_json *j, const char *path, ds_err *e)
{
	ds_str text = ds_json_text(j, "precompiled_charsmap", "");
	char *bytes = ds_arena_bytes(t->mem, 3 * text.n / 4 + 3);
	size_t n = text.n ? ds_base64_decode(bytes, text) : SIZE_MAX;
	s->map = ds_arena_zero(t->mem, sizeof(*s->map));
	if (n == SIZE_MAX)
		return ds_fail(e, DS_BAD, "%s.precompiled_charsmap is not base64", path);
	DS_TRY_AT(ds_sp_read_map(s->map, (ds_str){ bytes, n }, e), e, "%s.precompiled_charsmap",
		path);
	return DS_OK;
}

static void read_bert(chain_step *s, const ds_json *j)
{
	s->bert.clean = ds_json_flag(j, "clean_text", true);
	s->bert.chinese = ds_json_flag(j, "handle_chinese_chars", true);
	s->bert.lower = ds_json_flag(j, "lowercase", true);
	s->bert.strip = ds_json_flag(j, "strip_accents", s->bert.lower);
}

static ds_rc normalizer(ds_tok *t, const ds_json *j, const char *path, ds_err *e)
{
	static const struct {
		const char *name;
		step_kind kind;
		ds_form form;
	} table[] = { { "NFC", STEP_FORM, DS_NFC }, { "NFD", STEP_FORM, DS_NFD },
		{ "NFKC", STEP_FORM, DS_NFKC }, { "NFKD", STEP_FORM, DS_NFKD },
		{ "Lowercase", STEP_LOWER, 0 }, { "Strip", STEP_STRIP, 0 },
		{ "StripAccents", STEP_ACCENTS, 0 }, { "Prepend", STEP_PREPEND, 0 },
		{ "Replace", STEP_REPLACE, 0 }, { "Precompiled", STEP_PRECOMPILED, 0 },
		{ "BertNormalizer", STEP_BERT, 0 }, { "Nmt", STEP_NMT, 0 },
		{ "ByteLevel", STEP_SPELL, 0 } };
	ds_str type = ds_json_text(j, "type", "");
	size_t i = 0, n = sizeof(table) / sizeof(*table);
	while (i < n && !ds_str_is(type, table[i].name))
		i++;
	if (i == n)
		return unknown(path, type, e);
	chain_step *s = ds_chain_add(&t->chain->norm, table[i].kind);
	s->form = table[i].form;
	s->left = ds_json_flag(j, "strip_left", true);
	s->right = ds_json_flag(j, "strip_right", true);
	if (s->kind == STEP_PREPEND)
		s->text = keep(t, ds_json_text(j, "prepend", ""));
	if (s->kind == STEP_BERT)
		read_bert(s, j);
	if (s->kind == STEP_PRECOMPILED)
		return read_map(t, s, j, path, e);
	if (s->kind == STEP_REPLACE) {
		s->text = keep(t, ds_json_text(j, "content", ""));
		return read_regex(t, s, ds_json_get(j, "pattern"), path, e);
	}
	return DS_OK;
}

typedef ds_rc read_one(ds_tok *t, const ds_json *j, const char *path, ds_err *e);

/* A component, or those of a Sequence, whose member `key` holds them. */
static ds_rc each(ds_tok *t, const ds_json *j, const char *path, const char *key, read_one *one,
	int depth, ds_err *e)
{
	char inner[PATH];
	size_t i = 0;
	if (!ds_str_is(ds_json_text(j, "type", ""), "Sequence"))
		return one(t, j, path, e);
	const ds_json *list = ds_json_get(j, key);
	if (!list || list->kind != DS_J_ARR || depth == NESTED)
		return ds_fail(e, DS_BAD, "%s.%s is not an array", path, key);
	for (const ds_json *k = list->first; k; k = k->next) {
		snprintf(inner, sizeof(inner), "%.60s.%s[%zu]", path, key, i++);
		DS_TRY(each(t, k, inner, key, one, depth + 1, e));
	}
	return DS_OK;
}

static bool is_null(const ds_json *v)
{
	return !v || v->kind == DS_J_NULL;
}

ds_rc ds_chain_read_normalizer(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *j = ds_json_get(root, "normalizer");
	return is_null(j) ? DS_OK : each(t, j, "normalizer", "normalizers", normalizer, 0, e);
}

/* --- pre-tokenizers --- */

static ds_rc behaviour(chain_step *s, ds_str name, const char *path, ds_err *e)
{
	static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
		"MergedWithNext", "Contiguous" };
	for (int i = 0; i < 5; i++)
		if (ds_str_is(name, names[i])) {
			s->how = (split_how)i;
			return DS_OK;
		}
	return ds_fail(e, DS_BAD, "%s.behavior '%.*s' is not known", path, DS_FMT(name));
}

static ds_rc read_prepend(chain_step *s, const ds_json *j, const char *path, ds_err *e)
{
	bool old = ds_json_flag(j, "add_prefix_space", true);
	ds_str when = ds_json_text(j, "prepend_scheme", old ? "always" : "never");
	if (!ds_str_is(when, "always") && !ds_str_is(when, "never") && !ds_str_is(when, "first"))
		return ds_fail(
			e, DS_BAD, "%s.prepend_scheme '%.*s' is not known", path, DS_FMT(when));
	s->when = ds_str_is(when, "always")  ? PREPEND_ALWAYS
		  : ds_str_is(when, "first") ? PREPEND_FIRST
					     : PREPEND_NEVER;
	s->flag = ds_json_flag(j, "split", true);
	if (s->text.n == 0)
		return ds_fail(e, DS_BAD, "%s.replacement is empty", path);
	return DS_OK;
}

static void by_kind(ds_tok *t, match_by by, split_how how)
{
	chain_step *s = ds_chain_add(&t->chain->split, STEP_SPLIT);
	s->by = by;
	s->how = how;
}

/* Rust's \w, which has the joiners as well. */
#define RUST_WORD_SET "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define RUST_WORD "[" RUST_WORD_SET "]"

static ds_rc whitespace(ds_tok *t, const char *path, ds_err *e)
{
	chain_step *s = ds_chain_add(&t->chain->split, STEP_SPLIT);
	s->run = t->chain->n_runs++;
	s->how = SPLIT_REMOVED;
	s->flag = true;
	return ds_regex_parse_split(
		       &s->regex, DS_S(RUST_WORD "+|[^" RUST_WORD_SET "\\s]+"), true, e) == DS_OK
		       ? DS_OK
		       : ds_at(e, DS_BAD, "%s", path);
}

static ds_rc other_split(ds_tok *t, const ds_json *j, ds_str type, const char *path, ds_err *e)
{
	step_list *list = &t->chain->split;
	if (ds_str_is(type, "WhitespaceSplit")) {
		by_kind(t, BY_WHITE, SPLIT_REMOVED);
	} else if (ds_str_is(type, "BertPreTokenizer")) {
		by_kind(t, BY_WHITE, SPLIT_REMOVED);
		by_kind(t, BY_PUNCT, SPLIT_ISOLATED);
	} else if (ds_str_is(type, "Digits")) {
		by_kind(t, BY_NUMBER,
			ds_json_flag(j, "individual_digits", false) ? SPLIT_ISOLATED
								    : SPLIT_CONTIGUOUS);
	} else if (ds_str_is(type, "Punctuation")) {
		by_kind(t, BY_PUNCT, SPLIT_ISOLATED);
		return behaviour(
			&list->at[list->n - 1], ds_json_text(j, "behavior", "Isolated"), path, e);
	} else if (ds_str_is(type, "Whitespace")) {
		return whitespace(t, path, e);
	} else {
		return unknown(path, type, e);
	}
	return DS_OK;
}

static ds_rc pre_tokenizer(ds_tok *t, const ds_json *j, const char *path, ds_err *e)
{
	step_list *list = &t->chain->split;
	ds_str type = ds_json_text(j, "type", "");
	if (ds_str_is(type, "Split")) {
		chain_step *s = ds_chain_add(list, STEP_SPLIT);
		s->flag = ds_json_flag(j, "invert", false);
		DS_TRY(behaviour(s, ds_json_text(j, "behavior", ""), path, e));
		return read_regex(t, s, ds_json_get(j, "pattern"), path, e);
	}
	if (ds_str_is(type, "CharDelimiterSplit")) {
		ds_str c = ds_json_text(j, "delimiter", "");
		chain_step *s = ds_chain_add(list, STEP_SPLIT);
		s->run = t->chain->n_runs++;
		return ds_regex_parse_literal(&s->regex, c, e) == DS_OK
			       ? DS_OK
			       : ds_at(e, DS_BAD, "%s.delimiter", path);
	}
	if (ds_str_is(type, "Metaspace")) {
		chain_step *s = ds_chain_add(list, STEP_METASPACE);
		s->text = keep(t, ds_json_text(j, "replacement", "\xe2\x96\x81"));
		return read_prepend(s, j, path, e);
	}
	if (ds_str_is(type, "FixedLength")) {
		int64_t n = ds_json_int(j, "length", 5);
		if (n < 1)
			return ds_fail(e, DS_BAD, "%s.length is not 1 or more", path);
		ds_chain_add(list, STEP_FIXED)->start = (size_t)n;
		return DS_OK;
	}
	if (ds_str_is(type, "ByteLevel")) {
		chain_step *s = ds_chain_add(list, STEP_BYTES);
		s->left = ds_json_flag(j, "add_prefix_space", true);
		s->flag = ds_json_flag(j, "use_regex", true);
		return DS_OK;
	}
	return other_split(t, j, type, path, e);
}

ds_rc ds_chain_read_splits(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *j = ds_json_get(root, "pre_tokenizer");
	return is_null(j) ? DS_OK
			  : each(t, j, "pre_tokenizer", "pretokenizers", pre_tokenizer, 0, e);
}

/* --- decoders --- */

static ds_rc text_decoder(ds_tok *t, const ds_json *j, ds_str type, const char *path, ds_err *e)
{
	step_list *list = &t->chain->decode;
	if (ds_str_is(type, "WordPiece")) {
		chain_step *s = ds_chain_add(list, STEP_WORDPIECE);
		s->text = keep(t, ds_json_text(j, "prefix", "##"));
		s->flag = ds_json_flag(j, "cleanup", true);
	} else if (ds_str_is(type, "Metaspace")) {
		chain_step *s = ds_chain_add(list, STEP_SPACES);
		s->text = keep(t, ds_json_text(j, "replacement", "\xe2\x96\x81"));
		return read_prepend(s, j, path, e);
	} else if (ds_str_is(type, "BPEDecoder")) {
		ds_chain_add(list, STEP_SUFFIX)->text = keep(t, ds_json_text(j, "suffix", "</w>"));
	} else if (ds_str_is(type, "CTC")) {
		chain_step *s = ds_chain_add(list, STEP_CTC);
		s->text = keep(t, ds_json_text(j, "pad_token", "<pad>"));
		s->other = keep(t, ds_json_text(j, "word_delimiter_token", "|"));
		s->flag = ds_json_flag(j, "cleanup", true);
	} else if (ds_str_is(type, "Strip")) {
		chain_step *s = ds_chain_add(list, STEP_TRIM);
		s->text = keep(t, ds_json_text(j, "content", " "));
		s->start = (size_t)ds_json_int(j, "start", 0);
		s->stop = (size_t)ds_json_int(j, "stop", 0);
	} else {
		return unknown(path, type, e);
	}
	return DS_OK;
}

static ds_rc decoder(ds_tok *t, const ds_json *j, const char *path, ds_err *e)
{
	step_list *list = &t->chain->decode;
	ds_str type = ds_json_text(j, "type", "");
	if (ds_str_is(type, "Replace")) {
		chain_step *s = ds_chain_add(list, STEP_REPLACE);
		s->text = keep(t, ds_json_text(j, "content", ""));
		return read_regex(t, s, ds_json_get(j, "pattern"), path, e);
	}
	if (ds_str_is(type, "ByteLevel"))
		ds_chain_add(list, STEP_JOIN_BYTES);
	else if (ds_str_is(type, "Fuse"))
		ds_chain_add(list, STEP_FUSE);
	else if (ds_str_is(type, "ByteFallback"))
		ds_chain_add(list, STEP_FALLBACK);
	else
		return text_decoder(t, j, type, path, e);
	return DS_OK;
}

ds_rc ds_chain_read_decoder(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *j = ds_json_get(root, "decoder");
	t->chain->has_decoder = !is_null(j);
	return is_null(j) ? DS_OK : each(t, j, "decoder", "decoders", decoder, 0, e);
}
