/*
 * infer.c - a request's tensors become works, and what comes of these becomes tensors
 */
#include "infer.h"

#include "base/mem.h"
#include "clock.h"
#include "gen.h"
#include "likelihoods.h"
#include "pb.h"
#include "tensors.h"

#include <math.h>

typedef struct {
	server *server;
	rpc *call;
	ds_arena *mem;
	const infer_request *request;
	bool stream, pieces; /* pieces: an answer for each piece of the text */
	gen *gen;            /* of texts */
	/* of vectors and labels */
	bool labels, wants_label, wants_vector, wants_text, wants_logprobs;
	work *works;
	float *out;
	size_t n, left, width, n_tokens;
	work_end end;
	ds_err failed;
	uint64_t deadline_ns;
} infer;

static void infer_free(infer *f)
{
	server *s = f->server;
	rpc *c = f->call;
	if (f->gen)
		gen_drop(f->gen);
	ds_arena_free(f->mem);
	ds_mem_free(f);
	rpc_drop(c);
	atomic_fetch_sub(&s->n_calls, 1);
}

/* ---- answers ---- */

static infer_response *new_response(const infer *f, ds_arena *mem)
{
	infer_response *a = pb_new(&inference__model_infer_response__descriptor, mem);
	a->model_name = pb_text(mem, f->server->name);
	a->model_version = pb_text(mem, "1");
	a->id = pb_text(mem, f->request ? f->request->id : "");
	return a;
}

/* That nothing follows, as Triton's clients look for it. */
static void mark_final(infer_response *a, ds_arena *mem)
{
	Inference__ModelInferResponse__ParametersEntry *e =
		pb_new(&inference__model_infer_response__parameters_entry__descriptor, mem);
	e->key = pb_text(mem, "triton_final_response");
	e->value = pb_new(&inference__infer_parameter__descriptor, mem);
	e->value->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM;
	e->value->bool_param = true;
	a->parameters = ds_arena_get(mem, sizeof(*a->parameters));
	a->parameters[0] = e;
	a->n_parameters = 1;
}

static void send(infer *f, infer_response *a, bool last, ds_arena *mem)
{
	ds_buf out = { 0 };
	if (f->stream) {
		Inference__ModelStreamInferResponse *s =
			pb_new(&inference__model_stream_infer_response__descriptor, mem);
		s->infer_response = a;
		if (last)
			mark_final(a, mem);
		pb_add(s, &out);
	} else {
		pb_add(a, &out);
	}
	rpc_send(f->call, ds_buf_view(&out));
	ds_buf_free(&out);
}

static void end_well(infer *f)
{
	if (f->stream)
		rpc_next(f->call);
	else
		rpc_end(f->call, RPC_OK, "");
	infer_free(f);
}

static void end_badly(infer *f, const refusal *r)
{
	if (!f->stream) {
		rpc_end(f->call, refusal_grpc(r), r->why.msg);
		infer_free(f);
		return;
	}
	ds_buf out = { 0 };
	Inference__ModelStreamInferResponse *s =
		pb_new(&inference__model_stream_infer_response__descriptor, f->mem);
	s->error_message = pb_text(f->mem, r->why.msg);
	s->infer_response = new_response(f, f->mem);
	pb_add(s, &out);
	rpc_send(f->call, ds_buf_view(&out));
	ds_buf_free(&out);
	end_well(f);
}

/* ---- texts ---- */

static void send_piece(gen *g, gen_choice *c)
{
	infer *f = g->own;
	size_t sure = c->answer.sure;
	if (sure <= c->n_sent)
		return;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 10);
	infer_response *a = new_response(f, mem);
	ds_str text = { c->answer.text.at + c->n_sent, sure - c->n_sent };
	tensor_add_texts(a, "text_output", &text, 1, mem);
	send(f, a, false, mem);
	c->n_sent = sure;
}

static ds_str whole_text(const gen *g, const gen_choice *c, ds_arena *mem)
{
	ds_str head = g->ask.echo ? c->prompt_text : DS_S(""), tail = ds_answer_text(&c->answer);
	char *to = ds_arena_bytes(mem, head.n + tail.n + 1);
	memcpy(to, head.at, head.n);
	memcpy(to + head.n, tail.at, tail.n);
	return (ds_str){ to, head.n + tail.n };
}

static void texts_over(gen *g)
{
	infer *f = g->own;
	refusal r;
	if (g->end != WORK_DONE) {
		serve_work_refusal(g->end, g->why.msg, &r);
		end_badly(f, &r);
		return;
	}
	infer_response *a = new_response(f, f->mem);
	ds_str *texts = ds_arena_get(f->mem, g->n * sizeof(*texts));
	for (size_t i = 0; i < g->n; i++)
		texts[i] = f->pieces ? DS_S("") : whole_text(g, &g->choices[i], f->mem);
	tensor_add_texts(a, "text_output", texts, g->n, f->mem);
	if (g->with_logprobs)
		likelihoods_add(g, a, f->mem);
	send(f, a, true, f->mem);
	end_well(f);
}

