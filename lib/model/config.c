/*
 * config.c - Hugging Face's config.json, presets, and changes by key
 *
 * ds_config_keys has the names: first that of Llama's config and its kin, then GPT-2's, then others.
 * An architecture's `keys` says which of them it has; whatever else a config.json holds is kept.
 */
#include "model/config.h"

#include "base/hash.h"
#include "model/arch.h"
#include "text/unicode.h"

#include <math.h>
#include <stddef.h>

#define AT(field) offsetof(ds_config, field)
enum { MAX_DIM = 1 << 24, MAX_POSITIONS = 1 << 28 };
static const char act_names[] =
	"gelu_new|gelu_pytorch_tanh|gelu_fast|gelu|silu|swish|relu|tanh|sigmoid";
static const ds_act acts[] = { DS_ACT_GELU_TANH, DS_ACT_GELU_TANH, DS_ACT_GELU_TANH,
	DS_ACT_GELU_ERF, DS_ACT_SILU, DS_ACT_SILU, DS_ACT_RELU, DS_ACT_TANH, DS_ACT_SIGMOID };

/* clang-format off */
const ds_key ds_config_keys[] = {
	{ "vocab_size", { 0 }, DS_KEY_I64, AT(vocab_size), 1, MAX_DIM, NULL, "ids the model knows; the tokenizer's unless set" },
	{ "hidden_size", { "n_embd" }, DS_KEY_I64, AT(hidden_size), 1, MAX_DIM, NULL, "width of the residual stream" },
	{ "intermediate_size", { "n_inner" }, DS_KEY_I64, AT(intermediate_size), 0, MAX_DIM, NULL, "width inside the feed-forward part" },
	{ "num_hidden_layers", { "n_layer" }, DS_KEY_I64, AT(n_layers), 1, 4096, NULL, "layers" },
	{ "num_attention_heads", { "n_head" }, DS_KEY_I64, AT(n_heads), 1, 4096, NULL, "attention heads" },
	{ "num_key_value_heads", { 0 }, DS_KEY_I64, AT(n_kv_heads), 0, 4096, NULL, "key and value heads, shared by groups of heads" },
	{ "head_dim", { 0 }, DS_KEY_I64, AT(head_dim), 0, 4096, NULL, "width of a head" },
	{ "max_position_embeddings", { "n_positions", "n_ctx" }, DS_KEY_I64, AT(max_positions), 1, MAX_POSITIONS, NULL, "longest sequence" },
	{ "type_vocab_size", { 0 }, DS_KEY_I64, AT(type_vocab), 1, 4096, NULL, "segments of an encoder's input" },
	{ "sliding_window", { 0 }, DS_KEY_I64, AT(sliding_window), 0, MAX_POSITIONS, NULL, "positions a token looks back, 0 for all" },
	{ "bos_token_id", { 0 }, DS_KEY_I64, AT(bos), -1, MAX_DIM, NULL, "id that begins a text, -1 for none" },
	{ "eos_token_id", { 0 }, DS_KEY_I64, AT(eos), -1, MAX_DIM, NULL, "id that ends a text, -1 for none" },
	{ "pad_token_id", { 0 }, DS_KEY_I64, AT(pad), -1, MAX_DIM, NULL, "id that fills rows, -1 for none" },
	{ "rms_norm_eps", { "layer_norm_epsilon", "layer_norm_eps" }, DS_KEY_F64, AT(norm_eps), 0, 1, NULL, "added to a norm's variance" },
	{ "rope_theta", { 0 }, DS_KEY_F64, AT(rope_theta), 1, 1e12, NULL, "base of the rotary frequencies" },
	{ "rope_scaling", { 0 }, DS_KEY_CHOICE, AT(scaling), 0, 0, "none|linear|llama3|yarn|dynamic", "how rotary frequencies are stretched" },
	{ "rope_scaling_factor", { 0 }, DS_KEY_F64, AT(scaling_factor), 0, 1e6, NULL, "by how much" },
	{ "rope_low_freq_factor", { 0 }, DS_KEY_F64, AT(scaling_low), 1e-6, 1e6, NULL, "llama3: wave lengths beyond original/low are stretched" },
	{ "rope_high_freq_factor", { 0 }, DS_KEY_F64, AT(scaling_high), 1e-6, 1e6, NULL, "llama3: wave lengths below original/high are left" },
	{ "rope_beta_fast", { 0 }, DS_KEY_F64, AT(scaling_fast), 1e-6, 1e6, NULL, "yarn: what turns more often over the original is left" },
	{ "rope_beta_slow", { 0 }, DS_KEY_F64, AT(scaling_slow), 1e-6, 1e6, NULL, "yarn: what turns less often over the original is stretched" },
	{ "rope_attention_factor", { 0 }, DS_KEY_F64, AT(scaling_attention), 0, 1e3, NULL, "yarn: of sine and cosine; 0: 0.1 ln(factor) + 1" },
	{ "rope_original_positions", { 0 }, DS_KEY_I64, AT(scaling_original), 0, MAX_POSITIONS, NULL, "llama3, yarn: longest sequence before stretching; 0: as now" },
	{ "initializer_range", { 0 }, DS_KEY_F64, AT(init_range), 0, 10, NULL, "standard deviation of random weights" },
	{ "embd_pdrop", { 0 }, DS_KEY_F64, AT(embd_dropout), 0, 0.99, NULL, "dropout of the embeddings" },
	{ "resid_pdrop", { "hidden_dropout_prob" }, DS_KEY_F64, AT(resid_dropout), 0, 0.99, NULL, "dropout of what a block adds" },
	{ "attention_dropout", { "attn_pdrop", "attention_probs_dropout_prob" }, DS_KEY_F64, AT(attn_dropout), 0, 0.99, NULL, "dropout of attention's probabilities" },
	{ "hidden_act", { "activation_function" }, DS_KEY_CHOICE, AT(act), 0, 0, act_names, "activation" },
	{ "norm_type", { 0 }, DS_KEY_CHOICE, AT(norm_type), 0, 0, "layernorm|rmsnorm", "kind of norm" },
	{ "tie_word_embeddings", { 0 }, DS_KEY_BOOL, AT(tied), 0, 0, NULL, "the output projection is the embedding" },
	{ "attention_bias", { 0 }, DS_KEY_BOOL, AT(attention_bias), 0, 0, NULL, "biases in the attention projections" },
	{ "mlp_bias", { 0 }, DS_KEY_BOOL, AT(mlp_bias), 0, 0, NULL, "biases in the feed-forward part" },
	{ 0 },
};
/* clang-format on */

