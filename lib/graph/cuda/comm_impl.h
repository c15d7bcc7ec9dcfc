/*
 * comm_impl.h - between the collectives (comm.c) and the thread that watches over them (watch.c)
 */
#ifndef DS_GRAPH_CUDA_COMM_IMPL_H
#define DS_GRAPH_CUDA_COMM_IMPL_H

#include "graph/cuda/cuda_impl.h"

typedef struct ds_cuda_watch ds_cuda_watch;

DS_MUST ds_rc ds_cuda_watch_new(
	ds_cuda_watch **w, const ds_cuda_api *api, ds_world *world, ds_err *e);
void ds_cuda_watch_free(ds_cuda_watch *w); /* NULL is fine */
/* A move was asked for; `what` says which and is copied. */
void ds_cuda_watch_add(ds_cuda_watch *w, ds_cuda_comm *c, uint64_t number, const char *what);
/* Around a wait for the device. DS_IO: moves were aborted meanwhile, and why. */
void ds_cuda_watch_begin(ds_cuda_watch *w);
DS_MUST ds_rc ds_cuda_watch_end(ds_cuda_watch *w, ds_err *e);

#endif
