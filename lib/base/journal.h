/*
 * journal.h - a table on disk that only grows: 128-bit keys to byte strings
 *
 * Each entry is written at the end in one call and carries its own hash. What a crash left unfinished
 * is cut off when the file is opened next, and so is all behind an entry that was damaged. One process at a
 * time has a journal open; any of its threads may use it. Memory: some 50 bytes an entry.
 */
#ifndef DS_BASE_JOURNAL_H
#define DS_BASE_JOURNAL_H

#include "base/arena.h"
#include "base/hash.h"

enum { DS_JOURNAL_VALUE = 1 << 28 }; /* bytes of one value at most */

typedef struct ds_journal ds_journal;
/* Made where it is absent. DS_USAGE: it is something else; DS_IO: another process has it. */
DS_MUST ds_rc ds_journal_open(ds_journal **j, const char *path, ds_err *e);
void ds_journal_close(ds_journal *j);
DS_MUST ds_rc ds_journal_find(
	ds_journal *j, ds_h128 key, ds_arena *mem, ds_str *value, bool *found, ds_err *e);
/* Of two values of one key the first stays. */
DS_MUST ds_rc ds_journal_add(ds_journal *j, ds_h128 key, ds_str value, ds_err *e);
DS_AUTO_WITH(ds_journal, ds_journal_close)

#endif
