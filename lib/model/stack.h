/*
 * stack.h - parameters that are several tensors in files
 *
 * The weights of all experts are one parameter here, [experts, …], and one tensor each in a file. The parameter's name
 * has a '*' where theirs have a number: "model.layers.3.mlp.experts.*.up_proj.weight". Its optimizer states are written
 * so too. Any other tensor is its own only part.
 */
#ifndef DS_MODEL_STACK_H
#define DS_MODEL_STACK_H

#include "graph/graph.h"
#include "model/safetensors.h"

int64_t ds_stack_parts(const ds_tensor *t); /* 1 where it is no stack */
/* The name of part i; in `buffer` where it is a stack. */
const char *ds_stack_name(const char *name, int64_t i, char *buffer, size_t size);
/* The shape of a part. */
int ds_stack_shape(const ds_tensor *t, int64_t dims[DS_MAX_RANK]);
/* Items as a file has them: stacks become their parts. *n becomes their number; all lives in mem. */
ds_st_item *ds_stack_split(const ds_st_item *items, size_t *n, ds_arena *mem);

#endif
