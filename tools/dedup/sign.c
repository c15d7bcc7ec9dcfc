/*
 * sign.c - what is compared, computed from the text: on every thread, a block at a time
 *
 * Bound by the permutations (7 ns a shingle for 112, 15 ns for 256), then by finding the units (6 ns).
 */
#include "base/mem.h"
#include "dedup.h"
#include "text/simhash.h"
#include "text/unicode.h"
#include "text/words.h"

enum { SPAN = 3 }; /* sentences */

struct signer {
	const plan *plan;
	const ds_minhash *perm;
	ds_ngram *shingles;
	against_reader *evil;
	ds_sketch *sketch;
	ds_cutter *sentences; /* once there is a span to find */
	uint32_t *sig;
	ds_buf squeezed;
	ds_buf sketches; /* uint32_t */
	signed_block out;
	size_t items_cap;
};

signer *signer_new(const plan *p, const ds_minhash *perm, const against *evil)
{
	signer *s = DS_NEW(signer, 1);
	s->plan = p;
	s->perm = perm;
	if (p->seen.near) {
		s->shingles = ds_ngram_new(p->seen.unit, p->seen.ngram);
		s->sketch = ds_sketch_new(p->seen.verify ? 0 : DS_SKETCH_MOST);
		s->sig = DS_NEW(uint32_t, ds_minhash_room(perm));
	}
	if (evil)
		s->evil = against_reader_new(evil);
	return s;
}

void signer_free(void *scratch)
{
	signer *s = scratch;
	if (!s)
		return;
	ds_ngram_free(s->shingles);
	against_reader_free(s->evil);
	ds_sketch_free(s->sketch);
	ds_cutter_free(s->sentences);
	ds_mem_free(s->sig);
	ds_mem_free(s->out.sketches);
	ds_buf_free(&s->squeezed);
	ds_buf_free(&s->sketches);
	ds_mem_free(s);
}

signed_block *signer_result(signer *s)
{
	return &s->out;
}

static ds_h128 exact_key(signer *s, ds_str text, ds_arena *mem)
{
	bool stable;
	ds_buf_clear(&s->squeezed);
	ds_buf_reserve(&s->squeezed, text.n + 1);
	ds_str t = { s->squeezed.at, ds_text_squeeze(s->squeezed.at, text, &stable) };
	if (!stable)
		t = ds_nfc(t, mem);
	return ds_hash128(t.at, t.n);
}

static void sign_minhash(signer *s, ds_seen_item *it, uint64_t *keys)
{
	uint32_t x[DS_NGRAM_ROOM];
	size_t n;
	ds_sketch_reset(s->sketch);
	ds_minhash_reset(s->perm, s->sig);
	while ((n = ds_ngram_next(s->shingles, x))) {
		ds_minhash_add(s->perm, x, n, s->sig);
		ds_sketch_add(s->sketch, x, n);
	}
	const uint32_t *v = ds_sketch_finish(s->sketch, &n);
	it->n_sketch = (uint32_t)n;
	ds_buf_add(&s->sketches, v, n * sizeof *v);
	ds_bands b = s->plan->seen.bands;
	for (unsigned i = 0; n && i < b.bands; i++)
		keys[i] = ds_bands_key(b, s->sig, i);
}

static void sign_simhash(signer *s, ds_seen_item *it, uint64_t *keys)
{
	uint64_t x[DS_NGRAM_ROOM], fingerprint[DS_SIMHASH_WORDS];
	unsigned words = s->plan->seen.bits / 64;
	size_t n;
	ds_simhash all[DS_SIMHASH_WORDS] = { 0 };
	while ((n = ds_ngram_next64(s->shingles, x))) {
		ds_simhash_add(&all[0], x, n);
		for (size_t i = 0; words > 1 && i < n; i++)
			x[i] = ds_simhash_other(x[i]);
		if (words > 1)
			ds_simhash_add(&all[1], x, n);
	}
	if (!all[0].n)
		return;
	for (unsigned w = 0; w < words; w++) {
		fingerprint[w] = ds_simhash_finish(&all[w]);
		const uint32_t halves[2] = { (uint32_t)fingerprint[w],
			(uint32_t)(fingerprint[w] >> 32) };
		ds_buf_add(&s->sketches, halves, sizeof halves);
	}
	it->n_sketch = 2 * words;
	ds_simhash_keys(fingerprint, words, s->plan->seen.distance, keys);
}

static void sign_near(signer *s, ds_seen_item *it, ds_str text, ds_arena *mem)
{
	uint64_t *keys =
		(uint64_t *)(void *)ds_arena_get(mem, s->plan->seen.bands.bands * sizeof *keys);
	it->bands = keys;
	ds_ngram_start(s->shingles, text);
	if (s->plan->seen.simhash)
		sign_simhash(s, it, keys);
	else
		sign_minhash(s, it, keys);
}

