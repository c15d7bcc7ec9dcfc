/*
 * arch_gpt2.c - GPT-2 (Radford et al. 2019): learned positions, norm before each block, GELU
 *
 * Hugging Face stores its linear weights as Conv1D, [in, out], with q, k, v side by side.
 */
#include "model/arch.h"

#include <math.h>

static ds_rc finish(ds_config *c, ds_err *e)
{
	if (c->hidden_size % c->n_heads)
		return ds_fail(e, DS_USAGE, "n_embd=%lld is not a multiple of n_head=%lld",
			(long long)c->hidden_size, (long long)c->n_heads);
	c->n_kv_heads = c->n_heads;
	c->head_dim = c->hidden_size / c->n_heads;
	if (!c->intermediate_size)
		c->intermediate_size = 4 * c->hidden_size;
	return DS_OK;
}

/* W is [in, out]; deviation 0.02, less for what is added to the residual stream. */
static ds_tid conv1d(ds_graph *g, const ds_build *b, const char *module, ds_tid x, int64_t in,
	int64_t out, double dev)
{
	return ds_arch_linear(g, b, module, x, (ds_linear_shape){ in, out, true, true, dev });
}

static ds_tid attention(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x)
{
	DS_NAME(qkv_name, "transformer.h.%d.attn.c_attn", layer);
	DS_NAME(out_name, "transformer.h.%d.attn.c_proj", layer);
	int64_t n = c->hidden_size;
	ds_g_at(g, layer, "transformer.h.%d.attn", layer);
	ds_tid qkv = conv1d(g, b, qkv_name, x, n, 3 * n, c->init_range);
	ds_tid q = ds_g_slice(g, qkv, 0, n);
	ds_tid k = ds_g_slice(g, qkv, n, n);
	ds_tid v = ds_g_slice(g, qkv, 2 * n, n);
	ds_tid y = ds_arch_attend(g, c, b, layer, q, k, v);
	y = conv1d(g, b, out_name, y, n, n, c->init_range / sqrt(2.0 * (double)c->n_layers));
	return ds_g_dropout(g, y, (float)c->resid_dropout);
}

static ds_tid mlp(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x)
{
	DS_NAME(in_name, "transformer.h.%d.mlp.c_fc", layer);
	DS_NAME(out_name, "transformer.h.%d.mlp.c_proj", layer);
	int64_t n = c->hidden_size, m = c->intermediate_size;
	ds_g_at(g, layer, "transformer.h.%d.mlp", layer);
	ds_tid y = ds_g_unary(g, conv1d(g, b, in_name, x, n, m, c->init_range), ds_config_act(c));
	y = conv1d(g, b, out_name, y, m, n, c->init_range / sqrt(2.0 * (double)c->n_layers));
	return ds_g_dropout(g, y, (float)c->resid_dropout);
}

static ds_tid experts(ds_graph *g, const ds_config *c, ds_build *b, int layer, ds_tid x)
{
	DS_NAME(at, "transformer.h.%d.%s", layer, c->arch->moe->block);
	return ds_g_dropout(g, ds_moe_layer(g, c, b, at, layer, x), (float)c->resid_dropout);
}

static ds_tid trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_tid wte = ds_g_param(g, "transformer.wte.weight", DS_DIMS(c->vocab_size, c->hidden_size),
		ds_init_normal(c->init_range), 0);
	ds_tid wpe = ds_g_param(g, "transformer.wpe.weight",
		DS_DIMS(c->max_positions, c->hidden_size), ds_init_normal(c->init_range), 0);
	ds_tid x = ds_g_add(g, ds_arch_tokens(g, c, b, wte), ds_g_embed(g, wpe, b->positions));
	ds_tid delta = 0;
	x = ds_g_dropout(g, x, (float)c->embd_dropout);
	for (int i = 0; i < c->n_layers; i++) {
		DS_NAME(ln_1, "transformer.h.%d.ln_1", i);
		DS_NAME(ln_2, "transformer.h.%d.ln_2", i);
		ds_g_at(g, i, "%s", ln_1);
		ds_tid y = ds_arch_norm(g, c, ln_1, x, delta, &x);
		y = attention(g, c, b, i, y);
		ds_g_at(g, i, "%s", ln_2);
		y = ds_arch_norm(g, c, ln_2, x, y, &x);
		delta = ds_moe_here(c, i) ? experts(g, c, b, i, y) : mlp(g, c, b, i, y);
	}
	ds_g_at(g, -1, "%s", "transformer.ln_f");
	return ds_arch_norm(g, c, "transformer.ln_f", x, delta, NULL);
}

#define KEYS \
	"vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads " \
	"max_position_embeddings bos_token_id eos_token_id pad_token_id rms_norm_eps " \
	"initializer_range embd_pdrop resid_pdrop attention_dropout hidden_act norm_type " \
	"tie_word_embeddings"
#define DEFAULTS \
	"vocab_size=50257,n_positions=1024,n_embd=768,n_layer=12,n_head=12," \
	"activation_function=gelu_new,embd_pdrop=0.1,resid_pdrop=0.1,attn_pdrop=0.1," \
	"layer_norm_epsilon=1e-5,tie_word_embeddings=true,norm_type=layernorm," \
	"bos_token_id=50256,eos_token_id=50256"
#define COMMON \
	.spells = "n_embd n_inner n_layer n_head n_positions layer_norm_epsilon attn_pdrop " \
		  "activation_function", \
	.traits = DS_ARCH_IN_OUT, .norm_type = DS_NORM_LAYER, .nulls = "intermediate_size", \
	.only = "scale_attn_weights=true scale_attn_by_inverse_layer_idx=false", \
	.prefix = "transformer.", .finish = finish, .trunk = trunk, .attention_inputs = "c_attn", \
	.embedding = "transformer.wte.weight", .head = "lm_head.weight", .layers = "h."

extern const ds_arch ds_arch_gpt2_moe;

const ds_arch ds_arch_gpt2 = {
	.name = "gpt2",
	.class_name = "GPT2LMHeadModel",
	.help = "GPT-2: learned positions, LayerNorm, GELU",
	.keys = KEYS,
	.defaults = DEFAULTS,
	.sparse = &ds_arch_gpt2_moe,
	COMMON,
};

/* Nobody published one: names and keys as the others have them. */
static const ds_arch_moe moe = { .block = "mlp", .up = "c_fc", .down = "c_proj", .biased = true };
const ds_arch ds_arch_gpt2_moe = {
	.name = "gpt2_moe",
	.class_name = "GPT2MoeLMHeadModel",
	.help = "GPT-2 with experts",
	.keys = KEYS " num_experts num_experts_per_tok norm_topk_prob output_router_logits "
		     "router_aux_loss_coef router_aux_loss_scope router_z_loss_coef scoring_func "
		     "router_bias_update_rate",
	.defaults = DEFAULTS ",num_experts=8",
	.moe = &moe,
	COMMON,
};
