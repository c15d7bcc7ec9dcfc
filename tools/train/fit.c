/*
 * fit.c - what a run takes of memory, known from its plan before anything is allocated
 *
 * --memory chooses how much backward computes again; a run that does not fit is refused with the
 * cheapest changes that would do; --explain memory says what each of them would save.
 */
#include "run.h"

typedef struct { /* a change of the run; 0 leaves a thing as it is */
	int recompute;
	int64_t parts; /* gradient accumulation */
	bool bf16;
	bool keep; /* compute nothing again */
} change;

/* By cost: the first ones cost least time. */
enum { MAX_CHANGES = 24, WAYS = 3 };

static size_t changes_of(const train_run *r, change *out)
{
	size_t n = 0;
	if (r->compile.product == DS_F32)
		out[n++] = (change){ .bf16 = true };
	for (int k = (int)r->compile.recompute + 1; k <= DS_RECOMPUTE_LAYERS; k++)
		out[n++] = (change){ .recompute = k };
	for (int64_t p = r->n_micro + 1; p <= r->step_rows && n < MAX_CHANGES / 2; p++)
		if (r->step_rows % p == 0)
			out[n++] = (change){ .parts = p };
	for (int64_t p = r->n_micro + 1; p <= r->step_rows && n < MAX_CHANGES; p++)
		if (r->step_rows % p == 0)
			out[n++] = (change){ .recompute = DS_RECOMPUTE_LAYERS, .parts = p };
	return n;
}

/* What a graph takes; one of evaluation beside the weights, which it shares. */
static ds_rc plan_bytes(train_run *r, bool train, uint64_t *bytes, ds_err *e)
{
	DS_AUTO(ds_engine) t = NULL;
	const ds_backend *b = ds_backend_find(NULL);
	ds_engine_opts o = train_engine_opts(r, train, (ds_exec_opts){ 0 });
	ds_plan p;
	DS_TRY(ds_engine_plan(&t, b, &o, e));
	ds_plan_make(&p, t->g, b, (unsigned)r->c->jobs);
	*bytes = p.total_bytes - (train ? 0 : p.bytes[DS_CLASS_PARAM]);
	ds_plan_release(&p);
	return DS_OK;
}

ds_rc train_eval_bytes(train_run *r, uint64_t *bytes, ds_err *e)
{
	*bytes = 0;
	return r->o->keys.eval_data ? plan_bytes(r, false, bytes, e) : DS_OK;
}

static ds_rc bytes_with(const train_run *r, const change *c, uint64_t *bytes, ds_err *e)
{
	train_run other = *r;
	uint64_t eval;
	if (c->recompute)
		other.compile.recompute = (ds_recompute)c->recompute;
	if (c->keep)
		other.compile.recompute = DS_RECOMPUTE_NONE;
	if (c->bf16)
		other.compile.product = DS_BF16;
	if (c->parts)
		other.micro_rows = r->step_rows / c->parts;
	DS_TRY(plan_bytes(&other, true, bytes, e));
	DS_TRY(train_eval_bytes(&other, &eval, e));
	*bytes += eval;
	return DS_OK;
}

static void print_change(const change *c, ds_buf *b)
{
	static const char *const names[] = { "false", "elements", "attention", "true" };
	if (c->bf16)
		ds_buf_add_c(b, "--precision bf16");
	if (c->recompute)
		ds_buf_fmt(b, "--gradient-checkpointing %s", names[c->recompute]);
	if (c->parts)
		ds_buf_fmt(b, "%s--gradient-accumulation-steps %lld", c->recompute ? " " : "",
			(long long)c->parts);
}

ds_rc train_explain_ways(train_run *r, uint64_t activations, ds_buf *b, ds_err *e)
{
	change all[MAX_CHANGES];
	size_t n = changes_of(r, all);
	uint64_t now, then;
	DS_TRY(bytes_with(r, &(change){ 0 }, &now, e));
	if (r->compile.recompute != DS_RECOMPUTE_NONE) {
		char human[16];
		DS_TRY(bytes_with(r, &(change){ .keep = true }, &then, e));
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
		DS_TRY(bytes_with(r, &all[i], &then, e));
		if (then >= now)
			continue;
		ds_buf_fmt(b, "  %-10s ", ds_human_bytes(human, (double)(now - then)));
		print_change(&all[i], b);
		ds_buf_add_byte(b, '\n');
	}
	return DS_OK;
}

static ds_rc refuse(const train_run *r, uint64_t need, double have, ds_err *e)
{
	change all[MAX_CHANGES];
	size_t n = changes_of(r, all), ways = 0;
	char a[16], b[16];
	ds_buf text = { 0 };
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < n && ways < WAYS && rc == DS_OK; i++) {
		uint64_t bytes;
		rc = bytes_with(r, &all[i], &bytes, e);
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
			ds_human_bytes(a, (double)need),
			r->o->memory.bytes ? "--memory" : "this machine", ds_human_bytes(b, have),
			ds_buf_text(&text));
	ds_buf_free(&text);
	return rc;
}

/* The fewest layers that are enough. */
static ds_rc fit_layers(train_run *r, double have, ds_err *e)
{
	int32_t low = 1, high = (int32_t)r->config.n_layers;
	r->compile.recompute = DS_RECOMPUTE_LAYERS;
	while (low < high) {
		uint64_t bytes;
		r->compile.recompute_layers = (low + high) / 2;
		DS_TRY(bytes_with(r, &(change){ 0 }, &bytes, e));
		if ((double)bytes <= have)
			high = r->compile.recompute_layers;
		else
			low = r->compile.recompute_layers + 1;
	}
	r->compile.recompute_layers = low;
	return DS_OK;
}

ds_rc train_fit(train_run *r, ds_err *e)
{
	uint64_t bytes, first;
	double have = ds_machine_bytes(), asked = (double)r->o->memory.bytes;
	if (asked > 0 && asked < have)
		have = asked;
	DS_TRY(bytes_with(r, &(change){ 0 }, &bytes, e));
	first = bytes;
	for (int k = (int)r->compile.recompute + 1;
		(double)bytes > have && asked > 0 && k <= DS_RECOMPUTE_LAYERS; k++) {
		DS_TRY(bytes_with(r, &(change){ .recompute = k }, &bytes, e));
		if ((double)bytes > have)
			continue;
		r->compile.recompute = (ds_recompute)k;
		if (k == DS_RECOMPUTE_LAYERS)
			DS_TRY(fit_layers(r, have, e));
	}
	return (double)bytes <= have ? DS_OK : refuse(r, first, have, e);
}
