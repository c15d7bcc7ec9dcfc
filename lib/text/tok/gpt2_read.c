/*
 * gpt2_read.c - GPT-2's two files, vocab.json and merges.txt, put together into one tokenizer.json
 *
 * So everything after that (streams, errors by path, writing) is the same as for a tokenizer.json.
 */
#include "json/json.h"
#include "text/tok/tok_impl.h"

/* A merge a line; the first line may be a comment, "#version: 0.2". */
static ds_rc add_merges(ds_buf *out, ds_str merges, ds_err *e)
{
	bool first = true;
	size_t number = 1;
	for (ds_str rest = merges; rest.n; number++) {
		ds_str right, line = ds_str_cut(rest, '\n', &rest);
		bool last = !rest.at;
		if (line.n && line.at[line.n - 1] == '\r')
			line.n--;
		if (line.n && !(number == 1 && ds_str_starts(line, DS_S("#version")))) {
			ds_str left = ds_str_cut(line, ' ', &right);
			if (!right.at || left.n == 0 || right.n == 0)
				return ds_fail(e, DS_BAD, "merges: line %zu is not a pair", number);
			ds_buf_add_c(out, first ? "[" : ",[");
			ds_json_add_str(out, left);
			ds_buf_add_byte(out, ',');
			ds_json_add_str(out, right);
			ds_buf_add_byte(out, ']');
			first = false;
		}
		if (last)
			break;
	}
	return DS_OK;
}

bool ds_gpt2_is_vocab(ds_str file)
{
	/* A tokenizer.json has "model" as a key, and a token that is spelled so has no object after it. */
	static const char key[] = "\"model\"";
	const char *at = memmem(file.at, file.n, key, sizeof(key) - 1);
	if (!at)
		return memmem(file.at, file.n, "pre_tokenizer", 13) == NULL;
	const char *after = at + sizeof(key) - 1;
	ds_str rest = ds_str_trim((ds_str){ after, (size_t)(file.at + file.n - after) });
	rest = rest.n && rest.at[0] == ':' ? ds_str_trim((ds_str){ rest.at + 1, rest.n - 1 })
					   : rest;
	return rest.n && rest.at[0] >= '0' && rest.at[0] <= '9';
}

ds_rc ds_gpt2_join(ds_str vocab, ds_str merges, ds_buf *out, ds_err *e)
{
	static const char eot[] = "<|endoftext|>";
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	const ds_json *root;
	DS_TRY(ds_json_parse(&root, mem, vocab, e));
	const ds_json *id = ds_json_get(root, eot);
	ds_buf_add_c(out, "{\"version\":\"1.0\",\"added_tokens\":[");
	if (id && id->kind == DS_J_I64)
		ds_buf_fmt(out,
			"{\"id\":%lld,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,"
			"\"rstrip\":false,\"normalized\":false,\"special\":true}",
			(long long)id->i, eot);
	ds_buf_add_c(out,
		"],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
		"\"trim_offsets\":true,\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\","
		"\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
		"\"model\":{\"type\":\"BPE\",\"vocab\":");
	ds_buf_add_str(out, vocab);
	ds_buf_add_c(out, ",\"merges\":[");
	DS_TRY(add_merges(out, merges, e));
	ds_buf_add_c(out, "]}}\n");
	return DS_OK;
}