static const char *const dropouts[] = { "embd_pdrop", "resid_pdrop", "attention_dropout", NULL };

#define LLAMA3 \
	"vocab_size=128256,max_position_embeddings=131072,rms_norm_eps=1e-5,rope_theta=500000," \
	"rope_scaling=llama3,rope_scaling_factor=32,rope_low_freq_factor=1," \
	"rope_high_freq_factor=4,rope_original_positions=8192,bos_token_id=128000," \
	"eos_token_id=128001"
#define QWEN3 \
	"vocab_size=151936,num_key_value_heads=8,head_dim=128,max_position_embeddings=40960,rope_" \
	"theta=1e6"
#define NO_DROPOUT "embd_pdrop=0,resid_pdrop=0,attn_pdrop=0"
static const struct {
	const char *name, *arch, *keys;
} presets[] = {
#define PRESET(name, arch, keys) { name, arch, keys },
#include "model/presets.def"
#undef PRESET
};
enum { N_PRESETS = sizeof(presets) / sizeof(presets[0]) };

#define ARCH(name) extern const ds_arch ds_arch_##name;
#include "model/archs.def"
#undef ARCH
const ds_arch *const ds_archs[] = {
#define ARCH(name) &ds_arch_##name,
#include "model/archs.def"
#undef ARCH
	NULL,
};

