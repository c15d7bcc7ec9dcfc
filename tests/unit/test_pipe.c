/* test_pipe.c - one program in a pipe: order, errors and counts, whatever the number of threads */
#include "test.h"

#include "streams.h"

#include "base/args.h"
#include "base/outs.h"
#include "json/json.h"
#include "record/run.h"

#include <sys/stat.h>

enum { N = 3000 };

static char folder[64], in_path[96], out_path[96], bad_path[96];

typedef struct { /* a run's options, and what came of it */
	ds_common c;
	const char *files[3];
	ds_err err;
	ds_buf out;
} trial;

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/test_pipe.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(in_path, sizeof(in_path), "%s/in.jsonl", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	snprintf(bad_path, sizeof(bad_path), "%s/bad", folder);
	return 0;
}

static int remove_folder(void **state)
{
	ds_err e;
	return ds_dir_remove(folder, &e);
}

/* Lines {"n":i,"text":"…"}; at `broken` one that is no JSON. */
static void write_lines(int n, int broken)
{
	ds_buf b = { 0 };
	ds_err e;
	for (int i = 0; i < n; i++) {
		if (i == broken)
			ds_buf_add_c(&b, "{\"n\": oops}\n");
		else
			ds_buf_fmt(&b, "{\"n\":%d,\"text\":\"%.*s\"}\n", i, i * 7 % 60,
				".................................................................."
				"....");
	}
	assert_int_equal(ds_file_write(in_path, ds_buf_view(&b), &e), DS_OK);
	ds_buf_free(&b);
}

static ds_rc go(trial *t, int jobs, const char *to, const ds_stage *s)
{
	ds_err e;
	t->c.who.program = "test";
	t->c.in.files = t->files;
	t->c.in.n_files = 1;
	t->files[0] = in_path;
	t->c.jobs = jobs;
	t->c.who.quiet = true;
	t->c.out.path = out_path;
	t->c.out.to = to;
	t->c.in.field.column = "text";
	t->c.in.max_record = 1 << 20;
	t->c.in.reject_path = bad_path;
	unlink(out_path);
	unlink(bad_path);
	ds_rc rc = ds_run_stage(&t->c, s, &t->err);
	if (rc == DS_OK)
		rc = ds_outs_commit(&t->err);
	else
		ds_outs_discard();
	ds_buf_clear(&t->out);
	if (access(out_path, F_OK) == 0 && ds_file_read(out_path, 1 << 26, &t->out, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return rc;
}

static ds_rc drop_thirds(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	const ds_col *n;
	DS_TRY(ds_block_get(b, "n", &n, e));
	for (uint32_t i = 0; n && i < b->n_rows; i++)
		if (ds_col_i64(n, i) % 3 == 0)
			ds_work_drop(w, i, 0);
	return DS_OK;
}

/* In order: every record's number must be one that has not been; tens are dropped here. */
static ds_rc check_order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	int64_t *last = state;
	const ds_col *n;
	DS_TRY(ds_block_get(b, "n", &n, e));
	for (uint32_t i = 0; n && i < b->n_rows; i++) {
		assert_true(ds_col_i64(n, i) > *last);
		*last = ds_col_i64(n, i);
		assert_int_equal(ds_block_record(b, i), *last);
		if (*last % 10 == 0)
			ds_work_drop(w, i, 1);
	}
	return DS_OK;
}

static const char *const drop_names[] = { "thirds", "tens", NULL };

static void rows_are_dropped_in_work_and_in_order(void **state)
{
	uint64_t first = 0;
	trial t = { 0 };
	write_lines(N, -1);
	for (int jobs = 1; jobs <= 5; jobs += 2) {
		int64_t last = -1;
		ds_stage s = { .name = "x",
			.state = &last,
			.counters = drop_names,
			.work = drop_thirds,
			.order = check_order };
		assert_int_equal(go(&t, jobs, NULL, &s), DS_OK);
		reading x = read_stream(ds_buf_view(&t.out), 0);
		assert_int_equal(x.rc, DS_OK);
		assert_int_equal(x.records, N - N / 3 - 200);
		uint64_t digest = ds_hash64(t.out.at, t.out.n);
		if (jobs > 1)
			assert_int_equal(digest, first);
		first = digest;
	}
	assert_non_null(memmem(t.out.at, t.out.n, "\"thirds\":1000,\"tens\":200", 24));
	ds_buf_free(&t.out);
}

typedef struct {
	int64_t work_at, order_at; /* fails at the record with this n */
} faults;

static ds_rc fail_at(ds_work *w, ds_block *b, int64_t at, const char *what, ds_err *e)
{
	const ds_col *n;
	DS_TRY(ds_block_get(b, "n", &n, e));
	for (uint32_t i = 0; n && i < b->n_rows; i++)
		if (ds_col_i64(n, i) == at)
			return ds_work_bad(w, b, i, e, "%s", what);
	return DS_OK;
}

static ds_rc fail_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	return fail_at(w, b, ((faults *)state)->work_at, "no good", e);
}

