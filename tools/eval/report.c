/*
 * report.c - every form has the same rows: all records first, then a group after another
 */
#include "report.h"

#include "json/json.h"

static void full(ds_buf *o, double v)
{
	char number[32];
	ds_buf_add(o, number, ds_f64_print(number, v));
}

/* ---- JSON ---- */

static void json_number(ds_buf *o, const char *key, double v)
{
	ds_buf_fmt(o, ",\"%s\":", key);
	full(o, v);
}

static void json_metrics(ds_buf *o, const wanted_list *l, const scored *s)
{
	ds_buf_add_c(o, "\"metrics\":[");
	for (size_t i = 0; i < l->n; i++, s++) {
		ds_buf_add_c(o, i ? ",{\"name\":" : "{\"name\":");
		ds_json_add_str(o, ds_str_of(l->at[i].name));
		json_number(o, "score", s->r.score);
		ds_buf_add_c(o, ",\"signature\":");
		ds_json_add_str(o, ds_buf_view(&s->r.signature));
		ds_buf_add_c(o, ",\"detail\":");
		ds_json_add_str(o, ds_buf_view(&s->r.detail));
		if (s->r.matrix.n) {
			ds_buf_add_c(o, ",\"matrix\":");
			ds_buf_add_str(o, ds_buf_view(&s->r.matrix));
		}
		if (s->has_interval) {
			json_number(o, "confidence_mean", s->mean);
			json_number(o, "confidence", s->half);
		}
		if (s->has_p) {
			json_number(o, "baseline", s->baseline);
			json_number(o, "p_value", s->p);
		}
		ds_buf_add_byte(o, '}');
	}
	ds_buf_add_byte(o, ']');
}

static void json(ds_buf *o, const report *r)
{
	ds_buf_add_byte(o, '{');
	json_metrics(o, r->l, r->all);
	if (r->by) {
		ds_buf_add_c(o, ",\"by\":");
		ds_json_add_str(o, ds_str_of(r->by));
		ds_buf_add_c(o, ",\"groups\":[");
		for (uint32_t k = 0; k < r->n_groups; k++) {
			uint32_t g = r->order[k];
			ds_buf_add_c(o, k ? ",{\"value\":" : "{\"value\":");
			ds_json_add_str(o, names_get(r->values, g));
			ds_buf_fmt(o, ",\"records\":%llu,", (unsigned long long)r->counts[g]);
			json_metrics(o, r->l, r->groups + (size_t)g * r->l->n);
			ds_buf_add_byte(o, '}');
		}
		ds_buf_add_byte(o, ']');
	}
	ds_buf_add_c(o, "}\n");
}

/* ---- lines ---- */

typedef struct {
	bool interval, p, by; /* columns that there are */
} columns;

static columns columns_of(const report *r)
{
	columns c = { .by = r->by != NULL };
	for (size_t i = 0; i < r->l->n; i++) {
		c.interval = c.interval || r->all[i].has_interval;
		c.p = c.p || r->all[i].has_p;
	}
	return c;
}

/* A group's value without what would break a line or a cell. */
static void cell(ds_buf *o, ds_str s, char also)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.at[i];
		ds_buf_add_byte(
			o, c < 0x20 || c == 0x7F || c == (unsigned char)also ? ' ' : (char)c);
	}
}

static void tsv_row(ds_buf *o, const wanted *w, const scored *s, const columns *c, ds_str group)
{
	ds_buf_fmt(o, "%s\t", w->name);
	full(o, s->r.score);
	ds_buf_add_byte(o, '\t');
	ds_buf_add_shown(o, ds_buf_view(&s->r.signature));
	if (c->interval) {
		ds_buf_add_byte(o, '\t');
		if (s->has_interval) {
			full(o, s->mean);
			ds_buf_add_byte(o, '\t');
			full(o, s->half);
		} else {
			ds_buf_add_byte(o, '\t');
		}
	}
	if (c->p) {
		ds_buf_add_byte(o, '\t');
		if (s->has_p) {
			full(o, s->baseline);
			ds_buf_add_byte(o, '\t');
			full(o, s->p);
		} else {
			ds_buf_add_byte(o, '\t');
		}
	}
	if (c->by) {
		ds_buf_add_byte(o, '\t');
		cell(o, group, '\t');
	}
	ds_buf_add_byte(o, '\n');
}

