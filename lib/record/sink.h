/*
 * sink.h - where records go: any format of formats.def on stdout or -o FILE, in two halves like the source
 *
 * c->to names the format, else the output's name does by its suffix (sink_format.c), else it is dsr; a name
 * that ends with .gz or .zst is written so. -z compresses blocks in dsr and the whole elsewhere.
 * ds_sink_encode (any thread) turns a block into bytes, ds_sink_write (in order) writes them.
 */
#ifndef DS_RECORD_SINK_H
#define DS_RECORD_SINK_H

#include "base/inout.h"
#include "base/io.h"
#include "record/field.h"
#include "record/stream.h"

typedef struct ds_sink ds_sink;
typedef struct ds_sink_part { /* an encoded block; lives in the block's arena */
	ds_frame frame;       /* dsr */
	ds_str text;          /* other formats */
	ds_block *block;      /* formats that are written in order; must live until ds_sink_write */
	ds_field *field;      /* given to encode: whose text is wanted */
	ds_field_count count; /* of it, by the exporter of text */
	uint32_t n_rows;
	uint64_t n_replaced; /* invalid UTF-8 replaced by U+FFFD in JSON */
} ds_sink_part;

struct ds_exporter;
typedef struct {
	const struct ds_exporter *exporter; /* NULL: dsr */
	ds_wrap wrap;
} ds_sink_form;
/*
 * What to (NULL: not said) and a name (NULL: stdout) ask for together; otherwise: the format where neither says
 * one, NULL for dsr. DS_USAGE where they contradict one another, or where what the name's suffix stands for
 * cannot be written.
 */
DS_MUST ds_rc ds_sink_format(
	ds_sink_form *out, const char *to, const char *path, const char *otherwise, ds_err *e);
/* The same asked before there is anything to write. */
DS_MUST ds_rc ds_sink_check(const ds_output_opts *c, ds_err *e);
/* DSR to a terminal becomes a readable preview. chain: with this run's stage pushed. */
DS_MUST ds_rc ds_sink_open(ds_sink **s, const ds_output_opts *c, const ds_chain *chain, ds_err *e);
void ds_sink_close(ds_sink *s);
struct ds_compressor;
DS_MUST ds_rc ds_sink_encode(
	ds_sink *s, ds_block *b, struct ds_compressor *p, ds_sink_part *out, ds_err *e);
DS_MUST ds_rc ds_sink_write(ds_sink *s, ds_sink_part *part, ds_err *e);
DS_MUST ds_rc ds_sink_opt(ds_sink *s, ds_opt opt, ds_err *e); /* kept in dsr, dropped elsewhere */
DS_MUST ds_rc ds_sink_finish(ds_sink *s, const ds_chain *final_chain, ds_err *e);
void ds_sink_abort(
	ds_sink *s, const char *reason); /* the abort block where one fits; never fails */
/* The run failed before its sink was opened: a reader of our stream gets a header, with this chain, and the reason. */
void ds_sink_failed(const ds_output_opts *c, const ds_chain *chain, const char *reason);
bool ds_sink_has_size(const ds_sink *s);     /* it is one file */
uint64_t ds_sink_size(const ds_sink *s);     /* bytes so far, before .gz and the like */
uint64_t ds_sink_replaced(const ds_sink *s); /* invalid UTF-8 replaced in JSON so far */
DS_AUTO_WITH(ds_sink, ds_sink_close)

#endif
