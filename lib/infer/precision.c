/*
 * precision.c - names of precisions, and what a graph is compiled with for them
 */
#include "infer/precision.h"

#include <string.h>

ds_rc ds_precision_find(ds_precision *p, const char *name, ds_err *e)
{
	static const char *const names[] = { "fp32", "bf16", "int8" };
	*p = DS_PRECISION_FP32;
	if (!name)
		return DS_OK;
	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*p = (ds_precision)i;
			return DS_OK;
		}
	return ds_fail(e, DS_USAGE, "--precision '%s' is none of fp32, bf16, int8", name);
}

void ds_precision_set(ds_compile *c, ds_precision p)
{
	c->fixed = true;
	c->product = p == DS_PRECISION_BF16 ? DS_BF16 : DS_F32;
	c->bytes = p == DS_PRECISION_INT8;
}
