/*
 * config.c - what a model is: presets, and changes by key
 *
 * ds_config_keys has the names: first that of Llama's config and its kin, then GPT-2's, then others.
 * An architecture's `keys` says which of them it has; whatever else a config.json holds is kept.
 */
#include "model/config_impl.h"

#define AT(field) DS_CONFIG_AT(field)
enum { MAX_DIM = 1 << 24, MAX_POSITIONS = 1 << 28 };
static const char act_names[] =
	"gelu_new|gelu_pytorch_tanh|gelu_fast|gelu|silu|swish|relu|tanh|sigmoid|quick_gelu";
static const ds_act acts[] = { DS_ACT_GELU_TANH, DS_ACT_GELU_TANH, DS_ACT_GELU_TANH,
	DS_ACT_GELU_ERF, DS_ACT_SILU, DS_ACT_SILU, DS_ACT_RELU, DS_ACT_TANH, DS_ACT_SIGMOID,
	DS_ACT_SIGMOID };

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
	{ "rope_beta_fast", { 0 }, DS_KEY_F64, AT(scaling_fast), 1e-6, 1e6, NULL, "yarn: pairs of more rotations over the original length stay" },
	{ "rope_beta_slow", { 0 }, DS_KEY_F64, AT(scaling_slow), 1e-6, 1e6, NULL, "yarn: pairs of fewer rotations are stretched" },
	{ "rope_attention_factor", { 0 }, DS_KEY_F64, AT(scaling_attention), 0, 1e3, NULL, "yarn: of sine and cosine; 0: 0.1 ln(factor) + 1" },
	{ "rope_original_positions", { 0 }, DS_KEY_I64, AT(scaling_original), 0, MAX_POSITIONS, NULL, "llama3, yarn: longest sequence before stretching; 0: as now" },
	{ "initializer_range", { 0 }, DS_KEY_F64, AT(init_range), 0, 10, NULL, "standard deviation of random weights" },
	{ "embd_pdrop", { 0 }, DS_KEY_F64, AT(embd_dropout), 0, 0.99, NULL, "dropout of the embeddings" },
	{ "resid_pdrop", { "hidden_dropout_prob" }, DS_KEY_F64, AT(resid_dropout), 0, 0.99, NULL, "dropout of what a block adds" },
	{ "attention_dropout", { "attn_pdrop", "attention_probs_dropout_prob" }, DS_KEY_F64, AT(attn_dropout), 0, 0.99, NULL, "dropout of attention's probabilities" },
	{ "classifier_dropout", { 0 }, DS_KEY_F64, AT(classifier_dropout), -1, 0.99, NULL, "dropout before the labels' layer, -1 for the model's own" },
	{ "hidden_act", { "activation_function" }, DS_KEY_CHOICE, AT(act), 0, 0, act_names, "activation" },
	{ "norm_type", { 0 }, DS_KEY_CHOICE, AT(norm_type), 0, 0, "layernorm|rmsnorm", "kind of norm" },
	{ "tie_word_embeddings", { 0 }, DS_KEY_BOOL, AT(tied), 0, 0, NULL, "the output projection is the embedding" },
	{ "attention_bias", { 0 }, DS_KEY_BOOL, AT(attention_bias), 0, 0, NULL, "biases in the attention projections" },
	{ "mlp_bias", { 0 }, DS_KEY_BOOL, AT(mlp_bias), 0, 0, NULL, "biases in the feed-forward part" },
	{ "image_size", { 0 }, DS_KEY_I64, AT(image_size), 1, 1 << 14, NULL, "side of a picture in pixels" },
	{ "patch_size", { 0 }, DS_KEY_I64, AT(patch_size), 1, 1 << 14, NULL, "side of a patch, which is one position" },
	{ "num_channels", { 0 }, DS_KEY_I64, AT(n_channels), 3, 3, NULL, "colours of a pixel" },
	{ "projection_dim", { 0 }, DS_KEY_I64, AT(projection), 1, MAX_DIM, NULL, "width in which texts and pictures are compared" },
	{ "logit_scale_init_value", { 0 }, DS_KEY_F64, AT(logit_scale), -100, 100, NULL, "logarithm of the factor of their products" },
	{ "qkv_bias", { 0 }, DS_KEY_BOOL, AT(qkv_bias), 0, 0, NULL, "biases of q, k and v" },
	{ "num_experts", { "num_local_experts", "n_routed_experts" }, DS_KEY_I64, AT(n_experts), 0, 65536, NULL, "experts in the place of every feed-forward part, 0 for none" },
	{ "num_experts_per_tok", { 0 }, DS_KEY_I64, AT(n_chosen), 1, 65536, NULL, "experts a token goes to" },
	{ "moe_intermediate_size", { 0 }, DS_KEY_I64, AT(expert_size), 0, MAX_DIM, NULL, "width inside an expert, 0 for intermediate_size" },
	{ "shared_expert_intermediate_size", { 0 }, DS_KEY_I64, AT(shared_size), 0, MAX_DIM, NULL, "width inside the expert that all tokens take" },
	{ "decoder_sparse_step", { 0 }, DS_KEY_I64, AT(sparse_step), 1, 4096, NULL, "every so many layers has experts" },
	{ "norm_topk_prob", { 0 }, DS_KEY_BOOL, AT(norm_chosen), 0, 0, NULL, "the weights of a token's experts sum to 1" },
	{ "output_router_logits", { 0 }, DS_KEY_BOOL, AT(router_losses), 0, 0, NULL, "the routers' losses count in training" },
	{ "router_aux_loss_coef", { 0 }, DS_KEY_F64, AT(balance_coef), 0, 1e3, NULL, "of the loss that spreads tokens over experts" },
	{ "router_aux_loss_scope", { 0 }, DS_KEY_CHOICE, AT(balance), 0, 0, "layer|model", "balance in each layer, or between sums over all of them" },
	{ "scoring_func", { 0 }, DS_KEY_CHOICE, AT(scoring), 0, 0, "softmax|sigmoid", "what a router makes of its logits" },
	{ "router_bias_update_rate", { 0 }, DS_KEY_F64, AT(bias_rate), 0, 1, NULL, "a step of the bias that evens out loads without a loss, 0 for none" },
	{ "router_z_loss_coef", { 0 }, DS_KEY_F64, AT(z_coef), 0, 1e3, NULL, "of the loss that keeps routers' logits small" },
	{ 0 },
};
/* clang-format on */

