/*
 * shuf.c - records in the order of a random key that depends on the seed and the record's number
 *
 * What fits in memory is sorted there. What does not is dealt out to 64 temporary files by the first
 * six bits of the key, each of which is then sorted, or dealt out again by the next six. The order is
 * that of the keys in any case, so it does not depend on the memory. The files have no names: they
 * are gone however the program ends.
 */
#include "copy.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/temp.h"

#include <stdlib.h>
#include <unistd.h>

enum { FILES = 64, FILE_BITS = 6, MAX_DEPTH = 8 };

/* The record's number on its way through the files. */
static const char number_field[] = "\x01number";

typedef struct {
	uint64_t key, number;
	uint32_t row;
} place;

typedef struct { /* blocks in memory, until there are enough of them */
	ds_arena *mem;
	ds_block **blocks;
	size_t n, cap;
	uint64_t bytes;
} partition;

typedef struct {
	int fd;
	ds_out *out;
	ds_writer *writer;
	uint64_t bytes, rows;
} spill;

typedef struct {
	copy_run *run;
	uint64_t seed, partition_bytes;
	ds_arena *mem; /* of one piece that is written to a file */
} shuffle;

typedef struct { /* where blocks come from: the inputs, or a temporary file */
	copy_run *run;
	ds_reader *reader;
} feed;

static ds_rc next_block(feed *f, ds_arena *mem, ds_block **b, ds_err *e)
{
	if (f->reader)
		return ds_reader_next(f->reader, mem, b, e);
	DS_TRY(copy_next(f->run, mem, b, e));
	if (!*b || (*b)->n_rows == 0)
		return DS_OK;
	ds_colb *numbers = ds_colb_new(*b, number_field, DS_T_I64);
	for (uint32_t row = 0; row < (*b)->n_rows; row++)
		ds_colb_i64(numbers, (int64_t)ds_block_record(*b, row));
	return ds_colb_put(numbers, e);
}

static ds_rc block_bytes(ds_block *b, uint64_t *bytes, ds_err *e)
{
	*bytes = b->n_rows * sizeof(place);
	for (uint32_t i = 0; i < b->n_cols; i++) {
		ds_col *c = &b->cols[i];
		DS_TRY(ds_col_decode(b, c, e));
		uint64_t width = c->type == DS_T_U16S                           ? 2
				 : c->type == DS_T_U32S || c->type == DS_T_F32S ? 4
										: 1;
		*bytes += c->off ? (uint64_t)c->off[b->n_rows] * width + 4ull * b->n_rows
				 : 8ull * b->n_rows;
	}
	return DS_OK;
}

/* Takes blocks until there are limit bytes of them; *ended: there are no more. */
static ds_rc fill_partition(partition *p, feed *f, uint64_t limit, bool *ended, ds_err *e)
{
	ds_arena_reset(p->mem);
	p->n = 0;
	p->bytes = 0;
	*ended = false;
	while (p->bytes < limit) {
		ds_block *b;
		uint64_t bytes;
		DS_TRY(next_block(f, p->mem, &b, e));
		if (!b) {
			*ended = true;
			break;
		}
		if (b->n_rows == 0)
			continue;
		DS_TRY(block_bytes(b, &bytes, e));
		if (p->n == p->cap) {
			size_t cap = p->cap ? p->cap * 2 : 64;
			p->blocks = ds_mem_grow(
				p->blocks, p->n * sizeof(*p->blocks), cap * sizeof(*p->blocks));
			p->cap = cap;
		}
		p->blocks[p->n++] = b;
		p->bytes += bytes;
	}
	return DS_OK;
}

