/* test_config.c - config.json, presets, keys */
#include "test.h"

#include "model/arch.h"
#include "model/config.h"

static ds_arena *mem;

static ds_rc set(ds_config *c, const char *name, const char *value, ds_err *e)
{
	return ds_config_set(c, ds_str_of(name), ds_str_of(value), mem, e);
}

static void aliases_are_one_key(void **state)
{
	ds_config c;
	ds_err e;
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	assert_int_equal(set(&c, "num_hidden_layers", "3", &e), DS_OK);
	assert_int_equal(c.n_layers, 3);
	assert_int_equal(set(&c, "n_layer", "4", &e), DS_OK);
	assert_int_equal(set(&c, "hidden_size", "64", &e), DS_OK);
	assert_int_equal(set(&c, "n-head", "4", &e), DS_OK);
	assert_int_equal(ds_config_finish(&c, &e), DS_OK);
	assert_int_equal(c.n_layers, 4);
	assert_int_equal(c.head_dim, 16);
	assert_int_equal(c.intermediate_size, 256);
	assert_int_equal(c.vocab_size, 50257);
}

static void an_architecture_by_its_name_is_its_defaults(void **state)
{
	for (int i = 0; ds_archs[i]; i++) {
		ds_config c;
		ds_err e;
		ds_str name = ds_str_of(ds_archs[i]->name);
		assert_true(ds_config_is_preset(name));
		assert_int_equal(ds_config_preset(&c, name, mem, &e), DS_OK);
		assert_ptr_equal(c.arch, ds_archs[i]);
	}
	assert_false(ds_config_is_preset(DS_S("GPT2LMHeadModel")));
}

