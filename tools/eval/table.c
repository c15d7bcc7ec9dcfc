/*
 * table.c - a tally as of_table sees it: classes in their order
 */
#include "tally.h"

static bool in_byte_order(const metric_table *o)
{
	for (uint32_t i = 1; i < o->n_classes; i++)
		if (ds_str_cmp(o->classes[i - 1], o->classes[i]) > 0)
			return false;
	return true;
}

/* Which class a column of score belongs to: as --classes says, else the order of the labels that there are. */
static ds_rc columns(metric_table *o, const tally *t, const ds_str *order, size_t n_order,
	ds_arena *mem, ds_err *e)
{
	uint32_t *of = ds_arena_get(mem, (t->n_scores + 1) * sizeof(*of));
	if (n_order && n_order != t->n_scores && !(t->n_scores == 1 && n_order == 2))
		return ds_fail(e, DS_USAGE, "--classes names %zu, score has %u values", n_order,
			t->n_scores);
	o->positive = o->n_classes ? o->n_classes - 1 : 0;
	for (uint32_t c = 0; n_order == 2 && c < o->n_classes; c++)
		if (ds_str_eq(o->classes[c], order[1]))
			o->positive = c;
	if (t->n_scores == 1)
		return DS_OK;
	if (!n_order && !in_byte_order(o))
		return ds_fail(e, DS_BAD,
			"the labels sort in another way as numbers than as text: name the order of "
			"score's values with --classes");
	if (!n_order && o->n_classes != t->n_scores)
		return ds_fail(e, DS_BAD,
			"score has %u values and there are %u labels: name them in order with "
			"--classes",
			t->n_scores, o->n_classes);
	for (uint32_t i = 0; i < t->n_scores; i++) {
		of[i] = n_order ? UINT32_MAX : i;
		for (uint32_t c = 0; n_order && c < o->n_classes; c++)
			if (ds_str_eq(o->classes[c], order[i]))
				of[i] = c;
	}
	for (uint32_t c = 0; n_order && c < o->n_classes; c++) {
		bool found = false;
		for (uint32_t i = 0; i < n_order; i++)
			found = found || ds_str_eq(o->classes[c], order[i]);
		if (!found)
			return ds_fail(e, DS_BAD, "--classes does not name label '%.*s'",
				DS_FMT(o->classes[c]));
	}
	o->column_class = of;
	return DS_OK;
}

static void count_cells(metric_table *o, const tally *t, const uint32_t *rank, ds_arena *mem)
{
	size_t bytes = (o->n_classes + 1) * sizeof(uint64_t);
	uint64_t *support = ds_arena_zero(mem, bytes), *predicted = ds_arena_zero(mem, bytes),
		 *hits = ds_arena_zero(mem, bytes);
	tally_cell *cells = ds_arena_get(mem, (t->n_cells + 1) * sizeof(*cells));
	for (uint32_t i = 0; i < t->n_slots; i++) {
		tally_cell c = t->cells[i];
		if (!c.n)
			continue;
		c.label = rank[c.label];
		c.pred = rank[c.pred];
		support[c.label] += c.n;
		predicted[c.pred] += c.n;
		hits[c.label] += c.label == c.pred ? c.n : 0;
		cells[o->n_cells++] = c;
	}
	o->cells = cells;
	o->support = support;
	o->predicted = predicted;
	o->hits = hits;
}

/* Classes that stand as labels alone: scores know nothing of what else was predicted. */
static uint32_t keep_labels(uint32_t *sorted, uint32_t *rank, const tally *t, ds_arena *mem)
{
	bool *used = ds_arena_zero(mem, names_count(t->classes) + 1);
	uint32_t n = 0;
	for (uint64_t i = 0; i < t->n; i++)
		used[t->labels[i]] = true;
	for (uint32_t i = 0; i < names_count(t->classes); i++)
		if (used[sorted[i]]) {
			rank[sorted[i]] = n;
			sorted[n++] = sorted[i];
		}
	return n;
}

ds_rc tally_table(metric_table *o, const tally *t, bool scores, const ds_str *order, size_t n_order,
	ds_arena *mem, ds_err *e)
{
	uint32_t *rank, *labels, *sorted = names_sorted(t->classes, &rank, mem);
	ds_str *classes;
	*o = (metric_table){ .n = t->n, .n_classes = names_count(t->classes), .pairs = t->pairs };
	if (scores)
		o->n_classes = keep_labels(sorted, rank, t, mem);
	classes = ds_arena_get(mem, (o->n_classes + 1) * sizeof(*classes));
	for (uint32_t i = 0; i < o->n_classes; i++)
		classes[i] = names_get(t->classes, sorted[i]);
	o->classes = classes;
	if (!scores) {
		count_cells(o, t, rank, mem);
		return DS_OK;
	}
	labels = ds_arena_get(mem, (t->n + 1) * sizeof(*labels));
	for (uint64_t i = 0; i < t->n; i++)
		labels[i] = rank[t->labels[i]];
	o->labels = labels;
	o->scores = t->scores;
	o->n_scores = t->n_scores;
	return columns(o, t, order, n_order, mem, e);
}
