/*
 * where.c - whether an expression holds for a record
 */
#include "where_impl.h"

#include "base/mem.h"

struct where_run {
	const where *w;
	ds_arena *mem; /* of one comparison */
	ds_regex_run *regexes[WHERE_TESTS];
};

where_run *where_run_new(const where *w)
{
	where_run *r = DS_NEW(where_run, 1);
	r->w = w;
	r->mem = ds_arena_new(4096);
	for (size_t i = 0; i < w->n_regexes; i++)
		r->regexes[i] = ds_regex_run_new(w->regexes[i]);
	return r;
}

void where_run_free(where_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->w->n_regexes; i++)
		ds_regex_run_free(r->regexes[i]);
	ds_arena_free(r->mem);
	ds_mem_free(r);
}

static bool is_number(const ds_json *v)
{
	return v->kind == DS_J_I64 || v->kind == DS_J_F64 || v->kind == DS_J_BIG;
}

enum { APART = 2 }; /* neither less, equal nor greater */

/* A double has no room for every whole number, so it is the double that is split. */
static int whole_with_double(int64_t a, double b)
{
	if (b != b)
		return APART;
	if (b >= 0x1p63)
		return -1;
	if (b < -0x1p63)
		return 1;
	int64_t whole = (int64_t)b;
	if (a != whole)
		return a < whole ? -1 : 1;
	return b > (double)whole ? -1 : b < (double)whole;
}

static int compare(const ds_json *a, const ds_json *b)
{
	if (a->kind == DS_J_STR && b->kind == DS_J_STR) {
		int c = ds_str_cmp(a->s, b->s);
		return c < 0 ? -1 : c > 0;
	}
	if (a->kind == DS_J_BOOL && b->kind == DS_J_BOOL)
		return a->b == b->b ? 0 : APART;
	if (a->kind == DS_J_NULL && b->kind == DS_J_NULL)
		return 0;
	if (!is_number(a) || !is_number(b))
		return APART;
	if (a->kind == DS_J_I64 && b->kind == DS_J_I64)
		return a->i < b->i ? -1 : a->i > b->i;
	if (a->kind == DS_J_I64)
		return whole_with_double(a->i, b->f);
	if (b->kind == DS_J_I64) {
		int c = whole_with_double(b->i, a->f);
		return c == APART ? c : -c;
	}
	return a->f < b->f ? -1 : a->f > b->f ? 1 : a->f == b->f ? 0 : APART;
}

static bool by_order(where_op op, int c)
{
	switch (op) {
	case WHERE_EQ:
		return c == 0;
	case WHERE_NE:
		return c != 0;
	case WHERE_LT:
		return c == -1;
	case WHERE_LE:
		return c == -1 || c == 0;
	case WHERE_GT:
		return c == 1;
	default:
		return c == 1 || c == 0;
	}
}

static ds_rc test_value(where_run *r, const where_node *t, const ds_json *v, bool *holds, ds_err *e)
{
	bool like = t->op == WHERE_LIKE, found = false;
	if (v->kind == DS_J_NULL && (like || t->op == WHERE_UNLIKE || t->value.kind != DS_J_NULL)) {
		*holds = false;
		return DS_OK;
	}
	if (!like && t->op != WHERE_UNLIKE) {
		*holds = by_order(t->op, compare(v, &t->value));
		return DS_OK;
	}
	if (v->kind == DS_J_STR)
		DS_TRY(ds_regex_find(r->regexes[t->regex], v->s, &found, e));
	*holds = found == like;
	return DS_OK;
}

static ds_rc test(
	where_run *r, const where_node *t, ds_block *b, uint32_t row, bool *holds, ds_err *e)
{
	ds_field_found found;
	ds_arena_reset(r->mem);
	DS_TRY(ds_field_values(t->field, b, row, r->mem, &found, e));
	*holds = false;
	for (size_t i = 0; i < found.n && !*holds; i++)
		DS_TRY(test_value(r, t, found.at[i], holds, e));
	return DS_OK;
}

static ds_rc holds_for(
	where_run *r, const where_node *n, ds_block *b, uint32_t row, bool *holds, ds_err *e)
{
	if (n->kind == WHERE_TEST)
		return test(r, n, b, row, holds, e);
	DS_TRY(holds_for(r, n->left, b, row, holds, e));
	if (n->kind == WHERE_NOT)
		*holds = !*holds;
	else if (*holds == (n->kind == WHERE_AND))
		return holds_for(r, n->right, b, row, holds, e);
	return DS_OK;
}

ds_rc where_holds(where_run *r, ds_block *b, uint32_t row, bool *holds, ds_err *e)
{
	return holds_for(r, r->w->root, b, row, holds, e);
}
