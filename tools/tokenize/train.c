/*
 * train.c - dstok train: a tokenizer out of text
 */
#include "base/mem.h"
#include "base/progress.h"
#include "text/tok/scan.h"
#include "text/tok/train.h"
#include "tokenize.h"

#include <inttypes.h>

typedef struct {
	ds_tok_counter **counters; /* one a worker */
} counting;

static ds_rc count_text(void *context, unsigned worker, ds_str text, ds_str lang, ds_err *e)
{
	counting *x = context;
	return ds_tok_counter_add(x->counters[worker], text, e);
}

static void show(void *context, uint32_t done, uint32_t all)
{
	ds_progress_note(context, "merging: %u of %u ids", done, all);
}

enum { COUNTS_MB = 1024 }; /* unless --memory says otherwise */

/* Counts all text; the other workers' counters go into the first. */
static ds_rc count_all(const ds_common *c, const char *pattern, ds_tok_counter **out, ds_err *e)
{
	counting x = { DS_NEW(ds_tok_counter *, (size_t)c->jobs) };
	uint64_t memory = opt.memory.bytes ? opt.memory.bytes : (uint64_t)COUNTS_MB << 20;
	ds_rc rc = DS_OK;
	for (int i = 0; i < c->jobs && rc == DS_OK; i++)
		rc = ds_tok_counter_new(&x.counters[i], pattern, memory / (uint64_t)c->jobs, e);
	if (rc == DS_OK)
		rc = read_texts(c, count_text, &x, e);
	for (int i = 1; i < c->jobs; i++) {
		if (rc == DS_OK && x.counters[i])
			rc = ds_tok_counter_merge(x.counters[0], x.counters[i], e);
		ds_tok_counter_free(x.counters[i]);
	}
	*out = x.counters[0];
	ds_mem_free(x.counters);
	return rc;
}

static ds_rc merge_all(
	const ds_common *c, ds_tok_counter *counter, bool words, ds_tok **t, ds_err *e)
{
	static const ds_str for_bytes[] = { DS_S("<|pad|>"), DS_S("<|bos|>"), DS_S("<|eos|>"),
		DS_S("<|mask|>"), DS_S("<|cls|>"), DS_S("<|sep|>") };
	static const ds_str for_words[] = { DS_S("[PAD]"), DS_S("[UNK]"), DS_S("[CLS]"),
		DS_S("[SEP]"), DS_S("[MASK]") };
	DS_AUTO(ds_progress) progress = ds_progress_new(&c->who);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_str *names = ds_arena_get(mem, (opt.special.n + 1) * sizeof(*names));
	for (size_t i = 0; i < opt.special.n; i++)
		names[i] = ds_str_of(opt.special.at[i]);
	ds_tok_train_options o = {
		.n_ids = (uint32_t)opt.vocab,
		.min_count = opt.min_frequency,
		.special = words ? for_words : for_bytes,
		.n_special = words ? sizeof(for_words) / sizeof(ds_str)
				   : sizeof(for_bytes) / sizeof(ds_str),
		.limit_alphabet = opt.limit_alphabet,
		.limit_bytes = opt.memory.bytes,
		.progress = show,
		.context = progress,
	};
	if (opt.special.n) {
		o.special = names;
		o.n_special = opt.special.n;
	}
	return ds_tok_train(t, counter, &o, e);
}

/* The pattern, and whether it is for words. */
static ds_rc choose(const char **pattern, bool *words, ds_err *e)
{
	const ds_pattern *known = opt.pattern ? ds_pattern_find(opt.pattern) : NULL;
	bool for_words = known && known->words;
	*words = opt.model ? strcmp(opt.model, "wordpiece") == 0 : for_words;
	*pattern = opt.pattern ? opt.pattern : *words ? "bert" : "qwen2";
	if (opt.pattern && for_words != *words)
		return ds_fail(e, DS_USAGE, "--model %s with --pattern '%s': %s", opt.model,
			opt.pattern, *words ? "bert or bert-cased" : "that one is for wordpiece");
	return DS_OK;
}

ds_rc train_run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_tok_counter) counter = NULL;
	DS_AUTO(ds_tok) t = NULL;
	const char *pattern;
	bool words;
	if (opt.vocab < 1 || opt.vocab > DS_TOK_MAX_IDS)
		return ds_fail(e, DS_USAGE, "-V %" PRId64 ": it must be 1 to %d", opt.vocab,
			DS_TOK_MAX_IDS);
	if (c->out.path)
		DS_TRY(ds_file_place(c->out.path, false, e));
	DS_TRY(choose(&pattern, &words, e));
	DS_TRY(count_all(c, pattern, &counter, e));
	uint64_t pieces = ds_tok_counter_pieces(counter);
	if (pieces == 0)
		return ds_fail(e, DS_BAD, "there is no text to train on");
	DS_TRY(merge_all(c, counter, words, &t, e));
	DS_TRY(write_tokenizer(c->out.path, t, e));
	if (ds_tok_size(t) < opt.vocab)
		ds_warn(&c->who, "%u id%s instead of %" PRId64 ": the text gives no more",
			ds_tok_size(t), ds_s(ds_tok_size(t)), opt.vocab);
	ds_say(&c->who, "%u id%s from %" PRIu64 " piece%s, %" PRIu64 " of them distinct",
		ds_tok_size(t), ds_s(ds_tok_size(t)), pieces, ds_s(pieces),
		ds_tok_counter_distinct(counter));
	return DS_OK;
}
