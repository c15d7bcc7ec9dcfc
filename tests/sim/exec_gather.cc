/*
 * exec_gather.cc - what lanes do together: shuffles, votes, matrices of 8 by 8
 *
 * block.cc has seen to it that w.exec is exactly the lanes of the mask. A register of 32 lanes of
 * 32 bits is a matrix of 8 by 8 halves in rows, which is the whole trick of ldmatrix and mma here.
 */
#include "exec_address.h"

namespace sim::SIM_ISA
{

namespace
{

enum Way : uint8_t { way_up, way_down, way_bfly, way_idx };

/* sub: the way; vec: 1 with a predicate as second result. */
void shfl(Warp &w, const Ins &i)
{
	int n = 1 + i.vec;
	uint32_t in[n_lanes], in_range = 0;
	memcpy(in, w.lanes<uint32_t>(i.o[n]), sizeof(in));
	const uint32_t *b = w.lanes<uint32_t>(i.o[n + 1]), *c = w.lanes<uint32_t>(i.o[n + 2]);
	uint32_t from[n_lanes];
	for (int l = 0; l < n_lanes; l++) {
		int lane = l, step = (int)(b[l] & 31), clamp = (int)(c[l] & 31),
		    seg = (int)(c[l] >> 8 & 31);
		int last = (lane & seg) | (clamp & ~seg), first = lane & seg;
		int j = i.sub == way_up     ? lane - step
			: i.sub == way_down ? lane + step
			: i.sub == way_bfly ? lane ^ step
					    : first | (step & ~seg);
		bool ok = i.sub == way_up ? j >= last : j <= last;
		from[l] = (uint32_t)(ok ? j : lane);
		in_range |= ok ? 1u << l : 0;
	}
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		if (!(w.exec >> from[l] & 1))
			fault(w, i, l,
				"reads lane " + std::to_string(from[l]) +
					", which is not in the mask");
	}
	put<uint32_t>(w, i.o[0], [&](int l) SIM_INLINE { return in[from[l]]; });
	if (i.vec)
		put_bits(w, i.o[1], in_range);
}

enum Vote : uint8_t { vote_all, vote_any, vote_uni, vote_ballot };

void vote(Warp &w, const Ins &i)
{
	uint32_t p = *w.at<uint32_t>(i.o[1]) ^ (i.vec ? all_lanes : 0), yes = p & w.exec;
	if (i.sub == vote_ballot)
		return put<uint32_t>(w, i.o[0], [=](int) { return yes; });
	bool r = i.sub == vote_all   ? yes == w.exec
		 : i.sub == vote_any ? yes != 0
				     : yes == w.exec || !yes;
	put_bits(w, i.o[0], r ? all_lanes : 0);
}

template <class T> void match_any(Warp &w, const Ins &i)
{
	const T *a = w.lanes<T>(i.o[1]);
	uint32_t m = w.exec, out[n_lanes];
	for (int l = 0; l < n_lanes; l++)
		out[l] = lanes_where([=](int k) { return a[k] == a[l]; }) & m;
	put<uint32_t>(w, i.o[0], [&](int l) { return out[l]; });
}

template <class T> void match_all(Warp &w, const Ins &i)
{
	int second = i.vec;
	const T *a = w.lanes<T>(i.o[1 + second]);
	T first = a[__builtin_ctz(w.exec)];
	bool same = (lanes_where([=](int k) { return a[k] == first; }) & w.exec) == w.exec;
	uint32_t m = same ? w.exec : 0;
	put<uint32_t>(w, i.o[0], [=](int) { return m; });
	if (second)
		put_bits(w, i.o[1], same ? all_lanes : 0);
}

FN(Add, T, (T a, T b), a + b)
FN(Min, T, (T a, T b), b < a ? b : a)
FN(Max, T, (T a, T b), b > a ? b : a)
FN(And, T, (T a, T b), a &b)
FN(Or, T, (T a, T b), a | b)
FN(Xor, T, (T a, T b), a ^ b)

template <class T, class F> void redux(Warp &w, const Ins &i)
{
	const T *a = w.lanes<T>(i.o[1]);
	uint32_t left = w.exec;
	T r = a[__builtin_ctz(left)];
	for (left &= left - 1; left; left &= left - 1)
		r = F::f(r, a[__builtin_ctz(left)]);
	put<T>(w, i.o[0], [=](int) { return r; });
}

Handler pick_redux(const Shape &s, const std::string &t)
{
	bool is_signed = t == "s32";
	return s.has("add")   ? redux<uint32_t, Add>
	       : s.has("min") ? (is_signed ? redux<int32_t, Min> : redux<uint32_t, Min>)
	       : s.has("max") ? (is_signed ? redux<int32_t, Max> : redux<uint32_t, Max>)
	       : s.has("and") ? redux<uint32_t, And>
	       : s.has("or")  ? redux<uint32_t, Or>
	       : s.has("xor") ? redux<uint32_t, Xor>
			      : nullptr;
}

void transpose(uint16_t *m)
{
	for (int r = 0; r < 8; r++)
		for (int c = r + 1; c < 8; c++)
			std::swap(m[r * 8 + c], m[c * 8 + r]);
}

/* vec: matrices. Lane 8k+r names row r of matrix k; the others' addresses are not read. */
void row_addresses(Warp &w, const Ins &i, uint32_t o, uint64_t *a, Access how)
{
	uint32_t exec = w.exec;
	w.exec = i.vec == 4 ? all_lanes : (1u << (8 * i.vec)) - 1;
	addresses(w, o, i.narrow_address, i.imm[0], a);
	resolve(w, i, i.space, a, 16, how);
	w.exec = exec;
}

/* sub: transposed */
void ldmatrix(Warp &w, const Ins &i)
{
	uint64_t a[n_lanes];
	row_addresses(w, i, i.o[i.vec], a, Access::read);
	for (int k = 0; k < i.vec; k++) {
		uint16_t *m = w.lanes<uint16_t>(i.o[k]);
		for (int r = 0; r < 8; r++)
			memcpy(m + 8 * r, (const char *)a[8 * k + r], 16);
		if (i.sub)
			transpose(m);
	}
}

void stmatrix(Warp &w, const Ins &i)
{
	uint64_t a[n_lanes];
	row_addresses(w, i, i.o[0], a, Access::write);
	for (int k = 0; k < i.vec; k++) {
		uint16_t m[64];
		memcpy(m, w.lanes<uint16_t>(i.o[1 + k]), sizeof(m));
		if (i.sub)
			transpose(m);
		for (int r = 0; r < 8; r++)
			memcpy((char *)a[8 * k + r], m + 8 * r, 16);
	}
}

void movmatrix(Warp &w, const Ins &i)
{
	uint16_t m[64];
	memcpy(m, w.lanes<uint16_t>(i.o[1]), sizeof(m));
	transpose(m);
	memcpy(w.lanes<uint16_t>(i.o[0]), m, sizeof(m));
}

void sync_warp(Warp &w, const Ins &)
{
	w.epoch++;
}

bool pick_matrix(const Shape &s, Ins &i)
{
	const std::string &op = s.s->op;
	if (op == "movmatrix") {
		i.run = movmatrix;
		return true;
	}
	if (!s.has("m8n8") || !s.has("b16"))
		return false;
	i.vec = s.has("x4") ? 4 : s.has("x2") ? 2 : 1;
	i.size = 16;
	i.sub = s.has("trans");
	i.access = op == "ldmatrix" ? Access::read : Access::write;
	i.run = op == "ldmatrix" ? ldmatrix : stmatrix;
	return true;
}

} // namespace

