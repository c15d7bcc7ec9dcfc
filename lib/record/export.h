/*
 * export.h - what an exporter is, and how values are printed
 *
 * For export_NAME.c alone and for sink.c. A format whose blocks know nothing of one another gives
 * `encode`, which runs on any thread; the others give `write`, which sees the blocks in order.
 */
#ifndef DS_RECORD_EXPORT_H
#define DS_RECORD_EXPORT_H

#include "record/sink.h"

typedef struct ds_exporter {
	const char *name, *what;
	const char *
		suffixes; /* of names that ask for it, ".csv": one list, as an importer's; may be NULL */
	/* Around and between what encode gives; NULL: nothing. */
	const char *head, *between, *tail;
	/* The block as bytes, in its arena. */
	ds_rc (*encode)(const ds_output_opts *c, ds_block *b, ds_sink_part *out, ds_err *e);
	bool own_files; /* out is NULL: the exporter opens what it names after -o itself */
	ds_rc (*open)(void **state, const ds_output_opts *c, ds_out *out, ds_err *e);
	ds_rc (*write)(void *state, ds_block *b, ds_err *e);
	bool packs_itself;                                       /* -z is its own business */
	void (*chain)(void *state, const ds_chain *final_chain); /* before finish; may be NULL */
	ds_rc (*finish)(void *state, ds_err *e);
	uint64_t (*replaced)(const void *state); /* invalid UTF-8 so far; may be NULL */
	void (*close)(void *state);              /* NULL is fine */
} ds_exporter;

extern const ds_exporter *const ds_exporters[]; /* formats.def's order, NULL-ended */
const ds_exporter *ds_exporter_find(const char *name);

/* Bytes that grow in an arena. */
typedef struct {
	char *at;
	size_t n, cap;
	ds_arena *mem;
} ds_text;
ds_text ds_text_new(ds_arena *mem, size_t expected);
void ds_text_reserve(ds_text *t, size_t more);
void ds_text_add(ds_text *t, const void *p, size_t n);
static inline void ds_text_byte(ds_text *t, char c)
{
	if (t->n == t->cap)
		ds_text_reserve(t, 1);
	t->at[t->n++] = c;
}
void ds_text_i64(ds_text *t, int64_t v);
void ds_text_json_str(ds_text *t, ds_str s, uint64_t *replaced); /* quoted; any bytes */

/* A column on its way out as JSON: what is asked once, not for every row. */
typedef struct {
	const ds_col *col;
	bool valid; /* every value is UTF-8 */
} ds_json_field;
ds_json_field ds_json_field_of(const ds_col *col, uint32_t n_rows);
/* The value of a row that has one, as JSON on one line; null where it is null. */
void ds_text_json_value(ds_text *t, const ds_json_field *f, uint32_t row, uint64_t *replaced);
/*
 * The value as people write it in text and tables: strings and bytes as they are, the string in a
 * JSON string, all others as JSON. Nothing for absent and null.
 */
void ds_text_plain(ds_text *t, const ds_col *col, uint32_t row);

#endif
