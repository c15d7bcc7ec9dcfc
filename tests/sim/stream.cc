/*
 * stream.cc - streams, events, captured graphs
 *
 * Work runs when something forces it (a synchronization, an event that another stream waits for, the
 * default stream), and not before: a program that forgot to wait reads what was there before.
 * DS_SIM_STREAMS=eager runs it at once. A graph is replayed in the order that is farthest from how it
 * was captured and still obeys its dependencies, for the same reason. While work waits for another
 * process, other streams go on, as they would on a device; and so does everything once the program has
 * asked nothing for a while, since that other process may wait for it.
 */
#include "runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <unistd.h>

using namespace sim;

namespace
{

struct Node {
	Work work;
	std::vector<size_t> after;
};

struct Capture {
	std::vector<Node> nodes;
	CUstream_st *origin;
	cudaStreamCaptureMode mode;
	bool is_broken = false;
};

} // namespace

struct Item {
	Work work;
	Poll poll;                    /* instead of work: true when it is done */
	CUstream_st *after = nullptr; /* instead of both: an event of that stream */
	uint64_t at = 0;
};

struct CUstream_st {
	std::deque<Item> queue;
	uint64_t queued = 0, done = 0;
	bool nonblocking = false, busy = false; /* busy: its first item is being run */
	std::shared_ptr<Capture> capture;
	std::vector<size_t> tail; /* of the capture: what the next node comes after */
};

struct CUevent_st {
	CUstream_st *stream = nullptr;
	uint64_t at = 0;
	std::shared_ptr<double> time = std::make_shared<double>(0);
	bool is_timed = true;
	std::shared_ptr<Capture> capture;
	std::vector<size_t> tail;
};

struct CUgraph_st {
	std::vector<Node> nodes;
};

struct CUgraphExec_st {
	std::shared_ptr<std::vector<Node>> nodes; /* in the order of replay */
};

namespace
{

enum { NAP_US = 100, IDLE_US = 5000 };

CUstream_st null_stream;
std::vector<CUstream_st *> streams;

CUstream_st *get(cudaStream_t s)
{
	return !s || s == cudaStreamLegacy || s == cudaStreamPerThread ? &null_stream : s;
}

bool is_eager()
{
	static const char *way = getenv("DS_SIM_STREAMS");
	return way && !strcmp(way, "eager");
}

bool exists(CUstream_st *s)
{
	return s == &null_stream || std::find(streams.begin(), streams.end(), s) != streams.end();
}

bool has_passed(const Item &i)
{
	return !exists(i.after) || i.after->done >= i.at;
}

void finish_first(CUstream_st *s)
{
	s->queue.pop_front();
	s->done++;
	s->busy = false;
}

/* Runs the first item of a stream that is not busy, unless that would wait; true: something was done. */
bool advance(CUstream_st *s)
{
	Item &i = s->queue.front();
	if (i.after && !has_passed(i) && !has_fault())
		return false;
	s->busy = true;
	bool is_done = true;
	try {
		if (i.poll)
			is_done = has_fault() || i.poll();
		else if (i.work && !has_fault())
			i.work();
	} catch (const Error &e) {
		report_fault(e.what(), cudaErrorIllegalAddress);
	}
	s->busy = false;
	if (is_done)
		finish_first(s);
	return is_done;
}

/* What other streams can do while one waits for another process. */
bool advance_others()
{
	bool any = false;
	for (size_t k = 0; k < streams.size(); k++)
		if (!streams[k]->busy && !streams[k]->capture && !streams[k]->queue.empty())
			any |= advance(streams[k]);
	return any;
}

/* Goes on where the program does something else: begun by the first work that waits for others. */
class Idle
{
	std::thread thread;
	std::atomic<bool> ends{ false };

	static bool has_polls()
	{
		for (CUstream_st *s : streams)
			for (const Item &i : s->queue)
				if (i.poll)
					return true;
		return false;
	}
	void run()
	{
		for (uint64_t before = 0; !ends; usleep(IDLE_US)) {
			std::unique_lock<std::recursive_mutex> guard(lock, std::try_to_lock);
			if (!guard.owns_lock())
				continue;
			if (asked == before && has_polls())
				while (!ends && advance_others())
					;
			before = asked;
		}
	}

