/*
 * gguf_file.c - the layout of GGUF 3: "GGUF", version, counts, pairs, tensors' names, their data
 *
 * Dimensions are written from the innermost one on, offsets count from where the data begin; everything there is at a
 * multiple of 32.
 */
#include "gguf_file.h"

#include "base/mem.h"

enum { VERSION = 3, ALIGN = 32 };
enum { T_U32 = 4, T_I32 = 5, T_F32 = 6, T_BOOL = 7, T_TEXT = 8, T_ARRAY = 9 };

struct gguf_file {
	ds_buf pairs;
	uint64_t n_pairs;
	gguf_tensor *tensors;
	size_t n, cap;
};

gguf_file *gguf_new(void)
{
	return DS_NEW(gguf_file, 1);
}

void gguf_free(gguf_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		ds_mem_free((char *)f->tensors[i].name);
	ds_mem_free(f->tensors);
	ds_buf_free(&f->pairs);
	ds_mem_free(f);
}

static void put_u32(ds_buf *b, uint32_t v)
{
	ds_buf_add(b, &v, sizeof(v));
}

static void put_u64(ds_buf *b, uint64_t v)
{
	ds_buf_add(b, &v, sizeof(v));
}

static void put_text(ds_buf *b, ds_str s)
{
	put_u64(b, s.n);
	ds_buf_add_str(b, s);
}

static void put_key(gguf_file *f, const char *key, uint32_t type)
{
	put_text(&f->pairs, ds_str_of(key));
	put_u32(&f->pairs, type);
	f->n_pairs++;
}

void gguf_text(gguf_file *f, const char *key, ds_str value)
{
	put_key(f, key, T_TEXT);
	put_text(&f->pairs, value);
}

void gguf_u32(gguf_file *f, const char *key, uint32_t value)
{
	put_key(f, key, T_U32);
	put_u32(&f->pairs, value);
}

void gguf_f32(gguf_file *f, const char *key, float value)
{
	put_key(f, key, T_F32);
	ds_buf_add(&f->pairs, &value, sizeof(value));
}

void gguf_bool(gguf_file *f, const char *key, bool value)
{
	put_key(f, key, T_BOOL);
	ds_buf_add_byte(&f->pairs, value);
}

static void put_array(gguf_file *f, const char *key, uint32_t type, size_t n)
{
	put_key(f, key, T_ARRAY);
	put_u32(&f->pairs, type);
	put_u64(&f->pairs, n);
}

void gguf_f32s(gguf_file *f, const char *key, const float *values, size_t n)
{
	put_array(f, key, T_F32, n);
	ds_buf_add(&f->pairs, values, n * sizeof(*values));
}

void gguf_i32s(gguf_file *f, const char *key, const int32_t *values, size_t n)
{
	put_array(f, key, T_I32, n);
	ds_buf_add(&f->pairs, values, n * sizeof(*values));
}

void gguf_texts(gguf_file *f, const char *key, size_t n)
{
	put_array(f, key, T_TEXT, n);
}

void gguf_add_text(gguf_file *f, ds_str text)
{
	put_text(&f->pairs, text);
}

void gguf_add(gguf_file *f, const gguf_tensor *t)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		f->tensors = ds_mem_grow(
			f->tensors, f->cap * sizeof(gguf_tensor), cap * sizeof(gguf_tensor));
		f->cap = cap;
	}
	f->tensors[f->n] = *t;
	f->tensors[f->n++].name = ds_mem_text(t->name);
}

static int64_t count(const gguf_tensor *t)
{
	return t->rank == 2 ? t->dims[0] * t->dims[1] : t->dims[0];
}

static uint64_t padded(uint64_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void put_head(const gguf_file *f, ds_buf *head)
{
	static const uint32_t types[] = {
		[VALUE_F32] = 0, [VALUE_F16] = 1, [VALUE_Q8_0] = 8, [VALUE_BF16] = 30
	};
	uint64_t at = 0;
	ds_buf_add_c(head, "GGUF");
	put_u32(head, VERSION);
	put_u64(head, f->n);
	put_u64(head, f->n_pairs);
	ds_buf_add_str(head, ds_buf_view(&f->pairs));
	for (size_t i = 0; i < f->n; i++) {
		const gguf_tensor *t = &f->tensors[i];
		bool transposed = t->order == GGUF_TRANSPOSED;
		put_text(head, ds_str_of(t->name));
		put_u32(head, (uint32_t)t->rank);
		for (int d = t->rank - 1; d >= 0; d--)
			put_u64(head, (uint64_t)t->dims[transposed ? 1 - d : d]);
		put_u32(head, types[t->type]);
		put_u64(head, at);
		at = padded(at + values_bytes(t->type, count(t)));
	}
}

/* By tiles, so that what is read and what is written both stay in the cache. */
static void transpose(const float *in, int64_t rows, int64_t cols, float *out)
{
	enum { TILE = 16 };
	for (int64_t r = 0; r < rows; r += TILE)
		for (int64_t c = 0; c < cols; c += TILE)
			for (int64_t i = r; i < rows && i < r + TILE; i++)
				for (int64_t j = c; j < cols && j < c + TILE; j++)
					out[j * rows + i] = in[i * cols + j];
}

/* The values in the order in which they are stored. */
static void arrange(const gguf_tensor *t, float *out)
{
	int64_t rows = t->dims[0], cols = t->rank == 2 ? t->dims[1] : 1;
	if (t->order == GGUF_TRANSPOSED) {
		transpose(t->data, rows, cols, out);
		return;
	}
	int64_t dim = rows / t->heads;
	for (int64_t r = 0; r < rows; r++) {
		int64_t head = r / dim, i = r % dim;
		int64_t from = head * dim + i % 2 * (dim / 2) + i / 2;
		memcpy(out + r * cols, t->data + from * cols, (size_t)cols * sizeof(*out));
	}
}

static ds_rc write_tensor(const gguf_tensor *t, ds_out *out, bool clamp, ds_err *e)
{
	values_how how = { t->type, clamp };
	if (t->order == GGUF_AS_IT_IS)
		return values_write(out, t->name, t->data, count(t), how, e);
	float *v = ds_mem_get((size_t)count(t) * sizeof(*v));
	arrange(t, v);
	ds_rc rc = values_write(out, t->name, v, count(t), how, e);
	ds_mem_free(v);
	return rc;
}

ds_rc gguf_write(gguf_file *f, ds_out *out, bool clamp, ds_err *e)
{
	static const char zeros[ALIGN];
	ds_buf head = { 0 };
	put_head(f, &head);
	ds_buf_add(&head, zeros, padded(head.n) - head.n);
	ds_rc rc = ds_out_write(out, head.at, head.n, e);
	ds_buf_free(&head);
	for (size_t i = 0; i < f->n && rc == DS_OK; i++) {
		uint64_t n = values_bytes(f->tensors[i].type, count(&f->tensors[i]));
		rc = write_tensor(&f->tensors[i], out, clamp, e);
		if (rc == DS_OK)
			rc = ds_out_write(out, zeros, padded(n) - n, e);
	}
	return rc;
}
