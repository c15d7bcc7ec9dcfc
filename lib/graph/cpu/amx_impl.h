/*
 * amx_impl.h - what the kernels of the CPU's tiles share; for files that are compiled for them
 */
#ifndef DS_GRAPH_CPU_AMX_IMPL_H
#define DS_GRAPH_CPU_AMX_IMPL_H

#if defined(__AMX_BF16__) && defined(__AVX512BF16__)

#include "graph/cpu/bf16_impl.h"

/* Compilers' loads of tiles do not say that they read memory: what was written before is there from here on. */
INLINE void tiles_see_memory(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Eight tiles of 16 lines of 64 bytes. */
INLINE void configure_tiles(void)
{
	struct {
		uint8_t palette, start, none[14];
		uint16_t bytes[16];
		uint8_t rows[16];
	} c = { .palette = 1 };
	for (int i = 0; i < 8; i++) {
		c.bytes[i] = 64;
		c.rows[i] = 16;
	}
	__asm__ volatile("" ::"r"(&c) : "memory");
	_tile_loadconfig(&c);
}

#endif
#endif
