/*
 * test_synonym.c - lists and WordNet, forms of words, what is no word, how alike texts are
 */
#include "base/journal.h"
#include "test.h"
#include "text/chrf.h"
#include "text/protect.h"
#include "text/synonym.h"
#include "text/words.h"
#include "text/wordnet.h"

#include <stdlib.h>
#include <unistd.h>

static ds_arena *mem;
static ds_err e;

static void list_is(const ds_synonyms *s, const char *word, const char *wanted)
{
	size_t n;
	ds_str *list = ds_synonyms_find(s, ds_str_of(word), mem, &n);
	char got[256] = "";
	for (size_t i = 0; i < n; i++) {
		strcat(got, i ? " " : "");
		strncat(got, list[i].at, list[i].n);
	}
	assert_string_equal(got, wanted);
}

static void tsv_goes_one_way(void **state)
{
	DS_AUTO(ds_synonyms) s = ds_synonyms_new();
	assert_int_equal(ds_synonyms_add(s, DS_S("# x\nFilm\tmovie\tpicture\r\n\n"), &e), DS_OK);
	list_is(s, "film", "movie picture");
	list_is(s, "movie", "");
	list_is(s, "none", "");
}

static void cilin_takes_equals_signs_only(void **state)
{
	DS_AUTO(ds_synonyms) s = ds_synonyms_new();
	const char *text = "A head\nAa01A01= a b c\nAa01A02# a d\nAa01A03@ a\nBa01A01= a e\n";
	assert_int_equal(ds_synonyms_add(s, ds_str_of(text), &e), DS_OK);
	list_is(s, "a", "b c e");
	list_is(s, "e", "a");
	list_is(s, "d", "");
}

static void of_chinese_words_those_that_fit_best_are_taken(void **state)
{
	DS_AUTO(ds_synonyms) s = ds_synonyms_new();
	const char *text =
		"Aa01A01= 收藏 保藏 储存 藏 束之高阁\nAa01A02= 后 遗族 后来\nAa01A03= 说 道\n"
		"Aa01A04= 一切 满贯 全部 尽数\nAa01A05= 清楚 一清二楚 明白无误\n"
		"Aa01A06= 东西 物事儿\n";
	assert_int_equal(ds_synonyms_add(s, ds_str_of(text), &e), DS_OK);
	assert_int_equal(ds_synonyms_add(s, DS_S("说\t讲\n"), &e), DS_OK);
	list_is(s, "收藏", "保藏");           /* as long, one character in common */
	list_is(s, "一切", "满贯 全部 尽数"); /* as long */
	list_is(s, "东西", "物事儿");         /* nearly */
	list_is(s, "清楚", "");
	list_is(s, "后", "");
	list_is(s, "说", "讲"); /* a list of one's own is taken as it is */
}

static void a_line_without_a_tab_is_named(void **state)
{
	DS_AUTO(ds_synonyms) s = ds_synonyms_new();
	assert_int_equal(ds_synonyms_add(s, DS_S("a\tb\nword\n"), &e), DS_USAGE);
	assert_non_null(strstr(e.msg, "line 2"));
	assert_int_equal(ds_synonyms_add(s, DS_S(" \n"), &e), DS_USAGE);
}

static const char verbs[] = "become v 1 0 1 1 00000000\nfind v 1 0 1 1 00000037\n"
			    "run v 1 0 1 1 00000074\nstop v 1 0 1 1 00000111\n";
/* Byte places: each line has 37. */
static const char verb_data[] = "00000000 03 v 02 become 0 grow 0 000\n"
				"00000037 03 v 02 find 0 notice 0 000\n"
				"00000074 03 v 02 run 0 be_given 0 00\n"
				"00000111 03 v 02 stop 0 write 0 0000\n";
static const char verb_exc[] = "became become\nfound find\ngrew grow\ngrown grow\nran run\n"
			       "running run\nstopped stop\nstopping stop\nwritten write\n"
			       "wrote write\n";

static void verb_is(const ds_wordnet *w, const char *word, const char *wanted)
{
	ds_str *out;
	size_t n;
	assert_int_equal(ds_wordnet_find(w, ds_str_of(word), DS_POS_ALL, mem, &out, &n, &e), DS_OK);
	char got[128] = "";
	if (n)
		strncat(got, out[0].at, out[0].n);
	assert_string_equal(got, wanted);
}

static void synonyms_take_the_form_of_the_word(void **state)
{
	ds_wordnet_files f = { 0 };
	for (unsigned i = 0; i < DS_POS_N; i++)
		f.index[i] = f.data[i] = f.exc[i] = (ds_str){ "", 0 };
	f.counts = (ds_str){ "", 0 };
	f.index[DS_POS_VERB] = ds_str_of(verbs);
	f.data[DS_POS_VERB] = ds_str_of(verb_data);
	f.exc[DS_POS_VERB] = ds_str_of(verb_exc);
	DS_AUTO(ds_wordnet) w = ds_wordnet_from_mem(&f);
	verb_is(w, "find", "notice");
	verb_is(w, "finds", "notices");
	verb_is(w, "found", "noticed");
	verb_is(w, "finding", "noticing");
	verb_is(w, "running", "being given");
	verb_is(w, "become", "grow");
	verb_is(w, "became", ""); /* grew or grown? */
	verb_is(w, "stopped", "");
	verb_is(w, "stopping", "writing");
	verb_is(w, "unknown", "");
}

