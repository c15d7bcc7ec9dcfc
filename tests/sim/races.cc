/*
 * races.cc - two threads at one byte, at least one writes, nothing in between
 *
 * Every byte of shared memory, and of global memory that a launch touches, remembers its last writer
 * and its last two readers. Warps carry vector clocks: a barrier joins those of its warps, __syncwarp
 * advances a warp's own, so "in between" is exact for warps, and lanes of one warp need __syncwarp as
 * they do on a device. Blocks are ordered by nothing but a fence and an atomic: a block that fences and
 * then does an atomic hands over all it wrote to whoever does an atomic there later.
 */
#include "runtime.h"

#include <array>
#include <set>
#include <unordered_map>

namespace sim
{

namespace
{

enum : uint8_t { whole_warp = 32 }; /* a matrix is read by all lanes together */

struct Visit {
	uint32_t block = 0; /* numbered over all launches, from 1; 0: nobody */
	uint32_t clock = 0;
	uint8_t warp = 0, lane = 0;
	bool is_atomic = false;
	uint32_t ins = 0;

	bool same_thread(const Visit &o) const
	{
		return block == o.block && warp == o.warp && lane == o.lane && lane != whole_warp;
	}
};

struct Cell {
	Visit writer, reader, other_reader;
};

using Clock = std::array<uint32_t, 32>;
enum : uint64_t { page_bytes = 4096 };
using Page = std::array<Cell, page_bytes>;

class Races : public Watcher
{
      public:
	void begin(const Launch &l) override;
	void begin_block(Block &b) override;
	void touch(Warp &w, const Ins &i, Space space, const uint64_t *a, size_t bytes,
		Access how) override;
	void step(Warp &w, const Ins &i) override;
	void barrier(Block &b, int id) override;
	void end(const Launch &) override
	{
	}

      private:
	const Program *program = nullptr;
	uint32_t first_block = 1, block = 0;
	std::vector<Cell> shared;
	std::unordered_map<uint64_t, std::unique_ptr<Page>> pages;
	std::vector<Clock> clocks;
	std::vector<uint32_t> warp_epochs;
	bool has_fenced = false;
	std::unordered_map<uint64_t, std::set<uint32_t>> handed_over; /* by the atomic's address */
	std::set<uint32_t> acquired;

