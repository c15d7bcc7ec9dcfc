/*
 * byteset_impl.h - the vector forms of a search; each looks at whole vectors only
 *
 * They return the offset of the first hit, or a multiple of the vector's size from where the scalar
 * form goes on.
 */
#ifndef DS_TEXT_BYTESET_IMPL_H
#define DS_TEXT_BYTESET_IMPL_H

#include "text/byteset.h"

size_t ds_byteset_find_avx2(const ds_byteset *set, const uint8_t *p, size_t n);
size_t ds_byteset_find_avx512(const ds_byteset *set, const uint8_t *p, size_t n);
size_t ds_byteset_pair_avx2(
	const ds_byteset *single, const ds_byteset *pair, const uint8_t *p, size_t n);

#endif
