/*
 * write_meta.c - FileMetaData of parquet.thrift
 *
 * Where there are pictures, Hugging Face's description of the columns is added, by which its `datasets`
 * knows them as pictures.
 */
#include "record/parquet/write_meta.h"

#include "base/inout.h"
#include "record/parquet/meta.h"
#include "record/parquet/pages_out.h"
#include "record/parquet/thrift.h"

enum { PLAIN = 0, RLE = 3, RLE_DICTIONARY = 8, ZSTD = 6 };
enum { UTF8 = 0, LIST = 3, UINT_32 = 13, JSON = 19 };                           /* ConvertedType */
enum { L_STRING = 1, L_LIST = 3, L_INTEGER = 10, L_UNKNOWN = 11, L_JSON = 12 }; /* LogicalType */

static void put_logical(ds_buf *b, int *last, int which)
{
	int inner = 0, parameter = 0;
	ds_thrift_put_field(b, last, 10, DS_THRIFT_STRUCT);
	ds_thrift_put_field(b, &inner, which, DS_THRIFT_STRUCT);
	if (which == L_INTEGER) {
		ds_thrift_put_field(b, &parameter, 1, DS_THRIFT_BYTE);
		ds_buf_add_byte(b, 32);
		ds_thrift_put_field(b, &parameter, 2, DS_THRIFT_FALSE);
	}
	ds_thrift_put_end(b);
	ds_thrift_put_end(b);
}

static size_t put_element(ds_buf *b, ds_str name, int64_t type, int repetition, size_t children,
	int converted, int logical)
{
	int last = 0;
	if (type >= 0)
		ds_thrift_put_int(b, &last, 1, DS_THRIFT_I32, type);
	if (repetition >= 0)
		ds_thrift_put_int(b, &last, 3, DS_THRIFT_I32, repetition);
	ds_thrift_put_bytes(b, &last, 4, name);
	if (children)
		ds_thrift_put_int(b, &last, 5, DS_THRIFT_I32, (int64_t)children);
	if (converted >= 0)
		ds_thrift_put_int(b, &last, 6, DS_THRIFT_I32, converted);
	if (logical)
		put_logical(b, &last, logical);
	ds_thrift_put_end(b);
	return 1;
}

static size_t put_shape(ds_buf *b, const ds_value_shape *x, ds_str name)
{
	size_t n;
	switch (x->kind) {
	case DS_SHAPE_LIST:
		n = put_element(b, name, -1, DS_PQ_OPTIONAL, 1, LIST, L_LIST);
		n += put_element(b, DS_S("list"), -1, DS_PQ_REPEATED, 1, -1, 0);
		return n + put_shape(b, x->first, DS_S("element"));
	case DS_SHAPE_STRUCT:
		n = put_element(b, name, -1, DS_PQ_OPTIONAL, x->n_fields, -1, 0);
		for (const ds_value_shape *f = x->first; f; f = f->next)
			n += put_shape(b, f, f->name);
		return n;
	case DS_SHAPE_TEXT:
		return put_element(b, name, DS_PQ_BYTE_ARRAY, DS_PQ_OPTIONAL, 0, UTF8, L_STRING);
	case DS_SHAPE_JSON:
		return put_element(b, name, DS_PQ_BYTE_ARRAY, DS_PQ_OPTIONAL, 0, JSON, L_JSON);
	case DS_SHAPE_U32:
		return put_element(b, name, DS_PQ_INT32, DS_PQ_OPTIONAL, 0, UINT_32, L_INTEGER);
	case DS_SHAPE_OPEN:
		return put_element(b, name, DS_PQ_INT32, DS_PQ_OPTIONAL, 0, -1, L_UNKNOWN);
	default:
		return put_element(b, name, ds_pq_physical(x->kind), DS_PQ_OPTIONAL, 0, -1, 0);
	}
}

