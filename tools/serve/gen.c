/*
 * gen.c - from prompts to choices, and what comes of each
 */
#include "gen_impl.h"

#include "base/mem.h"
#include "clock.h"
#include "text/unicode.h"

#include <sys/random.h>
#include <time.h>

typedef struct {
	const uint32_t *ids;
	size_t n;
	ds_str text; /* what an echo says */
} prompt;

/* ---- prompts ---- */

static bool prompt_of_text(gen *g, ds_str text, prompt *p, refusal *r)
{
	p->text = text;
	return serve_encode(g->server, text, g->ask.add_special ? DS_TOK_ADD_SPECIAL : 0, g->mem,
		&p->ids, &p->n, r);
}

static bool prompt_of_ids(gen *g, const ds_json *list, prompt *p, refusal *r)
{
	const ds_tok *tok = ds_model_tok(g->server->model);
	ds_buf text = { 0 };
	ds_err e;
	if (!serve_read_ids(g->server, list, "prompt", g->mem, &p->ids, &p->n, r))
		return false;
	bool good = !g->ask.echo || !tok ||
		    ds_tok_decode(tok, p->ids, p->n, g->ask.skip_special, &text, &e) == DS_OK;
	p->text = ds_arena_str(g->mem, ds_buf_view(&text));
	ds_buf_free(&text);
	return good || refuse(r, 400, "invalid_value", "prompt", "'prompt': %s", e.msg);
}

static bool one_prompt(gen *g, const ds_json *v, prompt *p, refusal *r)
{
	if (v->kind == DS_J_STR)
		return prompt_of_text(g, v->s, p, r);
	if (v->kind == DS_J_ARR)
		return prompt_of_ids(g, v, p, r);
	return refuse(r, 400, "invalid_type", "prompt",
		"'prompt' is not a string, an array of strings, of token ids, or of arrays of "
		"these");
}

/* An array of texts or of arrays is several prompts, one of ids is one. */
static bool read_prompts(gen *g, prompt **out, size_t *n, refusal *r)
{
	const ds_json *v = g->ask.prompt;
	if (!v)
		return refuse(
			r, 400, "missing_required_parameter", "prompt", "'prompt' is missing");
	if (v->kind == DS_J_ARR && !v->n)
		return refuse(r, 400, "invalid_value", "prompt", "'prompt' is an empty array");
	bool several = v->kind == DS_J_ARR && v->first->kind != DS_J_I64;
	*n = several ? v->n : 1;
	*out = ds_arena_zero(g->mem, *n * sizeof(**out));
	if (!several)
		return one_prompt(g, v, *out, r);
	size_t i = 0;
	for (const ds_json *m = v->first; m; m = m->next)
		if (!one_prompt(g, m, &(*out)[i++], r))
			return false;
	return true;
}

static bool read_messages(gen *g, prompt **out, size_t *n, refusal *r)
{
	*n = 1;
	*out = ds_arena_zero(g->mem, sizeof(**out));
	if (!g->ask.messages)
		return refuse(
			r, 400, "missing_required_parameter", "messages", "'messages' is missing");
	return serve_encode_chat(
		g->server, g->ask.messages, true, g->mem, &(*out)->ids, &(*out)->n, r);
}

