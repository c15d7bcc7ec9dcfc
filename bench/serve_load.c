/*
 * serve_load.c - a load for dsserve: so many clients, each asking again as soon as it has its answer
 *
 * serve_load http HOST:PORT PATH BODY_FILE CLIENTS SECONDS [COUNT_KEY]
 * serve_load grpc HOST:PORT METHOD MESSAGE_FILE CLIENTS SECONDS
 *
 * One thread, so that the server keeps what it can of the machine: epoll and HTTP/1.1 that stays open, or gRPC's core.
 * Prints answers a second, milliseconds at the median and the 99th percentile, and how many were no good. COUNT_KEY sums up
 * an integer of the answers, as "completion_tokens".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 22, ANSWER_BYTES = 1 << 22 };

static float *took; /* milliseconds of each answer */
static size_t n_took, n_bad;
static long long n_counted;
static double ends_at;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static char *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *b = malloc(ANSWER_BYTES);
	if (!f)
		die(path);
	*n = fread(b, 1, ANSWER_BYTES, f);
	fclose(f);
	return b;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

static void report(double seconds, bool counts)
{
	qsort(took, n_took, sizeof(*took), by_value);
	printf("%.1f /s  p50 %.2f ms  p99 %.2f ms  %zu bad", (double)n_took / seconds,
		n_took ? (double)took[n_took / 2] : 0, n_took ? (double)took[n_took * 99 / 100] : 0,
		n_bad);
	if (counts)
		printf("  %.1f counted/s", (double)n_counted / seconds);
	printf("\n");
}

static void took_since(double begun)
{
	if (n_took < MOST)
		took[n_took++] = (float)((now() - begun) * 1e3);
}

/* ---- HTTP ---- */

typedef struct {
	int fd;
	double begun;
	size_t sent, got;
	char *answer;
} client;

static char *request;
static size_t request_bytes;
static const char *count_key;

static int connect_to(const char *where)
{
	char host[64];
	const char *colon = strrchr(where, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET };
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, host, &a.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(where);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void ask(client *c)
{
	c->begun = now();
	c->got = 0;
	if (write(c->fd, request, request_bytes) != (ssize_t)request_bytes)
		die("write");
}

/* The whole answer's bytes, or 0: more is to come. */
static size_t whole(const client *c)
{
	const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4), *length;
	if (!end)
		return 0;
	length = strcasestr(c->answer, "content-length:");
	size_t n = (size_t)(end - c->answer) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
	return c->got >= n ? n : 0;
}

static void take(client *c)
{
	ssize_t n = read(c->fd, c->answer + c->got, ANSWER_BYTES - 1 - c->got);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		die("the server hung up");
	}
	c->got += (size_t)n;
	c->answer[c->got] = 0;
	if (!whole(c))
		return;
	took_since(c->begun);
	n_bad += strncmp(c->answer, "HTTP/1.1 200", 12) != 0;
	const char *k = count_key ? strstr(c->answer, count_key) : NULL;
	n_counted += k ? atoll(k + strcspn(k, "0123456789")) : 0;
	ask(c);
}

static void load_http(const char *where, const char *path, const char *file, int n)
{
	size_t body_bytes;
	char *body = read_file(file, &body_bytes);
	struct epoll_event v[256];
	int poll = epoll_create1(0);
	client *all = calloc((size_t)n, sizeof(*all));
	request = malloc(body_bytes + 1024);
	request_bytes = (size_t)sprintf(request,
		"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: "
		"%zu\r\n\r\n",
		path, where, body_bytes);
	memcpy(request + request_bytes, body, body_bytes);
	request_bytes += body_bytes;
	for (int i = 0; i < n; i++) {
		all[i].fd = connect_to(where);
		all[i].answer = malloc(ANSWER_BYTES);
		epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd,
			&(struct epoll_event){ .events = EPOLLIN, .data.ptr = &all[i] });
		ask(&all[i]);
	}
	while (now() < ends_at)
		for (int k = epoll_wait(poll, v, 256, 100); k-- > 0;)
			take(v[k].data.ptr);
}

/* ---- gRPC ---- */

typedef struct {
	grpc_call *call;
	double begun;
	grpc_byte_buffer *answer;
	grpc_metadata_array head, tail;
	grpc_status_code status;
	grpc_slice why;
} rpc;

static grpc_channel *channel;
static grpc_completion_queue *queue;
static grpc_slice message;
static const char *method;

static void ask_rpc(rpc *c)
{
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&message, 1);
	c->begun = now();
	c->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
		grpc_slice_from_static_string(method), NULL, gpr_inf_future(GPR_CLOCK_REALTIME),
		NULL);
	grpc_metadata_array_init(&c->head);
	grpc_metadata_array_init(&c->tail);
	grpc_op ops[] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA },
		{ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = b },
		{ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
		{ .op = GRPC_OP_RECV_INITIAL_METADATA,
			.data.recv_initial_metadata.recv_initial_metadata = &c->head },
		{ .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->answer },
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
			.data.recv_status_on_client = { .trailing_metadata = &c->tail,
				.status = &c->status,
				.status_details = &c->why } },
	};
	if (grpc_call_start_batch(c->call, ops, 6, c, NULL) != GRPC_CALL_OK)
		die("grpc");
	grpc_byte_buffer_destroy(b);
}

static void end_rpc(rpc *c)
{
	took_since(c->begun);
	n_bad += c->status != GRPC_STATUS_OK || !c->answer;
	if (c->answer)
		grpc_byte_buffer_destroy(c->answer);
	grpc_metadata_array_destroy(&c->head);
	grpc_metadata_array_destroy(&c->tail);
	grpc_slice_unref(c->why);
	grpc_call_unref(c->call);
}

static void load_grpc(const char *where, const char *name, const char *file, int n)
{
	size_t bytes;
	char *body = read_file(file, &bytes);
	rpc *all = calloc((size_t)n, sizeof(*all));
	grpc_init();
	queue = grpc_completion_queue_create_for_next(NULL);
	grpc_channel_credentials *k = grpc_insecure_credentials_create();
	channel = grpc_channel_create(where, k, NULL);
	message = grpc_slice_from_copied_buffer(body, bytes);
	method = name;
	for (int i = 0; i < n; i++)
		ask_rpc(&all[i]);
	while (now() < ends_at) {
		grpc_event v = grpc_completion_queue_next(queue,
			gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
				gpr_time_from_millis(100, GPR_TIMESPAN)),
			NULL);
		if (v.type != GRPC_OP_COMPLETE)
			continue;
		end_rpc(v.tag);
		ask_rpc(v.tag);
	}
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr,
			"usage: serve_load http|grpc HOST:PORT PATH FILE CLIENTS SECONDS [KEY]\n");
		return 2;
	}
	double seconds = atof(argv[6]), begun = now();
	took = malloc(MOST * sizeof(*took));
	count_key = argc > 7 ? argv[7] : NULL;
	ends_at = begun + seconds;
	if (strcmp(argv[1], "http") == 0)
		load_http(argv[2], argv[3], argv[4], atoi(argv[5]));
	else
		load_grpc(argv[2], argv[3], argv[4], atoi(argv[5]));
	report(now() - begun, count_key != NULL);
	fflush(stdout);
	_exit(n_took == 0); /* what is still under way is let go */
}
