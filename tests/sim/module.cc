/*
 * module.cc - from what nvcc put into the program to Programs
 *
 * nvcc's constructors register each fat binary with its kernels and variables. Of the PTX texts in it
 * the one for the highest architecture that is not above the simulated device's is read, when the first
 * kernel of it is launched; a kernel is lowered when it is launched first.
 */
#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include <lz4.h>
#include <zstd.h>

using namespace sim;

namespace
{

struct HostVariable {
	std::string name;
	size_t bytes;
};

struct Binary {
	std::map<int, std::string> texts; /* by architecture */
	std::map<const void *, HostVariable> variables;
	bool is_loaded = false;
	Module module;
	Placement placement;
	std::map<std::string, std::unique_ptr<Program>> programs;
};

struct HostKernel {
	Binary *binary;
	std::string name;
	int max_dynamic_shared = 48 << 10;
};

/* Never destroyed: nvcc's destructors come after ours. */
std::map<const void *, HostKernel> &kernels = *new std::map<const void *, HostKernel>;
std::vector<Binary *> &binaries = *new std::vector<Binary *>;

template <class T> T read(const char *p)
{
	T v;
	memcpy(&v, p, sizeof(v));
	return v;
}

std::string unpacked(const char *p, size_t stored, size_t size, uint64_t flags)
{
	if (!(flags & 0xa000))
		return std::string(p, strnlen(p, stored));
	std::string out(size, 0);
	size_t n = flags & 0x8000
			   ? ZSTD_decompress(out.data(), size, p, stored)
			   : (size_t)LZ4_decompress_safe(p, out.data(), (int)stored, (int)size);
	if (n != size)
		throw Error("a compressed fat binary could not be read");
	out.resize(strnlen(out.data(), size));
	return out;
}

/* A fat binary is a header and entries: kind 1 is PTX. */
void read_binary(Binary &b, const char *p)
{
	const char *at = p + read<uint16_t>(p + 6), *end = at + read<uint64_t>(p + 8);
	while (at < end) {
		uint16_t kind = read<uint16_t>(at);
		uint32_t header = read<uint32_t>(at + 4);
		uint64_t size = read<uint64_t>(at + 8);
		if (kind == 1) {
			uint32_t stored = read<uint32_t>(at + 16), arch = read<uint32_t>(at + 28);
			uint64_t flags = read<uint64_t>(at + 40), whole = read<uint64_t>(at + 56);
			b.texts[(int)arch] =
				unpacked(at + header, flags & 0xa000 ? stored : size, whole, flags);
		}
		at += header + size;
	}
}

void place_variables(Binary &b)
{
	for (const Variable &v : b.module.variables) {
		if (v.space == Space::shared) {
			b.placement.shared[v.name] = v;
			continue;
		}
		void *p = nullptr;
		if (device_alloc(&p, std::max<size_t>(v.bytes, 1)))
			throw Error("no memory for the variable " + v.name);
		b.placement.address[v.name] = (uint64_t)p;
	}
	for (const Variable &v : b.module.variables) {
		if (v.space == Space::shared)
			continue;
		char *to = (char *)to_host(
			(void *)b.placement.address[v.name], std::max<size_t>(v.bytes, 1));
		memset(to, 0, v.bytes);
		if (!v.init.empty())
			memcpy(to, v.init.data(), v.bytes);
		for (auto &[offset, name] : v.references) {
			auto addend = v.addends.find(offset);
			uint64_t a = b.placement.address[name] +
				     (uint64_t)(addend == v.addends.end() ? 0 : addend->second);
			memcpy(to + offset, &a, 8);
		}
	}
}

void load(Binary &b)
{
	if (b.is_loaded)
		return;
	auto best = b.texts.upper_bound(device().arch);
	if (best == b.texts.begin())
		throw Error("no PTX for sm_" + std::to_string(device().arch) +
			    " or below in the program: compile with -gencode "
			    "arch=compute_80,code=compute_80");
	--best;
	b.module = parse_module(best->second);
	place_variables(b);
	b.is_loaded = true;
}

struct LaunchShape {
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;
};
thread_local std::vector<LaunchShape> pending;

bool is_valid(const LaunchShape &s)
{
	uint64_t threads = (uint64_t)s.block.x * s.block.y * s.block.z;
	return s.grid.x && s.grid.y && s.grid.z && threads && threads <= 1024 && s.block.z <= 64 &&
	       s.grid.x <= 0x7fffffffu && s.grid.y <= 65535 && s.grid.z <= 65535;
}

cudaError_t launch(const void *host, const LaunchShape &s, void **args)
{
	std::string why;
	const Program *p = program_of(host, &why);
	if (!p) {
		fprintf(stderr, "sim: %s\n", why.c_str());
		return cudaErrorInvalidDeviceFunction;
	}
	if (!is_valid(s))
		return cudaErrorInvalidConfiguration;
	if (p->max_threads && s.block.x * s.block.y * s.block.z > p->max_threads)
		return cudaErrorInvalidValue;
	if (s.shared + p->shared_bytes >
			(size_t)std::max(
				max_dynamic_shared(host) + (int)p->shared_bytes, 48 << 10) ||
		s.shared + p->shared_bytes > device().shared_per_block)
		return cudaErrorInvalidValue;
	Launch l;
	l.program = p;
	l.grid = { s.grid.x, s.grid.y, s.grid.z };
	l.block = { s.block.x, s.block.y, s.block.z };
	l.dynamic_shared = s.shared;
	l.params.resize(p->param_bytes);
	for (size_t n = 0; n < p->params.size(); n++)
		memcpy(l.params.data() + p->params[n].offset, args[n], p->params[n].bytes);
	return enqueue(s.stream, [l]() mutable {
		l.watcher = watcher();
		auto *program = const_cast<Program *>(l.program);
		if (program->generation != allocations_changed())
			for (Ins &i : program->code)
				i.lo = 1, i.hi = 0;
		program->generation = allocations_changed();
		run_launch(l);
	});
}

} // namespace

