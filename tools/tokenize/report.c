/*
 * report.c - see report.h
 */
#include "report.h"

#include "base/io.h"
#include "json/json.h"

#include <inttypes.h>
#include <string.h>

ds_rc report_form(const ds_common *c, int *form, ds_err *e)
{
	static const char *const names[] = { "table", "tsv", "json" };
	*form = c->json ? 2 : 0;
	if (!c->out.to)
		return DS_OK;
	for (*form = 0; *form < 3; ++*form)
		if (strcmp(c->out.to, names[*form]) == 0)
			return DS_OK;
	return ds_fail(e, DS_USAGE, "--to '%s': table, tsv or json", c->out.to);
}

void report_key(report *r, const char *name)
{
	if (r->form == 2) {
		ds_buf_add_c(r->out, r->any ? "," : "{");
		ds_buf_fmt(r->out, "\"%s\":", name);
	} else if (r->form == 1) {
		ds_buf_fmt(r->out, "%s\t", name);
	} else {
		ds_buf_fmt(r->out, "%-18s", name);
	}
	r->any = true;
}

void report_end(report *r)
{
	if (r->form != 2)
		ds_buf_add_byte(r->out, '\n');
}

void report_text(report *r, const char *name, ds_str v)
{
	report_key(r, name);
	if (r->form == 2)
		ds_json_add_str(r->out, v);
	else
		ds_buf_add_str(r->out, v);
	report_end(r);
}

void report_count(report *r, const char *name, uint64_t v)
{
	report_key(r, name);
	ds_buf_fmt(r->out, "%" PRIu64, v);
	report_end(r);
}

void report_ratio(report *r, const char *name, double v)
{
	report_key(r, name);
	ds_buf_fmt(r->out, "%.4g", v);
	report_end(r);
}

ds_rc report_write(const ds_common *c, report *r, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	if (r->form == 2)
		ds_buf_add_c(r->out, "}\n");
	DS_TRY(ds_out_open(&out, c->out.path, e));
	DS_TRY(ds_out_write(out, r->out->at, r->out->n, e));
	return ds_out_deliver(out, e);
}
