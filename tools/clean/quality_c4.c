/*
 * quality_c4.c - C4's rules, which keep some lines and drop some records
 */
#include "quality.h"

#include "text/grow.h"
#include "text/unicode.h"
#include "text/utf8.h"

typedef struct {
	size_t words, longest; /* the longest word in characters */
} line_words;

static line_words count_words(ds_str line)
{
	const uint8_t *p = (const uint8_t *)line.at, *end = p + line.n;
	line_words w = { 0, 0 };
	size_t chars = 0;
	while (p < end) {
		uint32_t c = 0;
		unsigned n = ds_utf8_get(p, end, &c);
		bool blank = n && ds_char_is_space(c);
		w.words += !blank && chars == 0;
		chars = blank ? 0 : chars + 1;
		w.longest = chars > w.longest ? chars : w.longest;
		p += n ? n : 1;
	}
	return w;
}

/* The bytes of a mark like [12], [edit] or [citation needed] at the start of s; 0: none. */
static size_t citation(ds_str s)
{
	size_t n = 1;
	if (ds_str_starts(s, DS_S("[edit]")))
		return 6;
	if (ds_str_starts(s, DS_S("[citation needed]")))
		return 17;
	while (n < s.n && s.at[n] >= '0' && s.at[n] <= '9')
		n++;
	return n < s.n && s.at[n] == ']' ? n + 1 : 0;
}

/* The line without them; it, where it has none, else in x->low. */
static ds_str without_citations(quality_run *x, ds_str line)
{
	size_t done = 0, n;
	if (!x->q->on[Q_citations] || !memchr(line.at, '[', line.n))
		return line;
	ds_buf_clear(&x->low);
	for (size_t i = 0; i < line.n; i += n) {
		n = line.at[i] == '[' ? citation((ds_str){ line.at + i, line.n - i }) : 0;
		if (n) {
			ds_buf_add(&x->low, line.at + done, i - done);
			done = i + n;
		}
		n += !n;
	}
	if (done == 0)
		return line;
	ds_buf_add(&x->low, line.at + done, line.n - done);
	return ds_arena_str(x->r->mem, ds_buf_view(&x->low));
}

static bool ends_well(ds_str line)
{
	return line.n && strchr(".?!\"'", line.at[line.n - 1]) && line.at[line.n - 1] &&
	       !ds_str_ends(line, DS_S("..."));
}

static bool has(ds_str low, const char *words)
{
	return memmem(low.at, low.n, words, strlen(words)) != NULL;
}

static bool has_policy(ds_str low)
{
	static const char *const phrases[] = { "terms of use", "privacy policy", "cookie policy",
		"uses cookies", "use of cookies", "use cookies" };
	bool found = false;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		found |= has(low, phrases[i]);
	return found;
}

static ds_str lower_ascii(quality_run *x, ds_str line)
{
	ds_buf_clear(&x->low);
	ds_buf_reserve(&x->low, line.n + 1);
	for (size_t i = 0; i < line.n; i++)
		x->low.at[i] =
			(char)(line.at[i] + (line.at[i] >= 'A' && line.at[i] <= 'Z' ? 32 : 0));
	return (ds_str){ x->low.at, line.n };
}

/* Whether a line stays; *done: the record goes. */
static bool keep_line(quality_run *x, ds_str *line, bool *done)
{
	const quality *q = x->q;
	line_words w = count_words(*line);
	if (q->on[Q_word_chars] && (double)w.longest > q->limit[0][Q_word_chars])
		return false;
	*line = without_citations(x, *line);
	if (q->on[Q_terminal] && !ends_well(*line))
		return false;
	if (q->on[Q_line_words] && (double)w.words < q->limit[0][Q_line_words])
		return false;
	ds_str low = lower_ascii(x, *line);
	*done = q->on[Q_lorem_ipsum] && has(low, "lorem ipsum") &&
		quality_fails(x, Q_lorem_ipsum, 1);
	if (*done || (q->on[Q_javascript] && has(low, "javascript")))
		return false;
	*done = q->on[Q_brace] && memchr(line->at, '{', line->n) && quality_fails(x, Q_brace, 1);
	return !*done && !(q->on[Q_policy] && has_policy(low));
}

static size_t sentences(quality_run *x, ds_str line)
{
	const ds_word *word;
	size_t n = x->han ? ds_words_han(x->words, line, &word)
			  : ds_words_spaced(x->words, line, &word);
	return ds_words_sentences(word, n);
}

bool quality_c4(quality_run *x)
{
	const quality *q = x->q;
	const uint8_t *p = (const uint8_t *)x->r->text.at, *end = p + x->r->text.n;
	ds_grow kept = { .mem = x->r->mem };
	size_t n = 0;
	bool any = false, done = false;
	for (unsigned i = Q_word_chars; i <= Q_sentences; i++)
		any |= q->on[i];
	while (any && p < end && !done) {
		ds_str line = quality_trim(quality_line(&p, end));
		if (!keep_line(x, &line, &done))
			continue;
		/* Beyond the limit they are counted for --tag alone. */
		if (q->on[Q_sentences] && (x->r->tag || (double)n < q->limit[0][Q_sentences]))
			n += sentences(x, line);
		if (!kept.at)
			ds_grow_reserve(&kept, x->r->text.n + 1);
		ds_grow_add(&kept, line.at, line.n);
		ds_grow_byte(&kept, '\n');
	}
	x->cut = false; /* the words are those of a line now */
	done = done || (any && quality_fails(x, Q_sentences, (double)n));
	if (any && !done && !x->r->tag) {
		ds_str text = quality_trim(ds_grow_view(&kept));
		if (!ds_str_eq(text, x->r->text))
			x->r->text = text;
	}
	return done;
}
