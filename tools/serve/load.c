/*
 * load.c - the model and what clients say to it: texts, ids, conversations
 */
#include "serve.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "model/own_chat.h"

bool serve_is_encoder(const server *s)
{
	return ds_model_config(s->model)->arch->traits & DS_ARCH_ENCODER;
}

bool serve_has_labels(const server *s)
{
	return serve_is_encoder(s) && ds_model_config(s->model)->head == DS_HEAD_SEQ;
}

/* Where a tokenizer is, a layout of conversations; one that asks for tokens which it lacks is none unless it was named. */
static ds_rc load_chat(server *s, const char *layout, ds_err *e)
{
	const ds_chat_layout *l;
	const char *dir = ds_model_dir(s->model);
	ds_buf jinja = { 0 };
	if (!ds_model_tok(s->model) || serve_is_encoder(s))
		return layout ? ds_fail(e, DS_USAGE, "--chat: a model that holds no conversations")
			      : DS_OK;
	if (!ds_own_chat_has(dir))
		dir = ds_model_base(s->model);
	ds_err why;
	ds_rc rc = ds_own_chat(&l, layout, dir, s->mem, &why);
	if (rc == DS_OK)
		rc = ds_chat_open(&s->chat, l, ds_model_tok(s->model), &why);
	if (rc != DS_OK && layout) {
		*e = why;
		return rc;
	}
	if (rc != DS_OK) {
		ds_warn(&s->common->who, "no conversations: %s", why.msg);
		return DS_OK;
	}
	ds_chat_jinja(ds_chat_of(s->chat), &jinja);
	s->template = ds_arena_str(s->mem, ds_buf_view(&jinja));
	ds_buf_free(&jinja);
	return DS_OK;
}

