/*
 * wordnet.c - what a word may be, and what stands for it, read from the lines of WordNet's files
 */
#include "text/wordnet_impl.h"

#include "base/io.h"
#include "base/mem.h"

#include <stdlib.h>

enum { MOST = 256, LONGEST = 64, SENSES = 80, N_FILES = 3 * DS_POS_N + 1 };

static const char *const pos_name[DS_POS_N] = { "noun", "verb", "adj", "adv" };
static const char pos_digits[DS_POS_N][3] = { "1", "2", "35",
	"4" }; /* of sense keys, senseidx(5) */

struct ds_wordnet {
	ds_wordnet_files f;
	ds_lines lines;
	ds_irregulars exc[DS_POS_N];
	ds_buf held[N_FILES];
	ds_in *open[N_FILES];
};

typedef struct { /* what a word may be */
	ds_pos pos;
	ds_word_form form;
	ds_str lemma, line; /* its line of index.POS */
	uint64_t count;
} reading;

typedef struct {
	ds_str at[MOST];
	uint8_t rank[MOST]; /* 0: the best */
	size_t n;
} found;

static ds_str line_at(ds_str text, size_t from)
{
	const char *p = text.at + from, *end = memchr(p, '\n', text.n - from);
	return (ds_str){ p, end ? (size_t)(end - p) : text.n - from };
}

static ds_str next_word(ds_str *rest)
{
	const char *p = rest->at, *end = p + rest->n;
	while (p < end && *p == ' ')
		p++;
	const char *from = p;
	while (p < end && *p != ' ')
		p++;
	*rest = (ds_str){ p, (size_t)(end - p) };
	return (ds_str){ from, (size_t)(p - from) };
}

static uint64_t number(ds_str s, unsigned base)
{
	uint64_t v = 0;
	for (size_t i = 0; i < s.n && i < 12; i++) {
		unsigned c = (unsigned char)s.at[i];
		unsigned d = c >= '0' && c <= '9'   ? c - '0'
			     : c >= 'a' && c <= 'f' ? c - 'a' + 10
						    : base;
		if (d >= base)
			return UINT64_MAX >> 1;
		v = v * base + d;
	}
	return v;
}

/* How often the lemma was met as that part of speech, in the texts WordNet was counted on; by_sense: each
 * of the first SENSES. */
static uint64_t count_of(const ds_wordnet *w, ds_str lemma, ds_pos pos, uint64_t *by_sense)
{
	uint64_t sum = 0;
	size_t at;
	if (!ds_lines_find(&w->lines, DS_LINES_COUNTS, lemma, &at))
		return 0;
	while (at < w->f.counts.n) {
		ds_str line = line_at(w->f.counts, at);
		if (line.n <= lemma.n || line.at[lemma.n] != '%' || !ds_str_starts(line, lemma))
			break;
		at += line.n + 1;
		if (line.n == lemma.n + 1 || !strchr(pos_digits[pos], line.at[lemma.n + 1]))
			continue;
		next_word(&line);
		uint64_t sense = number(next_word(&line), 10), count = number(next_word(&line), 10);
		sum += count;
		if (by_sense && sense - 1 < SENSES)
			by_sense[sense - 1] += count;
	}
	return sum;
}

static bool in_index(const ds_wordnet *w, ds_pos pos, ds_str lemma, ds_str *line)
{
	size_t at;
	if (!lemma.n || lemma.n > LONGEST ||
		!ds_lines_find(&w->lines, DS_LINES_INDEX + pos, lemma, &at))
		return false;
	*line = line_at(w->f.index[pos], at);
	return true;
}

static void consider(
	const ds_wordnet *w, reading *best, ds_pos pos, ds_word_form form, ds_str lemma)
{
	ds_str line;
	if (!in_index(w, pos, lemma, &line))
		return;
	uint64_t count = 1 + count_of(w, lemma, pos, NULL);
	if (count > best->count)
		*best = (reading){ pos, form, lemma, line, count };
}

static void consider_forms(
	const ds_wordnet *w, reading *best, ds_pos pos, ds_str word, ds_arena *mem)
{
	size_t at;
	ds_word_form form;
	consider(w, best, pos, DS_FORM_BASE, word);
	if (ds_lines_find(&w->lines, DS_LINES_EXC + pos, word, &at)) {
		ds_str line = line_at(w->f.exc[pos], at);
		next_word(&line);
		if (!ds_word_form_of(pos, word, &form))
			return;
		for (ds_str lemma; (lemma = next_word(&line)).n;)
			if (!ds_str_eq(lemma, word))
				consider(w, best, pos, form, lemma);
		return;
	}
	if (pos == DS_POS_NOUN && ds_str_ends(word, DS_S("ss")))
		return;
	for (const ds_ending *x = ds_endings[pos]; x->ending; x++) {
		ds_str ending = ds_str_of(x->ending);
		if (word.n <= ending.n || !ds_str_ends(word, ending))
			continue;
		size_t stem = word.n - ending.n, tail = strlen(x->lemma);
		char *lemma = ds_arena_bytes(mem, stem + tail);
		memcpy(lemma, word.at, stem);
		memcpy(lemma + stem, x->lemma, tail);
		consider(w, best, pos, x->form, (ds_str){ lemma, stem + tail });
	}
}

