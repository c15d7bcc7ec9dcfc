/*
 * predict.c - records as sequences, and logits as fields
 *
 * Sequences are made as dstrain makes them: a text with the tokenizer's own special tokens, words one by one between
 * CLS and SEP, of which the first token speaks for the word; what is too long is cut, its last special token kept.
 * Where a token classifier gets a text, its words are runs without white space, punctuation and ideographs each alone.
 */
#include "infer/predict.h"

#include "base/mem.h"
#include "json/json.h"
#include "text/utf8.h"

#include <math.h>

struct ds_predictor {
	const ds_model *m;
	const ds_config *c;
	ds_device *device;
	ds_tok_scratch *scratch; /* NULL: the model has no tokenizer */
	int64_t batch;
	ds_precision precision;
	ds_encoder *d;
	bool any_tok, logits;
};

typedef struct {
	ds_str text;
	uint32_t from, to; /* of a text: characters */
} word;

typedef struct {         /* a record */
	const char *why; /* nothing can be said of it; NULL: it can */
	ds_encoding s;
	ds_str text;
	bool has_text, own_words; /* the words are the record's */
	word *words;
	uint32_t *first; /* the token of each word */
	size_t n_words;
	size_t n_masks; /* of the picks; with p->logits the last token is one more */
} item;

ds_rc ds_predict_meet(const ds_predictor *p, const ds_opt *opts, size_t n, size_t *seen, ds_err *e)
{
	return p->any_tok ? DS_OK : ds_model_meet(p->m, opts, n, seen, e);
}

void ds_predict_any_tokenizer(ds_predictor *p)
{
	p->any_tok = true;
}

void ds_predict_logits(ds_predictor *p)
{
	p->logits = true;
}

ds_rc ds_predictor_open(ds_predictor **out, const ds_model *m, ds_device *device, int64_t batch,
	ds_precision precision, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	if (!(c->arch->traits & DS_ARCH_ENCODER))
		return ds_fail(e, DS_USAGE, "%s: a %s continues texts and has no labels",
			ds_model_dir(m), c->arch->name);
	if (c->head == DS_HEAD_NONE)
		return ds_fail(e, DS_USAGE, "%s: a %s without a head: --embed is what it can do",
			ds_model_dir(m), c->arch->name);
	ds_predictor *p = DS_NEW(ds_predictor, 1);
	*p = (ds_predictor){
		.m = m, .c = c, .device = device, .batch = batch, .precision = precision
	};
	if (ds_model_tok(m))
		p->scratch = ds_tok_scratch_new(ds_model_tok(m));
	*out = p;
	return DS_OK;
}

void ds_predictor_close(ds_predictor *p)
{
	if (!p)
		return;
	ds_encoder_close(p->d);
	ds_tok_scratch_free(p->scratch);
	ds_mem_free(p);
}

/* ---- sequences ---- */

typedef struct {
	uint32_t *at;
	size_t n, cap;
	ds_arena *mem;
} id_list;

static void add_ids(id_list *l, const uint32_t *ids, size_t n)
{
	if (l->n + n > l->cap) {
		size_t cap = 2 * (l->n + n) + 64;
		uint32_t *at = ds_arena_get(l->mem, cap * sizeof(*at));
		if (l->n)
			memcpy(at, l->at, l->n * sizeof(*at));
		l->at = at;
		l->cap = cap;
	}
	if (n)
		memcpy(l->at + l->n, ids, n * sizeof(*ids));
	l->n += n;
}

static void add_special(ds_predictor *p, id_list *l, ds_tok_special_kind kind)
{
	uint32_t id = ds_tok_special(ds_model_tok(p->m), kind);
	if (id != (uint32_t)DS_TOK_NONE)
		add_ids(l, &id, 1);
}

