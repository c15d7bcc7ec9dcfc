/*
 * exec_half.cc - arithmetic of f16 and bf16, alone and in pairs
 *
 * Through float, or double for fma, and rounded once at the end; a pair is two steps of one loop.
 */
#include "exec.h"

namespace sim::SIM_ISA
{

namespace
{

struct F16 {
	static float to(uint16_t h)
	{
		return from_f16(h);
	}
	static uint16_t from(float f)
	{
		return to_f16(f);
	}
};
struct Bf16 {
	static float to(uint16_t h)
	{
		return from_bf16(h);
	}
	static uint16_t from(float f)
	{
		return to_bf16(f);
	}
};

FN(Add, float, (float a, float b), a + b)
FN(Sub, float, (float a, float b), a - b)
FN(Mul, float, (float a, float b), a *b)
FN(Min, float, (float a, float b), b != b ? a : a != a ? b : a < b ? a : b)
FN(Max, float, (float a, float b), b != b ? a : a != a ? b : a > b ? a : b)
FN(MinNan, float, (float a, float b), a != a ? a : b != b ? b : a < b ? a : b)
FN(MaxNan, float, (float a, float b), a != a ? a : b != b ? b : a > b ? a : b)
FN(Ex2, float, (float a), exp2f(a))
FN(Tanh, float, (float a), tanhf(a))
/* The product is exact in double, and the sum is rounded to odd, so that the second rounding is right. */
struct Fma {
	static float f(float a, float b, float c)
	{
		double p = (double)a * b, s = p + c;
		double back = s - p, lost = (p - (s - back)) + (c - back);
		int64_t u;
		memcpy(&u, &s, 8);
		u += lost != 0 && s == s && !(u & 1) ? ((lost > 0) == (s > 0) ? 1 : -1) : 0;
		memcpy(&s, &u, 8);
		float r = (float)s;
		uint32_t v = as_bits(r);
		v |= (double)r != s && r == r ? 1 : 0;
		return as_float(v);
	}
};
template <class F> struct Relu {
	static float f(float a, float b)
	{
		float v = F::f(a, b);
		return v > 0 || v != v ? v : 0;
	}
	static float f(float a, float b, float c)
	{
		float v = F::f(a, b, c);
		return v > 0 || v != v ? v : 0;
	}
};

template <class H, class F> struct One {
	static uint16_t f(uint16_t a)
	{
		return H::from(F::f(H::to(a)));
	}
	static uint16_t f(uint16_t a, uint16_t b)
	{
		return H::from(F::f(H::to(a), H::to(b)));
	}
	static uint16_t f(uint16_t a, uint16_t b, uint16_t c)
	{
		return H::from(F::f(H::to(a), H::to(b), H::to(c)));
	}
};
template <class H, class F> struct Two {
	using O = One<H, F>;
	static uint32_t f(uint32_t a)
	{
		return O::f((uint16_t)a) | (uint32_t)O::f((uint16_t)(a >> 16)) << 16;
	}
	static uint32_t f(uint32_t a, uint32_t b)
	{
		return O::f((uint16_t)a, (uint16_t)b) |
		       (uint32_t)O::f((uint16_t)(a >> 16), (uint16_t)(b >> 16)) << 16;
	}
	static uint32_t f(uint32_t a, uint32_t b, uint32_t c)
	{
		return O::f((uint16_t)a, (uint16_t)b, (uint16_t)c) |
		       (uint32_t)O::f((uint16_t)(a >> 16), (uint16_t)(b >> 16), (uint16_t)(c >> 16))
			       << 16;
	}
};
FN(Neg, T, (T a), a ^ (T)0x80008000)
FN(Abs, T, (T a), a &(T)0x7fff7fff)

template <class F> Handler two_args(const std::string &t)
{
	return t == "f16"     ? map2<uint16_t, uint16_t, One<F16, F>>
	       : t == "bf16"  ? map2<uint16_t, uint16_t, One<Bf16, F>>
	       : t == "f16x2" ? map2<uint32_t, uint32_t, Two<F16, F>>
			      : map2<uint32_t, uint32_t, Two<Bf16, F>>;
}
template <class F> Handler one_arg(const std::string &t)
{
	return t == "f16"     ? map1<uint16_t, uint16_t, One<F16, F>>
	       : t == "bf16"  ? map1<uint16_t, uint16_t, One<Bf16, F>>
	       : t == "f16x2" ? map1<uint32_t, uint32_t, Two<F16, F>>
			      : map1<uint32_t, uint32_t, Two<Bf16, F>>;
}
template <class F> Handler three_args(const std::string &t)
{
	return t == "f16"     ? map3<uint16_t, uint16_t, uint16_t, One<F16, F>>
	       : t == "bf16"  ? map3<uint16_t, uint16_t, uint16_t, One<Bf16, F>>
	       : t == "f16x2" ? map3<uint32_t, uint32_t, uint32_t, Two<F16, F>>
			      : map3<uint32_t, uint32_t, uint32_t, Two<Bf16, F>>;
}

bool compare(const std::string &how, float a, float b)
{
	bool unordered = a != a || b != b;
	if (how == "num" || how == "nan")
		return unordered == (how == "nan");
	bool r = how.compare(0, 2, "eq") == 0   ? a == b
		 : how.compare(0, 2, "ne") == 0 ? a != b
		 : how.compare(0, 2, "lt") == 0 ? a < b
		 : how.compare(0, 2, "le") == 0 ? a <= b
		 : how.compare(0, 2, "gt") == 0 ? a > b
						: a >= b;
	return unordered ? how.size() == 3 : r;
}

const char *const hows[] = { "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu",
	"geu", "num", "nan" };

/* One predicate, or two for the halves of a pair. sub: which comparison; size: 0 f16, 1 bf16, +2: a pair. */
void setp(Warp &w, const Ins &i)
{
	bool pair = i.size & 2, bf = i.size & 1;
	std::string how = hows[i.sub];
	for (int half = 0; half < (pair ? 2 : 1); half++) {
		int first = i.vec; /* results */
		put_bits(w, i.o[half < first ? half : 0], lanes_where([&](int l) {
			uint32_t a = pair ? w.lanes<uint32_t>(i.o[first])[l] >> (16 * half)
					  : w.lanes<uint16_t>(i.o[first])[l];
			uint32_t b = pair ? w.lanes<uint32_t>(i.o[first + 1])[l] >> (16 * half)
					  : w.lanes<uint16_t>(i.o[first + 1])[l];
			return bf ? compare(how, from_bf16((uint16_t)a), from_bf16((uint16_t)b))
				  : compare(how, from_f16((uint16_t)a), from_f16((uint16_t)b));
		}));
	}
}

/* set.CMP.f16x2.f16x2 and its like: 1.0, or all ones for u32 and s32 results. */
void set(Warp &w, const Ins &i)
{
	bool pair = i.size & 2, bf = i.size & 1, ones = i.size & 4;
	std::string how = hows[i.sub];
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		uint32_t r = 0;
		for (int half = 0; half < (pair ? 2 : 1); half++) {
			uint32_t a = pair ? w.lanes<uint32_t>(i.o[1])[l] >> (16 * half)
					  : w.lanes<uint16_t>(i.o[1])[l];
			uint32_t b = pair ? w.lanes<uint32_t>(i.o[2])[l] >> (16 * half)
					  : w.lanes<uint16_t>(i.o[2])[l];
			bool yes = bf ? compare(how, from_bf16((uint16_t)a), from_bf16((uint16_t)b))
				      : compare(how, from_f16((uint16_t)a), from_f16((uint16_t)b));
			r |= yes ? (ones ? 0xffffu : bf ? 0x3f80u : 0x3c00u) << (16 * half) : 0;
		}
		if (pair || ones)
			w.lanes<uint32_t>(i.o[0])[l] = ones && !pair && r ? all_lanes : r;
		else
			w.lanes<uint16_t>(i.o[0])[l] = (uint16_t)r;
	}
}

bool pick_compare(const Shape &s, Ins &i, const std::string &t)
{
	int n = 0;
	while (n < 14 && s.s->mods[0] != hows[n])
		n++;
	if (n == 14 || s.has("and") || s.has("or") || s.has("xor"))
		return false;
	i.sub = (uint8_t)n;
	i.size = (uint8_t)((t.find("bf16") != t.npos ? 1 : 0) | (t.find("x2") != t.npos ? 2 : 0));
	if (s.s->op == "set")
		i.size = (uint8_t)(i.size | (s.types[0].find("16") == std::string::npos ||
								    s.types[0][0] == 'u'
							    ? 4
							    : 0));
	i.vec = (uint8_t)(s.s->args.size() - 2);
	i.run = s.s->op == "set" ? set : setp;
	return true;
}

} // namespace