static ds_rc fail_order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	return fail_at(w, b, ((faults *)state)->order_at, "out of line", e);
}

static void the_first_failure_is_the_one_that_is_told(void **state)
{
	static const struct {
		int broken;
		faults f;
		const char *want;
	} cases[] = {
		{ 500, { -1, -1 }, ":501: " },
		{ 1500, { 900, -1 }, ":901: no good" },
		{ 900, { 1500, 2000 }, ":901: " },
		{ 2900, { 2000, 1000 }, ":1001: out of line" },
		{ 100, { 2000, 60 }, ":61: out of line" },
	};
	setenv("DS_BLOCK", "512", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_lines(N, cases[i].broken);
		for (int jobs = 1; jobs <= 7; jobs += 3) {
			trial t = { 0 };
			faults f = cases[i].f;
			ds_stage s = {
				.name = "x", .state = &f, .work = fail_work, .order = fail_order
			};
			assert_int_equal(go(&t, jobs, NULL, &s), DS_BAD);
			if (!strstr(t.err.msg, cases[i].want))
				fail_msg("-j %d: %s", jobs, t.err.msg);
			assert_int_equal(t.out.n, 0); /* under -o nothing stays behind */
			ds_buf_free(&t.out);
		}
	}
	unsetenv("DS_BLOCK");
}

static void bad_records_are_put_aside_in_order(void **state)
{
	setenv("DS_BLOCK", "512", 1);
	write_lines(N, 700);
	for (int jobs = 1; jobs <= 4; jobs += 3) {
		trial t = { .c.in.on_error = DS_ON_REJECT };
		ds_buf bad = { 0 };
		faults f = { 600, 800 };
		ds_err e;
		ds_stage s = { .name = "x", .state = &f, .work = fail_work, .order = fail_order };
		assert_int_equal(go(&t, jobs, NULL, &s), DS_OK);
		reading x = read_stream(ds_buf_view(&t.out), 0);
		assert_int_equal(x.records, N - 3);
		assert_int_equal(ds_file_read(bad_path, 1 << 20, &bad, &e), DS_OK);
		assert_ptr_equal(strstr(ds_buf_text(&bad), "{\"n\":600,"), bad.at);
		assert_non_null(strstr(bad.at, "\n{\"n\": oops}\n{\"n\":800,"));
		assert_non_null(memmem(t.out.at, t.out.n, "\"counts\":{\"bad\":3}", 18));
		ds_buf_free(&bad);
		ds_buf_free(&t.out);
	}
	unsetenv("DS_BLOCK");
}

static void seams_change_no_record(void **state)
{
	trial t = { 0 }, u = { 0 };
	ds_stage s = { .name = "x" };
	write_lines(N, -1);
	assert_int_equal(go(&t, 2, "jsonl", &s), DS_OK);
	setenv("DS_BLOCK", "512", 1);
	assert_int_equal(go(&u, 3, "jsonl", &s), DS_OK);
	assert_int_equal(t.out.n, u.out.n);
	assert_memory_equal(t.out.at, u.out.at, t.out.n);
	ds_buf_free(&u.out);
	u = (trial){ 0 };
	assert_int_equal(go(&u, 3, NULL, &s), DS_OK);
	reading x = read_stream(ds_buf_view(&u.out), 0);
	assert_int_equal(x.records, N);
	assert_true(x.n_blocks > 100);
	unsetenv("DS_BLOCK");
	ds_buf_free(&t.out);
	ds_buf_free(&u.out);
}

/* Swallows what it sees and gives the number of each block's records, and at the end the sum. */
static ds_rc count_rows(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	int64_t *sum = state;
	ds_arena *own = ds_arena_new(4096);
	ds_block *out = ds_block_new(own, 1);
	ds_colb *c = ds_colb_new(out, "rows", DS_T_I64);
	ds_colb_i64(c, b->n_rows);
	*sum += b->n_rows;
	ds_work_emit(w, out, own);
	ds_work_swallow(w);
	return ds_colb_put(c, e);
}

