/*
 * model.c - a model directory
 *
 * Weights come as one file or as parts with model.safetensors.index.json, whose "weight_map" gives
 * each tensor's file. Only file names without a slash are accepted there: an index cannot lead out of
 * its directory.
 */
#include "model/model.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/stat.h>

enum { CONFIG_BYTES = 16 << 20, INDEX_BYTES = 256 << 20 };

struct ds_model {
	ds_arena *mem;
	const char *dir;
	ds_config config;
	ds_tok *tok;
	ds_st **files;
	size_t n_files;
};

static const char *path_in(ds_model *m, ds_str name)
{
	return ds_arena_fmt(m->mem, "%s/%.*s", m->dir, (int)name.n, name.at).at;
}

static bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static ds_rc read_config(ds_model *m, ds_err *e)
{
	const char *path = path_in(m, DS_S("config.json"));
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(path, CONFIG_BYTES, &text, e);
	if (rc == DS_OK) {
		ds_str kept = ds_arena_str(m->mem, ds_buf_view(&text));
		rc = ds_config_parse(&m->config, kept, m->mem, e);
		if (rc == DS_OK)
			rc = ds_config_finish(&m->config, e);
		if (rc != DS_OK)
			rc = ds_at(e, rc, "%s", path);
	}
	ds_buf_free(&text);
	return rc;
}

static ds_rc add_file(ds_model *m, ds_str name, ds_err *e)
{
	DS_TRY(ds_st_open(&m->files[m->n_files], path_in(m, name), e));
	m->n_files++;
	return DS_OK;
}

static ds_rc open_parts(ds_model *m, const char *path, ds_err *e)
{
	DS_AUTO(ds_map) seen = ds_map_new(16);
	const ds_json *root, *map;
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(path, INDEX_BYTES, &text, e);
	ds_str kept = rc == DS_OK ? ds_arena_str(m->mem, ds_buf_view(&text)) : DS_S("");
	ds_buf_free(&text);
	DS_TRY(rc);
	DS_TRY_AT(ds_json_parse(&root, m->mem, kept, e), e, "%s", path);
	map = ds_json_get(root, "weight_map");
	if (!map || map->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "%s: no 'weight_map'", path);
	m->files = ds_arena_zero(m->mem, (map->n + 1) * sizeof(*m->files));
	for (const ds_json *w = map->first; w; w = w->next) {
		bool is_new;
		if (w->kind != DS_J_STR || !w->s.n || memchr(w->s.at, '/', w->s.n) || w->s.n > 255)
			return ds_fail(e, DS_BAD, "%s: '%.*s' is not in a file beside it", path,
				DS_FMT(w->key));
		ds_map_put(seen, w->s, &is_new);
		if (is_new)
			DS_TRY(add_file(m, w->s, e));
	}
	return DS_OK;
}

static ds_rc open_weights(ds_model *m, ds_err *e)
{
	const char *index = path_in(m, DS_S("model.safetensors.index.json"));
	if (!exists(path_in(m, DS_S("model.safetensors"))) && exists(index))
		return open_parts(m, index, e);
	m->files = ds_arena_zero(m->mem, sizeof(*m->files));
	return add_file(m, DS_S("model.safetensors"), e);
}

ds_rc ds_model_open(ds_model **out, const char *dir, ds_err *e)
{
	DS_AUTO(ds_model) m = DS_NEW(ds_model, 1);
	m->mem = ds_arena_new(1 << 16);
	m->dir = ds_arena_str(m->mem, ds_str_of(dir)).at;
	DS_TRY(read_config(m, e));
	DS_TRY(open_weights(m, e));
	if (exists(path_in(m, DS_S("tokenizer.json"))))
		DS_TRY(ds_tok_open(&m->tok, dir, NULL, e));
	*out = m;
	m = NULL;
	return DS_OK;
}

void ds_model_close(ds_model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_files; i++)
		ds_st_close(m->files[i]);
	ds_tok_close(m->tok);
	ds_arena_free(m->mem);
	ds_mem_free(m);
}

const char *ds_model_dir(const ds_model *m)
{
	return m->dir;
}

const ds_config *ds_model_config(const ds_model *m)
{
	return &m->config;
}

const ds_tok *ds_model_tok(const ds_model *m)
{
	return m->tok;
}

