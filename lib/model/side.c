/*
 * side.c - what a model directory has beside config.json, weights and tokenizer.json
 */
#include "model/side.h"

#include "base/io.h"
#include "json/json.h"

#include <sys/stat.h>

enum { SIDE_BYTES = 256 << 20 };
/* As Hugging Face's layouts have them; templates are also kept in a folder of their own. */
static const char *const carried[] = { "tokenizer_config.json", "special_tokens_map.json",
	"generation_config.json", "chat_template.jinja", "chat_template.json", "added_tokens.json",
	"vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model",
	"preprocessor_config.json", "processor_config.json" };
static const char templates[] = "additional_chat_templates";
static const char *const token_keys[DS_SIDE_N] = { "bos_token", "eos_token", "pad_token" };
static const char *const id_keys[DS_SIDE_N] = { "bos_token_id", "eos_token_id", "pad_token_id" };

ds_side ds_side_of(const ds_config *was, const ds_config *now)
{
	const int64_t a[] = { was->bos, was->eos, was->pad },
		      b[] = { now->bos, now->eos, now->pad };
	ds_side s = { 0 };
	for (int i = 0; i < DS_SIDE_N; i++) {
		s.changed[i] = a[i] != b[i];
		s.id[i] = b[i];
	}
	return s;
}

static bool is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- what changed ---- */

static void print_value(const ds_side *s, int i, const ds_tok *tok, bool ids, ds_buf *out)
{
	if (s->id[i] < 0)
		ds_buf_add_c(out, "null");
	else if (ids)
		ds_buf_fmt(out, "%lld", (long long)s->id[i]);
	else
		ds_json_add_str(out, ds_tok_bytes(tok, (uint32_t)s->id[i]));
}

/* The object with those members that changed. */
static void print_changed(
	const ds_json *root, const ds_side *s, const ds_tok *tok, bool ids, ds_buf *out)
{
	const char *const *keys = ids ? id_keys : token_keys;
	const char *comma = "{\n  ";
	for (const ds_json *m = root->first; m; m = m->next) {
		int which = -1;
		for (int i = 0; i < DS_SIDE_N; i++)
			if (s->changed[i] && ds_str_is(m->key, keys[i]))
				which = i;
		ds_buf_add_c(out, comma);
		comma = ",\n  ";
		ds_json_add_str(out, m->key);
		ds_buf_add_c(out, ": ");
		if (which >= 0)
			print_value(s, which, tok, ids, out);
		else
			ds_json_add(out, m);
	}
	for (int i = 0; i < DS_SIDE_N; i++) {
		if (!s->changed[i] || ds_json_get(root, keys[i]))
			continue;
		ds_buf_fmt(out, "%s\"%s\": ", comma, keys[i]);
		comma = ",\n  ";
		print_value(s, i, tok, ids, out);
	}
	ds_buf_add_c(out, comma[0] == '{' ? "{}\n" : "\n}\n");
}

static ds_rc change(
	ds_buf *file, const char *path, const ds_side *s, const ds_tok *tok, bool ids, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	const ds_json *root;
	ds_buf out = { 0 };
	DS_TRY_AT(ds_json_parse(&root, mem, ds_buf_view(file), e), e, "%s", path);
	if (root->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "%s: not a JSON object", path);
	print_changed(root, s, tok, ids, &out);
	ds_buf_free(file);
	*file = out;
	return DS_OK;
}

/* ---- carrying ---- */

static ds_rc copy(const char *from, const char *to, const char *name, const ds_side *s,
	const ds_tok *tok, ds_err *e)
{
	bool ids = strcmp(name, "generation_config.json") == 0;
	bool tokens = tok && (strcmp(name, "tokenizer_config.json") == 0 ||
				     strcmp(name, "special_tokens_map.json") == 0);
	bool any = s &&
		   (s->changed[DS_SIDE_BOS] || s->changed[DS_SIDE_EOS] || s->changed[DS_SIDE_PAD]);
	ds_buf file = { 0 };
	ds_rc rc = ds_file_read(from, SIDE_BYTES, &file, e);
	if (rc == DS_OK && any && (ids || tokens))
		rc = change(&file, from, s, tok, ids, e);
	if (rc == DS_OK)
		rc = ds_file_write(to, ds_buf_view(&file), e);
	ds_buf_free(&file);
	return rc;
}

