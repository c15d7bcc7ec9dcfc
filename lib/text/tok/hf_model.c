/*
 * hf_model.c - a tokenizer.json that is a chain: its models, and what a chain is known by
 */
#include "text/tok/chain.h"
#include "text/tok/hf.h"
#include "text/tok/sentencepiece.h"

#include <stdio.h>
#include <stdlib.h>

static ds_rc bad(ds_err *e, const char *what)
{
	return ds_fail(e, DS_BAD, "model.%s", what);
}

bool ds_hf_plain_bytes(const ds_json *model)
{
	const ds_json *vocab = ds_json_get(model, "vocab");
	unsigned n = 0;
	if (ds_json_text(model, "continuing_subword_prefix", "").n ||
		ds_json_text(model, "end_of_word_suffix", "").n ||
		ds_json_flag(model, "byte_fallback", false))
		return false;
	if (ds_json_text(model, "unk_token", "").n == 0)
		return true;
	for (const ds_json *v = vocab ? vocab->first : NULL; v; v = v->next) {
		char byte[8];
		size_t k = 0;
		n += v->key.n <= 2 && ds_tok_unspell(v->key, byte, &k) && k == 1;
	}
	return n == 256;
}

static void find_bytes(ds_tok *t)
{
	struct tok_chain *c = t->chain;
	c->has_bytes = true;
	for (int b = 0; b < 256; b++) {
		char name[8];
		snprintf(name, sizeof(name), "<0x%02X>", b);
		c->byte_piece[b] = ds_tok_lookup(t, ds_str_of(name));
		c->has_bytes &= c->byte_piece[b] != DS_TOK_NONE;
	}
}

static ds_rc find_unk(ds_tok *t, const ds_json *model, const char *otherwise, ds_err *e)
{
	ds_str unk = ds_json_text(model, "unk_token", otherwise);
	if (unk.n == 0)
		return DS_OK;
	t->special[DS_TOK_UNK] = ds_tok_lookup(t, unk);
	return t->special[DS_TOK_UNK] != DS_TOK_NONE
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "model.unk_token '%.*s' is not in model.vocab",
				 DS_FMT(unk));
}

/* Whether text can be cut where no token crosses: then nothing but merges sees a neighbour. */
static bool bounded(const ds_tok *t)
{
	const struct tok_chain *c = t->chain;
	if (c->prefix.n || c->suffix.n)
		return false;
	for (size_t i = 0; i < t->n_pairs; i++)
		for (int k = 0; k < 2; k++)
			if (t->bytes[t->pairs[i][k]].n == 6 && c->byte_piece[0x20] != DS_TOK_NONE &&
				memcmp(t->bytes[t->pairs[i][k]].at, "<0x", 3) == 0)
				return false;
	return (c->byte_fallback && c->has_bytes) || t->special[DS_TOK_UNK] == DS_TOK_NONE;
}

static ds_rc read_bpe(ds_tok *t, const ds_json *model, ds_err *e)
{
	struct tok_chain *c = t->chain;
	if (ds_json_num(model, "dropout", 0) != 0)
		return bad(e, "dropout is not supported");
	t->kind = c->bytes ? TOK_BPE : TOK_CHAIN_BPE;
	t->whole = ds_json_flag(model, "ignore_merges", false);
	c->prefix = ds_arena_str(t->mem, ds_json_text(model, "continuing_subword_prefix", ""));
	c->suffix = ds_arena_str(t->mem, ds_json_text(model, "end_of_word_suffix", ""));
	c->fuse_unk = ds_json_flag(model, "fuse_unk", false);
	if (c->byte_fallback && (c->prefix.n || c->suffix.n))
		return bad(e, "byte_fallback with a prefix or a suffix is not supported");
	DS_TRY(ds_hf_read_vocab(t, model, e));
	DS_TRY(ds_hf_read_merges(t, model, e));
	find_bytes(t);
	if (!c->bytes)
		DS_TRY(find_unk(t, model, "", e));
	c->bounded = c->bytes || bounded(t);
	return DS_OK;
}

static ds_rc read_wordpiece(ds_tok *t, const ds_json *model, ds_err *e)
{
	int64_t max = ds_json_int(model, "max_input_chars_per_word", 100);
	if (max < 1 || max > 1 << 20)
		return ds_fail(e, DS_BAD, "model.max_input_chars_per_word is not 1 to %d", 1 << 20);
	t->kind = TOK_CHAIN_WORDPIECE;
	t->max_chars = (uint32_t)max;
	t->chain->prefix =
		ds_arena_str(t->mem, ds_json_text(model, "continuing_subword_prefix", "##"));
	DS_TRY(ds_hf_read_vocab(t, model, e));
	return find_unk(t, model, "[UNK]", e);
}

