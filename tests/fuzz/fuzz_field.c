/*
 * fuzz_field.c - a path, a line end, any bytes as a json value: its texts are put back, marked and as they were
 *
 * What was put in the place of a text is read there again, and with the old texts the value is the old one.
 */
#include "fuzz.h"

#include "record/field.h"
#include "json/json.h"

#include <stdlib.h>

static ds_block *block_of(ds_arena *mem, ds_str json)
{
	ds_err e;
	ds_block *b = ds_block_new(mem, 1);
	ds_colb *c = ds_colb_new(b, "m", DS_T_JSON);
	ds_colb_bytes(c, json);
	if (ds_colb_put(c, &e) != DS_OK)
		abort();
	return b;
}

/* Every text gets `mark` behind it; the value that comes of it. */
static ds_str with(ds_block *b, const ds_field *f, ds_text_part *old, size_t n, const char *mark)
{
	ds_texts t;
	ds_text_part *p;
	size_t again;
	ds_err e;
	const ds_col *c;
	if (ds_texts_open(&t, f, b, NULL, &e) != DS_OK ||
		ds_texts_parts(&t, 0, &p, &again, &e) != DS_OK || again != n)
		abort();
	for (size_t i = 0; i < n; i++)
		p[i].now = ds_arena_fmt(b->mem, "%.*s%s", DS_FMT(old[i].text), mark);
	ds_texts_put(&t, 0, p, n);
	if (ds_texts_finish(&t, &e) != DS_OK || ds_block_get(b, "m", &c, &e) != DS_OK || !c)
		abort();
	return ds_col_bytes(c, 0);
}

static void check(ds_arena *mem, const ds_field *f, ds_str json)
{
	ds_block *b = block_of(mem, json);
	ds_field_names names = { 0 };
	ds_texts t;
	ds_text_part *p;
	size_t n;
	ds_err e;
	if (ds_field_names_add(&names, b, &e) != DS_OK)
		abort();
	ds_field_names_free(&names);
	if (ds_texts_open(&t, f, b, NULL, &e) != DS_OK)
		abort();
	if (ds_texts_parts(&t, 0, &p, &n, &e) != DS_OK)
		return;
	for (size_t i = 0; i < n; i++)
		if (p[i].text.n > 100 || memchr(p[i].text.at, '\0', p[i].text.n))
			return; /* more than ds_arena_fmt above would write */
	if (!ds_str_eq(ds_arena_str(mem, with(b, f, p, n, "~")), json) != (n > 0))
		abort();
	const ds_json *was, *is;
	ds_str back = with(b, f, p, n, "");
	if (ds_json_parse(&was, mem, json, &e) != DS_OK)
		return;
	if (ds_json_parse(&is, mem, back, &e) != DS_OK)
		abort();
	ds_buf first = { 0 }, second = { 0 };
	ds_json_add(&first, was);
	ds_json_add(&second, is);
	if (!ds_str_eq(ds_buf_view(&first), ds_buf_view(&second)))
		abort();
	ds_buf_free(&first);
	ds_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_arena *mem = ds_arena_new(1 << 16);
	ds_str rest, path = ds_str_cut((ds_str){ (const char *)data, n }, '\n', &rest);
	const char *name = ds_arena_str(mem, path).at;
	ds_field *f = NULL;
	ds_err e;
	if (rest.at && ds_field_new(&f, &name, 1, &e) == DS_OK)
		check(mem, f, rest);
	ds_field_free(f);
	ds_arena_free(mem);
	return 0;
}
