/*
 * write.c - messages of Arrow IPC (Message.fbs, Schema.fbs, File.fbs)
 */
#include "record/arrow/write.h"

#include "base/mem.h"
#include "record/arrow/buffers.h"
#include "record/arrow/flat.h"
#include "record/arrow/schema.h"
#include "record/parquet/held.h"
#include "record/parquet/write_meta.h"

enum { BATCH_BYTES = 8 << 20, BATCH_ROWS = 64 << 10, V5 = 4, BLOCK_BYTES = 24, PAIR_BYTES = 16 };
enum { H_SCHEMA = 1, H_BATCH = 3 };
enum {
	T_NULL = 1,
	T_INT = 2,
	T_FLOAT = 3,
	T_BINARY = 4,
	T_UTF8 = 5,
	T_BOOL = 6,
	T_LIST = 12,
	T_STRUCT = 13
};

struct ds_ar_writer {
	ds_out *out;
	ds_arena *mem;
	ds_pq_shredder s;
	ds_pq_held held;
	ds_compressor *compressor; /* NULL: buffers as they are */
	bool as_file, begun;
	uint64_t start; /* of the file in out */
	ds_buf blocks;  /* BLOCK_BYTES each, for the footer */
	size_t n_fields;
};

ds_ar_writer *ds_ar_writer_new(ds_out *out, bool as_file, int level)
{
	ds_ar_writer *w = DS_NEW(ds_ar_writer, 1);
	w->out = out;
	w->mem = ds_arena_new(64 << 10);
	w->s.mem = w->mem;
	w->as_file = as_file;
	w->compressor = level ? ds_compressor_new(level) : NULL;
	ds_pq_held_open(&w->held);
	return w;
}

void ds_ar_writer_free(ds_ar_writer *w)
{
	if (!w)
		return;
	ds_compressor_free(w->compressor);
	ds_pq_shredder_free(&w->s);
	ds_pq_held_close(&w->held);
	ds_buf_free(&w->blocks);
	ds_arena_free(w->mem);
	ds_mem_free(w);
}

uint64_t ds_ar_writer_replaced(const ds_ar_writer *w)
{
	return w->s.replaced;
}

static uint32_t add_type(ds_flatb *b, const ds_value_shape *x, int64_t *type)
{
	static const uint8_t types[] = { T_NULL, T_BOOL, T_INT, T_FLOAT, T_INT, T_FLOAT, T_UTF8,
		T_BINARY, T_UTF8, T_LIST, T_STRUCT };
	*type = types[x->kind];
	ds_flatb_begin(b);
	if (*type == T_INT) {
		ds_flatb_int(b, 0, 4, x->kind == DS_SHAPE_I64 ? 64 : 32);
		ds_flatb_int(b, 1, 1, x->kind == DS_SHAPE_I64);
	} else if (*type == T_FLOAT) {
		ds_flatb_int(b, 0, 2, x->kind == DS_SHAPE_F64 ? 2 : 1);
	}
	return ds_flatb_end(b);
}

static uint32_t add_key_value(ds_flatb *b, ds_str key, ds_str value)
{
	uint32_t k = ds_flatb_text(b, key), v = ds_flatb_text(b, value);
	ds_flatb_begin(b);
	ds_flatb_ref(b, 0, k);
	ds_flatb_ref(b, 1, v);
	return ds_flatb_end(b);
}

static uint32_t add_field(ds_flatb *b, const ds_value_shape *x, ds_str name)
{
	uint32_t children[DS_SHAPE_FIELDS], keys[2], more = 0;
	size_t n = 0;
	int64_t type;
	if (x->kind == DS_SHAPE_LIST)
		children[n++] = add_field(b, x->first, DS_S("item"));
	for (const ds_value_shape *f = x->kind == DS_SHAPE_STRUCT ? x->first : NULL; f; f = f->next)
		children[n++] = add_field(b, f, f->name);
	if (x->kind == DS_SHAPE_JSON) {
		keys[0] = add_key_value(b, DS_S("ARROW:extension:name"), DS_S("arrow.json"));
		keys[1] = add_key_value(b, DS_S("ARROW:extension:metadata"), DS_S(""));
		more = ds_flatb_refs(b, keys, 2);
	}
	uint32_t below = ds_flatb_refs(b, children, n), of = add_type(b, x, &type);
	uint32_t called = ds_flatb_text(b, name);
	ds_flatb_begin(b);
	ds_flatb_ref(b, 0, called);
	ds_flatb_ref(b, 3, of);
	ds_flatb_ref(b, 5, below);
	if (more)
		ds_flatb_ref(b, 6, more);
	ds_flatb_int(b, 1, 1, 1);
	ds_flatb_int(b, 2, 1, type);
	return ds_flatb_end(b);
}

