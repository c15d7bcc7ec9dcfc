/*
 * pipe_report.c - what a run says about itself: chain, --stats, the summary line
 */
#include "record/pipe_impl.h"

#include "base/io.h"
#include "record/export.h"
#include "record/import.h"
#include "json/json.h"

typedef struct {
	const char *name;
	uint64_t n;
} tally;

enum { OWN_TALLIES = 7, READ_TALLIES = 8, TALLIES = OWN_TALLIES + DS_PASSED_KINDS + READ_TALLIES };

/* What the pipe itself counts beside the stage's counters. */
static unsigned tallies(const ds_pipe *p, tally out[TALLIES])
{
	ds_reader_stats lost = ds_source_damage(p->source);
	uint64_t replaced = p->sink && !p->shards ? ds_sink_replaced(p->sink) : 0;
	for (size_t i = 0; p->shards && i < p->shards->n; i++)
		replaced += ds_sink_replaced(p->shards->at[i]->sink);
	tally all[OWN_TALLIES] = {
		{ "in other shards", p->elsewhere },
		{ "bad", p->counts[p->n_counters] },
		{ "lone surrogates", ds_source_lone_surrogates(p->source) },
		{ "invalid bytes replaced", replaced },
		{ "blocks lost", lost.bad_blocks },
		{ "bytes lost", lost.lost_bytes },
		{ "inputs cut short", ds_source_cut_short(p->source) },
	};
	unsigned n = 0;
	for (unsigned i = 0; i < OWN_TALLIES; i++)
		if (all[i].n)
			out[n++] = all[i];
	for (ds_passed kind = 0; kind < DS_PASSED_KINDS; kind++) {
		tally t;
		t.n = ds_source_passed(p->source, kind, &t.name);
		if (t.n)
			out[n++] = t;
	}
	for (size_t i = 0; i < p->n_reads && i < READ_TALLIES; i++)
		if (p->read.at[i].n_without)
			out[n++] = (tally){
				ds_arena_fmt(p->mem, "without %.100s", ds_reads_name(p, i)).at,
				p->read.at[i].n_without
			};
	return n;
}

static void add_counts(ds_pipe *p, ds_stage_entry *s)
{
	tally own[TALLIES];
	unsigned n = tallies(p, own);
	s->has_counts = true;
	s->records_in = p->records_in;
	s->records_out = p->records_out;
	s->bytes_in = p->bytes_in;
	s->bytes_out = p->bytes_out;
	s->counts = ds_arena_get(p->mem, (p->n_counters + n) * sizeof(*s->counts));
	for (size_t i = 0; i < p->n_counters; i++)
		s->counts[s->n_counts++] = (ds_count){ ds_str_of(p->s->counters[i]), p->counts[i] };
	for (unsigned i = 0; i < n; i++)
		s->counts[s->n_counts++] = (ds_count){ ds_str_of(own[i].name), own[i].n };
}

ds_chain *ds_report_chain(ds_pipe *p, bool with_counts)
{
	ds_chain *chain = ds_source_chain(p->source);
	ds_stage_entry *s = ds_chain_push(
		p->mem, chain, ds_str_of(p->o->who->program), DS_S(DS_VERSION), p->o->args);
	if (with_counts)
		add_counts(p, s);
	return chain;
}

ds_rc ds_report_stats(ds_pipe *p, ds_err *e)
{
	if (!p->o->stats_path)
		return DS_OK;
	ds_stage_entry s = { 0 };
	ds_buf out = { 0 };
	double seconds = ds_progress_seconds(p->progress);
	add_counts(p, &s);
	ds_buf_add_c(&out, "{\"program\":");
	ds_json_add_str(&out, ds_str_of(p->o->who->program));
	ds_buf_add_c(&out, ",\"args\":");
	ds_json_add_str(&out, p->o->args);
	ds_buf_fmt(&out,
		",\"records_in\":%llu,\"records_out\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu"
		",\"seconds\":%.3f,\"counts\":{",
		(unsigned long long)s.records_in, (unsigned long long)s.records_out,
		(unsigned long long)s.bytes_in, (unsigned long long)s.bytes_out, seconds);
	for (size_t i = 0; i < s.n_counts; i++) {
		if (i)
			ds_buf_add_byte(&out, ',');
		ds_json_add_str(&out, s.counts[i].name);
		ds_buf_fmt(&out, ":%llu", (unsigned long long)s.counts[i].n);
	}
	ds_buf_add_byte(&out, '}');
	if (p->s->stats)
		p->s->stats(p->s->state, &out);
	ds_buf_add_c(&out, "}\n");
	ds_rc rc = ds_file_deliver(p->o->stats_path, ds_buf_view(&out), e);
	ds_buf_free(&out);
	return rc;
}

/* 12345 as 12,345 */
static void add_number(ds_buf *out, uint64_t n)
{
	char digits[24];
	int len = 0;
	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len-- > 0) {
		ds_buf_add_byte(out, digits[len]);
		if (len && len % 3 == 0)
			ds_buf_add_byte(out, ',');
	}
}

static void add_tally(ds_buf *out, unsigned *shown, const char *name, uint64_t n)
{
	if (n == 0)
		return;
	ds_buf_add_c(out, (*shown)++ ? ", " : " (");
	add_number(out, n);
	ds_buf_fmt(out, " %s", name);
}

/* An option that changed nothing: the rows were not named by it, in or out. */
static void warn_columns(const ds_pipe *p)
{
	ds_sink_form form;
	ds_err unused;
	const ds_output_opts *o = p->o->out;
	if (!p->o->in->columns || !o || ds_source_saw(p->source, "csv") ||
		ds_source_saw(p->source, "tsv") ||
		ds_sink_format(&form, o->to, o->path, NULL, &unused) != DS_OK)
		return;
	const char *to = form.exporter ? form.exporter->name : "dsr";
	if (strcmp(to, "csv") != 0 && strcmp(to, "tsv") != 0)
		ds_warn(p->o->who,
			"--columns has no effect: neither input nor output is CSV or TSV");
}

void ds_report_summary(ds_pipe *p)
{
	ds_buf out = { 0 };
	tally own[TALLIES];
	unsigned n = tallies(p, own), shown = 0;
	double seconds = ds_progress_seconds(p->progress);
	char rate[16];
	warn_columns(p);
	add_number(&out, p->records_in);
	ds_buf_fmt(&out, " record%s in, ", ds_s(p->records_in));
	add_number(&out, p->records_out);
	ds_buf_add_c(&out, " out");
	for (size_t i = 0; i < p->n_counters; i++)
		add_tally(&out, &shown, p->s->counters[i], p->counts[i]);
	for (unsigned i = 0; i < n; i++)
		add_tally(&out, &shown, own[i].name, own[i].n);
	if (shown)
		ds_buf_add_byte(&out, ')');
	if (p->bytes_in && seconds > 0)
		ds_buf_fmt(&out, ", %s/s", ds_human_bytes(rate, (double)p->bytes_in / seconds));
	if (p->s->summary) {
		size_t before = out.n;
		ds_buf_add_c(&out, "; ");
		p->s->summary(p->s->state, &out);
		if (out.n == before + 2)
			out.n = before;
	}
	ds_say(p->o->who, "%s", ds_buf_text(&out));
	ds_buf_free(&out);
}