static ds_rc encode_words(ds_predictor *p, item *it, ds_arena *mem, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(p->m);
	bool spaced = strcmp(ds_tok_model(tok), "bpe") == 0;
	id_list l = { .mem = mem };
	it->first = ds_arena_get(mem, (it->n_words + 1) * sizeof(*it->first));
	add_special(p, &l, DS_TOK_CLS);
	for (size_t i = 0; i < it->n_words; i++) {
		ds_str w = it->words[i].text;
		const uint32_t *ids;
		size_t n;
		if (i && spaced) {
			char *at = ds_arena_bytes(mem, w.n + 1);
			at[0] = ' ';
			memcpy(at + 1, w.at, w.n);
			w = (ds_str){ at, w.n + 1 };
		}
		DS_TRY(ds_tok_encode(tok, p->scratch, w, 0, &ids, &n, e));
		it->first[i] = n ? (uint32_t)l.n : UINT32_MAX;
		add_ids(&l, ids, n);
	}
	add_special(p, &l, DS_TOK_SEP);
	it->s.ids = l.at;
	it->s.n = l.n;
	return DS_OK;
}

static bool is_blank(uint32_t c)
{
	return c <= 0x20 || c == 0x85 || c == 0xA0 || c == 0x3000 || (c >= 0x2000 && c <= 0x200A) ||
	       c == 0x2028 || c == 0x2029;
}

/* Characters that are words of their own: ASCII and general punctuation, ideographs. */
static bool is_alone(uint32_t c)
{
	return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~') || (c >= 0x2010 && c <= 0x2027) ||
	       (c >= 0x3001 && c <= 0x303F) || (c >= 0x3400 && c <= 0x9FFF) ||
	       (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF01 && c <= 0xFF0F) ||
	       (c >= 0x20000 && c <= 0x3FFFF);
}

static void cut_words(item *it, ds_arena *mem)
{
	const uint8_t *at = (const uint8_t *)it->text.at, *end = at + it->text.n;
	bool open = false;
	it->words = ds_arena_get(mem, (it->text.n + 1) * sizeof(*it->words));
	for (uint32_t k = 0; at < end; k++) {
		uint32_t c = 0xFFFD;
		unsigned len = ds_utf8_get(at, end, &c);
		len = len ? len : 1;
		bool blank = is_blank(c), alone = is_alone(c);
		if (!blank && (!open || alone))
			it->words[it->n_words++] = (word){ { (const char *)at, 0 }, k, k };
		if (!blank) {
			word *w = &it->words[it->n_words - 1];
			w->text.n += len;
			w->to = k + 1;
		}
		open = !blank && !alone;
		at += len;
	}
}

/* words: ["a", "b"]; false: the record has no such field. */
static ds_rc own_words(ds_block *b, uint32_t row, item *it, ds_arena *mem, ds_err *e)
{
	const ds_col *c;
	const ds_json *list;
	DS_TRY(ds_block_get(b, "words", &c, e));
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row) || c->type != DS_T_JSON)
		return DS_OK;
	DS_TRY(ds_json_parse(&list, mem, ds_col_bytes(c, row), e));
	if (list->kind != DS_J_ARR)
		return DS_OK;
	it->own_words = true;
	it->words = ds_arena_get(mem, (list->n + 1) * sizeof(*it->words));
	for (const ds_json *w = list->first; w; w = w->next) {
		uint32_t i = (uint32_t)it->n_words;
		if (w->kind != DS_J_STR)
			it->why = "a word that is not a string";
		it->words[it->n_words++] = (word){ w->s, i, i + 1 };
	}
	return DS_OK;
}

