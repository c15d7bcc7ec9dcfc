/*
 * log.c - the provenance chain as a funnel: what each stage was given, let through and dropped, and why
 */
#include "record.h"

#include "base/mem.h"
#include "record/chain.h"
#include "json/json.h"

#include <stdio.h>

enum { BAR_WIDTH = 24, STAGE_WIDTH = 34 };

static uint64_t most_records(const ds_chain *c)
{
	uint64_t most = 0;
	for (size_t i = 0; i < c->n; i++) {
		const ds_stage_entry *s = &c->stages[i];
		if (s->records_in > most)
			most = s->records_in;
		if (s->records_out > most)
			most = s->records_out;
		for (size_t k = 0; k < s->n_branches; k++) {
			uint64_t inner = most_records(s->branches[k]);
			most = inner > most ? inner : most;
		}
	}
	return most;
}

static void add_reasons(ds_buf *out, const ds_stage_entry *s)
{
	uint64_t lost = s->records_in > s->records_out ? s->records_in - s->records_out : 0;
	if (lost)
		ds_buf_fmt(out, "  -%.1f%%", 100 * (double)lost / (double)s->records_in);
	const char *before = "  ";
	for (size_t i = 0; i < s->n_counts; i++) {
		if (s->counts[i].n == 0)
			continue;
		ds_buf_add_c(out, before);
		add_visible(out, s->counts[i].name, true);
		ds_buf_add_byte(out, ' ');
		add_grouped(out, s->counts[i].n);
		before = ", ";
	}
}

/* A stage's line: program first, what was asked, how many came through, and a bar of them. */
static void add_stage(ds_buf *out, const ds_stage_entry *s, unsigned depth, uint64_t most)
{
	ds_buf what = { 0 }, number = { 0 };
	for (unsigned i = 0; i < depth; i++)
		ds_buf_add_c(out, "  ");
	add_visible(&what, s->program, true);
	if (s->args.n) {
		ds_buf_add_byte(&what, ' ');
		add_visible(&what, s->args, true);
	}
	add_padded(out, ds_buf_view(&what), STAGE_WIDTH - 2 * depth);
	if (s->has_counts)
		add_grouped(&number, s->records_out);
	else
		ds_buf_add_c(&number, "?");
	ds_buf_fmt(out, " %13.*s ", (int)number.n, number.at);
	if (s->has_counts) {
		size_t start = out->n;
		add_bar(out, (double)s->records_out, (double)most, BAR_WIDTH);
		/* What this stage took away, in a lighter shade behind what it left. */
		unsigned left =
			(unsigned)((double)s->records_out / (double)(most ? most : 1) * BAR_WIDTH +
				   0.5);
		unsigned came =
			(unsigned)((double)s->records_in / (double)(most ? most : 1) * BAR_WIDTH +
				   0.5);
		for (unsigned i = left; i < came; i++)
			ds_buf_add_c(out, "░");
		if (out->n > start)
			add_reasons(out, s);
	}
	ds_buf_add_byte(out, '\n');
	ds_buf_free(&what);
	ds_buf_free(&number);
}

static void add_funnel(ds_buf *out, const ds_chain *c, unsigned depth, uint64_t most)
{
	for (size_t i = 0; i < c->n; i++) {
		const ds_stage_entry *s = &c->stages[i];
		for (size_t k = 0; k < s->n_branches; k++)
			add_funnel(out, s->branches[k], depth + 1, most);
		add_stage(out, s, depth < 8 ? depth : 8, most);
	}
}

static void add_tsv(ds_buf *out, const ds_chain *c, unsigned depth)
{
	for (size_t i = 0; i < c->n; i++) {
		const ds_stage_entry *s = &c->stages[i];
		for (size_t k = 0; k < s->n_branches; k++)
			add_tsv(out, s->branches[k], depth + 1);
		add_visible(out, s->program, true);
		ds_buf_add_byte(out, '\t');
		add_visible(out, s->version, true);
		ds_buf_add_byte(out, '\t');
		add_visible(out, s->args, true);
		ds_buf_fmt(out, "\t%u\t%llu\t%llu\t%llu\t%llu\t", depth,
			(unsigned long long)s->records_in, (unsigned long long)s->records_out,
			(unsigned long long)s->bytes_in, (unsigned long long)s->bytes_out);
		for (size_t k = 0; k < s->n_counts; k++) {
			ds_buf_add_c(out, k ? "," : "");
			add_visible(out, s->counts[k].name, true);
			ds_buf_fmt(out, "=%llu", (unsigned long long)s->counts[k].n);
		}
		ds_buf_add_byte(out, '\n');
	}
}

/* Read to the end, so that the chain is the trailer's, which has all counts. */
static ds_rc read_chain(ds_chain **chain, ds_reader *r, ds_arena *mem, ds_err *e)
{
	ds_block *b;
	do {
		ds_arena_reset(mem);
		DS_TRY(ds_reader_next(r, mem, &b, e));
		if (b)
			DS_TRY(ds_block_check(b, e));
	} while (b);
	*chain = ds_reader_chain(r);
	return DS_OK;
}

static ds_rc add_file(const ds_common *c, const char *path, ds_buf *out, bool *damaged, ds_err *e)
{
	DS_AUTO(ds_reader) r = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(64 << 10);
	ds_chain *chain;
	const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
	DS_TRY(open_stream(&r, path, e));
	ds_reader_salvage(r, c->in.salvage);
	DS_TRY(read_chain(&chain, r, mem, e));
	ds_reader_stats s = ds_reader_get_stats(r);
	*damaged |= s.damaged;
	switch (report_form(c)) {
	case 'j':
		ds_chain_print(out, chain);
		ds_buf_add_byte(out, '\n');
		break;
	case 's':
		add_tsv(out, chain, 0);
		break;
	default:
		if (c->in.n_files > 1)
			ds_buf_fmt(out, "%s\n", name);
		add_funnel(out, chain, 0, most_records(chain));
		if (chain->n == 0)
			ds_buf_add_c(out, "no stage is recorded\n");
	}
	return DS_OK;
}

ds_rc run_log(const ds_common *c, ds_err *e)
{
	ds_buf out = { 0 };
	ds_rc rc = DS_OK;
	bool damaged = false;
	if (report_form(c) == 's')
		ds_buf_add_c(&out,
			"program\tversion\targuments\tdepth\trecords_in\trecords_out\tbytes_in\t"
			"bytes_out\tcounts\n");
	for (size_t i = 0; i < c->in.n_files && rc == DS_OK; i++)
		rc = add_file(c, c->in.files[i], &out, &damaged, e);
	if (rc == DS_OK)
		rc = write_report(c, &out, e);
	if (rc == DS_OK && damaged)
		rc = ds_fail(e, DS_SHORT, "the input is damaged; what is shown was salvaged");
	ds_buf_free(&out);
	return rc;
}
