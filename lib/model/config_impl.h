/*
 * config_impl.h - between config.c (keys, presets, changes) and config_json.c (config.json in and out)
 */
#ifndef DS_MODEL_CONFIG_IMPL_H
#define DS_MODEL_CONFIG_IMPL_H

#include "model/arch.h"
#include "model/config.h"

#include <stddef.h>

#define DS_CONFIG_AT(field) offsetof(ds_config, field)

enum {                         /* what there is to say of a key */
	DS_CONFIG_DROPOUT = 1, /* dropout= sets it too */
	DS_CONFIG_SCALING = 2, /* a member of rope_scaling in config.json */
	DS_CONFIG_MINUS = 4,   /* -1 stands for null */
	DS_CONFIG_ZERO = 8,    /* 0 is written as null */
};

bool ds_config_is(const ds_key *k, unsigned flags); /* does any of them hold? */
const ds_key *ds_config_key(ds_str name);           /* NULL: none has this name */
bool ds_config_word(
	const char *list, const char *word); /* of words separated by blanks; may be NULL */
bool ds_config_has(const ds_arch *a, const ds_key *k);
const char *ds_config_spelled(const ds_config *c, const ds_key *k); /* as config.json calls it */

/* Is it a member that changes what is computed and is not built? */
bool ds_config_refused(const ds_config *c, const ds_json *m);

static inline bool ds_config_was_set(const ds_config *c, const ds_key *k)
{
	size_t i = (size_t)(k - ds_config_keys);
	return c->given[i / 64] >> i % 64 & 1;
}

#endif
