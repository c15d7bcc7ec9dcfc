/*
 * write_meta.h - the footer of a file that was written
 */
#ifndef DS_RECORD_PARQUET_WRITE_META_H
#define DS_RECORD_PARQUET_WRITE_META_H

#include "record/parquet/shred.h"

typedef struct {
	int64_t n_values, n_nulls, raw_bytes, compressed_bytes, first_byte, first_data;
	bool has_dictionary, has_range;
	char least[8], most[8];
} ds_pq_chunk_meta;

typedef struct {
	size_t n_rows, n_chunks; /* chunks: in the order of the schema's leaves */
	ds_pq_chunk_meta *chunks;
} ds_pq_group_out;

void ds_pq_write_footer(ds_buf *b, const ds_pq_shredder *s, const ds_pq_group_out *groups,
	size_t n_groups, ds_str chain);

/* Where there are pictures, how Hugging Face's `datasets` describes the columns; else false. */
bool ds_pq_add_features(ds_buf *b, const ds_pq_shredder *s);

#endif
