/*
 * comm.c - collectives by way of the host
 *
 * Operands are fetched, exchanged among the ranks as those of a CPU are (ds_comm_run), and sent back. Sums are made in
 * the order of ranks, so their bits are those of the CPU's collectives.
 */
#include "graph/cuda/cuda_impl.h"

#include "graph/op.h"

#include <string.h>

static uint64_t host_bytes(const ds_operand *a)
{
	return ds_cuda_aligned((uint64_t)(a->rows * a->ld) * ds_dtype_bytes(a->dtype));
}

/* Without what lies behind the last row. */
static size_t device_bytes(const ds_operand *a)
{
	return a->rows ? (size_t)((a->rows - 1) * a->ld + a->cols) * ds_dtype_bytes(a->dtype) : 0;
}

uint64_t ds_cuda_comm_bytes(const ds_cuda_call *c)
{
	return host_bytes(&c->in[0]) + host_bytes(&c->out[0]);
}

static ds_rc failed(const ds_cuda_on *on, int rc, const ds_cuda_call *c, ds_err *e)
{
	return ds_fail(e, DS_IO, "cuda: %s: %s", ds_op_of(c->node->op)->name, on->api->text(rc));
}

ds_rc ds_cuda_collective(const ds_cuda_on *on, ds_world *w, const ds_graph *g,
	const ds_cuda_call *c, char *host, ds_err *e)
{
	ds_operand in[DS_MAX_IN] = { c->in[0] }, out[DS_MAX_OUT] = { c->out[0] };
	int rc = 0;
	memset(host, 0, ds_cuda_comm_bytes(c));
	if (in[0].data)
		in[0].data = host;
	/* In place stays in place. */
	if (out[0].data)
		out[0].data = c->out[0].data == c->in[0].data ? host : host + host_bytes(&in[0]);
	if (in[0].data)
		rc = on->api->get(on->device, in[0].data, c->in[0].data, device_bytes(&in[0]));
	if (rc)
		return failed(on, rc, c, e);
	DS_TRY(ds_comm_run(w, g, c->node, in, out, e));
	if (out[0].data)
		rc = on->api->put(on->device, c->out[0].data, out[0].data, device_bytes(&out[0]));
	return rc ? failed(on, rc, c, e) : DS_OK;
}
