/*
 * embed.c - dsgen --embed: a vector for every record, as the field `embedding`
 *
 * Text gets the tokenizer's own special tokens around it; what is longer than the model's longest
 * sequence is cut.
 */
#include "embed.h"

static ds_rc ids_of(embed_run *r, ds_work *w, ds_texts *texts, uint32_t row, ds_embedding *s,
	const char **why, bool *has, ds_err *e)
{
	const ds_col *c;
	const uint32_t *ids = NULL;
	ds_str text;
	const ds_config *config = ds_model_config(r->m);
	*has = false;
	DS_TRY(ds_block_get(texts->b, "tokens", &c, e));
	if (c)
		DS_TRY(ds_block_ids(texts->b, c, row, &ids, &s->n, has, e));
	if (!*has) {
		DS_TRY(ds_texts_get(texts, row, &text, has, e));
		if (*has && !r->scratch) {
			*why = "the model has no tokenizer, so only tokens can be embedded";
			return DS_OK;
		}
		if (*has)
			DS_TRY(ds_tok_encode(ds_model_tok(r->m), r->scratch, text,
				DS_TOK_ADD_SPECIAL, &ids, &s->n, e));
	}
	if (s->n > (size_t)config->max_positions)
		s->n = (size_t)config->max_positions;
	if (!*has || !s->n) {
		*why = *has ? "an empty text" : NULL;
		return DS_OK;
	}
	for (size_t i = 0; i < s->n; i++)
		if (ids[i] >= config->vocab_size) {
			*why = "a token id that the model does not have";
			return DS_OK;
		}
	s->ids = memcpy(ds_arena_get(ds_work_mem(w), s->n * 4), ids, s->n * 4);
	return DS_OK;
}

static ds_rc fit(embed_run *r, int64_t longest, ds_err *e)
{
	int64_t most = ds_model_config(r->m)->max_positions, seq = (longest + 31) / 32 * 32;
	if (r->d && ds_embedder_seq(r->d) >= longest)
		return DS_OK;
	ds_embedder_close(r->d);
	r->d = NULL;
	ds_embedder_opts o = {
		.batch = r->batch, .seq = seq < most ? seq : most, .precision = r->precision
	};
	return ds_embedder_open(&r->d, r->m, r->device, &o, e);
}

static ds_rc embed_all(embed_run *r, ds_embedding *s, uint32_t n, ds_err *e)
{
	for (uint32_t i = 0; i < n; i += (uint32_t)r->batch) {
		uint32_t k = n - i < r->batch ? n - i : (uint32_t)r->batch;
		DS_TRY(ds_embedder_run(r->d, s + i, k, e));
	}
	return DS_OK;
}

ds_rc embed_block(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	embed_run *r = state;
	ds_arena *mem = ds_work_mem(w);
	size_t n_opts;
	const ds_opt *opts = ds_work_opts(w, &n_opts);
	if (!r->any_tok)
		DS_TRY(ds_model_meet(r->m, opts, n_opts, &r->seen, e));
	ds_embedding *s = ds_arena_zero(mem, (b->n_rows + 1) * sizeof(*s));
	bool *ok = ds_arena_zero(mem, b->n_rows + 1);
	size_t width = (size_t)ds_model_config(r->m)->hidden_size;
	uint32_t n = 0;
	int64_t longest = 1;
	ds_texts texts;
	DS_TRY(ds_work_texts(w, &texts, e));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		const char *why = NULL;
		bool has;
		s[n] = (ds_embedding){ 0 };
		DS_TRY(ids_of(r, w, &texts, i, &s[n], &why, &has, e));
		ok[i] = has && !why;
		if (why)
			DS_TRY(ds_work_bad(w, b, i, e, "%s", why));
		if (!ok[i])
			continue;
		s[n].out = ds_arena_get(mem, width * sizeof(float));
		longest = (int64_t)s[n].n > longest ? (int64_t)s[n].n : longest;
		n++;
	}
	DS_TRY(fit(r, longest, e));
	DS_TRY(embed_all(r, s, n, e));
	ds_colb *c = ds_colb_new(b, "embedding", DS_T_F32S);
	for (uint32_t i = 0, k = 0; i < b->n_rows; i++) {
		if (ok[i])
			ds_colb_list(c, s[k++].out, width);
		else
			ds_colb_absent(c);
	}
	return ds_colb_put(c, e);
}
