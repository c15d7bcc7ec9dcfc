/*
 * runtime.cc - devices, errors, memory calls and copies of the CUDA runtime
 *
 * DS_SIM_ARCH=80 (which PTX runs, and which device it seems to be), DS_SIM_DEVICES=1, DS_SIM_MEMORY=MIB,
 * DS_SIM_DRIVER=VERSION, and DS_SIM_FAIL=CALL:N[=ERROR] (the nth of these calls fails) make the devices
 * that a program should be tested on: none, an old one, a small one, a broken one.
 */
#include "runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace sim;

namespace sim
{

std::recursive_mutex lock;

namespace
{

cudaError_t last_error, fault_code;

struct Planned { /* DS_SIM_FAIL */
	std::string call;
	long n = 0, seen = 0;
	cudaError_t error = cudaErrorMemoryAllocation;
};

Planned read_plan()
{
	Planned p;
	const char *text = getenv("DS_SIM_FAIL");
	const char *colon = text ? strchr(text, ':') : nullptr;
	if (!colon)
		return p;
	char *end;
	p.call.assign(text, colon);
	p.n = strtol(colon + 1, &end, 10);
	if (*end == '=')
		p.error = (cudaError_t)atoi(end + 1);
	return p;
}

} // namespace

long setting(const char *name, long otherwise)
{
	const char *v = getenv(name);
	return v && *v ? atol(v) : otherwise;
}

const Device &device()
{
	static const Device d = [] {
		int arch = (int)setting("DS_SIM_ARCH", 80);
		bool big = arch >= 90, small = arch == 86 || arch == 89 || arch >= 120;
		return Device{ arch,
			arch == 80   ? 108
			: arch == 90 ? 132
				     : 84,
			(size_t)(big     ? 227
				 : small ? 99
					 : 163)
				<< 10,
			(size_t)(big     ? 228
				 : small ? 100
					 : 164)
				<< 10 };
	}();
	return d;
}

cudaError_t enter(const char *call)
{
	static Planned plan = read_plan();
	if (setting("DS_SIM_DRIVER", 13000) < 13000)
		return cudaErrorInsufficientDriver;
	if (setting("DS_SIM_DEVICES", 1) == 0)
		return cudaErrorNoDevice;
	if (plan.n && plan.call == call && ++plan.seen == plan.n)
		return plan.error;
	return fault_code;
}

cudaError_t remember(cudaError_t e)
{
	if (e && e != cudaErrorNotReady)
		last_error = e;
	return e;
}

bool has_fault()
{
	return fault_code != cudaSuccess;
}

void report_fault(const std::string &what, cudaError_t e)
{
	fprintf(stderr, "sim: %s\n", what.c_str());
	if (setting("DS_SIM_ABORT", 0))
		abort();
	if (!fault_code)
		fault_code = e;
}

/* DS_SIM_RACE=1 looks for races, DS_SIM_STATS counts; not both at once. */
Watcher *watcher()
{
	static Watcher *w = setting("DS_SIM_RACE", 0) ? new_races()
			    : getenv("DS_SIM_STATS")  ? new_statistics()
						      : nullptr;
	return w;
}

} // namespace sim

#define ENTER(name) \
	std::lock_guard<std::recursive_mutex> guard(lock); \
	if (cudaError_t entered = enter(name)) \
	return remember(entered)

/* ---- for the other stand-ins ---- */

SIM_EXPORT int sim_enqueue(void *stream, void (*run)(void *), void *arg, void (*drop)(void *))
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	std::shared_ptr<void> held(arg, drop);
	return remember(enqueue((cudaStream_t)stream, [run, held] { run(held.get()); }));
}

SIM_EXPORT int sim_enqueue_poll(void *stream, int (*poll)(void *), void *arg, void (*drop)(void *))
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	std::shared_ptr<void> held(arg, drop);
	return remember(
		enqueue_poll((cudaStream_t)stream, [poll, held] { return poll(held.get()) != 0; }));
}

