/*
 * rule_han.c - Chinese in one kind of characters
 */
#include "rule.h"

#include "base/mem.h"
#include "text/han.h"

typedef struct {
	bool simplify, phrases;
} state;

typedef struct {
	ds_han *h;
	ds_rc rc; /* it went well in open_kind, but its files are read for each thread */
	ds_err err;
} worker;

static ds_rc open_kind(void **out, const char *value, const rule_env *env, ds_err *e)
{
	ds_han *h = NULL;
	if (strcmp(value, "hans") != 0 && strcmp(value, "hant") != 0)
		return ds_fail(e, DS_USAGE, "'%s' is neither hans nor hant", value);
	state *s = DS_NEW(state, 1);
	*out = s;
	s->simplify = strcmp(value, "hans") == 0;
	ds_rc rc = ds_han_new(&h, s->simplify, e);
	s->phrases = rc == DS_OK && ds_han_phrases(h);
	ds_han_free(h);
	return rc;
}

static void *thread_new(const void *p)
{
	worker *w = DS_NEW(worker, 1);
	w->rc = ds_han_new(&w->h, ((const state *)p)->simplify, &w->err);
	return w;
}

static void thread_free(void *p)
{
	worker *w = p;
	if (w)
		ds_han_free(w->h);
	ds_mem_free(w);
}

static ds_rc apply(void *p, ds_str *text, ds_arena *mem, ds_err *e)
{
	const worker *w = p;
	if (w->rc != DS_OK) {
		*e = w->err;
		return w->rc;
	}
	*text = ds_han_convert(w->h, *text, mem);
	return DS_OK;
}

static void summary(const void *p, ds_buf *out)
{
	const state *s = p;
	if (!s->phrases)
		ds_buf_add_c(out, "--han went by single characters (no OpenCC)");
}

const ds_rule ds_rule_han = {
	.name = "han",
	.value = "hans|hant",
	.help = "simplified or traditional Chinese",
	.keeps_lines = true,
	.open = open_kind,
	.close = ds_mem_free,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.apply = apply,
	.summary = summary,
};
