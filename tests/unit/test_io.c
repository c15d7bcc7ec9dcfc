#include "test.h"

#include "base/codec.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N = 1000000 };

static char folder[64];
static char *text; /* N bytes that pack to about half */
static ds_err e;

static int set_up(void **state)
{
	snprintf(folder, sizeof(folder), "%s", "/tmp/ds-test.XXXXXX");
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 1;
	text = ds_mem_get(N);
	for (size_t i = 0; i < N; i++)
		text[i] = (char)('a' + ds_rng_below(ds_rng_of(3, 0), i, 16));
	return 0;
}

static int tear_down(void **state)
{
	ds_mem_free(text);
	return chdir("/") != 0 || ds_dir_remove(folder, &e) != DS_OK;
}

static ds_buf wrapped(ds_wrap wrap, size_t n)
{
	ds_buf b = { 0 };
	ds_out *o = ds_out_to_mem(&b);
	assert_int_equal(ds_out_wrap(o, wrap, 0, &e), DS_OK);
	for (size_t at = 0; at < n;) {
		size_t k = 1 + at % 77777;
		k = k < n - at ? k : n - at;
		assert_int_equal(ds_out_write(o, text + at, k, &e), DS_OK);
		at += k;
	}
	assert_int_equal(ds_out_offset(o), n);
	assert_int_equal(ds_out_finish(o, &e), DS_OK);
	ds_out_close(o);
	return b;
}

/* Reads all of it in pieces of several sizes, peeking in between. */
static ds_rc read_all(ds_in *in, ds_buf *into)
{
	for (size_t round = 0;; round++) {
		size_t want = round % 5 == 4 ? 300000 : round * 997 % 70000 + 1, got = 0;
		static char seen[65536];
		ds_str view = { seen, 0 };
		ds_buf_reserve(into, want);
		if (round % 3 == 0) {
			DS_TRY(ds_in_peek(
				in, want < sizeof(seen) ? want : sizeof(seen), &view, &e));
			memcpy(seen, view.at, view.n);
			view.at = seen;
		}
		if (round % 2)
			DS_TRY(ds_in_some(in, into->at + into->n, want, &got, &e));
		else
			DS_TRY(ds_in_read(in, into->at + into->n, want, &got, &e));
		if (round % 3 == 0)
			assert_memory_equal(
				view.at, into->at + into->n, got < view.n ? got : view.n);
		into->n += got;
		if (got == 0)
			break;
	}
	assert_int_equal(ds_in_offset(in), into->n);
	return DS_OK;
}

static void what_was_wrapped_comes_back_also_from_several_members(void **state)
{
	static const ds_wrap wraps[] = { DS_RAW, DS_GZIP, DS_ZSTD };
	for (size_t i = 0; i < 3; i++) {
		ds_buf once = wrapped(wraps[i], N), twice = { 0 }, back = { 0 };
		ds_buf empty = wrapped(wraps[i], 0);
		ds_buf_add(&twice, once.at, once.n);
		ds_buf_add(&twice, empty.at, empty.n);
		ds_buf_add(&twice, once.at, once.n);
		DS_AUTO(ds_in) in = ds_in_from_mem(twice.at, twice.n, "memory");
		assert_int_equal(read_all(in, &back), DS_OK);
		assert_int_equal(ds_in_wrap(in), wraps[i]);
		assert_int_equal(back.n, 2 * N);
		assert_memory_equal(back.at, text, N);
		assert_memory_equal(back.at + N, text, N);
		ds_buf_free(&once);
		ds_buf_free(&twice);
		ds_buf_free(&empty);
		ds_buf_free(&back);
	}
}

static void every_cut_of_packed_input_is_noticed(void **state)
{
	static const ds_wrap wraps[] = { DS_GZIP, DS_ZSTD };
	for (size_t i = 0; i < 2; i++) {
		ds_buf all = wrapped(wraps[i], 3000), back = { 0 };
		for (size_t cut = 4; cut < all.n; cut++) {
			DS_AUTO(ds_in) in = ds_in_from_mem(all.at, cut, "memory");
			ds_buf_clear(&back);
			assert_int_equal(read_all(in, &back), DS_SHORT);
			assert_non_null(strstr(e.msg, "ended early"));
		}
		ds_buf_free(&all);
		ds_buf_free(&back);
	}
}

static void rubbish_after_packed_input_is_noticed(void **state)
{
	static const ds_wrap wraps[] = { DS_GZIP, DS_ZSTD };
	for (size_t i = 0; i < 2; i++) {
		ds_buf all = wrapped(wraps[i], 3000), back = { 0 };
		ds_buf_add_c(&all, "rubbish");
		DS_AUTO(ds_in) in = ds_in_from_mem(all.at, all.n, "memory");
		assert_int_equal(read_all(in, &back), DS_SHORT);
		ds_buf_free(&all);
		ds_buf_free(&back);
	}
}

