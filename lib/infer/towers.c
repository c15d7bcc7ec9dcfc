/*
 * towers.c - texts and pictures through an engine a tower
 */
#include "infer/towers.h"

#include "base/finite.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/pair.h"

#include <math.h>
#include <string.h>

enum { BATCH = 32 };

typedef struct {
	ds_err *errors; /* of a batch */
	ds_rc *rcs;
} faults;

struct ds_towers {
	const ds_model *m;
	const ds_config *c, *images;
	ds_device *device;
	ds_engine *text, *image, *labels; /* opened when they are wanted first */
	ds_tok_scratch *scratch;
	ds_prep prep;
	double factor;
	ds_arena *mem; /* of a batch */
	ds_pool *pool;
	ds_arena **mems; /* a worker's own */
	/* what is being decoded */
	const ds_str *files;
	float *pixels;
	faults bad;
};

static ds_rc read_factor(ds_towers *t, ds_err *e)
{
	float s = 0;
	const ds_st_tensor *f = ds_model_find(t->m, "logit_scale", NULL);
	if (!f)
		return DS_OK;
	DS_TRY(ds_st_floats(f, 0, 1, &s, e));
	t->factor = exp((double)s);
	return DS_OK;
}

ds_rc ds_towers_open(
	ds_towers **out, const ds_model *m, ds_device *device, unsigned threads, ds_err *e)
{
	DS_AUTO(ds_towers) t = DS_NEW(ds_towers, 1);
	t->m = m;
	t->c = ds_model_config(m);
	t->images = ds_config_images(t->c);
	t->device = device;
	t->factor = 1;
	if (!t->images)
		return ds_fail(
			e, DS_USAGE, "%s: %s takes no pictures", ds_model_dir(m), t->c->arch->name);
	t->mem = ds_arena_new(1 << 16);
	t->pool = ds_pool_new(threads);
	t->mems = DS_NEW(ds_arena *, ds_pool_threads(t->pool));
	for (unsigned i = 0; i < ds_pool_threads(t->pool); i++)
		t->mems[i] = ds_arena_new(1 << 16);
	if (ds_model_tok(m))
		t->scratch = ds_tok_scratch_new(ds_model_tok(m));
	DS_TRY(ds_pair_prep(&t->prep, ds_model_base(m), t->c, e));
	DS_TRY(read_factor(t, e));
	*out = t;
	t = NULL;
	return DS_OK;
}

void ds_towers_close(ds_towers *t)
{
	if (!t)
		return;
	ds_engine_close(t->text);
	ds_engine_close(t->image);
	ds_engine_close(t->labels);
	ds_tok_scratch_free(t->scratch);
	for (unsigned i = 0; t->pool && i < ds_pool_threads(t->pool); i++)
		ds_arena_free(t->mems[i]);
	ds_mem_free(t->mems);
	ds_pool_free(t->pool);
	ds_arena_free(t->mem);
	ds_mem_free(t);
}

int64_t ds_towers_width(const ds_towers *t)
{
	return t->c->hidden_size;
}

bool ds_towers_read(const ds_towers *t)
{
	return t->c->towers[DS_TOWER_TEXT] != NULL;
}

double ds_towers_factor(const ds_towers *t)
{
	return t->factor;
}

static ds_rc open_engine(ds_towers *t, ds_engine **n, ds_build b, int64_t seq, ds_err *e)
{
	ds_engine_opts o = {
		.config = t->c, .batch = BATCH, .seq = seq, .build = b, .weights = t->m
	};
	return *n ? DS_OK : ds_engine_open(n, t->device, &o, e);
}

static ds_rc check(const ds_towers *t, const float *v, size_t n, ds_err *e)
{
	return ds_f32_finite(v, n) == n
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "%s: what it gives is not finite", ds_model_dir(t->m));
}

/* ---- texts ---- */

static ds_rc put_text(ds_towers *t, int64_t i, ds_str text, ds_err *e)
{
	const ds_config *c = t->c->towers[DS_TOWER_TEXT];
	const ds_tok *tok = ds_model_tok(t->m);
	int64_t seq = c->max_positions;
	int32_t *to = (int32_t *)ds_exec_input(t->text->x, t->text->b.ids) + i * seq;
	const uint32_t *ids;
	size_t n;
	DS_TRY(ds_tok_encode(tok, t->scratch, text, 0, &ids, &n, e));
	uint32_t *whole = ds_arena_get(t->mem, (n + 2 + (size_t)seq) * sizeof(*whole));
	n = ds_pair_text(tok, ids, n, (size_t)seq, whole);
	for (size_t k = 0; k < n; k++)
		if (whole[k] >= c->vocab_size)
			return ds_fail(e, DS_BAD, "token id %u, the model has %lld", whole[k],
				(long long)c->vocab_size);
	for (int64_t k = 0; k < seq; k++)
		to[k] = k < (int64_t)n ? (int32_t)whole[k] : c->pad < 0 ? 0 : (int32_t)c->pad;
	((int32_t *)ds_exec_input(t->text->x, t->text->b.ends))[i] =
		(int32_t)(i * seq + (int64_t)ds_pair_end(c->eos, whole, n));
	return DS_OK;
}

static ds_rc run_texts(ds_towers *t, const ds_str *texts, size_t n, float *out, ds_err *e)
{
	const void *v;
	ds_arena_reset(t->mem);
	for (size_t i = 0; i < BATCH; i++)
		DS_TRY(put_text(t, (int64_t)i, i < n ? texts[i] : DS_S(""), e));
	DS_TRY(ds_engine_run(t->text, e));
	DS_TRY(ds_exec_view(t->text->x, t->text->b.embeds[DS_TOWER_TEXT], t->mem, &v, e));
	memcpy(out, v, n * (size_t)t->c->hidden_size * sizeof(*out));
	return check(t, out, n * (size_t)t->c->hidden_size, e);
}

