/*
 * gather.h - tensors of an executor as wholes, whatever part of them each rank has
 */
#ifndef DS_MODEL_GATHER_H
#define DS_MODEL_GATHER_H

#include "graph/exec.h"
#include "model/safetensors.h"

/* Is it saved: of that class, trained, this rank's, and no part of another's memory? */
bool ds_gather_wants(const ds_tensor *t, ds_class memory);
/*
 * All of them, by name, on rank 0; values live in mem, or in the executor. All ranks of the device's job call it
 * together: the others give what they have, and get none.
 */
DS_MUST ds_rc ds_gather_class(
	ds_exec *x, ds_class memory, ds_arena *mem, ds_st_item **items, size_t *n, ds_err *e);

#endif
