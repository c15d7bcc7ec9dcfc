/*
 * metric_ppl.c - perplexity of a model: exp of the mean negative log likelihood of all targets
 *
 * Every record is a sequence of its own; one longer than the context (--seq, else the model's own, at most
 * 1024) is cut into windows that share one token, so each token but a record's first is a target
 * once; with --stride windows overlap, and a token is predicted where it first has most context. A target whose mask is 0
 * does not count.
 *
 * The same sum over all words (what white space parts) or bytes of the texts is the perplexity of a word or a byte, which
 * models with different tokenizers can be compared by; :bos puts the model's bos (else eos) before each record, so
 * that its first token counts too, as lm-evaluation-harness has it.
 */
#include "lm.h"
#include "tok_bleu.h"
#include "value.h"

#include "base/mem.h"
#include "json/json.h"

#include <math.h>

enum { BY_TOKEN, BY_WORD, BY_BYTE, BITS_PER_BYTE };

typedef struct {
	lm *l;
	int per;
	bool bos;
	ds_buf text;
} ppl;

typedef struct {
	lm_sum sum;
	uint64_t words, bytes;
	bool partial; /* a record without text, or with a mask: words and bytes are not those of the targets */
} part;

static void close_ppl(void *state)
{
	ppl *p = state;
	if (!p)
		return;
	lm_close(p->l);
	ds_buf_free(&p->text);
	ds_mem_free(p);
}

