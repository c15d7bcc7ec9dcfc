/*
 * exec_atomic.cc - atom and red
 *
 * Lanes take turns from the lowest up, so a sum of floats comes out the same in every run here; a
 * device promises no order.
 */
#include "exec_address.h"

namespace sim::SIM_ISA
{

namespace
{

FN(Add, T, (T old, T v), old + v)
FN(Exch, T, (T, T v), v)
FN(Min, T, (T old, T v), v < old ? v : old)
FN(Max, T, (T old, T v), v > old ? v : old)
FN(And, T, (T old, T v), old &v)
FN(Or, T, (T old, T v), old | v)
FN(Xor, T, (T old, T v), old ^ v)
FN(Inc, T, (T old, T v), old >= v ? 0 : (T)(old + 1))
FN(Dec, T, (T old, T v), old == 0 || old > v ? v : (T)(old - 1))
template <bool bf, int n> struct AddHalf {
	template <class T> static T f(T old, T v)
	{
		T r = 0;
		for (int h = 0; h < n; h++) {
			uint16_t a = (uint16_t)(old >> (16 * h)), b = (uint16_t)(v >> (16 * h));
			uint16_t s = bf ? to_bf16(from_bf16(a) + from_bf16(b))
					: to_f16(from_f16(a) + from_f16(b));
			r = (T)(r | (T)((T)s << (16 * h)));
		}
		return r;
	}
};

/* sub: 1 for atom, which gives the old value back. */
template <class T, class F> void update(Warp &w, const Ins &i)
{
	alignas(64) uint64_t a[n_lanes];
	int first = i.sub;
	addresses(w, i.o[first], i.narrow_address, i.imm[0], a);
	resolve(w, i, i.space, a, sizeof(T), Access::atomic);
	const T *v = w.lanes<T>(i.o[first + 1]);
	T values[n_lanes];
	memcpy(values, v, sizeof(values));
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		T *p = (T *)a[l], old = *p;
		*p = F::f(old, values[l]);
		if (first)
			w.lanes<T>(i.o[0])[l] = old;
	}
}

template <class T> void compare_and_swap(Warp &w, const Ins &i)
{
	alignas(64) uint64_t a[n_lanes];
	addresses(w, i.o[1], i.narrow_address, i.imm[0], a);
	resolve(w, i, i.space, a, sizeof(T), Access::atomic);
	T expected[n_lanes], values[n_lanes];
	memcpy(expected, w.lanes<T>(i.o[2]), sizeof(expected));
	memcpy(values, w.lanes<T>(i.o[3]), sizeof(values));
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		T *p = (T *)a[l], old = *p;
		if (old == expected[l])
			*p = values[l];
		w.lanes<T>(i.o[0])[l] = old;
	}
}

template <class F> Handler by_integer(const std::string &t)
{
	return t == "u32" || t == "b32"   ? update<uint32_t, F>
	       : t == "s32"               ? update<int32_t, F>
	       : t == "u64" || t == "b64" ? update<uint64_t, F>
	       : t == "s64"               ? update<int64_t, F>
					  : nullptr;
}

Handler pick_update(const Shape &s, const std::string &t)
{
	if (s.has("add"))
		return t == "f32"      ? update<float, Add>
		       : t == "f64"    ? update<double, Add>
		       : t == "f16"    ? update<uint16_t, AddHalf<false, 1>>
		       : t == "bf16"   ? update<uint16_t, AddHalf<true, 1>>
		       : t == "f16x2"  ? update<uint32_t, AddHalf<false, 2>>
		       : t == "bf16x2" ? update<uint32_t, AddHalf<true, 2>>
				       : by_integer<Add>(t);
	return s.has("exch")  ? by_integer<Exch>(t)
	       : s.has("min") ? by_integer<Min>(t)
	       : s.has("max") ? by_integer<Max>(t)
	       : s.has("and") ? by_integer<And>(t)
	       : s.has("or")  ? by_integer<Or>(t)
	       : s.has("xor") ? by_integer<Xor>(t)
	       : s.has("inc") ? by_integer<Inc>(t)
	       : s.has("dec") ? by_integer<Dec>(t)
			      : nullptr;
}

} // namespace

bool pick_atomic(const Shape &s, Ins &i)
{
	const std::string &op = s.s->op;
	if ((op != "atom" && op != "red") || s.has("v2") || s.has("v4"))
		return false;
	std::string t = s.type();
	i.access = Access::atomic;
	i.size = (uint8_t)(type_bits(t) / 8);
	i.sub = op == "atom";
	if (s.has("cas"))
		i.run = type_bits(t) == 16   ? compare_and_swap<uint16_t>
			: type_bits(t) == 32 ? compare_and_swap<uint32_t>
					     : compare_and_swap<uint64_t>;
	else
		i.run = pick_update(s, t);
	return i.run;
}

} // namespace sim::SIM_ISA
