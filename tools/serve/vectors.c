/*
 * vectors.c - /v1/embeddings and /classify: what a model says of whole texts
 */
#include "answers.h"
#include "base/base64.h"
#include "base/mem.h"
#include "clock.h"
#include "reply.h"

#include <math.h>

#define INPUTS \
	"\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}," \
	"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}," \
	"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}]"

typedef struct {
	ds_str model, format;
	const ds_json *input;
	int64_t dimensions, truncate;
	bool add_special;
} ask;

#define AT(member) offsetof(ask, member)
#define BOTH (VECTOR_EMBED | VECTOR_CLASSIFY)
const field vector_fields[] = {
	{ "model", FIELD_TEXT, BOTH, AT(model), 0, 0, NULL,
		"The model's name, as /v1/models lists it." },
	{ "input", FIELD_JSON, BOTH, AT(input), 0, 0, INPUTS,
		"A text, several, token ids, or several lists of them." },
	{ "encoding_format", FIELD_TEXT, VECTOR_EMBED, AT(format), 0, 0, NULL,
		"float, or base64: little-endian 32-bit floats (float)." },
	{ "dimensions", FIELD_INT, VECTOR_EMBED, AT(dimensions), 1, 1 << 24, NULL,
		"Only what the model has." },
	{ "truncate_prompt_tokens", FIELD_INT, BOTH, AT(truncate), -1, 1 << 24, NULL,
		"Only the first so many tokens of a text; -1: as many as the model takes." },
	{ "add_special_tokens", FIELD_BOOL, BOTH, AT(add_special), 0, 0, NULL,
		"Put around a text what the tokenizer does (true)." },
	{ "user", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ 0 },
};

typedef struct {
	server *server;
	http_call *call;
	ds_arena *mem;
	ask ask;
	bool labels, base64;
	work *works;
	size_t n, left, width, n_tokens;
	work_end end;
	ds_err why;
	int64_t created;
} vectors;

static void vectors_free(void *own)
{
	vectors *v = own;
	ds_arena_free(v->mem);
	ds_mem_free(v);
}

/* ---- input ---- */

static bool one_input(vectors *v, const ds_json *in, work *w, refusal *r)
{
	int64_t longest = sched_longest(v->server->sched, v->labels ? WORK_LABEL : WORK_VECTOR);
	ds_slot_ask *a = &w->ask;
	unsigned flags = v->ask.add_special ? DS_TOK_ADD_SPECIAL : 0;
	if (in->kind != DS_J_STR && in->kind != DS_J_ARR)
		return refuse(r, 400, "invalid_type", "input",
			"'input' is not a string, an array of strings, of token ids, or of arrays "
			"of these");
	if (in->kind == DS_J_STR ? !serve_encode(v->server, in->s, flags, v->mem, &a->prompt,
					   &a->n_prompt, r)
				 : !serve_read_ids(v->server, in, "input", v->mem, &a->prompt,
					   &a->n_prompt, r))
		return false;
	int64_t most = v->ask.truncate < 0 ? longest : v->ask.truncate;
	if (v->ask.truncate && (int64_t)a->n_prompt > most)
		a->n_prompt = (size_t)most;
	if (!a->n_prompt)
		return refuse(
			r, 400, "invalid_value", "input", "'input' has a text without a token");
	for (size_t i = 0; i < a->n_prompt; i++)
		if (a->prompt[i] >= ds_model_config(v->server->model)->vocab_size)
			return refuse(r, 400, "invalid_value", "input",
				"token id %u, the model has %lld", a->prompt[i],
				(long long)ds_model_config(v->server->model)->vocab_size);
	if ((int64_t)a->n_prompt > longest)
		return refuse(r, 400, "context_length_exceeded", "input",
			"a text of %zu tokens, the model takes %lld", a->n_prompt,
			(long long)longest);
	v->n_tokens += a->n_prompt;
	return true;
}

