/*
 * exec_convert.cc - cvt
 *
 * The conversions that kernels are full of have a loop each. Every other pair goes through one wide
 * value: integers through int64_t, floats through double, which holds all of them exactly.
 */
#include "exec.h"

namespace sim::SIM_ISA
{

namespace
{

template <class D, class A> void simple(Warp &w, const Ins &i)
{
	const A *a = w.lanes<A>(i.o[1]);
	put<D>(w, i.o[0], [=](int l) SIM_INLINE { return (D)a[l]; });
}

FN(FromBf16, float, (uint16_t a), from_bf16(a))
FN(ToBf16, uint16_t, (float a), to_bf16(a))
FN(FromF16, float, (uint16_t a), from_f16(a))
FN(ToF16, uint16_t, (float a), to_f16(a))
FN(ToBf16x2, uint32_t, (float a, float b), (uint32_t)to_bf16(a) << 16 | to_bf16(b))
FN(ToF16x2, uint32_t, (float a, float b), (uint32_t)to_f16(a) << 16 | to_f16(b))
/* tf32 keeps 10 bits of the fraction; .rna rounds half away from zero, .rn to even. */
FN(ToTf32, uint32_t, (uint32_t u), (u & 0x7f800000) == 0x7f800000 ? u : (u + 0x1000) & ~0x1fffu)
FN(ToTf32Even, uint32_t, (uint32_t u),
	(u & 0x7f800000) == 0x7f800000 ? u : (u + 0xfff + (u >> 13 & 1)) & ~0x1fffu)
FN(Relu, float, (float a), a > 0.f || a != a ? a : 0.f)
FN(ToBf16x2Relu, uint32_t, (float a, float b), ToBf16x2::f(Relu::f(a), Relu::f(b)))
FN(ToF16x2Relu, uint32_t, (float a, float b), ToF16x2::f(Relu::f(a), Relu::f(b)))

/* A float of few bits: exponent bits, fraction bits; no infinity in e4m3, whose largest is 448. */
template <int e_bits, int m_bits, bool finite> struct Small {
	static constexpr int bias = (1 << (e_bits - 1)) - 1;
	static constexpr float largest = finite ? 448.f : 57344.f;
	static uint32_t from(float x)
	{
		uint32_t sign = as_bits(x) >> 31 << 7;
		float a = __builtin_fabsf(x);
		if (x != x)
			return sign | 0x7f;
		if (a > largest)
			a = largest; /* .satfinite, the only one that exists */
		int e;
		frexpf(a, &e);
		e = a == 0.f ? 1 - bias : e - 1;
		if (e < 1 - bias)
			e = 1 - bias;
		float scaled = __builtin_rintf(ldexpf(a, m_bits - e)); /* to even */
		uint32_t m = (uint32_t)scaled;
		if (m < 1u << m_bits)
			return sign | m;
		return sign | (uint32_t)(((e + bias) << m_bits) + (int)(m - (1u << m_bits)));
	}
	static float to(uint32_t v)
	{
		int e = (int)(v >> m_bits & ((1 << e_bits) - 1));
		uint32_t m = v & ((1 << m_bits) - 1);
		float r = ldexpf((float)(e ? m + (1u << m_bits) : m), (e ? e : 1) - bias - m_bits);
		if (finite ? (v & 0x7f) == 0x7f : e == (1 << e_bits) - 1)
			r = finite || m ? as_float(0x7fffffff) : HUGE_VALF;
		return v & 0x80 ? -r : r;
	}
};
using E4m3 = Small<4, 3, true>;
using E5m2 = Small<5, 2, false>;

template <class S> void to_small2(Warp &w, const Ins &i)
{
	const float *a = w.lanes<float>(i.o[1]), *b = w.lanes<float>(i.o[2]);
	put<uint16_t>(
		w, i.o[0], [=](int l) { return (uint16_t)(S::from(a[l]) << 8 | S::from(b[l])); });
}
template <class S> void half2_to_small2(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]);
	put<uint16_t>(w, i.o[0], [=](int l) {
		return (uint16_t)(S::from(from_f16((uint16_t)(a[l] >> 16))) << 8 |
				  S::from(from_f16((uint16_t)a[l])));
	});
}
template <class S> void small2_to_half2(Warp &w, const Ins &i)
{
	const uint16_t *a = w.lanes<uint16_t>(i.o[1]);
	put<uint32_t>(w, i.o[0], [=](int l) {
		return (uint32_t)to_f16(S::to(a[l] >> 8)) << 16 | to_f16(S::to(a[l] & 0xff));
	});
}

/* The long way. Types are numbered, so that the instruction can carry them. */
enum T : uint8_t {
	t_u8,
	t_s8,
	t_u16,
	t_s16,
	t_u32,
	t_s32,
	t_u64,
	t_s64,
	t_f16,
	t_bf16,
	t_f32,
	t_f64,
	t_count
};
const char *const names[] = { "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f16", "bf16",
	"f32", "f64" };
enum Round : uint8_t { to_even, to_zero, down, up };