/* Texts, or ids [n, length], as what a request for completions has under `prompt`. */
static ds_json *prompts_json(const tensor *t, ds_arena *mem, refusal *r)
{
	if (strcmp(t->name, "text_input") == 0)
		return (ds_json *)(uintptr_t)tensor_json(t, "prompt", mem, r);
	ds_json *all = json_node(DS_J_ARR, "prompt", mem), *row = NULL;
	int64_t *ids = ds_arena_get(mem, (t->n + 1) * sizeof(*ids));
	size_t length = t->n_dims ? (size_t)t->shape[t->n_dims - 1] : 0;
	if (!tensor_ids(t, ids, r))
		return NULL;
	const ds_json **end = NULL, **row_end = &all->first;
	for (size_t i = 0; i < t->n; i++) {
		if (i % length == 0) {
			row = json_node(DS_J_ARR, NULL, mem);
			*row_end = row;
			row_end = &row->next;
			end = &row->first;
			all->n++;
		}
		ds_json *v = json_node(DS_J_I64, NULL, mem);
		v->i = ids[i];
		*end = v;
		end = &v->next;
		row->n++;
	}
	return all;
}

static bool passed_over(const char *name)
{
	return strcmp(name, "priority") == 0 || strcmp(name, "timeout") == 0 ||
	       strcmp(name, "stream") == 0 ||
	       strcmp(name, "triton_enable_empty_final_response") == 0;
}

/* The request as an object that a request for completions would be. */
static ds_json *request_json(infer *f, refusal *r)
{
	const infer_request *q = f->request;
	ds_json *o = json_node(DS_J_OBJ, NULL, f->mem);
	bool has_logprobs = false;
	for (size_t i = 0; i < q->n_parameters; i++) {
		ds_json *v = parameter_json(q->parameters[i]->value, f->mem);
		if (!v || passed_over(q->parameters[i]->key))
			continue;
		v->key = ds_str_of(q->parameters[i]->key);
		has_logprobs = has_logprobs || ds_str_is(v->key, "logprobs");
		json_append(o, v);
	}
	if (f->wants_logprobs && !has_logprobs)
		json_append(o, json_node(DS_J_I64, "logprobs", f->mem)); /* 0: no alternatives */
	for (size_t i = 0; i < q->n_inputs; i++) {
		tensor t;
		if (!tensor_read(q, i, &t, r))
			return NULL;
		bool prompt = strcmp(t.name, "text_input") == 0 || strcmp(t.name, "input_ids") == 0;
		if (!prompt && passed_over(t.name))
			continue;
		ds_json *v = prompt ? prompts_json(&t, f->mem, r)
				    : (ds_json *)(uintptr_t)tensor_json(&t, t.name, f->mem, r);
		if (!v)
			return NULL;
		json_append(o, v);
	}
	return o;
}

static bool start_texts(infer *f, refusal *r)
{
	ds_json *o = request_json(f, r);
	if (!o)
		return false;
	f->gen = gen_new(f->server, GEN_TEXT, o, ds_arena_new(1 << 12), r);
	if (!f->gen)
		return false;
	if (f->pieces && f->gen->n != 1)
		return refuse(r, 400, NULL, "text_input",
			"a stream of pieces is of one text, not %zu", f->gen->n);
	f->gen->own = f;
	f->gen->piece = f->pieces ? send_piece : NULL;
	f->gen->over = texts_over;
	return gen_start(f->gen, &f->call->gone, f->deadline_ns, r);
}

/* ---- vectors and labels ---- */

static void add_labels(infer *f, infer_response *a)
{
	const ds_config *c = ds_model_config(f->server->model);
	ds_str *labels = ds_arena_get(f->mem, f->n * sizeof(*labels));
	for (size_t i = 0; i < f->n; i++) {
		float *p = f->out + i * f->width;
		size_t best = 0;
		double sum = 0;
		for (size_t k = 1; k < f->width; k++)
			best = p[k] > p[best] ? k : best;
		float top = p[best];
		for (size_t k = 0; k < f->width; k++)
			sum += exp((double)p[k] - top);
		for (size_t k = 0; k < f->width; k++)
			p[k] = (float)(exp((double)p[k] - top) / sum);
		labels[i] = ds_str_of(c->labels[best]);
	}
	tensor_add_texts(a, "label", labels, f->n, f->mem);
	tensor_add_f32(a, "probabilities", f->out, (int64_t)f->n, (int64_t)f->width, f->mem);
}