/* The record's own ids; with them, a token is a word of its own. */
static ds_rc own_ids(ds_block *b, uint32_t row, item *it, ds_arena *mem, ds_err *e)
{
	const ds_col *c, *types;
	bool has = false;
	DS_TRY(ds_block_get(b, "tokens", &c, e));
	DS_TRY(ds_block_get(b, "types", &types, e));
	if (!c || (c->type != DS_T_U16S && c->type != DS_T_U32S))
		return DS_OK;
	const uint32_t *ids;
	DS_TRY(ds_block_ids(b, c, row, &ids, &it->s.n, &has, e));
	if (!has)
		return DS_OK;
	it->s.ids = memcpy(ds_arena_get(mem, (it->s.n + 1) * 4), ids, it->s.n * 4);
	if (types && types->type == DS_T_BYTES && ds_col_has(types, row)) {
		ds_str t = ds_col_bytes(types, row);
		it->s.types = (const uint8_t *)t.at;
		if (t.n != it->s.n)
			it->why = "types of another length than tokens";
	}
	return DS_OK;
}

static ds_rc encode_text(ds_predictor *p, item *it, ds_arena *mem, ds_err *e)
{
	const uint32_t *ids;
	unsigned masks = p->c->head == DS_HEAD_LM ? DS_TOK_SPECIALS : 0;
	DS_TRY(ds_tok_encode(ds_model_tok(p->m), p->scratch, it->text, DS_TOK_ADD_SPECIAL | masks,
		&ids, &it->s.n, e));
	it->s.ids = memcpy(ds_arena_get(mem, (it->s.n + 1) * 4), ids, it->s.n * 4);
	return DS_OK;
}

static void find_masks(ds_predictor *p, item *it, ds_arena *mem)
{
	const ds_tok *tok = ds_model_tok(p->m);
	uint32_t mask = tok ? ds_tok_special(tok, DS_TOK_MASK) : (uint32_t)DS_TOK_NONE;
	int32_t *picks = ds_arena_get(mem, (it->s.n + 2) * sizeof(*picks));
	for (size_t i = 0; i < it->s.n; i++)
		if (it->s.ids[i] == mask)
			picks[it->n_masks++] = (int32_t)i;
	it->s.picks = picks;
	it->s.n_picks = it->n_masks;
	if (p->logits)
		picks[it->s.n_picks++] = (int32_t)it->s.n - 1;
	else if (mask == (uint32_t)DS_TOK_NONE)
		it->why = "the model's tokenizer has no mask token";
	else if (!it->n_masks)
		it->why = "no mask token in it that could be filled";
}

static void check(ds_predictor *p, item *it)
{
	size_t most = (size_t)p->c->max_positions;
	if (it->s.n > most) {
		uint32_t *ids = (uint32_t *)it->s.ids, last = ids[it->s.n - 1];
		if (ds_model_tok(p->m) && ds_tok_is_special(ds_model_tok(p->m), last))
			ids[most - 1] = last;
		it->s.n = most;
	}
	for (size_t i = 0; i < it->s.n; i++)
		if (it->s.ids[i] >= p->c->vocab_size)
			it->why = "a token id that the model does not have";
	for (size_t i = 0; it->s.types && i < it->s.n; i++)
		if (it->s.types[i] >= p->c->type_vocab)
			it->why = "a type that the model does not have";
	if (!it->s.n)
		it->why = "an empty text";
}

static const char *lacking(const char *other, const ds_field *f, ds_arena *mem)
{
	return ds_arena_fmt(mem, "neither '%s' nor '%s'", other, ds_field_name(f)).at;
}

static ds_rc read_item(ds_predictor *p, ds_block *b, uint32_t row, ds_texts *texts, item *it,
	ds_arena *mem, ds_err *e)
{
	bool tags = p->c->head == DS_HEAD_TOKEN;
	if (tags)
		DS_TRY(own_words(b, row, it, mem, e));
	if (!it->own_words)
		DS_TRY(own_ids(b, row, it, mem, e));
	DS_TRY(ds_texts_get(texts, row, &it->text, &it->has_text, e));
	bool encodes = it->own_words || !it->s.ids;
	if (encodes && !it->own_words && !it->has_text)
		it->why = lacking(tags ? "words" : "tokens", texts->field, mem);
	else if (encodes && !p->scratch)
		it->why = "the model has no tokenizer, so only tokens can be read";
	if (it->why)
		return DS_OK;
	if (encodes && tags) {
		if (!it->own_words)
			cut_words(it, mem);
		DS_TRY(encode_words(p, it, mem, e));
	} else if (encodes) {
		DS_TRY(encode_text(p, it, mem, e));
	}
	check(p, it);
	if (p->c->head == DS_HEAD_LM && !it->why)
		find_masks(p, it, mem);
	return DS_OK;
}

