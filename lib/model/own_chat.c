/*
 * own_chat.c - the chat template of a model directory
 *
 * transformers takes chat_template.jinja before the member of tokenizer_config.json, which is a text or a list of
 * named ones, of which `default` is meant here.
 */
#include "model/own_chat.h"

#include "base/io.h"

#include <sys/stat.h>

enum { FILE_BYTES = 64 << 20 };

const char *const ds_chat_roles_warning = "chat chatml: the tokenizer lacks <|im_start|> or "
					  "<|im_end|>, its bos and eos stand for them";

typedef struct {
	ds_str template, bos, eos; /* at NULL: none */
} found;

static bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static ds_rc read_file(const char *path, ds_arena *mem, ds_str *out, ds_err *e)
{
	ds_buf text = { 0 };
	*out = (ds_str){ 0 };
	if (!exists(path))
		return DS_OK;
	ds_rc rc = ds_file_read(path, FILE_BYTES, &text, e);
	if (rc == DS_OK)
		*out = ds_arena_str(mem, ds_buf_view(&text));
	ds_buf_free(&text);
	return rc;
}

/* "</s>", or {"content": "</s>", …} */
static ds_str token_of(const ds_json *config, const char *name)
{
	const ds_json *t = ds_json_get(config, name);
	if (t && t->kind == DS_J_OBJ)
		t = ds_json_get(t, "content");
	return t && t->kind == DS_J_STR ? t->s : (ds_str){ 0 };
}

static ds_str template_of(const ds_json *config)
{
	const ds_json *t = ds_json_get(config, "chat_template");
	if (t && t->kind == DS_J_ARR)
		for (const ds_json *one = t->first; one; one = one->next)
			if (ds_str_is(ds_json_text(one, "name", ""), "default"))
				t = ds_json_get(one, "template");
	return t && t->kind == DS_J_STR ? t->s : (ds_str){ 0 };
}

static ds_rc look(const char *dir, ds_arena *mem, found *f, ds_err *e)
{
	static const char *const files[] = { "tokenizer_config.json", "special_tokens_map.json" };
	*f = (found){ 0 };
	for (int i = 0; i < 2; i++) {
		const char *path = ds_arena_fmt(mem, "%s/%s", dir, files[i]).at;
		const ds_json *config;
		ds_str text;
		DS_TRY(read_file(path, mem, &text, e));
		if (!text.at)
			continue;
		DS_TRY_AT(ds_json_parse(&config, mem, text, e), e, "%s", path);
		f->bos = f->bos.at ? f->bos : token_of(config, "bos_token");
		f->eos = f->eos.at ? f->eos : token_of(config, "eos_token");
		f->template = f->template.at ? f->template : template_of(config);
	}
	ds_str text;
	DS_TRY(read_file(ds_arena_fmt(mem, "%s/chat_template.jinja", dir).at, mem, &text, e));
	f->template = text.at ? text : f->template;
	return DS_OK;
}

bool ds_own_chat_has(const char *dir)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 14);
	found f;
	ds_err e;
	return look(dir, mem, &f, &e) == DS_OK && f.template.at;
}

ds_rc ds_own_chat(
	const ds_chat_layout **l, const char *name, const char *dir, ds_arena *mem, ds_err *e)
{
	found f = { 0 };
	ds_err why;
	struct stat st;
	if (name && *name && strcmp(name, "auto") != 0)
		return ds_chat_find(l, name, e);
	if (dir && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		DS_TRY(look(dir, mem, &f, e));
	if (!f.template.at)
		return ds_chat_find(l, "chatml", e);
	*l = ds_chat_recognise(f.template, f.bos, f.eos, mem, &why);
	if (*l)
		return DS_OK;
	return ds_fail(e, DS_USAGE,
		"%s: its chat template is none of the known layouts (%s): name the one it means",
		dir, why.msg);
}
