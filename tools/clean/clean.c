/*
 * clean.c - a block's trip through the rules
 */
#include "clean.h"

#include "base/mem.h"
#include "explain.h"
#include "labels.h"
#include "rejected.h"
#include "tags.h"
#include "text/grow.h"
#include "when.h"

enum { SIDE_BYTES = 1 << 20 };

typedef struct { /* a block's columns, and what becomes of them */
	ds_work *w;
	ds_block *b;
	const ds_col *label, *lang, *url;
	ds_texts texts;
	ds_text_part *parts, one; /* of the row at hand */
	size_t n_parts;
	origin origin;
	rule_value *labels; /* NULL where no rule looks at them */
	bool label_changed;
	tags tags;
	uint32_t *dropped; /* rows, and by which rules */
	unsigned *reasons;
	uint32_t n_dropped;
} trip;

/* The rule before `u` that counts under the same name: a chain has each name once. */
static const rules_use *namesake(const rules *r, const rules_use *u)
{
	for (const rules_use *was = r->at; was < u; was++)
		if (strcmp(was->name, u->name) == 0)
			return was;
	return NULL;
}

/* A counter for each rule, and one for each of its reasons to drop. */
static void add_counters(cleaner *c, rules_use *u)
{
	const rules_use *same = namesake(&c->rules, u);
	if (same) {
		u->counter = same->counter;
		return;
	}
	const char *const *why = u->rule->reasons ? u->rule->reasons(u->state) : NULL;
	size_t n = 1;
	while (why && why[n - 1])
		n++;
	c->counters = ds_mem_grow(c->counters, c->n_counters * sizeof(*c->counters),
		(c->n_counters + n + 1) * sizeof(*c->counters));
	u->counter = c->n_counters;
	c->counters[c->n_counters++] = ds_mem_text(u->name);
	for (size_t i = 0; i + 1 < n; i++) {
		ds_buf name = { 0 };
		ds_buf_fmt(&name, "%s: %s", u->name, why[i]);
		c->counters[c->n_counters++] = ds_mem_text(ds_buf_text(&name));
		ds_buf_free(&name);
	}
	c->counters[c->n_counters] = NULL;
}

static unsigned needs_of(const ds_rule *rule)
{
	return rule->needs ? rule->needs : RULE_NEEDS_TEXT;
}

void cleaner_prepare(cleaner *c)
{
	const rules *r = &c->rules;
	for (size_t i = 0; i < r->n; i++) {
		add_counters(c, &r->at[i]);
		c->reads |= needs_of(r->at[i].rule);
		c->needs |= c->reads;
		c->needs |= when_names(r->at[i].when, "label") ? RULE_NEEDS_LABEL : 0;
		c->needs |= when_names(r->at[i].when, "lang") ? RULE_NEEDS_LANG : 0;
	}
}

void cleaner_release(cleaner *c)
{
	for (unsigned i = 0; i < c->n_counters; i++)
		ds_mem_free(c->counters[i]);
	ds_mem_free(c->counters);
	ds_buf_free(&c->recorded);
	ds_buf_free(&c->left_out);
	sample_free(&c->sample);
	rules_close(&c->rules);
}

worker *worker_new(const cleaner *c)
{
	worker *k = DS_NEW(worker, 1);
	k->c = c;
	k->sample.max = c->sample.max;
	k->threads = rules_threads_new(&c->rules);
	k->side[0] = ds_arena_new(SIDE_BYTES);
	k->side[1] = ds_arena_new(SIDE_BYTES);
	return k;
}

void worker_free(worker *k)
{
	if (!k)
		return;
	rules_threads_free(&k->c->rules, k->threads);
	ds_arena_free(k->side[0]);
	ds_arena_free(k->side[1]);
	ds_buf_free(&k->shown);
	ds_buf_free(&k->steps);
	sample_free(&k->sample);
	ds_buf_free(&k->failed);
	ds_mem_free(k);
}

