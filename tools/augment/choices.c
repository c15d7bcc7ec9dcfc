/*
 * choices.c - synonyms of a word in its place: from the lists, else from WordNet by part of speech
 */
#include "base/hash.h"
#include "base/mem.h"
#include "words.h"

enum { MANY = 1 << 15, ARENA_BYTES = 1 << 20, KEY = 64 };

typedef struct {
	ds_str *at;
	size_t n;
} list;

struct choices {
	const eda_plan *plan;
	ds_map *known; /* word and parts of speech; the value is a list's address in mem */
	ds_arena *mem;
	ds_str *fit;    /* those that go with the word before */
	ds_map *before; /* words that tell what comes after them: parts of speech */
};

static const char before_nouns[] =
	"a an the this that these those my your his her its our their some any "
	"no every each another of in on at with for by from very";
static const char before_verbs[] =
	"to will would can could shall should may might must i you he she we "
	"they don't doesn't didn't won't can't wouldn't couldn't shouldn't "
	"cannot let's";

static void note(ds_map *to, const char *names, unsigned parts)
{
	for (ds_str rest = ds_str_of(names); rest.at;)
		*ds_map_put(to, ds_str_cut(rest, ' ', &rest), NULL) = parts;
}

choices *choices_new(const eda_plan *plan)
{
	choices *c = DS_NEW(choices, 1);
	c->plan = plan;
	c->known = ds_map_new(1024);
	c->mem = ds_arena_new(ARENA_BYTES);
	c->before = ds_map_new(64);
	note(c->before, before_nouns, DS_POS_ALL & ~(1u << DS_POS_VERB));
	note(c->before, before_verbs, DS_POS_ALL & ~(1u << DS_POS_NOUN | 1u << DS_POS_ADJ));
	c->fit = DS_NEW(ds_str, DS_SYNONYMS_MOST);
	return c;
}

void choices_free(choices *c)
{
	if (!c)
		return;
	ds_map_free(c->known);
	ds_map_free(c->before);
	ds_arena_free(c->mem);
	ds_mem_free(c->fit);
	ds_mem_free(c);
}

void choices_trim(choices *c)
{
	if (ds_map_count(c->known) < MANY)
		return;
	ds_map_free(c->known);
	c->known = ds_map_new(1024);
	ds_arena_reset(c->mem);
}

static const word *before(const words *w, size_t i)
{
	return i && ds_str_is(w->at[i - 1].gap, " ") ? &w->at[i - 1] : NULL;
}

/* The word before tells verbs from the rest: "the run", "they run", "to run". */
static unsigned allowed(const choices *c, const words *w, size_t i)
{
	const word *b = before(w, i);
	if (!b)
		return DS_POS_ALL;
	const uint64_t *parts = ds_map_find(c->before, b->lower);
	return parts ? (unsigned)*parts : DS_POS_ALL;
}

static bool is_english(ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.at[i] >= 'a' && s.at[i] <= 'z') && s.at[i] != '-' && s.at[i] != '\'')
			return false;
	return true;
}

static ds_rc look_up(choices *c, ds_str lower, unsigned pos, list *out, ds_err *e)
{
	const eda_plan *p = c->plan;
	bool possessive = ds_str_ends(lower, DS_S("'s"));
	if (p->lists)
		out->at = ds_synonyms_find(p->lists, lower, c->mem, &out->n);
	if (out->n || !p->wordnet || !is_english(lower))
		return DS_OK;
	ds_str stem = { lower.at, lower.n - (possessive ? 2 : 0) };
	DS_TRY(ds_wordnet_find(p->wordnet, stem, possessive ? 1u << DS_POS_NOUN : pos, c->mem,
		&out->at, &out->n, e));
	for (size_t i = 0; possessive && i < out->n; i++)
		out->at[i] = ds_arena_fmt(c->mem, "%.*s's", (int)out->at[i].n, out->at[i].at);
	return DS_OK;
}

ds_rc choices_find(choices *c, const words *w, size_t i, const ds_str **out, size_t *n, ds_err *e)
{
	const word *x = &w->at[i], *b = before(w, i);
	unsigned pos = allowed(c, w, i);
	*n = 0;
	if (x->stop)
		return DS_OK;
	char small[KEY];
	char *at = x->lower.n < KEY ? small : ds_arena_bytes(c->mem, x->lower.n + 1);
	at[0] = (char)pos;
	memcpy(at + 1, x->lower.at, x->lower.n);
	ds_str key = { at, x->lower.n + 1 };
	bool is_new;
	uint64_t *known = ds_map_put(c->known, key, &is_new);
	if (is_new) {
		list *l = ds_arena_zero(c->mem, sizeof(*l));
		*known = (uintptr_t)l;
		DS_TRY(look_up(c, x->lower, pos, l, e));
	}
	const list *l = (const list *)(uintptr_t)*known;
	*out = l->at;
	*n = l->n;
	if (!b || !(ds_str_is(b->lower, "a") || ds_str_is(b->lower, "an")))
		return DS_OK;
	*n = 0; /* a stays a, an stays an */
	for (size_t k = 0; k < l->n && *n < DS_SYNONYMS_MOST; k++)
		if (words_vowel(l->at[k]) == words_vowel(x->lower))
			c->fit[(*n)++] = l->at[k];
	*out = c->fit;
	return DS_OK;
}
