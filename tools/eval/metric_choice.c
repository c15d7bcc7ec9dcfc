/*
 * metric_choice.c - multiple choice by log likelihood: the choice that the model finds most probable after the text
 *
 * A record has the text, `choices` (an array of texts) and `label` (the right one's number from 0, or the choice itself).
 * Tokens are made as lm-evaluation-harness makes them: those of text and choice together, of which the choice has what
 * follows the text's own; white space at the text's end belongs to the choice, and where there is none, one space is
 * put between. :norm divides by a choice's characters, :bytes by its bytes.
 */
#include "lm.h"
#include "tok_bleu.h"
#include "value.h"

#include "base/mem.h"
#include "json/json.h"

#include <math.h>

typedef enum { SUM, NORM, BYTES } kind;
typedef struct {
	lm *l;
	kind kind;
} asked;

typedef struct {
	uint64_t n, right;
} part;

typedef struct { /* one choice */
	ds_str text;
	uint32_t *ids;
	size_t n, first;
	lm_sum sum;
} choice;

typedef struct { /* a record */
	choice *at;
	size_t n, label;
} question;

static void close_choice(void *state)
{
	asked *a = state;
	if (a)
		lm_close(a->l);
	ds_mem_free(a);
}

static ds_rc open_choice(void **state, metric_args *args, ds_err *e)
{
	asked *a = DS_NEW(asked, 1);
	const char *rest = args->variant;
	ds_str word, value;
	*state = a;
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "norm"))
			a->kind = NORM;
		else if (ds_str_is(word, "bytes"))
			a->kind = BYTES;
		else
			return metric_no_word("choice", word, "norm, bytes", e);
	}
	return lm_open(&a->l, "choice", args, e);
}

static ds_rc meet(void *state, const ds_opt *opts, size_t n, ds_err *e)
{
	return lm_meet(((asked *)state)->l, opts, n, e);
}

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

static ds_rc read_choices(question *q, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	const ds_col *c = ds_block_find(b, "choices");
	const ds_json *list;
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row) || c->type != DS_T_JSON)
		return value_lacks(b, row, "choices", NULL, e);
	DS_TRY(ds_json_parse(&list, mem, ds_col_bytes(c, row), e));
	if (list->kind != DS_J_ARR || list->n < 2)
		return ds_fail(e, DS_BAD, "choices is no array of two texts or more");
	q->n = list->n;
	q->at = ds_arena_zero(mem, list->n * sizeof(*q->at));
	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i]->kind != DS_J_STR || !list->items[i]->s.n)
			return ds_fail(e, DS_BAD, "choice %zu is no text", i);
		q->at[i].text = list->items[i]->s;
	}
	return DS_OK;
}

static ds_rc read_label(question *q, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	ds_str label;
	int64_t number;
	DS_TRY(value_class(&label, b, row, "label", mem, e));
	for (q->label = 0; q->label < q->n; q->label++)
		if (ds_str_eq(label, q->at[q->label].text))
			return DS_OK;
	if (!ds_str_i64(label, &number) || number < 0 || (size_t)number >= q->n)
		return ds_fail(
			e, DS_BAD, "label '%.*s' is none of the %zu choices", DS_FMT(label), q->n);
	q->label = (size_t)number;
	return DS_OK;
}

static ds_str without_blanks(ds_str s)
{
	size_t end = 0;
	for (size_t i = 0, len; i < s.n; i += len)
		if (!bleu_space(bleu_point(s.at + i, s.n - i, &len)))
			end = i + len;
	return (ds_str){ s.at, end };
}

/* Ids of text and choice; the choice's are those from first on. */
static ds_rc encode(asked *a, ds_str text, choice *c, ds_arena *mem, ds_err *e)
{
	const uint32_t *ids;
	size_t n_text, most = (size_t)lm_seq(a->l) + 1;
	ds_str before = without_blanks(text), blanks = { text.at + before.n, text.n - before.n };
	size_t len;
	bool apart = blanks.n || !before.n || bleu_space(bleu_point(c->text.at, c->text.n, &len));
	ds_str parts[] = { before, blanks, apart ? DS_S("") : DS_S(" "), c->text };
	ds_str whole = ds_arena_cat(mem, parts, 4);
	DS_TRY(lm_encode(a->l, before, &ids, &n_text, e));
	DS_TRY(lm_encode(a->l, whole, &ids, &c->n, e));
	bool starts = n_text == 0;
	if (starts && lm_start(a->l) == (uint32_t)DS_TOK_NONE)
		return ds_fail(e, DS_BAD, "an empty text, and the model has no bos token");
	c->ids = ds_arena_get(mem, (c->n + 1) * sizeof(*c->ids));
	if (starts)
		c->ids[0] = lm_start(a->l);
	memcpy(c->ids + starts, ids, c->n * sizeof(*ids));
	c->n += starts;
	c->first = starts ? 1 : n_text;
	if (c->first >= c->n)
		return ds_fail(
			e, DS_BAD, "choice '%.*s' adds no token to the text", DS_FMT(c->text));
	if (c->n > most) { /* what is too long loses its beginning */
		size_t cut = c->n - most;
		c->ids += cut;
		c->n -= cut;
		c->first = c->first > cut ? c->first - cut : 1;
	}
	return DS_OK;
}

