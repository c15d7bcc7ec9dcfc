/*
 * names.h - names of classes, numbered in the order in which they come
 *
 * Owns copies. One thread at a time.
 */
#ifndef DS_EVAL_NAMES_H
#define DS_EVAL_NAMES_H

#include "base/arena.h"

#include <stdint.h>

typedef struct names names;

names *names_new(void);
void names_free(names *t); /* NULL is fine */
uint32_t names_put(names *t, ds_str name);
uint32_t names_count(const names *t);
ds_str names_get(const names *t, uint32_t id); /* lives as long as t */
/*
 * ids in the order of the classes: by value where every name is a number, else by bytes. The array is in
 * mem; rank[id] (NULL: not wanted) is where it stands.
 */
uint32_t *names_sorted(const names *t, uint32_t **rank, ds_arena *mem);

#endif