/* A synonym as it is written: no name, number or abbreviation (yr), blanks for underscores, no (p) behind an
 * adjective. */
static bool spelled(ds_str s, ds_arena *mem, ds_str *out)
{
	const char *mark = memchr(s.at, '(', s.n);
	if (mark)
		s.n = (size_t)(mark - s.at);
	char *to = ds_arena_bytes(mem, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		if (!(c >= 'a' && c <= 'z') && c != '_' && c != '-' && c != '\'')
			return false;
		to[i] = c == '_' ? ' ' : c;
	}
	*out = (ds_str){ to, s.n };
	return s.n > 2;
}

static bool has(const found *f, ds_str s)
{
	for (size_t i = 0; i < f->n; i++)
		if (ds_str_eq(f->at[i], s))
			return true;
	return false;
}

/* A line of index.POS up to its offsets: lemma pos senses pointers symbols… senses tagged (wndb(5)) */
static void head_of(ds_str *line, uint64_t *senses, uint64_t *tagged)
{
	next_word(line);
	next_word(line);
	*senses = number(next_word(line), 10);
	uint64_t pointers = number(next_word(line), 10);
	for (uint64_t i = 0; i < pointers && line->n; i++)
		next_word(line);
	next_word(line);
	*tagged = number(next_word(line), 10);
}

/* How plainly a lemma says what the synset means: 0 as one of its two chief senses, 1 as one that was met
 * in texts, 2 as one that was not, 3 that and in several words. */
static uint8_t rank_of(const ds_wordnet *w, ds_pos pos, ds_str lemma, ds_str offset)
{
	uint8_t rare = memchr(lemma.at, '_', lemma.n) ? 3 : 2;
	uint64_t senses, tagged;
	ds_str line;
	if (!in_index(w, pos, lemma, &line))
		return rare;
	head_of(&line, &senses, &tagged);
	for (uint64_t i = 0; i < tagged && line.n; i++)
		if (ds_str_eq(next_word(&line), offset))
			return i < 2 ? 0 : 1;
	return rare;
}

static ds_rc synset(const ds_wordnet *w, const reading *r, ds_str word, ds_str offset,
	ds_arena *mem, found *out, ds_err *e)
{
	ds_str data = w->f.data[r->pos];
	uint64_t at = number(offset, 10);
	ds_str line = at < data.n ? line_at(data, at) : (ds_str){ "", 0 };
	if (!offset.n || !ds_str_eq(next_word(&line), offset))
		return ds_fail(e, DS_BAD, "data.%s: no synset at byte '%.*s'", pos_name[r->pos],
			DS_FMT(offset));
	next_word(&line); /* file of lexicographers */
	next_word(&line); /* part of speech */
	uint64_t words = number(next_word(&line), 16);
	for (uint64_t i = 0; i < words && line.n && out->n < MOST; i++) {
		ds_str plain, form, lemma = next_word(&line);
		next_word(&line);
		if (!spelled(lemma, mem, &plain) || ds_str_eq(plain, r->lemma) ||
			!ds_inflect(&w->exc[r->pos], r->pos, plain, r->form, mem, &form))
			continue;
		if (ds_str_eq(form, word) || has(out, form))
			continue;
		lemma.n = plain.n; /* without what stands in brackets */
		out->rank[out->n] = rank_of(w, r->pos, lemma, offset);
		out->at[out->n++] = form;
	}
	return DS_OK;
}

/* A noun that is written with a capital in one of its senses: john is the toilet, in texts he is not. */
static bool is_name(const ds_wordnet *w, ds_str word)
{
	uint64_t senses, tagged;
	ds_str line;
	if (!in_index(w, DS_POS_NOUN, word, &line))
		return false;
	head_of(&line, &senses, &tagged);
	for (uint64_t i = 0; i < senses && line.n; i++) {
		uint64_t at = number(next_word(&line), 10);
		if (at >= w->f.data[DS_POS_NOUN].n)
			continue;
		ds_str data = line_at(w->f.data[DS_POS_NOUN], at);
		for (unsigned skip = 0; skip < 3; skip++)
			next_word(&data);
		for (uint64_t left = number(next_word(&data), 16); left && data.n; left--) {
			ds_str x = next_word(&data);
			next_word(&data);
			if (x.n == word.n && x.at[0] == word.at[0] - 32 &&
				memcmp(x.at + 1, word.at + 1, x.n - 1) == 0)
				return true;
		}
	}
	return false;
}

/* The senses that texts mean: those met a quarter as often as the most frequent one, or the first. */
static ds_rc senses_of(
	const ds_wordnet *w, const reading *best, ds_str word, ds_arena *mem, found *out, ds_err *e)
{
	uint64_t met[SENSES] = { 0 }, most = 0, senses, tagged;
	ds_str line = best->line;
	head_of(&line, &senses, &tagged);
	count_of(w, best->lemma, best->pos, met);
	for (unsigned i = 0; i < SENSES; i++)
		most = met[i] > most ? met[i] : most;
	for (uint64_t i = 0; i < senses && i < SENSES; i++) {
		ds_str offset = next_word(&line);
		if (most ? 4 * met[i] >= most : i == 0)
			DS_TRY(synset(w, best, word, offset, mem, out, e));
	}
	return DS_OK;
}

