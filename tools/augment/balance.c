/*
 * balance.c - copies for the labels that are few
 *
 * A first reading notes each record's label, 4 bytes a record. A label of n records that wants m more
 * gives its i-th record floor((i + 1) m / n) - floor(i m / n) copies, so they are spread evenly.
 */
#include "augment.h"
#include "base/hash.h"
#include "base/mem.h"

struct balance {
	uint32_t *of; /* by record: first 1 + its label (0: none), later its copies */
	size_t n, room;
	ds_map *labels; /* how many records each has */
};

static ds_rc note(balance *b, uint64_t record, ds_str label, bool has)
{
	if (record >= b->room) {
		size_t room = 2 * record + 4096;
		b->of = ds_mem_grow(b->of, b->n * sizeof(*b->of), room * sizeof(*b->of));
		b->room = room;
	}
	while (b->n <= record)
		b->of[b->n++] = 0;
	if (has) {
		/* The value is number << 40 | count, so that the label's number is found with it. */
		bool is_new;
		uint64_t *v = ds_map_put(b->labels, label, &is_new);
		if (is_new)
			*v = (uint64_t)(ds_map_count(b->labels) - 1) << 40;
		b->of[record] = 1 + (uint32_t)(*v >> 40);
		++*v;
	}
	return DS_OK;
}

static ds_rc learn(void *state, ds_work *w, ds_block *block, ds_err *e)
{
	const ds_col *col;
	DS_TRY(ds_block_get(block, "label", &col, e));
	for (uint32_t row = 0; row < block->n_rows; row++) {
		ds_str label = { "", 0 };
		bool has;
		if (rows_value(block, col, row, &label, &has, e) != DS_OK)
			has = false; /* a list, say: then the record has no label here */
		DS_TRY(note(state, ds_block_record(block, row), label, has));
	}
	return DS_OK;
}

static uint64_t size_of(const balance *b, size_t label)
{
	return *ds_map_value(b->labels, label) & (((uint64_t)1 << 40) - 1);
}

static void share_out(balance *b, uint64_t target, uint32_t most)
{
	size_t n = ds_map_count(b->labels);
	uint64_t *seen = DS_NEW(uint64_t, n + 1);
	for (size_t i = 0; i < b->n; i++) {
		if (!b->of[i])
			continue;
		size_t label = b->of[i] - 1;
		uint64_t has = size_of(b, label), at = seen[label]++;
		uint64_t wants = target > has ? target - has : 0;
		uint64_t copies = (uint64_t)((unsigned __int128)(at + 1) * wants / has -
					     (unsigned __int128)at * wants / has);
		b->of[i] = copies < most ? (uint32_t)copies : most;
	}
	ds_mem_free(seen);
}

ds_rc balance_read(balance **out, const ds_common *c, const char *target, uint32_t most, ds_err *e)
{
	DS_AUTO(balance) b = DS_NEW(balance, 1);
	int64_t wanted = 0;
	if (target && (!ds_str_i64(ds_str_of(target), &wanted) || wanted < 1))
		return ds_fail(
			e, DS_USAGE, "--label-balance '%s': it is a number of records", target);
	for (size_t i = 0; i < c->n_files; i++)
		if (strcmp(c->files[i], "-") == 0)
			return ds_fail(e, DS_USAGE,
				"--label-balance reads the input twice, so it must be files");
	b->labels = ds_map_new(16);
	ds_common first = *c;
	first.out_path = "/dev/null";
	first.to = "jsonl";
	first.stats_path = NULL;
	first.quiet = true;
	first.on_error = c->on_error == DS_ON_REJECT ? DS_ON_SKIP : c->on_error;
	const ds_stage stage = { .name = "aug", .state = b, .order = learn };
	DS_TRY(ds_pipe_run(&first, &stage, e));
	uint64_t largest = 0;
	for (size_t i = 0; i < ds_map_count(b->labels); i++)
		largest = size_of(b, i) > largest ? size_of(b, i) : largest;
	if (!largest)
		return ds_fail(e, DS_BAD, "--label-balance: no record has a label");
	share_out(b, target ? (uint64_t)wanted : largest, most);
	*out = b;
	b = NULL;
	return DS_OK;
}

void balance_free(balance *b)
{
	if (!b)
		return;
	ds_mem_free(b->of);
	ds_map_free(b->labels);
	ds_mem_free(b);
}

uint32_t balance_copies(const balance *b, uint64_t record)
{
	return record < b->n ? b->of[record] : 0;
}