static bool read_inputs(vectors *v, refusal *r)
{
	const ds_json *in = v->ask.input;
	if (!in)
		return refuse(r, 400, "missing_required_parameter", "input", "'input' is missing");
	bool several = in->kind == DS_J_ARR && in->n && in->first->kind != DS_J_I64;
	v->n = several ? in->n : 1;
	if (v->n > v->server->most_waiting)
		return refuse(r, 400, "invalid_value", "input",
			"%zu texts at once, the limit is %zu", v->n, v->server->most_waiting);
	v->works = ds_arena_zero(v->mem, v->n * sizeof(*v->works));
	if (!several)
		return one_input(v, in, v->works, r);
	size_t i = 0;
	for (const ds_json *m = in->first; m; m = m->next)
		if (!one_input(v, m, &v->works[i++], r))
			return false;
	return true;
}

static bool check_ask(vectors *v, refusal *r)
{
	const ds_config *c = ds_model_config(v->server->model);
	const ask *a = &v->ask;
	v->width = (size_t)(v->labels ? c->n_labels : c->hidden_size);
	v->base64 = ds_str_is(a->format, "base64");
	if (a->format.n && !v->base64 && !ds_str_is(a->format, "float"))
		return refuse(r, 400, "invalid_value", "encoding_format",
			"'encoding_format' is neither float nor base64");
	if (a->dimensions && (size_t)a->dimensions != v->width)
		return refuse(r, 400, "unsupported_parameter", "dimensions",
			"'dimensions' is %lld, the model has %zu", (long long)a->dimensions,
			v->width);
	if (v->labels && !serve_has_labels(v->server))
		return refuse(
			r, 400, "not_supported", "model", "the model is no classifier of texts");
	if (!v->labels && ds_model_soft(v->server->model))
		return refuse(r, 400, "not_supported", "model",
			"a model with virtual tokens gives no vectors");
	return serve_check_model(v->server, a->model, r);
}

/* ---- answers ---- */

static void add_floats(const float *x, size_t n, ds_buf *out)
{
	ds_buf_add_c(out, "[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			ds_buf_add_byte(out, ',');
		ds_buf_reserve(out, 32);
		out->n += ds_f32_print(out->at + out->n, x[i]);
	}
	ds_buf_add_c(out, "]");
}

static void add_base64(const float *x, size_t n, ds_buf *out)
{
	ds_str bytes = { (const char *)x, n * sizeof(*x) }; /* little-endian, as this machine is */
	ds_buf_add_c(out, "\"");
	ds_buf_reserve(out, bytes.n * 4 / 3 + 8);
	out->n += ds_base64_encode(out->at + out->n, bytes);
	ds_buf_add_c(out, "\"");
}

