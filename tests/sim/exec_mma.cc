/*
 * exec_mma.cc - mma.sync
 *
 * A fragment register holds 8 rows of four 32-bit words, in rows (lane = 4 row + word), so A and B are
 * read by plain indexing: word t of row g of A's upper left part is lane 4g+t of its first register, and
 * B comes transposed, column by column. Products are exact in fp32; the sum is taken over k in order,
 * while a device adds in groups: results agree to the last bits only where sums are exact.
 */
#include "exec.h"

namespace sim::SIM_ISA
{

namespace
{

struct Bf16 {
	enum { per_word = 2 };
	static float to(uint32_t word, int n)
	{
		return as_float(n ? word & 0xffff0000u : word << 16);
	}
};
struct F16 {
	enum { per_word = 2 };
	static float to(uint32_t word, int n)
	{
		return from_f16((uint16_t)(word >> (16 * n)));
	}
};
struct Tf32 {
	enum { per_word = 1 };
	static float to(uint32_t word, int)
	{
		return as_float(word & ~0x1fffu);
	}
};
struct E4m3 {
	enum { per_word = 4 };
	static float to(uint32_t word, int n)
	{
		uint32_t v = word >> (8 * n) & 0xff, e = v >> 3 & 15, m = v & 7;
		float r = e ? as_float((e + 120) << 23 | m << 20) : (float)m * 0x1p-9f;
		r = (v & 0x7f) == 0x7f ? as_float(0x7fffffff) : r;
		return v & 0x80 ? -r : r;
	}
};
struct E5m2 {
	enum { per_word = 4 };
	static float to(uint32_t word, int n)
	{
		return from_f16((uint16_t)((word >> (8 * n) & 0xff) << 8));
	}
};

/* words: 32-bit words of A along k, 4 or 8: two or four registers. */
template <class A, class B, int words, class C> void mma(Warp &w, const Ins &i)
{
	constexpr int per = A::per_word, k = words * per, n_a = words / 2, n_b = words / 4;
	const int n_d = sizeof(C) == 4 ? 4 : 2;
	alignas(64) float a[16][k], b[k][8], d[16][8];
	for (int g = 0; g < 8; g++)
		for (int half = 0; half < n_b; half++) {
			const uint32_t *upper = w.lanes<uint32_t>(i.o[n_d + 2 * half]);
			const uint32_t *lower = w.lanes<uint32_t>(i.o[n_d + 2 * half + 1]);
			const uint32_t *col = w.lanes<uint32_t>(i.o[n_d + n_a + half]);
			for (int t = 0; t < 4; t++)
				for (int n = 0; n < per; n++) {
					int at = (half * 4 + t) * per + n;
					a[g][at] = A::to(upper[4 * g + t], n);
					a[g + 8][at] = A::to(lower[4 * g + t], n);
					b[at][g] = B::to(col[4 * g + t], n);
				}
		}
	const uint32_t *c = i.o + n_d + n_a + n_b;
	for (int r = 0; r < 16; r++)
		for (int x = 0; x < 8; x++) {
			int lane = 4 * (r & 7) + x / 2, reg = (r >= 8 ? 2 : 0) + (x & 1);
			if (sizeof(C) == 4)
				d[r][x] = w.lanes<float>(c[reg])[lane];
			else
				d[r][x] = from_f16((uint16_t)(w.lanes<uint32_t>(c[reg / 2])[lane] >>
							      (16 * (reg & 1))));
		}
	for (int r = 0; r < 16; r++) {
		float sum[8];
		for (int x = 0; x < 8; x++)
			sum[x] = d[r][x];
		for (int z = 0; z < k; z++)
			for (int x = 0; x < 8; x++)
				sum[x] = __builtin_fmaf(a[r][z], b[z][x], sum[x]);
		for (int x = 0; x < 8; x++)
			d[r][x] = sum[x];
	}
	for (int r = 0; r < 16; r++)
		for (int x = 0; x < 8; x++) {
			int lane = 4 * (r & 7) + x / 2, reg = (r >= 8 ? 2 : 0) + (x & 1);
			if (sizeof(C) == 4)
				w.lanes<float>(i.o[reg])[lane] = d[r][x];
			else
				w.lanes<uint16_t>(i.o[reg / 2])[2 * lane + (reg & 1)] =
					to_f16(d[r][x]);
		}
}

/* 8-bit integers: m16n8k16 and k32, sums in 32 bits. */
template <class A, class B, int words> void mma_int(Warp &w, const Ins &i)
{
	constexpr int n_a = words / 2, n_b = words / 4;
	int32_t d[4][n_lanes];
	for (int lane = 0; lane < n_lanes; lane++)
		for (int reg = 0; reg < 4; reg++) {
			int row = lane / 4, col = lane % 4 * 2 + (reg & 1);
			int32_t s = w.lanes<int32_t>(i.o[4 + n_a + n_b + reg])[lane];
			for (int z = 0; z < words * 4; z++) {
				int half = z / 16, t = z / 4 % 4, shift = z % 4 * 8;
				uint32_t x =
					w.lanes<uint32_t>(i.o[4 + 2 * half + reg / 2])[4 * row + t];
				uint32_t y = w.lanes<uint32_t>(i.o[4 + n_a + half])[4 * col + t];
				s += (int32_t)(A)(x >> shift) * (int32_t)(B)(y >> shift);
			}
			d[reg][lane] = s;
		}
	for (int reg = 0; reg < 4; reg++)
		memcpy(w.lanes<int32_t>(i.o[reg]), d[reg], sizeof(d[reg]));
}

template <class A> Handler small_float(bool long_k, const std::string &b)
{
	if (b == "e4m3")
		return long_k ? mma<A, E4m3, 8, float> : mma<A, E4m3, 4, float>;
	return long_k ? mma<A, E5m2, 8, float> : mma<A, E5m2, 4, float>;
}

} // namespace

bool pick_mma(const Shape &s, Ins &i)
{
	if (s.s->op != "mma" || !s.has("row") || !s.has("col") || s.has("sp") || s.types.size() < 4)
		return false;
	std::string d = s.types[0], a = s.types[1], b = s.types[2], c = s.types[3];
	bool k8 = s.has("m16n8k8"), k16 = s.has("m16n8k16"), k4 = s.has("m16n8k4"),
	     k32 = s.has("m16n8k32");
	if (d != c || (!k8 && !k16 && !k4 && !k32))
		return false;
	if (a == "bf16" && b == a && d == "f32")
		i.run = k16 ? mma<Bf16, Bf16, 8, float> : k8 ? mma<Bf16, Bf16, 4, float> : nullptr;
	else if (a == "f16" && b == a && d == "f32")
		i.run = k16 ? mma<F16, F16, 8, float> : k8 ? mma<F16, F16, 4, float> : nullptr;
	else if (a == "f16" && b == a && d == "f16")
		i.run = k16  ? mma<F16, F16, 8, uint16_t>
			: k8 ? mma<F16, F16, 4, uint16_t>
			     : nullptr;
	else if (a == "tf32" && b == a && d == "f32")
		i.run = k8 ? mma<Tf32, Tf32, 8, float> : k4 ? mma<Tf32, Tf32, 4, float> : nullptr;
	else if ((a == "e4m3" || a == "e5m2") && d == "f32" && (k32 || k16))
		i.run = a == "e4m3" ? small_float<E4m3>(k32, b) : small_float<E5m2>(k32, b);
	else if (a == "s8" && b == "s8" && d == "s32")
		i.run = k32   ? mma_int<int8_t, int8_t, 8>
			: k16 ? mma_int<int8_t, int8_t, 4>
			      : nullptr;
	else if (a == "u8" && b == "u8" && d == "s32")
		i.run = k32   ? mma_int<uint8_t, uint8_t, 8>
			: k16 ? mma_int<uint8_t, uint8_t, 4>
			      : nullptr;
	return i.run;
}

} // namespace sim::SIM_ISA
