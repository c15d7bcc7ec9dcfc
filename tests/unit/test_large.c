/*
 * test_large.c - a record over --max-record, in every format, at every seam: its neighbours are what they
 * were, its number is the right one, and what is rejected is whole
 */
#include "test.h"

#include "streams.h"

#include "base/args.h"
#include "record/import.h"
#include "record/source.h"
#include "record/tar.h"

enum { RECORDS = 9, LARGE = 4, LIMIT = 5000 };

typedef struct {
	const char *from;
	bool by_line; /* numbers are those of lines, the first names the columns */
	void (*add)(ds_buf *to, int record, size_t bytes);
	void (*begin)(ds_buf *to);
	void (*end)(ds_buf *to);
	const char *split, *field;
} format;

static void add_x(ds_buf *to, size_t n)
{
	static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	for (size_t k; n; n -= k) {
		k = n < sizeof(xs) - 1 ? n : sizeof(xs) - 1;
		ds_buf_add(to, xs, k);
	}
}

static void add_text(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to, "r%d ", record);
	add_x(to, bytes);
	ds_buf_add_c(to, "\n");
}

static void add_para(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to, "\n\nr%d ", record);
	for (; bytes > 50;
		bytes -= 50) { /* the ends of its lines are not its end, wherever they lie */
		add_x(to, 49);
		ds_buf_add_c(to, "\n");
	}
	add_x(to, bytes);
	ds_buf_add_c(to, "\n \t\n");
}

static void add_jsonl(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to, "{\"text\":\"r%d ", record);
	add_x(to, bytes);
	ds_buf_add_c(to, "\"}\n");
}

static void begin_json(ds_buf *to)
{
	ds_buf_add_c(to, " [ ");
}

static void add_json(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to, "%s\n{\"a\":[\"\\\"},{\", {}], \"text\":\"r%d ", record ? "," : "", record);
	add_x(to, bytes);
	ds_buf_add_c(to, "\"} ");
}

static void end_json(ds_buf *to)
{
	ds_buf_add_c(to, "]\n");
}

static void begin_table(ds_buf *to)
{
	ds_buf_add_c(to, "text\n");
}

/* Quotes, commas and line ends stand within the cells. */
static void add_csv(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to, "\"r%d ", record);
	for (; bytes > 50; bytes -= 50) {
		add_x(to, 44);
		ds_buf_add_c(to, "\"\",\r\n");
	}
	add_x(to, bytes);
	ds_buf_add_c(to, "\"\r\n");
}

static void add_entry(ds_buf *to, int record, const char *suffix, size_t bytes)
{
	char header[DS_TAR_BLOCK], name[32];
	snprintf(name, sizeof(name), "r%d.%s", record, suffix);
	ds_tar_header(header, ds_str_of(name), bytes);
	ds_buf_add(to, header, sizeof(header));
	add_x(to, bytes);
	for (; to->n % DS_TAR_BLOCK;)
		ds_buf_add(to, "", 1);
}

/* Three files a record; the large ones are in the middle. */
static void add_tar(ds_buf *to, int record, size_t bytes)
{
	add_entry(to, record, "cls", 2);
	add_entry(to, record, "bin", bytes);
	add_entry(to, record, "sec", bytes / 2);
	add_entry(to, record, "txt", 5);
}

static void end_tar(ds_buf *to)
{
	char zeros[2 * DS_TAR_BLOCK] = { 0 };
	ds_buf_add(to, zeros, sizeof(zeros));
}

static void add_warc(ds_buf *to, int record, size_t bytes)
{
	ds_buf_fmt(to,
		"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <r%d>\r\n"
		"Content-Length: %zu\r\n\r\n",
		record, bytes);
	add_x(to, bytes);
	ds_buf_add_c(to, "\r\n\r\n");
}

static const format formats[] = {
	{ "text", false, add_text, NULL, NULL, NULL, "text" },
	{ "text", false, add_para, NULL, NULL, "para", "text" },
	{ "jsonl", false, add_jsonl, NULL, NULL, NULL, "text" },
	{ "json", false, add_json, begin_json, end_json, NULL, "text" },
	{ "json", false, add_jsonl, NULL, NULL, NULL, "text" },
	{ "csv", true, add_csv, begin_table, NULL, NULL, "text" },
	{ "tsv", true, add_text, begin_table, NULL, NULL, "text" },
	{ "tar", false, add_tar, NULL, end_tar, NULL, "id" },
	{ "warc", false, add_warc, NULL, NULL, NULL, "id" },
};

static size_t size_of(int record, size_t large)
{
	return record == LARGE ? large : 20u + 11u * (unsigned)record;
}

/* The file, and the number that its large record has in messages. */
static void make(const format *f, size_t large, ds_buf *to, uint64_t *number)
{
	ds_buf_clear(to);
	*number = LARGE + 1;
	if (f->begin)
		f->begin(to);
	for (int i = 0; i < RECORDS; i++) {
		if (i == LARGE && f->by_line)
			*number = 1 + ds_count_byte(ds_buf_view(to), '\n');
		f->add(to, i, size_of(i, large));
	}
	if (f->end)
		f->end(to);
}