SIM_EXPORT void *sim_host_address(const void *p, size_t bytes, const char *who)
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	std::string why;
	Where w = where_is(p, bytes, &why);
	if (w == Where::host)
		why = std::to_string(bytes) + " bytes at a host address";
	if (w == Where::device || w == Where::pinned)
		return to_host(p, bytes);
	report_fault(std::string(who) + ": " + why, cudaErrorIllegalAddress);
	return nullptr;
}

SIM_EXPORT void sim_fault(const char *what)
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	report_fault(what, cudaErrorLaunchFailure);
}

SIM_EXPORT int sim_enter(const char *call)
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	return enter(call);
}

/* ---- errors ---- */

static const struct {
	cudaError_t code;
	const char *name, *text;
} errors[] = {
	{ cudaSuccess, "cudaSuccess", "no error" },
	{ cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument" },
	{ cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory" },
	{ cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
		"invalid configuration argument" },
	{ cudaErrorInvalidSymbol, "cudaErrorInvalidSymbol", "invalid device symbol" },
	{ cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
		"CUDA driver version is insufficient for CUDA runtime version" },
	{ cudaErrorMissingConfiguration, "cudaErrorMissingConfiguration",
		"__global__ function call is not configured" },
	{ cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction",
		"invalid device function" },
	{ cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected" },
	{ cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal" },
	{ cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle",
		"invalid resource handle" },
	{ cudaErrorIllegalState, "cudaErrorIllegalState",
		"the operation cannot be performed in the present state" },
	{ cudaErrorNotReady, "cudaErrorNotReady", "device not ready" },
	{ cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
		"an illegal memory access was encountered" },
	{ cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure" },
	{ cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
		"part or all of the requested memory range is already mapped" },
	{ cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
		"pointer does not correspond to a registered memory region" },
	{ cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported" },
	{ cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
		"operation not permitted when stream is capturing" },
	{ cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
		"operation failed due to a previous error during capture" },
	{ cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
		"operation would result in a merge of separate capture sequences" },
	{ cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
		"capture was not ended in the same stream as it began" },
	{ cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
		"capturing stream has unjoined work" },
	{ cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
		"dependency created on uncaptured work in another stream" },
	{ cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
		"operation would make the legacy stream depend on a capturing blocking stream" },
	{ cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
		"operation not permitted on an event last recorded in a capturing stream" },
};

SIM_EXPORT const char *cudaGetErrorString(cudaError_t e)
{
	for (auto &known : errors)
		if (known.code == e)
			return known.text;
	return "unrecognized error code";
}

SIM_EXPORT const char *cudaGetErrorName(cudaError_t e)
{
	for (auto &known : errors)
		if (known.code == e)
			return known.name;
	return "unrecognized error code";
}

SIM_EXPORT cudaError_t cudaGetLastError(void)
{
	std::lock_guard<std::recursive_mutex> guard(lock);
	cudaError_t e = last_error;
	last_error = fault_code;
	return e;
}

SIM_EXPORT cudaError_t cudaPeekAtLastError(void)
{
	return last_error;
}

/* ---- devices ---- */

static thread_local int current_device;

static bool is_device(int n)
{
	return n >= 0 && n < setting("DS_SIM_DEVICES", 1);
}

SIM_EXPORT cudaError_t cudaGetDeviceCount(int *n)
{
	*n = 0;
	ENTER("cudaGetDeviceCount");
	*n = (int)setting("DS_SIM_DEVICES", 1);
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaSetDevice(int n)
{
	ENTER("cudaSetDevice");
	if (!is_device(n))
		return remember(cudaErrorInvalidDevice);
	current_device = n;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGetDevice(int *n)
{
	ENTER("cudaGetDevice");
	*n = current_device;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaInitDevice(int n, unsigned, unsigned)
{
	return cudaSetDevice(n);
}

SIM_EXPORT cudaError_t cudaSetDeviceFlags(unsigned)
{
	ENTER("cudaSetDeviceFlags");
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDeviceReset(void)
{
	ENTER("cudaDeviceReset");
	finish_all();
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDriverGetVersion(int *v)
{
	*v = (int)setting("DS_SIM_DRIVER", 13000);
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaRuntimeGetVersion(int *v)
{
	*v = 13000;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int n)
{
	ENTER("cudaDeviceGetAttribute");
	if (!is_device(n))
		return remember(cudaErrorInvalidDevice);
	const Device &d = device();
	switch ((int)a) {
	case cudaDevAttrMaxThreadsPerBlock:
		*v = 1024;
		break;
	case cudaDevAttrMaxBlockDimX:
	case cudaDevAttrMaxBlockDimY:
		*v = 1024;
		break;
	case cudaDevAttrMaxBlockDimZ:
		*v = 64;
		break;
	case cudaDevAttrMaxGridDimX:
		*v = 0x7fffffff;
		break;
	case cudaDevAttrMaxGridDimY:
	case cudaDevAttrMaxGridDimZ:
		*v = 65535;
		break;
	case cudaDevAttrMaxSharedMemoryPerBlock:
		*v = 48 << 10;
		break;
	case cudaDevAttrMaxSharedMemoryPerBlockOptin:
		*v = (int)d.shared_per_block;
		break;
	case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
		*v = (int)d.shared_per_sm;
		break;
	case cudaDevAttrWarpSize:
		*v = 32;
		break;
	case cudaDevAttrMaxRegistersPerBlock:
	case cudaDevAttrMaxRegistersPerMultiprocessor:
		*v = 65536;
		break;
	case cudaDevAttrMultiProcessorCount:
		*v = d.sms;
		break;
	case cudaDevAttrMaxThreadsPerMultiProcessor:
		*v = d.arch == 86 || d.arch == 89 ? 1536 : 2048;
		break;
	case cudaDevAttrComputeCapabilityMajor:
		*v = d.arch / 10;
		break;
	case cudaDevAttrComputeCapabilityMinor:
		*v = d.arch % 10;
		break;
	case cudaDevAttrL2CacheSize:
		*v = 40 << 20;
		break;
	case cudaDevAttrUnifiedAddressing:
	case cudaDevAttrManagedMemory:
	case cudaDevAttrConcurrentKernels:
	case cudaDevAttrCanMapHostMemory:
		*v = 1;
		break;
	case cudaDevAttrAsyncEngineCount:
		*v = 2;
		break;
	default:
		*v = 0;
	}
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int n)
{
	ENTER("cudaGetDeviceProperties");
	if (!is_device(n))
		return remember(cudaErrorInvalidDevice);
	const Device &d = device();
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "simulated sm_%d", d.arch);
	p->totalGlobalMem = memory_total();
	p->sharedMemPerBlock = 48 << 10;
	p->sharedMemPerBlockOptin = d.shared_per_block;
	p->sharedMemPerMultiprocessor = d.shared_per_sm;
	p->regsPerBlock = p->regsPerMultiprocessor = 65536;
	p->warpSize = 32;
	p->maxThreadsPerBlock = 1024;
	p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
	p->maxThreadsDim[2] = 64;
	p->maxGridSize[0] = 0x7fffffff;
	p->maxGridSize[1] = p->maxGridSize[2] = 65535;
	p->major = d.arch / 10;
	p->minor = d.arch % 10;
	p->multiProcessorCount = d.sms;
	p->maxThreadsPerMultiProcessor = d.arch == 86 || d.arch == 89 ? 1536 : 2048;
	p->maxBlocksPerMultiProcessor = 32;
	p->l2CacheSize = 40 << 20;
	p->unifiedAddressing = p->managedMemory = p->concurrentKernels = p->canMapHostMemory = 1;
	p->asyncEngineCount = 2;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDeviceCanAccessPeer(int *can, int, int)
{
	*can = 0;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
	if (least)
		*least = 0;
	if (greatest)
		*greatest = -5;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
	ENTER("cudaMemGetInfo");
	*free_bytes = memory_free();
	*total = memory_total();
	return cudaSuccess;
}

/* ---- kernels ---- */

SIM_EXPORT cudaError_t cudaFuncSetAttribute(const void *f, cudaFuncAttribute a, int v)
{
	ENTER("cudaFuncSetAttribute");
	std::string why;
	const Program *p = program_of(f, &why);
	if (!p)
		return remember(cudaErrorInvalidDeviceFunction);
	if (a == cudaFuncAttributeMaxDynamicSharedMemorySize) {
		if (v < 0 || (size_t)v + p->shared_bytes > device().shared_per_block)
			return remember(cudaErrorInvalidValue);
		set_max_dynamic_shared(f, v);
	}
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaFuncSetCacheConfig(const void *, cudaFuncCache)
{
	ENTER("cudaFuncSetCacheConfig");
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *a, const void *f)
{
	ENTER("cudaFuncGetAttributes");
	std::string why;
	const Program *p = program_of(f, &why);
	if (!p)
		return remember(cudaErrorInvalidDeviceFunction);
	memset(a, 0, sizeof(*a));
	a->sharedSizeBytes = p->shared_bytes;
	a->localSizeBytes = p->local_bytes;
	a->maxThreadsPerBlock = p->max_threads ? (int)p->max_threads : 1024;
	a->numRegs = 32;
	a->ptxVersion = a->binaryVersion = device().arch;
	a->maxDynamicSharedSizeBytes = max_dynamic_shared(f);
	return cudaSuccess;
}

/* By threads and shared memory alone: registers are ptxas' business. */
SIM_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
	int *n, const void *f, int threads, size_t shared, unsigned)
{
	ENTER("cudaOccupancyMaxActiveBlocksPerMultiprocessor");
	std::string why;
	const Program *p = program_of(f, &why);
	if (!p)
		return remember(cudaErrorInvalidDeviceFunction);
	size_t by_threads = 2048 / (size_t)((threads + 31) / 32 * 32),
	       by_shared = device().shared_per_sm / (shared + p->shared_bytes + 1024);
	*n = (int)std::min<size_t>({ 32, by_threads, by_shared });
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(
	int *n, const void *f, int threads, size_t shared)
{
	return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, shared, 0);
}

/* ---- memory ---- */

SIM_EXPORT cudaError_t cudaMalloc(void **p, size_t n)
{
	ENTER("cudaMalloc");
	if (cudaError_t e = refuse_while_capturing())
		return remember(e);
	return remember(device_alloc(p, n));
}

SIM_EXPORT cudaError_t cudaFree(void *p)
{
	ENTER("cudaFree");
	if (cudaError_t e = p ? refuse_while_capturing() : cudaSuccess)
		return remember(e);
	if (p)
		finish_all();
	return remember(device_free(p));
}

SIM_EXPORT cudaError_t cudaMallocAsync(void **p, size_t n, cudaStream_t)
{
	ENTER("cudaMallocAsync");
	return remember(device_alloc(p, n));
}

SIM_EXPORT cudaError_t cudaFreeAsync(void *p, cudaStream_t s)
{
	ENTER("cudaFreeAsync");
	return remember(enqueue(s, [p] { device_free(p); }));
}

SIM_EXPORT cudaError_t cudaHostAlloc(void **p, size_t n, unsigned)
{
	ENTER("cudaMallocHost");
	return remember(pinned_alloc(p, n));
}

SIM_EXPORT cudaError_t cudaMallocHost(void **p, size_t n)
{
	return cudaHostAlloc(p, n, 0);
}

SIM_EXPORT cudaError_t cudaFreeHost(void *p)
{
	ENTER("cudaFreeHost");
	if (p)
		finish_all();
	return remember(pinned_free(p));
}

SIM_EXPORT cudaError_t cudaMallocManaged(void **p, size_t n, unsigned)
{
	ENTER("cudaMallocManaged");
	return remember(pinned_alloc(p, n));
}

SIM_EXPORT cudaError_t cudaHostRegister(void *p, size_t n, unsigned)
{
	ENTER("cudaHostRegister");
	return remember(pinned_register(p, n));
}

SIM_EXPORT cudaError_t cudaHostUnregister(void *p)
{
	ENTER("cudaHostUnregister");
	finish_all();
	return remember(pinned_unregister(p));
}

SIM_EXPORT cudaError_t cudaHostGetDevicePointer(void **out, void *p, unsigned)
{
	ENTER("cudaHostGetDevicePointer");
	if (where_is(p, 1, nullptr) != Where::pinned)
		return remember(cudaErrorInvalidValue);
	*out = p;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *a, const void *p)
{
	ENTER("cudaPointerGetAttributes");
	Where w = where_is(p, 1, nullptr);
	memset(a, 0, sizeof(*a));
	a->type = w == Where::device   ? cudaMemoryTypeDevice
		  : w == Where::pinned ? cudaMemoryTypeHost
				       : cudaMemoryTypeUnregistered;
	a->device = current_device;
	a->devicePointer = w == Where::host ? nullptr : (void *)p;
	a->hostPointer = w == Where::device ? nullptr : (void *)p;
	return cudaSuccess;
}

/* ---- copies ---- */

namespace
{

/* Checks both ends against the kind; a real device answers only "invalid argument". */
cudaError_t check_copy(const void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
	std::string why;
	Where t = where_is(to, n, &why), f = why.empty() ? where_is(from, n, &why) : Where::host;
	bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
	bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
	if (why.empty() && kind != cudaMemcpyDefault) {
		if ((t == Where::host && to_device) || (f == Where::host && from_device))
			why = "a host address where the direction says device";
		if ((t == Where::device && !to_device) || (f == Where::device && !from_device))
			why = "a device address where the direction says host";
	}
	if (why.empty())
		return cudaSuccess;
	fprintf(stderr, "sim: cudaMemcpy of %zu bytes: %s\n", n, why.c_str());
	return cudaErrorInvalidValue;
}

cudaError_t copy(void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t s)
{
	if (!n)
		return cudaSuccess;
	if (cudaError_t e = check_copy(to, from, n, kind))
		return e;
	if (where_is(from, n, nullptr) == Where::host &&
		!is_capturing(s)) { /* pageable: read before the call returns */
		auto staged = std::make_shared<std::vector<char>>(
			(const char *)from, (const char *)from + n);
		return enqueue(s, [to, staged, n] { memcpy(to_host(to, n), staged->data(), n); });
	}
	cudaError_t e = enqueue(s, [to, from, n] { memmove(to_host(to, n), to_host(from, n), n); });
	if (!e && where_is(to, n, nullptr) == Where::host && !is_capturing(s))
		finish(s); /* pageable: written before the call returns */
	return e;
}

cudaError_t copy_2d(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
	size_t height, cudaMemcpyKind kind, cudaStream_t s)
{
	if (width > to_pitch || width > from_pitch)
		return cudaErrorInvalidPitchValue;
	for (size_t y = 0; y < height; y++)
		if (cudaError_t e = copy((char *)to + y * to_pitch,
			    (const char *)from + y * from_pitch, width, kind, s))
			return e;
	return cudaSuccess;
}

cudaError_t set_bytes(void *to, int value, size_t n, cudaStream_t s)
{
	std::string why;
	if (!n)
		return cudaSuccess;
	Where w = where_is(to, n, &why);
	if (w == Where::host)
		why = "a host address";
	if (!why.empty()) {
		fprintf(stderr, "sim: cudaMemset of %zu bytes: %s\n", n, why.c_str());
		return cudaErrorInvalidValue;
	}
	return enqueue(s, [to, value, n] { memset(to_host(to, n), value, n); });
}

} // namespace

SIM_EXPORT cudaError_t cudaMemcpyAsync(
	void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t s)
{
	ENTER("cudaMemcpyAsync");
	return remember(copy(to, from, n, kind, s));
}

SIM_EXPORT cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
	ENTER("cudaMemcpy");
	if (cudaError_t e = refuse_while_capturing())
		return remember(e);
	cudaError_t e = copy(to, from, n, kind, nullptr);
	finish(nullptr);
	return remember(e ? e : enter("cudaMemcpy"));
}

SIM_EXPORT cudaError_t cudaMemcpy2DAsync(void *to, size_t tp, const void *from, size_t fp, size_t w,
	size_t h, cudaMemcpyKind kind, cudaStream_t s)
{
	ENTER("cudaMemcpy2DAsync");
	return remember(copy_2d(to, tp, from, fp, w, h, kind, s));
}

SIM_EXPORT cudaError_t cudaMemcpy2D(
	void *to, size_t tp, const void *from, size_t fp, size_t w, size_t h, cudaMemcpyKind kind)
{
	ENTER("cudaMemcpy2D");
	cudaError_t e = copy_2d(to, tp, from, fp, w, h, kind, nullptr);
	finish(nullptr);
	return remember(e);
}

SIM_EXPORT cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t s)
{
	ENTER("cudaMemsetAsync");
	return remember(set_bytes(to, value, n, s));
}

SIM_EXPORT cudaError_t cudaMemset(void *to, int value, size_t n)
{
	ENTER("cudaMemset");
	return remember(set_bytes(to, value, n, nullptr));
}

SIM_EXPORT cudaError_t cudaMemset2DAsync(
	void *to, size_t pitch, int value, size_t w, size_t h, cudaStream_t s)
{
	ENTER("cudaMemset2DAsync");
	for (size_t y = 0; y < h; y++)
		if (cudaError_t e = set_bytes((char *)to + y * pitch, value, w, s))
			return remember(e);
	return cudaSuccess;
}

/* ---- variables ---- */

SIM_EXPORT cudaError_t cudaGetSymbolAddress(void **p, const void *symbol)
{
	size_t n;
	ENTER("cudaGetSymbolAddress");
	return remember(variable_of(symbol, p, &n));
}

SIM_EXPORT cudaError_t cudaGetSymbolSize(size_t *n, const void *symbol)
{
	void *p;
	ENTER("cudaGetSymbolSize");
	return remember(variable_of(symbol, &p, n));
}

SIM_EXPORT cudaError_t cudaMemcpyToSymbolAsync(const void *symbol, const void *from, size_t n,
	size_t offset, cudaMemcpyKind kind, cudaStream_t s)
{
	void *p;
	size_t size;
	ENTER("cudaMemcpyToSymbol");
	if (cudaError_t e = variable_of(symbol, &p, &size))
		return remember(e);
	return remember(copy((char *)p + offset, from, n, kind, s));
}

SIM_EXPORT cudaError_t cudaMemcpyToSymbol(
	const void *symbol, const void *from, size_t n, size_t offset, cudaMemcpyKind kind)
{
	return cudaMemcpyToSymbolAsync(symbol, from, n, offset, kind, nullptr);
}

SIM_EXPORT cudaError_t cudaMemcpyFromSymbolAsync(
	void *to, const void *symbol, size_t n, size_t offset, cudaMemcpyKind kind, cudaStream_t s)
{
	void *p;
	size_t size;
	ENTER("cudaMemcpyFromSymbol");
	if (cudaError_t e = variable_of(symbol, &p, &size))
		return remember(e);
	return remember(copy(to, (char *)p + offset, n, kind, s));
}

SIM_EXPORT cudaError_t cudaMemcpyFromSymbol(
	void *to, const void *symbol, size_t n, size_t offset, cudaMemcpyKind kind)
{
	return cudaMemcpyFromSymbolAsync(to, symbol, n, offset, kind, nullptr);
}
