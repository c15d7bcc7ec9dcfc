/*
 * labelmap.c - reading a map of labels, and looking up
 */
#include "labelmap.h"

#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "text/unicode.h"

typedef struct {
	ds_str name;
	unsigned line;
} canonical;

typedef struct {
	double low, high; /* both included */
	size_t to;        /* canonical */
	unsigned line;
} range;

typedef struct {
	ds_regex *regex;
	size_t to;
} expression;

struct labelmap {
	ds_arena *mem;
	ds_map *words; /* folded -> number of a canonical << 32 | line */
	canonical *names;
	range *ranges;
	expression *exprs;
	size_t n_names, n_ranges, n_exprs;
};

struct labelmap_run {
	const labelmap *map;
	ds_regex_run **runs;
};

const char labelmap_sentiment[] =
	"positive: pos p + 1 good great positiv happy like favorable favourable thumbs-up 积极 "
	"正面 "
	"正向 正 好评 好 满意 赞 推荐 喜欢 褒义 积极的 正面的 正面评价 積極 正評 好評 滿意 讚 推薦 "
	"喜歡 👍 😀 😊\n"
	"negative: neg n - 0 -1 bad poor negativ sad dislike unfavorable unfavourable thumbs-down "
	"消极 负面 "
	"负向 负 差评 差 不满意 不满 踩 不推荐 讨厌 贬义 消极的 负面的 负面评价 消極 負面 負向 負 "
	"差評 不滿意 不滿 討厭 "
	"👎 😞 😠\n"
	"neutral: neu neut mixed average ok 中性 中立 中评 一般 中性的 中立的 普通 中評\n";

void labelmap_free(labelmap *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_exprs; i++)
		ds_regex_free(m->exprs[i].regex);
	ds_mem_free(m->exprs);
	ds_mem_free(m->ranges);
	ds_mem_free(m->names);
	ds_map_free(m->words);
	ds_arena_free(m->mem);
	ds_mem_free(m);
}

static ds_str fold(ds_str s, ds_arena *mem)
{
	return ds_utf8_fold(ds_nfc(ds_str_trim(s), mem), mem);
}

static bool number_of(ds_str s, double *out)
{
	s = ds_str_trim(s);
	return s.n && s.n < 40 && ds_str_f64(s, out) && isfinite(*out);
}

static ds_rc add_word(labelmap *m, ds_str word, size_t to, unsigned line, ds_err *e)
{
	bool is_new;
	uint64_t *v = ds_map_put(m->words, fold(word, m->mem), &is_new);
	if (is_new)
		*v = (uint64_t)to << 32 | line;
	else if (*v >> 32 != to)
		return ds_fail(e, DS_USAGE,
			"'%.*s' stands for '%.*s' here and for '%.*s' on line %u", DS_FMT(word),
			DS_FMT(m->names[to].name), DS_FMT(m->names[*v >> 32].name), (unsigned)*v);
	return DS_OK;
}

static ds_rc add_range(labelmap *m, range r, ds_err *e)
{
	if (!(r.low <= r.high))
		return ds_fail(e, DS_USAGE, "the range from %g to %g is empty", r.low, r.high);
	for (size_t i = 0; i < m->n_ranges; i++) {
		const range *o = &m->ranges[i];
		double low = r.low > o->low ? r.low : o->low,
		       high = r.high < o->high ? r.high : o->high;
		if (o->to != r.to && low <= high)
			return ds_fail(e, DS_USAGE,
				"%g stands for '%.*s' here and for '%.*s' on line %u", low,
				DS_FMT(m->names[r.to].name), DS_FMT(m->names[o->to].name), o->line);
	}
	m->ranges = ds_mem_grow(
		m->ranges, m->n_ranges * sizeof(range), (m->n_ranges + 1) * sizeof(range));
	m->ranges[m->n_ranges++] = r;
	return DS_OK;
}

static ds_rc add_expression(labelmap *m, ds_str text, size_t to, ds_err *e)
{
	ds_regex *r = NULL;
	DS_TRY(ds_regex_parse(&r, text, e));
	m->exprs = ds_mem_grow(
		m->exprs, m->n_exprs * sizeof(expression), (m->n_exprs + 1) * sizeof(expression));
	m->exprs[m->n_exprs++] = (expression){ r, to };
	return DS_OK;
}

/* "4..5", "-1..0.5" */
static bool range_of(ds_str s, double *low, double *high)
{
	const char *dots = memmem(s.at, s.n, "..", 2);
	return dots && number_of((ds_str){ s.at, (size_t)(dots - s.at) }, low) &&
	       number_of((ds_str){ dots + 2, (size_t)(s.at + s.n - dots - 2) }, high);
}

