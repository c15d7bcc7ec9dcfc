/*
 * back.c - sentences to lines and back
 *
 * A text is cut at line ends and into sentences (ICU); blanks between them stay. What has no letter
 * is not sent. A line without a stop at its end gets one, which is taken off again: translators look for
 * sentences, not for line ends, and would let words change lines. Placeholders and addresses go as XQ0X, XQ1X, … and must all come back once; a sentence that
 * lost one stays as it was.
 */
#include "back.h"

#include "base/mem.h"
#include "text/chrf.h"
#include "text/grow.h"
#include "text/lang.h"
#include "text/protect.h"
#include "text/tok/category.h"
#include "text/unicode.h"
#include "text/words.h"

enum { FEW_BYTES = 40 }; /* a shorter text is not asked for its language */

typedef struct {
	ds_str text;        /* of the source */
	int64_t line;       /* -1: stays as it is */
	ds_text_span *keep; /* in text; stand-ins in the line */
	size_t n_keep;
	bool stopped; /* the line got a stop */
} piece;

typedef struct {
	ds_str text;
	size_t first, n; /* pieces */
} source;

struct back {
	translator *t;
	back_filter filter;
	ds_cutter *cutter;
	ds_arena *mem;
	source *sources;
	piece *pieces;
	ds_str *lines, *answers;
	size_t n_sources, room_sources, n_pieces, room_pieces, n_lines, room_lines;
};

ds_rc back_new(back **out, translator *t, const back_filter *filter, ds_err *e)
{
	ds_cutter *cutter;
	DS_TRY(ds_cutter_new(&cutter, DS_CUT_SENTENCES, e));
	*out = DS_NEW(back, 1);
	**out = (back){ .t = t, .filter = *filter, .cutter = cutter };
	return DS_OK;
}

void back_free(back *x)
{
	if (!x)
		return;
	ds_cutter_free(x->cutter);
	ds_mem_free(x->sources);
	ds_mem_free(x->pieces);
	ds_mem_free(x->lines);
	ds_mem_free(x);
}

void back_start(back *x, ds_arena *mem)
{
	x->mem = mem;
	x->n_sources = x->n_pieces = x->n_lines = 0;
}

static void *grow_by_one(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	size_t more = *cap ? 2 * *cap : 1024;
	p = ds_mem_grow(p, n * size, more * size);
	*cap = more;
	return p;
}

static piece *add_piece(back *x, ds_str text)
{
	x->pieces = grow_by_one(x->pieces, x->n_pieces, &x->room_pieces, sizeof(*x->pieces));
	x->pieces[x->n_pieces] = (piece){ .text = text, .line = -1 };
	return &x->pieces[x->n_pieces++];
}

/* Bytes at p that end a line for some program; 0: none. */
static size_t line_end(const char *p, size_t n)
{
	if (*p == '\n' || *p == '\r' || *p == '\v' || *p == '\f' || *p == 0)
		return 1;
	if (n > 1 && memcmp(p, "\xc2\x85", 2) == 0)
		return 2;
	return n > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0)
		       ? 3
		       : 0;
}

static ds_cat cat_at(ds_str s, size_t i, unsigned *len)
{
	return ds_utf8_cat((const uint8_t *)s.at + i, s.n - i, len);
}

/* Letters outside of what is kept: is there anything to translate? */
static bool has_letter(ds_str s, const ds_text_span *keep, size_t n_keep)
{
	for (size_t i = 0, k = 0; i < s.n;) {
		unsigned len;
		while (k < n_keep && keep[k].to <= i)
			k++;
		if (k < n_keep && keep[k].from <= i) {
			i = keep[k].to;
			continue;
		}
		if (ds_cat_letter(cat_at(s, i, &len)))
			return true;
		i += len;
	}
	return false;
}

static const char *const stops[] = { ".", "!", "?", "。", "！", "？", "…", "．", "।", "؟", NULL };