static void put_schema(ds_buf *b, int *last, const ds_pq_shredder *s)
{
	ds_buf elements = { 0 };
	size_t n = put_element(&elements, DS_S("schema"), -1, -1, s->n_fields, -1, 0);
	for (const ds_value_shape *x = s->fields; x; x = x->next)
		n += put_shape(&elements, x, x->name);
	ds_thrift_put_list(b, last, 2, DS_THRIFT_STRUCT, n);
	ds_buf_add_str(b, ds_buf_view(&elements));
	ds_buf_free(&elements);
}

static void put_statistics(ds_buf *b, int *last, const ds_pq_chunk_meta *m)
{
	int inner = 0;
	ds_thrift_put_field(b, last, 12, DS_THRIFT_STRUCT);
	ds_thrift_put_int(b, &inner, 3, DS_THRIFT_I64, m->n_nulls);
	if (m->has_range) {
		ds_thrift_put_bytes(b, &inner, 5, (ds_str){ m->most, 8 });
		ds_thrift_put_bytes(b, &inner, 6, (ds_str){ m->least, 8 });
	}
	ds_thrift_put_end(b);
}

static void put_number(ds_buf *b, int64_t v)
{
	ds_thrift_put_varint(b, (uint64_t)v << 1);
}

static void put_column(ds_buf *b, const ds_pq_sink_leaf *l, const ds_pq_chunk_meta *m)
{
	int last = 0, inner = 0;
	ds_thrift_put_int(b, &last, 2, DS_THRIFT_I64, m->first_byte);
	ds_thrift_put_field(b, &last, 3, DS_THRIFT_STRUCT);
	ds_thrift_put_int(b, &inner, 1, DS_THRIFT_I32, ds_pq_physical(l->kind));
	ds_thrift_put_list(b, &inner, 2, DS_THRIFT_I32, m->has_dictionary ? 3 : 2);
	put_number(b, PLAIN);
	put_number(b, RLE);
	if (m->has_dictionary)
		put_number(b, RLE_DICTIONARY);
	ds_thrift_put_list(b, &inner, 3, DS_THRIFT_BINARY, l->n_path);
	for (size_t i = 0; i < l->n_path; i++) {
		ds_thrift_put_varint(b, l->path[i].n);
		ds_buf_add_str(b, l->path[i]);
	}
	ds_thrift_put_int(b, &inner, 4, DS_THRIFT_I32, ZSTD);
	ds_thrift_put_int(b, &inner, 5, DS_THRIFT_I64, m->n_values);
	ds_thrift_put_int(b, &inner, 6, DS_THRIFT_I64, m->raw_bytes);
	ds_thrift_put_int(b, &inner, 7, DS_THRIFT_I64, m->compressed_bytes);
	ds_thrift_put_int(b, &inner, 9, DS_THRIFT_I64, m->first_data);
	if (m->has_dictionary)
		ds_thrift_put_int(b, &inner, 11, DS_THRIFT_I64, m->first_byte);
	put_statistics(b, &inner, m);
	ds_thrift_put_end(b);
	ds_thrift_put_end(b);
}

static void put_group(ds_buf *b, const ds_pq_shredder *s, const ds_pq_group_out *g)
{
	int last = 0;
	int64_t raw = 0, compressed = 0;
	ds_thrift_put_list(b, &last, 1, DS_THRIFT_STRUCT, s->n_leaves);
	for (size_t i = 0; i < s->n_leaves; i++) {
		put_column(b, s->leaves[i], &g->chunks[i]);
		raw += g->chunks[i].raw_bytes;
		compressed += g->chunks[i].compressed_bytes;
	}
	ds_thrift_put_int(b, &last, 2, DS_THRIFT_I64, raw);
	ds_thrift_put_int(b, &last, 3, DS_THRIFT_I64, (int64_t)g->n_rows);
	if (s->n_leaves)
		ds_thrift_put_int(b, &last, 5, DS_THRIFT_I64, g->chunks[0].first_byte);
	ds_thrift_put_int(b, &last, 6, DS_THRIFT_I64, compressed);
	ds_thrift_put_end(b);
}