/* An empty prompt starts from bos or eos where there is one; the context has an end. */
static bool fit_prompt(gen *g, prompt *p, int64_t max_tokens, refusal *r)
{
	const ds_config *c = ds_model_config(g->server->model);
	int64_t context = sched_longest(g->server->sched, WORK_TEXT);
	if (!p->n) {
		int64_t start = c->bos >= 0 ? c->bos : c->eos;
		uint32_t *id = ds_arena_get(g->mem, sizeof(*id));
		if (start < 0 || start >= c->vocab_size)
			return refuse(r, 400, "invalid_value", "prompt",
				"an empty prompt, and the model has no bos token");
		*id = (uint32_t)start;
		p->ids = id;
		p->n = 1;
	}
	if (g->ask.truncate && p->n > (size_t)g->ask.truncate) {
		p->ids += p->n - (size_t)g->ask.truncate;
		p->n = (size_t)g->ask.truncate;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->ids[i] >= c->vocab_size)
			return refuse(r, 400, "invalid_value", "prompt",
				"token id %u, the model has %lld", p->ids[i],
				(long long)c->vocab_size);
	if ((int64_t)p->n + (max_tokens != 0) <= context)
		return true;
	return refuse(r, 400, "context_length_exceeded",
		g->kind == GEN_CHAT ? "messages" : "prompt",
		"the context is %lld tokens, the prompt has %zu%s", (long long)context, p->n,
		max_tokens ? " and leaves no room for an answer" : "");
}

/* ---- choices ---- */

static size_t mark_likely(const gen *g, gen_choice *c, const float *logits)
{
	size_t n = (size_t)ds_model_config(g->server->model)->vocab_size;
	ds_likely most[GEN_MOST_LIKELY];
	if (g->n_likely)
		ds_most_likely(logits, n, ds_log_sum(logits, n), g->n_likely, most);
	ds_buf_add(&c->likely, most, g->n_likely * sizeof(*most));
	return n;
}

/* The logits after a token of the prompt: what is said of the next one. */
static void see(void *context, size_t at, const float *logits)
{
	gen_choice *c = context;
	gen_mark *m = (gen_mark *)c->marks.at + at + 1;
	size_t n = mark_likely(c->of, c, logits);
	m->logprob = (float)((double)logits[m->id] - ds_log_sum(logits, n));
	m->known = true;
}

static void adjust(void *context, float *logits, size_t n, ds_arena *mem)
{
	gen_choice *c = context;
	ds_penalty_apply(&c->penalty, c->out, c->n_out, logits, n, mem);
}

/* A mark for every token of a prompt that is echoed; what is known of them comes with its logits. */
static void mark_prompt(gen *g, gen_choice *c)
{
	ds_answer text;
	ds_likely none[GEN_MOST_LIKELY] = { 0 };
	ds_err e;
	size_t chars = 0;
	ds_answer_init(&text, &(ds_answer_opts){ .tok = ds_model_tok(g->server->model),
				      .specials = !g->ask.skip_special });
	for (size_t i = 0; i < c->n_prompt; i++) {
		gen_mark m = { .id = c->prompt[i], .chars = chars };
		size_t before = text.text.n;
		ds_buf_add(&c->marks, &m, sizeof(m));
		if (ds_answer_add(&text, m.id, &e) == DS_OK)
			chars += ds_utf8_count(
				(ds_str){ text.text.at + before, text.text.n - before });
	}
	ds_answer_release(&text);
	ds_buf_add(&c->likely, none, g->n_likely * sizeof(*none));
}

static bool take_token(work *w, const ds_slot_event *v);
static void take_end(work *w, work_end end, const char *why);

