/*
 * arch_clip.c - CLIP (Radford et al. 2021): a text and an image tower whose vectors are compared
 *
 * The text's vector is the state of its end, which sees all before it; the picture's that of its first row. Both
 * are projected and made of length 1. Logits are their products times a learned factor; the loss takes each text's
 * picture among all of the batch, and each picture's text, half and half.
 */
#include "model/arch.h"

#include <math.h>

/* Names as both towers have them; deviations as in the paper's code. */
static ds_layer_names layer_names(const ds_config *c, const char *layers)
{
	double width = 1 / sqrt((double)c->hidden_size);
	double depth = width / sqrt(2.0 * (double)c->n_layers);
	return (ds_layer_names){ .layers = layers,
		.q = "self_attn.q_proj",
		.k = "self_attn.k_proj",
		.v = "self_attn.v_proj",
		.out = "self_attn.out_proj",
		.up = "mlp.fc1",
		.down = "mlp.fc2",
		.norm1 = "layer_norm1",
		.norm2 = "layer_norm2",
		.dev_qkv = depth,
		.dev_out = width,
		.dev_up = width / sqrt(2),
		.dev_down = depth,
		.qkv_bias = true };
}

/* ---- text ---- */

static ds_tid text_trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_layer_names layers = layer_names(c, "text_model.encoder.layers");
	ds_g_at(g, -1, "%s", "text_model.embeddings");
	ds_tid token = ds_g_param(g, c->arch->embedding, DS_DIMS(c->vocab_size, c->hidden_size),
		ds_init_normal(c->init_range), 0);
	ds_tid place = ds_g_param(g, "text_model.embeddings.position_embedding.weight",
		DS_DIMS(c->max_positions, c->hidden_size), ds_init_normal(c->init_range), 0);
	ds_tid delta,
		x = ds_g_add(g, ds_arch_tokens(g, c, b, token), ds_g_embed(g, place, b->positions));
	x = ds_arch_layers(g, c, b, &layers, x, &delta);
	ds_g_at(g, -1, "%s", "text_model.final_layer_norm");
	return ds_arch_norm(g, c, "text_model.final_layer_norm", x, delta, NULL);
}

/* Which row that is, the caller says: what it is has changed between versions of the published model. */
static ds_tid text_pool(ds_graph *g, const ds_config *c, ds_build *b, ds_tid x)
{
	b->ends = ds_arch_input(g, "ends", g->batch);
	return ds_g_rows(g, x, b->ends);
}

const ds_arch ds_arch_clip_text_model = {
	.name = "clip_text_model",
	.class_name = "CLIPTextModel",
	.class_of = { [DS_HEAD_NONE] = "CLIPTextModel" },
	.help = "CLIP's text tower",
	.traits = DS_ARCH_QUICK,
	.spells = "layer_norm_eps",
	.keys = "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
		"max_position_embeddings bos_token_id eos_token_id pad_token_id rms_norm_eps "
		"initializer_range attention_dropout hidden_act norm_type",
	.norm_type = DS_NORM_LAYER,
	.nulls = "attention_dropout",
	.defaults = "vocab_size=49408,hidden_size=512,intermediate_size=2048,num_hidden_layers=12,"
		    "num_attention_heads=8,max_position_embeddings=77,hidden_act=quick_gelu,"
		    "layer_norm_eps=1e-5,norm_type=layernorm,bos_token_id=49406,"
		    "eos_token_id=49407,pad_token_id=1",
	.prefix = "",
	.first_head = DS_HEAD_NONE,
	.finish = ds_arch_finish_heads,
	.trunk = text_trunk,
	.pool = text_pool,
	.attention_inputs = "q_proj,k_proj,v_proj",
	.embedding = "text_model.embeddings.token_embedding.weight",
	.head = "text_projection.weight",
	.layers = "layers.",
};

/* ---- pictures ---- */

static ds_tid image_trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	const ds_patch_names patches = { .patch = "vision_model.embeddings.patch_embedding",
		.class_state = "vision_model.embeddings.class_embedding",
		.positions = "vision_model.embeddings.position_embedding.weight",
		.dev_patch = c->init_range,
		.dev_class = 1 / sqrt((double)c->hidden_size),
		.dev_positions = c->init_range };
	ds_layer_names layers = layer_names(c, "vision_model.encoder.layers");
	ds_tid delta, x = ds_arch_embed_patches(g, c, b, &patches);
	x = ds_arch_norm(g, c, "vision_model.pre_layrnorm", x, 0, NULL); /* sic */
	x = ds_arch_layers(g, c, b, &layers, x, &delta);
	return delta ? ds_g_add(g, x, delta) : x;
}

static ds_tid image_pool(ds_graph *g, const ds_config *c, ds_build *b, ds_tid x)
{
	ds_g_at(g, -1, "%s", "vision_model.post_layernorm");
	return ds_arch_norm(
		g, c, "vision_model.post_layernorm", ds_arch_state(g, b, x, 0), 0, NULL);
}

const ds_arch ds_arch_clip_vision_model = {
	.name = "clip_vision_model",
	.class_name = "CLIPVisionModel",
	.class_of = { [DS_HEAD_NONE] = "CLIPVisionModel" },
	.help = "CLIP's image tower",
	.traits = DS_ARCH_ENCODER | DS_ARCH_IMAGES | DS_ARCH_QUICK,
	.spells = "layer_norm_eps",
	.keys = "hidden_size intermediate_size num_hidden_layers num_attention_heads image_size "
		"patch_size num_channels rms_norm_eps initializer_range attention_dropout "
		"hidden_act "
		"norm_type",
	.norm_type = DS_NORM_LAYER,
	.nulls = "attention_dropout",
	.defaults = "hidden_size=768,intermediate_size=3072,num_hidden_layers=12,"
		    "num_attention_heads=12,image_size=224,patch_size=32,hidden_act=quick_gelu,"
		    "layer_norm_eps=1e-5,norm_type=layernorm",
	.prefix = "vision_model.",
	.first_head = DS_HEAD_NONE,
	.finish = ds_arch_finish_heads,
	.trunk = image_trunk,
	.pool = image_pool,
	.attention_inputs = "q_proj,k_proj,v_proj",
	.embedding = "vision_model.embeddings.patch_embedding.weight",
	.head = "visual_projection.weight",
	.layers = "layers.",
};

