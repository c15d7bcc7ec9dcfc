/*
 * test_seen.c - decisions of the memory of texts against the rule, computed the slow way
 */
#include "test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "text/seen.h"

enum { TEXTS = 900, SET = 60, BANDS = 8, MOST = SET };

static const ds_seen_plan plan = {
	.exact = true,
	.near = true,
	.join = true,
	.ngram = 5,
	.n_perm = 32,
	.bands = { BANDS, 4 },
	.threshold = 0.6,
};

typedef struct {
	ds_seen_item items[TEXTS];
	uint64_t bands[TEXTS][BANDS];
	uint32_t sets[TEXTS][MOST];
} corpus;

/* Texts are sets of hashes: some new, some copies, some an earlier one with a part exchanged. */
static void make(corpus *c, uint64_t seed)
{
	DS_AUTO(ds_minhash) m = ds_minhash_new(plan.n_perm, 0);
	DS_AUTO(ds_sketch) sketch = ds_sketch_new(DS_SKETCH_MOST);
	uint32_t *sig = DS_NEW(uint32_t, ds_minhash_padded(m));
	for (uint32_t t = 0; t < TEXTS; t++) {
		ds_rng r = ds_rng_of(seed, t);
		uint32_t set[SET];
		uint64_t kind = ds_rng_below(r, 2, 10), pool = kind % 2 ? 2 : 100;
		uint64_t from = t ? ds_rng_below(r, 1, t < pool ? t : pool) : 0;
		uint64_t keep = kind < 2 ? 0 : kind < 4 ? SET : ds_rng_below(r, 3, SET);
		for (uint32_t i = 0; i < SET; i++)
			set[i] =
				t && i < keep ? c->sets[from][i] : (uint32_t)ds_rng_u64(r, 100 + i);
		ds_sketch_reset(sketch);
		ds_sketch_add(sketch, set, SET);
		size_t n;
		memcpy(c->sets[t], ds_sketch_finish(sketch, &n), sizeof(c->sets[t]));
		assert_int_equal(n, SET);
		ds_minhash_reset(m, sig);
		ds_minhash_add(m, set, SET, sig);
		for (unsigned b = 0; b < BANDS; b++)
			c->bands[t][b] = ds_bands_key(plan.bands, sig, b);
		c->items[t] = (ds_seen_item){ .key = ds_hash128(c->sets[t], sizeof(c->sets[t])),
			.bands = c->bands[t],
			.sketch = c->sets[t],
			.n_sketch = SET };
	}
	ds_mem_free(sig);
}

static bool share(const corpus *c, uint32_t a, uint32_t b)
{
	for (unsigned band = 0; band < BANDS; band++) {
		if (c->bands[a][band] != c->bands[b][band])
			continue;
		unsigned before = 0;
		for (uint32_t i = 0; i < a; i++)
			before += c->bands[i][band] == c->bands[a][band];
		if (before < DS_BUCKET_MOST)
			return true;
	}
	return false;
}

static bool alike(const corpus *c, uint32_t a, uint32_t b)
{
	return ds_sketch_jaccard(c->sets[a], SET, c->sets[b], SET, DS_SKETCH_MOST) >=
	       plan.threshold;
}

static void decisions_follow_the_rule(void **state)
{
	static corpus c;
	make(&c, 11);
	DS_AUTO(ds_seen) s = ds_seen_new(&plan);
	ds_err e;
	ds_seen_jobs(s, 3);
	assert_int_equal(ds_seen_add(s, c.items, 400, &e), DS_OK);
	ds_seen_jobs(s, 1);
	assert_int_equal(ds_seen_add(s, c.items + 400, TEXTS - 400, &e), DS_OK);
	static uint32_t first[TEXTS];
	unsigned n_same = 0, n_near = 0;
	for (uint32_t t = 0; t < TEXTS; t++) {
		uint32_t same = DS_NO_TEXT, near = DS_NO_TEXT;
		first[t] = t;
		for (uint32_t i = t; i-- > 0;) {
			bool is_same = memcmp(c.sets[i], c.sets[t], sizeof(c.sets[t])) == 0;
			bool is_near = share(&c, i, t) && alike(&c, i, t);
			same = is_same ? i : same;
			near = is_near ? i : near;
			if (!is_same && !is_near)
				continue;
			uint32_t a = first[i], b = first[t], low = a < b ? a : b;
			for (uint32_t k = 0; k <= t; k++)
				first[k] = first[k] == a || first[k] == b ? low : first[k];
		}
		assert_int_equal(c.items[t].dup_of, same != DS_NO_TEXT ? same : near);
		assert_int_equal(c.items[t].same, same != DS_NO_TEXT);
		n_same += same != DS_NO_TEXT;
		n_near += same == DS_NO_TEXT && near != DS_NO_TEXT;
	}
	print_message("%u the same, %u near, %u buckets full\n", n_same, n_near,
		(unsigned)ds_seen_full(s));
	assert_true(n_same > 50 && n_near > 50);
	for (uint32_t t = 0; t < TEXTS; t++)
		assert_int_equal(ds_seen_first(s, t), first[t]);
}

