/*
 * arch_llama.c - Llama (Touvron et al. 2023) and its kin: RMSNorm, rotary positions, grouped heads,
 * gated feed-forward
 *
 * Mistral adds a sliding window, Qwen2 biases on q, k and v, Qwen3 a norm of their every head instead.
 */
#include "model/arch.h"

#include "base/mem.h"

#include <math.h>

/* A preset's number of key/value heads that does not divide the heads asked for keeps its share. */
static void fit_kv_heads(ds_config *c)
{
	if (!c->n_kv_heads)
		c->n_kv_heads = c->n_heads;
	if (c->n_heads % c->n_kv_heads == 0 || ds_config_given(c, "num_key_value_heads") || c->kept)
		return;
	c->n_kv_heads = c->n_heads % 4 ? c->n_heads : c->n_heads / 4;
}

/* Windows in some of the layers alone are not built. */
static ds_rc check_layer_types(const ds_config *c, ds_err *e)
{
	const ds_json *v = ds_json_get(c->kept, "layer_types");
	for (size_t i = 0; v && v->kind == DS_J_ARR && i < v->n && !c->insist; i++)
		if (!ds_str_is(v->items[i]->s, "full_attention"))
			return ds_fail(e, DS_USAGE,
				"layer_types: '%.*s' is not supported; --ignore-keys computes "
				"without it",
				DS_FMT(v->items[i]->s));
	return DS_OK;
}

static ds_rc check_scaling(ds_config *c, ds_err *e)
{
	if (!c->scaling_original)
		c->scaling_original = c->max_positions;
	if (c->scaling == DS_SCALING_YARN && c->scaling_factor == 0) /* as DeepSeek has it */
		c->scaling_factor = (double)c->max_positions / (double)c->scaling_original;
	if (c->scaling_factor < 1)
		return ds_fail(e, DS_USAGE, "rope_scaling_factor=%g is below 1", c->scaling_factor);
	if (c->scaling == DS_SCALING_LLAMA3 && c->scaling_low >= c->scaling_high)
		return ds_fail(e, DS_USAGE,
			"rope_low_freq_factor=%g is not below rope_high_freq_factor=%g",
			c->scaling_low, c->scaling_high);
	if (c->scaling == DS_SCALING_YARN && c->scaling_attention == 0)
		c->scaling_attention = 0.1 * log(c->scaling_factor) + 1;
	return DS_OK;
}

static ds_rc finish(ds_config *c, ds_err *e)
{
	DS_TRY(check_layer_types(c, e));
	fit_kv_heads(c);
	if (!c->head_dim) {
		if (c->hidden_size % c->n_heads)
			return ds_fail(e, DS_USAGE,
				"hidden_size=%lld is not a multiple of num_attention_heads=%lld",
				(long long)c->hidden_size, (long long)c->n_heads);
		c->head_dim = c->hidden_size / c->n_heads;
	}
	if (c->head_dim % 2)
		return ds_fail(e, DS_USAGE, "head_dim=%lld is odd: rotary positions need pairs",
			(long long)c->head_dim);
	if (!c->intermediate_size)
		return ds_fail(e, DS_USAGE, "intermediate_size=0");
	return check_scaling(c, e);
}

/* As transformers' modeling_rope_utils: short waves stay, long ones are stretched, a ramp between. */
static double llama3_scaled(const ds_config *c, double freq)
{
	double wave = 2 * M_PI / freq, original = (double)c->scaling_original;
	if (wave < original / c->scaling_high)
		return freq;
	if (wave > original / c->scaling_low)
		return freq / c->scaling_factor;
	double t = (original / wave - c->scaling_low) / (c->scaling_high - c->scaling_low);
	return (1 - t) * freq / c->scaling_factor + t * freq;
}

/* The pair that makes so many rotations over the original positions (Peng et al., 2023, YaRN). */
static double pair_turning(const ds_config *c, double times)
{
	return (double)c->head_dim * log((double)c->scaling_original / (times * 2 * M_PI)) /
	       (2 * log(c->rope_theta));
}

/* Pairs of many rotations stay, slow ones are stretched, a ramp between. */
static double yarn_scaled(const ds_config *c, double freq, int64_t i)
{
	double low = fmax(floor(pair_turning(c, c->scaling_fast)), 0);
	double high = fmin(ceil(pair_turning(c, c->scaling_slow)), (double)c->head_dim - 1);
	double t = ((double)i - low) / (low == high ? 0.001 : high - low);
	t = t < 0 ? 0 : t > 1 ? 1 : t;
	return t * freq / c->scaling_factor + (1 - t) * freq;
}