typedef struct {
	int seen[RECORDS], n, bad;
	ds_buf rejected, why;
	ds_rc rc;
	ds_err err;
} outcome;

static void take_rows(outcome *o, ds_block *b, const char *field)
{
	const ds_col *c;
	if (b->n_rows && (ds_block_get(b, field, &c, &o->err) != DS_OK || !c))
		fail_msg("no field: %s", o->err.msg);
	for (uint32_t i = 0; i < b->n_rows; i++) {
		ds_str s = ds_col_bytes(c, i);
		size_t from = s.at[0] == '<' ? 1 : 0;
		int record = s.at[from + 1] - '0';
		assert_true(record >= 0 && record < RECORDS);
		o->seen[record]++;
		o->n++;
	}
}

static outcome load(const format *f, ds_str bytes, ds_on_error how)
{
	ds_input_opts c = { .from = f->from,
		.field.column = "text",
		.split = f->split,
		.on_error = how,
		.max_record = LIMIT };
	outcome o = { .n = 0 };
	ds_source *s = ds_source_from_mem(&c, bytes.at, bytes.n, "in");
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_out *out = ds_out_to_mem(&o.rejected);
	for (;;) {
		ds_chunk *ch;
		ds_block *b;
		ds_bad *bad;
		ds_arena_reset(mem);
		o.rc = ds_source_chunk(s, mem, &ch, &o.err);
		if (o.rc != DS_OK || !ch)
			break;
		o.rc = ds_chunk_parse(ch, &b, &bad, &o.err);
		if (o.rc != DS_OK)
			break;
		for (; bad; bad = bad->next, o.bad++) {
			ds_buf_add_str(&o.why, bad->why);
			assert_int_equal(ds_bad_write(bad, out, &o.err), DS_OK);
		}
		take_rows(&o, b, f->field);
	}
	assert_int_equal(ds_out_finish(out, &o.err), DS_OK);
	ds_out_close(out);
	ds_source_close(s);
	return o;
}

static void release(outcome *o)
{
	ds_buf_free(&o->rejected);
	ds_buf_free(&o->why);
}

static void check_kept(
	const outcome *o, const format *f, bool fits, const char *block, size_t large)
{
	if (o->rc != DS_OK || o->bad != !fits || o->n != RECORDS - !fits)
		fail_msg("%s, block %s, %zu bytes: %d kept, %d bad, code %d (%s)", f->from, block,
			large, o->n, o->bad, o->rc, o->err.msg);
	for (int i = 0; i < RECORDS; i++)
		if (o->seen[i] != (i != LARGE || fits))
			fail_msg("%s, block %s, %zu bytes: record %d comes %d times", f->from,
				block, large, i, o->seen[i]);
}

static void sweep(const format *f, const char *block, size_t large)
{
	char where[32];
	uint64_t number;
	ds_buf file = { 0 };
	bool fits = large < 1000;
	make(f, large, &file, &number);
	snprintf(where, sizeof(where), "in:%llu:", (unsigned long long)number);
	outcome o = load(f, ds_buf_view(&file), DS_ON_SKIP);
	check_kept(&o, f, fits, block, large);
	release(&o);
	o = load(f, ds_buf_view(&file), DS_ON_REJECT);
	check_kept(&o, f, fits, block, large);
	/* All of it, and of no other: their bytes are not moved over it. */
	size_t xs = ds_count_byte(ds_buf_view(&o.rejected), 'x');
	if (!fits && (xs < large - large / 50 * 6 || !strstr(ds_buf_text(&o.why), where)))
		fail_msg("%s, block %s: %zu of %zu bytes kept, %s", f->from, block, xs, large,
			ds_buf_text(&o.why));
	if (!fits && !memmem(o.rejected.at, o.rejected.n, "r4", 2))
		fail_msg("%s, block %s: another record's bytes", f->from, block);
	release(&o);
	o = load(f, ds_buf_view(&file), DS_ON_STOP);
	assert_int_equal(o.rc, fits ? DS_OK : DS_BAD);
	if (!fits && (!strstr(o.err.msg, where) || !strstr(o.err.msg, "the limit is 5000")))
		fail_msg("%s, block %s: '%s', not %s", f->from, block, o.err.msg, where);
	release(&o);
	ds_buf_free(&file);
}

static void neighbours_of_a_large_record_stay(void **state)
{
	static const char *const blocks[] = { "1", "7", "64", "513", "4096", "1048576" };
	static const size_t sizes[] = { 100, 6000, 9000, 50000, 300000, 1100000 };
	for (size_t b = 0; b < sizeof(blocks) / sizeof(*blocks); b++) {
		setenv("DS_BLOCK", blocks[b], 1);
		for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
			for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
				if (strlen(blocks[b]) > 2 || sizes[k] < 100000)
					sweep(&formats[i], blocks[b], sizes[k]);
	}
	unsetenv("DS_BLOCK");
}

TESTS(cmocka_unit_test(neighbours_of_a_large_record_stay))