const char *const ds_tower_keys[DS_MAX_TOWERS] = { "text_config", "vision_config" };

/* What else there is to say of some of them. */
static const struct {
	const char *name;
	unsigned flags;
} flagged[] = {
	{ "embd_pdrop", DS_CONFIG_DROPOUT },
	{ "resid_pdrop", DS_CONFIG_DROPOUT },
	{ "attention_dropout", DS_CONFIG_DROPOUT },
	{ "classifier_dropout", DS_CONFIG_DROPOUT | DS_CONFIG_MINUS },
	{ "bos_token_id", DS_CONFIG_MINUS },
	{ "eos_token_id", DS_CONFIG_MINUS },
	{ "pad_token_id", DS_CONFIG_MINUS },
	{ "sliding_window", DS_CONFIG_ZERO },
	{ "rope_scaling_factor", DS_CONFIG_SCALING },
	{ "rope_low_freq_factor", DS_CONFIG_SCALING },
	{ "rope_high_freq_factor", DS_CONFIG_SCALING },
	{ "rope_beta_fast", DS_CONFIG_SCALING },
	{ "rope_beta_slow", DS_CONFIG_SCALING },
	{ "rope_attention_factor", DS_CONFIG_SCALING },
	{ "rope_original_positions", DS_CONFIG_SCALING },
};

bool ds_config_is(const ds_key *k, unsigned flags)
{
	for (size_t i = 0; i < sizeof(flagged) / sizeof(*flagged); i++)
		if (flagged[i].flags & flags && strcmp(flagged[i].name, k->name) == 0)
			return true;
	return false;
}

#define LLAMA3 \
	"vocab_size=128256,max_position_embeddings=131072,rms_norm_eps=1e-5,rope_theta=500000," \
	"rope_scaling=llama3,rope_scaling_factor=32,rope_low_freq_factor=1," \
	"rope_high_freq_factor=4,rope_original_positions=8192,bos_token_id=128000," \
	"eos_token_id=128001"
#define QWEN3 \
	"vocab_size=151936,num_key_value_heads=8,head_dim=128,max_position_embeddings=40960,rope_" \
	"theta=1e6"
