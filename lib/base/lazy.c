/*
 * lazy.c - dlopen, once a library
 */
#include "base/lazy.h"

#include <dlfcn.h>
#include <pthread.h>

static ds_rc load(ds_lazy *l, void (*opened)(void), ds_err *e)
{
	void *library = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return ds_fail(e, DS_IO, "cannot load %s", dlerror());
	for (size_t i = 0; l->names[i]; i++)
		if (!(l->at[i] = dlsym(library, l->names[i])))
			return ds_fail(e, DS_IO, "%s has no %s", l->soname, l->names[i]);
	if (opened)
		opened();
	__atomic_store_n(&l->open, true, __ATOMIC_RELEASE);
	return DS_OK;
}

ds_rc ds_lazy_open_with(ds_lazy *l, void (*opened)(void), ds_err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	if (__atomic_load_n(&l->open, __ATOMIC_ACQUIRE))
		return DS_OK;
	pthread_mutex_lock(&lock);
	ds_rc rc = l->open ? DS_OK : load(l, opened, e);
	pthread_mutex_unlock(&lock);
	return rc;
}

ds_rc ds_lazy_open(ds_lazy *l, ds_err *e)
{
	return ds_lazy_open_with(l, NULL, e);
}
