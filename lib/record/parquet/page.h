/*
 * page.h - pages: their headers, and what is in them ready to be read at any row
 *
 * A page is loaded once (checksum, decompression, levels, what its encoding needs) and then read by
 * several threads, each its own rows. What is loaded counts against the file's limit of memory.
 */
#ifndef DS_RECORD_PARQUET_PAGE_H
#define DS_RECORD_PARQUET_PAGE_H

#include "base/codec.h"
#include "record/parquet/meta.h"
#include "record/parquet/runs.h"

enum { DS_PQ_DATA = 0, DS_PQ_INDEX = 1, DS_PQ_DICTIONARY = 2, DS_PQ_DATA_V2 = 3 };

typedef struct { /* memory of a file's loaded pages, counted by all threads */
	uint64_t limit, live;
} ds_pq_budget;

typedef struct { /* a PageHeader */
	int64_t type, raw_bytes, compressed_bytes, n, encoding, def_encoding, rep_encoding;
	int64_t n_rows, def_bytes, rep_bytes; /* v2 */
	uint32_t crc;
	bool has_crc, plain;    /* plain: v2 that is not compressed, whatever the codec */
	uint64_t header_at, at; /* in the file; at: of what follows the header */
} ds_pq_head;

/* Reads the header at `at`; *next is where the page ends. */
DS_MUST ds_rc ds_pq_read_head(
	ds_pq_head *h, const ds_pq_meta *m, uint64_t at, uint64_t *next, ds_err *e);

typedef enum {
	DS_PQ_PLAIN,   /* width bytes each, as the physical type has them */
	DS_PQ_WIDE,    /* int64_t each */
	DS_PQ_BITS,    /* a bit each, the lowest first */
	DS_PQ_RUNS,    /* booleans as runs */
	DS_PQ_INDICES, /* runs of indices into the dictionary */
	DS_PQ_STRINGS, /* off[i] .. off[i + 1] - gap of base */
} ds_pq_how;

typedef struct {
	ds_pq_how how;
	uint32_t n;
	const uint8_t *base;
	const uint32_t *off;
	uint32_t gap;
	ds_pq_runs runs;
	void *own[2]; /* ds_mem_free */
} ds_pq_values;

typedef struct { /* in the form of the leaf's scalar */
	uint32_t n;
	int64_t *i;
	double *f;
	ds_str *s;
	size_t longest, bytes; /* of strings */
	void *own;
	uint64_t counted;
} ds_pq_dictionary;

typedef struct {
	ds_pq_head head;
	uint32_t n; /* entries: values and what stands for their absence */
	ds_pq_runs rep, def;
	bool all_there; /* def says nothing */
	ds_pq_values values;
	void *raw; /* ds_mem_free */
	uint64_t counted;
} ds_pq_page;

typedef struct { /* what loading needs to know */
	const ds_pq_meta *meta;
	const ds_pq_node *leaf;
	int64_t codec;
	ds_pq_budget *budget;
	ds_compressor *compressor;
} ds_pq_loader;

DS_MUST ds_rc ds_pq_load(ds_pq_page *p, const ds_pq_loader *l, ds_err *e);
void ds_pq_unload(ds_pq_page *p, ds_pq_budget *b);
DS_MUST ds_rc ds_pq_load_dictionary(
	ds_pq_dictionary *d, const ds_pq_head *h, const ds_pq_loader *l, ds_err *e);
void ds_pq_free_dictionary(ds_pq_dictionary *d, ds_pq_budget *b);

/* values.c: n values in an encoding; memory is counted in *counted. */
DS_MUST ds_rc ds_pq_read_values(ds_pq_values *v, const ds_pq_loader *l, int64_t encoding,
	ds_str bytes, uint32_t n, uint64_t *counted, ds_err *e);
void ds_pq_free_values(ds_pq_values *v);
/* bytes more, which are not more than *counted says later; DS_BAD over the limit */
DS_MUST ds_rc ds_pq_count(ds_pq_budget *b, uint64_t bytes, uint64_t *counted, ds_err *e);
/* Values from..from + n in the form of the leaf's scalar; out's array has room. false: an index that is none. */
bool ds_pq_get(const ds_pq_values *v, const ds_pq_node *leaf, const ds_pq_dictionary *d,
	uint32_t from, uint32_t n, void *out);

/* delta.c: exactly n numbers; the bytes read are taken from *bytes. false: damaged. */
bool ds_pq_delta(ds_str *bytes, uint32_t n, int64_t *out);

#endif