#define ROUTED "output_router_logits=true,router_aux_loss_scope=layer"
#define QWEN3_MOE \
	ROUTED ",num_hidden_layers=48,head_dim=128,max_position_embeddings=40960,rope_theta=1e6," \
	       "norm_topk_prob=true"
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

/* By model_type or class name; NULL. */
static const ds_arch *find_arch(ds_str name)
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

const ds_key *ds_config_key(ds_str name)
{
	return ds_key_find(ds_config_keys, name);
}

bool ds_config_word(const char *list, const char *word)
{
	ds_str rest = ds_str_of(list ? list : "");
	while (rest.at && rest.n)
		if (ds_str_is(ds_str_cut(rest, ' ', &rest), word))
			return true;
	return false;
}

bool ds_config_has(const ds_arch *a, const ds_key *k)
{
	return ds_config_word(a->keys, k->name);
}

/* "text_config.hidden_size": the tower, and *rest of the name; -1: it is no tower's. */
static int tower_of(ds_str name, ds_str *rest)
{
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		ds_str key = ds_str_of(ds_tower_keys[i]);
		if (ds_str_starts(name, key) && name.n > key.n && name.at[key.n] == '.') {
			*rest = (ds_str){ name.at + key.n + 1, name.n - key.n - 1 };
			return i;
		}
	}
	return -1;
}

static bool known(void *context, ds_str name)
{
	return ds_config_is_key(name);
}

bool ds_config_is_key(ds_str name)
{
	ds_str rest = name;
	tower_of(name, &rest);
	return ds_config_key(rest) || ds_str_is(rest, "dropout");
}

bool ds_config_given(const ds_config *c, const char *name)
{
	bool given = ds_config_was_set(c, ds_config_key(ds_str_of(name)));
	for (int i = 0; i < DS_MAX_TOWERS; i++)
		given |= c->towers[i] && ds_config_given(c->towers[i], name);
	return given;
}

bool ds_config_quick(const ds_config *c)
{
	return c->act == sizeof(acts) / sizeof(*acts) - 1;
}

ds_config *ds_config_tokens(ds_config *c)
{
	return c->towers[DS_TOWER_TEXT] ? c->towers[DS_TOWER_TEXT] : c;
}

const ds_config *ds_config_images(const ds_config *c)
{
	if (c->towers[DS_TOWER_IMAGE])
		return c->towers[DS_TOWER_IMAGE];
	return c->arch->traits & DS_ARCH_IMAGES ? c : NULL;
}

void ds_config_copy(ds_config *to, const ds_config *from, ds_arena *mem)
{
	*to = *from;
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		if (!from->towers[i])
			continue;
		to->towers[i] = ds_arena_get(mem, sizeof(*to));
		*to->towers[i] = *from->towers[i];
	}
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
	memset(c->given, 0, sizeof(c->given));
	for (int i = 0; i < DS_MAX_TOWERS; i++)
		if (c->towers[i])
			memset(c->towers[i]->given, 0, sizeof(c->given));
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
	const ds_arch *a = find_arch(arch);
	if (!a)
		return unknown_arch(arch, e);
	*c = (ds_config){ .arch = a,
		.bos = -1,
		.eos = -1,
		.pad = -1,
		.classifier_dropout = -1,
		.scaling_factor = 1,
		.scaling_low = 1,
		.scaling_high = 4,
		.scaling_fast = 32,
		.scaling_slow = 1,
		.n_chosen = 2,
		.sparse_step = 1,
		.norm_chosen = true,
		.router_losses = true,
		.balance_coef = 0.001,
		.init_range = 0.02,
		.n_channels = 3,
		.head = a->first_head };
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		if (!a->towers[i])
			continue;
		c->towers[i] = ds_arena_zero(mem, sizeof(*c));
		DS_TRY(ds_config_init(c->towers[i], ds_str_of(a->towers[i]), mem, e));
	}
	return set_all(c, a->defaults, mem, e);
}

static int find_preset(ds_str name)
{
	for (int i = 0; i < N_PRESETS; i++)
		if (ds_str_is(name, presets[i].name))
			return i;
	return -1;
}

/* An architecture by its own name: its defaults are its base size, where presets.def has no other. */
static bool is_arch(ds_str name)
{
	const ds_arch *a = find_arch(name);
	return a && ds_str_is(name, a->name);
}

