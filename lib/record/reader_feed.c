/*
 * reader_feed.c - the reader's bytes: mapped, read, or kept for a second look
 *
 * A damaged stream in a pipe can only be searched again where its bytes are kept: salvaging, they
 * go through a window that holds one frame.
 */
#include "record/reader_impl.h"

#include "base/mem.h"

/* Blocks that other threads still work on are within the last of these; if not, they are mapped again. */
enum { STEP_BYTES = 1 << 20, BEHIND_BYTES = 16 << 20 };

void ds_reader_feed_open(ds_reader_feed *f, ds_in *in)
{
	f->in = in;
	f->mapped = ds_in_map(in, &f->map);
}

void ds_reader_feed_close(ds_reader_feed *f)
{
	ds_in_close(f->in);
	ds_buf_free(&f->window);
}

void ds_reader_feed_forget(ds_reader_feed *f, bool all)
{
	if (!f->mapped || (!all && f->at - f->forgotten < 2 * (uint64_t)BEHIND_BYTES))
		return;
	f->forgotten = all ? f->at : f->at - BEHIND_BYTES;
	ds_in_forget(f->in, f->forgotten);
}

void ds_reader_feed_keep(ds_reader_feed *f)
{
	if (!f->window.n || f->at == f->window_at)
		return;
	size_t used = (size_t)(f->at - f->window_at);
	memmove(f->window.at, f->window.at + used, f->window.n - used);
	f->window.n -= used;
	f->window_at = f->at;
}

void ds_reader_feed_back(ds_reader_feed *f, uint64_t at)
{
	f->at = at;
}

/* Makes the window reach n bytes beyond the present place, if the input does. */
static ds_rc fill(ds_reader_feed *f, uint64_t n, uint64_t *there, ds_err *e)
{
	size_t used = (size_t)(f->at - f->window_at);
	while (f->window.n - used < n) {
		/* In steps: a length is believed only as far as bytes come. */
		uint64_t want = n - (f->window.n - used);
		size_t step = want < STEP_BYTES        ? STEP_BYTES
			      : want > 64 * STEP_BYTES ? 64 * STEP_BYTES
						       : want;
		size_t got;
		ds_buf_reserve(&f->window, step);
		ds_rc rc = ds_in_read(f->in, f->window.at + f->window.n, step, &got, e);
		f->window.n += got;
		/* Salvaging, the compression around the stream ends it where it is damaged. */
		if (rc == DS_SHORT && f->salvage)
			break;
		DS_TRY(rc);
		if (got < step)
			break;
	}
	*there = f->window.n - used;
	return DS_OK;
}

ds_rc ds_reader_feed_look(ds_reader_feed *f, uint64_t n, ds_str *view, ds_err *e)
{
	uint64_t there;
	if (f->mapped) {
		there = f->map.n - f->at;
		*view = (ds_str){ f->map.at + f->at, there < n ? there : n };
		return DS_OK;
	}
	ds_buf_reserve(&f->window, 1); /* so that it is somewhere */
	DS_TRY(fill(f, n, &there, e));
	*view = (ds_str){ f->window.at + (f->at - f->window_at), there < n ? there : n };
	return DS_OK;
}

/* Grows as bytes come: a length alone takes no memory. */
static ds_rc take_large(
	ds_reader_feed *f, ds_arena *mem, uint64_t n, const uint8_t **out, uint64_t *got, ds_err *e)
{
	ds_buf b = { 0 };
	ds_rc rc = DS_OK;
	for (size_t k = 1, step; rc == DS_OK && k && b.n < n; b.n += k) {
		step = b.n < 64 * STEP_BYTES ? 64 * STEP_BYTES : b.n;
		step = n - b.n < step ? (size_t)(n - b.n) : step;
		ds_buf_reserve(&b, step);
		k = 0;
		rc = ds_in_read(f->in, b.at + b.n, step, &k, e);
	}
	uint8_t *to = ds_arena_get(mem, b.n);
	if (b.n)
		memcpy(to, b.at, b.n);
	*got = b.n;
	*out = to;
	ds_buf_free(&b);
	return rc;
}

ds_rc ds_reader_feed_take(
	ds_reader_feed *f, ds_arena *mem, uint64_t n, const uint8_t **out, uint64_t *got, ds_err *e)
{
	if (f->mapped || f->salvage) {
		ds_str view;
		DS_TRY(ds_reader_feed_look(f, n, &view, e));
		*got = view.n;
		*out = (const uint8_t *)view.at;
		if (!f->mapped || (uintptr_t)view.at % DS_UNIT) {
			uint8_t *copy = ds_arena_get(mem, view.n);
			if (view.n)
				memcpy(copy, view.at, view.n);
			*out = copy;
		}
	} else if (n > 64 * (uint64_t)STEP_BYTES) {
		DS_TRY(take_large(f, mem, n, out, got, e));
	} else {
		uint8_t *to = ds_arena_get(mem, n);
		size_t k;
		DS_TRY(ds_in_read(f->in, to, n, &k, e));
		*got = k;
		*out = to;
	}
	f->at += *got;
	return DS_OK;
}

ds_rc ds_reader_feed_search(ds_reader_feed *f, bool *found, bool *header, ds_err *e)
{
	ds_str view;
	*found = false;
	for (size_t from = 1;; from = 0) {
		DS_TRY(ds_reader_feed_look(f, STEP_BYTES, &view, e));
		for (size_t i = from; i + 8 <= view.n; i++) {
			const char *p = view.at + i;
			*header = memcmp(p, ds_stream_magic, 8) == 0;
			*found = *header || memcmp(p, ds_frame_magic, 8) == 0;
			if (*found) {
				f->at += i;
				return DS_OK;
			}
		}
		if (view.n < STEP_BYTES) {
			f->at += view.n;
			return DS_OK;
		}
		f->at += view.n - 7;
		ds_reader_feed_keep(f);
	}
}
