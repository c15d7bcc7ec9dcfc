/*
 * fuzz_encode.c - any text, encoded with made-up vocabularies: the ids are
 * those of a slow plain encoder
 *
 * The first two bytes choose a pattern, a vocabulary and whether the rest is
 * text as it is or numbers of parts of text. Vocabularies are rank files whose
 * tokens are random joins of two others, characters cut in the middle included;
 * half of them have their ids in any order. The reference splits by PCRE2 and
 * joins whatever two neighbours are a token, the lowest id first, as tiktoken
 * defines it.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rng.h"
#include "text/tok/scan.h"
#include "text/tok/tok.h"

#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { N_PATTERNS = 5, N_VOCABS = 8, N_TOKENS = 700, MAX_TEXT = 1 << 15 };

static const char *const names[N_PATTERNS] = { "gpt2", "cl100k", "llama3", "qwen2", "o200k" };
static const char *const parts[] = { "a", "b", "e", "s", "A", "B", " ", "  ", "'", "'s", "'LL", "1",
	"23", "\n", "\r\n", "\t", ".", "/", "!", "\xe4\xb8\xad", "\xe6\x96\x87", "\xe7\x9a\x84",
	"\xe4\xb8\x80", "\xe3\x80\x82", "\xef\xbc\x8c", "\xcc\x81", "\xc3\xa9", "\xd0\x96",
	"\xe3\x81\x82", "\xf0\x9f\x98\x80", "\xc2\xa0", "\xe4", "\xb8" };
enum { N_PARTS = sizeof(parts) / sizeof(*parts) };

typedef struct {
	char bytes[64];
	size_t n;
} token;

typedef struct { /* ids are places in the list */
	token tokens[N_TOKENS];
	ds_tok *tok[N_PATTERNS];
	ds_tok_scratch *scratch[N_PATTERNS];
} vocab;

static uint32_t id_of(const vocab *v, const char *p, size_t n)
{
	for (uint32_t id = 0; id < N_TOKENS; id++)
		if (v->tokens[id].n == n && memcmp(v->tokens[id].bytes, p, n) == 0)
			return id;
	return UINT32_MAX;
}

/* The 256 bytes, then joins of two tokens, where those of `parts` come first.
 */
static void make_tokens(vocab *v, uint64_t seed)
{
	ds_rng r = ds_rng_of(seed, 1);
	size_t n = 256;
	for (size_t i = 0; i < 256; i++)
		v->tokens[i] = (token){ .bytes = { (char)i }, .n = 1 };
	for (uint64_t k = 0; n < N_TOKENS; k++) {
		token t = { .n = 0 };
		for (int half = 0; half < 2; half++) {
			uint64_t from = ds_rng_below(r, 4 * k + (uint64_t)half, N_PARTS + n - 256);
			const char *p = from < N_PARTS ? parts[from] : NULL;
			uint32_t one = p ? (uint8_t)p[ds_rng_below(r, 4 * k + 2, strlen(p))]
					 : (uint32_t)(256 + from - N_PARTS);
			if (t.n + v->tokens[one].n <= sizeof(t.bytes)) {
				memcpy(t.bytes + t.n, v->tokens[one].bytes, v->tokens[one].n);
				t.n += v->tokens[one].n;
			}
		}
		v->tokens[n] = t;
		n += t.n > 1 && id_of(v, t.bytes, t.n) == n;
	}
	for (size_t i = N_TOKENS - 1; i > 0 && seed % 2; i--) {
		size_t k = (size_t)ds_rng_below(ds_rng_of(seed, 2), i, i + 1);
		token swap = v->tokens[i];
		v->tokens[i] = v->tokens[k];
		v->tokens[k] = swap;
	}
}

static void add_base64(ds_buf *out, const token *t)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < t->n; i += 3) {
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < t->n ? (uint8_t)t->bytes[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			ds_buf_add_byte(out, i + k <= t->n ? digits[v >> (18 - 6 * k) & 63] : '=');
	}
}

static void open_vocab(vocab *v, unsigned pattern)
{
	ds_buf file = { 0 };
	ds_err e;
	for (size_t id = 0; id < N_TOKENS; id++) {
		add_base64(&file, &v->tokens[id]);
		ds_buf_fmt(&file, " %zu\n", id);
	}
	ds_tok_options o = { .pattern = names[pattern] };
	if (ds_tok_parse(&v->tok[pattern], ds_buf_view(&file), &o, &e) != DS_OK) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	v->scratch[pattern] = ds_tok_scratch_new(v->tok[pattern]);
	ds_buf_free(&file);
}

/* What parts i and i + 1 make, of which part i is from ends[i] to ends[i + 1].
 */
static uint32_t joined(const vocab *v, const char *p, const size_t *ends, size_t i, size_t k)
{
	size_t n = i + 2 <= k ? ends[i + 2] - ends[i] : SIZE_MAX;
	return n <= sizeof(v->tokens->bytes) ? id_of(v, p + ends[i], n) : UINT32_MAX;
}

