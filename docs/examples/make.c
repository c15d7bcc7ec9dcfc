/*
 * make.c - writes a record stream: a record a line of stdin, with its number and its length
 *
 *	cc -o make make.c $(pkg-config --cflags --libs --static libds)
 *	./make <notes.txt | dsrec view
 *
 * A block is built column by column; what a program did is an entry of the stream's chain, which `dsrec log` shows.
 */
#include "record/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000 }; /* records of a block; about 1 MiB is usual */

static ds_rc write_block(
	ds_writer *w, ds_arena *mem, char **lines, uint32_t n, int64_t first, ds_err *e)
{
	ds_block *b = ds_block_new(mem, n);
	ds_colb *text = ds_colb_new(b, "text", DS_T_UTF8);
	ds_colb *line = ds_colb_new(b, "line", DS_T_I64);
	ds_colb *score = ds_colb_new(b, "score", DS_T_F64);
	for (uint32_t i = 0; i < n; i++) {
		size_t length = strlen(lines[i]);
		ds_colb_bytes(text, (ds_str){ lines[i], length });
		ds_colb_i64(line, first + i);
		if (length)
			ds_colb_f64(score, (double)length);
		else
			ds_colb_absent(score); /* this record has no such field */
	}
	DS_TRY(ds_colb_put(text, e));
	DS_TRY(ds_colb_put(line, e));
	DS_TRY(ds_colb_put(score, e));
	ds_frame frame;
	DS_TRY(ds_block_encode(&frame, b, NULL, e)); /* NULL: uncompressed */
	return ds_writer_frame(w, &frame, e);
}

static ds_rc make(ds_err *e)
{
	static char *lines[ROWS];
	DS_AUTO(ds_arena) run = ds_arena_new(1 << 12);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	DS_AUTO(ds_out) out = NULL;
	DS_AUTO(ds_writer) w = NULL;
	ds_chain *chain = ds_chain_new(run);
	ds_stage_entry *did = ds_chain_push(run, chain, DS_S("make"), DS_S("1"), DS_S(""));
	char *line = NULL;
	size_t room = 0;
	uint64_t n = 0;
	uint32_t k = 0;
	ssize_t got;
	DS_TRY(ds_out_open(&out, "-", e)); /* or a file's name: it appears whole or not at all */
	DS_TRY(ds_writer_open(&w, out, chain, e));
	do {
		got = getline(&line, &room, stdin);
		if (got >= 0) {
			line[got - (got > 0 && line[got - 1] == '\n')] = 0;
			char *copy = ds_arena_get(mem, strlen(line) + 1);
			lines[k++] = strcpy(copy, line);
		}
		if (k == ROWS || (got < 0 && k)) {
			DS_TRY(write_block(w, mem, lines, k, (int64_t)n, e));
			n += k;
			k = 0;
			ds_arena_reset(mem);
		}
	} while (got >= 0);
	free(line);
	did->has_counts = true;
	did->records_in = did->records_out = n;
	DS_TRY(ds_writer_finish(
		w, chain, e)); /* the trailer: without it readers say that it ended early */
	return ds_out_finish(out, e);
}

int main(void)
{
	ds_err e;
	ds_rc rc = make(&e);
	if (rc != DS_OK)
		fprintf(stderr, "make: %s\n", e.msg);
	return (int)rc;
}
