/*
 * runtime.h - what the files of the CUDA runtime share, and what the other libraries call
 *
 * The program's device addresses are a range that the CPU may not touch; the bytes lie elsewhere, at
 * address + shift, so a host that reads a device pointer crashes as it should. One lock guards
 * everything; work that was put into a stream runs as late as the rules allow, in the thread that
 * forces it. An error of a kernel is printed once and then answered to every call, as by a device.
 */
#ifndef DS_SIM_RUNTIME_H
#define DS_SIM_RUNTIME_H

#include "warp.h"

#include <cuda_runtime_api.h>
#include <functional>
#include <mutex>

#define SIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace sim
{

enum class Where {
	host,
	pinned,
	device,
	none
}; /* none: within the device's range, but not allocated */

/* memory.cc */
cudaError_t device_alloc(void **out, size_t bytes);
cudaError_t device_free(void *p);
cudaError_t pinned_alloc(void **out, size_t bytes);
cudaError_t pinned_free(void *p);
cudaError_t pinned_register(void *p, size_t bytes);
cudaError_t pinned_unregister(void *p);
Where where_is(const void *p, size_t n, std::string *why);
bool allocation_of(const void *p, uint64_t *base, size_t *bytes);
void *to_host(const void *p, size_t n); /* throws an Error for what lies outside */
uint64_t allocations_changed();         /* grows with each change */
size_t memory_total(), memory_free();

/* stream.cc */
using Work = std::function<void()>;
using Poll = std::function<bool()>; /* called again and again until it is true */
cudaError_t enqueue(cudaStream_t s, Work w);
cudaError_t enqueue_poll(cudaStream_t s, Poll p);
bool is_capturing(cudaStream_t s);
cudaError_t refuse_while_capturing();
void finish(cudaStream_t s); /* all that is in it */
void finish_all();

/* module.cc */
const Program *program_of(const void *host_function, std::string *why);
cudaError_t variable_of(const void *host_variable, void **address, size_t *bytes);
int max_dynamic_shared(const void *host_function);
void set_max_dynamic_shared(const void *host_function, int bytes);

/* runtime.cc */
extern std::recursive_mutex lock;
struct Device {
	int arch; /* 80 */
	int sms;
	size_t shared_per_block, shared_per_sm;
};
const Device &device();
cudaError_t
enter(const char *call); /* what a call answers at once: no driver, an earlier fault, DS_SIM_FAIL */
cudaError_t remember(cudaError_t e); /* for cudaGetLastError */
void report_fault(const std::string &what, cudaError_t e);
bool has_fault();
long setting(const char *name, long otherwise);
Watcher *watcher();
Watcher *new_races();      /* races.cc */
Watcher *new_statistics(); /* statistics.cc */

} // namespace sim

/* For the stand-ins of cuBLAS and NCCL, which are libraries of their own. */
SIM_EXPORT int sim_enqueue(void *stream, void (*run)(void *), void *arg, void (*drop)(void *));
/* What waits for other processes: poll is called until it gives 1. */
SIM_EXPORT int sim_enqueue_poll(void *stream, int (*poll)(void *), void *arg, void (*drop)(void *));
SIM_EXPORT void *sim_host_address(
	const void *p, size_t bytes, const char *who); /* NULL: reported */
SIM_EXPORT void sim_fault(const char *what);
SIM_EXPORT int sim_enter(const char *call);

#endif
