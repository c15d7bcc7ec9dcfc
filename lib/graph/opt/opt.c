/*
 * opt.c - finding optimizers and schedules by name
 */
#include "graph/opt/opt_impl.h"

#include <stdio.h>

static const ds_optimizer *const optimizers[] = {
#define OPTIMIZER(name) &ds_optimizer_##name,
#define SCHEDULE(name)
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE
};
static const ds_schedule_kind *const schedules[] = {
#define OPTIMIZER(name)
#define SCHEDULE(name) &ds_schedule_##name,
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE
};

enum {
	N_OPTIMIZERS = sizeof(optimizers) / sizeof(optimizers[0]),
	N_SCHEDULES = sizeof(schedules) / sizeof(schedules[0]),
};

const ds_optimizer *ds_optimizer_find(const char *name)
{
	for (size_t i = 0; i < N_OPTIMIZERS; i++)
		if (!name || strcmp(optimizers[i]->name, name) == 0)
			return optimizers[i];
	return NULL;
}

static const ds_schedule_kind *find_schedule(const char *name)
{
	for (size_t i = 0; i < N_SCHEDULES; i++)
		if (strcmp(schedules[i]->name, name) == 0)
			return schedules[i];
	return NULL;
}

void ds_hyper(float out[4], const ds_compile *c, int64_t step, double lr)
{
	ds_optimizer_find(c->optimizer)->hyper(out, c, step, lr);
}

ds_rc ds_schedule_check(const ds_schedule *s, ds_err *e)
{
	if (!find_schedule(s->name)) {
		char names[128] = "";
		for (size_t i = 0, n = 0; i < N_SCHEDULES && n < sizeof(names); i++)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				schedules[i]->name);
		return ds_fail(e, DS_USAGE, "unknown scheduler '%s'; there are %s", s->name, names);
	}
	if (s->warmup < 0 || s->steps < 1)
		return ds_fail(e, DS_USAGE, "a schedule of %lld steps with %lld of warm-up",
			(long long)s->steps, (long long)s->warmup);
	return DS_OK;
}

/* As Hugging Face's schedules: the rate of a step is that of the steps done before it. */
double ds_schedule_at(const ds_schedule *s, int64_t step)
{
	double before = (double)(step - 1), warmup = (double)s->warmup;
	if (before < warmup)
		return s->lr * before / warmup;
	double rest = (double)s->steps - warmup, done = rest > 0 ? (before - warmup) / rest : 1;
	return s->lr * find_schedule(s->name)->factor(done > 1 ? 1 : done);
}
