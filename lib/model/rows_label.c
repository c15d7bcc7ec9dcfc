/*
 * rows_label.c - records with labels: each is a row of its own
 *
 * A class: `label`, a string or number, beside `text` or `tokens`. Tags: `labels`, one for each of
 * `words`, whose first token gets it, or for each of `tokens`. While reading, labels are numbered as
 * they come; when all are known they are put in the order of their bytes, or in that of the model.
 */
#include "model/rows_impl.h"

#include "base/mem.h"
#include "json/json.h"

#include <math.h>
#include <stdlib.h>

enum { NO_LABEL = -1 };

struct ds_rows_labels { /* made by ds_rows_labels_new, lives in r->mem but for the map */
	ds_map *names;
	bool fixed;
	const char *const *given; /* the model's, as it spells them; names has them by value */
	const char **sorted;
	int32_t *id_of; /* by number of first appearance */
};

static ds_str string_text(ds_str s, ds_arena *mem);

void ds_rows_labels_new(ds_rows *r, const char *const *labels, size_t n)
{
	r->labels = ds_arena_zero(r->mem, sizeof(*r->labels));
	r->labels->names = ds_map_new(64);
	r->labels->fixed = n > 0;
	r->labels->given = labels;
	for (size_t i = 0; i < n; i++) {
		bool is_new;
		ds_map_put(r->labels->names, string_text(ds_str_of(labels[i]), r->mem), &is_new);
		if (!is_new) /* "1" and "1.0", and they are to differ */
			ds_map_put(r->labels->names, ds_str_of(labels[i]), NULL);
	}
	for (size_t i = 0; i < ds_map_count(r->labels->names); i++)
		*ds_map_value(r->labels->names, i) = i;
}

void ds_rows_labels_free(ds_rows *r)
{
	if (r->labels)
		ds_map_free(r->labels->names);
}

const char *const *ds_rows_labels(const ds_rows *r, size_t *n)
{
	*n = r->labels ? ds_map_count(r->labels->names) : 0;
	return r->labels ? r->labels->sorted : NULL;
}

/* ---- one label ---- */

static ds_rc number_label(ds_rows *r, ds_str name, int32_t *out, ds_err *e)
{
	struct ds_rows_labels *l = r->labels;
	const uint64_t *known = ds_map_find(l->names, name);
	int64_t id;
	*out = NO_LABEL;
	if (ds_str_is(name, "-100"))
		return DS_OK;
	if (known) {
		*out = (int32_t)*known;
		return DS_OK;
	}
	if (l->fixed) { /* a number may stand for the model's label of that number */
		if (!ds_str_i64(name, &id) || id < 0 || (size_t)id >= ds_map_count(l->names))
			return ds_fail(e, DS_BAD, "label '%.*s' is none of the model's %zu",
				DS_FMT(name), ds_map_count(l->names));
		*out = (int32_t)id;
		return DS_OK;
	}
	if (ds_map_count(l->names) >= MAX_LABELS)
		return ds_fail(e, DS_BAD, "over %d different labels", MAX_LABELS);
	*out = (int32_t)ds_map_count(l->names);
	*ds_map_put(l->names, name, NULL) = (uint64_t)*out;
	return DS_OK;
}

/*
 * A number is a label by its value: 1, 1.0 and 1e0 are one, and so is a string that is spelled as JSON
 * spells a number. -100 is none.
 */
