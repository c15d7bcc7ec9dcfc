/*
 * utf8_impl.h - the vector forms of the checks
 */
#ifndef DS_TEXT_UTF8_IMPL_H
#define DS_TEXT_UTF8_IMPL_H

#include <stddef.h>
#include <stdint.h>

/* A number of valid bytes from the start that ends between characters; not all there may be. */
size_t ds_utf8_valid_avx2(const uint8_t *p, size_t n);
/* A multiple of 64 bytes that are below 0x80. */
size_t ds_utf8_ascii_avx2(const uint8_t *p, size_t n);

#endif
