/*
 * rows_impl.h - between rows.c (rows out of pieces) and rows_open.c (pieces out of files)
 */
#ifndef DS_MODEL_ROWS_IMPL_H
#define DS_MODEL_ROWS_IMPL_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/thread.h"
#include "model/rows.h"
#include "record/field.h"
#include "record/source.h"
#include "record/stream.h"

typedef struct { /* a list column as one block has it */
	const void *data;
	const uint32_t *off;    /* NULL: the block has no such column */
	const uint8_t *present; /* NULL: every record has it */
	bool wide;              /* u32 elements; else u16 (ids, docs) or u8 (mask) */
} list_col;

typedef struct {       /* one block's worth of rows or tokens */
	int64_t first; /* packed: number of its first row; else of its first token in the whole */
	uint32_t n_rows;
	bool ready; /* ids and so on are set; else they are read through reader */
	ds_reader *reader;
	ds_index_entry entry;
	const char *origin; /* file, for messages */
	uint64_t record;    /* number of its first record in the file, from 1 */
	const uint64_t
		*row_of; /* where records were left out: each one's offset from there; else NULL */
	list_col ids, docs, mask, types;
	const int32_t *labels; /* of each record, or each token */
	const ds_str *images;  /* of each record; NULL: there are none */
} piece;

typedef struct {              /* what one file gave, where files are mixed; else all */
	size_t piece;         /* its first */
	int64_t first, count; /* rows */
	int64_t end;          /* unpacked: one past its last token */
	int64_t from, quota;  /* its share of a turn */
	double weight;
	const char *name;
} part;

enum { MAX_LABELS = 1 << 20 };

struct ds_rows {
	ds_arena *mem;
	piece *pieces;
	size_t n, cap;
	ds_reader **readers;
	size_t n_readers;
	bool packed, docs, alone;
	int64_t seq, count, vocab_size;
	const ds_tok *tok;
	ds_tok *own_tok;
	bool tok_known;       /* tok is the model's or was found in a shard */
	const char *tok_from; /* whose it is, for messages */
	bool any_tok;
	int64_t separator, pad; /* ids; separator -1: none */
	uint64_t identity;
	ds_buf chain;
	ds_rows_kind kind;
	uint32_t longest;  /* record with labels */
	ds_source *source; /* of the block at hand */
	ds_field *field;   /* of texts */
	ds_texts texts;    /* of the block at hand */
	ds_out *rejects;   /* borrowed; NULL: none */
	uint64_t n_bad;    /* records left out */
	int64_t n_types;   /* of segments; 0: they are not looked at */
	struct ds_rows_labels *labels;
	struct ds_rows_chat *chat;
	bool images;
	int64_t pair_eos;
	ds_pool *pool; /* looks through pictures; NULL: there are none */
	part *parts;
	size_t n_parts;
	bool mixed;
};

/* The number of a piece's record in its file, from 1. */
static inline unsigned long long piece_record(const piece *p, uint32_t rec)
{
	return p->record + (p->row_of ? p->row_of[rec] : rec);
}

/* Decodes the block behind a piece; checks its hash. */
ds_rc ds_rows_ready(ds_rows *r, piece *p, ds_err *e);

/* Of a record that has neither tokens nor the field of texts. */
ds_rc ds_rows_no_text(ds_rows *r, ds_block *b, ds_err *e);

/* rows_gather.c: a block's records, each put behind the others by fn */
typedef struct {
	ds_rows *r;
	ds_tok_scratch *scratch;
	ds_buf ids, beside; /* u32; what goes with them */
	ds_buf types;       /* a byte for each of ids, where they have any but 0; shorter: 0 */
	ds_buf images;      /* a ds_str for each record */
	const char *const *faults; /* of the block's pictures; NULL: it is whole */
	const void *kept;          /* the latter when all is gathered; lives as r does */
} ds_gather;
/*
 * fn gives DS_BAD for a record that cannot be used, saying why; it is dealt with as --on-error says.
 * p gets those that can.
 */
