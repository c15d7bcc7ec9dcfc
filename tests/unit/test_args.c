#include "test.h"

#include "base/args_impl.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	double threshold;
	int lines;
	int64_t offset;
	bool explain;
	const char *html, *rules;
	ds_size memory;
	ds_strs set;
	char calls[200];
} opt;

static ds_rc note(void *context, const char *name, const char *value, ds_err *e)
{
	size_t n = strlen(opt.calls);
	snprintf(opt.calls + n, sizeof(opt.calls) - n, "%s=%s;", name, value ? value : "");
	return DS_OK;
}

static ds_call noted = { note, NULL };
static const ds_arg args[] = {
	DS_ARG('t', "threshold", &opt.threshold, "T", "similarity from which"),
	DS_ARG('n', "lines", &opt.lines, "N", "how many"),
	DS_ARG(0, "offset", &opt.offset, "N", "where to start"),
	DS_ARG('x', "explain", &opt.explain, NULL, "show before and after"),
	DS_ARG(0, "html", &opt.html, "strip|main|off", "what to do with markup"),
	DS_ARG_F(0, "rules", &opt.rules, "FILE", "more options", DS_ARG_FILE),
	DS_ARG_F(0, "memory", &opt.memory, "SIZE", "limit", DS_ARG_UNRECORDED),
	DS_ARG(0, "set", &opt.set, "K=V", "a key"),
	DS_ARG(0, "regex", &noted, "S", "a rule"),
	DS_ARG(0, "nfc", &noted, NULL, "a rule"),
	{ 0 },
};
static ds_rc run(const ds_common *c, ds_err *e)
{
	return DS_OK;
}
static ds_rc run_other(const ds_common *c, ds_err *e)
{
	return DS_OK;
}
static const ds_cmd cmds[] = {
	{ "encode", NULL, "do it", args, DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED, run },
	{ "train", NULL, "do other", NULL, DS_TAKES_INPUT, run_other },
	{ 0 },
};
static const ds_tool tool = { "dstest", NULL, "test", args,
	DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED, run, cmds, { "dstest a" }, NULL, NULL };

static ds_err e;
static char recorded[2000];

static void forget(void)
{
	ds_mem_free(opt.set.at);
	ds_mem_free(ds_args_shared.common.in.field.paths.at);
}

/* Parses a line of words separated by one blank; fills recorded. */
static ds_rc parse(const char *line, ds_args *a)
{
	static char copy[2000];
	static char *argv[64];
	int argc = 0, at = 0;
	snprintf(copy, sizeof(copy), "dstest %s", line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	forget();
	memset(&opt, 0, sizeof(opt));
	opt.threshold = 0.8;
	ds_args_shared = (ds_shared){ .level = { ds_args_level, NULL }, .common.jobs = 1 };
	const ds_cmd *cmd = ds_args_command(&tool, argc, argv, &at);
	ds_args_open(a, &tool, cmd);
	DS_TRY(ds_args_parse(a, argc, argv, at, &e));
	ds_buf b = { 0 };
	ds_rc rc = ds_args_record(a, &b, &e);
	snprintf(recorded, sizeof(recorded), "%s", ds_buf_text(&b));
	ds_buf_free(&b);
	return rc;
}

static void options_are_taken_in_every_form(void **state)
{
	ds_args a;
	assert_int_equal(parse("x -n5 --threshold=0.5 y --offset -3 -x -- -z --html", &a), DS_OK);
	assert_int_equal(opt.lines, 5);
	assert_true(opt.threshold == 0.5 && opt.offset == -3 && opt.explain && !opt.html);
	assert_int_equal(a.n_files, 4);
	assert_string_equal(a.files[2], "-z");
	ds_args_close(&a);
	assert_int_equal(parse("-xqn 7 --memory 2M - -z", &a), DS_OK);
	assert_int_equal(opt.lines, 7);
	assert_int_equal(opt.memory.bytes, 2 << 20);
	assert_true(ds_args_shared.common.who.quiet);
	assert_int_equal(ds_args_shared.common.out.level, 3);
	assert_string_equal(a.files[0], "-");
	ds_args_close(&a);
	assert_int_equal(parse("-z19", &a), DS_OK);
	assert_int_equal(ds_args_shared.common.out.level, 19);
	ds_args_close(&a);
}

static void wrong_ones_are_named(void **state)
{
	static const struct {
		const char *line, *message;
	} wrong[] = {
		{ "--thresold 1", "unknown option '--thresold', the nearest is '--threshold'" },
		{ "-Q", "unknown option '-Q'" },
		{ "-n", "'-n' wants a value: N" },
		{ "--set", "'--set' wants a value: K=V" },
		{ "-n 1.5", "'--lines': '1.5' is not a whole number" },
		{ "-n 99999999999", "'--lines': '99999999999' is not a whole number of this size" },
		{ "--threshold nan", "'--threshold': 'nan' is not a number" },
		{ "--seed -1", "'--seed': '-1' is not a whole number from 0" },
		{ "--memory 9000000T",
			"'--memory': '9000000T' is not a size such as 4096, 64K or 1G" },
		{ "--explain=1", "'--explain' takes no value" },
		{ "--html tree", "'--html': 'tree' is none of strip|main|off" },
		{ "-z0", "'-z0': a level is 1 to 22" },
		{ "-z23", "'-z23': a level is 1 to 22" },
		{ "train --html strip", NULL },
	};
	ds_args a;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i].line, &a), DS_USAGE);
		if (wrong[i].message)
			assert_string_equal(e.msg, wrong[i].message);
		ds_args_close(&a);
	}
}

