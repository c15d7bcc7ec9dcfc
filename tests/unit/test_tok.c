/* test_tok.c - tokenizers: training, encoding and decoding against slow plain versions; files in and out */
#include "base/mem.h"
#include "base/rng.h"
#include "text/tok/tok_impl.h"
#include "text/tok/train.h"

#include "test.h"

#include <stdlib.h>

static uint64_t seed(void)
{
	const char *s = getenv("DS_SEED");
	return s ? strtoull(s, NULL, 10) : 1;
}

/* Words of few letters, so that pairs repeat, with a Chinese character and an emoji among them. */
static size_t make_text(char *out, ds_rng r, size_t n, uint32_t letters)
{
	static const char *const parts[] = { "a", "b", "c", "d", "e", "\xe4\xb8\xad",
		"\xe4\xb8\x80", "\xf0\x9f\x98\x80", " ", "1", ".", "\n" };
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		const char *p = parts[ds_rng_below(r, i, letters)];
		memcpy(out + len, p, strlen(p));
		len += strlen(p);
	}
	return len;
}

static ds_tok *trained(ds_str text, uint32_t n_ids, const char *pattern)
{
	static const ds_str special[] = { DS_S("<|pad|>"), DS_S("<|eos|>") };
	DS_AUTO(ds_tok_counter) c = NULL;
	ds_tok_train_options o = { .n_ids = n_ids, .special = special, .n_special = 2 };
	ds_tok *t = NULL;
	ds_err e = { { 0 } };
	assert_int_equal(ds_tok_counter_new(&c, pattern, 0, &e), DS_OK);
	assert_int_equal(ds_tok_counter_add(c, text, &e), DS_OK);
	if (ds_tok_train(&t, c, &o, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return t;
}

/* The definition: merge the lowest rank, the leftmost of equal ones, until there is none. */
static size_t slow_merge(const ds_tok *t, uint32_t *ids, size_t n)
{
	for (;;) {
		size_t at = n;
		uint32_t best = UINT32_MAX, id = 0;
		for (size_t i = 0; i + 1 < n; i++) {
			const tok_merge *m = tok_merge_of(t, ids[i], ids[i + 1]);
			if (m && m->rank < best) {
				best = m->rank;
				id = m->id;
				at = i;
			}
		}
		if (at == n)
			return n;
		ids[at] = id;
		memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof(*ids));
		n--;
	}
}

static size_t slow_encode(const ds_tok *t, ds_str text, uint32_t *out)
{
	static ds_scan s;
	static uint32_t ends[DS_SCAN_PIECES];
	size_t n = 0, from = 0, k;
	ds_scan_begin(&s, t->pattern, text.at, text.n);
	while ((k = ds_scan_next(&s, ends)) > 0)
		for (size_t i = 0; i < k; from = ends[i++]) {
			size_t m = ends[i] - from;
			for (size_t b = 0; b < m; b++)
				out[n + b] = t->byte_id[(uint8_t)text.at[from + b]];
			n += slow_merge(t, out + n, m);
		}
	return n;
}

static void same_as_slow(const ds_tok *t, ds_tok_scratch *s, ds_str text)
{
	uint32_t *want = ds_mem_get((text.n + 1) * sizeof(*want));
	const uint32_t *ids;
	size_t n, n_want = slow_encode(t, text, want);
	ds_buf back = { 0 };
	ds_err e;
	assert_int_equal(ds_tok_encode(t, s, text, 0, &ids, &n, &e), DS_OK);
	assert_int_equal(n, n_want);
	if (n)
		assert_memory_equal(ids, want, n * sizeof(*ids));
	assert_int_equal(ds_tok_decode(t, ids, n, false, &back, &e), DS_OK);
	assert_int_equal(back.n, text.n);
	if (text.n)
		assert_memory_equal(back.at, text.at, text.n);
	ds_buf_free(&back);
	ds_mem_free(want);
}

static void encoding_equals_the_definition_and_decodes_back(void **state)
{
	static char text[200000];
	for (uint64_t k = 0; k < 6; k++) {
		size_t n = make_text(text, ds_rng_of(seed(), k), 20000, 12);
		DS_AUTO(ds_tok) t = trained((ds_str){ text, n }, 258 + 60 * (uint32_t)k, "qwen2");
		DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
		for (uint64_t i = 0; i < 100; i++) {
			ds_rng r = ds_rng_of(seed() + 100, k * 1000 + i);
			size_t m = make_text(text, r, (size_t)ds_rng_below(r, 1 << 20, 200), 12);
			same_as_slow(t, s, (ds_str){ text, m });
		}
		for (size_t i = 0; i < 3000; i++)
			text[i] = (char)ds_rng_below(ds_rng_of(seed() + 200, k), i, 256);
		same_as_slow(t, s, (ds_str){ text, 3000 });
	}
}

/* A piece of 18,000 letters is merged by windows. */
static void a_piece_longer_than_a_window_is_exact(void **state)
{
	static char text[200000];
	size_t n = make_text(text, ds_rng_of(seed(), 50), 30000, 12);
	DS_AUTO(ds_tok) t = trained((ds_str){ text, n }, 600, "qwen2");
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
	for (uint32_t letters = 1; letters <= 3; letters++) {
		n = make_text(text, ds_rng_of(seed(), 60 + letters), 18000, letters);
		same_as_slow(t, s, (ds_str){ text, n });
	}
}

/* Pairs counted anew before each merge; ties go to the lower ids. */
static void slow_train(uint32_t (*pairs)[2], size_t n_merges, ds_str text, uint32_t first)
{
	static ds_scan s;
	static uint32_t ends[DS_SCAN_PIECES], word[4096], ids[4096];
	const ds_pattern *p = ds_pattern_find("qwen2");
	size_t n = 0, from = 0, k;
	uint32_t n_words = 0;
	DS_AUTO(ds_tok) bytes = ds_tok_new("bytes");
	ds_err e;
	while (bytes->n_ids < first - 256)
		assert_int_equal(ds_tok_put_special(bytes, DS_S("x"), &e), DS_OK);
	assert_int_equal(ds_tok_put_bytes(bytes, &e), DS_OK);
	assert_int_equal(ds_tok_finish(bytes, &e), DS_OK);
	ds_scan_begin(&s, p, text.at, text.n);
	while ((k = ds_scan_next(&s, ends)) > 0)
		for (size_t i = 0; i < k; i++, n_words++)
			for (; from < ends[i]; from++, n++) {
				ids[n] = bytes->byte_id[(uint8_t)text.at[from]];
				word[n] = n_words;
			}
	for (size_t m = 0; m < n_merges; m++) {
		uint64_t best = 0, best_count = 0;
		for (size_t i = 0; i + 1 < n; i++) {
			uint64_t key = (uint64_t)ids[i] << 32 | ids[i + 1], count = 0;
			if (word[i] != word[i + 1])
				continue;
			for (size_t j = 0; j + 1 < n; j++)
				count += word[j] == word[j + 1] &&
					 ((uint64_t)ids[j] << 32 | ids[j + 1]) == key;
			if (count > best_count || (count == best_count && key < best)) {
				best = key;
				best_count = count;
			}
		}
		pairs[m][0] = (uint32_t)(best >> 32);
		pairs[m][1] = (uint32_t)best;
		size_t to = 0;
		for (size_t i = 0; i < n; i++, to++) {
			bool hit = i + 1 < n && word[i] == word[i + 1] && ids[i] == best >> 32 &&
				   ids[i + 1] == (uint32_t)best;
			ids[to] = hit ? first + (uint32_t)m : ids[i];
			word[to] = word[i];
			i += hit;
		}
		n = to;
	}
}

static void training_takes_the_pair_that_counting_anew_gives(void **state)
{
	static char text[4096];
	static uint32_t want[40][2];
	for (uint64_t k = 0; k < 5; k++) {
		/* No run of one letter: how often "aa" is in "aaa" is counted as Hugging Face does. */
		size_t n = 0;
		for (size_t i = 0; n < 900; i++) {
			char c = "abcdefg  "[ds_rng_below(ds_rng_of(seed(), 70 + k), i, 9)];
			if (n == 0 || text[n - 1] != c)
				text[n++] = c;
		}
		DS_AUTO(ds_tok) t = trained((ds_str){ text, n }, 258 + 40, "qwen2");
		slow_train(want, 40, (ds_str){ text, n }, 258);
		assert_int_equal(t->n_pairs, 40);
		assert_memory_equal(t->pairs, want, sizeof(want));
	}
}

static void same_tokenizer(const ds_tok *a, const ds_tok *b)
{
	ds_h128 x = ds_tok_identity(a), y = ds_tok_identity(b);
	assert_int_equal(x.lo, y.lo);
	assert_int_equal(x.hi, y.hi);
}

/* Counted by two counters, each at most so large before it goes to a file. */
static ds_tok *trained_within(ds_str text, const char *pattern, uint64_t limit_bytes)
{
	static const ds_str special[] = { DS_S("[UNK]"), DS_S("[CLS]") };
	DS_AUTO(ds_tok_counter) a = NULL;
	DS_AUTO(ds_tok_counter) b = NULL;
	ds_tok_train_options o = { .n_ids = 600, .special = special, .n_special = 2 };
	ds_tok *t = NULL;
	ds_err e = { { 0 } };
	size_t half = text.n / 2;
	assert_int_equal(ds_tok_counter_new(&a, pattern, limit_bytes, &e), DS_OK);
	assert_int_equal(ds_tok_counter_new(&b, pattern, limit_bytes, &e), DS_OK);
	while (half < text.n && text.at[half] != ' ')
		half++;
	assert_int_equal(ds_tok_counter_add(a, (ds_str){ text.at, half }, &e), DS_OK);
	assert_int_equal(
		ds_tok_counter_add(b, (ds_str){ text.at + half, text.n - half }, &e), DS_OK);
	assert_int_equal(ds_tok_counter_merge(a, b, &e), DS_OK);
	if (ds_tok_train(&t, a, &o, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return t;
}

static void counts_beyond_the_limit_are_exact(void **state)
{
	static char text[1 << 20];
	size_t n = 0;
	for (uint64_t i = 0; n < sizeof(text) - 64; i++) {
		ds_rng r = ds_rng_of(seed() + 300, i);
		uint64_t len = 1 + ds_rng_below(r, 0, i % 50 ? 8 : 30);
		text[n++] = ' ';
		for (uint64_t k = 0; k < len; k++)
			text[n++] = "etaoinshrdlu"[ds_rng_below(r, 1 + k, 12)];
	}
	static const char *const patterns[] = { "qwen2", "bert" };
	for (int i = 0; i < 2; i++) {
		DS_AUTO(ds_tok) whole = trained_within((ds_str){ text, n }, patterns[i], 0);
		DS_AUTO(ds_tok) spilled = trained_within((ds_str){ text, n }, patterns[i], 1);
		assert_int_equal(whole->n_ids, 600);
		same_tokenizer(whole, spilled);
	}
}

static void files_and_streams_give_the_same_tokenizer_back(void **state)
{
	static char text[60000];
	size_t n = make_text(text, ds_rng_of(seed(), 80), 10000, 12);
	static const char *const patterns[] = { "gpt2", "cl100k", "llama3", "qwen2", "o200k" };
	for (size_t i = 0; i < 5; i++) {
		DS_AUTO(ds_tok) t = trained((ds_str){ text, n }, 400, patterns[i]);
		DS_AUTO(ds_tok) from_json = NULL;
		DS_AUTO(ds_tok) from_stream = NULL;
		ds_buf json = { 0 }, packed = { 0 };
		ds_err e = { { 0 } };
		assert_int_equal(ds_tok_json(t, &json, &e), DS_OK);
		if (ds_tok_parse(&from_json, ds_buf_view(&json), NULL, &e) != DS_OK)
			fail_msg("%s", e.msg);
		same_tokenizer(t, from_json);
		assert_int_equal(ds_tok_special(from_json, DS_TOK_EOS), 1);
		assert_int_equal(ds_tok_pack(from_json, &packed, &e), DS_OK);
		assert_int_equal(ds_tok_unpack(&from_stream, ds_buf_view(&packed), &e), DS_OK);
		same_tokenizer(t, from_stream);
		ds_buf_free(&json);
		ds_buf_free(&packed);
	}
}

static void refused(const char *json, const char *why)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_err e = { { 0 } };
	assert_int_equal(ds_tok_parse(&t, ds_str_of(json), NULL, &e), DS_BAD);
	if (!strstr(e.msg, why))
		fail_msg("'%s' instead of '%s'", e.msg, why);
}

#define PRE "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
static void what_is_wrong_in_a_file_is_named_by_its_path(void **state)
{
	refused("{}", "model is missing");
	refused("{" PRE "}", "model is missing");
	refused("{" PRE ",\"model\":{\"type\":\"WordLevel\"}}", "model.vocab is missing");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"merges\":[]}}", "model.vocab is missing");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}",
		"model.merges is missing");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
		"model.vocab['b']: id 0 is used twice");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
		"model.vocab['a']");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
		"model.merges[0]: 'b' is not in model.vocab");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}",
		"model.merges[0]: what it gives");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[7]}}",
		"model.merges[0]");
	refused("{\"pre_tokenizer\":{\"type\":\"Meta\"}}", "pre_tokenizer.type 'Meta'");
	refused("{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}"
		","
		"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a\"},\"behavior\":\"Removed\"}]}}",
		"pre_tokenizer.pretokenizers[1].pattern: ");
	refused("{" PRE ",\"normalizer\":{\"type\":\"Lower\"}}", "normalizer.type 'Lower'");
	refused("{" PRE ",\"added_tokens\":[{\"id\":0,\"content\":\"x\"}],"
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
		"added_tokens[0]: id 0 is 'a' already");
	refused("{" PRE
		",\"added_tokens\":[{\"id\":5,\"content\":\"x\"},{\"id\":6,\"content\":\"x\"}],"
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
		"added_tokens[1]: 'x' has an id already");
	refused("{" PRE ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}",
		"duplicate key 'a'");
	refused("{" PRE
		",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
		"{\"type\":\"Foo\"}]}}",
		"normalizer.normalizers[1].type 'Foo'");
	refused("{" PRE ",\"decoder\":{\"type\":\"Foo\"},"
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
		"decoder.type 'Foo'");
	refused("{" PRE ",\"post_processor\":{\"type\":\"Foo\"},"
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
		"post_processor.type 'Foo'");
	refused("{" PRE
		",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"q\",\"vocab\":{\"a\":0}}}",
		"model.unk_token 'q' is not in model.vocab");
	refused("", "empty");
	refused("????", "line 1");
}

