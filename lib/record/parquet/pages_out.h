/*
 * pages_out.h - a leaf's row group as compressed pages
 */
#ifndef DS_RECORD_PARQUET_PAGES_OUT_H
#define DS_RECORD_PARQUET_PAGES_OUT_H

#include "base/codec.h"
#include "record/parquet/shred.h"

typedef struct {
	size_t entry, n_entries, value, n_values, data, n_data; /* what of the leaf is in it */
	bool dictionary;
	ds_buf head;
	void *compressed; /* ds_mem_free */
	size_t n_compressed, n_raw;
} ds_pq_page_out;

typedef struct {
	const ds_pq_sink_leaf *leaf;
	ds_pq_page_out *pages; /* a dictionary is the first; ds_mem_free */
	size_t n_pages, cap;
	uint32_t *index; /* each value's place in the dictionary, or NULL; ds_mem_free */
	ds_buf dictionary;
	uint32_t n_dictionary;
	bool has_range;
	char least[8], most[8]; /* of numbers */
} ds_pq_chunk_out;

void ds_pq_plan_pages(ds_pq_chunk_out *c);
DS_MUST ds_rc ds_pq_make_page(
	const ds_pq_chunk_out *c, ds_pq_page_out *p, ds_compressor *compressor, ds_err *e);
void ds_pq_chunk_out_free(ds_pq_chunk_out *c);
/* n entries without a value: pages of a field that came later. */
void ds_pq_plan_nulls(ds_pq_chunk_out *c, size_t n);

int64_t ds_pq_physical(ds_value_shape_kind kind); /* ds_pq_type */

#endif
