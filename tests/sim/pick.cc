/*
 * pick.cc - the functions for the CPU at hand: DS_CPU=scalar|avx2|avx512 asks for less
 */
#include "program.h"

#include <cstdlib>

namespace sim
{

static int level()
{
	const char *want = getenv("DS_CPU");
	std::string_view w = want ? want : "";
	int have = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
				   __builtin_cpu_supports("avx512dq")
			   ? 2
		   : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1
										     : 0;
	int asked = w == "scalar" ? 0 : w == "avx2" ? 1 : 2;
	return asked < have ? asked : have;
}

#define ANY_OF(ISA) \
	(ISA::pick_half(s, i) || ISA::pick_convert(s, i) || ISA::pick_memory(s, i) || \
		ISA::pick_atomic(s, i) || ISA::pick_gather(s, i) || ISA::pick_mma(s, i) || \
		ISA::pick_alu(s, i))

bool pick(const Shape &s, Ins &i)
{
	static const int have = level();
	return have == 2 ? ANY_OF(avx512) : have == 1 ? ANY_OF(avx2) : ANY_OF(plain);
}

} // namespace sim
