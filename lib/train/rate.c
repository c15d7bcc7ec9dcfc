/*
 * rate.c - how fast a device multiplies matrices, the measure of MFU
 *
 * A product of 1024 x 1024 matrices through the same backend and threads as the model's.
 */
#include "graph/backend.h"
#include "train/trainer.h"

#include <time.h>

enum { SIDE = 1024 };

double ds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

ds_rc ds_device_rate(ds_device *d, ds_dtype product, double seconds, double *flops, ds_err *e)
{
	DS_AUTO(ds_graph) g = ds_graph_new(1, SIDE);
	DS_AUTO(ds_exec) x = NULL;
	ds_tid in = ds_g_input(g, "x", DS_F32, DS_DIMS(SIDE, SIDE));
	ds_tid w = ds_g_param(g, "w", DS_DIMS(SIDE, SIDE), ds_init_normal(1), DS_TENSOR_FROZEN);
	ds_tid y = ds_g_linear(g, in, w, 0, false);
	ds_compile c = { .product = product, .traits = &ds_device_backend(d)->traits };
	float done;
	ds_g_keep(g, y, "y");
	DS_TRY(ds_graph_compile(g, &c, e));
	DS_TRY(ds_exec_new(&x, g, d, (ds_exec_opts){ 0 }, e));
	DS_TRY(ds_exec_init(x, 0, e));
	memset(ds_exec_input(x, in), 0, ds_t_bytes(ds_g_tensor(g, in)));
	DS_TRY(ds_exec_run(x, DS_PHASE_FWD, &(ds_run){ 0 }, e)); /* the first has to set up */
	double start = ds_now(), spent;
	int runs = 0;
	do {
		DS_TRY(ds_exec_run(x, DS_PHASE_FWD, &(ds_run){ 0 }, e));
		DS_TRY(ds_exec_read(x, y, 0, 1, &done, e)); /* waits */
		runs++;
		spent = ds_now() - start;
	} while (spent < seconds);
	*flops = ds_graph_flops(g, DS_PHASE_FWD) * runs / spent;
	return DS_OK;
}
