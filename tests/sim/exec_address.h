/*
 * exec_address.h - from the addresses of an instruction to memory of the host, checked
 *
 * resolve() turns the addresses of the lanes that take part into the host's, or throws: out of its
 * allocation, out of the block's shared memory, misaligned. The other lanes get a harmless address, so
 * that a loop may read for all 32.
 */
#ifndef DS_SIM_EXEC_ADDRESS_H
#define DS_SIM_EXEC_ADDRESS_H

#include "exec.h"

namespace sim::SIM_ISA
{

static inline void addresses(const Warp &w, uint32_t o, bool narrow, int64_t imm, uint64_t *a)
{
	if (narrow) {
		const uint32_t *r = w.lanes<uint32_t>(o);
		for (int l = 0; l < n_lanes; l++)
			a[l] = (uint32_t)(r[l] + (uint32_t)imm);
	} else {
		const uint64_t *r = w.lanes<uint64_t>(o);
		for (int l = 0; l < n_lanes; l++)
			a[l] = r[l] + (uint64_t)imm;
	}
	uint32_t m = w.exec;
	if (m == all_lanes)
		return;
	uint64_t any = a[__builtin_ctz(m)];
	for (int l = 0; l < n_lanes; l++)
		if (!(m >> l & 1))
			a[l] = any;
}

static inline void check_alignment(const Warp &w, const Ins &i, const uint64_t *a, size_t bytes)
{
	uint64_t low = 0;
	for (int l = 0; l < n_lanes; l++)
		low |= a[l];
	if (!(low & (bytes - 1)))
		return;
	for (int l = 0; l < n_lanes; l++)
		if (a[l] & (bytes - 1))
			fault(w, i, l,
				"address " + std::to_string(a[l] & 0xffff) +
					" (its low 16 bits) is not a multiple of " +
					std::to_string(bytes));
}

static inline void resolve_global(const Warp &w, const Ins &i, uint64_t *a, size_t bytes)
{
	for (int tries = 0; tries < 2; tries++) {
		uint64_t least = ~0ull, most = 0;
		for (int l = 0; l < n_lanes; l++) {
			least = a[l] < least ? a[l] : least;
			most = a[l] > most ? a[l] : most;
		}
		if (least >= i.lo && most + bytes <= i.hi && i.lo <= i.hi) {
			for (int l = 0; l < n_lanes; l++)
				a[l] += i.shift;
			return;
		}
		Extent e;
		std::string why;
		if (tries || !find_extent(a[0], bytes, &e, &why))
			break;
		i.lo = e.lo, i.hi = e.hi, i.shift = e.shift;
	}
	for (int l = 0; l < n_lanes; l++) { /* several allocations, or a fault */
		Extent e;
		std::string why;
		if (!find_extent(a[l], bytes, &e, &why))
			fault(w, i, w.exec >> l & 1 ? l : __builtin_ctz(w.exec), why);
		a[l] += e.shift;
	}
}

static inline void resolve_small(const Warp &w, const Ins &i, uint64_t *a, size_t bytes,
	uint64_t limit, const char *base, size_t lane_stride, const char *what)
{
	uint64_t most = 0;
	for (int l = 0; l < n_lanes; l++)
		most = a[l] > most ? a[l] : most;
	if (most + bytes > limit || most + bytes < bytes)
		for (int l = 0; l < n_lanes; l++)
			if (a[l] + bytes > limit || a[l] + bytes < bytes)
				fault(w, i, l,
					std::to_string(bytes) + " bytes at " +
						std::to_string((int64_t)a[l]) + " of " + what +
						" memory, which has " + std::to_string(limit));
	for (int l = 0; l < n_lanes; l++)
		a[l] += (uint64_t)base + (uint64_t)l * lane_stride;
}

static void resolve(Warp &w, const Ins &i, Space space, uint64_t *a, size_t bytes, Access how);

/* Lanes may point into different spaces; each set runs by itself. */
static void resolve_generic(Warp &w, const Ins &i, uint64_t *a, size_t bytes, Access how)
{
	uint32_t exec = w.exec, left = exec;
	uint64_t out[n_lanes] = {};
	while (left) {
		uint64_t window = a[__builtin_ctz(left)] & window_of;
		uint32_t mine =
			lanes_where([=](int l) { return (a[l] & window_of) == window; }) & left;
		Space space = window == shared_window  ? Space::shared
			      : window == local_window ? Space::local
			      : window == param_window ? Space::param
						       : Space::global;
		uint64_t part[n_lanes];
		for (int l = 0; l < n_lanes; l++)
			part[l] = a[mine >> l & 1 ? l : __builtin_ctz(mine)] - window;
		w.exec = mine;
		resolve(w, i, space, part, bytes, how);
		for (int l = 0; l < n_lanes; l++)
			if (mine >> l & 1)
				out[l] = part[l];
		left &= ~mine;
	}
	w.exec = exec;
	for (int l = 0; l < n_lanes; l++)
		a[l] = exec >> l & 1 ? out[l] : out[__builtin_ctz(exec)];
}

static void resolve(Warp &w, const Ins &i, Space space, uint64_t *a, size_t bytes, Access how)
{
	if (space == Space::generic)
		return resolve_generic(w, i, a, bytes, how);
	const Block &b = *w.block;
	check_alignment(w, i, a, bytes);
	if (b.launch->watcher && space != Space::param)
		b.launch->watcher->touch(w, i, space, a, bytes, how);
	switch (space) {
	case Space::shared:
		return resolve_small(w, i, a, bytes, b.shared.size(), b.shared.data(), 0, "shared");
	case Space::local:
		return resolve_small(w, i, a, bytes, b.launch->program->local_bytes, w.local,
			b.launch->program->local_bytes, "local");
	case Space::param:
		for (int l = 0; l < n_lanes; l++)
			a[l] &= window_offset;
		return resolve_small(w, i, a, bytes, b.launch->params.size(),
			b.launch->params.data(), 0, "parameter");
	default:
		return resolve_global(w, i, a, bytes);
	}
}

} // namespace sim::SIM_ISA

#endif
