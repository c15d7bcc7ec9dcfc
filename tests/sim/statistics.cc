/*
 * statistics.cc - what instructions cost: sectors, bank conflicts, lanes that wait
 *
 * A model, not a measurement: global memory moves in sectors of 32 bytes, and the ideal is the bytes
 * that the warp wants over 32; shared memory has 32 banks of 4 bytes, a wide access takes the warp in
 * halves or quarters, and a turn serves one word of each bank. DS_SIM_STATS=1 prints a table at the
 * end, DS_SIM_STATS=FILE writes JSON lines, one a kernel and one an instruction that touches memory.
 */
#include "runtime.h"

#include <algorithm>
#include <cstdlib>

namespace sim
{

namespace
{

struct Count {
	uint64_t runs = 0, lanes = 0,
		 partial = 0; /* partial: with fewer than the warp's live lanes */
	uint64_t sectors = 0, ideal_sectors = 0, turns = 0, ideal_turns = 0;
};

struct Kernel {
	uint64_t launches = 0, blocks = 0;
	uint32_t threads = 0; /* the largest block, and its shared memory */
	size_t shared = 0;
	std::vector<Count> counts;
	std::vector<std::string> texts;
	std::vector<int> lines;
};

class Statistics : public Watcher
{
      public:
	~Statistics() override
	{
		report();
	}
	void begin(const Launch &l) override;
	void begin_block(Block &) override
	{
		now->blocks++;
	}
	void touch(Warp &w, const Ins &i, Space space, const uint64_t *a, size_t bytes,
		Access how) override;
	void step(Warp &w, const Ins &i) override;
	void barrier(Block &, int) override
	{
	}
	void end(const Launch &) override
	{
	}
	void report();