static void add_feature(ds_buf *b, const ds_value_shape *x)
{
	static const char *const type[] = { "null", "bool", "int64", "float64", "uint32", "float32",
		"string", "binary", "string" };
	if (ds_pq_is_picture(x)) {
		ds_buf_add_c(b, "{\"_type\":\"Image\"}");
	} else if (x->kind == DS_SHAPE_LIST) {
		ds_buf_add_c(b, "{\"feature\":");
		add_feature(b, x->first);
		ds_buf_add_c(b, ",\"_type\":\"List\"}");
	} else if (x->kind == DS_SHAPE_STRUCT) {
		ds_buf_add_byte(b, '{');
		for (const ds_value_shape *f = x->first; f; f = f->next) {
			ds_json_add_str(b, f->name);
			ds_buf_add_byte(b, ':');
			add_feature(b, f);
			ds_buf_add_c(b, f->next ? "," : "");
		}
		ds_buf_add_byte(b, '}');
	} else {
		ds_buf_fmt(b, "{\"dtype\":\"%s\",\"_type\":\"Value\"}", type[x->kind]);
	}
}

bool ds_pq_add_features(ds_buf *b, const ds_pq_shredder *s)
{
	bool pictures = false;
	for (const ds_value_shape *x = s->fields; x; x = x->next)
		pictures |= ds_pq_is_picture(x);
	if (!pictures)
		return false;
	ds_buf_add_c(b, "{\"info\":{\"features\":{");
	for (const ds_value_shape *x = s->fields; x; x = x->next) {
		ds_json_add_str(b, x->name);
		ds_buf_add_byte(b, ':');
		add_feature(b, x);
		ds_buf_add_c(b, x->next ? "," : "");
	}
	ds_buf_add_c(b, "}}}");
	return true;
}

static void put_key_value(ds_buf *b, ds_str key, ds_str value)
{
	int last = 0;
	ds_thrift_put_bytes(b, &last, 1, key);
	ds_thrift_put_bytes(b, &last, 2, value);
	ds_thrift_put_end(b);
}

static void put_key_values(ds_buf *b, int *last, const ds_pq_shredder *s, ds_str chain)
{
	ds_buf features = { 0 };
	bool pictures = ds_pq_add_features(&features, s);
	if (chain.n || pictures)
		ds_thrift_put_list(b, last, 5, DS_THRIFT_STRUCT, (chain.n != 0) + pictures);
	if (chain.n)
		put_key_value(b, DS_S(DS_PQ_CHAIN), chain);
	if (pictures)
		put_key_value(b, DS_S("huggingface"), ds_buf_view(&features));
	ds_buf_free(&features);
}

void ds_pq_write_footer(ds_buf *b, const ds_pq_shredder *s, const ds_pq_group_out *groups,
	size_t n_groups, ds_str chain)
{
	int last = 0;
	int64_t rows = 0;
	for (size_t i = 0; i < n_groups; i++)
		rows += (int64_t)groups[i].n_rows;
	ds_thrift_put_int(b, &last, 1, DS_THRIFT_I32, 2);
	put_schema(b, &last, s);
	ds_thrift_put_int(b, &last, 3, DS_THRIFT_I64, rows);
	ds_thrift_put_list(b, &last, 4, DS_THRIFT_STRUCT, n_groups);
	for (size_t i = 0; i < n_groups; i++)
		put_group(b, s, &groups[i]);
	put_key_values(b, &last, s, chain);
	ds_thrift_put_bytes(b, &last, 6, DS_S("dstools version " DS_VERSION));
	ds_thrift_put_list(b, &last, 7, DS_THRIFT_STRUCT, s->n_leaves);
	for (size_t i = 0; i < s->n_leaves; i++) { /* TypeDefinedOrder */
		int inner = 0;
		ds_thrift_put_field(b, &inner, 1, DS_THRIFT_STRUCT);
		ds_thrift_put_end(b);
		ds_thrift_put_end(b);
	}
	ds_thrift_put_end(b);
}