/* ---- computing ---- */

static size_t rows_of(const ds_predictor *p, const item *it)
{
	return p->c->head == DS_HEAD_SEQ     ? 1
	       : p->c->head == DS_HEAD_TOKEN ? it->s.n
					     : it->s.n_picks;
}

/* An encoder with room for the longest and for the most masks. */
static ds_rc fit(ds_predictor *p, const item *items, uint32_t n, ds_err *e)
{
	int64_t seq = 1, picks = 1, most = p->c->max_positions;
	for (uint32_t i = 0; i < n; i++) {
		if (items[i].why)
			continue;
		seq = (int64_t)items[i].s.n > seq ? (int64_t)items[i].s.n : seq;
		picks = (int64_t)items[i].s.n_picks > picks ? (int64_t)items[i].s.n_picks : picks;
	}
	if (p->d && ds_encoder_seq(p->d) >= seq &&
		(p->c->head != DS_HEAD_LM || ds_encoder_picks(p->d) >= picks))
		return DS_OK;
	ds_encoder_close(p->d);
	seq = (seq + 31) / 32 * 32;
	ds_encoder_opts o = { .batch = p->batch,
		.seq = seq < most ? seq : most,
		.picks = picks,
		.precision = p->precision };
	return ds_encoder_open(&p->d, p->m, p->device, &o, e);
}

static ds_rc compute(ds_predictor *p, item *items, uint32_t n, ds_arena *mem, ds_err *e)
{
	ds_encoding *group = ds_arena_get(mem, (size_t)p->batch * sizeof(*group));
	uint32_t k = 0;
	for (uint32_t i = 0; i < n; i++) {
		item *it = &items[i];
		if (!it->why) {
			size_t floats = rows_of(p, it) * (size_t)ds_encoder_width(p->d);
			it->s.logits = ds_arena_get(mem, (floats + 1) * sizeof(float));
			group[k++] = it->s;
		}
		if (k == p->batch || (i + 1 == n && k)) {
			DS_TRY(ds_encoder_run(p->d, group, k, e));
			k = 0;
		}
	}
	return DS_OK;
}

/* In place: probabilities. The place of the greatest. */
static size_t softmax(float *v, size_t n)
{
	size_t best = 0;
	double sum = 0;
	for (size_t i = 1; i < n; i++)
		best = v[i] > v[best] ? i : best;
	double top = (double)v[best];
	for (size_t i = 0; i < n; i++)
		sum += exp((double)v[i] - top);
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(exp((double)v[i] - top) / sum);
	return best;
}

/* ---- fields ---- */

static void put_label(const ds_predictor *p, item *it, ds_colb *pred, ds_colb *score)
{
	size_t n = (size_t)p->c->n_labels, best = softmax(it->s.logits, n);
	ds_colb_bytes(pred, ds_str_of(p->c->labels[best]));
	ds_colb_list(score, it->s.logits, n);
}

typedef struct { /* words that one label covers */
	ds_str label;
	size_t from, to; /* words */
	double score;    /* the sum of theirs */
} span;

/* B-PER: begins PER; I-PER: goes on; O: nothing; without such a letter a label goes on while it is the same. */
static ds_str label_of(const char *name, bool *begins)
{
	static const char starts[] = "BSU", follows[] = "IEL";
	ds_str s = ds_str_of(name);
	*begins = false;
	if (ds_str_is(s, "O"))
		return DS_S("");
	if (s.n > 2 && (s.at[1] == '-' || s.at[1] == '_') &&
		(strchr(starts, s.at[0]) || strchr(follows, s.at[0]))) {
		*begins = strchr(starts, s.at[0]) != NULL;
		return (ds_str){ s.at + 2, s.n - 2 };
	}
	return s;
}

