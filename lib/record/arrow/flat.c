/*
 * flat.c - FlatBuffers (flatbuffers.dev, "Internals")
 */
#include "record/arrow/flat.h"

#include "base/mem.h"

ds_flat ds_flat_of(ds_str bytes)
{
	return (ds_flat){ (const uint8_t *)bytes.at, bytes.n, false };
}

/* width bytes at `at` as a number with its sign; 0 where they are not there */
static int64_t number(ds_flat *f, size_t at, unsigned width)
{
	uint64_t v = 0;
	if (f->failed || at > f->n || width > f->n - at) {
		f->failed = true;
		return 0;
	}
	memcpy(&v, f->at + at, width);
	unsigned up = 64 - 8 * width;
	return (int64_t)(v << up) >> up;
}

static uint32_t offset_at(ds_flat *f, size_t at)
{
	return (uint32_t)number(f, at, 4);
}

static ds_flat_table table_at(ds_flat *f, size_t at)
{
	/* The place of the vtable, whose first numbers are its size and the table's. */
	if (at < 4 || at > f->n || f->n - at < 4)
		f->failed = true;
	return (ds_flat_table){ f, f->failed ? 0 : at };
}

ds_flat_table ds_flat_root(ds_flat *f)
{
	return table_at(f, offset_at(f, 0));
}

/* Where a field of t lies, or 0. */
static size_t field_at(ds_flat_table t, unsigned field)
{
	if (!t.at || t.f->failed)
		return 0;
	int64_t vtable = (int64_t)t.at - number(t.f, t.at, 4);
	if (vtable < 0 || (uint64_t)vtable > t.f->n) {
		t.f->failed = true;
		return 0;
	}
	size_t size = (uint16_t)number(t.f, (size_t)vtable, 2), entry = 4 + 2 * (size_t)field;
	if (entry + 2 > size)
		return 0;
	size_t at = (uint16_t)number(t.f, (size_t)vtable + entry, 2);
	return at ? t.at + at : 0;
}

int64_t ds_flat_int(ds_flat_table t, unsigned field, unsigned width, int64_t otherwise)
{
	size_t at = field_at(t, field);
	return at ? number(t.f, at, width) : otherwise;
}

ds_flat_table ds_flat_child(ds_flat_table t, unsigned field)
{
	size_t at = field_at(t, field);
	return at ? table_at(t.f, at + offset_at(t.f, at)) : (ds_flat_table){ t.f, 0 };
}

ds_flat_vector ds_flat_list(ds_flat_table t, unsigned field, unsigned width)
{
	size_t at = field_at(t, field);
	ds_flat_vector v = { t.f, 0, 0 };
	if (!at)
		return v;
	v.at = at + offset_at(t.f, at);
	v.n = offset_at(t.f, v.at);
	v.at += 4;
	if (t.f->failed || v.at > t.f->n || v.n > (t.f->n - v.at) / width) {
		t.f->failed = true;
		v.n = 0;
	}
	return v;
}

ds_str ds_flat_text(ds_flat_table t, unsigned field)
{
	ds_flat_vector v = ds_flat_list(t, field, 1);
	return v.n ? (ds_str){ (const char *)t.f->at + v.at, v.n } : (ds_str){ "", 0 };
}

ds_flat_table ds_flat_list_table(ds_flat_vector v, size_t i)
{
	size_t at = v.at + 4 * i;
	return table_at(v.f, at + offset_at(v.f, at));
}

int64_t ds_flat_list_int(ds_flat_vector v, size_t i, unsigned width, unsigned offset, unsigned n)
{
	return number(v.f, v.at + i * width + offset, n);
}

/* Room for n bytes in front; what is there moves to the end of a larger piece. */
static char *push(ds_flatb *b, size_t n)
{
	if (b->cap - b->n < n) {
		size_t cap = 2 * b->cap + n + 256;
		char *at = ds_mem_get(cap);
		if (b->n)
			memcpy(at + cap - b->n, b->at + b->cap - b->n, b->n);
		ds_mem_free(b->at);
		b->at = at;
		b->cap = cap;
	}
	b->n += n;
	return b->at + b->cap - b->n;
}

static void push_number(ds_flatb *b, int64_t v, unsigned width)
{
	memcpy(push(b, width), &v, width);
}

/* So that after `more` bytes the place is a multiple of `to`. */
static void align(ds_flatb *b, size_t more, size_t to)
{
	size_t pad = (to - (b->n + more) % to) % to;
	if (pad)
		memset(push(b, pad), 0, pad);
}

/* An offset from where it stands to ref. */
static void push_ref(ds_flatb *b, uint32_t ref)
{
	align(b, 4, 4);
	push_number(b, (int64_t)(b->n + 4 - ref), 4);
}

uint32_t ds_flatb_text(ds_flatb *b, ds_str s)
{
	align(b, s.n + 1 + 4, 4);
	*push(b, 1) = 0;
	char *at = push(b, s.n);
	if (s.n)
		memcpy(at, s.at, s.n);
	push_number(b, (int64_t)s.n, 4);
	return (uint32_t)b->n;
}

uint32_t ds_flatb_refs(ds_flatb *b, const uint32_t *refs, size_t n)
{
	align(b, 4 * n + 4, 4);
	for (size_t i = n; i; i--)
		push_ref(b, refs[i - 1]);
	push_number(b, (int64_t)n, 4);
	return (uint32_t)b->n;
}

uint32_t ds_flatb_bytes(ds_flatb *b, ds_str structs, unsigned width)
{
	align(b, structs.n, 8);
	char *at = push(b, structs.n);
	if (structs.n)
		memcpy(at, structs.at, structs.n);
	push_number(b, (int64_t)(structs.n / width), 4);
	return (uint32_t)b->n;
}

void ds_flatb_begin(ds_flatb *b)
{
	memset(b->fields, 0, sizeof(b->fields));
	b->start = b->n;
}

void ds_flatb_int(ds_flatb *b, unsigned field, unsigned width, int64_t v)
{
	align(b, width, width);
	push_number(b, v, width);
	b->fields[field] = (uint32_t)b->n;
}

void ds_flatb_ref(ds_flatb *b, unsigned field, uint32_t ref)
{
	push_ref(b, ref);
	b->fields[field] = (uint32_t)b->n;
}

uint32_t ds_flatb_end(ds_flatb *b)
{
	enum { MOST = sizeof(b->fields) / sizeof(b->fields[0]) };
	align(b, 4, 4);
	push_number(b, 0, 4);
	size_t table = b->n, used = MOST;
	while (used && !b->fields[used - 1])
		used--;
	for (size_t i = used; i; i--)
		push_number(b, b->fields[i - 1] ? (int64_t)(table - b->fields[i - 1]) : 0, 2);
	push_number(b, (int64_t)(table - b->start), 2);
	push_number(b, (int64_t)(4 + 2 * used), 2);
	int32_t to_vtable = (int32_t)(b->n - table);
	memcpy(b->at + b->cap - table, &to_vtable, 4);
	return (uint32_t)table;
}

ds_str ds_flatb_finish(ds_flatb *b, uint32_t root)
{
	align(b, 4, 8);
	push_ref(b, root);
	return (ds_str){ b->at + b->cap - b->n, b->n };
}

void ds_flatb_free(ds_flatb *b)
{
	ds_mem_free(b->at);
	*b = (ds_flatb){ 0 };
}
