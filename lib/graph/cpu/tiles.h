/*
 * tiles.h - matrix products of operands packed as tiles; only where ds_cpu_has_amx
 *
 * A tile is 16 lines of 32 numbers along k: of 16 rows of A, a strip, or of 16 columns of B, a panel. For each
 * tile of k there are `parts` of them: 1 for bf16, 3 for a float (tiles_amx.c). Everything packed is 64-byte aligned.
 */
#ifndef DS_GRAPH_CPU_TILES_H
#define DS_GRAPH_CPU_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DS_TILE = 16, DS_TILE_K = 32 };

/* Of an operand with so many rows (of A) or columns (of B). */
size_t ds_tiles_bytes(int parts, int64_t n, int64_t k);

typedef struct { /* a matrix as it lies, row after row */
	const void *at;
	int64_t ld, rows, cols;
	bool is_f32; /* else bf16, of one part */
	int parts;
} ds_tile_rows;
/* Rows [16 strip, + 16) of A. */
void ds_tiles_pack_rows(const ds_tile_rows *a, int64_t strip, void *to);
/* Columns [16 panel, + 16) of B: rows of W, or its columns where its rows lie across k. */
void ds_tiles_pack_weights(const ds_tile_rows *w, bool across, int64_t panel, void *to);

typedef struct { /* C[m, n] = A B from the bias on, or added to C where `from` is not 0 */
	int parts;
	int64_t tiles, from, to; /* of k: all, and those that are added up now */
	const void *a, *b;       /* strips from the first row on; two panels */
	int64_t m, n;            /* n: 1 … 32 */
	const float *bias;       /* [n], or NULL */
	float *c;
	int64_t ldc;
} ds_tile_product;
void ds_tiles_multiply(const ds_tile_product *p);

#endif
