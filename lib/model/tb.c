/*
 * tb.c - scalars for TensorBoard
 *
 * Frame: u64 length, u32 masked CRC of those 8 bytes, the message, u32 masked CRC of it. Fields used,
 * from tensorflow/core/util/event.proto: Event{1 wall_time, 2 step, 3 file_version, 5 summary,
 * 7 session_log{1 status: 1 START}}, Summary{1 value{1 tag, 2 simple_value}}.
 */
#include "model/tb.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

struct ds_tb {
	FILE *file;
	char *path;
	ds_buf event, summary, value;
	uint32_t table[256]; /* of CRC-32C, reflected polynomial 0x82f63b78 */
};

static void fill_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
		table[i] = c;
	}
}

static uint32_t masked_crc(const ds_tb *t, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t c = ~(uint32_t)0;
	for (size_t i = 0; i < n; i++)
		c = c >> 8 ^ t->table[(c ^ b[i]) & 255];
	c = ~c;
	return (c >> 15 | c << 17) + 0xa282ead8;
}

/* Protocol buffers: varints, and keys of field and wire type. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void add_varint(ds_buf *b, uint64_t v)
{
	while (v >= 128) {
		ds_buf_add_byte(b, (char)(v | 128));
		v >>= 7;
	}
	ds_buf_add_byte(b, (char)v);
}

static void add_key(ds_buf *b, unsigned field, unsigned wire)
{
	add_varint(b, field << 3 | wire);
}

static void add_bytes(ds_buf *b, unsigned field, const void *p, size_t n)
{
	add_key(b, field, BYTES);
	add_varint(b, n);
	ds_buf_add(b, p, n);
}

static void begin_event(ds_tb *t, int64_t step, double seconds)
{
	ds_buf_clear(&t->event);
	add_key(&t->event, 1, FIXED64);
	ds_buf_add(&t->event, &seconds, 8);
	add_key(&t->event, 2, VARINT);
	add_varint(&t->event, (uint64_t)step);
}

static ds_rc write_event(ds_tb *t, ds_err *e)
{
	uint64_t n = t->event.n;
	uint32_t head = masked_crc(t, &n, 8), body = masked_crc(t, t->event.at, t->event.n);
	fwrite(&n, 8, 1, t->file);
	fwrite(&head, 4, 1, t->file);
	fwrite(t->event.at, 1, t->event.n, t->file);
	fwrite(&body, 4, 1, t->file);
	if (fflush(t->file) != 0 || ferror(t->file))
		return ds_fail_errno(e, "%s: cannot write", t->path);
	return DS_OK;
}

ds_rc ds_tb_open(ds_tb **out, const char *dir, int64_t first_step, double seconds, ds_err *e)
{
	static const char version[] = "brain.Event:2", start[] = { 1 << 3 | VARINT, 1 };
	DS_AUTO(ds_tb) t = DS_NEW(ds_tb, 1);
	ds_buf path = { 0 };
	fill_table(t->table);
	ds_buf_fmt(&path, "%s/events.out.tfevents.%010lld.dstrain", dir, (long long)first_step);
	t->path = ds_mem_text(ds_buf_text(&path));
	ds_buf_free(&path);
	t->file = fopen(t->path, "wb");
	if (!t->file)
		return ds_fail_errno(e, "%s: cannot open", t->path);
	begin_event(t, 0, seconds);
	add_bytes(&t->event, 3, version, sizeof(version) - 1);
	DS_TRY(write_event(t, e));
	begin_event(t, first_step, seconds);
	add_bytes(&t->event, 7, start, sizeof(start));
	DS_TRY(write_event(t, e));
	*out = t;
	t = NULL;
	return DS_OK;
}

void ds_tb_close(ds_tb *t)
{
	if (!t)
		return;
	if (t->file)
		fclose(t->file);
	ds_mem_free(t->path);
	ds_buf_free(&t->event);
	ds_buf_free(&t->summary);
	ds_buf_free(&t->value);
	ds_mem_free(t);
}

ds_rc ds_tb_add(ds_tb *t, int64_t step, double seconds, const ds_tb_scalar *s, size_t n, ds_err *e)
{
	begin_event(t, step, seconds);
	ds_buf_clear(&t->summary);
	for (size_t i = 0; i < n; i++) {
		ds_buf_clear(&t->value);
		add_bytes(&t->value, 1, s[i].tag, strlen(s[i].tag));
		add_key(&t->value, 2, FIXED32);
		ds_buf_add(&t->value, &s[i].value, 4);
		add_bytes(&t->summary, 1, t->value.at, t->value.n);
	}
	add_bytes(&t->event, 5, t->summary.at, t->summary.n);
	return write_event(t, e);
}
