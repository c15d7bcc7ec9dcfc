/*
 * clean.c - a block's trip through the rules
 */
#include "clean.h"

#include "base/mem.h"
#include "explain.h"
#include "labels.h"
#include "rejected.h"
#include "tags.h"
#include "when.h"

enum { SIDE_BYTES = 1 << 20 };

typedef struct { /* a block's columns, and what becomes of them */
	ds_work *w;
	ds_block *b;
	const ds_col *text, *label, *lang, *url;
	origin origin;
	ds_colb *new_text;  /* NULL until a text changes */
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
		c->needs |= needs_of(r->at[i].rule);
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
		DS_TRY(ds_block_get(t->b, c->c->field, &t->text, e));
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

/* One record through the rules; *stop is the counter of the one that drops it. */
static ds_rc run_rules(
	worker *k, ds_work *w, rule_record *r, bool has_text, unsigned *stop, ds_err *e)
{
	const rules *all = &k->c->rules;
	size_t i = 0;
	for (; i < all->n && !r->drop; i++) {
		const rules_use *u = &all->at[i];
		ds_str before = r->text;
		bool label_before = r->label_new;
		if (!has_text && needs_of(u->rule) & RULE_NEEDS_TEXT)
			continue;
		if (u->when && !when_holds(u->when, r))
			continue;
		r->mem = k->side[k->turn];
		r->label_new = false;
		r->reason = 0;
		DS_TRY_AT(apply(u->rule, k->threads[i], r, e), e, "%s", u->name);
		bool changed = r->text.at != before.at || r->text.n != before.n;
		if (changed && k->sampling)
			explain_step(&k->steps, u->name, before, r->text, k->c->colour);
		if (changed && !u->rule->keeps_lines && !u->rule->leaves) {
			r->spaced = false;
			r->shaped.n = 0;
		}
		if (changed && r->text.n) {
			k->turn ^= 1;
			ds_arena_reset(k->side[k->turn]);
		}
		if (!r->drop && (changed || r->label_new))
			ds_work_count(w, u->counter, 1);
		r->label_new |= label_before;
		if (r->drop)
			*stop = u->counter + (u->rule->reasons ? 1 + r->reason : 0);
		if (r->drop && r->tag) {
			ds_work_count(w, *stop, 1);
			note_failed(k, r, *stop);
		}
	}
	return DS_OK;
}

/* The text that a row has in the end; the column begins to be built with the first that is new. */
static ds_rc put_text(trip *t, uint32_t row, ds_str text, bool has, bool changed, ds_err *e)
{
	if (!t->new_text && !changed)
		return DS_OK;
	if (!t->new_text) {
		ds_type type = t->text->type == DS_T_BYTES ? DS_T_BYTES : DS_T_UTF8;
		t->new_text = ds_colb_new_n(t->b, t->text->name, type);
		for (uint32_t i = 0; i < row; i++) {
			ds_str was = { "", 0 };
			bool had = false;
			/* A row that could not be read was dropped: what it gets does not matter. */
			if (ds_block_text(t->b, t->text, i, &was, &had, e) == DS_OK && had)
				ds_colb_bytes(t->new_text, was);
			else if (ds_col_null(t->text, i))
				ds_colb_null(t->new_text);
			else
				ds_colb_absent(t->new_text);
		}
	}
	if (has)
		ds_colb_bytes(t->new_text, text);
	else if (ds_col_null(t->text, row))
		ds_colb_null(t->new_text);
	else
		ds_colb_absent(t->new_text);
	return DS_OK;
}

static ds_rc read_record(trip *t, uint32_t row, rule_record *r, bool *has, ds_err *e)
{
	*has = false;
	if (t->text)
		DS_TRY(ds_block_text(t->b, t->text, row, &r->text, has, e));
	if (*has)
		origin_of(&t->origin, row, r);
	r->lang = origin_text(t->b, t->lang, row);
	r->url = origin_text(t->b, t->url, row);
	if (t->labels)
		DS_TRY(labels_get(t->b, t->label, row, &r->label, e));
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
	bool has;
	unsigned stop = 0;
	ds_arena_reset(k->side[0]);
	ds_arena_reset(k->side[1]);
	ds_buf_clear(&k->failed);
	ds_buf_clear(&k->steps);
	k->sampling =
		sample_wants(&k->sample, sample_key(k->c->c->seed, ds_block_record(t->b, row)));
	ds_rc rc = read_record(t, row, &r, &has, e);
	ds_str before = r.text;
	rule_value label = r.label;
	if (rc == DS_OK)
		rc = run_rules(k, t->w, &r, has, &stop, e);
	if (rc == DS_BAD) {
		ds_err why = *e;
		DS_TRY(ds_work_bad(t->w, t->b, row, e, "%s", why.msg));
		return put_text(t, row, before, has, false, e);
	}
	DS_TRY(rc);
	bool changed = has && (r.text.at != before.at || r.text.n != before.n);
	if (t->labels)
		t->labels[row] = r.label;
	t->label_changed |= r.label_new;
	if (k->c->explain && (changed || r.drop || r.label_new))
		DS_TRY(show(k, t->b, row,
			&(explained){ before, r.text, r.drop ? k->c->counters[stop] : NULL,
				r.label_new ? label.text : (ds_str){ NULL, 0 }, r.label.text },
			e));
	if (r.drop) {
		t->dropped[t->n_dropped] = row;
		t->reasons[t->n_dropped++] = stop;
		return put_text(t, row, before, has, false, e);
	}
	if (k->failed.n)
		rule_tag_add(
			&r, (rule_tag){ "rejected", RULE_TAG_TEXT, ds_buf_text(&k->failed), 0 });
	tags_put(&t->tags, row, r.tags, r.n_tags);
	return put_text(t, row, r.text, has, changed, e);
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
	if (t.new_text)
		DS_TRY(ds_colb_put(t.new_text, e));
	DS_TRY(tags_finish(&t.tags, e));
	return t.label_changed ? labels_put(b, t.label, t.labels, e) : DS_OK;
}
