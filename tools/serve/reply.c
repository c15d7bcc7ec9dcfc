/*
 * reply.c - parts of answers
 */
#include "reply.h"

#include "text/unicode.h"

void reply_token(const server *s, uint32_t id, ds_buf *out)
{
	const ds_tok *tok = ds_model_tok(s->model);
	ds_str b = tok ? ds_tok_bytes(tok, id) : DS_S("");
	if (!tok || !b.n) {
		ds_buf_fmt(out, "\"token_id:%u\"", id);
		return;
	}
	if (ds_utf8_valid(b) == b.n) {
		ds_json_add_str(out, b);
		return;
	}
	ds_buf_add_c(out, "\"bytes:");
	for (size_t i = 0; i < b.n; i++)
		ds_buf_fmt(out, "\\\\x%02x", (uint8_t)b.at[i]);
	ds_buf_add_c(out, "\"");
}

static void add_f32(ds_buf *out, float v)
{
	char text[32];
	ds_buf_add(out, text, ds_f32_print(text, v));
}

size_t reply_n_marks(const gen_choice *c)
{
	return c->marks.n / sizeof(gen_mark);
}

static const gen_mark *mark(const gen_choice *c, size_t i)
{
	return (const gen_mark *)c->marks.at + i;
}

static const ds_likely *likely(const gen_choice *c, size_t i)
{
	return (const ds_likely *)c->likely.at + i * c->of->n_likely;
}

/* The most likely tokens, and the one that is there, by their texts: each text once. */
static void add_likely(const gen_choice *c, size_t i, ds_buf *out)
{
	const gen *g = c->of;
	const gen_mark *m = mark(c, i);
	ds_buf name = { 0 }, seen = { 0 };
	const char *comma = "";
	if (!m->known) {
		ds_buf_add_c(out, "null");
		return;
	}
	ds_buf_add_c(out, "{");
	for (size_t k = 0; k <= g->n_likely; k++) {
		bool own = k == g->n_likely;
		const ds_likely *l = own ? &(ds_likely){ m->id, m->logprob } : &likely(c, i)[k];
		name.n = 0;
		ds_buf_add_c(&name, "\n");
		reply_token(g->server, l->id, &name);
		ds_buf_add_c(&name, "\n");
		if (seen.n && memmem(seen.at, seen.n, name.at, name.n))
			continue;
		ds_buf_add_str(&seen, ds_buf_view(&name));
		ds_buf_add_c(out, comma);
		ds_buf_add(out, name.at + 1, name.n - 2);
		ds_buf_add_c(out, ":");
		add_f32(out, l->logprob);
		comma = ",";
	}
	ds_buf_add_c(out, "}");
	ds_buf_free(&name);
	ds_buf_free(&seen);
}

void reply_logprobs(const gen_choice *c, size_t from, size_t to, ds_buf *out)
{
	const server *s = c->of->server;
	ds_buf_add_c(out, "{\"tokens\":[");
	for (size_t i = from; i < to; i++) {
		ds_buf_add_c(out, i > from ? "," : "");
		reply_token(s, mark(c, i)->id, out);
	}
	ds_buf_add_c(out, "],\"token_logprobs\":[");
	for (size_t i = from; i < to; i++) {
		ds_buf_add_c(out, i > from ? "," : "");
		if (mark(c, i)->known)
			add_f32(out, mark(c, i)->logprob);
		else
			ds_buf_add_c(out, "null");
	}
	ds_buf_add_c(out, "],\"top_logprobs\":[");
	for (size_t i = from; i < to; i++) {
		ds_buf_add_c(out, i > from ? "," : "");
		add_likely(c, i, out);
	}
	ds_buf_add_c(out, "],\"text_offset\":[");
	for (size_t i = from; i < to; i++)
		ds_buf_fmt(out, "%s%zu", i > from ? "," : "", mark(c, i)->chars);
	ds_buf_add_c(out, "]}");
}

static void add_chat_token(const server *s, uint32_t id, float logprob, ds_buf *out)
{
	ds_str b = ds_model_tok(s->model) ? ds_tok_bytes(ds_model_tok(s->model), id) : DS_S("");
	ds_buf_add_c(out, "{\"token\":");
	reply_token(s, id, out);
	ds_buf_add_c(out, ",\"logprob\":");
	add_f32(out, logprob);
	ds_buf_add_c(out, ",\"bytes\":[");
	for (size_t i = 0; i < b.n; i++)
		ds_buf_fmt(out, "%s%u", i ? "," : "", (uint8_t)b.at[i]);
	ds_buf_add_c(out, "]");
}

void reply_chat_logprobs(const gen_choice *c, size_t from, size_t to, ds_buf *out)
{
	const server *s = c->of->server;
	ds_buf_add_c(out, "{\"content\":[");
	for (size_t i = from; i < to; i++) {
		ds_buf_add_c(out, i > from ? "," : "");
		add_chat_token(s, mark(c, i)->id, mark(c, i)->logprob, out);
		ds_buf_add_c(out, ",\"top_logprobs\":[");
		for (size_t k = 0; k < c->of->n_likely; k++) {
			ds_buf_add_c(out, k ? "," : "");
			add_chat_token(s, likely(c, i)[k].id, likely(c, i)[k].logprob, out);
			ds_buf_add_c(out, "}");
		}
		ds_buf_add_c(out, "]}");
	}
	ds_buf_add_c(out, "],\"refusal\":null}");
}

void reply_usage(size_t in, size_t out_tokens, size_t cached, ds_buf *out)
{
	ds_buf_fmt(out,
		"\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu,"
		"\"prompt_tokens_details\":{\"cached_tokens\":%zu}}",
		in, out_tokens, in + out_tokens, cached);
}

void reply_ids(const uint32_t *ids, size_t n, ds_buf *out)
{
	ds_buf_add_c(out, "[");
	for (size_t i = 0; i < n; i++)
		ds_buf_fmt(out, "%s%u", i ? "," : "", ids[i]);
	ds_buf_add_c(out, "]");
}
