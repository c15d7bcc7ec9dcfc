/*
 * slots.h - which registers may share their place
 *
 * Live ranges over basic blocks, then a linear scan. A range is exact for every lane by itself, and
 * lanes that diverged own their part of a slot, so divergence needs no care here.
 */
#ifndef DS_SIM_SLOTS_H
#define DS_SIM_SLOTS_H

#include "ptx.h"

namespace sim
{

struct Slots {
	std::vector<uint32_t> of; /* every register's offset in a warp's registers */
	size_t bytes;
};

/* bits: of every register; whole: registers that live all the time. */
Slots assign_slots(const std::vector<Statement> &code, const std::vector<uint8_t> &bits,
	const std::vector<int> &whole);

/* How many of the first operands an instruction writes. */
size_t n_results(const Statement &s);

} // namespace sim

#endif
