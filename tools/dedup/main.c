/*
 * dsdedup - drops exact and near duplicates
 */
#include "base/lock.h"
#include "base/mem.h"
#include "base/outs.h"
#include "base/progress.h"
#include "options.h"

typedef struct {
	plan plan;
	ds_minhash *perm;
	against *evil;
	applier applier;
	keeper *keeper;
	report *report;
} dedup;

static void *scratch_new(void *state)
{
	dedup *d = state;
	return signer_new(&d->plan, d->perm, d->evil);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	dedup *d = state;
	return apply_block(&d->applier, w, b, signer_result(ds_work_scratch(w)), e);
}

static ds_rc learn(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	dedup *d = state;
	return apply_learn(&d->applier, w, b, signer_result(ds_work_scratch(w)), e);
}

static void summary(void *state, ds_buf *out)
{
	const dedup *d = state;
	apply_summary(&d->applier, out);
}

static uint32_t first_of(void *seen, uint32_t number)
{
	return ds_seen_first(seen, number);
}

static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	dedup *d = state;
	if (d->report)
		report_finish(d->report, ds_seen_count(d->applier.seen));
	return DS_OK;
}

static void stats(void *state, ds_buf *out)
{
	const dedup *d = state;
	if (d->report)
		report_stats(d->report, out);
}

/* Reads all to find the near-duplicates; then texts need not be signed again. */
static ds_rc read_first(dedup *d, const ds_common *c, ds_err *e)
{
	const char *const reads[] = { keep_field(opt.keep), NULL };
	const ds_stage stage = {
		.name = "dedup",
		.state = d,
		.reads = reads,
		.scratch_new = scratch_new,
		.scratch_free = signer_free,
		.reads_field = DS_FIELD_NEEDED,
		.work = signer_work,
		.order = learn,
	};
	DS_TRY(keeper_new(&d->keeper, opt.keep, c, e));
	d->applier.keeper = d->keeper;
	DS_TRY(ds_run_ahead(c, &stage, e));
	keeper_choose(d->keeper, d->applier.seen);
	d->plan.seen.exact = d->plan.seen.near = false;
	return DS_OK;
}

static ds_rc run_all(dedup *d, const ds_common *c, uint64_t limit, ds_err *e)
{
	DS_TRY(read_plan(&d->plan, c, e));
	if (opt.against)
		DS_TRY(against_load(&d->evil, c, opt.against, &d->plan, e));
	d->perm = ds_minhash_new(d->plan.seen.n_perm, d->plan.seen.seed);
	d->applier =
		(applier){ .plan = &d->plan, .seen = ds_seen_new(&d->plan.seen), .limit = limit };
	/* Lookups take less than half of the time; more lanes than these would wait for memory. */
	ds_seen_jobs(d->applier.seen, c->jobs < 4 ? 1 : c->jobs < 16 ? (unsigned)c->jobs / 2 : 8);
	const ds_stage stage = {
		.name = "dedup",
		.state = d,
		.counters = apply_counters,
		.scratch_new = scratch_new,
		.scratch_free = signer_free,
		.reads_field = DS_FIELD_NEEDED,
		.work = signer_work,
		.order = order,
		.end = end,
		.summary = summary,
		.stats = stats,
	};
	/* Opened first: a place that cannot be written is better known before the work than after it. */
	DS_AUTO(ds_out) clusters = NULL;
	DS_AUTO(ds_out) index = NULL;
	DS_AUTO(ds_lock) lock = NULL;
	if (opt.clusters)
		DS_TRY(ds_out_open(&clusters, opt.clusters, e));
	if (opt.index) {
		DS_TRY(ds_lock_open(&lock, opt.index, e));
		DS_TRY(ds_out_open(&index, opt.index, e));
		DS_TRY(index_load(d->applier.seen, opt.index, e));
	}
	if (strcmp(opt.keep, "first") != 0)
		DS_TRY(read_first(d, c, e));
	if (wants_report(c))
		d->applier.report = d->report =
			report_new((report_of){ first_of, d->applier.seen, false },
				d->keeper ? 0 : ds_seen_count(d->applier.seen));
	DS_TRY(ds_run_stage(c, &stage, e));
	if (d->report && c->who.verbose)
		report_say(d->report, c);
	if (clusters) {
		DS_TRY_AT(ds_seen_write_clusters(d->applier.seen, clusters, e), e, "%s",
			opt.clusters);
		DS_TRY(ds_out_deliver(clusters, e));
	}
	if (!index)
		return DS_OK;
	DS_TRY(index_save(d->applier.seen, index, opt.index, e));
	return ds_outs_commit(e); /* now: the next run may take the lock at once */
}

ds_rc run_streaming(const ds_common *c, uint64_t limit, bool *over, ds_err *e)
{
	dedup d = { 0 };
	ds_rc rc = run_all(&d, c, limit, e);
	*over = rc != DS_OK && d.applier.over;
	ds_seen_free(d.applier.seen);
	against_free(d.evil);
	keeper_free(d.keeper);
	report_free(d.report);
	ds_minhash_free(d.perm);
	return rc;
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	bool over;
	return opt.limit.bytes ? run_limited(c, e) : run_streaming(c, UINT64_MAX, &over, e);
}

