/*
 * fault.c - counts calls and fails the one that DS_FAIL names
 */
#include "base/fault.h"

#ifdef DS_DEBUG_FAULTS

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[DS_FAULT_KINDS] = { "alloc:", "read:", "write:" };

bool ds_fault_due(ds_fault kind)
{
	static atomic_ulong counts[DS_FAULT_KINDS];
	const char *order = getenv("DS_FAIL");
	if (!order || strncmp(order, names[kind], strlen(names[kind])) != 0)
		return false;
	unsigned long due = strtoul(order + strlen(names[kind]), NULL, 10);
	return atomic_fetch_add(&counts[kind], 1) + 1 == due;
}

#endif