static ds_str number_text(double v, ds_arena *mem)
{
	char number[32];
	if (v == floor(v) && fabs(v) < 9007199254740992.0)
		return ds_arena_fmt(mem, "%lld", (long long)v);
	return ds_arena_str(mem, (ds_str){ number, ds_f64_print(number, v) });
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static ds_str string_text(ds_str s, ds_arena *mem)
{
	double v;
	bool sign = s.n && s.at[0] == '-';
	ds_str digits = { s.at + sign, s.n - sign };
	bool padded = digits.n > 1 && digits.at[0] == '0' && is_digit(digits.at[1]);
	bool spelled = digits.n && is_digit(digits.at[0]) && is_digit(s.at[s.n - 1]) && !padded;
	for (size_t i = 0; i + 1 < s.n; i++)
		spelled = spelled && (s.at[i] != '.' || is_digit(s.at[i + 1]));
	if (!spelled || s.n >= 40 || !ds_str_f64(s, &v) || !isfinite(v))
		return s;
	return number_text(v, mem);
}

/* The text of a value that can be a label; false for lists, objects, null. */
static bool label_text(const ds_json *v, ds_arena *mem, ds_str *out)
{
	switch (v->kind) {
	case DS_J_STR:
		*out = string_text(v->s, mem);
		return true;
	case DS_J_BOOL:
		*out = v->b ? DS_S("true") : DS_S("false");
		return true;
	case DS_J_I64:
		*out = ds_arena_fmt(mem, "%lld", (long long)v->i);
		return true;
	case DS_J_F64:
		*out = number_text(v->f, mem);
		return true;
	default:
		return false;
	}
}

static ds_rc value_text(
	ds_block *b, const ds_col *c, uint32_t row, ds_str *out, bool *ok, ds_err *e)
{
	const ds_json *v;
	*ok = true;
	if (c->type == DS_T_UTF8)
		*out = string_text(ds_col_bytes(c, row), b->mem);
	else if (c->type == DS_T_I64)
		*out = ds_arena_fmt(b->mem, "%lld", (long long)ds_col_i64(c, row));
	else if (c->type == DS_T_F64)
		*out = number_text(ds_col_f64(c, row), b->mem);
	else if (c->type == DS_T_BOOL)
		*out = ds_col_bool(c, row) ? DS_S("true") : DS_S("false");
	else if (c->type == DS_T_JSON) {
		DS_TRY(ds_json_parse(&v, b->mem, ds_col_bytes(c, row), e));
		*ok = label_text(v, b->mem, out);
	} else {
		*ok = false;
	}
	return DS_OK;
}

static bool has_value(const ds_col *c, uint32_t row)
{
	return c && ds_col_has(c, row) && !ds_col_null(c, row);
}

static ds_rc class_of(ds_rows *r, ds_block *b, uint32_t row, int32_t *out, ds_err *e)
{
	const ds_col *c;
	ds_str name;
	bool ok = false;
	DS_TRY(ds_block_get(b, "label", &c, e));
	if (has_value(c, row))
		DS_TRY(value_text(b, c, row, &name, &ok, e));
	return ok ? number_label(r, name, out, e)
		  : ds_fail(e, DS_BAD, "no 'label' that is a string or a number");
}

/* ---- tags ---- */

static ds_rc list_of(ds_block *b, const char *name, uint32_t row, const ds_json **out, ds_err *e)
{
	const ds_col *c;
	*out = NULL;
	DS_TRY(ds_block_get(b, name, &c, e));
	if (!has_value(c, row) || c->type != DS_T_JSON)
		return DS_OK;
	DS_TRY(ds_json_parse(out, b->mem, ds_col_bytes(c, row), e));
	if ((*out)->kind != DS_J_ARR)
		*out = NULL;
	return DS_OK;
}

/* The tag's text, at NULL: none (null, -100). */
static ds_rc tags_of(ds_block *b, uint32_t row, ds_str **tags, size_t *n, ds_err *e)
{
	const ds_col *c;
	const ds_json *list;
	const uint32_t *ids;
	bool has = false;
	DS_TRY(ds_block_get(b, "labels", &c, e));
	if (has_value(c, row) && (c->type == DS_T_U16S || c->type == DS_T_U32S)) {
		DS_TRY(ds_block_ids(b, c, row, &ids, n, &has, e));
		*tags = ds_arena_zero(b->mem, (*n + 1) * sizeof(ds_str));
		for (size_t i = 0; i < *n; i++)
			(*tags)[i] = ds_arena_fmt(b->mem, "%u", ids[i]);
		return DS_OK;
	}
	DS_TRY(list_of(b, "labels", row, &list, e));
	if (!list)
		return ds_fail(e, DS_BAD, "no 'labels' that is a list");
	*n = list->n;
	*tags = ds_arena_zero(b->mem, (*n + 1) * sizeof(ds_str));
	for (size_t i = 0; i < *n; i++)
		if (!label_text(list->items[i], b->mem, &(*tags)[i]))
			(*tags)[i] = (ds_str){ 0 };
	return DS_OK;
}

/* ---- records ---- */

/* Beside them i32: a record's label, or its tokens'. */
static void add_u32(ds_buf *b, uint32_t v)
{
	ds_buf_add(b, &v, 4);
}

static void add_special(ds_gather *q, ds_tok_special_kind kind, bool tags)
{
	uint32_t id = ds_tok_special(q->r->tok, kind);
	if (id == (uint32_t)DS_TOK_NONE)
		return;
	add_u32(&q->ids, id);
	if (tags)
		add_u32(&q->beside, (uint32_t)NO_LABEL);
}

static ds_rc add_tag(ds_gather *q, ds_str tag, ds_err *e)
{
	int32_t id = NO_LABEL;
	if (tag.at)
		DS_TRY(number_label(q->r, tag, &id, e));
	add_u32(&q->beside, (uint32_t)id);
	return DS_OK;
}

static ds_rc add_word(ds_gather *q, ds_str word, bool first, ds_str tag, ds_arena *mem, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	if (!first && strcmp(ds_tok_model(q->r->tok), "bpe") == 0)
		word = ds_arena_fmt(mem, " %.*s", (int)word.n, word.at);
	DS_TRY(ds_tok_encode(q->r->tok, q->scratch, word, 0, &ids, &n, e));
	ds_buf_add(&q->ids, ids, n * 4);
	for (size_t i = 0; i < n; i++)
		DS_TRY(add_tag(q, i ? (ds_str){ 0 } : tag, e));
	return DS_OK;
}

/* The segments of the n ids that were just added. */
static ds_rc add_types(ds_gather *q, ds_block *b, uint32_t row, size_t n, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, "types", &c, e));
	if (!q->r->n_types || !has_value(c, row))
		return DS_OK;
	ds_str types = c->type == DS_T_BYTES ? ds_col_bytes(c, row) : (ds_str){ 0 };
	if (types.n != n)
		return ds_fail(e, DS_BAD, "types of %zu bytes for %zu tokens", types.n, n);
	while (q->types.n < q->ids.n / 4 - n)
		ds_buf_add_byte(&q->types, 0);
	ds_buf_add_str(&q->types, types);
	return DS_OK;
}

