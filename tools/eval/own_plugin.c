/*
 * own_plugin.c - the door to metrics in shared libraries
 */
#include "own.h"
#include "plugin.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <math.h>

enum { MAX_DOUBLES = 1 << 16 };

struct plugin {
	void *library;
	const ds_metric *m;
};

void plugin_close(plugin *p)
{
	if (!p)
		return;
	if (p->library)
		dlclose(p->library);
	ds_mem_free(p);
}

const char *plugin_name(const plugin *p)
{
	return p->m->name;
}

static ds_rc check(const ds_metric *m, ds_err *e)
{
	if (m->abi != DS_METRIC_ABI)
		return ds_fail(e, DS_USAGE, "made for version %u of plugin.h, this is %d", m->abi,
			DS_METRIC_ABI);
	if (!m->name || !*m->name || strchr(m->name, ':'))
		return ds_fail(e, DS_USAGE, "the metric has no name, or one with a colon");
	if (!m->update || !m->compute || m->n_doubles < 1 || m->n_doubles > MAX_DOUBLES)
		return ds_fail(e, DS_USAGE,
			"the metric '%s' lacks update or compute, or its state is not of 1 to %d "
			"doubles",
			m->name, MAX_DOUBLES);
	return DS_OK;
}

/* A name without a slash would be looked for where the system's libraries are. */
ds_rc plugin_open(plugin **out, const char *path, ds_err *e)
{
	plugin *p = *out = DS_NEW(plugin, 1);
	ds_buf at = { 0 };
	ds_buf_fmt(&at, "%s%s", strchr(path, '/') ? "" : "./", path);
	p->library = dlopen(ds_buf_text(&at), RTLD_NOW | RTLD_LOCAL);
	ds_buf_free(&at);
	const char *why = p->library ? NULL : dlerror();
	if (!p->library)
		return ds_fail(
			e, DS_IO, "%s: cannot load: %s", path, why ? why : "no reason given");
	p->m = dlsym(p->library, "ds_metric_plugin");
	if (!p->m)
		return ds_fail(e, DS_USAGE, "%s: no object 'ds_metric_plugin'", path);
	DS_TRY_AT(check(p->m, e), e, "%s", path);
	return DS_OK;
}

static ds_rc said(const ds_metric *m, const char *why, ds_rc rc, ds_err *e)
{
	return ds_fail(e, rc, "%s: %s", m->name, why ? why : "it failed and gave no reason");
}

static ds_rc open_plugin(void **state, metric_args *a, ds_err *e)
{
	const ds_metric *m = a->plugin->m, **kept = DS_NEW(const ds_metric *, 1);
	const char *why = NULL;
	*state = kept;
	*kept = m;
	a->n_sums = m->n_doubles;
	a->merge = m->merge;
	a->needs = (m->needs & DS_METRIC_PRED ? METRIC_PRED : 0) |
		   (m->needs & DS_METRIC_REF ? METRIC_REF : 0) |
		   (m->needs & DS_METRIC_LABEL ? METRIC_LABEL : 0) |
		   (m->needs & DS_METRIC_SCORE ? METRIC_SCORE : 0);
	if (!m->init && *a->variant)
		return ds_fail(e, DS_USAGE, "%s has no variants", m->name);
	if (m->init && m->init(a->variant, &why) != 0)
		return said(m, why, DS_USAGE, e);
	return DS_OK;
}

static ds_metric_text text(ds_str s)
{
	return (ds_metric_text){ s.at, s.n };
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	const ds_metric *m = *(const ds_metric *const *)state;
	ds_metric_text *refs = ds_arena_get(mem, (r->n_refs + 1) * sizeof(*refs));
	const char *why = NULL;
	for (size_t i = 0; i < r->n_refs; i++)
		refs[i] = text(r->refs[i]);
	ds_metric_record x = { text(r->pred), text(r->label), refs, r->n_refs, r->scores,
		r->n_scores };
	if (m->update(sums, &x, &why) != 0)
		return said(m, why, DS_BAD, e);
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	const ds_metric *m = *(const ds_metric *const *)state;
	const char *why = NULL;
	if (m->compute(sums, n, &out->score, &why) != 0)
		return said(m, why, DS_BAD, e);
	if (!isfinite(out->score))
		return ds_fail(e, DS_BAD, "the score is not finite");
	return DS_OK;
}

const metric own_plugin = {
	.name = "plugin",
	.open = open_plugin,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};
