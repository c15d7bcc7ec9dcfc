/*
 * kernel_impl.h - how the CPU computes a node: in tiles
 *
 * A kernel works in stages; the tiles of a stage may run at once on any threads, a stage begins when
 * the one before is done. The number and extent of tiles depend on shapes alone, never on threads,
 * and a tile sums in one order, so results have the same bits for any -j.
 */
#ifndef DS_GRAPH_CPU_KERNEL_IMPL_H
#define DS_GRAPH_CPU_KERNEL_IMPL_H

#include "graph/backend.h"

typedef struct { /* one node, ready to run */
	const ds_node *node;
	ds_operand in[DS_MAX_IN], out[DS_MAX_OUT];
	float beta[DS_MAX_OUT]; /* gradients of parameters: 1 adds to what is there, 0 overwrites */
	const ds_run *run;
	const void *prepacked; /* in[1] in the form of a kernel for fixed weights */
	char *shared; /* this node's scratch for the run, shared by its tiles; 64-byte aligned */
	char *worker; /* scratch of every worker: + worker * worker_bytes */
	size_t worker_bytes;
} ds_job;

typedef struct ds_kernel ds_kernel;
struct ds_kernel {
	/* NULL: one stage. All of these look at shapes and attributes only. */
	int64_t (*stages)(const ds_job *j);
	int64_t (*tiles)(const ds_job *j, int64_t stage);
	size_t (*shared_bytes)(const ds_job *j); /* NULL: none */
	size_t (*worker_bytes)(const ds_job *j); /* NULL: none */
	void (*tile)(const ds_job *j, int64_t stage, int64_t tile, unsigned worker);
	bool any_type; /* it looks at the types of its outputs itself; else they are f32 */
	/* For graphs whose weights are fixed: a kernel that reads in[1], a parameter, in a form of its own, or that has another one
	 * in turn; NULL: there is none. */
	const ds_kernel *fixed;
	/* Of such a kernel: which form, told apart for the same weights; 0: not for these shapes, on this CPU. */
	int (*form)(const ds_job *j);
	size_t (*prepacked_bytes)(const ds_job *j);
	int64_t (*prepack_tiles)(const ds_job *j);
	void (*prepack)(const ds_job *j, int64_t tile, void *to); /* makes a part of it */
};

static inline void *ds_job_worker(const ds_job *j, unsigned worker)
{
	return j->worker + (size_t)worker * j->worker_bytes;
}

/* A backend on the host: host.c has all of it but which kernel a node has; NULL: it runs by reference. */
typedef struct {
	ds_backend base;
	const ds_kernel *(*find)(const ds_graph *g, const ds_node *n);
} ds_host;

DS_MUST ds_rc ds_host_open(ds_device *d, ds_err *e);
void ds_host_close(ds_device *d);
bool ds_host_has_kernel(const ds_backend *b, const ds_graph *g, const ds_node *n);
uint64_t ds_host_scratch(
	const ds_backend *b, const ds_graph *g, int32_t from, int32_t to, unsigned threads);
uint64_t ds_host_prepacked(const ds_backend *b, const ds_graph *g);
ds_rc ds_host_alloc(ds_device *d, uint64_t bytes, ds_addr *at, ds_err *e);
void ds_host_free(ds_device *d, ds_addr at);
ds_rc ds_host_write(ds_device *d, ds_addr to, const void *from, size_t n, ds_err *e);
ds_rc ds_host_read(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e);
ds_rc ds_host_sync(ds_device *d, ds_err *e);
void *ds_host_map(ds_device *d, ds_addr at);
ds_rc ds_host_prepare(ds_program **p, ds_device *d, const ds_program_args *a, ds_err *e);
ds_rc ds_host_run(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e);
void ds_host_release(ds_program *p);

#define DS_HOST(name_, help_) \
	.name = name_, .help = help_, .has_kernel = ds_host_has_kernel, .open = ds_host_open, \
	.close = ds_host_close, .scratch = ds_host_scratch, .prepacked = ds_host_prepacked, \
	.alloc = ds_host_alloc, .free = ds_host_free, .write = ds_host_write, \
	.read = ds_host_read, .sync = ds_host_sync, .map = ds_host_map, \
	.prepare = ds_host_prepare, .run = ds_host_run, .release = ds_host_release

#endif