static void one_done(work *w, work_end end, const char *why)
{
	infer *f = w->owner;
	refusal r;
	if (end != WORK_DONE && f->end == WORK_DONE) {
		f->end = end;
		snprintf(f->failed.msg, sizeof(f->failed.msg), "%s", why ? why : "");
	}
	if (--f->left)
		return;
	if (f->end != WORK_DONE) {
		serve_work_refusal(f->end, f->failed.msg, &r);
		end_badly(f, &r);
		return;
	}
	metrics_vectors(f->server->metrics, f->n, f->n_tokens);
	infer_response *a = new_response(f, f->mem);
	if (f->labels)
		add_labels(f, a);
	else
		tensor_add_f32(a, "embedding", f->out, (int64_t)f->n, (int64_t)f->width, f->mem);
	send(f, a, true, f->mem);
	end_well(f);
}

/* The prompts of works, checked against the model. */
static bool read_work(infer *f, const ds_json *v, work *w, refusal *r)
{
	const server *s = f->server;
	int64_t longest = sched_longest(s->sched, f->labels ? WORK_LABEL : WORK_VECTOR);
	ds_slot_ask *a = &w->ask;
	if (v->kind == DS_J_STR
			? !serve_encode(f->server, v->s, DS_TOK_ADD_SPECIAL, f->mem, &a->prompt,
				  &a->n_prompt, r)
			: !serve_read_ids(s, v, "input_ids", f->mem, &a->prompt, &a->n_prompt, r))
		return false;
	f->n_tokens += a->n_prompt;
	if (a->n_prompt && (int64_t)a->n_prompt <= longest)
		return true;
	return refuse(r, 400, NULL, "text_input", "a text of %zu tokens, the model takes 1 to %lld",
		a->n_prompt, (long long)longest);
}

static bool read_works(infer *f, refusal *r)
{
	const infer_request *q = f->request;
	ds_json *all = NULL;
	for (size_t i = 0; i < q->n_inputs; i++) {
		tensor t;
		if (!tensor_read(q, i, &t, r))
			return false;
		if (strcmp(t.name, "text_input") != 0 && strcmp(t.name, "input_ids") != 0)
			return refuse(r, 400, NULL, t.name, "there is no input '%.60s'", t.name);
		if (!(all = prompts_json(&t, f->mem, r)))
			return false;
	}
	if (!all || !all->n || all->n > f->server->most_waiting)
		return refuse(r, 400, NULL, "text_input", "no text, or more than %zu",
			f->server->most_waiting);
	f->works = ds_arena_zero(f->mem, all->n * sizeof(*f->works));
	for (const ds_json *v = all->first; v; v = v->next)
		if (!read_work(f, v, &f->works[f->n++], r))
			return false;
	return true;
}

static bool start_works(infer *f, refusal *r)
{
	const ds_config *c = ds_model_config(f->server->model);
	f->width = (size_t)(f->labels ? c->n_labels : c->hidden_size);
	if (!f->labels && ds_model_soft(f->server->model))
		return refuse(r, 400, NULL, NULL, "a model with virtual tokens gives no vectors");
	if (!read_works(f, r))
		return false;
	work **works = ds_arena_get(f->mem, f->n * sizeof(work *));
	f->out = ds_arena_get(f->mem, f->n * f->width * sizeof(*f->out));
	f->left = f->n;
	for (size_t i = 0; i < f->n; i++) {
		work *w = works[i] = &f->works[i];
		w->kind = f->labels ? WORK_LABEL : WORK_VECTOR;
		w->out = f->out + i * f->width;
		w->gone = &f->call->gone;
		w->deadline_ns = f->deadline_ns;
		w->done = one_done;
		w->owner = f;
	}
	return serve_put(f->server, works, f->n, r);
}

/* ---- requests ---- */

/* Which outputs are wanted; without any, what the model is for. */
static bool read_outputs(infer *f, refusal *r)
{
	const infer_request *q = f->request;
	bool encoder = serve_is_encoder(f->server), labels = serve_has_labels(f->server);
	for (size_t i = 0; i < q->n_outputs; i++) {
		const char *name = q->outputs[i]->name;
		bool text = strcmp(name, "text_output") == 0 && !encoder;
		bool label = (strcmp(name, "label") == 0 || strcmp(name, "probabilities") == 0) &&
			     labels;
		bool vector = strcmp(name, "embedding") == 0;
		if (!encoder && likelihoods_has(name))
			text = f->wants_logprobs = true;
		if (!text && !label && !vector)
			return refuse(r, 400, NULL, name, "there is no output '%.60s'", name);
		f->wants_text = f->wants_text || text;
		f->wants_label = f->wants_label || label;
		f->wants_vector = f->wants_vector || vector;
	}
	if (f->wants_text + f->wants_label + f->wants_vector > 1)
		return refuse(r, 400, NULL, "outputs",
			"texts, labels and vectors are asked for one by one");
	if (!q->n_outputs) {
		f->wants_text = !encoder;
		f->wants_label = labels;
	}
	f->labels = f->wants_label;
	return true;
}

