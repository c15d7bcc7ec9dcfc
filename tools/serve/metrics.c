/*
 * metrics.c - the text format of Prometheus, version 0.0.4
 */
#include "metrics.h"

#include "base/machine.h"
#include "base/mem.h"
#include "clock.h"

#include <pthread.h>
#include <string.h>

/* vLLM's buckets begin at 1 ms or 300 ms; small models answer sooner. */
static const double bounds[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 640, 2560 };
enum { BOUNDS = sizeof(bounds) / sizeof(*bounds), STATUSES = 600, CODES = 17, FINISHES = 5 };
static const char *const finishes[FINISHES] = { "stop", "length", "abort", "timeout", "error" };

typedef struct {
	uint64_t in[BOUNDS], n;
	double sum;
} histogram;

struct metrics {
	const char *model;
	uint64_t began_ns;
	pthread_mutex_t lock;
	histogram times[TIMES];
	uint64_t prompt_tokens, tokens, reused, finished[FINISHES], vectors, vector_tokens;
	uint64_t answers[STATUSES], rpcs[CODES];
};

metrics *metrics_new(const char *model)
{
	metrics *m = DS_NEW(metrics, 1);
	m->model = model;
	m->began_ns = clock_ns();
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void metrics_free(metrics *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	ds_mem_free(m);
}

void metrics_seconds(metrics *m, metrics_time which, double s)
{
	size_t i = 0;
	while (i < BOUNDS && s > bounds[i])
		i++;
	pthread_mutex_lock(&m->lock);
	histogram *h = &m->times[which];
	if (i < BOUNDS)
		h->in[i]++;
	h->n++;
	h->sum += s;
	pthread_mutex_unlock(&m->lock);
}

void metrics_sequence(metrics *m, size_t in, size_t out, size_t reused, const char *finish)
{
	size_t i = 0;
	while (i + 1 < FINISHES && strcmp(finish, finishes[i]) != 0)
		i++;
	pthread_mutex_lock(&m->lock);
	m->prompt_tokens += in;
	m->tokens += out;
	m->reused += reused;
	m->finished[i]++;
	pthread_mutex_unlock(&m->lock);
}

void metrics_vectors(metrics *m, size_t n, size_t tokens)
{
	pthread_mutex_lock(&m->lock);
	m->vectors += n;
	m->vector_tokens += tokens;
	m->prompt_tokens += tokens;
	pthread_mutex_unlock(&m->lock);
}

void metrics_answer(metrics *m, int status)
{
	pthread_mutex_lock(&m->lock);
	m->answers[status >= 0 && status < STATUSES ? status : 0]++;
	pthread_mutex_unlock(&m->lock);
}

void metrics_rpc(metrics *m, int code)
{
	pthread_mutex_lock(&m->lock);
	m->rpcs[code >= 0 && code < CODES ? code : 2]++;
	pthread_mutex_unlock(&m->lock);
}

static void head(ds_buf *out, const char *name, const char *type, const char *help)
{
	ds_buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(const metrics *m, ds_buf *out, const char *name, const char *type,
	const char *help, double v)
{
	head(out, name, type, help);
	ds_buf_fmt(out, "%s{model_name=\"%s\"} %.15g\n", name, m->model, v);
}

static void print_histogram(
	const metrics *m, ds_buf *out, const char *name, const char *help, const histogram *h)
{
	uint64_t n = 0;
	head(out, name, "histogram", help);
	for (size_t i = 0; i < BOUNDS; i++) {
		n += h->in[i];
		ds_buf_fmt(out, "%s_bucket{model_name=\"%s\",le=\"%g\"} %llu\n", name, m->model,
			bounds[i], (unsigned long long)n);
	}
	ds_buf_fmt(out, "%s_bucket{model_name=\"%s\",le=\"+Inf\"} %llu\n", name, m->model,
		(unsigned long long)h->n);
	ds_buf_fmt(out, "%s_sum{model_name=\"%s\"} %.9g\n%s_count{model_name=\"%s\"} %llu\n", name,
		m->model, h->sum, name, m->model, (unsigned long long)h->n);
}

static void print_times(const metrics *m, ds_buf *out)
{
	print_histogram(m, out, "vllm:time_to_first_token_seconds",
		"From the request to the first token.", &m->times[TIME_FIRST]);
	print_histogram(m, out, "vllm:inter_token_latency_seconds", "From a token to the next.",
		&m->times[TIME_BETWEEN]);
	print_histogram(m, out, "vllm:e2e_request_latency_seconds",
		"From the request to the end of its answer.", &m->times[TIME_ALL]);
	print_histogram(m, out, "vllm:request_queue_time_seconds", "Waiting for a place.",
		&m->times[TIME_QUEUE]);
}

static void print_counts(const metrics *m, ds_buf *out)
{
	number(m, out, "vllm:prompt_tokens_total", "counter", "Tokens of prompts.",
		(double)m->prompt_tokens);
	number(m, out, "vllm:generation_tokens_total", "counter", "Tokens generated.",
		(double)m->tokens);
	number(m, out, "vllm:prefix_cache_hits_total", "counter",
		"Tokens of prompts that were in a cache already.", (double)m->reused);
	number(m, out, "ds:vectors_total", "counter", "Sequences embedded or classified.",
		(double)m->vectors);
	number(m, out, "ds:vector_tokens_total", "counter", "Their tokens.",
		(double)m->vector_tokens);
	head(out, "vllm:request_success_total", "counter", "Texts that are over, by why.");
	for (size_t i = 0; i < FINISHES; i++)
		ds_buf_fmt(out,
			"vllm:request_success_total{model_name=\"%s\",finished_reason=\"%s\"} "
			"%llu\n",
			m->model, finishes[i], (unsigned long long)m->finished[i]);
	head(out, "ds:http_answers_total", "counter", "Answers over HTTP, by status.");
	for (size_t i = 0; i < STATUSES; i++)
		if (m->answers[i])
			ds_buf_fmt(out, "ds:http_answers_total{status=\"%zu\"} %llu\n", i,
				(unsigned long long)m->answers[i]);
	head(out, "ds:grpc_answers_total", "counter", "Answers over gRPC, by code.");
	for (size_t i = 0; i < CODES; i++)
		if (m->rpcs[i])
			ds_buf_fmt(out, "ds:grpc_answers_total{code=\"%zu\"} %llu\n", i,
				(unsigned long long)m->rpcs[i]);
}

void metrics_print(metrics *m, const metrics_now *now, ds_buf *out)
{
	number(m, out, "vllm:num_requests_running", "gauge", "Sequences being computed.",
		(double)now->running);
	number(m, out, "vllm:num_requests_waiting", "gauge", "Sequences waiting for a place.",
		(double)now->waiting);
	number(m, out, "vllm:kv_cache_usage_perc", "gauge", "Share of the caches in use, 0 to 1.",
		now->used);
	number(m, out, "ds:ready", "gauge", "1 where requests are taken.", now->ready);
	number(m, out, "process_resident_memory_bytes", "gauge", "Memory of the process.",
		ds_process_bytes());
	number(m, out, "ds:uptime_seconds", "gauge", "Since the start.",
		(double)(clock_ns() - m->began_ns) / 1e9);
	pthread_mutex_lock(&m->lock);
	print_counts(m, out);
	print_times(m, out);
	pthread_mutex_unlock(&m->lock);
}
