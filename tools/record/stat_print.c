/*
 * stat_print.c - the counts of dsrec stat as a table, as TSV and as JSON
 */
#include "stat.h"

#include "base/mem.h"
#include "json/json.h"

#include <stdio.h>

enum { BAR_WIDTH = 32, NAME_WIDTH = 14 };

static void add_types(ds_buf *out, unsigned types)
{
	size_t start = out->n;
	for (unsigned t = DS_T_UTF8; t <= DS_T_F32S; t++)
		if (types >> t & 1)
			ds_buf_fmt(out, "%s%s", out->n > start ? "," : "", ds_type_name(t));
	if (out->n == start)
		ds_buf_add_c(out, "-");
}

static void add_right(ds_buf *out, uint64_t n, int width)
{
	ds_buf text = { 0 };
	add_grouped(&text, n);
	ds_buf_fmt(out, " %*.*s", width, (int)text.n, text.at);
	ds_buf_free(&text);
}

static void add_field_line(ds_buf *out, ds_str name, const stat_field *f)
{
	ds_buf types = { 0 };
	char size[16];
	add_types(&types, f->types);
	add_padded(out, name, NAME_WIDTH);
	ds_buf_add_byte(out, ' ');
	add_padded(out, ds_buf_view(&types), 8);
	add_right(out, f->present, 13);
	add_right(out, f->nulls, 9);
	ds_buf_fmt(out, " %9s", ds_human_bytes(size, (double)f->bytes));
	if (f->bins && f->n) {
		add_right(out, f->min, 9);
		add_right(out, stat_quantile(f, 0.5), 9);
		ds_buf_fmt(out, " %10.1f", f->sum / (double)f->n);
		add_right(out, f->max, 11);
		ds_buf_fmt(out, " %s", stat_unit(f));
	} else if (f->n_numbers) {
		ds_buf_fmt(out, " %9.6g %9s %10.5g %11.6g", f->least, "",
			f->total / (double)f->n_numbers, f->most);
	}
	ds_buf_add_byte(out, '\n');
	ds_buf_free(&types);
}

/* How many sizes lie in [low, high]. */
static uint64_t count_between(const stat_field *f, uint64_t low, uint64_t high)
{
	uint64_t n = 0;
	for (unsigned i = stat_bin(low); i <= stat_bin(high); i++)
		n += f->bins[i];
	return n;
}

/* Calls with each power of two's range from the smallest size to the largest. */
typedef void range_fn(void *context, uint64_t low, uint64_t high, uint64_t n);
static void each_range(const stat_field *f, range_fn *fn, void *context)
{
	for (uint64_t low = 0;;) {
		uint64_t high = low == 0 ? 0 : low * 2 - 1;
		if (low >> 63)
			high = UINT64_MAX;
		if (high >= f->min && low <= f->max)
			fn(context, low, high, count_between(f, low, high));
		if (high >= f->max)
			return;
		low = high + 1;
	}
}

typedef struct {
	ds_buf *out;
	uint64_t most;
	bool first;
} histogram;

static void find_most(void *context, uint64_t low, uint64_t high, uint64_t n)
{
	histogram *h = context;
	h->most = n > h->most ? n : h->most;
}

static void draw_range(void *context, uint64_t low, uint64_t high, uint64_t n)
{
	histogram *h = context;
	add_right(h->out, low, 13);
	ds_buf_add_c(h->out, low == high ? "  " : " -");
	if (low == high)
		ds_buf_fmt(h->out, " %13s", "");
	else
		add_right(h->out, high, 13);
	add_right(h->out, n, 13);
	ds_buf_add_byte(h->out, ' ');
	add_bar(h->out, (double)n, (double)h->most, BAR_WIDTH);
	ds_buf_add_byte(h->out, '\n');
}

static void add_histogram(ds_buf *out, ds_str name, const stat_field *f)
{
	histogram h = { .out = out };
	ds_buf_add_c(out, "\n");
	add_visible(out, name, true);
	ds_buf_fmt(out, ", %s\n", stat_unit(f));
	each_range(f, find_most, &h);
	each_range(f, draw_range, &h);
}

