/*
 * dsaug - more records out of few: words changed, or texts translated there and back
 */
#include "augment.h"
#include "base/io.h"
#include "base/mem.h"

#include <unistd.h>

#define WORDNET "/usr/share/wordnet"

static struct {
	double synonym, insert, swap, delete;
	int copies;
	bool keep, balance;
	const char *balance_to, *stopwords, *wordnet;
	ds_strs synonyms;
} opt;

typedef struct {
	eda_plan eda;
	balance *balance;
} augmenter;

typedef struct { /* of one thread */
	eda *eda;
	ds_rc rc;
	ds_err err;
	made_blocks made;
} worker;

static void *scratch_new(void *state)
{
	augmenter *a = state;
	worker *k = DS_NEW(worker, 1);
	k->rc = eda_new(&k->eda, &a->eda, &k->err);
	return k;
}

static void scratch_free(void *scratch)
{
	worker *k = scratch;
	eda_free(k->eda);
	ds_mem_free(k);
}

/* The copies that a record is to have. */
static uint32_t wanted(const augmenter *a, const ds_block *b, uint32_t row)
{
	return a->balance ? balance_copies(a->balance, ds_block_record(b, row))
			  : (uint32_t)opt.copies;
}

static ds_rc change_row(worker *k, ds_work *w, ds_block *b, const variant *of, uint32_t copies,
	variants *v, ds_err *e)
{
	const ds_col *ids;
	ds_str id = { "", 0 };
	bool has;
	DS_TRY(ds_block_get(b, "id", &ids, e));
	DS_TRY(rows_value(b, ids, of->row, &id, &has, e));
	eda_start(k->eda, of->text, has ? id : (ds_str){ "", 0 });
	for (uint32_t n = 1, i = 0; i < copies; i++) {
		variant one = { .row = of->row, .copy = n };
		bool made;
		DS_TRY(eda_copy(k->eda, ds_work_mem(w), &one.text, &one.how, &made, e));
		n += made;
		if (made)
			variants_add(v, ds_work_mem(w), one);
		ds_work_count(w, made ? COUNT_COPIES : COUNT_LEFT_OUT, 1);
	}
	return DS_OK;
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	augmenter *a = state;
	worker *k = ds_work_scratch(w);
	variants v = { 0 };
	const ds_col *col;
	if (k->rc != DS_OK) {
		*e = k->err;
		return k->rc;
	}
	DS_TRY(ds_block_get(b, ds_work_common(w)->field, &col, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		variant of = { .row = row };
		bool has = false;
		ds_rc rc = col ? ds_block_text(b, col, row, &of.text, &has, e) : DS_OK;
		if (rc == DS_BAD) {
			ds_err why = *e;
			DS_TRY(ds_work_bad(w, b, row, e, "%s", why.msg));
			continue;
		}
		DS_TRY(rc);
		if (opt.keep)
			variants_add(&v, ds_work_mem(w), of);
		if (has)
			DS_TRY(change_row(k, w, b, &of, wanted(a, b, row), &v, e));
	}
	return rows_make(&k->made, w, b, &v, e);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	worker *k = ds_work_scratch(w);
	ds_work_swallow(w);
	for (size_t i = 0; i < k->made.n; i++)
		ds_work_emit(w, k->made.at[i], NULL);
	return DS_OK;
}

static ds_rc check_options(ds_err *e)
{
	const struct {
		const char *name;
		double p;
	} parts[] = { { "synonym", opt.synonym }, { "insert", opt.insert }, { "swap", opt.swap },
		{ "delete", opt.delete } };
	double sum = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (!(parts[i].p >= 0 && parts[i].p <= 1))
			return ds_fail(
				e, DS_USAGE, "--%s %g: it is 0 to 1", parts[i].name, parts[i].p);
		sum += parts[i].p;
	}
	if (sum == 0)
		return ds_fail(
			e, DS_USAGE, "nothing to do: name --synonym, --insert, --swap or --delete");
	if (opt.copies < 0 || opt.copies > 10000)
		return ds_fail(e, DS_USAGE, "-n %d: it is 1 to 10000", opt.copies);
	return DS_OK;
}

static ds_rc open_synonyms(ds_synonyms **out, ds_err *e)
{
	if (!opt.synonyms.n)
		return DS_OK;
	*out = ds_synonyms_new();
	for (size_t i = 0; i < opt.synonyms.n; i++) {
		ds_buf bytes = { 0 };
		ds_rc rc = ds_file_read(opt.synonyms.at[i], (size_t)1 << 30, &bytes, e);
		if (rc == DS_OK)
			rc = ds_synonyms_add(*out, ds_buf_view(&bytes), e);
		else
			rc = ds_at(e, rc, "--synonyms");
		if (rc == DS_USAGE)
			rc = ds_at(e, rc, "%s", opt.synonyms.at[i]);
		ds_buf_free(&bytes);
		DS_TRY(rc);
	}
	return DS_OK;
}

