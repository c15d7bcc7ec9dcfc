/*
 * hf_write.c - a byte-level BPE as tokenizer.json, in the order and spelling that tokenizers writes
 */
#include "record/json.h"
#include "text/tok/tok_impl.h"

static void add_flag(ds_buf *out, const char *name, bool v)
{
	ds_buf_fmt(out, ", \"%s\": %s", name, v ? "true" : "false");
}

static void write_added(const ds_tok *t, ds_buf *out)
{
	ds_buf_add_c(out, "  \"added_tokens\": [");
	for (size_t i = 0; i < t->n_added; i++) {
		const tok_added *a = &t->added[i];
		ds_buf_fmt(out, "%s\n    {\"id\": %u, \"content\": ", i ? "," : "", a->id);
		ds_json_add_str(out, a->content);
		add_flag(out, "single_word", a->single_word);
		add_flag(out, "lstrip", a->lstrip);
		add_flag(out, "rstrip", a->rstrip);
		add_flag(out, "normalized", a->normalized);
		add_flag(out, "special", a->special);
		ds_buf_add_byte(out, '}');
	}
	ds_buf_add_c(out, t->n_added ? "\n  ],\n" : "],\n");
}

static void write_pattern(const ds_tok *t, ds_buf *out)
{
	ds_buf_fmt(out, "  \"normalizer\": %s,\n", t->nfc ? "{\"type\": \"NFC\"}" : "null");
	if (strcmp(t->pattern->name, "gpt2") == 0) {
		ds_buf_fmt(out, "  \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": %s, "
				"\"trim_offsets\": true, \"use_regex\": true},\n",
			t->prefix_space ? "true" : "false");
		return;
	}
	ds_buf_add_c(out, "  \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [\n"
			  "    {\"type\": \"Split\", \"pattern\": {\"Regex\": ");
	ds_json_add_str(out, ds_str_of(t->pattern->regexes[0]));
	ds_buf_add_c(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n"
			  "    {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
			  "\"trim_offsets\": true, \"use_regex\": false}\n  ]},\n");
}

static void write_vocab(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	bool first = true;
	ds_buf_add_c(out, "    \"vocab\": {");
	for (uint32_t id = 0; id < t->n_ids; id++) {
		if (!t->flags[id])
			continue;
		ds_buf_clear(mem);
		if (t->flags[id] & TOK_ADDED)
			ds_buf_add_str(mem, t->bytes[id]);
		else
			tok_spell(t->bytes[id], mem);
		ds_buf_add_c(out, first ? "\n      " : ",\n      ");
		first = false;
		ds_json_add_str(out, ds_buf_view(mem));
		ds_buf_fmt(out, ": %u", id);
	}
	ds_buf_add_c(out, "\n    },\n");
}

static void write_merges(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	ds_buf_add_c(out, "    \"merges\": [");
	for (size_t i = 0; i < t->n_pairs; i++) {
		ds_buf_clear(mem);
		tok_spell(t->bytes[t->pairs[i][0]], mem);
		ds_buf_add_byte(mem, ' ');
		tok_spell(t->bytes[t->pairs[i][1]], mem);
		ds_buf_add_c(out, i ? ",\n      " : "\n      ");
		ds_json_add_str(out, ds_buf_view(mem));
	}
	ds_buf_add_c(out, t->n_pairs ? "\n    ]\n" : "]\n");
}

ds_rc hf_write(const ds_tok *t, ds_buf *out, ds_err *e)
{
	ds_buf mem = { 0 };
	if (t->kind != TOK_BPE)
		return ds_fail(e, DS_USAGE, "a %s tokenizer cannot be written as tokenizer.json", ds_tok_model(t));
	ds_buf_add_c(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
	write_added(t, out);
	write_pattern(t, out);
	ds_buf_add_c(out, "  \"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
			  "\"trim_offsets\": false, \"use_regex\": false},\n"
			  "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
			  "\"trim_offsets\": true, \"use_regex\": true},\n"
			  "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n"
			  "    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
			  "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
			  "    \"byte_fallback\": false,\n");
	ds_buf_fmt(out, "    \"ignore_merges\": %s,\n", t->whole ? "true" : "false");
	write_vocab(t, out, &mem);
	write_merges(t, out, &mem);
	ds_buf_add_c(out, "  }\n}\n");
	ds_buf_free(&mem);
	return DS_OK;
}
