/*
 * kserve.c - which method does what
 */
#include "kserve.h"

#include "access.h"
#include "base/mem.h"
#include "described.h"
#include "health.pb-c.h"
#include "infer.h"
#include "inference.pb-c.h"
#include "pb.h"
#include "reflection_v1.pb-c.h"

#include <stdio.h>

enum { MOST_WATCHERS = 1024 };
#define SERVICE "inference.GRPCInferenceService"

struct kserve {
	server *server;
	rpc_server *rpc;
	pthread_mutex_t lock; /* of the calls that watch */
	rpc *watchers[MOST_WATCHERS];
	size_t n_watchers;
};

typedef Grpc__Reflection__V1__ServerReflectionRequest reflect_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflect_response;

static void send_message(rpc *c, const void *message)
{
	ds_buf out = { 0 };
	pb_add(message, &out);
	rpc_send(c, ds_buf_view(&out));
	ds_buf_free(&out);
}

static void answer_with(rpc *c, const void *message)
{
	send_message(c, message);
	rpc_end(c, RPC_OK, "");
}

static bool is_ready(const server *s)
{
	return atomic_load(&s->phase) == SERVE_READY;
}

/* ---- the server and its model ---- */

static void server_live(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Inference__ServerLiveResponse a = INFERENCE__SERVER_LIVE_RESPONSE__INIT;
	a.live = true;
	answer_with(c, &a);
}

static void server_ready(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Inference__ServerReadyResponse a = INFERENCE__SERVER_READY_RESPONSE__INIT;
	a.ready = is_ready(k->server);
	answer_with(c, &a);
}

static bool known(const kserve *k, const char *name, const char *version)
{
	return strcmp(name, k->server->name) == 0 && (!version[0] || strcmp(version, "1") == 0);
}

static void model_ready(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Inference__ModelReadyRequest *q =
		pb_read(&inference__model_ready_request__descriptor, bytes, mem);
	Inference__ModelReadyResponse a = INFERENCE__MODEL_READY_RESPONSE__INIT;
	if (!q) {
		rpc_end(c, RPC_INVALID, "not a ModelReadyRequest");
		return;
	}
	a.ready = is_ready(k->server) && known(k, q->name, q->version);
	answer_with(c, &a);
}

static void server_metadata(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Inference__ServerMetadataResponse a = INFERENCE__SERVER_METADATA_RESPONSE__INIT;
	a.name = pb_text(mem, "dsserve");
	a.version = pb_text(mem, DS_VERSION);
	answer_with(c, &a);
}

static void model_metadata(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Inference__ModelMetadataRequest *q =
		pb_read(&inference__model_metadata_request__descriptor, bytes, mem);
	ds_buf out = { 0 };
	if (!q) {
		rpc_end(c, RPC_INVALID, "not a ModelMetadataRequest");
	} else if (atomic_load(&k->server->phase) == SERVE_LOADS) {
		rpc_end(c, RPC_UNAVAILABLE, "the model is being loaded");
	} else if (!known(k, q->name, q->version)) {
		rpc_end(c, RPC_NOT_FOUND, "there is no such model");
	} else {
		infer_describe(k->server, &out, mem);
		rpc_send(c, ds_buf_view(&out));
		rpc_end(c, RPC_OK, "");
	}
	ds_buf_free(&out);
}

static void model_infer(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	infer_run(k->server, c, bytes, false);
}

static void model_stream(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	infer_run(k->server, c, bytes, true);
}

/* ---- health ---- */

static int health_of(const kserve *k, const char *service)
{
	if (service[0] && strcmp(service, SERVICE) != 0 && strcmp(service, k->server->name) != 0)
		return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	return is_ready(k->server)
		       ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
		       : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

static void health_check(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Grpc__Health__V1__HealthCheckRequest *q =
		pb_read(&grpc__health__v1__health_check_request__descriptor, bytes, mem);
	Grpc__Health__V1__HealthCheckResponse a = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	if (!q) {
		rpc_end(c, RPC_INVALID, "not a HealthCheckRequest");
		return;
	}
	a.status = health_of(k, q->service);
	if (a.status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN)
		rpc_end(c, RPC_NOT_FOUND, "there is no such service");
	else
		answer_with(c, &a);
}

/* What it is now, and what it becomes, until the client has enough. */
static void health_watch(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	Grpc__Health__V1__HealthCheckRequest *q =
		pb_read(&grpc__health__v1__health_check_request__descriptor, bytes, mem);
	Grpc__Health__V1__HealthCheckResponse a = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	if (!q) {
		rpc_end(c, RPC_INVALID, "not a HealthCheckRequest");
		return;
	}
	pthread_mutex_lock(&k->lock);
	a.status = health_of(k, q->service);
	bool watches =
		a.status !=
			GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN &&
		k->n_watchers < MOST_WATCHERS && !atomic_load(&c->gone);
	send_message(c, &a);
	if (watches) {
		rpc_hold(c);
		k->watchers[k->n_watchers++] = c;
	}
	pthread_mutex_unlock(&k->lock);
	if (!watches)
		rpc_end(c, RPC_OK, "");
}

void kserve_phase(kserve *k)
{
	Grpc__Health__V1__HealthCheckResponse a = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	a.status = health_of(k, "");
	for (size_t i = 0; i < k->n_watchers; i++)
		send_message(k->watchers[i], &a);
	pthread_mutex_unlock(&k->lock);
}

static void left(void *context, rpc *c)
{
	kserve *k = context;
	bool watched = false;
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_watchers && !watched; i++)
		if (k->watchers[i] == c) {
			k->watchers[i] = k->watchers[--k->n_watchers];
			watched = true;
		}
	pthread_mutex_unlock(&k->lock);
	if (watched)
		rpc_drop(c);
}

