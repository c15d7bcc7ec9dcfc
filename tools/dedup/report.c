/*
 * report.c - what was found, for a person and for --stats: how much repeats, and the largest clusters
 *
 * A text is known while its block is here, how large its cluster becomes only at the end. So the beginnings
 * of CANDIDATES texts are kept, one for each of the clusters that are the largest so far; at the end
 * all are counted. 4 bytes a text.
 */
#include "base/mem.h"
#include "base/progress.h"
#include "dedup.h"
#include "json/json.h"
#include "text/utf8.h"

#include <stdlib.h>

enum { CANDIDATES = 64, SHOWN = 10, EXCERPT = 60 };

typedef struct {
	uint32_t member, n; /* of its cluster: found so far, or all at the end */
	char id[64];
	char excerpt[4 * EXCERPT + 4];
} candidate;

struct report {
	report_of of;
	ds_buf found; /* uint32_t, by record number of a cluster's first */
	uint64_t at, bytes, repeats, repeated_bytes;
	uint64_t n_clusters, n_clustered;
	candidate c[CANDIDATES];
	unsigned n;
};

report *report_new(report_of of, uint64_t first)
{
	report *r = DS_NEW(report, 1);
	r->of = of;
	r->at = first;
	return r;
}

void report_free(report *r)
{
	if (!r)
		return;
	ds_buf_free(&r->found);
	ds_mem_free(r);
}

/* The beginning of a text on one line, without what a terminal would obey. */
static void excerpt_of(char *out, size_t size, ds_str text)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	uint8_t *w = (uint8_t *)out;
	bool space = false;
	for (unsigned shown = 0; p < end && shown < EXCERPT && w + 5 < (uint8_t *)out + size;) {
		uint32_t c = '?';
		unsigned n = ds_utf8_get(p, end, &c);
		p += n ? n : 1;
		if (c <= ' ') {
			space = w > (uint8_t *)out;
			continue;
		}
		if ((c >= 0x7f && c < 0xa0) || (c >= 0x200b && c < 0x2030) || c == 0xfeff)
			c = '?';
		if (space)
			*w++ = ' ';
		space = false;
		w += ds_utf8_put(w, c);
		shown++;
	}
	*w = '\0';
}

static uint32_t first_of(const report *r, uint32_t number)
{
	return r->of.first(r->of.context, number);
}

static uint32_t *found_of(report *r, uint32_t first)
{
	size_t need = ((size_t)first + 1) * sizeof(first);
	if (r->found.n < need) {
		ds_buf_reserve(&r->found, need - r->found.n);
		memset(r->found.at + r->found.n, 0, need - r->found.n);
		r->found.n = need;
	}
	return (uint32_t *)(void *)r->found.at + first;
}

/* The place for a cluster of n: its own, a free one, or that of the smallest; NULL where that is no smaller. */
static candidate *place_for(report *r, uint32_t first, uint32_t n)
{
	candidate *least = &r->c[0];
	for (unsigned i = 0; i < r->n; i++) {
		if (r->c[i].n < least->n)
			least = &r->c[i];
	}
	if (r->n == CANDIDATES && least->n >= n)
		return NULL;
	for (unsigned i = 0; i < r->n; i++)
		if (first_of(r, r->c[i].member) == first)
			return &r->c[i];
	return r->n < CANDIDATES ? &r->c[r->n++] : least;
}

static ds_rc add_repeat(
	report *r, ds_block *b, uint32_t row, ds_str text, uint32_t number, ds_err *e)
{
	uint32_t first = first_of(r, number), n = ++*found_of(r, first);
	r->repeats++;
	r->repeated_bytes += text.n;
	candidate *c = place_for(r, first, n);
	if (!c)
		return DS_OK;
	if (!c->n || first_of(r, c->member) != first) {
		ds_str id;
		DS_TRY(ds_block_id(b, row, &id, e));
		c->member = number;
		excerpt_of(c->id, sizeof(c->id), id);
		excerpt_of(c->excerpt, sizeof(c->excerpt), text);
	}
	c->n = n;
	return DS_OK;
}

ds_rc report_block(report *r, ds_block *b, const signed_block *s, ds_err *e)
{
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *it = &s->rows[row];
		for (size_t i = it->first; i < it->first + it->n; i++) {
			r->bytes += s->texts[i].n;
			if (s->items[i].dup_of != DS_NO_TEXT)
				DS_TRY(add_repeat(r, b, row, s->texts[i],
					(uint32_t)(r->at + (r->of.records ? row : i)), e));
		}
	}
	r->at += r->of.records ? b->n_rows : s->n_items;
	return DS_OK;
}

static int larger(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	return x->n != y->n ? (x->n < y->n) - (x->n > y->n)
			    : (x->member > y->member) - (x->member < y->member);
}

void report_finish(report *r, uint64_t n)
{
	ds_buf_clear(&r->found);
	for (uint64_t i = 0; i < n; i++)
		++*found_of(r, first_of(r, (uint32_t)i));
	for (uint64_t i = 0; i < r->found.n / sizeof(uint32_t); i++) {
		uint32_t size = *found_of(r, (uint32_t)i);
		r->n_clusters += size > 1;
		r->n_clustered += size > 1 ? size : 0;
	}
	for (unsigned i = 0; i < r->n; i++) {
		uint32_t *size = found_of(r, first_of(r, r->c[i].member));
		r->c[i].n = *size;
		*size = 0; /* clusters that were joined have two */
	}
	qsort(r->c, r->n, sizeof(r->c[0]), larger);
}

void report_stats(const report *r, ds_buf *out)
{
	ds_buf_fmt(out,
		",\"texts\":{\"bytes\":%llu,\"repeats\":%llu,\"repeated_bytes\":%llu}"
		",\"clusters\":{\"n\":%llu,\"members\":%llu,\"largest\":[",
		(unsigned long long)r->bytes, (unsigned long long)r->repeats,
		(unsigned long long)r->repeated_bytes, (unsigned long long)r->n_clusters,
		(unsigned long long)r->n_clustered);
	for (unsigned i = 0; i < r->n && i < SHOWN && r->c[i].n; i++) {
		ds_buf_fmt(out, "%s{\"members\":%u,\"like\":", i ? "," : "", r->c[i].n);
		ds_json_add_str(out, ds_str_of(r->c[i].id));
		ds_buf_add_c(out, ",\"begins\":");
		ds_json_add_str(out, ds_str_of(r->c[i].excerpt));
		ds_buf_add_byte(out, '}');
	}
	ds_buf_add_c(out, "]}");
}

void report_say(const report *r, const ds_common *c)
{
	char all[16], again[16];
	ds_say(&c->who, "%s of text, %s of it repeats; %llu cluster%s with %llu member%s%s",
		ds_human_bytes(all, (double)r->bytes),
		ds_human_bytes(again, (double)r->repeated_bytes), (unsigned long long)r->n_clusters,
		ds_s(r->n_clusters), (unsigned long long)r->n_clustered, ds_s(r->n_clustered),
		r->n ? ", the largest:" : "");
	for (unsigned i = 0; i < r->n && i < SHOWN && r->c[i].n; i++)
		ds_say(&c->who, "%9u  like %-12s %s", r->c[i].n, r->c[i].id, r->c[i].excerpt);
}
