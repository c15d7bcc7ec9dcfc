/*
 * test_backend.c - a device whose memory the host does not see, and which computes late, gives the same
 *
 * Its addresses are no pointers (a read through one faults), and what it is asked to run waits until something
 * is read or written: whatever reaches past the interface or forgets to wait shows here, without a GPU.
 */
#include "test.h"

#include "on_device.h"

#include "base/mem.h"
#include "graph/cpu/kernel_impl.h"
#include "infer/slots.h"
#include "infer/embed.h"
#include "model/checkpoint.h"
#include "model/engine.h"

#include <math.h>
#include <unistd.h>

/* ---- the device ---- */

#define FAR ((ds_addr)1 << 62)

typedef struct {
	ds_program *p;
	int32_t from, to;
	ds_run run;
} asked;

static asked queue[64];
static size_t n_queued, n_waited;

static ds_rc far_sync(ds_device *d, ds_err *e)
{
	n_waited += n_queued > 0;
	for (size_t i = 0; i < n_queued; i++)
		DS_TRY(ds_host_run(queue[i].p, queue[i].from, queue[i].to, &queue[i].run, e));
	n_queued = 0;
	return DS_OK;
}

static ds_rc far_run(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	if (n_queued == sizeof(queue) / sizeof(*queue))
		DS_TRY(far_sync(NULL, e));
	queue[n_queued++] = (asked){ p, from, to, *r };
	return DS_OK;
}

static ds_rc far_alloc(ds_device *d, uint64_t bytes, ds_addr *at, ds_err *e)
{
	DS_TRY(ds_host_alloc(d, bytes, at, e));
	*at |= FAR;
	return DS_OK;
}

static void far_free(ds_device *d, ds_addr at)
{
	ds_host_free(d, at & ~FAR);
}

static ds_rc far_write(ds_device *d, ds_addr to, const void *from, size_t n, ds_err *e)
{
	assert_true(to & FAR);
	DS_TRY(far_sync(d, e));
	return ds_host_write(d, to & ~FAR, from, n, e);
}

static ds_rc far_read(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e)
{
	assert_true(from & FAR);
	DS_TRY(far_sync(d, e));
	return ds_host_read(d, to, from & ~FAR, n, e);
}

static void *far_map(ds_device *d, ds_addr at)
{
	return NULL;
}

static ds_rc far_prepare(ds_program **p, ds_device *d, const ds_program_args *a, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_device near = { .backend = ds_backend_cpu(), .pool = d->pool, .state = d->state };
	ds_addr *at = ds_arena_zero(mem, (size_t)a->g->n_tensors * sizeof(*at));
	for (ds_tid t = 1; t < a->g->n_tensors; t++)
		at[t] = a->at[t] & ~FAR;
	ds_program_args with = { a->g, a->plan, at, a->scratch & ~FAR };
	return ds_host_prepare(p, &near, &with, e);
}

static ds_host far;

static ds_device *open_far(void)
{
	far = *(const ds_host *)ds_backend_cpu();
	far.base.name = "far";
	far.base.alloc = far_alloc;
	far.base.free = far_free;
	far.base.write = far_write;
	far.base.read = far_read;
	far.base.sync = far_sync;
	far.base.map = far_map;
	far.base.prepare = far_prepare;
	far.base.run = far_run;
	n_queued = 0;
	ds_device *d = DS_NEW(ds_device, 1);
	*d = (ds_device){ .backend = &far.base, .pool = ds_pool_new(2) };
	ds_err e;
	if (far.base.open(d, &e) != DS_OK)
		abort();
	return d;
}

/* ---- a model ---- */

enum { BATCH = 2, SEQ = 8, ROWS = BATCH * SEQ, VOCAB = 20 };

static ds_arena *mem;
static ds_config config;
static char dir[] = "/tmp/ds-backend-XXXXXX";

