/*
 * charset.h - text of any charset as UTF-8, piece by piece; ICU behind it, and no type of it leaves
 *
 * Bytes that are no text of the charset are not replaced but marked: DS_CHARSET_MARK, which UTF-8 never has, and
 * the byte in two that hold four bits each. So whoever reads finds them, and what they were can be written
 * back. One thread at a time.
 */
#ifndef DS_BASE_CHARSET_H
#define DS_BASE_CHARSET_H

#include "base/err.h"
#include "base/str.h"

enum { DS_CHARSET_MARK = 0xFF, DS_CHARSET_MARK_BYTES = 3 };

typedef struct ds_charset ds_charset;

/* UTF-16 and UTF-32 without a mark of their byte order are little-endian. DS_USAGE: there is no such charset. */
DS_MUST ds_rc ds_charset_open(ds_charset **c, const char *name, ds_err *e);
void ds_charset_close(ds_charset *c);
/*
 * Moves *to on by what came of *from, which moves on too, until *avail is used up or *from is; last: nothing comes
 * behind *from, so an unfinished character is marked. true: there is more to come without further bytes.
 */
bool ds_charset_step(ds_charset *c, ds_str *from, char **to, size_t *avail, bool last);
/* The charset that a byte order mark names, and the mark's bytes; NULL where there is none. */
const char *ds_charset_of_bom(ds_str head, size_t *bom_bytes);
/* The byte that was marked; the DS_CHARSET_MARK_BYTES at p are a mark. */
static inline char ds_charset_marked(const char *p)
{
	return (char)((unsigned char)p[1] << 4 | ((unsigned char)p[2] & 15));
}
DS_AUTO_WITH(ds_charset, ds_charset_close)

#endif