static void print_span(const item *it, const span *s, bool first, ds_buf *out)
{
	const word *a = &it->words[s->from], *z = &it->words[s->to - 1];
	char number[32];
	ds_buf_add_c(out, first ? "{\"label\":" : ",{\"label\":");
	ds_json_add_str(out, s->label);
	ds_buf_fmt(out, ",\"start\":%u,\"end\":%u,\"text\":", a->from, z->to);
	ds_buf text = { 0 };
	if (it->own_words)
		for (size_t i = s->from; i < s->to; i++) {
			ds_buf_add_c(&text, i > s->from ? " " : "");
			ds_buf_add_str(&text, it->words[i].text);
		}
	else
		ds_buf_add(&text, a->text.at, (size_t)(z->text.at + z->text.n - a->text.at));
	ds_json_add_str(out, ds_buf_view(&text));
	ds_buf_free(&text);
	ds_buf_add_c(out, ",\"score\":");
	ds_buf_add(
		out, number, ds_f32_print(number, (float)(s->score / (double)(s->to - s->from))));
	ds_buf_add_byte(out, '}');
}

/* Ids without words: each is one, by its number. */
static void ids_as_words(const ds_predictor *p, item *it, ds_arena *mem)
{
	const ds_tok *tok = ds_model_tok(p->m);
	it->own_words = true;
	it->n_words = it->s.n;
	it->words = ds_arena_get(mem, (it->s.n + 1) * sizeof(*it->words));
	it->first = ds_arena_get(mem, (it->s.n + 1) * sizeof(*it->first));
	for (uint32_t i = 0; i < it->s.n; i++) {
		it->words[i] = (word){ tok ? ds_tok_bytes(tok, it->s.ids[i]) : DS_S(""), i, i + 1 };
		it->first[i] = i;
	}
}

static void put_spans(const ds_predictor *p, item *it, ds_arena *mem, ds_colb *pred)
{
	size_t n = (size_t)p->c->n_labels, n_spans = 0;
	span at = { 0 };
	ds_buf out = { 0 };
	if (!it->words)
		ids_as_words(p, it, mem);
	ds_buf_add_byte(&out, '[');
	for (size_t i = 0; i <= it->n_words; i++) {
		bool begins = true, there = i < it->n_words && it->first[i] < it->s.n;
		ds_str label = DS_S("");
		double score = 0;
		if (there) {
			float *v = it->s.logits + it->first[i] * n;
			size_t best = softmax(v, n);
			label = label_of(p->c->labels[best], &begins);
			score = (double)v[best];
		}
		bool goes_on = at.label.n && !begins && ds_str_eq(label, at.label);
		if (at.label.n && !goes_on)
			print_span(it, &at, n_spans++ == 0, &out);
		if (!goes_on)
			at = (span){ label, i, i, 0 };
		at.to = i + 1;
		at.score += score;
	}
	ds_buf_add_byte(&out, ']');
	ds_colb_bytes(pred, ds_buf_view(&out));
	ds_buf_free(&out);
}

