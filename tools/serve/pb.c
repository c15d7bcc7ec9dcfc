/*
 * pb.c - protobuf-c with an arena under it
 */
#include "pb.h"

static void *get(void *mem, size_t bytes)
{
	void *p;
	ds_err e;
	size_t used = ds_arena_used(mem);
	if (used > PB_BYTES || ds_arena_try(mem, bytes, PB_BYTES - used, &p, &e) != DS_OK)
		return NULL;
	return p;
}

static void keep(void *mem, void *p)
{
}

void *pb_read(const ProtobufCMessageDescriptor *d, ds_str bytes, ds_arena *mem)
{
	ProtobufCAllocator a = { get, keep, mem };
	return protobuf_c_message_unpack(
		d, &a, bytes.n, (const uint8_t *)(bytes.n ? bytes.at : ""));
}

void pb_add(const void *message, ds_buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	ds_buf_reserve(out, n + 1);
	out->n += protobuf_c_message_pack(message, (uint8_t *)out->at + out->n);
}

void *pb_new(const ProtobufCMessageDescriptor *d, ds_arena *mem)
{
	void *m = ds_arena_zero(mem, d->sizeof_message);
	protobuf_c_message_init(d, m);
	return m;
}

char *pb_text(ds_arena *mem, const char *text)
{
	return (char *)(uintptr_t)ds_arena_str(mem, ds_str_of(text)).at;
}
