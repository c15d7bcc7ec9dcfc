/*
 * shm_impl.h - the memory that ranks of one machine share
 *
 * A channel from every rank to every other, a ring of bytes with one writer and one reader; a bell a rank, which whoever
 * put bytes or made room for it rings; what a rank does; and the first failure.
 */
#ifndef DS_COMM_SHM_IMPL_H
#define DS_COMM_SHM_IMPL_H

#include "comm/link_impl.h"

#include <stdatomic.h>

typedef struct ds_shm ds_shm;

/* Zeros, shared with the processes that are forked later and with threads; NULL where there is no room. */
ds_shm *ds_shm_new(int ranks);
void ds_shm_free(ds_shm *m);
/* The caller becomes a rank; m must outlive the link. */
ds_link *ds_shm_link(ds_shm *m, int rank);
/* The first call counts: that rank failed so, and everybody hears of it. */
void ds_shm_fail(ds_shm *m, int rank, int rc, const char *why);
/* -1: nobody failed. */
int ds_shm_failed(ds_shm *m, int *rc, const char **why);

#endif
