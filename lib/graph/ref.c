/*
 * ref.c - a node by its op's reference, in double: what every backend without a kernel of its own uses
 *
 * Operands are converted to dense doubles in the caller's workspace, computed, and converted back.
 */
#include "base/half.h"
#include "graph/backend.h"
#include "graph/op.h"

ds_operand ds_operand_of(const ds_graph *g, ds_tid id)
{
	const ds_tensor *t = &g->tensors[id];
	if (!id)
		return (ds_operand){ 0 };
	return (ds_operand){ NULL, t->dtype, ds_t_rows(t), ds_t_cols(t), t->ld };
}

static size_t bytes_of(const ds_operand *a)
{
	return ((size_t)(a->rows * a->cols) * sizeof(double) + 63) / 64 * 64;
}

size_t ds_ref_bytes(const ds_operand in[DS_MAX_IN], const ds_operand out[DS_MAX_OUT])
{
	size_t n = 0;
	for (int i = 0; i < DS_MAX_IN; i++)
		n += bytes_of(&in[i]);
	for (int i = 0; i < DS_MAX_OUT; i++)
		n += bytes_of(&out[i]);
	return n;
}

static double load(const ds_operand *a, int64_t i)
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

static void store(const ds_operand *a, int64_t i, double v)
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
	case DS_I32:
		((int32_t *)a->data)[i] = (int32_t)v;
		break;
	case DS_U8:
		((uint8_t *)a->data)[i] = (uint8_t)v;
		break;
	default:
		break;
	}
}

static ds_ref_arg unpack(const ds_operand *a, char **workspace)
{
	ds_ref_arg r = { (double *)*workspace, a->rows, a->cols };
	*workspace += bytes_of(a);
	for (int64_t i = 0; i < a->rows; i++)
		for (int64_t k = 0; k < a->cols; k++)
			r.at[i * a->cols + k] = load(a, i * a->ld + k);
	return r;
}

void ds_ref_run(const ds_node *n, const ds_operand in[DS_MAX_IN], const ds_operand out[DS_MAX_OUT],
	const ds_run *run, char *workspace)
{
	ds_ref r = { .node = n, .run = run };
	for (int i = 0; i < DS_MAX_IN; i++)
		if (n->in[i])
			r.in[i] = unpack(&in[i], &workspace);
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i]) {
			r.out[i] = unpack(&out[i], &workspace);
			r.beta[i] = (double)ds_node_beta(n, i, run);
			/* 0 times what was left there must not be NaN. */
			for (int64_t k = 0; r.beta[i] == 0 && k < r.out[i].rows * r.out[i].cols;
				k++)
				r.out[i].at[k] = 0;
		}
	ds_op_of(n->op)->ref(&r);
	for (int i = 0; i < DS_MAX_OUT; i++)
		for (int64_t k = 0; n->out[i] && k < r.out[i].rows * r.out[i].cols; k++)
			store(&out[i], k / r.out[i].cols * out[i].ld + k % r.out[i].cols,
				r.out[i].at[k]);
}
