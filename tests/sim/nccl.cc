/*
 * nccl.cc - NCCL: collectives between processes, through shared memory
 *
 * Every two ranks have a ring of bytes each way. A call is a set of messages that go and come at once, in a thread of
 * its own that begins when its stream comes to it. Each message says which call it belongs to, so calls that do not fit one another are a fault where a
 * device would hang or mix up data. Sums are made in the order of ranks. A send ends when it was received: a program
 * that counts on NCCL's buffers hangs here, as it may there.
 */
#include "runtime.h"

#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <unistd.h>

namespace
{

enum { MOST_RANKS = 64, RING_BYTES = 1 << 16, CHUNK = 1 << 13, NAP_NS = 100000 };

struct Ring { /* bytes [tail, head) are in it, counted from the beginning */
	alignas(64) std::atomic<uint64_t> head;
	alignas(64) std::atomic<uint64_t> tail;
	alignas(64) char at[RING_BYTES];
};

struct Segment {
	std::atomic<int> attached, left, broken; /* broken: calls did not fit */
	std::atomic<int> device[MOST_RANKS];     /* + 1 */
	Ring rings[];                            /* [from, to] */
};

struct State {
	Segment *m = nullptr;
	size_t bytes = 0;
	int n = 0, rank = 0, device = 0;
	std::atomic<bool> aborted{ false };
	std::string why; /* of error */
	std::atomic<int> error{ ncclSuccess };
	~State()
	{
		if (m)
			munmap(m, bytes);
	}
	Ring &ring(int from, int to)
	{
		return m->rings[from * n + to];
	}
};

struct Header {
	uint32_t call, type, op, root;
	uint64_t count;
	bool operator==(const Header &o) const
	{
		return !memcmp(this, &o, sizeof(o));
	}
};

enum Call : uint32_t { ALL_REDUCE, REDUCE, BROADCAST, ALL_GATHER, REDUCE_SCATTER, POINT };
const char *const names[] = { "ncclAllReduce", "ncclReduce", "ncclBroadcast", "ncclAllGather",
	"ncclReduceScatter", "ncclSend and ncclRecv" };

struct Message {
	int peer;
	char *at;
	size_t n;
	Header is;
	size_t done = 0; /* its header's bytes included */
	Header got{};
};

void nap()
{
	struct timespec t = { 0, NAP_NS };
	nanosleep(&t, nullptr);
}

/* ---- messages ---- */

size_t put(Ring &r, const char *at, size_t n)
{
	uint64_t head = r.head.load(std::memory_order_relaxed);
	size_t some =
		std::min<size_t>(n, RING_BYTES - (head - r.tail.load(std::memory_order_acquire)));
	size_t from = head % RING_BYTES, first = std::min<size_t>(some, RING_BYTES - from);
	memcpy(r.at + from, at, first);
	memcpy(r.at, at + first, some - first);
	r.head.store(head + some, std::memory_order_release);
	return some;
}

size_t get(Ring &r, char *at, size_t n)
{
	uint64_t tail = r.tail.load(std::memory_order_relaxed);
	size_t some = std::min<size_t>(n, r.head.load(std::memory_order_acquire) - tail);
	size_t from = tail % RING_BYTES, first = std::min<size_t>(some, RING_BYTES - from);
	memcpy(at, r.at + from, first);
	memcpy(at + first, r.at, some - first);
	r.tail.store(tail + some, std::memory_order_release);
	return some;
}

bool is_done(const Message &m)
{
	return m.done == sizeof(Header) + m.n;
}

/* Header, then bytes; true: something moved. */
template <class Move> bool step(Message &m, Header &h, Move move)
{
	size_t before = m.done;
	if (m.done < sizeof(h))
		m.done += move((char *)&h + m.done, sizeof(h) - m.done);
	if (m.done >= sizeof(h) && m.done < sizeof(h) + m.n)
		m.done += move(m.at + (m.done - sizeof(h)), sizeof(h) + m.n - m.done);
	return m.done > before;
}

void mismatch(State &s, const Message &m)
{
	char line[256];
	const Header &a = m.is, &b = m.got;
	snprintf(line, sizeof(line),
		"nccl: rank %d is at %s of %llu (type %u, op %u, root %u), rank %d at %s of %llu "
		"(type %u, op %u, root %u)",
		s.rank, names[a.call], (unsigned long long)a.count, a.type, a.op, a.root, m.peer,
		b.call <= POINT ? names[b.call] : "?", (unsigned long long)b.count, b.type, b.op,
		b.root);
	s.why = line;
	s.error = ncclInternalError;
	s.m->broken = 1;
}

bool is_broken(State &s)
{
	if (s.m->broken && !s.error) {
		s.why = "nccl: rank " + std::to_string(s.rank) +
			" waits, but calls of other ranks did not fit";
		s.error = ncclInternalError;
	}
	return s.m->broken;
}

/* Those to or from one peer go one after the other; false: aborted, or calls that do not fit. */
bool exchange(State &s, std::vector<Message> &out, std::vector<Message> &in)
{
	for (bool all = false; !all;) {
		if (s.aborted || is_broken(s))
			return false;
		bool moved = false, busy[2][MOST_RANKS] = {};
		all = true;
		for (Message &m : out) {
			Ring &r = s.ring(s.rank, m.peer);
			if (!is_done(m) && !busy[0][m.peer])
				moved |= step(
					m, m.is, [&](char *at, size_t n) { return put(r, at, n); });
			busy[0][m.peer] |= !is_done(m);
			all &= is_done(m) && r.tail.load() == r.head.load();
		}
		for (Message &m : in) {
			Ring &r = s.ring(m.peer, s.rank);
			if (!is_done(m) && !busy[1][m.peer])
				moved |= step(m, m.got, [&](char *at, size_t n) {
					bool header = m.done < sizeof(Header);
					if (!header && !(m.got == m.is))
						return (size_t)0;
					return get(r, at, n);
				});
			if (m.done >= sizeof(Header) && !(m.got == m.is)) {
				mismatch(s, m);
				return false;
			}
			busy[1][m.peer] |= !is_done(m);
			all &= is_done(m);
		}
		if (!moved && !all)
			nap();
	}
	return true;
}

/* ---- numbers ---- */

size_t size_of(ncclDataType_t t)
{
	switch (t) {
	case ncclInt8:
	case ncclUint8:
		return 1;
	case ncclFloat16:
	case ncclBfloat16:
		return 2;
	case ncclInt32:
	case ncclUint32:
	case ncclFloat32:
		return 4;
	case ncclInt64:
	case ncclUint64:
	case ncclFloat64:
		return 8;
	default:
		return 0;
	}
}

template <class T> T combine(T a, T b, ncclRedOp_t op)
{
	switch (op) {
	case ncclProd:
		return a * b;
	case ncclMax:
		return std::max(a, b);
	case ncclMin:
		return std::min(a, b);
	default:
		return a + b;
	}
}

/* parts[rank] to out, in the order of ranks. */
template <class T, class Wide, class Read, class Write>
void reduce_as(const std::vector<const char *> &parts, char *out, size_t n, ncclRedOp_t op,
	Read read, Write write)
{
	for (size_t i = 0; i < n; i++) {
		Wide sum = read(((const T *)parts[0])[i]);
		for (size_t k = 1; k < parts.size(); k++)
			sum = combine<Wide>(sum, read(((const T *)parts[k])[i]), op);
		if (op == ncclAvg)
			sum = (Wide)(sum / (Wide)parts.size());
		((T *)out)[i] = write(sum);
	}
}

template <class T>
void reduce_plain(const std::vector<const char *> &parts, char *out, size_t n, ncclRedOp_t op)
{
	reduce_as<T, T>(
		parts, out, n, op, [](T x) { return x; }, [](T x) { return x; });
}

float from_bf16(uint16_t x)
{
	uint32_t bits = (uint32_t)x << 16;
	float f;
	memcpy(&f, &bits, sizeof(f));
	return f;
}

uint16_t to_bf16(float f)
{
	uint32_t bits;
	memcpy(&bits, &f, sizeof(bits));
	if (f != f)
		return 0x7fff;
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void reduce(const std::vector<const char *> &parts, char *out, size_t n, ncclDataType_t t,
	ncclRedOp_t op)
{
	switch (t) {
	case ncclFloat32:
		return reduce_plain<float>(parts, out, n, op);
	case ncclFloat64:
		return reduce_plain<double>(parts, out, n, op);
	case ncclInt32:
		return reduce_plain<int32_t>(parts, out, n, op);
	case ncclUint32:
		return reduce_plain<uint32_t>(parts, out, n, op);
	case ncclInt64:
		return reduce_plain<int64_t>(parts, out, n, op);
	case ncclUint64:
		return reduce_plain<uint64_t>(parts, out, n, op);
	case ncclInt8:
		return reduce_plain<int8_t>(parts, out, n, op);
	case ncclUint8:
		return reduce_plain<uint8_t>(parts, out, n, op);
	case ncclBfloat16:
		return reduce_as<uint16_t, float>(parts, out, n, op, from_bf16, to_bf16);
	default:
		return reduce_as<_Float16, float>(
			parts, out, n, op, [](_Float16 x) { return (float)x; },
			[](float x) { return (_Float16)x; });
	}
}

/* ---- calls, when their stream runs ---- */

struct Job {
	Call call;
	const void *in;
	void *out;
	size_t count; /* as given */
	ncclDataType_t type;
	ncclRedOp_t op;
	int root; /* or the peer */
	bool sends;
};

struct Work {
	std::shared_ptr<State> state;
	std::vector<Job> jobs;
	std::thread thread;
	std::atomic<bool> done{ false };
};

Header header_of(const Job &j)
{
	Header h{};
	h.call = j.call;
	h.type = (uint32_t)j.type;
	h.op = j.call == ALL_REDUCE || j.call == REDUCE || j.call == REDUCE_SCATTER ? (uint32_t)j.op
										    : 0;
	h.root = j.call == REDUCE || j.call == BROADCAST ? (uint32_t)j.root : 0;
	h.count = j.count;
	return h;
}

/* Rank `to` gets the sum of from(rank, to)'s count numbers; to -1: everybody of the same numbers. */
bool sum(State &s, const Job &j, const char *in, char *out, bool scattered)
{
	size_t size = size_of(j.type);
	bool mine = j.call != REDUCE || j.root == s.rank;
	std::vector<char> room((size_t)s.n * CHUNK * size);
	for (size_t at = 0; at < j.count; at += CHUNK) {
		size_t n = std::min<size_t>(CHUNK, j.count - at);
		std::vector<Message> to, from;
		std::vector<const char *> parts((size_t)s.n);
		for (int k = 0; k < s.n; k++) {
			const char *part = in + ((scattered ? (size_t)k * j.count : 0) + at) * size;
			parts[(size_t)k] = k == s.rank ? part : &room[(size_t)k * CHUNK * size];
			if (k != s.rank && (j.call != REDUCE || k == j.root))
				to.push_back({ k, (char *)part, n * size, header_of(j) });
			if (k != s.rank && mine)
				from.push_back(
					{ k, (char *)parts[(size_t)k], n * size, header_of(j) });
		}
		if (!exchange(s, to, from))
			return false;
		if (mine)
			reduce(parts, out + at * size, n, j.type, j.op);
	}
	return true;
}

bool spread(State &s, const Job &j, const char *in, char *out)
{
	size_t n = j.count * size_of(j.type);
	std::vector<Message> to, from;
	bool all = j.call == ALL_GATHER;
	char *own = all ? out + (size_t)s.rank * n : out;
	if (all || s.rank == j.root) {
		memmove(own, in, n);
		for (int k = 0; k < s.n; k++)
			if (k != s.rank)
				to.push_back({ k, own, n, header_of(j) });
	}
	for (int k = 0; k < s.n; k++)
		if (k != s.rank && (all || k == j.root))
			from.push_back({ k, all ? out + (size_t)k * n : out, n, header_of(j) });
	return exchange(s, to, from);
}

bool points(State &s, const std::vector<Job> &jobs)
{
	std::vector<Message> to, from;
	std::vector<const Job *> own[2];
	for (const Job &j : jobs) {
		size_t n = j.count * size_of(j.type);
		if (j.root == s.rank)
			own[j.sends].push_back(&j);
		else
			(j.sends ? to : from)
				.push_back({ j.root, j.sends ? (char *)j.in : (char *)j.out, n,
					header_of(j) });
	}
	for (size_t i = 0; i < own[0].size() && i < own[1].size(); i++)
		memmove(own[0][i]->out, own[1][i]->in, own[0][i]->count * size_of(own[0][i]->type));
	return exchange(s, to, from);
}

void run(Work *w)
{
	std::vector<Job> together;
	bool good = true;
	for (const Job &j : w->jobs) {
		if (j.call == POINT)
			together.push_back(j);
		else if (good && (j.call == BROADCAST || j.call == ALL_GATHER))
			good = spread(*w->state, j, (const char *)j.in, (char *)j.out);
		else if (good)
			good = sum(*w->state, j, (const char *)j.in, (char *)j.out,
				j.call == REDUCE_SCATTER);
	}
	if (good && !together.empty())
		points(*w->state, together);
	w->done = true;
}

/* Device addresses become the host's; false: reported. */
bool locate(const State &s, Job &j)
{
	size_t n = j.count * size_of(j.type), all = n * (size_t)s.n;
	bool takes = j.call == POINT ? j.sends : j.call != BROADCAST || s.rank == j.root;
	bool gives = j.call == POINT ? !j.sends : j.call != REDUCE || s.rank == j.root;
	size_t in = j.call == REDUCE_SCATTER ? all : n, out = j.call == ALL_GATHER ? all : n;
	if (takes && n && !(j.in = sim_host_address(j.in, in, names[j.call])))
		return false;
	return !gives || !n || (j.out = sim_host_address(j.out, out, names[j.call]));
}

int poll(void *arg)
{
	Work *w = (Work *)arg;
	State &s = *w->state;
	if (!w->thread.joinable()) {
		for (Job &j : w->jobs)
			if (!locate(s, j))
				return 1;
		w->thread = std::thread(run, w);
	}
	if (!w->done)
		return 0;
	w->thread.join();
	if (s.error && !s.why.empty())
		sim_fault(s.why.c_str());
	return 1;
}

void drop(void *arg)
{
	Work *w = (Work *)arg;
	if (w->thread.joinable()) {
		w->state->aborted = true;
		w->thread.join();
	}
	delete w;
}

/* ---- groups of calls ---- */

struct Pending {
	ncclComm_t comm;
	cudaStream_t stream;
	std::vector<Job> jobs;
};
thread_local int depth;
thread_local std::vector<Pending> pending;
std::atomic<unsigned> serial;

} // namespace

struct ncclComm {
	std::shared_ptr<State> state;
};

static ncclResult_t start(ncclComm_t c, cudaStream_t stream, const std::vector<Job> &jobs)
{
	Work *w = new Work;
	w->state = c->state;
	w->jobs = jobs;
	int rc = sim_enqueue_poll(stream, poll, w, drop);
	return rc ? ncclUnhandledCudaError : ncclSuccess;
}

static ncclResult_t ask(ncclComm_t c, cudaStream_t stream, const Job &j)
{
	if (!c || !size_of(j.type) || j.op >= ncclNumOps || j.root < 0 || j.root >= c->state->n)
		return ncclInvalidArgument;
	if (sim_enter(names[j.call]))
		return ncclUnhandledCudaError;
	if (!depth)
		return start(c, stream, { j });
	for (Pending &p : pending)
		if (p.comm == c && p.stream == stream) {
			p.jobs.push_back(j);
			return ncclSuccess;
		}
	pending.push_back({ c, stream, { j } });
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclGroupStart(void)
{
	depth++;
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclGroupEnd(void)
{
	if (!depth)
		return ncclInvalidUsage;
	if (--depth)
		return ncclSuccess;
	std::vector<Pending> all = std::move(pending);
	pending.clear();
	for (const Pending &p : all)
		if (ncclResult_t rc = start(p.comm, p.stream, p.jobs))
			return rc;
	return ncclSuccess;
}

/* ---- the calls ---- */

SIM_EXPORT ncclResult_t ncclAllReduce(const void *in, void *out, size_t count, ncclDataType_t t,
	ncclRedOp_t op, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { ALL_REDUCE, in, out, count, t, op, 0, false });
}

SIM_EXPORT ncclResult_t ncclReduce(const void *in, void *out, size_t count, ncclDataType_t t,
	ncclRedOp_t op, int root, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { REDUCE, in, out, count, t, op, root, false });
}

SIM_EXPORT ncclResult_t ncclBroadcast(const void *in, void *out, size_t count, ncclDataType_t t,
	int root, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { BROADCAST, in, out, count, t, ncclSum, root, false });
}