static void make_choice(gen *g, gen_choice *c, const prompt *p, size_t index, int64_t max_tokens)
{
	const server *s = g->server;
	int64_t left = sched_longest(s->sched, WORK_TEXT) - (int64_t)p->n;
	*c = (gen_choice){ .of = g, .index = index, .prompt = p->ids, .n_prompt = p->n };
	if (max_tokens < 0 || max_tokens > left)
		max_tokens = left;
	c->prompt_text = p->text;
	c->out = ds_arena_get(g->mem, ((size_t)max_tokens + 1) * sizeof(*c->out));
	c->penalty = g->penalty;
	c->penalty.prompt = p->ids;
	c->penalty.n_prompt = p->n;
	c->penalty.ends = g->stop_ids;
	c->penalty.n_ends = g->n_stop_ids;
	c->penalty.min_tokens = (size_t)g->ask.min_tokens;
	ds_answer_init(&c->answer, &(ds_answer_opts){ .tok = ds_model_tok(s->model),
					   .after = p->ids,
					   .n_after = p->n,
					   .specials = !g->ask.skip_special,
					   .stops = g->stops,
					   .n_stops = g->n_stops,
					   .with_stop = g->ask.with_stop,
					   .min_tokens = (size_t)g->ask.min_tokens });
	bool scored = g->ask.echo && g->with_logprobs;
	c->n_chars = g->ask.echo ? ds_utf8_count(p->text) : 0;
	if (scored)
		mark_prompt(g, c);
	c->work = (work){ .kind = WORK_TEXT,
		.token = take_token,
		.done = take_end,
		.owner = c,
		.ask = { .prompt = p->ids,
			.n_prompt = p->n,
			.how = g->how,
			.key = index,
			.max_tokens = max_tokens,
			.stops = g->stop_ids,
			.n_stops = g->n_stop_ids,
			.logprobs = g->with_logprobs,
			.adjust = ds_penalty_any(&c->penalty) ? adjust : NULL,
			.seen = scored && p->n > 1 ? see : NULL,
			.context = c } };
}

static bool make_choices(gen *g, refusal *r)
{
	prompt *prompts = NULL;
	size_t n = 0, each = (size_t)g->ask.n;
	bool chat = g->kind == GEN_CHAT;
	int64_t most = g->ask.max_completion_tokens >= 0 ? g->ask.max_completion_tokens
		       : g->ask.max_tokens >= 0          ? g->ask.max_tokens
		       : chat                            ? -1
							 : 16;
	if (!(chat ? read_messages(g, &prompts, &n, r) : read_prompts(g, &prompts, &n, r)))
		return false;
	if (n * each > g->server->most_waiting)
		return refuse(r, 400, "invalid_value", "n", "%zu texts at once, the limit is %zu",
			n * each, g->server->most_waiting);
	g->choices = ds_arena_zero(g->mem, n * each * sizeof(*g->choices));
	for (size_t i = 0; i < n; i++) {
		if (!fit_prompt(g, &prompts[i], most, r))
			return false;
		g->n_in += prompts[i].n;
		for (size_t k = 0; k < each; k++, g->n++)
			make_choice(g, &g->choices[g->n], &prompts[i], g->n, most);
	}
	return true;
}

/* ---- a gen's life ---- */

static void set_seed(gen *g)
{
	if (g->ask.seed == INT64_MIN && getrandom(&g->ask.seed, 8, 0) != 8)
		g->ask.seed = (int64_t)clock_ns();
}

gen *gen_from(server *s, unsigned kind, const gen_ask *ask, ds_arena *mem, refusal *r)
{
	gen *g = DS_NEW(gen, 1);
	g->server = s;
	g->mem = mem;
	g->kind = kind;
	g->ask = *ask;
	g->created = time(NULL);
	g->began_ns = clock_ns();
	atomic_init(&g->refs, 1);
	set_seed(g);
	if (!serve_is_encoder(s) && serve_check_model(s, ask->model, r) &&
		gen_read_settings(g, r) && make_choices(g, r))
		return g;
	if (serve_is_encoder(s))
		refuse(r, 400, "not_supported", "model",
			"the model is an encoder: it continues nothing");
	gen_drop(g);
	return NULL;
}

gen *gen_new(server *s, unsigned kind, const ds_json *request, ds_arena *mem, refusal *r)
{
	gen_ask ask;
	gen_ask_init(&ask);
	if (fields_read(gen_fields, kind, request, &ask, r))
		return gen_from(s, kind, &ask, mem, r);
	ds_arena_free(mem);
	return NULL;
}

void gen_drop(gen *g)
{
	if (!g || atomic_fetch_sub(&g->refs, 1) > 1)
		return;
	for (size_t i = 0; i < g->n; i++) {
		ds_answer_release(&g->choices[i].answer);
		ds_buf_free(&g->choices[i].marks);
		ds_buf_free(&g->choices[i].likely);
	}
	ds_arena_free(g->mem);
	ds_mem_free(g);
}

