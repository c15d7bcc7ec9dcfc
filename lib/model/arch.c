/*
 * arch.c - what the architectures share: inputs, caches, the head
 */
#include "model/arch.h"

#include "base/mem.h"

#include <math.h>

ds_tid ds_arch_input(ds_graph *g, const char *name, int64_t n)
{
	return ds_g_input(g, name, DS_I32, DS_DIMS(n));
}

ds_tid ds_arch_tokens(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid w)
{
	ds_tid x = ds_g_embed(g, w, b->ids);
	return ds_soft_rows(b->soft) ? ds_soft_prompt(g, c, b->soft, x) : x;
}

/* The low-rank branch: scale * B (A dropout(x)), names as PEFT has them. */
static ds_tid add_lora(
	ds_graph *g, const ds_lora *l, const char *module, ds_tid x, ds_tid y, ds_linear_shape s)
{
	DS_NAME(name_a, DS_LORA_PREFIX "%s.lora_A.weight", module);
	DS_NAME(name_b, DS_LORA_PREFIX "%s.lora_B.weight", module);
	float half = (float)(1 / sqrt((double)s.in));
	ds_tid a =
		ds_g_param(g, name_a, DS_DIMS(l->r, s.in), (ds_init){ DS_INIT_UNIFORM, half }, 0);
	ds_tid b = ds_g_param(g, name_b, DS_DIMS(s.out, l->r), (ds_init){ DS_INIT_ZERO, 0 }, 0);
	x = ds_g_linear(g, ds_g_dropout(g, x, (float)l->dropout), a, 0, false);
	x = ds_g_linear(g, x, b, 0, false);
	return ds_g_add(g, y, ds_g_scale(g, x, (float)ds_lora_scale(l, ds_str_of(module))));
}

ds_tid ds_arch_linear(
	ds_graph *g, const ds_build *b, const char *module, ds_tid x, ds_linear_shape s)
{
	DS_NAME(weight, "%s.weight", module);
	DS_NAME(bias, "%s.bias", module);
	int64_t rows = s.in_out ? s.in : s.out, cols = s.in_out ? s.out : s.in;
	ds_tid w = ds_g_param(g, weight, DS_DIMS(rows, cols), ds_init_normal(s.dev), 0);
	ds_tid v = s.bias ? ds_g_param(g, bias, DS_DIMS(s.out), (ds_init){ DS_INIT_ZERO, 0 },
				    DS_TENSOR_NO_DECAY)
			  : 0;
	ds_tid y = ds_g_linear(g, x, w, v, s.in_out);
	return b->lora && ds_lora_wants(b->lora, ds_str_of(module))
		       ? add_lora(g, b->lora, module, x, y, s)
		       : y;
}

ds_tid ds_arch_norm(
	ds_graph *g, const ds_config *c, const char *prefix, ds_tid x, ds_tid residual, ds_tid *sum)
{
	DS_NAME(weight, "%s.weight", prefix);
	DS_NAME(bias, "%s.bias", prefix);
	bool rms = c->norm_type == DS_NORM_RMS;
	ds_tid w = ds_g_param(g, weight, DS_DIMS(c->hidden_size), (ds_init){ DS_INIT_ONE, 1 },
		DS_TENSOR_NO_DECAY);
	ds_tid b = rms ? 0
		       : ds_g_param(g, bias, DS_DIMS(c->hidden_size), (ds_init){ DS_INIT_ZERO, 0 },
				 DS_TENSOR_NO_DECAY);
	if (!residual && sum)
		*sum = x;
	return ds_g_norm(g, x, residual, w, b, (ds_norm_attr){ rms, (float)c->norm_eps },
		residual ? sum : NULL);
}

