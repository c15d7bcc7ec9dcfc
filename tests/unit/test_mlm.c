/* test_mlm.c - which tokens masked language modelling hides */
#include "test.h"

#include "model/mlm.h"

enum { SEQ = 200, ROWS = 500, MASK = 999 };
static ds_arena *mem;

static ds_mlm plain_mlm(void)
{
	return (ds_mlm){ .probability = 0.15,
		.mask = 0.8,
		.random = 0.1,
		.mask_id = MASK,
		.vocab_size = 900,
		.seed = 3 };
}

typedef struct {
	int32_t ids[SEQ], pick[SEQ], target[SEQ];
	uint8_t plain[SEQ];
	int64_t n;
} row;

static void hide(const ds_mlm *m, uint64_t number, row *r)
{
	for (int32_t i = 0; i < SEQ; i++) {
		r->ids[i] = i;
		r->plain[i] = i >= 10;
	}
	r->n = ds_mlm_mask(
		m, number, &(ds_mlm_row){ r->ids, r->plain, SEQ, r->pick, r->target }, mem);
}

static void of_what_is_chosen_80_10_10(void **state)
{
	ds_mlm m = plain_mlm();
	int masked = 0, kept = 0, other = 0;
	for (uint64_t i = 0; i < ROWS; i++) {
		row r;
		hide(&m, i, &r);
		assert_int_equal(r.n, 29); /* 0.15 * 190 rounded */
		for (int64_t k = 0; k < r.n; k++) {
			int32_t at = r.pick[k], id = r.ids[at];
			assert_true(at >= 10);
			assert_int_equal(r.target[k], at);
			masked += id == MASK;
			kept += id == at;
			other += id != MASK && id != at;
		}
		assert_int_equal(r.pick[r.n], -1);
	}
	double all = 29.0 * ROWS;
	assert_true(masked / all > 0.78 && masked / all < 0.82);
	assert_true(kept / all > 0.085 && kept / all < 0.115);
	assert_true(other / all > 0.085 && other / all < 0.115);
}

static void a_row_is_hidden_the_same_way_again(void **state)
{
	ds_mlm m = plain_mlm();
	row a, b, c;
	hide(&m, 7, &a);
	hide(&m, 7, &b);
	hide(&m, 8, &c);
	assert_memory_equal(a.ids, b.ids, sizeof(a.ids));
	assert_memory_not_equal(a.ids, c.ids, sizeof(a.ids));
}

static void words_are_chosen_whole(void **state)
{
	ds_mlm m = plain_mlm();
	uint8_t kind[SEQ];
	for (int i = 0; i < SEQ; i++)
		kind[i] = i % 3 ? 2 : 0; /* words of three tokens */
	m.kind = kind;
	m.n_ids = SEQ;
	m.whole_word = true;
	for (uint64_t i = 0; i < 50; i++) {
		uint8_t chosen[SEQ] = { 0 };
		row r;
		hide(&m, i, &r);
		for (int64_t k = 0; k < r.n; k++)
			chosen[r.pick[k]] = 1;
		for (int w = 12; w + 3 <= SEQ; w += 3)
			assert_true(chosen[w] == chosen[w + 1] && chosen[w] == chosen[w + 2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_what_is_chosen_80_10_10),
		cmocka_unit_test(a_row_is_hidden_the_same_way_again),
		cmocka_unit_test(words_are_chosen_whole),
	};
	mem = ds_arena_new(1 << 16);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	ds_arena_free(mem);
	return rc;
}
