/* test_salvage.c - every undamaged block of a damaged stream comes back; blocks by their place */
#include "test.h"

#include "streams.h"

enum { N_BLOCKS = 12 };

typedef struct {
	ds_buf bytes;
	uint64_t digests[N_BLOCKS];
	size_t at[N_BLOCKS + 1]; /* where the frames begin, and the trailer */
} sample;

static sample make_sample(draws *d, uint32_t rows)
{
	sample s = { 0 };
	making m;
	making_begin(&m);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		ds_block *b = random_block(m.mem, d, rows, 6);
		s.digests[i] = block_digest(b);
		s.at[i] = ds_out_offset(m.out);
		making_add(&m, b, NULL);
	}
	s.at[N_BLOCKS] = ds_out_offset(m.out);
	making_end(&m);
	s.bytes = m.bytes;
	return s;
}

/* The blocks whose bit in `lost` is not set must be there, in order, and no others. */
static void comes_back(const sample *s, ds_str bytes, unsigned lost, bool damaged)
{
	for (unsigned how = READ_SALVAGE; how < 8; how++) {
		if (!(how & READ_SALVAGE) || (how & READ_PIPE && bytes.n > 65536))
			continue;
		reading x = read_stream(bytes, how);
		size_t n = 0;
		assert_int_equal(x.rc, DS_OK);
		for (size_t i = 0; i < N_BLOCKS; i++)
			if (!(lost >> i & 1))
				assert_int_equal(x.digests[n++], s->digests[i]);
		assert_int_equal(x.n_blocks, n);
		assert_int_equal(x.stats.damaged, damaged);
	}
}

static void whole_streams_are_salvaged_whole(void **state)
{
	draws d = draws_of("whole", 1);
	sample s = make_sample(&d, 5);
	comes_back(&s, ds_buf_view(&s.bytes), 0, false);
	ds_buf_free(&s.bytes);
}

static void changed_bytes_cost_only_their_blocks(void **state)
{
	draws d = draws_of("changes", 2);
	for (unsigned k = 0; k < 60; k++) {
		sample s = make_sample(&d, (uint32_t)draw(&d, 6));
		unsigned lost = 0;
		for (uint64_t i = draw(&d, 5); i-- > 0;) {
			size_t at = draw(&d, s.bytes.n), f = N_BLOCKS;
			while (f > 0 && s.at[f] > at)
				f--;
			if (s.at[f] <= at && f < N_BLOCKS)
				lost |= 1u << f;
			s.bytes.at[at] ^= (char)(1 + draw(&d, 255));
		}
		for (unsigned how = READ_SALVAGE; how < 4; how++) {
			reading x = read_stream(ds_buf_view(&s.bytes), how);
			assert_int_equal(x.rc, DS_OK);
			assert_int_equal(x.n_blocks, N_BLOCKS - (unsigned)__builtin_popcount(lost));
			if (x.stats.damaged) /* a byte may have been changed back */
				assert_true(
					x.stats.bad_blocks >= (unsigned)__builtin_popcount(lost));
		}
		ds_buf_free(&s.bytes);
	}
}

static void lost_and_added_bytes_do_not_hide_the_next_block(void **state)
{
	draws d = draws_of("shifts", 3);
	for (unsigned k = 0; k < 60; k++) {
		sample s = make_sample(&d, 4);
		ds_buf t = { 0 };
		size_t f = draw(&d, N_BLOCKS), at = s.at[f] + draw(&d, s.at[f + 1] - s.at[f]);
		size_t n = 1 + draw(&d, s.at[f + 1] - at);
		ds_buf_add(&t, s.bytes.at, at);
		if (k % 2) {
			for (size_t i = 0; i < n; i++)
				ds_buf_add_byte(&t, (char)draw(&d, 256));
			n = 0;
		}
		ds_buf_add(&t, s.bytes.at + at + n, s.bytes.n - at - n);
		/* Bytes added just before a block cost nothing but themselves. */
		comes_back(&s, ds_buf_view(&t), k % 2 && at == s.at[f] ? 0 : 1u << f, true);
		ds_buf_free(&t);
		ds_buf_free(&s.bytes);
	}
}

static void a_missing_end_costs_only_the_last_block(void **state)
{
	draws d = draws_of("ends", 4);
	sample s = make_sample(&d, 4);
	for (size_t n = s.at[N_BLOCKS - 1]; n < s.bytes.n; n += 7) {
		unsigned lost = n < s.at[N_BLOCKS] ? 1u << (N_BLOCKS - 1) : 0;
		comes_back(&s, (ds_str){ s.bytes.at, n }, lost, true);
	}
	ds_buf_free(&s.bytes);
}

static void a_stream_within_a_record_is_data(void **state)
{
	draws d = draws_of("inner", 5);
	sample inner = make_sample(&d, 2);
	making m;
	ds_err e;
	making_begin(&m);
	size_t first = ds_out_offset(m.out);
	for (int i = 0; i < 3; i++) {
		ds_block *b = ds_block_new(m.mem, 1);
		ds_colb *c = ds_colb_new(b, "file", DS_T_BYTES);
		ds_colb_bytes(c, ds_buf_view(&inner.bytes));
		assert_int_equal(ds_colb_put(c, &e), DS_OK);
		making_add(&m, b, NULL);
	}
	making_end(&m);
	m.bytes.at[first + 300] ^= 1;
	reading x = read_stream(ds_buf_view(&m.bytes), READ_SALVAGE);
	assert_int_equal(x.n_blocks, 2);
	assert_int_equal(x.stats.bad_blocks, 1);
	ds_buf_free(&m.bytes);
	ds_buf_free(&inner.bytes);
}

static void blocks_are_found_by_their_place(void **state)
{
	draws d = draws_of("index", 6);
	sample s = make_sample(&d, 7);
	ds_buf t = { 0 };
	const ds_index_entry *x;
	size_t n;
	ds_reader *r;
	ds_block *b;
	ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	for (int i = 0; i < 3; i++)
		ds_buf_add(&t, s.bytes.at, s.bytes.n);
	assert_int_equal(ds_reader_open(&r, ds_in_from_mem(t.at, t.n, "a.dsr"), &e), DS_OK);
	assert_int_equal(ds_reader_index(r, &x, &n, &e), DS_OK);
	assert_int_equal(n, 3 * N_BLOCKS);
	for (size_t i = n; i-- > 0;) {
		assert_int_equal(x[i].first_record, 7 * i);
		assert_int_equal(ds_reader_at(r, &x[i], mem, &b, &e), DS_OK);
		assert_int_equal(b->first_record, 7 * i);
		assert_int_equal(block_digest(b), s.digests[i % N_BLOCKS]);
	}
	assert_int_equal(ds_reader_chain(r)->n, 1);
	ds_reader_close(r);
	assert_int_equal(ds_reader_open(&r, ds_in_from_mem(t.at, t.n - 64, "a.dsr"), &e), DS_OK);
	assert_int_equal(ds_reader_index(r, &x, &n, &e), DS_SHORT);
	ds_reader_close(r);
	ds_buf_free(&t);
	ds_buf_free(&s.bytes);
}

TESTS(cmocka_unit_test(whole_streams_are_salvaged_whole),
	cmocka_unit_test(changed_bytes_cost_only_their_blocks),
	cmocka_unit_test(lost_and_added_bytes_do_not_hide_the_next_block),
	cmocka_unit_test(a_missing_end_costs_only_the_last_block),
	cmocka_unit_test(a_stream_within_a_record_is_data),
	cmocka_unit_test(blocks_are_found_by_their_place))
