/*
 * model.c - a model directory
 *
 * Weights come as one file or as parts with model.safetensors.index.json, whose "weight_map" gives
 * each tensor's file. Only file names without a slash are accepted there: an index cannot lead out of
 * its directory.
 */
#include "model/model.h"

#include "base/finite.h"
#include "graph/part.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/side.h"
#include "model/stack.h"

#include <stdio.h>
#include <sys/stat.h>

enum { CONFIG_BYTES = 16 << 20, INDEX_BYTES = 256 << 20 };

struct ds_model {
	ds_arena *mem;
	const char *dir; /* as given */
	const char
		*base; /* where config.json and the weights are: dir, or the model of its adapter */
	ds_lora lora;  /* r 0: dir is no such adapter */
	ds_soft soft;  /* kind NONE: it is no such one */
	ds_st *adapter;
	bool apart; /* its products are not added into the weights */
	ds_config config;
	bool insist;   /* on what it does not know: ds_model_opts.ignore_keys */
	int64_t grown; /* layers of the graphs to fill; 0: as stored */
	ds_tok *tok;
	int64_t *ends; /* ids that end a text */
	size_t n_ends;
	ds_st **files;
	size_t n_files;
};

static const char *join(ds_model *m, const char *dir, ds_str name)
{
	return ds_arena_fmt(m->mem, "%s/%.*s", dir, (int)name.n, name.at).at;
}

