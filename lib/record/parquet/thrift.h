/*
 * thrift.h - Thrift's compact protocol, as far as Parquet's metadata needs it
 *
 * Reading is through a ds_cur: what goes over the end, or is of another type than was asked for, gives
 * zeros and fails for good. A struct is read field by field:
 *
 *	int id = 0;
 *	unsigned type;
 *	while (ds_thrift_field(t, &id, &type))
 *		switch (id) { case 1: x = ds_thrift_int(t, type); break; default: ds_thrift_skip(t, type); }
 *
 * Writing appends to a ds_buf.
 */
#ifndef DS_RECORD_PARQUET_THRIFT_H
#define DS_RECORD_PARQUET_THRIFT_H

#include "base/cur.h"

enum {
	DS_THRIFT_TRUE = 1,
	DS_THRIFT_FALSE = 2,
	DS_THRIFT_BYTE = 3,
	DS_THRIFT_I16 = 4,
	DS_THRIFT_I32 = 5,
	DS_THRIFT_I64 = 6,
	DS_THRIFT_DOUBLE = 7,
	DS_THRIFT_BINARY = 8,
	DS_THRIFT_LIST = 9,
	DS_THRIFT_SET = 10,
	DS_THRIFT_MAP = 11,
	DS_THRIFT_STRUCT = 12,
};

typedef struct {
	ds_cur cur;
} ds_thrift;

ds_thrift ds_thrift_of(ds_str bytes);
bool ds_thrift_ok(const ds_thrift *t);
bool ds_thrift_field(ds_thrift *t, int *id, unsigned *type); /* false: the struct's end */
int64_t ds_thrift_int(ds_thrift *t, unsigned type);
bool ds_thrift_bool(ds_thrift *t, unsigned type);
ds_str ds_thrift_bytes(ds_thrift *t, unsigned type);
/* Elements that follow, no more than bytes are left; of wants, where there are any. */
size_t ds_thrift_list(ds_thrift *t, unsigned type, unsigned wants);
bool ds_thrift_struct(ds_thrift *t, unsigned type); /* false, and failed, where it is none */
void ds_thrift_skip(ds_thrift *t, unsigned type);
uint64_t ds_thrift_varint(ds_cur *c); /* ULEB128, also elsewhere in Parquet */
int64_t ds_thrift_zigzag(uint64_t v);

/* Writing: *last is the struct's field before, 0 at its beginning. */
void ds_thrift_put_varint(ds_buf *b, uint64_t v);
void ds_thrift_put_field(ds_buf *b, int *last, int id, unsigned type);
void ds_thrift_put_int(ds_buf *b, int *last, int id, unsigned type, int64_t v);
void ds_thrift_put_bytes(ds_buf *b, int *last, int id, ds_str s);
void ds_thrift_put_list(ds_buf *b, int *last, int id, unsigned of, size_t n);
void ds_thrift_put_end(ds_buf *b);

#endif