/* Three pieces, then what the trainer and the normalizer say; cut at each byte but the last it is refused. */
static void a_model_of_sentencepiece_that_is_cut_is_refused(void **state)
{
	static const char model[] = "\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02"
				    "\x0a\x0a\x0a\x03\xe2\x96\x81\x15\x00\x00\x80\xbf"
				    "\x0a\x08\x0a\x01"
				    "a\x15\x00\x00\x00\xc0"
				    "\x12\x02\x18\x01"
				    "\x1a\x02\x18\x01";
	for (size_t n = 8; n < sizeof(model); n++) {
		DS_AUTO(ds_tok) t = NULL;
		ds_err e = { { 0 } };
		ds_rc rc = ds_tok_parse(&t, (ds_str){ model, n }, NULL, &e);
		assert_int_equal(rc, n == sizeof(model) - 1 ? DS_OK : DS_BAD);
	}
}

/* As the reference: what came later is a letter to it, and some characters were something else then. */
static void bert_cleans_and_cuts_by_unicode_8(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = { { "a\xe1\xad\xbd"
			"b",
			      1 }, /* U+1B7D, punctuation since 14.0 */
		{ "a\xe1\x99\xad"
		  "b",
			3 }, /* U+166D, punctuation until 12.0 */
		{ "a\xe1\xaa\xbf"
		  "b",
			1 }, /* U+1ABF, a mark since 13.0 */
		{ "a\xcc\x81"
		  "b",
			2 },
		{ "a\xe3\x80\x81"
		  "b",
			3 } };
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n";
	DS_AUTO(ds_tok) t = NULL;
	ds_err e = { { 0 } };
	ds_tok_options o = { .pattern = "bert" };
	assert_int_equal(ds_tok_parse(&t, ds_str_of(vocab), &o, &e), DS_OK);
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint32_t *ids;
		size_t n;
		assert_int_equal(
			ds_tok_encode(t, s, ds_str_of(cases[i].text), 0, &ids, &n, &e), DS_OK);
		assert_int_equal(n, cases[i].n);
	}
}