static void more_items(signer *s, ds_arena *mem)
{
	signed_block *o = &s->out;
	s->items_cap = s->items_cap ? 2 * s->items_cap : 1024;
	ds_seen_item *items = ds_arena_get(mem, s->items_cap * sizeof *items);
	ds_str *texts = ds_arena_get(mem, s->items_cap * sizeof *texts);
	if (o->n_items) {
		memcpy(items, o->items, o->n_items * sizeof *items);
		memcpy(texts, o->texts, o->n_items * sizeof *texts);
	}
	o->items = items;
	o->texts = texts;
}

static void add_item(signer *s, ds_str text, ds_arena *mem)
{
	signed_block *o = &s->out;
	if (o->n_items == s->items_cap)
		more_items(s, mem);
	o->texts[o->n_items] = text;
	ds_seen_item *it = &o->items[o->n_items++];
	*it = (ds_seen_item){ .dup_of = DS_NO_TEXT };
	if (s->plan->seen.exact)
		it->key = exact_key(s, text, mem);
	if (s->plan->seen.near)
		sign_near(s, it, text, mem);
}

/* The next piece of the text from *at on: a line, or what lies between empty lines. */
static ds_str next_piece(ds_str text, size_t *at, scope what)
{
	size_t start = *at, i = start;
	for (; i < text.n; i++) {
		if (text.at[i] != '\n')
			continue;
		if (what == SCOPE_LINE)
			break;
		/* A paragraph ends where the next line is blank. */
		size_t k = i + 1;
		while (k < text.n &&
			(text.at[k] == ' ' || text.at[k] == '\t' || text.at[k] == '\r'))
			k++;
		if (k < text.n && text.at[k] == '\n')
			break;
	}
	*at = i;
	return (ds_str){ text.at + start, i - start };
}

static void add_pieces(signer *s, ds_str text, ds_arena *mem)
{
	for (size_t at = 0; at < text.n; at++) {
		ds_str piece = next_piece(text, &at, s->plan->scope);
		if (ds_str_trim(piece).n)
			add_item(s, piece, mem);
	}
}

/* Each three sentences in a row, blank ones not counted; a text of fewer has none. */
static ds_rc add_spans(signer *s, ds_str text, ds_arena *mem, ds_err *e)
{
	size_t n, k = 0;
	if (!s->sentences)
		DS_TRY(ds_cutter_new(&s->sentences, DS_CUT_SENTENCES, e));
	ds_piece *p = ds_cutter_run(s->sentences, text, mem, &n);
	for (size_t i = 0; i < n; i++)
		if (ds_str_trim(p[i].text).n)
			p[k++] = p[i];
	for (size_t i = 0; i + SPAN <= k; i++) {
		ds_str last = p[i + SPAN - 1].text;
		add_item(s, (ds_str){ p[i].text.at, (size_t)(last.at + last.n - p[i].text.at) },
			mem);
	}
	return DS_OK;
}

static ds_rc sign_row(
	signer *s, ds_work *w, ds_block *b, const ds_col *col, uint32_t row, ds_err *e)
{
	signed_block *o = &s->out;
	ds_str text = { "", 0 };
	bool has = false;
	if (col && ds_block_text(b, col, row, &text, &has, e) != DS_OK) {
		ds_err why = *e;
		return ds_work_bad(w, b, row, e, "%s", why.msg);
	}
	row_items *r = &o->rows[o->n_rows++];
	*r = (row_items){ .first = o->n_items };
	if (has && s->evil && against_hits(s->evil, text))
		r->contaminated = true;
	else if (has && s->plan->scope == SCOPE_TEXT)
		add_item(s, text, ds_work_mem(w));
	else if (has && s->plan->scope == SCOPE_SPAN)
		DS_TRY(add_spans(s, text, ds_work_mem(w), e));
	else if (has)
		add_pieces(s, text, ds_work_mem(w));
	r->n = o->n_items - r->first;
	return DS_OK;
}

ds_rc signer_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	signer *s = ds_work_scratch(w);
	ds_arena *mem = ds_work_mem(w);
	signed_block *o = &s->out;
	*o = (signed_block){ .rows = ds_arena_get(mem, (b->n_rows + 1) * sizeof *o->rows) };
	s->items_cap = 0;
	ds_buf_clear(&s->sketches);
	const ds_col *col;
	DS_TRY(ds_block_get(b, ds_work_common(w)->field, &col, e));
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(sign_row(s, w, b, col, row, e));
	if (!s->sketches.n)
		return DS_OK;
	uint32_t *at = o->sketches = ds_mem_get(s->sketches.n);
	memcpy(at, s->sketches.at, s->sketches.n);
	for (size_t i = 0; i < o->n_items; i++) {
		o->items[i].sketch = at;
		at += o->items[i].n_sketch;
	}
	return DS_OK;
}
