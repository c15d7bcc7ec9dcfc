/*
 * count.c - reads record streams: how many records have the field text, and how many bytes it is
 *
 *	cc -o count count.c $(pkg-config --cflags --libs --static libds)
 *	dsclean pages/ | ./count - notes.dsr
 *
 * A reader hands out blocks, columns of records; every hash is verified on the way, and a stream that was cut
 * short or changed is an error (exit status 3).
 */
#include "record/stream.h"

#include <inttypes.h>
#include <stdio.h>

static ds_rc count(const char *path, ds_err *e)
{
	ds_in *in;
	DS_AUTO(ds_reader) r = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	uint64_t n = 0, with = 0, bytes = 0;
	DS_TRY(ds_in_open(&in, path, e));
	DS_TRY(ds_reader_open(&r, in, e)); /* the reader closes in */
	for (;;) {
		ds_block *b;
		const ds_col *c;
		ds_arena_reset(mem); /* the block before this one is done with */
		DS_TRY(ds_reader_next(r, mem, &b, e));
		if (!b)
			break;
		DS_TRY(ds_block_get(b, "text", &c, e)); /* NULL: no record of the block has it */
		for (uint32_t i = 0; c && i < b->n_rows; i++) {
			ds_str text;
			bool has;
			DS_TRY(ds_block_text(b, c, i, &text, &has, e));
			with += has;
			bytes += has ? text.n : 0;
		}
		n += b->n_rows;
	}
	printf("%s: %" PRIu64 " records, %" PRIu64 " with text, %" PRIu64 " bytes\n", path, n, with,
		bytes);
	return DS_OK;
}

int main(int argc, char **argv)
{
	ds_err e;
	for (int i = 1; i < argc; i++) {
		ds_rc rc = count(argv[i], &e);
		if (rc != DS_OK) {
			fprintf(stderr, "count: %s\n", e.msg);
			return (int)rc;
		}
	}
	return 0;
}
