/*
 * serve.h - what all parts of the server share
 *
 * The model and what belongs to it do not change once phase is SERVE_READY.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "base/args.h"
#include "http.h"
#include "keys.h"
#include "metrics.h"
#include "json/json.h"
#include "refuse.h"
#include "sched.h"
#include "text/chat/chat.h"

#include <pthread.h>

typedef enum { SERVE_LOADS, SERVE_READY, SERVE_DRAINS } serve_phase;

enum { SCRATCHES = 4 };
typedef struct server {
	const ds_common *common;
	const char *name; /* the model's, for clients */
	ds_model *model;
	ds_device *device;
	sched *sched;
	ds_arena *mem;        /* for what lives as long as the server */
	ds_chat *chat;        /* NULL: no conversations */
	ds_str template;      /* of conversations, in Jinja */
	const uint32_t *ends; /* ids that end a text */
	size_t n_ends;
	int64_t created; /* seconds since 1970 */
	size_t most_waiting;
	double deadline_s; /* 0: none */
	atomic_int phase;
	atomic_int n_calls; /* that are being answered */
	keys *keys;
	metrics *metrics;
	int log; /* a descriptor for the access log; -1: there is none */
	struct {
		pthread_mutex_t lock;
		ds_tok_scratch *at[SCRATCHES];
	} scratches;
} server;

/* The model, its tokenizer, its layout of conversations; then it is ready. */
DS_MUST ds_rc serve_load(server *s, const sched_opts *o, const char *dir, bool ignore_keys,
	const char *layout, ds_err *e);
void serve_unload(server *s);
bool serve_is_encoder(const server *s);
bool serve_has_labels(const server *s);

/* Ids of a text, in mem. */
bool serve_encode(server *s, ds_str text, unsigned flags, ds_arena *mem, const uint32_t **ids,
	size_t *n, refusal *r);
/* Of a conversation, with the opening of an answer; messages: OpenAI's list. */
bool serve_encode_chat(server *s, const ds_json *messages, bool open, ds_arena *mem,
	const uint32_t **ids, size_t *n, refusal *r);
/* An array of ids that the model has. */
bool serve_read_ids(const server *s, const ds_json *list, const char *param, ds_arena *mem,
	const uint32_t **ids, size_t *n, refusal *r);
bool serve_check_model(const server *s, ds_str name, refusal *r); /* empty: any */
/* Why nothing is taken now: it loads, or it drains. */
bool serve_takes(const server *s, refusal *r);
bool serve_put(server *s, work *const *works, size_t n, refusal *r);
/* What a work that did not end well is answered with. */
void serve_work_refusal(work_end end, const char *why, refusal *r);

#endif