/* Whether pieces are wanted is said by a tensor or a parameter. */
static bool read_stream(infer *f, refusal *r)
{
	const infer_request *q = f->request;
	for (size_t i = 0; i < q->n_parameters; i++) {
		const Inference__InferParameter *p = q->parameters[i]->value;
		if (strcmp(q->parameters[i]->key, "stream") == 0 && p &&
			p->parameter_choice_case ==
				INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM)
			f->pieces = p->bool_param;
	}
	for (size_t i = 0; i < q->n_inputs; i++) {
		tensor t;
		if (strcmp(q->inputs[i]->name, "stream") != 0)
			continue;
		if (!tensor_read(q, i, &t, r))
			return false;
		const ds_json *v = tensor_json(&t, "stream", f->mem, r);
		if (!v)
			return false;
		f->pieces = v->kind == DS_J_BOOL && v->b;
	}
	return !f->pieces || f->stream ||
	       refuse(r, 400, NULL, "stream", "pieces come by ModelStreamInfer alone");
}

static bool start(infer *f, ds_str bytes, refusal *r)
{
	f->request = pb_read(&inference__model_infer_request__descriptor, bytes, f->mem);
	if (!f->request)
		return refuse(r, 400, NULL, NULL, "not a ModelInferRequest");
	if (!serve_takes(f->server, r) ||
		!serve_check_model(f->server, ds_str_of(f->request->model_name), r))
		return false;
	const char *version = f->request->model_version;
	if (version[0] && strcmp(version, "1") != 0)
		return refuse(
			r, 404, NULL, NULL, "there is no version '%.20s' of the model", version);
	if (!read_outputs(f, r) || !read_stream(f, r))
		return false;
	return f->wants_text ? start_texts(f, r) : start_works(f, r);
}

void infer_run(server *s, rpc *c, ds_str bytes, bool stream)
{
	infer *f = DS_NEW(infer, 1);
	refusal r;
	f->server = s;
	f->call = c;
	f->stream = stream;
	f->mem = ds_arena_new(1 << 12);
	f->deadline_ns = c->deadline_ns;
	uint64_t most = s->deadline_s > 0 ? clock_ns() + (uint64_t)(s->deadline_s * 1e9) : 0;
	if (most && (!f->deadline_ns || most < f->deadline_ns))
		f->deadline_ns = most;
	rpc_hold(c);
	atomic_fetch_add(&s->n_calls, 1);
	if (!start(f, bytes, &r))
		end_badly(f, &r);
}

/* ---- what there is ---- */

typedef Inference__ModelMetadataResponse__TensorMetadata tensor_about;

static tensor_about *describe(const char *name, const char *type, int64_t cols, ds_arena *mem)
{
	tensor_about *t =
		pb_new(&inference__model_metadata_response__tensor_metadata__descriptor, mem);
	t->name = pb_text(mem, name);
	t->datatype = pb_text(mem, type);
	t->shape = ds_arena_get(mem, 2 * sizeof(*t->shape));
	t->shape[0] = -1;
	t->shape[1] = cols;
	t->n_shape = cols ? 2 : 1;
	return t;
}

void infer_describe(const server *s, ds_buf *out, ds_arena *mem)
{
	Inference__ModelMetadataResponse *m =
		pb_new(&inference__model_metadata_response__descriptor, mem);
	const ds_config *c = ds_model_config(s->model);
	m->name = pb_text(mem, s->name);
	m->platform = pb_text(mem, "dstools");
	m->versions = ds_arena_get(mem, sizeof(char *));
	m->versions[0] = pb_text(mem, "1");
	m->n_versions = 1;
	m->inputs = ds_arena_get(mem, 2 * sizeof(*m->inputs));
	m->outputs = ds_arena_get(mem, 4 * sizeof(*m->outputs));
	if (ds_model_tok(s->model))
		m->inputs[m->n_inputs++] = describe("text_input", "BYTES", 0, mem);
	m->inputs[m->n_inputs++] = describe("input_ids", "INT64", -1, mem);
	if (!serve_is_encoder(s))
		m->outputs[m->n_outputs++] = describe("text_output", "BYTES", 0, mem);
	if (serve_has_labels(s)) {
		m->outputs[m->n_outputs++] = describe("label", "BYTES", 0, mem);
		m->outputs[m->n_outputs++] = describe("probabilities", "FP32", c->n_labels, mem);
	}
	m->outputs[m->n_outputs++] = describe("embedding", "FP32", c->hidden_size, mem);
	pb_add(m, out);
}