static uint32_t add_schema(ds_flatb *b, const ds_ar_writer *w)
{
	uint32_t *fields = ds_mem_get((w->s.n_fields + 1) * sizeof(*fields));
	size_t n = 0;
	for (const ds_value_shape *x = w->s.fields; x; x = x->next)
		fields[n++] = add_field(b, x, x->name);
	uint32_t all = ds_flatb_refs(b, fields, n), more = 0;
	ds_mem_free(fields);
	ds_buf features = { 0 };
	if (ds_pq_add_features(&features, &w->s)) {
		more = add_key_value(b, DS_S("huggingface"), ds_buf_view(&features));
		more = ds_flatb_refs(b, &more, 1);
	}
	ds_buf_free(&features);
	ds_flatb_begin(b);
	ds_flatb_ref(b, 1, all);
	if (more)
		ds_flatb_ref(b, 2, more);
	return ds_flatb_end(b);
}

/* The message's table around a header, then what is in front of it and behind it. */
static ds_rc write_message(
	ds_ar_writer *w, ds_flatb *b, uint32_t header, int kind, ds_str body, ds_err *e)
{
	ds_flatb_begin(b);
	ds_flatb_int(b, 3, 8, (int64_t)body.n);
	ds_flatb_ref(b, 2, header);
	ds_flatb_int(b, 0, 2, V5);
	ds_flatb_int(b, 1, 1, kind);
	ds_str head = ds_flatb_finish(b, ds_flatb_end(b));
	uint32_t front[2] = { UINT32_MAX, (uint32_t)head.n };
	if (kind == H_BATCH) {
		int64_t block[3] = { (int64_t)(ds_out_offset(w->out) - w->start),
			(int64_t)head.n + 8, (int64_t)body.n };
		ds_buf_add(&w->blocks, block, sizeof(block));
	}
	DS_TRY(ds_out_write(w->out, front, sizeof(front), e));
	DS_TRY(ds_out_write(w->out, head.at, head.n, e));
	return ds_out_write(w->out, body.at, body.n, e);
}

static ds_rc begin(ds_ar_writer *w, ds_err *e)
{
	ds_flatb b = { 0 };
	w->begun = true;
	w->start = ds_out_offset(w->out);
	w->n_fields = w->s.n_fields;
	if (w->as_file)
		DS_TRY(ds_out_write(w->out, "ARROW1\0\0", 8, e));
	uint32_t schema = add_schema(&b, w);
	ds_rc rc = write_message(w, &b, schema, H_SCHEMA, (ds_str){ "", 0 }, e);
	ds_flatb_free(&b);
	return rc;
}

static ds_rc write_body(ds_ar_writer *w, const ds_ar_body *body, ds_err *e)
{
	ds_flatb b = { 0 };
	uint32_t compression = 0;
	if (w->compressor) {
		ds_flatb_begin(&b);
		ds_flatb_int(&b, 0, 1, 1); /* zstd */
		compression = ds_flatb_end(&b);
	}
	uint32_t buffers = ds_flatb_bytes(&b, ds_buf_view(&body->buffers), PAIR_BYTES);
	uint32_t nodes = ds_flatb_bytes(&b, ds_buf_view(&body->nodes), PAIR_BYTES);
	ds_flatb_begin(&b);
	ds_flatb_int(&b, 0, 8, w->s.rows);
	ds_flatb_ref(&b, 1, nodes);
	ds_flatb_ref(&b, 2, buffers);
	if (compression)
		ds_flatb_ref(&b, 3, compression);
	uint32_t batch = ds_flatb_end(&b);
	ds_rc rc = write_message(w, &b, batch, H_BATCH, ds_buf_view(&body->body), e);
	ds_flatb_free(&b);
	return rc;
}