static ds_rc tell_sum(void *state, ds_work *w, ds_err *e)
{
	ds_block *out = ds_block_new(ds_work_mem(w), 1);
	ds_colb *c = ds_colb_new(out, "sum", DS_T_I64);
	ds_colb_i64(c, *(int64_t *)state);
	DS_TRY(ds_colb_put(c, e));
	ds_work_emit(w, out, NULL);
	return DS_OK;
}

static void a_stage_may_give_other_blocks(void **state)
{
	setenv("DS_BLOCK", "4096", 1);
	write_lines(N, -1);
	for (int jobs = 1; jobs <= 4; jobs++) {
		int64_t sum = 0, seen = 0;
		trial t = { 0 };
		ds_stage s = { .name = "x", .state = &sum, .order = count_rows, .end = tell_sum };
		assert_int_equal(go(&t, jobs, "jsonl", &s), DS_OK);
		for (const char *p = ds_buf_text(&t.out); (p = strstr(p, "{\"rows\":")); p++)
			seen += atoi(p + 8);
		assert_int_equal(sum, N);
		assert_int_equal(seen, N);
		assert_non_null(strstr(t.out.at, "{\"sum\":3000}\n"));
		ds_buf_free(&t.out);
	}
	unsetenv("DS_BLOCK");
}

static ds_rc give_opt(void *state, ds_work *w, ds_err *e)
{
	size_t n;
	ds_work_opts(w, &n);
	assert_int_equal(n, 0);
	ds_work_opt(w, (ds_opt){ 0x8765, DS_S("of this stage") });
	return DS_OK;
}

static ds_rc take_opt(void *state, ds_work *w, ds_err *e)
{
	size_t n;
	const ds_opt *o = ds_work_opts(w, &n);
	assert_int_equal(n, 1);
	assert_true(ds_str_is(o[0].bytes, "of this stage"));
	if (state)
		ds_work_swallow_opt(w, 0x8765);
	return DS_OK;
}

static void optional_blocks_go_along_unless_swallowed(void **state)
{
	write_lines(10, -1);
	for (int swallow = 0; swallow < 2; swallow++) {
		trial t = { 0 };
		assert_int_equal(
			go(&t, 2, NULL, &(ds_stage){ .name = "x", .begin = give_opt }), DS_OK);
		ds_err e;
		char keep[96];
		snprintf(keep, sizeof(keep), "%s/keep.dsr", folder);
		assert_int_equal(ds_file_write(keep, ds_buf_view(&t.out), &e), DS_OK);
		rename(keep, in_path);
		ds_stage s = { .name = "y", .begin = take_opt, .state = swallow ? &swallow : NULL };
		assert_int_equal(go(&t, 2, NULL, &s), DS_OK);
		reading x = read_stream(ds_buf_view(&t.out), 0);
		assert_int_equal(x.rc, DS_OK);
		assert_int_equal(x.n_opts, swallow ? 0 : 1);
		ds_buf_free(&t.out);
		write_lines(10, -1);
	}
}

static void no_input_is_a_whole_stream(void **state)
{
	trial t = { 0 };
	int64_t sum = 0;
	write_lines(0, -1);
	assert_int_equal(go(&t, 3, NULL, &(ds_stage){ .name = "x" }), DS_OK);
	reading x = read_stream(ds_buf_view(&t.out), 0);
	assert_int_equal(x.rc, DS_OK);
	assert_int_equal(x.records, 0);
	assert_int_equal(
		go(&t, 1, "jsonl", &(ds_stage){ .name = "x", .state = &sum, .end = tell_sum }),
		DS_OK);
	assert_string_equal(ds_buf_text(&t.out), "{\"sum\":0}\n");
	ds_buf_free(&t.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_dropped_in_work_and_in_order),
		cmocka_unit_test(the_first_failure_is_the_one_that_is_told),
		cmocka_unit_test(bad_records_are_put_aside_in_order),
		cmocka_unit_test(seams_change_no_record),
		cmocka_unit_test(a_stage_may_give_other_blocks),
		cmocka_unit_test(optional_blocks_go_along_unless_swallowed),
		cmocka_unit_test(no_input_is_a_whole_stream),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
