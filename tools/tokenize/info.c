/*
 * info.c - dstok info and dstok count: what a tokenizer is, and how many tokens a text has
 */
#include "base/io.h"
#include "base/mem.h"
#include "record/json.h"
#include "text/tok/category.h"
#include "tokenize.h"

#include <inttypes.h>
#include <stdio.h>

enum { N_LONGEST = 10 };

typedef struct {
	ds_buf *out;
	int form; /* 0 table, 1 tsv, 2 json */
	bool any;
} report;

static ds_rc form_of(const ds_common *c, int *form, ds_err *e)
{
	static const char *const names[] = { "table", "tsv", "json" };
	*form = c->json ? 2 : 0;
	if (!c->to)
		return DS_OK;
	for (*form = 0; *form < 3; ++*form)
		if (strcmp(c->to, names[*form]) == 0)
			return DS_OK;
	return ds_fail(e, DS_USAGE, "--to '%s': table, tsv or json", c->to);
}

static void add_key(report *r, const char *name)
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

static void end_value(report *r)
{
	if (r->form != 2)
		ds_buf_add_byte(r->out, '\n');
}

static void add_text(report *r, const char *name, ds_str v)
{
	add_key(r, name);
	if (r->form == 2)
		ds_json_add_str(r->out, v);
	else
		ds_buf_add_str(r->out, v);
	end_value(r);
}

static void add_count(report *r, const char *name, uint64_t v)
{
	add_key(r, name);
	ds_buf_fmt(r->out, "%" PRIu64, v);
	end_value(r);
}

static void add_ratio(report *r, const char *name, double v)
{
	add_key(r, name);
	ds_buf_fmt(r->out, "%.4g", v);
	end_value(r);
}

static ds_rc write_report(const ds_common *c, report *r, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	if (r->form == 2)
		ds_buf_add_c(r->out, "}\n");
	DS_TRY(ds_out_open(&out, c->out_path, e));
	DS_TRY(ds_out_write(out, r->out->at, r->out->n, e));
	return ds_out_finish(out, e);
}

/* The longest tokens, longest first, of equal ones the lower id. */
static size_t longest(const ds_tok *t, uint32_t out[N_LONGEST])
{
	size_t n = 0;
	for (uint32_t id = 0; id < ds_tok_size(t); id++) {
		size_t len = ds_tok_bytes(t, id).n, at = n;
		if (ds_tok_is_special(t, id) || len == 0)
			continue;
		while (at > 0 && ds_tok_bytes(t, out[at - 1]).n < len)
			at--;
		if (at == N_LONGEST)
			continue;
		n += n < N_LONGEST;
		for (size_t k = n - 1; k > at; k--)
			out[k] = out[k - 1];
		out[at] = id;
	}
	return n;
}

static void add_longest(report *r, const ds_tok *t)
{
	uint32_t ids[N_LONGEST];
	size_t n = longest(t, ids);
	add_key(r, "longest");
	ds_buf_add_c(r->out, r->form == 2 ? "[" : "");
	for (size_t i = 0; i < n; i++) {
		ds_buf_add_c(r->out, i == 0 ? "" : r->form == 2 ? "," : " ");
		ds_json_add_str(r->out, ds_tok_bytes(t, ids[i]));
	}
	ds_buf_add_c(r->out, r->form == 2 ? "]" : "");
	end_value(r);
}

static void add_specials(report *r, const ds_tok *t)
{
	static const char *const names[] = { "pad", "bos", "eos", "mask", "cls", "sep", "unk" };
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++) {
		uint32_t id = ds_tok_special(t, (ds_tok_special_kind)k);
		if (id != DS_TOK_NONE)
			add_count(r, names[k], id);
	}
}

ds_rc info_run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_buf text = { 0 };
	report r = { .out = &text };
	char hex[33];
	DS_TRY(form_of(c, &r.form, e));
	if (c->n_files > 1 || (c->n_files == 1 && opt.tokenizer))
		return ds_fail(e, DS_USAGE, "one tokenizer at a time");
	if (c->n_files == 1)
		opt.tokenizer = c->files[0];
	DS_TRY(open_tokenizer(&t, e));
	ds_h128 id = ds_tok_identity(t);
	snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64, id.hi, id.lo);
	add_text(&r, "tokenizer", ds_str_of(ds_tok_name(t)));
	add_text(&r, "model", ds_str_of(ds_tok_model(t)));
	add_text(&r, "pattern", ds_str_of(ds_tok_pattern(t)));
	add_text(&r, "unicode", ds_str_of(ds_cat_unicode));
	add_count(&r, "ids", ds_tok_size(t));
	add_text(&r, "identity", ds_str_of(hex));
	add_specials(&r, t);
	add_longest(&r, t);
	ds_rc rc = opt.write ? write_tokenizer(opt.write, t, e) : DS_OK;
	if (rc == DS_OK)
		rc = write_report(c, &r, e);
	ds_buf_free(&text);
	return rc;
}

typedef struct { /* of one worker */
	ds_tok_scratch *scratch;
	uint64_t records, bytes, chars, tokens;
} counts;

typedef struct {
	const ds_tok *tok;
	counts *of;
} counter;

static ds_rc count_text(void *context, unsigned worker, ds_str text, ds_err *e)
{
	counter *x = context;
	counts *k = &x->of[worker];
	const uint32_t *ids;
	size_t n;
	DS_TRY(ds_tok_encode(
		x->tok, k->scratch, text, opt.specials ? DS_TOK_SPECIALS : 0, &ids, &n, e));
	k->records++;
	k->bytes += text.n;
	for (size_t i = 0; i < text.n; i++)
		k->chars += ((uint8_t)text.at[i] & 0xc0) != 0x80;
	k->tokens += n;
	return DS_OK;
}

ds_rc count_run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_buf text = { 0 };
	report r = { .out = &text };
	uint64_t without;
	DS_TRY(form_of(c, &r.form, e));
	DS_TRY(open_tokenizer(&t, e));
	counter x = { t, DS_NEW(counts, (size_t)c->jobs) };
	for (int i = 0; i < c->jobs; i++)
		x.of[i].scratch = ds_tok_scratch_new(t);
	ds_rc rc = read_texts(c, count_text, &x, &without, e);
	counts all = { 0 };
	for (int i = 0; i < c->jobs; i++) {
		all.records += x.of[i].records;
		all.bytes += x.of[i].bytes;
		all.chars += x.of[i].chars;
		all.tokens += x.of[i].tokens;
		ds_tok_scratch_free(x.of[i].scratch);
	}
	ds_mem_free(x.of);
	DS_TRY(rc);
	add_count(&r, "records", all.records);
	add_count(&r, "bytes", all.bytes);
	add_count(&r, "chars", all.chars);
	add_count(&r, "tokens", all.tokens);
	add_ratio(&r, "bytes_per_token", all.tokens ? (double)all.bytes / (double)all.tokens : 0);
	rc = write_report(c, &r, e);
	ds_buf_free(&text);
	return rc;
}