static void an_unknown_id_is_refused(void **state)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_buf out = { 0 };
	ds_err e = { { 0 } };
	uint32_t id = 1 << 20;
	assert_int_equal(ds_tok_builtin(&t, &e), DS_OK);
	assert_int_equal(ds_tok_decode(t, &id, 1, false, &out, &e), DS_BAD);
	assert_string_equal(e.msg, "id 1048576 is not in the tokenizer");
	ds_buf_free(&out);
}

static void special_names_are_text_unless_asked_for(void **state)
{
	DS_AUTO(ds_tok) t = NULL;
	ds_err e = { { 0 } };
	const uint32_t *ids;
	size_t n;
	assert_int_equal(ds_tok_builtin(&t, &e), DS_OK);
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
	assert_int_equal(ds_tok_encode(t, s, DS_S("<|eos|>"), 0, &ids, &n, &e), DS_OK);
	assert_true(n > 1);
	assert_int_equal(
		ds_tok_encode(t, s, DS_S("<|eos|>"), DS_TOK_SPECIALS, &ids, &n, &e), DS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], ds_tok_special(t, DS_TOK_EOS));
}

TESTS(cmocka_unit_test(encoding_equals_the_definition_and_decodes_back),
	cmocka_unit_test(a_piece_longer_than_a_window_is_exact),
	cmocka_unit_test(training_takes_the_pair_that_counting_anew_gives),
	cmocka_unit_test(counts_beyond_the_limit_are_exact),
	cmocka_unit_test(files_and_streams_give_the_same_tokenizer_back),
	cmocka_unit_test(what_is_wrong_in_a_file_is_named_by_its_path),
	cmocka_unit_test(a_model_of_sentencepiece_that_is_cut_is_refused),
	cmocka_unit_test(bert_cleans_and_cuts_by_unicode_8),
	cmocka_unit_test(an_unknown_id_is_refused),
	cmocka_unit_test(special_names_are_text_unless_asked_for))