static ds_tid through_cache(
	ds_graph *g, const ds_build *b, int layer, char what, ds_tid x, int64_t width)
{
	DS_NAME(name, "cache.%d.%c", layer, what);
	ds_tid cache = ds_g_state(
		g, name, DS_F32, DS_DIMS((b->n_slots ? b->n_slots : g->batch) * b->kv_seq, width));
	return ds_g_cache_put(g, cache, x, (ds_attention_in){ .past = b->past, .slots = b->slots },
		(int32_t)b->at.seq, (int32_t)b->kv_seq);
}

ds_tid ds_arch_attend(
	ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid q, ds_tid k, ds_tid v)
{
	int64_t width = c->n_kv_heads * c->head_dim;
	if (b->kv_seq) {
		k = through_cache(g, b, layer, 'k', k, width);
		v = through_cache(g, b, layer, 'v', v, width);
	}
	ds_attention_attr a = { .heads = (int32_t)c->n_heads,
		.kv_heads = (int32_t)c->n_kv_heads,
		.head_dim = (int32_t)c->head_dim,
		.seq = (int32_t)b->at.seq,
		.kv_seq = (int32_t)(b->kv_seq ? b->kv_seq : b->at.seq),
		.causal = !(c->arch->traits & DS_ARCH_ENCODER),
		.window = (int32_t)c->sliding_window,
		.drop.p = b->kv_seq ? 0 : (float)c->attn_dropout };
	if (b->prefix)
		return ds_soft_attend(g, b->soft, b->prefix, layer, (ds_tid[]){ q, k, v }, a);
	return ds_g_attention(g, q, k, v,
		(ds_attention_in){ .first = b->at.first,
			.last = b->at.last,
			.past = b->past,
			.slots = b->slots },
		a);
}

static ds_tid head_weight(ds_graph *g, const ds_config *c)
{
	const ds_arch *a = c->arch;
	if (!c->tied)
		return ds_g_param(g, a->head, DS_DIMS(c->vocab_size, c->hidden_size),
			ds_init_normal(c->init_range), 0);
	ds_tid w = ds_g_find(g, a->embedding);
	ds_g_tie(g, w, a->head);
	return w;
}

typedef struct {
	ds_tid x, w, b;
} projection;

static projection lm_head(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid x)
{
	const ds_arch *a = c->arch;
	projection p = { x, 0, 0 };
	if (a->before_head)
		p.x = a->before_head(g, c, b, x);
	p.w = head_weight(g, c);
	if (a->head_bias) {
		/* An untied projection has a bias of its own, and it is that which counts. */
		p.b = ds_g_param(g, c->tied ? a->head_bias : a->head_bias_also,
			DS_DIMS(c->vocab_size), (ds_init){ DS_INIT_ZERO, 0 }, DS_TENSOR_NO_DECAY);
		ds_g_tie(g, p.b, c->tied ? a->head_bias_also : a->head_bias);
	}
	return p;
}

ds_tid ds_arch_state(ds_graph *g, const ds_build *b, ds_tid x, int64_t at)
{
	int32_t *rows = DS_NEW(int32_t, (size_t)g->batch);
	for (int64_t i = 0; i < g->batch; i++)
		rows[i] = (int32_t)(i * b->at.seq + at);
	ds_tid index = ds_g_const(g, "first.rows", DS_I32, DS_DIMS(g->batch), rows);
	ds_mem_free(rows);
	return ds_g_rows(g, x, index);
}

ds_tid ds_arch_act(ds_graph *g, const ds_config *c, ds_tid x)
{
	if (!ds_config_quick(c))
		return ds_g_unary(g, x, ds_config_act(c));
	return ds_g_glu(g, ds_g_scale(g, x, 1.702f), x, DS_ACT_SIGMOID);
}

/* The first token's state through one more layer. */
static ds_tid pooled(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid x)
{
	int64_t n = c->hidden_size;
	x = ds_arch_linear(g, b, c->arch->pooler, ds_arch_state(g, b, x, 0),
		(ds_linear_shape){ n, n, true, false, c->init_range });
	return ds_g_unary(g, x, DS_ACT_TANH);
}

