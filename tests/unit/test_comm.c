/*
 * test_comm.c - ranks as threads and as processes: collectives, sums in one order, failures that all hear of
 */
#include "test.h"

#include "base/mem.h"
#include "comm/launch.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 5 };

#define OK(call) DS_TRY(call)
#define HOLDS(what) \
	do { \
		if (!(what)) \
			return ds_fail(e, DS_BAD, "line %d: %s", __LINE__, #what); \
	} while (0)

/* Number i of a rank: sums in another order have other bits. */
static float number(int rank, int64_t i)
{
	return (float)(1 + i % 97) * (rank % 2 ? 1e-7f : 1.0f) * (float)(rank + 1) / 3;
}

static ds_rc sums(void *context, ds_world *w, ds_err *e)
{
	int64_t n = *(int64_t *)context;
	ds_group all = ds_world_all(w);
	float *v = ds_mem_get((size_t)n * sizeof(*v) + 1);
	for (int64_t i = 0; i < n; i++)
		v[i] = number(ds_world_rank(w), i);
	ds_rc rc = ds_world_all_reduce(w, &all, v, n, DS_NUM_F32, e);
	for (int64_t i = 0; i < n && rc == DS_OK; i++) {
		float want = number(0, i);
		for (int k = 1; k < all.n; k++)
			want += number(k, i);
		if (v[i] != want)
			rc = ds_fail(e, DS_BAD, "number %lld of %lld", (long long)i, (long long)n);
	}
	ds_mem_free(v);
	return rc;
}

static void a_sum_is_made_in_the_order_of_ranks(void **state)
{
	static int64_t counts[] = { 1, 3, 1000, 16384, 200003 };
	for (int n = 1; n <= MOST; n++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			ds_err e = { "" };
			if (ds_launch_threads(n, sums, &counts[i], &e) != DS_OK)
				fail_msg("%d ranks: %s", n, e.msg);
		}
}

/* Parts of any size, none among them. */
static ds_rc parts(void *context, ds_world *w, ds_err *e)
{
	int n = ds_world_size(w), me = ds_world_rank(w);
	ds_group all = ds_world_all(w);
	int64_t starts[MOST + 1] = { 0 };
	double v[100];
	for (int k = 0; k < n; k++)
		starts[k + 1] = starts[k] + (k == 1 ? 0 : 7 * k + 1);
	for (int i = 0; i < starts[n]; i++)
		v[i] = me * 1000 + i;
	OK(ds_world_reduce_scatter(w, &all, v, starts, DS_NUM_F64, e));
	for (int64_t i = starts[me]; i < starts[me + 1]; i++)
		HOLDS(v[i] == 1000.0 * n * (n - 1) / 2 + (double)(n * i));
	for (int i = 0; i < starts[n]; i++)
		v[i] = i >= starts[me] && i < starts[me + 1] ? i : -1;
	OK(ds_world_all_gather(w, &all, v, starts, DS_NUM_F64, e));
	for (int i = 0; i < starts[n]; i++)
		HOLDS(v[i] == i);
	return DS_OK;
}

/* Rank k sends rank j k + j + 1 numbers. */
static ds_rc exchange(void *context, ds_world *w, ds_err *e)
{
	int n = ds_world_size(w), me = ds_world_rank(w);
	ds_group all = ds_world_all(w);
	int64_t out[MOST + 1] = { 0 }, in[MOST + 1] = { 0 }, from[100], to[100];
	for (int k = 0; k < n; k++) {
		out[k + 1] = in[k + 1] = out[k] + me + k + 1;
		for (int64_t i = out[k]; i < out[k + 1]; i++)
			from[i] = 100 * me + k;
	}
	OK(ds_world_all_to_all(
		w, &all, (ds_world_parts){ from, out }, (ds_world_parts){ to, in }, DS_NUM_I64, e));
	for (int k = 0; k < n; k++)
		for (int64_t i = in[k]; i < in[k + 1]; i++)
			HOLDS(to[i] == 100 * k + me);
	int word = me == n - 1 ? 42 : 0;
	OK(ds_world_broadcast(w, &all, n - 1, &word, sizeof(word), e));
	HOLDS(word == 42);
	return ds_world_barrier(w, &all, e);
}

/* Both send more than lies between them before they receive. */
static ds_rc crossing(void *context, ds_world *w, ds_err *e)
{
	enum { BYTES = 3 << 20 };
	int other = 1 - ds_world_rank(w);
	char *out = ds_mem_get(BYTES), *in = ds_mem_get(BYTES);
	memset(out, 'a' + ds_world_rank(w), BYTES);
	ds_rc rc = ds_world_send(w, other, out, BYTES, e);
	if (rc == DS_OK)
		rc = ds_world_recv(w, other, in, BYTES, e);
	if (rc == DS_OK && (in[0] != 'a' + other || in[BYTES - 1] != 'a' + other))
		rc = ds_fail(e, DS_BAD, "other bytes");
	if (rc == DS_OK && ds_world_traffic(w, DS_MOVE_POINT).bytes != BYTES)
		rc = ds_fail(e, DS_BAD, "bytes are not counted");
	ds_mem_free(out);
	ds_mem_free(in);
	return rc;
}

static void groups_of_any_size_share_and_exchange(void **state)
{
	for (int n = 1; n <= MOST; n++) {
		ds_err e = { "" };
		if (ds_launch_threads(n, parts, NULL, &e) != DS_OK ||
			ds_launch_threads(n, exchange, NULL, &e) != DS_OK)
			fail_msg("%d ranks: %s", n, e.msg);
	}
}

static void two_that_send_to_one_another_do_not_stop(void **state)
{
	ds_err e = { "" };
	if (ds_launch_threads(2, crossing, NULL, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

/* Ranks 0 and 2, beside 1 and 3. */
static ds_rc strided(void *context, ds_world *w, ds_err *e)
{
	int me = ds_world_rank(w);
	ds_group g = { me % 2, 2, 2 };
	int64_t v = me;
	OK(ds_world_all_reduce(w, &g, &v, 1, DS_NUM_I64, e));
	HOLDS(v == (me % 2 ? 4 : 2));
	HOLDS(ds_group_me(w, &g) == me / 2);
	return DS_OK;
}

static void groups_are_some_of_the_ranks(void **state)
{
	ds_err e = { "" };
	if (ds_launch_threads(4, strided, NULL, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

static ds_rc one_fails(void *context, ds_world *w, ds_err *e)
{
	char c;
	if (ds_world_rank(w) == 1)
		return ds_fail(e, DS_BAD, "no more");
	return ds_world_recv(w, 1, &c, 1, e);
}

static ds_rc one_is_late(void *context, ds_world *w, ds_err *e)
{
	char c;
	ds_world_limit(w, 0.3);
	ds_world_say(w, "all_reduce", "h.0.weight.grad");
	if (ds_world_rank(w) == 0)
		return ds_world_recv(w, 1, &c, 1, e);
	ds_world_say(w, "saving", "a model");
	for (int i = 0; i < 100; i++) {
		usleep(100 * 1000);
		ds_err other;
		ds_world_limit(w, 0.01);
		if (ds_world_recv(w, 0, &c, 1, &other) != DS_OK && strstr(other.msg, "ended"))
			break;
	}
	return DS_OK;
}

static void a_failure_reaches_all_and_a_hang_is_told(void **state)
{
	ds_err e = { "" };
	assert_int_equal(ds_launch_threads(3, one_fails, NULL, &e), DS_BAD);
	assert_string_equal(e.msg, "rank 1: no more");
	assert_int_equal(ds_launch_threads(2, one_is_late, NULL, &e), DS_IO);
	assert_non_null(strstr(e.msg, "waited"));
	assert_non_null(strstr(e.msg, "for rank 1 at all_reduce of h.0.weight.grad"));
	assert_non_null(strstr(e.msg, "rank 1: saving of a model"));
}

/* In processes; what: 0 all is well, 1 rank 1 fails, 2 rank 1 dies. */
static ds_rc job(int what, ds_err *e)
{
	ds_world *w;
	ds_launched *l;
	int by;
	ds_rc rc = ds_launch(3, &w, &l, &by, e);
	if (!l)
		return rc;
	if (ds_world_rank(w) == 1 && what == 2)
		kill(getpid(), SIGKILL);
	rc = ds_world_rank(w) == 1 && what ? ds_fail(e, DS_BAD, "no more")
					   : sums(&(int64_t){ 5 }, w, e);
	ds_launch_end(l, w, rc, e);
	_exit((int)rc);
}

static void processes_end_as_their_first_failure(void **state)
{
	ds_err e = { "" };
	assert_int_equal(job(0, &e), DS_OK);
	assert_int_equal(job(1, &e), DS_BAD);
	assert_string_equal(e.msg, "rank 1: no more");
	assert_int_equal(job(2, &e), DS_IO);
	assert_string_equal(e.msg, "rank 1: killed by signal 9 (Killed)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_end_as_their_first_failure),
		cmocka_unit_test(a_sum_is_made_in_the_order_of_ranks),
		cmocka_unit_test(groups_of_any_size_share_and_exchange),
		cmocka_unit_test(groups_are_some_of_the_ranks),
		cmocka_unit_test(two_that_send_to_one_another_do_not_stop),
		cmocka_unit_test(a_failure_reaches_all_and_a_hang_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
