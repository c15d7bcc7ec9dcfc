/*
 * walk.h - the operands of a run as files, one after another
 *
 * A folder gives the files below it in byte order of names; names beginning with a dot, what is
 * neither file nor folder, and links to folders are left out, and so is what belongs to another file:
 * captions beside images (NAME.txt, metadata.jsonl), the .bin beside an .idx.
 */
#ifndef DS_RECORD_WALK_H
#define DS_RECORD_WALK_H

#include "base/inout.h"

typedef struct ds_walk ds_walk;
/* DS_IO where an operand is not there or cannot be read. */
DS_MUST ds_rc ds_walk_open(ds_walk **w, const ds_input_opts *c, ds_err *e);
void ds_walk_close(ds_walk *w);
/* The next path, which lives until the next call, and its size (0 where it is not a file); NULL at the end. */
DS_MUST ds_rc ds_walk_next(ds_walk *w, const char **path, uint64_t *bytes, ds_err *e);
int64_t ds_walk_bytes(const ds_walk *w); /* of all operands; -1: not known */
DS_AUTO_WITH(ds_walk, ds_walk_close)

#endif