/*
 * "dynamic" begins to stretch beyond max_position_embeddings, and longer sequences are not taken: there is
 * nothing to do.
 */
static ds_tid frequencies(ds_graph *g, const ds_config *c)
{
	int64_t half = c->head_dim / 2;
	float *f = DS_NEW(float, (size_t)half);
	for (int64_t i = 0; i < half; i++) {
		double v = pow(c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
		if (c->scaling == DS_SCALING_LINEAR)
			v /= c->scaling_factor;
		else if (c->scaling == DS_SCALING_LLAMA3)
			v = llama3_scaled(c, v);
		else if (c->scaling == DS_SCALING_YARN)
			v = yarn_scaled(c, v, i);
		f[i] = (float)v;
	}
	ds_tid t = ds_g_const(g, "rope.frequencies", DS_F32, DS_DIMS(half), f);
	ds_mem_free(f);
	return t;
}

static ds_tid linear(ds_graph *g, const ds_build *b, const char *at, const char *part, ds_tid x,
	ds_linear_shape s)
{
	DS_NAME(module, "%.64s.%s", at, part); /* at is shorter than that */
	return ds_arch_linear(g, b, module, x, s);
}

static ds_tid head_norm(ds_graph *g, const ds_config *c, const char *at, const char *part, ds_tid x)
{
	DS_NAME(name, "%.64s.%s.weight", at, part);
	ds_tid w = ds_g_param(
		g, name, DS_DIMS(c->head_dim), (ds_init){ DS_INIT_ONE, 1 }, DS_TENSOR_NO_DECAY);
	return ds_g_norm(g, x, 0, w, 0, (ds_norm_attr){ true, (float)c->norm_eps }, NULL);
}

static ds_tid attention(
	ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x, ds_tid freq)
{
	DS_NAME(at, "model.layers.%d.self_attn", layer);
	int64_t n = c->hidden_size, nq = c->n_heads * c->head_dim, nk = c->n_kv_heads * c->head_dim;
	bool bias = c->attention_bias || (c->arch->traits & DS_ARCH_QKV_BIAS);
	ds_rope_attr rope = { .head_dim = (int32_t)c->head_dim,
		.rot = (int32_t)c->head_dim,
		.factor = c->scaling == DS_SCALING_YARN ? (float)c->scaling_attention : 1 };
	ds_g_at(g, layer, "%s", at);
	ds_tid q = linear(
		g, b, at, "q_proj", x, (ds_linear_shape){ n, nq, bias, false, c->init_range });
	ds_tid k = linear(
		g, b, at, "k_proj", x, (ds_linear_shape){ n, nk, bias, false, c->init_range });
	ds_tid v = linear(
		g, b, at, "v_proj", x, (ds_linear_shape){ n, nk, bias, false, c->init_range });
	if (c->arch->traits & DS_ARCH_QK_NORM) {
		q = head_norm(g, c, at, "q_norm", q);
		k = head_norm(g, c, at, "k_norm", k);
	}
	q = ds_g_rope(g, q, b->positions, freq, rope);
	k = ds_g_rope(g, k, b->positions, freq, rope);
	ds_tid y = ds_arch_attend(g, c, b, layer, q, k, v);
	return linear(g, b, at, "o_proj", y,
		(ds_linear_shape){ nq, n, c->attention_bias, false, c->init_range });
}

static ds_tid mlp(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x)
{
	DS_NAME(at, "model.layers.%d.mlp", layer);
	int64_t n = c->hidden_size, m = c->intermediate_size;
	ds_g_at(g, layer, "%s", at);
	ds_tid gate = linear(g, b, at, "gate_proj", x,
		(ds_linear_shape){ n, m, c->mlp_bias, false, c->init_range });
	ds_tid up = linear(g, b, at, "up_proj", x,
		(ds_linear_shape){ n, m, c->mlp_bias, false, c->init_range });
	ds_tid y = ds_g_glu(g, gate, up, ds_config_act(c));
	return linear(g, b, at, "down_proj", y,
		(ds_linear_shape){ m, n, c->mlp_bias, false, c->init_range });
}

static ds_tid experts(ds_graph *g, const ds_config *c, ds_build *b, int layer, ds_tid x)
{
	DS_NAME(at, "model.layers.%d.%s", layer, c->arch->moe->block);
	return ds_moe_layer(g, c, b, at, layer, x);
}

static ds_tid trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_tid w = ds_g_param(g, "model.embed_tokens.weight",
		DS_DIMS(c->vocab_size, c->hidden_size), ds_init_normal(c->init_range), 0);
	ds_tid x = ds_arch_tokens(g, c, b, w), delta = 0, freq = frequencies(g, c);
	for (int i = 0; i < c->n_layers; i++) {
		DS_NAME(before, "model.layers.%d.input_layernorm", i);
		DS_NAME(between, "model.layers.%d.post_attention_layernorm", i);
		ds_g_at(g, i, "%s", before);
		ds_tid y = ds_arch_norm(g, c, before, x, delta, &x);
		y = attention(g, c, b, i, y, freq);
		ds_g_at(g, i, "%s", between);
		y = ds_arch_norm(g, c, between, x, y, &x);
		delta = ds_moe_here(c, i) ? experts(g, c, b, i, y) : mlp(g, c, b, i, y);
	}
	ds_g_at(g, -1, "%s", "model.norm");
	return ds_arch_norm(g, c, "model.norm", x, delta, NULL);
}

