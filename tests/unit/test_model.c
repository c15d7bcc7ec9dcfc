/*
 * test_model.c - model directories: weights by name, and real weights that give known probabilities
 *
 * The real model is the 260,000-parameter Llama of llama2.c, converted here into Hugging Face's layout
 * (llama2.c rotates neighbouring columns, Hugging Face halves: q and k are permuted).
 */
#include "test.h"

#include "on_device.h"

#include "base/cpu.h"
#include "base/cur.h"
#include "base/mem.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/ds-model-XXXXXX";
static bool have_stories;

typedef struct {
	int32_t dim, hidden, layers, heads, kv_heads, vocab, seq;
} shape;

typedef struct {
	ds_st_item items[64];
	size_t n;
	float *memory;
	size_t used;
} weights;

static char *name_of(int layer, const char *part)
{
	char name[96];
	if (layer < 0)
		snprintf(name, sizeof(name), "model.%s.weight", part);
	else
		snprintf(name, sizeof(name), "model.layers.%d.%s.weight", layer, part);
	return ds_mem_text(name);
}

/* Row 2i, 2i + 1 of each head become rows i, i + half. */
static void halve_heads(float *w, int64_t heads, int64_t head_dim, int64_t cols)
{
	float *old = ds_mem_get((size_t)(head_dim * cols) * 4);
	for (int64_t h = 0; h < heads; h++) {
		float *at = w + h * head_dim * cols;
		memcpy(old, at, (size_t)(head_dim * cols) * 4);
		for (int64_t r = 0; r < head_dim; r++)
			memcpy(at + (r / 2 + r % 2 * head_dim / 2) * cols, old + r * cols,
				(size_t)cols * 4);
	}
	ds_mem_free(old);
}

static float *take(weights *w, ds_cur *c, int layer, const char *part, int64_t rows, int64_t cols)
{
	float *at = w->memory + w->used;
	size_t n = (size_t)(rows ? rows * cols : cols);
	ds_cur_copy(c, at, n * 4);
	w->used += n;
	w->items[w->n++] = rows ? (ds_st_item){ name_of(layer, part), 2, { rows, cols }, at, 0 }
				: (ds_st_item){ name_of(layer, part), 1, { cols }, at, 0 };
	return at;
}

static void convert(ds_str bin)
{
	ds_cur c = ds_cur_of(bin.at, bin.n);
	shape s;
	weights w = { .memory = ds_mem_get(bin.n) };
	char path[128], config[512];
	ds_err e;
	ds_cur_copy(&c, &s, sizeof(s));
	int64_t head = s.dim / s.heads, kv = s.kv_heads * head;
	take(&w, &c, -1, "embed_tokens", s.vocab, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "input_layernorm", 0, s.dim);
	for (int i = 0; i < s.layers; i++)
		halve_heads(
			take(&w, &c, i, "self_attn.q_proj", s.dim, s.dim), s.heads, head, s.dim);
	for (int i = 0; i < s.layers; i++)
		halve_heads(
			take(&w, &c, i, "self_attn.k_proj", kv, s.dim), s.kv_heads, head, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "self_attn.v_proj", kv, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "self_attn.o_proj", s.dim, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "post_attention_layernorm", 0, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "mlp.gate_proj", s.hidden, s.dim);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "mlp.down_proj", s.dim, s.hidden);
	for (int i = 0; i < s.layers; i++)
		take(&w, &c, i, "mlp.up_proj", s.hidden, s.dim);
	take(&w, &c, -1, "norm", 0, s.dim);
	assert_true(ds_cur_ok(&c));
	snprintf(path, sizeof(path), "%s/model.safetensors", dir);
	assert_int_equal(ds_st_write(path, w.items, w.n, DS_ST_F32, &e), DS_OK);
	snprintf(config, sizeof(config),
		"{\"model_type\":\"llama\",\"hidden_size\":%d,\"intermediate_size\":%d,"
		"\"num_hidden_layers\":%d,\"num_attention_heads\":%d,\"num_key_value_heads\":%d,"
		"\"vocab_size\":%d,\"max_position_embeddings\":%d,\"rms_norm_eps\":1e-5,"
		"\"tie_word_embeddings\":true}",
		s.dim, s.hidden, s.layers, s.heads, s.kv_heads, s.vocab, s.seq);
	snprintf(path, sizeof(path), "%s/config.json", dir);
	assert_int_equal(ds_file_write(path, ds_str_of(config), &e), DS_OK);
	for (size_t i = 0; i < w.n; i++)
		ds_mem_free((void *)(uintptr_t)w.items[i].name);
	ds_mem_free(w.memory);
}