static ds_rc write_batch(ds_ar_writer *w, ds_err *e)
{
	ds_ar_body body = { .compressor = w->compressor };
	if (!w->begun)
		DS_TRY(begin(w, e));
	if (!w->s.rows)
		return DS_OK;
	if (!w->n_fields)
		return ds_fail(e, DS_BAD, "no record has a field, and Arrow's batches are columns");
	ds_rc rc = ds_ar_make_body(&body, &w->s, e);
	if (rc == DS_OK)
		rc = write_body(w, &body, e);
	ds_ar_body_free(&body);
	ds_pq_next_group(&w->s);
	return rc;
}

static ds_rc shred(ds_ar_writer *w, ds_block *b, ds_err *e)
{
	DS_TRY(ds_pq_shred(&w->s, b, e));
	if (w->begun && w->s.n_fields > w->n_fields) {
		const ds_value_shape *x = w->s.fields;
		for (size_t i = 0; i < w->n_fields; i++)
			x = x->next;
		return ds_fail(e, DS_BAD,
			"field '%.*s' is in none of the first records, by which the schema was "
			"made",
			DS_FMT(x->name));
	}
	if (w->s.rows >= BATCH_ROWS || ds_pq_gathered_bytes(&w->s) >= BATCH_BYTES)
		return write_batch(w, e);
	return DS_OK;
}

static ds_rc release_held(ds_ar_writer *w, ds_err *e)
{
	DS_TRY(ds_pq_learn(&w->held, &w->s, e));
	ds_pq_add_open(&w->s);
	for (size_t i = 0; i < w->held.n; i++)
		DS_TRY(shred(w, w->held.at[i], e));
	ds_pq_held_close(&w->held);
	return DS_OK;
}

ds_rc ds_ar_writer_add(ds_ar_writer *w, ds_block *b, ds_err *e)
{
	bool enough;
	if (!w->held.mem)
		return shred(w, b, e);
	DS_TRY(ds_pq_hold(&w->held, b, &enough, e));
	return enough ? release_held(w, e) : DS_OK;
}

static ds_rc write_footer(ds_ar_writer *w, ds_str chain, ds_err *e)
{
	ds_flatb b = { 0 };
	uint32_t key = add_key_value(&b, DS_S(DS_AR_CHAIN), chain);
	uint32_t keys = ds_flatb_refs(&b, &key, 1),
		 blocks = ds_flatb_bytes(&b, ds_buf_view(&w->blocks), BLOCK_BYTES);
	uint32_t none = ds_flatb_bytes(&b, (ds_str){ "", 0 }, BLOCK_BYTES),
		 schema = add_schema(&b, w);
	ds_flatb_begin(&b);
	ds_flatb_ref(&b, 1, schema);
	ds_flatb_ref(&b, 2, none);
	ds_flatb_ref(&b, 3, blocks);
	ds_flatb_ref(&b, 4, keys);
	ds_flatb_int(&b, 0, 2, V5);
	ds_str footer = ds_flatb_finish(&b, ds_flatb_end(&b));
	uint32_t n = (uint32_t)footer.n;
	ds_rc rc = ds_out_write(w->out, footer.at, footer.n, e);
	ds_flatb_free(&b);
	DS_TRY(rc);
	DS_TRY(ds_out_write(w->out, &n, 4, e));
	return ds_out_write(w->out, "ARROW1", 6, e);
}

ds_rc ds_ar_writer_finish(ds_ar_writer *w, ds_str chain, ds_err *e)
{
	static const uint32_t end[2] = { UINT32_MAX, 0 };
	if (w->held.mem)
		DS_TRY(release_held(w, e));
	DS_TRY(write_batch(w, e));
	DS_TRY(ds_out_write(w->out, end, sizeof(end), e));
	return w->as_file ? write_footer(w, chain, e) : DS_OK;
}