bool gen_start(gen *g, const atomic_bool *gone, uint64_t deadline_ns, refusal *r)
{
	work **works = ds_arena_get(g->mem, g->n * sizeof(work *));
	for (size_t i = 0; i < g->n; i++) {
		works[i] = &g->choices[i].work;
		works[i]->gone = gone;
		works[i]->deadline_ns = deadline_ns;
	}
	g->left = g->n;
	atomic_fetch_add(&g->refs, 1);
	if (serve_put(g->server, works, g->n, r))
		return true;
	atomic_fetch_sub(&g->refs, 1);
	return false;
}

/* ---- on the scheduler's thread ---- */

static void count_time(gen_choice *c)
{
	metrics *m = c->of->server->metrics;
	uint64_t now = clock_ns();
	if (c->last_ns)
		metrics_seconds(m, TIME_BETWEEN, (double)(now - c->last_ns) / 1e9);
	else
		metrics_seconds(m, TIME_FIRST, (double)(now - c->work.put_ns) / 1e9);
	c->last_ns = now;
}

static void mark_token(gen *g, gen_choice *c, const ds_slot_event *v)
{
	gen_mark m = { .id = v->id, .logprob = v->logprob, .known = true, .chars = c->n_chars };
	ds_buf_add(&c->marks, &m, sizeof(m));
	mark_likely(g, c, v->logits);
}

static void add_token(gen *g, gen_choice *c, const ds_slot_event *v)
{
	size_t before = c->answer.text.n;
	c->out[c->n_out++] = v->id;
	if (g->with_logprobs)
		mark_token(g, c, v);
	if (v->end == DS_SLOT_STOP) {
		c->finish = "stop";
		return;
	}
	if (ds_answer_add(&c->answer, v->id, &g->why) != DS_OK) {
		g->end = WORK_FAILED;
		c->finish = "error";
		return;
	}
	if (c->answer.text.n > before)
		c->n_chars += ds_utf8_count(
			(ds_str){ c->answer.text.at + before, c->answer.text.n - before });
	c->finish = c->answer.stopped ? "stop" : v->end == DS_SLOT_LENGTH ? "length" : NULL;
}

static bool take_token(work *w, const ds_slot_event *v)
{
	gen_choice *c = w->owner;
	gen *g = c->of;
	count_time(c);
	if (v->has_id)
		add_token(g, c, v);
	else
		c->finish = "length";
	if (c->finish)
		ds_answer_finish(&c->answer);
	if (g->piece)
		g->piece(g, c);
	return c->finish;
}

static void count_choice(gen *g, gen_choice *c, work_end end)
{
	static const char *const names[] = { NULL, "abort", "timeout", "abort", "error" };
	metrics *m = g->server->metrics;
	uint64_t now = clock_ns();
	const work *w = &c->work;
	uint64_t began = w->begun_ns ? w->begun_ns : now;
	metrics_seconds(m, TIME_QUEUE, (double)(began - w->put_ns) / 1e9);
	metrics_seconds(m, TIME_ALL, (double)(now - w->put_ns) / 1e9);
	metrics_sequence(m, c->n_prompt, c->n_out, w->n_reused,
		end == WORK_DONE && c->finish ? c->finish
		: names[end]                  ? names[end]
					      : "error");
}

static void take_end(work *w, work_end end, const char *why)
{
	gen_choice *c = w->owner;
	gen *g = c->of;
	if (end != WORK_DONE && g->end == WORK_DONE) {
		g->end = end;
		snprintf(g->why.msg, sizeof(g->why.msg), "%s", why ? why : "");
	}
	count_choice(g, c, end);
	g->n_out += c->n_out;
	g->n_reused += w->n_reused;
	if (--g->left)
		return;
	g->over(g);
	gen_drop(g);
}
