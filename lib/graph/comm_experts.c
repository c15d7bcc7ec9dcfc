/*
 * comm_experts.c - rows to the ranks that have their experts, and back, on operands in host memory
 *
 * What comes from a rank lies together as it was sent, by expert; a second pass puts every expert's rows together.
 */
#include "graph/comm_impl.h"

#include <string.h>

typedef struct {
	const int32_t *counts; /* [n, experts] */
	int64_t n, experts, own, me;
	size_t row; /* bytes */
} routes;

static routes routes_of(const ds_world *w, const ds_group *g, const ds_operand *counts, size_t row)
{
	return (routes){ counts->data, g->n, counts->cols, counts->cols / g->n, ds_group_me(w, g),
		row };
}

/* Rows of rank `of` for the experts of member `to`. */
static int64_t rows_between(const routes *r, int64_t of, int64_t to)
{
	int64_t sum = 0;
	for (int64_t e = to * r->own; e < (to + 1) * r->own; e++)
		sum += r->counts[of * r->experts + e];
	return sum;
}

/* Offsets in bytes by rank: into what this rank sends, and into what it receives. */
static void starts_of(const routes *r, int64_t *has, int64_t *gets)
{
	has[0] = gets[0] = 0;
	for (int64_t k = 0; k < r->n; k++) {
		has[k + 1] = has[k] + rows_between(r, r->me, k) * (int64_t)r->row;
		gets[k + 1] = gets[k] + rows_between(r, k, r->me) * (int64_t)r->row;
	}
}

/* Copies rows grouped by rank to rows grouped by expert, or back; returns the bytes. */
static size_t reorder(const routes *r, char *by_rank, char *by_expert, bool to_expert)
{
	size_t at = 0;
	for (int64_t e = 0; e < r->own; e++)
		for (int64_t k = 0; k < r->n; k++) {
			size_t n = (size_t)r->counts[k * r->experts + r->me * r->own + e] * r->row;
			size_t from = 0;
			for (int64_t j = 0; j < k; j++)
				from += (size_t)rows_between(r, j, r->me) * r->row;
			for (int64_t f = 0; f < e; f++)
				from += (size_t)r->counts[k * r->experts + r->me * r->own + f] *
					r->row;
			memcpy(to_expert ? by_expert + at : by_rank + from,
				to_expert ? by_rank + from : by_expert + at, n);
			at += n;
		}
	return at;
}

ds_rc ds_comm_expert_counts(ds_world *w, const ds_group *g, const ds_operand in[DS_MAX_IN],
	const ds_operand out[DS_MAX_OUT], ds_err *e)
{
	int64_t starts[DS_MAX_RANKS + 1], experts = out[0].cols;
	const int32_t *offsets = in[0].data;
	int32_t *counts = out[0].data, *own = out[1].data;
	routes r = routes_of(w, g, &out[0], 0);
	for (int64_t k = 0; k <= r.n; k++)
		starts[k] = k * experts * (int64_t)sizeof(int32_t);
	for (int64_t i = 0; i < experts; i++)
		counts[r.me * experts + i] = offsets[i + 1] - offsets[i];
	DS_TRY(ds_world_all_gather(w, g, counts, starts, DS_NUM_BYTES, e));
	own[0] = 0;
	for (int64_t i = 0; i < r.own; i++) {
		own[i + 1] = own[i];
		for (int64_t k = 0; k < r.n; k++)
			own[i + 1] += counts[k * experts + r.me * r.own + i];
	}
	return DS_OK;
}

static size_t dense_row(const ds_operand *a)
{
	return (size_t)a->cols * ds_dtype_bytes(a->dtype);
}

ds_rc ds_comm_expert_send(ds_world *w, const ds_group *g, const ds_operand in[DS_MAX_IN],
	const ds_operand out[DS_MAX_OUT], ds_err *e)
{
	int64_t has[DS_MAX_RANKS + 1], gets[DS_MAX_RANKS + 1];
	routes r = routes_of(w, g, &in[1], dense_row(&in[0]));
	starts_of(&r, has, gets);
	DS_TRY(ds_world_all_to_all(w, g, (ds_world_parts){ in[0].data, has },
		(ds_world_parts){ out[1].data, gets }, DS_NUM_BYTES, e));
	size_t n = reorder(&r, out[1].data, out[0].data, true);
	memset((char *)out[0].data + n, 0, (size_t)out[0].rows * r.row - n);
	return DS_OK;
}

ds_rc ds_comm_expert_return(ds_world *w, const ds_group *g, const ds_operand in[DS_MAX_IN],
	const ds_operand out[DS_MAX_OUT], ds_err *e)
{
	int64_t has[DS_MAX_RANKS + 1], gets[DS_MAX_RANKS + 1];
	routes r = routes_of(w, g, &in[1], dense_row(&in[0]));
	starts_of(&r, has, gets);
	reorder(&r, out[1].data, in[0].data, false);
	return ds_world_all_to_all(w, g, (ds_world_parts){ out[1].data, gets },
		(ds_world_parts){ out[0].data, has }, DS_NUM_BYTES, e);
}