#define COMMON_KEYS \
	"vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads " \
	"num_key_value_heads max_position_embeddings bos_token_id eos_token_id pad_token_id " \
	"rms_norm_eps rope_theta rope_scaling rope_scaling_factor rope_low_freq_factor " \
	"rope_high_freq_factor rope_beta_fast rope_beta_slow rope_attention_factor " \
	"rope_original_positions initializer_range attention_dropout " \
	"hidden_act norm_type tie_word_embeddings"
#define EXPERT_KEYS \
	" num_experts num_experts_per_tok output_router_logits router_aux_loss_coef " \
	"router_aux_loss_scope router_z_loss_coef scoring_func router_bias_update_rate"
#define QWEN_EXPERT_KEYS EXPERT_KEYS " moe_intermediate_size decoder_sparse_step norm_topk_prob"
/* As transformers: losses of routing only where they are asked for, over the sums of all layers. */
#define EXPERT_DEFAULTS "output_router_logits=false,router_aux_loss_scope=model,"
#define QWEN_ONLY "use_sliding_window=false mlp_only_layers= qkv_bias=true"
#define COMMON \
	.norm_type = DS_NORM_RMS, .prefix = "model.", .finish = finish, .trunk = trunk, \
	.attention_inputs = "q_proj,k_proj,v_proj", .embedding = "model.embed_tokens.weight", \
	.head = "lm_head.weight", .layers = "layers."
#define COMMON_DEFAULTS \
	"hidden_act=silu,rms_norm_eps=1e-6,rope_theta=10000,norm_type=rmsnorm,hidden_size=4096," \
	"num_hidden_layers=32,num_attention_heads=32,"

static const ds_arch_moe mixtral_moe = {
	.block = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"
};
static const ds_arch_moe qwen_moe = {
	.block = "mlp", .gate = "gate_proj", .up = "up_proj", .down = "down_proj"
};
static const ds_arch_moe qwen2_moe = { .block = "mlp",
	.gate = "gate_proj",
	.up = "up_proj",
	.down = "down_proj",
	.shared = "shared_expert" };

extern const ds_arch ds_arch_mixtral, ds_arch_qwen2_moe, ds_arch_qwen3_moe;

