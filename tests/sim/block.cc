/*
 * block.cc - runs a grid: blocks one after the other, the warps of a block in turn
 *
 * A warp is a list of groups of lanes that stand at the same instruction. The group with the lowest
 * instruction runs, and joins another when it reaches it, so lanes that diverged meet again where the
 * code joins. An instruction that names its lanes (shfl.sync and its like) waits until they are all
 * there; a barrier waits for the block. Where nobody can run and not all have ended, the program hangs
 * on a device, and here it is an Error that says who waits where.
 */
#include "warp.h"

#include <algorithm>
#include <ctime>

namespace sim
{

namespace
{

std::string dim_text(Dim d)
{
	return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) +
	       ")";
}

uint32_t guard_lanes(const Warp &w, const Ins &i, uint32_t lanes)
{
	if (i.guarded == Ins::always)
		return lanes;
	uint32_t p = *w.at<uint32_t>(i.guard);
	return lanes & (i.guarded == Ins::when_true ? p : ~p);
}

std::string lanes_text(uint32_t lanes)
{
	char s[16];
	snprintf(s, sizeof(s), "0x%08x", lanes);
	return s;
}

class Runner
{
      public:
	Runner(const Launch &l, Block &b) : launch(l), program(*l.program), block(b)
	{
	}
	void run();

      private:
	const Launch &launch;
	const Program &program;
	Block &block;

