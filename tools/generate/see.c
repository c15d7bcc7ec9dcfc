/*
 * see.c - pictures, and texts beside them, through a model that takes pictures
 *
 * --embed: `embedding` is the picture's vector, and that of the text where there is no picture; of a record with both,
 * `text_embedding` is the text's. Else `pred` is a label and `score` the probability of each: the labels of the
 * model's head, or with --labels those whose texts are nearest (zero-shot classification).
 */
#include "see.h"

#include "infer/towers.h"

#include "base/io.h"
#include "base/mem.h"

#include <math.h>
#include <sys/stat.h>

enum { LABEL_BYTES = 16 << 20 };

typedef struct {
	const see_opts *o;
	const ds_config *c;
	ds_towers *t;
	ds_arena *mem;
	const ds_str *labels;
	size_t n_labels;
	float *texts; /* of the labels; NULL: the model has them itself */
} seer;

/* ---- labels for zero-shot ---- */

static ds_str prompt_of(seer *s, ds_str name)
{
	const char *prompt = s->o->prompt ? s->o->prompt : "{}", *at = strstr(prompt, "{}");
	ds_str parts[] = { { prompt, (size_t)(at - prompt) }, name, ds_str_of(at + 2) };
	return ds_arena_cat(s->mem, parts, 3);
}

static ds_rc read_labels(seer *s, ds_str *out, ds_err *e)
{
	struct stat st;
	ds_buf text = { 0 };
	*out = ds_str_of(s->o->labels);
	if (stat(s->o->labels, &st) != 0 || !S_ISREG(st.st_mode))
		return DS_OK;
	ds_rc rc = ds_file_read(s->o->labels, LABEL_BYTES, &text, e);
	if (rc == DS_OK)
		*out = ds_arena_str(s->mem, ds_buf_view(&text));
	ds_buf_free(&text);
	return rc;
}

static ds_rc open_labels(seer *s, ds_err *e)
{
	ds_str rest;
	size_t width = (size_t)ds_towers_width(s->t);
	if (!ds_towers_read(s->t))
		return ds_fail(e, DS_USAGE,
			"--labels is for models of texts and pictures, %s is none",
			s->c->arch->name);
	if (s->o->prompt && !strstr(s->o->prompt, "{}"))
		return ds_fail(e, DS_USAGE, "--prompt '%s' has no {} for the label", s->o->prompt);
	DS_TRY(read_labels(s, &rest, e));
	bool lines = rest.at != s->o->labels;
	ds_str *names = ds_arena_get(s->mem, (rest.n + 1) * sizeof(*names));
	ds_str *texts = ds_arena_get(s->mem, (rest.n + 1) * sizeof(*texts));
	while (rest.at && rest.n) {
		ds_str name = ds_str_trim(ds_str_cut(rest, lines ? '\n' : ',', &rest));
		if (!name.n)
			continue;
		texts[s->n_labels] = prompt_of(s, name);
		names[s->n_labels++] = name;
	}
	if (s->n_labels < 2)
		return ds_fail(e, DS_USAGE, "--labels: fewer than two");
	s->labels = names;
	s->texts = ds_arena_get(s->mem, s->n_labels * width * sizeof(float));
	return ds_towers_texts(s->t, texts, s->n_labels, s->texts, e);
}

static void own_labels(seer *s)
{
	ds_str *names = ds_arena_get(s->mem, ((size_t)s->c->n_labels + 1) * sizeof(*names));
	for (int64_t i = 0; i < s->c->n_labels; i++)
		names[i] = ds_str_of(s->c->labels[i]);
	s->labels = names;
	s->n_labels = (size_t)s->c->n_labels;
}

/* ---- a block's pictures ---- */

typedef struct {
	uint32_t n;
	uint32_t *rows; /* of the block: those that have one */
	ds_str *files;
	const char **why;
	int64_t *at; /* by row of the block: its number among them, -1: none */
} files;

