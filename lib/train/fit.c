/*
 * fit.c - what a run takes of memory, known from its plan before anything is allocated
 *
 * --memory chooses how much backward computes again; a run that does not fit is refused with the
 * cheapest changes that would do; --explain memory says what each of them would save.
 */
#include "train/plan.h"

#include "base/machine.h"
#include "base/progress.h"

#include <string.h>

typedef struct { /* a change of the run; 0 leaves a thing as it is */
	int recompute;
	int64_t n_micro; /* gradient accumulation */
	bool bf16;
	bool keep; /* compute nothing again */
} change;

/* By cost: the first ones cost least time. */
enum { MAX_CHANGES = 24, WAYS = 3 };

static size_t changes_of(const ds_train_plan *p, change *out)
{
	size_t n = 0;
	if (p->compile.product == DS_F32)
		out[n++] = (change){ .bf16 = true };
	for (int k = (int)p->compile.recompute + 1; k <= DS_RECOMPUTE_LAYERS; k++)
		out[n++] = (change){ .recompute = k };
	int64_t rows = p->step_rows / p->layout.dp;
	for (int64_t k = p->n_micro + 1; k <= rows && n < MAX_CHANGES / 2; k++)
		if (rows % k == 0)
			out[n++] = (change){ .n_micro = k };
	for (int64_t k = p->n_micro + 1; k <= rows && n < MAX_CHANGES; k++)
		if (rows % k == 0)
			out[n++] = (change){ .recompute = DS_RECOMPUTE_LAYERS, .n_micro = k };
	return n;
}

/* What a graph takes by class; one of evaluation beside the weights, which it shares. */
static ds_rc plan_classes(const ds_train_plan *p, const ds_train_budget *m, bool train,
	uint64_t bytes[DS_TRAIN_CLASSES], ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_engine_opts o = ds_train_plan_engine(p, train, (ds_exec_opts){ 0 });
	ds_plan at;
	DS_TRY(ds_engine_plan(&n, m->backend, &o, e));
	ds_plan_make(&at, n->g, m->backend, m->threads);
	memcpy(bytes, at.bytes, sizeof(at.bytes));
	bytes[DS_N_CLASSES] = at.scratch_bytes;
	ds_plan_release(&at);
	if (train) {
		bytes[DS_CLASS_IN] *= (uint64_t)ds_train_slots(p);
		bytes[DS_CLASS_ACT] *= (uint64_t)ds_train_slots(p);
	} else {
		bytes[DS_CLASS_PARAM] = 0;
	}
	return DS_OK;
}

static ds_rc plan_bytes(
	const ds_train_plan *p, const ds_train_budget *m, bool train, uint64_t *bytes, ds_err *e)
{
	uint64_t all[DS_TRAIN_CLASSES];
	DS_TRY(plan_classes(p, m, train, all, e));
	*bytes = 0;
	for (int c = 0; c < DS_TRAIN_CLASSES; c++)
		*bytes += all[c];
	return DS_OK;
}

ds_rc ds_train_plan_classes(const ds_train_plan *p, const ds_train_budget *m,
	uint64_t bytes[DS_TRAIN_CLASSES], ds_err *e)
{
	return plan_classes(p, m, true, bytes, e);
}

ds_rc ds_train_plan_bytes(
	const ds_train_plan *p, const ds_train_budget *m, uint64_t *bytes, ds_err *e)
{
	return plan_bytes(p, m, true, bytes, e);
}

ds_rc ds_train_plan_eval_bytes(
	const ds_train_plan *p, const ds_train_budget *m, uint64_t *bytes, ds_err *e)
{
	*bytes = 0;
	return p->evaluates ? plan_bytes(p, m, false, bytes, e) : DS_OK;
}

static ds_rc bytes_with(const ds_train_plan *p, const ds_train_budget *m, const change *c,
	uint64_t *bytes, ds_err *e)
{
	ds_train_plan other = *p;
	uint64_t eval;
	if (c->recompute)
		other.compile.recompute = (ds_recompute)c->recompute;
	if (c->keep)
		other.compile.recompute = DS_RECOMPUTE_NONE;
	if (c->bf16)
		other.compile.product = DS_BF16;
	if (c->n_micro)
		other.micro_rows = p->step_rows / p->layout.dp / c->n_micro;
	DS_TRY(plan_bytes(&other, m, true, bytes, e));
	DS_TRY(ds_train_plan_eval_bytes(&other, m, &eval, e));
	*bytes += eval;
	return DS_OK;
}