/* The text with its masks filled; nothing where it has none. */
static ds_rc put_fills(
	const ds_predictor *p, item *it, ds_arena *mem, ds_colb *pred, ds_colb *score, ds_err *e)
{
	if (!it->n_masks) {
		ds_colb_absent(pred);
		ds_colb_absent(score);
		return DS_OK;
	}
	const ds_tok *tok = ds_model_tok(p->m);
	size_t vocab = (size_t)ds_encoder_width(p->d);
	ds_str mask = ds_tok_bytes(tok, ds_tok_special(tok, DS_TOK_MASK)), rest = it->text;
	float *sure = ds_arena_get(mem, (it->n_masks + 1) * sizeof(*sure));
	uint32_t *ids = (uint32_t *)it->s.ids;
	ds_buf out = { 0 };
	ds_rc rc = DS_OK;
	for (size_t k = 0; k < it->n_masks && rc == DS_OK; k++) {
		float *v = it->s.logits + k * vocab;
		size_t known = ds_tok_size(tok) < vocab ? ds_tok_size(tok) : vocab;
		size_t best = softmax(v, known);
		sure[k] = v[best];
		ids[it->s.picks[k]] = (uint32_t)best;
		if (!it->has_text)
			continue;
		const char *at = memmem(rest.at, rest.n, mask.at, mask.n);
		size_t before = at ? (size_t)(at - rest.at) : rest.n;
		ds_buf_add(&out, rest.at, before);
		rest = at ? (ds_str){ at + mask.n, rest.n - before - mask.n } : (ds_str){ "", 0 };
		rc = ds_tok_decode(tok, &(uint32_t){ (uint32_t)best }, 1, false, &out, e);
	}
	if (rc == DS_OK && it->has_text)
		ds_buf_add_str(&out, rest);
	else if (rc == DS_OK)
		rc = ds_tok_decode(tok, ids, it->s.n, true, &out, e);
	if (rc == DS_OK) {
		ds_colb_bytes(pred, ds_buf_view(&out));
		ds_colb_list(score, sure, it->n_masks);
	}
	ds_buf_free(&out);
	return rc;
}

/* The sequence's or its last token's, before they become probabilities. */
static void put_logits(const ds_predictor *p, const item *it, ds_colb *logits)
{
	if (it->why) {
		ds_colb_absent(logits);
		return;
	}
	size_t width = (size_t)ds_encoder_width(p->d);
	ds_colb_list(logits, it->s.logits + (rows_of(p, it) - 1) * width, width);
}

static ds_rc put_fields(ds_predictor *p, ds_block *b, item *items, ds_arena *mem, ds_err *e)
{
	bool tags = p->c->head == DS_HEAD_TOKEN;
	ds_colb *pred = ds_colb_new(b, "pred", tags ? DS_T_JSON : DS_T_UTF8);
	ds_colb *score = tags ? NULL : ds_colb_new(b, "score", DS_T_F32S);
	ds_colb *logits = p->logits ? ds_colb_new(b, "logits", DS_T_F32S) : NULL;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		item *it = &items[i];
		if (logits)
			put_logits(p, it, logits);
		if (it->why) {
			ds_colb_absent(pred);
			if (score)
				ds_colb_absent(score);
		} else if (tags) {
			put_spans(p, it, mem, pred);
		} else if (p->c->head == DS_HEAD_LM) {
			DS_TRY(put_fills(p, it, mem, pred, score, e));
		} else {
			put_label(p, it, pred, score);
		}
	}
	DS_TRY(ds_colb_put(pred, e));
	if (score)
		DS_TRY(ds_colb_put(score, e));
	return logits ? ds_colb_put(logits, e) : DS_OK;
}

ds_rc ds_predict_block(ds_predictor *p, ds_block *b, const ds_field *field, ds_arena *mem,
	ds_predict_bad *bad, void *context, ds_err *e)
{
	item *items = ds_arena_zero(mem, (b->n_rows + 1) * sizeof(*items));
	bool any = false;
	ds_texts texts;
	DS_TRY(ds_texts_open(&texts, field, b, NULL, e));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		DS_TRY(read_item(p, b, i, &texts, &items[i], mem, e));
		if (items[i].why)
			DS_TRY(bad(context, i, items[i].why, e));
		any = any || !items[i].why;
	}
	if (any) {
		DS_TRY(fit(p, items, b->n_rows, e));
		DS_TRY(compute(p, items, b->n_rows, mem, e));
	}
	return put_fields(p, b, items, mem, e);
}
