/*
 * warp.h - what an instruction sees while it runs
 *
 * 32 lanes run in step. A register of 32 bits is 32 words in a row, so an instruction is one loop that
 * the compiler turns into vectors; a predicate is one word, a bit a lane. A loop computes all 32 lanes
 * and keeps those of w.exec.
 */
#ifndef DS_SIM_WARP_H
#define DS_SIM_WARP_H

#include "program.h"

#include <cstring>

namespace sim
{

enum : int { n_lanes = 32 };
constexpr uint32_t all_lanes = ~0u;

/* Generic addresses of the small spaces: far above what the kernel of the CPU gives a process. */
constexpr uint64_t shared_window = 1ull << 60, local_window = 2ull << 60, param_window = 3ull << 60;
constexpr uint64_t window_of = 7ull << 60, window_offset = (1ull << 60) - 1;

struct Dim {
	uint32_t x = 1, y = 1, z = 1;
};

struct Watcher;

struct Launch {
	const Program *program;
	Dim grid, block;
	std::vector<char> params;
	size_t dynamic_shared = 0;
	Watcher *watcher = nullptr; /* races and statistics, or nobody */
};

struct AsyncCopy {
	uint64_t to; /* in shared memory */
	char *from;  /* NULL: zeros */
	uint8_t bytes, filled;
	uint8_t lane;
	int group;
};

struct Group { /* lanes that stand at the same instruction */
	int pc;
	uint32_t lanes;
	bool waits = false; /* for other lanes, or for a barrier */
};

struct Block;

struct Warp {
	char *base[2] = { nullptr, nullptr }; /* registers, constants */
	uint32_t exec = 0;                    /* the lanes that the current instruction is for */
	uint32_t live = 0;                    /* the lanes that have not ended */
	int id = 0;
	Block *block = nullptr;
	char *local = nullptr; /* n_lanes times the program's local_bytes */
	std::vector<Group> groups;
	std::vector<AsyncCopy> copies;
	int copy_group[n_lanes] = {};
	uint32_t at_barrier = 0; /* lanes waiting at barrier_id */
	int barrier_id = -1;
	uint32_t epoch = 0; /* grows at every bar.warp: orders the warp's own lanes */

	template <class T> T *at(uint32_t o) const
	{
		return (T *)__builtin_assume_aligned(base[o & 1] + (o & ~1u), 4);
	}
	template <class T> T *lanes(uint32_t o) const
	{
		return (T *)__builtin_assume_aligned(base[o & 1] + (o & ~1u), 64);
	}
};

struct Barrier {
	uint32_t arrived = 0, wanted = 0;
	uint32_t votes = 0, voters = 0, result = 0;
};

struct Block {
	const Launch *launch = nullptr;
	Dim at;
	uint32_t index = 0, n_threads = 0;
	std::vector<char> shared, registers, local;
	std::vector<Warp> warps;
	Barrier barriers[16];
};

/* Runs a whole grid; throws an Error for what a device would have got wrong. */
void run_launch(const Launch &l);

/* Text of "lane 3 of warp 1 in block (4,0,0)" and of the instruction, for messages. */
[[noreturn]] void fault(const Warp &w, const Ins &i, int lane, const std::string &what);

/* Called for every memory access when somebody watches. a[l]: address in its space. */
struct Watcher {
	virtual ~Watcher() = default;
	virtual void begin(const Launch &l) = 0;
	virtual void begin_block(Block &b) = 0;
	virtual void touch(Warp &w, const Ins &i, Space space, const uint64_t *a, size_t bytes,
		Access how) = 0;
	virtual void step(Warp &w, const Ins &i) = 0;
	virtual void barrier(Block &b, int id) = 0;
	virtual void end(const Launch &l) = 0;
};

/*
 * The host's address of n bytes of global memory; NULL and a reason where they are not within one
 * allocation. lo, hi, shift describe the allocation: host = address + shift.
 */
struct Extent {
	uint64_t lo, hi, shift;
};
bool find_extent(uint64_t address, size_t n, Extent *out, std::string *why);

} // namespace sim

#endif
