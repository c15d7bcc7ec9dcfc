/*
 * chain.h - the provenance of a stream: what was done to the data, and what it cost
 *
 * A chain is a list of stages, the oldest first. Merged inputs: equal chains count once, their
 * counts summed; different ones become branches of the merging stage. In the header a chain has no
 * counts yet for the stage that is writing; the trailer has them all. Stored as JSON.
 */
#ifndef DS_RECORD_CHAIN_H
#define DS_RECORD_CHAIN_H

#include "base/arena.h"
#include "base/err.h"

typedef struct {
	ds_str name; /* rule or reason, e.g. "html", "duplicate", "bad" */
	uint64_t n;
} ds_count;

typedef struct ds_chain ds_chain;
typedef struct {
	ds_str program, version, args; /* args in canonical spelling */
	bool has_counts;
	uint64_t records_in, records_out, bytes_in, bytes_out;
	ds_count *counts;
	size_t n_counts;
	ds_chain *const *branches; /* the chains that were merged here, where they differed */
	size_t n_branches;
} ds_stage_entry;
struct ds_chain {
	ds_stage_entry *stages;
	size_t n;
};

/* All results live in mem. */
ds_chain *ds_chain_new(ds_arena *mem);
DS_MUST ds_rc ds_chain_parse(ds_chain **out, ds_arena *mem, ds_str json, ds_err *e);
void ds_chain_print(ds_buf *out, const ds_chain *c);
/* One chain out of those of the inputs. With several different ones, a stage must follow: they are kept as
 * pending branches that the next ds_chain_push takes. */
ds_chain *ds_chain_merge(ds_arena *mem, ds_chain *const *chains, size_t n);
ds_stage_entry *ds_chain_push(
	ds_arena *mem, ds_chain *c, ds_str program, ds_str version, ds_str args);

#endif
