/*
 * fields.c - a stretch of rows as a block
 *
 * A column without children is a field of its type. What is nested is JSON, but for pictures as Hugging Face
 * lays them (bytes and path) and for the well-known lists of numbers.
 */
#include "record/parquet/fields.h"

#include "record/json_columns.h"
#include "record/parquet/assemble.h"

#define MOST_BYTES (((uint64_t)1 << 32) - 65536)

typedef enum { SCALAR, PICTURE, IDS, FLOATS, NESTED } field_kind;

struct ds_pq_field {
	const ds_pq_node *node;
	field_kind kind;
	ds_str path_name; /* PICTURE */
};

typedef struct {
	const ds_pq_fields *f;
	ds_pq_chunk *const *chunks;
	uint64_t from, to;
	ds_arena *mem;
	ds_block *b;
	ds_pq_leaf *leaves; /* of the whole file */
} work;

/* The leaf of a plain list, or NULL. */
static const ds_pq_node *element_of(const ds_pq_node *n)
{
	if (n->repetition == DS_PQ_REPEATED)
		return n->n_children ? NULL : n;
	if (n->group != DS_PQ_LIST || n->n_children == 0)
		return NULL;
	const ds_pq_node *x = n->element;
	return x->n_children || (x != n->repeated && x->repetition == DS_PQ_REPEATED) ? NULL : x;
}

static bool is_picture(const ds_pq_node *n)
{
	const ds_pq_node *bytes = n->first, *path = bytes ? bytes->next : NULL;
	return n->n_children == 2 && n->repetition != DS_PQ_REPEATED &&
	       ds_str_is(bytes->name, "bytes") && ds_str_is(path->name, "path") &&
	       !bytes->n_children && !path->n_children && !bytes->max_rep && !path->max_rep &&
	       bytes->type == DS_PQ_BYTE_ARRAY && bytes->scalar.kind == DS_SC_BYTES &&
	       path->scalar.kind == DS_SC_TEXT;
}

static field_kind kind_of(const ds_pq_node *n)
{
	const ds_pq_node *x = element_of(n);
	bool number = x && (x->scalar.kind == DS_SC_I64 || x->scalar.kind == DS_SC_U64);
	if (!n->n_children && n->repetition != DS_PQ_REPEATED)
		return SCALAR;
	if (is_picture(n))
		return PICTURE;
	if (number && (ds_str_is(n->name, "tokens") || ds_str_is(n->name, "docs")))
		return IDS;
	number |= x && x->scalar.form == DS_FORM_FLOAT;
	if (number && (ds_str_is(n->name, "embedding") || ds_str_is(n->name, "score")))
		return FLOATS;
	return NESTED;
}

static void add_field(ds_pq_fields *f, const ds_pq_node *n)
{
	ds_pq_field *x = &f->at[f->n++];
	*x = (ds_pq_field){ .node = n, .kind = kind_of(n) };
	if (x->kind == PICTURE)
		x->path_name = ds_arena_fmt(f->file->mem, "%.*s_path", (int)n->name.n, n->name.at);
	for (uint32_t i = 0; i < n->n_leaves; i++)
		f->wanted[n->first_leaf + i] = true;
}

static ds_rc add_named(ds_pq_fields *f, ds_str name, ds_err *e)
{
	const ds_pq_node *root = f->file->meta.root;
	ds_buf names = { 0 };
	for (const ds_pq_node *n = root->first; n; n = n->next)
		if (ds_str_eq(n->name, name)) {
			if (!f->wanted[n->first_leaf])
				add_field(f, n);
			return DS_OK;
		}
	for (const ds_pq_node *n = root->first; n && names.n < 300; n = n->next)
		ds_buf_fmt(&names, "%s%.*s", names.n ? ", " : "", DS_FMT(n->name));
	ds_fail(e, DS_USAGE, "%.*s: --columns '%.*s' is none of %s", DS_FMT(f->file->meta.name),
		DS_FMT(name), ds_buf_text(&names));
	ds_buf_free(&names);
	return DS_USAGE;
}

