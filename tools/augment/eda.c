/*
 * eda.c - Easy Data Augmentation (Wei and Zou, EMNLP 2019), on words with their gaps left alone
 *
 * Of l words, max(1, P l) get a synonym, as many synonyms of some word are inserted, as many pairs change
 * places, and each word goes with probability P. Random numbers come from the seed and the record, that is
 * its id and text, so they are the same however the input is cut. A text of more than STRETCH bytes is changed
 * stretch by stretch, so that there are never more of its words in memory; in each, P is of its own words.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "text/grow.h"
#include "words.h"

enum { TRIES = 12, DRAWS = 16, ARENA_BYTES = 1 << 18, STRETCH = 64 << 10 };

typedef struct { /* a new word behind word `at` */
	ds_str text;
	uint32_t at, next; /* next: 1 + the one inserted there before; 0: none */
	bool ideo;
} inserted;

struct eda {
	const eda_plan *plan;
	ds_cutter *cutter;
	choices *choices;
	ds_arena *kept, *tried; /* of a stretch; of one try of it */
	ds_h128 *made;          /* hashes of the copies of this text, its own first */
	size_t n_made, cap_made;
	words words; /* of a stretch: of the text, where that is all of it */
	bool long_text;
	ds_str source;
	uint64_t key, n_copies;
	/* of one try */
	ds_rng rng;
	uint64_t draws;
	ds_grow out;
	uint32_t drawn[4];
	ds_str *now; /* each word as it is; n = 0: deleted */
	inserted *more;
	uint32_t *more_at; /* 1 + the last inserted behind each word */
	size_t n_more;
	unsigned done[4];
};

ds_rc eda_new(eda **out, const eda_plan *plan, ds_err *e)
{
	ds_cutter *cutter;
	DS_TRY(ds_cutter_new(&cutter, DS_CUT_WORDS, e));
	eda *x = DS_NEW(eda, 1);
	x->plan = plan;
	x->cutter = cutter;
	x->choices = choices_new(plan);
	x->kept = ds_arena_new(ARENA_BYTES);
	x->tried = ds_arena_new(ARENA_BYTES);
	*out = x;
	return DS_OK;
}

void eda_free(eda *x)
{
	if (!x)
		return;
	ds_cutter_free(x->cutter);
	choices_free(x->choices);
	ds_arena_free(x->kept);
	ds_arena_free(x->tried);
	ds_mem_free(x->made);
	ds_mem_free(x);
}

static bool is_new_text(eda *x, ds_str text)
{
	ds_h128 h = ds_hash128(text.at, text.n);
	for (size_t i = 0; i < x->n_made; i++)
		if (x->made[i].lo == h.lo && x->made[i].hi == h.hi)
			return false;
	if (x->n_made == x->cap_made) {
		size_t cap = 2 * x->cap_made + 16;
		x->made = ds_mem_grow(x->made, x->n_made * sizeof(h), cap * sizeof(h));
		x->cap_made = cap;
	}
	x->made[x->n_made++] = h;
	return true;
}

static void start_stretch(eda *x, ds_str text)
{
	ds_arena_reset(x->kept);
	choices_trim(x->choices);
	words_of(&x->words, x->cutter, text, x->plan->stop, x->kept);
}

void eda_start(eda *x, ds_str text, ds_str id)
{
	x->n_made = 0;
	x->source = text;
	x->n_copies = 0;
	x->key = ds_hash64_seed(text.at, text.n, ds_hash64_seed(id.at, id.n, x->plan->seed));
	is_new_text(x, text);
	x->long_text = text.n > STRETCH;
	if (!x->long_text)
		start_stretch(x, text);
}

/* 32 bits of chance; four come of one block. */
static uint32_t chance(eda *x)
{
	if (x->draws % 4 == 0)
		ds_rng_block(x->rng, x->draws / 4, x->drawn);
	return x->drawn[x->draws++ % 4];
}

static size_t draw(eda *x, size_t n) /* n is a number of words, far below 2^32 */
{
	return (size_t)((uint64_t)chance(x) * n >> 32);
}

static size_t amount(double p, size_t n)
{
	size_t k = (size_t)(p * (double)n);
	return k ? k : 1;
}

static ds_rc replace(eda *x, ds_err *e)
{
	const words *w = &x->words;
	uint32_t *left = ds_arena_get(x->tried, (w->n + 1) * sizeof(*left));
	size_t n = 0, wanted = amount(x->plan->synonym, w->n);
	for (size_t i = 0; i < w->n; i++)
		if (!w->at[i].stop)
			left[n++] = (uint32_t)i;
	while (n && wanted) {
		const ds_str *list;
		size_t k = draw(x, n), n_list, i = left[k];
		left[k] = left[--n];
		DS_TRY(choices_find(x->choices, w, i, &list, &n_list, e));
		if (!n_list)
			continue;
		x->now[i] = words_cased(list[draw(x, n_list)], w->at[i].letters, x->tried);
		x->done[0]++;
		wanted--;
	}
	return DS_OK;
}

