/*
 * read.c - tokenizers out of options and streams, and into files; texts read on several threads
 */
#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"
#include "record/field.h"
#include "record/source.h"
#include "tokenize.h"

#include <pthread.h>

ds_rc open_tokenizer(ds_tok **t, ds_err *e)
{
	ds_tok_options o = { .pattern = opt.pattern, .nfc = opt.nfc };
	return ds_tok_open(t, opt.tokenizer, &o, e);
}

ds_rc write_tokenizer(const char *path, const ds_tok *t, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	ds_buf json = { 0 };
	ds_rc rc = ds_out_open(&out, path, e);
	if (rc == DS_OK)
		rc = ds_tok_json(t, &json, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, json.at, json.n, e);
	if (rc == DS_OK)
		rc = ds_out_deliver(out, e);
	ds_buf_free(&json);
	return rc;
}

ds_rc stream_tokenizer(ds_tok **t, const ds_opt *opts, size_t n, ds_err *e)
{
	*t = NULL;
	for (size_t i = 0; i < n; i++) {
		DS_AUTO(ds_tok) next = NULL;
		if (opts[i].kind != DS_OPT_TOKENIZER)
			continue;
		ds_rc rc = ds_tok_unpack(&next, opts[i].bytes, e);
		if (rc == DS_OK && *t) {
			ds_h128 a = ds_tok_identity(*t), b = ds_tok_identity(next);
			if (a.lo != b.lo || a.hi != b.hi)
				rc = ds_fail(e, DS_BAD,
					"the inputs were made with different tokenizers");
		}
		if (rc != DS_OK) {
			ds_tok_close(*t);
			*t = NULL;
			return rc;
		}
		if (!*t) {
			*t = next;
			next = NULL;
		}
	}
	return DS_OK;
}

typedef struct {
	const ds_common *common;
	ds_source *source;
	each_text *fn;
	void *context;
	ds_progress *progress;
	pthread_mutex_t lock; /* source and what is below */
	ds_field *field;
	ds_field_count n;
	ds_field_names names; /* while none has the field */
	uint64_t n_blocks, failed_block;
	ds_rc rc;
	ds_err err;
} reading;

/* The failure of the earliest block is the one that is told. */
static void failed(reading *r, uint64_t block, ds_rc rc, const ds_err *e)
{
	pthread_mutex_lock(&r->lock);
	if (r->rc == DS_OK || block < r->failed_block) {
		r->rc = rc;
		r->err = *e;
		r->failed_block = block;
	}
	pthread_mutex_unlock(&r->lock);
}

/* Adds up who has the field; as long as none has, remembers what there is. */
static ds_rc note_fields(reading *r, ds_block *b, const ds_field_count *n, ds_err *e)
{
	ds_rc rc = DS_OK;
	pthread_mutex_lock(&r->lock);
	r->n.n_with += n->n_with;
	r->n.n_without += n->n_without;
	if (!r->n.n_with)
		rc = ds_field_names_add(&r->names, b, e);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

static ds_rc texts_of(reading *r, ds_block *b, unsigned worker, ds_err *e)
{
	ds_texts texts;
	const ds_col *lang;
	ds_field_count n = { 0 };
	DS_TRY(ds_texts_open(&texts, r->field, b, &n, e));
	DS_TRY(ds_block_get(b, "lang", &lang, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		ds_str text, code = { "", 0 };
		bool has = false;
		if (lang && lang->type == DS_T_UTF8 && ds_col_has(lang, row) &&
			!ds_col_null(lang, row))
			code = ds_col_bytes(lang, row);
		ds_rc rc = ds_texts_get(&texts, row, &text, &has, e);
		if (rc == DS_OK && has)
			rc = r->fn(r->context, worker, text, code, e);
		if (rc == DS_BAD && r->common->in.on_error != DS_ON_STOP)
			rc = DS_OK;
		if (rc != DS_OK)
			return ds_at(e, rc, "%s:%llu", b->origin ? b->origin : "record",
				(unsigned long long)(b->origin_record +
						     (b->row_of ? b->row_of[row] : row)));
	}
	return note_fields(r, b, &n, e);
}

static void read_some(void *context, size_t task, unsigned worker)
{
	reading *r = context;
	DS_AUTO(ds_arena) mem = ds_arena_new(2 << 20);
	for (;;) {
		ds_err e;
		ds_block *b = NULL;
		ds_arena_reset(mem);
		pthread_mutex_lock(&r->lock);
		uint64_t n = r->n_blocks++;
		ds_rc rc = r->rc == DS_OK ? ds_source_next(r->source, mem, &b, &e) : DS_OK;
		pthread_mutex_unlock(&r->lock);
		if (rc == DS_OK && !b)
			return;
		if (rc == DS_OK) {
			ds_progress_add(r->progress, b->n_rows, b->input_bytes);
			rc = texts_of(r, b, (unsigned)task, &e);
		}
		if (rc != DS_OK) {
			failed(r, n, rc, &e);
			return;
		}
	}
}

/* Where there were records, one has the field; that some have it not is a warning. */
static ds_rc check_fields(const reading *r, ds_err *e)
{
	if (r->n.n_without && !r->n.n_with)
		return ds_field_missing(ds_field_name(r->field), &r->names, "--field", e);
	if (r->n.n_without)
		ds_warn(&r->common->who, "%llu record%s no field '%s'",
			(unsigned long long)r->n.n_without, r->n.n_without == 1 ? " has" : "s have",
			ds_field_name(r->field));
	return DS_OK;
}

static ds_rc run_reading(reading *r, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_source) source = NULL;
	DS_AUTO(ds_progress) progress = ds_progress_new(&c->who);
	DS_AUTO(ds_pool) pool = ds_pool_new((unsigned)c->jobs);
	DS_TRY(ds_field_of(&r->field, &c->in.field, e));
	DS_TRY(ds_source_open(&source, &c->in, e));
	ds_progress_total(progress, ds_source_total_bytes(source));
	r->source = source;
	r->progress = progress;
	ds_pool_run(pool, (size_t)c->jobs, read_some, r);
	if (r->rc != DS_OK)
		*e = r->err;
	return r->rc == DS_OK ? check_fields(r, e) : r->rc;
}

ds_rc read_texts(const ds_common *c, each_text *fn, void *context, ds_err *e)
{
	reading r = { .common = c, .fn = fn, .context = context };
	pthread_mutex_init(&r.lock, NULL);
	ds_rc rc = run_reading(&r, c, e);
	pthread_mutex_destroy(&r.lock);
	ds_field_free(r.field);
	ds_field_names_free(&r.names);
	return rc;
}
