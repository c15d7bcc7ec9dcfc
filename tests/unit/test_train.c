/*
 * test_train.c - settings by words, plans without data or a device, and the bytes that they predict
 */
#include "test.h"

#include "on_device.h"

#include "base/mem.h"
#include "base/io.h"
#include "train/trainer.h"

#include <string.h>
#include <unistd.h>

static ds_arena *mem;

static ds_request request(void)
{
	return (ds_request){ .keys = ds_settings_default, .mem = mem };
}

static void set(ds_request *o, const char *name, const char *value)
{
	ds_err e;
	assert_int_equal(ds_request_add(o, ds_str_of(name), ds_str_of(value), &e), DS_OK);
	assert_int_equal(ds_request_apply(o, &e), DS_OK);
}

/* A word of opts.def is a word of its key, and is what the graph is told. */
static void optimizers_and_schedules_go_by_their_names(void **state)
{
	static const char *const optimizers[] = {
#define OPTIMIZER(name) #name,
#define SCHEDULE(name)
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE
	};
	static const char *const schedules[] = {
#define OPTIMIZER(name)
#define SCHEDULE(name) #name,
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE
	};
	ds_request o = request();
	ds_err e;
	for (size_t i = 0; i < sizeof(optimizers) / sizeof(*optimizers); i++) {
		set(&o, "optimizer", optimizers[i]);
		assert_string_equal(ds_settings_compile(&o.keys).optimizer, optimizers[i]);
	}
	for (size_t i = 0; i < sizeof(schedules) / sizeof(*schedules); i++) {
		set(&o, "scheduler", schedules[i]);
		ds_schedule s = { o.keys.scheduler, 1, 0, 10 };
		assert_int_equal(ds_schedule_check(&s, &e), DS_OK);
	}
	const ds_key *k = ds_key_find(ds_setting_keys, DS_S("optimizer"));
	assert_int_equal(ds_key_set(k, &o.keys, DS_S("sgd"), mem, &e), DS_USAGE);
	assert_non_null(strstr(e.msg, "adamw|lamb|muon"));
	ds_request_release(&o);
}

static void words_stand_for_what_choices_def_says(void **state)
{
	static const struct {
		const char *word;
		ds_dtype product;
		ds_st_type stored;
	} types[] = { { "fp32", DS_F32, DS_ST_F32 }, { "bf16", DS_BF16, DS_ST_BF16 },
		{ "fp16", DS_F16, DS_ST_F16 } };
	static const struct {
		const char *word;
		ds_recompute again;
	} again[] = { { "false", DS_RECOMPUTE_NONE }, { "elements", DS_RECOMPUTE_ELEMENTS },
		{ "attention", DS_RECOMPUTE_ATTENTION }, { "true", DS_RECOMPUTE_LAYERS } };
	ds_request o = request();
	for (int i = 0; i < 3; i++) {
		set(&o, "precision", types[i].word);
		set(&o, "save_dtype", types[i].word);
		assert_int_equal(ds_settings_compile(&o.keys).product, types[i].product);
		assert_int_equal(ds_settings_stored(&o.keys), types[i].stored);
	}
	for (int i = 0; i < 4; i++) {
		set(&o, "gradient_checkpointing", again[i].word);
		assert_int_equal(ds_settings_compile(&o.keys).recompute, again[i].again);
		assert_string_equal(ds_recompute_word(again[i].again), again[i].word);
	}
	set(&o, "task", "tokcls");
	set(&o, "tune", "prefix");
	assert_true(ds_task_labels(o.keys.task));
	assert_string_equal(ds_tune_word((ds_tune)o.keys.tune), "prefix");
	ds_request_release(&o);
}

static void what_is_printed_is_read_again(void **state)
{
	ds_request o = request(), again = request();
	ds_config c;
	ds_buf ini = { 0 };
	ds_err e;
	char path[] = "/tmp/ds-train-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	set(&o, "optimizer", "muon");
	set(&o, "lr", "0.5");
	set(&o, "task", "mlm");
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	ds_request_print(&o, &c, NULL, 0, &ini);
	assert_int_equal(ds_file_write(path, ds_buf_view(&ini), &e), DS_OK);
	assert_int_equal(ds_request_read(&again, path, &e), DS_OK);
	for (const ds_key *k = ds_setting_keys; k->name; k++)
		if (!ds_key_equal(k, &o.keys, &again.keys))
			fail_msg("%s differs", k->name);
	ds_buf_free(&ini);
	ds_request_release(&o);
	ds_request_release(&again);
	close(fd);
	unlink(path);
}

