/*
 * sample.c - the records of the smallest keys
 */
#include "sample.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

uint64_t sample_key(uint64_t seed, uint64_t number)
{
	return ds_hash64_seed(&number, sizeof(number), seed);
}

static size_t largest(const sample *s)
{
	size_t found = 0;
	for (size_t i = 1; i < s->n; i++)
		if (s->at[i].key > s->at[found].key)
			found = i;
	return found;
}

bool sample_wants(const sample *s, uint64_t key)
{
	return s->n < s->max || (s->max && key < s->at[largest(s)].key);
}

void sample_add(sample *s, uint64_t key, uint64_t number, ds_buf *text)
{
	size_t i = s->n;
	if (s->n < s->max) {
		s->at = ds_mem_grow(s->at, s->n * sizeof(*s->at), (s->n + 1) * sizeof(*s->at));
		s->n++;
	} else {
		i = largest(s);
		ds_buf_free(&s->at[i].text);
	}
	s->at[i] = (sample_row){ key, number, *text };
	*text = (ds_buf){ 0 };
}

void sample_merge(sample *s, sample *from)
{
	for (size_t i = 0; i < from->n; i++) {
		sample_row *r = &from->at[i];
		if (sample_wants(s, r->key))
			sample_add(s, r->key, r->number, &r->text);
		ds_buf_free(&r->text);
	}
	from->n = 0;
}

static int by_number(const void *a, const void *b)
{
	const sample_row *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

ds_rc sample_write(sample *s, ds_out *out, ds_err *e)
{
	if (s->n)
		qsort(s->at, s->n, sizeof(*s->at), by_number);
	for (size_t i = 0; i < s->n; i++)
		DS_TRY(ds_out_write(out, s->at[i].text.at, s->at[i].text.n, e));
	return DS_OK;
}

void sample_free(sample *s)
{
	for (size_t i = 0; i < s->n; i++)
		ds_buf_free(&s->at[i].text);
	ds_mem_free(s->at);
	*s = (sample){ 0 };
}
