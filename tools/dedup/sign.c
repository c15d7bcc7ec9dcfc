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
	uint64_t label; /* of the record at hand, as a hash; 0: it has none, or nobody asks */
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
		s->sig = DS_NEW(uint32_t, ds_minhash_padded(perm));
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

/*
 * --keep-labels: under another label every shingle is another one, so texts neither meet nor are confirmed; under
 * the same one they are as many as before, and as many are shared.
 */
static void mix32(uint32_t *x, size_t n, uint64_t label)
{
	for (size_t i = 0; label && i < n; i++)
		x[i] ^= (uint32_t)label;
}

static void mix64(uint64_t *x, size_t n, uint64_t label)
{
	for (size_t i = 0; label && i < n; i++)
		x[i] ^= label;
}

/* Of fewer units than a shingle has: 0, or the one that stands for the whole text where nothing else compares it. */
static uint64_t short_shingle(signer *s, ds_str text, ds_arena *mem)
{
	if (s->plan->seen.exact || !ds_ngram_units(s->shingles))
		return 0;
	return exact_key(s, text, mem).lo | UINT64_C(0x100000001);
}

static void sign_minhash(signer *s, ds_seen_item *it, uint64_t *keys, ds_str text, ds_arena *mem)
{
	uint32_t x[DS_NGRAM_BATCH];
	size_t n;
	uint64_t whole;
	bool any = false;
	ds_sketch_reset(s->sketch);
	ds_minhash_reset(s->perm, s->sig);
	while ((n = ds_ngram_next(s->shingles, x))) {
		mix32(x, n, s->label);
		ds_minhash_add(s->perm, x, n, s->sig);
		ds_sketch_add(s->sketch, x, n);
		any = true;
	}
	if (!any && (whole = short_shingle(s, text, mem))) {
		x[0] = (uint32_t)(whole >> 32);
		mix32(x, 1, s->label);
		ds_minhash_add(s->perm, x, 1, s->sig);
		ds_sketch_add(s->sketch, x, 1);
	}
	const uint32_t *v = ds_sketch_finish(s->sketch, &n);
	it->n_sketch = (uint32_t)n;
	ds_buf_add(&s->sketches, v, n * sizeof(*v));
	ds_bands b = s->plan->seen.bands;
	for (unsigned i = 0; n && i < b.bands; i++)
		keys[i] = ds_bands_key(b, s->sig, i);
}

static void add_simhash(signer *s, ds_simhash all[DS_SIMHASH_WORDS], uint64_t *x, size_t n)
{
	mix64(x, n, s->label);
	ds_simhash_add(&all[0], x, n);
	if (s->plan->seen.bits == 64)
		return;
	for (size_t i = 0; i < n; i++)
		x[i] = ds_simhash_other(x[i]);
	ds_simhash_add(&all[1], x, n);
}

static void sign_simhash(signer *s, ds_seen_item *it, uint64_t *keys, ds_str text, ds_arena *mem)
{
	uint64_t x[DS_NGRAM_BATCH], fingerprint[DS_SIMHASH_WORDS];
	unsigned words = s->plan->seen.bits / 64;
	size_t n;
	ds_simhash all[DS_SIMHASH_WORDS] = { 0 };
	while ((n = ds_ngram_next64(s->shingles, x)))
		add_simhash(s, all, x, n);
	if (!all[0].n && (x[0] = short_shingle(s, text, mem)))
		add_simhash(s, all, x, 1);
	if (!all[0].n)
		return;
	for (unsigned w = 0; w < words; w++) {
		fingerprint[w] = ds_simhash_finish(&all[w]);
		const uint32_t halves[2] = { (uint32_t)fingerprint[w],
			(uint32_t)(fingerprint[w] >> 32) };
		ds_buf_add(&s->sketches, halves, sizeof(halves));
	}
	it->n_sketch = 2 * words;
	ds_simhash_keys(fingerprint, words, s->plan->seen.distance, keys);
}

static void sign_near(signer *s, ds_seen_item *it, ds_str text, ds_arena *mem)
{
	uint64_t *keys =
		(uint64_t *)(void *)ds_arena_get(mem, s->plan->seen.bands.bands * sizeof(*keys));
	it->bands = keys;
	ds_ngram_start(s->shingles, text);
	if (s->plan->seen.simhash)
		sign_simhash(s, it, keys, text, mem);
	else
		sign_minhash(s, it, keys, text, mem);
}