static ds_train_plan tiny(ds_settings *k)
{
	ds_train_plan p = { .seq = 16, .per_row = 16, .evaluates = true };
	ds_err e;
	assert_int_equal(ds_config_preset(&p.config, DS_S("gpt2"), mem, &e), DS_OK);
	p.config.n_layers = 2;
	p.config.n_heads = 2;
	p.config.hidden_size = 16;
	p.config.vocab_size = 40;
	p.config.bos = p.config.eos = 0;
	assert_int_equal(ds_config_finish(&p.config, &e), DS_OK);
	p.compile = ds_settings_compile(k);
	assert_int_equal(ds_train_plan_batch(&p, k, &e), DS_OK);
	assert_int_equal(ds_train_plan_steps(&p, k, 100, false, &e), DS_OK);
	return p;
}

static void a_plan_says_what_its_engines_take(void **state)
{
	ds_settings k = ds_settings_default;
	k.accumulation = 2;
	ds_train_plan p = tiny(&k);
	ds_train_budget budget = { ds_backend_find(NULL), 2, 0, 0 };
	ds_err e;
	uint64_t eval;
	assert_int_equal(p.step_rows, 8);
	assert_int_equal(p.micro_rows, 4);
	assert_int_equal(p.steps, 13);
	assert_int_equal(p.limit_rows, 100);
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_engine) a = NULL;
	DS_AUTO(ds_engine) b = NULL;
	ds_engine_opts o = ds_train_plan_engine(&p, true, (ds_exec_opts){ 0 });
	assert_int_equal(ds_engine_open(&a, cpu, &o, &e), DS_OK);
	o = ds_train_plan_engine(&p, false, (ds_exec_opts){ .share = a->x });
	assert_int_equal(ds_engine_open(&b, cpu, &o, &e), DS_OK);
	assert_int_equal(ds_train_plan_eval_bytes(&p, &budget, &eval, &e), DS_OK);
	assert_int_equal(eval, ds_exec_bytes(b->x));
	/* To the byte: it fits into what it takes, and one byte less makes it compute again. */
	uint64_t all = ds_exec_bytes(a->x) + eval;
	budget.asked = all;
	assert_int_equal(ds_train_plan_fit(&p, &budget, &e), DS_OK);
	assert_int_equal(p.compile.recompute, DS_RECOMPUTE_NONE);
	budget.asked = all - 1;
	assert_int_equal(ds_train_plan_fit(&p, &budget, &e), DS_OK);
	assert_true(p.compile.recompute > DS_RECOMPUTE_NONE);
	budget.asked = 1 << 10;
	assert_int_equal(ds_train_plan_fit(&p, &budget, &e), DS_IO);
	assert_non_null(strstr(e.msg, "--memory has "));
}

static void a_step_that_does_not_divide_is_refused(void **state)
{
	ds_settings k = ds_settings_default;
	ds_train_plan p = tiny(&k);
	ds_err e;
	k.batch_tokens = 17;
	assert_int_equal(ds_train_plan_batch(&p, &k, &e), DS_USAGE);
	k.batch_tokens = 48;
	k.accumulation = 2;
	assert_int_equal(ds_train_plan_batch(&p, &k, &e), DS_USAGE);
	p.targets = DS_TARGETS_PICKED;
	p.per_row = 3;
	assert_int_equal(ds_train_plan_targets(&p), 3);
}

static int set_up(void **state)
{
	mem = ds_arena_new(1 << 16);
	return 0;
}

static int tear_down(void **state)
{
	ds_arena_free(mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(optimizers_and_schedules_go_by_their_names),
		cmocka_unit_test(words_stand_for_what_choices_def_says),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(a_plan_says_what_its_engines_take),
		cmocka_unit_test(a_step_that_does_not_divide_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