static ds_rc ids_of(ds_gather *q, ds_block *b, uint32_t row, bool *has, ds_err *e)
{
	const ds_col *c;
	const uint32_t *ids;
	ds_str text;
	size_t n;
	*has = false;
	DS_TRY(ds_block_get(b, "tokens", &c, e));
	if (c && (c->type == DS_T_U16S || c->type == DS_T_U32S))
		DS_TRY(ds_block_ids(b, c, row, &ids, &n, has, e));
	if (!*has) {
		DS_TRY(ds_texts_get(&q->r->texts, row, &text, has, e));
		if (*has)
			DS_TRY(ds_tok_encode(
				q->r->tok, q->scratch, text, DS_TOK_ADD_SPECIAL, &ids, &n, e));
	}
	if (*has)
		ds_buf_add(&q->ids, ids, n * 4);
	return *has ? add_types(q, b, row, n, e) : DS_OK;
}

static ds_rc add_tagged(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	const ds_json *words;
	ds_str *tags = NULL;
	size_t n = 0, before = q->ids.n;
	bool has;
	DS_TRY(tags_of(b, row, &tags, &n, e));
	DS_TRY(list_of(b, "words", row, &words, e));
	if (!words)
		DS_TRY(list_of(b, "tokens", row, &words, e));
	if (!words) {
		DS_TRY(ids_of(q, b, row, &has, e));
		if (!has || (q->ids.n - before) / 4 != n)
			return ds_fail(
				e, DS_BAD, "%zu labels for %zu tokens", n, (q->ids.n - before) / 4);
		for (size_t i = 0; i < n; i++)
			DS_TRY(add_tag(q, tags[i], e));
		return DS_OK;
	}
	if (words->n != n)
		return ds_fail(e, DS_BAD, "%zu labels for %zu words", n, words->n);
	add_special(q, DS_TOK_CLS, true);
	for (size_t i = 0; i < n; i++) {
		if (words->items[i]->kind != DS_J_STR)
			return ds_fail(e, DS_BAD, "a word is not a string");
		DS_TRY(add_word(q, words->items[i]->s, i == 0, tags[i], b->mem, e));
	}
	add_special(q, DS_TOK_SEP, true);
	return DS_OK;
}