	bool advance(Warp &w);
	void straight(Warp &w);
	size_t choose(const Warp &w) const;
	void merge(Warp &w);
	void branch(Warp &w, size_t g, const Ins &i);
	bool gather(Warp &w, size_t g, const Ins &i, uint32_t lanes);
	bool barrier(Warp &w, size_t g, const Ins &i, uint32_t lanes);
	void leave(Warp &w, size_t g, const Ins &i, uint32_t lanes);
	void release(int id);
	void release_complete();
	[[noreturn]] void hang() const;
	void start_warp(Warp &w, int id);
};

uint64_t special_value(const Block &b, const Launch &l, int warp, int lane, Special which)
{
	uint32_t thread = (uint32_t)(warp * n_lanes + lane), bit = 1u << lane;
	switch (which) {
	case Special::tid_x:
		return thread % l.block.x;
	case Special::tid_y:
		return thread / l.block.x % l.block.y;
	case Special::tid_z:
		return thread / l.block.x / l.block.y;
	case Special::ntid_x:
		return l.block.x;
	case Special::ntid_y:
		return l.block.y;
	case Special::ntid_z:
		return l.block.z;
	case Special::ctaid_x:
		return b.at.x;
	case Special::ctaid_y:
		return b.at.y;
	case Special::ctaid_z:
		return b.at.z;
	case Special::nctaid_x:
		return l.grid.x;
	case Special::nctaid_y:
		return l.grid.y;
	case Special::nctaid_z:
		return l.grid.z;
	case Special::laneid:
		return (uint64_t)lane;
	case Special::warpid:
		return (uint64_t)warp;
	case Special::nwarpid:
		return (b.n_threads + n_lanes - 1) / n_lanes;
	case Special::nsmid:
		return 1;
	case Special::lanemask_eq:
		return bit;
	case Special::lanemask_lt:
		return bit - 1;
	case Special::lanemask_le:
		return bit | (bit - 1);
	case Special::lanemask_gt:
		return ~(bit | (bit - 1));
	case Special::lanemask_ge:
		return ~(bit - 1);
	case Special::dynamic_smem_size:
		return l.dynamic_shared;
	case Special::total_smem_size:
		return b.shared.size();
	default:
		return 0; /* clocks are read when asked: pick_alu */
	}
}

void Runner::start_warp(Warp &w, int id)
{
	uint32_t first = (uint32_t)(id * n_lanes),
		 n = std::min<uint32_t>(n_lanes, block.n_threads - first);
	w.id = id;
	w.block = &block;
	w.base[0] = (char *)(((size_t)block.registers.data() + 63) / 64 * 64) +
		    (size_t)id * program.register_bytes;
	w.base[1] = program.constants;
	w.local = block.local.data() + (size_t)id * n_lanes * program.local_bytes;
	w.live = n == n_lanes ? all_lanes : (1u << n) - 1;
	w.groups.assign(1, { 0, w.live, false });
	w.copies.clear();
	std::fill(std::begin(w.copy_group), std::end(w.copy_group), 0);
	w.at_barrier = 0;
	w.barrier_id = -1;
	w.epoch = 0;
	for (auto &[which, slot] : program.specials)
		for (int l = 0; l < n_lanes; l++) {
			uint64_t v = special_value(block, launch, id, l, which);
			if (which == Special::clock64 || which == Special::globaltimer)
				w.lanes<uint64_t>(slot)[l] = v;
			else
				w.lanes<uint32_t>(slot)[l] = (uint32_t)v;
		}
}

/* The group that runs next: the lowest instruction among those that do not wait. */
size_t Runner::choose(const Warp &w) const
{
	size_t best = w.groups.size();
	for (size_t g = 0; g < w.groups.size(); g++)
		if (!w.groups[g].waits &&
			(best == w.groups.size() || w.groups[g].pc < w.groups[best].pc))
			best = g;
	return best;
}

void Runner::merge(Warp &w)
{
	for (size_t a = 0; a < w.groups.size(); a++)
		for (size_t b = w.groups.size(); b-- > a + 1;)
			if (w.groups[a].pc == w.groups[b].pc) {
				w.groups[a].lanes |= w.groups[b].lanes;
				w.groups[a].waits = false;
				w.groups.erase(w.groups.begin() + (long)b);
			}
}

/* While all lanes are together: nothing to choose, nothing to join. */
void Runner::straight(Warp &w)
{
	Group &g = w.groups[0];
	const Ins *code = program.code.data();
	Watcher *watcher = launch.watcher;
	int pc = g.pc;
	uint32_t lanes = g.lanes;
	for (;;) {
		const Ins &i = code[pc];
		if (i.kind != Kind::plain)
			break;
		uint32_t exec = guard_lanes(w, i, lanes);
		if (exec) {
			w.exec = exec;
			if (watcher)
				watcher->step(w, i);
			i.run(w, i);
		}
		pc++;
	}
	g.pc = pc;
}

/* Runs until the warp waits or ends; false when it could do nothing at all. */
bool Runner::advance(Warp &w)
{
	bool moved = false;
	for (;;) {
		size_t n = choose(w);
		if (n == w.groups.size())
			return moved;
		if (w.groups.size() == 1)
			straight(w);
		Group &g = w.groups[n];
		const Ins &i = program.code[(size_t)g.pc];
		uint32_t exec = guard_lanes(w, i, g.lanes);
		w.exec = exec;
		if (exec && launch.watcher)
			launch.watcher->step(w, i);
		bool goes_on = true;
		if (i.kind == Kind::branch)
			branch(w, n, i);
		else if (!exec)
			g.pc++;
		else if (i.kind == Kind::leave)
			leave(w, n, i, exec);
		else if (i.kind == Kind::gather)
			goes_on = gather(w, n, i, exec);
		else if (i.kind == Kind::barrier || i.kind == Kind::arrive)
			goes_on = barrier(w, n, i, exec);
		else {
			i.run(w, i);
			g.pc++;
		}
		moved |= goes_on;
		if (w.groups.empty())
			return true;
		if (w.groups.size() > 1)
			merge(w);
	}
}

void Runner::branch(Warp &w, size_t n, const Ins &i)
{
	Group &g = w.groups[n];
	uint32_t taken = w.exec;
	if (taken == g.lanes) {
		g.pc = i.target;
	} else if (!taken) {
		g.pc++;
	} else {
		g.lanes &= ~taken;
		g.pc++;
		w.groups.push_back({ i.target, taken, false });
	}
}

void Runner::leave(Warp &w, size_t n, const Ins &i, uint32_t lanes)
{
	for (const AsyncCopy &c : w.copies)
		if (lanes >> c.lane & 1)
			fault(w, i, c.lane, "ends while its cp.async is under way");
	w.live &= ~lanes;
	Group &g = w.groups[n];
	g.lanes &= ~lanes;
	g.pc++;
	if (!g.lanes)
		w.groups.erase(w.groups.begin() + (long)n);
	release_complete();
}

bool Runner::gather(Warp &w, size_t n, const Ins &i, uint32_t lanes)
{
	Group &g = w.groups[n];
	uint32_t left = lanes;
	/* Lanes that name one another run together; there may be several such sets. */
	while (left) {
		int lane = __builtin_ctz(left);
		uint32_t mask = i.mask == 0xff ? all_lanes : w.lanes<uint32_t>(i.o[i.mask])[lane];
		if (!(mask >> lane & 1))
			fault(w, i, lane, "is not in its own mask " + lanes_text(mask));
		if (mask & ~w.live)
			fault(w, i, lane,
				"needs lanes " + lanes_text(mask & ~w.live) +
					", which have ended or never were");
		if (mask & ~lanes) {
			if (g.lanes & ~lanes & mask)
				fault(w, i, lane,
					"needs lanes " + lanes_text(mask & ~lanes) +
						", which its own guard turns off");
			g.waits = true;
			return false;
		}
		for (int l = 0; l < n_lanes; l++)
			if (mask >> l & 1 && i.mask != 0xff &&
				w.lanes<uint32_t>(i.o[i.mask])[l] != mask)
				fault(w, i, l,
					"has another mask than lane " + std::to_string(lane));
		w.exec = mask;
		i.run(w, i);
		left &= ~mask;
	}
	g.pc++;
	return true;
}

bool Runner::barrier(Warp &w, size_t n, const Ins &i, uint32_t lanes)
{
	Group &g = w.groups[n];
	size_t first = i.sub ? 1 : 0; /* bar.red has a result in front */
	size_t n_args = i.vec;
	bool counted = i.sub ? n_args == 4 : n_args == 2;
	int id = n_args > first ? (int)w.lanes<uint32_t>(i.o[first])[__builtin_ctz(lanes)] : 0;
	uint32_t wanted = counted ? w.lanes<uint32_t>(i.o[first + 1])[__builtin_ctz(lanes)] : 0;
	if (id < 0 || id > 15)
		fault(w, i, __builtin_ctz(lanes),
			"there are barriers 0 to 15, not " + std::to_string(id));
	if (wanted % n_lanes)
		fault(w, i, __builtin_ctz(lanes), "the number of threads is no multiple of 32");
	if (lanes != w.live) { /* the others come here too, or they never will */
		g.waits = true;
		return false;
	}
	Barrier &b = block.barriers[id];
	if (b.arrived && b.wanted != wanted)
		fault(w, i, __builtin_ctz(lanes),
			"other warps wait at this barrier for another number of threads");
	b.wanted = wanted;
	b.arrived += n_lanes;
	if (i.sub) {
		uint32_t p = *w.at<uint32_t>(i.o[n_args - 1]);
		b.votes += (uint32_t)__builtin_popcount(p & lanes);
		b.voters += (uint32_t)__builtin_popcount(lanes);
	}
	if (i.kind == Kind::arrive) {
		g.pc++;
		release_complete();
		return true;
	}
	g.waits = true;
	w.at_barrier = lanes;
	w.barrier_id = id;
	release_complete();
	return !g.waits;
}

/* A barrier opens when all it waits for have come; those who ended are not waited for. */
void Runner::release_complete()
{
	for (int id = 0; id < 16; id++) {
		Barrier &b = block.barriers[id];
		if (!b.arrived)
			continue;
		uint32_t wanted = b.wanted;
		if (!wanted)
			for (const Warp &w : block.warps)
				wanted += w.live ? n_lanes : 0;
		if (b.arrived >= wanted)
			release(id);
	}
}

void Runner::release(int id)
{
	Barrier &b = block.barriers[id];
	if (launch.watcher)
		launch.watcher->barrier(block, id);
	for (Warp &w : block.warps) {
		if (w.barrier_id != id)
			continue;
		Group &g = w.groups[0];
		const Ins &i = program.code[(size_t)g.pc];
		if (i.sub == 1)
			for (int l = 0; l < n_lanes; l++)
				w.lanes<uint32_t>(i.o[0])[l] = b.votes;
		else if (i.sub)
			*w.at<uint32_t>(i.o[0]) =
				(i.sub == 2 ? b.votes == b.voters : b.votes > 0) ? all_lanes : 0;
		g.pc++;
		g.waits = false;
		w.at_barrier = 0;
		w.barrier_id = -1;
	}
	b = Barrier();
}

void Runner::hang() const
{
	std::string what = "kernel " + program.name + ", block " + dim_text(block.at) + " hangs:";
	int shown = 0;
	for (const Warp &w : block.warps)
		for (const Group &g : w.groups)
			if (shown++ < 8)
				what += "\n  warp " + std::to_string(w.id) + ", lanes " +
					lanes_text(g.lanes) + " wait at '" +
					program.texts[(size_t)g.pc] + "' (PTX line " +
					std::to_string(program.lines[(size_t)g.pc]) + ")";
	throw Error(what);
}

void Runner::run()
{
	size_t n_warps = (block.n_threads + n_lanes - 1) / n_lanes;
	block.warps.resize(n_warps);
	for (size_t n = 0; n < n_warps; n++)
		start_warp(block.warps[n], (int)n);
	for (Barrier &b : block.barriers)
		b = Barrier();
	if (launch.watcher)
		launch.watcher->begin_block(block);
	for (bool all_ended = false; !all_ended;) {
		bool moved = false;
		all_ended = true;
		for (Warp &w : block.warps)
			if (!w.groups.empty())
				moved |= advance(w);
		for (Warp &w : block.warps)
			all_ended &= w.groups.empty();
		if (!moved && !all_ended)
			hang();
	}
}

} // namespace

