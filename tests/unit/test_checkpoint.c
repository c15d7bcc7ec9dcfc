/* test_checkpoint.c - checkpoints whole or not there; TensorBoard's frames */
#include "test.h"

#include "on_device.h"

#include "base/mem.h"
#include "model/arch.h"
#include "model/checkpoint.h"
#include "model/tb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ds-ckpt-XXXXXX";
static ds_graph *g;
static ds_device *ref;
static ds_exec *x;

static bool exists(const char *file)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return stat(path, &st) == 0;
}

static void save(int64_t step)
{
	ds_err e;
	ds_ckpt s = { .step = step,
		.tokens = 100 * step,
		.log_bytes = 10 * step,
		.data = 77,
		.best = step == 1 ? INFINITY : 2.5,
		.best_step = step == 1 ? 0 : 2,
		.worse = 1,
		.chain = "{\"a\":1}" };
	assert_int_equal(ds_ckpt_save(dir, &s, x, &e), DS_OK);
	assert_int_equal(ds_ckpt_publish(dir, &s, x, DS_ST_F32, &e), DS_OK);
}

static float *first_weights(void)
{
	return named(x, "transformer.wte.weight");
}

static void what_is_saved_comes_back(void **state)
{
	ds_ckpt s;
	ds_err e;
	int64_t newest;
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	float was = first_weights()[3];
	save(1);
	first_weights()[3] = 9;
	save(2);
	assert_true(exists("model.safetensors"));
	assert_int_equal(ds_ckpt_newest(dir, &newest, NULL, NULL, &e), DS_OK);
	assert_int_equal(newest, 2);
	assert_int_equal(ds_ckpt_load(dir, 1, &s, x, g, &e), DS_OK);
	assert_true(first_weights()[3] == was);
	assert_int_equal(s.step, 1);
	assert_int_equal(s.tokens, 100);
	assert_int_equal(s.log_bytes, 10);
	assert_int_equal(s.data, 77);
	assert_true(isinf(s.best));
	assert_int_equal(ds_ckpt_load(dir, 2, &s, x, g, &e), DS_OK);
	assert_true(first_weights()[3] == 9 && s.best == 2.5 && s.best_step == 2);
}

static void a_damaged_one_is_passed_over(void **state)
{
	char path[128];
	const char *passed = NULL;
	int64_t newest;
	ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(100);
	save(3);
	snprintf(path, sizeof(path), "%s/checkpoint-3/optimizer.safetensors", dir);
	assert_int_equal(truncate(path, 1000), 0);
	assert_int_equal(ds_ckpt_newest(dir, &newest, mem, &passed, &e), DS_OK);
	assert_int_equal(newest, 2);
	assert_non_null(passed);
	assert_non_null(strstr(passed, "checkpoint-3/optimizer.safetensors"));
}

static void a_bit_that_changed_anywhere_is_seen(void **state)
{
	static const char *const files[] = { "model.safetensors", "optimizer.safetensors",
		"state.json", "xxh128sums" };
	char path[128];
	ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(100);
	save(4);
	for (int f = 0; f < 4; f++) {
		ds_buf b = { 0 };
		snprintf(path, sizeof(path), "%s/checkpoint-4/%s", dir, files[f]);
		assert_int_equal(ds_file_read(path, 1 << 26, &b, &e), DS_OK);
		for (size_t at = 0; at < b.n; at += b.n / 7 + 1) {
			int64_t newest;
			const char *passed = NULL;
			b.at[at] ^= 1;
			assert_int_equal(ds_file_write(path, ds_buf_view(&b), &e), DS_OK);
			assert_int_equal(ds_ckpt_newest(dir, &newest, mem, &passed, &e), DS_OK);
			assert_int_equal(newest, 2);
			assert_non_null(passed);
			b.at[at] ^= 1;
		}
		assert_int_equal(ds_file_write(path, ds_buf_view(&b), &e), DS_OK);
		ds_buf_free(&b);
	}
	int64_t newest;
	assert_int_equal(ds_ckpt_newest(dir, &newest, mem, NULL, &e), DS_OK);
	assert_int_equal(newest, 4);
}

