/*
 * hf_post.c - post-processors of tokenizer.json: which ids go before a text and after it
 */
#include "text/tok/hf.h"

#include <stdio.h>

void ds_tok_pair_put(ds_tok *t, unsigned place, uint32_t id, uint8_t type)
{
	tok_pair *p = &t->pair;
	size_t n = p->n[place]++;
	uint32_t *ids = ds_arena_get(t->mem, (n + 1) * sizeof(*ids));
	uint8_t *types = ds_arena_get(t->mem, n + 1);
	if (n) {
		memcpy(ids, p->ids[place], n * sizeof(*ids));
		memcpy(types, p->types[place], n);
	}
	ids[n] = id;
	types[n] = type;
	p->ids[place] = ids;
	p->types[place] = types;
}

/* The ids of special token `name` of a template. */
static ds_rc template_ids(const ds_json *post, ds_str name, const char *path, uint32_t **ids,
	size_t *n, ds_arena *mem, const ds_tok *t, ds_err *e)
{
	const ds_json *specials = ds_json_get(post, "special_tokens"), *s = NULL;
	for (const ds_json *k = specials ? specials->first : NULL; k; k = k->next)
		if (ds_str_eq(k->key, name))
			s = ds_json_get(k, "ids");
	if (!s || s->kind != DS_J_ARR)
		return ds_fail(
			e, DS_BAD, "%s.special_tokens['%.*s'].ids is missing", path, DS_FMT(name));
	uint32_t *all = ds_arena_get(mem, (*n + s->n) * sizeof(**ids));
	if (*n)
		memcpy(all, *ids, *n * sizeof(*all));
	*ids = all;
	for (const ds_json *k = s->first; k; k = k->next) {
		if (k->kind != DS_J_I64 || k->i < 0 || k->i >= t->n_ids || !t->flags[k->i])
			return ds_fail(e, DS_BAD,
				"%s.special_tokens['%.*s'].ids: not in the vocabulary", path,
				DS_FMT(name));
		all[(*n)++] = (uint32_t)k->i;
	}
	return DS_OK;
}

static ds_rc type_of(const ds_json *x, const char *path, uint8_t *type, ds_err *e)
{
	int64_t v = ds_json_int(x, "type_id", 0);
	if (v < 0 || v > 255)
		return ds_fail(e, DS_BAD, "%s.pair: a type_id that is not 0 to 255", path);
	*type = (uint8_t)v;
	return DS_OK;
}

static ds_rc read_special_of_pair(ds_tok *t, const ds_json *post, const char *path,
	const ds_json *s, unsigned place, ds_err *e)
{
	uint32_t *ids = NULL;
	size_t n = 0;
	uint8_t type = 0;
	DS_TRY(type_of(s, path, &type, e));
	DS_TRY(template_ids(post, ds_json_text(s, "id", ""), path, &ids, &n, t->mem, t, e));
	for (size_t i = 0; i < n; i++)
		ds_tok_pair_put(t, place, ids[i], type);
	return DS_OK;
}

/* Special tokens around the sequences A and B, which come once each and in this order. */
static ds_rc read_pair(ds_tok *t, const ds_json *post, const char *path, ds_err *e)
{
	const ds_json *pair = ds_json_get(post, "pair");
	unsigned place = 0;
	if (!pair || pair->kind != DS_J_ARR)
		return DS_OK;
	for (const ds_json *k = pair->first; k; k = k->next) {
		const ds_json *s = ds_json_get(k, "SpecialToken"),
			      *text = ds_json_get(k, "Sequence");
		if (s) {
			DS_TRY(read_special_of_pair(t, post, path, s, place, e));
			continue;
		}
		if (place > 1 || !ds_str_is(ds_json_text(text, "id", ""), place ? "B" : "A"))
			return ds_fail(
				e, DS_BAD, "%s.pair is not A and B among special tokens", path);
		DS_TRY(type_of(text, path, &t->pair.type[place++], e));
	}
	t->pair.given = place == 2;
	return place == 2 ? DS_OK
			  : ds_fail(e, DS_BAD, "%s.pair is not A and B among special tokens", path);
}

static ds_rc read_template(ds_tok *t, const ds_json *post, const char *path, ds_err *e)
{
	const ds_json *single = ds_json_get(post, "single");
	bool after = false;
	if (!single || single->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "%s.single is not an array", path);
	for (const ds_json *k = single->first; k; k = k->next) {
		const ds_json *s = ds_json_get(k, "SpecialToken");
		if (!s) {
			after = true;
			continue;
		}
		DS_TRY(template_ids(post, ds_json_text(s, "id", ""), path,
			after ? &t->post.after : &t->post.before,
			after ? &t->post.n_after : &t->post.n_before, t->mem, t, e));
	}
	return read_pair(t, post, path, e);
}

/* {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]} */
static ds_rc read_bert_processing(
	ds_tok *t, const ds_json *post, const char *path, bool roberta, ds_err *e)
{
	static const char *const keys[] = { "cls", "sep" };
	uint32_t *ids = ds_arena_get(t->mem, 2 * sizeof(*ids));
	for (int i = 0; i < 2; i++) {
		const ds_json *v = ds_json_get(post, keys[i]), *id = NULL;
		if (v && v->kind == DS_J_ARR && v->n == 2)
			id = v->first->next;
		if (!id || id->kind != DS_J_I64 || id->i < 0 || id->i >= t->n_ids ||
			!t->flags[id->i])
			return ds_fail(e, DS_BAD, "%s.%s is not a token and its id", path, keys[i]);
		ids[i] = (uint32_t)id->i;
	}
	t->post = (tok_template){ .before = ids, .n_before = 1, .after = ids + 1, .n_after = 1 };
	ds_tok_pair_put(t, 0, ids[0], 0);
	ds_tok_pair_put(t, 1, ids[1], 0);
	if (roberta)
		ds_tok_pair_put(t, 1, ids[1], 0);
	ds_tok_pair_put(t, 2, ids[1], !roberta);
	t->pair.type[1] = !roberta;
	t->pair.given = true;
	return DS_OK;
}

ds_rc ds_hf_read_post(ds_tok *t, const ds_json *root, ds_err *e)
{
	const ds_json *p = ds_json_get(root, "post_processor"), *list = NULL;
	if (!p || p->kind == DS_J_NULL)
		return DS_OK;
	bool sequence = ds_str_is(ds_json_text(p, "type", ""), "Sequence");
	if (sequence) {
		list = ds_json_get(p, "processors");
		if (!list || list->kind != DS_J_ARR)
			return ds_fail(e, DS_BAD, "post_processor.processors is not an array");
	}
	size_t i = 0;
	bool any = false;
	for (const ds_json *k = sequence ? list->first : p; k; k = sequence ? k->next : NULL, i++) {
		char path[64] = "post_processor";
		if (sequence)
			snprintf(path, sizeof(path), "post_processor.processors[%zu]", i);
		ds_str type = ds_json_text(k, "type", "");
		bool roberta = ds_str_is(type, "RobertaProcessing");
		bool bert = roberta || ds_str_is(type, "BertProcessing");
		if (ds_str_is(type, "ByteLevel"))
			continue;
		if (!bert && !ds_str_is(type, "TemplateProcessing"))
			return ds_fail(
				e, DS_BAD, "%s.type '%.*s' is not supported", path, DS_FMT(type));
		if (any)
			return ds_fail(e, DS_BAD, "%s: a second template is not supported", path);
		any = true;
		DS_TRY(bert ? read_bert_processing(t, k, path, roberta, e)
			    : read_template(t, k, path, e));
	}
	return DS_OK;
}
