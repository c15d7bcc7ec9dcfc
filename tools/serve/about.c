/*
 * about.c - what is said of the server and its model
 */
#include "route.h"

static void add_model(const server *s, ds_buf *out)
{
	ds_buf_add_c(out, "{\"id\":");
	ds_json_add_str(out, ds_str_of(s->name));
	ds_buf_fmt(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"dstools\"",
		(long long)s->created);
	if (atomic_load(&s->phase) != SERVE_LOADS)
		ds_buf_fmt(out, ",\"max_model_len\":%lld",
			(long long)(serve_is_encoder(s) ? ds_model_longest(s->model)
							: sched_longest(s->sched, WORK_TEXT)));
	ds_buf_add_c(out, "}");
}

void answer_models(server *s, http_call *c)
{
	ds_buf out = { 0 };
	ds_buf_add_c(&out, "{\"object\":\"list\",\"data\":[");
	add_model(s, &out);
	ds_buf_add_c(&out, "]}");
	http_answer(c, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}

void answer_model(server *s, http_call *c)
{
	ds_buf out = { 0 };
	refusal r;
	if (!serve_check_model(s, ds_str_of(c->path + strlen("/v1/models/")), &r)) {
		refusal_answer(&r, c);
		return;
	}
	add_model(s, &out);
	http_answer(c, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}

void answer_health(server *s, http_call *c)
{
	refusal r;
	if (atomic_load(&s->phase) != SERVE_LOADS || serve_takes(s, &r))
		http_answer(c, 200, "application/json", DS_S("{\"status\":\"ok\"}"));
	else
		refusal_answer(&r, c);
}

void answer_ready(server *s, http_call *c)
{
	refusal r;
	if (serve_takes(s, &r))
		http_answer(c, 200, "application/json", DS_S("{\"status\":\"ready\"}"));
	else
		refusal_answer(&r, c);
}

void answer_metrics(server *s, http_call *c)
{
	ds_buf out = { 0 };
	serve_phase p = atomic_load(&s->phase);
	sched_state now = { 0 };
	if (p != SERVE_LOADS)
		now = sched_look(s->sched);
	metrics_print(s->metrics,
		&(metrics_now){ now.running, now.waiting, now.used, p == SERVE_READY }, &out);
	http_answer(c, 200, "text/plain; version=0.0.4", ds_buf_view(&out));
	ds_buf_free(&out);
}

static const char *const statuses[][2] = {
	{ "200", "The answer." },
	{ "400", "The request is wrong; error.param says where." },
	{ "401", "No bearer token, or one that is not known." },
	{ "404", "No such path or model." },
	{ "413", "The body is too large." },
	{ "429", "The queue is full; Retry-After says when to try again." },
	{ "503", "The model is being loaded, or the server is about to end." },
	{ "504", "Not done within its time." },
};

static void add_route(const route *r, ds_buf *out)
{
	const char *m = strcmp(r->method, "GET") == 0 ? "get" : "post";
	const char *open = strchr(r->path, '{');
	ds_buf_fmt(out, "\"%s\":{\"%s\":{\"summary\":\"%s\",", r->path, m, r->summary);
	ds_buf_add_c(out, r->open ? "\"security\":[]," : "");
	if (open)
		ds_buf_fmt(out,
			"\"parameters\":[{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,"
			"\"schema\":{\"type\":\"string\"}}],",
			(int)strlen(open) - 2, open + 1);
	if (r->fields) {
		ds_buf_add_c(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/"
				  "json\":{\"schema\":{\"type\":\"object\","
				  "\"additionalProperties\":false,\"properties\":{");
		fields_schema(r->fields, r->where, out);
		ds_buf_add_c(out, "}}}}},");
	}
	ds_buf_add_c(out, "\"responses\":{");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		ds_buf_fmt(out,
			"%s\"%s\":{\"description\":\"%s\",\"content\":{\"%s\":{\"schema\":%s}}}",
			i ? "," : "", statuses[i][0], statuses[i][1],
			i ? "application/json" : r->gives,
			i ? "{\"$ref\":\"#/components/schemas/Error\"}" : "{}");
	ds_buf_add_c(out, "}}}");
}

void openapi_document(const server *s, ds_buf *out)
{
	ds_buf_add_c(out,
		"{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"dsserve\",\"version\":\"" DS_VERSION
		"\",\"description\":\"A language model over HTTP, as OpenAI's clients "
		"expect it.\"},\"security\":[{\"bearer\":[]}],\"paths\":{");
	for (const route *r = routes; r->path; r++) {
		ds_buf_add_c(out, r > routes ? "," : "");
		add_route(r, out);
	}
	ds_buf_add_c(out,
		"},\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\","
		"\"scheme\":\"bearer\"}},\"schemas\":{\"Error\":{\"type\":\"object\","
		"\"properties\":"
		"{\"error\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"},"
		"\"type\":{\"type\":\"string\"},\"param\":{\"type\":\"string\",\"nullable\":true},"
		"\"code\":{\"type\":\"string\",\"nullable\":true}}}}}}}}");
}

void answer_openapi(server *s, http_call *c)
{
	ds_buf out = { 0 };
	openapi_document(s, &out);
	http_answer(c, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}