/* Each line of data has 56 bytes. */
static const char nouns[] = "celluloid n 1 0 1 0 00000000\n"
			    "film n 2 0 2 2 00000056 00000000\n"
			    "flick n 4 0 4 3 00000112 00000056 00000112 00000000\n"
			    "john n 1 0 1 1 00000168\n"
			    "la n 1 0 1 0 00000224\n"
			    "movie n 1 0 1 1 00000000\n"
			    "reel n 1 0 1 0 00000056\n";
static const char noun_data[] = "00000000 10 n 04 film 0 movie 0 flick 0 celluloid 0 000\n"
				"00000056 10 n 02 film 0 reel 0                         \n"
				"00000112 10 n 01 flick 0                               \n"
				"00000168 10 n 02 toilet 0 John 0                       \n"
				"00000224 10 n 02 la 0 lanthanum 0                      \n";

static void noun_is(const ds_wordnet *w, const char *word, const char *wanted)
{
	ds_str *out;
	size_t n;
	assert_int_equal(ds_wordnet_find(w, ds_str_of(word), DS_POS_ALL, mem, &out, &n, &e), DS_OK);
	char got[128] = "";
	for (size_t i = 0; i < n; i++) {
		strcat(got, i ? " " : "");
		strncat(got, out[i].at, out[i].n);
	}
	assert_string_equal(got, wanted);
}

static void plain_words_for_the_usual_meaning_are_taken(void **state)
{
	ds_wordnet_files f = { 0 };
	for (unsigned i = 0; i < DS_POS_N; i++)
		f.index[i] = f.data[i] = f.exc[i] = (ds_str){ "", 0 };
	f.index[DS_POS_NOUN] = ds_str_of(nouns);
	f.data[DS_POS_NOUN] = ds_str_of(noun_data);
	/* Film is a reel in one text of a hundred. */
	f.counts = DS_S("film%1:06:00:: 1 1\nfilm%1:10:00:: 2 99\n");
	DS_AUTO(ds_wordnet) w = ds_wordnet_from_mem(&f);
	noun_is(w, "film", "movie"); /* not flick, which is chiefly else, nor celluloid */
	noun_is(w, "films", "movies");
	noun_is(w, "celluloid", "film movie");
	noun_is(w, "reel", "film");
	noun_is(w, "john", "");
	noun_is(w, "la", "");
	f.counts = DS_S("film%1:06:00:: 1 40\nfilm%1:10:00:: 2 60\n");
	DS_AUTO(ds_wordnet) often = ds_wordnet_from_mem(&f);
	noun_is(often, "film", "movie"); /* reel is rare */
	noun_is(often, "movie", "film");
}

static void files_that_contradict_are_an_error(void **state)
{
	ds_wordnet_files f = { 0 };
	for (unsigned i = 0; i < DS_POS_N; i++)
		f.index[i] = f.data[i] = f.exc[i] = (ds_str){ "", 0 };
	f.counts = (ds_str){ "", 0 };
	f.index[DS_POS_NOUN] = DS_S("dog n 1 0 1 1 00000999\n");
	DS_AUTO(ds_wordnet) w = ds_wordnet_from_mem(&f);
	ds_str *out;
	size_t n;
	assert_int_equal(ds_wordnet_find(w, DS_S("dog"), DS_POS_ALL, mem, &out, &n, &e), DS_BAD);
	assert_non_null(strstr(e.msg, "data.noun"));
}

/* What is protected, with bars between. */
static void kept_is(const char *text, const char *wanted)
{
	size_t n;
	ds_text_span *s = ds_protect(ds_str_of(text), mem, &n);
	char got[512] = "";
	for (size_t i = 0; i < n; i++) {
		strcat(got, i ? "|" : "");
		strncat(got, text + s[i].from, s[i].to - s[i].from);
	}
	assert_string_equal(got, wanted);
}

static void what_is_no_word_is_found(void **state)
{
	kept_is("plain words, and more (here).", "");
	kept_is("It cost $3.50, or 5% less.", "$3.50|5%");
	kept_is("On 3 May 2024 and on May 3, 2024; in Jan. 5.", "3 May 2024|May 3|2024|Jan. 5");
	kept_is("You may go, 3 times", "3");
	kept_is("see http://a.b/c?d=e. www.x.org, me@x.org!",
		"http://a.b/c?d=e|www.x.org|me@x.org");
	kept_is("{name} {{x y}} ${v} %(n)s %s [NAME] [sic] <b>x</b> `a b` __x__ &amp;",
		"{name}|{{x y}}|${v}|%(n)s|%s|[NAME]|<b>|</b>|`a b`|__x__|&amp;");
	kept_is("@joe #tag $HOME a/b /usr/bin and/or", "@joe|#tag|$HOME|/usr/bin");
	kept_is("在2024年5月3日下午", "2024年5月3日");
	kept_is("三月五日十分好", "三月五日");
	kept_is("a < b and c > d { e", "");
}

