/* test_stream.c - streams that are whole, and streams that are damaged in every way */
#include "test.h"

#include "streams.h"

enum { N_BLOCKS = 5 };

static uint64_t wrote[N_BLOCKS];

/* Blocks of a few records of every type, and one optional block. */
static ds_buf stream_of(draws *d, size_t n_blocks, uint32_t rows, size_t most, ds_compressor *p)
{
	making m;
	ds_err e;
	making_begin(&m);
	assert_int_equal(ds_writer_opt(m.w, (ds_opt){ 0x9abc, DS_S("kept as it is") }, &e), DS_OK);
	for (size_t i = 0; i < n_blocks; i++) {
		ds_block *b = random_block(m.mem, d, rows, most);
		wrote[i] = block_digest(b);
		making_add(&m, b, p);
	}
	making_end(&m);
	return m.bytes;
}

static ds_buf small_stream(draws *d, uint32_t rows, size_t most, ds_compressor *p)
{
	return stream_of(d, N_BLOCKS, rows, most, p);
}

static void is_whole(const reading *x)
{
	if (x->rc != DS_OK)
		fail_msg("%s", x->err.msg);
	assert_int_equal(x->n_blocks, N_BLOCKS);
	assert_memory_equal(x->digests, wrote, sizeof(wrote));
	assert_int_equal(x->n_opts, 1);
	assert_false(x->stats.damaged);
}

static void what_was_written_is_read(void **state)
{
	draws d = draws_of("round trip", 1);
	for (unsigned i = 0; i < 40; i++) {
		DS_AUTO(ds_compressor) p = i % 2 ? ds_compressor_new(3) : NULL;
		uint32_t rows = i < 4 ? i : (uint32_t)draw(&d, 100);
		ds_buf s = small_stream(&d, rows, 20, p);
		assert_int_equal(s.n % 64, 0);
		for (unsigned how = 0; how < 8; how++) {
			if (how & READ_PIPE && s.n > 65536)
				continue;
			reading x = read_stream(ds_buf_view(&s), how);
			is_whole(&x);
		}
		ds_buf_free(&s);
	}
}

static void a_stream_cut_anywhere_ends_early(void **state)
{
	draws d = draws_of("cuts", 2);
	ds_buf s = small_stream(&d, 3, 4, NULL);
	for (size_t n = 0; n < s.n; n++) {
		for (unsigned how = 0; how < 2; how++) {
			reading x = read_stream((ds_str){ s.at, n }, how);
			assert_int_equal(x.rc, DS_SHORT);
			assert_non_null(strstr(x.err.msg, "input ended early"));
			assert_memory_equal(x.digests, wrote, x.n_blocks * sizeof(*wrote));
		}
	}
	ds_buf_free(&s);
}

static void every_flipped_bit_is_noticed(void **state)
{
	draws d = draws_of("flips", 3);
	for (int packed = 0; packed < 2; packed++) {
		DS_AUTO(ds_compressor) p = packed ? ds_compressor_new(3) : NULL;
		ds_buf s = stream_of(&d, packed ? 1 : 2, 2, 3, p);
		for (size_t bit = 0; bit < 8 * s.n; bit++) {
			s.at[bit / 8] ^= (char)(1 << bit % 8);
			reading x = read_stream(ds_buf_view(&s), 0);
			if (x.rc != DS_SHORT)
				fail_msg("bit %zu: %d %s", bit, x.rc, x.rc ? x.err.msg : "");
			assert_memory_equal(x.digests, wrote, x.n_blocks * sizeof(*wrote));
			s.at[bit / 8] ^= (char)(1 << bit % 8);
		}
		ds_buf_free(&s);
	}
}

