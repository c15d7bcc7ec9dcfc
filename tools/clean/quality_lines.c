/*
 * quality_lines.c - Gopher's and FineWeb's rules about words and lines
 */
#include "quality.h"

#include "text/unicode.h"
#include "text/utf8.h"

static bool word_has(const ds_word *w, bool (*is)(uint32_t c), bool ascii_letters)
{
	const uint8_t *p = (const uint8_t *)w->at, *end = p + w->n;
	uint32_t c = 0;
	for (unsigned n; p < end; p += n) {
		if (ascii_letters && (*p | 32) >= 'a' && (*p | 32) <= 'z' && *p < 0x80)
			return true;
		n = ds_utf8_get(p, end, &c);
		if (n && is(c))
			return true;
		n += !n;
	}
	return false;
}

static bool no_symbol(uint32_t c)
{
	return !ds_char_is_symbol(c);
}

static const char *const english[] = { "the", "be", "to", "of", "and", "that", "have", "with",
	NULL };
static const char *const chinese[] = { "的", "年", "在", "月", "是", "和", "日", "了", "於", "·",
	"為", "有", "被", "人", "中", "为", "他", "與", "後", "也", "而", "由", NULL };

static unsigned stop_word(const char *const *list, const ds_word *w)
{
	for (unsigned i = 0; w->n <= 4 && list[i]; i++)
		if (ds_str_is((ds_str){ w->at, w->n }, list[i]))
			return 1u << i;
	return 0;
}

typedef struct {
	double words, length, alpha, stops; /* words without symbols alone, their mean length */
} counts;

static counts count_words(quality_run *x)
{
	counts k = { 0 };
	double chars = 0;
	unsigned stops = 0;
	const char *const *list = x->han && x->q->chinese ? chinese : english;
	for (quality_words all = { 0 }; quality_words_next(x, &all);)
		for (const ds_word *w = all.at; w < all.at + all.n; w++) {
			bool alpha = word_has(w, ds_char_is_letter, true);
			k.alpha += alpha;
			if (alpha || word_has(w, no_symbol, true)) {
				k.words++;
				chars += w->chars;
			}
			stops |= stop_word(list, w);
		}
	k.length = chars / (k.words > 0 ? k.words : 1);
	k.stops = __builtin_popcount(stops);
	return k;
}

static size_t times(ds_str text, ds_str what)
{
	size_t n = 0;
	const char *p = text.at, *end = p + text.n;
	while ((p = memmem(p, (size_t)(end - p), what.at, what.n))) {
		p += what.n;
		n++;
	}
	return n;
}

/* Bytes of the line end at p (those of Python's splitlines); 0: none. */
static unsigned line_end(const uint8_t *p, const uint8_t *end)
{
	if (*p < 0x80)
		return *p == '\r' && end - p > 1 && p[1] == '\n'
			       ? 2
			       : (*p >= '\n' && *p <= '\r') || (*p >= 0x1c && *p <= 0x1e);
	if (*p == 0xc2 && end - p > 1 && p[1] == 0x85)
		return 2;
	return *p == 0xe2 && end - p > 2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9) ? 3 : 0;
}

ds_str quality_line(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *start = *p, *q = start;
	unsigned n = 0;
	while (q < end && !(n = line_end(q, end)))
		q++;
	*p = q + n;
	return (ds_str){ (const char *)start, (size_t)(q - start) };
}

ds_str quality_trim(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	uint32_t c;
	unsigned n;
	while (p < end && (n = ds_utf8_get(p, end, &c)) && ds_char_is_space(c))
		p += n;
	for (n = 1; n <= 4 && end - p >= n; n++)
		if (ds_utf8_get(end - n, end, &c) == n && ds_char_is_space(c)) {
			end -= n;
			n = 0;
		}
	return (ds_str){ (const char *)p, (size_t)(end - p) };
}

static bool lines_fail(quality_run *x)
{
	const uint8_t *p = (const uint8_t *)x->r->text.at, *end = p + x->r->text.n;
	double lines = 0, bullets = 0, open = 0;
	while (p < end) {
		ds_str s = quality_trim(quality_line(&p, end));
		lines++;
		bullets += ds_str_starts(s, DS_S("-")) || ds_str_starts(s, DS_S("•"));
		open += ds_str_ends(s, DS_S("...")) || ds_str_ends(s, DS_S("…"));
	}
	return quality_fails(x, Q_bullet_lines, bullets / lines) ||
	       quality_fails(x, Q_ellipsis_lines, open / lines);
}

bool quality_gopher(quality_run *x)
{
	bool any = false;
	for (unsigned i = Q_words_min; i <= Q_stop_words; i++)
		any |= x->q->on[i];
	if (!any)
		return false;
	quality_cut(x);
	counts k = count_words(x);
	ds_str text = x->r->text;
	if (quality_fails(x, Q_words_min, k.words) || quality_fails(x, Q_words_max, k.words))
		return true;
	if (x->n_words == 0)
		return false;
	double n = (double)x->n_words;
	size_t open = times(text, DS_S("...")) + times(text, DS_S("…"));
	return quality_fails(x, Q_word_length_min, k.length) ||
	       quality_fails(x, Q_word_length_max, k.length) ||
	       quality_fails(x, Q_hashes, (double)times(text, DS_S("#")) / n) ||
	       quality_fails(x, Q_ellipses, (double)open / n) || lines_fail(x) ||
	       quality_fails(x, Q_alpha_words, k.alpha / n) ||
	       quality_fails(x, Q_stop_words, k.stops);
}

static bool ends_sentence(ds_str line)
{
	const uint8_t *p = (const uint8_t *)line.at, *end = p + line.n;
	uint32_t c;
	for (unsigned n = 1; n <= 4 && n <= line.n; n++)
		if (ds_utf8_get(end - n, end, &c) == n)
			return ds_char_ends_sentence(c);
	return false;
}

bool quality_fineweb(quality_run *x)
{
	enum { SHORT = 30 };
	quality_pieces all = { x->r->text, 0 };
	ds_str line;
	double lines = 0, ended = 0, brief = 0, feeds;
	bool any = false;
	for (unsigned i = Q_line_punct; i <= Q_newlines; i++)
		any |= x->q->on[i];
	if (!any)
		return false;
	feeds = (double)times(x->r->text, DS_S("\n"));
	for (quality_pieces p = all; quality_piece(&p, &line);) {
		lines++;
		ended += ends_sentence(line);
		brief += line.n <= SHORT || (line.n <= 4 * SHORT && ds_utf8_count(line) <= SHORT);
	}
	if (lines == 0)
		return quality_fails(x, Q_line_punct, 0);
	if (quality_fails(x, Q_line_punct, ended / lines) ||
		quality_fails(x, Q_short_lines, brief / lines))
		return true;
	quality_count again = quality_duplicates(x, all);
	if (quality_fails(x, Q_dup_chars, (double)again.again_chars / (x->chars - feeds)))
		return true;
	if (!x->q->on[Q_newlines])
		return false;
	quality_cut(x);
	return x->n_words && quality_fails(x, Q_newlines, feeds / (double)x->n_words);
}