T type_of(const std::string &name)
{
	for (int n = 0; n < t_count; n++)
		if (name == names[n])
			return (T)n;
	return t_count;
}

uint64_t read_raw(const Warp &w, uint32_t o, int bits, int l)
{
	return bits == 16   ? w.lanes<uint16_t>(o)[l]
	       : bits == 32 ? w.lanes<uint32_t>(o)[l]
			    : w.lanes<uint64_t>(o)[l];
}

int64_t as_integer(uint64_t v, T t)
{
	switch (t) {
	case t_u8:
		return (uint8_t)v;
	case t_s8:
		return (int8_t)v;
	case t_u16:
		return (uint16_t)v;
	case t_s16:
		return (int16_t)v;
	case t_u32:
		return (uint32_t)v;
	case t_s32:
		return (int32_t)v;
	default:
		return (int64_t)v;
	}
}

double as_double(uint64_t v, T t)
{
	double d;
	switch (t) {
	case t_f16:
		return from_f16((uint16_t)v);
	case t_bf16:
		return from_bf16((uint16_t)v);
	case t_f32:
		return as_float((uint32_t)v);
	case t_f64:
		memcpy(&d, &v, 8);
		return d;
	case t_u64:
		return (double)v;
	default:
		return (double)as_integer(v, t);
	}
}

double round_whole(double x, int how)
{
	return how == to_even   ? rint(x)
	       : how == to_zero ? trunc(x)
	       : how == down    ? floor(x)
				: ceil(x);
}

/* Out of range goes to the nearest end, NaN to zero. */
uint64_t double_to_integer(double x, T t, int how)
{
	static const double least[] = { 0, -128, 0, -32768, 0, -2147483648.0, 0,
		-9223372036854775808.0 };
	static const double most[] = { 255, 127, 65535, 32767, 4294967295.0, 2147483647.0,
		18446744073709551616.0, 9223372036854775808.0 };
	if (x != x)
		return t == t_s64 ? 1ull << 63 : 0;
	x = round_whole(x, how);
	if (x <= least[t])
		return (uint64_t)(int64_t)least[t];
	if (x >= most[t])
		return t == t_u64 ? ~0ull : t == t_s64 ? (uint64_t)INT64_MAX : (uint64_t)most[t];
	return t == t_u64 ? (uint64_t)x : (uint64_t)(int64_t)x;
}

float narrow(double x, int how)
{
	float f = (float)x;
	if (how == to_even || (double)f == x || f != f)
		return f;
	bool too_high = (double)f > x;
	if (how == down || (how == to_zero && x > 0))
		return too_high ? nextafterf(f, -HUGE_VALF) : f;
	return too_high ? f : nextafterf(f, HUGE_VALF);
}

/* To 16 bits with another rounding than to even: the bits that fall away decide. */
uint16_t narrow16(float f, T t, int how)
{
	uint16_t h = t == t_f16 ? to_f16(f) : to_bf16(f);
	float back = t == t_f16 ? from_f16(h) : from_bf16(h);
	if (how == to_even || back == f || f != f)
		return h;
	bool toward_zero = how == to_zero || (how == down) == (f > 0);
	bool is_larger = __builtin_fabsf(back) > __builtin_fabsf(f);
	return (uint16_t)(is_larger && toward_zero     ? h - 1
			  : !is_larger && !toward_zero ? h + 1
						       : h);
}

uint64_t float_result(double x, T t, int how)
{
	uint64_t v;
	if (t == t_f64) {
		memcpy(&v, &x, 8);
		return v;
	}
	float f = narrow(x, how);
	return t == t_f32 ? as_bits(f) : narrow16(f, t, how);
}

/* vec: source type and bits; size: result type; sub: rounding, and whether to a whole number. */
void general(Warp &w, const Ins &i)
{
	T from = (T)(i.vec & 15), to = (T)(i.size & 15);
	int from_bits = 16 << (i.vec >> 4), to_bits = 16 << (i.size >> 4), how = i.sub & 3;
	bool whole = i.sub & 4, sat = i.sub & 8;
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		uint64_t v = read_raw(w, i.o[1], from_bits, l);
		if (to >= t_f16) {
			double x = as_double(v, from);
			x = whole ? round_whole(x, how) : x;
			x = sat ? (x > 0 ? (x < 1 ? x : 1) : 0) : x;
			v = from < t_f16 && from >= t_u64 && to == t_f32
				    ? as_bits(from == t_u64 ? (float)v : (float)(int64_t)v)
				    : float_result(x, to, whole ? (int)to_even : how);
		} else if (from >= t_f16) {
			v = double_to_integer(as_double(v, from), to, how);
			v = (uint64_t)as_integer(v, to);
		} else if (sat && from != t_u64) {
			v = double_to_integer((double)as_integer(v, from), to, to_zero);
		} else {
			v = (uint64_t)as_integer((uint64_t)as_integer(v, from), to);
		}
		if (to_bits == 16)
			w.lanes<uint16_t>(i.o[0])[l] = (uint16_t)v;
		else if (to_bits == 32)
			w.lanes<uint32_t>(i.o[0])[l] = (uint32_t)v;
		else
			w.lanes<uint64_t>(i.o[0])[l] = v;
	}
}