bool ds_config_is_preset(ds_str name)
{
	return find_preset(name) >= 0 || is_arch(name);
}

ds_rc ds_config_preset(ds_config *c, ds_str name, ds_arena *mem, ds_err *e)
{
	int i = find_preset(name);
	if (i < 0 && is_arch(name))
		return ds_config_init(c, name, mem, e);
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
	DS_TRY(ds_key_set(k, c, value, mem, e));
	size_t i = (size_t)(k - ds_config_keys);
	c->given[i / 64] |= (uint64_t)1 << i % 64;
	return DS_OK;
}

/* Where the trunk itself has it, that alone; else every tower that has it. */
static ds_rc set_where_it_is(
	ds_config *c, const ds_key *k, ds_str value, ds_arena *mem, bool *found, ds_err *e)
{
	const ds_arch *a = c->arch;
	*found = ds_config_has(a, k) || (a->sparse && ds_config_has(a->sparse, k));
	if (*found)
		return set_key(c, k, value, mem, e);
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		if (!c->towers[i] || !ds_config_has(c->towers[i]->arch, k))
			continue;
		*found = true;
		DS_TRY(set_key(c->towers[i], k, value, mem, e));
	}
	return DS_OK;
}

ds_rc ds_config_set(ds_config *c, ds_str name, ds_str value, ds_arena *mem, ds_err *e)
{
	bool found;
	int tower = tower_of(name, &name);
	if (tower >= 0 && !c->towers[tower])
		return ds_fail(e, DS_USAGE, "%s has no %s", c->arch->name, ds_tower_keys[tower]);
	if (tower >= 0)
		return ds_config_set(c->towers[tower], name, value, mem, e);
	if (ds_str_is(name, "dropout")) {
		for (const ds_key *k = ds_config_keys; k->name; k++)
			if (ds_config_is(k, DS_CONFIG_DROPOUT))
				DS_TRY(set_where_it_is(c, k, value, mem, &found, e));
		return DS_OK;
	}
	const ds_key *k = ds_config_key(name);
	if (!k)
		return ds_fail(e, DS_USAGE, "unknown key '%.*s'; the nearest is '%s'", DS_FMT(name),
			ds_key_nearest(ds_config_keys, NULL, name));
	DS_TRY(set_where_it_is(c, k, value, mem, &found, e));
	return found ? DS_OK : ds_fail(e, DS_USAGE, "%s has no key '%s'", c->arch->name, k->name);
}

/*
 * Keys that the architecture knows and this program does not, in their only value that changes nothing:
 * "name=value" separated by blanks.
 */
static const char for_all[] = "is_decoder=false add_cross_attention=false is_encoder_decoder=false "
			      "partial_rotary_factor=1 problem_type=single_label_classification "
			      "quantization_config= pruned_heads=";

static bool is_harmless(const ds_json *m, ds_str value)
{
	double want;
	switch (m->kind) {
	case DS_J_NULL:
		return true;
	case DS_J_BOOL:
		return ds_str_is(value, m->b ? "true" : "false");
	case DS_J_I64:
	case DS_J_F64:
		return ds_str_f64(value, &want) && want == m->f;
	case DS_J_STR:
		return ds_str_eq(m->s, value);
	default:
		return !m->n;
	}
}

static const ds_json *refused_in(const ds_config *c, const char *list)
{
	ds_str rest = ds_str_of(list ? list : "");
	while (rest.at && rest.n) {
		ds_str value, pair = ds_str_cut(rest, ' ', &rest);
		ds_str name = ds_str_cut(pair, '=', &value);
		for (const ds_json *m = c->kept ? c->kept->first : NULL; m; m = m->next)
			if (ds_str_eq(m->key, name) && !is_harmless(m, value))
				return m;
	}
	return NULL;
}

/* What is trained without them must not say that it has them. */
bool ds_config_refused(const ds_config *c, const ds_json *m)
{
	ds_config one = *c;
	ds_json alone = *m, root = { .kind = DS_J_OBJ, .n = 1, .first = &alone };
	alone.next = NULL;
	one.kept = &root;
	return refused_in(&one, for_all) || refused_in(&one, c->arch->only);
}

