/*
 * export_safetensors.c - the weights as one file, in another type where asked; or a folder that is a whole model
 *
 * A folder is Hugging Face's: config.json, model.safetensors, the tokenizer and what belongs to it, and a model card
 * (README.md) of what the model's own folder tells about its data and its training.
 */
#include "card.h"
#include "export.h"
#include "values.h"

#include "model/engine.h"
#include "model/side.h"
#include "model/stack.h"

#include <sys/stat.h>

static ds_rc write_all(const ds_engine *m, ds_st_type t, bool clamp, const char *path, ds_err *e)
{
	const ds_graph *g = m->g;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_st_item *items = ds_arena_zero(mem, (size_t)g->n_tensors * sizeof(*items));
	size_t n = 0;
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *p = ds_g_tensor(g, i);
		if (p->memory != DS_CLASS_PARAM)
			continue;
		const void *values;
		DS_TRY(ds_exec_view(m->x, i, mem, &values, e));
		ds_st_item *s = &items[n++];
		ds_dims d = ds_t_stored(p);
		*s = (ds_st_item){ .name = p->name, .rank = d.rank, .data = values };
		for (int k = 0; k < d.rank; k++)
			s->dims[k] = d.dims[k];
	}
	items = ds_stack_split(items, &n, mem);
	return ds_st_write_how(path, items, n, t, &(ds_st_how){ .clamp = clamp }, e);
}

typedef struct {
	const ds_model *m;
	const ds_engine *n;
	const char *dir;
	value_type type;
	ds_arena *mem;
} folder;

static ds_rc put_file(const folder *f, const char *name, const ds_buf *text, ds_err *e)
{
	return ds_file_deliver(
		ds_arena_fmt(f->mem, "%s/%s", f->dir, name).at, ds_buf_view(text), e);
}

/* config.json says the type of the weights that lie beside it. */
static ds_rc put_config(const folder *f, ds_buf *text, ds_err *e)
{
	static const char *const names[] = {
		[VALUE_F32] = "float32", [VALUE_F16] = "float16", [VALUE_BF16] = "bfloat16"
	};
	static const char key[] = "\"torch_dtype\": \"";
	ds_buf out = { 0 };
	ds_config_print(ds_model_config(f->m), text);
	ds_str s = ds_buf_view(text);
	const char *at = memmem(s.at, s.n, key, sizeof(key) - 1);
	const char *after = at ? strchr(at + sizeof(key) - 1, '"') : NULL;
	if (after) {
		ds_buf_add(&out, s.at, (size_t)(at - s.at) + sizeof(key) - 1);
		ds_buf_add_c(&out, names[f->type]);
		ds_buf_add(&out, after, (size_t)(s.at + s.n - after));
	} else {
		ds_buf_add_str(&out, s);
	}
	ds_rc rc = put_file(f, "config.json", &out, e);
	ds_buf_free(&out);
	return rc;
}

static int64_t count_weights(const ds_graph *g)
{
	int64_t n = 0;
	for (ds_tid i = 1; i < g->n_tensors; i++)
		if (ds_g_tensor(g, i)->memory == DS_CLASS_PARAM)
			n += ds_t_count(ds_g_tensor(g, i));
	return n;
}

static ds_rc put_beside(const folder *f, ds_buf *text, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(f->m);
	provenance p = provenance_of(ds_model_dir(f->m), f->mem);
	DS_TRY(put_config(f, text, e));
	ds_buf_clear(text);
	if (tok) {
		DS_TRY(ds_tok_json(tok, text, e));
		DS_TRY(put_file(f, "tokenizer.json", text, e));
		ds_buf_clear(text);
	}
	card_print(f->m, count_weights(f->n->g), &p, text);
	return put_file(f, "README.md", text, e);
}

/* A name that ends with a slash, or a folder that is there. */
static bool is_folder(const char *path)
{
	struct stat s;
	size_t n = strlen(path);
	return (n && path[n - 1] == '/') || (stat(path, &s) == 0 && S_ISDIR(s.st_mode));
}

static ds_rc make_folder(const char *dir, ds_err *e)
{
	char **names;
	DS_TRY(ds_dir_make(dir, e));
	DS_TRY(ds_dir_list(dir, &names, e));
	bool empty = !names[0];
	ds_names_free(names);
	return empty ? DS_OK : ds_fail(e, DS_USAGE, "%s is not empty", dir);
}

static ds_rc write_folder(folder *f, ds_st_type t, bool clamp, ds_err *e)
{
	const ds_side same = { 0 };
	const char *base = ds_model_is_adapter(f->m) ? ds_model_base(f->m) : ds_model_dir(f->m);
	ds_buf text = { 0 };
	DS_TRY(make_folder(f->dir, e));
	DS_TRY(ds_side_carry(base, f->dir, &same, ds_model_tok(f->m), e));
	ds_rc rc = put_beside(f, &text, e);
	ds_buf_free(&text);
	DS_TRY(rc);
	return write_all(
		f->n, t, clamp, ds_arena_fmt(f->mem, "%s/model.safetensors", f->dir).at, e);
}

static ds_rc write_safetensors(
	const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	static const ds_st_type types[] = {
		[VALUE_F32] = DS_ST_F32, [VALUE_F16] = DS_ST_F16, [VALUE_BF16] = DS_ST_BF16
	};
	value_type t = VALUE_F32;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	ds_engine_opts eo = { .config = ds_model_config(m), .batch = 1, .seq = 8, .weights = m };
	DS_TRY(values_type(o->dtype, &t, e));
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	folder f = { m, n, c->out.path, t, mem };
	if (is_folder(c->out.path))
		return write_folder(&f, types[t], o->clamp, e);
	return write_all(n, types[t], o->clamp, c->out.path, e);
}

static const ds_arg args[] = {
	EXPORT_MODEL,
	EXPORT_DTYPE,
	{ 0 },
};

const exporter export_safetensors = {
	.name = "safetensors",
	.usage = "-m DIR -o FILE|DIR/ [options]",
	.help = "the weights as one file, or a folder with a model card",
	.args = args,
	.folders = true,
	.write = write_safetensors,
};
