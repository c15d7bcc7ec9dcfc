/*
 * stem.c - steps 1a to 5b, each a table of suffixes or a few lines
 */
#include "stem.h"

typedef struct {
	char *at;
	size_t n;
} word;

static bool vowel_letter(char c)
{
	return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

static bool consonant(const char *w, size_t i)
{
	bool c = true; /* of a run of y's: in turn */
	size_t k = i;
	if (vowel_letter(w[i]))
		return false;
	while (k > 0 && w[k] == 'y')
		k--;
	if (w[k] != 'y')
		c = !vowel_letter(w[k]);
	for (; k < i; k++)
		c = !c;
	return c;
}

/* Times that vowels are followed by consonants in the first n letters. */
static int measure(const char *w, size_t n)
{
	int m = 0;
	for (size_t i = 1; i < n; i++)
		m += consonant(w, i) && !consonant(w, i - 1);
	return m;
}

static bool has_vowel(const char *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!consonant(w, i))
			return true;
	return false;
}

static bool doubled(const char *w, size_t n)
{
	return n >= 2 && w[n - 1] == w[n - 2] && consonant(w, n - 1);
}

/* Consonant, vowel, consonant other than w, x, y; NLTK: or vowel, consonant as the whole word. */
static bool short_end(const char *w, size_t n)
{
	if (n >= 3 && consonant(w, n - 3) && !consonant(w, n - 2) && consonant(w, n - 1))
		return w[n - 1] != 'w' && w[n - 1] != 'x' && w[n - 1] != 'y';
	return n == 2 && !consonant(w, 0) && consonant(w, 1);
}

static bool ends(const word *w, ds_str suffix)
{
	return ds_str_ends((ds_str){ w->at, w->n }, suffix);
}

static void put(word *w, size_t stem_len, const char *by)
{
	size_t n = strlen(by);
	memcpy(w->at + stem_len, by, n);
	w->n = stem_len + n;
}

static void step1a(word *w)
{
	if (ends(w, DS_S("ies")))
		put(w, w->n - 3, w->n == 4 ? "ie" : "i");
	else if (ends(w, DS_S("sses")))
		w->n -= 2;
	else if (ends(w, DS_S("s")) && !ends(w, DS_S("ss")))
		w->n--;
}

static void step1b(word *w)
{
	size_t stem_len;
	if (ends(w, DS_S("ied"))) {
		put(w, w->n - 3, w->n == 4 ? "ie" : "i");
		return;
	}
	if (ends(w, DS_S("eed"))) {
		if (measure(w->at, w->n - 3) > 0)
			w->n--;
		return;
	}
	if (ends(w, DS_S("ed")) && has_vowel(w->at, w->n - 2))
		stem_len = w->n - 2;
	else if (ends(w, DS_S("ing")) && has_vowel(w->at, w->n - 3))
		stem_len = w->n - 3;
	else
		return;
	w->n = stem_len;
	if (ends(w, DS_S("at")) || ends(w, DS_S("bl")) || ends(w, DS_S("iz")))
		put(w, w->n, "e");
	else if (doubled(w->at, w->n)) {
		char c = w->at[w->n - 1];
		if (c != 'l' && c != 's' && c != 'z')
			w->n--;
	} else if (measure(w->at, w->n) == 1 && short_end(w->at, w->n))
		put(w, w->n, "e");
}

static void step1c(word *w)
{
	if (w->n > 2 && w->at[w->n - 1] == 'y' && consonant(w->at, w->n - 2))
		w->at[w->n - 1] = 'i';
}

typedef struct {
	const char *suffix, *by;
} rule;

static const rule step2_rules[] = { { "ational", "ate" }, { "tional", "tion" }, { "enci", "ence" },
	{ "anci", "ance" }, { "izer", "ize" }, { "bli", "ble" }, { "alli", "al" },
	{ "entli", "ent" }, { "eli", "e" }, { "ousli", "ous" }, { "ization", "ize" },
	{ "ation", "ate" }, { "ator", "ate" }, { "alism", "al" }, { "iveness", "ive" },
	{ "fulness", "ful" }, { "ousness", "ous" }, { "aliti", "al" }, { "iviti", "ive" },
	{ "biliti", "ble" }, { "fulli", "ful" }, { NULL, NULL } };

static const rule step3_rules[] = { { "icate", "ic" }, { "ative", "" }, { "alize", "al" },
	{ "iciti", "ic" }, { "ical", "ic" }, { "ful", "" }, { "ness", "" }, { NULL, NULL } };

static const char *const step4_suffixes[] = { "al", "ance", "ence", "er", "ic", "able", "ible",
	"ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize",
	NULL };

/* The first rule whose suffix is there decides, whether its stem is long enough or not. */
static void replace(word *w, const rule *r)
{
	for (; r->suffix; r++) {
		ds_str s = ds_str_of(r->suffix);
		if (!ends(w, s))
			continue;
		if (measure(w->at, w->n - s.n) > 0)
			put(w, w->n - s.n, r->by);
		return;
	}
}

static void step2(word *w)
{
	/* NLTK: alli becomes al, and the step is done once more. */
	if (ends(w, DS_S("alli")) && measure(w->at, w->n - 4) > 0) {
		put(w, w->n - 4, "al");
		step2(w);
		return;
	}
	/* NLTK: the l of logi belongs to the stem that is measured. */
	if (ends(w, DS_S("logi"))) {
		if (measure(w->at, w->n - 3) > 0)
			w->n--;
		return;
	}
	replace(w, step2_rules);
}

static void step4(word *w)
{
	for (size_t i = 0; step4_suffixes[i]; i++) {
		ds_str s = ds_str_of(step4_suffixes[i]);
		if (!ends(w, s))
			continue;
		size_t n = w->n - s.n;
		bool ion = ds_str_is(s, "ion");
		if (measure(w->at, n) > 1 &&
			(!ion || (n && (w->at[n - 1] == 's' || w->at[n - 1] == 't'))))
			w->n = n;
		return;
	}
}

static void step5(word *w)
{
	if (ends(w, DS_S("e"))) {
		int m = measure(w->at, w->n - 1);
		if (m > 1 || (m == 1 && !short_end(w->at, w->n - 1)))
			w->n--;
	}
	if (ends(w, DS_S("ll")) && measure(w->at, w->n - 1) > 1)
		w->n--;
}

static const struct {
	const char *form, *stem;
} irregular[] = { { "skies", "sky" }, { "sky", "sky" }, { "dying", "die" }, { "lying", "lie" },
	{ "tying", "tie" }, { "news", "news" }, { "innings", "inning" }, { "inning", "inning" },
	{ "outings", "outing" }, { "outing", "outing" }, { "cannings", "canning" },
	{ "canning", "canning" }, { "howe", "howe" }, { "proceed", "proceed" },
	{ "exceed", "exceed" }, { "succeed", "succeed" } };

ds_str stem(ds_str s, ds_arena *mem)
{
	for (size_t i = 0; i < sizeof(irregular) / sizeof(irregular[0]); i++)
		if (ds_str_is(s, irregular[i].form))
			return ds_str_of(irregular[i].stem);
	if (s.n <= 2)
		return s;
	word w = { ds_arena_bytes(mem, s.n + 2), s.n };
	memcpy(w.at, s.at, s.n);
	step1a(&w);
	step1b(&w);
	step1c(&w);
	step2(&w);
	replace(&w, step3_rules);
	step4(&w);
	step5(&w);
	return (ds_str){ w.at, w.n };
}