static int by_key(const void *a, const void *b)
{
	const place *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The partition as one block, and its rows in the order of their keys. */
static ds_rc sort_partition(
	const shuffle *s, partition *p, ds_block **all, place **places, ds_err *e)
{
	const ds_col *numbers;
	DS_TRY(ds_block_join(all, p->mem, p->blocks, p->n, e));
	DS_TRY(ds_block_get(*all, number_field, &numbers, e));
	*places = ds_arena_get(p->mem, (*all)->n_rows * sizeof(place));
	for (uint32_t row = 0; row < (*all)->n_rows; row++) {
		uint64_t number = (uint64_t)ds_col_i64(numbers, row);
		(*places)[row] = (place){ ds_rng_u64(ds_rng_of(s->seed, 0), number), number, row };
	}
	qsort(*places, (*all)->n_rows, sizeof(place), by_key);
	return DS_OK;
}

static uint32_t *rows_of(ds_arena *mem, const place *places, size_t n)
{
	uint32_t *rows = ds_arena_get(mem, n * sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		rows[i] = places[i].row;
	return rows;
}

static ds_rc emit_partition(shuffle *s, partition *p, ds_err *e)
{
	ds_block *all;
	place *places;
	if (p->n == 0)
		return DS_OK;
	DS_TRY(sort_partition(s, p, &all, &places, e));
	ds_block_remove(all, number_field);
	return copy_rows(s->run, &s->run->outs[0], all, rows_of(p->mem, places, all->n_rows),
		all->n_rows, e);
}

static ds_rc open_spill(spill *f, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	DS_TRY(ds_temp_file(&f->fd, e));
	f->out = ds_out_from_fd(f->fd, "temporary file");
	return ds_writer_open(&f->writer, f->out, ds_chain_new(mem), e);
}

static ds_rc spill_rows(
	shuffle *s, spill *f, ds_block *all, const place *places, uint32_t n, ds_err *e)
{
	ds_block *part;
	ds_frame frame;
	if (!f->writer)
		DS_TRY(open_spill(f, e));
	ds_arena_reset(s->mem);
	DS_TRY(ds_block_copy(&part, s->mem, all, rows_of(s->mem, places, n), n, e));
	DS_TRY(ds_block_encode(&frame, part, NULL, e));
	f->bytes += frame.raw_bytes + n * sizeof(place);
	f->rows += n;
	return ds_writer_frame(f->writer, &frame, e);
}

static unsigned file_of(uint64_t key, unsigned depth)
{
	return (unsigned)(key << (FILE_BITS * depth) >> (64 - FILE_BITS));
}

static ds_rc spill_partition(shuffle *s, partition *p, spill *files, unsigned depth, ds_err *e)
{
	ds_block *all;
	place *places;
	uint32_t from = 0;
	if (p->n == 0)
		return DS_OK;
	DS_TRY(sort_partition(s, p, &all, &places, e));
	for (uint32_t i = 1; i <= all->n_rows; i++) {
		unsigned file = file_of(places[from].key, depth);
		if (i < all->n_rows && file_of(places[i].key, depth) == file)
			continue;
		DS_TRY(spill_rows(s, &files[file], all, places + from, i - from, e));
		from = i;
	}
	return DS_OK;
}

static void close_spills(spill *files)
{
	for (int i = 0; i < FILES; i++) {
		ds_writer_close(files[i].writer);
		ds_out_close(files[i].out);
		if (files[i].fd >= 0)
			close(files[i].fd);
	}
}

static ds_rc end_spill(spill *f, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	DS_TRY(ds_writer_finish(f->writer, ds_chain_new(mem), e));
	DS_TRY(ds_out_finish(f->out, e));
	ds_writer_close(f->writer);
	ds_out_close(f->out);
	f->writer = NULL;
	f->out = NULL;
	if (lseek(f->fd, 0, SEEK_SET) != 0)
		return ds_fail_errno(e, "temporary file");
	return DS_OK;
}

static ds_rc shuffle_feed(shuffle *s, feed *f, uint64_t limit, unsigned depth, ds_err *e);

static ds_rc shuffle_spill(shuffle *s, spill *f, unsigned depth, ds_err *e)
{
	ds_in *in;
	feed from = { NULL, NULL };
	DS_TRY(ds_in_from_fd(&in, f->fd, "temporary file", e));
	DS_TRY(ds_reader_open(&from.reader, in, e));
	/* Dealing out once more helps only where there are records to deal. */
	bool whole = f->bytes <= s->partition_bytes + s->partition_bytes / 2 || f->rows == 1 ||
		     depth >= MAX_DEPTH;
	ds_rc rc = shuffle_feed(s, &from, whole ? UINT64_MAX : s->partition_bytes, depth, e);
	ds_reader_close(from.reader);
	return rc;
}

static ds_rc deal_out(shuffle *s, feed *f, partition *p, spill *files, unsigned depth, ds_err *e)
{
	bool ended = false;
	while (!ended) {
		DS_TRY(spill_partition(s, p, files, depth, e));
		DS_TRY(fill_partition(p, f, s->partition_bytes, &ended, e));
	}
	DS_TRY(spill_partition(s, p, files, depth, e));
	ds_arena_reset(p->mem);
	for (int i = 0; i < FILES; i++)
		if (files[i].writer)
			DS_TRY(end_spill(&files[i], e));
	return DS_OK;
}

static ds_rc shuffle_partition(
	shuffle *s, feed *f, partition *p, uint64_t limit, unsigned depth, ds_err *e)
{
	bool ended;
	spill files[FILES] = { { 0 } };
	DS_TRY(fill_partition(p, f, limit, &ended, e));
	if (ended)
		return emit_partition(s, p, e);
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	ds_rc rc = deal_out(s, f, p, files, depth, e);
	for (int i = 0; i < FILES && rc == DS_OK; i++)
		if (files[i].fd >= 0)
			rc = shuffle_spill(s, &files[i], depth + 1, e);
	close_spills(files);
	return rc;
}

static ds_rc shuffle_feed(shuffle *s, feed *f, uint64_t limit, unsigned depth, ds_err *e)
{
	partition p = { .mem = ds_arena_new(1 << 20) };
	ds_rc rc = shuffle_partition(s, f, &p, limit, depth, e);
	ds_mem_free(p.blocks);
	ds_arena_free(p.mem);
	return rc;
}

static ds_rc shuffle_all(shuffle *s, ds_err *e)
{
	DS_TRY(shuffle_feed(s, &(feed){ s->run, NULL }, s->partition_bytes, 0, e));
	return copy_finish(s->run, NULL, e);
}

ds_rc run_shuf(const ds_common *c, ds_err *e)
{
	DS_AUTO(copy_run) r = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	/* In memory at once: the partition, the same joined, and what is being written. */
	shuffle s = { .seed = c->seed, .partition_bytes = opt.memory.bytes / 3, .mem = mem };
	if (opt.memory.bytes < 1 << 20 || opt.memory.bytes > (uint64_t)6 << 30)
		return ds_fail(e, DS_USAGE, "'--memory': between 1M and 6G");
	DS_TRY(copy_open(&r, c, (const char *[]){ c->out.path }, 1, e));
	s.run = r;
	DS_TRY(copy_abort(r, shuffle_all(&s, e), e));
	copy_summary(r, NULL);
	return DS_OK;
}
