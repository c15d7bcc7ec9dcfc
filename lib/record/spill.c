/*
 * spill.c - what of a refused record does not belong into memory
 *
 * A record over --max-record is kept whole where records are rejected, however large it is; its bytes
 * behind the first ones wait in a temporary file for their turn in the reject file.
 */
#include "record/import.h"

#include "base/charset.h"
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

typedef struct { /* where bytes go, marks in them undone */
	ds_out *out;
	bool marked;
	unsigned n_held; /* of a mark that goes on in the next bytes */
	char held[DS_CHARSET_MARK_BYTES];
} unmarked;

static ds_rc put(unmarked *u, ds_str s, ds_err *e)
{
	while (u->marked && s.n) {
		const char *mark = u->n_held ? s.at : memchr(s.at, DS_CHARSET_MARK, s.n);
		if (!mark)
			break;
		DS_TRY(ds_out_write(u->out, s.at, (size_t)(mark - s.at), e));
		s = (ds_str){ mark + 1, s.n - (size_t)(mark + 1 - s.at) };
		u->held[u->n_held++] = *mark;
		if (u->n_held < DS_CHARSET_MARK_BYTES)
			continue;
		char byte = ds_charset_marked(u->held);
		u->n_held = 0;
		DS_TRY(ds_out_write(u->out, &byte, 1, e));
	}
	return ds_out_write(u->out, s.at, s.n, e);
}

static ds_rc copy(const ds_spill *s, char *piece, unmarked *out, ds_err *e)
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
		DS_TRY(put(out, (ds_str){ piece, (size_t)n }, e));
		at += (uint64_t)n;
	}
	return DS_OK;
}

ds_rc ds_bad_write(const ds_bad *bad, ds_out *out, ds_err *e)
{
	unmarked to = { .out = out, .marked = bad->marked };
	DS_TRY(put(&to, bad->raw, e));
	if (bad->rest) {
		char *piece = ds_mem_get(PIECE);
		ds_rc rc = copy(bad->rest, piece, &to, e);
		ds_mem_free(piece);
		close_file(bad->rest);
		DS_TRY(rc);
	}
	return ds_out_write(out, "\n", 1, e);
}
