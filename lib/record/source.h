/*
 * source.h - the inputs of a run, whatever their format, as blocks in order
 *
 * Recognises each file (name, magic, content; --from overrides), unwraps gzip, zstd, bzip2 and xz, walks folders.
 * Reading is in two halves so that parsing runs on many threads: ds_source_chunk takes the next piece
 * of raw input (serial, cheap, about DS_BLOCK_BYTES, cut at a record's end by bytes alone), and
 * ds_chunk_parse makes a block of it (any thread).
 */
#ifndef DS_RECORD_SOURCE_H
#define DS_RECORD_SOURCE_H

#include "base/inout.h"
#include "record/block.h"
#include "record/chain.h"
#include "record/stream.h"

typedef struct ds_source ds_source;
typedef struct ds_chunk ds_chunk;

/* Opens nothing yet but the first file: a missing one is DS_IO at once. */
DS_MUST ds_rc ds_source_open(ds_source **s, const ds_input_opts *c, ds_err *e);
/* Bytes that the caller keeps alive as the only input; for tests and fuzzing. */
ds_source *ds_source_from_mem(const ds_input_opts *c, const void *p, size_t n, const char *name);
void ds_source_close(ds_source *s);
/* The next chunk, in mem; *out = NULL at the end of all inputs. */
DS_MUST ds_rc ds_source_chunk(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e);
/*
 * The chunk's block; *out may have no rows. A record that cannot be read is handled as --on-error
 * says: DS_BAD with "file:record: what", or skipped and put into *bad for the ordered part to count
 * and write away.
 */
typedef struct ds_spill ds_spill; /* bytes in a temporary file (spill.c) */
typedef struct ds_bad {
	ds_str raw;     /* the offender's bytes, for reject=FILE */
	ds_spill *rest; /* those behind raw, or NULL */
	bool marked;    /* bytes that are no text are marked in both (base/charset.h) */
	ds_str why;     /* "file:record: what is wrong" */
	struct ds_bad *next;
} ds_bad;
/* Its bytes and a line end; once. */
DS_MUST ds_rc ds_bad_write(const ds_bad *bad, struct ds_out *out, ds_err *e);
DS_MUST ds_rc ds_chunk_parse(ds_chunk *ch, ds_block **out, ds_bad **bad, ds_err *e);
/* Numbers records: call in order, once a chunk, with the rows that came of it (bad ones included). */
void ds_source_number(ds_source *s, ds_chunk *ch, ds_block *b, uint64_t n_records);

/* Simple form for programs that read on one thread: the next block, bad records handled. */
DS_MUST ds_rc ds_source_next(ds_source *s, ds_arena *mem, ds_block **out, ds_err *e);

/*
 * A record of a block that ds_source_next gave cannot be used; e has the reason. As --on-error says: DS_BAD with
 * file and record in front of it, or the record is counted, and written away as a line of JSON.
 */
DS_MUST ds_rc ds_source_refuse(ds_source *s, ds_block *b, uint32_t row, ds_err *e);
/* Rejected records go there, to be finished by who opened it; else each source has a file of its own. */
void ds_source_reject_to(ds_source *s, struct ds_out *out);

ds_chain *ds_source_chain(const ds_source *s); /* of what was read so far; complete at the end */
const ds_opt *ds_source_opts(ds_source *s, size_t *n);
int64_t ds_source_total_bytes(const ds_source *s); /* -1 unknown */
/* The files' recognised formats, for "input recognised as HTML" messages: a bit set of 1 << index in formats.def. */
bool ds_source_saw(const ds_source *s, const char *format);
/* Lone surrogates in JSON strings so far, each kept as three bytes. */
uint64_t ds_source_lone_surrogates(const ds_source *s);
/* What importers leave out because of what it is, by kind; the last is taken, though not whole. */
typedef enum {
	DS_PASSED_WARCINFO,
	DS_PASSED_REQUEST,
	DS_PASSED_METADATA,
	DS_PASSED_REVISIT,
	DS_PASSED_DNS,
	DS_PASSED_TYPE,
	DS_PASSED_STATUS,
	DS_PASSED_MEDIA,
	DS_PASSED_CODING,
	DS_PASSED_NOT_CUT,
	DS_PASSED_KINDS,
} ds_passed;
uint64_t ds_source_passed(const ds_source *s, ds_passed kind, const char **name);
/* Program text or Markdown, HTML, by the file's name (with .gz and the like behind it or not). */
bool ds_source_is_code(ds_str name);
bool ds_source_is_html(ds_str name);
uint64_t ds_source_bad(const ds_source *s); /* records that ds_source_next left out */
/*
 * After damage the run goes on, under --salvage in streams, under it and --on-error skip|reject in all
 * other inputs: what is whole before it counts. Here is what was lost.
 */
ds_reader_stats ds_source_damage(const ds_source *s);
uint64_t ds_source_cut_short(const ds_source *s); /* how many inputs that are no streams */
/*
 * At the end of all, what was written being safe: DS_SHORT, and what was lost, where something was. Who
 * does not ask leaves it to ds_source_close, which sees to it that the run ends so.
 */
DS_MUST ds_rc ds_source_tell(const ds_source *s, ds_err *e);
DS_AUTO_WITH(ds_source, ds_source_close)

#endif