ds_rc ds_pq_choose(ds_pq_fields *f, ds_pq_file *file, const ds_input_opts *c, ds_err *e)
{
	const ds_pq_meta *m = &file->meta;
	*f = (ds_pq_fields){ .file = file, .max_record = c->max_record };
	f->at = ds_arena_get(file->mem, (m->root->n_children + 1) * sizeof(*f->at));
	f->wanted = ds_arena_zero(file->mem, m->n_leaves + 1);
	if (c->columns)
		for (ds_str rest = ds_str_of(c->columns); rest.at;)
			DS_TRY(add_named(f, ds_str_cut(rest, ',', &rest), e));
	else
		for (const ds_pq_node *n = m->root->first; n; n = n->next)
			add_field(f, n);
	uint32_t columns = f->n_columns = f->n;
	for (uint32_t i = 0; i < f->n; i++)
		columns += f->at[i].kind == PICTURE;
	for (; columns >= DS_MAX_COLUMNS && f->n_columns; f->n_columns--)
		columns -= f->at[f->n_columns - 1].kind == PICTURE ? 2 : 1;
	return DS_OK;
}

static ds_rc read_leaves(work *w, const ds_pq_node *n, ds_err *e)
{
	for (uint32_t i = n->first_leaf; i < n->first_leaf + n->n_leaves; i++) {
		ds_pq_leaf *l = &w->leaves[i];
		*l = (ds_pq_leaf){ .leaf = w->f->file->meta.leaves[i] };
		DS_TRY(ds_pq_chunk_read(w->chunks[i], w->from, w->to, w->mem, &l->s, e));
	}
	return DS_OK;
}

static void leaves_done(work *w, const ds_pq_node *n)
{
	for (uint32_t i = n->first_leaf; i < n->first_leaf + n->n_leaves; i++)
		ds_pq_stretch_done(w->chunks[i], &w->leaves[i].s);
}

/* Which rows have a value of a leaf that does not repeat; NULL: all. */
static const uint8_t *valid_of(work *w, const ds_pq_leaf *l)
{
	if (!l->s.def)
		return NULL;
	uint8_t *valid = ds_arena_get(w->mem, l->s.n + 64);
	for (size_t i = 0; i < l->s.n; i++)
		valid[i] = l->s.def[i] == l->leaf->max_def;
	return valid;
}

static ds_rc add_scalar(work *w, const ds_pq_node *n, ds_err *e)
{
	const ds_pq_leaf *l = &w->leaves[n->first_leaf];
	ds_scalar k = n->scalar;
	ds_scalars v = l->s.values;
	if (ds_str_is(n->name, "score") && k.kind == DS_SC_I64) { /* has one type everywhere */
		double *f = ds_arena_get(w->mem, v.n_values * sizeof(*f) + 64);
		for (size_t i = 0; i < v.n_values; i++)
			f[i] = (double)v.i[i];
		v.f = f;
		k = (ds_scalar){ .kind = DS_SC_F64, .form = DS_FORM_FLOAT };
	}
	return ds_scalar_column(w->b, n->name, &k, &v, valid_of(w, l), e);
}

static ds_rc add_picture(work *w, const ds_pq_field *x, ds_err *e)
{
	const ds_pq_leaf *bytes = &w->leaves[x->node->first_leaf], *path = bytes + 1;
	DS_TRY(ds_scalar_column(w->b, x->node->name, &bytes->leaf->scalar, &bytes->s.values,
		valid_of(w, bytes), e));
	if (!path->s.values.n_values)
		return DS_OK;
	return ds_scalar_column(
		w->b, x->path_name, &path->leaf->scalar, &path->s.values, valid_of(w, path), e);
}