static void more_items(signer *s, ds_arena *mem)
{
	signed_block *o = &s->out;
	s->items_cap = s->items_cap ? 2 * s->items_cap : 1024;
	ds_seen_item *items = ds_arena_get(mem, s->items_cap * sizeof(*items));
	ds_str *texts = ds_arena_get(mem, s->items_cap * sizeof(*texts));
	if (o->n_items) {
		memcpy(items, o->items, o->n_items * sizeof(*items));
		memcpy(texts, o->texts, o->n_items * sizeof(*texts));
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

/* A value as text: 1 of any type and "1" are one label. */
static ds_rc label_text(ds_block *b, const ds_col *col, uint32_t row, ds_str *out, ds_err *e)
{
	bool has;
	char number[40];
	switch (col->type) {
	case DS_T_I64:
		*out = ds_arena_fmt(b->mem, "%lld", (long long)ds_col_i64(col, row));
		return DS_OK;
	case DS_T_F64:
		*out = ds_arena_str(
			b->mem, (ds_str){ number, ds_f64_print(number, ds_col_f64(col, row)) });
		if (ds_str_ends(*out, DS_S(".0")))
			out->n -= 2;
		return DS_OK;
	case DS_T_BOOL:
		*out = ds_str_of(ds_col_bool(col, row) ? "true" : "false");
		return DS_OK;
	case DS_T_JSON:
		*out = ds_str_trim(ds_col_bytes(col, row));
		return out->n && out->at[0] == '"' ? ds_block_text(b, col, row, out, &has, e)
						   : DS_OK;
	case DS_T_UTF8:
	case DS_T_BYTES:
		*out = ds_col_bytes(col, row);
		return DS_OK;
	default:
		return ds_fail(e, DS_BAD, "field 'label' is %s, wanted a string or a number",
			ds_type_name(col->type));
	}
}

static ds_rc read_label(signer *s, ds_block *b, const ds_col *col, uint32_t row, ds_err *e)
{
	ds_str text;
	s->label = 0;
	if (!col || !ds_col_has(col, row) || ds_col_null(col, row))
		return DS_OK;
	DS_TRY(label_text(b, col, row, &text, e));
	s->label = ds_hash64(text.at, text.n) | UINT64_C(0x100000001);
	return DS_OK;
}

/* Pieces are cut out of each text where it stands, so they are of one text alone. */
static ds_rc add_parts(signer *s, row_items *r, ds_arena *mem, ds_err *e)
{
	for (size_t i = 0; i < r->n_parts; i++) {
		if (s->plan->scope == SCOPE_SPAN)
			DS_TRY(add_spans(s, r->parts[i].text, mem, e));
		else
			add_pieces(s, r->parts[i].text, mem);
	}
	return DS_OK;
}

static ds_rc sign_row(signer *s, ds_work *w, ds_texts *t, uint32_t row, ds_err *e)
{
	signed_block *o = &s->out;
	ds_str text;
	bool has;
	ds_rc rc = ds_texts_get(t, row, &text, &has, e);
	if (rc != DS_OK) {
		ds_err why = *e;
		return ds_work_bad(w, t->b, row, e, "%s", why.msg);
	}
	row_items *r = &o->rows[o->n_rows++];
	*r = (row_items){ .first = o->n_items };
	if (has && s->evil && against_hits(s->evil, text)) {
		r->contaminated = true;
	} else if (has && s->plan->scope == SCOPE_TEXT) {
		add_item(s, text, ds_work_mem(w));
	} else if (has) {
		DS_TRY(ds_texts_parts(t, row, &r->parts, &r->n_parts, e));
		DS_TRY(add_parts(s, r, ds_work_mem(w), e));
	}
	r->n = o->n_items - r->first;
	return DS_OK;
}

ds_rc signer_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	signer *s = ds_work_scratch(w);
	ds_arena *mem = ds_work_mem(w);
	signed_block *o = &s->out;
	*o = (signed_block){ .rows = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*o->rows)) };
	s->items_cap = 0;
	ds_buf_clear(&s->sketches);
	ds_texts t;
	const ds_col *label = NULL;
	DS_TRY(ds_work_texts(w, &t, e));
	if (s->plan->seen.labels)
		DS_TRY(ds_block_get(b, "label", &label, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		DS_TRY(read_label(s, b, label, row, e));
		DS_TRY(sign_row(s, w, &t, row, e));
	}
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
