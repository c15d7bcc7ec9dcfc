/*
 * train.c - merges, the most frequent pair first
 *
 * All distinct pieces lie one after another in one array, a symbol for each byte (WordPiece: character)
 * at first. A merge makes its first symbol cover more places: `span` holds the length at a symbol's first
 * and last place, so neighbours on both sides are found without links. Each pair keeps the positions where it
 * arose; those that have changed since are recognised when it is merged. Within a merge the counts
 * of neighbours are gathered by symbol first, and the table of pairs is asked once for each.
 *
 * The next pair comes from a heap whose counts may be too high: one that is found so goes back with
 * its count of now. Order: count, then the lower left id, then the lower right one.
 */
#include "base/mem.h"
#include "text/tok/tok_impl.h"
#include "text/tok/train_impl.h"

#include <stdlib.h>

enum {
	MAX_SPAN = UINT16_MAX, /* longest token in bytes */
	WORD_STEP = 64,        /* bytes a step of the index from positions to words */
	NONE = UINT32_MAX,
};

typedef struct {
	uint64_t key; /* left << 32 | right */
	int64_t count;
	uint32_t *at;
	uint32_t n, cap;
} pair;

typedef struct {
	int64_t count;
	uint64_t key;
	uint32_t index;
} candidate;

typedef struct {         /* what one merge does to the pairs beside it, by the neighbour's symbol */
	int64_t *lost;   /* of the old pair with this neighbour */
	uint32_t *found; /* the new pair with it; NONE: none yet */
	uint32_t *touched; /* which neighbours there were */
	uint32_t n;
} side;

typedef struct {
	ds_arena *mem;
	const train_alphabet *alphabet;
	uint32_t *symbol; /* by position */
	uint16_t *span;
	uint32_t n;
	uint32_t *word_at; /* where each word begins; one more for the end */
	uint64_t *count;   /* of each word */
	uint32_t n_words;
	uint32_t *word_of; /* the word that holds position i * WORD_STEP */

	pair *pairs;
	uint32_t n_pairs, cap_pairs;
	uint32_t *table; /* pairs by key */
	size_t table_mask;
	candidate *heap;
	size_t n_heap, cap_heap;
	side left, right;
	uint32_t *free_lists
		[32]; /* by log2 of the capacity; the next one is in the first two words */
} trainer;

/* Lists of positions: powers of two from one arena; what a list outgrew is used again. */
static uint32_t *list_get(trainer *t, unsigned log2)
{
	uint32_t *p = t->free_lists[log2];
	if (!p)
		return (uint32_t *)(void *)ds_arena_bytes(t->mem, sizeof(*p) << log2);
	memcpy(&t->free_lists[log2], p, sizeof(uint32_t *));
	return p;
}

static void list_put(trainer *t, uint32_t *p, uint32_t cap)
{
	unsigned log2 = (unsigned)__builtin_ctz(cap);
	memcpy(p, &t->free_lists[log2], sizeof(uint32_t *));
	t->free_lists[log2] = p;
}

static void list_add(trainer *t, pair *p, uint32_t at)
{
	if (p->n == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 2;
		uint32_t *to = list_get(t, (unsigned)__builtin_ctz(cap));
		if (p->cap) {
			memcpy(to, p->at, p->n * sizeof(*to));
			list_put(t, p->at, p->cap);
		}
		p->at = to;
		p->cap = cap;
	}
	p->at[p->n++] = at;
}

static inline size_t hash_pair(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return (size_t)(key ^ key >> 32);
}

static void grow_table(trainer *t)
{
	size_t n = t->table_mask ? (t->table_mask + 1) * 2 : 1 << 17;
	ds_mem_free(t->table);
	t->table = ds_mem_get(n * sizeof(*t->table));
	memset(t->table, 0xff, n * sizeof(*t->table));
	t->table_mask = n - 1;
	for (uint32_t i = 0; i < t->n_pairs; i++) {
		size_t at = hash_pair(t->pairs[i].key) & t->table_mask;
		while (t->table[at] != NONE)
			at = (at + 1) & t->table_mask;
		t->table[at] = i;
	}
}