static void a_damaged_magic_is_still_known(void **state)
{
	uint8_t magic[DS_MAGIC_BYTES];
	for (unsigned i = 0; i < 8 * DS_MAGIC_BYTES; i++) {
		memcpy(magic, ds_stream_magic, sizeof(magic));
		magic[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_true(ds_stream_looks((ds_str){ (char *)magic, sizeof(magic) }));
	}
	assert_true(ds_stream_looks((ds_str){ (const char *)ds_stream_magic, 3 }));
	assert_false(ds_stream_looks(DS_S("")));
	assert_false(ds_stream_looks(DS_S("{\"text\":\"a line\"}")));
}

/* Where the frames of a stream begin, and at last its end. */
static size_t frames_of(ds_str s, size_t at[16])
{
	uint64_t exact;
	ds_frame_head h;
	size_t n = 0;
	memcpy(&exact, s.at + 24, 8);
	at[0] = 64 + ds_pad(exact);
	for (;;) {
		assert_int_equal(ds_frame_head_get((const uint8_t *)s.at + at[n], &h), DS_HEAD_OK);
		at[n + 1] = at[n] + 64 + h.body_bytes + h.data_bytes;
		n++;
		if (h.kind == DS_KIND_TRAILER)
			return n;
	}
}

static void blocks_out_of_order_are_refused(void **state)
{
	draws d = draws_of("order", 4);
	size_t at[16];
	ds_buf s = small_stream(&d, 4, 8, NULL);
	size_t n = frames_of(ds_buf_view(&s), at);
	for (unsigned k = 0; k < 200; k++) {
		ds_buf t = { 0 };
		bool same = true;
		ds_buf_add(&t, s.at, at[0]);
		size_t frames = k % 3 ? n - 1 : draw(&d, n);
		for (size_t i = 0; i < frames; i++) {
			size_t f = draw(&d, n - 1);
			same &= f == i;
			ds_buf_add(&t, s.at + at[f], at[f + 1] - at[f]);
		}
		ds_buf_add(&t, s.at + at[n - 1], s.n - at[n - 1]);
		reading x = read_stream(ds_buf_view(&t), 0);
		if (!same || frames != n - 1)
			assert_int_equal(x.rc, DS_SHORT);
		ds_buf_free(&t);
	}
	ds_buf_free(&s);
}

static void says(ds_str bytes, ds_rc rc, const char *why)
{
	for (unsigned how = 0; how < 2; how++) {
		reading x = read_stream(bytes, how);
		if (x.rc != rc || !strstr(x.err.msg, why))
			fail_msg("%d '%s' instead of '%s'", x.rc, x.rc ? x.err.msg : "", why);
	}
}

static void what_is_newer_is_refused_by_name(void **state)
{
	draws d = draws_of("newer", 5);
	size_t at[16];
	ds_buf s = small_stream(&d, 2, 4, NULL);
	uint8_t *p = (uint8_t *)s.at;
	frames_of(ds_buf_view(&s), at);
	p[16] = 7;
	says(ds_buf_view(&s), DS_SHORT, "the stream's header is damaged");
	repair(p, s.n);
	says(ds_buf_view(&s), DS_BAD, "version 7.0 is newer than this program's 1.0");
	p[16] = 1;
	p[18] = 9; /* a minor version changes nothing that an older reader needs */
	repair(p, s.n);
	reading x = read_stream(ds_buf_view(&s), 0);
	is_whole(&x);
	p[20] = 1;
	repair(p, s.n);
	says(ds_buf_view(&s), DS_BAD, "flags 0x1");
	p[20] = 0;
	p[at[0] + 8] = 0x44; /* the optional block becomes one of kind 0x44, which is not */
	p[at[0] + 9] = 0;
	repair(p, s.n);
	says(ds_buf_view(&s), DS_BAD, "kind 68");
	ds_buf_free(&s);
}

static void absurd_lengths_are_refused(void **state)
{
	static const uint64_t absurd[] = { 1, 63, 64, 4096, 1u << 31, 1ull << 32, 1ull << 40,
		1ull << 63, UINT64_MAX - 63, UINT64_MAX };
	draws d = draws_of("lengths", 6);
	size_t at[16];
	ds_buf s = small_stream(&d, 2, 4, NULL);
	size_t n = frames_of(ds_buf_view(&s), at);
	char *copy = malloc(s.n);
	/* Every eight bytes that could be a size, in header, frame heads, table, totals, index, footer. */
	for (size_t f = 0; f < n + 2; f++) {
		size_t from = f == 0 ? 0 : f <= n ? at[f - 1] : s.n - 64;
		size_t to = f == 0 ? 64 : f <= n ? from + 64 + 48 * 9 : s.n;
		for (size_t i = from; i + 8 <= to && i + 8 <= s.n; i += 4) {
			for (size_t k = 0; k < sizeof(absurd) / sizeof(absurd[0]); k++) {
				memcpy(copy, s.at, s.n);
				memcpy(copy + i, &absurd[k], 8);
				repair((uint8_t *)copy, s.n);
				reading x = read_stream((ds_str){ copy, s.n }, (unsigned)(k & 1));
				if (x.rc ==
					DS_OK) /* then it was no size, or has become another block */
					assert_true(x.n_blocks <= N_BLOCKS);
				else
					assert_true(x.rc == DS_SHORT || x.rc == DS_BAD);
			}
		}
	}
	free(copy);
	ds_buf_free(&s);
}

static void nothing_at_all_is_a_stream(void **state)
{
	making m;
	making_begin(&m);
	making_end(&m);
	reading x = read_stream(ds_buf_view(&m.bytes), 0);
	assert_int_equal(x.rc, DS_OK);
	assert_int_equal(x.n_blocks, 0);
	ds_buf_free(&m.bytes);

	making_begin(&m);
	making_add(&m, ds_block_new(m.mem, 0), NULL);
	making_add(&m, ds_block_new(m.mem, 1000), NULL); /* records without fields */
	ds_block *b = ds_block_new(m.mem, 3);
	ds_colb *c = ds_colb_new(b, "", DS_T_UTF8); /* a nameless field of empty strings */
	ds_err e;
	for (int i = 0; i < 3; i++)
		ds_colb_bytes(c, DS_S(""));
	assert_int_equal(ds_colb_put(c, &e), DS_OK);
	making_add(&m, b, NULL);
	making_end(&m);
	for (unsigned how = 0; how < 4; how++) {
		x = read_stream(ds_buf_view(&m.bytes), how);
		assert_int_equal(x.rc, DS_OK);
		assert_int_equal(x.n_blocks, 3);
		assert_int_equal(x.records, 1003);
	}
	ds_buf_free(&m.bytes);
}

static void a_stream_may_follow_and_nothing_else(void **state)
{
	draws d = draws_of("follow", 7);
	ds_buf s = small_stream(&d, 3, 5, NULL), t = { 0 };
	ds_buf_add(&t, s.at, s.n);
	ds_buf_add(&t, s.at, s.n);
	reading x = read_stream(ds_buf_view(&t), 0);
	assert_int_equal(x.rc, DS_OK);
	assert_int_equal(x.n_blocks, 2 * N_BLOCKS);
	assert_int_equal(x.n_opts, 1);
	ds_buf_add_c(&t, "rubbish");
	says(ds_buf_view(&t), DS_SHORT, "is followed by something else");
	t.n = 2 * s.n;
	ds_buf_add_byte(&t, 0);
	says(ds_buf_view(&t), DS_SHORT, "is followed by something else");
	ds_buf_free(&s);
	ds_buf_free(&t);
}

static void an_abort_block_says_why(void **state)
{
	making m;
	ds_err e;
	making_begin(&m);
	making_add(&m, ds_block_new(m.mem, 2), NULL);
	assert_int_equal(ds_writer_abort(m.w, "no space left", &e), DS_OK);
	ds_writer_close(m.w);
	ds_out_close(m.out);
	ds_arena_free(m.mem);
	says(ds_buf_view(&m.bytes), DS_SHORT, "the program that wrote this failed: no space left");
	reading x = read_stream(ds_buf_view(&m.bytes), READ_SALVAGE);
	assert_int_equal(x.rc, DS_OK);
	assert_int_equal(x.records, 2);
	assert_true(x.stats.damaged);
	ds_buf_free(&m.bytes);
}

static void an_untouched_column_keeps_its_bytes(void **state)
{
	draws d = draws_of("untouched", 8);
	DS_AUTO(ds_compressor) p = ds_compressor_new(3);
	ds_buf s = small_stream(&d, 50, 20, p);
	making m;
	ds_err e;
	ds_reader *r;
	ds_block *b;
	making_begin(&m);
	assert_int_equal(ds_reader_open(&r, ds_in_from_mem(s.at, s.n, "a.dsr"), &e), DS_OK);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		assert_int_equal(ds_reader_next(r, m.mem, &b, &e), DS_OK);
		making_add(&m, b, p);
		for (uint32_t k = 0; k < b->n_cols; k++)
			assert_false(b->cols[k].decoded);
	}
	size_t n;
	const ds_opt *o = ds_reader_opts(r, &n);
	assert_int_equal(n, 1);
	assert_true(ds_str_is(o[0].bytes, "kept as it is"));
	making_end(&m);
	reading x = read_stream(ds_buf_view(&m.bytes), 0);
	assert_memory_equal(x.digests, wrote, sizeof(wrote));
	ds_reader_close(r);
	ds_buf_free(&m.bytes);
	ds_buf_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_stream_cut_anywhere_ends_early),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(a_damaged_magic_is_still_known),
		cmocka_unit_test(blocks_out_of_order_are_refused),
		cmocka_unit_test(what_is_newer_is_refused_by_name),
		cmocka_unit_test(absurd_lengths_are_refused),
		cmocka_unit_test(nothing_at_all_is_a_stream),
		cmocka_unit_test(a_stream_may_follow_and_nothing_else),
		cmocka_unit_test(an_abort_block_says_why),
		cmocka_unit_test(an_untouched_column_keeps_its_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
