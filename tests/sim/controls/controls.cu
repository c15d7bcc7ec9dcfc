/*
 * controls.cu - one wrong program for each thing that the simulator must notice, and the right ones
 *
 * controls NAME runs one; tests/cli/sim.bats says what each must lead to. Names that begin with ok_ are
 * right, and must pass under every watcher.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

static void check(cudaError_t e)
{
	if (!e)
		return;
	printf("error: %s\n", cudaGetErrorString(e));
	exit(1);
}

static float *device(size_t n)
{
	float *p;
	check(cudaMalloc(&p, n * sizeof(*p)));
	return p;
}

static void done()
{
	check(cudaGetLastError());
	check(cudaDeviceSynchronize());
	printf("passed\n");
}

/* ---- memory ---- */

__global__ void fill(float *p, int n)
{
	for (int i = threadIdx.x; i < n; i += blockDim.x)
		p[i] = (float)i;
}

static void past_the_end()
{
	fill<<<1, 32>>>(device(100), 101);
	done();
}

static void use_after_free()
{
	float *p = device(100);
	check(cudaFree(p));
	fill<<<1, 32>>>(p, 100);
	done();
}

static void null_pointer()
{
	fill<<<1, 32>>>(nullptr, 32);
	done();
}

static void host_pointer()
{
	fill<<<1, 32>>>((float *)malloc(4096), 32);
	done();
}

static void host_reads_device()
{
	volatile float *p = device(32);
	printf("%g\n", p[0]);
}

__global__ void shared_past_end(float *out)
{
	extern __shared__ float s[];
	s[threadIdx.x + 1] = 1.f;
	__syncthreads();
	out[threadIdx.x] = s[threadIdx.x];
}

static void shared_too_far()
{
	shared_past_end<<<1, 64, 64 * sizeof(float)>>>(device(64));
	done();
}

__global__ void local_array(float *out, int n)
{
	float a[8];
	for (int i = 0; i < 8; i++)
		a[i] = (float)(i * n);
	out[threadIdx.x] = a[n];
}

static void local_too_far()
{
	local_array<<<1, 32>>>(device(32), 9000);
	done();
}

__global__ void pairs(float *p)
{
	*(float2 *)(p + threadIdx.x) = make_float2(0, 0);
}

static void misaligned()
{
	pairs<<<1, 32>>>(device(64));
	done();
}

__global__ void copy(float *to, const float *from)
{
	to[threadIdx.x] = from[threadIdx.x];
}

static void print_sum(const float *d, int n)
{
	float sum = 0, *h = (float *)malloc((size_t)n * 4);
	check(cudaMemcpy(h, d, (size_t)n * 4, cudaMemcpyDeviceToHost));
	for (int i = 0; i < n; i++)
		sum += h[i];
	printf("sum %g\n", sum);
	free(h);
}

static void uninitialized()
{
	float *p = device(32);
	copy<<<1, 32>>>(p, device(32));
	print_sum(p, 32);
}

static void wrong_direction()
{
	float h[8], *d = device(8);
	check(cudaMemcpy(h, d, sizeof(h), cudaMemcpyHostToDevice));
	done();
}

/* ---- barriers and races ---- */

