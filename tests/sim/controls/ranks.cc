/*
 * ranks.cc - controls of the NCCL stand-in: right programs of two and more processes, and wrong ones
 *
 * ranks NAME N runs one among N processes, which are forked before any of them calls CUDA; it ends well where all do.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

static struct Shared {
	ncclUniqueId id[2];
	volatile int made;
} * shared;
static int me, n;
static ncclComm_t comm;
static cudaStream_t stream;

static void check(cudaError_t e)
{
	if (!e)
		return;
	printf("rank %d: error: %s\n", me, cudaGetErrorString(e));
	exit(1);
}

static void check(ncclResult_t e)
{
	if (!e)
		return;
	printf("rank %d: error: %s\n", me, ncclGetErrorString(e));
	exit(1);
}

static void expect(bool good, const char *what)
{
	if (good)
		return;
	printf("rank %d: wrong: %s\n", me, what);
	exit(1);
}

static void open_device(int device)
{
	check(cudaSetDevice(device));
	check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
}

static ncclComm_t join(int which)
{
	ncclComm_t c;
	if (me == 0) {
		check(ncclGetUniqueId(&shared->id[which]));
		shared->made = which + 1;
	}
	while (shared->made <= which)
		usleep(1000);
	check(ncclCommInitRank(&c, n, shared->id[which], me));
	return c;
}

template <class T> static T *device(const std::vector<T> &v)
{
	T *p;
	check(cudaMalloc((void **)&p, v.size() * sizeof(T)));
	check(cudaMemcpy(p, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice));
	return p;
}

template <class T> static std::vector<T> host(const T *p, size_t count)
{
	std::vector<T> v(count);
	check(cudaStreamSynchronize(stream));
	check(cudaMemcpy(v.data(), p, count * sizeof(T), cudaMemcpyDeviceToHost));
	return v;
}

static void finish()
{
	check(cudaStreamSynchronize(stream));
	check(ncclCommDestroy(comm));
}

/* Value i of rank r. */
static float value(int r, size_t i)
{
	return (float)(i % 100) + 1000 * (float)r;
}

static std::vector<float> values(int r, size_t count)
{
	std::vector<float> v(count);
	for (size_t i = 0; i < count; i++)
		v[i] = value(r, i);
	return v;
}

/* Every collective, over more than a chunk and over a few numbers, in place and not. */
static void ok_collectives()
{
	for (size_t count : { (size_t)20000, (size_t)3 }) {
		float *x = device(values(me, count)),
		      *y = device(std::vector<float>(count * (size_t)n));
		float ranks = (float)(n * (n - 1)) / 2;
		check(ncclAllReduce(x, x, count, ncclFloat, ncclSum, comm, stream));
		std::vector<float> v = host(x, count);
		for (size_t i = 0; i < count; i++)
			expect(v[i] == (float)n * value(0, i) + 1000 * ranks, "all-reduce");
		x = device(values(me, count));
		check(ncclAllGather(x, y, count, ncclFloat, comm, stream));
		v = host(y, count * (size_t)n);
		for (size_t i = 0; i < v.size(); i++)
			expect(v[i] == value((int)(i / count), i % count), "all-gather");
		check(ncclReduceScatter(y, x, count, ncclFloat, ncclMax, comm, stream));
		v = host(x, count);
		for (size_t i = 0; i < count; i++)
			expect(v[i] == value(me, i), "reduce-scatter");
		check(ncclBroadcast(x, x, count, ncclFloat, n - 1, comm, stream));
		check(ncclReduce(x, y, count, ncclFloat, ncclAvg, 0, comm, stream));
		v = host(y, count);
		for (size_t i = 0; i < count; i++)
			expect(me != 0 || v[i] == value(n - 1, i), "broadcast, reduce");
	}
	finish();
}