static ds_rc insert(eda *x, ds_err *e)
{
	const words *w = &x->words;
	size_t wanted = amount(x->plan->insert, w->n);
	x->more = ds_arena_get(x->tried, wanted * sizeof(*x->more));
	x->more_at = ds_arena_zero(x->tried, w->n * sizeof(*x->more_at));
	for (size_t k = 0; k < wanted; k++) {
		const ds_str *list;
		size_t n_list = 0, i = 0;
		for (unsigned t = 0; t < DRAWS && !n_list; t++) {
			i = draw(x, w->n);
			DS_TRY(choices_find(x->choices, w, i, &list, &n_list, e));
		}
		if (!n_list)
			continue;
		ds_str text = list[draw(x, n_list)];
		size_t at = draw(x, w->n);
		if (w->at[at].letters == CASE_ALL && w->at[i].letters == CASE_ALL)
			text = words_cased(text, CASE_ALL, x->tried);
		x->more[x->n_more++] =
			(inserted){ text, (uint32_t)at, x->more_at[at], w->at[i].ideo };
		x->more_at[at] = (uint32_t)x->n_more;
		x->done[1]++;
	}
	return DS_OK;
}

/* A word as it is written in another's place. */
static ds_str moved(eda *x, size_t from, ds_str text, size_t to)
{
	const word *a = &x->words.at[from], *b = &x->words.at[to];
	bool changed = text.at != a->text.at;
	if (b->first && b->letters == CASE_FIRST && !(a->first && a->letters == CASE_FIRST))
		return words_cased(text, CASE_FIRST, x->tried);
	if (a->first && !b->first && !changed)
		return words_uncapped(a, x->tried);
	return text;
}

static void swap(eda *x)
{
	const words *w = &x->words;
	size_t wanted = amount(x->plan->swap, w->n);
	for (size_t k = 0; k < wanted && w->n > 1; k++) {
		size_t a = 0, b = 0;
		bool differ = false;
		for (unsigned t = 0; t < DRAWS && !differ; t++) {
			a = draw(x, w->n);
			b = draw(x, w->n - 1);
			b += b >= a;
			differ = !ds_str_eq(w->at[a].lower, w->at[b].lower) &&
				 !ds_str_eq(x->now[a], x->now[b]);
		}
		if (!differ)
			continue;
		ds_str text = moved(x, a, x->now[a], b);
		x->now[a] = moved(x, b, x->now[b], a);
		x->now[b] = text;
		x->done[2]++;
	}
}

static void delete (eda *x)
{
	size_t n = x->words.n, left = n;
	for (size_t i = 0; i < n && left > 1; i++) {
		if (chance(x) * 0x1p-32 >= x->plan->delete)
			continue;
		x->now[i].n = 0;
		x->done[3]++;
		left--;
	}
	if (!x->done[0] && !x->done[1] && !x->done[2] && !x->done[3] && n > 1) {
		x->now[draw(x, n)].n = 0;
		x->done[3]++;
	}
}

/* The gap behind a word that is gone: of two blanks around it one goes too. */
static ds_str gap_after(ds_str gap, const ds_grow *out)
{
	bool blank = !out->n || strchr(" \t\n", out->at[out->n - 1]);
	if (gap.n && blank && (gap.at[0] == ' ' || gap.at[0] == '\t'))
		return (ds_str){ gap.at + 1, gap.n - 1 };
	return gap;
}

static void drop_blank_before(ds_grow *out, ds_str gap)
{
	if (out->n && out->at[out->n - 1] == ' ' && (!gap.n || strchr(".,;:!?)\n", gap.at[0])))
		out->n--;
}

typedef struct { /* of a text being written */
	ds_grow out;
	bool capital; /* the word that began the sentence is gone */
	size_t article,
		end; /* 1 + the place of the a or an just written, and where it ends; 0: none */
} pen;

/* A becomes an, or an a, where another word than in the source comes behind it. */
static void fit_article(pen *p, ds_str next)
{
	ds_grow *out = &p->out;
	bool an = strchr("nN", out->at[p->end - 1]) != NULL;
	if (out->n != p->end + 1 || out->at[p->end] != ' ' || an == words_vowel(next))
		return;
	out->n -= an ? 2 : 1;
	ds_grow_add(out, "n ", an ? 0 : 1);
	ds_grow_byte(out, ' ');
}

