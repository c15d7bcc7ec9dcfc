/*
 * program.h - a kernel made ready to run
 *
 * lower() inlines the device functions that a kernel calls, finds which virtual registers live at the
 * same time and gives them slots (nvcc numbers thousands, a few dozen live at once, and 32 lanes of
 * those stay in the first cache), makes constants into arrays of 32 equal lanes, and picks a function
 * for every instruction. An operand is then an offset: into the warp's registers, or, with bit 0 set,
 * into the program's constants.
 */
#ifndef DS_SIM_PROGRAM_H
#define DS_SIM_PROGRAM_H

#include "ptx.h"

#include <memory>

namespace sim
{

struct Warp;
struct Ins;
using Handler = void (*)(Warp &, const Ins &);

enum class Kind : uint8_t {
	plain,   /* lane by lane */
	branch,  /* to target */
	leave,   /* the lanes end */
	barrier, /* of the block */
	arrive,  /* the same, without waiting */
	gather,  /* needs the lanes of the mask o[mask] together: shfl, vote, mma, bar.warp */
};

/* What the watchers (races, statistics) need to know of an instruction that touches memory. */
enum class Access : uint8_t { none, read, write, atomic };

struct Ins {
	Handler run = nullptr;
	const uint32_t *o = nullptr; /* operands, lists flattened */
	int64_t imm[2] = { 0, 0 };   /* added to the addresses */
	uint32_t guard = 0;          /* slot of the predicate */
	enum : uint8_t { always, when_true, when_false } guarded = always;
	int target = 0;
	Kind kind = Kind::plain;
	Space space = Space::generic;
	Access access = Access::none;
	uint8_t vec = 1, size = 0;   /* elements and bytes of one, of a memory access */
	uint8_t sub = 0;             /* the instruction's own variants */
	uint8_t mask = 0xff;         /* gather: which operand is the mask, 0xff: all live lanes */
	bool is_fence = false;       /* orders this block's memory for others */
	bool narrow_address = false; /* the address is a 32-bit register */
	/* The allocation that the last access hit; lo > hi: none. */
	mutable uint64_t lo = 1, hi = 0, shift = 0;
};

enum class Special : uint8_t {
	tid_x,
	tid_y,
	tid_z,
	ntid_x,
	ntid_y,
	ntid_z,
	ctaid_x,
	ctaid_y,
	ctaid_z,
	nctaid_x,
	nctaid_y,
	nctaid_z,
	laneid,
	warpid,
	nwarpid,
	smid,
	nsmid,
	gridid,
	lanemask_eq,
	lanemask_lt,
	lanemask_le,
	lanemask_gt,
	lanemask_ge,
	dynamic_smem_size,
	total_smem_size,
	clock,
	clock64,
	globaltimer,
	clusterid_x,
	count
};

struct Param {
	std::string name;
	size_t offset, bytes;
};

struct Program {
	std::string name;
	std::vector<Ins> code;
	std::vector<std::string> texts; /* of every instruction */
	std::vector<int> lines;         /* in the PTX */
	std::vector<uint32_t> operands;
	std::vector<char> constants_storage;
	char *constants = nullptr; /* 64-byte aligned */
	size_t register_bytes = 0;
	std::vector<std::pair<Special, uint32_t>> specials; /* slots to fill when a warp starts */
	std::vector<Param> params;
	size_t param_bytes = 0, shared_bytes = 0, local_bytes = 0;
	unsigned max_threads = 0; /* .maxntid, 0: not said */
	uint64_t generation = 0;  /* of the allocations that Ins::lo is about */
};

/* Where a module's variables were put. */
struct Placement {
	std::map<std::string, uint64_t> address; /* .global and .const */
	std::map<std::string, Variable> shared;  /* module-level .shared; no bytes: the launch's */
};

std::unique_ptr<Program> lower(const Module &m, const Function &kernel, const Placement &where);

/* Shape of one instruction for those who pick its function. */
struct Shape {
	const Statement *s;
	std::vector<std::string> types; /* of the modifiers that are types, in order */
	std::vector<uint8_t> bits;      /* of each operand, as flattened: its register's, else 0 */

	bool has(std::string_view mod) const
	{
		return s->has(mod);
	}
	std::string type(size_t n = 0) const
	{
		return n < types.size() ? types[n] : "";
	}
};

/* Each fills ins->run and what it needs else; false: not its kind of instruction. */
#define SIM_PICKERS(ISA) \
	namespace ISA \
	{ \
	bool pick_alu(const Shape &, Ins &); \
	bool pick_half(const Shape &, Ins &); \
	bool pick_convert(const Shape &, Ins &); \
	bool pick_memory(const Shape &, Ins &); \
	bool pick_atomic(const Shape &, Ins &); \
	bool pick_gather(const Shape &, Ins &); \
	bool pick_mma(const Shape &, Ins &); \
	}
SIM_PICKERS(plain)
SIM_PICKERS(avx2)
SIM_PICKERS(avx512)
bool pick(const Shape &, Ins &); /* by the CPU at hand, or DS_CPU */

} // namespace sim

#endif
