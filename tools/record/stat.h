/*
 * stat.h - what dsrec stat counts, and how it is printed
 */
#ifndef DS_TOOLS_RECORD_STAT_H
#define DS_TOOLS_RECORD_STAT_H

#include "record.h"

#include "base/hash.h"

/* Sizes in sixteenths of an octave, so that a quantile is off by at most 6 %; exact below 32. */
enum { STAT_BINS = 16 * 61, STAT_MAX_FIELDS = 4096, STAT_MAX_LABELS = 10000 };

typedef struct {
	unsigned types; /* bit 1 << ds_type */
	uint64_t present, nulls, bytes;
	uint64_t n, min, max; /* of sizes: characters, bytes or elements */
	double sum;
	double least, most, total; /* of numbers */
	uint64_t n_numbers;
	uint64_t *bins; /* STAT_BINS of sizes; NULL for fields without one */
} stat_field;

typedef struct {
	const char *name;
	ds_map *values;
	uint64_t n, others; /* others: beyond STAT_MAX_LABELS distinct ones */
} stat_labels;

typedef struct {
	uint64_t records, blocks, input_bytes, other_fields;
	ds_map *names; /* name -> index of fields, in order of appearance */
	stat_field *fields;
	size_t n_fields;
	stat_labels labels[2];
	ds_field *field; /* that --field names, or NULL */
	ds_field_count count;
	ds_field_names names_there; /* while none has it */
} stats;

unsigned stat_bin(uint64_t size);
uint64_t stat_bin_low(unsigned bin);
/* The size below which a share of the values lies. */
uint64_t stat_quantile(const stat_field *f, double share);
const char *stat_unit(const stat_field *f); /* what sizes count; NULL: it has none */

void stat_table(ds_buf *out, const stats *s, const char *main_field, int top);
void stat_tsv(ds_buf *out, const stats *s, int top);
void stat_json(ds_buf *out, const stats *s, const char *main_field, int top);

/* The labels of a table in descending order of their counts, then by bytes; NULL-terminated by n. */
typedef struct {
	ds_str name;
	uint64_t n;
} stat_label;
stat_label *stat_sorted(const stat_labels *l, size_t *n); /* ds_mem_free */

#endif