typedef ds_rc ds_gather_fn(ds_gather *q, ds_block *b, uint32_t row, ds_err *e);
/* The block without some records: what is left of rows[0 .. n) is a piece's. */
void ds_rows_kept(ds_rows *r, piece *p, const ds_block *b, const uint32_t *rows, uint32_t n);
ds_rc ds_rows_gather(ds_gather *q, ds_block *b, piece *p, ds_gather_fn *fn, ds_err *e);
/* rows.c: an id into the row, and whether a document begins there */
typedef struct {
	ds_row *out;
	int64_t n;     /* positions filled */
	int64_t start; /* where the document at hand began, in this row */
	bool begins;   /* the next token begins a document */
} filler;
bool ds_rows_is_target(const piece *p, uint32_t rec, uint32_t i); /* by the mask */
/* Its segment; DS_BAD: not one of the model's. */
ds_rc ds_rows_type(
	const ds_rows *r, const piece *p, uint32_t rec, uint32_t i, int32_t *out, ds_err *e);
/* Token i of a record; DS_BAD: an id that the vocabulary does not have. */
ds_rc ds_rows_put(const ds_rows *r, filler *f, const piece *p, uint32_t rec, uint32_t i, ds_err *e);
void ds_rows_pad(const ds_rows *r, filler *f); /* up to the end of the row */
/* rows_chat.c */
void ds_rows_chat_new(ds_rows *r, const ds_chat_layout *l);
void ds_rows_chat_free(ds_rows *r);
ds_rc ds_rows_settle_chat(ds_rows *r, ds_err *e); /* numbers the rows, when seq is known */
ds_rc ds_rows_get_chat(ds_rows *r, int64_t row, ds_row *out, ds_err *e);
ds_rc ds_rows_add_chat(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e);
/* rows_image.c: pictures, alone or with a text */
ds_rc ds_rows_look_through(
	ds_gather *q, ds_block *b, ds_err *e); /* all of a block, on all threads */
ds_rc ds_rows_add_image(ds_gather *q, ds_block *b, uint32_t row, ds_err *e);
ds_rc ds_rows_add_pairs(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e);
ds_rc ds_rows_get_pair(ds_rows *r, const piece *p, uint32_t rec, ds_row *out, ds_err *e);
/* rows_mix.c */
ds_rc ds_rows_parts_new(ds_rows *r, const ds_rows_opts *o, ds_err *e);
ds_rc ds_rows_settle_mix(ds_rows *r, ds_err *e);
/* rows_plugin.c: its records as JSON lines, a block's worth; at NULL: there are no more */
typedef struct ds_rows_plugin ds_rows_plugin;
ds_rc ds_rows_plugin_open(ds_rows_plugin **p, const char *path, const char *options, ds_err *e);
ds_rc ds_rows_plugin_next(ds_rows_plugin *p, ds_str *lines, ds_err *e);
void ds_rows_plugin_chain(const ds_rows_plugin *p, ds_buf *out);
void ds_rows_plugin_close(ds_rows_plugin *p); /* NULL is fine */
DS_AUTO_WITH(ds_rows_plugin, ds_rows_plugin_close)
/* rows_label.c */
void ds_rows_labels_new(ds_rows *r, const char *const *labels, size_t n);
void ds_rows_labels_free(ds_rows *r);
ds_rc ds_rows_add_labelled(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e);
ds_rc ds_rows_settle_labels(ds_rows *r, ds_err *e);
ds_rc ds_rows_get_labelled(ds_rows *r, const piece *p, uint32_t rec, ds_row *out, ds_err *e);

/* Is a record a row, with labels? */
static inline bool is_labelled(const ds_rows *r)
{
	return r->kind >= DS_ROWS_CLASS;
}

static inline uint32_t list_at(const list_col *c, uint32_t i)
{
	return c->wide ? ((const uint32_t *)c->data)[i] : ((const uint16_t *)c->data)[i];
}

#endif
