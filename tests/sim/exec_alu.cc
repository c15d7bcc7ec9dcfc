/*
 * exec_alu.cc - integers, floats of 32 and 64 bits, predicates, moves
 *
 * Functions that the hardware approximates (ex2, lg2, tanh ...) are computed to about one ulp here;
 * .ftz is read and denormals are kept.
 */
#include "exec.h"

#include <chrono>

namespace sim::SIM_ISA
{

namespace
{

FN(Add, T, (T a, T b), a + b)
FN(Sub, T, (T a, T b), a - b)
FN(Mul, T, (T a, T b), a *b)
FN(And, T, (T a, T b), a &b)
FN(Or, T, (T a, T b), a | b)
FN(Xor, T, (T a, T b), a ^ b)
FN(Not, T, (T a), (T)~a)
FN(Cnot, T, (T a), a ? 0 : 1)
FN(Neg, T, (T a), (T)-a)
FN(NegInt, T, (T a), T(0) - a)
FN(AbsInt, T, (T a), a < 0 ? (T)(T(0) - a) : a)
FN(Copy, T, (T a), a)
FN(Div, T, (T a, T b), a / b)
FN(DivU, T, (T a, T b), b ? (T)(a / b) : (T)~T(0))
FN(RemU, T, (T a, T b), b ? (T)(a % b) : a)
FN(DivS, T, (T a, T b), b == 0 ? (T)~T(0) : b == T(-1) ? (T)(T(0) - a) : (T)(a / b))
FN(RemS, T, (T a, T b), b == 0 ? a : b == T(-1) ? T(0) : (T)(a % b))
FN(Min, T, (T a, T b), a < b ? a : b)
FN(Max, T, (T a, T b), a > b ? a : b)
/* A NaN loses, unless both are; with .NaN it wins. */
FN(MinF, T, (T a, T b), b != b ? a : a != a ? b : a < b ? a : b)
FN(MaxF, T, (T a, T b), b != b ? a : a != a ? b : a > b ? a : b)
FN(MinNan, T, (T a, T b), a != a ? a : b != b ? b : a < b ? a : b)
FN(MaxNan, T, (T a, T b), a != a ? a : b != b ? b : a > b ? a : b)
FN(MulHi32, T, (T a, T b), ((int64_t)a * (int64_t)b) >> 32)
FN(MulHiU32, uint32_t, (uint32_t a, uint32_t b), (uint32_t)(((uint64_t)a * b) >> 32))
FN(MulHi16, T, (T a, T b), ((int32_t)a * (int32_t)b) >> 16)
FN(MulHi64, int64_t, (int64_t a, int64_t b), (int64_t)(((__int128)a * b) >> 64))
FN(MulHiU64, uint64_t, (uint64_t a, uint64_t b), (uint64_t)(((unsigned __int128)a * b) >> 64))
template <class D> struct MulWide {
	template <class T> static D f(T a, T b)
	{
		return (D)a * (D)b;
	}
};
template <class D> struct MadWide {
	template <class T, class C> static D f(T a, T b, C c)
	{
		return (D)a * (D)b + (D)c;
	}
};
FN(MadLo, T, (T a, T b, T c), a *b + c)
FN(MadHi32, T, (T a, T b, T c), (uint32_t)(((int64_t)a * (int64_t)b) >> 32) + (uint32_t)c)
FN(MadHiU32, uint32_t, (uint32_t a, uint32_t b, uint32_t c),
	(uint32_t)(((uint64_t)a * b) >> 32) + c)
FN(Sad, T, (T a, T b, T c), (a > b ? a - b : b - a) + c)
struct Fma {
	static float f(float a, float b, float c)
	{
		return __builtin_fmaf(a, b, c);
	}
	static double f(double a, double b, double c)
	{
		return __builtin_fma(a, b, c);
	}
};
/*
 * Directed rounding: the exact value is s and a rest, both doubles, and tells whether the nearest
 * float lies beyond it. way: -1 down, 1 up, 0 to zero.
 */
template <int way> struct Directed {
	static float next(float r, bool up)
	{
		uint32_t u = as_bits(r);
		bool grows = up == !(u >> 31);
		uint32_t v = (u & 0x7fffffff) == 0 ? (up ? 1u : 0x80000001u)
			     : grows               ? u + 1
						   : u - 1;
		return as_float(v);
	}
	static float round(double t, double c)
	{
		double s = t + c, b = s - t, rest = (t - (s - b)) + (c - b);
		float r = (float)s;
		bool above = (double)r > s || ((double)r == s && rest < 0),
		     below = (double)r < s || ((double)r == s && rest > 0);
		bool negative = s < 0;
		bool step_down = above && (way < 0 || (way == 0 && !negative));
		bool step_up = below && (way > 0 || (way == 0 && negative));
		float moved = next(r, step_up);
		return step_down || step_up ? moved : r;
	}
};
template <int way> struct AddTo {
	static float f(float a, float b)
	{
		return Directed<way>::round(a, b);
	}
};
template <int way> struct SubTo {
	static float f(float a, float b)
	{
		return Directed<way>::round(a, -b);
	}
};
template <int way> struct MulTo {
	static float f(float a, float b)
	{
		return Directed<way>::round((double)a * b, 0);
	}
};
template <int way> struct FmaTo {
	static float f(float a, float b, float c)
	{
		return Directed<way>::round((double)a * b, c);
	}
};
template <class F> struct Sat {
	static float clamp(float v)
	{
		return v > 0.f ? (v < 1.f ? v : 1.f) : 0.f;
	}
	static float f(float a, float b)
	{
		return clamp(F::f(a, b));
	}
	static float f(float a, float b, float c)
	{
		return clamp(F::f(a, b, c));
	}
};
FN(Shl, T, (T a, uint32_t n), n < sizeof(T) * 8 ? (T)(a << (n & (sizeof(T) * 8 - 1))) : T(0))
FN(ShrU, T, (T a, uint32_t n), n < sizeof(T) * 8 ? (T)(a >> (n & (sizeof(T) * 8 - 1))) : T(0))
FN(ShrS, T, (T a, uint32_t n), a >> (n < sizeof(T) * 8 ? n : sizeof(T) * 8 - 1))
FN(AbsF, T, (T a), a < 0 || (a == 0) ? T(0) - a : a)
FN(AbsF32, uint32_t, (uint32_t a), a & 0x7fffffffu)
FN(AbsF64, uint64_t, (uint64_t a), a & ~(1ull << 63))
FN(Popc, uint32_t, (T a), (uint32_t)__builtin_popcountll(a))
FN(Clz32, uint32_t, (uint32_t a), a ? (uint32_t)__builtin_clz(a) : 32)
FN(Clz64, uint32_t, (uint64_t a), a ? (uint32_t)__builtin_clzll(a) : 64)
struct Brev32 {
	static uint32_t f(uint32_t a)
	{
		a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
		a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
		a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
		return __builtin_bswap32(a);
	}
};
FN(Brev64, uint64_t, (uint64_t a),
	(uint64_t)Brev32::f((uint32_t)a) << 32 | Brev32::f((uint32_t)(a >> 32)))
/* Position of the highest bit that is set (for a negative number: not set). */
FN(FindShift, uint32_t, (uint32_t a), a ? (uint32_t)__builtin_clz(a) : all_lanes)
FN(FindU, uint32_t, (T a), a ? 63u - (uint32_t)__builtin_clzll((uint64_t)a) : all_lanes)
FN(FindS, uint32_t, (T a), FindU::f((std::make_unsigned_t<T>)(a < 0 ? ~a : a)))
struct Sqrt {
	static float f(float a)
	{
		return __builtin_sqrtf(a);
	}
	static double f(double a)
	{
		return __builtin_sqrt(a);
	}
};
FN(Rcp, T, (T a), T(1) / a)
FN(Rsqrt, T, (T a), T(1) / Sqrt::f(a))
FN(Sin, float, (float a), sinf(a))
FN(Cos, float, (float a), cosf(a))
FN(CopySign32, uint32_t, (uint32_t a, uint32_t b), (b & 0x7fffffffu) | (a & 0x80000000u))
FN(CopySign64, uint64_t, (uint64_t a, uint64_t b), (b & ~(1ull << 63)) | (a & 1ull << 63))

/* 2^x: the integer part goes to the exponent in two halves, so that denormals come out right. */
struct Ex2 {
	static float f(float x)
	{
		float c = x < -160.f  ? -160.f
			  : x > 160.f ? 160.f
				      : x,
		      n = __builtin_rintf(c), r = c - n;
		float p = 1.5403530e-4f;
		p = p * r + 1.3333558e-3f;
		p = p * r + 9.6181291e-3f;
		p = p * r + 5.5504109e-2f;
		p = p * r + 2.4022651e-1f;
		p = p * r + 6.9314718e-1f;
		p = p * r + 1.f;
		int32_t e = (int32_t)(c == c ? n : 0.f), half = e >> 1;
		float v = p * as_float((uint32_t)(half + 127) << 23) *
			  as_float((uint32_t)(e - half + 127) << 23);
		return x != x ? x : v;
	}
};
struct Lg2 {
	static float f(float x)
	{
		bool tiny = x < 1.17549435e-38f;
		uint32_t u = as_bits(tiny ? x * 8388608.f : x);
		int32_t e = (int32_t)((u - 0x3f3504f3u) & 0xff800000u);
		float m = as_float(u - (uint32_t)e), s = (m - 1.f) / (m + 1.f), z = s * s;
		float p =
			z * (z * (z * (z * 0.3205989f + 0.41219859f) + 0.57707802f) + 0.96179669f) +
			2.8853901f;
		float v = (float)(e >> 23) - (tiny ? 23.f : 0.f) + s * p;
		v = x == 0.f ? -HUGE_VALF : x < 0.f ? as_float(0x7fffffff) : v;
		return x != x || x == HUGE_VALF ? x : v;
	}
};
struct Tanh {
	static float f(float x)
	{
		float a = __builtin_fabsf(x), z = x * x;
		float small = x - x * z * (0.33333333f - z * (0.13333333f - z * 0.053968254f));
		float large = 1.f - 2.f / (Ex2::f(a * 2.8853901f) + 1.f);
		return a < 0.25f ? small : __builtin_copysignf(large, x);
	}
};

struct Bfe32 {
	static uint32_t f(uint32_t a, uint32_t pos, uint32_t len, bool is_signed)
	{
		pos &= 255, len &= 255;
		uint64_t v = is_signed ? (uint64_t)(int64_t)(int32_t)a : a;
		uint32_t top = pos + len > 32 ? 32 - (pos < 32 ? pos : 32) : len;
		v = pos < 64                      ? (uint64_t)((int64_t)v >> pos)
		    : is_signed && (int32_t)a < 0 ? ~0ull
						  : 0;
		if (!len)
			return 0;
		if (is_signed)
			return top ? (uint32_t)((int64_t)(v << (64 - top)) >> (64 - top))
				   : (uint32_t)((int32_t)a >> 31);
		return (uint32_t)(v & ((1ull << top) - 1));
	}
};
void bfe_u32(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *p = w.lanes<uint32_t>(i.o[2]),
		       *n = w.lanes<uint32_t>(i.o[3]);
	put<uint32_t>(w, i.o[0], [=](int l) { return Bfe32::f(a[l], p[l], n[l], false); });
}
void bfe_s32(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *p = w.lanes<uint32_t>(i.o[2]),
		       *n = w.lanes<uint32_t>(i.o[3]);
	put<uint32_t>(w, i.o[0], [=](int l) { return Bfe32::f(a[l], p[l], n[l], true); });
}
template <class T, bool is_signed> void bfe64(Warp &w, const Ins &i)
{
	const T *a = w.lanes<T>(i.o[1]);
	const uint32_t *p = w.lanes<uint32_t>(i.o[2]), *n = w.lanes<uint32_t>(i.o[3]);
	put<T>(w, i.o[0], [=](int l) {
		uint32_t pos = p[l] & 255, len = n[l] & 255;
		if (!len)
			return T(0);
		T v = pos < 64 ? (T)(a[l] >> pos) : is_signed && a[l] < 0 ? T(-1) : T(0);
		uint32_t top = pos + len > 64 ? 64 - (pos < 64 ? pos : 63) : len;
		return top >= 64 ? v : (T)((T)((uint64_t)v << (64 - top)) >> (64 - top));
	});
}
template <class T> void bfi(Warp &w, const Ins &i)
{
	const T *a = w.lanes<T>(i.o[1]), *b = w.lanes<T>(i.o[2]);
	const uint32_t *p = w.lanes<uint32_t>(i.o[3]), *n = w.lanes<uint32_t>(i.o[4]);
	put<T>(w, i.o[0], [=](int l) {
		uint32_t pos = p[l] & 255, len = n[l] & 255;
		T ones = len >= sizeof(T) * 8 ? (T)~T(0) : (T)(((T)1 << len) - 1);
		T field = pos >= sizeof(T) * 8 ? T(0) : (T)(ones << pos);
		T value = pos >= sizeof(T) * 8 ? T(0) : (T)(a[l] << pos);
		return (T)((b[l] & ~field) | (value & field));
	});
}
void prmt(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *b = w.lanes<uint32_t>(i.o[2]),
		       *s = w.lanes<uint32_t>(i.o[3]);
	put<uint32_t>(w, i.o[0], [=](int l) SIM_INLINE {
		uint64_t ab = a[l] | (uint64_t)b[l] << 32;
		uint32_t r = 0;
		for (int j = 0; j < 4; j++) {
			uint32_t c = s[l] >> (4 * j) & 15,
				 v = (uint32_t)(ab >> (8 * (c & 7))) & 255;
			v = c & 8 ? (v & 128 ? 255u : 0u) : v;
			r |= v << (8 * j);
		}
		return r;
	});
}
void lop3(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *b = w.lanes<uint32_t>(i.o[2]),
		       *c = w.lanes<uint32_t>(i.o[3]);
	uint32_t t = w.lanes<uint32_t>(i.o[4])[0], k[8];
	for (int n = 0; n < 8; n++)
		k[n] = t >> n & 1 ? all_lanes : 0;
	put<uint32_t>(w, i.o[0], [=](int l) SIM_INLINE {
		uint32_t x = a[l], y = b[l], z = c[l];
		return (k[0] & ~x & ~y & ~z) | (k[1] & ~x & ~y & z) | (k[2] & ~x & y & ~z) |
		       (k[3] & ~x & y & z) | (k[4] & x & ~y & ~z) | (k[5] & x & ~y & z) |
		       (k[6] & x & y & ~z) | (k[7] & x & y & z);
	});
}
/* A shift over the pair b:a; sub 1: to the right, sub 2: the amount wraps instead of stopping at 32. */
void shf(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *b = w.lanes<uint32_t>(i.o[2]),
		       *c = w.lanes<uint32_t>(i.o[3]);
	bool right = i.sub & 1, wraps = i.sub & 2;
	put<uint32_t>(w, i.o[0], [=](int l) SIM_INLINE {
		uint64_t pair = a[l] | (uint64_t)b[l] << 32;
		uint32_t n = wraps ? c[l] & 31 : c[l] < 32 ? c[l] : 32;
		return right ? (uint32_t)(pair >> n) : (uint32_t)((pair << n) >> 32);
	});
}
template <class A, class B> void dp4a(Warp &w, const Ins &i)
{
	const uint32_t *a = w.lanes<uint32_t>(i.o[1]), *b = w.lanes<uint32_t>(i.o[2]),
		       *c = w.lanes<uint32_t>(i.o[3]);
	put<uint32_t>(w, i.o[0], [=](int l) {
		int32_t s = (int32_t)c[l];
		for (int j = 0; j < 4; j++)
			s += (int32_t)(A)(a[l] >> (8 * j)) * (int32_t)(B)(b[l] >> (8 * j));
		return (uint32_t)s;
	});
}

template <class T> void selp(Warp &w, const Ins &i)
{
	const T *a = w.lanes<T>(i.o[1]), *b = w.lanes<T>(i.o[2]);
	uint32_t p = *w.at<uint32_t>(i.o[3]);
	put<T>(w, i.o[0], [=](int l) SIM_INLINE { return p >> l & 1 ? a[l] : b[l]; });
}

/* Predicates: one word for the warp. */
template <class F> void pred2(Warp &w, const Ins &i)
{
	put_bits(w, i.o[0], F::f(*w.at<uint32_t>(i.o[1]), *w.at<uint32_t>(i.o[2])));
}
template <class F> void pred1(Warp &w, const Ins &i)
{
	put_bits(w, i.o[0], F::f(*w.at<uint32_t>(i.o[1])));
}

FN(Eq, bool, (T a, T b), a == b)
FN(Ne, bool, (T a, T b), a<b || a> b)
FN(Lt, bool, (T a, T b), a < b)
FN(Le, bool, (T a, T b), a <= b)
FN(Gt, bool, (T a, T b), a > b)
FN(Ge, bool, (T a, T b), a >= b)
FN(Equ, bool, (T a, T b), !(a < b || a > b))
FN(Neu, bool, (T a, T b), a != b)
FN(Ltu, bool, (T a, T b), !(a >= b))
FN(Leu, bool, (T a, T b), !(a > b))
FN(Gtu, bool, (T a, T b), !(a <= b))
FN(Geu, bool, (T a, T b), !(a < b))
FN(Num, bool, (T a, T b), a == a && b == b)
FN(Nan, bool, (T a, T b), a != a || b != b)

/* sub: 0 p; 1..3 combined by and, or, xor with a predicate; +4: there is a second result. */
template <class T, class F> void setp(Warp &w, const Ins &i)
{
	int second = i.sub >> 2 & 1;
	const T *a = w.lanes<T>(i.o[1 + second]), *b = w.lanes<T>(i.o[2 + second]);
	uint32_t r = lanes_where([=](int l) SIM_INLINE { return F::f(a[l], b[l]); }), other = ~r;
	if (i.sub & 3) {
		uint32_t c = *w.at<uint32_t>(i.o[3 + second]);
		if (i.sub & 8)
			c = ~c;
		r = (i.sub & 3) == 1 ? r & c : (i.sub & 3) == 2 ? r | c : r ^ c;
		other = (i.sub & 3) == 1 ? other & c : (i.sub & 3) == 2 ? other | c : other ^ c;
	}
	put_bits(w, i.o[0], r);
	if (second)
		put_bits(w, i.o[1], other);
}

template <class F> Handler setp_of(const std::string &t)
{
	return t == "f32"                 ? setp<float, F>
	       : t == "f64"               ? setp<double, F>
	       : t == "s32"               ? setp<int32_t, F>
	       : t == "u32" || t == "b32" ? setp<uint32_t, F>
	       : t == "s64"               ? setp<int64_t, F>
	       : t == "u64" || t == "b64" ? setp<uint64_t, F>
	       : t == "s16"               ? setp<int16_t, F>
	       : t == "u16" || t == "b16" ? setp<uint16_t, F>
					  : nullptr;
}

Handler compare(const std::string &how, const std::string &t)
{
	return how == "eq"                  ? setp_of<Eq>(t)
	       : how == "ne"                ? setp_of<Ne>(t)
	       : how == "lt" || how == "lo" ? setp_of<Lt>(t)
	       : how == "le" || how == "ls" ? setp_of<Le>(t)
	       : how == "gt" || how == "hi" ? setp_of<Gt>(t)
	       : how == "ge" || how == "hs" ? setp_of<Ge>(t)
	       : how == "equ"               ? setp_of<Equ>(t)
	       : how == "neu"               ? setp_of<Neu>(t)
	       : how == "ltu"               ? setp_of<Ltu>(t)
	       : how == "leu"               ? setp_of<Leu>(t)
	       : how == "gtu"               ? setp_of<Gtu>(t)
	       : how == "geu"               ? setp_of<Geu>(t)
	       : how == "num"               ? setp_of<Num>(t)
	       : how == "nan"               ? setp_of<Nan>(t)
					    : nullptr;
}

/* mov between one wide register and several narrow ones; vec: how many. */
template <class W, class N> void unpack(Warp &w, const Ins &i)
{
	const W *a = w.lanes<W>(i.o[i.vec]);
	for (int j = 0; j < i.vec; j++)
		put<N>(w, i.o[j],
			[=](int l) SIM_INLINE { return (N)(a[l] >> (j * (int)sizeof(N) * 8)); });
}
template <class W, class N> void pack2(Warp &w, const Ins &i)
{
	const N *a = w.lanes<N>(i.o[1]), *b = w.lanes<N>(i.o[2]);
	put<W>(w, i.o[0],
		[=](int l) SIM_INLINE { return (W)((W)a[l] | (W)b[l] << (sizeof(N) * 8)); });
}
template <class W, class N> void pack4(Warp &w, const Ins &i)
{
	const N *a = w.lanes<N>(i.o[1]), *b = w.lanes<N>(i.o[2]), *c = w.lanes<N>(i.o[3]),
		*d = w.lanes<N>(i.o[4]);
	constexpr int s = sizeof(N) * 8;
	put<W>(w, i.o[0], [=](int l) SIM_INLINE {
		return (W)((W)a[l] | (W)b[l] << s | (W)c[l] << 2 * s | (W)d[l] << 3 * s);
	});
}

void activemask(Warp &w, const Ins &i)
{
	uint32_t m = w.exec;
	put<uint32_t>(w, i.o[0], [=](int) { return m; });
}
template <class T> void clock_now(Warp &w, const Ins &i)
{
	T now = (T)std::chrono::steady_clock::now().time_since_epoch().count();
	put<T>(w, i.o[0], [=](int) { return now; });
}
void nothing(Warp &, const Ins &)
{
}
void trap(Warp &w, const Ins &i)
{
	fault(w, i, __builtin_ctz(w.exec), "the kernel gives up");
}

/* cvta: small spaces have windows far above all real addresses. imm[0]: the window. */
void to_generic(Warp &w, const Ins &i)
{
	uint64_t window = (uint64_t)i.imm[0];
	const uint64_t *a = w.lanes<uint64_t>(i.o[1]);
	put<uint64_t>(w, i.o[0], [=](int l) { return a[l] + window; });
}
void from_generic(Warp &w, const Ins &i)
{
	uint64_t window = (uint64_t)i.imm[0];
	const uint64_t *a = w.lanes<uint64_t>(i.o[1]);
	put<uint64_t>(w, i.o[0], [=](int l) { return a[l] - window; });
}
void isspacep(Warp &w, const Ins &i)
{
	uint64_t window = (uint64_t)i.imm[0];
	const uint64_t *a = w.lanes<uint64_t>(i.o[1]);
	put_bits(w, i.o[0], lanes_where([=](int l) { return (a[l] & window_of) == window; }));
}

template <class F> Handler by_width(int bits)
{
	return bits == 16   ? map2<uint16_t, uint16_t, F>
	       : bits == 32 ? map2<uint32_t, uint32_t, F>
	       : bits == 64 ? map2<uint64_t, uint64_t, F>
			    : nullptr;
}
template <class S, class U> Handler by_sign(const std::string &t)
{
	return t == "s16"   ? map2<int16_t, int16_t, S>
	       : t == "u16" ? map2<uint16_t, uint16_t, U>
	       : t == "s32" ? map2<int32_t, int32_t, S>
	       : t == "u32" ? map2<uint32_t, uint32_t, U>
	       : t == "s64" ? map2<int64_t, int64_t, S>
	       : t == "u64" ? map2<uint64_t, uint64_t, U>
			    : nullptr;
}
template <class F> Handler by_float2(const std::string &t)
{
	return t == "f32" ? map2<float, float, F> : t == "f64" ? map2<double, double, F> : nullptr;
}
template <class F> Handler by_float1(const std::string &t)
{
	return t == "f32" ? map1<float, float, F> : t == "f64" ? map1<double, double, F> : nullptr;
}
template <class F> Handler logic1(int bits)
{
	return bits == 1    ? pred1<F>
	       : bits == 16 ? map1<uint16_t, uint16_t, F>
	       : bits == 32 ? map1<uint32_t, uint32_t, F>
	       : bits == 64 ? map1<uint64_t, uint64_t, F>
			    : nullptr;
}

bool is_float(const std::string &t)
{
	return t == "f32" || t == "f64";
}

Handler pick_multiply(const Shape &s, const std::string &op, const std::string &t)
{
	bool mad = op == "mad";
	if (s.has("wide"))
		return t == "s32"   ? (mad ? map3<int64_t, int32_t, int64_t, MadWide<int64_t>>
					   : map2<int64_t, int32_t, MulWide<int64_t>>)
		       : t == "u32" ? (mad ? map3<uint64_t, uint32_t, uint64_t, MadWide<uint64_t>>
					   : map2<uint64_t, uint32_t, MulWide<uint64_t>>)
		       : t == "s16" ? (mad ? map3<int32_t, int16_t, int32_t, MadWide<int32_t>>
					   : map2<int32_t, int16_t, MulWide<int32_t>>)
		       : t == "u16" ? (mad ? map3<uint32_t, uint16_t, uint32_t, MadWide<uint32_t>>
					   : map2<uint32_t, uint16_t, MulWide<uint32_t>>)
				    : nullptr;
	if (s.has("hi") && mad)
		return t == "s32"   ? map3<int32_t, int32_t, int32_t, MadHi32>
		       : t == "u32" ? map3<uint32_t, uint32_t, uint32_t, MadHiU32>
				    : nullptr;
	if (s.has("hi"))
		return t == "s32"   ? map2<int32_t, int32_t, MulHi32>
		       : t == "u32" ? map2<uint32_t, uint32_t, MulHiU32>
		       : t == "s64" ? map2<int64_t, int64_t, MulHi64>
		       : t == "u64" ? map2<uint64_t, uint64_t, MulHiU64>
		       : t == "s16" ? map2<int16_t, int16_t, MulHi16>
		       : t == "u16" ? map2<uint16_t, uint16_t, MulHi16>
				    : nullptr;
	int bits = type_bits(t);
	if (mad)
		return bits == 16   ? map3<uint16_t, uint16_t, uint16_t, MadLo>
		       : bits == 32 ? map3<uint32_t, uint32_t, uint32_t, MadLo>
				    : map3<uint64_t, uint64_t, uint64_t, MadLo>;
	return by_width<Mul>(bits);
}

template <int way> Handler pick_directed(const std::string &op)
{
	return op == "add"   ? map2<float, float, AddTo<way>>
	       : op == "sub" ? map2<float, float, SubTo<way>>
	       : op == "mul" ? map2<float, float, MulTo<way>>
	       : op == "fma" ? map3<float, float, float, FmaTo<way>>
			     : nullptr;
}

Handler pick_float(const Shape &s, const std::string &op, const std::string &t)
{
	if (s.has("rz") || s.has("rm") || s.has("rp"))
		return t != "f32" || s.has("sat") ? nullptr
		       : s.has("rz")              ? pick_directed<0>(op)
		       : s.has("rm")              ? pick_directed<-1>(op)
						  : pick_directed<1>(op);
	bool sat = s.has("sat"), nan = s.has("NaN");
	if (op == "add")
		return sat ? map2<float, float, Sat<Add>> : by_float2<Add>(t);
	if (op == "sub")
		return sat ? map2<float, float, Sat<Sub>> : by_float2<Sub>(t);
	if (op == "mul")
		return sat ? map2<float, float, Sat<Mul>> : by_float2<Mul>(t);
	if (op == "fma" || op == "mad")
		return t == "f64" ? map3<double, double, double, Fma>
		       : sat      ? map3<float, float, float, Sat<Fma>>
				  : map3<float, float, float, Fma>;
	if (op == "div")
		return by_float2<Div>(t);
	if (op == "min")
		return nan ? by_float2<MinNan>(t) : by_float2<MinF>(t);
	if (op == "max")
		return nan ? by_float2<MaxNan>(t) : by_float2<MaxF>(t);
	if (op == "neg")
		return by_float1<Neg>(t);
	if (op == "abs")
		return t == "f32" ? map1<uint32_t, uint32_t, AbsF32>
				  : map1<uint64_t, uint64_t, AbsF64>;
	if (op == "sqrt")
		return by_float1<Sqrt>(t);
	if (op == "rcp")
		return by_float1<Rcp>(t);
	if (op == "rsqrt")
		return by_float1<Rsqrt>(t);
	if (op == "copysign")
		return t == "f32" ? map2<uint32_t, uint32_t, CopySign32>
				  : map2<uint64_t, uint64_t, CopySign64>;
	if (t != "f32")
		return nullptr;
	return op == "ex2"    ? map1<float, float, Ex2>
	       : op == "lg2"  ? map1<float, float, Lg2>
	       : op == "tanh" ? map1<float, float, Tanh>
	       : op == "sin"  ? map1<float, float, Sin>
	       : op == "cos"  ? map1<float, float, Cos>
			      : nullptr;
}

Handler pick_integer(const Shape &s, const std::string &op, const std::string &t)
{
	int bits = type_bits(t);
	if (op == "add" || op == "sub")
		return s.has("cc") || s.has("sat") ? nullptr
		       : op == "add"               ? by_width<Add>(bits)
						   : by_width<Sub>(bits);
	if (op == "mul" || op == "mad")
		return pick_multiply(s, op, t);
	if (op == "div")
		return by_sign<DivS, DivU>(t);
	if (op == "rem")
		return by_sign<RemS, RemU>(t);
	if (op == "min")
		return by_sign<Min, Min>(t);
	if (op == "max")
		return by_sign<Max, Max>(t);
	if (op == "neg")
		return logic1<NegInt>(bits);
	if (op == "abs")
		return t == "s32"   ? map1<int32_t, int32_t, AbsInt>
		       : t == "s64" ? map1<int64_t, int64_t, AbsInt>
		       : t == "s16" ? map1<int16_t, int16_t, AbsInt>
				    : nullptr;
	if (op == "sad")
		return t == "s32" ? map3<int32_t, int32_t, int32_t, Sad>
				  : map3<uint32_t, uint32_t, uint32_t, Sad>;
	if (op == "shl")
		return bits == 16   ? map_ab<uint16_t, uint16_t, uint32_t, Shl>
		       : bits == 32 ? map_ab<uint32_t, uint32_t, uint32_t, Shl>
				    : map_ab<uint64_t, uint64_t, uint32_t, Shl>;
	if (op == "shr" && t[0] == 's')
		return bits == 16   ? map_ab<int16_t, int16_t, uint32_t, ShrS>
		       : bits == 32 ? map_ab<int32_t, int32_t, uint32_t, ShrS>
				    : map_ab<int64_t, int64_t, uint32_t, ShrS>;
	if (op == "shr")
		return bits == 16   ? map_ab<uint16_t, uint16_t, uint32_t, ShrU>
		       : bits == 32 ? map_ab<uint32_t, uint32_t, uint32_t, ShrU>
				    : map_ab<uint64_t, uint64_t, uint32_t, ShrU>;
	if (op == "popc")
		return bits == 32 ? map1<uint32_t, uint32_t, Popc> : map1<uint32_t, uint64_t, Popc>;
	if (op == "clz")
		return bits == 32 ? map1<uint32_t, uint32_t, Clz32>
				  : map1<uint32_t, uint64_t, Clz64>;
	if (op == "brev")
		return bits == 32 ? map1<uint32_t, uint32_t, Brev32>
				  : map1<uint64_t, uint64_t, Brev64>;
	if (op == "bfind" && s.has("shiftamt"))
		return t == "u32" ? map1<uint32_t, uint32_t, FindShift> : nullptr;
	if (op == "bfind")
		return t == "u32"   ? map1<uint32_t, uint32_t, FindU>
		       : t == "u64" ? map1<uint32_t, uint64_t, FindU>
		       : t == "s32" ? map1<uint32_t, int32_t, FindS>
				    : map1<uint32_t, int64_t, FindS>;
	if (op == "bfe")
		return t == "u32"   ? bfe_u32
		       : t == "s32" ? bfe_s32
		       : t == "u64" ? bfe64<uint64_t, false>
				    : bfe64<int64_t, true>;
	if (op == "bfi")
		return bits == 32 ? bfi<uint32_t> : bfi<uint64_t>;
	if (op == "prmt" && s.s->mods.size() == 1)
		return prmt;
	if (op == "lop3")
		return lop3;
	if (op == "shf")
		return shf;
	if (op == "dp4a")
		return t == "s32"
			       ? (s.type(1) == "s32" ? dp4a<int8_t, int8_t> : dp4a<int8_t, uint8_t>)
			       : (s.type(1) == "s32" ? dp4a<uint8_t, int8_t>
						     : dp4a<uint8_t, uint8_t>);
	return nullptr;
}

Handler pick_logic(const std::string &op, int bits)
{
	if (op == "not")
		return logic1<Not>(bits);
	if (op == "cnot")
		return logic1<Cnot>(bits);
	if (bits == 1)
		return op == "and"   ? pred2<And>
		       : op == "or"  ? pred2<Or>
		       : op == "xor" ? pred2<Xor>
				     : nullptr;
	return op == "and"   ? by_width<And>(bits)
	       : op == "or"  ? by_width<Or>(bits)
	       : op == "xor" ? by_width<Xor>(bits)
			     : nullptr;
}

Handler pick_mov(const Shape &s, Ins &i)
{
	const auto &args = s.s->args;
	int bits = type_bits(s.type());
	if (args[0].kind == Operand::list) {
		size_t n = args[0].items.size();
		i.vec = (uint8_t)n;
		return bits == 64 && n == 2   ? unpack<uint64_t, uint32_t>
		       : bits == 32 && n == 2 ? unpack<uint32_t, uint16_t>
		       : bits == 64 && n == 4 ? unpack<uint64_t, uint16_t>
					      : nullptr;
	}
	if (args[1].kind == Operand::list) {
		size_t n = args[1].items.size();
		return bits == 64 && n == 2   ? pack2<uint64_t, uint32_t>
		       : bits == 32 && n == 2 ? pack2<uint32_t, uint16_t>
		       : bits == 64 && n == 4 ? pack4<uint64_t, uint16_t>
					      : nullptr;
	}
	return logic1<Copy>(bits);
}

Handler pick_address(const Shape &s, const std::string &op, Ins &i)
{
	uint64_t window = i.space == Space::shared  ? shared_window
			  : i.space == Space::local ? local_window
			  : i.space == Space::param ? param_window
						    : 0;
	i.imm[0] = (int64_t)window;
	i.space = Space::generic;
	return op == "isspacep" ? isspacep : s.has("to") ? from_generic : to_generic;
}

} // namespace

bool pick_alu(const Shape &s, Ins &i)
{
	const std::string &op = s.s->op;
	std::string t = s.type();
	if (op == "mov") {
		const Operand &from = s.s->args[1];
		if (from.name == "%clock" || from.name == "%clock64" || from.name == "%globaltimer")
			i.run = type_bits(t) == 64 ? clock_now<uint64_t> : clock_now<uint32_t>;
		else
			i.run = pick_mov(s, i);
	} else if (op == "setp") {
		bool combined = s.has("and") || s.has("or") || s.has("xor");
		size_t n = s.s->args.size();
		i.sub = (uint8_t)(s.has("and") ? 1 : s.has("or") ? 2 : s.has("xor") ? 3 : 0);
		i.sub = (uint8_t)(i.sub | (n > (combined ? 4u : 3u) ? 4 : 0) |
				  (s.s->args[n - 1].negated ? 8 : 0));
		i.run = compare(s.s->mods[0], t);
	} else if (op == "selp") {
		int bits = type_bits(t);
		i.run = bits == 16 ? selp<uint16_t> : bits == 32 ? selp<uint32_t> : selp<uint64_t>;
	} else if (op == "cvta" || op == "isspacep") {
		i.run = pick_address(s, op, i);
	} else if (op == "activemask") {
		i.run = activemask;
	} else if (op == "membar" || op == "fence" || op == "nanosleep" || op == "prefetch" ||
		   op == "prefetchu" || op == "pmevent") {
		i.run = nothing;
	} else if (op == "trap" || op == "brkpt") {
		i.run = trap;
	} else if (is_float(t)) {
		i.run = pick_float(s, op, t);
	} else if (!t.empty() && t.find("f16") == t.npos) {
		i.sub = (uint8_t)(op == "shf" ? (s.has("r") ? 1 : 0) | (s.has("wrap") ? 2 : 0) : 0);
		i.run = pick_logic(op, type_bits(t));
		if (!i.run)
			i.run = pick_integer(s, op, t);
	}
	return i.run;
}

} // namespace sim::SIM_ISA
