/*
 * thrift.c - Thrift's compact protocol (thrift-compact-protocol.md of Apache Thrift)
 */
#include "record/parquet/thrift.h"

enum { DEPTH = 64 };

ds_thrift ds_thrift_of(ds_str bytes)
{
	return (ds_thrift){ ds_cur_of(bytes.at, bytes.n) };
}

bool ds_thrift_ok(const ds_thrift *t)
{
	return ds_cur_ok(&t->cur);
}

uint64_t ds_thrift_varint(ds_cur *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = ds_cur_u8(c);
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return v;
	}
	c->failed = true;
	return 0;
}

int64_t ds_thrift_zigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void fail(ds_thrift *t)
{
	t->cur.failed = true;
}

bool ds_thrift_field(ds_thrift *t, int *id, unsigned *type)
{
	uint8_t b = ds_cur_u8(&t->cur);
	if (!ds_cur_ok(&t->cur) || b == 0)
		return false;
	*type = b & 15;
	int64_t next = b >> 4 ? *id + (b >> 4) : ds_thrift_zigzag(ds_thrift_varint(&t->cur));
	if (next < INT16_MIN || next > INT16_MAX)
		fail(t);
	*id = (int)next;
	return ds_cur_ok(&t->cur);
}

int64_t ds_thrift_int(ds_thrift *t, unsigned type)
{
	if (type == DS_THRIFT_BYTE)
		return (int8_t)ds_cur_u8(&t->cur);
	if (type >= DS_THRIFT_I16 && type <= DS_THRIFT_I64)
		return ds_thrift_zigzag(ds_thrift_varint(&t->cur));
	fail(t);
	return 0;
}

bool ds_thrift_bool(ds_thrift *t, unsigned type)
{
	if (type != DS_THRIFT_TRUE && type != DS_THRIFT_FALSE)
		fail(t);
	return type == DS_THRIFT_TRUE;
}

ds_str ds_thrift_bytes(ds_thrift *t, unsigned type)
{
	if (type != DS_THRIFT_BINARY)
		fail(t);
	return ds_cur_bytes(&t->cur, ds_thrift_varint(&t->cur));
}

static size_t list_head(ds_thrift *t, unsigned *of)
{
	uint8_t b = ds_cur_u8(&t->cur);
	uint64_t n = b >> 4 == 15 ? ds_thrift_varint(&t->cur) : b >> 4;
	*of = b & 15;
	if (n > ds_cur_left(&t->cur))
		fail(t);
	return ds_cur_ok(&t->cur) ? n : 0;
}

size_t ds_thrift_list(ds_thrift *t, unsigned type, unsigned wants)
{
	unsigned of = wants;
	if (type != DS_THRIFT_LIST)
		fail(t);
	size_t n = list_head(t, &of);
	if (n && of != wants)
		fail(t);
	return ds_cur_ok(&t->cur) ? n : 0;
}

bool ds_thrift_struct(ds_thrift *t, unsigned type)
{
	if (type != DS_THRIFT_STRUCT)
		fail(t);
	return ds_cur_ok(&t->cur);
}

/* An element of a list has its truth in a byte, a field in its type. */
static void skip(ds_thrift *t, unsigned type, bool element, unsigned depth)
{
	unsigned of, to;
	uint64_t n;
	int id = 0;
	if (depth > DEPTH)
		fail(t);
	if (!ds_cur_ok(&t->cur))
		return;
	switch (type) {
	case DS_THRIFT_TRUE:
	case DS_THRIFT_FALSE:
		if (element)
			ds_cur_u8(&t->cur);
		return;
	case DS_THRIFT_BYTE:
		ds_cur_u8(&t->cur);
		return;
	case DS_THRIFT_I16:
	case DS_THRIFT_I32:
	case DS_THRIFT_I64:
		ds_thrift_varint(&t->cur);
		return;
	case DS_THRIFT_DOUBLE:
		ds_cur_bytes(&t->cur, 8);
		return;
	case DS_THRIFT_BINARY:
		ds_cur_bytes(&t->cur, ds_thrift_varint(&t->cur));
		return;
	case DS_THRIFT_LIST:
	case DS_THRIFT_SET:
		for (n = list_head(t, &of); n && ds_cur_ok(&t->cur); n--)
			skip(t, of, true, depth + 1);
		return;
	case DS_THRIFT_MAP:
		n = ds_thrift_varint(&t->cur);
		of = n ? ds_cur_u8(&t->cur) : 0;
		for (to = of & 15; n && ds_cur_ok(&t->cur); n--) {
			skip(t, of >> 4, true, depth + 1);
			skip(t, to, true, depth + 1);
		}
		return;
	case DS_THRIFT_STRUCT:
		while (ds_thrift_field(t, &id, &of))
			skip(t, of, false, depth + 1);
		return;
	default:
		fail(t);
	}
}

void ds_thrift_skip(ds_thrift *t, unsigned type)
{
	skip(t, type, false, 0);
}

void ds_thrift_put_varint(ds_buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		ds_buf_add_byte(b, (char)(v | 128));
	ds_buf_add_byte(b, (char)v);
}

void ds_thrift_put_field(ds_buf *b, int *last, int id, unsigned type)
{
	if (id > *last && id - *last < 16) {
		ds_buf_add_byte(b, (char)((unsigned)(id - *last) << 4 | type));
	} else {
		ds_buf_add_byte(b, (char)type);
		ds_thrift_put_varint(b, (uint64_t)id << 1);
	}
	*last = id;
}

void ds_thrift_put_int(ds_buf *b, int *last, int id, unsigned type, int64_t v)
{
	ds_thrift_put_field(b, last, id, type);
	ds_thrift_put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void ds_thrift_put_bytes(ds_buf *b, int *last, int id, ds_str s)
{
	ds_thrift_put_field(b, last, id, DS_THRIFT_BINARY);
	ds_thrift_put_varint(b, s.n);
	ds_buf_add_str(b, s);
}

void ds_thrift_put_list(ds_buf *b, int *last, int id, unsigned of, size_t n)
{
	ds_thrift_put_field(b, last, id, DS_THRIFT_LIST);
	if (n < 15) {
		ds_buf_add_byte(b, (char)(n << 4 | of));
	} else {
		ds_buf_add_byte(b, (char)(15u << 4 | of));
		ds_thrift_put_varint(b, n);
	}
}

void ds_thrift_put_end(ds_buf *b)
{
	ds_buf_add_byte(b, 0);
}