/* The words of a text, with bars; what is behind `n` bytes does not count. */
static void words_in(ds_cutter *c, const char *text, size_t n, char *out)
{
	size_t pieces;
	ds_piece *p = ds_cutter_run(c, ds_str_of(text), mem, &pieces);
	*out = 0;
	for (size_t i = 0; i < pieces; i++) {
		if (p[i].kind == DS_PIECE_OTHER || (size_t)(p[i].text.at - text) >= n)
			continue;
		strncat(out, p[i].text.at, p[i].text.n);
		strcat(out, "|");
	}
}

static void ascii_is_cut_as_icu_cuts_it(void **state)
{
	DS_AUTO(ds_cutter) c = NULL;
	static const char chars[] = "ab Z09.,;:'-\"/\n\t";
	uint64_t x = 7;
	assert_int_equal(ds_cutter_new(&c, DS_CUT_WORDS, &e), DS_OK);
	for (int round = 0; round < 20000; round++) {
		char text[40], fast[128], slow[128];
		size_t n = 1 + round % 24;
		for (size_t i = 0; i < n; i++) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
			text[i] = chars[(x >> 33) % (sizeof(chars) - 1)];
		}
		strcpy(text + n, " ");
		words_in(c, text, n, fast);
		strcpy(text + n, " \xe4\xb8\xad"); /* not ASCII any more: ICU's turn */
		words_in(c, text, n, slow);
		assert_string_equal(fast, slow);
		ds_arena_reset(mem);
	}
}

/* Values of sacrebleu 2.5 (CHRF().sentence_score). */
static void chrf_is_sacrebleus(void **state)
{
	static const struct {
		const char *a, *b;
		double is;
	} cases[] = {
		{ "the cat sat on the mat", "the cat sat on the mat", 100 },
		{ "the cat sat on a mat", "the cat is on the mat", 37.03545302 },
		{ "abc", "abcd", 68.86227545 },
		{ "电影很好看", "这部电影好看", 22.12765957 },
		{ "a", "b", 0.00000000 },
		{ "short", "a much longer sentence with short in it", 11.95614857 },
		{ "", "x", 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double got = ds_chrf(ds_str_of(cases[i].a), ds_str_of(cases[i].b), mem);
		assert_true(got > cases[i].is - 1e-6 && got < cases[i].is + 1e-6);
	}
}

static void journal_has(const char *path, uint64_t key, const char *wanted)
{
	DS_AUTO(ds_journal) j = NULL;
	ds_str value;
	bool found;
	assert_int_equal(ds_journal_open(&j, path, &e), DS_OK);
	assert_int_equal(ds_journal_find(j, (ds_h128){ key, 1 }, mem, &value, &found, &e), DS_OK);
	assert_int_equal(found, wanted != NULL);
	if (wanted)
		assert_true(ds_str_is(value, wanted));
}

static void a_journal_keeps_what_was_whole(void **state)
{
	char path[] = "/tmp/test_journal.XXXXXX";
	int fd = mkstemp(path);
	ds_journal *j;
	assert_true(fd >= 0);
	assert_int_equal(ds_journal_open(&j, path, &e), DS_OK);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(ds_journal_add(j, (ds_h128){ i, 1 }, DS_S("a value"), &e), DS_OK);
	assert_int_equal(ds_journal_add(j, (ds_h128){ 5, 1 }, DS_S("another"), &e), DS_OK);
	ds_journal *other = NULL;
	assert_int_equal(ds_journal_open(&other, path, &e), DS_IO); /* one at a time */
	ds_journal_close(j);
	journal_has(path, 5, "a value");
	journal_has(path, 99, "a value");
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
	journal_has(path, 99, NULL);
	journal_has(path, 98, "a value");
	assert_int_equal(pwrite(fd, "?", 1, 16 + 31 * 50 + 28), 1); /* the 51st entry's value */
	journal_has(path, 49, "a value");
	journal_has(path, 50, NULL);
	close(fd);
	unlink(path);
}

static int begin(void **state)
{
	mem = ds_arena_new(1 << 16);
	return 0;
}

static int end(void **state)
{
	ds_arena_free(mem);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
TESTS(TEST(tsv_goes_one_way), TEST(cilin_takes_equals_signs_only),
	TEST(of_chinese_words_those_that_fit_best_are_taken),
	TEST(plain_words_for_the_usual_meaning_are_taken), TEST(a_line_without_a_tab_is_named),
	TEST(synonyms_take_the_form_of_the_word), TEST(files_that_contradict_are_an_error),
	TEST(what_is_no_word_is_found), TEST(ascii_is_cut_as_icu_cuts_it), TEST(chrf_is_sacrebleus),
	TEST(a_journal_keeps_what_was_whole))