static ds_rc find_files(ds_work *w, ds_block *b, files *f, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	const ds_col *c;
	DS_TRY(ds_block_get(b, "image", &c, e));
	*f = (files){ 0, ds_arena_get(mem, (b->n_rows + 1) * sizeof(*f->rows)),
		ds_arena_get(mem, (b->n_rows + 1) * sizeof(*f->files)),
		ds_arena_zero(mem, (b->n_rows + 1) * sizeof(*f->why)),
		ds_arena_get(mem, (b->n_rows + 1) * sizeof(*f->at)) };
	for (uint32_t i = 0; i < b->n_rows; i++) {
		bool has = c && c->type == DS_T_BYTES && ds_col_has(c, i) && !ds_col_null(c, i);
		f->at[i] = has ? (int64_t)f->n : -1;
		if (!has)
			continue;
		f->rows[f->n] = i;
		f->files[f->n++] = ds_col_bytes(c, i);
	}
	return DS_OK;
}

/* A damaged picture is a bad record; it goes without what it would have got. */
static ds_rc tell_damaged(ds_work *w, ds_block *b, files *f, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, "source", &c, e));
	for (uint32_t k = 0; k < f->n; k++) {
		uint32_t i = f->rows[k];
		if (!f->why[k])
			continue;
		bool named = c && c->type == DS_T_UTF8 && ds_col_has(c, i) && !ds_col_null(c, i);
		ds_str name = named ? ds_col_bytes(c, i) : DS_S("");
		DS_TRY(ds_work_bad(w, b, i, e, "image%s%.*s%s: %s", named ? " '" : "", DS_FMT(name),
			named ? "'" : "", f->why[k]));
		f->at[i] = -1;
	}
	return DS_OK;
}

/* ---- vectors ---- */

static ds_rc put_vectors(
	ds_block *b, const char *name, const float *v, const int64_t *at, size_t width, ds_err *e)
{
	ds_colb *c = ds_colb_new(b, name, DS_T_F32S);
	for (uint32_t i = 0; i < b->n_rows; i++) {
		if (at[i] < 0)
			ds_colb_absent(c);
		else
			ds_colb_list(c, v + (size_t)at[i] * width, width);
	}
	return ds_colb_put(c, e);
}

static ds_rc embed_texts(seer *s, ds_work *w, ds_block *b, const files *f, float **out, int64_t *at,
	bool *beside, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	ds_str *texts = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*texts));
	ds_texts field;
	size_t n = 0;
	*beside = false;
	DS_TRY(ds_work_texts(w, &field, e));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		bool has = false;
		at[i] = -1;
		if (ds_towers_read(s->t))
			DS_TRY(ds_texts_get(&field, i, &texts[n], &has, e));
		if (!has)
			continue;
		*beside |= f->at[i] >= 0;
		at[i] = (int64_t)n++;
	}
	*out = ds_arena_get(mem, (n + 1) * (size_t)ds_towers_width(s->t) * sizeof(float));
	return n ? ds_towers_texts(s->t, texts, n, *out, e) : DS_OK;
}

static ds_rc embed(seer *s, ds_work *w, ds_block *b, files *f, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	size_t width = (size_t)ds_towers_width(s->t), rows = b->n_rows + 1;
	int64_t *text_at = ds_arena_get(mem, rows * sizeof(*text_at));
	float *image = ds_arena_get(mem, rows * width * sizeof(*image)), *text;
	bool beside;
	DS_TRY(ds_towers_images(s->t, f->files, f->n, image, f->why, mem, e));
	DS_TRY(tell_damaged(w, b, f, e));
	DS_TRY(embed_texts(s, w, b, f, &text, text_at, &beside, e));
	if (beside)
		DS_TRY(put_vectors(b, "text_embedding", text, text_at, width, e));
	/* Texts without a picture behind the pictures. */
	size_t n = f->n;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		if (f->at[i] >= 0 || text_at[i] < 0)
			continue;
		memcpy(image + n * width, text + (size_t)text_at[i] * width,
			width * sizeof(*image));
		f->at[i] = (int64_t)n++;
	}
	return put_vectors(b, "embedding", image, f->at, width, e);
}

