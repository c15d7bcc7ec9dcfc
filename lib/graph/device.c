/*
 * device.c - backends by name, devices opened and closed
 */
#include "graph/backend.h"

#include "base/mem.h"

#include <string.h>

static const struct {
	const char *name;
	const ds_backend *(*get)(void);
} table[] = {
#define BACKEND(name) { #name, ds_backend_##name },
#include "graph/backends.def"
#undef BACKEND
};

const ds_backend *ds_backend_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!name || strcmp(table[i].name, name) == 0)
			return table[i].get();
	return NULL;
}

ds_rc ds_device_open(ds_device **out, const char *backend, unsigned threads, ds_err *e)
{
	const ds_backend *b = ds_backend_find(backend);
	if (!b)
		return ds_fail(e, DS_USAGE, "no backend '%s'", backend);
	ds_device *d = DS_NEW(ds_device, 1);
	d->backend = b;
	d->pool = ds_pool_new(threads);
	if (b->open) {
		ds_rc rc = b->open(d, e);
		if (rc != DS_OK) {
			ds_pool_free(d->pool);
			ds_mem_free(d);
			return rc;
		}
	}
	*out = d;
	return DS_OK;
}

void ds_device_close(ds_device *d)
{
	if (!d)
		return;
	if (d->backend->close)
		d->backend->close(d);
	ds_pool_free(d->pool);
	ds_mem_free(d);
}

const ds_backend *ds_device_backend(const ds_device *d)
{
	return d->backend;
}

void ds_device_join(ds_device *d, ds_world *w)
{
	d->world = w;
}

ds_world *ds_device_world(const ds_device *d)
{
	return d->world;
}
