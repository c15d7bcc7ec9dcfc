/*
 * dsaug - more records out of few: words changed, or texts translated there and back
 */
#include "augment.h"
#include "back.h"
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
	bool backtranslate;
	translate_plan way;
	back_filter filter;
} opt = { .way = { .batch = 500, .timeout_s = 300 }, .filter = { 30, 95, 2, false } };

typedef struct {
	eda_plan eda;
	translator *translator; /* NULL: EDA */
	balance *balance;
} augmenter;

typedef struct { /* of one thread */
	eda *eda;
	back *back;
	ds_rc rc;
	ds_err err;
	made_blocks made;
} worker;

static void *scratch_new(void *state)
{
	augmenter *a = state;
	worker *k = DS_NEW(worker, 1);
	k->rc = a->translator ? back_new(&k->back, a->translator, &opt.filter, &k->err)
			      : eda_new(&k->eda, &a->eda, &k->err);
	return k;
}

static void scratch_free(void *scratch)
{
	worker *k = scratch;
	eda_free(k->eda);
	back_free(k->back);
	ds_mem_free(k);
}

typedef struct { /* a record on its way */
	uint32_t row, copies;
	ds_text_part *parts;
	size_t n;
	size_t number; /* of its first text, with the translator */
} trip;

static void add_how(ds_arena *mem, ds_str *how, ds_str more)
{
	*how = how->n ? ds_arena_cat(mem, (ds_str[]){ *how, DS_S("; "), more }, 3) : more;
}

/* A copy has a change in one text at least; each text has its own changes. */
static ds_rc change_row(worker *k, ds_work *w, ds_block *b, const trip *t, variants *v, ds_err *e)
{
	const ds_col *ids;
	ds_arena *mem = ds_work_mem(w);
	ds_str id = { "", 0 };
	bool has;
	ds_str *texts = ds_arena_zero(mem, (size_t)t->copies * t->n * sizeof(*texts));
	ds_str *how = ds_arena_zero(mem, t->copies * sizeof(*how));
	DS_TRY(ds_block_get(b, "id", &ids, e));
	DS_TRY(rows_value(b, ids, t->row, &id, &has, e));
	for (size_t p = 0; p < t->n; p++) {
		size_t made = 0;
		eda_start(k->eda, t->parts[p].text, has ? id : (ds_str){ "", 0 });
		for (uint32_t i = 0; i < t->copies; i++) {
			ds_str done;
			bool new;
			DS_TRY(eda_copy(k->eda, mem, &texts[made * t->n + p], &done, &new, e));
			if (new)
				add_how(mem, &how[made++], done);
		}
		if (made < t->copies)
			texts[made * t->n + p] = (ds_str){ NULL, 0 };
	}
	for (uint32_t i = 0; i < t->copies; i++) {
		if (how[i].n)
			variants_add(
				v, mem, (variant){ t->row, i + 1, &texts[i * t->n], t->n, how[i] });
		ds_work_count(w, how[i].n ? COUNT_COPIES : COUNT_LEFT_OUT, 1);
	}
	return DS_OK;
}

/* What came back of a record's texts; where one did, that is a copy. */
static void add_translated(worker *k, ds_work *w, const trip *t, variants *v)
{
	ds_str *texts = ds_arena_zero(ds_work_mem(w), t->n * sizeof(*texts));
	int first = 0;
	bool any = false;
	for (size_t p = 0; p < t->n; p++) {
		int why;
		ds_str text;
		back_get(k->back, t->number + p, &text, &why);
		any |= why < 0;
		if (why < 0)
			texts[p] = text;
		else if (!first)
			first = why;
	}
	ds_work_count(w, any ? COUNT_COPIES : (unsigned)first, 1);
	if (any)
		variants_add(v, ds_work_mem(w),
			(variant){ t->row, 1, texts, t->n, DS_S("backtranslate") });
}

