/*
 * refuse.c - one place for what errors look like
 */
#include "refuse.h"

#include "json/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	int status;
	const char *type, *code;
	int grpc;
} kinds[] = {
	{ 400, "invalid_request_error", NULL, 3 },
	{ 401, "authentication_error", "invalid_api_key", 16 },
	{ 404, "not_found_error", NULL, 5 },
	{ 405, "invalid_request_error", "method_not_allowed", 12 },
	{ 413, "invalid_request_error", "request_too_large", 3 },
	{ 429, "overloaded_error", "queue_full", 8 },
	{ 500, "server_error", NULL, 13 },
	{ 501, "invalid_request_error", "not_supported", 12 },
	{ 503, "unavailable_error", NULL, 14 },
	{ 504, "timeout_error", "deadline_exceeded", 4 },
};

static size_t kind_of(int status)
{
	size_t i = 0;
	while (i + 1 < sizeof(kinds) / sizeof(*kinds) && kinds[i].status != status)
		i++;
	return i;
}

bool refuse(refusal *r, int status, const char *code, const char *param, const char *fmt, ...)
{
	va_list a;
	r->status = status;
	r->code = code ? code : kinds[kind_of(status)].code;
	snprintf(r->param, sizeof(r->param), "%s", param ? param : "");
	r->retry_s = 0;
	va_start(a, fmt);
	vsnprintf(r->why.msg, sizeof(r->why.msg), fmt, a);
	va_end(a);
	ds_tidy(r->why.msg);
	return false;
}

static void add_text(ds_buf *out, const char *key, const char *text)
{
	ds_buf_fmt(out, "\"%s\":", key);
	if (text && text[0])
		ds_json_add_str(out, ds_str_of(text));
	else
		ds_buf_add_c(out, "null");
}

void refusal_json(const refusal *r, ds_buf *out)
{
	ds_buf_add_c(out, "{\"error\":{");
	add_text(out, "message", r->why.msg);
	ds_buf_add_c(out, ",");
	add_text(out, "type", kinds[kind_of(r->status)].type);
	ds_buf_add_c(out, ",");
	add_text(out, "param", r->param);
	ds_buf_add_c(out, ",");
	add_text(out, "code", r->code);
	ds_buf_add_c(out, "}}");
}

void refusal_answer(const refusal *r, http_call *c)
{
	char text[32];
	ds_buf body = { 0 };
	if (r->retry_s > 0) {
		snprintf(text, sizeof(text), "%.0f", ceil(r->retry_s));
		http_header(c, "Retry-After", text);
		snprintf(text, sizeof(text), "%.0f", ceil(r->retry_s * 1000));
		http_header(c, "retry-after-ms", text);
	}
	if (r->status == 401)
		http_header(c, "WWW-Authenticate", "Bearer");
	refusal_json(r, &body);
	http_answer(c, r->status, "application/json", ds_buf_view(&body));
	ds_buf_free(&body);
}

int refusal_grpc(const refusal *r)
{
	return kinds[kind_of(r->status)].grpc;
}