static double power_of_ten(int n)
{
	char text[16];
	snprintf(text, sizeof(text), "1e%d", n > 308 ? 308 : n);
	return strtod(text, NULL);
}

/*
 * A number as the reference reads it: all digits as one integer, rounded, then divided by a power of ten,
 * rounded again. The last bit can be another than that of the nearest double, and decides between paths
 * that are equally good.
 */
static double score_of(ds_str s)
{
	uint64_t digits = 0;
	int exponent = 0, given = 0, sign = 1;
	bool fraction = false, full = false;
	size_t i = s.n && s.at[0] == '-';
	for (; i < s.n && s.at[i] != 'e' && s.at[i] != 'E'; i++) {
		unsigned d = (unsigned)(s.at[i] - '0');
		if (s.at[i] == '.') {
			fraction = true;
			continue;
		}
		full |= digits > (UINT64_MAX - d) / 10;
		if (!full)
			digits = digits * 10 + d;
		exponent += full ? !fraction : -(int)fraction;
	}
	for (i += i < s.n; i < s.n && given < 10000; i++)
		if (s.at[i] == '-')
			sign = -1;
		else if (s.at[i] != '+')
			given = given * 10 + (s.at[i] - '0');
	exponent += sign * given;
	double f = (double)digits;
	for (; exponent < -308 && f != 0; exponent += 308)
		f /= 1e308;
	f = exponent < 0 ? f / power_of_ten(-exponent) : f * power_of_ten(exponent);
	return s.n && s.at[0] == '-' ? -f : f;
}

/* [["piece", score], ...] */
static ds_rc read_pieces(ds_tok *t, const ds_json *vocab, ds_err *e)
{
	struct tok_chain *c = t->chain;
	double lowest = __DBL_MAX__;
	size_t i = 0;
	if (!vocab || vocab->kind != DS_J_ARR || vocab->n == 0 || vocab->n > DS_TOK_MAX_IDS)
		return bad(e, "vocab is not an array of pieces");
	c->score = ds_mem_get(vocab->n * sizeof(*c->score));
	for (const ds_json *v = vocab->first; v; v = v->next, i++) {
		const ds_json *score = v->kind == DS_J_ARR && v->n == 2 ? v->first->next : NULL;
		if (!score || v->first->kind != DS_J_STR || v->first->s.n == 0 ||
			(score->kind != DS_J_F64 && score->kind != DS_J_I64))
			return ds_fail(
				e, DS_BAD, "model.vocab[%zu] is not a piece and its score", i);
		c->score[i] = score_of(score->s);
		lowest = c->score[i] < lowest ? c->score[i] : lowest;
		DS_TRY_AT(ds_tok_put(t, (uint32_t)i, v->first->s, 0, e), e, "model.vocab[%zu]", i);
	}
	c->unk_score = lowest - 10.0;
	ds_tok_build_find(t);
	return DS_OK;
}

static ds_rc read_unigram(ds_tok *t, const ds_json *model, ds_err *e)
{
	struct tok_chain *c = t->chain;
	int64_t unk = ds_json_int(model, "unk_id", -1);
	t->kind = TOK_CHAIN_UNIGRAM;
	c->fuse_unk = ds_json_flag(model, "fuse_unk", true);
	DS_TRY(read_pieces(t, ds_json_get(model, "vocab"), e));
	if (unk < 0 || unk >= t->n_ids)
		return bad(e, "unk_id is not the id of a piece");
	t->special[DS_TOK_UNK] = (uint32_t)unk;
	find_bytes(t);
	c->trie = ds_arena_zero(t->mem, sizeof(*c->trie));
	ds_sp_make_trie(t, c->trie);
	return DS_OK;
}

static ds_rc read_words(ds_tok *t, const ds_json *model, ds_err *e)
{
	t->kind = TOK_CHAIN_WORDS;
	DS_TRY(ds_hf_read_vocab(t, model, e));
	return find_unk(t, model, "<unk>", e);
}

