/*
 * wanted.c - the metrics of a run
 */
#include "gather.h"

#include "base/mem.h"

static const metric *const table[] = {
#define METRIC(name) &metric_##name,
#include "metrics.def"
#undef METRIC
};
enum { N_TABLE = sizeof(table) / sizeof(table[0]) };

wanted_list *wanted_new(void)
{
	return DS_NEW(wanted_list, 1);
}

void wanted_free(wanted_list *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		wanted *w = &l->at[i];
		if (w->total)
			w->m->part_free(w->total);
		if (w->m->close && w->state)
			w->m->close(w->state);
		ds_mem_free(w->name);
	}
	ds_mem_free(l);
}

const metric *metric_find(ds_str typed)
{
	ds_str rest, name = ds_str_cut(typed, ':', &rest);
	for (size_t i = 0; i < N_TABLE; i++)
		if (ds_str_is(name, table[i]->name))
			return table[i];
	return NULL;
}

void metric_list(ds_buf *out)
{
	for (size_t i = 0; i < N_TABLE; i++)
		ds_buf_fmt(out, "%s%s", i ? ", " : "", table[i]->name);
}

ds_rc wanted_add(wanted_list *l, const metric *m, const metric_args *args, ds_err *e)
{
	metric_args a = *args;
	const char *colon = strchr(a.name, ':');
	if (l->n == MAX_METRICS)
		return ds_fail(e, DS_USAGE, "more than %d metrics", MAX_METRICS);
	wanted *w = &l->at[l->n++];
	w->m = m;
	w->name = ds_mem_text(a.name);
	a.variant = colon ? colon + 1 : "";
	a.n_sums = m->n_sums;
	a.needs = m->needs;
	if (*a.variant && !m->open)
		return ds_fail(e, DS_USAGE, "%s has no variants", m->name);
	if (m->open)
		DS_TRY(m->open(&w->state, &a, e));
	if (m->part_new)
		w->total = m->part_new(w->state);
	w->first_sum = l->shape.n_sums;
	w->n_sums = a.n_sums;
	l->sums[l->n - 1] = (tally_sums){ a.n_sums, a.merge };
	l->shape.parts = l->sums;
	l->shape.n_parts = (uint32_t)l->n;
	l->shape.n_sums += a.n_sums;
	l->needs |= a.needs;
	l->shape.classes = l->shape.classes || (m->of_table && (a.needs & METRIC_LABEL));
	l->shape.scores = l->shape.scores || (m->of_table && (a.needs & METRIC_SCORE));
	l->shape.numbers = l->shape.numbers || (a.needs & METRIC_NUMBERS);
	return DS_OK;
}
