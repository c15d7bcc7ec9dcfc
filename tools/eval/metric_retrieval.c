/*
 * metric_retrieval.c - the share of texts whose own picture is found among 64 (model -m DIR)
 *
 * Records are taken in their order, 64 at a time, as candidates for one another; those that are left over at the end
 * are searched among the last 64 of all. Where k pictures score alike and best, and the own one is among them, 1/k
 * counts, so what says the same of all pictures is worth chance. With the variant `image`, pictures look for texts; with
 * `top=N`, the own one may be among the N best.
 */
#include "pairs.h"

#include "base/mem.h"

enum { GROUP = 64 };

typedef struct {
	pairs p;
	bool by_image;
	int64_t top;
} finder;

typedef struct { /* the last GROUP vectors of both kinds, in a ring, and what was found */
	float *text, *image;
	uint64_t n, done;
	double found;
	int64_t width;
} part;

static void close_finder(void *state)
{
	finder *f = state;
	if (!f)
		return;
	pairs_close(&f->p);
	ds_mem_free(f);
}

static ds_rc open_finder(void **state, metric_args *a, ds_err *e)
{
	finder *f = DS_NEW(finder, 1);
	ds_str word, value;
	*state = f;
	f->top = 1;
	while (metric_word(&a->variant, &word, &value)) {
		if (ds_str_is(word, "image") && !value.n) {
			f->by_image = true;
			continue;
		}
		if (!ds_str_is(word, "top"))
			return metric_no_word("retrieval", word, "image, top=N", e);
		if (!ds_str_i64(value, &f->top) || f->top < 1 || f->top >= GROUP)
			return ds_fail(e, DS_USAGE, "retrieval: top=%.*s: from 1 to %d",
				DS_FMT(value), GROUP - 1);
	}
	return pairs_open(&f->p, a, e);
}

static void *part_new(void *state)
{
	part *p = DS_NEW(part, 1);
	p->width = ds_towers_width(((finder *)state)->p.t);
	p->text = DS_NEW(float, (size_t)(GROUP * p->width));
	p->image = DS_NEW(float, (size_t)(GROUP * p->width));
	return p;
}

static void part_free(void *part_)
{
	part *p = part_;
	if (!p)
		return;
	ds_mem_free(p->text);
	ds_mem_free(p->image);
	ds_mem_free(p);
}

/* The share of a find that vector i of `from` is, among the first n of `to`: those alike share the places that are left. */
static double find(
	const part *p, int64_t top, const float *from, const float *to, size_t i, size_t n)
{
	double own = pairs_cosine(from + i * (size_t)p->width, to + i * (size_t)p->width, p->width);
	size_t alike = 0, better = 0;
	for (size_t k = 0; k < n; k++) {
		double c = pairs_cosine(
			from + i * (size_t)p->width, to + k * (size_t)p->width, p->width);
		better += c > own;
		alike += c == own;
	}
	double places = (double)top - (double)better;
	return places <= 0 ? 0 : places > (double)alike ? 1 : places / (double)alike;
}

/* All of the ring that was not looked for yet. */
static void search(const finder *f, part *p)
{
	size_t n = p->n < GROUP ? (size_t)p->n : GROUP;
	for (; p->done < p->n; p->done++) {
		size_t i = (size_t)(p->done % GROUP);
		p->found += f->by_image ? find(p, f->top, p->image, p->text, i, n)
					: find(p, f->top, p->text, p->image, i, n);
	}
}

static ds_rc update(
	void *state, void *part_, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	finder *f = state;
	part *p = part_;
	pair_vectors v;
	DS_TRY(pairs_embed(&f->p, b, from, to, mem, &v, e));
	for (size_t i = 0; i < v.n; i++, p->n++) {
		size_t at = (size_t)(p->n % GROUP) * (size_t)p->width;
		if (p->n && p->n % GROUP == 0)
			search(f, p);
		memcpy(p->text + at, v.text + i * (size_t)p->width,
			(size_t)p->width * sizeof(float));
		memcpy(p->image + at, v.image + i * (size_t)p->width,
			(size_t)p->width * sizeof(float));
	}
	return DS_OK;
}

static ds_rc compute(void *state, void *part_, metric_result *out, ds_err *e)
{
	finder *f = state;
	part *p = part_;
	search(f, p);
	if (!p->n)
		return ds_fail(e, DS_BAD, "retrieval: there are no records with image and text");
	unsigned long long among = p->n < GROUP ? p->n : GROUP;
	out->score = p->found / (double)p->n;
	double chance = f->top < (int64_t)among ? (double)f->top / (double)among : 1;
	ds_buf_fmt(&out->signature, "query:%s|among:%llu", f->by_image ? "image" : "text", among);
	if (f->top > 1)
		ds_buf_fmt(&out->signature, "|top:%lld", (long long)f->top);
	ds_buf_fmt(&out->detail, "%llu record%s, chance is %.4f", (unsigned long long)p->n,
		ds_s(p->n), chance);
	return DS_OK;
}

const metric metric_retrieval = {
	.name = "retrieval",
	.help = "share of texts whose picture is found among 64, by the model -m DIR; "
		"retrieval:image, retrieval:top=5",
	.fields = { "image", "text" },
	.serial = true,
	.open = open_finder,
	.close = close_finder,
	.part_new = part_new,
	.part_free = part_free,
	.update = update,
	.compute = compute,
};
