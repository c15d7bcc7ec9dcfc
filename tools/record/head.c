/*
 * head.c - the first records; reads no further
 */
#include "copy.h"

#include "base/mem.h"

static ds_rc copy_first(copy_run *r, ds_arena *mem, uint64_t left, ds_err *e)
{
	ds_block *b;
	do {
		ds_arena_reset(mem);
		DS_TRY(copy_next(r, mem, &b, e));
		if (!b)
			break;
		if (b->n_rows > left) {
			uint32_t *rows = ds_arena_get(mem, sizeof(*rows) * left + 1);
			for (uint32_t i = 0; i < left; i++)
				rows[i] = i;
			DS_TRY(ds_block_select(b, rows, (uint32_t)left, e));
		}
		left -= b->n_rows;
		DS_TRY(copy_block(r, &r->outs[0], b, e));
	} while (left > 0);
	return copy_finish(r, "after the end", e);
}

ds_rc run_head(const ds_common *c, ds_err *e)
{
	DS_AUTO(copy_run) r = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	if (opt.lines < 0)
		return ds_fail(e, DS_USAGE, "'--lines': %lld is below 0", (long long)opt.lines);
	DS_TRY(copy_open(&r, c, (const char *[]){ c->out.path }, 1, e));
	DS_TRY(copy_abort(r, copy_first(r, mem, (uint64_t)opt.lines, e), e));
	copy_summary(r, NULL);
	return DS_OK;
}
