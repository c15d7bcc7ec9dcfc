/*
 * pipe_reads.c - whether the records have the fields that a stage works on
 *
 * A run that found nothing to work on must not look like one that went well. Counts are a block's, added up in
 * the order of the stream, so what is said does not depend on threads.
 */
#include "record/pipe_impl.h"

#include "base/mem.h"

ds_rc ds_reads_open(ds_pipe *p, ds_err *e)
{
	const ds_stage *s = p->s;
	size_t n = 1;
	while (s->reads && s->reads[n - 1])
		n++;
	p->read.at = DS_NEW(ds_field_count, n);
	p->fields = DS_NEW(ds_field *, n);
	p->n_reads = n;
	if (s->reads_field)
		DS_TRY(ds_field_of(&p->fields[0], &p->o->in->field, e));
	for (size_t i = 1; i < n; i++)
		DS_TRY(ds_field_new(&p->fields[i], &s->reads[i - 1], 1, e));
	return DS_OK;
}

void ds_reads_close(ds_pipe *p)
{
	for (size_t i = 0; i < p->n_reads; i++)
		ds_field_free(p->fields[i]);
	ds_mem_free(p->fields);
	ds_field_names_free(&p->read.names);
	ds_mem_free(p->read.at);
}

static bool is_needed(const ds_pipe *p, size_t i)
{
	return i || p->s->reads_field == DS_FIELD_NEEDED;
}

static bool none_yet(const ds_pipe *p)
{
	for (size_t i = 0; i < p->n_reads; i++)
		if (is_needed(p, i) && !__atomic_load_n(&p->read.at[i].n_with, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Of a column of any type; or: another that does as well. */
static void count_rows(ds_field_count *n, const ds_block *b, const ds_col *c, const ds_col * or)
{
	for (uint32_t row = 0; row < b->n_rows; row++) {
		bool other = or &&ds_col_has(or, row), has = c && ds_col_has(c, row);
		n->n_with += has || other;
		n->n_without += !other && (!has || ds_col_null(c, row));
	}
}

static ds_rc count_field(ds_field_count *n, ds_block *b, const ds_field *f, ds_err *e)
{
	ds_texts t;
	const ds_col *c;
	if (ds_field_is_column(f)) {
		DS_TRY(ds_block_get(b, ds_field_column(f), &c, e));
		count_rows(n, b, c, NULL);
		return DS_OK;
	}
	DS_TRY(ds_texts_open(&t, f, b, n, e));
	for (uint32_t row = t.counted; row < b->n_rows; row++) {
		ds_text_part *parts;
		size_t n_parts;
		ds_err unused;
		if (ds_texts_parts(&t, row, &parts, &n_parts, &unused) != DS_OK)
			continue; /* there, and whoever reads it will say what it is */
	}
	return DS_OK;
}

ds_rc ds_reads_block(ds_work *w, ds_err *e)
{
	ds_pipe *p = w->pipe;
	for (size_t i = 1; i < p->n_reads; i++)
		DS_TRY(count_field(&w->read.at[i], w->block, p->fields[i], e));
	/* Only for the message of a run that fails; of blocks before the first that has the field. */
	return none_yet(p) ? ds_field_names_add(&w->read.names, w->block, e) : DS_OK;
}

ds_rc ds_work_texts(ds_work *w, ds_texts *t, ds_err *e)
{
	const ds_field *f = w->pipe->fields[0];
	const char *instead = w->pipe->s->instead;
	const ds_col *other = NULL;
	bool counts = w->pipe->s->reads_field > DS_FIELD_OPTIONAL && !w->texts_counted;
	ds_field_count *count = counts ? &w->read.at[0] : NULL;
	w->texts_counted = true;
	if (instead)
		DS_TRY(ds_block_get(w->block, instead, &other, e));
	DS_TRY(ds_texts_open(t, f, w->block, other ? NULL : count, e));
	if (other && count)
		count_rows(count, w->block, t->n_cols ? &t->cols[0] : NULL, other);
	return DS_OK;
}

const ds_field *ds_work_field(const ds_work *w)
{
	return w->pipe->fields[0];
}

void ds_reads_merge(ds_work *w)
{
	ds_pipe *p = w->pipe;
	if (none_yet(p))
		ds_field_names_merge(&p->read.names, &w->read.names);
	for (size_t i = 0; i < p->n_reads; i++) {
		__atomic_fetch_add(&p->read.at[i].n_with, w->read.at[i].n_with, __ATOMIC_RELAXED);
		p->read.at[i].n_without += w->read.at[i].n_without;
	}
}

const char *ds_reads_name(const ds_pipe *p, size_t i)
{
	return ds_field_name(p->fields[i]);
}

ds_rc ds_reads_check(ds_pipe *p, ds_err *e)
{
	for (size_t i = 0; i < p->n_reads; i++) {
		const ds_field_count *n = &p->read.at[i];
		if (is_needed(p, i) && n->n_without && !n->n_with)
			return ds_field_missing(
				ds_reads_name(p, i), &p->read.names, i == 0 ? "--field" : NULL, e);
	}
	return DS_OK;
}