static ds_rc refuse_unknown(const ds_config *c, ds_err *e)
{
	ds_buf value = { 0 };
	const ds_json *m = refused_in(c, for_all);
	if (!m)
		m = refused_in(c, c->arch->only);
	if (!m || c->insist)
		return DS_OK;
	ds_json_add(&value, m);
	ds_rc rc = ds_fail(e, DS_USAGE,
		"%s with %.*s=%s is not supported; --ignore-keys computes without it",
		c->arch->name, DS_FMT(m->key), ds_buf_text(&value));
	ds_buf_free(&value);
	return rc;
}

/*
 * Experts make another architecture of a dense one, the published one where there is any. What was set of its keys
 * alone asks for them; and it must have what was set.
 */
static ds_rc settle_experts(ds_config *c, ds_err *e)
{
	if (c->arch->sparse && c->n_experts)
		c->arch = c->arch->sparse;
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (ds_config_was_set(c, k) && !ds_config_has(c->arch, k))
			return ds_fail(e, DS_USAGE, "%s has no key '%s'%s", c->arch->name, k->name,
				c->arch->sparse ? " without num_experts" : "");
	if (!c->arch->moe)
		return DS_OK;
	if (c->n_experts < 1)
		return ds_fail(e, DS_USAGE, "%s with num_experts=0", c->arch->name);
	if (c->n_chosen > c->n_experts)
		return ds_fail(e, DS_USAGE, "num_experts_per_tok=%lld of num_experts=%lld",
			(long long)c->n_chosen, (long long)c->n_experts);
	return DS_OK;
}

static const char *two_labels[] = { "LABEL_0", "LABEL_1" };

/* Ids that texts begin and end with are ids of the vocabulary. */
static ds_rc check_specials(const ds_config *c, ds_err *e)
{
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

static ds_rc check_act(const ds_config *c, ds_err *e)
{
	if (ds_config_quick(c) && !(c->arch->traits & DS_ARCH_QUICK))
		return ds_fail(e, DS_USAGE, "%s with hidden_act=quick_gelu is not supported",
			c->arch->name);
	return DS_OK;
}

ds_rc ds_config_finish(ds_config *c, ds_err *e)
{
	DS_TRY(settle_experts(c, e));
	DS_TRY(refuse_unknown(c, e));
	for (int i = 0; i < DS_MAX_TOWERS; i++)
		if (c->towers[i])
			DS_TRY_AT(ds_config_finish(c->towers[i], e), e, "%s", ds_tower_keys[i]);
	DS_TRY(c->arch->finish(c, e));
	if (c->arch->moe && !c->expert_size)
		c->expert_size = c->intermediate_size;
	if (c->arch->moe && c->arch->moe->shared && !c->shared_size)
		c->shared_size = c->expert_size;
	if ((c->head == DS_HEAD_SEQ || c->head == DS_HEAD_TOKEN) && !c->n_labels) {
		c->n_labels = 2; /* transformers' own */
		c->labels = two_labels;
	}
	if (c->n_heads % c->n_kv_heads)
		return ds_fail(e, DS_USAGE,
			"num_attention_heads=%lld is not a multiple of num_key_value_heads=%lld",
			(long long)c->n_heads, (long long)c->n_kv_heads);
	DS_TRY(check_act(c, e));
	return c->arch->traits & DS_ARCH_IMAGES ? DS_OK : check_specials(c, e);
}

const char *ds_config_spelled(const ds_config *c, const ds_key *k)
{
	for (int i = 0; i < 3 && k->also[i]; i++)
		if (ds_config_word(c->arch->spells, k->also[i]))
			return k->also[i];
	return k->name;
}

static void print_ini(const ds_config *c, const char *prefix, ds_buf *out)
{
	for (const ds_key *k = ds_config_keys; k->name; k++) {
		if (!ds_config_has(c->arch, k))
			continue;
		ds_buf_fmt(out, "%s%s = ", prefix, ds_config_spelled(c, k));
		ds_key_print(k, c, out);
		ds_buf_add_byte(out, '\n');
	}
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		char inside[32];
		snprintf(inside, sizeof(inside), "%s.", ds_tower_keys[i]);
		if (c->towers[i])
			print_ini(c->towers[i], inside, out);
	}
}

void ds_config_ini(const ds_config *c, ds_buf *out)
{
	print_ini(c, "", out);
}