static ds_rc add_record(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	bool has;
	int32_t label;
	if (q->r->kind == DS_ROWS_TAGS)
		return add_tagged(q, b, row, e);
	if (q->r->images)
		DS_TRY(ds_rows_add_image(q, b, row, e));
	else
		DS_TRY(ids_of(q, b, row, &has, e));
	if (!q->r->images && !has)
		return ds_rows_no_text(q->r, b, e);
	DS_TRY(class_of(q->r, b, row, &label, e));
	add_u32(&q->beside, (uint32_t)label);
	return DS_OK;
}

ds_rc ds_rows_add_labelled(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e)
{
	ds_gather q = { .r = r, .scratch = scratch };
	if (r->images)
		DS_TRY(ds_rows_look_through(&q, b, e));
	DS_TRY(ds_rows_gather(&q, b, p, add_record, e));
	p->labels = q.kept;
	return DS_OK;
}

/* ---- when all is read ---- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *name_at(ds_rows *r, size_t i)
{
	return ds_arena_str(r->mem, ds_map_key(r->labels->names, i)).at;
}

ds_rc ds_rows_settle_labels(ds_rows *r, ds_err *e)
{
	struct ds_rows_labels *l = r->labels;
	size_t n = ds_map_count(l->names);
	l->sorted = ds_arena_zero(r->mem, (n + 1) * sizeof(char *));
	l->id_of = ds_arena_zero(r->mem, (n + 1) * sizeof(int32_t));
	for (size_t i = 0; i < n; i++) {
		l->sorted[i] = l->fixed ? l->given[i] : name_at(r, i);
		l->id_of[i] = (int32_t)i;
	}
	if (!l->fixed)
		qsort(l->sorted, n, sizeof(char *), by_bytes);
	for (size_t i = 0; i < n && !l->fixed; i++)
		l->id_of[*ds_map_find(l->names, ds_str_of(l->sorted[i]))] = (int32_t)i;
	return n ? DS_OK : ds_fail(e, DS_BAD, "no labels in the input");
}

static int32_t id_of(const ds_rows *r, int32_t number)
{
	return number < 0 ? NO_LABEL : r->labels->id_of[number];
}

ds_rc ds_rows_get_labelled(ds_rows *r, const piece *p, uint32_t rec, ds_row *out, ds_err *e)
{
	uint32_t begin = p->ids.off[rec], n = p->ids.off[rec + 1] - begin;
	uint32_t used = n < (uint64_t)r->seq ? n : (uint32_t)r->seq;
	out->image = p->images ? p->images[rec] : (ds_str){ 0 };
	bool tags = r->kind == DS_ROWS_TAGS;
	for (int64_t t = 0; t < r->seq; t++) {
		uint32_t id = t < used ? list_at(&p->ids, begin + (uint32_t)t) : (uint32_t)r->pad;
		if ((int64_t)id >= r->vocab_size)
			return ds_fail(e, DS_BAD, "%s:%llu: id %u, the vocabulary has %lld",
				p->origin, piece_record(p, rec), id, (long long)r->vocab_size);
		int32_t type = 0;
		if (t < used)
			DS_TRY(ds_rows_type(r, p, rec, (uint32_t)t, &type, e));
		if (out->types)
			out->types[t] = type;
		out->ids[t] = (int32_t)id;
		out->positions[t] = (int32_t)t;
		if (out->first)
			out->first[t] = 0;
		if (out->last)
			out->last[t] = (int32_t)used;
		if (out->plain)
			out->plain[t] = t < used;
		if (tags) {
			out->targets[t] = t < used ? id_of(r, p->labels[begin + t]) : -1;
			out->n_targets += out->targets[t] >= 0;
		}
	}
	/* What is cut keeps its last token where that is a special one. */
	uint32_t final = n ? list_at(&p->ids, begin + n - 1) : 0;
	if (used < n && r->tok && ds_tok_is_special(r->tok, final))
		out->ids[r->seq - 1] = (int32_t) final;
	if (!tags) {
		out->targets[0] = id_of(r, p->labels[rec]);
		out->n_targets = out->targets[0] >= 0;
	}
	return DS_OK;
}
