/*
 * complete.c - /v1/completions and /v1/chat/completions: whole, or as a stream of server-sent events
 */
#include "answers.h"
#include "clock.h"
#include "reply.h"

static bool is_chat(const gen *g)
{
	return g->kind == GEN_CHAT;
}

/* {"id":…,"object":…,"created":…,"model":…,"choices":[ */
static void begin(const gen *g, bool chunk, ds_buf *out)
{
	ds_buf_add_c(out, "{\"id\":");
	ds_json_add_str(out, ds_str_of(g->id));
	ds_buf_fmt(out, ",\"object\":\"%s\",\"created\":%lld,\"model\":",
		!is_chat(g) ? "text_completion"
		: chunk     ? "chat.completion.chunk"
			    : "chat.completion",
		(long long)g->created);
	ds_json_add_str(out, ds_str_of(g->server->name));
	ds_buf_add_c(out, ",\"choices\":[");
}

static void end_of_choice(const gen *g, const gen_choice *c, size_t from, size_t to, ds_buf *out)
{
	ds_buf_add_c(out, ",\"logprobs\":");
	if (!g->with_logprobs)
		ds_buf_add_c(out, "null");
	else if (is_chat(g))
		reply_chat_logprobs(c, from, to, out);
	else
		reply_logprobs(c, from, to, out);
	ds_buf_add_c(out, ",\"finish_reason\":");
	if (c->finish)
		ds_buf_fmt(out, "\"%s\"", c->finish);
	else
		ds_buf_add_c(out, "null");
}

static void add_ids(const gen *g, const gen_choice *c, ds_buf *out)
{
	if (!g->ask.token_ids)
		return;
	ds_buf_add_c(out, ",\"prompt_token_ids\":");
	reply_ids(c->prompt, c->n_prompt, out);
	ds_buf_add_c(out, ",\"token_ids\":");
	reply_ids(c->out, c->n_out, out);
}

static void whole_choice(const gen *g, const gen_choice *c, ds_buf *out)
{
	ds_buf text = { 0 };
	if (g->ask.echo)
		ds_buf_add_str(&text, c->prompt_text);
	ds_buf_add_str(&text, ds_answer_text(&c->answer));
	ds_buf_fmt(out, "{\"index\":%zu,", c->index);
	ds_buf_add_c(out,
		is_chat(g) ? "\"message\":{\"role\":\"assistant\",\"refusal\":null,\"content\":"
			   : "\"text\":");
	ds_json_add_str(out, ds_buf_view(&text));
	ds_buf_add_c(out, is_chat(g) ? "}" : "");
	end_of_choice(g, c, 0, reply_n_marks(c), out);
	add_ids(g, c, out);
	ds_buf_add_c(out, "}");
	ds_buf_free(&text);
}