ds_rc ds_towers_texts(ds_towers *t, const ds_str *texts, size_t n, float *out, ds_err *e)
{
	if (!ds_towers_read(t) || !t->scratch)
		return ds_fail(e, DS_USAGE, "%s: %s", ds_model_dir(t->m),
			t->scratch ? "it takes no texts" : "it has no tokenizer");
	int64_t seq = t->c->towers[DS_TOWER_TEXT]->max_positions;
	DS_TRY(open_engine(t, &t->text,
		(ds_build){ .towers = 1 << DS_TOWER_TEXT, .only_hidden = true }, seq, e));
	ds_model_positions(t->text->x, t->text->g, &t->text->b);
	for (size_t i = 0; i < n; i += BATCH) {
		size_t some = n - i < BATCH ? n - i : BATCH;
		DS_TRY(run_texts(t, texts + i, some, out + i * (size_t)t->c->hidden_size, e));
	}
	return DS_OK;
}

/* ---- pictures ---- */

static size_t floats_of(const ds_towers *t)
{
	return 3 * (size_t)(t->images->image_size * t->images->image_size);
}

static void decode(void *context, size_t task, unsigned worker)
{
	ds_towers *t = context;
	ds_arena *mem = t->mems[worker];
	float *to = t->pixels + task * floats_of(t);
	ds_image im;
	ds_arena_reset(mem);
	ds_rc rc = ds_image_decode(t->files[task], mem, &im, &t->bad.errors[task]);
	if (rc == DS_OK)
		rc = ds_prep_run(&t->prep, &im, NULL, (int32_t)t->images->patch_size, mem, to,
			&t->bad.errors[task]);
	if (rc != DS_OK)
		memset(to, 0, floats_of(t) * sizeof(*to));
	t->bad.rcs[task] = rc;
}

typedef struct { /* what comes of a picture */
	ds_engine *n;
	ds_tid from;
	int64_t width, apart; /* numbers of one, and from one to the next */
} result;

static ds_rc run_images(ds_towers *t, const result *r, const ds_str *files, size_t n, float *out,
	const char **why, ds_arena *mem, ds_err *e)
{
	const void *v;
	ds_arena_reset(t->mem);
	t->files = files;
	t->pixels = ds_exec_input(r->n->x, r->n->b.pixels);
	t->bad = (faults){ ds_arena_get(t->mem, BATCH * sizeof(ds_err)),
		ds_arena_get(t->mem, BATCH * sizeof(ds_rc)) };
	ds_pool_run(t->pool, n, decode, t);
	memset(t->pixels + n * floats_of(t), 0, (BATCH - n) * floats_of(t) * sizeof(float));
	DS_TRY(ds_engine_run(r->n, e));
	DS_TRY(ds_exec_view(r->n->x, r->from, t->mem, &v, e));
	for (size_t i = 0; i < n; i++) {
		bool ok = t->bad.rcs[i] == DS_OK;
		float *to = out + i * (size_t)r->width;
		why[i] = ok ? NULL : ds_arena_fmt(mem, "%s", t->bad.errors[i].msg).at;
		for (int64_t k = 0; k < r->width; k++)
			to[k] = ok ? ((const float *)v)[(int64_t)i * r->apart + k] : 0;
	}
	return check(t, out, n * (size_t)r->width, e);
}

static ds_rc run_all(ds_towers *t, const result *r, const ds_str *files, size_t n, float *out,
	const char **why, ds_arena *mem, ds_err *e)
{
	for (size_t i = 0; i < n; i += BATCH) {
		size_t some = n - i < BATCH ? n - i : BATCH;
		DS_TRY(run_images(
			t, r, files + i, some, out + i * (size_t)r->width, why + i, mem, e));
	}
	return DS_OK;
}

static void to_length_1(float *v, int64_t n)
{
	double square = 0;
	for (int64_t k = 0; k < n; k++)
		square += (double)v[k] * (double)v[k];
	double by = square > 0 ? 1 / sqrt(square) : 0;
	for (int64_t k = 0; k < n; k++)
		v[k] = (float)((double)v[k] * by);
}

ds_rc ds_towers_images(ds_towers *t, const ds_str *files, size_t n, float *out, const char **why,
	ds_arena *mem, ds_err *e)
{
	bool two = ds_towers_read(t);
	int64_t width = t->c->hidden_size, rows = two ? 1 : ds_arch_patches(t->c) + 1;
	DS_TRY(open_engine(t, &t->image,
		(ds_build){ .towers = 1 << DS_TOWER_IMAGE, .only_hidden = true }, rows, e));
	const ds_build *b = &t->image->b;
	result r = { t->image, two ? b->embeds[DS_TOWER_IMAGE] : b->hidden, width, rows * width };
	DS_TRY(run_all(t, &r, files, n, out, why, mem, e));
	for (size_t i = 0; i < n && !two; i++)
		to_length_1(out + i * (size_t)width, width);
	return DS_OK;
}

ds_rc ds_towers_labels(ds_towers *t, const ds_str *files, size_t n, float *out, const char **why,
	ds_arena *mem, ds_err *e)
{
	if (t->c->head != DS_HEAD_SEQ)
		return ds_fail(e, DS_USAGE, "%s: it has no labels", ds_model_dir(t->m));
	DS_TRY(open_engine(t, &t->labels, (ds_build){ 0 }, ds_arch_patches(t->c) + 1, e));
	result r = { t->labels, t->labels->b.logits, t->c->n_labels, t->c->n_labels };
	return run_all(t, &r, files, n, out, why, mem, e);
}
