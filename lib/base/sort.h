/*
 * sort.h - numbers in ascending order
 */
#ifndef DS_BASE_SORT_H
#define DS_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* By bytes that differ (radix sort), so no choice of values makes it slow; n more are taken meanwhile. */
void ds_sort_u64(uint64_t *v, size_t n);

#endif