/* Texts go to the translator together, and come back as variants in the order of their records. */
static ds_rc translate_all(
	worker *k, ds_work *w, const trip *trips, size_t n, variants *v, ds_err *e)
{
	DS_TRY(back_run(k->back, e));
	for (size_t i = 0; i < n; i++) {
		if (opt.keep)
			variants_add(v, ds_work_mem(w), (variant){ .row = trips[i].row });
		if (trips[i].copies && trips[i].n)
			add_translated(k, w, &trips[i], v);
	}
	return DS_OK;
}

/* A record's texts; *bad: one could not be read, and that has been dealt with. */
static ds_rc texts_of(ds_work *w, ds_texts *texts, trip *t, bool *bad, ds_err *e)
{
	ds_rc rc = ds_texts_parts(texts, t->row, &t->parts, &t->n, e);
	*bad = rc == DS_BAD;
	if (rc != DS_BAD)
		return rc;
	ds_err why = *e;
	return ds_work_bad(w, texts->b, t->row, e, "%s", why.msg);
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	augmenter *a = state;
	worker *k = ds_work_scratch(w);
	ds_texts texts;
	variants v = { 0 };
	trip *trips = ds_arena_get(ds_work_mem(w), (b->n_rows + 1) * sizeof(*trips));
	size_t n_trips = 0;
	if (k->rc != DS_OK) {
		*e = k->err;
		return k->rc;
	}
	const uint32_t *shares = NULL;
	if (a->balance)
		DS_TRY(balance_copies(a->balance, b, ds_work_mem(w), &shares, e));
	if (k->back)
		back_start(k->back, ds_work_mem(w));
	DS_TRY(ds_work_texts(w, &texts, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		trip *t = &trips[n_trips];
		bool bad;
		*t = (trip){ .row = row };
		DS_TRY(texts_of(w, &texts, t, &bad, e));
		if (bad)
			continue;
		t->copies = !t->n ? 0 : shares ? shares[row] : (uint32_t)opt.copies;
		if (k->back) {
			n_trips++;
			for (size_t p = 0; t->copies && p < t->n; p++) {
				size_t number = back_add(k->back, t->parts[p].text);
				t->number = p ? t->number : number;
			}
			continue;
		}
		if (opt.keep)
			variants_add(&v, ds_work_mem(w), (variant){ .row = row });
		if (t->copies)
			DS_TRY(change_row(k, w, b, t, &v, e));
	}
	if (k->back)
		DS_TRY(translate_all(k, w, trips, n_trips, &v, e));
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

static ds_rc check_translation(const ds_common *c, ds_err *e)
{
	translate_plan *w = &opt.way;
	if (!w->there || !w->back)
		return ds_fail(e, DS_USAGE, "--backtranslate needs --translator and --back");
	if (opt.synonym || opt.insert || opt.swap || opt.delete)
		return ds_fail(e, DS_USAGE,
			"--backtranslate goes alone: pass its output through dsaug again for the "
			"rest");
	if (opt.copies > 1)
		return ds_fail(e, DS_USAGE, "-n %d: a translator has one answer", opt.copies);
	if (w->batch < 1 || w->timeout_s < 1 || w->workers < 0 || w->workers > 1024)
		return ds_fail(e, DS_USAGE, "--batch, --timeout and --workers are 1 and more");
	if (!(opt.filter.ratio >= 1))
		return ds_fail(e, DS_USAGE, "--max-ratio %g: it is 1 or more", opt.filter.ratio);
	w->workers = w->workers ? w->workers : c->jobs;
	return DS_OK;
}

static ds_rc check_options(const ds_common *c, ds_err *e)
{
	if (opt.backtranslate)
		return check_translation(c, e);
	if (opt.way.there || opt.way.back)
		return ds_fail(e, DS_USAGE, "--translator and --back go with --backtranslate");
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
		return ds_fail(e, DS_USAGE,
			"nothing to do: name --synonym, --insert, --swap, --delete or "
			"--backtranslate");
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
	DS_AUTO(translator) way = NULL;
	DS_TRY(check_options(c, e));
	DS_TRY(open_synonyms(&lists, e));
	DS_TRY(open_wordnet(&wordnet, e));
	DS_TRY(stopwords_open(&stop, opt.stopwords, e));
	if (opt.balance) {
		uint32_t most = opt.copies ? (uint32_t)opt.copies : UINT32_MAX;
		DS_TRY(balance_read(&shares, c, opt.balance_to, most, e));
		opt.keep = true;
	}
	opt.copies += !opt.copies;
	if (opt.backtranslate)
		DS_TRY(translator_open(&way, &opt.way, e));
	augmenter a = { .eda = { opt.synonym, opt.insert, opt.swap, opt.delete, lists, wordnet,
				stop, c->seed },
		.translator = way,
		.balance = shares };
	const ds_stage stage = { .name = "aug",
		.state = &a,
		.counters = augment_counters,
		.scratch_new = scratch_new,
		.scratch_free = scratch_free,
		.reads_field = DS_FIELD_NEEDED,
		.work = work,
		.order = order };
	return ds_run_stage(c, &stage, e);
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
	DS_ARG('n', "copies", &opt.copies, "N", "copies of each record, default 1"),
	DS_ARG(0, "keep-original", &opt.keep, NULL, "write each record before its copies"),
	DS_ARG_F(0, "label-balance", &balance_call, "TARGET",
		"copies only of rare labels, up to TARGET or the commonest", DS_ARG_OPTIONAL),
	DS_ARG_F(0, "synonyms", &opt.synonyms, "FILE",
		"synonyms by Cilin's format or TSV, repeatable", DS_ARG_FILE),
	DS_ARG_F(0, "wordnet", &opt.wordnet, "DIR|none", "WordNet's files, in " WORDNET,
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "stopwords", &opt.stopwords, "FILE|none",
		"words without synonyms, one a line, for the built-in ones", DS_ARG_FILE),
	DS_ARG(0, "backtranslate", &opt.backtranslate, NULL,
		"translate there and back; what comes back is the copy"),
	DS_ARG(0, "translator", &opt.way.there, "CMD", "a command: lines in, as many lines out"),
	DS_ARG(0, "back", &opt.way.back, "CMD", "the command for the way back"),
	DS_ARG_F(0, "persistent", &opt.way.persistent, NULL,
		"the commands answer line by line and go on", DS_ARG_UNRECORDED),
	DS_ARG(0, "batch", &opt.way.batch, "N", "lines a run of a command, default 500"),
	DS_ARG_F(0, "workers", &opt.way.workers, "N", "runs at once, default: as many as -j",
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "timeout", &opt.way.timeout_s, "S",
		"seconds without input taken or output given, default 300", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "cache", &opt.way.cache, "FILE", "remember translations there",
		DS_ARG_UNRECORDED | DS_ARG_OUT),
	DS_ARG(0, "min-chrf", &opt.filter.min_chrf, "X",
		"leave out what is less alike, default 30 of 100"),
	DS_ARG(0, "max-chrf", &opt.filter.max_chrf, "X",
		"leave out what is more alike, default 95"),
	DS_ARG(0, "max-ratio", &opt.filter.ratio, "R",
		"leave out what is R times longer or shorter, default 2"),
	DS_ARG(0, "any-language", &opt.filter.any_language, NULL,
		"keep also what came back in another language"),
	{ 0 },
};

static const ds_tool tool = {
	.name = "dsaug",
	.usage = "[options] [FILE...]",
	.what = "make more records: words changed, or texts translated there and back",
	.args = args,
	.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS,
	.run = run,
	.failed = ds_run_failed,
	.examples = {
		"dsaug --synonym 0.1 --insert 0.1 --swap 0.1 --delete 0.1 -n 4 train.dsr",
		"dsaug --synonym 0.2 --synonyms cilin.txt --keep-original zh.jsonl --to jsonl",
		"dsaug --backtranslate --translator 'apertium -u eng-spa' --back 'apertium -u "
		"spa-eng' a.dsr",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
