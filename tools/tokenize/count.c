/*
 * count.c - dstok count: how many tokens a text has, in all and by language
 */
#include "base/mem.h"
#include "json/json.h"
#include "text/lang.h"
#include "tokenize.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct {
	uint64_t records, bytes, chars, tokens;
} counts;

typedef struct { /* of one worker */
	ds_tok_scratch *scratch;
	counts all;
	ds_map *langs; /* to numbers of by_lang */
	counts *by_lang;
	size_t cap;
} tally;

typedef struct {
	const ds_tok *tok;
	bool languages;
	tally *of;
} counter;

static void add(counts *to, const counts *x)
{
	to->records += x->records;
	to->bytes += x->bytes;
	to->chars += x->chars;
	to->tokens += x->tokens;
}

static void add_lang(tally *k, ds_str lang, const counts *x)
{
	bool is_new;
	uint64_t *i = ds_map_put(k->langs, lang, &is_new);
	if (is_new)
		*i = ds_map_count(k->langs) - 1;
	if (*i >= k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 16;
		k->by_lang = ds_mem_grow(k->by_lang, k->cap * sizeof(counts), cap * sizeof(counts));
		memset(k->by_lang + k->cap, 0, (cap - k->cap) * sizeof(counts));
		k->cap = cap;
	}
	add(&k->by_lang[*i], x);
}

static ds_rc count_text(void *context, unsigned worker, ds_str text, ds_str lang, ds_err *e)
{
	counter *x = context;
	tally *k = &x->of[worker];
	counts this = { .records = 1, .bytes = text.n };
	const uint32_t *ids;
	DS_TRY(ds_tok_encode(x->tok, k->scratch, text, opt.specials ? DS_TOK_SPECIALS : 0, &ids,
		&this.tokens, e));
	for (size_t i = 0; i < text.n; i++)
		this.chars += ((uint8_t)text.at[i] & 0xc0) != 0x80;
	add(&k->all, &this);
	if (x->languages)
		add_lang(k, lang.n ? lang : ds_str_of(ds_lang_of(text.at, text.n).code), &this);
	return DS_OK;
}

static double ratio(const counts *x)
{
	return x->tokens ? (double)x->bytes / (double)x->tokens : 0;
}

static int by_bytes(const void *va, const void *vb, void *context)
{
	const size_t *a = va, *b = vb;
	const tally *k = context;
	if (k->by_lang[*a].bytes != k->by_lang[*b].bytes)
		return k->by_lang[*a].bytes > k->by_lang[*b].bytes ? -1 : 1;
	return ds_str_cmp(ds_map_key(k->langs, *a), ds_map_key(k->langs, *b));
}

/* The language with most bytes first. */
static void report_languages(const tally *k, report *r)
{
	size_t n = ds_map_count(k->langs);
	size_t *order = DS_NEW(size_t, n + 1);
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_bytes, (void *)k);
	if (r->form == 2) {
		report_key(r, "languages");
		ds_buf_add_byte(r->out, '[');
	}
	for (size_t i = 0; i < n; i++) {
		ds_str lang = ds_map_key(k->langs, order[i]);
		const counts *x = &k->by_lang[order[i]];
		if (r->form == 2) {
			ds_buf_add_c(r->out, i ? ",{\"lang\":" : "{\"lang\":");
			ds_json_add_str(r->out, lang);
			ds_buf_fmt(r->out,
				",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"tokens\":%" PRIu64
				",\"bytes_per_token\":%.4g}",
				x->records, x->bytes, x->tokens, ratio(x));
			continue;
		}
		size_t before = r->out->n;
		ds_buf_add_c(r->out, r->form ? "lang\t" : "lang ");
		ds_buf_add_shown(r->out, lang);
		if (r->form) {
			ds_buf_fmt(r->out, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%.4g\n",
				x->records, x->bytes, x->tokens, ratio(x));
			continue;
		}
		do
			ds_buf_add_byte(r->out, ' ');
		while (r->out->n < before + 18);
		ds_buf_fmt(r->out,
			"%" PRIu64 " record%s, %" PRIu64 " byte%s, %" PRIu64
			" token%s, %.4g bytes a token\n",
			x->records, ds_s(x->records), x->bytes, ds_s(x->bytes), x->tokens,
			ds_s(x->tokens), ratio(x));
	}
	if (r->form == 2)
		ds_buf_add_byte(r->out, ']');
	ds_mem_free(order);
}

static void report_counts(const tally *k, bool languages, report *r)
{
	report_count(r, "records", k->all.records);
	report_count(r, "bytes", k->all.bytes);
	report_count(r, "chars", k->all.chars);
	report_count(r, "tokens", k->all.tokens);
	report_ratio(r, "bytes_per_token", ratio(&k->all));
	if (languages)
		report_languages(k, r);
}

/* The other workers' counts go into the first's. */
static void gather(tally *to, const tally *k)
{
	add(&to->all, &k->all);
	for (size_t i = 0; i < ds_map_count(k->langs); i++)
		add_lang(to, ds_map_key(k->langs, i), &k->by_lang[*ds_map_value(k->langs, i)]);
}

ds_rc count_texts(const ds_common *c, const ds_tok *t, bool languages, report *r, ds_err *e)
{
	counter x = { t, languages, DS_NEW(tally, (size_t)c->jobs) };
	for (int i = 0; i < c->jobs; i++) {
		x.of[i].scratch = ds_tok_scratch_new(t);
		x.of[i].langs = ds_map_new(16);
	}
	ds_rc rc = read_texts(c, count_text, &x, e);
	for (int i = 1; i < c->jobs; i++)
		gather(&x.of[0], &x.of[i]);
	if (rc == DS_OK)
		report_counts(&x.of[0], languages, r);
	for (int i = 0; i < c->jobs; i++) {
		ds_tok_scratch_free(x.of[i].scratch);
		ds_map_free(x.of[i].langs);
		ds_mem_free(x.of[i].by_lang);
	}
	ds_mem_free(x.of);
	return rc;
}

ds_rc count_run(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_buf text = { 0 };
	report r = { .out = &text };
	DS_TRY(report_form(c, &r.form, e));
	DS_TRY(open_tokenizer(&t, e));
	ds_rc rc = count_texts(c, t, opt.languages, &r, e);
	if (rc == DS_OK)
		rc = report_write(c, &r, e);
	ds_buf_free(&text);
	return rc;
}