      public:
	uint64_t asked = 0; /* work, so far */
	void begin()
	{
		if (!thread.joinable())
			thread = std::thread([this] { run(); });
	}
	~Idle()
	{
		ends = true;
		if (thread.joinable())
			thread.join();
	}
};
Idle idle;

void run_to(CUstream_st *s, uint64_t n)
{
	while (s->done < n && !s->queue.empty() && !s->busy) {
		Item &i = s->queue.front();
		if (i.after && !has_passed(i) && !has_fault()) {
			s->busy = true;
			run_to(i.after, i.at);
			finish_first(s);
			continue;
		}
		if (advance(s))
			continue;
		s->busy = true;
		if (!advance_others())
			usleep(NAP_US);
		s->busy = false;
	}
}

void drain(CUstream_st *s)
{
	run_to(s, s->queued);
}

double seconds()
{
	return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
		.count();
}

bool same_capture(const std::shared_ptr<Capture> &a, const std::shared_ptr<Capture> &b)
{
	return a && a == b;
}

void join(std::vector<size_t> &to, const std::vector<size_t> &from)
{
	for (size_t n : from)
		if (std::find(to.begin(), to.end(), n) == to.end())
			to.push_back(n);
}

/* The last captured of those whose predecessors are done, again and again. */
std::vector<Node> latest_first(const std::vector<Node> &nodes)
{
	std::vector<std::vector<size_t>> followers(nodes.size());
	std::vector<size_t> missing(nodes.size());
	std::set<size_t> ready;
	std::vector<Node> order;
	for (size_t n = 0; n < nodes.size(); n++) {
		for (size_t before : nodes[n].after)
			followers[before].push_back(n);
		missing[n] = nodes[n].after.size();
		if (!missing[n])
			ready.insert(n);
	}
	while (!ready.empty()) {
		size_t n = *--ready.end();
		ready.erase(n);
		order.push_back(nodes[n]);
		for (size_t next : followers[n])
			if (!--missing[next])
				ready.insert(next);
	}
	return order;
}

} // namespace

namespace sim
{

bool is_capturing(cudaStream_t s)
{
	return get(s)->capture != nullptr;
}

/* Calls that wait or allocate break a capture, unless it was begun as relaxed. */
cudaError_t refuse_while_capturing()
{
	for (CUstream_st *s : streams)
		if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed) {
			s->capture->is_broken = true;
			return cudaErrorStreamCaptureUnsupported;
		}
	return cudaSuccess;
}

static cudaError_t enqueue_item(cudaStream_t st, Item i)
{
	CUstream_st *s = get(st);
	if (s == &null_stream)
		for (CUstream_st *other : streams) {
			if (other->nonblocking)
				continue;
			if (other->capture)
				return cudaErrorStreamCaptureImplicit;
			drain(other);
		}
	idle.asked++;
	s->queue.push_back(std::move(i));
	s->queued++;
	if (is_eager() || s == &null_stream)
		drain(s);
	return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t st, Work w)
{
	CUstream_st *s = get(st);
	if (!s->capture)
		return enqueue_item(st, { std::move(w), nullptr });
	s->capture->nodes.push_back({ std::move(w), s->tail });
	s->tail = { s->capture->nodes.size() - 1 };
	return cudaSuccess;
}

/* In a captured graph it is waited for, and nothing goes on meanwhile. */
cudaError_t enqueue_poll(cudaStream_t st, Poll poll)
{
	if (is_capturing(st))
		return enqueue(st, [poll] {
			while (!has_fault() && !poll())
				usleep(NAP_US);
		});
	idle.begin();
	return enqueue_item(st, { nullptr, std::move(poll) });
}

void finish(cudaStream_t s)
{
	if (get(s) == &null_stream)
		for (CUstream_st *other : streams)
			if (!other->nonblocking && !other->capture)
				drain(other);
	drain(get(s));
}

void finish_all()
{
	for (size_t n = streams.size(); n-- > 0;)
		drain(streams[n]);
	drain(&null_stream);
}

} // namespace sim

#define ENTER(name) \
	std::lock_guard<std::recursive_mutex> guard(lock); \
	if (cudaError_t entered = enter(name)) \
	return remember(entered)

