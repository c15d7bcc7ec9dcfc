/*
 * info.c - dstok info: what a tokenizer is
 */
#include "json/json.h"
#include "text/tok/category.h"
#include "report.h"
#include "tokenize.h"

#include <inttypes.h>
#include <stdio.h>

enum { N_LONGEST = 10 };

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
	report_key(r, "longest");
	ds_buf_add_c(r->out, r->form == 2 ? "[" : "");
	for (size_t i = 0; i < n; i++) {
		ds_buf_add_c(r->out, i == 0 ? "" : r->form == 2 ? "," : " ");
		ds_json_add_str(r->out, ds_tok_bytes(t, ids[i]));
	}
	ds_buf_add_c(r->out, r->form == 2 ? "]" : "");
	report_end(r);
}

static void add_specials(report *r, const ds_tok *t)
{
	static const char *const names[] = { "pad", "bos", "eos", "mask", "cls", "sep", "unk" };
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++) {
		uint32_t id = ds_tok_special(t, (ds_tok_special_kind)k);
		if (id != DS_TOK_NONE)
			report_count(r, names[k], id);
	}
}

/* Of --text, on top of what the tokenizer is. */
static ds_rc count_languages(const ds_common *c, const ds_tok *t, report *r, ds_err *e)
{
	ds_common texts = *c;
	texts.in.files = opt.text.at;
	texts.in.n_files = opt.text.n;
	texts.in.field.column = c->in.field.column ? c->in.field.column : "text";
	texts.in.max_record = c->in.max_record ? c->in.max_record : (uint64_t)1 << 30;
	return count_texts(&texts, t, true, r, e);
}

ds_rc info_run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_buf text = { 0 };
	report r = { .out = &text };
	char hex[33];
	DS_TRY(report_form(c, &r.form, e));
	if (c->in.n_files > 1 || (c->in.n_files == 1 && opt.tokenizer))
		return ds_fail(e, DS_USAGE, "one tokenizer at a time");
	if (c->in.n_files == 1)
		opt.tokenizer = c->in.files[0];
	DS_TRY(open_tokenizer(&t, e));
	ds_h128 id = ds_tok_identity(t);
	snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64, id.hi, id.lo);
	report_text(&r, "tokenizer", ds_str_of(ds_tok_name(t)));
	report_text(&r, "model", ds_str_of(ds_tok_model(t)));
	report_text(&r, "pattern", ds_str_of(ds_tok_pattern(t)));
	report_text(&r, "unicode", ds_str_of(ds_cat_unicode));
	report_count(&r, "ids", ds_tok_size(t));
	report_text(&r, "identity", ds_str_of(hex));
	add_specials(&r, t);
	add_longest(&r, t);
	ds_rc rc = opt.text.n ? count_languages(c, t, &r, e) : DS_OK;
	if (rc == DS_OK && opt.write)
		rc = write_tokenizer(opt.write, t, e);
	if (rc == DS_OK)
		rc = report_write(c, &r, e);
	ds_buf_free(&text);
	return rc;
}