static const ds_st_tensor *find_exact(const ds_model *m, ds_str name)
{
	for (size_t i = 0; i < m->n_files; i++) {
		const ds_st_tensor *t = ds_st_find(m->files[i], name);
		if (t)
			return t;
	}
	return NULL;
}

const ds_st_tensor *ds_model_find(const ds_model *m, const char *name, const char *also)
{
	ds_str full = ds_str_of(name), prefix = ds_str_of(m->config.arch->prefix);
	const ds_st_tensor *t = find_exact(m, full);
	if (!t && ds_str_starts(full, prefix))
		t = find_exact(m, (ds_str){ full.at + prefix.n, full.n - prefix.n });
	if (!t && also)
		t = find_exact(m, ds_str_of(also));
	return t;
}

static bool same_shape(const ds_st_tensor *s, const ds_tensor *t)
{
	if (s->rank != t->rank)
		return false;
	for (int i = 0; i < t->rank; i++)
		if (s->dims[i] != t->dims[i])
			return false;
	return true;
}

static ds_rc check_one(const ds_model *m, const ds_tensor *t, ds_err *e)
{
	const ds_st_tensor *s = ds_model_find(m, t->name, t->also);
	char have[128], want[128];
	if (!s)
		return ds_fail(e, DS_BAD, "%s: no tensor '%s'", m->dir, t->name);
	if (!same_shape(s, t)) {
		ds_st_tensor wanted = { .rank = t->rank };
		for (int i = 0; i < t->rank; i++)
			wanted.dims[i] = t->dims[i];
		ds_st_shape(s, have);
		ds_st_shape(&wanted, want);
		return ds_fail(e, DS_BAD, "%s: tensor '%s' is %s, the config makes it %s", m->dir,
			t->name, have, want);
	}
	float none;
	DS_TRY_AT(ds_st_floats(s, 0, 0, &none, e), e, "%s", m->dir); /* is its type one that can be read? */
	return DS_OK;
}

static bool is_param(const ds_tensor *t)
{
	return t->class == DS_CLASS_PARAM && !(t->flags & DS_T_VIEW);
}

ds_rc ds_model_load(const ds_model *m, ds_exec *x, const ds_graph *g, ds_err *e)
{
	for (ds_tid i = 1; i < g->n_tensors; i++)
		if (is_param(&g->tensors[i]))
			DS_TRY(check_one(m, &g->tensors[i], e));
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (!is_param(t))
			continue;
		const ds_st_tensor *s = ds_model_find(m, t->name, t->also);
		float *out = ds_exec_data(x, i);
		int64_t cols = ds_t_cols(t);
		for (int64_t row = 0; row < ds_t_rows(t); row++)
			DS_TRY(ds_st_floats(s, row * cols, cols, out + row * t->ld, e));
	}
	return DS_OK;
}

/* Buffers that transformers itself recomputes and older files carry along. */
static bool is_buffer(ds_str name)
{
	static const char *const ends[] = { ".attn.bias", ".attn.masked_bias",
		"rotary_emb.inv_freq" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ds_str_ends(name, ds_str_of(ends[i])))
			return true;
	return false;
}

ds_str ds_model_unused(const ds_model *m, const ds_graph *g)
{
	DS_AUTO(ds_map) used = ds_map_new((size_t)g->n_tensors);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (!is_param(t))
			continue;
		const ds_st_tensor *s = ds_model_find(m, t->name, t->also);
		if (s)
			ds_map_put(used, s->name, NULL);
		if (t->also)
			ds_map_put(used, ds_str_of(t->also), NULL);
	}
	for (size_t f = 0; f < m->n_files; f++) {
		for (size_t i = 0; i < ds_st_n(m->files[f]); i++) {
			ds_str name = ds_st_at(m->files[f], i)->name;
			if (!is_buffer(name) && !ds_map_find(used, name))
				return name;
		}
	}
	return (ds_str){ 0 };
}

void ds_model_positions(ds_exec *x, const ds_graph *g, const ds_build *b)
{
	int32_t *at = ds_exec_data(x, b->positions);
	for (int64_t row = 0; row < g->batch; row++)
		for (int64_t i = 0; i < g->seq; i++)
			*at++ = (int32_t)i;
}
