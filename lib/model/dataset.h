/*
 * dataset.h - a dataset of your own as a shared library: dstrain --plugin FILE.so
 *
 * The library defines the three functions below; this header needs nothing but the C library, and
 * docs/dataset_example.c is a whole one:
 *
 *	cc -shared -fPIC -I lib/model -o sums.so docs/dataset_example.c
 *	dstrain --model gpt2 --plugin ./sums.so --plugin-options 500 --out run
 *
 * A record is one JSON object, as a line of a .jsonl file has it: "text", or "tokens", or what the
 * task reads ("label", "messages" …). All records are read once, before training begins, on one
 * thread; rows, their order and resuming then work as with files. The same options must give the
 * same records again, or --resume refuses the data.
 */
#ifndef DS_MODEL_DATASET_H
#define DS_MODEL_DATASET_H

#include <stddef.h>

/* Begins. options: what --plugin-options said, "" where it said nothing. NULL: it failed, and *error is one
 * line that says why. */
void *ds_dataset_open(const char *options, const char **error);
/* The next record: 1 and *json, *n, which are read before the next call; 0 where there are no more; -1 with
 * *error. */
int ds_dataset_next(void *dataset, const char **json, size_t *n, const char **error);
void ds_dataset_close(void *dataset);

#endif
