/*
 * rule_code.c - licence comments, generated files and files that no person wrote, by their lines
 *
 * The limits of lines are those published for StarCoder's data: a mean of over 100 characters a line, a line of
 * over 1000, less than a quarter of the characters letters or digits.
 */
#include "codehead.h"
#include "rewrite.h"
#include "rule.h"

#include "base/mem.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum { LICENCE, GENERATED, MEAN, LONGEST, ALNUM, N };

typedef struct {
	bool on[N];
	double limit[N];
} state;

static const char *const names[N + 1] = { "licence", "generated", "line_mean", "line_max",
	"alnum" };

static void set(state *s, unsigned i, double limit)
{
	s->on[i] = true;
	s->limit[i] = limit;
}

static ds_rc add_part(state *s, ds_str part, ds_err *e)
{
	ds_str number, name = ds_str_cut(part, '=', &number);
	unsigned i = 0;
	double limit = 0;
	if (ds_str_is(part, "minified")) {
		set(s, MEAN, 100);
		set(s, LONGEST, 1000);
		set(s, ALNUM, 0.25);
		return DS_OK;
	}
	while (i < N && !ds_str_is(name, names[i]))
		i++;
	if (i == N || (number.at != NULL) != (i >= MEAN))
		return ds_fail(e, DS_USAGE,
			"'%.*s' is none of licence, generated, minified, line_mean=N, line_max=N, "
			"alnum=N",
			DS_FMT(part));
	if (number.at && (!ds_str_f64(number, &limit) || limit < 0))
		return ds_fail(e, DS_USAGE, "'%.*s' is no number from 0", DS_FMT(number));
	set(s, i, limit);
	return DS_OK;
}

static ds_rc open_parts(void **out, const char *value, const rule_env *env, ds_err *e)
{
	state *s = DS_NEW(state, 1);
	*out = s;
	for (ds_str rest = ds_str_of(value); rest.at;)
		DS_TRY(add_part(s, ds_str_cut(rest, ',', &rest), e));
	return DS_OK;
}

static bool is_alnum(uint32_t c)
{
	if (c < 0x80)
		return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
	return ds_char_is_letter(c) || ds_char_is_number(c);
}

/* Mean and longest line and the share of letters and digits, in characters; line ends count for the share. */
static void measure(ds_str text, double *out)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	size_t lines = 0, chars = 0, alnum = 0, line = 0, longest = 0, in_lines = 0;
	while (p < end) {
		uint32_t c = 0;
		unsigned n = ds_utf8_get(p, end, &c);
		p += n ? n : 1;
		chars++;
		alnum += n && is_alnum(c);
		bool ends = c == '\n';
		bool is_cr = c == '\r' && p < end && *p == '\n';
		line += !ends && !is_cr;
		if (!ends && p < end)
			continue;
		longest = line > longest ? line : longest;
		in_lines += line;
		lines++;
		line = 0;
	}
	out[MEAN] = lines ? (double)in_lines / (double)lines : 0;
	out[LONGEST] = (double)longest;
	out[ALNUM] = chars ? (double)alnum / (double)chars : 1;
}

static void check_lines(const state *s, rule_record *r)
{
	double value[N];
	if (!s->on[MEAN] && !s->on[LONGEST] && !s->on[ALNUM])
		return;
	measure(r->text, value);
	for (unsigned i = MEAN; i < N; i++) {
		if (!s->on[i])
			continue;
		if (r->tag)
			rule_tag_add(r, (rule_tag){ names[i],
						i == LONGEST ? RULE_TAG_COUNT : RULE_TAG_NUMBER,
						NULL, value[i] });
		bool bad = i == ALNUM ? value[i] < s->limit[i] : value[i] > s->limit[i];
		if (bad && !r->drop) {
			r->drop = true;
			r->reason = i;
		}
	}
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	const state *s = p;
	if (s->on[LICENCE] || s->on[GENERATED]) {
		codehead h = codehead_find(r->text, r->mem);
		if (s->on[GENERATED] && codehead_generated(r->text, h, r->mem)) {
			r->drop = true;
			r->reason = GENERATED;
		}
		if (s->on[LICENCE] && h.to > h.from && !r->drop) {
			rewrite w = { .text = r->text, .out.mem = r->mem };
			rewrite_put(&w, h.from, h.to - h.from, (ds_str){ "", 0 });
			r->text = rewrite_end(&w);
		}
	}
	if (!r->drop || r->tag)
		check_lines(s, r);
	return DS_OK;
}

static const char *const *reasons(const void *p)
{
	return names;
}

const ds_rule ds_rule_code = {
	.name = "code",
	.value = "WHAT",
	.help = "drop generated, minified code; licence cuts such comments",
	.open = open_parts,
	.close = ds_mem_free,
	.judges = true,
	.record = record,
	.reasons = reasons,
};
