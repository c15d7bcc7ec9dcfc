/*
 * assemble.c - record assembly, by walking the schema beside the levels
 */
#include "record/parquet/assemble.h"

#include "base/hash.h"

static bool emit(ds_pq_nest *a, const ds_pq_node *n);
static bool emit_body(ds_pq_nest *a, const ds_pq_node *n);

static bool fail(ds_pq_nest *a, const char *what)
{
	if (!a->wrong)
		a->wrong = what;
	return false;
}

static ds_pq_leaf *first_leaf(const ds_pq_nest *a, const ds_pq_node *n)
{
	return &a->leaves[n->first_leaf];
}

static unsigned def_of(const ds_pq_leaf *l)
{
	return l->s.def ? l->s.def[l->entry] : l->leaf->max_def;
}

static bool more(ds_pq_nest *a, const ds_pq_leaf *l)
{
	return l->entry < l->s.n || fail(a, "a column has fewer values than its neighbours");
}

static bool step(ds_pq_nest *a, ds_pq_leaf *l)
{
	if (!more(a, l))
		return false;
	l->value += def_of(l) == l->leaf->max_def;
	l->entry++;
	return true;
}

/* Each leaf below has one entry for what is not there. */
static bool skip(ds_pq_nest *a, const ds_pq_node *n)
{
	for (uint32_t i = 0; i < n->n_leaves; i++)
		if (!step(a, &a->leaves[n->first_leaf + i]))
			return false;
	return true;
}

static bool within_limit(ds_pq_nest *a)
{
	a->over |= a->out->n > a->limit;
	return !a->over;
}

static bool emit_leaf(ds_pq_nest *a, const ds_pq_node *n)
{
	ds_pq_leaf *l = first_leaf(a, n);
	if (!more(a, l))
		return false;
	if (def_of(l) == n->max_def)
		ds_scalar_json(a->out, &n->scalar, &l->s.values, l->value);
	else
		ds_text_add(a->out, "null", 4);
	return within_limit(a) && step(a, l);
}

static bool emit_struct(ds_pq_nest *a, const ds_pq_node *n)
{
	char before = '{';
	for (const ds_pq_node *c = n->first; c; c = c->next, before = ',') {
		ds_text_byte(a->out, before);
		ds_text_add(a->out, c->label.at, c->label.n);
		if (!emit(a, c))
			return false;
	}
	ds_text_byte(a->out, '}');
	return true;
}

/* The entry at which the next turn of the loop over `repeated` begins. */
static bool goes_on(const ds_pq_nest *a, const ds_pq_node *repeated)
{
	const ds_pq_leaf *l = first_leaf(a, repeated);
	return l->entry < l->s.n && l->s.rep[l->entry] == repeated->max_rep;
}

static bool is_empty(const ds_pq_nest *a, const ds_pq_node *repeated)
{
	return def_of(first_leaf(a, repeated)) < repeated->max_def;
}

static bool emit_list(ds_pq_nest *a, const ds_pq_node *repeated, const ds_pq_node *element)
{
	char before = '[';
	if (!more(a, first_leaf(a, repeated)))
		return false;
	if (is_empty(a, repeated)) {
		ds_text_add(a->out, "[]", 2);
		return skip(a, repeated);
	}
	do {
		ds_text_byte(a->out, before);
		before = ',';
		if (!(element == repeated ? emit_body(a, element) : emit(a, element)))
			return false;
	} while (goes_on(a, repeated));
	ds_text_byte(a->out, ']');
	return true;
}

enum { FEW = 16 };

typedef struct { /* keys of one map */
	ds_str few[FEW];
	size_t n;
	ds_map *many;
} keys;

static bool is_new(keys *k, ds_str key)
{
	bool fresh = true;
	for (size_t i = 0; i < k->n && i < FEW; i++)
		if (ds_str_eq(k->few[i], key))
			return false;
	if (k->n < FEW) {
		k->few[k->n++] = key;
		return true;
	}
	if (!k->many)
		k->many = ds_map_new(4 * FEW);
	ds_map_put(k->many, key, &fresh);
	return fresh;
}

/* A key as a member's name; *twice: it cannot be one. */
static bool emit_key(ds_pq_nest *a, const ds_pq_node *key, keys *seen, bool *twice)
{
	ds_pq_leaf *l = first_leaf(a, key);
	if (!more(a, l))
		return false;
	*twice = def_of(l) < key->max_def;
	if (*twice)
		return true;
	ds_str s = l->s.values.s[l->value];
	*twice = !is_new(seen, s);
	ds_json_raw_str(a->out, s);
	ds_text_byte(a->out, ':');
	return step(a, l);
}

