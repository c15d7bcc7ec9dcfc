/*
 * field_texts.c - the texts of a block's rows, and what becomes of them
 */
#include "record/field_impl.h"

#include "record/block_impl.h"

ds_col *ds_field_start(const ds_block *b, const ds_path *p, size_t *steps)
{
	ds_col *c = ds_block_find_str(b, p->spelled);
	*steps = p->n;
	for (size_t i = p->n; !c && i > 0; i--) {
		*steps = i;
		c = ds_block_find_str(
			b, i == 1 ? p->steps[0].key : (ds_str){ p->spelled.at, p->ends[i - 1] });
	}
	return c;
}

enum { NOWHERE = UINT32_MAX };

struct ds_place {     /* of a path */
	uint32_t col; /* NOWHERE: there is none */
	size_t steps; /* of the path, in the column's name */
};

/* The columns that the paths begin with, decoded, as views that outlive changes of the block. */
static ds_rc find_columns(ds_texts *t, ds_err *e)
{
	const ds_field *f = t->field;
	ds_col **cols = ds_arena_get(t->b->mem, (f->n + 1) * sizeof(*cols));
	t->places = ds_arena_get(t->b->mem, (f->n + 1) * sizeof(*t->places));
	for (size_t i = 0; i < f->n; i++) {
		struct ds_place *at = &t->places[i];
		ds_col *c = ds_field_start(t->b, &f->paths[i], &at->steps);
		at->col = c ? 0 : NOWHERE;
		while (c && at->col < t->n_cols && cols[at->col] != c)
			at->col++;
		if (!c || at->col < t->n_cols)
			continue;
		DS_TRY(ds_col_decode(t->b, c, e));
		cols[t->n_cols++] = c;
	}
	t->cols = ds_arena_get(t->b->mem, (t->n_cols + 1) * sizeof(*t->cols));
	t->out = ds_arena_zero(t->b->mem, (t->n_cols + 1) * sizeof(*t->out));
	for (uint32_t k = 0; k < t->n_cols; k++)
		t->cols[k] = *cols[k];
	return DS_OK;
}

static uint32_t count_bits(const uint8_t *map, uint32_t n)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < n / 8; i++)
		sum += (uint32_t)__builtin_popcount(map[i]);
	for (uint32_t i = n / 8 * 8; i < n; i++)
		sum += ds_bit(map, i);
	return sum;
}

ds_rc ds_texts_open(ds_texts *t, const ds_field *f, ds_block *b, ds_field_count *count, ds_err *e)
{
	*t = (ds_texts){ .b = b, .field = f, .count = count };
	DS_TRY(find_columns(t, e));
	if (f->n == 1 && t->n_cols && t->cols[0].type != DS_T_JSON &&
		t->places[0].steps == f->paths[0].n)
		t->whole = &t->cols[0];
	if (!count || (t->n_cols && !t->whole))
		return DS_OK;
	/* Known without looking at the rows. */
	t->counted = b->n_rows;
	uint32_t with = !t->whole            ? 0
			: !t->whole->present ? b->n_rows
					     : count_bits(t->whole->present, b->n_rows);
	count->n_with += with;
	count->n_without += b->n_rows - with;
	if (t->whole && t->whole->nulls)
		count->n_without += count_bits(t->whole->nulls, b->n_rows);
	return DS_OK;
}

static ds_rc add_value(ds_found *found, ds_texts *t, size_t i, uint32_t row, ds_err *e)
{
	const ds_path *p = &t->field->paths[i];
	const struct ds_place *at = &t->places[i];
	ds_str text;
	bool has;
	if (at->col == NOWHERE || !ds_col_has(&t->cols[at->col], row))
		return DS_OK;
	const ds_col *c = &t->cols[at->col];
	if (c->type == DS_T_JSON && !ds_col_null(c, row))
		return ds_field_walk(found, ds_col_bytes(c, row), p->steps + at->steps,
			p->n - at->steps, at->col, e);
	if (at->steps < p->n)
		return DS_OK;
	found->there = true;
	DS_TRY(ds_block_text(t->b, c, row, &text, &has, e));
	if (has)
		ds_found_add(found, (ds_text_part){ .text = text, .col = at->col });
	return DS_OK;
}

ds_rc ds_texts_parts(ds_texts *t, uint32_t row, ds_text_part **parts, size_t *n, ds_err *e)
{
	const ds_field *f = t->field;
	ds_found found = { .mem = t->b->mem, .name = f->name, .cap = t->whole != NULL };
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < f->n && rc == DS_OK && t->n_cols; i++)
		rc = add_value(&found, t, i, row, e);
	if (t->count && row >= t->counted) {
		t->counted = row + 1;
		t->count->n_with += found.there || rc != DS_OK;
		t->count->n_without += rc == DS_OK && !found.n;
	}
	*parts = found.at;
	*n = found.n;
	return rc;
}