static ds_rc open_trip(trip *t, const cleaner *c, origin_history *history, ds_err *e)
{
	if (c->needs & RULE_NEEDS_TEXT) {
		DS_TRY(ds_work_texts(t->w, &t->texts, e));
		DS_TRY(origin_open(&t->origin, t->b, history, e));
	}
	if (c->needs & RULE_NEEDS_LANG)
		DS_TRY(ds_block_get(t->b, "lang", &t->lang, e));
	if (c->needs & RULE_NEEDS_URL)
		DS_TRY(ds_block_get(t->b, "url", &t->url, e));
	if (c->needs & RULE_NEEDS_LABEL) {
		DS_TRY(ds_block_get(t->b, "label", &t->label, e));
		t->labels = t->label ? ds_arena_zero(t->b->mem, t->b->n_rows * sizeof(*t->labels))
				     : NULL;
	}
	t->dropped = ds_arena_get(t->b->mem, t->b->n_rows * sizeof(*t->dropped));
	t->reasons = ds_arena_get(t->b->mem, t->b->n_rows * sizeof(*t->reasons));
	return DS_OK;
}

static ds_rc apply(const ds_rule *rule, void *thread, rule_record *r, ds_err *e)
{
	bool stays = true;
	if (rule->apply)
		return rule->apply(thread, &r->text, r->mem, e);
	if (rule->record)
		return rule->record(thread, r, e);
	DS_TRY(rule->keep(thread, r->text, &stays, e));
	r->drop = !stays;
	return DS_OK;
}

/* --tag: the rule's name is noted, and the record stays. */
static void note_failed(worker *k, rule_record *r, unsigned counter)
{
	if (k->failed.n)
		ds_buf_add_c(&k->failed, ", ");
	ds_buf_add_c(&k->failed, k->c->counters[counter]);
	r->drop = false;
}

/* What follows from a rule that was run on one text or on several, and whether it changed any. */
static void note_rule(
	worker *k, ds_work *w, const rules_use *u, rule_record *r, bool changed, unsigned *stop)
{
	if (!r->drop && (changed || r->label_new))
		ds_work_count(w, u->counter, 1);
	if (!r->drop)
		return;
	*stop = u->counter + (u->rule->reasons ? 1 + r->reason : 0);
	if (r->tag) {
		ds_work_count(w, *stop, 1);
		note_failed(k, r, *stop);
	}
}

/* One rule on one text; true where that is another now. */
static ds_rc run_rule(
	worker *k, const rules_use *u, size_t i, rule_record *r, bool *changed, ds_err *e)
{
	ds_str before = r->text;
	DS_TRY_AT(apply(u->rule, k->threads[i], r, e), e, "%s", u->name);
	*changed = r->text.at != before.at || r->text.n != before.n;
	if (*changed && k->sampling)
		explain_step(&k->steps, u->name, before, r->text, k->c->colour);
	if (*changed && !u->rule->keeps_lines && !u->rule->leaves) {
		r->spaced = false;
		r->shaped.n = 0;
	}
	return DS_OK;
}

/* One record through the rules; *stop is the counter of the one that drops it. */
static ds_rc run_rules(
	worker *k, ds_work *w, rule_record *r, bool has_text, unsigned *stop, ds_err *e)
{
	const rules *all = &k->c->rules;
	for (size_t i = 0; i < all->n && !r->drop; i++) {
		const rules_use *u = &all->at[i];
		bool label_before = r->label_new, changed;
		if (!has_text && needs_of(u->rule) & RULE_NEEDS_TEXT)
			continue;
		if (u->when && !when_holds(u->when, r))
			continue;
		r->mem = k->side[k->turn];
		r->label_new = false;
		r->reason = 0;
		DS_TRY(run_rule(k, u, i, r, &changed, e));
		if (changed && r->text.n) {
			k->turn ^= 1;
			ds_arena_reset(k->side[k->turn]);
		}
		note_rule(k, w, u, r, changed, stop);
		r->label_new |= label_before;
	}
	return DS_OK;
}

