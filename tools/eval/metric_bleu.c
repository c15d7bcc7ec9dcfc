/*
 * metric_bleu.c - corpus BLEU as sacreBLEU 2.6 computes it
 *
 * Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002; "exp"
 * smoothing; n-grams to order 4; several references by the greatest count and the closest length (the
 * shorter one on a tie). `pred` against `ref` (a string or an array of strings).
 *
 * An n-gram is the XXH3-64 of its tokens' hashes, so counting is a sort of 64-bit numbers.
 */
#include "metric.h"
#include "tok_bleu.h"

#include "base/hash.h"
#include "base/mem.h"
#include "record/json.h"

#include <math.h>
#include <stdlib.h>

enum { ORDER = 4 };

typedef struct {
	uint64_t hyp_len, ref_len, correct[ORDER], total[ORDER];
	uint64_t min_refs, max_refs;
} part;

typedef struct {
	uint64_t *at; /* hashes of the n-grams, sorted */
	size_t n;
} grams;

static ds_rc open_bleu(void **state, const metric_args *a, ds_err *e)
{
	bleu_tok t = bleu_tok_find(a->variant);
	if (t == TOK_BAD)
		return ds_fail(
			e, DS_USAGE, "bleu has no tokenizer '%s': 13a, zh, char, none", a->variant);
	*state = DS_NEW(bleu_tok, 1);
	*(bleu_tok *)*state = t;
	return DS_OK;
}