/* The pair's index; a new one has count 0. */
static uint32_t find_pair(trainer *t, uint32_t left, uint32_t right)
{
	uint64_t key = (uint64_t)left << 32 | right;
	size_t at = hash_pair(key) & t->table_mask;
	for (; t->table[at] != NONE; at = (at + 1) & t->table_mask)
		if (t->pairs[t->table[at]].key == key)
			return t->table[at];
	if (t->n_pairs == t->cap_pairs) {
		uint32_t cap = t->cap_pairs ? t->cap_pairs * 2 : 1 << 16;
		t->pairs = ds_mem_grow(t->pairs, t->n_pairs * sizeof(pair), cap * sizeof(pair));
		t->cap_pairs = cap;
	}
	t->pairs[t->n_pairs] = (pair){ .key = key };
	t->table[at] = t->n_pairs++;
	if ((size_t)t->n_pairs * 2 > t->table_mask) {
		grow_table(t);
	}
	return t->n_pairs - 1;
}

static inline bool before(const candidate *a, const candidate *b)
{
	return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void heap_push(trainer *t, uint32_t index)
{
	candidate c = { t->pairs[index].count, t->pairs[index].key, index };
	if (t->n_heap == t->cap_heap) {
		size_t cap = t->cap_heap ? t->cap_heap * 2 : 1 << 16;
		t->heap = ds_mem_grow(t->heap, t->n_heap * sizeof(c), cap * sizeof(c));
		t->cap_heap = cap;
	}
	size_t i = t->n_heap++;
	for (; i > 0 && before(&c, &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = c;
}

/* Puts c where the top is and lets it sink. */
static void heap_sink(trainer *t, candidate c)
{
	size_t i = 0;
	for (;;) {
		size_t k = 2 * i + 1;
		if (k >= t->n_heap)
			break;
		k += k + 1 < t->n_heap && before(&t->heap[k + 1], &t->heap[k]);
		if (!before(&t->heap[k], &c))
			break;
		t->heap[i] = t->heap[k];
		i = k;
	}
	t->heap[i] = c;
}

/* The pair to merge next, or NONE. */
static uint32_t next_pair(trainer *t, uint64_t min_count)
{
	while (t->n_heap) {
		candidate c = t->heap[0];
		int64_t now = t->pairs[c.index].count;
		if (c.count == now && now > 0 && (uint64_t)now >= min_count) {
			candidate last = t->heap[--t->n_heap];
			if (t->n_heap)
				heap_sink(t, last);
			return c.index;
		}
		if (c.count == now)
			return NONE; /* the best there is, and too rare */
		if (now > 0) {
			c.count = now;
			heap_sink(t, c);
		} else {
			candidate last = t->heap[--t->n_heap];
			if (t->n_heap)
				heap_sink(t, last);
		}
	}
	return NONE;
}

static uint32_t word_holding(const trainer *t, uint32_t at)
{
	uint32_t w = t->word_of[at / WORD_STEP];
	while (t->word_at[w + 1] <= at)
		w++;
	return w;
}

/* One neighbour of a merged pair: its old pair loses, the new one wins; where the latter begins. */
static void neighbour(trainer *t, side *s, uint32_t other, uint64_t left, uint64_t right,
	uint32_t where, int64_t count)
{
	if (s->found[other] == NONE) {
		s->found[other] = find_pair(t, (uint32_t)left, (uint32_t)right);
		s->touched[s->n++] = other;
	}
	pair *p = &t->pairs[s->found[other]];
	s->lost[other] += count;
	p->count += count;
	list_add(t, p, where);
}

/* Hands in what a side has gathered: old pairs lose, new ones may be merged from now on. */
static void settle(trainer *t, side *s, uint32_t old, bool other_is_left)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t other = s->touched[i];
		uint32_t was = other_is_left ? find_pair(t, other, old) : find_pair(t, old, other);
		t->pairs[was].count -= s->lost[other];
		s->lost[other] = 0;
		if (t->pairs[s->found[other]].count > 0)
			heap_push(t, s->found[other]);
		s->found[other] = NONE;
	}
	s->n = 0;
}

static void merge_at(trainer *t, uint32_t at, uint32_t a, uint32_t b, uint32_t id)
{
	uint32_t w = word_holding(t, at), end = t->word_at[w + 1];
	uint32_t na = t->span[at], next = at + na;
	if (t->symbol[at] != a || next >= end || t->symbol[next] != b)
		return;
	int64_t count = (int64_t)t->count[w];
	uint32_t nb = t->span[next], after = next + nb;
	t->symbol[at] = id;
	t->symbol[next] = NONE; /* so that a stale position is known as one */
	t->span[at] = t->span[after - 1] = (uint16_t)(na + nb);
	if (at > t->word_at[w]) {
		uint32_t prev = at - t->span[at - 1], other = t->symbol[prev];
		neighbour(t, &t->left, other, other, id, prev, count);
	}
	if (after < end) {
		uint32_t other = t->symbol[after];
		neighbour(t, &t->right, other, id, other, at, count);
	}
}

static int by_place(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;
	return *a < *b ? -1 : *a > *b;
}

/* The pair is gone once this is done: both its count and its list. */
static void merge_pair(trainer *t, uint32_t index, uint32_t id)
{
	pair p = t->pairs[index];
	uint32_t a = (uint32_t)(p.key >> 32), b = (uint32_t)p.key;
	if (a == b && p.n) /* places may overlap: the leftmost goes first */
		qsort(p.at, p.n, sizeof(*p.at), by_place);
	t->pairs[index].at = NULL;
	t->pairs[index].n = t->pairs[index].cap = 0;
	for (uint32_t i = 0; i < p.n; i++) {
		if (i + 8 < p.n)
			__builtin_prefetch(&t->symbol[p.at[i + 8]]);
		merge_at(t, p.at[i], a, b, id);
	}
	settle(t, &t->left, a, true);
	settle(t, &t->right, b, false);
	t->pairs[index].count = 0;
	if (p.cap)
		list_put(t, p.at, p.cap);
}

/* What the arrays will hold, known before they are made. Words of one symbol have no pairs and stay out. */
typedef struct {
	uint64_t words, symbols, distinct;
} totals;

static ds_rc add_totals(void *context, ds_str piece, uint64_t count, ds_err *e)
{
	totals *x = context;
	x->words += piece.n > 1;
	x->symbols += piece.n > 1 ? piece.n : 0;
	x->distinct++;
	return DS_OK;
}

static ds_rc add_word(void *context, ds_str piece, uint64_t count, ds_err *e)
{
	trainer *t = context;
	const train_alphabet *a = t->alphabet;
	uint32_t first = t->n;
	unsigned len = 1;
	for (size_t i = 0; i < piece.n && piece.n > 1; i += len) {
		uint32_t id = a->byte_id[(uint8_t)piece.at[i]];
		if (a->char_id) {
			uint32_t c = ds_utf8_at((const uint8_t *)piece.at + i, piece.n - i, &len);
			id = a->char_id[c][i > 0];
		}
		if (id == NONE)
			continue;
		t->symbol[t->n] = id;
		t->span[t->n++] = 1;
	}
	if (t->n - first < 2) {
		t->n = first;
		return DS_OK;
	}
	t->word_at[t->n_words] = first;
	t->count[t->n_words++] = count;
	return DS_OK;
}

enum { SYMBOL_BYTES = 16, WORD_BYTES = 12 }; /* a symbol with its place in lists of pairs */

static ds_rc check_memory(const totals *x, uint64_t limit_bytes, ds_err *e)
{
	uint64_t need = x->symbols * SYMBOL_BYTES + x->words * WORD_BYTES;
	if (x->symbols >= NONE || x->words >= NONE)
		return ds_fail(e, DS_BAD,
			"%llu bytes of distinct pieces, the limit is 4 GiB: train on less text",
			(unsigned long long)x->symbols);
	if (limit_bytes && need > limit_bytes)
		return ds_fail(e, DS_IO,
			"merging %llu bytes of distinct pieces takes %llu KiB, the limit is %llu "
			"KiB",
			(unsigned long long)x->symbols, (unsigned long long)(need >> 10),
			(unsigned long long)(limit_bytes >> 10));
	return DS_OK;
}

/* Moves the counted pieces into the arrays. */
static ds_rc take_words(trainer *t, ds_tok_counter *c, uint64_t limit_bytes, ds_err *e)
{
	totals all = { 0 };
	DS_TRY(ds_counter_each(c, add_totals, &all, e));
	c->n_distinct = all.distinct;
	DS_TRY(check_memory(&all, limit_bytes, e));
	t->symbol = ds_mem_get((all.symbols + 1) * sizeof(*t->symbol));
	t->span = ds_mem_get((all.symbols + 1) * sizeof(*t->span));
	t->word_at = ds_mem_get((all.words + 1) * sizeof(*t->word_at));
	t->count = ds_mem_get((all.words + 1) * sizeof(*t->count));
	DS_TRY(ds_counter_each(c, add_word, t, e));
	t->word_at[t->n_words] = t->n;
	t->word_of = ds_mem_get((t->n / WORD_STEP + 1) * sizeof(*t->word_of));
	for (uint32_t at = 0, w = 0; at < t->n; at += WORD_STEP) {
		while (t->word_at[w + 1] <= at)
			w++;
		t->word_of[at / WORD_STEP] = w;
	}
	ds_counter_clear(c);
	return DS_OK;
}

static void first_pairs(trainer *t)
{
	for (uint32_t w = 0; w < t->n_words; w++)
		for (uint32_t i = t->word_at[w]; i + 1 < t->word_at[w + 1]; i++) {
			uint32_t index = find_pair(t, t->symbol[i], t->symbol[i + 1]);
			t->pairs[index].count += (int64_t)t->count[w];
			list_add(t, &t->pairs[index], i);
		}
	for (uint32_t i = 0; i < t->n_pairs; i++)
		heap_push(t, i);
}

static void side_start(side *s, uint32_t n_ids)
{
	s->lost = ds_mem_zero(n_ids * sizeof(*s->lost));
	s->found = ds_mem_get(n_ids * sizeof(*s->found));
	s->touched = ds_mem_get(n_ids * sizeof(*s->touched));
	memset(s->found, 0xff, n_ids * sizeof(*s->found));
}

static void side_end(side *s)
{
	ds_mem_free(s->lost);
	ds_mem_free(s->found);
	ds_mem_free(s->touched);
}

static void trainer_end(trainer *t)
{
	side_end(&t->left);
	side_end(&t->right);
	ds_mem_free(t->symbol);
	ds_mem_free(t->span);
	ds_mem_free(t->word_at);
	ds_mem_free(t->count);
	ds_mem_free(t->word_of);
	ds_mem_free(t->pairs);
	ds_mem_free(t->table);
	ds_mem_free(t->heap);
	ds_arena_free(t->mem);
}

/* The token that a and b make: a new id, or that of the same bytes (then only a merge is added). */
static ds_rc join(
	ds_tok *out, ds_map *known, uint32_t a, uint32_t b, uint32_t *id, ds_buf *mem, ds_err *e)
{
	bool is_new, words = out->kind == TOK_WORDPIECE;
	ds_str right = out->bytes[b];
	if (words && right.n >= 2 && memcmp(right.at, "##", 2) == 0)
		right = (ds_str){ right.at + 2, right.n - 2 };
	ds_buf_clear(mem);
	ds_buf_add_str(mem, out->bytes[a]);
	ds_buf_add_str(mem, right);
	uint64_t *at = ds_map_put(known, ds_buf_view(mem), &is_new);
	*id = is_new ? out->n_ids : (uint32_t)*at;
	if (is_new)
		DS_TRY(ds_tok_put(out, *id, ds_buf_view(mem), 0, e));
	if (!words)
		ds_tok_put_merge(out, a, b, *id);
	*at = *id;
	return DS_OK;
}

static ds_rc merge_all(trainer *t, ds_tok *out, const ds_tok_train_options *o, ds_err *e)
{
	DS_AUTO(ds_map) known = ds_map_new(o->n_ids);
	ds_buf mem = { 0 };
	ds_rc rc = DS_OK;
	uint32_t index, id;
	for (uint32_t i = 0; i < out->n_ids; i++)
		*ds_map_put(known, out->bytes[i], NULL) = i;
	while (rc == DS_OK && out->n_ids < o->n_ids &&
		(index = next_pair(t, o->min_count)) != NONE) {
		uint32_t a = (uint32_t)(t->pairs[index].key >> 32),
			 b = (uint32_t)t->pairs[index].key;
		if (out->bytes[a].n + out->bytes[b].n > MAX_SPAN) {
			t->pairs[index].count = 0;
			continue;
		}
		rc = join(out, known, a, b, &id, &mem, e);
		if (rc == DS_OK)
			merge_pair(t, index, id);
		if (o->progress && out->n_ids % 64 == 0)
			o->progress(o->context, out->n_ids, o->n_ids);
	}
	ds_buf_free(&mem);
	return rc;
}

/* Bytes, the ids after the special tokens. */
static ds_rc begin_bytes(ds_tok *out, const ds_tok_train_options *o, train_alphabet *a, ds_err *e)
{
	if (o->n_ids < o->n_special + 256)
		return ds_fail(e, DS_USAGE, "a vocabulary of %u: it must be %zu to %d", o->n_ids,
			o->n_special + 256, DS_TOK_MAX_IDS);
	if (o->limit_alphabet)
		return ds_fail(e, DS_USAGE,
			"--limit-alphabet is for WordPiece: 256 bytes are the alphabet here");
	DS_TRY(ds_tok_put_bytes(out, e));
	for (uint32_t id = (uint32_t)o->n_special; id < out->n_ids; id++)
		a->byte_id[(uint8_t)out->bytes[id].at[0]] = id;
	return DS_OK;
}

/* Characters; *c becomes the counter of words. */
static ds_rc begin_words(ds_tok *out, ds_tok_counter **c, const ds_tok_train_options *o,
	train_alphabet *a, ds_err *e)
{
	ds_tok_counter *raw = *c;
	a->char_id = ds_mem_get(0x110000 * sizeof(*a->char_id));
	memset(a->char_id, 0xff, 0x110000 * sizeof(*a->char_id));
	ds_rc rc = ds_words_count(raw, out, c, e);
	ds_counter_clear(raw);
	return rc == DS_OK ? ds_words_alphabet(out, *c, o, a, e) : rc;
}

static ds_rc train(ds_tok *out, ds_tok_counter **c, const ds_tok_train_options *o, ds_err *e)
{
	train_alphabet a = { .char_id = NULL };
	trainer t = { .mem = ds_arena_new(1 << 20), .alphabet = &a };
	ds_rc rc = out->kind == TOK_WORDPIECE ? begin_words(out, c, o, &a, e)
					      : begin_bytes(out, o, &a, e);
	grow_table(&t);
	side_start(&t.left, o->n_ids);
	side_start(&t.right, o->n_ids);
	if (rc == DS_OK)
		rc = take_words(&t, *c, o->limit_bytes, e);
	if (rc == DS_OK) {
		first_pairs(&t);
		rc = merge_all(&t, out, o, e);
	}
	trainer_end(&t);
	ds_mem_free(a.char_id);
	return rc;
}

ds_rc ds_tok_train(ds_tok **result, ds_tok_counter *c, const ds_tok_train_options *o, ds_err *e)
{
	DS_AUTO(ds_tok) out = ds_tok_new("trained");
	ds_tok_counter *pieces = c;
	bool words = c->pattern && c->pattern->words;
	if (o->n_ids > DS_TOK_MAX_IDS)
		return ds_fail(e, DS_USAGE, "a vocabulary of %u: it must be at most %d", o->n_ids,
			DS_TOK_MAX_IDS);
	out->pattern = c->pattern;
	out->regex = ds_arena_str(out->mem, ds_buf_view(&c->spelled));
	out->nfc = o->nfc;
	for (size_t i = 0; i < o->n_special; i++)
		DS_TRY(ds_tok_put_special(out, o->special[i], e));
	ds_tok_build_find(out);
	if (words)
		DS_TRY(ds_vocab_like_bert(out, e));
	ds_rc rc = train(out, &pieces, o, e);
	c->n_distinct = pieces->n_distinct;
	if (pieces != c)
		ds_tok_counter_free(pieces);
	DS_TRY(rc);
	ds_tok_build_find(out);
	DS_TRY(ds_tok_finish(out, e));
	*result = out;
	out = NULL;
	return DS_OK;
}
