/*
 * minhash_impl.h - one kernel a CPU level; only for minhash*.c
 */
#ifndef DS_TEXT_MINHASH_IMPL_H
#define DS_TEXT_MINHASH_IMPL_H

#include "text/minhash.h"

typedef void ds_minhash_kernel(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig);

struct ds_minhash {
	unsigned n_perm,
		n_padded; /* n_padded: a multiple of DS_PERM_STEP; the rest is filled likewise */
	uint32_t *low, *high, *plus; /* halves of a, and b */
	ds_minhash_kernel *kernel;
};

ds_minhash_kernel ds_minhash_scalar, ds_minhash_avx2, ds_minhash_avx512, ds_minhash_ifma;

#endif
