/*
 * stat.c - counts, types, lengths and labels of a stream
 */
#include "stat.h"

#include "base/mem.h"
#include "record/export.h"

#include <math.h>
#include <stdlib.h>

unsigned stat_bin(uint64_t size)
{
	if (size < 32)
		return (unsigned)size;
	unsigned octave = 63 - (unsigned)__builtin_clzll(size);
	return 32 + (octave - 5) * 16 + (unsigned)(size >> (octave - 4) & 15);
}

uint64_t stat_bin_low(unsigned bin)
{
	if (bin < 32)
		return bin;
	unsigned octave = (bin - 32) / 16 + 5;
	return (uint64_t)(16 + (bin - 32) % 16) << (octave - 4);
}

uint64_t stat_quantile(const stat_field *f, double share)
{
	uint64_t want = (uint64_t)ceil(share * (double)f->n), seen = 0;
	for (unsigned i = 0; i < STAT_BINS; i++) {
		seen += f->bins[i];
		if (seen >= want && seen)
			return stat_bin_low(i) < f->min ? f->min : stat_bin_low(i);
	}
	return f->max;
}

const char *stat_unit(const stat_field *f)
{
	if (f->types & (1u << DS_T_UTF8 | 1u << DS_T_JSON))
		return "characters";
	if (f->types & 1u << DS_T_BYTES)
		return "bytes";
	return f->bins ? "values" : NULL;
}

static void add_size(stat_field *f, uint64_t size)
{
	if (!f->bins)
		f->bins = DS_NEW(uint64_t, STAT_BINS);
	if (f->n == 0 || size < f->min)
		f->min = size;
	if (size > f->max)
		f->max = size;
	f->n++;
	f->sum += (double)size;
	f->bins[stat_bin(size)]++;
}

static void add_number(stat_field *f, double v)
{
	if (f->n_numbers == 0 || v < f->least)
		f->least = v;
	if (f->n_numbers == 0 || v > f->most)
		f->most = v;
	f->total += v;
	f->n_numbers++;
}

/* Bytes that begin a character. */
static uint64_t characters(ds_str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
	return n;
}

static void add_value(stat_field *f, const ds_col *c, uint32_t row)
{
	size_t n = c->off ? c->off[row + 1] - c->off[row] : 0;
	switch (c->type) {
	case DS_T_UTF8:
	case DS_T_JSON:
		add_size(f, characters(ds_col_bytes(c, row)));
		f->bytes += n;
		break;
	case DS_T_BYTES:
		add_size(f, n);
		f->bytes += n;
		break;
	case DS_T_U16S:
		add_size(f, n);
		f->bytes += 2 * n;
		break;
	case DS_T_U32S:
	case DS_T_F32S:
		add_size(f, n);
		f->bytes += 4 * n;
		break;
	case DS_T_I64:
		add_number(f, (double)ds_col_i64(c, row));
		f->bytes += 8;
		break;
	case DS_T_F64:
		add_number(f, ds_col_f64(c, row));
		f->bytes += 8;
		break;
	case DS_T_BOOL:
		add_number(f, ds_col_bool(c, row));
		f->bytes += 1;
		break;
	}
}

/* The field of that name; NULL where there are too many to follow each. */
static stat_field *field_of(stats *s, ds_str name)
{
	uint64_t *at = ds_map_find(s->names, name);
	if (at)
		return &s->fields[*at];
	if (s->n_fields == STAT_MAX_FIELDS) {
		s->other_fields++;
		return NULL;
	}
	*ds_map_put(s->names, name, NULL) = s->n_fields;
	return &s->fields[s->n_fields++];
}

static void add_column(stats *s, const ds_block *b, const ds_col *c)
{
	stat_field *f = field_of(s, c->name);
	if (!f)
		return;
	bool any = false;
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (!ds_col_has(c, row))
			continue;
		f->present++;
		if (ds_col_null(c, row)) {
			f->nulls++;
		} else {
			add_value(f, c, row);
			any = true;
		}
	}
	if (any)
		f->types |= 1u << c->type;
}

static void add_labels(stat_labels *l, ds_block *b, const ds_col *c)
{
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (!ds_col_has(c, row) || ds_col_null(c, row))
			continue;
		ds_text text = ds_text_new(b->mem, 32);
		ds_text_plain(&text, c, row);
		ds_str key = { text.at, text.n };
		uint64_t *n = ds_map_find(l->values, key);
		l->n++;
		if (!n && ds_map_count(l->values) == STAT_MAX_LABELS) {
			l->others++;
			continue;
		}
		if (!n)
			n = ds_map_put(l->values, key, NULL);
		++*n;
	}
}

