/*
 * fuzz.h - what every fuzz target defines
 *
 * libFuzzer calls it with made-up bytes (make fuzz); replay.c with those of tests/fuzz/corpus (make
 * check). It returns 0 and must neither crash, hang nor leak, whatever the bytes.
 */
#ifndef DS_TESTS_FUZZ_H
#define DS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