SIM_EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
	ENTER("cudaStreamCreate");
	*s = new CUstream_st;
	(*s)->nonblocking = flags & cudaStreamNonBlocking;
	streams.push_back(*s);
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int)
{
	return cudaStreamCreateWithFlags(s, flags);
}

SIM_EXPORT cudaError_t cudaStreamCreate(cudaStream_t *s)
{
	return cudaStreamCreateWithFlags(s, 0);
}

SIM_EXPORT cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	ENTER("cudaStreamDestroy");
	auto found = std::find(streams.begin(), streams.end(), s);
	if (found == streams.end())
		return remember(cudaErrorInvalidResourceHandle);
	drain(s);
	streams.erase(found);
	delete s;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	ENTER("cudaStreamSynchronize");
	if (is_capturing(s)) {
		get(s)->capture->is_broken = true;
		return remember(cudaErrorStreamCaptureUnsupported);
	}
	finish(s);
	return remember(enter("cudaStreamSynchronize"));
}

SIM_EXPORT cudaError_t cudaStreamQuery(cudaStream_t s)
{
	ENTER("cudaStreamQuery");
	static int asked; /* a loop that polls makes progress, but not at once */
	if (get(s)->queue.empty())
		return cudaSuccess;
	if (++asked % 16 == 0)
		finish(s);
	return cudaErrorNotReady;
}

SIM_EXPORT cudaError_t cudaStreamGetFlags(cudaStream_t s, unsigned *flags)
{
	ENTER("cudaStreamGetFlags");
	*flags = get(s)->nonblocking ? cudaStreamNonBlocking : cudaStreamDefault;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaStreamGetPriority(cudaStream_t, int *priority)
{
	ENTER("cudaStreamGetPriority");
	*priority = 0;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaDeviceSynchronize(void)
{
	ENTER("cudaDeviceSynchronize");
	if (cudaError_t e = refuse_while_capturing())
		return remember(e);
	finish_all();
	return remember(enter("cudaDeviceSynchronize"));
}

SIM_EXPORT cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void *arg)
{
	ENTER("cudaLaunchHostFunc");
	return remember(enqueue(s, [f, arg] { f(arg); }));
}

SIM_EXPORT cudaError_t cudaStreamAddCallback(
	cudaStream_t s, cudaStreamCallback_t f, void *arg, unsigned)
{
	ENTER("cudaStreamAddCallback");
	return remember(enqueue(s, [s, f, arg] { f(s, cudaSuccess, arg); }));
}

/* ---- events ---- */

SIM_EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
	ENTER("cudaEventCreate");
	*e = new CUevent_st;
	(*e)->is_timed = !(flags & cudaEventDisableTiming);
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaEventCreate(cudaEvent_t *e)
{
	return cudaEventCreateWithFlags(e, 0);
}

SIM_EXPORT cudaError_t cudaEventDestroy(cudaEvent_t e)
{
	ENTER("cudaEventDestroy");
	delete e;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t st)
{
	ENTER("cudaEventRecord");
	CUstream_st *s = get(st);
	e->capture = s->capture;
	if (s->capture) {
		e->tail = s->tail;
		return cudaSuccess;
	}
	e->stream = s;
	e->at = s->queued + 1;
	return remember(enqueue(st, [time = e->time] { *time = seconds(); }));
}

SIM_EXPORT cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned)
{
	return cudaEventRecord(e, s);
}

SIM_EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t st, cudaEvent_t e, unsigned)
{
	ENTER("cudaStreamWaitEvent");
	CUstream_st *s = get(st);
	if (e->capture) {
		if (s->capture && !same_capture(s->capture, e->capture))
			return remember(cudaErrorStreamCaptureMerge);
		if (!s->capture)
			s->tail.clear();
		s->capture = e->capture;
		join(s->tail, e->tail);
		return cudaSuccess;
	}
	if (s->capture)
		return remember(cudaErrorStreamCaptureIsolation);
	CUstream_st *other = e->stream;
	uint64_t at = e->at;
	if (!other || other == s)
		return cudaSuccess;
	return remember(enqueue_item(st, { nullptr, nullptr, other, at }));
}

SIM_EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
	ENTER("cudaEventSynchronize");
	if (e->capture)
		return remember(cudaErrorCapturedEvent);
	if (e->stream)
		run_to(e->stream, e->at);
	return remember(enter("cudaEventSynchronize"));
}

