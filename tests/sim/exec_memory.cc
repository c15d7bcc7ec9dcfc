/*
 * exec_memory.cc - loads, stores, asynchronous copies, printf
 *
 * 32 neighbouring elements are one vector load; everything else goes lane by lane.
 */
#include "exec_address.h"

#include <cstdio>

namespace sim::SIM_ISA
{

namespace
{

bool neighbours(const uint64_t *a, size_t stride)
{
	uint64_t off = 0;
	for (int l = 0; l < n_lanes; l++)
		off |= a[l] ^ (a[0] + (uint64_t)l * stride);
	return !off;
}

template <class T, class R, int n>
SIM_INLINE inline void load_row(const Warp &w, const Ins &i, const uint64_t *a)
{
	if (w.exec == all_lanes && neighbours(a, n * sizeof(T))) {
		const T *p = (const T *)a[0];
		for (int j = 0; j < n; j++)
			put<R>(w, i.o[j], [=](int l) SIM_INLINE { return (R)p[l * n + j]; });
		return;
	}
	for (int j = 0; j < n; j++)
		put<R>(w, i.o[j], [=](int l) SIM_INLINE { return (R)((const T *)a[l])[j]; });
}

template <class T, class R> void load(Warp &w, const Ins &i)
{
	alignas(64) uint64_t a[n_lanes];
	addresses(w, i.o[i.vec], i.narrow_address, i.imm[0], a);
	resolve(w, i, i.space, a, sizeof(T) * i.vec, Access::read);
	if (i.vec == 1)
		load_row<T, R, 1>(w, i, a);
	else if (i.vec == 2)
		load_row<T, R, 2>(w, i, a);
	else
		load_row<T, R, 4>(w, i, a);
}

/* A parameter of the launch: the same for all. */
template <class T, class R> void load_param(Warp &w, const Ins &i)
{
	uint64_t at = w.lanes<uint64_t>(i.o[i.vec])[0] + (uint64_t)i.imm[0];
	const std::vector<char> &params = w.block->launch->params;
	if (at + sizeof(T) * i.vec > params.size())
		fault(w, i, 0, "there is no such parameter");
	for (int j = 0; j < i.vec; j++) {
		T v;
		memcpy(&v, params.data() + at + (size_t)j * sizeof(T), sizeof(T));
		put<R>(w, i.o[j], [=](int) { return (R)v; });
	}
}

template <class T, class R, int n>
SIM_INLINE inline void store_row(const Warp &w, const Ins &i, const uint64_t *a)
{
	const R *v[n];
	for (int j = 0; j < n; j++)
		v[j] = w.lanes<R>(i.o[1 + j]);
	if (w.exec == all_lanes && neighbours(a, n * sizeof(T))) {
		T *p = (T *)a[0];
#pragma GCC ivdep
		for (int l = 0; l < n_lanes; l++)
			for (int j = 0; j < n; j++)
				p[l * n + j] = (T)v[j][l];
		return;
	}
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		for (int j = 0; j < n; j++)
			((T *)a[l])[j] = (T)v[j][l];
	}
}

template <class T, class R> void store(Warp &w, const Ins &i)
{
	alignas(64) uint64_t a[n_lanes];
	addresses(w, i.o[0], i.narrow_address, i.imm[0], a);
	resolve(w, i, i.space, a, sizeof(T) * i.vec, Access::write);
	if (i.vec == 1)
		store_row<T, R, 1>(w, i, a);
	else if (i.vec == 2)
		store_row<T, R, 2>(w, i, a);
	else
		store_row<T, R, 4>(w, i, a);
}

template <class T> Handler load_of(int reg, bool param)
{
	if (param)
		return reg == 16   ? load_param<T, uint16_t>
		       : reg == 32 ? load_param<T, uint32_t>
		       : reg == 64 ? load_param<T, uint64_t>
				   : nullptr;
	return reg == 16   ? load<T, uint16_t>
	       : reg == 32 ? load<T, uint32_t>
	       : reg == 64 ? load<T, uint64_t>
			   : nullptr;
}

template <class T> Handler store_of(int reg)
{
	return reg == 16   ? store<T, uint16_t>
	       : reg == 32 ? store<T, uint32_t>
	       : reg == 64 ? store<T, uint64_t>
			   : nullptr;
}

Handler pick_load(const std::string &t, int reg, bool param)
{
	if (reg < 16) /* a result that nobody wants */
		reg = std::max(16, type_bits(t));
	return t == "u8" || t == "b8" ? load_of<uint8_t>(reg, param)
	       : t == "s8"            ? load_of<int8_t>(reg, param)
	       : t == "s16"           ? load_of<int16_t>(reg, param)
	       : t == "s32"           ? load_of<int32_t>(reg, param)
	       : type_bits(t) == 16   ? load_of<uint16_t>(reg, param)
	       : type_bits(t) == 32   ? load_of<uint32_t>(reg, param)
	       : type_bits(t) == 64   ? load_of<uint64_t>(reg, param)
				      : nullptr;
}

Handler pick_store(const std::string &t, int reg)
{
	int bits = type_bits(t);
	return bits == 8    ? store_of<uint8_t>(reg)
	       : bits == 16 ? store_of<uint16_t>(reg)
	       : bits == 32 ? store_of<uint32_t>(reg)
	       : bits == 64 ? store_of<uint64_t>(reg)
			    : nullptr;
}

/*
 * A copy arrives as late as it may: at the wait. Until then its place holds NaNs, so that a read
 * without the wait shows.
 */
void cp_async(Warp &w, const Ins &i)
{
	alignas(64) uint64_t to[n_lanes], from[n_lanes], offset[n_lanes];
	const uint32_t *filled = i.sub ? w.lanes<uint32_t>(i.o[3]) : nullptr;
	addresses(w, i.o[0], i.narrow_address, i.imm[0], to);
	memcpy(offset, to, sizeof(to));
	check_alignment(w, i, to, i.size);
	resolve(w, i, Space::shared, to, i.size, Access::write);
	addresses(w, i.o[1], false, i.imm[1], from);
	uint32_t exec = w.exec, reads = exec;
	if (filled)
		reads &= lanes_where([=](int l) { return filled[l] != 0; });
	if (reads) {
		w.exec = reads;
		for (int l = 0; l < n_lanes; l++)
			if (!(reads >> l & 1))
				from[l] = from[__builtin_ctz(reads)];
		resolve(w, i, Space::generic, from, i.size, Access::read);
		w.exec = exec;
	}
	for (uint32_t left = exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		uint8_t n = !filled ? i.size : (uint8_t)std::min<uint32_t>(filled[l], i.size);
		memset((char *)to[l], 0xff, i.size);
		w.copies.push_back({ offset[l], reads >> l & 1 ? (char *)from[l] : nullptr, i.size,
			n, (uint8_t)l, w.copy_group[l] });
	}
}

void cp_commit(Warp &w, const Ins &)
{
	for (uint32_t left = w.exec; left; left &= left - 1)
		w.copy_group[__builtin_ctz(left)]++;
}

void cp_wait(Warp &w, const Ins &i)
{
	int keep = i.sub ? -1 : (int)w.lanes<uint32_t>(i.o[0])[0]; /* sub: all, committed or not */
	char *shared = w.block->shared.data();
	size_t kept = 0;
	for (const AsyncCopy &c : w.copies) {
		if (!(w.exec >> c.lane & 1) || c.group >= w.copy_group[c.lane] - keep) {
			w.copies[kept++] = c;
			continue;
		}
		memset(shared + c.to, 0, c.bytes);
		if (c.from)
			memcpy(shared + c.to, c.from, c.filled);
	}
	w.copies.resize(kept);
}

Handler pick_copy(const Shape &s, Ins &i)
{
	if (s.has("bulk") || s.has("mbarrier"))
		return nullptr;
	if (s.has("commit_group"))
		return cp_commit;
	if (s.has("wait_group") || s.has("wait_all")) {
		i.sub = s.has("wait_all");
		return cp_wait;
	}
	const auto &args = s.s->args;
	i.size = (uint8_t)args[2].value;
	i.sub = args.size() > 3;
	i.space = Space::shared;
	return cp_async;
}

/* What a lane of printf or assert reads: memory at a generic address. */
const char *device_text(Warp &w, const Ins &i, int lane, uint64_t address, size_t bytes)
{
	uint64_t a[n_lanes];
	uint32_t exec = w.exec;
	for (int l = 0; l < n_lanes; l++)
		a[l] = address;
	w.exec = 1u << lane;
	resolve(w, i, Space::generic, a, bytes, Access::none);
	w.exec = exec;
	return (const char *)a[lane];
}

uint64_t local_argument(Warp &w, const Ins &i, int lane, int n)
{
	uint64_t at = w.lanes<uint64_t>(i.o[n])[lane], v;
	memcpy(&v, w.local + (size_t)lane * w.block->launch->program->local_bytes + at, 8);
	return v;
}

void print_lane(Warp &w, const Ins &i, int lane)
{
	const char *f = device_text(w, i, lane, local_argument(w, i, lane, 0), 1);
	uint64_t args = local_argument(w, i, lane, 1);
	std::string out;
	while (*f) {
		if (*f != '%' || f[1] == '%') {
			f += *f == '%';
			out += *f++;
			continue;
		}
		std::string spec;
		do
			spec += *f++;
		while (*f && !strchr("diouxXcfFeEgGaAsp", *f));
		char kind = *f ? *f++ : 'd';
		spec += kind;
		bool wide = strchr("fFeEgGaAsp", kind) || spec.find("l") != spec.npos ||
			    spec.find("z") != spec.npos || spec.find("j") != spec.npos;
		size_t n = wide ? 8 : 4;
		args = (args + n - 1) / n * n;
		uint64_t v = 0;
		memcpy(&v, device_text(w, i, lane, args, n), n);
		args += n;
		char text[512];
		double d;
		memcpy(&d, &v, 8);
		if (kind == 's')
			snprintf(text, sizeof(text), spec.c_str(), device_text(w, i, lane, v, 1));
		else if (strchr("fFeEgGaA", kind))
			snprintf(text, sizeof(text), spec.c_str(), d);
		else if (wide)
			snprintf(text, sizeof(text), spec.c_str(), v);
		else
			snprintf(text, sizeof(text), spec.c_str(), (uint32_t)v);
		out += text;
	}
	fputs(out.c_str(), stdout);
}

void print(Warp &w, const Ins &i)
{
	for (uint32_t left = w.exec; left; left &= left - 1)
		print_lane(w, i, __builtin_ctz(left));
	fflush(stdout);
}

void assert_failed(Warp &w, const Ins &i)
{
	int l = __builtin_ctz(w.exec);
	fault(w, i, l,
		std::string("assertion '") + device_text(w, i, l, local_argument(w, i, l, 0), 1) +
			"' failed");
}

} // namespace

bool pick_memory(const Shape &s, Ins &i)
{
	const std::string &op = s.s->op;
	if (op == "vprintf")
		i.run = print;
	if (op == "assertfail")
		i.run = assert_failed;
	if (op == "cp")
		i.run = pick_copy(s, i);
	if (op != "ld" && op != "ldu" && op != "st")
		return i.run;
	std::string t = s.type();
	i.vec = s.has("v2") ? 2 : s.has("v4") ? 4 : 1;
	i.size = (uint8_t)(type_bits(t) / 8);
	if (op == "st") {
		i.access = Access::write;
		i.run = pick_store(t, s.bits[1]);
	} else {
		i.access = Access::read;
		int reg = 0;
		for (int j = 0; j < i.vec; j++)
			reg = std::max<int>(reg, s.bits[(size_t)j]);
		const Operand &base = s.s->args[1].items[0];
		i.run = pick_load(t, reg, i.space == Space::param && base.kind == Operand::symbol);
	}
	return i.run;
}

} // namespace sim::SIM_ISA