/* ---- labels ---- */

static void softmax(float *v, size_t n, double factor)
{
	double top = -INFINITY, sum = 0;
	for (size_t i = 0; i < n; i++)
		top = fmax(top, factor * (double)v[i]);
	for (size_t i = 0; i < n; i++)
		sum += exp(factor * (double)v[i] - top);
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(exp(factor * (double)v[i] - top) / sum);
}

/* Cosines with the labels' texts. */
static ds_rc compare(seer *s, ds_work *w, files *f, float *out, ds_err *e)
{
	size_t width = (size_t)ds_towers_width(s->t);
	float *v = ds_arena_get(ds_work_mem(w), (f->n + 1) * width * sizeof(*v));
	DS_TRY(ds_towers_images(s->t, f->files, f->n, v, f->why, ds_work_mem(w), e));
	for (uint32_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < s->n_labels; k++) {
			double sum = 0;
			for (size_t j = 0; j < width; j++)
				sum += (double)v[i * width + j] * (double)s->texts[k * width + j];
			out[i * s->n_labels + k] = (float)sum;
		}
	return DS_OK;
}

static ds_rc label(seer *s, ds_work *w, ds_block *b, files *f, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	size_t n = s->n_labels;
	float *v = ds_arena_get(mem, (f->n + 1) * n * sizeof(*v));
	if (s->texts)
		DS_TRY(compare(s, w, f, v, e));
	else
		DS_TRY(ds_towers_labels(s->t, f->files, f->n, v, f->why, mem, e));
	DS_TRY(tell_damaged(w, b, f, e));
	ds_colb *pred = ds_colb_new(b, "pred", DS_T_UTF8),
		*score = ds_colb_new(b, "score", DS_T_F32S);
	for (uint32_t i = 0; i < b->n_rows; i++) {
		if (f->at[i] < 0) {
			ds_colb_absent(pred);
			ds_colb_absent(score);
			continue;
		}
		float *of = v + (size_t)f->at[i] * n;
		size_t best = 0;
		for (size_t k = 1; k < n; k++)
			best = of[k] > of[best] ? k : best;
		softmax(of, n, s->texts ? ds_towers_factor(s->t) : 1);
		ds_colb_bytes(pred, s->labels[best]);
		ds_colb_list(score, of, n);
	}
	DS_TRY(ds_colb_put(pred, e));
	return ds_colb_put(score, e);
}

static ds_rc see_block(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	seer *s = state;
	files f;
	DS_TRY(find_files(w, b, &f, e));
	return s->o->embed ? embed(s, w, b, &f, e) : label(s, w, b, &f, e);
}

static ds_rc open_seer(seer *s, const ds_model *m, ds_device *device, const ds_common *c, ds_err *e)
{
	DS_TRY(ds_towers_open(&s->t, m, device, (unsigned)c->jobs, e));
	if (s->o->embed)
		return s->o->labels
			       ? ds_fail(e, DS_USAGE, "--embed and --labels exclude each other")
			       : DS_OK;
	if (s->o->labels)
		return open_labels(s, e);
	if (s->c->head != DS_HEAD_SEQ)
		return ds_fail(e, DS_USAGE,
			"%s has no labels of its own: --labels names some, --embed gives vectors",
			ds_model_dir(m));
	own_labels(s);
	return DS_OK;
}

ds_rc see_run(
	const ds_model *m, ds_device *device, const see_opts *o, const ds_common *c, ds_err *e)
{
	seer s = { .o = o, .c = ds_model_config(m), .mem = ds_arena_new(1 << 12) };
	ds_stage stage = {
		.name = "dsgen", .state = &s, .reads_field = DS_FIELD_OPTIONAL, .order = see_block
	};
	ds_rc rc = open_seer(&s, m, device, c, e);
	if (rc == DS_OK)
		rc = ds_run_stage(c, &stage, e);
	ds_towers_close(s.t);
	ds_arena_free(s.mem);
	return rc;
}