static ds_str joined(const rule_record *texts, size_t n, ds_arena *mem)
{
	ds_grow all = { .mem = mem };
	for (size_t i = 0; i < n; i++) {
		if (i)
			ds_grow_add(&all, "\n", 1);
		ds_grow_add(&all, texts[i].text.at, texts[i].text.n);
	}
	return all.at ? (ds_str){ all.at, all.n } : DS_S("");
}

/* What rules learn of the record is the record's, whichever text it was learned from. */
static void share(rule_record *to, const rule_record *from)
{
	to->lang = from->lang;
	to->label = from->label;
	to->n_tags = from->n_tags;
}

/*
 * The same where the field is several texts: rules that change texts see each by itself, those that judge the
 * record all of them. What is made lies in the block's arena, for it must live until the last rule is done.
 */
static ds_rc run_rules_on(worker *k, ds_work *w, rule_record *r, rule_record *texts, size_t n,
	unsigned *stop, ds_err *e)
{
	const rules *all = &k->c->rules;
	for (size_t i = 0; i < all->n && !r->drop; i++) {
		const rules_use *u = &all->at[i];
		bool label_before = r->label_new, any = false, changed;
		if (u->when && !when_holds(u->when, r))
			continue;
		r->label_new = false;
		r->reason = 0;
		if (u->rule->keep || u->rule->judges) {
			ds_arena_reset(k->side[0]);
			r->mem = k->side[0];
			r->text = joined(texts, n, k->side[0]);
			DS_TRY(run_rule(k, u, i, r, &changed, e));
		} else {
			for (size_t p = 0; p < n && !texts[p].drop; p++) {
				share(&texts[p], r);
				texts[p].mem = texts[p].block_mem;
				DS_TRY(run_rule(k, u, i, &texts[p], &changed, e));
				share(r, &texts[p]);
				r->drop |= texts[p].drop;
				any |= changed;
			}
		}
		note_rule(k, w, u, r, any, stop);
		r->label_new |= label_before;
	}
	return DS_OK;
}

/* What the row's texts are in the end; changed or not, in the order of the rows. */
static void put_row(trip *t, uint32_t row)
{
	ds_texts_put(&t->texts, row, t->parts, t->n_parts);
}

static ds_rc read_texts(trip *t, uint32_t row, ds_err *e)
{
	bool has = false;
	t->n_parts = 0;
	if (!t->texts.field)
		return DS_OK;
	if (!t->texts.whole)
		return ds_texts_parts(&t->texts, row, &t->parts, &t->n_parts, e);
	t->one = (ds_text_part){ .col = 0 };
	t->parts = &t->one;
	DS_TRY(ds_block_text(t->b, t->texts.whole, row, &t->one.text, &has, e));
	t->n_parts = has;
	return DS_OK;
}

static ds_rc read_record(trip *t, uint32_t row, rule_record *r, ds_err *e)
{
	DS_TRY(read_texts(t, row, e));
	if (t->n_parts) {
		r->text = t->parts[0].text;
		origin_of(&t->origin, row, r);
	}
	r->lang = origin_text(t->b, t->lang, row);
	r->url = origin_text(t->b, t->url, row);
	if (t->labels)
		DS_TRY(labels_get(t->b, t->label, row, &r->label, e));
	return DS_OK;
}

/* The row's texts through the rules; *before is the text as it came, r->text as it is then. */
static ds_rc run_row(worker *k, trip *t, rule_record *r, ds_str *before, bool *changed,
	unsigned *stop, ds_err *e)
{
	size_t n = t->n_parts;
	*before = r->text;
	if (n < 2) {
		DS_TRY(run_rules(k, t->w, r, n > 0, stop, e));
		*changed = n && (r->text.at != before->at || r->text.n != before->n);
		if (*changed && !r->drop)
			t->parts[0].now = r->text;
		return DS_OK;
	}
	rule_record *texts = ds_arena_get(t->b->mem, n * sizeof(*texts));
	for (size_t i = 0; i < n; i++) {
		texts[i] = *r;
		texts[i].text = t->parts[i].text;
	}
	*before = joined(texts, n, t->b->mem);
	DS_TRY(run_rules_on(k, t->w, r, texts, n, stop, e));
	for (size_t i = 0; i < n; i++) {
		ds_str was = t->parts[i].text, now = texts[i].text;
		if (now.at == was.at && now.n == was.n)
			continue;
		*changed = true;
		if (!r->drop)
			t->parts[i].now = now.at ? now : DS_S("");
	}
	r->text = joined(texts, n, t->b->mem);
	return DS_OK;
}

