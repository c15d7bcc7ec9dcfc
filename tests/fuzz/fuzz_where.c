/*
 * fuzz_where.c - an expression, a line end, any bytes as a text and as a json value that it is asked of
 */
#include "fuzz.h"

#include "../../tools/record/where.h"

#include <stdlib.h>

static void ask(ds_arena *mem, const where *w, ds_str value)
{
	ds_err e;
	bool holds;
	ds_block *b = ds_block_new(mem, 1);
	ds_colb *text = ds_colb_new(b, "t", DS_T_UTF8), *json = ds_colb_new(b, "m", DS_T_JSON);
	ds_colb_bytes(text, value);
	ds_colb_bytes(json, value);
	if (ds_colb_put(text, &e) != DS_OK || ds_colb_put(json, &e) != DS_OK)
		abort();
	where_run *r = where_run_new(w);
	bool first = where_holds(r, b, 0, &holds, &e) == DS_OK && holds;
	bool again = where_holds(r, b, 0, &holds, &e) == DS_OK && holds;
	if (first != again)
		abort();
	where_run_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_arena *mem = ds_arena_new(1 << 16);
	ds_str rest, expression = ds_str_cut((ds_str){ (const char *)data, n }, '\n', &rest);
	where *w = NULL;
	ds_err e;
	if (where_parse(&w, expression, &e) == DS_OK)
		ask(mem, w, rest);
	where_free(w);
	ds_arena_free(mem);
	return 0;
}
