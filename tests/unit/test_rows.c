/* test_rows.c - rows out of tokens and texts, and their order */
#include "test.h"

#include "base/io.h"
#include "base/mem.h"
#include "model/perm.h"
#include "model/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX = 64 };
static char path[] = "/tmp/ds-rows-XXXXXX.jsonl";
static const ds_input_opts how = { .field.column = "text", .max_record = 1 << 20 };

static ds_rc open_rows(ds_rows **r, const char *text, ds_rows_opts o, ds_err *e)
{
	static const char *files[1] = { path };
	assert_int_equal(ds_file_write(path, ds_str_of(text), e), DS_OK);
	o.files = files;
	o.n_files = 1;
	if (!o.vocab_size)
		o.vocab_size = 100;
	return ds_rows_open(r, &how, &o, e);
}

typedef struct {
	int32_t ids[MAX], targets[MAX], positions[MAX], first[MAX];
	ds_row row;
} buffer;

static ds_rc get(ds_rows *r, int64_t row, buffer *b, ds_err *e)
{
	b->row = (ds_row){
		.ids = b->ids, .targets = b->targets, .positions = b->positions, .first = b->first
	};
	return ds_rows_get(r, row, &b->row, e);
}

static void assert_row(const int32_t *got, const int32_t *want, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
}
#define ROW(...) ((const int32_t[]){ __VA_ARGS__ })

static void packed_rows_are_taken_as_they_are(void **state)
{
	DS_AUTO(ds_rows) r = NULL;
	buffer b;
	ds_err e;
	assert_int_equal(open_rows(&r,
				 "{\"tokens\":[5,6,7,8],\"docs\":[0,2]}\n"
				 "{\"tokens\":[9,10,11,0],\"docs\":[1],\"mask\":\"AQEBAA==\"}\n",
				 (ds_rows_opts){ 0 }, &e),
		DS_OK);
	assert_int_equal(ds_rows_count(r), 2);
	assert_int_equal(ds_rows_seq(r), 4);
	assert_int_equal(get(r, 0, &b, &e), DS_OK);
	assert_row(b.ids, ROW(5, 6, 7, 8), 4);
	assert_row(b.targets, ROW(6, 7, 8, -1), 4);
	assert_row(b.positions, ROW(0, 1, 2, 3), 4);
	assert_int_equal(b.row.n_targets, 3);
	assert_int_equal(get(r, 1, &b, &e), DS_OK);
	assert_row(b.targets, ROW(10, 11, -1, -1), 4);
	assert_int_equal(b.row.n_targets, 2);
}

static void documents_can_be_kept_apart(void **state)
{
	DS_AUTO(ds_rows) r = NULL;
	buffer b;
	ds_err e;
	assert_int_equal(open_rows(&r, "{\"tokens\":[5,6,7,8,9],\"docs\":[0,2]}\n",
				 (ds_rows_opts){ .docs = true }, &e),
		DS_OK);
	assert_int_equal(get(r, 0, &b, &e), DS_OK);
	assert_row(b.positions, ROW(0, 1, 0, 1, 2), 5);
	assert_row(b.first, ROW(0, 0, 2, 2, 2), 5);
	assert_row(b.targets, ROW(6, -1, 8, 9, -1), 5);
	assert_int_equal(b.row.n_targets, 3);
}

