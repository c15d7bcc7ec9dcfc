/*
 * ds_ranks_read.c - tiktoken's rank files: base64 of a token, a space, its id, which is its rank too
 *
 * tiktoken merges whatever two neighbours make a token, the lowest id first. Of all the ways to cut a
 * token in two only one can ever come up: the state its own bytes are in before the last merge (bpe.c
 * tells why neighbours evolve as if alone). Tokens within it are shorter, so with those of all shorter
 * tokens known its own is found by merging its bytes: where two are left, these are the halves.
 */
#include "text/tok/tok_impl.h"

enum { MAX_TOKEN = 4096 };

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes s into out (3/4 of s.n and 2 more); false where it is no base64. */
static bool base64(ds_str s, char *out, size_t *n)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t k = 0;
	if (s.n % 4 != 0)
		return false;
	for (int pad = 0; pad < 2 && s.n && s.at[s.n - 1] == '='; pad++)
		s.n--;
	for (size_t i = 0; i < s.n; i++) {
		int v = sextet(s.at[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[k++] = (char)(bits >> have);
		}
	}
	*n = k;
	return true;
}

static ds_rc read_line(ds_tok *t, ds_str line, size_t number, ds_buf *mem, ds_err *e)
{
	ds_str rank, word = ds_str_cut(line, ' ', &rank);
	int64_t id;
	size_t n;
	ds_buf_clear(mem);
	ds_buf_reserve(mem, word.n + 4);
	if (!rank.at || !ds_str_i64(rank, &id) || id < 0 || !base64(word, mem->at, &n) || n == 0)
		return ds_fail(e, DS_BAD,
			"line %zu is neither JSON nor a token in base64 and its rank", number);
	if (n > MAX_TOKEN)
		return ds_fail(e, DS_BAD, "line %zu: a token of %zu bytes, the limit is %d", number,
			n, MAX_TOKEN);
	if (id >= DS_TOK_MAX_IDS)
		return ds_fail(e, DS_BAD, "line %zu: rank %lld, the limit is %d", number,
			(long long)id, DS_TOK_MAX_IDS - 1);
	DS_TRY_AT(ds_tok_put(t, (uint32_t)id, (ds_str){ mem->at, n }, 0, e), e, "line %zu", number);
	return DS_OK;
}

static ds_rc read_lines(ds_tok *t, ds_str file, ds_buf *mem, ds_err *e)
{
	size_t number = 1;
	for (ds_str rest = file; rest.n; number++) {
		ds_str line = ds_str_cut(rest, '\n', &rest);
		if (line.n && line.at[line.n - 1] == '\r')
			line.n--;
		if (line.n)
			DS_TRY(read_line(t, line, number, mem, e));
		if (!rest.at)
			break;
	}
	return DS_OK;
}

static ds_rc check(const ds_tok *t, ds_err *e)
{
	bool seen[256] = { false };
	for (uint32_t id = 0; id < t->n_ids; id++) {
		if (!t->flags[id])
			continue;
		if (ds_tok_lookup(t, t->bytes[id]) != id)
			return ds_fail(e, DS_BAD, "ranks %u and %u are the same token",
				ds_tok_lookup(t, t->bytes[id]), id);
		if (t->bytes[id].n == 1)
			seen[(uint8_t)t->bytes[id].at[0]] = true;
	}
	for (int b = 0; b < 256; b++)
		if (!seen[b])
			return ds_fail(e, DS_BAD, "the byte 0x%02x has no rank", b);
	return DS_OK;
}

/* Ids, those of the shortest tokens first. */
static uint32_t *by_length(const ds_tok *t, ds_arena *mem)
{
	uint32_t *out = ds_arena_get(mem, (size_t)t->n_ids * sizeof(*out));
	uint32_t *to = ds_arena_zero(mem, (MAX_TOKEN + 2) * sizeof(*to));
	for (uint32_t id = 0; id < t->n_ids; id++)
		to[t->bytes[id].n + 1]++;
	for (size_t n = 1; n <= MAX_TOKEN; n++)
		to[n] += to[n - 1];
	for (uint32_t id = 0; id < t->n_ids; id++)
		out[to[t->bytes[id].n]++] = id;
	return out;
}

static void find_halves(ds_tok *t)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	uint32_t(*halves)[2] = ds_arena_zero(mem, (size_t)t->n_ids * sizeof(*halves));
	const uint32_t *order = by_length(t, mem);
	uint32_t parts[MAX_TOKEN];
	bpe_mem *bpe = ds_bpe_mem_new();
	ds_tok_name_bytes(t);
	ds_tok_merges_begin(t, t->n_ids);
	for (uint32_t i = 0; i < t->n_ids; i++) {
		uint32_t id = order[i];
		ds_str s = t->bytes[id];
		if (s.n < 2 || ds_bpe_piece(t, bpe, (const uint8_t *)s.at, s.n, parts) != 2)
			continue;
		halves[id][0] = parts[0] + 1;
		halves[id][1] = parts[1];
		ds_tok_merges_add(t, parts[0], parts[1], id, id);
	}
	ds_bpe_mem_free(bpe);
	for (uint32_t id = 0; id < t->n_ids; id++)
		if (halves[id][0])
			ds_tok_put_merge(t, halves[id][0] - 1, halves[id][1], id);
}

ds_rc ds_ranks_read(ds_tok *t, ds_str file, ds_err *e)
{
	ds_buf mem = { 0 };
	ds_rc rc = read_lines(t, file, &mem, e);
	ds_buf_free(&mem);
	DS_TRY(rc);
	if (!t->pattern && !t->chain)
		return ds_fail(e, DS_USAGE,
			"a rank file needs --pattern: gpt2, cl100k, o200k, llama3, qwen2, deepseek "
			"or a regex");
	ds_tok_build_find(t);
	DS_TRY(check(t, e));
	t->kind = TOK_BPE;
	t->whole = true;
	find_halves(t);
	return DS_OK;
}