static void add_vector(const vectors *v, size_t i, ds_buf *out)
{
	ds_buf_fmt(out, "{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i);
	if (v->base64)
		add_base64(v->works[i].out, v->width, out);
	else
		add_floats(v->works[i].out, v->width, out);
	ds_buf_add_c(out, "}");
}

/* The softmax of the logits, and the label with the largest. */
static void add_label(const vectors *v, size_t i, ds_buf *out)
{
	const ds_config *c = ds_model_config(v->server->model);
	const float *logits = v->works[i].out;
	float *p = ds_arena_get(v->mem, v->width * sizeof(*p));
	size_t best = 0;
	double sum = 0;
	for (size_t k = 1; k < v->width; k++)
		best = logits[k] > logits[best] ? k : best;
	for (size_t k = 0; k < v->width; k++)
		sum += exp((double)logits[k] - logits[best]);
	for (size_t k = 0; k < v->width; k++)
		p[k] = (float)(exp((double)logits[k] - logits[best]) / sum);
	ds_buf_fmt(out, "{\"index\":%zu,\"label\":", i);
	ds_json_add_str(out, ds_str_of(c->labels[best]));
	ds_buf_fmt(out, ",\"num_classes\":%zu,\"probs\":", v->width);
	add_floats(p, v->width, out);
	ds_buf_add_c(out, "}");
}

static void render(http_call *call)
{
	const vectors *v = call->own;
	ds_buf out = { 0 };
	refusal r;
	if (v->end != WORK_DONE) {
		serve_work_refusal(v->end, v->why.msg, &r);
		refusal_answer(&r, call);
		return;
	}
	ds_buf_add_c(&out, "{\"object\":\"list\",");
	if (v->labels)
		ds_buf_fmt(&out, "\"id\":\"classify-%s\",\"created\":%lld,", call->id,
			(long long)v->created);
	ds_buf_add_c(&out, "\"model\":");
	ds_json_add_str(&out, ds_str_of(v->server->name));
	ds_buf_add_c(&out, ",\"data\":[");
	for (size_t i = 0; i < v->n; i++) {
		ds_buf_add_c(&out, i ? "," : "");
		if (v->labels)
			add_label(v, i, &out);
		else
			add_vector(v, i, &out);
	}
	ds_buf_add_c(&out, "],");
	if (v->labels)
		reply_usage(v->n_tokens, 0, 0, &out);
	else
		ds_buf_fmt(&out, "\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}",
			v->n_tokens, v->n_tokens);
	ds_buf_add_c(&out, "}");
	http_answer(call, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}

/* On the scheduler's thread. After the last one it may be freed at any time. */
static void one_done(work *w, work_end end, const char *why)
{
	vectors *v = w->owner;
	http_call *call = v->call;
	if (end != WORK_DONE && v->end == WORK_DONE) {
		v->end = end;
		snprintf(v->why.msg, sizeof(v->why.msg), "%s", why ? why : "");
	}
	metrics_seconds(v->server->metrics, TIME_ALL, (double)(clock_ns() - w->put_ns) / 1e9);
	if (w->begun_ns)
		metrics_seconds(
			v->server->metrics, TIME_QUEUE, (double)(w->begun_ns - w->put_ns) / 1e9);
	if (--v->left)
		return;
	metrics_vectors(v->server->metrics, v->n, v->n_tokens);
	http_wake(call);
	http_drop(call);
}

/* ---- requests ---- */

static void put_all(vectors *v, refusal *r)
{
	work **works = ds_arena_get(v->mem, v->n * sizeof(work *));
	uint64_t deadline = serve_deadline(v->server, v->call);
	http_call *call = v->call;
	for (size_t i = 0; i < v->n; i++) {
		work *w = works[i] = &v->works[i];
		w->kind = v->labels ? WORK_LABEL : WORK_VECTOR;
		w->out = ds_arena_get(v->mem, v->width * sizeof(float));
		w->gone = &call->gone;
		w->deadline_ns = deadline;
		w->done = one_done;
		w->owner = v;
	}
	v->left = v->n;
	call->in_tokens = v->n_tokens;
	http_later(call, render);
	http_hold(call);
	if (serve_put(v->server, works, v->n, r))
		return;
	refusal_answer(r, call);
	http_wake(call);
	http_drop(call);
}

static void serve_vectors(server *s, http_call *call, unsigned kind)
{
	refusal r;
	const ds_json *request;
	vectors *v = DS_NEW(vectors, 1);
	*v = (vectors){ .server = s,
		.call = call,
		.mem = ds_arena_new(1 << 12),
		.labels = kind == VECTOR_CLASSIFY,
		.created = time(NULL),
		.ask.add_special = true };
	call->own = v;
	call->drop_own = vectors_free;
	if (serve_takes(s, &r) && fields_object(call->body, v->mem, &request, &r) &&
		fields_read(vector_fields, kind, request, &v->ask, &r) && check_ask(v, &r) &&
		read_inputs(v, &r))
		put_all(v, &r);
	else
		refusal_answer(&r, call);
}

void answer_embed(server *s, http_call *call)
{
	serve_vectors(s, call, VECTOR_EMBED);
}

void answer_classify(server *s, http_call *call)
{
	serve_vectors(s, call, VECTOR_CLASSIFY);
}