static void ok_all_to_all()
{
	enum { COUNT = 30000 };
	std::vector<int32_t> v((size_t)(n * COUNT));
	for (size_t i = 0; i < v.size(); i++)
		v[i] = me * 1000 + (int32_t)(i / COUNT);
	int32_t *x = device(v), *y = device(v);
	check(ncclGroupStart());
	for (int k = 0; k < n; k++) {
		check(ncclSend(x + k * COUNT, COUNT, ncclInt32, k, comm, stream));
		check(ncclRecv(y + k * COUNT, COUNT, ncclInt32, k, comm, stream));
	}
	check(ncclGroupEnd());
	v = host(y, v.size());
	for (size_t i = 0; i < v.size(); i++)
		expect(v[i] == (int32_t)(i / COUNT) * 1000 + me, "all-to-all");
	finish();
}

/* One sends while the other does: each way has its communicator and its stream. */
static void ok_both_ways()
{
	cudaStream_t other;
	ncclComm_t back = join(1);
	float *x = device(values(me, 40000)), *y = device(values(7, 40000));
	check(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
	if (me == 0) {
		check(ncclSend(x, 40000, ncclFloat, 1, comm, stream));
		check(ncclRecv(y, 40000, ncclFloat, 1, back, other));
	} else {
		check(ncclSend(x, 40000, ncclFloat, 0, back, other));
		check(ncclRecv(y, 40000, ncclFloat, 0, comm, stream));
	}
	check(cudaStreamSynchronize(other));
	expect(host(y, 40000)[39999] == value(1 - me, 39999), "sent");
	finish();
}

/* The same on one stream: NCCL promises no room for what nobody receives yet. */
static void sends_face_to_face()
{
	float *x = device(values(me, 40000)), *y = device(values(7, 40000));
	alarm(3);
	check(ncclSend(x, 40000, ncclFloat, 1 - me, comm, stream));
	check(ncclRecv(y, 40000, ncclFloat, 1 - me, comm, stream));
	finish();
}

static void counts_differ()
{
	float *x = device(values(me, 100));
	check(ncclAllReduce(x, x, me ? 100 : 99, ncclFloat, ncclSum, comm, stream));
	finish();
}

static void calls_differ()
{
	float *x = device(values(me, 100));
	if (me)
		check(ncclAllReduce(x, x, 100, ncclFloat, ncclSum, comm, stream));
	else
		check(ncclBroadcast(x, x, 100, ncclFloat, 1, comm, stream));
	finish();
}

static void past_the_end()
{
	float *x = device(values(me, 100));
	check(ncclAllGather(x, x, 100, ncclFloat, comm, stream));
	finish();
}

/* Another stream reads before the sum is there. */
static void sum_not_awaited()
{
	float *x = device(values(me + 1, 4)), v;
	cudaStream_t other;
	check(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
	check(ncclAllReduce(x, x, 4, ncclFloat, ncclSum, comm, stream));
	check(cudaMemcpyAsync(&v, x, sizeof(v), cudaMemcpyDeviceToHost, other));
	check(cudaStreamSynchronize(other));
	printf("rank %d has %g\n", me, v);
	finish();
}

static const struct {
	const char *name;
	void (*run)();
} all[] = { { "ok_collectives", ok_collectives }, { "ok_all_to_all", ok_all_to_all },
	{ "ok_both_ways", ok_both_ways }, { "sends_face_to_face", sends_face_to_face },
	{ "counts_differ", counts_differ }, { "calls_differ", calls_differ },
	{ "past_the_end", past_the_end }, { "sum_not_awaited", sum_not_awaited },
	{ "one_device", finish } };

static void be_rank(const std::string &name)
{
	alarm(60);
	open_device(name == "one_device" ? 0 : me);
	comm = join(0);
	for (auto &a : all)
		if (name == a.name)
			a.run();
	fflush(stdout);
	exit(0);
}

int main(int argc, char **argv)
{
	int failed = 0, status;
	n = argc > 2 ? atoi(argv[2]) : 2;
	shared = (Shared *)mmap(nullptr, sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (me = 0; me < n; me++)
		if (fork() == 0)
			be_rank(argc > 1 ? argv[1] : "");
	for (int i = 0; i < n; i++)
		failed |= wait(&status) < 0 || status != 0;
	return failed;
}