/* The definition: a piece that is a token, else the lowest id that two
 * neighbours make, the leftmost first. */
static size_t slow_piece(const vocab *v, const char *p, size_t n, uint32_t *out)
{
	static size_t ends[MAX_TEXT + 1];
	static uint32_t makes[MAX_TEXT];
	size_t k = n;
	out[0] = id_of(v, p, n);
	if (out[0] != UINT32_MAX)
		return 1;
	for (size_t i = 0; i <= n; i++)
		ends[i] = i;
	for (size_t i = 0; i < n; i++)
		makes[i] = joined(v, p, ends, i, k);
	for (;;) {
		size_t at = 0;
		for (size_t i = 1; i < k; i++)
			at = makes[i] < makes[at] ? i : at;
		if (makes[at] == UINT32_MAX)
			break;
		memmove(&ends[at + 1], &ends[at + 2], (k - at - 1) * sizeof(*ends));
		memmove(&makes[at + 1], &makes[at + 2], (k - at - 2) * sizeof(*makes));
		k--;
		makes[at] = joined(v, p, ends, at, k);
		if (at)
			makes[at - 1] = joined(v, p, ends, at - 1, k);
	}
	for (size_t i = 0; i < k; i++)
		out[i] = id_of(v, p + ends[i], ends[i + 1] - ends[i]);
	return k;
}

/* Where the piece at the front ends: by PCRE2, or, for what is no UTF-8, by the
 * pattern's own walk. */
static size_t slow_end(unsigned pattern, bool utf8, const char *p, size_t n, size_t at)
{
	static pcre2_code *codes[N_PATTERNS];
	static pcre2_match_data *m;
	const ds_pattern *x = ds_pattern_find(names[pattern]);
	int error;
	PCRE2_SIZE where;
	if (!utf8)
		return at + x->next((const uint8_t *)p + at, n - at);
	if (!codes[pattern])
		codes[pattern] = pcre2_compile((PCRE2_SPTR)x->regexes[0], PCRE2_ZERO_TERMINATED,
			PCRE2_UTF | PCRE2_UCP, &error, &where, NULL);
	if (!m)
		m = pcre2_match_data_create(2, NULL);
	if (pcre2_match(codes[pattern], (PCRE2_SPTR)p, n, at, PCRE2_NO_UTF_CHECK, m, NULL) < 1)
		abort();
	return pcre2_get_ovector_pointer(m)[1];
}

static bool is_utf8(const char *p, size_t n)
{
	unsigned len;
	for (size_t at = 0; at < n; at += len)
		if (ds_utf8_at((const uint8_t *)p + at, n - at, &len) >= 0x110000)
			return false;
	return true;
}

static size_t make_text(const uint8_t *data, size_t n, bool raw, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < n && len + 8 < MAX_TEXT; i++) {
		const char *p = parts[data[i] % N_PARTS];
		size_t k = raw ? 1 : strlen(p);
		memcpy(out + len, raw ? (const char *)&data[i] : p, k);
		len += k;
	}
	return len;
}

static void check(const vocab *v, unsigned pattern, ds_str text)
{
	static uint32_t want[MAX_TEXT];
	bool utf8 = is_utf8(text.at, text.n);
	const uint32_t *ids;
	size_t n_want = 0, n;
	ds_buf back = { 0 };
	ds_err e;
	if (!utf8 && !ds_pattern_find(names[pattern])->next)
		return;
	for (size_t at = 0, end; at < text.n; at = end) {
		end = slow_end(pattern, utf8, text.at, text.n, at);
		n_want += slow_piece(v, text.at + at, end - at, want + n_want);
	}
	for (int again = 0; again < 2; again++) {
		if (ds_tok_encode(v->tok[pattern], v->scratch[pattern], text, 0, &ids, &n, &e) !=
				DS_OK ||
			n != n_want || (n && memcmp(ids, want, n * sizeof(*ids)) != 0))
			abort();
		if (ds_tok_decode(v->tok[pattern], ids, n, false, &back, &e) != DS_OK ||
			!ds_str_eq(ds_buf_view(&back), text))
			abort();
		ds_buf_clear(&back);
	}
	ds_buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static vocab vocabs[N_VOCABS];
	static char text[MAX_TEXT];
	if (n < 2)
		return 0;
	unsigned pattern = data[0] % N_PATTERNS, which = data[1] % N_VOCABS;
	vocab *v = &vocabs[which];
	if (v->tokens[0].n == 0)
		make_tokens(v, which);
	if (!v->tok[pattern])
		open_vocab(v, pattern);
	size_t len = make_text(data + 2, n - 2, data[1] & 0x80, text);
	/* A copy that ends where its memory does: reading on is then seen by the
   * sanitizer. */
	char *copy = ds_mem_get(len ? len : 1);
	memcpy(copy, text, len);
	check(v, pattern, (ds_str){ copy, len });
	ds_mem_free(copy);
	return 0;
}
