/*
 * rule_quality.c - a preset's rules over a record
 */
#include "quality.h"

#include "base/mem.h"
#include "text/unicode.h"
#include "text/words.h"

/* A text that is longer has its words cut anew wherever they are wanted: they are four times its size. */
enum { STRETCH = 256 << 10 };

static ds_rc open_preset(void **state, const char *value, const rule_env *env, ds_err *e)
{
	quality *q = DS_NEW(quality, 1);
	*state = q;
	return quality_parse(q, value, e);
}

static void *thread_new(const void *state)
{
	quality_run *x = DS_NEW(quality_run, 1);
	x->q = state;
	x->words = ds_words_new();
	return x;
}

static void thread_free(void *p)
{
	quality_run *x = p;
	ds_words_free(x->words);
	quality_table_free(&x->table);
	ds_buf_free(&x->text);
	ds_buf_free(&x->sums);
	ds_buf_free(&x->low);
	ds_mem_free(x);
}

bool quality_fails(quality_run *x, quality_id id, double value)
{
	const quality *q = x->q;
	if (!q->on[id])
		return false;
	if (x->r->tag)
		rule_tag_add(x->r, (rule_tag){ quality_names[id], RULE_TAG_NUMBER, NULL, value });
	bool han = x->han && q->chinese;
	static const bool least[Q_N] = {
#define QUALITY(name, least, limit) least,
#include "quality.def"
#undef QUALITY
	};
	double limit = q->limit[han][id];
	bool bad = least[id] ? value < limit : value > limit;
	if (bad && !x->failed) {
		x->failed = true;
		x->r->drop = true;
		x->r->reason = q->reason_of[id];
	}
	return bad && !x->r->tag;
}

static void cut(quality_run *x, quality_words *w)
{
	ds_str part = ds_words_stretch(&w->rest, STRETCH);
	w->n = x->han ? ds_words_han(x->words, part, &w->at)
		      : ds_words_spaced(x->words, part, &w->at);
}

bool quality_words_next(quality_run *x, quality_words *w)
{
	if (x->cut && x->r->text.n <= STRETCH) { /* they are there */
		bool first = !w->begun;
		*w = x->all;
		return first && w->n;
	}
	if (!w->begun)
		w->rest = x->r->text;
	w->begun = true;
	for (w->n = 0; !w->n && w->rest.n;)
		cut(x, w);
	return w->n;
}

void quality_cut(quality_run *x)
{
	quality_words w = { 0 };
	if (x->cut)
		return;
	x->n_words = 0;
	x->all = w;
	while (quality_words_next(x, &w)) {
		x->n_words += w.n;
		x->all = w;
	}
	x->cut = true;
	x->joined = QUALITY_UNJOINED;
}

/* Whether more than a quarter of the characters are Han. */
static bool mostly_han(ds_str text, double chars)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += (uint8_t)text.at[i] >= 0xe4 && (uint8_t)text.at[i] <= 0xe9;
	return (double)n * 4 > chars;
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	quality_run *x = p;
	x->r = r;
	x->cut = x->failed = false;
	x->chars = (double)ds_utf8_count(r->text);
	x->han = mostly_han(r->text, x->chars);
	(void)(quality_repetition(x) || (x->q->fineweb_first && quality_fineweb(x)) ||
		quality_gopher(x) || quality_c4(x) || (!x->q->fineweb_first && quality_fineweb(x)));
	return DS_OK;
}

static const char *const *reasons(const void *state)
{
	return ((const quality *)state)->reasons;
}

const ds_rule ds_rule_quality = {
	.name = "quality",
	.value = "PRESET",
	.help = "drop by the rules of gopher, c4, fineweb or fineweb2",
	.open = open_preset,
	.close = ds_mem_free,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.judges = true,
	.record = record,
	.reasons = reasons,
};