static ds_rc read_question(
	asked *a, question *q, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	ds_texts texts;
	ds_str text;
	bool has;
	DS_TRY(read_choices(q, b, row, mem, e));
	DS_TRY(read_label(q, b, row, mem, e));
	DS_TRY(ds_texts_open(&texts, lm_field(a->l), b, NULL, e));
	DS_TRY(ds_texts_get(&texts, row, &text, &has, e));
	if (!has)
		return value_lacks(b, row, ds_field_name(lm_field(a->l)), "--field", e);
	for (size_t i = 0; i < q->n; i++)
		DS_TRY(encode(a, text, &q->at[i], mem, e));
	return DS_OK;
}

static uint64_t characters(ds_str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((uint8_t)s.at[i] & 0xC0) != 0x80;
	return n;
}

/* The first of the most probable. */
static size_t chosen(const asked *a, const question *q)
{
	size_t best = 0;
	double most = -INFINITY;
	for (size_t i = 0; i < q->n; i++) {
		const choice *c = &q->at[i];
		double length = a->kind == SUM    ? 1
				: a->kind == NORM ? (double)characters(c->text)
						  : (double)c->text.n;
		if (-c->sum.nats / length > most) {
			most = -c->sum.nats / length;
			best = i;
		}
	}
	return best;
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	asked *a = state;
	part *sum = p;
	size_t longest = 1;
	question *qs = ds_arena_zero(mem, (to - from + 1) * sizeof(*qs));
	for (uint32_t i = from; i < to; i++) {
		question *q = &qs[i - from];
		DS_TRY_AT(read_question(a, q, b, i, mem, e), e, "record %llu",
			(unsigned long long)ds_block_record(b, i));
		for (size_t k = 0; k < q->n; k++)
			longest = q->at[k].n > longest ? q->at[k].n : longest;
	}
	DS_TRY(lm_fit(a->l, longest, e));
	for (question *q = qs; q < qs + (to - from); q++)
		for (size_t k = 0; k < q->n; k++)
			DS_TRY(lm_add(a->l, q->at[k].ids, q->at[k].n, q->at[k].first,
				(ds_str){ NULL, 0 }, &q->at[k].sum, e));
	DS_TRY(lm_flush(a->l, e));
	for (question *q = qs; q < qs + (to - from); q++) {
		for (size_t k = 0; k < q->n; k++)
			if (!isfinite(q->at[k].sum.nats))
				return ds_fail(e, DS_BAD, "%s: a loss is not finite",
					ds_model_dir(lm_model(a->l)));
		sum->n++;
		sum->right += chosen(a, q) == q->label;
	}
	return DS_OK;
}

static ds_rc compute(void *state, void *p, metric_result *out, ds_err *e)
{
	static const char *const by[] = { "none", "characters", "bytes" };
	const part *t = p;
	const asked *a = state;
	if (!t->n)
		return ds_fail(e, DS_BAD, "there are no records");
	out->score = (double)t->right / (double)t->n;
	ds_buf_fmt(&out->detail, "%llu of %llu right, standard error %.4f",
		(unsigned long long)t->right, (unsigned long long)t->n,
		t->n > 1 ? sqrt(out->score * (1 - out->score) / (double)(t->n - 1)) : 0);
	ds_buf_fmt(&out->signature, "length:%s", by[a->kind]);
	return DS_OK;
}

const metric metric_choice = {
	.name = "choice",
	.help = "share of records whose label the model -m DIR finds the best of choices; :norm, "
		":bytes",
	.fields = { "choices", "label" },
	.serial = true,
	.open = open_choice,
	.close = close_choice,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.meet = meet,
	.update = update,
	.compute = compute,
};