/* What a path leads to is measured as a column of the path's name would be. */
static ds_rc add_path(stats *s, ds_block *b, ds_err *e)
{
	ds_texts t;
	DS_TRY(ds_texts_open(&t, s->field, b, &s->count, e));
	if (!s->count.n_with)
		DS_TRY(ds_field_names_add(&s->names_there, b, e));
	if (ds_field_is_column(s->field))
		return DS_OK;
	ds_colb *made = ds_colb_new(b, ds_field_name(s->field), DS_T_UTF8);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		ds_str text;
		bool has;
		DS_TRY(ds_texts_get(&t, row, &text, &has, e));
		if (has)
			ds_colb_bytes(made, text);
		else
			ds_colb_absent(made);
	}
	return ds_colb_put(made, e);
}

static ds_rc add_block(stats *s, ds_block *b, ds_err *e)
{
	if (s->field)
		DS_TRY(add_path(s, b, e));
	s->blocks++;
	s->records += b->n_rows;
	s->input_bytes += b->input_bytes;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
		add_column(s, b, &b->cols[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		const ds_col *c = ds_block_find(b, s->labels[i].name);
		if (c && c->type != DS_T_BYTES)
			add_labels(&s->labels[i], b, c);
	}
	return DS_OK;
}

static ds_rc read_all(stats *s, const ds_common *c, ds_source *source, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	DS_AUTO(ds_progress) p = ds_progress_new(&c->who);
	ds_progress_total(p, ds_source_total_bytes(source));
	for (;;) {
		ds_block *b;
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(source, mem, &b, e));
		if (!b)
			return DS_OK;
		if (b->n_rows)
			DS_TRY(add_block(s, b, e));
		ds_progress_add(p, b->n_rows, b->input_bytes);
	}
}

static int by_count(const void *a, const void *b)
{
	const stat_label *x = a, *y = b;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return ds_str_cmp(x->name, y->name);
}

stat_label *stat_sorted(const stat_labels *l, size_t *n)
{
	*n = ds_map_count(l->values);
	stat_label *all = DS_NEW(stat_label, *n + 1);
	for (size_t i = 0; i < *n; i++)
		all[i] = (stat_label){ ds_map_key(l->values, i), *ds_map_value(l->values, i) };
	qsort(all, *n, sizeof(*all), by_count);
	return all;
}

static ds_rc report(const stats *s, const ds_common *c, ds_err *e)
{
	ds_buf out = { 0 };
	switch (report_form(c)) {
	case 't':
		stat_table(&out, s, s->field ? ds_field_name(s->field) : NULL, opt.top);
		break;
	case 's':
		stat_tsv(&out, s, opt.top);
		break;
	default:
		stat_json(&out, s, s->field ? ds_field_name(s->field) : NULL, opt.top);
	}
	ds_rc rc = write_report(c, &out, e);
	ds_buf_free(&out);
	return rc;
}

ds_rc run_stat(const ds_common *c, ds_err *e)
{
	stats s = { .names = ds_map_new(64),
		.labels = { { .name = "label" }, { .name = "lang" } } };
	if (opt.top < 0)
		return ds_fail(e, DS_USAGE, "'--top': %d is below 0", opt.top);
	s.fields = DS_NEW(stat_field, STAT_MAX_FIELDS);
	s.labels[0].values = ds_map_new(64);
	s.labels[1].values = ds_map_new(64);
	DS_AUTO(ds_source) source = NULL;
	ds_rc rc = c->in.field.paths.n ? ds_field_of(&s.field, &c->in.field, e) : DS_OK;
	if (rc == DS_OK)
		rc = ds_source_open(&source, &c->in, e);
	if (rc == DS_OK)
		rc = read_all(&s, c, source, e);
	if (rc == DS_OK && s.count.n_without && !s.count.n_with)
		rc = ds_field_missing(ds_field_name(s.field), &s.names_there, "--field", e);
	if (rc == DS_OK)
		rc = report(&s, c, e);
	if (rc == DS_OK)
		rc = ds_source_tell(source, e);
	ds_field_free(s.field);
	ds_field_names_free(&s.names_there);
	for (size_t i = 0; i < s.n_fields; i++)
		ds_mem_free(s.fields[i].bins);
	ds_map_free(s.labels[0].values);
	ds_map_free(s.labels[1].values);
	ds_map_free(s.names);
	ds_mem_free(s.fields);
	return rc;
}
