/*
 * finite.h - is every number of many finite?
 */
#ifndef DS_BASE_FINITE_H
#define DS_BASE_FINITE_H

#include "base/half.h"

#include <stddef.h>

/* Which of n is the first that is NaN or infinite; n: none is. */
static inline size_t ds_f32_finite(const float *v, size_t n)
{
	enum { AT_ONCE = 1024, EXPONENT = 0x7f800000 };
	for (size_t from = 0; from < n; from += AT_ONCE) {
		size_t end = n - from < AT_ONCE ? n : from + AT_ONCE;
		uint32_t bad = 0;
		for (size_t i = from; i < end;
			i++) /* without a branch, so that it becomes vectors */
			bad |= (uint32_t)((ds_bits_of_f32(v[i]) & EXPONENT) == EXPONENT);
		for (size_t i = from; bad && i < end; i++)
			if ((ds_bits_of_f32(v[i]) & EXPONENT) == EXPONENT)
				return i;
	}
	return n;
}

#endif