static bool is_class(const ds_arch *a, ds_str name)
{
	return ds_str_is(name, a->class_name) || ds_arch_head(a, name) != DS_HEAD_LM;
}

const ds_arch *ds_arch_find(ds_str name)
{
	for (int i = 0; ds_archs[i]; i++)
		if (ds_str_is(name, ds_archs[i]->name) || is_class(ds_archs[i], name))
			return ds_archs[i];
	return NULL;
}

ds_head ds_arch_head(const ds_arch *a, ds_str class_name)
{
	for (int h = DS_HEAD_LM + 1; h < DS_N_HEADS; h++)
		if (a->class_of[h] && ds_str_is(class_name, a->class_of[h]))
			return (ds_head)h;
	return DS_HEAD_LM;
}

static const ds_key *key_of(ds_str name)
{
	return ds_key_find(ds_config_keys, name);
}

static uint64_t bit_of(const ds_key *k)
{
	return (uint64_t)1 << (k - ds_config_keys);
}

static bool has_word(const char *list, const char *word)
{
	ds_str rest = ds_str_of(list);
	while (rest.at && rest.n)
		if (ds_str_is(ds_str_cut(rest, ' ', &rest), word))
			return true;
	return false;
}

static bool has_key(const ds_arch *a, const ds_key *k)
{
	return has_word(a->keys, k->name);
}

static bool known(void *context, ds_str name)
{
	return ds_config_is_key(name);
}

bool ds_config_is_key(ds_str name)
{
	return key_of(name) || ds_str_is(name, "dropout");
}

bool ds_config_given(const ds_config *c, const char *name)
{
	return (c->given & bit_of(key_of(ds_str_of(name)))) != 0;
}

ds_act ds_config_act(const ds_config *c)
{
	return acts[c->act];
}

typedef struct {
	ds_config *c;
	ds_arena *mem;
} setting;

static ds_rc set_pair(void *context, ds_str name, ds_str value, ds_err *e)
{
	setting *s = context;
	return ds_config_set(s->c, name, value, s->mem, e);
}

/* Text that this file wrote itself: no error can come of it but one of ours. */
static ds_rc set_all(ds_config *c, const char *pairs, ds_arena *mem, ds_err *e)
{
	setting s = { c, mem };
	if (!*pairs)
		return DS_OK;
	DS_TRY(ds_pairs_each(ds_str_of(pairs), known, set_pair, &s, e));
	c->given = 0;
	return DS_OK;
}

static ds_rc unknown_arch(ds_str name, ds_err *e)
{
	char list[256];
	size_t n = 0;
	list[0] = 0;
	for (int i = 0; ds_archs[i] && n < sizeof(list) - 32; i++) {
		size_t m = strlen(ds_archs[i]->name);
		list[n++] = ' ';
		memcpy(list + n, ds_archs[i]->name, m + 1);
		n += m;
	}
	return ds_fail(
		e, DS_USAGE, "model_type '%.*s' is not known; there are:%s", DS_FMT(name), list);
}

ds_rc ds_config_init(ds_config *c, ds_str arch, ds_arena *mem, ds_err *e)
{
	const ds_arch *a = ds_arch_find(arch);
	if (!a)
		return unknown_arch(arch, e);
	*c = (ds_config){ .arch = a,
		.bos = -1,
		.eos = -1,
		.pad = -1,
		.scaling_factor = 1,
		.scaling_low = 1,
		.scaling_high = 4,
		.scaling_fast = 32,
		.scaling_slow = 1,
		.init_range = 0.02 };
	return set_all(c, a->defaults, mem, e);
}

static int find_preset(ds_str name)
{
	for (int i = 0; i < N_PRESETS; i++)
		if (ds_str_is(name, presets[i].name))
			return i;
	return -1;
}

bool ds_config_is_preset(ds_str name)
{
	return find_preset(name) >= 0;
}

