/*
 * ds_hf_write.c - a tokenizer as tokenizer.json, in the order and spelling that tokenizers writes
 */
#include "json/json.h"
#include "text/tok/hf.h"

static const char *truth(bool v)
{
	return v ? "true" : "false";
}

static void add_flag(ds_buf *out, const char *name, bool v)
{
	ds_buf_fmt(out, ", \"%s\": %s", name, truth(v));
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

static void write_split(ds_str regex, ds_buf *out)
{
	ds_buf_add_c(out, "    {\"type\": \"Split\", \"pattern\": {\"Regex\": ");
	ds_json_add_str(out, regex);
	ds_buf_add_c(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n");
}

static void write_pattern(const ds_tok *t, ds_buf *out)
{
	if (t->kind == TOK_WORDPIECE) {
		const tok_bert *b = &t->bert;
		ds_buf_fmt(out,
			"  \"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": %s, "
			"\"handle_chinese_chars\": %s, \"strip_accents\": %s, \"lowercase\": %s},\n"
			"  \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n",
			truth(b->clean), truth(b->chinese), truth(b->strip), truth(b->lower));
		return;
	}
	ds_buf_fmt(out, "  \"normalizer\": %s,\n", t->nfc ? "{\"type\": \"NFC\"}" : "null");
	if (!t->regex.n && strcmp(t->pattern->name, "gpt2") == 0) {
		ds_buf_fmt(out,
			"  \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": %s, "
			"\"trim_offsets\": true, \"use_regex\": true},\n",
			truth(t->prefix_space));
		return;
	}
	ds_buf_add_c(out, "  \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [\n");
	if (t->regex.n)
		write_split(t->regex, out);
	for (size_t i = 0;
		!t->regex.n && t->pattern->regexes[i] && (i == 0 || t->pattern->sequence); i++)
		write_split(ds_str_of(t->pattern->regexes[i]), out);
	ds_buf_add_c(out, "    {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
			  "\"trim_offsets\": true, \"use_regex\": false}\n  ]},\n");
}

static ds_str added_content(const ds_tok *t, uint32_t id)
{
	size_t i = 0;
	while (i + 1 < t->n_added && t->added[i].id != id)
		i++;
	return t->added[i].content;
}

static void write_vocab(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	bool first = true;
	ds_buf_add_c(out, "    \"vocab\": {");
	for (uint32_t id = 0; id < t->n_ids; id++) {
		if (!t->flags[id])
			continue;
		if (!(t->flags[id] & TOK_ADDED) && ds_tok_lookup(t, t->bytes[id]) != id)
			continue; /* vocab.txt had it twice */
		ds_buf_clear(mem);
		if (t->flags[id] & TOK_ADDED)
			ds_buf_add_str(mem, added_content(t, id));
		else if (t->kind == TOK_WORDPIECE)
			ds_buf_add_str(mem, t->bytes[id]);
		else
			ds_tok_spell(t->bytes[id], mem);
		ds_buf_add_c(out, first ? "\n      " : ",\n      ");
		first = false;
		ds_json_add_str(out, ds_buf_view(mem));
		ds_buf_fmt(out, ": %u", id);
	}
	ds_buf_add_c(out, "\n    }");
}

static void write_merges(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	ds_buf_add_c(out, ",\n    \"merges\": [");
	for (size_t i = 0; i < t->n_pairs; i++) {
		ds_buf_clear(mem);
		ds_tok_spell(t->bytes[t->pairs[i][0]], mem);
		ds_buf_add_byte(mem, ' ');
		ds_tok_spell(t->bytes[t->pairs[i][1]], mem);
		ds_buf_add_c(out, i ? ",\n      " : "\n      ");
		ds_json_add_str(out, ds_buf_view(mem));
	}
	ds_buf_add_c(out, t->n_pairs ? "\n    ]\n" : "]\n");
}

static void write_special(const ds_tok *t, uint32_t id, unsigned type, ds_buf *out)
{
	ds_buf_add_c(out, "{\"SpecialToken\": {\"id\": ");
	ds_json_add_str(out, t->bytes[id]);
	ds_buf_fmt(out, ", \"type_id\": %u}}", type);
}

static void write_pair(const ds_tok *t, ds_buf *out)
{
	const tok_pair *p = &t->pair;
	for (unsigned place = 0; place < 3; place++) {
		for (size_t i = 0; i < p->n[place]; i++) {
			ds_buf_add_c(out, place || i ? ", " : "");
			write_special(t, p->ids[place][i], p->types[place][i], out);
		}
		if (place < 2)
			ds_buf_fmt(out, "%s{\"Sequence\": {\"id\": \"%c\", \"type_id\": %u}}",
				place || p->n[0] ? ", " : "", 'A' + (int)place, p->type[place]);
	}
}

/* What the template puts around texts, as a post-processor; by name, which tokenizers wants as well. */
static void write_template(const ds_tok *t, ds_buf *out)
{
	const tok_template *p = &t->post;
	bool first = true;
	ds_buf_add_c(out, "  \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [");
	for (size_t i = 0; i <= p->n_before + p->n_after; i++) {
		ds_buf_add_c(out, i ? ", " : "");
		if (i == p->n_before)
			ds_buf_add_c(out, "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}");
		else
			write_special(t,
				i < p->n_before ? p->before[i] : p->after[i - p->n_before - 1], 0,
				out);
	}
	ds_buf_add_c(out, "], \"pair\": [");
	write_pair(t, out);
	ds_buf_add_c(out, "], \"special_tokens\": {");
	for (size_t i = 0; i < p->n_before + p->n_after; i++) {
		uint32_t id = i < p->n_before ? p->before[i] : p->after[i - p->n_before];
		ds_buf_add_c(out, first ? "" : ", ");
		first = false;
		ds_json_add_str(out, t->bytes[id]);
		ds_buf_add_c(out, ": {\"id\": ");
		ds_json_add_str(out, t->bytes[id]);
		ds_buf_fmt(out, ", \"ids\": [%u], \"tokens\": [", id);
		ds_json_add_str(out, t->bytes[id]);
		ds_buf_add_c(out, "]}");
	}
	ds_buf_add_c(out, "}},\n");
}

static void write_bpe(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	ds_buf_add_c(out,
		"  \"post_processor\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
		"\"trim_offsets\": false, \"use_regex\": false},\n"
		"  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
		"\"trim_offsets\": true, \"use_regex\": true},\n"
		"  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n"
		"    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
		"    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
		"    \"byte_fallback\": false,\n");
	ds_buf_fmt(out, "    \"ignore_merges\": %s,\n", truth(t->whole));
	write_vocab(t, out, mem);
	write_merges(t, out, mem);
}

static void write_wordpiece(const ds_tok *t, ds_buf *out, ds_buf *mem)
{
	write_template(t, out);
	ds_buf_fmt(out,
		"  \"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": %s},\n"
		"  \"model\": {\n    \"type\": \"WordPiece\",\n    \"unk_token\": ",
		truth(t->bert.cleanup));
	ds_json_add_str(out, t->bytes[t->special[DS_TOK_UNK]]);
	ds_buf_fmt(out,
		",\n    \"continuing_subword_prefix\": \"##\",\n"
		"    \"max_input_chars_per_word\": %u,\n",
		t->max_chars);
	write_vocab(t, out, mem);
	ds_buf_add_c(out, "\n");
}

ds_rc ds_hf_write(const ds_tok *t, ds_buf *out, ds_err *e)
{
	ds_buf mem = { 0 };
	if (t->chain &&
		(memmem(t->regex.at, t->regex.n, "}+", 2) || memchr(t->regex.at, '$', t->regex.n)))
		return ds_fail(e, DS_USAGE,
			"the regex means something else in tokenizer.json: }+ repeats, $ is at "
			"lines");
	ds_buf_add_c(
		out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
	write_added(t, out);
	if (t->sp)
		return ds_hf_write_sp(t, out, e);
	write_pattern(t, out);
	if (t->kind == TOK_BPE)
		write_bpe(t, out, &mem);
	else
		write_wordpiece(t, out, &mem);
	ds_buf_add_c(out, "  }\n}\n");
	ds_buf_free(&mem);
	return DS_OK;
}