/* WordNet is looked for where it was said to be; otherwise only a run without any list needs it. */
static ds_rc open_wordnet(ds_wordnet **out, ds_err *e)
{
	bool said = opt.wordnet != NULL;
	const char *folder = said ? opt.wordnet : WORDNET;
	if ((!opt.synonym && !opt.insert) || (said && strcmp(folder, "none") == 0))
		return DS_OK;
	if (said)
		DS_TRY_AT(ds_wordnet_open(out, folder, e), e, "--wordnet");
	else if (access(WORDNET "/index.noun", F_OK) == 0)
		DS_TRY(ds_wordnet_open(out, folder, e));
	else if (!opt.synonyms.n)
		return ds_fail(e, DS_IO,
			"there is no WordNet in " WORDNET " (Debian's wordnet-base): say --wordnet "
			"DIR, --synonyms FILE or --wordnet none");
	return DS_OK;
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_synonyms) lists = NULL;
	DS_AUTO(ds_wordnet) wordnet = NULL;
	DS_AUTO(stopwords) stop = NULL;
	DS_AUTO(balance) shares = NULL;
	DS_TRY(check_options(e));
	DS_TRY(open_synonyms(&lists, e));
	DS_TRY(open_wordnet(&wordnet, e));
	DS_TRY(stopwords_open(&stop, opt.stopwords, e));
	if (opt.balance) {
		uint32_t most = opt.copies ? (uint32_t)opt.copies : UINT32_MAX;
		DS_TRY(balance_read(&shares, c, opt.balance_to, most, e));
		opt.keep = true;
	}
	opt.copies += !opt.copies;
	augmenter a = { .eda = { opt.synonym, opt.insert, opt.swap, opt.delete, lists, wordnet,
				stop, c->seed },
		.balance = shares };
	const ds_stage stage = { .name = "aug",
		.state = &a,
		.counters = augment_counters,
		.scratch_new = scratch_new,
		.scratch_free = scratch_free,
		.work = work,
		.order = order };
	return ds_pipe_run(c, &stage, e);
}

static ds_rc note_balance(void *context, const char *name, const char *value, ds_err *e)
{
	opt.balance = true;
	opt.balance_to = value;
	return DS_OK;
}

static ds_call balance_call = { note_balance, NULL };

static const ds_arg args[] = {
	DS_ARG(0, "synonym", &opt.synonym, "P", "a synonym for P of the words, 0.1 say"),
	DS_ARG(0, "insert", &opt.insert, "P", "insert synonyms of words, P of their number"),
	DS_ARG(0, "swap", &opt.swap, "P", "swap words, P of their number in pairs"),
	DS_ARG(0, "delete", &opt.delete, "P", "delete each word with probability P"),
	DS_ARG('n', "copies", &opt.copies, "N", "copies of each record, 1 unless said"),
	DS_ARG(0, "keep-original", &opt.keep, NULL, "write each record before its copies"),
	DS_ARG_F(0, "label-balance", &balance_call, "TARGET",
		"copies only of rare labels, up to TARGET or the commonest", DS_ARG_OPTIONAL),
	DS_ARG_F(0, "synonyms", &opt.synonyms, "FILE",
		"synonyms by Cilin's format or TSV, repeatable", DS_ARG_FILE),
	DS_ARG_F(0, "wordnet", &opt.wordnet, "DIR|none", "WordNet's files, in " WORDNET,
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "stopwords", &opt.stopwords, "FILE|none",
		"words without synonyms, one a line, for the built-in ones", DS_ARG_FILE),
	{ 0 },
};

static const ds_tool tool = {
	.name = "dsaug",
	.usage = "[options] [FILE...]",
	.what = "make more records: words changed, or texts translated there and back",
	.args = args,
	.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS | DS_TAKES_SALVAGE,
	.run = run,
	.examples = {
		"dsaug --synonym 0.1 --insert 0.1 --swap 0.1 --delete 0.1 -n 4 train.dsr",
		"dsaug --synonym 0.2 --synonyms cilin.txt --keep-original zh.jsonl --to jsonl",
		"dsaug --synonym 0.1 --swap 0.1 --label-balance reviews.jsonl --to jsonl",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
