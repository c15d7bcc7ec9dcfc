/*
 * listfile.h - the entries of a list file: one a line, trimmed; empty lines and those that begin with # are none
 */
#ifndef DS_CLEAN_LISTFILE_H
#define DS_CLEAN_LISTFILE_H

#include "base/io.h"

enum { LISTFILE_BYTES_MAX = 1 << 30 };

/* The next entry; false: there is none. *line counts lines from 1, rest is what is left of the text. */
static inline bool listfile_next(ds_str *rest, unsigned *line, ds_str *entry)
{
	while (rest->at) {
		*entry = ds_str_trim(ds_str_cut(*rest, '\n', rest));
		++*line;
		if (entry->n && entry->at[0] != '#')
			return true;
	}
	return false;
}

#endif
