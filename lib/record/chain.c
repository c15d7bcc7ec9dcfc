/*
 * chain.c - provenance as a list of stages, from and to JSON
 *
 * A merge of different chains is kept as one stage without a program, which holds the branches
 * until a push gives it a name.
 */
#include "record/chain.h"

#include "json/json.h"

ds_chain *ds_chain_new(ds_arena *mem)
{
	return ds_arena_zero(mem, sizeof(ds_chain));
}

static ds_rc parse_chain(ds_chain *c, ds_arena *mem, const ds_json *j, ds_err *e);

static ds_rc parse_count(uint64_t *out, const ds_json *v, ds_err *e)
{
	if (v->kind != DS_J_I64 || v->i < 0)
		return ds_fail(e, DS_BAD, "'%.*s' is not a count", DS_FMT(v->key));
	*out = (uint64_t)v->i;
	return DS_OK;
}

static ds_rc parse_counts(ds_stage_entry *s, ds_arena *mem, const ds_json *j, ds_err *e)
{
	static const char *const names[] = { "in", "out", "bytes_in", "bytes_out" };
	uint64_t *to[] = { &s->records_in, &s->records_out, &s->bytes_in, &s->bytes_out };
	for (unsigned i = 0; i < 4; i++) {
		const ds_json *v = ds_json_get(j, names[i]);
		if (!v)
			continue;
		DS_TRY(parse_count(to[i], v, e));
		s->has_counts = true;
	}
	const ds_json *counts = ds_json_get(j, "counts");
	if (!counts || counts->kind != DS_J_OBJ)
		return DS_OK;
	s->counts = ds_arena_get(mem, counts->n * sizeof(ds_count));
	for (const ds_json *v = counts->first; v; v = v->next) {
		s->counts[s->n_counts].name = ds_arena_str(mem, v->key);
		DS_TRY(parse_count(&s->counts[s->n_counts++].n, v, e));
	}
	return DS_OK;
}

static ds_rc parse_stage(ds_stage_entry *s, ds_arena *mem, const ds_json *j, ds_err *e)
{
	if (j->kind != DS_J_OBJ)
		return ds_fail(e, DS_BAD, "a stage is not an object");
	s->program = ds_arena_str(mem, ds_json_text(j, "program", ""));
	s->version = ds_arena_str(mem, ds_json_text(j, "version", ""));
	s->args = ds_arena_str(mem, ds_json_text(j, "args", ""));
	DS_TRY(parse_counts(s, mem, j, e));
	const ds_json *b = ds_json_get(j, "branches");
	if (!b || b->kind != DS_J_ARR || b->n == 0)
		return DS_OK;
	ds_chain **to = ds_arena_get(mem, b->n * sizeof(*to));
	for (const ds_json *v = b->first; v; v = v->next) {
		to[s->n_branches] = ds_chain_new(mem);
		DS_TRY(parse_chain(to[s->n_branches++], mem, v, e));
	}
	s->branches = to;
	return DS_OK;
}

static ds_rc parse_chain(ds_chain *c, ds_arena *mem, const ds_json *j, ds_err *e)
{
	const ds_json *stages = ds_json_get(j, "stages");
	if (!stages || stages->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "'stages' is missing");
	c->stages = ds_arena_zero(mem, stages->n * sizeof(*c->stages));
	for (const ds_json *v = stages->first; v; v = v->next)
		DS_TRY(parse_stage(&c->stages[c->n++], mem, v, e));
	return DS_OK;
}

ds_rc ds_chain_parse(ds_chain **out, ds_arena *mem, ds_str json, ds_err *e)
{
	const ds_json *j;
	ds_chain *c = ds_chain_new(mem);
	/* The tree takes many times what is kept of it, and a run may read thousands of chains. */
	DS_AUTO(ds_arena) tree = ds_arena_new(4096);
	*out = NULL;
	DS_TRY_AT(ds_json_parse(&j, tree, json, e), e, "provenance");
	DS_TRY_AT(parse_chain(c, mem, j, e), e, "provenance");
	*out = c;
	return DS_OK;
}

static void print_text(ds_buf *out, const char *key, ds_str v)
{
	ds_buf_fmt(out, "\"%s\":", key);
	ds_json_add_str(out, v);
}

static void print_counts(ds_buf *out, const ds_stage_entry *s)
{
	ds_buf_fmt(out, ",\"in\":%llu,\"out\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu",
		(unsigned long long)s->records_in, (unsigned long long)s->records_out,
		(unsigned long long)s->bytes_in, (unsigned long long)s->bytes_out);
	for (size_t i = 0; i < s->n_counts; i++) {
		ds_buf_add_c(out, i ? "," : ",\"counts\":{");
		ds_json_add_str(out, s->counts[i].name);
		ds_buf_fmt(out, ":%llu", (unsigned long long)s->counts[i].n);
	}
	if (s->n_counts)
		ds_buf_add_byte(out, '}');
}

static void print_stage(ds_buf *out, const ds_stage_entry *s)
{
	ds_buf_add_byte(out, '{');
	print_text(out, "program", s->program);
	ds_buf_add_byte(out, ',');
	print_text(out, "version", s->version);
	ds_buf_add_byte(out, ',');
	print_text(out, "args", s->args);
	if (s->has_counts)
		print_counts(out, s);
	for (size_t i = 0; i < s->n_branches; i++) {
		ds_buf_add_c(out, i ? "," : ",\"branches\":[");
		ds_chain_print(out, s->branches[i]);
	}
	ds_buf_add_c(out, s->n_branches ? "]}" : "}");
}