ds_rc ds_texts_joined(ds_texts *t, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	ds_text_part *p;
	size_t n, bytes = 0;
	*out = (ds_str){ "", 0 };
	*has = false;
	DS_TRY(ds_texts_parts(t, row, &p, &n, e));
	*has = n > 0;
	if (n == 1)
		*out = p->text;
	if (n < 2)
		return DS_OK;
	for (size_t i = 0; i < n; i++)
		bytes += p[i].text.n + 1;
	char *w = ds_arena_bytes(t->b->mem, bytes);
	*out = (ds_str){ w, bytes - 1 };
	for (size_t i = 0; i < n; i++) {
		if (i)
			*w++ = '\n';
		if (p[i].text.n)
			memcpy(w, p[i].text.at, p[i].text.n);
		w += p[i].text.n;
	}
	return DS_OK;
}

static void put_as_it_was(ds_colb *to, const ds_col *c, uint32_t row)
{
	if (!ds_col_has(c, row))
		ds_colb_absent(to);
	else if (ds_col_null(c, row))
		ds_colb_null(to);
	else
		ds_colb_bytes(to, ds_col_bytes(c, row));
}

static bool is_before(const ds_text_part *a, const ds_text_part *b)
{
	return a->raw.at < b->raw.at;
}

/* The value with the new texts in the places of the old ones. */
static void put_spliced(ds_colb *to, ds_block *b, ds_str json, const ds_text_part **parts, size_t n)
{
	ds_str *strings = ds_arena_get(b->mem, (n + 1) * sizeof(*strings));
	const char *from = json.at, *end = json.at + json.n;
	size_t bytes = json.n;
	/* In the order of the value: paths may be in another. */
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && is_before(parts[k], parts[k - 1]); k--) {
			const ds_text_part *swap = parts[k];
			parts[k] = parts[k - 1];
			parts[k - 1] = swap;
		}
	for (size_t i = 0; i < n; i++) {
		strings[i] = ds_json_quoted(b->mem, parts[i]->now);
		bytes += strings[i].n;
	}
	char *w = ds_colb_reserve(to, bytes), *first = w;
	for (size_t i = 0; i < n; i++) {
		if (parts[i]->raw.at < from) /* the same text by another path */
			continue;
		size_t before = (size_t)(parts[i]->raw.at - from);
		memcpy(w, from, before);
		memcpy(w + before, strings[i].at, strings[i].n);
		w += before + strings[i].n;
		from = parts[i]->raw.at + parts[i]->raw.n;
	}
	memcpy(w, from, (size_t)(end - from));
	ds_colb_wrote(to, (size_t)(w - first) + (size_t)(end - from));
}

static void begin_column(ds_texts *t, uint32_t k, uint32_t row)
{
	t->out[k] = ds_colb_new_n(t->b, t->cols[k].name, t->cols[k].type);
	for (uint32_t i = 0; i < row; i++)
		put_as_it_was(t->out[k], &t->cols[k], i);
}

void ds_texts_put(ds_texts *t, uint32_t row, const ds_text_part *parts, size_t n)
{
	for (uint32_t k = 0; k < t->n_cols; k++) {
		const ds_text_part **changed = NULL;
		size_t n_changed = 0;
		for (size_t i = 0; i < n; i++) {
			if (parts[i].col != k || !parts[i].now.at)
				continue;
			if (!changed)
				changed = ds_arena_get(t->b->mem, n * sizeof(*changed));
			changed[n_changed++] = &parts[i];
		}
		if (n_changed && !t->out[k])
			begin_column(t, k, row);
		if (!t->out[k])
			continue;
		if (!n_changed)
			put_as_it_was(t->out[k], &t->cols[k], row);
		else if (!changed[0]->raw.at)
			ds_colb_bytes(t->out[k], changed[0]->now);
		else
			put_spliced(t->out[k], t->b, ds_col_bytes(&t->cols[k], row), changed,
				n_changed);
	}
}

void ds_texts_remove(ds_texts *t)
{
	for (size_t i = 0; i < t->field->n; i++)
		if (t->places[i].col != NOWHERE && t->places[i].steps == t->field->paths[i].n)
			ds_block_remove_str(t->b, t->cols[t->places[i].col].name);
}

ds_rc ds_texts_finish(ds_texts *t, ds_err *e)
{
	for (uint32_t k = 0; k < t->n_cols; k++)
		if (t->out[k])
			DS_TRY(ds_colb_put(t->out[k], e));
	return DS_OK;
}
