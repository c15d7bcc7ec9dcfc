/*
 * keys.h - who may ask: bearer tokens from a file, one a line
 */
#ifndef SERVE_KEYS_H
#define SERVE_KEYS_H

#include "base/err.h"

#include <stdbool.h>

typedef struct keys keys;
/* path NULL: anybody may. DS_IO, DS_USAGE: no file, or no token in it. */
DS_MUST ds_rc keys_open(keys **k, const char *path, ds_err *e);
void keys_close(keys *k); /* NULL is fine */
/* The file anew; where that fails, the tokens stay as they were. */
DS_MUST ds_rc keys_reload(keys *k, ds_err *e);
/* authorization: the header's value. Takes the same time whichever token is nearly right. */
bool keys_allow(keys *k, const char *authorization);

#endif
