/*
 * slots.cc - live ranges over basic blocks, and a linear scan
 *
 * Positions are doubled: a use at 2n lets a result at 2n+1 take its place, which is right for what
 * works lane by lane; where lanes read one another, a use lasts until the result is there.
 */
#include "slots.h"

#include <algorithm>
#include <set>

namespace sim
{

/* How many of the first operands an instruction writes. */
size_t n_results(const Statement &s)
{
	static const std::set<std::string> none = { "st", "red", "bra", "cp", "ret", "exit", "trap",
		"membar", "fence", "nanosleep", "prefetch", "prefetchu", "discard", "vprintf",
		"assertfail", "brkpt", "stmatrix", "applypriority", "griddepcontrol", "pmevent" };
	if (none.count(s.op))
		return 0;
	if (s.op == "bar" || s.op == "barrier")
		return s.has("red") ? 1 : 0;
	if (s.op == "setp") {
		bool combined = s.has("and") || s.has("or") || s.has("xor");
		return s.args.size() - (combined ? 3 : 2);
	}
	if (s.op == "shfl")
		return s.args.size() - 4;
	if (s.op == "match")
		return s.args.size() - 2;
	return s.args.empty() ? 0 : 1;
}

namespace
{

bool reads_other_lanes(const Statement &s)
{
	static const std::set<std::string> ops = { "shfl", "vote", "match", "redux", "mma",
		"ldmatrix", "stmatrix", "ld", "atom", "mov", "movmatrix", "bar", "barrier" };
	return ops.count(s.op) > 0;
}

template <class F> void each_register(const Operand &o, F f)
{
	if (o.kind == Operand::reg)
		f(o.id);
	for (const Operand &item : o.items)
		each_register(item, f);
}

bool ends_block(const Statement &s)
{
	return s.op == "bra" || s.op == "ret" || s.op == "exit";
}

using Set = std::vector<uint64_t>;

bool has(const Set &s, int r)
{
	return s[(size_t)r / 64] >> (r & 63) & 1;
}

void add(Set &s, int r)
{
	s[(size_t)r / 64] |= 1ull << (r & 63);
}

class Ranges
{
      public:
	Ranges(const std::vector<Statement> &c, size_t n);
	std::vector<int64_t> from, to; /* to < 0: never used */

      private:
	const std::vector<Statement> &code;
	size_t n_regs;
	std::vector<size_t> block_of, begins; /* begins has the end of the last block too */
	std::vector<Set> uses, kills, in, out;

	void find_blocks();
	void read_statements();
	void spread();
	void extend(int r, size_t position)
	{
		from[(size_t)r] = std::min(from[(size_t)r], (int64_t)position);
		to[(size_t)r] = std::max(to[(size_t)r], (int64_t)position);
	}
	size_t n_blocks() const
	{
		return begins.size() - 1;
	}
};

Ranges::Ranges(const std::vector<Statement> &c, size_t n)
    : from(n, INT64_MAX), to(n, -1), code(c), n_regs(n)
{
	find_blocks();
	uses.assign(n_blocks(), Set((n_regs + 63) / 64));
	kills = in = out = uses;
	read_statements();
	spread();
	for (size_t b = 0; b < n_blocks(); b++)
		for (int r = 0; r < (int)n_regs; r++) {
			if (has(in[b], r))
				extend(r, 2 * begins[b]);
			if (has(out[b], r))
				extend(r, 2 * begins[b + 1]);
		}
}

void Ranges::find_blocks()
{
	std::vector<bool> leads(code.size() + 1, false);
	leads[0] = true;
	for (size_t n = 0; n < code.size(); n++)
		if (ends_block(code[n])) {
			leads[n + 1] = true;
			if (code[n].target >= 0)
				leads[(size_t)code[n].target] = true;
		}
	for (size_t n = 0; n < code.size(); n++) {
		if (leads[n])
			begins.push_back(n);
		block_of.push_back(begins.size() - 1);
	}
	begins.push_back(code.size());
}

/* A result under a guard keeps the old value in the other lanes, so it is a use as well. */
void Ranges::read_statements()
{
	for (size_t n = 0; n < code.size(); n++) {
		const Statement &s = code[n];
		Set &used = uses[block_of[n]], &killed = kills[block_of[n]];
		size_t results = n_results(s);
		auto use = [&](int r) {
			if (!has(killed, r))
				add(used, r);
			extend(r, 2 * n + reads_other_lanes(s));
		};
		if (s.guard >= 0)
			use(s.guard);
		for (size_t a = results; a < s.args.size(); a++)
			each_register(s.args[a], use);
		for (size_t a = 0; a < results; a++)
			each_register(s.args[a], [&](int r) {
				if (s.guard < 0)
					add(killed, r);
				else if (!has(killed, r))
					add(used, r);
				extend(r, 2 * n + 1);
			});
	}
}

void Ranges::spread()
{
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t b = n_blocks(); b-- > 0;) {
			const Statement &last = code[begins[b + 1] - 1];
			bool falls = !ends_block(last) || last.guard >= 0;
			for (size_t w = 0; w < uses[b].size(); w++) {
				uint64_t o = falls && b + 1 < n_blocks() ? in[b + 1][w] : 0;
				if (last.target >= 0 && (size_t)last.target < code.size())
					o |= in[block_of[(size_t)last.target]][w];
				uint64_t i = uses[b][w] | (o & ~kills[b][w]);
				changed |= i != in[b][w] || o != out[b][w];
				in[b][w] = i;
				out[b][w] = o;
			}
		}
	}
}

size_t slot_bytes(int bits)
{
	return bits == 1 ? 4 : (size_t)std::max(64, bits * 4);
}

} // namespace

Slots assign_slots(const std::vector<Statement> &code, const std::vector<uint8_t> &bits,
	const std::vector<int> &whole)
{
	Ranges ranges(code, bits.size());
	for (int r : whole) {
		ranges.from[(size_t)r] = -1;
		ranges.to[(size_t)r] = INT64_MAX;
	}
	std::vector<size_t> order;
	for (size_t r = 0; r < bits.size(); r++)
		if (ranges.to[r] >= 0)
			order.push_back(r);
	std::sort(order.begin(), order.end(),
		[&](size_t a, size_t b) { return ranges.from[a] < ranges.from[b]; });
	Slots slots = { std::vector<uint32_t>(bits.size()), 0 };
	for (size_t width : { 512, 256, 128, 64, 4 }) { /* large first: all stay aligned */
		std::set<std::pair<int64_t, uint32_t>> busy;
		std::vector<uint32_t> unused;
		for (size_t r : order) {
			if (slot_bytes(bits[r]) != width)
				continue;
			while (!busy.empty() && busy.begin()->first < ranges.from[r]) {
				unused.push_back(busy.begin()->second);
				busy.erase(busy.begin());
			}
			if (unused.empty()) {
				unused.push_back((uint32_t)slots.bytes);
				slots.bytes += width;
			}
			slots.of[r] = unused.back();
			unused.pop_back();
			busy.insert({ ranges.to[r], slots.of[r] });
		}
	}
	return slots;
}

} // namespace sim