static void settle_ends(server *s)
{
	size_t n;
	const int64_t *ends = ds_model_ends(s->model, &n);
	uint32_t *all = ds_arena_get(s->mem, (n + 1) * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		if (ends[i] >= 0 && ends[i] < UINT32_MAX)
			all[s->n_ends++] = (uint32_t)ends[i];
	s->ends = all;
}

/* Fewer slots where memory is short: one always has to fit. */
static ds_rc fit_slots(const server *s, sched_opts *o, ds_err *e)
{
	int64_t asked = o->slots, longest = ds_model_longest(s->model);
	if (o->context > longest)
		return ds_fail(e, DS_USAGE, "--context %lld, the model's is %lld",
			(long long)o->context, (long long)longest);
	if (!o->context)
		o->context = longest < 4096 ? longest : 4096;
	for (; o->slots > 1; o->slots /= 2) {
		ds_slots_opts how = { .slots = o->slots,
			.context = o->context,
			.precision = o->precision,
			.scores = true };
		uint64_t bytes;
		DS_TRY(ds_slots_bytes(s->model, ds_device_backend(s->device),
			(unsigned)s->common->jobs, &how, &bytes, e));
		if (bytes <= o->limit_bytes)
			break;
	}
	if (o->slots < asked)
		ds_warn(&s->common->who,
			"%lld texts of %lld tokens at once instead of %lld: %.0f MiB of memory",
			(long long)o->slots, (long long)o->context, (long long)asked,
			(double)o->limit_bytes / (1 << 20));
	return DS_OK;
}

ds_rc serve_load(server *s, const sched_opts *given, const char *dir, bool ignore_keys,
	const char *layout, ds_err *e)
{
	sched_opts o = *given;
	ds_model_opts how = { .soft = true, .ignore_keys = ignore_keys };
	DS_TRY(ds_model_open_with(&s->model, dir, &how, e));
	DS_TRY(ds_device_open(&s->device, NULL, (unsigned)s->common->jobs, e));
	DS_TRY(load_chat(s, layout, e));
	settle_ends(s);
	o.model = s->model;
	o.device = s->device;
	o.labels = serve_has_labels(s);
	o.most_waiting = s->most_waiting;
	if (serve_is_encoder(s))
		o.slots = 0;
	else
		DS_TRY(fit_slots(s, &o, e));
	DS_TRY(sched_open(&s->sched, &o, e));
	atomic_store(&s->phase, SERVE_READY);
	return DS_OK;
}

void serve_unload(server *s)
{
	sched_close(s->sched);
	ds_chat_close(s->chat);
	for (size_t i = 0; i < SCRATCHES; i++)
		ds_tok_scratch_free(s->scratches.at[i]);
	ds_device_close(s->device);
	ds_model_close(s->model);
}

/* ---- what clients send ---- */

static ds_tok_scratch *borrow(server *s)
{
	ds_tok_scratch *got = NULL;
	pthread_mutex_lock(&s->scratches.lock);
	for (size_t i = 0; i < SCRATCHES && !got; i++) {
		got = s->scratches.at[i];
		s->scratches.at[i] = NULL;
	}
	pthread_mutex_unlock(&s->scratches.lock);
	return got ? got : ds_tok_scratch_new(ds_model_tok(s->model));
}

static void give_back(server *s, ds_tok_scratch *t)
{
	pthread_mutex_lock(&s->scratches.lock);
	for (size_t i = 0; i < SCRATCHES && t; i++)
		if (!s->scratches.at[i]) {
			s->scratches.at[i] = t;
			t = NULL;
		}
	pthread_mutex_unlock(&s->scratches.lock);
	ds_tok_scratch_free(t);
}

bool serve_encode(server *s, ds_str text, unsigned flags, ds_arena *mem, const uint32_t **ids,
	size_t *n, refusal *r)
{
	ds_err e;
	if (!ds_model_tok(s->model))
		return refuse(r, 400, "no_tokenizer", NULL,
			"the model has no tokenizer: it takes ids alone");
	ds_tok_scratch *t = borrow(s);
	ds_rc rc = ds_tok_encode(ds_model_tok(s->model), t, text, flags, ids, n, &e);
	if (rc == DS_OK)
		*ids = memcpy(
			ds_arena_get(mem, (*n + 1) * sizeof(**ids)), *ids, *n * sizeof(**ids));
	give_back(s, t);
	return rc == DS_OK || refuse(r, 400, NULL, NULL, "%s", e.msg);
}

bool serve_encode_chat(server *s, const ds_json *messages, bool open, ds_arena *mem,
	const uint32_t **ids, size_t *n, refusal *r)
{
	ds_chat_turns turns;
	ds_chat_tokens out;
	ds_err e;
	if (!s->chat)
		return refuse(r, 400, "not_supported", NULL, "the model holds no conversations");
	if (messages->kind != DS_J_ARR || !messages->n)
		return refuse(r, 400, "invalid_type", "messages",
			"'messages' is not an array with a message in it");
	ds_rc rc = ds_chat_read(&turns, messages, mem, &e);
	if (rc != DS_OK)
		return refuse(r, 400, NULL, "messages", "%s", e.msg);
	ds_tok_scratch *t = borrow(s);
	rc = ds_chat_encode(s->chat, t, &turns, open, mem, &out, &e);
	give_back(s, t);
	*ids = out.ids;
	*n = out.n;
	return rc == DS_OK || refuse(r, 400, NULL, "messages", "%s", e.msg);
}

bool serve_read_ids(const server *s, const ds_json *list, const char *param, ds_arena *mem,
	const uint32_t **ids, size_t *n, refusal *r)
{
	uint32_t *to = ds_arena_get(mem, (list->n + 1) * sizeof(*to));
	int64_t most = ds_model_config(s->model)->vocab_size;
	*n = 0;
	for (const ds_json *v = list->first; v; v = v->next) {
		if (v->kind != DS_J_I64)
			return refuse(r, 400, "invalid_type", param,
				"'%s' is an array with something in it that is no token id", param);
		if (v->i < 0 || v->i >= most)
			return refuse(r, 400, "invalid_value", param,
				"'%s': token id %lld, the model has %lld", param, (long long)v->i,
				(long long)most);
		to[(*n)++] = (uint32_t)v->i;
	}
	*ids = to;
	return true;
}

bool serve_check_model(const server *s, ds_str name, refusal *r)
{
	if (!name.n || ds_str_is(name, s->name))
		return true;
	ds_buf b = { 0 };
	ds_buf_add_shown(&b, (ds_str){ name.at, name.n < 200 ? name.n : 200 });
	refuse(r, 404, "model_not_found", "model", "there is no model '%s' here, but '%s'",
		ds_buf_text(&b), s->name);
	ds_buf_free(&b);
	return false;
}

bool serve_takes(const server *s, refusal *r)
{
	serve_phase p = atomic_load(&s->phase);
	if (p == SERVE_READY)
		return true;
	refuse(r, 503, p == SERVE_LOADS ? "loading" : "draining", NULL,
		p == SERVE_LOADS ? "the model is being loaded" : "the server is about to end");
	r->retry_s = p == SERVE_LOADS ? 1 : 5;
	return false;
}

bool serve_put(server *s, work *const *works, size_t n, refusal *r)
{
	if (sched_put(s->sched, works, n))
		return true;
	if (!serve_takes(s, r))
		return false;
	double wait = sched_look(s->sched).wait_s;
	refuse(r, 429, NULL, NULL, "the queue is full: %zu wait already", s->most_waiting);
	r->retry_s = wait < 0.05 ? 0.05 : wait > 120 ? 120 : wait;
	return false;
}

void serve_work_refusal(work_end end, const char *why, refusal *r)
{
	switch (end) {
	case WORK_LATE:
		refuse(r, 504, NULL, NULL, "not done within its time");
		break;
	case WORK_GONE:
	case WORK_STOPPED:
		refuse(r, 503, "draining", NULL, "the server ends");
		r->retry_s = 5;
		break;
	default:
		refuse(r, 500, NULL, NULL, "%s", why ? why : "it failed");
	}
}
