/*
 * rule_space.c - blanks and line ends
 *
 * Line ends (CR LF, CR, the separators U+2028 and U+2029) become LF, blanks before them go, more than one empty
 * line becomes one, both ends of the text are trimmed. A run of blanks inside a line becomes one: the same
 * where all are alike, else a space; of a run with tabs the tabs stay, for each ends a cell. What a line begins
 * with stays, and all blanks of lines whose shape they are (lines.h, <pre>). Program text loses only
 * the blanks at the ends of lines. `collapse` makes one of every run wherever it is.
 */
#include "blank.h"
#include "lines.h"
#include "rule.h"
#include "shape.h"

#include "base/args.h"
#include "base/mem.h"
#include "text/grow.h"

typedef struct {
	blank_quick quick;
	bool all; /* collapse */
} state;

static ds_rc open_state(void **out, const char *value, const rule_env *env, ds_err *e)
{
	if (value && strcmp(value, "collapse") != 0)
		return ds_fail(e, DS_USAGE, "'%s': it is collapse, or nothing", value);
	state *s = DS_NEW(state, 1);
	blank_quick_init(&s->quick);
	s->all = value != NULL;
	*out = s;
	return DS_OK;
}

typedef struct { /* the first of a byte from there on, or the end */
	const uint8_t *from, *at;
} ahead;

typedef struct {
	const blank_quick *quick;
	ds_str s;
	const uint8_t *start, *end;
	bool all;       /* collapse everywhere */
	bool keep;      /* no run inside a line goes */
	bool plain;     /* no line is read by itself but where it is indented */
	bool only_lf;   /* no other line end is there */
	unsigned lines; /* line ends written in a row */
	lines_state kinds;
	ds_html_lines pre;
	uint32_t line;    /* its number; counted where pre has some */
	ahead lf, cr, e2; /* what line ends begin with */
	ds_grow out;
} squeezer;

/* Once for all the lines that end otherwise. */
static const uint8_t *next_byte(const squeezer *z, ahead *a, int byte, const uint8_t *p)
{
	if (!a->at || p < a->from || p > a->at) {
		const uint8_t *at = memchr(p, byte, (size_t)(z->end - p));
		a->from = p;
		a->at = at ? at : z->end;
	}
	return a->at;
}

static const uint8_t *next_line_end(squeezer *z, const uint8_t *p)
{
	const uint8_t *stop = next_byte(z, &z->lf, '\n', p);
	for (const uint8_t *q = p; !z->only_lf; q++) {
		const uint8_t *cr = next_byte(z, &z->cr, '\r', q);
		const uint8_t *e2 = next_byte(z, &z->e2, 0xe2, q);
		q = cr < e2 ? cr : e2;
		if (q >= stop)
			break;
		if (line_end(q, z->end))
			return q;
	}
	return stop;
}

/* A tab with text behind it, between p and stop. */
static bool has_cells(const uint8_t *p, const uint8_t *stop)
{
	const uint8_t *last = NULL;
	for (unsigned n; p < stop; p += n ? n : 1) {
		n = blank(p, stop);
		if (!n && last)
			return true;
		if (*p == '\t')
			last = p;
	}
	return false;
}

/* The blanks that the text begins with stay where they are the shape of what follows: a block, a table. */
static bool first_stays(squeezer *z, const blank_run *lead)
{
	const uint8_t *p = lead->end, *stop = next_line_end(z, p);
	unsigned columns = lines_columns(lead->at, lead->end);
	bool row = lead->tabs && !lead->mixed;
	if (row && has_cells(p, stop))
		return true;
	while (stop < z->end) {
		blank_run next = blank_take(stop + line_end(stop, z->end), z->end);
		p = next.end;
		stop = p < z->end ? next_line_end(z, p) : p;
		if (p < stop)
			return (row && has_cells(p, stop)) ||
			       (columns >= LINES_CODE &&
				       lines_columns(next.at, next.end) >= columns);
	}
	return false;
}

static void put_run(squeezer *z, const blank_run *b, bool whole)
{
	if (whole || b->one)
		ds_grow_add(&z->out, (const char *)b->at, (size_t)(b->end - b->at));
	else if (!z->all && b->tabs)
		for (unsigned i = 0; i < b->tabs; i++)
			ds_grow_byte(&z->out, '\t');
	else
		ds_grow_add(&z->out, b->mixed ? " " : (const char *)b->at, b->mixed ? 1 : b->n);
}

/* What is left of a line from p on, and of those after it that need no look; the place of a line end, or the end. */
static const uint8_t *put_line(squeezer *z, const uint8_t *p, bool whole)
{
	ds_str s = z->s;
	if (whole || !z->plain) { /* as far as this line goes */
		const uint8_t *stop = next_line_end(z, p);
		s.n = (size_t)(stop - z->start) + (stop < z->end);
	}
	const uint8_t *end = z->start + s.n;
	while (p < end) {
		const uint8_t *from = p;
		while (p < end && (!blank_look[*p] || !(blank(p, z->end) || line_end(p, z->end))))
			p = z->start + blank_skip(z->quick, s, (size_t)(p + 1 - z->start));
		ds_grow_add(&z->out, (const char *)from, (size_t)(p - from));
		if (p >= end)
			break;
		blank_run b = blank_take(p, z->end);
		if (!b.n || b.end == z->end || line_end(b.end, z->end))
			return b.end;
		put_run(z, &b, whole);
		p = b.end;
	}
	return p;
}