static ds_rc add_variant(labelmap *m, ds_str s, bool quoted, size_t to, unsigned line, ds_err *e)
{
	range r = { .to = to, .line = line };
	if (!quoted && s.at[0] == '/' && s.n > 1)
		return add_expression(m, s, to, e);
	if (number_of(s, &r.low)) {
		r.high = r.low;
		return add_range(m, r, e);
	}
	if (!quoted && range_of(s, &r.low, &r.high))
		return add_range(m, r, e);
	return add_word(m, s, to, line, e);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/*
 * The next word of a line: "in quotes", /an expression/flags, or up to a blank or `stop`. False: none is
 * left, or a comment begins.
 */
static bool next_word(ds_str *line, char stop, ds_str *word, bool *quoted)
{
	const char *p = line->at, *end = p + line->n;
	while (p < end && is_blank(*p))
		p++;
	if (p == end || *p == '#' || *p == stop)
		return false;
	const char *from = p;
	*quoted = *p == '"' && memchr(p + 1, '"', (size_t)(end - p - 1));
	if (*quoted) {
		p = memchr(p + 1, '"', (size_t)(end - p - 1));
		*word = (ds_str){ from + 1, (size_t)(p - from - 1) };
		p++;
	} else {
		if (*p == '/' && stop == '\0') {
			const char *q = p + 1;
			while (q < end && *q != '/')
				q += *q == '\\' ? 2 : 1;
			p = q < end ? q : p;
		}
		while (p < end && !is_blank(*p) && *p != stop)
			p++;
		*word = (ds_str){ from, (size_t)(p - from) };
	}
	*line = (ds_str){ p, (size_t)(end - p) };
	return true;
}

static size_t add_name(labelmap *m, ds_str name, unsigned line)
{
	for (size_t i = 0; i < m->n_names; i++)
		if (ds_str_eq(m->names[i].name, name))
			return i;
	m->names = ds_mem_grow(
		m->names, m->n_names * sizeof(canonical), (m->n_names + 1) * sizeof(canonical));
	m->names[m->n_names] = (canonical){ ds_arena_str(m->mem, name), line };
	return m->n_names++;
}

static ds_rc read_line(labelmap *m, ds_str line, unsigned number, ds_err *e)
{
	ds_str word, name;
	bool quoted;
	if (!next_word(&line, ':', &name, &quoted)) {
		line = ds_str_trim(line);
		if (line.n == 0 || line.at[0] == '#')
			return DS_OK;
		return ds_fail(e, DS_USAGE, "no label before ':'");
	}
	while (next_word(&line, ':', &word, &quoted)) /* a name of several words */
		name.n = (size_t)(word.at + word.n - name.at);
	line = ds_str_trim(line);
	if (line.n == 0 || line.at[0] != ':')
		return ds_fail(e, DS_USAGE, "no ':' after '%.*s'", DS_FMT(name));
	line = (ds_str){ line.at + 1, line.n - 1 };
	size_t to = add_name(m, name, number);
	DS_TRY(add_variant(m, name, true, to, number, e));
	while (next_word(&line, '\0', &word, &quoted))
		DS_TRY(add_variant(m, word, quoted, to, number, e));
	return DS_OK;
}

ds_rc labelmap_read(labelmap **out, const char *name, ds_str text, ds_err *e)
{
	DS_AUTO(labelmap) m = DS_NEW(labelmap, 1);
	m->mem = ds_arena_new(4096);
	m->words = ds_map_new(64);
	if (ds_str_starts(text, DS_S("\xef\xbb\xbf")))
		text = (ds_str){ text.at + 3, text.n - 3 };
	for (unsigned number = 1; text.at && text.n; number++) {
		ds_str line = ds_str_cut(text, '\n', &text);
		DS_TRY_AT(read_line(m, line, number, e), e, "%s:%u", name, number);
	}
	if (m->n_names == 0)
		return ds_fail(e, DS_USAGE, "%s: no label in it", name);
	*out = m;
	m = NULL;
	return DS_OK;
}

labelmap_run *labelmap_run_new(const labelmap *m)
{
	labelmap_run *r = DS_NEW(labelmap_run, 1);
	r->map = m;
	r->runs = DS_NEW(ds_regex_run *, m->n_exprs + 1);
	for (size_t i = 0; i < m->n_exprs; i++)
		r->runs[i] = ds_regex_run_new(m->exprs[i].regex);
	return r;
}

void labelmap_run_free(labelmap_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->map->n_exprs; i++)
		ds_regex_run_free(r->runs[i]);
	ds_mem_free(r->runs);
	ds_mem_free(r);
}

static ds_rc by_expression(
	labelmap_run *r, ds_str text, ds_arena *mem, size_t *to, bool *found, ds_err *e)
{
	text = ds_nfc(ds_str_trim(text), mem);
	for (size_t i = 0; i < r->map->n_exprs && !*found; i++) {
		DS_TRY(ds_regex_find(r->runs[i], text, found, e));
		*to = r->map->exprs[i].to;
	}
	return DS_OK;
}

ds_rc labelmap_find(
	labelmap_run *r, const rule_value *v, ds_arena *mem, ds_str *out, bool *found, ds_err *e)
{
	const labelmap *m = r->map;
	double number = v->number;
	size_t to = 0;
	*found = false;
	const uint64_t *word = ds_map_find(m->words, fold(v->text, mem));
	if (word) {
		*found = true;
		to = *word >> 32;
	} else if (v->kind == RULE_VALUE_NUMBER || number_of(v->text, &number)) {
		for (size_t i = 0; i < m->n_ranges && !*found; i++) {
			*found = m->ranges[i].low <= number && number <= m->ranges[i].high;
			to = m->ranges[i].to;
		}
	}
	if (!*found)
		DS_TRY(by_expression(r, v->text, mem, &to, found, e));
	if (*found)
		*out = m->names[to].name;
	return DS_OK;
}
