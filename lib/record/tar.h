/*
 * tar.h - entries of a tar archive in memory, and their headers (POSIX.1-2017 pax, GNU long names)
 */
#ifndef DS_RECORD_TAR_H
#define DS_RECORD_TAR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { DS_TAR_BLOCK = 512 };

typedef enum {
	DS_TAR_FILE,
	DS_TAR_OTHER,  /* a folder, a link …: passed over */
	DS_TAR_END,    /* a block of zeros */
	DS_TAR_PART,   /* not all there; total is what it would take, or 0 */
	DS_TAR_BROKEN, /* no header */
} ds_tar_kind;

typedef struct {
	ds_tar_kind kind;
	ds_str name; /* a view into the archive, or of small */
	ds_str bytes;
	size_t total; /* with headers and padding */
	bool named;   /* also where only a part is there */
	bool is_file;
	char small[256];
} ds_tar_entry;

/* The entry at the start of s. */
void ds_tar_next(ds_str s, ds_tar_entry *out);
/* A header for a regular file, without time and owner; name at most 100 bytes, bytes under 8 GiB. */
void ds_tar_header(char out[DS_TAR_BLOCK], ds_str name, uint64_t bytes);

#endif