/* --explain: all of them, --sample: those that were drawn. */
static ds_rc show(worker *k, ds_block *b, uint32_t row, const explained *x, ds_err *e)
{
	if (!k->c->sample.max)
		return explain_record(&k->shown, b, row, x, e);
	if (!k->sampling)
		return DS_OK;
	uint64_t number = ds_block_record(b, row);
	ds_buf text = { 0 };
	DS_TRY(explain_head(&text, b, row, x, e));
	ds_buf_add_str(&text, ds_buf_view(&k->steps));
	sample_add(&k->sample, sample_key(k->c->c->seed, number), number, &text);
	return DS_OK;
}

static ds_rc one_record(worker *k, trip *t, uint32_t row, ds_err *e)
{
	rule_record r = {
		.text = { "", 0 }, .tag = k->c->tag, .tags = k->tags, .block_mem = t->b->mem
	};
	bool changed = false;
	ds_str before;
	unsigned stop = 0;
	ds_arena_reset(k->side[0]);
	ds_arena_reset(k->side[1]);
	ds_buf_clear(&k->failed);
	ds_buf_clear(&k->steps);
	k->sampling =
		sample_wants(&k->sample, sample_key(k->c->c->seed, ds_block_record(t->b, row)));
	ds_rc rc = read_record(t, row, &r, e);
	rule_value label = r.label;
	if (rc == DS_OK)
		rc = run_row(k, t, &r, &before, &changed, &stop, e);
	if (rc == DS_BAD) {
		ds_err why = *e;
		DS_TRY(ds_work_bad(t->w, t->b, row, e, "%s", why.msg));
		t->n_parts = 0;
		put_row(t, row);
		return DS_OK;
	}
	DS_TRY(rc);
	if (t->labels)
		t->labels[row] = r.label;
	t->label_changed |= r.label_new;
	if (k->c->explain && (changed || r.drop || r.label_new))
		DS_TRY(show(k, t->b, row,
			&(explained){ before, r.text, r.drop ? k->c->counters[stop] : NULL,
				r.label_new ? label.text : (ds_str){ NULL, 0 }, r.label.text },
			e));
	put_row(t, row);
	if (r.drop) {
		t->dropped[t->n_dropped] = row;
		t->reasons[t->n_dropped++] = stop;
		return DS_OK;
	}
	if (k->failed.n)
		rule_tag_add(
			&r, (rule_tag){ "rejected", RULE_TAG_TEXT, ds_buf_text(&k->failed), 0 });
	tags_put(&t->tags, row, r.tags, r.n_tags);
	return DS_OK;
}

ds_rc worker_block(worker *k, ds_work *w, ds_block *b, ds_err *e)
{
	trip t = { .w = w, .b = b, .tags.b = b };
	k->rejected = (ds_sink_part){ .n_rows = 0 };
	ds_buf_clear(&k->shown);
	DS_TRY(open_trip(&t, k->c, &k->history, e));
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(one_record(k, &t, row, e));
	if (k->c->rejected && t.n_dropped)
		DS_TRY(rejected_encode(k->c->rejected, b,
			&(rejected_rows){ t.dropped, t.reasons, t.n_dropped,
				(const char *const *)k->c->counters },
			&k->rejected, e));
	for (uint32_t i = 0; i < t.n_dropped; i++)
		ds_work_drop(w, t.dropped[i], (int)t.reasons[i]);
	DS_TRY(ds_texts_finish(&t.texts, e));
	DS_TRY(tags_finish(&t.tags, e));
	return t.label_changed ? labels_put(b, t.label, t.labels, e) : DS_OK;
}