ds_rc ds_config_preset(ds_config *c, ds_str name, ds_arena *mem, ds_err *e)
{
	int i = find_preset(name);
	if (i < 0) {
		ds_key names[N_PRESETS + 1] = { 0 };
		for (int k = 0; k < N_PRESETS; k++)
			names[k].name = presets[k].name;
		return ds_fail(e, DS_USAGE,
			"model '%.*s' is neither a file nor a preset; the nearest preset is '%s'",
			DS_FMT(name), ds_key_nearest(names, NULL, name));
	}
	DS_TRY(ds_config_init(c, ds_str_of(presets[i].arch), mem, e));
	return set_all(c, presets[i].keys, mem, e);
}

static ds_rc set_key(ds_config *c, const ds_key *k, ds_str value, ds_arena *mem, ds_err *e)
{
	if (!has_key(c->arch, k))
		return ds_fail(e, DS_USAGE, "%s has no key '%s'", c->arch->name, k->name);
	DS_TRY(ds_key_set(k, c, value, mem, e));
	c->given |= bit_of(k);
	return DS_OK;
}

ds_rc ds_config_set(ds_config *c, ds_str name, ds_str value, ds_arena *mem, ds_err *e)
{
	if (ds_str_is(name, "dropout")) {
		for (int i = 0; dropouts[i]; i++) {
			const ds_key *k = key_of(ds_str_of(dropouts[i]));
			if (has_key(c->arch, k))
				DS_TRY(set_key(c, k, value, mem, e));
		}
		return DS_OK;
	}
	const ds_key *k = key_of(name);
	if (!k)
		return ds_fail(e, DS_USAGE, "unknown key '%.*s'; the nearest is '%s'", DS_FMT(name),
			ds_key_nearest(ds_config_keys, NULL, name));
	return set_key(c, k, value, mem, e);
}

/* ---- config.json in ---- */

/* Inside rope_scaling in config.json. */
static bool part_of_scaling(const ds_key *k)
{
	return k->offset >= AT(scaling_factor) && k->offset <= AT(scaling_original);
}

/* DeepSeek's way to say the attention factor. */
static double scaling_mscale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* Members that other models have and that change what is computed. */
static ds_rc refuse_scaling(const ds_json *v, ds_err *e)
{
	if (ds_json_num(v, "partial_rotary_factor", 1) != 1)
		return ds_fail(e, DS_USAGE, "partial_rotary_factor is not supported");
	if (!ds_json_flag(v, "truncate", true))
		return ds_fail(e, DS_USAGE, "truncate=false of rope_scaling is not supported");
	return DS_OK;
}

static ds_rc read_scaling(ds_config *c, const ds_json *v, ds_arena *mem, ds_err *e)
{
	if (!v || v->kind == DS_J_NULL)
		return DS_OK;
	if (v->kind != DS_J_OBJ)
		return ds_fail(e, DS_USAGE, "rope_scaling is not an object");
	ds_str type = ds_json_text(v, "rope_type", "");
	if (!type.n)
		type = ds_json_text(v, "type", "default");
	if (ds_json_get(v, "rope_theta"))
		c->rope_theta = ds_json_num(v, "rope_theta", c->rope_theta);
	DS_TRY(refuse_scaling(v, e));
	if (ds_str_is(type, "default"))
		return DS_OK;
	DS_TRY(ds_key_set(key_of(DS_S("rope_scaling")), c, type, mem, e));
	static const struct {
		const char *json, *key;
	} parts[] = {
		{ "factor", "rope_scaling_factor" },
		{ "low_freq_factor", "rope_low_freq_factor" },
		{ "high_freq_factor", "rope_high_freq_factor" },
		{ "beta_fast", "rope_beta_fast" },
		{ "beta_slow", "rope_beta_slow" },
		{ "attention_factor", "rope_attention_factor" },
		{ "original_max_position_embeddings", "rope_original_positions" },
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const ds_json *part = ds_json_get(v, parts[i].json);
		if (part && part->kind != DS_J_NULL)
			DS_TRY(ds_key_set_json(key_of(ds_str_of(parts[i].key)), c, part, mem, e));
	}
	double mscale = ds_json_num(v, "mscale", 0), all = ds_json_num(v, "mscale_all_dim", 0);
	if (c->scaling == DS_SCALING_YARN && !c->scaling_attention && mscale != 0 && all != 0)
		c->scaling_attention = scaling_mscale(c->scaling_factor, mscale) /
				       scaling_mscale(c->scaling_factor, all);
	return DS_OK;
}