static void print_change(const change *c, ds_buf *b)
{
	if (c->bf16)
		ds_buf_add_c(b, "--precision bf16");
	if (c->recompute)
		ds_buf_fmt(b, "--gradient-checkpointing %s",
			ds_recompute_word((ds_recompute)c->recompute));
	if (c->n_micro)
		ds_buf_fmt(b, "%s--gradient-accumulation-steps %lld", c->recompute ? " " : "",
			(long long)c->n_micro);
}

ds_rc ds_train_plan_ways(const ds_train_plan *p, const ds_train_budget *m, uint64_t activations,
	ds_buf *b, ds_err *e)
{
	change all[MAX_CHANGES];
	size_t n = changes_of(p, all);
	uint64_t now, then;
	DS_TRY(bytes_with(p, m, &(change){ 0 }, &now, e));
	if (p->compile.recompute != DS_RECOMPUTE_NONE) {
		char human[16];
		DS_TRY(bytes_with(p, m, &(change){ .keep = true }, &then, e));
		double saved = (double)then - (double)now;
		ds_buf_fmt(b,
			"gradient checkpointing saves %s: %.0f %% of the activations, %.0f %% of "
			"all\n",
			ds_human_bytes(human, saved), 100 * saved / (saved + (double)activations),
			100 * saved / (double)then);
	}
	ds_buf_add_c(b, "would save, the cheapest first:\n");
	for (size_t i = 0; i < n; i++) {
		char human[16];
		DS_TRY(bytes_with(p, m, &all[i], &then, e));
		if (then >= now)
			continue;
		ds_buf_fmt(b, "  %-10s ", ds_human_bytes(human, (double)(now - then)));
		print_change(&all[i], b);
		ds_buf_add_byte(b, '\n');
	}
	return DS_OK;
}

static ds_rc refuse(
	const ds_train_plan *p, const ds_train_budget *m, uint64_t need, double have, ds_err *e)
{
	change all[MAX_CHANGES];
	size_t n = changes_of(p, all), ways = 0;
	char a[16], b[16];
	ds_buf text = { 0 };
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < n && ways < WAYS && rc == DS_OK; i++) {
		uint64_t bytes;
		rc = bytes_with(p, m, &all[i], &bytes, e);
		if (rc != DS_OK || (double)bytes > have)
			continue;
		ds_buf_add_c(&text, ways++ ? ", or " : ": it fits with ");
		print_change(&all[i], &text);
		ds_buf_fmt(&text, " (%s)", ds_human_bytes(a, (double)bytes));
	}
	if (!ways)
		ds_buf_add_c(&text, ": a shorter --seq, --tune lora or a smaller model need less");
	if (rc == DS_OK)
		rc = ds_fail(e, DS_IO, "needs %s of memory, %s has %s%s",
			ds_human_bytes(a, (double)need), m->asked ? "--memory" : "this machine",
			ds_human_bytes(b, have), ds_buf_text(&text));
	ds_buf_free(&text);
	return rc;
}

/* The fewest layers that are enough. */
static ds_rc fit_layers(ds_train_plan *p, const ds_train_budget *m, double have, ds_err *e)
{
	int32_t low = 1, high = (int32_t)p->config.n_layers;
	p->compile.recompute = DS_RECOMPUTE_LAYERS;
	while (low < high) {
		uint64_t bytes;
		p->compile.recompute_layers = (low + high) / 2;
		DS_TRY(bytes_with(p, m, &(change){ 0 }, &bytes, e));
		if ((double)bytes <= have)
			high = p->compile.recompute_layers;
		else
			low = p->compile.recompute_layers + 1;
	}
	p->compile.recompute_layers = low;
	return DS_OK;
}

ds_rc ds_train_plan_fit(ds_train_plan *p, const ds_train_budget *m, ds_err *e)
{
	uint64_t bytes, first;
	int ranks = ds_layout_ranks(&p->layout); /* they share what is there */
	double have = (m->have > 0 ? m->have : ds_machine_bytes()) / ranks;
	double asked = (double)m->asked;
	if (asked > 0 && asked < have)
		have = asked;
	DS_TRY(bytes_with(p, m, &(change){ 0 }, &bytes, e));
	first = bytes;
	for (int k = (int)p->compile.recompute + 1;
		(double)bytes > have && asked > 0 && k <= DS_RECOMPUTE_LAYERS; k++) {
		DS_TRY(bytes_with(p, m, &(change){ .recompute = k }, &bytes, e));
		if ((double)bytes > have)
			continue;
		p->compile.recompute = (ds_recompute)k;
		if (k == DS_RECOMPUTE_LAYERS)
			DS_TRY(fit_layers(p, m, have, e));
	}
	return (double)bytes <= have ? DS_OK : refuse(p, m, first, have, e);
}
