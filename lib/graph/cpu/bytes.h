/*
 * bytes.h - matrix products of weights in 8 bits and activations in 15, packed
 *
 * A column of weights is q s, q from -127 to 127, s = its largest / 127; a row of activations is (256 h + l) r, h and l of 8
 * bits, r = its largest / 32512. So both products are of bytes, and their sums are whole numbers without an error: what is lost
 * is what rounding each number once loses. A weight takes one byte. NaN and infinity make the row or column NaN.
 *
 * A tile is 16 lines of 64 bytes: of 16 rows, 64 numbers along k each; of 16 columns, four numbers each a line. A strip is 16
 * rows: for each tile of k one of h and one of l, then 16 scales. A panel is 16 columns: its tiles, then 16 scales.
 */
#ifndef DS_GRAPH_CPU_BYTES_H
#define DS_GRAPH_CPU_BYTES_H

#include "graph/cpu/tiles.h"

enum { DS_BYTES_K = 64, DS_BYTES_TILE = 1024 }; /* of k in a tile; bytes of one */

static inline int64_t ds_bytes_tiles(int64_t k)
{
	return (k + DS_BYTES_K - 1) / DS_BYTES_K;
}

size_t ds_bytes_strip(int64_t k); /* bytes of a strip, and of a panel; 64-byte aligned */
size_t ds_bytes_panel(int64_t k);
/* Matrices of floats, as tiles.h has them. */
void ds_bytes_pack_rows(const ds_tile_rows *a, int64_t strip, void *to);
void ds_bytes_pack_weights(const ds_tile_rows *w, bool across, int64_t panel, void *to);

typedef struct { /* C[m, n] = A B + bias */
	int64_t k;
	const void *a, *b; /* strips from the first row on; panels from the first column on */
	int64_t m, n;      /* n: 1 … 32 */
	const float *bias; /* [n], or NULL */
	float *c;
	int64_t ldc;
} ds_bytes_product;
/* By the widest that this CPU and DS_CPU allow: with the same bits. */
void ds_bytes_multiply(const ds_bytes_product *p);

/* ---- bytes_amx.c: only where ds_cpu_has_amx ---- */

void ds_bytes_pack_rows_amx(const ds_tile_rows *a, int64_t strip, void *to);
void ds_bytes_pack_weights_amx(const ds_tile_rows *w, bool across, int64_t panel, void *to);
/* Of a strip by two panels, or one (NULL): [panel][h, l][16][16]. */
void ds_bytes_sum_amx(const void *strip, const void *const panels[2], int64_t k, int32_t *sums);

#endif
