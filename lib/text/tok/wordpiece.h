/*
 * wordpiece.h - BERT's tokenizer: clean, split into words, then the longest token from the left
 *
 * As BertNormalizer, BertPreTokenizer and WordPiece of Hugging Face's tokenizers do it. Everything
 * but the decomposition of accents looks at one character at a time, so text can be cut first and
 * cleaned piece by piece, which the word cache then saves.
 */
#ifndef DS_TEXT_TOK_WORDPIECE_H
#define DS_TEXT_TOK_WORDPIECE_H

#include "text/tok/tok_impl.h"

/*
 * The category by Unicode 8.0, which is what the reference cleans and cuts by; of those that matter here: marks
 * to strip, punctuation, controls. The ranges of wp_may_differ hold all that is newer or was something else.
 */
ds_cat ds_wp_cat_before(uint32_t c, ds_cat now);
static inline bool wp_may_differ(uint32_t c)
{
	return c >= 0x61d && !(c >= 0x1e00 && c < 0x2e43) && !(c >= 0x2e5e && c < 0xa82c) &&
	       !(c >= 0xaa00 && c < 0x10000);
}
static inline ds_cat wp_cat(uint32_t c)
{
	ds_cat k = ds_cat_of(c);
	return wp_may_differ(c) ? ds_wp_cat_before(c, k) : k;
}

/* White space that splits words: what is a control character as well has been taken away before. */
static inline bool wp_is_white(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
	       (c > 0x85 && ds_cat_of(c) == DS_CAT_BLANK);
}
static inline bool wp_is_mark(uint32_t c)
{
	if (c < 128)
		return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
		       (c >= 123 && c <= 126);
	return wp_cat(c) == DS_CAT_P;
}
/* The ranges that the reference has; it begins one of them at U+2B920, not U+2B820. */
static inline bool wp_is_chinese(uint32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
	       (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2a6df) ||
	       (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
	       (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* What BertNormalizer makes of a text, and its lower-casing alone: character by character. */
ds_str ds_wp_normalize(const tok_bert *b, ds_arena *mem, ds_str text);
ds_str ds_wp_lower(ds_arena *mem, ds_str text);
/* The next word of cleaned text from *at on, which moves behind it; punctuation is words of one character. */
bool ds_wp_next_word(ds_str s, size_t *at, ds_str *w);
/* The ids of one piece; at most one for each of its bytes. */
size_t ds_wp_piece(const ds_tok *t, ds_arena *mem, const uint8_t *p, size_t n, uint32_t *out);
DS_MUST ds_rc ds_wp_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e);

#endif
