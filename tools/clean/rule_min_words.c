/*
 * rule_min_words.c - records of fewer words go
 *
 * A word is a run of letters, digits and marks; each character of Han, kana, Thai, Lao, Khmer and Burmese is one.
 */
#include "rule.h"

#include "base/mem.h"
#include "text/ngram.h"

typedef struct {
	uint64_t least;
} state;

typedef struct {
	const state *s;
	ds_ngram *units;
} thread;

static ds_rc open_least(void **out, const char *value, const rule_env *env, ds_err *e)
{
	int64_t n;
	if (!ds_str_i64(ds_str_of(value), &n) || n < 0)
		return ds_fail(e, DS_USAGE, "'%s' is no whole number from 0", value);
	state *s = DS_NEW(state, 1);
	s->least = (uint64_t)n;
	*out = s;
	return DS_OK;
}

static void *thread_new(const void *p)
{
	thread *t = DS_NEW(thread, 1);
	t->s = p;
	t->units = ds_ngram_new(DS_UNIT_LETTERS, 1);
	return t;
}

static void thread_free(void *p)
{
	thread *t = p;
	ds_ngram_free(t->units);
	ds_mem_free(t);
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	thread *t = p;
	uint32_t some[DS_NGRAM_BATCH];
	ds_ngram_start(t->units, r->text);
	while ((r->tag || ds_ngram_units(t->units) < t->s->least) &&
		ds_ngram_next(t->units, some) > 0) {
	}
	if (r->tag)
		rule_tag_add(r, (rule_tag){ "words", RULE_TAG_COUNT, NULL,
					(double)ds_ngram_units(t->units) });
	r->drop = ds_ngram_units(t->units) < t->s->least;
	return DS_OK;
}

const ds_rule ds_rule_min_words = {
	.name = "min-words",
	.value = "N",
	.help = "drop records with fewer words",
	.open = open_least,
	.close = ds_mem_free,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.judges = true,
	.record = record,
};
