/*
 * assemble.h - values of the leaves of one field become nested values again
 *
 * After Dremel (Melnik and others, VLDB 2010): a repetition level says at which list a value goes on, a
 * definition level how far down its path things are there.
 */
#ifndef DS_RECORD_PARQUET_ASSEMBLE_H
#define DS_RECORD_PARQUET_ASSEMBLE_H

#include "record/parquet/column.h"

typedef struct { /* one leaf, as far as it is read */
	const ds_pq_node *leaf;
	ds_pq_stretch s;
	size_t entry, value;
} ds_pq_leaf;

typedef struct {
	ds_pq_leaf *leaves; /* of the whole file; those of the field are filled in */
	ds_text *out;
	size_t limit;      /* bytes that out may have */
	const char *wrong; /* what, once something is */
	bool over;         /* limit was reached */
} ds_pq_nest;

/* The next row of a field as JSON behind *a->out. false: see wrong and over. */
bool ds_pq_assemble(ds_pq_nest *a, const ds_pq_node *field);
/* The next row has a value; not called at the end. */
bool ds_pq_is_there(const ds_pq_nest *a, const ds_pq_node *field);

#endif