/* eos_token_id may be a list: its first is what ends a text. */
static const ds_json *first_of(const ds_json *v)
{
	return v->kind == DS_J_ARR && v->n ? v->items[0] : v;
}

static bool is_scaling(const ds_json *m)
{
	return ds_str_is(m->key, "rope_scaling") || ds_str_is(m->key, "rope_parameters");
}

/* {"0": "negative", …}: every number below the count once. */
static ds_rc read_labels(ds_config *c, const ds_json *v, ds_arena *mem, ds_err *e)
{
	if (!v || v->kind != DS_J_OBJ || !v->n)
		return DS_OK;
	DS_AUTO(ds_map) seen = ds_map_new(16);
	c->labels = ds_arena_zero(mem, (v->n + 1) * sizeof(char *));
	for (const ds_json *m = v->first; m; m = m->next) {
		int64_t id;
		if (m->kind != DS_J_STR || !ds_str_i64(m->key, &id) || id < 0 ||
			id >= (int64_t)v->n || c->labels[id])
			return ds_fail(e, DS_USAGE,
				"id2label: '%.*s' is not a number below %zu, "
				"once, with a name",
				DS_FMT(m->key), v->n);
		c->labels[id] = ds_arena_str(mem, m->s).at;
		bool is_new;
		ds_map_put(seen, m->s, &is_new);
		if (!is_new)
			return ds_fail(e, DS_USAGE, "id2label: two are called '%s'", c->labels[id]);
	}
	c->n_labels = (int64_t)v->n;
	return DS_OK;
}

/* Names with halves of surrogate pairs in them would be repaired in writing, and could become one. */
static bool is_unicode(const ds_json *v)
{
	if (ds_utf8_valid(v->key) != v->key.n)
		return false;
	if (v->kind == DS_J_STR)
		return ds_utf8_valid(v->s) == v->s.n;
	if (v->kind == DS_J_OBJ)
		for (const ds_json *m = v->first; m; m = m->next)
			if (!is_unicode(m))
				return false;
	for (size_t i = 0; v->kind == DS_J_ARR && i < v->n; i++)
		if (!is_unicode(v->items[i]))
			return false;
	return true;
}

ds_rc ds_config_parse(ds_config *c, ds_str json, ds_arena *mem, ds_err *e)
{
	const ds_json *root;
	/* What is written again would repair it, and names could become one. */
	if (ds_utf8_valid(json) != json.n)
		return ds_fail(e, DS_USAGE, "not UTF-8 at byte %zu", ds_utf8_valid(json));
	ds_rc rc = ds_json_parse(&root, mem, json, e);
	if (rc != DS_OK)
		return rc == DS_BAD ? DS_USAGE : rc;
	if (root->kind != DS_J_OBJ)
		return ds_fail(e, DS_USAGE, "not a JSON object");
	if (!is_unicode(root))
		return ds_fail(e, DS_USAGE, "half of a surrogate pair in a name or text");
	ds_str type = ds_json_text(root, "model_type", "");
	const ds_json *names = ds_json_get(root, "architectures");
	if (!type.n && names && names->kind == DS_J_ARR && names->n)
		type = names->items[0]->s;
	if (!type.n)
		return ds_fail(e, DS_USAGE, "no model_type");
	DS_TRY(ds_config_init(c, type, mem, e));
	c->kept = root;
	if (names && names->kind == DS_J_ARR && names->n)
		c->head = ds_arch_head(c->arch, names->items[0]->s);
	if (c->head == DS_HEAD_SEQ || c->head == DS_HEAD_TOKEN)
		DS_TRY(read_labels(c, ds_json_get(root, "id2label"), mem, e));
	for (const ds_json *m = root->first; m; m = m->next) {
		const ds_key *k = key_of(m->key);
		if (is_scaling(m) && has_word(c->arch->keys, "rope_scaling"))
			DS_TRY(read_scaling(c, m, mem, e));
		else if (k && has_key(c->arch, k) && !part_of_scaling(k))
			DS_TRY(ds_key_set_json(k, c, first_of(m), mem, e));
	}
	return DS_OK;
}