/* ---- both ---- */

/* What asks the model as a whole is answered for its texts. */
static ds_rc finish(ds_config *c, ds_err *e)
{
	const ds_config *t = c->towers[DS_TOWER_TEXT];
	c->vocab_size = t->vocab_size;
	c->max_positions = t->max_positions;
	c->hidden_size = c->projection;
	c->n_layers = t->n_layers;
	c->n_heads = t->n_heads;
	c->n_kv_heads = t->n_kv_heads;
	c->head_dim = t->head_dim;
	c->bos = t->bos;
	c->eos = t->eos;
	c->pad = t->pad;
	c->ends = t->ends;
	c->n_ends = t->n_ends;
	return DS_OK;
}

/* x / |x|: an RMSNorm whose weights are 1 / sqrt(n). */
static ds_tid to_length_1(ds_graph *g, ds_tid x, int64_t n)
{
	float *w = ds_arena_get(g->mem, (size_t)n * sizeof(*w));
	for (int64_t i = 0; i < n; i++)
		w[i] = (float)(1 / sqrt((double)n));
	ds_tid by = ds_g_const(g, "unit", DS_F32, DS_DIMS(n), w);
	return ds_g_norm(g, x, 0, by, 0, (ds_norm_attr){ .rms = true, .eps = 1e-24f }, NULL);
}

static ds_tid embed(ds_graph *g, const ds_config *c, ds_build *b, int tower)
{
	static const char *const modules[] = { "text_projection", "visual_projection" };
	static const char *const outputs[] = { "text_embeds", "image_embeds" };
	const ds_config *t = c->towers[tower];
	ds_tid x = t->arch->pool(g, t, b, ds_arch_trunk(g, t, b));
	ds_g_at(g, -1, "%s", modules[tower]);
	x = ds_arch_linear(g, b, modules[tower], x,
		(ds_linear_shape){ t->hidden_size, c->projection, false, false,
			1 / sqrt((double)t->hidden_size) });
	x = to_length_1(g, x, c->projection);
	if (!b->train)
		ds_g_keep(g, x, outputs[tower]);
	return x;
}

/* Of text i, picture i is the right one; what is no pair has no target, and is nobody's candidate. */
static void add_loss(ds_graph *g, ds_build *b, ds_tid text, ds_tid image)
{
	ds_tid by_text, by_image;
	b->targets = ds_arch_input(g, "targets", g->batch);
	b->pair_bias = ds_g_input(g, "pair_bias", DS_F32, DS_DIMS(g->batch));
	b->inv = ds_g_input(g, "inv_targets", DS_F32, DS_DIMS(1));
	ds_tid one = ds_g_linear_xent(g, text, image, b->pair_bias, b->targets, b->inv, &by_text);
	ds_tid two = ds_g_linear_xent(g, image, text, b->pair_bias, b->targets, b->inv, &by_image);
	b->loss = ds_g_add(g, one, two);
	b->nll = ds_g_add(g, by_text, by_image);
	ds_g_loss(g, b->loss);
	ds_g_keep(g, b->nll, NULL);
}

static void join(ds_graph *g, const ds_config *c, ds_build *b)
{
	unsigned all = (1u << DS_MAX_TOWERS) - 1, wanted = b->towers ? b->towers : all;
	for (int t = 0; t < DS_MAX_TOWERS; t++)
		if (wanted >> t & 1)
			b->embeds[t] = embed(g, c, b, t);
	if (wanted != all || b->only_hidden) {
		ds_arch_freeze(g, b);
		return;
	}
	ds_g_at(g, -1, "%s", "logit_scale");
	ds_tid factor = ds_g_param(g, "logit_scale", DS_DIMS(1),
		(ds_init){ DS_INIT_SAME, (float)c->logit_scale }, DS_TENSOR_NO_DECAY);
	ds_g_stored(g, factor, 0, NULL);
	ds_arch_freeze(g, b);
	ds_tid text = ds_g_gain(g, b->embeds[DS_TOWER_TEXT], factor);
	ds_tid image = b->embeds[DS_TOWER_IMAGE];
	if (b->train) {
		add_loss(g, b, text, image);
		return;
	}
	b->logits = ds_g_matmul(g, text, image, (ds_matmul_attr){ .b_transposed = true });
	ds_g_keep(g, b->logits, "logits");
}

const ds_arch ds_arch_clip = {
	.name = "clip",
	.class_name = "CLIPModel",
	.class_of = { [DS_HEAD_PAIR] = "CLIPModel" },
	.help = "CLIP: texts and pictures compared",
	.traits = DS_ARCH_ENCODER,
	.keys = "projection_dim logit_scale_init_value",
	.defaults = "projection_dim=512,logit_scale_init_value=2.6592",
	.prefix = "",
	.first_head = DS_HEAD_PAIR,
	.towers = { "clip_text_model", "clip_vision_model" },
	.finish = finish,
	.join = join,
	.attention_inputs = "q_proj,k_proj,v_proj",
	.embedding = "text_model.embeddings.token_embedding.weight",
	.head = "text_projection.weight",
	.layers = "layers.",
};
