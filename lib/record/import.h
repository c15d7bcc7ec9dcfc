/*
 * import.h - what an importer is: how a format is recognised, cut into chunks and parsed
 *
 * For import_NAME.c alone, and for what serves them: source.c (operands, order), recognize.c (which
 * format a file has), lines.c (cutting), reject.c (records that cannot be read). `cut` runs on one
 * thread, in order, and looks at no more than it needs to find a record's end; `parse` runs on any
 * thread and makes the block. What they share for a file hangs on the ds_input's state, which cut
 * may change only before the file's first chunk is handed out, unless it guards it.
 */
#ifndef DS_RECORD_IMPORT_H
#define DS_RECORD_IMPORT_H

#include "base/io.h"
#include "json/scan.h"
#include "record/source.h"

typedef struct ds_importer ds_importer;

typedef struct ds_input { /* one file; lives as long as the source */
	ds_source *source;
	const ds_input_opts *how;
	const ds_importer *importer;
	const char *name;    /* as given; "stdin" for "-" */
	ds_in *in;           /* NULL once it is read */
	uint64_t n_records;  /* cut so far */
	ds_buf carry;        /* read, and not yet in a chunk */
	bool ended;          /* everything is in carry */
	bool compressed;     /* within gzip or the like */
	const char *charset; /* what its text was decoded from, or NULL */
	bool damaged;        /* behind the source's lock */
	ds_rc broken;        /* the rest cannot be read; comes after what is whole */
	const char *why;
	ds_str map; /* all of it, where it could be mapped (ds_cut_lines) */
	size_t map_at, map_forgotten;
	bool asked_map;
	void *state; /* the importer's own, in the source's arena or freed by its close */
} ds_input;

struct ds_chunk {
	ds_input *input;
	ds_arena *mem;
	ds_str bytes;          /* raw records, followed by 64 bytes that may be read */
	uint64_t first_record; /* number of the first in its file, from 1 */
	uint64_t n_records;    /* records or lines in bytes */
	uint64_t input_bytes;
	ds_block *block;    /* made already (dsr) */
	void *own;          /* the importer's, where bytes are not what parse needs */
	unsigned flags;     /* the importer's own */
	const char **names; /* files of which each is a record */
	size_t n_names;
	ds_in *opened; /* what names[0] is read from, where it was opened already */
	ds_bad *bad, **last_bad;
	ds_spill *spill; /* of the record that ds_reject will be told of next */
};

struct ds_importer {
	const char *name, *what;    /* what: one line for --help and the manual */
	const char *suffixes;       /* ".jsonl .ndjson", with .gz and the like taken away before */
	bool (*magic)(ds_str head); /* the first bytes alone say so; NULL: never */
	bool of_text;               /* --encoding is for it */
	bool a_file_a_record;       /* chunk->names instead of cut */
	bool keeps_bytes; /* parse changes no byte of a chunk, so it may be a mapped file */
	bool ends_itself; /* a record without its end is damage, not the last record */
	ds_rc (*open)(ds_input *in, ds_err *e); /* may be NULL, as may close */
	/* *more false: the end, and the chunk is not used. */
	ds_rc (*cut)(ds_input *in, ds_chunk *ch, bool *more, ds_err *e);
	ds_rc (*parse)(ds_chunk *ch, ds_block **out, ds_err *e);
	void (*close)(ds_input *in); /* when the source closes */
};

extern const ds_importer *const ds_importers[]; /* formats.def's order, NULL-ended */
const ds_importer *ds_importer_find(const char *name);

/* recognize.c */
#define DS_IMAGE_SUFFIXES ".png .jpg .jpeg .gif .bmp .webp .ppm .pgm .tif .tiff"
const ds_importer *ds_recognize_name(const ds_input_opts *c, const char *path); /* NULL: open it */
DS_MUST ds_rc ds_recognize(const ds_importer **out, ds_input *in, ds_err *e);
bool ds_name_ends(const char *name, const char *suffixes); /* any of a list; case does not matter */
/*
 * in->in is read as UTF-8 from here on, where its text is in another charset: by a byte order mark, unless --from or
 * HTML has its own rule for it, else by --encoding. *charset is its name,
 * which lives as c, or NULL.
 */
DS_MUST ds_rc ds_decode_text(
	const ds_importer *im, const ds_input_opts *c, ds_in *in, const char **charset, ds_err *e);
/* DS_BAD for bytes that are not text: UTF-16, NUL or many controls in the first 4 KiB. */
DS_MUST ds_rc ds_check_text(ds_str head, ds_err *e);

/* magic.c: "a PDF", what head begins as though nothing here reads it; NULL: not known */
const char *ds_magic_name(ds_str head);

/* json_shape.c */
typedef enum {
	DS_JSON_NONE,
	DS_JSON_LINES,  /* an object a line */
	DS_JSON_VALUES, /* an array of objects, or objects one after another */
} ds_json_shape;
ds_json_shape ds_json_shape_of(ds_str head, bool all); /* all: head is the whole input */

