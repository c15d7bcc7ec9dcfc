/*
 * fault.h - failures on order, for tests
 *
 * In builds with DS_DEBUG_FAULTS, DS_FAIL=alloc:7 (read:3, write:2) makes the seventh allocation
 * (third read, second write) of the process fail, and later ones work again. Elsewhere it costs
 * nothing. Any thread.
 */
#ifndef DS_BASE_FAULT_H
#define DS_BASE_FAULT_H

#include <stdbool.h>

typedef enum { DS_FAULT_ALLOC, DS_FAULT_READ, DS_FAULT_WRITE, DS_FAULT_KINDS } ds_fault;

#ifdef DS_DEBUG_FAULTS
bool ds_fault_due(ds_fault kind); /* true once, at the call that was asked for */
#define DS_FAULT(kind) ds_fault_due(kind)
#else
#define DS_FAULT(kind) false
#endif

#endif