typedef struct {
	ds_graph *g;
	ds_exec *x;
	ds_build b;
	ds_device *cpu;
} engine;

static engine start(const ds_model *m, int64_t batch, int64_t seq, ds_build b)
{
	engine n = { .g = ds_graph_new(batch, seq), .b = b, .cpu = open_device("cpu", 2) };
	ds_err e;
	ds_arch_build(n.g, ds_model_config(m), &n.b);
	assert_int_equal(compile_for_cpu(n.g, &(ds_compile){ 0 }, &e), DS_OK);
	assert_int_equal(ds_exec_new(&n.x, n.g, n.cpu, (ds_exec_opts){ 0 }, &e), DS_OK);
	assert_int_equal(ds_model_load(m, n.x, n.g, &e), DS_OK);
	ds_model_positions(n.x, n.g, &n.b);
	return n;
}

static void stop(engine *n)
{
	ds_exec_free(n->x);
	ds_graph_free(n->g);
	ds_device_close(n->cpu);
}

static void check_text(const ds_model *m, const ds_json *line)
{
	const ds_json *ids = ds_json_get(line, "ids"), *logs = ds_json_get(line, "logprob");
	int64_t n = (int64_t)ids->n;
	ds_err e;
	engine x = start(m, 1, n, (ds_build){ .train = true });
	int32_t *in = ds_exec_map(x.x, x.b.ids), *targets = ds_exec_map(x.x, x.b.targets);
	for (int64_t i = 0; i < n; i++) {
		in[i] = (int32_t)ids->items[i]->i;
		targets[i] = i + 1 < n ? (int32_t)ids->items[i + 1]->i : -1;
	}
	*(float *)ds_exec_map(x.x, x.b.inv) = 1;
	assert_int_equal(ds_exec_run(x.x, DS_PHASE_FWD, &(ds_run){ 0 }, &e), DS_OK);
	const float *nll = ds_exec_map(x.x, x.b.nll);
	double sum = 0;
	for (int64_t i = 0; i + 1 < n; i++) {
		assert_true(fabs(-nll[i] - logs->items[i]->f) < 1e-3);
		sum += nll[i];
	}
	assert_true(fabs(sum - ds_json_num(line, "nll_sum", 0)) < 1e-2);
	assert_true(fabs(sum - *(float *)ds_exec_map(x.x, x.b.loss)) < 1e-3);
	stop(&x);
}

static void real_weights_give_the_known_probabilities(void **state)
{
	char path[512];
	ds_buf text = { 0 };
	ds_err e;
	DS_AUTO(ds_model) m = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	if (!have_stories)
		skip();
	assert_int_equal(ds_model_open(&m, dir, &e), DS_OK);
	snprintf(path, sizeof(path), "%s/models/stories260K/nll-vectors.jsonl",
		getenv("DS_TEST_DATA"));
	assert_int_equal(ds_file_read(path, 1 << 20, &text, &e), DS_OK);
	ds_str rest = ds_buf_view(&text);
	while (rest.at && rest.n) {
		const ds_json *line;
		ds_str one = ds_str_cut(rest, '\n', &rest);
		assert_int_equal(ds_json_parse(&line, mem, one, &e), DS_OK);
		check_text(m, line);
	}
	ds_buf_free(&text);
}

/* One position at a time through the caches, and all at once: the same logits. */
static void caches_change_nothing(void **state)
{
	enum { N = 12, VOCAB = 512 };
	ds_err e;
	DS_AUTO(ds_model) m = NULL;
	if (!have_stories)
		skip();
	assert_int_equal(ds_model_open(&m, dir, &e), DS_OK);
	engine all = start(m, 1, N, (ds_build){ 0 });
	engine one = start(m, 1, 1, (ds_build){ .kv_seq = 32, .n_logits = 1 });
	int32_t *ids = ds_exec_map(all.x, all.b.ids);
	for (int i = 0; i < N; i++)
		ids[i] = 1 + 40 * i;
	assert_int_equal(ds_exec_run(all.x, DS_PHASE_FWD, &(ds_run){ 0 }, &e), DS_OK);
	const float *want = ds_exec_map(all.x, all.b.logits);
	int64_t ld = ds_g_tensor(all.g, all.b.logits)->ld;
	*(int32_t *)ds_exec_map(one.x, one.b.rows) = 0;
	for (int i = 0; i < N; i++) {
		*(int32_t *)ds_exec_map(one.x, one.b.ids) = ids[i];
		*(int32_t *)ds_exec_map(one.x, one.b.positions) = i;
		*(int32_t *)ds_exec_map(one.x, one.b.past) = i;
		assert_int_equal(ds_exec_run(one.x, DS_PHASE_FWD, &(ds_run){ 0 }, &e), DS_OK);
		const float *got = ds_exec_map(one.x, one.b.logits);
		for (int v = 0; v < VOCAB; v++)
			assert_true(fabsf(got[v] - want[i * ld + v]) < 1e-3f);
	}
	stop(&all);
	stop(&one);
}