void fault(const Warp &w, const Ins &i, int lane, const std::string &what)
{
	const Launch &l = *w.block->launch;
	const Program &p = *l.program;
	size_t n = (size_t)(&i - p.code.data());
	uint32_t thread = (uint32_t)(w.id * n_lanes + lane);
	Dim t = { thread % l.block.x, thread / l.block.x % l.block.y,
		thread / l.block.x / l.block.y };
	throw Error("kernel " + p.name + ", block " + dim_text(w.block->at) + ", thread " +
		    dim_text(t) + ": '" + p.texts[n] + "' (PTX line " + std::to_string(p.lines[n]) +
		    "): " + what);
}

void run_launch(const Launch &l)
{
	const Program &p = *l.program;
	Block b;
	b.launch = &l;
	b.n_threads = l.block.x * l.block.y * l.block.z;
	size_t n_warps = (b.n_threads + n_lanes - 1) / n_lanes;
	b.registers.resize(n_warps * p.register_bytes + 64);
	if (l.watcher)
		l.watcher->begin(l);
	for (uint32_t z = 0; z < l.grid.z; z++)
		for (uint32_t y = 0; y < l.grid.y; y++)
			for (uint32_t x = 0; x < l.grid.x; x++) {
				b.at = { x, y, z };
				b.shared.assign(p.shared_bytes + l.dynamic_shared, (char)0xff);
				b.local.assign(n_warps * n_lanes * p.local_bytes, (char)0xff);
				Runner(l, b).run();
				b.index++;
			}
	if (l.watcher)
		l.watcher->end(l);
}

} // namespace sim