__global__ void reverse(float *p, bool wait)
{
	__shared__ float s[256];
	p += blockIdx.x * 256;
	s[threadIdx.x] = p[threadIdx.x];
	if (wait)
		__syncthreads();
	p[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

static void run_reverse(bool wait)
{
	float *p = device(1024);
	check(cudaMemset(p, 0, 4096));
	reverse<<<4, 256>>>(p, wait);
	done();
}

static void race_shared()
{
	run_reverse(false);
}

static void ok_shared()
{
	run_reverse(true);
}

__global__ void neighbour(float *p, bool wait)
{
	__shared__ float s[32];
	s[threadIdx.x] = (float)threadIdx.x;
	if (wait)
		__syncwarp();
	p[threadIdx.x] = s[threadIdx.x ^ 1];
}

static void race_warp()
{
	neighbour<<<1, 32>>>(device(32), false);
	done();
}

static void ok_warp()
{
	neighbour<<<1, 32>>>(device(32), true);
	done();
}

__global__ void same_place(float *p)
{
	if (threadIdx.x == 0)
		p[0] = (float)blockIdx.x;
}

static void race_blocks()
{
	same_place<<<4, 32>>>(device(1));
	done();
}

__global__ void read_others(float *p, int n)
{
	int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	p[i] = p[(i + 32) % n] + 1.f;
}

static void race_read_write()
{
	float *p = device(128);
	check(cudaMemset(p, 0, 512));
	read_others<<<4, 32>>>(p, 128);
	done();
}

__global__ void all_lanes_write(float *p)
{
	p[0] = (float)threadIdx.x;
}

static void race_same_instruction()
{
	all_lanes_write<<<1, 32>>>(device(1));
	done();
}

/* The last block adds up what the others left. */
__global__ void last_block(float *parts, float *sum, unsigned *count, bool fence)
{
	__shared__ bool is_last;
	if (threadIdx.x == 0) {
		parts[blockIdx.x] = 1.f;
		if (fence)
			__threadfence();
		is_last = atomicAdd(count, 1u) == gridDim.x - 1;
		if (is_last)
			for (unsigned i = 0; i < gridDim.x; i++)
				*sum += parts[i];
	}
}

static void run_last_block(bool fence)
{
	float *parts = device(16), *sum = device(1);
	unsigned *count;
	check(cudaMalloc(&count, 4));
	check(cudaMemset(count, 0, 4));
	check(cudaMemset(sum, 0, 4));
	last_block<<<16, 32>>>(parts, sum, count, fence);
	print_sum(sum, 1);
	done();
}

static void race_hand_over()
{
	run_last_block(false);
}

static void ok_hand_over()
{
	run_last_block(true);
}

__global__ void half_waits(float *p)
{
	if (threadIdx.x < 16)
		__syncthreads();
	p[threadIdx.x] = 0;
	if (threadIdx.x >= 16)
		__syncthreads();
}

static void divergent_barrier()
{
	half_waits<<<1, 32>>>(device(32));
	done();
}

__global__ void warp_stays_away(float *p)
{
	__shared__ volatile int flag;
	if (threadIdx.x == 0)
		flag = 0;
	if (threadIdx.x < 32)
		asm volatile("bar.sync 1, 64;");
	p[threadIdx.x] = 0;
}

static void barrier_without_partner()
{
	warp_stays_away<<<1, 64>>>(device(64));
	done();
}

__global__ void early_exit(float *p, int n)
{
	if ((int)threadIdx.x >= n)
		return;
	p[threadIdx.x] = 1.f;
	__syncthreads();
	p[n + threadIdx.x] = p[(threadIdx.x + 1) % n];
}

static void ok_early_exit()
{
	float *p = device(128);
	early_exit<<<1, 128>>>(p, 64);
	print_sum(p, 128);
	done();
}

/* ---- lanes ---- */

__global__ void shuffle(float *p, unsigned mask, int lanes)
{
	float v = (float)threadIdx.x;
	if ((int)threadIdx.x < lanes)
		v = __shfl_down_sync(mask, v, 1);
	p[threadIdx.x] = v;
}

static void mask_too_wide()
{
	shuffle<<<1, 32>>>(device(32), 0xffffffffu, 16);
	done();
}

static void mask_too_narrow()
{
	shuffle<<<1, 32>>>(device(32), 0xffffu, 32);
	done();
}

static void reads_lane_outside()
{
	shuffle<<<1, 32>>>(device(32), 0xffffu, 16);
	done();
}

static void ok_lanes()
{
	shuffle<<<1, 32>>>(device(32), 0xffffffffu, 32);
	done();
}

/* ---- asynchronous copies ---- */

__global__ void staged(float *out, const float *in, int keep)
{
	__shared__ __align__(16) float s[128];
	unsigned to = (unsigned)__cvta_generic_to_shared(s + 4 * threadIdx.x);
	asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + 4 * threadIdx.x) : "memory");
	asm volatile("cp.async.commit_group;" ::: "memory");
	if (keep)
		asm volatile("cp.async.wait_group 1;" ::: "memory");
	else
		asm volatile("cp.async.wait_group 0;" ::: "memory");
	__syncthreads();
	out[threadIdx.x] = s[threadIdx.x];
	asm volatile("cp.async.wait_all;" ::: "memory");
}