static void add_label_table(ds_buf *out, const stat_labels *l, int top)
{
	size_t n;
	if (l->n == 0 || top == 0)
		return;
	stat_label *all = stat_sorted(l, &n);
	ds_buf_fmt(out, "\n%s, %zu%s different\n", l->name, n, l->others ? " or more" : "");
	for (size_t i = 0; i < n && i < (size_t)top; i++) {
		ds_buf_add_c(out, "  ");
		add_padded(out, all[i].name, 26);
		add_right(out, all[i].n, 13);
		ds_buf_fmt(out, " %5.1f%% ", 100 * (double)all[i].n / (double)l->n);
		add_bar(out, (double)all[i].n, (double)all[0].n, BAR_WIDTH - 8);
		ds_buf_add_byte(out, '\n');
	}
	if (n > (size_t)top)
		ds_buf_fmt(out, "  and %zu more (--top)\n", n - (size_t)top);
	ds_mem_free(all);
}

/* The fields whose lengths are drawn: the one named, else text and tokens. */
static bool is_drawn(ds_str name, const stat_field *f, const char *main_field)
{
	if (!f->bins || !f->n)
		return false;
	return main_field ? ds_str_is(name, main_field)
			  : ds_str_is(name, "text") || ds_str_is(name, "tokens");
}

void stat_table(ds_buf *out, const stats *s, const char *main_field, int top)
{
	char size[16];
	add_grouped(out, s->records);
	ds_buf_fmt(out, " record%s in %llu block%s, %s read\n", ds_s(s->records),
		(unsigned long long)s->blocks, ds_s(s->blocks),
		ds_human_bytes(size, (double)s->input_bytes));
	if (s->n_fields)
		ds_buf_fmt(out, "\n%-*s %-8s %13s %9s %9s %9s %9s %10s %11s\n", NAME_WIDTH, "field",
			"type", "present", "null", "bytes", "least", "median", "mean", "most");
	for (size_t i = 0; i < s->n_fields; i++)
		add_field_line(out, ds_map_key(s->names, i), &s->fields[i]);
	if (s->other_fields)
		ds_buf_fmt(out, "and further fields, beyond %d\n", STAT_MAX_FIELDS);
	for (size_t i = 0; i < s->n_fields; i++)
		if (is_drawn(ds_map_key(s->names, i), &s->fields[i], main_field))
			add_histogram(out, ds_map_key(s->names, i), &s->fields[i]);
	for (size_t i = 0; i < 2; i++)
		add_label_table(out, &s->labels[i], top);
}

static void add_tsv_row(ds_buf *out, const char *kind, ds_str name, const char *what, double value)
{
	ds_buf_fmt(out, "%s\t", kind);
	add_visible(out, name, true);
	ds_buf_fmt(out, "\t%s\t%.17g\n", what, value);
}