static void unpacked_tokens_are_cut_and_padded(void **state)
{
	DS_AUTO(ds_rows) r = NULL;
	DS_AUTO(ds_tok) tok = NULL;
	buffer b;
	ds_err e;
	assert_int_equal(ds_tok_builtin(&tok, &e), DS_OK);
	int32_t eos = (int32_t)ds_tok_special(tok, DS_TOK_EOS);
	int32_t pad = (int32_t)ds_tok_special(tok, DS_TOK_PAD);
	assert_int_equal(
		open_rows(&r, "{\"tokens\":[11,12,13]}\n{\"tokens\":[]}\n{\"tokens\":[14,15]}\n",
			(ds_rows_opts){ .seq = 4, .docs = true, .tok = tok }, &e),
		DS_OK);
	assert_int_equal(ds_rows_count(r), 2);
	assert_int_equal(get(r, 0, &b, &e), DS_OK);
	assert_row(b.ids, ROW(11, 12, 13, eos), 4);
	assert_row(b.positions, ROW(0, 1, 2, 3), 4);
	assert_int_equal(b.row.n_targets, 3);
	assert_int_equal(get(r, 1, &b, &e), DS_OK);
	assert_row(b.ids, ROW(eos, 14, 15, eos), 4);
	assert_row(b.first, ROW(0, 1, 1, 1), 4);
	assert_row(b.targets, ROW(-1, 15, eos, -1), 4);
	assert_int_not_equal(pad, eos);
}

static void the_last_row_is_filled_without_targets(void **state)
{
	DS_AUTO(ds_rows) r = NULL;
	buffer b;
	ds_err e;
	assert_int_equal(open_rows(&r, "{\"tokens\":[11,12,13]}\n{\"tokens\":[14,15]}\n",
				 (ds_rows_opts){ .seq = 3 }, &e),
		DS_OK);
	/* no tokenizer, so nothing to put between documents and 0 to fill with */
	assert_int_equal(ds_rows_count(r), 2);
	assert_int_equal(get(r, 1, &b, &e), DS_OK);
	assert_row(b.ids, ROW(14, 15, 0), 3);
	assert_row(b.targets, ROW(15, -1, -1), 3);
	assert_int_equal(b.row.n_targets, 1);
}

static void text_is_encoded(void **state)
{
	DS_AUTO(ds_rows) r = NULL;
	DS_AUTO(ds_rows) same = NULL;
	buffer b;
	ds_err e;
	static const char text[] =
		"{\"text\":\"hello world, hello world\"}\n{\"text\":\"again\"}\n";
	assert_int_equal(
		open_rows(&r, text, (ds_rows_opts){ .seq = 8, .vocab_size = 1 << 20 }, &e), DS_OK);
	assert_non_null(ds_rows_tok(r));
	assert_int_equal(get(r, 0, &b, &e), DS_OK);
	assert_int_equal(
		open_rows(&same, text, (ds_rows_opts){ .seq = 8, .vocab_size = 1 << 20 }, &e),
		DS_OK);
	assert_true(ds_rows_identity(r) == ds_rows_identity(same));
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text;
		int64_t seq;
		ds_rc rc;
		const char *says;
	} cases[] = {
		{ "", 4, DS_BAD, "no tokens in the input" },
		{ "{\"n\":1}\n", 4, DS_BAD, ":1: neither 'tokens' nor 'text'" },
		{ "{\"tokens\":\"abc\"}\n", 4, DS_BAD,
			":1: field 'tokens' is utf8, wanted whole numbers from 0" },
		{ "{\"tokens\":[1,2,3],\"docs\":[0]}\n", 2, DS_USAGE,
			"seq=2, but the rows have 3 tokens: pack them again with dstok --seq 2" },
		{ "{\"tokens\":[1],\"docs\":[0]}\n", 0, DS_BAD,
			"rows of 1 tokens predict nothing" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DS_AUTO(ds_rows) r = NULL;
		ds_err e;
		assert_int_equal(
			open_rows(&r, cases[i].text, (ds_rows_opts){ .seq = cases[i].seq }, &e),
			cases[i].rc);
		assert_non_null(strstr(e.msg, cases[i].says));
	}
}

