/*
 * ds_hf_write_sp.c - a SentencePiece model as tokenizer.json, as tokenizers can express it
 *
 * The normalizer becomes steps that do the same to a text: the precompiled map, white space cut and joined,
 * a space in front, spaces as U+2581. Scores of a BPE become merges in their order; those of a piece that
 * several pairs make follow one another. What tokenizers does by itself differs in two ways: its Precompiled
 * looks at whole grapheme clusters, and it has no stand-ins for characters that are no pieces.
 */
#include "text/tok/hf.h"
#include "text/tok/sentencepiece.h"

#include "base/base64.h"

#include <stdio.h>

#define BLOCK "\xe2\x96\x81" /* what stands for a space */

static void write_map(const struct tok_sp *sp, ds_buf *out)
{
	ds_buf blob = { 0 };
	uint32_t n = (uint32_t)(4 * sp->n_map);
	for (int i = 0; i < 4; i++)
		ds_buf_add_byte(&blob, (char)(n >> 8 * i));
	ds_buf_add(&blob, sp->map, n);
	ds_buf_add_str(&blob, sp->strings);
	ds_buf_add_c(out, "    {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"");
	ds_buf_reserve(out, 4 * (blob.n / 3 + 1));
	out->n += ds_base64_encode(out->at + out->n, ds_buf_view(&blob));
	ds_buf_add_c(out, "\"}");
	ds_buf_free(&blob);
}

static void write_replace(const char *kind, const char *what, const char *by, ds_buf *out)
{
	ds_buf_fmt(out,
		"    {\"type\": \"Replace\", \"pattern\": {\"%s\": \"%s\"}, \"content\": \"%s\"}",
		kind, what, by);
}

static void write_normalizer(const struct tok_sp *sp, ds_buf *out)
{
	ds_buf_add_c(out, "  \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [\n");
	if (sp->n_map) {
		write_map(sp, out);
		ds_buf_add_c(out, ",\n");
	}
	if (sp->remove_extra) {
		write_replace("Regex", "\\\\A +|[ " BLOCK "]+\\\\z", "", out);
		ds_buf_add_c(out, ",\n");
		write_replace("Regex", " {2,}", " ", out);
		ds_buf_add_c(out, ",\n");
	}
	if (sp->dummy_prefix)
		ds_buf_add_c(out, "    {\"type\": \"Prepend\", \"prepend\": \"" BLOCK "\"},\n");
	write_replace("String", " ", BLOCK, out);
	ds_buf_add_c(out, "\n  ]},\n  \"pre_tokenizer\": null,\n  \"post_processor\": null,\n");
}

static void write_decoder(const struct tok_sp *sp, ds_buf *out)
{
	ds_buf_add_c(out, "  \"decoder\": {\"type\": \"Sequence\", \"decoders\": [\n");
	write_replace("String", BLOCK, " ", out);
	ds_buf_add_c(out, ",\n    {\"type\": \"ByteFallback\"},\n    {\"type\": \"Fuse\"}");
	if (sp->dummy_prefix)
		ds_buf_add_c(out, ",\n    {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, "
				  "\"stop\": 0}");
	ds_buf_add_c(out, "\n  ]},\n");
}

static void write_piece(const ds_tok *t, uint32_t id, ds_buf *out)
{
	if (t->flags[id] & TOK_BYTE)
		ds_buf_fmt(out, "\"<0x%02X>\"", (uint8_t)t->bytes[id].at[0]);
	else
		ds_json_add_str(out, t->bytes[id]);
}

static void write_bpe(const ds_tok *t, ds_buf *out)
{
	bool first = true;
	ds_buf_add_c(out, "    \"vocab\": {");
	for (uint32_t id = 0; id < t->n_ids; id++) {
		ds_buf_add_c(out, id ? ",\n      " : "\n      ");
		write_piece(t, id, out);
		ds_buf_fmt(out, ": %u", id);
	}
	ds_buf_add_c(out, "\n    },\n    \"merges\": [");
	for (size_t i = 0; i < t->n_pairs; i++) {
		if (t->pairs[i][0] >= t->n_ids || t->pairs[i][1] >= t->n_ids)
			continue; /* with a character that is no piece */
		ds_buf_add_c(out, first ? "\n      [" : ",\n      [");
		write_piece(t, t->pairs[i][0], out);
		ds_buf_add_c(out, ", ");
		write_piece(t, t->pairs[i][1], out);
		ds_buf_add_byte(out, ']');
		first = false;
	}
	ds_buf_add_c(out, "\n    ]\n  }\n}\n");
}

static void write_unigram(const ds_tok *t, ds_buf *out)
{
	ds_buf_fmt(out, "    \"unk_id\": %u,\n    \"vocab\": [", t->special[DS_TOK_UNK]);
	for (uint32_t id = 0; id < t->n_ids; id++) {
		ds_buf_add_c(out, id ? ",\n      [" : "\n      [");
		write_piece(t, id, out);
		ds_buf_fmt(out, ", %.17g]", (double)t->sp->score[id]);
	}
	ds_buf_add_c(out, "\n    ]\n  }\n}\n");
}

ds_rc ds_hf_write_sp(const ds_tok *t, ds_buf *out, ds_err *e)
{
	const struct tok_sp *sp = t->sp;
	bool bpe = t->kind == TOK_SP_BPE;
	if (sp->suffix || !sp->escape)
		return ds_fail(e, DS_USAGE,
			"tokenizer.json has no way to say how this SentencePiece model treats "
			"spaces");
	write_normalizer(sp, out);
	write_decoder(sp, out);
	ds_buf_fmt(out, "  \"model\": {\n    \"type\": \"%s\",\n", bpe ? "BPE" : "Unigram");
	if (bpe) {
		ds_buf_add_c(out, "    \"dropout\": null,\n    \"unk_token\": ");
		ds_json_add_str(out, t->bytes[t->special[DS_TOK_UNK]]);
		ds_buf_add_c(out, ",\n    \"continuing_subword_prefix\": null,\n"
				  "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": true,\n");
	}
	ds_buf_fmt(out, "    \"byte_fallback\": %s,\n", sp->byte_fallback ? "true" : "false");
	if (bpe)
		write_bpe(t, out);
	else
		write_unigram(t, out);
	return DS_OK;
}