static ds_rc try_config(const char *config, ds_err *e)
{
	char path[128], weights_at[256], linked[128];
	char other[] = "/tmp/ds-model-XXXXXX";
	DS_AUTO(ds_model) m = NULL;
	assert_non_null(mkdtemp(other));
	snprintf(path, sizeof(path), "%s/config.json", other);
	assert_int_equal(ds_file_write(path, ds_str_of(config), e), DS_OK);
	snprintf(weights_at, sizeof(weights_at), "%s/model.safetensors", dir);
	snprintf(linked, sizeof(linked), "%s/model.safetensors", other);
	assert_int_equal(symlink(weights_at, linked), 0);
	ds_rc rc = ds_model_open(&m, other, e);
	if (rc == DS_OK) {
		ds_graph *g = ds_graph_new(1, 4);
		ds_device *cpu = open_device("cpu", 1);
		ds_exec *x = NULL;
		ds_build b = { 0 };
		ds_arch_build(g, ds_model_config(m), &b);
		assert_int_equal(compile_for_cpu(g, &(ds_compile){ 0 }, e), DS_OK);
		assert_int_equal(ds_exec_new(&x, g, cpu, (ds_exec_opts){ 0 }, e), DS_OK);
		rc = ds_model_load(m, x, g, e);
		ds_exec_free(x);
		ds_graph_free(g);
		ds_device_close(cpu);
	}
	ds_err ignored;
	assert_int_equal(ds_dir_remove(other, &ignored), DS_OK);
	return rc;
}

static void missing_and_misshapen_tensors_are_named(void **state)
{
	static const char form[] =
		"{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":%d,"
		"\"num_hidden_layers\":%d,\"num_attention_heads\":8,\"num_key_value_heads\":4,"
		"\"vocab_size\":512,\"tie_word_embeddings\":true}";
	char config[512];
	ds_err e;
	if (!have_stories)
		skip();
	snprintf(config, sizeof(config), form, 172, 6);
	assert_int_equal(try_config(config, &e), DS_BAD);
	assert_non_null(strstr(e.msg, ": no tensor 'model.layers.5."));
	snprintf(config, sizeof(config), form, 128, 5);
	assert_int_equal(try_config(config, &e), DS_BAD);
	assert_non_null(
		strstr(e.msg, "tensor 'model.layers.0.mlp.gate_proj.weight' is [172, 64], the "
			      "config makes it [128, 64]"));
	snprintf(config, sizeof(config), form, 172, 5);
	assert_int_equal(try_config(config, &e), DS_OK);
	assert_int_equal(try_config("{\"model_type\":\"x\"}", &e), DS_USAGE);
	assert_non_null(strstr(e.msg, "config.json: model_type 'x'"));
}

static int set_up(void **state)
{
	char path[512];
	const char *data = getenv("DS_TEST_DATA");
	ds_buf bin = { 0 };
	ds_err e;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/models/stories260K/stories260K.bin", data ? data : "");
	have_stories = data && ds_file_read(path, 64 << 20, &bin, &e) == DS_OK;
	if (have_stories)
		convert(ds_buf_view(&bin));
	else
		print_message("no real weights in $DS_TEST_DATA: those tests are skipped\n");
	ds_buf_free(&bin);
	return 0;
}

static int tear_down(void **state)
{
	ds_err e;
	return ds_dir_remove(dir, &e) == DS_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_weights_give_the_known_probabilities),
		cmocka_unit_test(caches_change_nothing),
		cmocka_unit_test(missing_and_misshapen_tensors_are_named),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
