/*
 * whole.h - an input that must be sought in: mapped where it is a plain file, else put into a temporary one
 */
#ifndef DS_RECORD_WHOLE_H
#define DS_RECORD_WHOLE_H

#include "base/io.h"

typedef struct {
	ds_str bytes;
	ds_in *in; /* of the temporary file; NULL: in's own */
	int fd;
} ds_whole;

/* All of what is left of in; good until both are closed. */
DS_MUST ds_rc ds_whole_open(ds_whole *w, ds_in *in, ds_err *e);
void ds_whole_close(ds_whole *w);
/* What is before this byte is done with. */
void ds_whole_forget(ds_whole *w, ds_in *in, uint64_t before);

#endif
