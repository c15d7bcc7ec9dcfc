/*
 * provenance.h - where a model comes from, as its directory tells: data, training, losses
 *
 * Read from config.ini, log.jsonl and the newest checkpoint's state, as dstrain writes them. What is not there, or cannot be read, is
 * empty: a model made by others has none of it. All in the arena that was given.
 */
#ifndef DS_EXPORT_PROVENANCE_H
#define DS_EXPORT_PROVENANCE_H

#include "base/arena.h"
#include "json/json.h"

typedef struct {
	const ds_json *chain;  /* an array of chains, each with its stages; NULL: not known */
	ds_str (*settings)[2]; /* of config.ini's [run], in its order */
	size_t n_settings;
	int64_t steps, tokens;  /* 0: not known */
	double loss, eval_loss; /* the last of each; NaN: not known */
	const char *data_sum;   /* identity of the data, or NULL */
} provenance;

provenance provenance_of(const char *dir, ds_arena *mem);
bool provenance_known(const provenance *p);
void provenance_json(const provenance *p, ds_buf *out); /* one object */

#endif