static void presets_have_the_published_sizes(void **state)
{
	static const struct {
		const char *name;
		int64_t params;
	} cases[] = {
		{ "bert", 109514298 },
		{ "bert-large", 335174458 },
		{ "gpt2", 124439808 },
		{ "gpt2-medium", 354823168 },
		{ "gpt2-large", 774030080 },
		{ "gpt2-xl", 1557611200 },
		{ "llama", 1235814400 },
		{ "llama-3.2-3b", 3212749824 },
		{ "mistral", 7241732096 },
		{ "mixtral-8x7b", 46702792704 },
		{ "qwen1.5-moe-a2.7b", 14315784192 },
		{ "qwen3-30b-a3b", 30532122624 },
		{ "qwen2", 494032768 },
		{ "qwen2-1.5b", 1543714304 },
		{ "qwen3", 596049920 },
		{ "qwen3-1.7b", 1720574976 },
		{ "qwen3-4b", 4022468096 },
		{ "qwen3-8b", 8190735360 },
		{ "qwen3-14b", 14768307200 },
		{ "qwen3-32b", 32762123264 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_config c;
		ds_err e;
		DS_AUTO(ds_graph) g = ds_graph_new(1, 16);
		ds_build b = { .train = true };
		assert_int_equal(ds_config_preset(&c, ds_str_of(cases[i].name), mem, &e), DS_OK);
		assert_int_equal(ds_config_finish(&c, &e), DS_OK);
		ds_arch_build(g, &c, &b);
		assert_int_equal(ds_graph_check(g, &e), DS_OK);
		assert_int_equal(ds_graph_params(g, NULL), cases[i].params);
	}
}

static void a_published_config_is_read_and_written_back(void **state)
{
	static const char json[] =
		"{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_"
		"size\":64,"
		"\"intermediate_size\":172,\"num_hidden_layers\":5,\"num_attention_heads\":8,"
		"\"num_key_value_heads\":4,\"vocab_size\":512,\"rms_norm_eps\":1e-05,"
		"\"eos_token_id\":[2,5],\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":32.0,"
		"\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
		"\"original_max_position_embeddings\":64},\"pad_token_id\":null,\"my_own\":{\"a\":["
		"1]}}";
	ds_config a, b;
	ds_err e;
	ds_buf out = { 0 };
	assert_int_equal(ds_config_parse(&a, ds_str_of(json), false, mem, &e), DS_OK);
	assert_int_equal(ds_config_finish(&a, &e), DS_OK);
	assert_int_equal(a.head_dim, 8);
	assert_int_equal(a.eos, 2);
	assert_int_equal(a.pad, -1);
	assert_int_equal(a.scaling, DS_SCALING_LLAMA3);
	assert_true(a.scaling_factor == 32);
	ds_config_print(&a, &out);
	ds_str text = ds_arena_str(mem, ds_buf_view(&out));
	assert_non_null(strstr(text.at, "\"my_own\": {\"a\":[1]}"));
	assert_non_null(strstr(text.at, "\"rms_norm_eps\": "));
	assert_int_equal(ds_config_parse(&b, text, false, mem, &e), DS_OK);
	assert_int_equal(ds_config_finish(&b, &e), DS_OK);
	for (const ds_key *k = ds_config_keys; k->name; k++)
		assert_true(ds_key_equal(k, &a, &b));
	ds_buf_free(&out);
}

static void gpt2_is_written_in_its_own_spelling(void **state)
{
	ds_config c;
	ds_err e;
	ds_buf out = { 0 };
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	assert_int_equal(ds_config_finish(&c, &e), DS_OK);
	ds_config_print(&c, &out);
	const char *text = ds_buf_text(&out);
	assert_non_null(strstr(text, "\"n_layer\": 12"));
	assert_non_null(strstr(text, "\"n_positions\": 1024"));
	assert_non_null(strstr(text, "\"activation_function\": \"gelu_new\""));
	assert_non_null(strstr(text, "\"attn_pdrop\": 0.0"));
	assert_null(strstr(text, "norm_type"));
	assert_int_equal(set(&c, "norm_type", "rmsnorm", &e), DS_OK);
	ds_buf_clear(&out);
	ds_config_print(&c, &out);
	assert_non_null(strstr(ds_buf_text(&out), "\"norm_type\": \"rmsnorm\""));
	ds_buf_free(&out);
}

static void dropout_sets_all_dropouts(void **state)
{
	ds_config c;
	ds_err e;
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	assert_int_equal(set(&c, "dropout", "0.25", &e), DS_OK);
	assert_true(c.embd_dropout == 0.25 && c.resid_dropout == 0.25 && c.attn_dropout == 0.25);
}

/* ---- every key of every architecture: absent, null, a value ---- */

static const struct {
	const char *arch, *json;
} bases[] = {
#define BASE(arch, json) { #arch, json },
#define KEY(...)
#include "config_keys.def"
#undef BASE
#undef KEY
};
static const struct {
	const char *arch, *key, *absent, *null, *value, *read;
} keys[] = {
#define BASE(arch, json)
#define KEY(arch, key, absent, null, value, read) { #arch, key, absent, null, value, read },
#include "config_keys.def"
#undef BASE
#undef KEY
};

/* The base's config with one key of this value, or without it. */
static const char *with_key(const char *arch, const char *key, const char *value)
{
	const ds_json *root = NULL;
	ds_buf b = { 0 };
	ds_err e;
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (strcmp(bases[i].arch, arch) == 0)
			assert_int_equal(
				ds_json_parse(&root, mem, ds_str_of(bases[i].json), &e), DS_OK);
	assert_non_null(root);
	ds_buf_add_c(&b, "{\"mine\":1");
	for (const ds_json *m = root->first; m; m = m->next) {
		if (ds_str_is(m->key, key))
			continue;
		ds_buf_fmt(&b, ",\"%.*s\":", DS_FMT(m->key));
		ds_json_add(&b, m);
	}
	if (value)
		ds_buf_fmt(&b, ",\"%s\":%s", key, value);
	ds_buf_add_byte(&b, '}');
	const char *text = ds_arena_str(mem, ds_buf_view(&b)).at;
	ds_buf_free(&b);
	return text;
}

/* As ds_config_keys prints it; ids and the like that are none are "none". */
static void assert_reads(const char *json, const char *key, const char *want)
{
	ds_config c;
	ds_err e;
	ds_buf b = { 0 };
	double a, z;
	const ds_key *k = ds_key_find(ds_config_keys, ds_str_of(key));
	ds_rc rc = ds_config_parse(&c, ds_str_of(json), false, mem, &e);
	if (strcmp(want, "refused") == 0) {
		assert_int_equal(rc, DS_USAGE);
		assert_non_null(strstr(e.msg, key));
		return;
	}
	if (rc != DS_OK)
		fail_msg("%s: %s", json, e.msg);
	/* Derives what it can; some bases are no whole model without the key. */
	rc = ds_config_finish(&c, &e);
	ds_key_print(k, &c, &b);
	const char *have = ds_buf_text(&b);
	if (strcmp(want, "none") == 0)
		want = strcmp(key, "sliding_window") == 0 ? "0" : "-1";
	bool numbers = ds_str_f64(ds_str_of(have), &a) && ds_str_f64(ds_str_of(want), &z);
	if (numbers ? a != z : strcmp(have, want) != 0)
		fail_msg("%s: %s is %s, transformers reads %s", json, key, have, want);
	ds_buf_free(&b);
}

/* What only this program has. */
static bool is_own(const ds_arch *a, const ds_key *k)
{
	return strcmp(a->name, "gpt2_moe") == 0 || strcmp(k->name, "router_aux_loss_scope") == 0 ||
	       strcmp(k->name, "router_z_loss_coef") == 0 || strcmp(k->name, "scoring_func") == 0 ||
	       strcmp(k->name, "router_bias_update_rate") == 0;
}

static void every_key_is_read_as_transformers_reads_it(void **state)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *arch = keys[i].arch, *key = keys[i].key;
		assert_reads(with_key(arch, key, NULL), key, keys[i].absent);
		assert_reads(with_key(arch, key, "null"), key, keys[i].null);
		assert_reads(with_key(arch, key, keys[i].value), key, keys[i].read);
	}
	/* none of an architecture's keys is left out */
	for (int a = 0; ds_archs[a]; a++)
		for (ds_str rest = ds_str_of(ds_archs[a]->keys); rest.at && rest.n;) {
			const ds_key *k = ds_key_find(ds_config_keys, ds_str_cut(rest, ' ', &rest));
			bool found = strncmp(k->name, "rope_", 5) == 0 ||
				     strcmp(k->name, "norm_type") == 0 || is_own(ds_archs[a], k);
			for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !found; i++)
				found = strcmp(keys[i].arch, ds_archs[a]->name) == 0 &&
					ds_key_find(ds_config_keys, ds_str_of(keys[i].key)) == k;
			if (!found)
				fail_msg("%s: no expectation for %s", ds_archs[a]->name, k->name);
		}
}

