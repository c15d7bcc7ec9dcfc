/*
 * rows_mix.c - the order of rows, and files mixed by weight
 *
 * A turn is 10,000 places; each file has a fixed number of them, its weight's share, and a permutation
 * by seed and turn says which. So the file of any place, and how many of the file's rows came before
 * it, are known without looking at what was trained before.
 */
#include "model/rows_impl.h"

#include "model/perm.h"

#include <math.h>

enum { TURN = 10000, PURPOSE = 0x6d6978 /* "mix" */ };

ds_rc ds_rows_parts_new(ds_rows *r, const ds_rows_opts *o, ds_err *e)
{
	r->mixed = o->weights != NULL;
	r->n_parts = r->mixed ? o->n_files : 1;
	r->parts = ds_arena_zero(r->mem, (r->n_parts + 1) * sizeof(part));
	if (!r->mixed)
		return DS_OK;
	if (!o->n_files || o->n_files > TURN / 10)
		return ds_fail(
			e, DS_USAGE, "mix: %zu files, wanted 1 to %d", o->n_files, TURN / 10);
	for (size_t i = 0; i < o->n_files; i++) {
		if (!(o->weights[i] > 0) || !isfinite(o->weights[i]))
			return ds_fail(
				e, DS_USAGE, "mix: the weight of %s is not above 0", o->files[i]);
		r->parts[i].weight = o->weights[i];
		r->parts[i].name = ds_arena_str(r->mem, ds_str_of(o->files[i])).at;
	}
	return DS_OK;
}

/* The file that is furthest behind its weight, were it to get one place more. */
static part *most_behind(ds_rows *r, double sum)
{
	part *best = NULL;
	double most = -INFINITY;
	for (size_t i = 0; i < r->n_parts; i++) {
		part *p = &r->parts[i];
		double behind = p->weight / sum * TURN - (double)p->quota;
		if (behind > most) {
			most = behind;
			best = p;
		}
	}
	return best;
}

ds_rc ds_rows_settle_mix(ds_rows *r, ds_err *e)
{
	double sum = 0;
	int64_t given = 0, from = 0;
	for (size_t i = 0; r->mixed && i < r->n_parts; i++) {
		if (!r->parts[i].count)
			return ds_fail(e, DS_BAD, "%s: no rows to mix", r->parts[i].name);
		sum += r->parts[i].weight;
	}
	for (size_t i = 0; r->mixed && i < r->n_parts; i++) {
		part *p = &r->parts[i];
		p->quota = (int64_t)floor(p->weight / sum * TURN);
		if (p->quota < 1)
			return ds_fail(e, DS_USAGE, "mix: the share of %s is below 1 in %d",
				p->name, TURN);
		given += p->quota;
	}
	for (; r->mixed && given < TURN; given++)
		most_behind(r, sum)->quota++;
	for (size_t i = 0; r->mixed && i < r->n_parts; i++) {
		r->parts[i].from = from;
		from += r->parts[i].quota;
	}
	return DS_OK;
}

static int64_t shuffled(uint64_t seed, int64_t n, int64_t place)
{
	return (int64_t)ds_perm_at(seed, (uint64_t)(place / n), (uint64_t)n, (uint64_t)(place % n));
}

int64_t ds_rows_order(const ds_rows *r, uint64_t seed, int64_t place)
{
	if (!r->mixed)
		return shuffled(seed, r->count, place);
	int64_t at = shuffled(seed ^ (uint64_t)PURPOSE << 32, TURN, place);
	size_t i = 0;
	while (i + 1 < r->n_parts && r->parts[i + 1].from <= at)
		i++;
	const part *p = &r->parts[i];
	int64_t before = place / TURN * p->quota + at - p->from;
	return p->first + shuffled(seed ^ (uint64_t)(i + 1) << 32, p->count, before);
}

void ds_rows_tell_mix(const ds_rows *r, ds_buf *out)
{
	for (size_t i = 0; r->mixed && i < r->n_parts; i++) {
		const part *p = &r->parts[i];
		ds_buf_fmt(out, "%s%.2f %% %s (%lld row%s)", i ? ", " : "",
			100.0 * (double)p->quota / TURN, p->name, (long long)p->count,
			ds_s((uint64_t)p->count));
	}
}
