/*
 * base64.h - base64 as RFC 4648 has it, canonical and padded
 */
#ifndef DS_BASE_BASE64_H
#define DS_BASE_BASE64_H

#include "base/str.h"

/* How many bytes were decoded, or SIZE_MAX: it is not canonical; out has room for 3 * s.n / 4 + 3. */
size_t ds_base64_decode(char *out, ds_str s);
/* 4 * ((s.n + 2) / 3) bytes. */
size_t ds_base64_encode(char *out, ds_str s);

#endif