void stat_tsv(ds_buf *out, const stats *s, int top)
{
	ds_buf_add_c(out, "of\tname\tmeasure\tvalue\n");
	add_tsv_row(out, "stream", DS_S("-"), "records", (double)s->records);
	add_tsv_row(out, "stream", DS_S("-"), "blocks", (double)s->blocks);
	add_tsv_row(out, "stream", DS_S("-"), "bytes", (double)s->input_bytes);
	for (size_t i = 0; i < s->n_fields; i++) {
		ds_str name = ds_map_key(s->names, i);
		const stat_field *f = &s->fields[i];
		add_tsv_row(out, "field", name, "present", (double)f->present);
		add_tsv_row(out, "field", name, "null", (double)f->nulls);
		add_tsv_row(out, "field", name, "bytes", (double)f->bytes);
		if (f->bins && f->n) {
			add_tsv_row(out, "field", name, "least", (double)f->min);
			add_tsv_row(out, "field", name, "median", (double)stat_quantile(f, 0.5));
			add_tsv_row(out, "field", name, "mean", f->sum / (double)f->n);
			add_tsv_row(out, "field", name, "most", (double)f->max);
		} else if (f->n_numbers) {
			add_tsv_row(out, "field", name, "least", f->least);
			add_tsv_row(out, "field", name, "mean", f->total / (double)f->n_numbers);
			add_tsv_row(out, "field", name, "most", f->most);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		size_t n;
		stat_label *all = stat_sorted(&s->labels[i], &n);
		for (size_t k = 0; k < n && k < (size_t)top; k++)
			add_tsv_row(
				out, s->labels[i].name, all[k].name, "records", (double)all[k].n);
		ds_mem_free(all);
	}
}

static void json_range(void *context, uint64_t low, uint64_t high, uint64_t n)
{
	histogram *h = context;
	ds_buf_fmt(h->out, "%s{\"from\":%llu,\"to\":%llu,\"records\":%llu}", h->first ? "" : ",",
		(unsigned long long)low, (unsigned long long)high, (unsigned long long)n);
	h->first = false;
}

static void json_f64(ds_buf *out, const char *key, double v)
{
	char text[32];
	ds_f64_print(text, v);
	ds_buf_fmt(out, ",\"%s\":%s", key, v - v == 0 ? text : "null");
}

static void json_field(ds_buf *out, ds_str name, const stat_field *f, const char *main_field)
{
	bool first = true;
	ds_buf_add_c(out, "{\"name\":");
	ds_json_add_str(out, name);
	ds_buf_add_c(out, ",\"types\":[");
	for (unsigned t = DS_T_UTF8; t <= DS_T_F32S; t++) {
		if (!(f->types >> t & 1))
			continue;
		ds_buf_fmt(out, "%s\"%s\"", first ? "" : ",", ds_type_name(t));
		first = false;
	}
	ds_buf_fmt(out, "],\"present\":%llu,\"null\":%llu,\"bytes\":%llu",
		(unsigned long long)f->present, (unsigned long long)f->nulls,
		(unsigned long long)f->bytes);
	if (f->bins && f->n) {
		ds_buf_fmt(out, ",\"unit\":\"%s\",\"least\":%llu,\"median\":%llu,\"most\":%llu",
			stat_unit(f), (unsigned long long)f->min,
			(unsigned long long)stat_quantile(f, 0.5), (unsigned long long)f->max);
		json_f64(out, "mean", f->sum / (double)f->n);
	} else if (f->n_numbers) {
		json_f64(out, "least", f->least);
		json_f64(out, "mean", f->total / (double)f->n_numbers);
		json_f64(out, "most", f->most);
	}
	if (is_drawn(name, f, main_field)) {
		histogram h = { .out = out, .first = true };
		ds_buf_add_c(out, ",\"lengths\":[");
		each_range(f, json_range, &h);
		ds_buf_add_byte(out, ']');
	}
	ds_buf_add_byte(out, '}');
}

void stat_json(ds_buf *out, const stats *s, const char *main_field, int top)
{
	ds_buf_fmt(out, "{\"records\":%llu,\"blocks\":%llu,\"bytes\":%llu,\"fields\":[",
		(unsigned long long)s->records, (unsigned long long)s->blocks,
		(unsigned long long)s->input_bytes);
	for (size_t i = 0; i < s->n_fields; i++) {
		if (i)
			ds_buf_add_byte(out, ',');
		json_field(out, ds_map_key(s->names, i), &s->fields[i], main_field);
	}
	ds_buf_add_c(out, "]");
	for (size_t i = 0; i < 2; i++) {
		size_t n;
		if (s->labels[i].n == 0)
			continue;
		stat_label *all = stat_sorted(&s->labels[i], &n);
		ds_buf_fmt(out, ",\"%s\":[", s->labels[i].name);
		for (size_t k = 0; k < n && k < (size_t)top; k++) {
			ds_buf_add_c(out, k ? ",{\"value\":" : "{\"value\":");
			ds_json_add_str(out, all[k].name);
			ds_buf_fmt(out, ",\"records\":%llu}", (unsigned long long)all[k].n);
		}
		ds_buf_add_byte(out, ']');
		ds_mem_free(all);
	}
	ds_buf_add_c(out, "}\n");
}
