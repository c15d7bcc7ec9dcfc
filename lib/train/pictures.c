/*
 * pictures.c - two sets of pictures, and a thread with a pool that makes one of them
 */
#include "train/pictures.h"

#include "base/mem.h"
#include "base/thread.h"

#include <string.h>

typedef struct {
	ds_str file; /* at NULL: zeros */
	uint64_t number;
	bool vary, made;
	ds_rc rc;
	ds_err err;
} picture;

typedef struct {
	picture *rows;
	float *values;
} set;

struct ds_pictures {
	ds_pictures_opts o;
	int64_t floats;
	set now, next;
	const set *making;
	ds_pool *pool;
	ds_arena **mems;   /* a worker's own */
	ds_thread *thread; /* makes `next`; NULL: nothing is being made */
};

static set set_new(const ds_pictures *p)
{
	return (set){ DS_NEW(picture, (size_t)p->o.rows),
		DS_NEW(float, (size_t)(p->o.rows * p->floats)) };
}

ds_pictures *ds_pictures_new(const ds_pictures_opts *o)
{
	ds_pictures *p = DS_NEW(ds_pictures, 1);
	p->o = *o;
	p->floats = 3 * (int64_t)o->size * o->size;
	p->now = set_new(p);
	p->next = set_new(p);
	p->pool = ds_pool_new(o->threads);
	p->mems = DS_NEW(ds_arena *, o->threads);
	for (unsigned i = 0; i < o->threads; i++)
		p->mems[i] = ds_arena_new(1 << 16);
	return p;
}

static void finish(ds_pictures *p)
{
	ds_thread_join(p->thread);
	p->thread = NULL;
}

void ds_pictures_free(ds_pictures *p)
{
	if (!p)
		return;
	finish(p);
	ds_pool_free(p->pool);
	for (unsigned i = 0; i < p->o.threads; i++)
		ds_arena_free(p->mems[i]);
	ds_mem_free(p->mems);
	ds_mem_free(p->now.rows);
	ds_mem_free(p->now.values);
	ds_mem_free(p->next.rows);
	ds_mem_free(p->next.values);
	ds_mem_free(p);
}

/* ---- making ---- */

static void make(void *context, size_t task, unsigned worker)
{
	ds_pictures *p = context;
	picture *r = &p->making->rows[task];
	float *to = p->making->values + (int64_t)task * p->floats;
	ds_arena *mem = p->mems[worker];
	ds_image im;
	if (r->made)
		return;
	r->made = true;
	r->rc = DS_OK;
	if (!r->file.at) {
		memset(to, 0, (size_t)p->floats * sizeof(*to));
		return;
	}
	ds_arena_reset(mem);
	r->rc = ds_image_decode(r->file, mem, &im, &r->err);
	ds_vary vary = p->o.vary;
	vary.number = r->number;
	if (r->rc == DS_OK)
		r->rc = ds_prep_run(
			&p->o.prep, &im, r->vary ? &vary : NULL, p->o.patch, mem, to, &r->err);
}

static void make_set(ds_pictures *p, const set *s)
{
	p->making = s;
	ds_pool_run(p->pool, (size_t)p->o.rows, make, p);
}

static void make_next(void *context)
{
	ds_pictures *p = context;
	make_set(p, &p->next);
}

/* ---- what is wanted ---- */

static void put(picture *r, ds_str file, uint64_t number, bool vary)
{
	if (r->made && r->file.at == file.at && r->file.n == file.n && r->number == number &&
		r->vary == vary)
		return;
	r->file = file;
	r->number = number;
	r->vary = vary;
	r->made = false;
}

/* A row that was made ahead is copied: an evaluation between may have used some of this set's. */
void ds_pictures_want(ds_pictures *p, int64_t i, ds_str file, uint64_t number, bool vary)
{
	if (p->thread)
		finish(p);
	picture *ahead = &p->next.rows[i];
	if (ahead->made && ahead->file.at == file.at && ahead->number == number &&
		ahead->vary == vary) {
		memcpy(p->now.values + i * p->floats, p->next.values + i * p->floats,
			(size_t)p->floats * sizeof(float));
		p->now.rows[i] = *ahead;
		return;
	}
	put(&p->now.rows[i], file, number, vary);
}

void ds_pictures_none(ds_pictures *p, int64_t i)
{
	put(&p->now.rows[i], (ds_str){ 0 }, 0, false);
}

ds_rc ds_pictures_ready(ds_pictures *p, ds_err *e)
{
	finish(p);
	make_set(p, &p->now);
	for (int64_t i = 0; i < p->o.rows; i++)
		if (p->now.rows[i].rc != DS_OK) {
			*e = p->now.rows[i].err;
			return ds_at(e, p->now.rows[i].rc, "a picture");
		}
	return DS_OK;
}

const float *ds_pictures_at(const ds_pictures *p, int64_t i)
{
	return p->now.values + i * p->floats;
}

int64_t ds_pictures_floats(const ds_pictures *p)
{
	return p->floats;
}

void ds_pictures_foresee(ds_pictures *p, int64_t i, ds_str file, uint64_t number)
{
	put(&p->next.rows[i], file, number, true);
}

ds_rc ds_pictures_begin(ds_pictures *p, ds_err *e)
{
	return ds_thread_start(&p->thread, make_next, p, e);
}