static void old_ones_and_leftovers_go(void **state)
{
	char path[128];
	ds_err e;
	save(10);
	save(9);
	snprintf(path, sizeof(path), "%s/checkpoint-11.part", dir);
	assert_int_equal(mkdir(path, 0777), 0);
	snprintf(path, sizeof(path), "%s/checkpoint-mine", dir);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_int_equal(ds_ckpt_prune(dir, 2, 2, &e), DS_OK);
	assert_true(exists("checkpoint-10") && exists("checkpoint-9"));
	assert_true(exists("checkpoint-2")); /* the best */
	assert_false(exists("checkpoint-3") || exists("checkpoint-11.part"));
	assert_true(exists("checkpoint-mine"));
}

/* Frames as TFRecord readers check them; the CRC's check value is that of RFC 3720. */
static void events_are_framed_as_tensorboard_reads_them(void **state)
{
	char path[128];
	ds_err e;
	ds_buf file = { 0 };
	ds_tb *t;
	assert_int_equal(ds_tb_open(&t, dir, 5, 1.5, &e), DS_OK);
	assert_int_equal(ds_tb_add(t, 5, 2.5, &(ds_tb_scalar){ "loss", 0.5f }, 1, &e), DS_OK);
	ds_tb_close(t);
	snprintf(path, sizeof(path), "%s/events.out.tfevents.0000000005.dstrain", dir);
	assert_int_equal(ds_file_read(path, 1 << 16, &file, &e), DS_OK);
	/* 26 bytes of event: wall time 1.5, step 0, "brain.Event:2" */
	static const uint8_t head[] = { 26, 0, 0, 0, 0, 0, 0, 0 };
	assert_memory_equal(file.at, head, 8);
	assert_int_equal((uint8_t)file.at[12], 0x09);
	assert_int_equal((uint8_t)file.at[21], 0x10);
	assert_int_equal((uint8_t)file.at[23], 0x1a);
	assert_memory_equal(file.at + 25, "brain.Event:2", 13);
	/* the last message ends with: value { tag "loss" simple_value 0.5 } */
	static const uint8_t tail[] = { 0x2a, 13, 0x0a, 11, 0x0a, 4, 'l', 'o', 's', 's', 0x15, 0, 0,
		0, 0x3f };
	assert_memory_equal(file.at + file.n - 4 - sizeof(tail), tail, sizeof(tail));
	ds_buf_free(&file);
}

static int set_up(void **state)
{
	ds_config c;
	ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_build b = { .train = true };
	if (!mkdtemp(dir) || ds_config_preset(&c, DS_S("gpt2"), mem, &e) != DS_OK)
		return -1;
	c.n_layers = 1;
	c.n_heads = 2;
	c.hidden_size = 8;
	c.vocab_size = 20;
	c.max_positions = 8;
	c.bos = c.eos = -1;
	if (ds_config_finish(&c, &e) != DS_OK)
		return -1;
	g = ds_graph_new(1, 4);
	ref = open_device("ref", 1);
	ds_arch_build(g, &c, &b);
	ds_compile how = { .train = true, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f };
	return ds_graph_compile(g, &how, &e) == DS_OK &&
			       ds_exec_new(&x, g, ref, (ds_exec_opts){ 0 }, &e) == DS_OK
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	ds_err e;
	ds_exec_free(x);
	ds_graph_free(g);
	ds_device_close(ref);
	return ds_dir_remove(dir, &e) == DS_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_comes_back),
		cmocka_unit_test(a_damaged_one_is_passed_over),
		cmocka_unit_test(a_bit_that_changed_anywhere_is_seen),
		cmocka_unit_test(old_ones_and_leftovers_go),
		cmocka_unit_test(events_are_framed_as_tensorboard_reads_them),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