namespace sim
{

const Program *program_of(const void *host, std::string *why)
{
	auto found = kernels.find(host);
	if (found == kernels.end()) {
		*why = "the launched function was not registered as a kernel";
		return nullptr;
	}
	Binary &b = *found->second.binary;
	try {
		load(b);
		auto &program = b.programs[found->second.name];
		if (program)
			return program.get();
		auto f = b.module.functions.find(found->second.name);
		if (f == b.module.functions.end())
			throw Error("the PTX has no kernel " + found->second.name);
		program = lower(b.module, f->second, b.placement);
		return program.get();
	} catch (const Error &e) {
		*why = e.what();
		return nullptr;
	}
}

cudaError_t variable_of(const void *host, void **address, size_t *bytes)
{
	for (Binary *b : binaries) {
		auto found = b->variables.find(host);
		if (found == b->variables.end())
			continue;
		load(*b);
		auto placed = b->placement.address.find(found->second.name);
		if (placed == b->placement.address.end())
			return cudaErrorInvalidSymbol;
		*address = (void *)placed->second;
		*bytes = found->second.bytes;
		return cudaSuccess;
	}
	return cudaErrorInvalidSymbol;
}

int max_dynamic_shared(const void *host)
{
	auto found = kernels.find(host);
	return found == kernels.end() ? 0 : found->second.max_dynamic_shared;
}

void set_max_dynamic_shared(const void *host, int bytes)
{
	auto found = kernels.find(host);
	if (found != kernels.end())
		found->second.max_dynamic_shared = bytes;
}

} // namespace sim

#define ENTER(name) \
	std::lock_guard<std::recursive_mutex> guard(lock); \
	if (cudaError_t entered = enter(name)) \
	return remember(entered)

SIM_EXPORT void **__cudaRegisterFatBinary(void *wrapper)
{
	auto *b = new Binary;
	try {
		read_binary(*b, read<const char *>((const char *)wrapper + 8));
	} catch (const Error &e) {
		fprintf(stderr, "sim: %s\n", e.what());
	}
	binaries.push_back(b);
	return (void **)b;
}

SIM_EXPORT void __cudaRegisterFatBinaryEnd(void **)
{
}

SIM_EXPORT void __cudaUnregisterFatBinary(void **)
{
}

SIM_EXPORT char __cudaInitModule(void **)
{
	return 1;
}

SIM_EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *, const char *name,
	int, uint3 *, uint3 *, dim3 *, dim3 *, int *)
{
	kernels[host] = { (Binary *)handle, name };
}

SIM_EXPORT void __cudaRegisterVar(
	void **handle, char *host, char *, const char *name, int, size_t size, int, int)
{
	((Binary *)handle)->variables[host] = { name, size };
}

SIM_EXPORT unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream)
{
	pending.push_back({ grid, block, shared, (cudaStream_t)stream });
	return 0;
}

SIM_EXPORT cudaError_t __cudaPopCallConfiguration(
	dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
	if (pending.empty())
		return cudaErrorMissingConfiguration;
	LaunchShape s = pending.back();
	pending.pop_back();
	*grid = s.grid;
	*block = s.block;
	*shared = s.shared;
	memcpy(stream, &s.stream, sizeof(s.stream));
	return cudaSuccess;
}

SIM_EXPORT cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *host)
{
	*kernel = (cudaKernel_t)host;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaLaunchKernel(
	const void *host, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream)
{
	ENTER("cudaLaunchKernel");
	return remember(launch(host, { grid, block, shared, stream }, args));
}

SIM_EXPORT cudaError_t __cudaLaunchKernel(
	cudaKernel_t kernel, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream)
{
	return cudaLaunchKernel((const void *)kernel, grid, block, args, shared, stream);
}

SIM_EXPORT cudaError_t cudaLaunchKernelExC(
	const cudaLaunchConfig_t *c, const void *host, void **args)
{
	return cudaLaunchKernel(
		host, c->gridDim, c->blockDim, args, c->dynamicSmemBytes, c->stream);
}

/* Reads and lowers everything that was registered; what cannot be is printed. How many those were. */
SIM_EXPORT int sim_check_all(void)
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	int bad = 0;
	for (auto &[host, kernel] : kernels) {
		std::string why;
		if (program_of(host, &why))
			continue;
		fprintf(stderr, "sim: %s\n", why.c_str());
		bad++;
	}
	return bad;
}
