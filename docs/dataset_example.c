/*
 * dataset_example.c - a dataset for dstrain as a shared library: sums, made up as they are asked for
 *
 *	cc -shared -fPIC -I lib/model -o sums.so docs/dataset_example.c
 *	dstrain --model gpt2 --plugin ./sums.so --plugin-options 500 --out run
 *
 * options is how many records there are. lib/model/dataset.h says what is expected of each function.
 */
#include "dataset.h"

#include <stdio.h>
#include <stdlib.h>

struct sums {
	long n, done;
	char line[128]; /* lives until the next call */
};

void *ds_dataset_open(const char *options, const char **error)
{
	struct sums *s = calloc(1, sizeof(*s));
	char *end;
	if (!s) {
		*error = "no memory";
		return NULL;
	}
	s->n = strtol(options, &end, 10);
	if (*end || s->n < 1) {
		*error = "the options are a number of records, as in --plugin-options 500";
		free(s);
		return NULL;
	}
	return s;
}

int ds_dataset_next(void *dataset, const char **json, size_t *n, const char **error)
{
	struct sums *s = dataset;
	if (s->done == s->n)
		return 0;
	long a = s->done * 7919 % 100, b = s->done * 104729 % 100;
	*n = (size_t)snprintf(
		s->line, sizeof(s->line), "{\"text\":\"%ld plus %ld is %ld\"}", a, b, a + b);
	*json = s->line;
	s->done++;
	return 1;
}

void ds_dataset_close(void *dataset)
{
	free(dataset);
}