typedef struct {
	uint32_t *off;
	uint8_t *valid;
	size_t n;
} lists;

/* Where each row's list begins; false where an element is null. */
static bool cut_lists(work *w, const ds_pq_node *n, lists *out)
{
	const ds_pq_leaf *l = &w->leaves[n->first_leaf];
	unsigned full = l->leaf->max_def, field = n->repetition == DS_PQ_OPTIONAL ? n->max_def : 0;
	unsigned begun = n->repetition == DS_PQ_REPEATED ? n->max_def : n->repeated->max_def;
	uint32_t rows = w->b->n_rows;
	*out = (lists){ ds_arena_get(w->mem, ((size_t)rows + 1) * 4 + 64),
		ds_arena_get(w->mem, rows + 64), 0 };
	size_t row = 0;
	if (l->s.n > UINT32_MAX - 64)
		return false;
	for (size_t i = 0; i < l->s.n; i++) {
		unsigned def = l->s.def ? l->s.def[i] : full;
		if (!l->s.rep[i]) {
			if (row == rows)
				return false;
			out->valid[row] = def >= field;
			out->off[row++] = (uint32_t)out->n;
		}
		if (def >= begun && def < full)
			return false;
		out->n += def == full;
	}
	out->off[rows] = (uint32_t)out->n;
	return row == rows;
}

static void add_list(work *w, const ds_pq_node *n, const lists *at, ds_type type, const void *data)
{
	ds_ready_column(w->b,
		(ds_col){ .name = n->name, .type = type, .off = at->off, .data = data }, at->valid);
}

static bool add_ids(work *w, const ds_pq_node *n)
{
	lists at;
	const int64_t *v = w->leaves[n->first_leaf].s.values.i;
	uint64_t all = 0;
	if (!cut_lists(w, n, &at))
		return false;
	for (size_t i = 0; i < at.n; i++)
		all |= (uint64_t)v[i];
	if (all > UINT32_MAX)
		return false;
	uint32_t *wide = ds_arena_get(w->mem, at.n * sizeof(*wide) + 64);
	uint16_t *narrow = (uint16_t *)(void *)wide;
	for (size_t i = 0; i < at.n && all > UINT16_MAX; i++)
		wide[i] = (uint32_t)v[i];
	for (size_t i = 0; i < at.n && all <= UINT16_MAX; i++)
		narrow[i] = (uint16_t)v[i];
	add_list(w, n, &at, all > UINT16_MAX ? DS_T_U32S : DS_T_U16S, wide);
	return true;
}

static bool add_floats(work *w, const ds_pq_node *n)
{
	lists at;
	const ds_scalars *v = &w->leaves[n->first_leaf].s.values;
	if (!cut_lists(w, n, &at))
		return false;
	float *out = ds_arena_get(w->mem, at.n * sizeof(*out) + 64);
	for (size_t i = 0; i < at.n; i++)
		out[i] = v->f ? (float)v->f[i] : (float)v->i[i];
	add_list(w, n, &at, DS_T_F32S, out);
	return true;
}

static ds_rc not_assembled(
	const work *w, const ds_pq_nest *a, const ds_pq_node *n, uint32_t row, ds_err *e)
{
	if (!a->over)
		return ds_fail(
			e, DS_SHORT, "damaged: column '%.*s': %s", DS_FMT(n->name), a->wrong);
	return ds_fail(e, DS_BAD, "row %llu: column '%.*s': over %zu bytes as JSON",
		(unsigned long long)(w->from + row) + 1, DS_FMT(n->name), a->limit);
}

/* The most that the text may have after one more row. */
static size_t limit_of(const work *w, size_t n)
{
	uint64_t most = n + w->f->max_record;
	return most < MOST_BYTES ? (size_t)most : (size_t)MOST_BYTES;
}

