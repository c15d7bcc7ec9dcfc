/*
 * fuzz_regex.c - expressions of any bytes, and a text behind the first line end
 */
#include "fuzz.h"

#include <assert.h>

#include "text/regex.h"

/* Over the limit is not found. */
static bool finds(const ds_regex *r, ds_str text)
{
	ds_err e;
	bool found;
	ds_regex_run *run = ds_regex_run_new(r);
	ds_rc rc = ds_regex_find(run, text, &found, &e);
	ds_regex_run_free(run);
	return rc == DS_OK && found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	DS_AUTO(ds_regex) subst = NULL;
	DS_AUTO(ds_regex) find = NULL;
	DS_AUTO(ds_regex) slow = NULL;
	ds_str text, line = ds_str_cut((ds_str){ (const char *)data, n }, '\n', &text), out;
	ds_err e;
	size_t n_subst;
	if (n > 4096)
		return 0;
	if (ds_regex_parse_subst(&subst, line, &e) == DS_OK) {
		ds_regex_run *run = ds_regex_run_new(subst);
		if (ds_regex_subst(run, text, mem, &out, &n_subst, &e) == DS_OK)
			assert(n_subst || out.at == text.at);
		ds_regex_run_free(run);
	}
	/* The same with an empty group in front, for which no literal is looked for first. */
	char *copy = ds_arena_bytes(mem, line.n + 5);
	memcpy(copy, "(?i:)", 5);
	if (line.n)
		memcpy(copy + 5, line.at, line.n);
	ds_str slow_line = { copy, line.n + 5 };
	if (line.n && line.at[0] != '/' && ds_regex_parse(&find, line, &e) == DS_OK &&
		ds_regex_parse(&slow, slow_line, &e) == DS_OK) {
		bool a = finds(find, text), b = finds(slow, text);
		assert(a == b);
	}
	return 0;
}