	Cell &shared_cell(uint64_t a);
	Cell &global_cell(uint64_t a);
	bool is_ordered(const Visit &before, const Warp &w, const Visit &now) const;
	void check(Warp &w, const Ins &i, int lane, const Visit &before, const Visit &now,
		const char *what);
	void visit(Warp &w, const Ins &i, int lane, Cell &c, const Visit &now, Access how);
	void hand_over(uint64_t a);
};

void Races::begin(const Launch &l)
{
	program = l.program;
	first_block = block + 1;
	pages.clear();
	handed_over.clear();
}

void Races::begin_block(Block &b)
{
	block++;
	shared.resize(std::max(shared.size(), b.shared.size()));
	clocks.assign(b.warps.size(), Clock());
	for (size_t n = 0; n < clocks.size(); n++)
		clocks[n][n] = 1;
	warp_epochs.assign(b.warps.size(), 0);
	has_fenced = false;
	acquired.clear();
}

/* What another block left there is nobody's. */
Cell &Races::shared_cell(uint64_t a)
{
	Cell &c = shared[a];
	for (Visit *v : { &c.writer, &c.reader, &c.other_reader })
		if (v->block != block)
			*v = Visit();
	return c;
}

Cell &Races::global_cell(uint64_t a)
{
	auto &page = pages[a / page_bytes];
	if (!page)
		page = std::make_unique<Page>();
	return (*page)[a % page_bytes];
}

bool Races::is_ordered(const Visit &before, const Warp &w, const Visit &now) const
{
	if (before.block < first_block || before.same_thread(now))
		return true; /* nobody in this launch, or the thread itself */
	if (before.block != block)
		return acquired.count(before.block) > 0;
	uint32_t seen = clocks[(size_t)w.id][before.warp];
	return before.warp == w.id ? seen > before.clock : seen >= before.clock;
}

void Races::check(
	Warp &w, const Ins &i, int lane, const Visit &before, const Visit &now, const char *what)
{
	if (is_ordered(before, w, now) || (before.is_atomic && now.is_atomic))
		return;
	std::string who =
		before.block == block
			? "warp " + std::to_string(before.warp) +
				  (before.lane == whole_warp
						  ? ""
						  : ", lane " + std::to_string(before.lane))
			: "block number " + std::to_string(before.block - first_block);
	fault(w, i, lane,
		std::string("a race: ") + who + " " + what + " the same byte ('" +
			program->texts[before.ins] + "', PTX line " +
			std::to_string(program->lines[before.ins]) +
			") and nothing orders the two");
}

void Races::visit(Warp &w, const Ins &i, int lane, Cell &c, const Visit &now, Access how)
{
	check(w, i, lane, c.writer, now, "writes");
	if (how == Access::read) {
		if (!c.reader.same_thread(now) || c.reader.block != now.block) {
			if (c.reader.warp != now.warp || c.reader.block != now.block)
				c.other_reader = c.reader;
			c.reader = now;
		}
		c.reader.clock = now.clock;
		return;
	}
	check(w, i, lane, c.reader, now, "reads");
	check(w, i, lane, c.other_reader, now, "reads");
	c.writer = now;
	if (!now.is_atomic)
		c.reader = c.other_reader = Visit();
}

/* An atomic takes what was handed over there, and hands over if this block has fenced. */
void Races::hand_over(uint64_t a)
{
	std::set<uint32_t> &there = handed_over[a];
	acquired.insert(there.begin(), there.end());
	if (has_fenced) {
		there.insert(block);
		there.insert(acquired.begin(), acquired.end());
	}
}

void Races::touch(Warp &w, const Ins &i, Space space, const uint64_t *a, size_t bytes, Access how)
{
	if (how == Access::none || (space != Space::shared && space != Space::global))
		return;
	if (warp_epochs[(size_t)w.id] != w.epoch) {
		warp_epochs[(size_t)w.id] = w.epoch;
		clocks[(size_t)w.id][(size_t)w.id]++;
	}
	Visit now;
	now.block = block;
	now.warp = (uint8_t)w.id;
	now.clock = clocks[(size_t)w.id][(size_t)w.id];
	now.is_atomic = how == Access::atomic;
	now.ins = (uint32_t)(&i - program->code.data());
	for (uint32_t left = w.exec; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		now.lane = i.kind == Kind::gather ? (uint8_t)whole_warp : (uint8_t)l;
		if (now.is_atomic && space == Space::global)
			hand_over(a[l]);
		for (size_t n = 0; n < bytes; n++) {
			if (space == Space::shared && a[l] + n >= w.block->shared.size())
				break; /* reported by who looks at the range */
			visit(w, i, l,
				space == Space::shared ? shared_cell(a[l] + n)
						       : global_cell(a[l] + n),
				now, how);
		}
	}
}

void Races::step(Warp &, const Ins &i)
{
	has_fenced |= i.is_fence;
}

/* The warps that wait at it have all seen one another. */
void Races::barrier(Block &b, int id)
{
	Clock all = {};
	for (const Warp &w : b.warps)
		if (w.barrier_id == id)
			for (size_t n = 0; n < all.size(); n++)
				all[n] = std::max(all[n], clocks[(size_t)w.id][n]);
	for (const Warp &w : b.warps)
		if (w.barrier_id == id) {
			clocks[(size_t)w.id] = all;
			clocks[(size_t)w.id][(size_t)w.id]++;
		}
}

} // namespace

Watcher *new_races()
{
	return new Races;
}

} // namespace sim
