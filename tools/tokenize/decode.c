/*
 * decode.c - dstok decode: tokens back to text
 */
#include "base/progress.h"
#include "tokenize.h"

typedef struct {
	const ds_common *common;
	ds_tok *tok;
	size_t n_opts;
} decoder;

static ds_rc begin(void *state, ds_work *w, ds_err *e)
{
	decoder *x = state;
	const ds_opt *opts = ds_work_opts(w, &x->n_opts);
	ds_work_swallow_opt(w, DS_OPT_TOKENIZER);
	if (!x->tok)
		DS_TRY(stream_tokenizer(&x->tok, opts, x->n_opts, e));
	return x->tok ? DS_OK : open_tokenizer(&x->tok, e);
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	decoder *x = state;
	const ds_col *tokens;
	DS_TRY(ds_block_get(b, "tokens", &tokens, e));
	if (!tokens)
		return DS_OK;
	ds_colb *out = ds_colb_new(b, x->common->in.field.column, DS_T_UTF8);
	ds_buf text = { 0 };
	ds_rc rc = DS_OK;
	for (uint32_t row = 0; row < b->n_rows && rc == DS_OK; row++) {
		const uint32_t *ids;
		size_t n;
		bool has = false;
		ds_err why;
		ds_buf_clear(&text);
		ds_rc bad = ds_block_ids(b, tokens, row, &ids, &n, &has, &why);
		if (bad == DS_OK && has)
			bad = ds_tok_decode(x->tok, ids, n, opt.skip_special, &text, &why);
		if (bad == DS_OK && has)
			ds_colb_bytes(out, ds_buf_view(&text));
		else
			ds_colb_absent(out);
		if (bad != DS_OK)
			rc = ds_work_bad(w, b, row, e, "%s", why.msg);
	}
	ds_buf_free(&text);
	DS_TRY(rc);
	DS_TRY(ds_colb_put(out, e));
	if (strcmp(x->common->in.field.column, "tokens") != 0)
		ds_block_remove(b, "tokens");
	return DS_OK;
}

/* Another tokenizer in a later input is one too many, unless -t decides. */
static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	decoder *x = state;
	size_t n;
	const ds_opt *opts = ds_work_opts(w, &n);
	if (opt.tokenizer || n == x->n_opts)
		return DS_OK;
	x->n_opts = n;
	DS_AUTO(ds_tok) stream = NULL;
	return stream_tokenizer(&stream, opts, n, e);
}

ds_rc decode_run(const ds_common *c, ds_err *e)
{
	decoder x = { .common = c };
	if (opt.tokenizer)
		DS_TRY(open_tokenizer(&x.tok, e));
	ds_rc rc = ds_run_stage(c,
		&(ds_stage){ .name = "decode",
			.state = &x,
			.begin = begin,
			.work = work,
			.order = order },
		e);
	ds_tok_close(x.tok);
	return rc;
}