static void write_word(eda *x, pen *p, size_t i, ds_str text)
{
	const word *w = &x->words.at[i];
	bool own = text.at == w->text.at; /* not moved here or put here */
	if (p->capital)
		text = words_cased(text, CASE_FIRST, x->tried);
	p->capital = false;
	if (p->article && !(own && p->article == i))
		fit_article(p, text);
	ds_grow_add(&p->out, text.at, text.n);
	bool article = ds_str_is(text, "a") || ds_str_is(text, "an");
	if (w->first)
		article |= ds_str_is(text, "A") || ds_str_is(text, "An");
	p->article = !article ? 0 : own ? i + 1 : SIZE_MAX;
	p->end = p->out.n;
}

/* The word, unless it is gone, and what was inserted behind it; false: nothing is there. */
static bool write_place(eda *x, pen *p, size_t i)
{
	const word *w = &x->words.at[i];
	uint32_t k = x->n_more ? x->more_at[i] : 0;
	ds_str text = x->now[i];
	bool ideo = w->ideo, any = false;
	if (!text.n && !k)
		return false;
	for (;;) {
		if (text.n) {
			if (any && !(ideo && w->ideo))
				ds_grow_byte(&p->out, ' ');
			write_word(x, p, i, text);
			any = true;
		}
		if (!k)
			return true;
		text = x->more[k - 1].text;
		ideo = x->more[k - 1].ideo;
		k = x->more[k - 1].next;
	}
}

/* Behind what is in x->out. */
static void render(eda *x)
{
	const words *w = &x->words;
	pen p = { .out = x->out };
	ds_grow_add(&p.out, w->head.at, w->head.n);
	for (size_t i = 0; i < w->n; i++) {
		ds_str gap = w->at[i].gap;
		if (w->at[i].first)
			p.capital = !x->now[i].n && w->at[i].letters == CASE_FIRST;
		if (!write_place(x, &p, i)) {
			drop_blank_before(&p.out, gap);
			gap = gap_after(gap, &p.out);
		}
		ds_grow_add(&p.out, gap.at, gap.n);
	}
	x->out = p.out;
}

static ds_rc change_stretch(eda *x, ds_err *e)
{
	const eda_plan *p = x->plan;
	ds_arena_reset(x->tried);
	x->n_more = 0;
	x->now = ds_arena_get(x->tried, x->words.n * sizeof(*x->now));
	for (size_t i = 0; i < x->words.n; i++)
		x->now[i] = x->words.at[i].text;
	if (p->synonym > 0 && x->words.n)
		DS_TRY(replace(x, e));
	if (p->insert > 0 && x->words.n)
		DS_TRY(insert(x, e));
	if (p->swap > 0)
		swap(x);
	if (p->delete > 0)
		delete (x);
	render(x);
	return DS_OK;
}

static ds_rc try_once(eda *x, uint64_t attempt, ds_arena *mem, ds_str *text, ds_err *e)
{
	x->rng = ds_rng_of(x->key, x->n_copies << 8 | attempt);
	x->draws = 0;
	x->out = (ds_grow){ .mem = mem };
	memset(x->done, 0, sizeof(x->done));
	/* What is not written to is not taken; grown, it would be there twice. */
	ds_grow_reserve(&x->out, x->long_text ? 2 * x->source.n : x->source.n);
	if (!x->long_text)
		DS_TRY(change_stretch(x, e));
	for (ds_str rest = x->source; x->long_text && rest.n;) {
		start_stretch(x, ds_words_stretch(&rest, STRETCH));
		DS_TRY(change_stretch(x, e));
	}
	*text = ds_grow_view(&x->out);
	return DS_OK;
}

static void add_number(ds_grow *out, unsigned n)
{
	if (n > 9)
		add_number(out, n / 10);
	ds_grow_byte(out, (char)('0' + n % 10));
}

static ds_str told(const eda *x, ds_arena *mem)
{
	static const char *const names[] = { "synonym", "insert", "swap", "delete" };
	ds_grow out = { .mem = mem };
	for (unsigned i = 0; i < 4; i++) {
		if (!x->done[i])
			continue;
		if (out.n)
			ds_grow_add(&out, ", ", 2);
		ds_grow_add(&out, names[i], strlen(names[i]));
		ds_grow_byte(&out, ' ');
		add_number(&out, x->done[i]);
	}
	return ds_grow_view(&out);
}

ds_rc eda_copy(eda *x, ds_arena *mem, ds_str *text, ds_str *how, bool *made, ds_err *e)
{
	*made = false;
	x->n_copies++;
	bool any = x->long_text || x->words.n;
	for (uint64_t attempt = 0; attempt < TRIES && !*made && any; attempt++) {
		DS_TRY(try_once(x, attempt, mem, text, e));
		*made = text->n && is_new_text(x, *text);
	}
	if (*made)
		*how = told(x, mem);
	return DS_OK;
}
