/*
 * arch_vit.c - ViT (Dosovitskiy et al. 2020): an encoder over a picture's patches
 */
#include "model/arch.h"

static ds_tid trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	double dev = c->init_range;
	const ds_patch_names patches = { .patch = "vit.embeddings.patch_embeddings.projection",
		.class_state = "vit.embeddings.cls_token",
		.positions = "vit.embeddings.position_embeddings",
		.patch_bias = true,
		.ranks = true,
		.dev_patch = dev,
		.dev_class = dev,
		.dev_positions = dev };
	const ds_layer_names layers = { .layers = "vit.encoder.layer",
		.q = "attention.attention.query",
		.k = "attention.attention.key",
		.v = "attention.attention.value",
		.out = "attention.output.dense",
		.up = "intermediate.dense",
		.down = "output.dense",
		.norm1 = "layernorm_before",
		.norm2 = "layernorm_after",
		.dev_qkv = dev,
		.dev_out = dev,
		.dev_up = dev,
		.dev_down = dev,
		.qkv_bias = c->qkv_bias };
	ds_tid delta, x = ds_arch_embed_patches(g, c, b, &patches);
	x = ds_arch_layers(g, c, b, &layers, ds_g_dropout(g, x, (float)c->resid_dropout), &delta);
	ds_g_at(g, -1, "%s", "vit.layernorm");
	return ds_arch_norm(g, c, "vit.layernorm", x, delta, NULL);
}

static ds_tid pool(ds_graph *g, const ds_config *c, ds_build *b, ds_tid x)
{
	return ds_arch_state(g, b, x, 0);
}

static const ds_arch_part parts[] = { { "classifier.", 1 << DS_HEAD_SEQ },
	{ "vit.pooler.", 1 << DS_HEAD_NONE }, { 0 } };

const ds_arch ds_arch_vit = {
	.name = "vit",
	.class_name = "ViTForImageClassification",
	.class_of = { [DS_HEAD_SEQ] = "ViTForImageClassification", [DS_HEAD_NONE] = "ViTModel" },
	.help = "ViT: an encoder for pictures, and their classification",
	.traits = DS_ARCH_ENCODER | DS_ARCH_IMAGES | DS_ARCH_QUICK,
	.spells = "layer_norm_eps hidden_dropout_prob attention_probs_dropout_prob",
	.keys = "hidden_size intermediate_size num_hidden_layers num_attention_heads image_size "
		"patch_size num_channels qkv_bias rms_norm_eps initializer_range resid_pdrop "
		"attention_dropout hidden_act norm_type",
	.norm_type = DS_NORM_LAYER,
	.defaults = "hidden_size=768,num_hidden_layers=12,num_attention_heads=12,"
		    "intermediate_size=3072,hidden_act=gelu,image_size=224,patch_size=16,"
		    "qkv_bias=true,layer_norm_eps=1e-12,norm_type=layernorm",
	.prefix = "vit.",
	.first_head = DS_HEAD_SEQ,
	.finish = ds_arch_finish_heads,
	.trunk = trunk,
	.pool = pool,
	.attention_inputs = "query,key,value",
	.embedding = "vit.embeddings.patch_embeddings.projection.weight",
	.head = "classifier.weight",
	.layers = "layer.",
	.parts = parts,
};
