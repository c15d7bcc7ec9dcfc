/*
 * codec_impl.h - what a compression library is to codec.c
 *
 * `open` never gives NULL; step is ds_codec_step's. reset makes the state ready for the next member.
 */
#ifndef DS_BASE_CODEC_IMPL_H
#define DS_BASE_CODEC_IMPL_H

#include "base/codec.h"

typedef struct {
	const char *name;
	void *(*open)(bool compress, int level);
	void (*close)(void *state);
	void (*reset)(void *state);
	ds_rc (*step)(void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended,
		ds_err *e);
} ds_coder;

extern const ds_coder ds_coder_bzip2, ds_coder_xz, ds_coder_brotli;

/* The libraries take memory by themselves; where they got none there is nothing to go on with. */
void *ds_codec_have(void *p);
void ds_codec_move(ds_str *in, size_t taken, char **out, size_t *avail, size_t given);

#endif