static void changed_bits_of_packed_input_never_pass_silently(void **state)
{
	static const ds_wrap wraps[] = { DS_GZIP, DS_ZSTD };
	for (size_t i = 0; i < 2; i++) {
		ds_buf all = wrapped(wraps[i], 300), back = { 0 };
		for (size_t bit = 0; bit < all.n * 8; bit++) {
			all.at[bit / 8] ^= (char)(1 << bit % 8);
			DS_AUTO(ds_in) in = ds_in_from_mem(all.at, all.n, "memory");
			ds_buf_clear(&back);
			/* gzip's header holds a time and a system, which change nothing */
			if (read_all(in, &back) == DS_OK && ds_in_wrap(in) != DS_RAW) {
				assert_int_equal(back.n, 300);
				assert_memory_equal(back.at, text, 300);
			}
			all.at[bit / 8] ^= (char)(1 << bit % 8);
		}
		ds_buf_free(&all);
		ds_buf_free(&back);
	}
}

static void a_name_that_contradicts_its_content_is_damage(void **state)
{
	static const char *const names[] = { "x.zst", "x.gz" };
	size_t got;
	for (size_t i = 0; i < 2; i++) {
		char byte;
		DS_AUTO(ds_in) in = ds_in_from_mem("plain", 5, names[i]);
		assert_int_equal(ds_in_read(in, &byte, 1, &got, &e), DS_SHORT);
		DS_AUTO(ds_in) none = ds_in_from_mem("", 0, names[i]);
		assert_int_equal(ds_in_read(none, &byte, 1, &got, &e), DS_SHORT);
	}
}

static void a_file_can_be_mapped_from_where_reading_stands(void **state)
{
	ds_str view;
	size_t got;
	char head[10];
	assert_int_equal(ds_file_write("plain", (ds_str){ text, N }, &e), DS_OK);
	DS_AUTO(ds_in) in = NULL;
	assert_int_equal(ds_in_open(&in, "plain", &e), DS_OK);
	assert_int_equal(ds_in_file_size(in), N);
	assert_int_equal(ds_in_read(in, head, sizeof(head), &got, &e), DS_OK);
	assert_true(ds_in_map(in, &view));
	assert_int_equal(view.n, N - sizeof(head));
	assert_memory_equal(view.at, text + sizeof(head), view.n);
	assert_int_equal(ds_in_file_offset(in), sizeof(head));
}

static void an_output_is_there_only_when_finished(void **state)
{
	DS_AUTO(ds_out) o = NULL;
	assert_int_equal(ds_out_open(&o, "late", &e), DS_OK);
	assert_int_equal(ds_out_write(o, text, N, &e), DS_OK);
	assert_int_equal(access("late", F_OK), -1);
	assert_int_equal(ds_out_finish(o, &e), DS_OK);
	assert_int_equal(access("late", F_OK), 0);
	ds_out *gone;
	assert_int_equal(ds_out_open(&gone, "never", &e), DS_OK);
	assert_int_equal(ds_out_write(gone, text, N, &e), DS_OK);
	ds_out_close(gone);
	char **names;
	assert_int_equal(ds_dir_list(".", &names, &e), DS_OK);
	for (size_t i = 0; names[i]; i++)
		assert_null(strstr(names[i], "never"));
	ds_names_free(names);
}