/* Closing quotes and brackets may follow a stop. */
static void add_stop(ds_grow *line, bool *added)
{
	ds_str s = ds_grow_view(line);
	while (s.n && strchr("\"')]*", s.at[s.n - 1]))
		s.n--;
	for (unsigned i = 0; stops[i]; i++)
		if (ds_str_ends(s, ds_str_of(stops[i])))
			return;
	for (s.n = line->n; s.n && ((unsigned char)s.at[s.n - 1] & 0xc0) == 0x80;)
		s.n--;
	unsigned char lead = s.n ? (unsigned char)s.at[s.n - 1] : 0;
	const char *stop = lead >= 0xe3 && lead <= 0xe9 ? "。" : "."; /* Han and kana */
	ds_grow_add(line, stop, strlen(stop));
	*added = true;
}

/* The answer without the stop that was not the text's. */
static ds_str without_stop(ds_str s)
{
	s = ds_str_trim(s);
	for (unsigned i = 0; stops[i]; i++)
		if (ds_str_ends(s, ds_str_of(stops[i])) && s.n > strlen(stops[i]))
			return ds_str_trim((ds_str){ s.at, s.n - strlen(stops[i]) });
	return s;
}

static void add_line(back *x, piece *p)
{
	ds_grow line = { .mem = x->mem };
	size_t at = 0, kept = 0;
	for (size_t i = 0; i < p->n_keep; i++) {
		if (p->keep[i].number)
			continue;
		ds_str name = ds_arena_fmt(x->mem, "XQ%zuX", kept);
		ds_grow_add(&line, p->text.at + at, p->keep[i].from - at);
		ds_grow_add(&line, name.at, name.n);
		at = p->keep[i].to;
		p->keep[kept++] = p->keep[i];
	}
	p->n_keep = kept;
	ds_grow_add(&line, p->text.at + at, p->text.n - at);
	add_stop(&line, &p->stopped);
	x->lines = grow_by_one(x->lines, x->n_lines, &x->room_lines, sizeof(*x->lines));
	x->lines[x->n_lines] = ds_grow_view(&line);
	p->line = (int64_t)x->n_lines++;
}

static void add_sentence(back *x, ds_str s)
{
	size_t from = 0, to = 0;
	unsigned len;
	for (size_t i = 0; i < s.n; i += len) { /* blanks at both ends */
		if (ds_cat_white(cat_at(s, i, &len)))
			from = to ? from : i + len;
		else
			to = i + len;
	}
	if (!to) {
		add_piece(x, s);
		return;
	}
	if (from)
		add_piece(x, (ds_str){ s.at, from });
	piece *p = add_piece(x, (ds_str){ s.at + from, to - from });
	p->keep = ds_protect(p->text, x->mem, &p->n_keep);
	if (has_letter(p->text, p->keep, p->n_keep) && !memmem(p->text.at, p->text.n, "XQ", 2))
		add_line(x, p);
	if (to < s.n)
		add_piece(x, (ds_str){ s.at + to, s.n - to });
}

/* ICU sees the end of a sentence in an address that has a question mark; those are put together again. */
static void add_paragraph(back *x, ds_str s)
{
	size_t n, n_keep, k = 0, from = 0, to = 0;
	ds_piece *p = ds_cutter_run(x->cutter, s, x->mem, &n);
	ds_text_span *keep = ds_protect(s, x->mem, &n_keep);
	for (size_t i = 0; i < n; i++) {
		to += p[i].text.n;
		while (k < n_keep && keep[k].to <= to)
			k++;
		if (k < n_keep && keep[k].from < to)
			continue;
		add_sentence(x, (ds_str){ s.at + from, to - from });
		from = to;
	}
}

size_t back_add(back *x, ds_str text)
{
	x->sources = grow_by_one(x->sources, x->n_sources, &x->room_sources, sizeof(*x->sources));
	x->sources[x->n_sources] = (source){ text, x->n_pieces, 0 };
	size_t from = 0, i = 0;
	if (ds_utf8_valid(text) != text.n)
		from = i = text.n; /* it would not come back as it was */
	while (i < text.n) {
		size_t end = line_end(text.at + i, text.n - i);
		if (!end) {
			i++;
			continue;
		}
		add_paragraph(x, (ds_str){ text.at + from, i - from });
		add_piece(x, (ds_str){ text.at + i, end });
		from = i += end;
	}
	add_paragraph(x, (ds_str){ text.at + from, text.n - from });
	x->sources[x->n_sources].n = x->n_pieces - x->sources[x->n_sources].first;
	return x->n_sources++;
}

