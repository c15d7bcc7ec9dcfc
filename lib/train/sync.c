/*
 * sync.c - what ranks agree on between two steps, and copies that are averaged
 */
#include "train/trainer.h"

#include "base/mem.h"
#include "graph/exec.h"

static ds_world *world_of(const ds_trainer *t)
{
	return t->device ? ds_device_world(t->device) : NULL;
}

bool ds_train_has_loss(const ds_layout *l)
{
	return ds_layout_stage(l) == l->pp - 1 && ds_layout_cut(l) == 0;
}

static ds_rc sum_of(const ds_trainer *t, bool counts, double *v, int n, ds_err *e)
{
	ds_world *w = world_of(t);
	ds_group all = ds_world_all(w);
	for (int i = 0; w && i < n; i++)
		v[i] = counts ? v[i] : 0;
	ds_world_say(w, "adding up", "figures");
	return w ? ds_world_all_reduce(w, &all, v, n, DS_NUM_F64, e) : DS_OK;
}

ds_rc ds_train_sum(const ds_trainer *t, double *v, int n, ds_err *e)
{
	return sum_of(t, ds_train_has_loss(&t->plan->layout), v, n, e);
}

ds_rc ds_train_sum_stages(const ds_trainer *t, double *v, int n, ds_err *e)
{
	return sum_of(t, ds_layout_cut(&t->plan->layout) == 0, v, n, e);
}

ds_rc ds_train_any(const ds_trainer *t, bool *says, ds_err *e)
{
	ds_world *w = world_of(t);
	ds_group all = ds_world_all(w);
	int64_t n = *says;
	if (!w)
		return DS_OK;
	ds_world_say(w, "asking", "who stops");
	DS_TRY(ds_world_all_reduce(w, &all, &n, 1, DS_NUM_I64, e));
	*says = n > 0;
	return DS_OK;
}

static ds_rc average(ds_exec *x, ds_tid id, ds_world *w, const ds_group *g, ds_err *e)
{
	const ds_tensor *t = ds_g_tensor(ds_exec_graph(x), id);
	int64_t n = ds_t_count(t);
	float *v = ds_mem_get((size_t)n * sizeof(*v));
	ds_world_say(w, "averaging", t->name);
	ds_rc rc = ds_exec_read(x, id, 0, n, v, e);
	if (rc == DS_OK)
		rc = ds_world_all_reduce(w, g, v, n, DS_NUM_F32, e);
	for (int64_t i = 0; i < n; i++)
		v[i] /= (float)g->n;
	if (rc == DS_OK)
		rc = ds_exec_write(x, id, 0, n, v, e);
	ds_mem_free(v);
	return rc;
}

ds_rc ds_train_average(const ds_trainer *t, ds_err *e)
{
	const ds_graph *g = t->train->g;
	ds_group copies = ds_layout_copies(&t->plan->layout);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *x = ds_g_tensor(g, i);
		bool trained =
			(x->memory == DS_CLASS_PARAM && x->grad) || x->memory == DS_CLASS_OPT;
		if (trained && !x->base)
			DS_TRY(average(t->train->x, i, world_of(t), &copies, e));
	}
	return DS_OK;
}