void ds_chain_print(ds_buf *out, const ds_chain *c)
{
	ds_buf_add_c(out, "{\"stages\":[");
	for (size_t i = 0; i < c->n; i++) {
		if (i)
			ds_buf_add_byte(out, ',');
		print_stage(out, &c->stages[i]);
	}
	ds_buf_add_c(out, "]}");
}

/* The same work, whatever its counts. */
static bool same_chain(const ds_chain *a, const ds_chain *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const ds_stage_entry *x = &a->stages[i], *y = &b->stages[i];
		if (!ds_str_eq(x->program, y->program) || !ds_str_eq(x->version, y->version) ||
			!ds_str_eq(x->args, y->args) || x->n_branches != y->n_branches)
			return false;
		for (size_t k = 0; k < x->n_branches; k++)
			if (!same_chain(x->branches[k], y->branches[k]))
				return false;
	}
	return true;
}

static void add_count(ds_arena *mem, ds_stage_entry *s, ds_count c)
{
	for (size_t i = 0; i < s->n_counts; i++) {
		if (ds_str_eq(s->counts[i].name, c.name)) {
			s->counts[i].n += c.n;
			return;
		}
	}
	ds_count *more = ds_arena_get(mem, (s->n_counts + 1) * sizeof(*more));
	if (s->n_counts)
		memcpy(more, s->counts, s->n_counts * sizeof(*more));
	more[s->n_counts++] = c;
	s->counts = more;
}

static void add_chain(ds_arena *mem, ds_chain *to, const ds_chain *c);

static void add_stage(ds_arena *mem, ds_stage_entry *to, const ds_stage_entry *s)
{
	to->has_counts |= s->has_counts;
	to->records_in += s->records_in;
	to->records_out += s->records_out;
	to->bytes_in += s->bytes_in;
	to->bytes_out += s->bytes_out;
	for (size_t i = 0; i < s->n_counts; i++)
		add_count(mem, to, s->counts[i]);
	for (size_t i = 0; i < s->n_branches; i++)
		add_chain(mem, to->branches[i], s->branches[i]);
}

static void add_chain(ds_arena *mem, ds_chain *to, const ds_chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		add_stage(mem, &to->stages[i], &c->stages[i]);
}

static ds_chain *copy_chain(ds_arena *mem, const ds_chain *c)
{
	ds_chain *to = ds_chain_new(mem);
	to->n = c->n;
	to->stages = ds_arena_zero(mem, c->n * sizeof(*to->stages));
	for (size_t i = 0; i < c->n; i++) {
		const ds_stage_entry *s = &c->stages[i];
		ds_stage_entry *t = &to->stages[i];
		*t = *s;
		t->program = ds_arena_str(mem, s->program);
		t->version = ds_arena_str(mem, s->version);
		t->args = ds_arena_str(mem, s->args);
		t->counts = ds_arena_get(mem, s->n_counts * sizeof(*t->counts));
		for (size_t k = 0; k < s->n_counts; k++)
			t->counts[k] =
				(ds_count){ ds_arena_str(mem, s->counts[k].name), s->counts[k].n };
		ds_chain **branches = ds_arena_get(mem, s->n_branches * sizeof(*branches));
		for (size_t k = 0; k < s->n_branches; k++)
			branches[k] = copy_chain(mem, s->branches[k]);
		t->branches = branches;
	}
	return to;
}

ds_chain *ds_chain_merge(ds_arena *mem, ds_chain *const *chains, size_t n)
{
	ds_chain **kinds = ds_arena_get(mem, n * sizeof(*kinds));
	size_t n_kinds = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (k < n_kinds && !same_chain(kinds[k], chains[i]))
			k++;
		if (k < n_kinds)
			add_chain(mem, kinds[k], chains[i]);
		else
			kinds[n_kinds++] = copy_chain(mem, chains[i]);
	}
	if (n_kinds == 0)
		return ds_chain_new(mem);
	if (n_kinds == 1)
		return kinds[0];
	ds_chain *merged = ds_chain_new(mem);
	merged->n = 1;
	merged->stages = ds_arena_zero(mem, sizeof(*merged->stages));
	merged->stages[0] = (ds_stage_entry){ .branches = kinds, .n_branches = n_kinds };
	return merged;
}

ds_stage_entry *ds_chain_push(
	ds_arena *mem, ds_chain *c, ds_str program, ds_str version, ds_str args)
{
	bool pending = c->n == 1 && c->stages[0].program.n == 0 && c->stages[0].n_branches;
	if (!pending) {
		ds_stage_entry *more = ds_arena_zero(mem, (c->n + 1) * sizeof(*more));
		if (c->n)
			memcpy(more, c->stages, c->n * sizeof(*more));
		c->stages = more;
		c->n++;
	}
	ds_stage_entry *s = &c->stages[c->n - 1];
	s->program = ds_arena_str(mem, program);
	s->version = ds_arena_str(mem, version);
	s->args = ds_arena_str(mem, args);
	return s;
}