static ds_rc carry_templates(const char *from, const char *to, ds_arena *mem, ds_err *e)
{
	char **names;
	ds_rc rc = DS_OK;
	struct stat st;
	const char *in = ds_arena_fmt(mem, "%s/%s", from, templates).at,
		   *out = ds_arena_fmt(mem, "%s/%s", to, templates).at;
	if (stat(in, &st) != 0 || !S_ISDIR(st.st_mode))
		return DS_OK;
	DS_TRY(ds_dir_make(out, e));
	DS_TRY(ds_dir_list(in, &names, e));
	for (size_t i = 0; names[i] && rc == DS_OK; i++) {
		const char *path = ds_arena_fmt(mem, "%s/%s", in, names[i]).at;
		if (is_file(path))
			rc = copy(path, ds_arena_fmt(mem, "%s/%s", out, names[i]).at, names[i],
				NULL, NULL, e);
	}
	ds_names_free(names);
	return rc;
}

ds_rc ds_side_carry(
	const char *from, const char *to, const ds_side *side, const ds_tok *tok, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		const char *path = ds_arena_fmt(mem, "%s/%s", from, carried[i]).at;
		if (is_file(path))
			DS_TRY(copy(path, ds_arena_fmt(mem, "%s/%s", to, carried[i]).at, carried[i],
				side, tok, e));
	}
	return carry_templates(from, to, mem, e);
}

void ds_side_print(const ds_tok *tok, int64_t longest, ds_buf *out)
{
	static const struct {
		const char *name;
		ds_tok_special_kind kind;
	} all[] = { { "bos_token", DS_TOK_BOS }, { "cls_token", DS_TOK_CLS },
		{ "eos_token", DS_TOK_EOS }, { "mask_token", DS_TOK_MASK },
		{ "pad_token", DS_TOK_PAD }, { "sep_token", DS_TOK_SEP },
		{ "unk_token", DS_TOK_UNK } };
	ds_buf_add_c(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint32_t id = ds_tok_special(tok, all[i].kind);
		ds_buf_fmt(out, ",\n  \"%s\": ", all[i].name);
		if (id == (uint32_t)DS_TOK_NONE)
			ds_buf_add_c(out, "null");
		else
			ds_json_add_str(out, ds_tok_bytes(tok, id));
	}
	ds_buf_fmt(out, ",\n  \"model_max_length\": %lld\n}\n", (long long)longest);
}

ds_rc ds_side_ends(const char *dir, ds_arena *mem, int64_t **ends, size_t *n, ds_err *e)
{
	const char *path = ds_arena_fmt(mem, "%s/generation_config.json", dir).at;
	const ds_json *root, *v;
	ds_buf file = { 0 };
	*ends = NULL;
	*n = 0;
	if (!is_file(path))
		return DS_OK;
	ds_rc rc = ds_file_read(path, SIDE_BYTES, &file, e);
	ds_str text = ds_arena_str(mem, ds_buf_view(&file));
	ds_buf_free(&file);
	DS_TRY(rc);
	DS_TRY_AT(ds_json_parse(&root, mem, text, e), e, "%s", path);
	v = ds_json_get(root, id_keys[DS_SIDE_EOS]);
	if (!v || v->kind == DS_J_NULL || (v->kind == DS_J_ARR && !v->n))
		return DS_OK;
	*n = v->kind == DS_J_ARR ? v->n : 1;
	*ends = ds_arena_zero(mem, *n * sizeof(**ends));
	for (size_t i = 0; i < *n; i++) {
		const ds_json *one = v->kind == DS_J_ARR ? v->items[i] : v;
		if (one->kind != DS_J_I64 || one->i < 0)
			return ds_fail(
				e, DS_USAGE, "%s: eos_token_id is no id, nor a list of ids", path);
		(*ends)[i] = one->i;
	}
	return DS_OK;
}