      private:
	std::map<std::string, Kernel> kernels;
	Kernel *now = nullptr;
	const Ins *code = nullptr;
};

void Statistics::begin(const Launch &l)
{
	now = &kernels[l.program->name];
	now->launches++;
	now->threads = std::max(now->threads, l.block.x * l.block.y * l.block.z);
	now->shared = std::max(now->shared, l.program->shared_bytes + l.dynamic_shared);
	now->counts.resize(l.program->code.size());
	now->texts = l.program->texts;
	now->lines = l.program->lines;
	code = l.program->code.data();
}

void Statistics::step(Warp &w, const Ins &i)
{
	Count &c = now->counts[(size_t)(&i - code)];
	c.runs++;
	c.lanes += (uint64_t)__builtin_popcount(w.exec);
	c.partial += w.exec != w.live;
}

void count_sectors(Count &c, const uint64_t *a, size_t bytes, uint32_t exec)
{
	std::pair<uint64_t, uint32_t> touched[n_lanes * 2];
	size_t n = 0;
	for (uint32_t left = exec; left; left &= left - 1) {
		uint64_t from = a[__builtin_ctz(left)], to = from + bytes;
		while (from < to) {
			uint64_t sector = from / 32, end = std::min(to, (sector + 1) * 32);
			uint64_t mask = ((1ull << (end - from)) - 1) << (from % 32);
			touched[n++] = { sector, (uint32_t)mask };
			from = end;
		}
	}
	std::sort(touched, touched + n);
	uint64_t wanted = 0, sectors = 0;
	for (size_t k = 0; k < n;) {
		uint32_t mask = 0;
		uint64_t sector = touched[k].first;
		for (; k < n && touched[k].first == sector; k++)
			mask |= touched[k].second;
		wanted += (uint64_t)__builtin_popcount(mask);
		sectors++;
	}
	c.sectors += sectors;
	c.ideal_sectors += (wanted + 31) / 32;
}

/* Words of 4 bytes of up to 32 lanes in one go: as many turns as the fullest bank has words. */
uint64_t turns_of(std::vector<uint64_t> &words)
{
	uint64_t in_bank[32] = {}, most = 1;
	std::sort(words.begin(), words.end());
	words.erase(std::unique(words.begin(), words.end()), words.end());
	for (uint64_t word : words)
		most = std::max(most, ++in_bank[word % 32]);
	return most;
}

void count_turns(Count &c, const uint64_t *a, size_t bytes, uint32_t exec)
{
	int group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
	std::vector<uint64_t> words;
	for (int first = 0; first < n_lanes; first += group) {
		words.clear();
		for (int l = first; l < first + group; l++)
			for (size_t n = 0; exec >> l & 1 && n < (bytes + 3) / 4; n++)
				words.push_back(a[l] / 4 + n);
		if (words.empty())
			continue;
		c.turns += turns_of(words);
		c.ideal_turns += (words.size() + 31) / 32;
	}
}

void Statistics::touch(Warp &w, const Ins &i, Space space, const uint64_t *a, size_t bytes, Access)
{
	Count &c = now->counts[(size_t)(&i - code)];
	if (space == Space::global || space == Space::constant)
		count_sectors(c, a, bytes, w.exec);
	else if (space == Space::shared)
		count_turns(c, a, bytes, w.exec);
}

Count total(const Kernel &k)
{
	Count t;
	for (const Count &c : k.counts) {
		t.runs += c.runs;
		t.lanes += c.lanes;
		t.partial += c.partial;
		t.sectors += c.sectors;
		t.ideal_sectors += c.ideal_sectors;
		t.turns += c.turns;
		t.ideal_turns += c.ideal_turns;
	}
	return t;
}

double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 1;
}

/* Names and instructions have nothing in them that JSON would want escaped. */
void write_count(FILE *f, const Count &c)
{
	const std::pair<const char *, uint64_t> fields[] = { { "runs", c.runs },
		{ "lanes", c.lanes }, { "partial", c.partial }, { "sectors", c.sectors },
		{ "ideal_sectors", c.ideal_sectors }, { "turns", c.turns },
		{ "ideal_turns", c.ideal_turns } };
	for (auto &[name, value] : fields)
		fprintf(f, ",\"%s\":%llu", name, (unsigned long long)value);
	fprintf(f, "}\n");
}

void write_kernel(FILE *f, const std::string &name, const Kernel &k)
{
	fprintf(f,
		"{\"kernel\":\"%s\",\"launches\":%llu,\"blocks\":%llu,\"threads\":%u,\"shared\":%"
		"zu",
		name.c_str(), (unsigned long long)k.launches, (unsigned long long)k.blocks,
		k.threads, k.shared);
	write_count(f, total(k));
	for (size_t n = 0; n < k.counts.size(); n++) {
		if (!k.counts[n].sectors && !k.counts[n].turns)
			continue;
		fprintf(f, "{\"kernel\":\"%s\",\"instruction\":\"%s\",\"line\":%d", name.c_str(),
			k.texts[n].c_str(), k.lines[n]);
		write_count(f, k.counts[n]);
	}
}

void print_kernel(const std::string &name, const Kernel &k)
{
	Count t = total(k);
	fprintf(stderr,
		"sim: %s: %llu launches, %llu blocks, %llu warp instructions (%.0f%% of lanes), "
		"sectors %llu (%.2fx ideal), shared turns %llu (%.2fx)\n",
		name.c_str(), (unsigned long long)k.launches, (unsigned long long)k.blocks,
		(unsigned long long)t.runs, 100 * ratio(t.lanes, 32 * t.runs),
		(unsigned long long)t.sectors, ratio(t.sectors, t.ideal_sectors),
		(unsigned long long)t.turns, ratio(t.turns, t.ideal_turns));
	for (size_t n = 0; n < k.counts.size(); n++) {
		const Count &c = k.counts[n];
		if (c.sectors > c.ideal_sectors + c.ideal_sectors / 8)
			fprintf(stderr, "     line %d '%s': sectors %.2fx ideal\n", k.lines[n],
				k.texts[n].c_str(), ratio(c.sectors, c.ideal_sectors));
		if (c.turns > c.ideal_turns + c.ideal_turns / 8)
			fprintf(stderr, "     line %d '%s': bank conflicts, %.2fx the turns\n",
				k.lines[n], k.texts[n].c_str(), ratio(c.turns, c.ideal_turns));
	}
}

void Statistics::report()
{
	const char *where = getenv("DS_SIM_STATS");
	FILE *f = where && strcmp(where, "1") ? fopen(where, "a") : nullptr;
	for (auto &[name, k] : kernels) {
		if (f)
			write_kernel(f, name, k);
		else
			print_kernel(name, k);
	}
	if (f)
		fclose(f);
}

} // namespace

Watcher *new_statistics()
{
	static Statistics s; /* its destructor reports */
	return &s;
}

} // namespace sim
