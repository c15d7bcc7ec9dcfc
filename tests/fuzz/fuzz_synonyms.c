/*
 * fuzz_synonyms.c - a synonym list of any bytes, and every word of it looked up; the same bytes as WordNet
 */
#include "fuzz.h"

#include "text/protect.h"
#include "text/synonym.h"
#include "text/wordnet.h"

static void as_list(ds_str bytes, ds_arena *mem)
{
	DS_AUTO(ds_synonyms) s = ds_synonyms_new();
	ds_err e;
	if (ds_synonyms_add(s, bytes, &e) != DS_OK)
		return;
	for (ds_str rest = bytes; rest.at && rest.n;) {
		size_t n;
		ds_synonyms_find(s, ds_str_cut(rest, '\t', &rest), mem, &n);
	}
	for (ds_str rest = bytes; rest.at && rest.n;) {
		size_t n;
		ds_synonyms_find(s, ds_str_cut(rest, ' ', &rest), mem, &n);
	}
}

/* The files of a part of speech and the counts, with empty lines between them. */
static void as_wordnet(ds_str bytes, ds_arena *mem)
{
	ds_str part[4] = { { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
	for (unsigned i = 0; i < 4 && bytes.at; i++) {
		const char *gap = memmem(bytes.at, bytes.n, "\n\n", 2);
		part[i] = (ds_str){ bytes.at, gap ? (size_t)(gap - bytes.at) + 1 : bytes.n };
		bytes = gap ? (ds_str){ gap + 2, bytes.n - part[i].n - 1 } : (ds_str){ NULL, 0 };
	}
	ds_wordnet_files f = { .counts = part[3] };
	for (unsigned pos = 0; pos < DS_POS_N; pos++) {
		f.index[pos] = part[0];
		f.data[pos] = part[1];
		f.exc[pos] = part[2];
	}
	DS_AUTO(ds_wordnet) w = ds_wordnet_from_mem(&f);
	static const char *const words[] = { "run", "ran", "dogs", "bigger", "x", "running" };
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		ds_str *out;
		size_t n;
		ds_err e;
		(void)!ds_wordnet_find(w, ds_str_of(words[i]), DS_POS_ALL, mem, &out, &n, &e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_str bytes = { (const char *)data, n };
	size_t spans;
	if (n > 65536)
		return 0;
	as_list(bytes, mem);
	ds_arena_reset(mem);
	as_wordnet(bytes, mem);
	ds_protect(bytes, mem, &spans);
	return 0;
}