/* ---- reflection; both versions have the same messages ---- */

static void reflect_file(reflect_response *a, ds_str file, ds_arena *mem)
{
	if (!file.n) {
		a->message_response_case =
			GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
		a->error_response = pb_new(&grpc__reflection__v1__error_response__descriptor, mem);
		a->error_response->error_code = RPC_NOT_FOUND;
		a->error_response->error_message = pb_text(mem, "nothing of that name");
		return;
	}
	a->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	a->file_descriptor_response =
		pb_new(&grpc__reflection__v1__file_descriptor_response__descriptor, mem);
	a->file_descriptor_response->n_file_descriptor_proto = 1;
	a->file_descriptor_response->file_descriptor_proto =
		ds_arena_get(mem, sizeof(ProtobufCBinaryData));
	a->file_descriptor_response->file_descriptor_proto[0] =
		(ProtobufCBinaryData){ file.n, (uint8_t *)(uintptr_t)file.at };
}

static void reflect_services(reflect_response *a, ds_arena *mem)
{
	Grpc__Reflection__V1__ListServiceResponse *l =
		pb_new(&grpc__reflection__v1__list_service_response__descriptor, mem);
	size_t n = 0;
	while (described_service(n, mem).n)
		n++;
	l->service = ds_arena_get(mem, n * sizeof(*l->service));
	for (; l->n_service < n; l->n_service++) {
		l->service[l->n_service] =
			pb_new(&grpc__reflection__v1__service_response__descriptor, mem);
		l->service[l->n_service]->name =
			(char *)(uintptr_t)described_service(l->n_service, mem).at;
	}
	a->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	a->list_services_response = l;
}

static void reflect(kserve *k, rpc *c, ds_str bytes, ds_arena *mem)
{
	reflect_request *q =
		pb_read(&grpc__reflection__v1__server_reflection_request__descriptor, bytes, mem);
	reflect_response *a =
		pb_new(&grpc__reflection__v1__server_reflection_response__descriptor, mem);
	if (!q) {
		rpc_end(c, RPC_INVALID, "not a ServerReflectionRequest");
		return;
	}
	a->valid_host = q->host;
	a->original_request = q;
	switch (q->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		reflect_file(a, described_file(ds_str_of(q->file_by_filename)), mem);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		reflect_file(a, described_of_symbol(ds_str_of(q->file_containing_symbol)), mem);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		reflect_services(a, mem);
		break;
	default:
		reflect_file(a, (ds_str){ "", 0 }, mem); /* there are no extensions */
	}
	send_message(c, a);
	rpc_next(c);
}

/* ---- all methods ---- */

static const struct {
	const char *name;
	bool open, stream; /* no token is asked for; messages follow */
	void (*take)(kserve *k, rpc *c, ds_str bytes, ds_arena *mem);
} methods[] = {
	{ "/" SERVICE "/ServerLive", true, false, server_live },
	{ "/" SERVICE "/ServerReady", true, false, server_ready },
	{ "/" SERVICE "/ModelReady", false, false, model_ready },
	{ "/" SERVICE "/ServerMetadata", false, false, server_metadata },
	{ "/" SERVICE "/ModelMetadata", false, false, model_metadata },
	{ "/" SERVICE "/ModelInfer", false, false, model_infer },
	{ "/" SERVICE "/ModelStreamInfer", false, true, model_stream },
	{ "/grpc.health.v1.Health/Check", true, false, health_check },
	{ "/grpc.health.v1.Health/Watch", true, false, health_watch },
	{ "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", false, true, reflect },
	{ "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", false, true, reflect },
};
enum { METHODS = sizeof(methods) / sizeof(*methods) };

static void message(void *context, rpc *c, ds_str bytes)
{
	kserve *k = context;
	size_t i = 0;
	while (i < METHODS && strcmp(methods[i].name, c->method) != 0)
		i++;
	if (i == METHODS) {
		rpc_end(c, RPC_UNIMPLEMENTED, "there is no such method");
	} else if (!methods[i].open && !keys_allow(k->server->keys, c->authorization)) {
		rpc_end(c, RPC_UNAUTHENTICATED, "no bearer token, or one that is not known");
	} else if (!bytes.at) {
		bool whole = methods[i].stream;
		rpc_end(c, whole ? RPC_OK : RPC_INVALID, whole ? "" : "no message");
	} else {
		DS_AUTO(ds_arena) mem = ds_arena_new(1 << 10);
		methods[i].take(k, c, bytes, mem);
	}
}

static void over(void *context, rpc *c)
{
	kserve *k = context;
	metrics_rpc(k->server->metrics, c->code);
	access_log(k->server, &(access_line){ .client = c->client,
				      .method = "grpc",
				      .path = c->method,
				      .status = c->code,
				      .began_ns = c->began_ns,
				      .gone = atomic_load(&c->gone) });
}

ds_rc kserve_open(kserve **out, server *s, const rpc_opts *given, ds_buf *at, ds_err *e)
{
	rpc_opts o = *given;
	kserve *k = DS_NEW(kserve, 1);
	*out = k;
	k->server = s;
	pthread_mutex_init(&k->lock, NULL);
	o.message = message;
	o.left = left;
	o.over = over;
	o.context = k;
	return rpc_open(&k->rpc, &o, at, e);
}

void kserve_close(kserve *k)
{
	if (!k)
		return;
	rpc_close(k->rpc);
	pthread_mutex_destroy(&k->lock);
	ds_mem_free(k);
}
