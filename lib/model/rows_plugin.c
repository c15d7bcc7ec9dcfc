/*
 * rows_plugin.c - the door to datasets in shared libraries (dataset.h)
 */
#include "model/rows_impl.h"

#include "base/io.h"
#include "base/mem.h"
#include "model/dataset.h"

#include <dlfcn.h>

enum { LIBRARY_BYTES = 1 << 30 };

struct ds_rows_plugin {
	void *library, *dataset;
	__typeof__(ds_dataset_next) *next;
	__typeof__(ds_dataset_close) *close;
	ds_h128 hash; /* of the library */
	ds_buf lines, options;
	uint64_t n_records;
	bool ended;
};

static ds_rc symbol(const ds_rows_plugin *p, const char *name, void **out, ds_err *e)
{
	*out = dlsym(p->library, name);
	return *out ? DS_OK : ds_fail(e, DS_USAGE, "no function '%s'", name);
}

/* The content is what counts for the provenance, not where it lies. */
static ds_rc hash_library(ds_rows_plugin *p, const char *path, ds_err *e)
{
	ds_buf bytes = { 0 };
	ds_rc rc = ds_file_read(path, LIBRARY_BYTES, &bytes, e);
	p->hash = ds_hash128(bytes.at, bytes.n);
	ds_buf_free(&bytes);
	return rc;
}

/* A name without a slash would be looked for where the system's libraries are. */
static ds_rc load(ds_rows_plugin *p, const char *path, ds_err *e)
{
	ds_buf at = { 0 };
	ds_buf_fmt(&at, "%s%s", strchr(path, '/') ? "" : "./", path);
	p->library = dlopen(ds_buf_text(&at), RTLD_NOW | RTLD_LOCAL);
	ds_buf_free(&at);
	if (p->library)
		return DS_OK;
	const char *why = dlerror();
	return ds_fail(e, DS_IO, "cannot load: %s", why ? why : "no reason given");
}

static ds_rc start(ds_rows_plugin *p, const char *options, ds_err *e)
{
	void *open, *next, *close;
	const char *why = NULL;
	DS_TRY(symbol(p, "ds_dataset_open", &open, e));
	DS_TRY(symbol(p, "ds_dataset_next", &next, e));
	DS_TRY(symbol(p, "ds_dataset_close", &close, e));
	p->next = (__typeof__(ds_dataset_next) *)next;
	p->close = (__typeof__(ds_dataset_close) *)close;
	p->dataset = ((__typeof__(ds_dataset_open) *)open)(options, &why);
	return p->dataset ? DS_OK
			  : ds_fail(e, DS_BAD, "ds_dataset_open: %s",
				    why ? why : "it failed and does not say why");
}

ds_rc ds_rows_plugin_open(ds_rows_plugin **out, const char *path, const char *options, ds_err *e)
{
	DS_AUTO(ds_rows_plugin) p = DS_NEW(ds_rows_plugin, 1);
	ds_buf_add_c(&p->options, options ? options : "");
	DS_TRY(hash_library(p, path, e));
	DS_TRY_AT(load(p, path, e), e, "%s", path);
	DS_TRY_AT(start(p, ds_buf_text(&p->options), e), e, "%s", path);
	*out = p;
	p = NULL;
	return DS_OK;
}

ds_rc ds_rows_plugin_next(ds_rows_plugin *p, ds_str *lines, ds_err *e)
{
	*lines = (ds_str){ 0 };
	ds_buf_clear(&p->lines);
	while (!p->ended && p->lines.n < DS_BLOCK_BYTES) {
		const char *json = NULL, *why = NULL;
		size_t n = 0;
		int got = p->next(p->dataset, &json, &n, &why);
		if (got < 0 || (got > 0 && !json))
			return ds_fail(e, DS_BAD, "record %llu: ds_dataset_next: %s",
				(unsigned long long)p->n_records + 1,
				why ? why : "it failed and does not say why");
		p->ended = got == 0;
		if (p->ended)
			break;
		if (memchr(json, '\n', n))
			return ds_fail(e, DS_BAD, "record %llu: it has more than one line",
				(unsigned long long)p->n_records + 1);
		p->n_records++;
		ds_buf_add(&p->lines, json, n);
		ds_buf_add_byte(&p->lines, '\n');
	}
	if (p->lines.n)
		*lines = ds_buf_view(&p->lines);
	return DS_OK;
}

void ds_rows_plugin_chain(const ds_rows_plugin *p, ds_buf *out)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_chain *c = ds_chain_new(mem);
	ds_str args = ds_arena_fmt(mem, "xxh3-128:%016llx%016llx %.*s",
		(unsigned long long)p->hash.hi, (unsigned long long)p->hash.lo, (int)p->options.n,
		p->options.n ? p->options.at : "");
	ds_stage_entry *s = ds_chain_push(mem, c, DS_S("plugin"), DS_S(""), args);
	s->has_counts = true;
	s->records_out = p->n_records;
	ds_chain_print(out, c);
}

void ds_rows_plugin_close(ds_rows_plugin *p)
{
	if (!p)
		return;
	if (p->dataset)
		p->close(p->dataset);
	if (p->library)
		dlclose(p->library);
	ds_buf_free(&p->lines);
	ds_buf_free(&p->options);
	ds_mem_free(p);
}