const ds_arch ds_arch_llama = {
	.name = "llama",
	.class_name = "LlamaForCausalLM",
	.help = "Llama: RMSNorm, rotary positions, grouped heads, SwiGLU",
	.traits = DS_ARCH_ROTARY,
	.keys = COMMON_KEYS " head_dim attention_bias mlp_bias",
	.nulls = "num_key_value_heads head_dim attention_dropout",
	.defaults = COMMON_DEFAULTS "vocab_size=32000,intermediate_size=11008,"
				    "max_position_embeddings=2048,bos_token_id=1,eos_token_id=2",
	.only = "use_sliding_window=false",
	.sparse = &ds_arch_mixtral,
	COMMON,
};
const ds_arch ds_arch_mistral = {
	.name = "mistral",
	.class_name = "MistralForCausalLM",
	.help = "Mistral: Llama with a sliding window",
	.traits = DS_ARCH_ROTARY,
	.keys = COMMON_KEYS " head_dim sliding_window",
	.nulls = "num_key_value_heads head_dim sliding_window",
	.defaults =
		COMMON_DEFAULTS "vocab_size=32000,intermediate_size=14336,num_key_value_heads=8,"
				"max_position_embeddings=131072,sliding_window=4096,"
				"bos_token_id=1,eos_token_id=2",
	.only = "use_sliding_window=false",
	.sparse = &ds_arch_mixtral,
	COMMON,
};
const ds_arch ds_arch_qwen2 = {
	.name = "qwen2",
	.class_name = "Qwen2ForCausalLM",
	.help = "Qwen2: Llama with biases on q, k and v",
	.traits = DS_ARCH_ROTARY | DS_ARCH_QKV_BIAS,
	.keys = COMMON_KEYS,
	.nulls = "num_key_value_heads",
	.defaults = COMMON_DEFAULTS "vocab_size=151936,intermediate_size=22016,"
				    "num_key_value_heads=32,"
				    "max_position_embeddings=32768",
	.only = "use_sliding_window=false",
	.sparse = &ds_arch_qwen2_moe,
	COMMON,
};
const ds_arch ds_arch_qwen3 = {
	.name = "qwen3",
	.class_name = "Qwen3ForCausalLM",
	.help = "Qwen3: Llama with every head of q and k normalised",
	.traits = DS_ARCH_ROTARY | DS_ARCH_QK_NORM,
	.keys = COMMON_KEYS " head_dim attention_bias",
	.nulls = "num_key_value_heads",
	.defaults = COMMON_DEFAULTS "vocab_size=151936,intermediate_size=22016,head_dim=128,"
				    "num_key_value_heads=32,max_position_embeddings=32768",
	.only = "use_sliding_window=false",
	.sparse = &ds_arch_qwen3_moe,
	COMMON,
};
const ds_arch ds_arch_mixtral = {
	.name = "mixtral",
	.class_name = "MixtralForCausalLM",
	.help = "Mixtral: Llama with experts",
	.spells = "num_local_experts",
	.traits = DS_ARCH_ROTARY,
	.keys = COMMON_KEYS EXPERT_KEYS " head_dim sliding_window",
	.nulls = "head_dim sliding_window",
	.only = "router_jitter_noise=0",
	.defaults = COMMON_DEFAULTS EXPERT_DEFAULTS "vocab_size=32000,intermediate_size=14336,"
						    "num_key_value_heads=8,rms_norm_eps=1e-5,"
						    "max_position_embeddings=131072,rope_theta=1e6,"
						    "num_experts=8,num_experts_per_tok=2,"
						    "bos_token_id=1,eos_token_id=2",
	.moe = &mixtral_moe,
	COMMON,
};
const ds_arch ds_arch_qwen2_moe = {
	.name = "qwen2_moe",
	.class_name = "Qwen2MoeForCausalLM",
	.help = "Qwen2 with experts, and one that all tokens take",
	.traits = DS_ARCH_ROTARY | DS_ARCH_QKV_BIAS,
	.keys = COMMON_KEYS QWEN_EXPERT_KEYS " shared_expert_intermediate_size",
	.only = QWEN_ONLY,
	.defaults = COMMON_DEFAULTS EXPERT_DEFAULTS
	"vocab_size=151936,hidden_size=2048,intermediate_size=5632,num_hidden_layers=24,"
	"num_attention_heads=16,num_key_value_heads=16,max_position_embeddings=32768,"
	"moe_intermediate_size=1408,shared_expert_intermediate_size=5632,num_experts=60,"
	"num_experts_per_tok=4,norm_topk_prob=false",
	.moe = &qwen2_moe,
	COMMON,
};
const ds_arch ds_arch_qwen3_moe = {
	.name = "qwen3_moe",
	.class_name = "Qwen3MoeForCausalLM",
	.help = "Qwen3 with experts",
	.traits = DS_ARCH_ROTARY | DS_ARCH_QK_NORM,
	.keys = COMMON_KEYS QWEN_EXPERT_KEYS " head_dim attention_bias",
	.nulls = "head_dim",
	.only = QWEN_ONLY,
	.defaults = COMMON_DEFAULTS EXPERT_DEFAULTS
	"vocab_size=151936,hidden_size=2048,intermediate_size=6144,num_hidden_layers=24,"
	"num_attention_heads=32,num_key_value_heads=4,max_position_embeddings=32768,"
	"moe_intermediate_size=768,num_experts=128,num_experts_per_tok=8,norm_topk_prob=false",
	.moe = &qwen_moe,
	COMMON,
};
