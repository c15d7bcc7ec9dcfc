/* test_block.c - blocks built, selected, copied and joined, against rows taken one by one */
#include "test.h"

#include "streams.h"

#include "base/codec.h"
#include "record/block_impl.h"

/* A digest of one row: names, types and values of the fields that it has, in the order of names. */
static uint64_t row_digest(const ds_block *b, uint32_t row)
{
	uint64_t sum = 0;
	for (uint32_t k = 0; k < b->n_cols; k++) {
		const ds_col *c = &b->cols[k];
		size_t size = ds_type_size(c->type);
		if (!ds_col_has(c, row))
			continue;
		size_t from = c->off ? c->off[row] : row, to = c->off ? c->off[row + 1] : row + 1;
		uint64_t h =
			ds_hash64_seed(c->name.at, c->name.n, c->type + 16u * ds_col_null(c, row));
		sum += ds_hash64_seed((const char *)c->data + from * size, (to - from) * size, h);
	}
	return sum;
}

static void try(ds_rc rc, const ds_err *e)
{
	if (rc != DS_OK)
		fail_msg("%s", e->msg);
}

/* As if it had been read: stored, undecoded, perhaps packed. */
static ds_block *stored(ds_arena *mem, ds_block *b, ds_compressor *p)
{
	making m;
	ds_err e;
	ds_reader *r;
	ds_block *back;
	making_begin(&m);
	making_add(&m, b, p);
	making_end(&m);
	char *copy = ds_arena_get(mem, m.bytes.n);
	memcpy(copy, m.bytes.at, m.bytes.n);
	try(ds_reader_open(&r, ds_in_from_mem(copy, m.bytes.n, "a.dsr"), &e), &e);
	try(ds_reader_next(r, mem, &back, &e), &e);
	back->origin = "a.dsr";
	ds_reader_close(r);
	ds_buf_free(&m.bytes);
	return back;
}

static uint32_t *some_rows(ds_arena *mem, draws *d, uint32_t n_rows, uint32_t *n)
{
	uint32_t *rows = ds_arena_get(mem, n_rows * sizeof(*rows));
	uint64_t every = 1 + draw(d, 5);
	*n = 0;
	for (uint32_t i = 0; i < n_rows; i++)
		if (draw(d, every) == 0)
			rows[(*n)++] = i;
	return rows;
}

static void selected_and_copied_rows_are_those_asked_for(void **state)
{
	draws d = draws_of("select", 1);
	DS_AUTO(ds_compressor) p = ds_compressor_new(1);
	for (unsigned k = 0; k < 200; k++) {
		DS_AUTO(ds_arena) mem = ds_arena_new(4096);
		ds_err e;
		ds_block *b = random_block(mem, &d, (uint32_t)draw(&d, 40), 5), *copy;
		uint64_t want[40];
		uint32_t n, *rows = some_rows(mem, &d, b->n_rows, &n);
		for (uint32_t i = 0; i < n; i++)
			want[i] = row_digest(b, rows[i]);
		if (k % 2)
			b = stored(mem, b, k % 4 == 1 ? p : NULL);
		b->first_record = 1000;
		try(ds_block_copy(&copy, mem, b, rows, n, &e), &e);
		assert_true(ds_block_raw_bytes(copy) <= ds_block_raw_bytes(b));
		try(ds_block_select(b, rows, n, &e), &e);
		assert_int_equal(b->n_rows, n);
		assert_int_equal(block_digest(copy), block_digest(b));
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(row_digest(b, i), want[i]);
			assert_int_equal(ds_block_record(b, i), 1000 + rows[i]);
			assert_int_equal(ds_block_record(copy, i), 1000 + rows[i]);
		}
	}
}

static void joined_blocks_keep_every_row(void **state)
{
	draws d = draws_of("join", 2);
	for (unsigned k = 0; k < 200; k++) {
		DS_AUTO(ds_arena) mem = ds_arena_new(4096);
		ds_err e;
		ds_block *parts[5], *all;
		size_t n = draw(&d, 6);
		uint32_t row = 0;
		for (size_t i = 0; i < n; i++) {
			parts[i] = random_block(mem, &d, (uint32_t)draw(&d, 12), 5);
			parts[i]->first_record = 100 * i;
			for (uint64_t gone = draw(&d, 4); gone-- > 0;)
				if (parts[i]->n_cols)
					ds_block_remove(parts[i],
						ds_arena_str(mem,
							parts[i]->cols[draw(&d, parts[i]->n_cols)]
								.name)
							.at);
			if (draw(&d, 2))
				parts[i] = stored(mem, parts[i], NULL);
			for (uint32_t c = 0; c < parts[i]->n_cols; c++)
				try(ds_col_decode(parts[i], &parts[i]->cols[c], &e), &e);
		}
		try(ds_block_join(&all, mem, parts, n, &e), &e);
		assert_int_not_equal(block_digest(all), 0);
		for (size_t i = 0; i < n; i++)
			for (uint32_t r = 0; r < parts[i]->n_rows; r++, row++)
				assert_int_equal(row_digest(all, row), row_digest(parts[i], r));
		assert_int_equal(all->n_rows, row);
	}
}