/* A run in two parts, with the memory as a file in between, decides as one run does. */
static void a_saved_memory_goes_on(void **state)
{
	enum { HALF = TEXTS / 2 };
	static corpus c, d;
	ds_err e;
	make(&c, 12);
	make(&d, 12);
	DS_AUTO(ds_seen) whole = ds_seen_new(&plan);
	DS_AUTO(ds_seen) first = ds_seen_new(&plan);
	DS_AUTO(ds_seen) second = ds_seen_new(&plan);
	assert_int_equal(ds_seen_add(whole, c.items, TEXTS, &e), DS_OK);
	assert_int_equal(ds_seen_add(first, d.items, HALF, &e), DS_OK);
	ds_seen_name(first, 3, (ds_seen_id){ DS_S("three"), false });
	ds_buf bytes = { 0 }, again = { 0 };
	DS_AUTO(ds_out) out = ds_out_to_mem(&bytes);
	assert_int_equal(ds_seen_save(first, out, &e), DS_OK);
	assert_int_equal(ds_out_finish(out, &e), DS_OK);
	DS_AUTO(ds_in) in = ds_in_from_mem(bytes.at, bytes.n, "index");
	assert_int_equal(ds_seen_load(second, in, &e), DS_OK);
	DS_AUTO(ds_out) out_again = ds_out_to_mem(&again);
	assert_int_equal(ds_seen_save(second, out_again, &e), DS_OK);
	assert_int_equal(ds_out_finish(out_again, &e), DS_OK);
	assert_int_equal(again.n, bytes.n);
	assert_memory_equal(again.at, bytes.at, bytes.n);
	assert_str(ds_seen_id_of(second, 3).text, "three");
	assert_int_equal(ds_seen_add(second, d.items + HALF, TEXTS - HALF, &e), DS_OK);
	for (uint32_t t = 0; t < TEXTS; t++)
		assert_int_equal(c.items[t].dup_of, d.items[t].dup_of);
	assert_int_equal(ds_seen_full(whole), ds_seen_full(second));
	ds_buf_free(&bytes);
	ds_buf_free(&again);
}

static void a_damaged_index_is_refused(void **state)
{
	static corpus c;
	ds_err e;
	ds_buf bytes = { 0 };
	make(&c, 13);
	DS_AUTO(ds_seen) s = ds_seen_new(&plan);
	assert_int_equal(ds_seen_add(s, c.items, 20, &e), DS_OK);
	DS_AUTO(ds_out) out = ds_out_to_mem(&bytes);
	assert_int_equal(ds_seen_save(s, out, &e), DS_OK);
	assert_int_equal(ds_out_finish(out, &e), DS_OK);
	for (size_t n = 0; n < bytes.n; n += n < 200 ? 1 : 97) {
		DS_AUTO(ds_seen) cut = ds_seen_new(&plan);
		DS_AUTO(ds_in) in = ds_in_from_mem(bytes.at, n, "index");
		assert_int_equal(ds_seen_load(cut, in, &e), DS_SHORT);
	}
	for (size_t i = 0; i < bytes.n; i += i < 400 ? 1 : 61) {
		DS_AUTO(ds_seen) bad = ds_seen_new(&plan);
		bytes.at[i] ^= 4;
		DS_AUTO(ds_in) in = ds_in_from_mem(bytes.at, bytes.n, "index");
		assert_int_not_equal(ds_seen_load(bad, in, &e), DS_OK);
		bytes.at[i] ^= 4;
	}
	ds_seen_plan other = plan;
	other.ngram = 4;
	DS_AUTO(ds_seen) wrong = ds_seen_new(&other);
	DS_AUTO(ds_in) in = ds_in_from_mem(bytes.at, bytes.n, "index");
	assert_int_equal(ds_seen_load(wrong, in, &e), DS_USAGE);
	assert_string_equal(e.msg, "the index was made with another --ngram");
	ds_buf_free(&bytes);
}

static void names_are_kept(void **state)
{
	DS_AUTO(ds_seen) s = ds_seen_new(&plan);
	ds_seen_name(s, 0, (ds_seen_id){ DS_S("a\tb"), false });
	ds_seen_name(s, 70000, (ds_seen_id){ DS_S("7"), true });
	assert_str(ds_seen_id_of(s, 0).text, "a\tb");
	assert_str(ds_seen_id_of(s, 70000).text, "7");
	assert_true(ds_seen_id_of(s, 70000).is_number);
	assert_int_equal(ds_seen_id_of(s, 1).text.n, 0);
	assert_int_equal(ds_seen_id_of(s, 200000).text.n, 0);
}

TESTS(cmocka_unit_test(decisions_follow_the_rule), cmocka_unit_test(a_saved_memory_goes_on),
	cmocka_unit_test(a_damaged_index_is_refused), cmocka_unit_test(names_are_kept))