static void an_output_follows_links_and_keeps_the_mode(void **state)
{
	struct stat st;
	assert_int_equal(mkdir("sub", 0777), 0);
	assert_int_equal(ds_file_write("sub/target", DS_S("old"), &e), DS_OK);
	assert_int_equal(chmod("sub/target", 0640), 0);
	assert_int_equal(symlink("target", "sub/hop"), 0);
	assert_int_equal(symlink("sub/hop", "link"), 0);
	assert_int_equal(ds_file_write("link", DS_S("new"), &e), DS_OK);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("sub/target", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(symlink("sub/absent", "dangling"), 0);
	assert_int_equal(ds_file_write("dangling", DS_S("made"), &e), DS_OK);
	assert_int_equal(stat("sub/absent", &st), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(ds_file_write("loop", DS_S("x"), &e), DS_IO);
}

static void what_cannot_be_written_or_read_is_said(void **state)
{
	DS_AUTO(ds_out) o = NULL;
	DS_AUTO(ds_in) in = NULL;
	ds_buf b = { 0 };
	assert_int_equal(ds_out_open(&o, ".", &e), DS_IO);
	assert_int_equal(ds_out_open(&o, "none/x", &e), DS_IO);
	assert_int_equal(ds_in_open(&in, ".", &e), DS_IO);
	assert_int_equal(ds_in_open(&in, "none", &e), DS_IO);
	assert_string_equal(e.msg, "none: No such file or directory");
	assert_int_equal(ds_file_write("small", DS_S("12345"), &e), DS_OK);
	assert_int_equal(ds_file_read("small", 4, &b, &e), DS_BAD);
	ds_buf_clear(&b);
	assert_int_equal(ds_file_read("small", 5, &b, &e), DS_OK);
	assert_str(ds_buf_view(&b), "12345");
	ds_buf_free(&b);
}

static void a_full_device_fails_the_write(void **state)
{
	DS_AUTO(ds_out) o = NULL;
	assert_int_equal(ds_out_open(&o, "/dev/full", &e), DS_OK);
	assert_int_equal(ds_out_write(o, text, 10, &e), DS_OK);
	assert_int_equal(ds_out_finish(o, &e), DS_IO);
	assert_non_null(strstr(e.msg, "No space left"));
}

static void folders_are_made_listed_and_removed(void **state)
{
	char **names;
	assert_int_equal(ds_dir_make("a/b//c/", &e), DS_OK);
	assert_int_equal(ds_dir_make("a/b/c", &e), DS_OK);
	assert_int_equal(ds_file_write("a/.hidden", DS_S(""), &e), DS_OK);
	assert_int_equal(ds_file_write("a/B", DS_S(""), &e), DS_OK);
	assert_int_equal(ds_file_write("a/\xc3\xa9", DS_S(""), &e), DS_OK);
	assert_int_equal(ds_dir_make("a/B/x", &e), DS_IO);
	assert_int_equal(ds_dir_list("a", &names, &e), DS_OK);
	assert_string_equal(names[0], "B");
	assert_string_equal(names[1], "b");
	assert_string_equal(names[2], "\xc3\xa9");
	assert_null(names[3]);
	ds_names_free(names);
	assert_int_equal(ds_dir_remove("a", &e), DS_OK);
	assert_int_equal(ds_dir_remove("a", &e), DS_OK);
	assert_int_equal(ds_dir_list("a", &names, &e), DS_IO);
}

static void packed_blocks_come_back_or_are_refused(void **state)
{
	DS_AUTO(ds_compressor) p = ds_compressor_new(3);
	size_t bound = ds_compress_bound(N), n;
	char *packed = ds_mem_get(bound), *back = ds_mem_get(N);
	assert_int_equal(ds_compress(p, text, N, packed, bound, &n, &e), DS_OK);
	assert_int_equal(ds_decompress(p, packed, n, back, N, &e), DS_OK);
	assert_memory_equal(back, text, N);
	assert_int_equal(ds_decompress(p, packed, n, back, N - 1, &e), DS_SHORT);
	assert_int_equal(ds_decompress(p, packed, n - 1, back, N, &e), DS_SHORT);
	ds_mem_free(packed);
	packed = ds_mem_get(bound);
	assert_int_equal(ds_compress(p, text, N - 1, packed, bound, &n, &e), DS_OK);
	assert_int_equal(ds_decompress(p, packed, n, back, N, &e), DS_SHORT);
	ds_mem_free(packed);
	ds_mem_free(back);
}

static void temporary_folders_go_away(void **state)
{
	ds_temp_dir *d;
	assert_int_equal(ds_temp_dir_new(&d, &e), DS_OK);
	assert_int_equal(ds_file_write(ds_temp_dir_file(d, "b"), DS_S("x"), &e), DS_OK);
	assert_string_equal(ds_temp_dir_file(d, "b"), ds_temp_dir_file(d, "b"));
	char path[256];
	snprintf(path, sizeof(path), "%s", ds_temp_dir_path(d));
	assert_int_equal(access(path, F_OK), 0);
	ds_temp_discard(); /* as a signal does */
	assert_int_not_equal(access(path, F_OK), 0);
	ds_temp_dir_free(d);
	assert_int_equal(ds_temp_dir_new(&d, &e), DS_OK);
	snprintf(path, sizeof(path), "%s/unheld", ds_temp_dir_path(d));
	assert_int_equal(ds_file_write(path, DS_S("x"), &e), DS_OK);
	snprintf(path, sizeof(path), "%s", ds_temp_dir_path(d));
	ds_temp_dir_free(d);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void temporary_files_go_away(void **state)
{
	int fd;
	assert_int_equal(ds_temp_file(&fd, &e), DS_OK);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(ds_file_write("held", DS_S(""), &e), DS_OK);
	ds_temp *t = ds_temp_hold("held");
	ds_temp_release(t, false);
	assert_int_equal(access("held", F_OK), 0);
	t = ds_temp_hold("held");
	ds_temp_discard();
	assert_int_equal(access("held", F_OK), -1);
	ds_temp_release(t, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_wrapped_comes_back_also_from_several_members),
		cmocka_unit_test(every_cut_of_packed_input_is_noticed),
		cmocka_unit_test(rubbish_after_packed_input_is_noticed),
		cmocka_unit_test(changed_bits_of_packed_input_never_pass_silently),
		cmocka_unit_test(a_name_that_contradicts_its_content_is_damage),
		cmocka_unit_test(a_file_can_be_mapped_from_where_reading_stands),
		cmocka_unit_test(an_output_is_there_only_when_finished),
		cmocka_unit_test(an_output_follows_links_and_keeps_the_mode),
		cmocka_unit_test(what_cannot_be_written_or_read_is_said),
		cmocka_unit_test(a_full_device_fails_the_write),
		cmocka_unit_test(folders_are_made_listed_and_removed),
		cmocka_unit_test(packed_blocks_come_back_or_are_refused),
		cmocka_unit_test(temporary_files_go_away),
		cmocka_unit_test(temporary_folders_go_away),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
