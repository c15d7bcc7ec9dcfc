/*
 * ref.c - the kernel of every op that has no other: its reference, in double
 *
 * Tensors are unpacked to dense doubles in the node's scratch, computed, and packed again. One tile.
 */
#include "base/half.h"
#include "graph/job_impl.h"
#include "graph/op.h"

static size_t bytes_of(const ds_arg_t *a)
{
	return ((size_t)(a->rows * a->cols) * sizeof(double) + 63) / 64 * 64;
}

static size_t shared_bytes(const ds_job *j)
{
	size_t n = 0;
	for (int i = 0; i < DS_MAX_IN; i++)
		n += j->node->in[i] ? bytes_of(&j->in[i]) : 0;
	for (int i = 0; i < DS_MAX_OUT; i++)
		n += j->node->out[i] ? bytes_of(&j->out[i]) : 0;
	return n;
}

static double load(const ds_arg_t *a, int64_t i)
{
	switch (a->dtype) {
	case DS_F32:
		return ((const float *)a->data)[i];
	case DS_F64:
		return ((const double *)a->data)[i];
	case DS_I32:
		return ((const int32_t *)a->data)[i];
	case DS_U8:
		return ((const uint8_t *)a->data)[i];
	case DS_BF16:
		return ds_f32_of_bf16(((const uint16_t *)a->data)[i]);
	case DS_F16:
		return ds_f32_of_f16(((const uint16_t *)a->data)[i]);
	default:
		return 0;
	}
}

static void store(const ds_arg_t *a, int64_t i, double v)
{
	switch (a->dtype) {
	case DS_F32:
		((float *)a->data)[i] = (float)v;
		break;
	case DS_F64:
		((double *)a->data)[i] = v;
		break;
	case DS_BF16:
		((uint16_t *)a->data)[i] = ds_bf16_of_f32((float)v);
		break;
	case DS_F16:
		((uint16_t *)a->data)[i] = ds_f16_of_f32((float)v);
		break;
	default:
		break;
	}
}

static ds_ref_arg unpack(const ds_arg_t *a, char **room)
{
	ds_ref_arg r = { (double *)*room, a->rows, a->cols };
	*room += bytes_of(a);
	for (int64_t i = 0; i < a->rows; i++)
		for (int64_t k = 0; k < a->cols; k++)
			r.at[i * a->cols + k] = load(a, i * a->ld + k);
	return r;
}

static void run(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	ds_ref r = { .node = j->node, .run = j->run };
	char *room = j->shared;
	for (int i = 0; i < DS_MAX_IN; i++)
		if (j->node->in[i])
			r.in[i] = unpack(&j->in[i], &room);
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (j->node->out[i]) {
			r.out[i] = unpack(&j->out[i], &room);
			r.beta[i] = j->beta[i];
			/* 0 times what was left there must not be NaN. */
			for (int64_t k = 0; j->beta[i] == 0 && j->node->first & (1u << i) &&
					    k < r.out[i].rows * r.out[i].cols;
				k++)
				r.out[i].at[k] = 0;
		}
	ds_op_of(j->node->op)->ref(&r);
	for (int i = 0; i < DS_MAX_OUT; i++)
		for (int64_t k = 0; j->node->out[i] && k < r.out[i].rows * r.out[i].cols; k++)
			store(&j->out[i], k / r.out[i].cols * j->out[i].ld + k % r.out[i].cols,
				r.out[i].at[k]);
}

const ds_kernel ds_kernel_ref = { .shared_bytes = shared_bytes, .tile = run };

static const ds_kernel *find_ref(const ds_graph *g, const ds_node *n)
{
	return &ds_kernel_ref;
}

const ds_backend *ds_backend_ref(void)
{
	static const ds_backend b = { "ref", find_ref };
	return &b;
}