static ds_rc open_ppl(void **state, metric_args *a, ds_err *e)
{
	static const char *const names[] = { "token", "word", "byte", "bits" };
	ppl *p = DS_NEW(ppl, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = p;
	while (metric_word(&rest, &word, &value)) {
		bool known = ds_str_is(word, "bos");
		p->bos = p->bos || known;
		for (int i = 0; i < 4; i++)
			if (ds_str_is(word, names[i])) {
				p->per = i;
				known = true;
			}
		if (!known)
			return metric_no_word("ppl", word, "token, word, byte, bits, bos", e);
	}
	DS_TRY(lm_open(&p->l, "ppl", a, e));
	if (p->bos && lm_start(p->l) == (uint32_t)DS_TOK_NONE)
		return ds_fail(e, DS_USAGE, "ppl:bos: the model has neither bos nor eos");
	return DS_OK;
}

static ds_rc meet(void *state, const ds_opt *opts, size_t n, ds_err *e)
{
	return lm_meet(((ppl *)state)->l, opts, n, e);
}

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

/* As len(re.split(r"\s+", text)): one more than runs of white space. */
static uint64_t count_words(ds_str s)
{
	uint64_t n = 1;
	bool in_space = false;
	for (size_t i = 0, len; i < s.n; i += len) {
		bool space = bleu_space(bleu_point(s.at + i, s.n - i, &len));
		n += space && !in_space;
		in_space = space;
	}
	return n;
}

/* The record's text, or what its ids stand for. */
static ds_rc text_of(ppl *p, ds_block *b, uint32_t row, const uint32_t *ids, size_t n, ds_str *text,
	bool *has, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(lm_model(p->l));
	ds_texts texts;
	DS_TRY(ds_texts_open(&texts, lm_field(p->l), b, NULL, e));
	DS_TRY(ds_texts_get(&texts, row, text, has, e));
	if (*has || !ids || !tok)
		return DS_OK;
	ds_buf_clear(&p->text);
	DS_TRY(ds_tok_decode(tok, ids, n, true, &p->text, e));
	*text = ds_buf_view(&p->text);
	*has = true;
	return DS_OK;
}

static ds_rc add_row(ppl *p, part *to, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	const ds_col *tokens = ds_block_find(b, "tokens"), *mask = ds_block_find(b, "mask");
	const uint32_t *ids = NULL;
	size_t n = 0;
	bool has = false, has_text;
	ds_str text, m = { NULL, 0 };
	if (tokens)
		DS_TRY(ds_block_ids(b, tokens, row, &ids, &n, &has, e));
	DS_TRY(text_of(p, b, row, has ? ids : NULL, n, &text, &has_text, e));
	if (!has && !has_text)
		return value_lacks(b, row, ds_field_name(lm_field(p->l)), "--field", e);
	if (!has)
		DS_TRY(lm_encode(p->l, text, &ids, &n, e));
	if (mask && mask->type == DS_T_BYTES && ds_col_has(mask, row))
		m = ds_col_bytes(mask, row);
	to->partial = to->partial || m.n || !has_text;
	if (has_text) {
		to->words += count_words(text);
		to->bytes += text.n;
	}
	if (p->bos) {
		uint32_t *all = ds_arena_get(mem, (n + 1) * sizeof(*all));
		all[0] = lm_start(p->l);
		memcpy(all + 1, ids, n * sizeof(*all));
		ids = all;
		n++;
		if (m.n) {
			char *shifted = ds_arena_bytes(mem, m.n + 1);
			shifted[0] = 0;
			memcpy(shifted + 1, m.at, m.n);
			m = (ds_str){ shifted, m.n + 1 };
		}
	}
	DS_TRY_AT(lm_add(p->l, ids, n, 1, m, &to->sum, e), e, "record %llu",
		(unsigned long long)ds_block_record(b, row));
	return DS_OK;
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	for (uint32_t i = from; i < to; i++)
		DS_TRY(add_row(state, p, b, i, mem, e));
	return DS_OK;
}

static void add_number(ds_buf *out, const char *key, double v)
{
	char number[32];
	ds_buf_fmt(out, ",\"%s\":", key);
	ds_buf_add(out, number, ds_f64_print(number, v));
}

static void details(const ppl *p, const part *t, metric_result *out)
{
	double nats = t->sum.nats;
	ds_buf_fmt(&out->detail, "%llu token%s, %.4f nats a token",
		(unsigned long long)t->sum.targets, ds_s(t->sum.targets),
		nats / (double)t->sum.targets);
	ds_buf_fmt(&out->matrix, "{\"tokens\":%llu", (unsigned long long)t->sum.targets);
	add_number(&out->matrix, "nats", nats);
	if (!t->partial && t->bytes) {
		double bits = nats / (double)t->bytes / M_LN2;
		ds_buf_fmt(&out->detail, ", %.4f bits a byte", bits);
		ds_buf_fmt(&out->matrix, ",\"words\":%llu,\"bytes\":%llu",
			(unsigned long long)t->words, (unsigned long long)t->bytes);
		add_number(&out->matrix, "word_perplexity", exp(nats / (double)t->words));
		add_number(&out->matrix, "byte_perplexity", exp(nats / (double)t->bytes));
		add_number(&out->matrix, "bits_per_byte", bits);
	}
	ds_buf_add_byte(&out->matrix, '}');
	ds_buf_fmt(&out->signature, "window:%lld", (long long)lm_seq(p->l));
	if (lm_stride(p->l) != lm_seq(p->l))
		ds_buf_fmt(&out->signature, "|stride:%lld", (long long)lm_stride(p->l));
	if (p->bos)
		ds_buf_add_c(&out->signature, "|bos:yes");
}

static ds_rc compute(void *state, void *part_, metric_result *out, ds_err *e)
{
	ppl *p = state;
	part *t = part_;
	DS_TRY(lm_flush(p->l, e));
	if (t->sum.targets == 0)
		return ds_fail(e, DS_BAD, "ppl: there are no tokens to predict");
	if (!isfinite(t->sum.nats))
		return ds_fail(
			e, DS_BAD, "%s: the loss is not finite", ds_model_dir(lm_model(p->l)));
	if (p->per != BY_TOKEN && (t->partial || !t->bytes))
		return ds_fail(e, DS_BAD,
			"ppl: words and bytes are known where all records have a text and none a "
			"mask");
	double units = p->per == BY_TOKEN  ? (double)t->sum.targets
		       : p->per == BY_WORD ? (double)t->words
					   : (double)t->bytes;
	out->score =
		p->per == BITS_PER_BYTE ? t->sum.nats / units / M_LN2 : exp(t->sum.nats / units);
	details(p, t, out);
	return DS_OK;
}

const metric metric_ppl = {
	.name = "ppl",
	.help = "perplexity of the model -m DIR over all targets; :word, :byte, :bits a byte, :bos",
	.fields = { "tokens", "mask" },
	.serial = true,
	.open = open_ppl,
	.close = close_ppl,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.meet = meet,
	.update = update,
	.compute = compute,
};
