/*
 * rule_labels.c - one spelling for every label
 */
#include "rule.h"

#include "base/args.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "labelmap.h"

enum { MAP_BYTES_MAX = 64 << 20, NAMED_MAX = 10 };

typedef struct {
	labelmap *map;
	rule_unmapped unmapped;
	ds_map *missing;   /* values that are not in the map, in stream order, with their counts */
	const char *table; /* --label-table */
	ds_map *seen;      /* for it: all values, in the same way */
} state;

typedef struct {
	const state *s;
	labelmap_run *run;
	ds_map *missing; /* of this block; NULL: none */
	ds_map *seen;
} thread;

static void close_state(void *p)
{
	state *s = p;
	if (!s)
		return;
	labelmap_free(s->map);
	ds_map_free(s->missing);
	ds_map_free(s->seen);
	ds_mem_free(s);
}

static ds_rc open_map(void **out, const char *value, const rule_env *env, ds_err *e)
{
	labelmap *map = NULL;
	if (strcmp(value, "sentiment") == 0) {
		DS_TRY(labelmap_read(&map, value, ds_str_of(labelmap_sentiment), e));
	} else {
		ds_buf text = { 0 };
		ds_rc rc = ds_file_read(value, MAP_BYTES_MAX, &text, e);
		if (rc == DS_OK)
			rc = labelmap_read(&map, value, ds_buf_view(&text), e);
		ds_buf_free(&text);
		DS_TRY(rc);
	}
	state *s = DS_NEW(state, 1);
	*s = (state){ map, env->unmapped, ds_map_new(16), env->label_table, ds_map_new(16) };
	*out = s;
	return DS_OK;
}

static void *thread_new(const void *p)
{
	thread *t = DS_NEW(thread, 1);
	t->s = p;
	t->run = labelmap_run_new(t->s->map);
	return t;
}

static void thread_free(void *p)
{
	thread *t = p;
	labelmap_run_free(t->run);
	ds_map_free(t->missing);
	ds_map_free(t->seen);
	ds_mem_free(t);
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	thread *t = p;
	ds_str name;
	bool found;
	if (r->label.kind == RULE_VALUE_NONE)
		return DS_OK;
	if (t->s->table) {
		t->seen = t->seen ? t->seen : ds_map_new(16);
		++*ds_map_put(t->seen, r->label.text, NULL);
	}
	DS_TRY(labelmap_find(t->run, &r->label, r->mem, &name, &found, e));
	if (found) {
		bool same = r->label.kind == RULE_VALUE_TEXT && ds_str_eq(name, r->label.text);
		r->label_new |= !same;
		r->label = (rule_value){ .kind = RULE_VALUE_TEXT, .text = name };
		return DS_OK;
	}
	if (!t->missing)
		t->missing = ds_map_new(16);
	++*ds_map_put(t->missing, r->label.text, NULL);
	if (t->s->unmapped == RULE_UNMAPPED_STOP)
		return ds_fail(e, DS_BAD, "'%.*s' is not in the map", DS_FMT(r->label.text));
	r->drop = t->s->unmapped == RULE_UNMAPPED_DROP;
	return DS_OK;
}

static void add_all(ds_map *to, ds_map **from)
{
	for (size_t i = 0; *from && i < ds_map_count(*from); i++)
		*ds_map_put(to, ds_map_key(*from, i), NULL) += *ds_map_value(*from, i);
	ds_map_free(*from);
	*from = NULL;
}

static void gather(void *p, void *q)
{
	state *s = p;
	thread *t = q;
	add_all(s->missing, &t->missing);
	add_all(s->seen, &t->seen);
}

static void add_cell(ds_buf *out, ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		ds_buf_add_byte(out, (unsigned char)s.at[i] < ' ' ? ' ' : s.at[i]);
}

static ds_rc add_rows(const state *s, labelmap_run *run, ds_arena *mem, ds_buf *out, ds_err *e)
{
	ds_buf_add_c(out, "value\tlabel\trecords\n");
	for (size_t i = 0; i < ds_map_count(s->seen); i++) {
		rule_value v = { RULE_VALUE_TEXT, ds_map_key(s->seen, i), 0 };
		ds_str name = { "", 0 };
		bool found;
		DS_TRY(labelmap_find(run, &v, mem, &name, &found, e));
		add_cell(out, v.text);
		ds_buf_add_byte(out, '\t');
		add_cell(out, found ? name : (ds_str){ "", 0 });
		ds_buf_fmt(out, "\t%llu\n", (unsigned long long)*ds_map_value(s->seen, i));
	}
	return DS_OK;
}

/* A row for each value in the order they came; one that is not in the map has no label. */
static ds_rc finish(const void *p, ds_err *e)
{
	const state *s = p;
	if (!s->table)
		return DS_OK;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	DS_AUTO(ds_out) file = NULL;
	labelmap_run *run = labelmap_run_new(s->map);
	ds_buf rows = { 0 };
	ds_rc rc = add_rows(s, run, mem, &rows, e);
	if (rc == DS_OK)
		rc = ds_out_open(&file, s->table, e);
	if (rc == DS_OK)
		rc = ds_out_write(file, rows.at, rows.n, e);
	if (rc == DS_OK)
		rc = ds_out_deliver(file, e);
	ds_buf_free(&rows);
	labelmap_run_free(run);
	return rc;
}

/* The largest not named yet; of equals the first in the stream. */
static size_t next_largest(const ds_map *m, const bool *named)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < ds_map_count(m); i++)
		if (!named[i] && (best == SIZE_MAX || *ds_map_value(m, i) > *ds_map_value(m, best)))
			best = i;
	return best;
}

static void summary(const void *p, ds_buf *out)
{
	const state *s = p;
	size_t n = ds_map_count(s->missing);
	if (!n)
		return;
	bool *named = DS_NEW(bool, n);
	ds_buf_add_c(out, "labels not in the map:");
	for (size_t k = 0; k < n && k < NAMED_MAX; k++) {
		size_t i = next_largest(s->missing, named);
		named[i] = true;
		ds_buf_add_c(out, k ? ", '" : " '");
		ds_buf_add_shown(out, ds_map_key(s->missing, i));
		ds_buf_fmt(out, "' %llu", (unsigned long long)*ds_map_value(s->missing, i));
	}
	if (n > NAMED_MAX)
		ds_buf_fmt(out, " and %zu more", n - NAMED_MAX);
	ds_mem_free(named);
}

const ds_rule ds_rule_labels = {
	.name = "labels",
	.value = "FILE|sentiment",
	.help = "replace the label by what the map has for it",
	.needs = RULE_NEEDS_LABEL,
	.flags = DS_ARG_FILE,
	.open = open_map,
	.close = close_state,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.judges = true,
	.record = record,
	.gather = gather,
	.finish = finish,
	.summary = summary,
};
