/*
 * wordnet.h - synonyms of English words from the files of WordNet (wndb(5), morphy(7)), form kept
 *
 * The files index.POS, data.POS, POS.exc and cntlist.rev are read where they lie; opening takes
 * 5 ms. A word may be several parts of speech and forms of several
 * lemmas: the one that WordNet's counts say is most frequent, among those allowed, is taken. Its
 * synonyms come from the senses that those counts have seen a quarter as often as the chief one (the first
 * sense at least): those of which it is one of the two chief senses, else those seen in it, else all. They get the form
 * of the word: plural, third person, past, -ing, comparative, superlative. Those whose form is
 * not certain are left out, and so are names. Any thread may ask.
 */
#ifndef DS_TEXT_WORDNET_H
#define DS_TEXT_WORDNET_H

#include "base/arena.h"

typedef enum { DS_POS_NOUN, DS_POS_VERB, DS_POS_ADJ, DS_POS_ADV, DS_POS_N } ds_pos;
enum { DS_POS_ALL = (1 << DS_POS_N) - 1 };

typedef struct { /* views that must outlive the ds_wordnet */
	ds_str index[DS_POS_N], data[DS_POS_N], exc[DS_POS_N], counts;
} ds_wordnet_files;

typedef struct ds_wordnet ds_wordnet;
/* The folder that holds the files, /usr/share/wordnet in Debian. DS_IO: one is not there. */
DS_MUST ds_rc ds_wordnet_open(ds_wordnet **w, const char *folder, ds_err *e);
ds_wordnet *ds_wordnet_from_mem(const ds_wordnet_files *files);
void ds_wordnet_close(ds_wordnet *w);
/*
 * Synonyms of a word in lower case as which may stand in its place, an array in mem; *n = 0: none.
 * allowed: a set of 1 << ds_pos; where the word is none of these, it does not count. DS_BAD: the files
 * contradict one another.
 */
DS_MUST ds_rc ds_wordnet_find(const ds_wordnet *w, ds_str word, unsigned allowed, ds_arena *mem,
	ds_str **out, size_t *n, ds_err *e);
DS_AUTO_WITH(ds_wordnet, ds_wordnet_close)

#endif