static void *part_new(void *state)
{
	part *p = DS_NEW(part, 1);
	p->min_refs = UINT64_MAX;
	return p;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static uint64_t *hash_tokens(bleu_tok t, ds_str text, ds_arena *mem, size_t *n)
{
	ds_str *tokens;
	bleu_tok_run(t, text, mem, &tokens, n);
	uint64_t *h = ds_arena_get(mem, (*n + 1) * sizeof(*h));
	for (size_t i = 0; i < *n; i++)
		h[i] = ds_hash64(tokens[i].at, tokens[i].n);
	return h;
}

static grams grams_of(const uint64_t *tokens, size_t n, int order, ds_arena *mem)
{
	grams g = { NULL, n >= (size_t)order ? n - (size_t)order + 1 : 0 };
	g.at = ds_arena_get(mem, (g.n + 1) * sizeof(*g.at));
	for (size_t i = 0; i < g.n; i++)
		g.at[i] = ds_hash64(tokens + i, (size_t)order * sizeof(*tokens));
	qsort(g.at, g.n, sizeof(*g.at), by_value);
	return g;
}

/* How often x stands in g from *at on, which moves past it. */
static size_t take(const grams *g, size_t *at, uint64_t x)
{
	while (*at < g->n && g->at[*at] < x)
		(*at)++;
	size_t from = *at;
	while (*at < g->n && g->at[*at] == x)
		(*at)++;
	return *at - from;
}

static uint64_t matches(const grams *hyp, const grams *refs, size_t n_refs, ds_arena *mem)
{
	size_t *at = ds_arena_zero(mem, (n_refs + 1) * sizeof(*at)), pos = 0;
	uint64_t sum = 0;
	while (pos < hyp->n) {
		uint64_t x = hyp->at[pos];
		size_t most = 0, mine = take(hyp, &pos, x);
		for (size_t r = 0; r < n_refs; r++) {
			size_t k = take(&refs[r], &at[r], x);
			most = k > most ? k : most;
		}
		sum += mine < most ? mine : most;
	}
	return sum;
}

static ds_rc refs_of(ds_block *b, uint32_t row, ds_arena *mem, ds_str **refs, size_t *n, ds_err *e)
{
	const ds_col *c = ds_block_find(b, "ref");
	const ds_json *v;
	bool has = false;
	if (c && c->type == DS_T_JSON && ds_col_has(c, row) && !ds_col_null(c, row)) {
		DS_TRY(ds_json_parse(&v, mem, ds_col_bytes(c, row), e));
		if (v->kind == DS_J_ARR) {
			*refs = ds_arena_get(mem, (v->n + 1) * sizeof(**refs));
			for (*n = 0; *n < v->n; (*n)++) {
				if (v->items[*n]->kind != DS_J_STR)
					return ds_fail(e, DS_BAD,
						"record %llu: field 'ref' holds something else "
						"than strings",
						(unsigned long long)ds_block_record(b, row));
				(*refs)[*n] = v->items[*n]->s;
			}
			return DS_OK;
		}
	}
	*refs = ds_arena_get(mem, sizeof(**refs));
	*n = 1;
	if (c)
		DS_TRY(ds_block_text(b, c, row, *refs, &has, e));
	return has ? DS_OK
		   : ds_fail(e, DS_BAD, "record %llu has no field 'ref'",
			     (unsigned long long)ds_block_record(b, row));
}

static void add_row(
	part *p, bleu_tok t, ds_str pred, const ds_str *refs, size_t n_refs, ds_arena *mem)
{
	size_t n, *lens = ds_arena_get(mem, (n_refs + 1) * sizeof(*lens)), closest = 0;
	uint64_t *hyp = hash_tokens(t, pred, mem, &n);
	uint64_t **toks = ds_arena_get(mem, (n_refs + 1) * sizeof(*toks));
	for (size_t r = 0; r < n_refs; r++) {
		toks[r] = hash_tokens(t, refs[r], mem, &lens[r]);
		size_t d = lens[r] > n ? lens[r] - n : n - lens[r];
		size_t best = lens[closest] > n ? lens[closest] - n : n - lens[closest];
		if (d < best || (d == best && lens[r] < lens[closest]))
			closest = r;
	}
	p->hyp_len += n;
	p->ref_len += n_refs ? lens[closest] : 0;
	p->min_refs = n_refs < p->min_refs ? n_refs : p->min_refs;
	p->max_refs = n_refs > p->max_refs ? n_refs : p->max_refs;
	grams *g = ds_arena_get(mem, (n_refs + 1) * sizeof(*g));
	for (int o = 0; o < ORDER; o++) {
		grams mine = grams_of(hyp, n, o + 1, mem);
		for (size_t r = 0; r < n_refs; r++)
			g[r] = grams_of(toks[r], lens[r], o + 1, mem);
		p->total[o] += mine.n;
		p->correct[o] += matches(&mine, g, n_refs, mem);
	}
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	const ds_col *pred = ds_block_find(b, "pred");
	for (uint32_t i = from; i < to; i++) {
		ds_str text, *refs;
		size_t n_refs;
		bool has = false;
		if (pred)
			DS_TRY(ds_block_text(b, pred, i, &text, &has, e));
		if (!has)
			return ds_fail(e, DS_BAD, "record %llu has no field 'pred'",
				(unsigned long long)ds_block_record(b, i));
		DS_TRY(refs_of(b, i, mem, &refs, &n_refs, e));
		add_row(p, *(bleu_tok *)state, text, refs, n_refs, mem);
	}
	return DS_OK;
}

static ds_rc merge(void *state, void *into, void *from, ds_err *e)
{
	part *a = into, *b = from;
	a->hyp_len += b->hyp_len;
	a->ref_len += b->ref_len;
	a->min_refs = b->min_refs < a->min_refs ? b->min_refs : a->min_refs;
	a->max_refs = b->max_refs > a->max_refs ? b->max_refs : a->max_refs;
	for (int o = 0; o < ORDER; o++) {
		a->correct[o] += b->correct[o];
		a->total[o] += b->total[o];
	}
	return DS_OK;
}

/* Precisions in percent with "exp" smoothing; the reference stops at the first order without n-grams. */
static double score_of(const part *p, double precision[ORDER], double *brevity)
{
	double sum = 0, smooth = 1;
	bool any = false;
	*brevity = p->hyp_len >= p->ref_len ? 1
		   : p->hyp_len             ? exp(1 - (double)p->ref_len / (double)p->hyp_len)
					    : 0;
	for (int o = 0; o < ORDER; o++)
		any = any || p->correct[o];
	for (int o = 0; o < ORDER && p->total[o]; o++) {
		if (!p->correct[o])
			smooth *= 2;
		precision[o] = p->correct[o] ? 100.0 * (double)p->correct[o] / (double)p->total[o]
					     : 100.0 / (smooth * (double)p->total[o]);
	}
	if (!any)
		return 0;
	for (int o = 0; o < ORDER; o++)
		sum += precision[o] > 0 ? log(precision[o]) : -9999999999.0;
	return *brevity * exp(sum / ORDER);
}

static ds_rc compute(void *state, void *part_, metric_result *out, ds_err *e)
{
	const part *p = part_;
	double precision[ORDER] = { 0 }, brevity;
	if (p->min_refs == UINT64_MAX)
		return ds_fail(e, DS_BAD, "bleu: there are no records");
	out->score = score_of(p, precision, &brevity);
	if (p->min_refs == p->max_refs)
		ds_buf_fmt(&out->signature, "nrefs:%llu", (unsigned long long)p->max_refs);
	else
		ds_buf_add_c(&out->signature, "nrefs:var");
	ds_buf_fmt(&out->signature, "|case:mixed|eff:no|tok:%s|smooth:exp|version:dstools-%s",
		bleu_tok_name(*(bleu_tok *)state), DS_VERSION);
	ds_buf_fmt(&out->detail,
		"%.1f/%.1f/%.1f/%.1f (BP = %.3f ratio = %.3f hyp_len = %llu ref_len = %llu)",
		precision[0], precision[1], precision[2], precision[3], brevity,
		p->ref_len ? (double)p->hyp_len / (double)p->ref_len : 0,
		(unsigned long long)p->hyp_len, (unsigned long long)p->ref_len);
	return DS_OK;
}

const metric metric_bleu = {
	.name = "bleu",
	.help = "corpus BLEU of pred against ref; :13a :zh :char :none name the tokenizer",
	.fields = { "pred", "ref" },
	.open = open_bleu,
	.close = ds_mem_free,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.update = update,
	.merge = merge,
	.compute = compute,
};
