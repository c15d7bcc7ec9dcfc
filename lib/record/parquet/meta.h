/*
 * meta.h - what the footer of a Parquet file says: schema, row groups, column chunks
 *
 * All is checked against the file as it is read; what lives here lives in the arena that was given, with
 * views into the file's bytes. Names of the numbers are those of parquet.thrift.
 */
#ifndef DS_RECORD_PARQUET_META_H
#define DS_RECORD_PARQUET_META_H

#include "base/arena.h"
#include "record/scalar.h"

typedef enum {
	DS_PQ_BOOLEAN,
	DS_PQ_INT32,
	DS_PQ_INT64,
	DS_PQ_INT96,
	DS_PQ_FLOAT,
	DS_PQ_DOUBLE,
	DS_PQ_BYTE_ARRAY,
	DS_PQ_FIXED,
} ds_pq_type;

enum { DS_PQ_REQUIRED, DS_PQ_OPTIONAL, DS_PQ_REPEATED };
enum { DS_PQ_STRUCT, DS_PQ_LIST, DS_PQ_MAP }; /* what a group stands for */

typedef struct ds_pq_node {
	ds_str name, label; /* label: "name": as JSON has it */
	ds_pq_type type;    /* of a leaf */
	uint32_t width;     /* of DS_PQ_FIXED and INT96 and what has one; 0: BYTE_ARRAY, BOOLEAN */
	ds_scalar scalar;   /* of a leaf */
	uint8_t repetition, group;
	uint8_t max_def, max_rep;        /* this one's own included */
	uint32_t n_children;             /* 0: a leaf */
	struct ds_pq_node *first, *next; /* its first child, its parent's next one */
	uint32_t first_leaf, n_leaves;
	/* LIST, MAP: the repeated child; its element is that itself, or its only child. */
	const struct ds_pq_node *repeated, *element, *key, *value;
} ds_pq_node;

typedef struct {
	ds_str name; /* for messages */
	ds_str bytes;
	ds_pq_node *root;
	ds_pq_node **leaves;
	uint32_t n_leaves;
	ds_str *groups; /* each row group's metadata, not read yet */
	size_t n_groups;
	uint64_t data_end; /* where the footer begins */
	ds_str chain;      /* provenance, where dstools wrote it; else empty */
} ds_pq_meta;

typedef struct {
	int64_t codec, n_values, first_page, dictionary_page, compressed_bytes, raw_bytes;
} ds_pq_column;

typedef struct {
	int64_t n_rows;
	ds_pq_column *columns; /* one a leaf */
} ds_pq_group;

#define DS_PQ_CHAIN "dstools.chain"

DS_MUST ds_rc ds_pq_read_meta(ds_pq_meta *m, ds_str bytes, ds_str name, ds_arena *mem, ds_err *e);
DS_MUST ds_rc ds_pq_read_group(
	ds_pq_group *g, const ds_pq_meta *m, size_t i, ds_arena *mem, ds_err *e);

#endif
