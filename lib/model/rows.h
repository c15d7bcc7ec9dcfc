/*
 * rows.h - training data: token shards and texts as rows of one length
 *
 * Packed shards (dstok --seq) are used as they are: an uncompressed one on a disk is mapped and a
 * block is verified when it is first read. Everything else (compressed shards, streams, texts) is held in memory
 * as 2 or 4 bytes a token. Unpacked tokens are concatenated with eos between and cut at seq. Rows are numbered from 0 over
 * all files; ds_rows_order shuffles them. One thread at a time.
 */
#ifndef DS_MODEL_ROWS_H
#define DS_MODEL_ROWS_H

#include "base/inout.h"
#include "base/err.h"
#include "text/chat/chat.h"
#include "text/tok/tok.h"

typedef struct ds_rows ds_rows;

typedef enum {
	DS_ROWS_TEXT,  /* tokens one after another, cut at seq */
	DS_ROWS_CHAT,  /* whole conversations, as many as fit; their answers alone are targets */
	DS_ROWS_CLASS, /* a record a row; targets[0] is its label */
	DS_ROWS_TAGS,  /* a record a row; targets are its tokens' labels */
	DS_ROWS_PAIR,  /* a record a row: a text and its picture */
} ds_rows_kind;

typedef struct {
	ds_rows_kind kind;
	const char *const *labels; /* the model's, by id; none: those of the data */
	size_t n_labels;
	const ds_chat_layout *chat; /* of conversations */
	bool alone;                 /* each is a row of its own */
	const char *exec;   /* a command whose output is the input, and no files; NULL: none */
	const char *plugin; /* a library as input (dataset.h), and no files; NULL: none */
	const char *plugin_options;
	const char *const *files;
	size_t n_files;
	const double
		*weights;   /* of the files, which are mixed then; NULL: all rows once an epoch */
	int64_t seq;        /* 0: the shards' row length, else seq_max */
	int64_t seq_max;    /* for unpacked data */
	bool docs;          /* documents stay apart: positions restart, no target across */
	const ds_tok *tok;  /* the model's; NULL: that of the first shard, else the built-in one */
	bool any_tok;       /* shards of other tokenizers are taken, their ids as they are */
	int64_t vocab_size; /* ids from here on are refused; 0: the tokenizer's size */
	int64_t n_types;    /* of segments, which `types` gives; 0: it is not looked at */
	int64_t eos;      /* of DS_ROWS_PAIR: the model's; below -1: the tokenizer's, see pair.h */
	unsigned threads; /* look through pictures, where there are any; at least 1 then */
	bool images; /* of DS_ROWS_CLASS: pictures, and no text; each is looked through when it is read */
	struct ds_out *rejects; /* for --on-error reject; borrowed */
} ds_rows_opts;

/*
 * DS_BAD: a tokenizer other than the model's, no tokens at all. DS_USAGE: a seq that differs from
 * the row length of packed data. Otherwise what reading gives.
 */
/* DS_IO: a plugin that cannot be loaded. */
DS_MUST ds_rc ds_rows_open(ds_rows **r, const ds_input_opts *how, const ds_rows_opts *o, ds_err *e);
void ds_rows_close(ds_rows *r); /* NULL is fine */
DS_AUTO_WITH(ds_rows, ds_rows_close)

int64_t ds_rows_records(const ds_rows *r); /* of the input */
uint64_t ds_rows_bad(const ds_rows *r);    /* those that --on-error left out */
int64_t ds_rows_count(const ds_rows *r);
int64_t ds_rows_seq(const ds_rows *r);
typedef struct { /* what is behind the ends of rows */
	int64_t records, targets,
		targets_cut; /* conversations cut; targets of all, and of what is cut off */
} ds_rows_loss;
void ds_rows_cut(const ds_rows *r, ds_rows_loss *l);
const ds_chat_layout *ds_rows_layout(const ds_rows *r); /* of conversations; NULL: there are none */
const ds_tok *ds_rows_tok(
	const ds_rows *r); /* the model's, or what was found; NULL: none is known */
uint64_t ds_rows_identity(const ds_rows *r); /* of the data, the same whenever it is the same */
/* By number; lives as r does. */
const char *const *ds_rows_labels(const ds_rows *r, size_t *n);
ds_str ds_rows_chain(const ds_rows *r); /* its provenance as JSON, an array of chains */

/*
 * The row at a place of an endless sequence. Of one source: epochs, in each of which every row comes
 * once, shuffled by seed and epoch. Of a mixture: turns of 10,000 places, in which every file has its
 * weight's share, shuffled; a file's own rows come in epochs of their own.
 */
int64_t ds_rows_order(const ds_rows *r, uint64_t seed, int64_t place);
/* "70.00 % a.dsr (1200 rows), …" of a mixture; nothing of anything else. */
void ds_rows_tell_mix(const ds_rows *r, ds_buf *out);

typedef struct { /* seq of each, written by ds_rows_get */
	int32_t *ids, *targets, *positions;
	int32_t *first; /* NULL: not wanted */
	int64_t n_targets;
	int32_t *last;  /* NULL: not wanted; one past the last position that t may see */
	int32_t *types; /* NULL: not wanted; segments */
	uint8_t *plain; /* NULL: not wanted; is it text that no mask leaves out? */
	int32_t end;    /* of DS_ROWS_PAIR: the position of the token that ends the text */
	ds_str image;   /* a picture's file; of rows that have one; lives as the rows do */
} ds_row;
/* DS_BAD: an id that is not below vocab_size, a row of another length; DS_SHORT: damage. */
DS_MUST ds_rc ds_rows_get(ds_rows *r, int64_t row, ds_row *out, ds_err *e);
/* Its picture alone. */
DS_MUST ds_rc ds_rows_image(ds_rows *r, int64_t row, ds_str *out, ds_err *e);

#endif
