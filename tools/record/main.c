/*
 * main.c - dsrec: the record stream's own tool
 */
#include "record.h"

#include "record/export.h"
#include "record/run.h"

#include <stdio.h>

record_options opt = { .lines = 10, .memory = { 256 << 20 }, .top = 20 };

static ds_rc run_import(const ds_common *c, ds_err *e)
{
	ds_common with = *c;
	with.in.exec = opt.exec;
	if (opt.exec && c->in.n_files)
		return ds_fail(e, DS_USAGE, "'--exec' and files exclude each other");
	return ds_run_stage(&with, &(ds_stage){ .name = "import" }, e);
}

static ds_rc run_cat(const ds_common *c, ds_err *e)
{
	return ds_run_stage(c, &(ds_stage){ .name = "cat" }, e);
}

/* The format is named, or known by the output's name. */
static ds_rc run_export(const ds_common *c, ds_err *e)
{
	ds_common with = *c;
	ds_sink_form form;
	DS_TRY(ds_sink_format(&form, opt.to, c->out.path, "jsonl", e));
	with.out.to = form.exporter ? form.exporter->name : "dsr";
	return ds_run_stage(&with, &(ds_stage){ .name = "export" }, e);
}

static const ds_arg import_args[] = {
	DS_ARG_F(0, "exec", &opt.exec, "CMD",
		"read what the shell command CMD prints, JSONL or a stream", DS_ARG_INPUT),
	{ 0 },
};
static char export_formats[256]; /* filled from the table of exporters */
static const ds_arg export_args[] = {
	DS_ARG_F(0, "to", &opt.to, export_formats, "format; by the name after -o, or jsonl",
		DS_ARG_UNRECORDED),
	{ 0 },
};
static const ds_arg view_args[] = {
	DS_ARG('n', "lines", &opt.lines, "N", "records to show, default 10; 0 is all"),
	DS_ARG(0, "full", &opt.full, NULL, "long values whole"),
	{ 0 },
};
static const ds_arg head_args[] = {
	DS_ARG('n', "lines", &opt.lines, "N", "records, default 10"),
	{ 0 },
};
static const ds_arg stat_args[] = {
	DS_ARG(0, "top", &opt.top, "N", "labels to list, the most frequent first, default 20"),
	{ 0 },
};
static const ds_arg shuf_args[] = {
	DS_ARG_F(0, "memory", &opt.memory, "SIZE",
		"beyond it, temporary files in $TMPDIR; default 256M", DS_ARG_UNRECORDED),
	{ 0 },
};
static const ds_arg split_args[] = {
	DS_ARG(0, "by", &opt.by, "A,B,...", "shares of the parts, such as 0.98,0.01,0.01"),
	{ 0 },
};

enum { IN = DS_TAKES_INPUT, COPIES = DS_TAKES_INPUT | DS_TAKES_OUTPUT };

static const ds_cmd cmds[] = {
	{ "import", NULL, "make a stream of any input", import_args, COPIES | DS_TAKES_JOBS,
		run_import },
	{ "export", NULL, "write another format", export_args, COPIES | DS_TAKES_JOBS, run_export },
	{ "view", NULL, "show records to a person", view_args, IN, run_view },
	{ "head", NULL, "the first records", head_args, COPIES, run_head },
	{ "cat", NULL, "join streams; -z compresses, --salvage repairs", NULL,
		COPIES | DS_TAKES_JOBS, run_cat },
	{ "select", "FIELD,... [OPTION...] [FILE...]", "these fields alone, in this order", NULL,
		COPIES | DS_TAKES_JOBS, run_select },
	{ "rename", "OLD=NEW,... [OPTION...] [FILE...]", "other names for fields", NULL,
		COPIES | DS_TAKES_JOBS, run_rename },
	{ "drop", "FIELD,... [OPTION...] [FILE...]", "without these fields", NULL,
		COPIES | DS_TAKES_JOBS, run_drop },
	{ "where", "EXPR [OPTION...] [FILE...]", "the records for which EXPR holds", NULL,
		COPIES | DS_TAKES_JOBS, run_where },
	{ "stat", NULL, "counts, types, lengths and labels", stat_args, IN | DS_TAKES_REPORT,
		run_stat },
	{ "check", NULL, "verify every byte", NULL, DS_TAKES_STREAM | DS_TAKES_JOBS, run_check },
	{ "log", NULL, "the funnel: what each stage dropped, and why", NULL,
		DS_TAKES_STREAM | DS_TAKES_REPORT | DS_TAKES_SALVAGE, run_log },
	{ "shuf", NULL, "random order by the seed, beyond memory", shuf_args,
		COPIES | DS_TAKES_SEED, run_shuf },
	{ "split", "[OPTION...] --by A,B -o FILE,FILE [FILE...]", "parts by a hash of the content",
		split_args, COPIES | DS_TAKES_SEED, run_split },
	{ "index", NULL, "list the blocks of a file", NULL, DS_TAKES_STREAM | DS_TAKES_REPORT,
		run_index },
	{ 0 },
};

static const ds_tool tool = {
	.name = "dsrec",
	.usage = "COMMAND [OPTION...] [FILE...]",
	.what = "the record stream's own tool: into it, out of it, and a look at it",
	.cmds = cmds,
	.failed = ds_run_failed,
	.examples = {
		"dsrec import reviews.jsonl -z -o reviews.dsr",
		"dsrec cat a.dsr b.dsr | dsclean | dsrec export --to jsonl",
		"dsrec split --by 0.98,0.01,0.01 text.dsr -o train.dsr,valid.dsr,test.dsr",
	},
};

int main(int argc, char **argv)
{
	size_t n = 0;
	for (size_t i = 0; ds_exporters[i]; i++)
		n += (size_t)snprintf(export_formats + n, sizeof(export_formats) - n, "%s|",
			ds_exporters[i]->name);
	snprintf(export_formats + n, sizeof(export_formats) - n, "dsr");
	return ds_main(&tool, argc, argv);
}