static projection label_head(ds_graph *g, const ds_config *c, ds_build *b, ds_tid x)
{
	if (c->head == DS_HEAD_SEQ && c->arch->pooler)
		x = pooled(g, c, b, x);
	else if (c->head == DS_HEAD_SEQ && c->arch->pool)
		x = c->arch->pool(g, c, b, x);
	double dropout = c->classifier_dropout < 0 ? c->resid_dropout : c->classifier_dropout;
	return (projection){ ds_g_dropout(g, x, (float)dropout),
		ds_g_param(g, "classifier.weight", DS_DIMS(c->n_labels, c->hidden_size),
			ds_init_normal(c->init_range), 0),
		ds_g_param(g, "classifier.bias", DS_DIMS(c->n_labels), (ds_init){ DS_INIT_ZERO, 0 },
			DS_TENSOR_NO_DECAY) };
}

static void make_inputs(ds_graph *g, const ds_config *c, ds_build *b)
{
	int64_t rows = g->batch * g->seq;
	if (c->arch->traits & DS_ARCH_IMAGES) {
		b->pixels = ds_g_input(g, "pixels", DS_F32,
			DS_DIMS(g->batch * ds_arch_patches(c),
				c->n_channels * c->patch_size * c->patch_size));
		b->at = (ds_trunk){ .seq = ds_arch_patches(c) + 1 };
		return;
	}
	b->ids = ds_arch_input(g, "input_ids", rows);
	b->positions = ds_arch_input(g, "position_ids", rows);
	if (b->docs)
		b->first = ds_arch_input(g, "first", rows);
	if (c->arch->traits & DS_ARCH_ENCODER) {
		b->last = ds_arch_input(g, "last", rows);
		b->segments = ds_arch_input(g, "token_type_ids", rows);
	}
	if (b->kv_seq)
		b->past = ds_arch_input(g, "past", g->batch);
	if (b->n_slots)
		b->slots = ds_arch_input(g, "slots", g->batch);
	b->at = (ds_trunk){ g->seq, b->first, b->last };
}

ds_tid ds_arch_trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	make_inputs(g, c, b);
	if (b->soft && b->soft->kind == DS_SOFT_PREFIX)
		b->prefix = ds_soft_prefix(g, c, b->soft);
	return c->arch->trunk(g, c, b);
}

void ds_arch_freeze(ds_graph *g, const ds_build *b)
{
	if (!b->lora && !b->soft)
		return;
	for (ds_tid i = 1; i < g->n_tensors; i++)
		if (g->tensors[i].memory == DS_CLASS_PARAM && !ds_adapter_owns(g->tensors[i].name))
			ds_g_freeze(g, i);
}

void ds_arch_build(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_g_at(g, -1, "%s", c->arch->name);
	if (c->arch->join) {
		c->arch->join(g, c, b);
		return;
	}
	b->hidden = ds_arch_trunk(g, c, b);
	ds_g_at(g, -1, "%s", "head");
	if (b->only_hidden || c->head == DS_HEAD_NONE) {
		ds_g_keep(g, b->hidden, "hidden");
		return;
	}
	if (b->n_logits) {
		b->rows = ds_arch_input(g, "rows", b->n_logits);
		b->hidden = ds_g_rows(g, b->hidden, b->rows);
	}
	projection p = c->head == DS_HEAD_LM ? lm_head(g, c, b, b->hidden)
					     : label_head(g, c, b, b->hidden);
	ds_arch_freeze(g, b);
	if (b->train) {
		b->targets = ds_arch_input(g, "targets", ds_t_rows(ds_g_tensor(g, p.x)));
		b->inv = ds_g_input(g, "inv_targets", DS_F32, DS_DIMS(1));
		b->loss = ds_g_linear_xent(g, p.x, p.w, p.b, b->targets, b->inv, &b->nll);
		ds_moe_losses(g, c, b);
		return;
	}
	b->logits = ds_g_linear(g, p.x, p.w, p.b, false);
	ds_g_keep(g, b->logits, "logits");
}