SIM_EXPORT ncclResult_t ncclBcast(
	void *at, size_t count, ncclDataType_t t, int root, ncclComm_t c, cudaStream_t s)
{
	return ncclBroadcast(at, at, count, t, root, c, s);
}

SIM_EXPORT ncclResult_t ncclAllGather(
	const void *in, void *out, size_t count, ncclDataType_t t, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { ALL_GATHER, in, out, count, t, ncclSum, 0, false });
}

SIM_EXPORT ncclResult_t ncclReduceScatter(const void *in, void *out, size_t count, ncclDataType_t t,
	ncclRedOp_t op, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { REDUCE_SCATTER, in, out, count, t, op, 0, false });
}

SIM_EXPORT ncclResult_t ncclSend(
	const void *in, size_t count, ncclDataType_t t, int peer, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { POINT, in, nullptr, count, t, ncclSum, peer, true });
}

SIM_EXPORT ncclResult_t ncclRecv(
	void *out, size_t count, ncclDataType_t t, int peer, ncclComm_t c, cudaStream_t s)
{
	return ask(c, s, { POINT, nullptr, out, count, t, ncclSum, peer, false });
}

/* ---- communicators ---- */

SIM_EXPORT ncclResult_t ncclGetVersion(int *v)
{
	*v = NCCL_VERSION_CODE;
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	memset(id, 0, sizeof(*id));
	snprintf(id->internal, sizeof(id->internal), "/ds-sim-nccl-%d-%u-%ld", (int)getpid(),
		serial++, t.tv_nsec);
	return ncclSuccess;
}

