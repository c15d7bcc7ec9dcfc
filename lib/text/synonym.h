/*
 * synonym.h - lists of words that may stand for one another
 *
 * Two formats, known by their lines. Cilin's: a code such as Aa01A01= and the words of one meaning,
 * with spaces; codes that end with # (related, not the same) or @ (alone) give no synonyms, and lines
 * of headings are passed over. TSV: a word, a tab, and what may stand for it, with tabs; one way. UTF-8,
 * else GB 18030 (which has GBK in it). Words are looked up as they are written, in lower case. Lists
 * are added before threads look words up; then nothing changes.
 */
#ifndef DS_TEXT_SYNONYM_H
#define DS_TEXT_SYNONYM_H

#include "base/arena.h"

enum { DS_SYNONYMS_MOST = 256 }; /* of one word; further ones are not drawn from */

typedef struct ds_synonyms ds_synonyms;
ds_synonyms *ds_synonyms_new(void);
void ds_synonyms_free(ds_synonyms *s);
/* DS_USAGE: "line 3: what is wrong". */
DS_MUST ds_rc ds_synonyms_add(ds_synonyms *s, ds_str bytes, ds_err *e);
/*
 * Synonyms of a word in lower case, itself not among them, in the order of the lists: an array in mem. Of a
 * Chinese word in Cilin only those that fit best: none for one character, as long, with a character in common.
 */
ds_str *ds_synonyms_find(const ds_synonyms *s, ds_str word, ds_arena *mem, size_t *n);
DS_AUTO_WITH(ds_synonyms, ds_synonyms_free)

#endif