ds_rc ds_config_only(const ds_config *c, const char *flag, bool only, ds_err *e)
{
	if (ds_json_flag(c->kept, flag, only) == only)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "%s with %s=%s is not supported", c->arch->name, flag,
		only ? "false" : "true");
}

static const char *two_labels[] = { "LABEL_0", "LABEL_1" };

ds_rc ds_config_finish(ds_config *c, ds_err *e)
{
	DS_TRY(c->arch->finish(c, e));
	if ((c->head == DS_HEAD_SEQ || c->head == DS_HEAD_TOKEN) && !c->n_labels) {
		c->n_labels = 2; /* transformers' own */
		c->labels = two_labels;
	}
	if (c->n_heads % c->n_kv_heads)
		return ds_fail(e, DS_USAGE,
			"num_attention_heads=%lld is not a multiple of num_key_value_heads=%lld",
			(long long)c->n_heads, (long long)c->n_kv_heads);
	const struct {
		const char *name;
		int64_t id;
	} specials[] = { { "bos_token_id", c->bos }, { "eos_token_id", c->eos },
		{ "pad_token_id", c->pad } };
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (specials[i].id >= c->vocab_size)
			return ds_fail(e, DS_USAGE, "%s=%lld is not below vocab_size=%lld",
				specials[i].name, (long long)specials[i].id,
				(long long)c->vocab_size);
	return DS_OK;
}

/* ---- config.json out ---- */

static void print_name(ds_buf *out, ds_str name)
{
	ds_buf_add_c(out, ",\n  ");
	ds_json_add_str(out, name);
	ds_buf_add_c(out, ": ");
}

static const char *spelled(const ds_config *c, const ds_key *k)
{
	for (int i = 0; c->arch->spells && i < 3 && k->also[i]; i++)
		if (has_word(c->arch->spells, k->also[i]))
			return k->also[i];
	return k->name;
}

static bool is_none(const ds_config *c, const ds_key *k)
{
	if (k->kind != DS_KEY_I64)
		return false;
	int64_t v = *(const int64_t *)((const char *)c + k->offset);
	return v < 0 || (k->offset == AT(sliding_window) && v == 0);
}

static bool scaling_given(const ds_config *c)
{
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (k->offset >= AT(scaling) && k->offset <= AT(scaling_original) &&
			c->given & bit_of(k))
			return true;
	return false;
}

static void print_scaling(const ds_config *c, ds_buf *out)
{
	static const struct {
		const char *json, *key;
		int kind;
	} parts[] = { { "low_freq_factor", "rope_low_freq_factor", DS_SCALING_LLAMA3 },
		{ "high_freq_factor", "rope_high_freq_factor", DS_SCALING_LLAMA3 },
		{ "beta_fast", "rope_beta_fast", DS_SCALING_YARN },
		{ "beta_slow", "rope_beta_slow", DS_SCALING_YARN },
		{ "attention_factor", "rope_attention_factor", DS_SCALING_YARN } };
	const ds_json *was = c->kept ? ds_json_get(c->kept, "rope_scaling") : NULL;
	/* As it was where nothing was changed: versions of transformers differ in what they take. */
	if (was && !scaling_given(c)) {
		ds_json_add(out, was);
		return;
	}
	if (c->scaling == DS_SCALING_NONE) {
		ds_buf_add_c(out, "null");
		return;
	}
	ds_buf_add_c(out, "{\"rope_type\": \"");
	ds_key_print(key_of(DS_S("rope_scaling")), c, out);
	ds_buf_add_c(out, "\", \"factor\": ");
	ds_key_print(key_of(DS_S("rope_scaling_factor")), c, out);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].kind != c->scaling)
			continue;
		ds_buf_fmt(out, ", \"%s\": ", parts[i].json);
		ds_key_print(key_of(ds_str_of(parts[i].key)), c, out);
	}
	if (c->scaling == DS_SCALING_LLAMA3 || c->scaling == DS_SCALING_YARN)
		ds_buf_fmt(out, ", \"original_max_position_embeddings\": %lld",
			(long long)c->scaling_original);
	ds_buf_add_byte(out, '}');
}