/* What decides which records are near-duplicates. */
#define ALIKE \
	DS_ARG(0, "preset", &opt.preset, PRESETS, \
		"shingles, bands and threshold as others have published them"), \
		DS_ARG(0, "method", &opt.method, "LIST", \
			"exact, minhash, simhash; default exact,minhash"), \
		DS_ARG(0, "threshold", &opt.threshold, "J", \
			"Jaccard from which texts are near, default 0.8"), \
		DS_ARG(0, "ngram", &opt.ngram, "N", "units in a shingle, default 5"), \
		DS_ARG(0, "unit", &opt.unit, UNITS, "what a unit is; auto: by script"), \
		DS_ARG(0, "perm", &opt.perm, "N", "permutations, default 256"), \
		DS_ARG(0, "bands", &opt.bands, "N", "bands, default: by the threshold"), \
		DS_ARG(0, "distance", &opt.distance, "N", \
			"bits that may differ with simhash, default 3"), \
		DS_ARG(0, "bits", &opt.bits, "64|128", "of a simhash, default 64"), \
		DS_ARG(0, "verify", &opt.verify, NULL, \
			"confirm by all shingles, not by 512 of them"), \
		DS_ARG(0, "keep-labels", &opt.keep_labels, NULL, \
			"records of different label are never near")

#define KEEP DS_ARG(0, "keep", &opt.keep, "WHICH", "first, longest or max:FIELD stays of a cluster")
#define AGAINST \
	DS_ARG_F(0, "against", &opt.against, "FILE", \
		"drop what shares 13 units in a row with FILE", DS_ARG_FILE), \
		DS_ARG(0, "against-field", &opt.against_field, "PATH", \
			"the field of FILE; default: as --field, or its only text"), \
		DS_ARG(0, "share", &opt.share, "S", \
			"with --against: drop what has this share of a text there")
#define CLUSTERS \
	DS_ARG_F(0, "clusters", &opt.clusters, "FILE", "write who is alike, as TSV", \
		DS_ARG_UNRECORDED | DS_ARG_OUT)
#define MARK DS_ARG(0, "mark", &opt.mark, NULL, "drop nothing, name the earlier record in dup_of")
#define MEMORY \
	DS_ARG_F(0, "memory", &opt.memory, "SIZE", "of the tables, default 1G", DS_ARG_UNRECORDED)

static const ds_arg args[] = {
	ALIKE,
	KEEP,
	MARK,
	DS_ARG(0, "tag", &opt.tag, NULL,
		"as --mark, and keep signatures and how alike in the record"),
	DS_ARG(0, "scope", &opt.scope, SCOPES,
		"compare and cut lines, paragraphs or three sentences in a row"),
	AGAINST,
	DS_ARG_F(0, "index", &opt.index, "FILE",
		"compare with earlier runs too, and remember this one",
		DS_ARG_FILE | DS_ARG_NEW | DS_ARG_OUT),
	CLUSTERS,
	DS_ARG_F(0, "memory", &opt.limit, "SIZE", "go on in a temporary folder beyond it",
		DS_ARG_UNRECORDED),
	{ 0 },
};
static const ds_arg sign_args[] = { ALIKE, KEEP, AGAINST, { 0 } };
static const ds_arg band_args[] = { MEMORY, { 0 } };
static const ds_arg cluster_args[] = { CLUSTERS,
	DS_ARG(0, "sizes", &opt.sizes, NULL, "remember how large clusters are, for --rehydrate"),
	MEMORY, { 0 } };
static const ds_arg filter_args[] = { MARK,
	DS_ARG(0, "rehydrate", &opt.rehydrate, "RULE",
		"copies by the size of a cluster: fineweb2 or SIZE:COPIES,..."),
	{ 0 } };

static const ds_arg exchange_args[] = {
	DS_ARG_F(0, "shard", &opt.shard, "N", "which shard the folder is of, from 0",
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "parts", &opt.parts, "N", "partitions, default 1", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "part", &opt.part, "N", "read only what goes to this partition or shard",
		DS_ARG_UNRECORDED),
	{ 0 },
};

static const ds_cmd cmds[] = {
	{ "sign", "[OPTION...] FILE... -o DIR", "staged run, 1: signatures, a file for each input",
		sign_args,
		DS_TAKES_INPUT | DS_TAKES_PATH | DS_TAKES_SEED | DS_TAKES_JOBS | DS_TAKES_NO_STDIN,
		run_sign },
	{ "band", "[OPTION...] DIR", "2: texts that share a band, sorted by its key", band_args,
		DS_TAKES_NO_STDIN | DS_TAKES_JOBS, run_band },
	{ "cluster", "[OPTION...] DIR", "3: which of them are alike", cluster_args,
		DS_TAKES_NO_STDIN | DS_TAKES_JOBS, run_cluster },
	{ "filter", "[OPTION...] DIR [FILE...] -o OUT", "4: the records that stay", filter_args,
		DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_JOBS, run_filter },
	{ "exchange", "STEP [OPTION...] [DIR] [FILE...]",
		"2 and 3 over many machines: a step of a shard or partition", exchange_args,
		DS_TAKES_PATH | DS_TAKES_NO_STDIN, run_exchange },
	{ 0 },
};

static const ds_tool tool = {
	.name = "dsdedup",
	.usage = "[sign|band|cluster|filter] [options] [FILE...]",
	.what = "drop exact and near duplicates",
	.args = args,
	.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS,
	.run = run,
	.cmds = cmds,
	.failed = ds_run_failed,
	.examples = {
		"dsclean pages/*.html | dsdedup | dstok > shard.dsr",
		"dsdedup --threshold 0.7 --clusters alike.tsv --mark docs.jsonl --to jsonl",
		"dsdedup --method exact --scope line --to text notes.txt",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
