/*
 * mlm.c - masked language modelling
 */
#include "model/mlm.h"

#include "base/rng.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { SPECIAL = 1, GOES_ON = 2, PURPOSE = 0x6d6c6d /* "mlm" */ };

/* WordPiece marks what goes on with a word, the others what begins one. */
static bool goes_on(const ds_tok *t, ds_str s)
{
	if (!s.n)
		return false;
	if (strcmp(ds_tok_model(t), "wordpiece") == 0)
		return ds_str_starts(s, DS_S("##"));
	if (ds_str_starts(s, DS_S("\xe2\x96\x81") /* U+2581 */))
		return false;
	unsigned char c = (unsigned char)s.at[0];
	return c >= 0x80 || isalnum(c) || c == '\'';
}

void ds_mlm_kinds(ds_mlm *m, const ds_tok *t, ds_arena *mem)
{
	uint32_t n = t ? ds_tok_size(t) : 0;
	uint8_t *kind = ds_arena_zero(mem, (size_t)n + 1);
	for (uint32_t i = 0; i < n; i++)
		kind[i] = (uint8_t)((ds_tok_is_special(t, i) ? SPECIAL : 0) |
				    (goes_on(t, ds_tok_bytes(t, i)) ? GOES_ON : 0));
	m->n_ids = n;
	m->kind = kind;
}

int64_t ds_mlm_most(const ds_mlm *m, int64_t seq)
{
	int64_t n = (int64_t)ceil(m->probability * (double)seq);
	return n < 1 ? 1 : n > seq ? seq : n;
}

static unsigned kind_of(const ds_mlm *m, int32_t id)
{
	return id >= 0 && id < m->n_ids ? m->kind[id] : 0;
}

/* word[w] … word[w + 1]: positions of the w-th that may be chosen; a gap ends a word. */
typedef struct {
	int32_t *from, *n;
	int64_t words, tokens;
} words;

static words find_words(
	const ds_mlm *m, const int32_t *ids, const uint8_t *plain, int64_t seq, ds_arena *mem)
{
	words w = { ds_arena_get(mem, (size_t)seq * 4), ds_arena_get(mem, (size_t)seq * 4), 0, 0 };
	bool open = false;
	for (int64_t i = 0; i < seq; i++) {
		unsigned kind = kind_of(m, ids[i]);
		if (!plain[i] || kind & SPECIAL) {
			open = false;
			continue;
		}
		if (open && m->whole_word && kind & GOES_ON) {
			w.n[w.words - 1]++;
		} else {
			w.from[w.words] = (int32_t)i;
			w.n[w.words++] = 1;
		}
		open = true;
		w.tokens++;
	}
	return w;
}

/* Marks the tokens to be predicted: words in a shuffled order, as long as they fit. */
static void choose(const words *w, ds_rng rng, int64_t budget, uint8_t *chosen)
{
	for (int64_t i = 0; i < w->words && budget > 0; i++) {
		int64_t j = i + (int64_t)ds_rng_below(rng, (uint64_t)i, (uint64_t)(w->words - i));
		int32_t from = w->from[j], n = w->n[j];
		w->from[j] = w->from[i];
		w->n[j] = w->n[i];
		if (n > budget)
			continue;
		memset(chosen + from, 1, (size_t)n);
		budget -= n;
	}
}

static int32_t masked(const ds_mlm *m, ds_rng rng, int64_t at, int32_t id)
{
	double u = ds_rng_unit(rng, (uint64_t)at);
	if (u < m->mask)
		return (int32_t)m->mask_id;
	if (u < m->mask + m->random)
		return (int32_t)ds_rng_below(
			rng, (uint64_t)at + ((uint64_t)1 << 32), (uint64_t)m->vocab_size);
	return id;
}

int64_t ds_mlm_mask(const ds_mlm *m, uint64_t number, const ds_mlm_row *row, ds_arena *mem)
{
	ds_rng which = ds_rng_of(m->seed, (uint64_t)PURPOSE << 40 ^ number);
	ds_rng how = ds_rng_of(~m->seed, (uint64_t)PURPOSE << 40 ^ number);
	int64_t most = ds_mlm_most(m, row->seq), n = 0;
	words w = find_words(m, row->ids, row->plain, row->seq, mem);
	uint8_t *chosen = ds_arena_zero(mem, (size_t)row->seq);
	int64_t budget = (int64_t)(m->probability * (double)w.tokens + 0.5);
	choose(&w, which, budget < 1 ? 1 : budget > most ? most : budget, chosen);
	for (int64_t i = 0; i < row->seq; i++)
		if (chosen[i]) {
			row->pick[n] = (int32_t)i;
			row->target[n++] = row->ids[i];
			row->ids[i] = masked(m, how, i, row->ids[i]);
		}
	for (int64_t i = n; i < most; i++)
		row->pick[i] = row->target[i] = -1;
	return n;
}