Handler pick_direct(const Shape &s, const std::string &to, const std::string &from)
{
	static const struct {
		const char *to, *from;
		int to_bits, from_bits;
		Handler run;
	} table[] = {
		{ "s64", "s32", 64, 32, simple<int64_t, int32_t> },
		{ "u64", "u32", 64, 32, simple<uint64_t, uint32_t> },
		{ "u32", "u64", 32, 64, simple<uint32_t, uint64_t> },
		{ "s32", "s64", 32, 64, simple<int32_t, int64_t> },
		{ "u16", "u32", 16, 32, simple<uint16_t, uint32_t> },
		{ "u32", "u16", 32, 16, simple<uint32_t, uint16_t> },
		{ "s32", "s16", 32, 16, simple<int32_t, int16_t> },
		{ "u16", "u64", 16, 64, simple<uint16_t, uint64_t> },
		{ "u64", "u16", 64, 16, simple<uint64_t, uint16_t> },
		{ "u64", "s32", 64, 32, simple<int64_t, int32_t> },
		{ "u32", "s32", 32, 32, simple<uint32_t, uint32_t> },
		{ "f32", "s32", 32, 32, simple<float, int32_t> },
		{ "f32", "u32", 32, 32, simple<float, uint32_t> },
		{ "f64", "f32", 64, 32, simple<double, float> },
		{ "f32", "f64", 32, 64, simple<float, double> },
		{ "f64", "s32", 64, 32, simple<double, int32_t> },
		{ "f32", "bf16", 32, 16, map1<float, uint16_t, FromBf16> },
		{ "bf16", "f32", 16, 32, map1<uint16_t, float, ToBf16> },
		{ "f32", "f16", 32, 16, map1<float, uint16_t, FromF16> },
		{ "f16", "f32", 16, 32, map1<uint16_t, float, ToF16> },
	};
	if (s.has("sat") || s.has("rz") || s.has("rm") || s.has("rp") || s.has("relu"))
		return nullptr;
	for (auto &t : table)
		if (to == t.to && from == t.from && s.bits[0] == t.to_bits &&
			s.bits[1] == t.from_bits)
			return t.run;
	return nullptr;
}

Handler pick_packed(const Shape &s, const std::string &to, const std::string &from)
{
	bool relu = s.has("relu");
	if (s.has("rz") && (to == "bf16x2" || to == "f16x2"))
		return nullptr;
	if (to == "bf16x2" && from == "f32")
		return relu ? map2<uint32_t, float, ToBf16x2Relu> : map2<uint32_t, float, ToBf16x2>;
	if (to == "f16x2" && from == "f32")
		return relu ? map2<uint32_t, float, ToF16x2Relu> : map2<uint32_t, float, ToF16x2>;
	if (to == "tf32")
		return s.has("rna") ? map1<uint32_t, uint32_t, ToTf32>
				    : map1<uint32_t, uint32_t, ToTf32Even>;
	if (to == "e4m3x2")
		return from == "f32"     ? to_small2<E4m3>
		       : from == "f16x2" ? half2_to_small2<E4m3>
					 : nullptr;
	if (to == "e5m2x2")
		return from == "f32"     ? to_small2<E5m2>
		       : from == "f16x2" ? half2_to_small2<E5m2>
					 : nullptr;
	if (to == "f16x2")
		return from == "e4m3x2"   ? small2_to_half2<E4m3>
		       : from == "e5m2x2" ? small2_to_half2<E5m2>
					  : nullptr;
	return nullptr;
}

} // namespace

bool pick_convert(const Shape &s, Ins &i)
{
	if (s.s->op != "cvt" || s.types.size() < 2)
		return false;
	std::string to = s.types[0], from = s.types[1];
	if (type_of(to) == t_count || type_of(from) == t_count) {
		i.run = pick_packed(s, to, from);
		return i.run;
	}
	i.run = pick_direct(s, to, from);
	if (i.run || s.has("relu") || s.bits[0] < 16 || s.bits[1] < 16)
		return i.run;
	auto width = [](int bits) { return (bits == 16 ? 0 : bits == 32 ? 1 : 2) << 4; };
	bool to_whole = s.has("rni") || s.has("rzi") || s.has("rmi") || s.has("rpi");
	int how = s.has("rz") || s.has("rzi")   ? to_zero
		  : s.has("rm") || s.has("rmi") ? down
		  : s.has("rp") || s.has("rpi") ? up
						: to_even;
	i.vec = (uint8_t)(type_of(from) | width(s.bits[1]));
	i.size = (uint8_t)(type_of(to) | width(s.bits[0]));
	i.sub = (uint8_t)(how | (to_whole ? 4 : 0) | (s.has("sat") ? 8 : 0));
	i.run = general;
	return true;
}

} // namespace sim::SIM_ISA