ds_rc ds_wordnet_find(const ds_wordnet *w, ds_str word, unsigned allowed, ds_arena *mem,
	ds_str **out, size_t *n, ds_err *e)
{
	reading best = { .count = 0 };
	found all;
	*n = all.n = 0;
	if (!word.n || word.n > LONGEST)
		return DS_OK;
	for (unsigned pos = 0; pos < DS_POS_N; pos++)
		if (allowed & 1u << pos)
			consider_forms(w, &best, pos, word, mem);
	if (!best.count || is_name(w, word))
		return DS_OK;
	DS_TRY(senses_of(w, &best, word, mem, &all, e));
	/* La is no lanthanum: what is short must be known well. */
	uint8_t rank = word.n < 3 ? 1 : 3;
	for (size_t i = 0; i < all.n; i++)
		rank = all.rank[i] < rank ? all.rank[i] : rank;
	*out = ds_arena_get(mem, (all.n + 1) * sizeof(**out));
	for (size_t i = 0; i < all.n; i++)
		if (all.rank[i] == rank)
			(*out)[(*n)++] = all.at[i];
	return DS_OK;
}

static int by_lemma(const void *a, const void *b)
{
	const ds_irregular *x = a, *y = b;
	int c = ds_str_cmp(x->lemma, y->lemma);
	return c ? c : ds_str_cmp(x->form, y->form);
}

static void turn_round(ds_irregulars *exc, ds_str text)
{
	size_t cap = 0;
	for (size_t i = 0; i < text.n; i++)
		cap += text.at[i] == ' ';
	exc->at = DS_NEW(ds_irregular, cap + 1);
	while (text.at && cap) {
		ds_str line = ds_str_cut(text, '\n', &text), form = next_word(&line);
		for (ds_str lemma; form.n && (lemma = next_word(&line)).n;)
			exc->at[exc->n++] = (ds_irregular){ lemma, form };
	}
	qsort(exc->at, exc->n, sizeof(*exc->at), by_lemma);
}

static void take(ds_wordnet *w)
{
	for (unsigned pos = 0; pos < DS_POS_N; pos++) {
		w->lines.text[DS_LINES_INDEX + pos] = w->f.index[pos];
		w->lines.text[DS_LINES_EXC + pos] = w->f.exc[pos];
		turn_round(&w->exc[pos], w->f.exc[pos]);
	}
	w->lines.text[DS_LINES_COUNTS] = w->f.counts;
	ds_lines_build(&w->lines);
}

ds_wordnet *ds_wordnet_from_mem(const ds_wordnet_files *files)
{
	ds_wordnet *w = DS_NEW(ds_wordnet, 1);
	w->f = *files;
	take(w);
	return w;
}

/* A file mapped, or read where that cannot be. */
static ds_rc open_one(
	ds_wordnet *w, unsigned slot, const char *folder, const char *name, ds_str *view, ds_err *e)
{
	ds_buf path = { 0 };
	ds_buf_fmt(&path, "%s/%s", folder, name);
	ds_rc rc = ds_in_open(&w->open[slot], ds_buf_text(&path), e);
	if (rc == DS_OK && !ds_in_map(w->open[slot], view)) {
		rc = ds_file_read(ds_buf_text(&path), (size_t)1 << 30, &w->held[slot], e);
		*view = ds_buf_view(&w->held[slot]);
	}
	ds_buf_free(&path);
	return rc;
}

ds_rc ds_wordnet_open(ds_wordnet **out, const char *folder, ds_err *e)
{
	DS_AUTO(ds_wordnet) w = DS_NEW(ds_wordnet, 1);
	char name[32];
	unsigned slot = 0;
	for (unsigned pos = 0; pos < DS_POS_N; pos++) {
		ds_str *const views[] = { &w->f.index[pos], &w->f.data[pos], &w->f.exc[pos] };
		static const char *const before[] = { "index.", "data.", "" };
		for (unsigned i = 0; i < 3; i++) {
			ds_str p = ds_str_of(pos_name[pos]);
			size_t n = strlen(before[i]);
			memcpy(name, before[i], n);
			memcpy(name + n, p.at, p.n);
			strcpy(name + n + p.n, i == 2 ? ".exc" : "");
			DS_TRY(open_one(w, slot++, folder, name, views[i], e));
		}
	}
	DS_TRY(open_one(w, slot, folder, "cntlist.rev", &w->f.counts, e));
	take(w);
	*out = w;
	w = NULL;
	return DS_OK;
}

void ds_wordnet_close(ds_wordnet *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < N_FILES; i++) {
		ds_buf_free(&w->held[i]);
		ds_in_close(w->open[i]);
	}
	for (unsigned pos = 0; pos < DS_POS_N; pos++)
		ds_mem_free(w->exc[pos].at);
	ds_mem_free(w->lines.slots);
	ds_mem_free(w);
}