ds_rc back_run(back *x, ds_err *e)
{
	x->answers = ds_arena_get(x->mem, (x->n_lines + 1) * sizeof(*x->answers));
	return translator_run(x->t, x->lines, x->n_lines, x->mem, x->answers, e);
}

/* The answer with what was kept put back; false: it cannot be, or the answer is none. */
static bool put_back(back *x, const piece *p, ds_grow *out)
{
	ds_str answer = x->answers[p->line];
	size_t before = out->n, found = 0;
	if (p->stopped)
		answer = without_stop(answer);
	if (!ds_str_trim(answer).n || ds_utf8_valid(answer) != answer.n ||
		memchr(answer.at, 0, answer.n))
		return false;
	uint8_t *seen = ds_arena_zero(x->mem, p->n_keep + 1);
	for (size_t i = 0; i < answer.n;) {
		size_t k = 0, j = i + 2;
		bool stand_in = answer.n - i > 3 && (answer.at[i] == 'X' || answer.at[i] == 'x') &&
				(answer.at[i + 1] == 'Q' || answer.at[i + 1] == 'q');
		for (; stand_in && j < answer.n && answer.at[j] >= '0' && answer.at[j] <= '9' &&
			k < p->n_keep;
			j++)
			k = 10 * k + (size_t)(answer.at[j] - '0');
		stand_in = stand_in && j > i + 2 && j < answer.n &&
			   (answer.at[j] == 'X' || answer.at[j] == 'x');
		if (!stand_in) {
			ds_grow_byte(out, answer.at[i++]);
			continue;
		}
		if (k >= p->n_keep || seen[k]++) {
			out->n = before;
			return false;
		}
		ds_grow_add(out, p->text.at + p->keep[k].from, p->keep[k].to - p->keep[k].from);
		found++;
		i = j + 1;
	}
	if (found != p->n_keep)
		out->n = before;
	return found == p->n_keep;
}

static bool other_language(ds_str a, ds_str b)
{
	if (a.n < FEW_BYTES || b.n < FEW_BYTES)
		return false;
	ds_lang x = ds_lang_of(a.at, a.n), y = ds_lang_of(b.at, b.n);
	return strcmp(x.code, "un") != 0 && strcmp(y.code, "un") != 0 &&
	       strcmp(x.code, y.code) != 0;
}

static int judge(const back *x, ds_str text, ds_str from)
{
	const back_filter *f = &x->filter;
	double n = (double)ds_utf8_count(text), m = (double)ds_utf8_count(from);
	if (ds_str_eq(text, from))
		return COUNT_NEAR;
	if (n > f->ratio * m || m > f->ratio * n)
		return COUNT_LENGTH;
	double alike = ds_chrf(text, from, x->mem);
	if (alike < f->min_chrf)
		return COUNT_FAR;
	if (alike > f->max_chrf)
		return COUNT_NEAR;
	return !f->any_language && other_language(from, text) ? COUNT_LANGUAGE : -1;
}

void back_get(back *x, size_t number, ds_str *text, int *why)
{
	const source *s = &x->sources[number];
	ds_grow out = { .mem = x->mem };
	size_t sent = 0, lost = 0;
	for (size_t i = s->first; i < s->first + s->n; i++) {
		const piece *p = &x->pieces[i];
		sent += p->line >= 0;
		if (p->line >= 0 && put_back(x, p, &out))
			continue;
		lost += p->line >= 0;
		ds_grow_add(&out, p->text.at, p->text.n);
	}
	*text = ds_grow_view(&out);
	*why = !sent ? COUNT_LEFT_OUT : lost == sent ? COUNT_GARBAGE : judge(x, *text, s->text);
}
