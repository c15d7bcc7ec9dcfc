/*
 * resume.c - see resume.h
 */
#include "resume.h"

#include "base/mem.h"
#include "record/source.h"

struct resumed {
	ds_input_opts how;
	const char *files[1];
	ds_source *s;
	ds_arena *mem; /* of the block */
	ds_block *b;   /* NULL: there are no more */
	uint32_t row;
	uint64_t taken;
	ds_str field; /* of the text */
};

void resume_close(resumed *r)
{
	if (!r)
		return;
	ds_source_close(r->s);
	ds_arena_free(r->mem);
	ds_mem_free(r);
}

/* The next block with records; what is damaged is the end. */
static void next_block(resumed *r)
{
	ds_err ignored;
	r->row = 0;
	do {
		ds_arena_reset(r->mem);
		if (ds_source_next(r->s, r->mem, &r->b, &ignored) != DS_OK)
			r->b = NULL;
	} while (r->b && r->b->n_rows == 0);
}

ds_rc resume_open(resumed **out, const char *path, const ds_common *c, ds_err *e)
{
	resumed *r = DS_NEW(resumed, 1);
	*out = r;
	r->how = c->in;
	r->files[0] = path;
	r->how.files = r->files;
	r->how.n_files = 1;
	r->how.from = NULL;
	r->how.split = NULL;
	r->how.exec = NULL;
	r->how.on_error = DS_ON_SKIP;
	r->how.who = NULL;
	r->field = ds_str_of(c->in.field.column);
	r->mem = ds_arena_new(DS_BLOCK_BYTES);
	DS_TRY(ds_source_open(&r->s, &r->how, e));
	next_block(r);
	return DS_OK;
}

/* Is a column of both the same in these rows? What one of them lacks is not compared. */
static ds_rc same(resumed *r, const char *name, ds_block *b, uint32_t row, bool *is, ds_err *e)
{
	const ds_col *was, *now;
	ds_str x, y;
	bool has_x, has_y;
	DS_TRY(ds_block_get(r->b, name, &was, e));
	DS_TRY(ds_block_get(b, name, &now, e));
	if (!was || !now || was->type != DS_T_UTF8 || now->type != DS_T_UTF8)
		return DS_OK;
	DS_TRY(ds_block_text(r->b, was, r->row, &x, &has_x, e));
	DS_TRY(ds_block_text(b, now, row, &y, &has_y, e));
	*is = *is && (!has_x || !has_y || ds_str_eq(x, y));
	return DS_OK;
}

static ds_rc same_tokens(resumed *r, ds_block *b, uint32_t row, bool *is, ds_err *e)
{
	const ds_col *was, *now;
	const uint32_t *x, *y;
	size_t n_x, n_y;
	bool has_x, has_y;
	DS_TRY(ds_block_get(r->b, "tokens", &was, e));
	DS_TRY(ds_block_get(b, "tokens", &now, e));
	if (!was || !now)
		return DS_OK;
	DS_TRY(ds_block_ids(r->b, was, r->row, &x, &n_x, &has_x, e));
	DS_TRY(ds_block_ids(b, now, row, &y, &n_y, &has_y, e));
	if (has_x && has_y)
		*is = *is && n_x == n_y && memcmp(x, y, n_x * sizeof(*x)) == 0;
	return DS_OK;
}

ds_rc resume_next(resumed *r, ds_block *b, uint32_t row, ds_str *pred, ds_err *e)
{
	const ds_col *c;
	bool has = false, is = true;
	*pred = (ds_str){ NULL, 0 };
	if (r->b && r->row == r->b->n_rows)
		next_block(r);
	if (!r->b)
		return DS_OK;
	DS_TRY(same(r, r->field.at, b, row, &is, e));
	DS_TRY(same_tokens(r, b, row, &is, e));
	if (!is)
		return ds_fail(e, DS_BAD, "--resume %s: record %llu is not that of the input",
			r->files[0], (unsigned long long)r->taken);
	DS_TRY(ds_block_get(r->b, "pred", &c, e));
	if (c && c->type == DS_T_UTF8)
		DS_TRY(ds_block_text(r->b, c, r->row, pred, &has, e));
	if (!has)
		*pred = (ds_str){ NULL, 0 };
	else if (!pred->at)
		*pred = DS_S("");
	r->row++;
	r->taken++;
	return DS_OK;
}

uint64_t resume_taken(const resumed *r)
{
	return r->taken;
}
