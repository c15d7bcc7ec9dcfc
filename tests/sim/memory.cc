/*
 * memory.cc - device memory and pinned memory
 *
 * Device addresses are handed out once while the range lasts, with a gap behind each allocation, so a
 * use after free and a step over the end are both seen. Fresh memory is all ones: a NaN in every
 * float format, and far out of range as an index.
 */
#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace sim
{

namespace
{

struct Allocation {
	size_t bytes;
	bool is_device, is_ours; /* is_ours: pinned memory that we allocated */
	unsigned number;
};

enum : size_t { gap = 512, align = 512 };

std::map<uint64_t, Allocation> allocations, freed;
uint64_t window, window_bytes, shift, next_free, used_bytes, changes = 1;
unsigned n_allocations;

void map_window()
{
	if (window)
		return;
	window_bytes = 2 * memory_total() + (1ull << 30);
	void *seen = mmap(nullptr, window_bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *bytes = mmap(nullptr, window_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (seen == MAP_FAILED || bytes == MAP_FAILED) {
		fprintf(stderr, "sim: no room for %llu bytes of addresses: set DS_SIM_MEMORY\n",
			(unsigned long long)window_bytes);
		abort();
	}
	window = (uint64_t)seen;
	shift = (uint64_t)bytes - window;
	next_free = window;
}

bool in_window(uint64_t a)
{
	return window && a >= window && a < window + window_bytes;
}

/* Behind the last allocation, or in the first gap once the range is used up. */
uint64_t find_place(size_t bytes)
{
	size_t need = (bytes + gap + align - 1) / align * align;
	if (next_free + need <= window + window_bytes) {
		next_free += need;
		return next_free - need;
	}
	uint64_t at = window;
	for (auto &[address, a] : allocations) {
		if (!a.is_device)
			continue;
		if (at + need <= address)
			break;
		at = (address + a.bytes + gap + align - 1) / align * align;
	}
	if (at + need > window + window_bytes)
		return 0;
	freed.clear();
	return at;
}

} // namespace

size_t memory_total()
{
	static const size_t mib = (size_t)setting("DS_SIM_MEMORY", 80L << 10);
	return mib << 20;
}

size_t memory_free()
{
	return memory_total() - used_bytes;
}

uint64_t allocations_changed()
{
	return changes;
}

cudaError_t device_alloc(void **out, size_t bytes)
{
	*out = nullptr;
	if (!bytes)
		return cudaSuccess;
	map_window();
	uint64_t at = bytes <= memory_free() ? find_place(bytes) : 0;
	if (!at)
		return cudaErrorMemoryAllocation;
	memset((void *)(at + shift), 0xff, bytes);
	allocations[at] = { bytes, true, true, ++n_allocations };
	used_bytes += bytes;
	changes++;
	*out = (void *)at;
	return cudaSuccess;
}

cudaError_t device_free(void *p)
{
	auto found = allocations.find((uint64_t)p);
	if (!p)
		return cudaSuccess;
	if (found == allocations.end() || !found->second.is_device)
		return cudaErrorInvalidValue;
	size_t bytes = found->second.bytes;
	uint64_t first = ((uint64_t)p + shift + 4095) & ~4095ull,
		 end = ((uint64_t)p + shift + bytes) & ~4095ull;
	if (end > first)
		madvise((void *)first, end - first, MADV_DONTNEED);
	freed[(uint64_t)p] = found->second;
	allocations.erase(found);
	used_bytes -= bytes;
	changes++;
	return cudaSuccess;
}

cudaError_t pinned_alloc(void **out, size_t bytes)
{
	if (posix_memalign(out, 4096, bytes ? bytes : 1))
		return cudaErrorMemoryAllocation;
	memset(*out, 0xff, bytes);
	allocations[(uint64_t)*out] = { bytes, false, true, ++n_allocations };
	changes++;
	return cudaSuccess;
}

cudaError_t pinned_free(void *p)
{
	auto found = allocations.find((uint64_t)p);
	if (!p)
		return cudaSuccess;
	if (found == allocations.end() || found->second.is_device || !found->second.is_ours)
		return cudaErrorInvalidValue;
	allocations.erase(found);
	changes++;
	free(p);
	return cudaSuccess;
}

cudaError_t pinned_register(void *p, size_t bytes)
{
	if (allocations.count((uint64_t)p))
		return cudaErrorHostMemoryAlreadyRegistered;
	allocations[(uint64_t)p] = { bytes, false, false, ++n_allocations };
	changes++;
	return cudaSuccess;
}

cudaError_t pinned_unregister(void *p)
{
	auto found = allocations.find((uint64_t)p);
	if (found == allocations.end() || found->second.is_device || found->second.is_ours)
		return cudaErrorHostMemoryNotRegistered;
	allocations.erase(found);
	changes++;
	return cudaSuccess;
}

namespace
{

std::map<uint64_t, Allocation>::iterator holder(std::map<uint64_t, Allocation> &in, uint64_t a)
{
	auto it = in.upper_bound(a);
	return it == in.begin() ? in.end() : --it;
}

std::string why_not(uint64_t a, size_t n)
{
	std::string what = std::to_string(n) + " bytes at an address";
	auto at = holder(allocations, a), old = holder(freed, a);
	if (at != allocations.end() && a < at->first + at->second.bytes + (1 << 20)) {
		const Allocation &m = at->second;
		return what + " " + std::to_string(a - at->first) + " into an allocation of " +
		       std::to_string(m.bytes) + " bytes (number " + std::to_string(m.number) + ")";
	}
	if (old != freed.end() && a < old->first + old->second.bytes)
		return what + " in an allocation that was freed (number " +
		       std::to_string(old->second.number) + ")";
	char text[32];
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)a);
	if (a < 4096)
		return what + " near zero (" + text + ")";
	return what + " that is no device memory (" + text + ")";
}

} // namespace

bool find_extent(uint64_t a, size_t n, Extent *out, std::string *why)
{
	auto at = holder(allocations, a);
	if (at == allocations.end() || a + n > at->first + at->second.bytes) {
		*why = why_not(a, n);
		return false;
	}
	*out = { at->first, at->first + at->second.bytes, at->second.is_device ? shift : 0 };
	return true;
}

bool allocation_of(const void *p, uint64_t *base, size_t *bytes)
{
	auto at = holder(allocations, (uint64_t)p);
	if (at == allocations.end() || (uint64_t)p >= at->first + at->second.bytes)
		return false;
	*base = at->first;
	*bytes = at->second.bytes;
	return true;
}

Where where_is(const void *p, size_t n, std::string *why)
{
	auto at = holder(allocations, (uint64_t)p);
	bool inside = at != allocations.end() && (uint64_t)p < at->first + at->second.bytes;
	if (inside && (uint64_t)p + n > at->first + at->second.bytes) {
		if (why)
			*why = why_not((uint64_t)p, n);
		return Where::none;
	}
	if (inside)
		return at->second.is_device ? Where::device : Where::pinned;
	if (!in_window((uint64_t)p))
		return Where::host;
	if (why)
		*why = why_not((uint64_t)p, n);
	return Where::none;
}

void *to_host(const void *p, size_t n)
{
	std::string why;
	Where w = where_is(p, n, &why);
	if (w == Where::none)
		throw Error(why);
	return w == Where::device ? (char *)p + shift : (char *)p;
}

} // namespace sim