static void run_staged(int keep)
{
	float *in = device(128), *out = device(32);
	check(cudaMemset(in, 0, 512));
	staged<<<1, 32>>>(out, in, keep);
	print_sum(out, 32);
}

static void copy_not_awaited()
{
	run_staged(1);
}

static void ok_copy_awaited()
{
	run_staged(0);
}

__global__ void abandoned(const float *in)
{
	__shared__ __align__(16) float s[128];
	unsigned to = (unsigned)__cvta_generic_to_shared(s + 4 * threadIdx.x);
	asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + 4 * threadIdx.x) : "memory");
}

static void copy_abandoned()
{
	abandoned<<<1, 32>>>(device(128));
	done();
}

/* ---- streams and graphs ---- */

static void two_streams(bool wait)
{
	cudaStream_t a, b;
	cudaEvent_t e;
	float *from = device(32), *to = device(32);
	check(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
	check(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
	check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
	check(cudaMemsetAsync(from, 0, 128, a));
	check(cudaEventRecord(e, a));
	if (wait)
		check(cudaStreamWaitEvent(b, e, 0));
	copy<<<1, 32, 0, b>>>(to, from);
	check(cudaStreamSynchronize(b));
	float h[32], sum = 0;
	check(cudaMemcpyAsync(h, to, sizeof(h), cudaMemcpyDeviceToHost, b));
	check(cudaStreamSynchronize(b));
	for (float v : h)
		sum += v;
	printf("sum %g\n", sum);
}

static void event_not_awaited()
{
	two_streams(false);
}

static void ok_event_awaited()
{
	two_streams(true);
}

static void pinned_read_early()
{
	float *h, *d = device(32);
	cudaStream_t s;
	check(cudaMallocHost(&h, 128));
	memset(h, 0, 128);
	check(cudaStreamCreate(&s));
	fill<<<1, 32, 0, s>>>(d, 32);
	check(cudaMemcpyAsync(h, d, 128, cudaMemcpyDeviceToHost, s));
	printf("sum %g\n", h[31]);
	check(cudaStreamSynchronize(s));
	printf("then %g\n", h[31]);
}

static void run_graph(bool join)
{
	cudaStream_t a, b;
	cudaEvent_t fork, back;
	cudaGraph_t g;
	cudaGraphExec_t x;
	float *p = device(32), *q = device(32);
	check(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
	check(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
	check(cudaEventCreate(&fork));
	check(cudaEventCreate(&back));
	check(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
	fill<<<1, 32, 0, a>>>(p, 32);
	check(cudaEventRecord(fork, a));
	check(cudaStreamWaitEvent(b, fork, 0));
	copy<<<1, 32, 0, b>>>(q, p);
	check(cudaEventRecord(back, b));
	if (join)
		check(cudaStreamWaitEvent(a, back, 0));
	check(cudaStreamEndCapture(a, &g));
	check(cudaGraphInstantiate(&x, g, 0));
	check(cudaGraphLaunch(x, a));
	check(cudaStreamSynchronize(a));
	print_sum(q, 32);
	done();
}

static void graph_not_joined()
{
	run_graph(false);
}

static void ok_graph()
{
	run_graph(true);
}

static void sync_while_capturing()
{
	cudaStream_t s;
	cudaGraph_t g;
	check(cudaStreamCreate(&s));
	check(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
	fill<<<1, 32, 0, s>>>(device(32), 32);
	check(cudaStreamEndCapture(s, &g));
	done();
}

/* ---- launches ---- */

static void too_much_shared()
{
	shared_past_end<<<1, 32, 64 << 10>>>(device(64));
	done();
}

__global__ void __launch_bounds__(64) bounded(float *p)
{
	p[threadIdx.x] = 0;
}

static void too_many_threads()
{
	bounded<<<1, 128>>>(device(128));
	done();
}

static void empty_grid()
{
	fill<<<0, 32>>>(device(32), 32);
	done();
}

__global__ void asserts(int n)
{
	if (threadIdx.x == 3)
		printf("lane %d of %d, %s, %.2f\n", threadIdx.x, n, "text", 1.5);
	if (n > 4)
		__trap();
}

static void traps()
{
	asserts<<<1, 32>>>(5);
	done();
}

static void ok_printf()
{
	asserts<<<1, 32>>>(4);
	done();
}

static void memory_is_full()
{
	size_t free_bytes, total;
	void *p;
	check(cudaMemGetInfo(&free_bytes, &total));
	check(cudaMalloc(&p, free_bytes + 1));
	done();
}

/* ---- what things cost ---- */

__global__ void columns(float *out, const float *in, int pad)
{
	__shared__ float s[32 * 33];
	for (int r = 0; r < 32; r++)
		s[r * (32 + pad) + threadIdx.x] = in[r * 32 + threadIdx.x];
	__syncwarp();
	for (int r = 0; r < 32; r++)
		out[r * 32 + threadIdx.x] = s[threadIdx.x * (32 + pad) + r];
}

static void bank_conflicts()
{
	columns<<<1, 32>>>(device(1024), device(1024), 0);
	done();
}

static void ok_no_bank_conflicts()
{
	columns<<<1, 32>>>(device(1024), device(1024), 1);
	done();
}

__global__ void strided(float *out, const float *in, int step)
{
	out[threadIdx.x] = in[threadIdx.x * step];
}

static void wide_stride()
{
	strided<<<1, 32>>>(device(32), device(1024), 32);
	done();
}

static void no_fault()
{
	int n;
	check(cudaGetDeviceCount(&n));
	printf("%d devices\n", n);
	fill<<<1, 32>>>(device(32), 32);
	done();
}

#define CONTROL(name) { #name, name }
static const struct {
	const char *name;
	void (*run)();
} controls[] = {
	CONTROL(past_the_end), CONTROL(use_after_free), CONTROL(null_pointer), CONTROL(host_pointer),
	CONTROL(host_reads_device), CONTROL(shared_too_far), CONTROL(local_too_far), CONTROL(misaligned),
	CONTROL(uninitialized), CONTROL(wrong_direction), CONTROL(race_shared), CONTROL(ok_shared),
	CONTROL(race_warp), CONTROL(ok_warp), CONTROL(race_blocks), CONTROL(race_read_write),
	CONTROL(race_same_instruction), CONTROL(race_hand_over), CONTROL(ok_hand_over),
	CONTROL(divergent_barrier), CONTROL(barrier_without_partner), CONTROL(ok_early_exit),
	CONTROL(mask_too_wide), CONTROL(mask_too_narrow), CONTROL(reads_lane_outside), CONTROL(ok_lanes),
	CONTROL(copy_not_awaited), CONTROL(ok_copy_awaited), CONTROL(copy_abandoned),
	CONTROL(event_not_awaited), CONTROL(ok_event_awaited), CONTROL(pinned_read_early),
	CONTROL(graph_not_joined), CONTROL(ok_graph), CONTROL(sync_while_capturing),
	CONTROL(too_much_shared), CONTROL(too_many_threads), CONTROL(empty_grid), CONTROL(traps),
	CONTROL(ok_printf), CONTROL(memory_is_full), CONTROL(bank_conflicts), CONTROL(ok_no_bank_conflicts),
	CONTROL(wide_stride), CONTROL(no_fault),
};

int main(int argc, char **argv)
{
	for (auto &c : controls)
		if (argc == 1)
			puts(c.name);
		else if (!strcmp(argv[1], c.name)) {
			c.run();
			return 0;
		}
	return argc == 1 ? 0 : 2;
}
