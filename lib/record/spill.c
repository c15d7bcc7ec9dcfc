/*
 * spill.c - what of a refused record does not belong into memory
 *
 * A record over --max-record is kept whole where records are rejected, however large it is; its bytes
 * behind the first ones wait in a temporary file for their turn in the reject file.
 */
#include "record/import.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/temp.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 256 << 10 };

struct ds_spill {
	int fd; /* -1: written away */
	uint64_t n;
};

ds_rc ds_spill_add(ds_chunk *ch, ds_str bytes, ds_err *e)
{
	if (!ch->spill) {
		int fd;
		DS_TRY(ds_temp_file(&fd, e));
		ch->spill = DS_NEW(ds_spill, 1);
		*ch->spill = (ds_spill){ fd, 0 };
		ds_source_hold_spill(ch->input->source, ch->spill);
	}
	for (size_t done = 0; done < bytes.n;) {
		ssize_t n = write(ch->spill->fd, bytes.at + done, bytes.n - done);
		if (n < 0 && errno != EINTR)
			return ds_fail_errno(e, "cannot write a temporary file");
		done += n > 0 ? (size_t)n : 0;
	}
	ch->spill->n += bytes.n;
	return DS_OK;
}

static void close_file(ds_spill *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void ds_spill_free(ds_spill *s)
{
	close_file(s);
	ds_mem_free(s);
}

static ds_rc copy(const ds_spill *s, char *piece, ds_out *out, ds_err *e)
{
	for (uint64_t at = 0; at < s->n;) {
		uint64_t left = s->n - at;
		ssize_t n = pread(s->fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ds_fail_errno(e, "cannot read a temporary file");
		if (n == 0)
			return ds_fail(e, DS_IO, "a temporary file was cut");
		DS_TRY(ds_out_write(out, piece, (size_t)n, e));
		at += (uint64_t)n;
	}
	return DS_OK;
}

ds_rc ds_bad_write(const ds_bad *bad, ds_out *out, ds_err *e)
{
	DS_TRY(ds_out_write(out, bad->raw.at, bad->raw.n, e));
	if (bad->rest) {
		char *piece = ds_mem_get(PIECE);
		ds_rc rc = copy(bad->rest, piece, out, e);
		ds_mem_free(piece);
		close_file(bad->rest);
		DS_TRY(rc);
	}
	return ds_out_write(out, "\n", 1, e);
}