static bool is_shaped(squeezer *z)
{
	while (z->pre.n && z->pre.at->to <= z->line) {
		z->pre.at++;
		z->pre.n--;
	}
	return z->pre.n && z->pre.at->from <= z->line;
}

/* p is at the first character of a line that is no blank; lead is what stands before it. */
static const uint8_t *begin_line(squeezer *z, const blank_run *lead, const uint8_t *p)
{
	bool first = !z->out.n, stays = !first || first_stays(z, lead);
	unsigned columns = stays ? lines_columns(lead->at, lead->end) : 0;
	lines_kind k = { .at = p };
	if (z->all)
		stays = false;
	if (lead->n && stays)
		ds_grow_add(&z->out, (const char *)lead->at, (size_t)(lead->end - lead->at));
	else if (lead->n && !first)
		put_run(z, lead, false);
	if (!z->all && (!z->plain || columns))
		k = lines_next(&z->kinds, p, next_line_end(z, p), columns);
	bool whole = !z->all && (k.whole || z->keep || (z->pre.n && is_shaped(z)));
	ds_grow_add(&z->out, (const char *)p, (size_t)(k.at - p));
	z->lines = 0;
	return put_line(z, k.at, whole);
}

static void squeeze(squeezer *z, const uint8_t *p)
{
	while (p < z->end) {
		blank_run b = blank_take(p, z->end);
		p = b.end;
		if (p == z->end)
			break;
		unsigned m = line_end(p, z->end);
		if (!m) {
			p = begin_line(z, &b, p);
			continue;
		}
		if (z->pre.n && p[m - 1] == '\n')
			z->line++;
		p += m;
		if ((z->lines < 2 || z->kinds.fence) && z->out.n)
			ds_grow_byte(&z->out, '\n');
		z->lines++;
	}
	while (z->out.n && z->out.at[z->out.n - 1] == '\n')
		z->out.n--;
}

/* Goes over the lines before the first that changes, which stay as they are. */
static void skip_lines(squeezer *z, const uint8_t *to)
{
	for (const uint8_t *p = z->start; p < to;) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(to - p));
		stop = stop ? stop : to;
		blank_run lead = blank_take(p, stop);
		if (lead.end < stop)
			lines_next(&z->kinds, lead.end, stop, lines_columns(lead.at, lead.end));
		p = stop + 1;
		z->line++;
	}
}

/* No separator of lines either, which begins with 0xe2. */
static bool has_only_lf(ds_str s)
{
	return !memchr(s.at, '\r', s.n) && !memchr(s.at, 0xe2, s.n);
}

/* Any line may be one that is read by itself; prompts of ... come with those of >>>. */
static bool has_marks(const blank_quick *q, ds_str s)
{
	return ds_byteset_find(&q->mark, s, 0) < s.n;
}

static ds_str squeezed(const state *st, rule_record *r, size_t first)
{
	ds_str s = r->text;
	squeezer z = { .quick = &st->quick,
		.s = s,
		.start = (const uint8_t *)s.at,
		.end = (const uint8_t *)s.at + s.n,
		.all = st->all,
		.keep = r->spaced,
		.pre = r->shaped,
		.out.mem = r->mem };
	z.only_lf = has_only_lf(s);
	z.plain = st->all || (!z.pre.n && !has_marks(&st->quick, s));
	while (first && s.at[first - 1] != '\n')
		first--;
	ds_grow_reserve(&z.out, s.n);
	ds_grow_add(&z.out, s.at, first);
	for (size_t i = first; i && s.at[i - 1] == '\n'; i--)
		z.lines++;
	if (!z.plain)
		skip_lines(&z, z.start + first);
	squeeze(&z, z.start + first);
	return ds_grow_view(&z.out);
}

/* Only the ends of lines, which stay as they are. */
static ds_str trim_lines(ds_str s, ds_arena *mem)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	ds_grow out = { .mem = mem };
	ds_grow_reserve(&out, s.n);
	while (p < end) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(end - p)), *last;
		const uint8_t *next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		bool cr = stop > p && stop < end && stop[-1] == '\r';
		for (last = stop - cr; last > p && (last[-1] == ' ' || last[-1] == '\t' ||
							   (last[-1] == '\r' && stop < end));)
			last--;
		ds_grow_add(&out, (const char *)p, (size_t)(last - p));
		ds_grow_add(&out, (const char *)stop - cr, (size_t)(next - stop) + cr);
		p = next;
	}
	return out.n == s.n ? s : ds_grow_view(&out);
}

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	const state *st = thread;
	ds_str s = r->text;
	if (r->source == RULE_SOURCE_CODE) {
		r->text = trim_lines(s, r->mem);
		return DS_OK;
	}
	size_t first = blank_first_change(&st->quick, s, st->all);
	if (first == s.n)
		return DS_OK;
	if (!st->all && shape_is_code(s)) {
		r->text = trim_lines(s, r->mem);
		return DS_OK;
	}
	ds_str out = squeezed(st, r, first);
	r->text = ds_str_eq(out, s) ? s : out;
	return DS_OK;
}

static unsigned leaves(const char *value)
{
	return RULE_LEAVES_SPACED;
}

const ds_rule ds_rule_space = {
	.name = "space",
	.value = "collapse",
	.help = "trim lines and both ends, runs of blanks to one but for indents",
	.flags = DS_ARG_OPTIONAL,
	.default_value = "",
	.keeps_lines = true,
	.leaves = leaves,
	.open = open_state,
	.close = ds_mem_free,
	.record = record,
};
