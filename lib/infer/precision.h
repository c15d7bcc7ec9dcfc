/*
 * precision.h - in which numbers a trained model is run
 *
 * fp32; bf16, in which matrix products take their operands; int8, in which they take weights, and activations in 15 bits
 * (graph/cpu/bytes.h). Sums and everything else are fp32.
 */
#ifndef DS_INFER_PRECISION_H
#define DS_INFER_PRECISION_H

#include "graph/graph.h"

typedef enum { DS_PRECISION_FP32, DS_PRECISION_BF16, DS_PRECISION_INT8 } ds_precision;
/* name NULL: fp32. DS_USAGE: another. */
DS_MUST ds_rc ds_precision_find(ds_precision *p, const char *name, ds_err *e);
/* For a graph whose weights do not change any more. */
void ds_precision_set(ds_compile *c, ds_precision p);

#endif