static const char *path_in(ds_model *m, ds_str name)
{
	return join(m, m->base, name);
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
		rc = ds_config_parse(&m->config, kept, m->insist, m->mem, e);
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

/* dir is an adapter: its config names the model, by a path from here or from dir. */
static ds_rc open_adapter(ds_model *m, const char *config, ds_err *e)
{
	ds_buf text = { 0 };
	const char *base = NULL;
	ds_rc rc = ds_file_read(config, CONFIG_BYTES, &text, e);
	if (rc == DS_OK) {
		ds_str kept = ds_arena_str(m->mem, ds_buf_view(&text));
		rc = ds_soft_parse(&m->soft, kept, &base, m->mem, e);
		if (rc == DS_OK && m->soft.kind == DS_SOFT_NONE)
			rc = ds_lora_parse(&m->lora, kept, &base, m->mem, e);
		if (rc != DS_OK)
			rc = ds_at(e, rc, "%s", config);
	}
	ds_buf_free(&text);
	DS_TRY(rc);
	m->base = exists(join(m, base, DS_S("config.json"))) ? base
							     : join(m, m->dir, ds_str_of(base));
	if (!exists(join(m, m->base, DS_S("config.json"))))
		return ds_fail(e, DS_IO,
			"%s: the model '%s' that it adapts is not there, nor beside it; the config "
			"names it as base_model_name_or_path",
			config, base);
	DS_TRY(ds_st_open(&m->adapter, join(m, m->dir, DS_S("adapter_model.safetensors")), e));
	for (size_t i = 0; m->soft.kind != DS_SOFT_NONE && i < ds_st_n(m->adapter) && !m->insist;
		i++)
		if (!ds_str_is(ds_st_at(m->adapter, i)->name, DS_SOFT_PARAM))
			return ds_fail(e, DS_BAD,
				"%s: tensor '%.*s' is no virtual token; --ignore-keys leaves it "
				"out",
				m->dir, DS_FMT(ds_st_at(m->adapter, i)->name));
	return DS_OK;
}

static ds_rc open_tok(ds_model *m, ds_err *e)
{
	const char *dir = ds_tok_in_folder(m->dir) ? m->dir : m->base;
	if (ds_tok_in_folder(dir))
		DS_TRY(ds_tok_open(&m->tok, dir, NULL, e));
	DS_TRY(ds_side_ends(m->dir, m->mem, &m->ends, &m->n_ends, e));
	if (!m->n_ends)
		DS_TRY(ds_side_ends(m->base, m->mem, &m->ends, &m->n_ends, e));
	return DS_OK;
}

/* generation_config.json counts first, as in transformers; the tokenizer's where nothing else says it. */
static void settle_ends(ds_model *m)
{
	const ds_config *c = &m->config;
	uint32_t eos = m->tok ? ds_tok_special(m->tok, DS_TOK_EOS) : (uint32_t)DS_TOK_NONE;
	if (m->n_ends)
		return;
	m->n_ends = c->n_ends > 1 ? c->n_ends : c->eos >= 0 || eos != (uint32_t)DS_TOK_NONE;
	m->ends = c->n_ends > 1 ? c->ends : ds_arena_zero(m->mem, sizeof(*m->ends));
	if (c->n_ends <= 1)
		m->ends[0] = c->eos >= 0 ? c->eos : (int64_t)eos;
}

/*
 * A file that holds the output projection beside an embedding which the config calls the same one: where
 * they differ they are two, as in transformers.
 */
static void settle_tied(ds_model *m)
{
	const ds_st_tensor *head = ds_model_find(m, m->config.arch->head, NULL);
	const ds_st_tensor *w = ds_model_find(m, m->config.arch->embedding, NULL);
	if (!m->config.tied || !head || !w || head == w)
		return;
	bool same = head->type == w->type && head->bytes == w->bytes &&
		    memcmp(head->data, w->data, w->bytes) == 0;
	m->config.tied = same;
}

static ds_rc check_stored(const ds_model *m, ds_err *e);

ds_rc ds_model_open_with(ds_model **out, const char *dir, const ds_model_opts *o, ds_err *e)
{
	DS_AUTO(ds_model) m = DS_NEW(ds_model, 1);
	m->insist = o->ignore_keys;
	m->mem = ds_arena_new(1 << 16);
	m->base = m->dir = ds_arena_str(m->mem, ds_str_of(dir)).at;
	const char *adapter = path_in(m, DS_S("adapter_config.json"));
	if (exists(adapter))
		DS_TRY(open_adapter(m, adapter, e));
	DS_TRY(read_config(m, e));
	DS_TRY(open_weights(m, e));
	settle_tied(m);
	DS_TRY(check_stored(m, e));
	if (m->soft.kind != DS_SOFT_NONE && !o->soft)
		return ds_fail(e, DS_USAGE,
			"%s: virtual tokens (a %s) are read by dsgen, dseval ppl and dstrain "
			"--tune alone",
			dir, m->soft.kind == DS_SOFT_PROMPT ? "prompt" : "prefix");
	DS_TRY(open_tok(m, e));
	settle_ends(m);
	*out = m;
	m = NULL;
	return DS_OK;
}

ds_rc ds_model_open(ds_model **out, const char *dir, ds_err *e)
{
	return ds_model_open_with(out, dir, &(ds_model_opts){ 0 }, e);
}

void ds_model_close(ds_model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_files; i++)
		ds_st_close(m->files[i]);
	ds_st_close(m->adapter);
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

ds_rc ds_model_meet(const ds_model *m, const ds_opt *opts, size_t n, size_t *seen, ds_err *e)
{
	for (; *seen < n; ++*seen) {
		DS_AUTO(ds_tok) t = NULL;
		if (opts[*seen].kind != DS_OPT_TOKENIZER || !m->tok)
			continue;
		DS_TRY(ds_tok_unpack(&t, opts[*seen].bytes, e));
		bool same;
		DS_TRY(ds_tok_same(m->tok, t, &same, e));
		if (!same)
			return ds_fail(e, DS_BAD,
				"the input was encoded with another tokenizer than that of %s; "
				"--any-tokenizer takes its ids as they are",
				m->dir);
	}
	return DS_OK;
}

const int64_t *ds_model_ends(const ds_model *m, size_t *n)
{
	*n = m->n_ends;
	return m->ends;
}

void ds_model_grow(ds_model *m, int64_t n_layers)
{
	m->grown = n_layers;
}

/* Behind the mark that stands before a layer's number; 0: it is not there. */
static size_t behind(ds_str name, ds_str mark)
{
	for (size_t i = 0; i + mark.n <= name.n; i++)
		if ((i == 0 || name.at[i - 1] == '.') && memcmp(name.at + i, mark.at, mark.n) == 0)
			return i + mark.n;
	return 0;
}

/* The name with the number of the stored layer: "model.layers.7.mlp" -> "model.layers.3.mlp". */
static ds_str stored_name(const ds_model *m, ds_str name, char *buffer, size_t size)
{
	size_t from = behind(name, ds_str_of(m->config.arch->layers)), to = from;
	int64_t layer = 0;
	for (; from && to < name.n && name.at[to] >= '0' && name.at[to] <= '9'; to++)
		layer = layer < 1 << 16 ? 10 * layer + name.at[to] - '0' : layer;
	if (to == from)
		return name;
	int n = snprintf(buffer, size, "%.*s%lld%.*s", (int)from, name.at,
		(long long)(layer * m->config.n_layers / m->grown), (int)(name.n - to),
		name.at + to);
	return n > 0 && (size_t)n < size ? (ds_str){ buffer, (size_t)n } : name;
}

static const ds_st_tensor *find_exact(const ds_model *m, ds_str name)
{
	char buffer[2 * DS_NAME_BYTES];
	if (m->grown)
		name = stored_name(m, name, buffer, sizeof(buffer));
	for (size_t i = 0; i < m->n_files; i++) {
		const ds_st_tensor *t = ds_st_find(m->files[i], name);
		if (t)
			return t;
	}
	return NULL;
}

/* As older files call it. */
static const ds_st_tensor *find_old(const ds_model *m, ds_str name)
{
	const char *const(*ends)[2] = m->config.arch->renamed;
	for (; ends && (*ends)[0]; ends++) {
		ds_str end = ds_str_of((*ends)[0]);
		if (!ds_str_ends(name, end))
			continue;
		DS_NAME(old, "%.*s%s", (int)(name.n - end.n), name.at, (*ends)[1]);
		return find_exact(m, ds_str_of(old));
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
	if (!t)
		t = find_old(m, full);
	return t;
}

/* The stored tensor of part i of a parameter (stack.h). */
static const ds_st_tensor *find_part(const ds_model *m, const ds_tensor *t, int64_t i)
{
	char buffer[2 * DS_NAME_BYTES];
	return ds_model_find(m, ds_stack_name(t->name, i, buffer, sizeof(buffer)), t->also);
}

static bool same_shape(const ds_st_tensor *s, const ds_tensor *t)
{
	int64_t dims[DS_MAX_RANK];
	int rank = ds_stack_shape(t, dims);
	if (s->rank != rank)
		return false;
	for (int i = 0; i < rank; i++)
		if (s->dims[i] != dims[i])
			return false;
	return true;
}

/* The part of the architecture that a name, with or without the prefix, belongs to; NULL: all heads have it. */
static const ds_arch_part *part_of(const ds_arch *a, ds_str name)
{
	ds_str prefix = ds_str_of(a->prefix);
	for (const ds_arch_part *p = a->parts; p && p->prefix; p++) {
		ds_str start = ds_str_of(p->prefix);
		if (ds_str_starts(name, start))
			return p;
		if (ds_str_starts(start, prefix) &&
			ds_str_starts(name, (ds_str){ start.at + prefix.n, start.n - prefix.n }))
			return p;
	}
	return NULL;
}

bool ds_model_is_new(const ds_model *m, const ds_tensor *t)
{
	if (t->memory != DS_CLASS_PARAM || find_part(m, t, 0))
		return false;
	const ds_arch_part *p = part_of(m->config.arch, ds_str_of(t->name));
	return p && !(p->heads >> m->config.head & 1);
}

static bool is_param(const ds_tensor *t)
{
	return t->memory == DS_CLASS_PARAM && !(t->flags & DS_TENSOR_VIEW) &&
	       !ds_adapter_owns(t->name);
}

static ds_rc find_pair(const ds_model *m, const ds_tensor *t, ds_lora_pair *p, ds_err *e)
{
	*p = (ds_lora_pair){ 0 };
	if (!m->adapter || !m->lora.r)
		return DS_OK;
	DS_TRY_AT(ds_lora_find(&m->lora, m->adapter, m->config.arch->prefix, t, p, e), e, "%s",
		m->dir);
	return DS_OK;
}

static ds_rc merge(const ds_model *m, const ds_tensor *t, float *w, ds_err *e)
{
	ds_lora_pair p;
	DS_TRY(find_pair(m, t, &p, e));
	if (!p.a)
		return DS_OK;
	int64_t cols = ds_t_cols(t), rows = ds_t_rows(t);
	DS_TRY_AT(ds_lora_add(&p, cols, m->config.arch->traits & DS_ARCH_IN_OUT, w, e), e, "%s",
		m->dir);
	if (ds_f32_finite(w, (size_t)(rows * cols)) < (size_t)(rows * cols))
		return ds_fail(e, DS_BAD, "%s: the adapter makes '%s' not finite", m->dir, t->name);
	return DS_OK;
}

/*
 * A tensor's values. Those that are not finite are named here, where they enter: what is computed from them
 * says nothing of where they came from.
 */
static ds_rc read_values(const ds_st_tensor *s, float *out, ds_err *e)
{
	enum { AT_ONCE = 1 << 14 }; /* looked at while it is in the cache */
	for (int64_t from = 0, n; from < ds_st_count(s); from += n) {
		n = ds_st_count(s) - from < AT_ONCE ? ds_st_count(s) - from : AT_ONCE;
		DS_TRY(ds_st_floats(s, from, n, out + from, e));
		int64_t bad = from + (int64_t)ds_f32_finite(out + from, (size_t)n);
		if (bad < from + n)
			return ds_fail(e, DS_BAD, "tensor '%.*s': value %lld is %g",
				DS_FMT(s->name), (long long)bad, (double)out[bad]);
	}
	return DS_OK;
}

/* ---- filling an executor ---- */

typedef struct {
	const ds_model *m;
	const char *dir; /* where it was stored */
	const ds_st_tensor *from;
	bool merged; /* with its low-rank product */
} stored;

/* Its parts one after the other. */
static ds_rc copy_parts(void *context, const ds_tensor *t, void *to, ds_err *e)
{
	const stored *s = context;
	int64_t parts = ds_stack_parts(t), n = ds_t_count(t) / parts;
	for (int64_t i = 0; i < parts; i++)
		DS_TRY_AT(read_values(find_part(s->m, t, i), (float *)to + i * n, e), e, "%s",
			s->dir);
	return s->merged ? merge(s->m, t, to, e) : DS_OK;
}

static ds_rc copy_stored(void *context, const ds_tensor *t, void *to, ds_err *e)
{
	const stored *s = context;
	DS_TRY_AT(read_values(s->from, to, e), e, "%s", s->dir);
	return DS_OK;
}

/* The adapter's own tensors, into parameters of the same names. */
static ds_rc load_apart(const ds_model *m, ds_exec *x, const ds_graph *g, ds_err *e)
{
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (t->memory != DS_CLASS_PARAM || t->flags & DS_TENSOR_VIEW ||
			!ds_adapter_owns(t->name))
			continue;
		const ds_st_tensor *s = ds_lora_stored(m->adapter, m->config.arch->prefix, t->name);
		if (!s || ds_st_count(s) != ds_t_count(t))
			return ds_fail(e, DS_BAD, "%s: tensor '%s' is %s", m->dir, t->name,
				s ? "of another size" : "missing");
		stored from = { m, m->dir, s, false };
		DS_TRY(ds_exec_fill(x, i, copy_stored, &from, e));
	}
	return DS_OK;
}

static ds_rc check_part(const ds_model *m, const ds_tensor *t, int64_t part, ds_err *e)
{
	const ds_st_tensor *s = find_part(m, t, part);
	char have[128], want[128], buffer[2 * DS_NAME_BYTES];
	const char *name = ds_stack_name(t->name, part, buffer, sizeof(buffer));
	if (!s)
		return ds_fail(e, DS_BAD, "%s: no tensor '%s'", m->base, name);
	if (!same_shape(s, t)) {
		ds_st_tensor wanted = { 0 };
		wanted.rank = ds_stack_shape(t, wanted.dims);
		ds_st_shape(s, have);
		ds_st_shape(&wanted, want);
		return ds_fail(e, DS_BAD, "%s: tensor '%s' is %s, the config makes it %s", m->base,
			name, have, want);
	}
	float none;
	DS_TRY_AT(ds_st_floats(s, 0, 0, &none, e), e, "%s",
		m->dir); /* is its type one that can be read? */
	return DS_OK;
}

static ds_rc check_one(const ds_model *m, const ds_tensor *given, ds_err *e)
{
	const ds_tensor whole = ds_t_whole(given), *t = &whole;
	ds_lora_pair p;
	for (int64_t i = 0; i < ds_stack_parts(t); i++)
		DS_TRY(check_part(m, t, i, e));
	return find_pair(m, t, &p, e);
}

/* Buffers that transformers itself recomputes and older files carry along. */
static bool is_buffer(ds_str name)
{
	static const char *const ends[] = { "embeddings.position_ids", "embeddings.token_type_ids",
		".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ds_str_ends(name, ds_str_of(ends[i])))
			return true;
	return false;
}

/* Parts of the same model with another head: who reads it with this one has no use for them. */
static bool is_other_head(const ds_config *c, ds_str name)
{
	return part_of(c->arch, name) ||
	       (c->head == DS_HEAD_NONE && ds_str_is(name, c->arch->head));
}

/* A tensor of the files that no parameter of g takes, at NULL: none. */
static ds_str unused(const ds_model *m, const ds_graph *g)
{
	DS_AUTO(ds_map) used = ds_map_new((size_t)g->n_tensors);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (!is_param(t))
			continue;
		for (int64_t k = 0; k < ds_stack_parts(t); k++) {
			const ds_st_tensor *s = find_part(m, t, k);
			if (s)
				ds_map_put(used, s->name, NULL);
		}
		if (t->also)
			ds_map_put(used, ds_str_of(t->also), NULL);
	}
	for (size_t f = 0; f < m->n_files; f++) {
		for (size_t i = 0; i < ds_st_n(m->files[f]); i++) {
			ds_str name = ds_st_at(m->files[f], i)->name;
			bool other = is_buffer(name) || is_other_head(&m->config, name);
			if (!other && !ds_map_find(used, name))
				return name;
		}
	}
	return (ds_str){ 0 };
}

/*
 * What the files hold against what the config makes of it, from the header alone: a config may ask for
 * more than any machine has, and nothing is allocated before both agree. A head may be missing: who
 * builds one finds that out.
 */
static ds_rc check_stored(const ds_model *m, ds_err *e)
{
	for (int hidden = 1; hidden >= 0; hidden--) {
		DS_AUTO(ds_graph) g = ds_graph_new(1, 1);
		ds_build b = { .only_hidden = hidden };
		ds_arch_build(g, &m->config, &b);
		for (ds_tid i = 1; i < g->n_tensors; i++) {
			const ds_tensor *t = &g->tensors[i];
			if (is_param(t) && (hidden || find_part(m, t, 0)))
				DS_TRY(check_one(m, t, e));
		}
		ds_str odd = hidden || m->insist ? (ds_str){ 0 } : unused(m, g);
		if (odd.at)
			return ds_fail(e, DS_BAD,
				"%s: tensor '%.*s' is not part of this model; --ignore-keys leaves "
				"it out",
				m->base, DS_FMT(odd));
	}
	return DS_OK;
}

ds_rc ds_model_load(const ds_model *m, ds_exec *x, const ds_graph *g, ds_err *e)
{
	for (ds_tid i = 1; i < g->n_tensors; i++)
		if (is_param(&g->tensors[i]) && !ds_model_is_new(m, &g->tensors[i]))
			DS_TRY(check_one(m, &g->tensors[i], e));
	if (m->adapter && m->lora.r && !m->insist)
		DS_TRY_AT(ds_lora_covers(
				  g, m->adapter, m->config.arch->prefix, m->config.arch->head, e),
			e, "%s", m->dir);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (!is_param(t) || ds_model_is_new(m, t))
			continue;
		stored from = { m, m->base, NULL, !m->apart };
		DS_TRY(ds_exec_fill(x, i, copy_parts, &from, e));
	}
	return m->apart || m->soft.kind ? load_apart(m, x, g, e) : DS_OK;
}

