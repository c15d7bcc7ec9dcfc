/*
 * pair.c - one or two encoded texts as a post-processor joins them, cut to a length
 *
 * Lengths are what Hugging Face's truncation makes of them: "longest" leaves the shorter text whole while
 * it has at most half, then both have halves. Ids go from the end of a text.
 */
#include "text/tok/tok_impl.h"

/* How many ids of each text stay when both together may have `most`. */
static ds_rc cut_lengths(size_t n[2], size_t most, ds_tok_cut cut, ds_err *e)
{
	static const char *const names[] = { "both texts", "the first text", "the second text" };
	size_t over = n[0] + n[1] > most ? n[0] + n[1] - most : 0;
	if (!over)
		return DS_OK;
	if (cut != DS_TOK_CUT_LONGEST) {
		size_t *x = &n[cut == DS_TOK_CUT_SECOND];
		if (*x <= over)
			return ds_fail(e, DS_BAD, "%zu ids too many, and %s has %zu", over,
				names[cut], *x);
		*x -= over;
		return DS_OK;
	}
	bool swap = n[0] > n[1];
	size_t less = n[swap], more;
	more = less > most || most - less < less ? less : most - less;
	if (less + more > most) {
		less = most / 2;
		more = most - less;
	}
	n[swap] = less;
	n[!swap] = more;
	return DS_OK;
}

static void put(ds_tok_joined *out, const uint32_t *ids, const uint8_t *types, size_t n)
{
	if (n == 0)
		return;
	memcpy(out->ids + out->n, ids, n * sizeof(*ids));
	memcpy(out->types + out->n, types, n);
	out->n += n;
}

static void put_text(ds_tok_joined *out, const uint32_t *ids, size_t n, uint8_t type)
{
	if (n)
		memcpy(out->ids + out->n, ids, n * sizeof(*ids));
	memset(out->types + out->n, type, n);
	out->n += n;
}

/* The post-processor's sequence for this number of texts; empty where nothing is to be added. */
static tok_pair sequence(const ds_tok *t, const ds_tok_join_options *o, bool two, uint8_t zeros[])
{
	tok_pair p = t->pair;
	if (!two) {
		p.type[0] = 0;
		p.n[2] = 0;
		p.ids[0] = t->post.before;
		p.ids[1] = t->post.after;
		p.n[0] = t->post.n_before;
		p.n[1] = t->post.n_after;
		p.types[0] = p.types[1] = zeros;
	}
	for (int i = 0; i < 3 && !o->add_special; i++)
		p.n[i] = 0;
	return p;
}

ds_rc ds_tok_join(const ds_tok *t, const ds_tok_text *texts, unsigned n_texts,
	const ds_tok_join_options *o, ds_arena *mem, ds_tok_joined *out, ds_err *e)
{
	bool two = n_texts == 2;
	uint8_t *zeros = ds_arena_zero(mem, t->post.n_before + t->post.n_after + 1);
	tok_pair p = sequence(t, o, two, zeros);
	size_t added = p.n[0] + p.n[1] + p.n[2], n[2] = { texts[0].n, two ? texts[1].n : 0 };
	if (o->limit && added > o->limit)
		return ds_fail(e, DS_BAD, "%zu special ids in rows of %zu", added, o->limit);
	if (o->limit && !two && n[0] > o->limit - added)
		n[0] = o->limit - added;
	if (o->limit && two)
		DS_TRY(cut_lengths(n, o->limit - added, o->cut, e));
	size_t all = n[0] + n[1] + added;
	*out = (ds_tok_joined){
		.ids = ds_arena_get(mem, (all + 1) * sizeof(*out->ids)),
		.types = ds_arena_get(mem, all + 1),
		.n_cut = texts[0].n + (two ? texts[1].n : 0) - n[0] - n[1],
	};
	put(out, p.ids[0], p.types[0], p.n[0]);
	out->at[0] = out->n;
	put_text(out, texts[0].ids, n[0], p.type[0]);
	put(out, p.ids[1], p.types[1], p.n[1]);
	out->at[1] = out->n;
	if (two)
		put_text(out, texts[1].ids, n[1], p.type[1]);
	put(out, p.ids[2], p.types[2], p.n[2]);
	return DS_OK;
}