static void bad_ids_and_rows_are_found_when_they_are_read(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"tokens\":[1,2,3],\"docs\":[0]}\n{\"tokens\":[1,100,3],\"docs\":[0]}\n",
			":2: id 100, the vocabulary has 100" },
		{ "{\"tokens\":[1,2,3],\"docs\":[0]}\n{\"tokens\":[1,2],\"docs\":[0]}\n",
			":2: a row of 2 tokens, the others have 3" },
		{ "{\"tokens\":[1,2,3],\"docs\":[0]}\n{\"tokens\":[1,2,3],\"docs\":[0],\"mask\":"
		  "\"AQE=\"}\n",
			":2: a mask of 2 bytes for 3 tokens" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DS_AUTO(ds_rows) r = NULL;
		buffer b;
		ds_err e;
		assert_int_equal(open_rows(&r, cases[i].text, (ds_rows_opts){ 0 }, &e), DS_OK);
		assert_int_equal(get(r, 0, &b, &e), DS_OK);
		assert_int_equal(get(r, 1, &b, &e), DS_BAD);
		assert_non_null(strstr(e.msg, cases[i].says));
	}
}

static void an_order_has_every_row_once(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 16, 17, 1000, 4097 };
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint64_t n = sizes[s], moved = 0;
		uint8_t *seen = DS_NEW(uint8_t, n);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t row = ds_perm_at(7, 1, n, i);
			assert_true(row < n && !seen[row]);
			seen[row] = 1;
			moved += row != ds_perm_at(7, 2, n, i);
		}
		assert_true(n < 16 || moved > n / 2);
		ds_mem_free(seen);
	}
}

/* Two files of 6 and 1 rows, told apart by their ids. */
static void files_are_mixed_by_weight(void **state)
{
	static char other[] = "/tmp/ds-rows-other.jsonl";
	const char *files[2] = { path, other };
	const double weights[2] = { 1, 3 };
	int64_t seen[7] = { 0 };
	DS_AUTO(ds_rows) r = NULL;
	buffer b;
	ds_err e;
	assert_int_equal(
		ds_file_write(path, DS_S("{\"tokens\":[1,1,2,2,3,3,4,4,5,5,6,6]}\n"), &e), DS_OK);
	assert_int_equal(ds_file_write(other, DS_S("{\"tokens\":[50]}\n"), &e), DS_OK);
	ds_rows_opts o = {
		.files = files, .n_files = 2, .weights = weights, .seq = 2, .vocab_size = 100
	};
	assert_int_equal(ds_rows_open(&r, &how, &o, &e), DS_OK);
	/* 12 tokens in 6 rows; the other file begins a row of its own */
	assert_int_equal(ds_rows_count(r), 7);
	assert_int_equal(get(r, 5, &b, &e), DS_OK);
	assert_row(b.ids, ROW(6, 6), 2);
	assert_int_equal(get(r, 6, &b, &e), DS_OK);
	assert_int_equal(b.ids[0], 50);
	assert_int_equal(b.row.n_targets, 0);
	for (int64_t i = 0; i < 30000; i++)
		seen[ds_rows_order(r, 9, i)]++;
	assert_int_equal(seen[6], 22500);
	for (int i = 0; i < 6; i++)
		assert_int_equal(seen[i], 1250);
	for (int64_t i = 0, quarter = 0; i < 400;
		i++) { /* shuffled, not one file after the other */
		quarter += ds_rows_order(r, 9, i) != 6;
		if (i % 100 == 99) {
			assert_in_range(quarter, 10, 40);
			quarter = 0;
		}
	}
	unlink(other);
}

static int set_up(void **state)
{
	int fd = mkstemps(path, 6);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_rows_are_taken_as_they_are),
		cmocka_unit_test(documents_can_be_kept_apart),
		cmocka_unit_test(unpacked_tokens_are_cut_and_padded),
		cmocka_unit_test(the_last_row_is_filled_without_targets),
		cmocka_unit_test(text_is_encoded),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(bad_ids_and_rows_are_found_when_they_are_read),
		cmocka_unit_test(an_order_has_every_row_once),
		cmocka_unit_test(files_are_mixed_by_weight),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
