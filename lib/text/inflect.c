/*
 * inflect.c - forms of English words, from a word's form to its lemma's ending and back
 *
 * What is irregular, doubled consonants included, is in WordNet's lists of exceptions; the rules here
 * are for what is not.
 */
#include "text/wordnet_impl.h"

/* As in morphy(7). */
static const ds_ending noun[] = { { "s", "", DS_FORM_PLURAL }, { "ses", "s", DS_FORM_PLURAL },
	{ "xes", "x", DS_FORM_PLURAL }, { "zes", "z", DS_FORM_PLURAL },
	{ "ches", "ch", DS_FORM_PLURAL }, { "shes", "sh", DS_FORM_PLURAL },
	{ "men", "man", DS_FORM_PLURAL }, { "ies", "y", DS_FORM_PLURAL }, { 0 } };
static const ds_ending verb[] = { { "s", "", DS_FORM_THIRD }, { "ies", "y", DS_FORM_THIRD },
	{ "es", "e", DS_FORM_THIRD }, { "es", "", DS_FORM_THIRD }, { "ed", "e", DS_FORM_PAST },
	{ "ed", "", DS_FORM_PAST }, { "ing", "e", DS_FORM_ING }, { "ing", "", DS_FORM_ING },
	{ 0 } };
static const ds_ending adj[] = { { "er", "", DS_FORM_MORE }, { "est", "", DS_FORM_MOST },
	{ "er", "e", DS_FORM_MORE }, { "est", "e", DS_FORM_MOST }, { 0 } };
static const ds_ending adv[] = { { 0 } };
const ds_ending *const ds_endings[DS_POS_N] = { noun, verb, adj, adv };

static bool ends(ds_str s, const char *ending)
{
	return ds_str_ends(s, ds_str_of(ending));
}

bool ds_word_form_of(ds_pos pos, ds_str form, ds_word_form *out)
{
	if (pos == DS_POS_NOUN)
		*out = DS_FORM_PLURAL;
	else if (pos == DS_POS_VERB)
		*out = ends(form, "ing") ? DS_FORM_ING
		       : ends(form, "s") ? DS_FORM_THIRD
					 : DS_FORM_PAST;
	else if (ends(form, "er"))
		*out = DS_FORM_MORE;
	else if (ends(form, "est"))
		*out = DS_FORM_MOST;
	else
		return false;
	return true;
}

static bool vowel(char c)
{
	return strchr("aeiou", c) != NULL;
}

static bool consonant_y(ds_str s)
{
	return s.n > 1 && s.at[s.n - 1] == 'y' && !vowel(s.at[s.n - 2]);
}

static unsigned syllables(ds_str s)
{
	unsigned n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += strchr("aeiouy", s.at[i]) && (i == 0 || !strchr("aeiouy", s.at[i - 1]));
	return n - (n > 1 && ends(s, "e"));
}

static ds_str with(ds_arena *mem, ds_str s, size_t less, const char *ending)
{
	size_t n = strlen(ending);
	char *to = ds_arena_bytes(mem, s.n - less + n);
	memcpy(to, s.at, s.n - less);
	memcpy(to + s.n - less, ending, n);
	return (ds_str){ to, s.n - less + n };
}

