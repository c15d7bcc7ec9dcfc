/*
 * device.c - backends by name, devices opened and closed
 */
#include "graph/backend.h"

#include "base/machine.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const ds_backend *(*get)(void);
} table[] = {
#define BACKEND(name) { #name, ds_backend_##name },
#include "graph/backends.def"
#undef BACKEND
};

enum { N_BACKENDS = sizeof(table) / sizeof(table[0]) };

/* The first that needs a device and has one; else the default. */
static const ds_backend *find_any(void)
{
	for (size_t i = 0; i < N_BACKENDS; i++)
		if (table[i].get()->present && table[i].get()->present())
			return table[i].get();
	return table[0].get();
}

const ds_backend *ds_backend_find(const char *name)
{
	if (name && strcmp(name, "auto") == 0)
		return find_any();
	for (size_t i = 0; i < N_BACKENDS; i++)
		if (!name || strcmp(table[i].name, name) == 0)
			return table[i].get();
	return NULL;
}

/* DS_USAGE: no backend of that name, with those that there are. */
static ds_rc check_name(const char *name, ds_err *e)
{
	char names[128] = "auto";
	if (!name || strcmp(name, "auto") == 0 || ds_backend_find(name))
		return DS_OK;
	for (size_t i = 0, n = strlen(names); i < N_BACKENDS && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, ", %s", table[i].name);
	return ds_fail(e, DS_USAGE, "no device '%s'; there are %s", name, names);
}

ds_rc ds_device_open(ds_device **out, const char *backend, unsigned threads, ds_err *e)
{
	return ds_device_open_for(out, NULL, backend, threads, e);
}

ds_rc ds_device_open_for(
	ds_device **out, ds_world *w, const char *backend, unsigned threads, ds_err *e)
{
	DS_TRY(check_name(backend, e));
	const ds_backend *b = ds_backend_find(backend);
	ds_device *d = DS_NEW(ds_device, 1);
	d->backend = b;
	d->world = w;
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

double ds_device_free_bytes(const ds_device *d)
{
	return d->backend->free_bytes ? d->backend->free_bytes(d) : ds_machine_bytes();
}