static ds_block *one_value(ds_arena *mem, ds_type type, const void *v, size_t n)
{
	ds_err e;
	ds_block *b = ds_block_new(mem, 1);
	ds_colb *c = ds_colb_new(b, "f", type);
	if (type == DS_T_BOOL)
		ds_colb_bool(c, *(const bool *)v);
	else if (type == DS_T_I64)
		ds_colb_i64(c, *(const int64_t *)v);
	else if (type == DS_T_F64)
		ds_colb_f64(c, *(const double *)v);
	else
		ds_colb_list(c, v, n);
	try(ds_colb_put(c, &e), &e);
	return b;
}

static void columns_of_different_types_become_json(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_err e;
	ds_block *parts[] = {
		one_value(mem, DS_T_UTF8, "a\"\n\xff", 4),
		one_value(mem, DS_T_I64, &(int64_t){ -5 }, 0),
		one_value(mem, DS_T_F64, &(double){ 0.1 }, 0),
		one_value(mem, DS_T_BOOL, &(bool){ true }, 0),
		one_value(mem, DS_T_JSON, "[1]", 3),
		one_value(mem, DS_T_U16S, (uint16_t[]){ 1, 65535 }, 2),
		one_value(mem, DS_T_F32S, (float[]){ 0.5f }, 1),
		one_value(mem, DS_T_BYTES, "\x00\x01", 2),
	};
	static const char *const want[] = { "\"a\\\"\\n\xff\"", "-5", "0.1", "true", "[1]",
		"[1,65535]", "[0.5]", "\"AAE=\"" };
	ds_block *all;
	const ds_col *c;
	try(ds_block_join(&all, mem, parts, 8, &e), &e);
	try(ds_block_get(all, "f", &c, &e), &e);
	assert_int_equal(c->type, DS_T_JSON);
	for (uint32_t i = 0; i < 8; i++) {
		ds_str s = ds_col_bytes(c, i);
		assert_int_equal(s.n, strlen(want[i]));
		assert_memory_equal(s.at, want[i], s.n);
	}
	ds_str text;
	bool has;
	try(ds_block_text(all, c, 0, &text, &has, &e), &e);
	assert_true(has);
	assert_str(text, "a\"\n\xff");
	assert_int_equal(ds_block_text(all, c, 1, &text, &has, &e), DS_BAD);
	assert_string_equal(e.msg, "field 'f' is a number, wanted a string");
}

static void lists_of_ids_of_both_widths_join(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_err e;
	ds_block *all, *parts[] = { one_value(mem, DS_T_U16S, (uint16_t[]){ 7, 65535 }, 2),
		one_value(mem, DS_T_U32S, (uint32_t[]){ 70000 }, 1) };
	const ds_col *c;
	const uint32_t *ids;
	size_t n;
	bool has;
	try(ds_block_join(&all, mem, parts, 2, &e), &e);
	try(ds_block_get(all, "f", &c, &e), &e);
	assert_int_equal(c->type, DS_T_U32S);
	try(ds_block_ids(all, c, 0, &ids, &n, &has, &e), &e);
	assert_true(has && n == 2 && ids[1] == 65535);
	try(ds_block_ids(parts[0], ds_block_find(parts[0], "f"), 0, &ids, &n, &has, &e), &e);
	assert_true(has && n == 2 && ids[0] == 7);
}

static void a_column_that_nobody_has_is_none(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_err e;
	ds_block *b = ds_block_new(mem, 2);
	for (int again = 0; again < 2; again++) {
		ds_colb *c = ds_colb_new(b, "f", DS_T_UTF8);
		ds_colb_absent(c);
		if (again)
			ds_colb_absent(c);
		else
			ds_colb_null(c);
		try(ds_colb_put(c, &e), &e);
		assert_int_equal(b->n_cols, again ? 0 : 1);
	}
}

static void names_are_replaced_removed_and_renamed(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_err e;
	ds_block *b = ds_block_new(mem, 1);
	char name[8];
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d", i % 20);
		ds_colb *c = ds_colb_new(b, name, DS_T_I64);
		ds_colb_i64(c, i);
		try(ds_colb_put(c, &e), &e);
	}
	assert_int_equal(b->n_cols, 20);
	assert_int_equal(ds_col_i64(ds_block_find(b, "f3"), 0), 23);
	ds_block_rename(b, "f3", "f4");
	assert_int_equal(b->n_cols, 19);
	assert_int_equal(ds_col_i64(ds_block_find(b, "f4"), 0), 23);
	ds_block_rename(b, "none", "f5");
	assert_int_equal(ds_col_i64(ds_block_find(b, "f5"), 0), 25);
	ds_block_remove(b, "f5");
	ds_block_remove(b, "f5");
	assert_null(ds_block_find(b, "f5"));
	ds_str id;
	try(ds_block_id(b, 0, &id, &e), &e);
	assert_str(id, "0");
	ds_block_rename(b, "f6", "id");
	try(ds_block_id(b, 0, &id, &e), &e);
	assert_str(id, "26");
}

TESTS(cmocka_unit_test(selected_and_copied_rows_are_those_asked_for),
	cmocka_unit_test(joined_blocks_keep_every_row),
	cmocka_unit_test(columns_of_different_types_become_json),
	cmocka_unit_test(lists_of_ids_of_both_widths_join),
	cmocka_unit_test(a_column_that_nobody_has_is_none),
	cmocka_unit_test(names_are_replaced_removed_and_renamed))
