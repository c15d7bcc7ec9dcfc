/*
 * args_common.c - the options that all programs share
 */
#include "base/args_impl.h"

ds_shared ds_args_shared;

ds_rc ds_args_level(void *context, const char *name, const char *value, ds_err *e)
{
	int64_t level = 3;
	if (value && (!ds_str_i64(ds_str_of(value), &level) || level < 1 || level > 22))
		return ds_fail(e, DS_USAGE, "'-z%s': a level is 1 to 22", value);
	ds_args_shared.common.out.level = (int)level;
	return DS_OK;
}

#define V ds_args_shared.common
const ds_shared_arg ds_args_common[] = {
	{ DS_TAKES_OUTPUT | DS_TAKES_REPORT | DS_TAKES_PATH,
		DS_ARG_F('o', "out", &V.out.path, "FILE", "write FILE, not stdout",
			DS_ARG_UNRECORDED | DS_ARG_OUT) },
	{ DS_TAKES_OUTPUT, DS_ARG_F(0, "to", &V.out.to, "dsr|jsonl|text|tsv|csv",
				   "format of the output; by the name after -o, else dsr",
				   DS_ARG_UNRECORDED) },
	{ DS_TAKES_REPORT, DS_ARG_F(0, "to", &V.out.to, "table|tsv|json", "form of the report",
				   DS_ARG_UNRECORDED) },
	{ DS_TAKES_REPORT,
		DS_ARG_F(0, "json", &V.json, NULL, "the same as --to json", DS_ARG_UNRECORDED) },
	{ DS_TAKES_OUTPUT, { 'z', "zstd", &ds_args_shared.level, DS_KIND_CALL, "LEVEL",
				   "compress with zstd, default level 3",
				   DS_ARG_OPTIONAL | DS_ARG_UNRECORDED } },
	{ DS_TAKES_OUTPUT, DS_ARG_F(0, "shard-size", &V.shard_size, "SIZE",
				   "several files, as of -o 'out-%05d.dsr', each full at SIZE",
				   DS_ARG_UNRECORDED) },
	{ DS_TAKES_INPUT, DS_ARG(0, "from", &V.in.from, "FORMAT",
				  "format of the input, default: recognised") },
	{ DS_TAKES_INPUT, DS_ARG(0, "field", &V.in.field.paths, "PATH",
				  "the field to work on, default text; a.b, a[].b lie within") },
	{ DS_TAKES_INPUT, DS_ARG(0, "split", &V.in.split, "line|para|file",
				  "what a record of text is; cuts records too") },
	{ DS_TAKES_INPUT,
		DS_ARG(0, "encoding", &V.in.encoding, "NAME",
			"charset of text, tables and JSON; default: as marked, else UTF-8") },
	{ DS_TAKES_INPUT,
		DS_ARG(0, "columns", &V.in.columns, "A,B",
			"names of CSV and TSV columns; those of Parquet and Arrow to read") },
	{ DS_TAKES_INPUT,
		DS_ARG(0, "tsv-escapes", &V.in.tsv_escapes, NULL, "undo \\t \\n \\r \\\\ in TSV") },
	{ DS_TAKES_INPUT,
		DS_ARG_F(0, "media", &V.in.media, "text|all",
			"WARC: all keeps other bodies too, as bytes in body", DS_ARG_HIDDEN) },
	{ DS_TAKES_INPUT, DS_ARG_F(0, "status", &V.in.status, "200,3xx",
				  "WARC: only responses with such a status", DS_ARG_HIDDEN) },
	{ DS_TAKES_INPUT, DS_ARG(0, "on-error", &ds_args_shared.on_error, "stop|skip|reject=FILE",
				  "what to do with a bad record") },
	{ DS_TAKES_INPUT, DS_ARG(0, "max-record", &ds_args_shared.max_record, "SIZE",
				  "refuse larger records, default 1G") },
	{ DS_TAKES_INPUT | DS_TAKES_SALVAGE, DS_ARG(0, "salvage", &V.in.salvage, NULL,
						     "go on after damage; exit 3 all the same") },
	{ DS_TAKES_SEED, DS_ARG(0, "seed", &V.seed, "N", "seed of all that is random, default 0") },
	{ DS_TAKES_JOBS, DS_ARG_F('j', "jobs", &V.jobs, "N", "threads, default: all cores",
				 DS_ARG_UNRECORDED) },
	{ DS_TAKES_OUTPUT | DS_TAKES_STATS,
		DS_ARG_F(0, "stats", &V.stats_path, "FILE", "write the summary to FILE as JSON",
			DS_ARG_UNRECORDED | DS_ARG_OUT) },
	{ 0, DS_ARG_F('q', "quiet", &V.who.quiet, NULL, "no summary and no warnings",
		     DS_ARG_UNRECORDED) },
	{ 0, DS_ARG_F('v', "verbose", &V.who.verbose, NULL,
		     "say more, and show progress within a pipeline", DS_ARG_UNRECORDED) },
	{ 0, DS_ARG_F('h', "help", &ds_args_shared.help, NULL, "this help", DS_ARG_UNRECORDED) },
	{ 0, DS_ARG_F(0, "version", &ds_args_shared.version, NULL, "name and version",
		     DS_ARG_UNRECORDED) },
	{ 0, { 0 } },
};