bool ds_model_is_adapter(const ds_model *m)
{
	return m->adapter != NULL;
}

const ds_soft *ds_model_soft(const ds_model *m)
{
	return m->soft.kind == DS_SOFT_NONE ? NULL : &m->soft;
}

int64_t ds_model_longest(const ds_model *m)
{
	return ds_arch_longest(&m->config, m->soft.tokens);
}

ds_rc ds_model_soft_row(
	const ds_model *m, int64_t token, int64_t from, int64_t n, float *out, ds_err *e)
{
	const ds_st_tensor *t = ds_st_find(m->adapter, DS_S(DS_SOFT_PARAM));
	if (!t || t->rank != 2 || t->dims[0] != m->soft.tokens || from + n > t->dims[1])
		return ds_fail(e, DS_BAD, "%s: tensor '" DS_SOFT_PARAM "' is %s", m->dir,
			t ? "of another size" : "missing");
	DS_TRY_AT(ds_st_floats(t, token * t->dims[1] + from, n, out, e), e, "%s", m->dir);
	return ds_f32_finite(out, (size_t)n) == (size_t)n
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "%s: tensor '" DS_SOFT_PARAM "' is not finite", m->dir);
}

const ds_lora *ds_model_keep_apart(ds_model *m)
{
	m->apart = true;
	return &m->lora;
}

const char *ds_model_base(const ds_model *m)
{
	return m->base;
}

void ds_model_positions(ds_exec *x, const ds_graph *g, const ds_build *b)
{
	int32_t *at = ds_exec_input(x, b->positions);
	int64_t before = b->soft && b->soft->kind == DS_SOFT_PREFIX ? b->soft->tokens : 0;
	for (int64_t row = 0; row < g->batch; row++)
		for (int64_t i = 0; i < g->seq; i++)
			*at++ = (int32_t)(i + before);
}