bool pick_half(const Shape &s, Ins &i)
{
	std::string t = s.type(), op = s.s->op;
	if (op == "set" && s.types.size() > 1)
		t = s.types[1];
	if (t != "f16" && t != "bf16" && t != "f16x2" && t != "bf16x2")
		return false;
	if (op == "setp" || op == "set")
		return pick_compare(s, i, t);
	if (s.has("rz") || s.has("sat"))
		return false;
	bool nan = s.has("NaN"), relu = s.has("relu"), pair = t.find("x2") != t.npos;
	if (op == "add")
		i.run = two_args<Add>(t);
	else if (op == "sub")
		i.run = two_args<Sub>(t);
	else if (op == "mul")
		i.run = two_args<Mul>(t);
	else if (op == "fma")
		i.run = relu ? three_args<Relu<Fma>>(t) : three_args<Fma>(t);
	else if (op == "min")
		i.run = nan ? two_args<MinNan>(t) : two_args<Min>(t);
	else if (op == "max")
		i.run = nan ? two_args<MaxNan>(t) : two_args<Max>(t);
	else if (op == "neg")
		i.run = pair ? map1<uint32_t, uint32_t, Neg> : map1<uint16_t, uint16_t, Neg>;
	else if (op == "abs")
		i.run = pair ? map1<uint32_t, uint32_t, Abs> : map1<uint16_t, uint16_t, Abs>;
	else if (op == "ex2")
		i.run = one_arg<Ex2>(t);
	else if (op == "tanh")
		i.run = one_arg<Tanh>(t);
	return i.run;
}

} // namespace sim::SIM_ISA
