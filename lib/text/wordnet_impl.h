/*
 * wordnet_impl.h - between the files about WordNet
 */
#ifndef DS_TEXT_WORDNET_IMPL_H
#define DS_TEXT_WORDNET_IMPL_H

#include "text/wordnet.h"

typedef enum {
	DS_FORM_BASE,
	DS_FORM_PLURAL,
	DS_FORM_THIRD,
	DS_FORM_PAST, /* and past participle */
	DS_FORM_ING,
	DS_FORM_MORE,
	DS_FORM_MOST,
} ds_word_form;

typedef struct { /* a line of POS.exc, the lemma first */
	ds_str lemma, form;
} ds_irregular;

typedef struct {
	ds_irregular *at; /* by lemma, then form */
	size_t n;
} ds_irregulars;

/* An ending, what stands for it in the lemma, and what it says. */
typedef struct {
	const char *ending, *lemma;
	ds_word_form form;
} ds_ending;
extern const ds_ending *const ds_endings[DS_POS_N]; /* each ends with { NULL } */

/* What an irregular form is, by its looks; false: not to be known. */
bool ds_word_form_of(ds_pos pos, ds_str form, ds_word_form *out);
/* A lemma in a form; false: it has none, or several that are not told apart. */
bool ds_inflect(const ds_irregulars *exc, ds_pos pos, ds_str lemma, ds_word_form form,
	ds_arena *mem, ds_str *out);

/* The lines of index.POS, POS.exc and cntlist.rev by the word that they begin with. */
enum { DS_LINES_INDEX, DS_LINES_EXC = DS_POS_N, DS_LINES_COUNTS = 2 * DS_POS_N, DS_LINES_FILES };
typedef struct ds_line_slot ds_line_slot;
typedef struct {
	ds_str text[DS_LINES_FILES];
	ds_line_slot *slots; /* freed by ds_mem_free */
	size_t mask;
} ds_lines;
void ds_lines_build(ds_lines *l);
/* Where the first line begins that has this word. */
bool ds_lines_find(const ds_lines *l, unsigned file, ds_str word, size_t *at);

#endif