static bool emit_value(ds_pq_nest *a, const ds_pq_node *n)
{
	if (n->value)
		return emit(a, n->value);
	ds_text_add(a->out, "null", 4);
	return true;
}

static bool emit_members(ds_pq_nest *a, const ds_pq_node *n, bool *twice)
{
	keys seen = { 0 };
	bool right = true;
	char before = '{';
	do {
		ds_text_byte(a->out, before);
		before = ',';
		right = emit_key(a, n->key, &seen, twice);
		if (right && !*twice)
			right = emit_value(a, n);
	} while (right && !*twice && goes_on(a, n->repeated));
	ds_map_free(seen.many);
	ds_text_byte(a->out, '}');
	return right;
}

static bool emit_pairs(ds_pq_nest *a, const ds_pq_node *n)
{
	char before = '[';
	do {
		ds_text_byte(a->out, before);
		before = ',';
		ds_text_byte(a->out, '[');
		if (!emit(a, n->key))
			return false;
		ds_text_byte(a->out, ',');
		if (!emit_value(a, n))
			return false;
		ds_text_byte(a->out, ']');
	} while (goes_on(a, n->repeated));
	ds_text_byte(a->out, ']');
	return true;
}

/* An object where keys are strings and differ, else pairs. */
static bool emit_map(ds_pq_nest *a, const ds_pq_node *n)
{
	bool strings = !n->key->n_children && n->key->scalar.kind == DS_SC_TEXT &&
		       n->key->repetition != DS_PQ_REPEATED;
	bool twice = false;
	if (!more(a, first_leaf(a, n)))
		return false;
	if (is_empty(a, n->repeated)) {
		ds_text_add(a->out, strings ? "{}" : "[]", 2);
		return skip(a, n->repeated);
	}
	if (!strings)
		return emit_pairs(a, n);
	size_t begin = a->out->n, n_leaves = n->n_leaves;
	ds_pq_leaf *leaves = &a->leaves[n->first_leaf];
	size_t *saved = ds_arena_get(a->out->mem, 2 * n_leaves * sizeof(*saved));
	for (size_t i = 0; i < n_leaves; i++) {
		saved[2 * i] = leaves[i].entry;
		saved[2 * i + 1] = leaves[i].value;
	}
	if (!emit_members(a, n, &twice))
		return false;
	if (!twice)
		return true;
	a->out->n = begin;
	for (size_t i = 0; i < n_leaves; i++) {
		leaves[i].entry = saved[2 * i];
		leaves[i].value = saved[2 * i + 1];
	}
	return emit_pairs(a, n);
}

static bool emit_body(ds_pq_nest *a, const ds_pq_node *n)
{
	if (!n->n_children)
		return emit_leaf(a, n);
	if (n->group == DS_PQ_LIST)
		return emit_list(a, n->repeated, n->element);
	return n->group == DS_PQ_MAP ? emit_map(a, n) : emit_struct(a, n);
}

static bool emit(ds_pq_nest *a, const ds_pq_node *n)
{
	const ds_pq_leaf *l = first_leaf(a, n);
	if (!more(a, l))
		return false;
	if (n->repetition == DS_PQ_REPEATED)
		return emit_list(a, n, n);
	if (n->repetition == DS_PQ_OPTIONAL && def_of(l) < n->max_def) {
		ds_text_add(a->out, "null", 4);
		return within_limit(a) && skip(a, n);
	}
	return emit_body(a, n);
}

bool ds_pq_is_there(const ds_pq_nest *a, const ds_pq_node *field)
{
	const ds_pq_leaf *l = first_leaf(a, field);
	return l->entry >= l->s.n || field->repetition != DS_PQ_OPTIONAL ||
	       def_of(l) >= field->max_def;
}

bool ds_pq_assemble(ds_pq_nest *a, const ds_pq_node *field)
{
	if (!emit(a, field))
		return false;
	for (uint32_t i = 0; i < field->n_leaves; i++) {
		const ds_pq_leaf *l = &a->leaves[field->first_leaf + i];
		if (l->entry < l->s.n && l->s.rep && l->s.rep[l->entry])
			return fail(a, "columns of one field do not go together");
	}
	return true;
}
