/*
 * stage.c - streams between the stages, read and written
 */
#include "stage.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char magic[8] = "dsstage1";
const char *const stage_why[] = { "", "exact", "near", "against" };

stage_head stage_head_of(unsigned stage, uint64_t part, const ds_seen_plan *p, const char *keep)
{
	stage_head h = { .stage = stage, .part = part };
	memcpy(h.magic, magic, sizeof(magic));
	ds_seen_plan_words(p, h.words);
	size_t n = strlen(keep);
	memcpy(h.keep, keep, n < sizeof(h.keep) ? n : sizeof(h.keep) - 1);
	return h;
}

static ds_rc read_head(stage_file *f, unsigned stage, ds_err *e)
{
	size_t n;
	const ds_opt *opts = ds_reader_opts(f->reader, &n);
	for (size_t i = 0; i < n; i++)
		if (opts[i].kind == DS_OPT_DEDUP && opts[i].bytes.n == sizeof(f->head)) {
			memcpy(&f->head, opts[i].bytes.at, sizeof(f->head));
			if (memcmp(f->head.magic, magic, sizeof(magic)) == 0 &&
				f->head.stage == stage && !f->head.keep[sizeof(f->head.keep) - 1])
				return DS_OK;
		}
	return ds_fail(e, DS_BAD, "%s: not of this stage of a staged run", f->path);
}

static void add_block(stage_file *f, ds_block *b, size_t *cap)
{
	if (f->n_blocks == *cap) {
		size_t was = *cap;
		*cap = was ? 2 * was : 64;
		f->blocks =
			ds_mem_grow(f->blocks, was * sizeof(*f->blocks), *cap * sizeof(*f->blocks));
	}
	f->blocks[f->n_blocks++] = b;
	f->n += b->n_rows;
}

static ds_rc read_blocks(stage_file *f, const char *const *columns, ds_err *e)
{
	size_t cap = 0;
	for (;;) {
		ds_block *b;
		const ds_col *col;
		DS_TRY(ds_reader_next(f->reader, f->mem, &b, e));
		if (!b)
			return DS_OK;
		for (size_t i = 0; columns[i]; i++)
			DS_TRY_AT(ds_block_get(b, columns[i], &col, e), e, "%s", f->path);
		add_block(f, b, &cap);
	}
}

/* Head and size, and the last bytes, where a stream has its sum. */
static ds_rc sum_file(stage_file *f, ds_in *in, ds_err *e)
{
	ds_str all;
	DS_AUTO(ds_hasher) h = ds_hasher_new();
	if (!ds_in_map(in, &all))
		return ds_fail(e, DS_USAGE, "%s: not a plain file", f->path);
	size_t tail = all.n < 128 ? all.n : 128;
	ds_hasher_add(h, &all.n, sizeof(all.n));
	ds_hasher_add(h, all.at + all.n - tail, tail);
	f->sum = ds_hasher_get128(h);
	return DS_OK;
}

ds_rc stage_open(stage_file *f, const char *dir, const char *name, unsigned stage,
	const char *const *columns, ds_err *e)
{
	ds_buf path = { 0 };
	ds_in *in;
	ds_buf_fmt(&path, "%s/%s", dir, name);
	*f = (stage_file){ .path = ds_mem_text(ds_buf_text(&path)) };
	ds_buf_free(&path);
	DS_TRY(ds_in_open(&in, f->path, e));
	ds_rc rc = sum_file(f, in, e);
	if (rc != DS_OK) {
		ds_in_close(in);
		return rc;
	}
	DS_TRY(ds_reader_open(&f->reader, in, e));
	f->mem = ds_arena_new(1 << 20);
	DS_TRY(read_blocks(f, columns, e));
	DS_TRY(read_head(f, stage, e));
	f->chain = ds_reader_chain(f->reader);
	f->n_input = f->chain->n ? f->chain->stages[f->chain->n - 1].records_in : 0;
	return DS_OK;
}

void stage_close(stage_file *f)
{
	ds_mem_free(f->path);
	if (f->reader)
		ds_reader_close(f->reader);
	ds_arena_free(f->mem);
	ds_mem_free(f->blocks);
	*f = (stage_file){ 0 };
}

bool stage_is_done(const char *dir, const char *name, const stage_head *want)
{
	static const char *const none[] = { NULL };
	ds_err ignored;
	stage_file f = { 0 };
	bool done = stage_open(&f, dir, name, (unsigned)want->stage, none, &ignored) == DS_OK;
	if (done)
		done = memcmp(&f.head, want, offsetof(stage_head, full)) == 0 &&
		       strcmp(f.head.keep, want->keep) == 0;
	stage_close(&f);
	return done;
}

ds_rc stage_create(stage_out *o, const ds_common *c, const signs *s, const char *name,
	const stage_head *head, ds_err *e)
{
	ds_buf path = { 0 };
	*o = (stage_out){ .mem = ds_arena_new(1 << 20) };
	ds_chain *chains[] = { s->files[0].chain };
	ds_chain *chain = ds_chain_merge(s->mem, chains, 1);
	o->entry = ds_chain_push(s->mem, chain, ds_str_of("dsdedup"), ds_str_of(DS_VERSION),
		ds_arena_fmt(
			s->mem, "%s %.*s", c->who.command, (int)c->recorded.n, c->recorded.at));
	o->chain = chain;
	ds_buf_fmt(&path, "%s/%s", s->dir, name);
	ds_rc rc = ds_out_open(&o->out, ds_buf_text(&path), e);
	ds_buf_free(&path);
	DS_TRY(rc);
	DS_TRY(ds_writer_open(&o->writer, o->out, chain, e));
	return ds_writer_opt(
		o->writer, (ds_opt){ DS_OPT_DEDUP, { (const char *)head, sizeof(*head) } }, e);
}

ds_rc stage_put(stage_out *o, ds_block *b, ds_err *e)
{
	ds_frame f;
	o->entry->records_out += b->n_rows;
	DS_TRY(ds_block_encode(&f, b, NULL, e));
	DS_TRY(ds_writer_frame(o->writer, &f, e));
	ds_arena_reset(o->mem);
	return DS_OK;
}

ds_rc stage_finish(stage_out *o, ds_err *e)
{
	o->entry->has_counts = true;
	DS_TRY(ds_writer_finish(o->writer, o->chain, e));
	return ds_out_finish(o->out, e);
}

void stage_discard(stage_out *o)
{
	if (o->writer)
		ds_writer_close(o->writer);
	ds_out_close(o->out);
	ds_arena_free(o->mem);
	*o = (stage_out){ 0 };
}

ds_rc stage_dir(const ds_common *c, const char **dir, ds_err *e)
{
	if (!c->in.n_files)
		return ds_fail(
			e, DS_USAGE, "no folder is named, as in: dsdedup %s DIR", c->who.command);
	*dir = c->in.files[0];
	if (access(*dir, F_OK) != 0)
		return ds_fail_errno(e, "%s", *dir);
	return DS_OK;
}