/* lines.c */
/*
 * Where records end, by bytes alone. `state` is the importer's.
 * last: bytes begins with a record; the position behind the last end in it, or 0 where there is none.
 * walk: over one record's bytes piece by piece, `first` at its beginning. Gives how many belong to it;
 * where it is not *ended behind them it wants what follows, with the bytes that it left in front.
 */
typedef struct {
	size_t (*last)(void *state, ds_str bytes);
	size_t (*walk)(void *state, ds_str bytes, bool first, bool *ended);
	bool counts_lines; /* a record has as many numbers as lines */
} ds_ends;
/*
 * Fills ch->bytes with whole records, about a block of them; one that is far over --max-record becomes
 * a bad record instead, and is walked over to its end.
 */
DS_MUST ds_rc ds_cut(
	ds_input *in, ds_chunk *ch, const ds_ends *ends, void *state, bool *more, ds_err *e);
size_t ds_last_line_end(void *state, ds_str bytes);
size_t ds_line_walk(void *state, ds_str bytes, bool first, bool *ended);
size_t ds_count_byte(ds_str s, char c);
/* ds_cut by lines, and counts them. */
DS_MUST ds_rc ds_cut_lines(ds_input *in, ds_chunk *ch, bool *more, ds_err *e);
/* The next line of *rest, without its LF; false at the end. */
bool ds_next_line(ds_str *rest, ds_str *line);
/* The next run of lines that are not blank, with its inner LFs; false where only blank lines are left. */
bool ds_next_para(ds_str *rest, ds_str *para);
bool ds_is_blank(ds_str line);

/* import_files.c */
/* A file of ch->names at the end of `into`; *fits false, with e, where it is over --max-record. */
DS_MUST ds_rc ds_read_whole(ds_chunk *ch, const char *path, ds_buf *into, bool *fits, ds_err *e);

/* fill.c */
/*
 * Adds a column; where b has one of that name (of bytes or text), its rows without a value take
 * from's, if that is bytes, text or null.
 */
DS_MUST ds_rc ds_fill_column(ds_block *b, const ds_col *from, ds_err *e);

/* reject.c */
/*
 * A record cannot be used; e says what is wrong. DS_OK: go on without it (--on-error), else DS_BAD with
 * "file:record: " put in front.
 */
DS_MUST ds_rc ds_reject(ds_chunk *ch, uint64_t record, ds_str raw, ds_err *e);
DS_MUST ds_rc ds_reject_named(
	ds_chunk *ch, const char *name, uint64_t record, ds_str raw, ds_err *e);
/* A block's record as one line of JSON, of which there are no bytes as they came; nothing unless it is wanted. */
DS_MUST ds_rc ds_reject_line(
	const ds_input_opts *c, ds_block *b, uint32_t row, ds_arena *mem, ds_str *out, ds_err *e);
/* Rows over --max-record leave the block, as ds_reject says. */
DS_MUST ds_rc ds_reject_large(ds_chunk *ch, ds_block *b, ds_err *e);
/* Provenance that a file of another format carries, as ds_chain_print has it; in open and cut. */
DS_MUST ds_rc ds_source_add_chain(ds_input *in, ds_str json, ds_err *e);
/* Whether a run goes on after an input's damage; then ds_source_damaged is told of it, on any thread. */
bool ds_goes_on(const ds_input_opts *c);
void ds_source_damaged(ds_input *in, const char *why, uint64_t lost_bytes);
/* Over --max-record, or not all text of its charset? Then as ds_reject, with *fits false. */
DS_MUST ds_rc ds_check_record(ds_chunk *ch, uint64_t record, ds_str raw, bool *fits, ds_err *e);
/* DS_BAD, naming them, where bytes were marked as no text of their charset (NULL: it was not decoded). */
DS_MUST ds_rc ds_check_charset(ds_str text, const char *charset, ds_err *e);
/* Rows that are left after some were refused: row_of is what the block's will be. Start with { 0 }. */
typedef struct {
	uint64_t *row_of; /* NULL: none was refused */
	size_t n, cap;
} ds_good_rows;
void ds_good_rows_add(
	ds_good_rows *r, ds_arena *mem, uint64_t offset); /* a good row, and its offset */

/* spill.c */
/* Bytes of a refused record behind its raw ones, in a temporary file: it is kept whole, but not in memory. */
DS_MUST ds_rc ds_spill_add(ds_chunk *ch, ds_str bytes, ds_err *e);
void ds_spill_free(ds_spill *s);
void ds_source_hold_spill(ds_source *s, ds_spill *spill); /* closed with the source at the latest */

/* Shared memory for parsing, taken from and given back to the source; any thread. */
ds_json_index *ds_source_take_index(ds_source *s);
void ds_source_give_index(ds_source *s, ds_json_index *x);
void ds_source_count_lone(ds_source *s, uint64_t surrogates);
void ds_source_pass(ds_source *s, ds_passed kind); /* counts one that is no record of the run */
ds_arena *ds_source_mem(ds_source *s);             /* lives as the source; cut and open only */
/* A DSR stream's chain and optional blocks, when they may have changed. */
struct ds_reader;
void ds_source_add_reader(ds_source *s, struct ds_reader *r);

#endif
