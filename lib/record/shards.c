/*
 * shards.c - see shards.h
 */
#include "record/shards.h"

#include "base/mem.h"

enum { DIGITS_MOST = 12 };

/* %d or %05d at p; its end, or NULL. *digits: at least so many. */
static const char *read_place(const char *p, unsigned *digits)
{
	*digits = 0;
	for (p++; *p >= '0' && *p <= '9' && *digits <= DIGITS_MOST; p++)
		*digits = 10 * *digits + (unsigned)(*p - '0');
	return *p == 'd' && *digits <= DIGITS_MOST ? p + 1 : NULL;
}

ds_rc ds_shards_check(const ds_output_opts *c, ds_err *e)
{
	unsigned digits;
	const char *place = c->path ? strchr(c->path, '%') : NULL;
	const char *rest = place ? read_place(place, &digits) : NULL;
	if (c->shard_bytes && (!rest || strchr(rest, '%')))
		return ds_fail(e, DS_USAGE,
			"--shard-size wants -o with one %%d in the name, such as out-%%05d.dsr");
	return DS_OK;
}

ds_shards *ds_shards_new(const ds_output_opts *c, const ds_chain *head)
{
	ds_shards *s = DS_NEW(ds_shards, 1);
	s->c = c;
	s->head = head;
	s->mem = ds_arena_new(4096);
	return s;
}

void ds_shards_free(ds_shards *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		ds_sink_close(s->at[i]->sink);
	ds_mem_free(s->at);
	ds_arena_free(s->mem);
	ds_mem_free(s);
}

static const char *name_of(ds_shards *s, size_t number)
{
	unsigned digits;
	const char *place = strchr(s->c->path, '%'), *rest = read_place(place, &digits);
	ds_buf name = { 0 };
	ds_buf_add(&name, s->c->path, (size_t)(place - s->c->path));
	ds_buf_fmt(&name, "%0*zu", (int)digits, number);
	ds_buf_add_c(&name, rest);
	const char *out = ds_arena_str(s->mem, ds_buf_view(&name)).at;
	ds_buf_free(&name);
	return out;
}

static ds_rc open_next(ds_shards *s, ds_err *e)
{
	ds_shard_file *next = ds_arena_zero(s->mem, sizeof(*next));
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		s->at = ds_mem_grow(s->at, s->n * sizeof(*s->at), cap * sizeof(*s->at));
		s->cap = cap;
	}
	next->how = *s->c;
	next->how.path = name_of(s, s->n);
	DS_TRY(ds_sink_open(&next->sink, &next->how, s->head, e));
	s->at[s->n++] = next;
	if (!ds_sink_has_size(next->sink))
		return ds_fail(e, DS_USAGE, "--shard-size: '%s' is written as several files",
			next->how.path);
	for (size_t i = 0; i < s->n_opts; i++)
		DS_TRY(ds_sink_opt(next->sink, s->opts[i], e));
	return DS_OK;
}

ds_rc ds_shards_next(ds_shards *s, ds_shard_file **out, ds_err *e)
{
	const ds_shard_file *last = s->n ? s->at[s->n - 1] : NULL;
	if (!last || (last->records && ds_sink_size(last->sink) >= s->c->shard_bytes))
		DS_TRY(open_next(s, e));
	*out = s->at[s->n - 1];
	return DS_OK;
}

ds_rc ds_shards_opt(ds_shards *s, ds_opt opt, ds_err *e)
{
	ds_opt *more = ds_arena_get(s->mem, (s->n_opts + 1) * sizeof(*more));
	if (s->n_opts)
		memcpy(more, s->opts, s->n_opts * sizeof(*more));
	more[s->n_opts] = opt;
	more[s->n_opts++].bytes = ds_arena_str(s->mem, opt.bytes);
	s->opts = more;
	return ds_sink_opt(s->at[s->n - 1]->sink, opt, e);
}