/* On a thread of the server's, when all is done. */
static void render(http_call *call)
{
	const gen *g = call->own;
	ds_buf out = { 0 };
	refusal r;
	if (g->end != WORK_DONE) {
		serve_work_refusal(g->end, g->why.msg, &r);
		refusal_answer(&r, call);
		return;
	}
	begin(g, false, &out);
	for (size_t i = 0; i < g->n; i++) {
		ds_buf_add_c(&out, i ? "," : "");
		whole_choice(g, &g->choices[i], &out);
	}
	ds_buf_add_c(&out, "],");
	reply_usage(g->n_in, g->n_out, g->n_reused, &out);
	ds_buf_add_c(&out, "}");
	http_answer(call, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}

static void woken(gen *g)
{
	atomic_store(&g->call->n_tokens, g->n_out);
	http_wake(g->call);
	http_drop(g->call);
}

/* ---- streams ---- */

static void send(gen *g, ds_buf *json)
{
	ds_buf event = { 0 };
	ds_buf_add_c(&event, "data: ");
	ds_buf_add_str(&event, ds_buf_view(json));
	ds_buf_add_c(&event, "\n\n");
	http_stream_add(g->call, ds_buf_view(&event));
	ds_buf_free(&event);
}

static bool with_usage(const gen *g)
{
	return ds_json_flag(g->ask.stream_options, "include_usage", false);
}

static void chunk_end(const gen *g, ds_buf *out)
{
	ds_buf_add_c(out, with_usage(g) ? "],\"usage\":null}" : "]}");
}

/* A chunk with some of a choice's text. */
static void send_text(gen *g, gen_choice *c, ds_str text, size_t marks)
{
	ds_buf out = { 0 };
	begin(g, true, &out);
	ds_buf_fmt(&out, "{\"index\":%zu,", c->index);
	if (!is_chat(g)) {
		ds_buf_add_c(&out, "\"text\":");
		ds_json_add_str(&out, text);
	} else {
		ds_buf_add_c(&out, "\"delta\":{");
		ds_buf_add_c(&out, c->began ? "" : "\"role\":\"assistant\",");
		if (text.n || !c->began) {
			ds_buf_add_c(&out, "\"content\":");
			ds_json_add_str(&out, text);
		}
		ds_buf_add_c(&out, "}");
	}
	end_of_choice(g, c, c->n_sent_marks, marks, &out);
	if (c->finish)
		add_ids(g, c, &out);
	ds_buf_add_c(&out, "}");
	chunk_end(g, &out);
	send(g, &out);
	ds_buf_free(&out);
	c->began = true;
	c->n_sent_marks = marks;
}

static void send_piece(gen *g, gen_choice *c)
{
	ds_buf text = { 0 };
	size_t sure = c->answer.sure;
	if (!c->began && g->ask.echo)
		ds_buf_add_str(&text, c->prompt_text);
	if (sure > c->n_sent)
		ds_buf_add(&text, c->answer.text.at + c->n_sent, sure - c->n_sent);
	if (!c->began && is_chat(g)) { /* the role comes alone, as clients know it */
		const char *finish = c->finish;
		c->finish = NULL;
		send_text(g, c, DS_S(""), c->n_sent_marks);
		c->finish = finish;
	}
	if (text.n || c->finish || (g->with_logprobs && !is_chat(g) && !c->began))
		send_text(g, c, ds_buf_view(&text), reply_n_marks(c));
	c->n_sent = sure;
	ds_buf_free(&text);
}

static void end_stream(gen *g)
{
	ds_buf out = { 0 };
	refusal r;
	if (g->end != WORK_DONE) {
		serve_work_refusal(g->end, g->why.msg, &r);
		refusal_json(&r, &out);
		send(g, &out);
	} else if (with_usage(g)) {
		begin(g, true, &out);
		ds_buf_add_c(&out, "],");
		reply_usage(g->n_in, g->n_out, g->n_reused, &out);
		ds_buf_add_c(&out, "}");
		send(g, &out);
	}
	atomic_store(&g->call->n_tokens, g->n_out);
	http_stream_add(g->call, DS_S("data: [DONE]\n\n"));
	http_stream_end(g->call);
	http_drop(g->call);
	ds_buf_free(&out);
}

/* ---- requests ---- */

static void drop_gen(void *own)
{
	gen_drop(own);
}

/* Once it runs, the scheduler may be done with it at any time, so what follows is between the call and this thread. */
static bool start(gen *g, http_call *call, refusal *r)
{
	uint64_t deadline = serve_deadline(g->server, call);
	http_hold(call);
	if (gen_start(g, &call->gone, deadline, r))
		return true;
	http_drop(call);
	return false;
}

static void run(gen *g, http_call *call)
{
	refusal r;
	bool stream = g->ask.stream;
	snprintf(g->id, sizeof(g->id), "%s-%s", is_chat(g) ? "chatcmpl" : "cmpl", call->id);
	g->call = call;
	g->piece = stream ? send_piece : NULL;
	g->over = stream ? end_stream : woken;
	call->own = g;
	call->drop_own = drop_gen;
	call->in_tokens = g->n_in;
	if (!stream)
		http_later(call, render);
	bool started = start(g, call, &r);
	if (!started)
		refusal_answer(&r, call);
	if (!started && !stream)
		http_wake(call);
	if (started && stream)
		http_stream(call, "text/event-stream; charset=utf-8");
}

static void serve_texts(server *s, http_call *call, unsigned kind)
{
	refusal r;
	const ds_json *request;
	gen *g = NULL;
	ds_arena *mem = ds_arena_new(1 << 14);
	if (!serve_takes(s, &r) || !fields_object(call->body, mem, &request, &r))
		ds_arena_free(mem);
	else
		g = gen_new(s, kind, request, mem, &r);
	if (!g) {
		refusal_answer(&r, call);
		return;
	}
	if (g->ask.stream_options && !g->ask.stream) {
		refuse(&r, 400, "invalid_value", "stream_options",
			"'stream_options' needs 'stream'");
		refusal_answer(&r, call);
		gen_drop(g);
		return;
	}
	run(g, call);
}

void answer_complete(server *s, http_call *call)
{
	serve_texts(s, call, GEN_TEXT);
}

void answer_chat(server *s, http_call *call)
{
	serve_texts(s, call, GEN_CHAT);
}