/* Two ranks cannot share a device. */
static bool has_twin(const State &s)
{
	for (int k = 0; k < s.n; k++)
		if (k != s.rank && s.m->device[k] == s.device + 1)
			return true;
	return false;
}

SIM_EXPORT ncclResult_t ncclCommInitRank(ncclComm_t *out, int n, ncclUniqueId id, int rank)
{
	if (n < 1 || n > MOST_RANKS || rank < 0 || rank >= n || depth)
		return ncclInvalidArgument;
	if (sim_enter("ncclCommInitRank"))
		return ncclUnhandledCudaError;
	auto s = std::make_shared<State>();
	s->n = n;
	s->rank = rank;
	cudaGetDevice(&s->device);
	s->bytes = sizeof(Segment) + (size_t)(n * n) * sizeof(Ring);
	int f = shm_open(id.internal, O_RDWR | O_CREAT, 0600);
	if (f < 0 || ftruncate(f, (off_t)s->bytes)) {
		if (f >= 0)
			close(f);
		return ncclSystemError;
	}
	void *at = mmap(nullptr, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	close(f);
	if (at == MAP_FAILED)
		return ncclSystemError;
	s->m = (Segment *)at;
	s->m->device[rank] = s->device + 1;
	s->m->attached++;
	while (s->m->attached < n)
		nap();
	bool twin = has_twin(*s);
	if (++s->m->left == n)
		shm_unlink(id.internal);
	if (twin) {
		fprintf(stderr, "sim: nccl: two ranks have device %d\n", s->device);
		return ncclInvalidUsage;
	}
	*out = new ncclComm{ s };
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommFinalize(ncclComm_t)
{
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommDestroy(ncclComm_t c)
{
	delete c; /* what is in streams keeps its state */
	return ncclSuccess;
}

/* Called while another thread waits in the runtime, whose lock it holds. */
SIM_EXPORT ncclResult_t ncclCommAbort(ncclComm_t c)
{
	c->state->aborted = true;
	delete c;
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t *e)
{
	*e = (ncclResult_t)c->state->error.load();
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommCount(const ncclComm_t c, int *n)
{
	*n = c->state->n;
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommUserRank(const ncclComm_t c, int *rank)
{
	*rank = c->state->rank;
	return ncclSuccess;
}

SIM_EXPORT ncclResult_t ncclCommCuDevice(const ncclComm_t c, int *device)
{
	*device = c->state->device;
	return ncclSuccess;
}

SIM_EXPORT const char *ncclGetErrorString(ncclResult_t e)
{
	static const char *const text[] = { "no error", "unhandled cuda error",
		"unhandled system error", "internal error", "invalid argument", "invalid usage",
		"remote process exited or there was a network error",
		"NCCL operation in progress" };
	return e >= 0 && e < (int)(sizeof(text) / sizeof(*text)) ? text[e] : "unknown result code";
}

SIM_EXPORT const char *ncclGetLastError(ncclComm_t)
{
	return "";
}