bool pick_gather(const Shape &s, Ins &i)
{
	const std::string &op = s.s->op;
	std::string t = s.type();
	bool wide = type_bits(t) == 64;
	if (op == "shfl") {
		i.sub = s.has("up")     ? way_up
			: s.has("down") ? way_down
			: s.has("bfly") ? way_bfly
					: way_idx;
		i.vec = s.s->args.size() == 6;
		i.run = shfl;
	} else if (op == "vote") {
		i.sub = s.has("all")   ? vote_all
			: s.has("any") ? vote_any
			: s.has("uni") ? vote_uni
				       : vote_ballot;
		i.vec = s.s->args[1].negated;
		i.run = vote;
	} else if (op == "match") {
		i.vec = s.s->args.size() == 4;
		i.run = s.has("any") ? (wide ? match_any<uint64_t> : match_any<uint32_t>)
			: wide       ? match_all<uint64_t>
				     : match_all<uint32_t>;
	} else if (op == "redux") {
		i.run = pick_redux(s, t);
	} else if (op == "bar" || op == "barrier") {
		i.run = sync_warp;
	} else if (op == "ldmatrix" || op == "stmatrix" || op == "movmatrix") {
		return pick_matrix(s, i);
	}
	return i.run;
}

} // namespace sim::SIM_ISA
