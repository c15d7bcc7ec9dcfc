/*
 * exec.h - loops over lanes, for the files exec_*.cc
 *
 * Each of those files is compiled once per instruction set (SIM_ISA is the namespace), and the
 * compiler makes the vectors: every instruction is a loop of 32 equal steps over arrays. Values of
 * lanes that do not take part are computed and dropped, so a step must be harmless for any bits.
 */
#ifndef DS_SIM_EXEC_H
#define DS_SIM_EXEC_H

#include "warp.h"

#include <cmath>

#ifndef SIM_ISA
#define SIM_ISA plain
#endif
#define SIM_INLINE __attribute__((always_inline))

namespace sim::SIM_ISA
{

template <class D, class F> SIM_INLINE static inline void put(const Warp &w, uint32_t o, F f)
{
	D *d = w.lanes<D>(o);
	uint32_t m = w.exec;
	if (m == all_lanes) {
#pragma GCC ivdep
		for (int l = 0; l < n_lanes; l++)
			d[l] = f(l);
	} else {
		alignas(64) D v[n_lanes];
		for (int l = 0; l < n_lanes; l++)
			v[l] = f(l);
		asm volatile(""
			     :
			     : "r"(v)
			     : "memory"); /* gcc 12 breaks over the two loops made one */
		for (int l = 0; l < n_lanes; l++)
			d[l] = m >> l & 1 ? v[l] : d[l];
	}
}

/* One bit for each lane where f holds. */
template <class F> SIM_INLINE static inline uint32_t lanes_where(F f)
{
	uint32_t r = 0;
	for (int l = 0; l < n_lanes; l++)
		r |= f(l) ? 1u << l : 0;
	return r;
}

SIM_INLINE static inline void put_bits(const Warp &w, uint32_t o, uint32_t v)
{
	uint32_t *d = w.at<uint32_t>(o);
	*d = (*d & ~w.exec) | (v & w.exec);
}

/* What an instruction computes from the values of one lane; T is their type. */
#define FN(name, result, args, ...) \
	struct name { \
		template <class T = void> static result f args \
		{ \
			return (result)(__VA_ARGS__); \
		} \
	};

template <class D, class A, class F> static void map1(Warp &w, const Ins &i)
{
	const A *a = w.lanes<A>(i.o[1]);
	put<D>(w, i.o[0], [=](int l) SIM_INLINE { return (D)F::f(a[l]); });
}

template <class D, class A, class F> static void map2(Warp &w, const Ins &i)
{
	const A *a = w.lanes<A>(i.o[1]), *b = w.lanes<A>(i.o[2]);
	put<D>(w, i.o[0], [=](int l) SIM_INLINE { return (D)F::f(a[l], b[l]); });
}

template <class D, class A, class C, class F> static void map3(Warp &w, const Ins &i)
{
	const A *a = w.lanes<A>(i.o[1]), *b = w.lanes<A>(i.o[2]);
	const C *c = w.lanes<C>(i.o[3]);
	put<D>(w, i.o[0], [=](int l) SIM_INLINE { return (D)F::f(a[l], b[l], c[l]); });
}

/* The same with a first operand of another width: shifts, bit fields. */
template <class D, class A, class B, class F> static void map_ab(Warp &w, const Ins &i)
{
	const A *a = w.lanes<A>(i.o[1]);
	const B *b = w.lanes<B>(i.o[2]);
	put<D>(w, i.o[0], [=](int l) SIM_INLINE { return (D)F::f(a[l], b[l]); });
}

static inline float as_float(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static inline uint32_t as_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static inline float from_bf16(uint16_t h)
{
	return as_float((uint32_t)h << 16);
}

static inline uint16_t to_bf16(float f)
{
	uint32_t u = as_bits(f), r = (u + 0x7fff + (u >> 16 & 1)) >> 16;
	return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? 0x7fff : r);
}

static inline float from_f16(uint16_t h)
{
	_Float16 x;
	memcpy(&x, &h, 2);
	return (float)x;
}

static inline uint16_t to_f16(float f)
{
	_Float16 x = (_Float16)f;
	uint16_t h;
	memcpy(&h, &x, 2);
	return f != f ? 0x7fff : h;
}

} // namespace sim::SIM_ISA

#endif
