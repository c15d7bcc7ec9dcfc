/*
 * device.h - a backend that was opened: host threads, and on a GPU a context
 *
 * Backends are found by name in backends.def. Planning needs the backend alone; whoever runs something opens a
 * device once and lends it to executors, which it must outlive.
 */
#ifndef DS_GRAPH_DEVICE_H
#define DS_GRAPH_DEVICE_H

#include "base/err.h"
#include "comm/world.h"

typedef struct ds_backend ds_backend;
typedef struct ds_device ds_device;

/* name NULL: the default, "auto": an accelerator that is there, else the default; NULL where there is none of that name. */
const ds_backend *ds_backend_find(const char *name);
/* DS_USAGE: no backend of that name. Host threads are the caller's and threads - 1 more. */
DS_MUST ds_rc ds_device_open(ds_device **d, const char *backend, unsigned threads, ds_err *e);
/* The same for a rank of a job: the device that is its own; it has joined the job. */
DS_MUST ds_rc ds_device_open_for(
	ds_device **d, ds_world *w, const char *backend, unsigned threads, ds_err *e);
void ds_device_close(ds_device *d); /* NULL is fine */
DS_AUTO_WITH(ds_device, ds_device_close)
/* Its collectives are those of w's rank; before executors are made on it. */
void ds_device_join(ds_device *d, ds_world *w);
ds_world *ds_device_world(const ds_device *d); /* NULL: it has joined none */
const ds_backend *ds_device_backend(const ds_device *d);
double ds_device_free_bytes(const ds_device *d); /* what its arenas may take */

#endif
