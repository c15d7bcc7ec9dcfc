/*
 * rehydrate.c - the record that stays for a cluster comes again, as often as a rule says for the cluster's size
 *
 * A block is written once for each copy, with the rows that still have one: so no copy is larger than what
 * was read.
 */
#include "rehydrate.h"

/* Penedo et al. 2025 (FineWeb2): what is repeated some times is better than what is unique or everywhere. */
#define FINEWEB2 "1:1,2:2,3:3,5:5,100:8,1000:1"

static bool read_count(ds_str s, int64_t most, int64_t *out)
{
	return ds_str_i64(s, out) && *out >= 1 && *out <= most;
}

ds_rc rehydrate_read(rehydrate_rule *r, const char *text, ds_err *e)
{
	bool known = strcmp(text, "fineweb2") == 0;
	*r = (rehydrate_rule){ 0 };
	for (ds_str rest = ds_str_of(known ? FINEWEB2 : text), copies; rest.at; r->n++) {
		ds_str step = ds_str_cut(rest, ',', &rest), from = ds_str_cut(step, ':', &copies);
		int64_t size, times;
		if (r->n == REHYDRATE_STEPS || !copies.at || !read_count(from, UINT32_MAX, &size) ||
			!read_count(copies, REHYDRATE_MOST, &times) ||
			(r->n && size <= r->step[r->n - 1].size))
			return ds_fail(e, DS_USAGE,
				"--rehydrate '%s': it is fineweb2, or SIZE:COPIES,... with growing "
				"sizes and 1 to %d copies",
				text, REHYDRATE_MOST);
		r->step[r->n].size = (uint32_t)size;
		r->step[r->n].copies = (uint32_t)times;
	}
	return DS_OK;
}

uint32_t rehydrate_copies(const rehydrate_rule *r, uint32_t size)
{
	uint32_t copies = 1;
	for (unsigned i = 0; i < r->n && r->step[i].size <= size; i++)
		copies = r->step[i].copies;
	return copies;
}

static bool stays(const signed_block *s, uint32_t row)
{
	const row_items *r = &s->rows[row];
	return !r->contaminated && (!r->n || s->items[r->first].dup_of == DS_NO_TEXT);
}

ds_rc rehydrate_block(const rehydrate_rule *r, ds_work *w, ds_block *b, const signed_block *s,
	uint64_t *n_added, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	uint32_t *copies = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*copies)), most = 1;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		copies[i] = stays(s, i) ? rehydrate_copies(r, s->rows[i].cluster) : 0;
		most = copies[i] > most ? copies[i] : most;
	}
	for (uint32_t round = 0; most > 1 && round < most; round++) {
		uint32_t *rows = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*rows)), n = 0;
		ds_block *again;
		for (uint32_t i = 0; i < b->n_rows; i++)
			if (copies[i] > round)
				rows[n++] = i;
		DS_TRY(ds_block_copy(&again, mem, b, rows, n, e));
		ds_work_emit(w, again, NULL);
		*n_added += round ? n : 0;
	}
	if (most > 1)
		ds_work_swallow(w);
	return DS_OK;
}