static void print_key(const ds_config *c, const ds_key *k, ds_buf *out)
{
	if (part_of_scaling(k))
		return;
	/* Only where it is not what transformers builds anyway. */
	if (k->offset == AT(norm_type) && c->norm_type == c->arch->norm_type)
		return;
	print_name(out, ds_str_of(spelled(c, k)));
	if (k->offset == AT(scaling)) {
		print_scaling(c, out);
	} else if (is_none(c, k)) {
		ds_buf_add_c(out, "null");
	} else if (k->kind == DS_KEY_CHOICE || k->kind == DS_KEY_TEXT) {
		ds_buf_add_byte(out, '"');
		ds_key_print(k, c, out);
		ds_buf_add_byte(out, '"');
	} else {
		ds_key_print(k, c, out);
	}
}

static bool is_labels(const ds_json *m)
{
	return ds_str_is(m->key, "id2label") || ds_str_is(m->key, "label2id") ||
	       ds_str_is(m->key, "num_labels");
}

static void print_labels(const ds_config *c, ds_buf *out)
{
	for (int way = 0; way < 2; way++) {
		print_name(out, way ? DS_S("label2id") : DS_S("id2label"));
		for (int64_t i = 0; i < c->n_labels; i++) {
			ds_buf_add_c(out, i ? ", " : "{");
			if (way)
				ds_json_add_str(out, ds_str_of(c->labels[i]));
			else
				ds_buf_fmt(out, "\"%lld\": ", (long long)i);
			if (way)
				ds_buf_fmt(out, ": %lld", (long long)i);
			else
				ds_json_add_str(out, ds_str_of(c->labels[i]));
		}
		ds_buf_add_byte(out, '}');
	}
}

static bool ours(const ds_config *c, const ds_json *m)
{
	const ds_key *k = key_of(m->key);
	bool stale = ds_str_is(m->key, "layer_types") && (int64_t)m->n != c->n_layers;
	return stale || (k && has_key(c->arch, k)) || is_scaling(m) ||
	       ds_str_is(m->key, "model_type") || ds_str_is(m->key, "architectures") ||
	       ds_str_is(m->key, "torch_dtype") || ds_str_is(m->key, "dtype") ||
	       ds_str_is(m->key, "transformers_version");
}

void ds_config_print(const ds_config *c, ds_buf *out)
{
	ds_buf_fmt(out, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\"",
		c->head ? c->arch->class_of[c->head] : c->arch->class_name, c->arch->name);
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (has_key(c->arch, k))
			print_key(c, k, out);
	if (c->n_labels)
		print_labels(c, out);
	print_name(out, DS_S("torch_dtype"));
	ds_buf_add_c(out, "\"float32\"");
	for (const ds_json *m = c->kept ? c->kept->first : NULL; m; m = m->next) {
		if (!ours(c, m) && !(c->n_labels && is_labels(m))) {
			print_name(out, m->key);
			ds_json_add(out, m);
		}
	}
	ds_buf_add_c(out, "\n}\n");
}

void ds_config_ini(const ds_config *c, ds_buf *out)
{
	for (const ds_key *k = ds_config_keys; k->name; k++) {
		if (!has_key(c->arch, k))
			continue;
		ds_buf_fmt(out, "%s = ", spelled(c, k));
		ds_key_print(k, c, out);
		ds_buf_add_byte(out, '\n');
	}
}