/* What was read comes back the same once written: null stays null, a list a list. */
static void null_and_lists_are_written_back(void **state)
{
	static const struct {
		const char *json, *has;
	} cases[] = {
		{ "{\"model_type\":\"mistral\",\"sliding_window\":null}",
			"\"sliding_window\": null" },
		{ "{\"model_type\":\"mistral\",\"bos_token_id\":null,\"eos_token_id\":null}",
			"\"eos_token_id\": null" },
		{ "{\"model_type\":\"llama\",\"eos_token_id\":[2,5,7]}",
			"\"eos_token_id\": [2, 5, 7]" },
		{ "{\"model_type\":\"llama\",\"rope_scaling\":null}", "\"rope_scaling\": null" },
		{ "{\"model_type\":\"gpt2\",\"pad_token_id\":null}", "\"pad_token_id\": null" },
		{ "{\"model_type\":\"gpt2\",\"n_inner\":null}", "\"n_inner\": null" },
		{ "{\"model_type\":\"llama\",\"num_key_value_heads\":null,\"head_dim\":null}",
			"\"num_key_value_heads\": null" },
		{ "{\"model_type\":\"bert\",\"classifier_dropout\":null}",
			"\"classifier_dropout\": null" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_config a, b;
		ds_err e;
		ds_buf out = { 0 };
		assert_int_equal(
			ds_config_parse(&a, ds_str_of(cases[i].json), false, mem, &e), DS_OK);
		assert_int_equal(ds_config_finish(&a, &e), DS_OK);
		ds_config_print(&a, &out);
		if (!strstr(ds_buf_text(&out), cases[i].has))
			fail_msg("%s is not in %s", cases[i].has, ds_buf_text(&out));
		assert_int_equal(ds_config_parse(&b, ds_buf_view(&out), false, mem, &e), DS_OK);
		assert_int_equal(ds_config_finish(&b, &e), DS_OK);
		for (const ds_key *k = ds_config_keys; k->name; k++)
			assert_true(ds_key_equal(k, &a, &b));
		assert_int_equal(a.n_ends, b.n_ends);
		ds_buf_free(&out);
	}
}

static void what_an_architecture_knows_and_we_do_not_is_refused_or_left_out(void **state)
{
	static const struct {
		const char *json, *key;
	} cases[] = {
		{ "{\"model_type\":\"gpt2\",\"scale_attn_weights\":false}", "scale_attn_weights" },
		{ "{\"model_type\":\"gpt2\",\"add_cross_attention\":true}", "add_cross_attention" },
		{ "{\"model_type\":\"bert\",\"is_decoder\":true}", "is_decoder" },
		{ "{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}",
			"position_embedding_type" },
		{ "{\"model_type\":\"bert\",\"problem_type\":\"regression\"}", "problem_type" },
		{ "{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5}",
			"partial_rotary_factor" },
		{ "{\"model_type\":\"llama\",\"quantization_config\":{\"bits\":4}}",
			"quantization_config" },
		{ "{\"model_type\":\"qwen2\",\"use_sliding_window\":true}", "use_sliding_window" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_config c;
		ds_err e;
		ds_buf out = { 0 };
		for (int insist = 0; insist < 2; insist++) {
			assert_int_equal(
				ds_config_parse(&c, ds_str_of(cases[i].json), insist, mem, &e),
				DS_OK);
			assert_int_equal(ds_config_finish(&c, &e), insist ? DS_OK : DS_USAGE);
			if (!insist)
				assert_non_null(strstr(e.msg, cases[i].key));
		}
		ds_config_print(&c, &out);
		assert_null(strstr(ds_buf_text(&out), cases[i].key));
		ds_buf_free(&out);
	}
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{ "{\"model_type\":\"bloom\"}",
			"model_type 'bloom' is not known; there are: bert "
			"clip clip_text_model clip_vision_model gpt2 gpt2_moe "
			"llama mistral mixtral qwen2 qwen2_moe qwen3 "
			"qwen3_moe vit" },
		{ "{}", "no model_type" },
		{ "[1]", "not a JSON object" },
		{ "{\"model_type\":\"gpt2\",\"n_layer\":0}",
			"num_hidden_layers=0: the least is 1" },
		{ "{\"model_type\":\"gpt2\",\"n_layer\":\"many\"}",
			"num_hidden_layers='many': wanted a whole number" },
		{ "{\"model_type\":\"gpt2\",\"n_layer\":[]}",
			"num_hidden_layers is an array, wanted a value" },
		{ "{\"model_type\":\"gpt2\",\"n_head\":5}",
			"n_embd=768 is not a multiple of n_head=5" },
		{ "{\"model_type\":\"gpt2\",\"vocab_size\":100}",
			"bos_token_id=50256 is not below vocab_size=100" },
		{ "{\"model_type\":\"gpt2\",\"scale_attn_by_inverse_layer_idx\":true}",
			"gpt2 with scale_attn_by_inverse_layer_idx=true is not supported; "
			"--ignore-keys "
			"computes without it" },
		{ "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"longrope\",\"factor\":4}"
		  "}",
			"rope_scaling='longrope': wanted none|linear|llama3|yarn|dynamic" },
		{ "{\"model_type\":\"llama\",\"rope_parameters\":{\"rope_type\":\"default\","
		  "\"partial_rotary_factor\":0.5}}",
			"partial_rotary_factor is not supported" },
		{ "{\"model_type\":\"qwen3\",\"layer_types\":[\"full_attention\",\"sliding_"
		  "attention\"]}",
			"layer_types: 'sliding_attention' is not supported; --ignore-keys computes "
			"without it" },
		{ "{\"model_type\":\"llama\",\"hidden_act\":\"mish\"}",
			"hidden_act='mish': wanted "
			"gelu_new|gelu_pytorch_tanh|gelu_fast|gelu|silu|swish|relu|"
			"tanh|sigmoid|quick_gelu" },
		{ "{\"model_type\":\"llama\",\"num_key_value_heads\":5}",
			"num_attention_heads=32 is not a multiple of num_key_value_heads=5" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_config c;
		ds_err e;
		ds_rc rc = ds_config_parse(&c, ds_str_of(cases[i].json), false, mem, &e);
		if (rc == DS_OK)
			rc = ds_config_finish(&c, &e);
		assert_int_equal(rc, DS_USAGE);
		assert_string_equal(e.msg, cases[i].says);
	}
}

static void unknown_names_get_the_nearest(void **state)
{
	ds_config c;
	ds_err e;
	assert_int_equal(ds_config_preset(&c, DS_S("gtp2"), mem, &e), DS_USAGE);
	assert_non_null(strstr(e.msg, "the nearest preset is 'gpt2'"));
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	assert_int_equal(set(&c, "n_layers", "2", &e), DS_USAGE);
	assert_string_equal(e.msg, "unknown key 'n_layers'; the nearest is 'n_layer'");
	assert_int_equal(set(&c, "rope_theta", "2", &e), DS_USAGE);
	assert_string_equal(e.msg, "gpt2 has no key 'rope_theta'");
}

/* A key of the model itself, of one tower, and of all that have it; written and read back. */
static void keys_reach_towers_by_name_or_all_that_have_them(void **state)
{
	static const char *const pairs[][2] = { { "projection_dim", "24" }, { "hidden_size", "64" },
		{ "vision_config.hidden_size", "96" }, { "text_config.vocab_size", "60000" },
		{ "patch_size", "16" }, { "dropout", "0.1" } };
	ds_config c, again;
	ds_err e;
	ds_buf b = { 0 };
	assert_int_equal(ds_config_preset(&c, DS_S("clip"), mem, &e), DS_OK);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_int_equal(
			ds_config_set(&c, ds_str_of(pairs[i][0]), ds_str_of(pairs[i][1]), mem, &e),
			DS_OK);
	assert_int_equal(ds_config_finish(&c, &e), DS_OK);
	ds_config_print(&c, &b);
	assert_int_equal(ds_config_parse(&again, ds_buf_view(&b), false, mem, &e), DS_OK);
	assert_int_equal(ds_config_finish(&again, &e), DS_OK);
	const ds_config *text = again.towers[DS_TOWER_TEXT], *image = again.towers[DS_TOWER_IMAGE];
	assert_int_equal(again.projection, 24);
	assert_int_equal(text->hidden_size, 64);
	assert_int_equal(image->hidden_size, 96);
	assert_int_equal(again.vocab_size, 60000);
	assert_int_equal(image->patch_size, 16);
	assert_true(text->attn_dropout == 0.1 && image->attn_dropout == 0.1);
	assert_true(ds_config_given(&c, "vocab_size") && !ds_config_given(&c, "image_size"));
	ds_buf_free(&b);
	assert_int_equal(ds_config_set(&c, DS_S("rope_theta"), DS_S("5"), mem, &e), DS_USAGE);
	assert_int_equal(ds_config_preset(&c, DS_S("gpt2"), mem, &e), DS_OK);
	assert_int_equal(
		ds_config_set(&c, DS_S("text_config.n_embd"), DS_S("8"), mem, &e), DS_USAGE);
	assert_non_null(strstr(e.msg, "text_config"));
}

static void changing_a_copy_leaves_the_towers_of_the_first(void **state)
{
	ds_config c, copy;
	ds_err e;
	assert_int_equal(ds_config_preset(&c, DS_S("clip-tiny"), mem, &e), DS_OK);
	ds_config_copy(&copy, &c, mem);
	assert_int_equal(ds_config_set(&copy, DS_S("hidden_size"), DS_S("64"), mem, &e), DS_OK);
	assert_int_equal(c.towers[DS_TOWER_TEXT]->hidden_size, 128);
	assert_int_equal(copy.towers[DS_TOWER_TEXT]->hidden_size, 64);
}

static int set_up(void **state)
{
	mem = ds_arena_new(1 << 12);
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
		cmocka_unit_test(aliases_are_one_key),
		cmocka_unit_test(an_architecture_by_its_name_is_its_defaults),
		cmocka_unit_test(presets_have_the_published_sizes),
		cmocka_unit_test(a_published_config_is_read_and_written_back),
		cmocka_unit_test(gpt2_is_written_in_its_own_spelling),
		cmocka_unit_test(dropout_sets_all_dropouts),
		cmocka_unit_test(every_key_is_read_as_transformers_reads_it),
		cmocka_unit_test(null_and_lists_are_written_back),
		cmocka_unit_test(what_an_architecture_knows_and_we_do_not_is_refused_or_left_out),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(unknown_names_get_the_nearest),
		cmocka_unit_test(keys_reach_towers_by_name_or_all_that_have_them),
		cmocka_unit_test(changing_a_copy_leaves_the_towers_of_the_first),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
