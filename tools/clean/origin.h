/*
 * origin.h - where a record's text comes from, as far as its other fields and the stream's history tell
 *
 * `source` and `path` may name a file, `lang` or `language` a programming language, `meta` holds what the
 * WARC importer knows: its "type" (conversion: text already), the "media" type and the "charset" of the
 * HTTP header (docs/formats.md). A stream's chain says whether its text has been through --html before.
 */
#ifndef DS_CLEAN_ORIGIN_H
#define DS_CLEAN_ORIGIN_H

#include "record/block.h"
#include "rule.h"

typedef struct {
	const void *chain; /* whose history it is */
	bool decoded, spaced;
} origin_history;

typedef struct { /* of one block */
	ds_block *b;
	const ds_col *source, *path, *lang, *language, *meta;
	bool is_file; /* it was read from files of pages just now: their names do not lie */
	origin_history history;
} origin;

/* history: of the block before, and kept for the next one. */
DS_MUST ds_rc origin_open(origin *o, ds_block *b, origin_history *history, ds_err *e);
/* Sets source, source_name, charset, page, decoded and spaced; what had to be made is in the block's arena. */
void origin_of(const origin *o, uint32_t row, rule_record *r);
/* The value of a text column; empty where it has none, or is no text. */
ds_str origin_text(ds_block *b, const ds_col *col, uint32_t row);

#endif
