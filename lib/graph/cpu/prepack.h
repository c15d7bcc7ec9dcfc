/*
 * prepack.h - weights in a form of a kernel's own, made once
 *
 * A device has one of each for all programs of graphs whose weights are fixed (ds_graph.fixed), which may be many: one for every
 * length and number of sequences. It is made when the first of them runs, since weights are loaded after programs are made,
 * and goes with the last. One thread at a time for a device.
 */
#ifndef DS_GRAPH_CPU_PREPACK_H
#define DS_GRAPH_CPU_PREPACK_H

#include "graph/cpu/kernel_impl.h"

typedef struct ds_prepacked ds_prepacked;
typedef struct ds_prepack_cache ds_prepack_cache; /* what a device has of them */
ds_prepack_cache *ds_prepack_cache_new(void);
void ds_prepack_cache_free(ds_prepack_cache *k); /* NULL is fine; nobody uses any of them now */

/* That of in[1] for a job of a kernel that has one; j: a job with addresses. */
ds_prepacked *ds_prepacked_get(ds_prepack_cache *k, const ds_kernel *kernel, const ds_job *j);
void ds_prepacked_drop(ds_prepack_cache *k, ds_prepacked *w);
/* Made on the pool's threads if that was not done before. */
const void *ds_prepacked_make(ds_prepack_cache *k, ds_prepacked *w, const ds_kernel *kernel,
	const ds_job *j, ds_pool *pool);

#endif