static void tsv_head(ds_buf *o, const report *r, const columns *c)
{
	ds_buf_fmt(o, "metric\tscore\tsignature%s%s", c->interval ? "\tmean\thalf_interval" : "",
		c->p ? "\tbaseline\tp_value" : "");
	if (c->by)
		ds_buf_fmt(o, "\t%s", r->by);
	ds_buf_add_byte(o, '\n');
}

static void numbers(ds_buf *o, const scored *s, const columns *c, const char *between)
{
	ds_buf_fmt(o, "%12.4f", s->r.score);
	if (c->interval && s->has_interval)
		ds_buf_fmt(o, "%s%10.4f ± %.4f", between, s->mean, s->half);
	else if (c->interval)
		ds_buf_fmt(o, "%s%18s", between, "");
	if (c->p && s->has_p)
		ds_buf_fmt(o, "%s%12.4f%s%8.4f", between, s->baseline, between, s->p);
	else if (c->p)
		ds_buf_fmt(o, "%s%12s%s%8s", between, "", between, "");
}

static void table_row(ds_buf *o, const wanted *w, const scored *s, const columns *c, ds_str group)
{
	if (c->by) {
		ds_buf name = { 0 };
		cell(&name, group, 0);
		ds_buf_fmt(o, "%-16s ", ds_buf_text(&name));
		ds_buf_free(&name);
	}
	ds_buf_fmt(o, "%-12s ", w->name);
	numbers(o, s, c, "  ");
	ds_buf_add_c(o, "  ");
	ds_buf_add_shown(o, ds_buf_view(&s->r.detail));
	ds_buf_add_byte(o, '\n');
}

static void table_head(ds_buf *o, const report *r, const columns *c)
{
	if (!c->interval && !c->p && !c->by)
		return;
	if (c->by)
		ds_buf_fmt(o, "%-16s ", r->by);
	ds_buf_fmt(o, "%-12s %12s%s%s\n", "metric", "score",
		c->interval ? "    mean ± 95 %      " : "", c->p ? "      baseline         p" : "");
}

static void markdown_row(
	ds_buf *o, const wanted *w, const scored *s, const columns *c, ds_str group)
{
	ds_buf_add_c(o, "|");
	if (c->by) {
		ds_buf_add_c(o, " ");
		cell(o, group, '|');
		ds_buf_add_c(o, " |");
	}
	ds_buf_fmt(o, " %s | ", w->name);
	numbers(o, s, c, " | ");
	ds_buf_add_c(o, " | ");
	ds_buf_add_shown(o, ds_buf_view(&s->r.signature));
	ds_buf_add_c(o, " |\n");
}

static void markdown_head(ds_buf *o, const report *r, const columns *c)
{
	if (c->by)
		ds_buf_fmt(o, "| %s ", r->by);
	ds_buf_fmt(o, "| metric | score%s%s | signature |\n", c->interval ? " | mean ± 95 %" : "",
		c->p ? " | baseline | p" : "");
	ds_buf_fmt(o, "%s| --- | ---:%s%s | --- |\n", c->by ? "| --- " : "",
		c->interval ? " | ---:" : "", c->p ? " | ---: | ---:" : "");
}

typedef void row(ds_buf *, const wanted *, const scored *, const columns *, ds_str);

static void rows(ds_buf *o, const report *r, const columns *c, row *print)
{
	for (size_t i = 0; i < r->l->n; i++)
		print(o, &r->l->at[i], &r->all[i], c, DS_S(""));
	for (uint32_t k = 0; k < r->n_groups; k++)
		for (size_t i = 0; i < r->l->n; i++)
			print(o, &r->l->at[i], &r->groups[(size_t)r->order[k] * r->l->n + i], c,
				names_get(r->values, r->order[k]));
}

void report_print(ds_buf *o, const report *r, report_form form)
{
	columns c = columns_of(r);
	if (form == REPORT_JSON) {
		json(o, r);
	} else if (form == REPORT_TSV) {
		tsv_head(o, r, &c);
		rows(o, r, &c, tsv_row);
	} else if (form == REPORT_MARKDOWN) {
		markdown_head(o, r, &c);
		rows(o, r, &c, markdown_row);
	} else {
		table_head(o, r, &c);
		rows(o, r, &c, table_row);
	}
}