SIM_EXPORT cudaError_t cudaEventQuery(cudaEvent_t e)
{
	ENTER("cudaEventQuery");
	static int asked;
	if (!e->stream || e->stream->done >= e->at)
		return cudaSuccess;
	if (++asked % 16 == 0)
		run_to(e->stream, e->at);
	return cudaErrorNotReady;
}

SIM_EXPORT cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b)
{
	ENTER("cudaEventElapsedTime");
	if (!a->stream || !b->stream || !a->is_timed || !b->is_timed)
		return remember(cudaErrorInvalidResourceHandle);
	if (a->stream->done < a->at || b->stream->done < b->at)
		return cudaErrorNotReady;
	*ms = (float)(1e3 * (*b->time - *a->time));
	return cudaSuccess;
}

/* ---- capture and graphs ---- */

SIM_EXPORT cudaError_t cudaStreamBeginCapture(cudaStream_t st, cudaStreamCaptureMode mode)
{
	ENTER("cudaStreamBeginCapture");
	CUstream_st *s = get(st);
	if (s == &null_stream)
		return remember(cudaErrorStreamCaptureUnsupported);
	if (s->capture)
		return remember(cudaErrorIllegalState);
	s->capture = std::make_shared<Capture>();
	s->capture->origin = s;
	s->capture->mode = mode;
	s->tail.clear();
	return cudaSuccess;
}

/* Every node must be one that the origin's end comes after. */
static bool is_joined(const Capture &c, const std::vector<size_t> &tail)
{
	std::vector<char> reached(c.nodes.size());
	std::vector<size_t> todo = tail;
	while (!todo.empty()) {
		size_t n = todo.back();
		todo.pop_back();
		if (reached[n])
			continue;
		reached[n] = 1;
		todo.insert(todo.end(), c.nodes[n].after.begin(), c.nodes[n].after.end());
	}
	return std::find(reached.begin(), reached.end(), 0) == reached.end();
}

SIM_EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t st, cudaGraph_t *out)
{
	ENTER("cudaStreamEndCapture");
	CUstream_st *s = get(st);
	*out = nullptr;
	std::shared_ptr<Capture> c = s->capture;
	if (!c)
		return remember(cudaErrorIllegalState);
	if (c->origin != s)
		return remember(cudaErrorStreamCaptureUnmatched);
	bool joined = is_joined(*c, s->tail);
	for (CUstream_st *other : streams)
		if (same_capture(other->capture, c))
			other->capture = nullptr;
	if (c->is_broken)
		return remember(cudaErrorStreamCaptureInvalidated);
	if (!joined)
		return remember(cudaErrorStreamCaptureUnjoined);
	*out = new CUgraph_st{ std::move(c->nodes) };
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus *status)
{
	ENTER("cudaStreamIsCapturing");
	const auto &c = get(s)->capture;
	*status = !c             ? cudaStreamCaptureStatusNone
		  : c->is_broken ? cudaStreamCaptureStatusInvalidated
				 : cudaStreamCaptureStatusActive;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode *mode)
{
	*mode = cudaStreamCaptureModeGlobal;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t g, unsigned long long)
{
	ENTER("cudaGraphInstantiate");
	*out = new CUgraphExec_st{ std::make_shared<std::vector<Node>>(latest_first(g->nodes)) };
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGraphInstantiateWithFlags(
	cudaGraphExec_t *out, cudaGraph_t g, unsigned long long flags)
{
	return cudaGraphInstantiate(out, g, flags);
}

SIM_EXPORT cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t)
{
	ENTER("cudaGraphUpload");
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s)
{
	ENTER("cudaGraphLaunch");
	return remember(enqueue(s, [nodes = g->nodes] {
		for (const Node &n : *nodes)
			n.work();
	}));
}

SIM_EXPORT cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *n)
{
	ENTER("cudaGraphGetNodes");
	if (nodes)
		for (size_t i = 0; i < *n && i < g->nodes.size(); i++)
			nodes[i] = (cudaGraphNode_t)&g->nodes[i];
	*n = g->nodes.size();
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
	ENTER("cudaGraphDestroy");
	delete g;
	return cudaSuccess;
}

SIM_EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g)
{
	ENTER("cudaGraphExecDestroy");
	delete g;
	return cudaSuccess;
}