static void the_first_operand_is_the_subcommand(void **state)
{
	static const struct {
		const char *line, *cmd;
		size_t n_files;
	} lines[] = { { "train x", "train", 1 }, { "./train x", NULL, 2 },
		{ "-q train x", "train", 1 }, { "-n 5 encode", "encode", 0 },
		{ "-n5 encode train", "encode", 1 }, { "x train", NULL, 2 },
		{ "-- train", NULL, 1 }, { "--set train train", "train", 0 } };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ds_args a;
		ds_rc rc = parse(lines[i].line, &a);
		assert_true(rc == DS_OK || (a.cmd && rc == DS_USAGE));
		if (lines[i].cmd)
			assert_string_equal(a.cmd->name, lines[i].cmd);
		else
			assert_null(a.cmd);
		if (rc == DS_OK)
			assert_int_equal(a.n_files, lines[i].n_files);
		ds_args_close(&a);
	}
}

static void one_meaning_has_one_spelling(void **state)
{
	static const struct {
		const char *line, *recorded;
	} lines[] = {
		{ "", "encode" },
		{ "encode", "encode" },
		{ "train", "train" },
		{ "x -o y -z9 -q --memory 5M --stats s", "encode" },
		{ "--threshold 0.80", "encode" },
		{ "-n 05 -t.5 -x", "encode --threshold=0.5 --lines=5 --explain" },
		{ "--explain --threshold 5e-1 --lines=5",
			"encode --threshold=0.5 --lines=5 --explain" },
		{ "--nfc --regex s/a/$b/ --html strip",
			"encode --html=strip --nfc --regex='s/a/$b/'" },
		{ "--regex s/a/$b/ --nfc", "encode --regex='s/a/$b/' --nfc" },
		{ "--set b=1 --set a=it's", "encode --set=b=1 --set='a=it'\\''s'" },
		{ "--seed 7 --field body --split para --from text",
			"encode --from=text --field=body --split=para --seed=7" },
		{ "--on-error reject=/tmp/x", "encode --on-error=skip" },
		{ "--on-error skip", "encode --on-error=skip" },
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ds_args a;
		assert_int_equal(parse(lines[i].line, &a), DS_OK);
		assert_string_equal(recorded, lines[i].recorded);
		ds_args_close(&a);
	}
}

static void a_file_is_recorded_by_its_content(void **state)
{
	char path[] = "/tmp/ds-args.XXXXXX", line[100], first[2000];
	ds_args a;
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "abc", 3), 3);
	snprintf(line, sizeof(line), "--rules %s", path);
	assert_int_equal(parse(line, &a), DS_OK);
	ds_args_close(&a);
	assert_string_equal(recorded, "encode --rules=xxh3:06b05ab6733a618578af5f94892f3950");
	snprintf(first, sizeof(first), "%s", recorded);
	assert_int_equal(write(fd, "d", 1), 1);
	assert_int_equal(parse(line, &a), DS_OK);
	ds_args_close(&a);
	assert_string_not_equal(recorded, first);
	close(fd);
	unlink(path);
	assert_int_equal(parse(line, &a), DS_IO);
	ds_args_close(&a);
}

static int tear_down(void **state)
{
	forget();
	return 0;
}

static void help_fits_a_screen_and_ends_in_examples(void **state)
{
	ds_args a;
	ds_buf out = { 0 };
	ds_args_open(&a, &tool, NULL);
	ds_args_help(&a, &out);
	const char *text = ds_buf_text(&out);
	int lines = 0;
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_true(lines <= 30);
	assert_non_null(strstr(text, "  -t, --threshold T "));
	assert_string_equal(text + out.n - 13, "  $ dstest a\n");
	ds_args_close(&a);
	ds_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_taken_in_every_form),
		cmocka_unit_test(wrong_ones_are_named),
		cmocka_unit_test(the_first_operand_is_the_subcommand),
		cmocka_unit_test(one_meaning_has_one_spelling),
		cmocka_unit_test(a_file_is_recorded_by_its_content),
		cmocka_unit_test(help_fits_a_screen_and_ends_in_examples),
	};
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