/* Of what the file says beside the vocabulary, which the identity covers by itself. */
static void hash_of(ds_tok *t, const ds_json *root, const ds_json *model)
{
	static const char *const keys[] = { "normalizer", "pre_tokenizer", "decoder" };
	ds_buf text = { 0 };
	for (int i = 0; i < 3; i++) {
		const ds_json *v = ds_json_get(root, keys[i]);
		if (v)
			ds_json_add(&text, v);
		ds_buf_add_byte(&text, '\n');
	}
	for (const ds_json *v = model->first; v; v = v->next) {
		if (ds_str_is(v->key, "merges") ||
			(ds_str_is(v->key, "vocab") && v->kind == DS_J_OBJ))
			continue;
		ds_buf_add_str(&text, v->key);
		ds_json_add(&text, v);
	}
	t->chain->hash = ds_hash128(text.at, text.n);
	ds_buf_free(&text);
}

static ds_rc read_model(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *model = ds_json_get(root, "model");
	if (!model || model->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "model is %s", model ? "not an object" : "missing");
	hash_of(t, root, model);
	const ds_json *vocab = ds_json_get(model, "vocab");
	ds_str type = ds_json_text(model, "type", "");
	if (type.n == 0) /* files of the first versions do not say it */
		type = ds_json_get(model, "merges")       ? DS_S("BPE")
		       : vocab && vocab->kind == DS_J_ARR ? DS_S("Unigram")
							  : DS_S("");
	t->chain->byte_fallback = ds_json_flag(model, "byte_fallback", false);
	if (type.n == 0)
		return bad(e, "type is missing");
	/* Bytes as symbols, where pieces become bytes at the very end and the model allows for it. */
	const step_list *s = &t->chain->split;
	size_t n_bytes = 0;
	for (size_t i = 0; i < s->n; i++)
		n_bytes += s->at[i].kind == STEP_BYTES;
	t->chain->bytes = ds_str_is(type, "BPE") && n_bytes == 1 &&
			  s->at[s->n - 1].kind == STEP_BYTES && ds_hf_plain_bytes(model);
	if (ds_str_is(type, "BPE"))
		return read_bpe(t, model, e);
	if (ds_str_is(type, "WordPiece"))
		return read_wordpiece(t, model, e);
	if (ds_str_is(type, "Unigram"))
		return read_unigram(t, model, e);
	if (ds_str_is(type, "WordLevel"))
		return read_words(t, model, e);
	return ds_fail(e, DS_BAD, "model.type '%.*s' is not supported", DS_FMT(type));
}

ds_rc ds_hf_read_chain(ds_tok *t, const ds_json *root, ds_err *e)
{
	t->pattern = NULL;
	t->chain = ds_arena_zero(t->mem, sizeof(*t->chain));
	if (t->asked_nfc) {
		chain_step *s = ds_chain_add(&t->chain->norm, STEP_FORM);
		s->form = DS_NFC;
	}
	DS_TRY(ds_chain_read_normalizer(t, root, e));
	DS_TRY(ds_chain_read_splits(t, root, e));
	DS_TRY(ds_chain_read_decoder(t, root, e));
	return read_model(t, root, e);
}

ds_rc ds_chain_of_regex(ds_tok *t, ds_str regex, ds_err *e)
{
	t->chain = ds_arena_zero(t->mem, sizeof(*t->chain));
	t->regex = ds_arena_str(t->mem, regex);
	chain_step *s = ds_chain_add(&t->chain->split, STEP_SPLIT);
	s->how = SPLIT_ISOLATED;
	s->run = t->chain->n_runs++;
	t->chain->bytes = t->chain->bounded = true;
	t->chain->hash = ds_hash128(regex.at, regex.n);
	return ds_regex_parse_split(&s->regex, regex, false, e) == DS_OK
		       ? DS_OK
		       : ds_at(e, DS_USAGE, "--pattern");
}

ds_rc ds_hf_settle_added(ds_tok *t, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	chain_mem *m = ds_chain_mem_new(t);
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < t->n_added && rc == DS_OK; i++) {
		tok_added *a = &t->added[i];
		bool moved;
		ds_str s;
		if (!a->normalized)
			continue;
		rc = ds_chain_normalize(t, m, a->content, mem, &s, &moved, e);
		if (rc != DS_OK || ds_str_eq(s, a->content))
			continue;
		if (s.n == 0)
			rc = ds_fail(e, DS_BAD,
				"added_tokens[%zu]: nothing is left of it when normalized", i);
		t->chain->renamed = true;
		a->content = ds_arena_str(t->mem, s);
	}
	ds_chain_mem_free(m);
	return rc;
}