static bool regular(ds_pos pos, ds_str s, ds_word_form form, ds_arena *mem, ds_str *out)
{
	bool hissing =
		ends(s, "s") || ends(s, "x") || ends(s, "z") || ends(s, "ch") || ends(s, "sh");
	switch (form) {
	case DS_FORM_BASE:
		*out = s;
		return true;
	case DS_FORM_PLURAL:
	case DS_FORM_THIRD:
		*out = hissing                                 ? with(mem, s, 0, "es")
		       : consonant_y(s)                        ? with(mem, s, 1, "ies")
		       : form == DS_FORM_THIRD && ends(s, "o") ? with(mem, s, 0, "es")
							       : with(mem, s, 0, "s");
		return true;
	case DS_FORM_PAST:
		*out = ends(s, "e")     ? with(mem, s, 0, "d")
		       : consonant_y(s) ? with(mem, s, 1, "ied")
					: with(mem, s, 0, "ed");
		return true;
	case DS_FORM_ING:
		*out = ends(s, "ie") ? with(mem, s, 2, "ying")
		       : ends(s, "e") && !ends(s, "ee") && !ends(s, "oe") && !ends(s, "ye") &&
				       s.n > 2
			       ? with(mem, s, 1, "ing")
			       : with(mem, s, 0, "ing");
		return true;
	default:
		break;
	}
	const char *ending = form == DS_FORM_MORE ? "er" : "est";
	if (pos != DS_POS_ADJ || syllables(s) > (consonant_y(s) ? 2 : 1))
		return false; /* more beautiful, not beautifuller */
	*out = ends(s, "e")     ? with(mem, s, 0, ending + 1)
	       : consonant_y(s) ? ds_arena_fmt(mem, "%.*si%s", (int)s.n - 1, s.at, ending)
				: with(mem, s, 0, ending);
	return true;
}

static int by_lemma(ds_str lemma, const ds_irregulars *exc, size_t *first)
{
	size_t lo = 0, hi = exc->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (ds_str_cmp(exc->at[mid].lemma, lemma) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*first = lo;
	return lo < exc->n && ds_str_eq(exc->at[lo].lemma, lemma);
}

/* One word, its exceptions first. */
static bool inflect_word(const ds_irregulars *exc, ds_pos pos, ds_str lemma, ds_word_form form,
	ds_arena *mem, ds_str *out)
{
	size_t i, found = 0;
	ds_str plain, one = { NULL, 0 };
	bool has_plain = regular(pos, lemma, form, mem, &plain);
	if (form == DS_FORM_BASE || !by_lemma(lemma, exc, &i)) {
		*out = plain;
		return has_plain;
	}
	for (; i < exc->n && ds_str_eq(exc->at[i].lemma, lemma); i++) {
		ds_word_form is;
		if (!ds_word_form_of(pos, exc->at[i].form, &is) || is != form)
			continue;
		if (has_plain && ds_str_eq(exc->at[i].form, plain)) {
			*out = plain;
			return true;
		}
		if (!found++)
			one = exc->at[i].form;
	}
	/* Wrote and written are both past, and so are ran and run: which one is meant is not known. */
	if (form == DS_FORM_PAST && (found > 1 || ends(lemma, "run") || ends(lemma, "come")))
		return false;
	*out = found ? one : plain;
	return found || has_plain;
}

bool ds_inflect(const ds_irregulars *exc, ds_pos pos, ds_str lemma, ds_word_form form,
	ds_arena *mem, ds_str *out)
{
	ds_str head = lemma, tail = { lemma.at + lemma.n, 0 }, made;
	const char *space = memchr(lemma.at, ' ', lemma.n);
	if (!space || form == DS_FORM_BASE)
		return inflect_word(exc, pos, lemma, form, mem, out);
	if (pos == DS_POS_VERB) { /* gave up */
		head.n = (size_t)(space - lemma.at);
		tail = (ds_str){ space, lemma.n - head.n };
		if (!inflect_word(exc, pos, head, form, mem, &made))
			return false;
		*out = ds_arena_fmt(mem, "%.*s%.*s", (int)made.n, made.at, (int)tail.n, tail.at);
		return true;
	}
	if (pos != DS_POS_NOUN || memmem(lemma.at, lemma.n, " of ", 4) ||
		memmem(lemma.at, lemma.n, " in ", 4))
		return false; /* points of view: the head is not the last word */
	const char *last = memrchr(lemma.at, ' ', lemma.n);
	tail = (ds_str){ last + 1, lemma.n - (size_t)(last + 1 - lemma.at) };
	if (!tail.n || !inflect_word(exc, pos, tail, form, mem, &made))
		return false;
	*out = ds_arena_fmt(
		mem, "%.*s%.*s", (int)(last + 1 - lemma.at), lemma.at, (int)made.n, made.at);
	return true;
}