static ds_rc add_nested(work *w, const ds_pq_node *n, ds_err *e)
{
	uint32_t rows = w->b->n_rows;
	ds_text t = ds_text_new(w->mem, w->leaves[n->first_leaf].s.n * 8);
	ds_pq_nest a = { .leaves = w->leaves, .out = &t };
	uint8_t *valid = ds_arena_get(w->mem, rows + 64);
	uint32_t *off = ds_arena_get(w->mem, ((size_t)rows + 1) * 4 + 64);
	for (uint32_t i = 0; i < rows; i++) {
		size_t begin = off[i] = (uint32_t)t.n;
		a.limit = limit_of(w, t.n);
		valid[i] = ds_pq_is_there(&a, n);
		if (!ds_pq_assemble(&a, n))
			return not_assembled(w, &a, n, i, e);
		if (!valid[i])
			t.n = begin;
	}
	off[rows] = (uint32_t)t.n;
	ds_ready_column(w->b,
		(ds_col){ .name = n->name, .type = DS_T_JSON, .off = off, .data = t.at }, valid);
	return DS_OK;
}

static ds_rc add_column(work *w, const ds_pq_field *x, ds_err *e)
{
	switch (x->kind) {
	case SCALAR:
		return add_scalar(w, x->node, e);
	case PICTURE:
		return add_picture(w, x, e);
	case IDS:
		return add_ids(w, x->node) ? DS_OK : add_nested(w, x->node, e);
	case FLOATS:
		return add_floats(w, x->node) ? DS_OK : add_nested(w, x->node, e);
	default:
		return add_nested(w, x->node, e);
	}
}

/* Columns for which a block has no room are members of one. */
static ds_rc add_more(work *w, ds_err *e)
{
	const ds_pq_fields *f = w->f;
	uint32_t rows = w->b->n_rows;
	ds_text t = ds_text_new(w->mem, (size_t)rows * (f->n - f->n_columns) * 16);
	ds_pq_nest a = { .leaves = w->leaves, .out = &t };
	uint32_t *off = ds_arena_get(w->mem, ((size_t)rows + 1) * 4 + 64);
	for (uint32_t k = f->n_columns; k < f->n; k++)
		DS_TRY(read_leaves(w, f->at[k].node, e));
	for (uint32_t i = 0; i < rows; i++) {
		off[i] = (uint32_t)t.n;
		a.limit = limit_of(w, t.n);
		for (uint32_t k = f->n_columns; k < f->n; k++) {
			const ds_pq_node *n = f->at[k].node;
			ds_text_byte(&t, k == f->n_columns ? '{' : ',');
			ds_text_add(&t, n->label.at, n->label.n);
			if (!ds_pq_assemble(&a, n))
				return not_assembled(w, &a, n, i, e);
		}
		ds_text_byte(&t, '}');
	}
	off[rows] = (uint32_t)t.n;
	for (uint32_t k = f->n_columns; k < f->n; k++)
		leaves_done(w, f->at[k].node);
	ds_ready_column(w->b,
		(ds_col){ .name = DS_S(DS_MORE), .type = DS_T_JSON, .off = off, .data = t.at },
		NULL);
	return DS_OK;
}

ds_rc ds_pq_make_block(const ds_pq_fields *f, ds_pq_chunk *const *chunks, uint64_t from,
	uint64_t to, ds_arena *mem, ds_block **out, ds_err *e)
{
	work w = { f, chunks, from, to, mem, ds_block_new(mem, (uint32_t)(to - from)), NULL };
	w.leaves = ds_arena_get(mem, (f->file->meta.n_leaves + 1) * sizeof(*w.leaves));
	for (uint32_t i = 0; i < f->n_columns; i++) {
		DS_TRY(read_leaves(&w, f->at[i].node, e));
		DS_TRY(add_column(&w, &f->at[i], e));
		leaves_done(&w, f->at[i].node);
	}
	if (f->n_columns < f->n)
		DS_TRY(add_more(&w, e));
	*out = w.b;
	return DS_OK;
}
