/*
 * route.c - every request goes through here
 */
#include "route.h"

#include "access.h"
#include "gen.h"

#define JSON "application/json"

const route routes[] = {
	{ "POST", "/v1/completions", false, answer_complete, "Continue texts", gen_fields, GEN_TEXT,
		JSON },
	{ "POST", "/v1/chat/completions", false, answer_chat, "Answer a conversation", gen_fields,
		GEN_CHAT, JSON },
	{ "POST", "/v1/embeddings", false, answer_embed, "A vector for each text", vector_fields,
		VECTOR_EMBED, JSON },
	{ "GET", "/v1/models", false, answer_models, "The model that is served", NULL, 0, JSON },
	{ "GET", "/v1/models/{model}", false, answer_model, "The same alone", NULL, 0, JSON },
	{ "POST", "/classify", false, answer_classify, "A label for each text", vector_fields,
		VECTOR_CLASSIFY, JSON },
	{ "POST", "/tokenize", false, answer_tokenize, "Token ids of a text", token_fields,
		TOKEN_ENCODE, JSON },
	{ "POST", "/detokenize", false, answer_detokenize, "The text of token ids", token_fields,
		TOKEN_DECODE, JSON },
	{ "GET", "/tokenizer_info", false, answer_tok_info,
		"Special tokens, sizes, the template of conversations", NULL, 0, JSON },
	{ "GET", "/health", true, answer_health,
		"200 while the server lives and its model is loaded", NULL, 0, JSON },
	{ "GET", "/ready", true, answer_ready, "200 while requests are taken", NULL, 0, JSON },
	{ "GET", "/metrics", false, answer_metrics, "Counts and times for Prometheus", NULL, 0,
		"text/plain" },
	{ "GET", "/openapi.json", true, answer_openapi, "This document", NULL, 0, JSON },
	{ "GET", "/", true, answer_page, "A page to try the model", NULL, 0, "text/html" },
	{ 0 },
};

static bool matches(const route *r, const char *path)
{
	const char *open = strchr(r->path, '{');
	if (!open)
		return strcmp(r->path, path) == 0;
	size_t n = (size_t)(open - r->path);
	return strncmp(r->path, path, n) == 0 && path[n];
}

static bool method_is(const route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

static const route *find(http_call *c, refusal *r)
{
	const route *other = NULL;
	for (const route *at = routes; at->path; at++) {
		if (!matches(at, c->path))
			continue;
		if (method_is(at, c->method))
			return at;
		other = at;
	}
	if (other) {
		http_header(c, "Allow", other->method);
		refuse(r, 405, NULL, NULL, "%s is not %s", c->path, c->method);
	} else {
		refuse(r, 404, "unknown_path", NULL, "there is no %.200s", c->path);
	}
	return NULL;
}

void route_call(void *server_, http_call *c)
{
	server *s = server_;
	refusal r;
	atomic_fetch_add(&s->n_calls, 1);
	const route *to = find(c, &r);
	if (to && !to->open && !keys_allow(s->keys, c->authorization)) {
		refuse(&r, 401, NULL, NULL, "no bearer token, or one that is not known");
		to = NULL;
	}
	if (to)
		to->answer(s, c);
	else
		refusal_answer(&r, c);
}

void route_too_large(void *server_, http_call *c, uint64_t limit_bytes)
{
	server *s = server_;
	refusal r;
	atomic_fetch_add(&s->n_calls, 1);
	refuse(&r, 413, NULL, NULL, "a body over %llu bytes", (unsigned long long)limit_bytes);
	refusal_answer(&r, c);
}

uint64_t serve_deadline(const server *s, const http_call *c)
{
	return s->deadline_s > 0 ? c->whole_ns + (uint64_t)(s->deadline_s * 1e9) : 0;
}

void route_over(void *server_, http_call *c)
{
	server *s = server_;
	if (!c->status && !c->whole_ns) /* it never came */
		return;
	metrics_answer(s->metrics, c->status);
	access_log(s, &(access_line){ .id = c->id,
			      .client = c->client,
			      .method = c->method,
			      .path = c->path,
			      .status = c->status,
			      .began_ns = c->whole_ns,
			      .bytes_in = c->body.n,
			      .bytes_out = c->out_bytes,
			      .in_tokens = c->in_tokens,
			      .out_tokens = atomic_load(&c->n_tokens),
			      .gone = atomic_load(&c->gone) });
	atomic_fetch_sub(&s->n_calls, 1);
}
