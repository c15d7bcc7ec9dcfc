/*
 * pairs.c - a model's vectors of a record's picture and text
 */
#include "pairs.h"

#include "value.h"

ds_rc pairs_open(pairs *p, metric_args *a, ds_err *e)
{
	p->name = a->name;
	if (!a->model)
		return ds_fail(
			e, DS_USAGE, "%s needs a model of texts and pictures: -m DIR", a->name);
	DS_TRY(ds_field_of(&p->field, &a->common->in.field, e));
	DS_TRY(ds_model_open_with(
		&p->m, a->model, &(ds_model_opts){ .ignore_keys = a->ignore_keys }, e));
	DS_TRY(ds_device_open(&p->device, NULL, (unsigned)a->common->jobs, e));
	DS_TRY(ds_towers_open(&p->t, p->m, p->device, (unsigned)a->common->jobs, e));
	if (!ds_towers_read(p->t))
		return ds_fail(e, DS_USAGE, "%s: %s takes no texts", a->name,
			ds_model_config(p->m)->arch->name);
	return DS_OK;
}

void pairs_close(pairs *p)
{
	ds_towers_close(p->t);
	ds_device_close(p->device);
	ds_model_close(p->m);
	ds_field_free(p->field);
}

static ds_rc image_of(ds_block *b, uint32_t row, ds_str *out, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, "image", &c, e));
	if (!c || c->type != DS_T_BYTES || !ds_col_has(c, row) || ds_col_null(c, row))
		return ds_fail(e, DS_BAD, "record %llu: no 'image' that is bytes",
			(unsigned long long)ds_block_record(b, row));
	*out = ds_col_bytes(c, row);
	return DS_OK;
}

/* The picture's file, where the record says it. */
static ds_rc damaged(ds_block *b, uint32_t row, const char *why, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, "source", &c, e));
	bool named = c && c->type == DS_T_UTF8 && ds_col_has(c, row) && !ds_col_null(c, row);
	ds_str name = named ? ds_col_bytes(c, row) : DS_S("");
	return ds_fail(e, DS_BAD, "record %llu: image%s%.*s%s: %s",
		(unsigned long long)ds_block_record(b, row), named ? " '" : "", DS_FMT(name),
		named ? "'" : "", why);
}

ds_rc pairs_embed(pairs *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem,
	pair_vectors *out, ds_err *e)
{
	size_t n = to - from, width = (size_t)ds_towers_width(p->t);
	ds_str *texts = ds_arena_get(mem, (n + 1) * sizeof(*texts));
	ds_str *files = ds_arena_get(mem, (n + 1) * sizeof(*files));
	const char **why = ds_arena_zero(mem, (n + 1) * sizeof(*why));
	ds_texts field;
	DS_TRY(ds_texts_open(&field, p->field, b, NULL, e));
	for (size_t i = 0; i < n; i++) {
		bool has;
		DS_TRY(ds_texts_get(&field, from + (uint32_t)i, &texts[i], &has, e));
		if (!has)
			return value_lacks(
				b, from + (uint32_t)i, ds_field_name(p->field), "--field", e);
		DS_TRY(image_of(b, from + (uint32_t)i, &files[i], e));
	}
	*out = (pair_vectors){ n, ds_arena_get(mem, (n + 1) * width * sizeof(float)),
		ds_arena_get(mem, (n + 1) * width * sizeof(float)) };
	DS_TRY(ds_towers_texts(p->t, texts, n, out->text, e));
	DS_TRY(ds_towers_images(p->t, files, n, out->image, why, mem, e));
	for (size_t i = 0; i < n; i++)
		if (why[i])
			return damaged(b, from + (uint32_t)i, why[i], e);
	return DS_OK;
}

double pairs_cosine(const float *a, const float *b, int64_t n)
{
	double sum = 0;
	for (int64_t k = 0; k < n; k++)
		sum += (double)a[k] * (double)b[k];
	return sum;
}