static ds_engine *engine(ds_device *d, bool train, ds_exec_opts opts)
{
	ds_engine *n;
	ds_err e;
	ds_engine_opts o = { .config = &config,
		.batch = BATCH,
		.seq = SEQ,
		.build.train = true,
		.compile = { .train = train,
			.product = DS_BF16,
			.recompute = DS_RECOMPUTE_LAYERS,
			.recompute_layers = 9,
			.beta1 = 0.9f,
			.beta2 = 0.95f,
			.eps = 1e-8f,
			.max_norm = 1 },
		.exec = opts };
	if (ds_engine_open(&n, d, &o, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return n;
}

static float run_micro(ds_engine *n, ds_phase phase, int64_t step, int64_t micro)
{
	float loss;
	ds_err e;
	int32_t *ids = ds_exec_input(n->x, n->b.ids), *targets = ds_exec_input(n->x, n->b.targets);
	for (int i = 0; i < ROWS; i++) {
		ids[i] = (int32_t)((7 * i + 3 * step) % VOCAB);
		targets[i] = (ids[i] * 3 + 1) % VOCAB;
	}
	ds_model_positions(n->x, n->g, &n->b);
	*(float *)ds_exec_input(n->x, n->b.inv) = 1.0f / ROWS;
	if (n->g->hyper)
		ds_hyper(ds_exec_input(n->x, n->g->hyper),
			&(ds_compile){ .beta1 = 0.9f, .beta2 = 0.95f }, step, 1e-2);
	for (int p = DS_PHASE_FWD; p <= (int)phase; p++)
		assert_int_equal(ds_exec_run(n->x, (ds_phase)p,
					 &(ds_run){ .step = step, .micro = micro }, &e),
			DS_OK);
	assert_int_equal(ds_exec_read(n->x, n->b.loss, 0, 1, &loss, &e), DS_OK);
	return loss;
}

static float run(ds_engine *n, ds_phase phase, int64_t step)
{
	return run_micro(n, phase, step, 0);
}

/* The last of three micro-batches steps. */
static float part_of_step(ds_engine *n, int64_t step, int64_t micro)
{
	return run_micro(n, micro < 2 ? DS_PHASE_BWD : DS_PHASE_OPT, step, micro);
}

static void same_weights(const ds_engine *a, const ds_engine *b)
{
	ds_err e;
	for (ds_tid t = 1; t < a->g->n_tensors; t++) {
		const ds_tensor *x = ds_g_tensor(a->g, t);
		const void *u, *v;
		if (x->memory != DS_CLASS_PARAM && x->memory != DS_CLASS_OPT)
			continue;
		assert_int_equal(ds_exec_view(a->x, t, mem, &u, &e), DS_OK);
		assert_int_equal(ds_exec_view(b->x, t, mem, &v, &e), DS_OK);
		if (memcmp(u, v, ds_t_bytes(x)) != 0)
			fail_msg("'%s' differs", x->name);
	}
}

static void training_gives_the_same_bits(void **state)
{
	DS_AUTO(ds_device) near = open_device("cpu", 1);
	DS_AUTO(ds_device) away = open_far();
	DS_AUTO(ds_engine) a = engine(near, true, (ds_exec_opts){ 0 });
	DS_AUTO(ds_engine) b = engine(away, true, (ds_exec_opts){ 0 });
	ds_err e;
	assert_null(ds_exec_map(b->x, b->b.ids));
	assert_int_equal(ds_exec_init(a->x, 5, &e), DS_OK);
	assert_int_equal(ds_exec_init(b->x, 5, &e), DS_OK);
	for (int step = 1; step <= 4; step++) {
		float x = run(a, DS_PHASE_OPT, step), y = run(b, DS_PHASE_OPT, step);
		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_true(n_waited >= 4);
	same_weights(a, b);
}

static void weights_that_are_rounded_once_a_step_give_the_same_bits(void **state)
{
	DS_AUTO(ds_device) near = open_device("cpu", 1);
	DS_AUTO(ds_device) away = open_far();
	far.base.traits.rounds_weights = false;
	DS_AUTO(ds_engine) a = engine(near, true, (ds_exec_opts){ 0 });
	DS_AUTO(ds_engine) b = engine(away, true, (ds_exec_opts){ 0 });
	DS_AUTO(ds_engine) twin = NULL;
	ds_err e;
	uint64_t copies = ds_exec_plan(b->x)->bytes[DS_CLASS_COPY];
	assert_true(copies > 0);
	assert_int_equal(ds_exec_plan(a->x)->bytes[DS_CLASS_COPY], 0);
	assert_int_equal(ds_engine_twin(&twin, away, b, &e), DS_OK);
	assert_true(ds_exec_bytes(twin->x) + copies < ds_exec_bytes(b->x));
	assert_int_equal(ds_exec_init(a->x, 5, &e), DS_OK);
	assert_int_equal(ds_exec_init(b->x, 5, &e), DS_OK);
	for (int step = 1; step <= 3; step++)
		for (int micro = 0; micro < 3; micro++) {
			float x = part_of_step(a, step, micro),
			      y = part_of_step(micro == 1 ? twin : b, step, micro);
			assert_memory_equal(&x, &y, sizeof(x));
		}
	same_weights(a, b);
}

static void weights_are_shared_and_watched(void **state)
{
	DS_AUTO(ds_device) near = open_device("cpu", 1);
	DS_AUTO(ds_device) away = open_far();
	DS_AUTO(ds_engine) a = engine(away, true, (ds_exec_opts){ 0 });
	DS_AUTO(ds_engine)
	b = engine(away, false, (ds_exec_opts){ .share = a->x, .check = true, .profile = true });
	DS_AUTO(ds_exec) none = NULL;
	float nan = NAN;
	ds_buf times = { 0 };
	ds_err e;
	assert_int_equal(ds_exec_init(a->x, 5, &e), DS_OK);
	float x = run(a, DS_PHASE_FWD, 1), y = run(b, DS_PHASE_FWD, 1);
	assert_true(fabsf(x - y) < 1e-5f);
	ds_exec_profile(b->x, 1, &times);
	assert_non_null(strstr(ds_buf_text(&times), "linear_xent"));
	ds_buf_free(&times);
	ds_tid w = ds_g_find(a->g, "transformer.h.0.ln_2.weight");
	assert_int_equal(ds_exec_write(a->x, w, 3, 1, &nan, &e), DS_OK);
	assert_int_equal(ds_exec_run(b->x, DS_PHASE_FWD, &(ds_run){ 0 }, &e), DS_BAD);
	assert_non_null(strstr(e.msg, ": norm: "));
	assert_int_equal(
		ds_exec_new(&none, b->g, near, (ds_exec_opts){ .share = a->x }, &e), DS_BAD);
}

static void checkpoints_come_back_and_models_are_published(void **state)
{
	DS_AUTO(ds_device) away = open_far();
	DS_AUTO(ds_engine) a = engine(away, true, (ds_exec_opts){ 0 });
	DS_AUTO(ds_engine) b = engine(away, true, (ds_exec_opts){ 0 });
	ds_ckpt s = { .step = 1, .best = INFINITY };
	char path[64];
	ds_buf json = { 0 };
	ds_err e;
	assert_int_equal(ds_exec_init(a->x, 5, &e), DS_OK);
	run(a, DS_PHASE_OPT, 1);
	assert_int_equal(ds_ckpt_save(dir, &s, a->x, &e), DS_OK);
	assert_int_equal(ds_ckpt_publish(dir, &s, a->x, DS_ST_F32, &e), DS_OK);
	assert_int_equal(ds_ckpt_load(dir, 1, &s, b->x, b->g, &e), DS_OK);
	same_weights(a, b);
	ds_config_print(&config, &json);
	snprintf(path, sizeof(path), "%s/config.json", dir);
	assert_int_equal(ds_file_write(path, ds_buf_view(&json), &e), DS_OK);
	ds_buf_free(&json);
}

static void decoding_and_embedding_give_the_same(void **state)
{
	static const uint32_t prompt[] = { 1, 2, 3, 4, 5 };
	DS_AUTO(ds_model) m = NULL;
	uint32_t out[2][3];
	float logits[2][VOCAB], vectors[2][8];
	ds_err e;
	if (ds_model_open(&m, dir, &e) != DS_OK)
		fail_msg("%s", e.msg);
	for (int i = 0; i < 2; i++) {
		DS_AUTO(ds_device) d = i ? open_far() : open_device("cpu", 2);
		DS_AUTO(ds_slots) slots = NULL;
		DS_AUTO(ds_embedder) emb = NULL;
		ds_slot_ask ask = {
			.prompt = prompt, .n_prompt = 5, .how = { .top_p = 1 }, .max_tokens = 3
		};
		ds_embedding v = { prompt, 5, vectors[i] };
		const ds_slot_event *events;
		size_t n, n_out = 0;
		int64_t slot;
		assert_int_equal(ds_slots_open(&slots, m, d,
					 &(ds_slots_opts){ .slots = 2, .context = 8 }, &e),
			DS_OK);
		assert_int_equal(ds_slots_admit(slots, &ask, &slot, &e), DS_OK);
		while (ds_slots_busy(slots)) {
			assert_int_equal(ds_slots_step(slots, &events, &n, &e), DS_OK);
			assert_int_equal(n, 1);
			memcpy(logits[i], events->logits, sizeof(logits[i]));
			out[i][n_out++] = events->id;
		}
		assert_int_equal(n_out, 3);
		assert_int_equal(ds_embedder_open(&emb, m, d,
					 &(ds_embedder_opts){ .batch = 1, .seq = 8 }, &e),
			DS_OK);
		assert_int_equal(ds_embedder_run(emb, &v, 1, &e), DS_OK);
	}
	assert_memory_equal(out[0], out[1], sizeof(out[0]));
	assert_memory_equal(logits[0], logits[1], sizeof(logits[0]));
	assert_memory_equal(vectors[0], vectors[1], sizeof(vectors[0]));
}

/* ---- what a plan and a pass ask ---- */

static ds_graph *product(const ds_traits *traits)
{
	ds_graph *g = ds_graph_new(1, 4);
	ds_err e;
	ds_tid x = ds_g_input(g, "x", DS_F32, DS_DIMS(4, 1024));
	ds_tid w = ds_g_param(g, "w", DS_DIMS(1024, 1024), (ds_init){ 0 }, 0);
	ds_g_keep(g, ds_g_linear(g, ds_g_scale(g, x, 2), w, 0, false), "y");
	ds_compile c = { .product = DS_BF16, .traits = traits };
	assert_int_equal(ds_graph_compile(g, &c, &e), DS_OK);
	return g;
}

static int casts(const ds_graph *g)
{
	int n = 0;
	for (int32_t i = 0; i < g->n_nodes; i++)
		n += g->nodes[i].op == DS_OP_cast;
	return n;
}

static void traits_decide_about_strides_and_casts_of_weights(void **state)
{
	DS_AUTO(ds_graph) plain = product(NULL);
	DS_AUTO(ds_graph) cpu = product(&ds_backend_cpu()->traits);
	assert_int_equal(casts(plain), 2);
	assert_int_equal(casts(cpu), 1);
	assert_int_equal(plain->tensors[plain->nodes[0].out[0]].ld, 1024);
	assert_int_equal(cpu->tensors[cpu->nodes[0].out[0]].ld, 1040);
}

static void an_op_without_a_kernel_is_named_in_the_plan(void **state)
{
	DS_AUTO(ds_graph) g = product(&ds_backend_cpu()->traits);
	for (int i = 0; i < 2; i++) {
		ds_plan p;
		ds_buf b = { 0 };
		ds_plan_make(&p, g, i ? ds_backend_ref() : ds_backend_cpu(), 1);
		ds_plan_dump(&p, g, &b);
		assert_int_equal(strstr(ds_buf_text(&b), "by reference linear") != NULL, i);
		ds_buf_free(&b);
		ds_plan_release(&p);
	}
}

static int set_up(void **state)
{
	ds_err e;
	mem = ds_arena_new(1 << 16);
	if (!mkdtemp(dir) || ds_config_init(&config, DS_S("gpt2"), mem, &e) != DS_OK)
		return -1;
	config.n_layers = 2;
	config.n_heads = 2;
	config.hidden_size = 8;
	config.vocab_size = VOCAB;
	config.max_positions = SEQ;
	config.bos = config.eos = 0;
	config.embd_dropout = config.resid_dropout = config.attn_dropout = 0;
	return ds_config_finish(&config, &e) == DS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	ds_err e;
	ds_arena_free(mem);
	return ds_dir_remove(dir, &e) == DS_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(training_gives_the_same_bits),
		cmocka_unit_test(weights_that_are_rounded_once_a_step_give_the_same_bits),
		cmocka_unit_test(weights_are_shared_and_watched),
		cmocka_unit_test(checkpoints_come_back_and_models_are_published),
		cmocka_unit_test(decoding_and_embedding_give_the_same),
		cmocka_unit_test(traits_decide_about_strides_and_casts_of_weights),
		cmocka_unit_test(an_op_without_a_kernel_is_named_in_the_plan),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
