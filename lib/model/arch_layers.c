/*
 * arch_layers.c - what ViT and both towers of CLIP are made of: patches, and layers with a norm before each block
 *
 * A picture's patches are rows of the input `pixels`; a convolution whose stride is its size is a linear layer over
 * them. In front of them stands a row for all of the picture.
 */
#include "model/arch.h"

#include "base/mem.h"

ds_rc ds_arch_finish_heads(ds_config *c, ds_err *e)
{
	if (c->hidden_size % c->n_heads)
		return ds_fail(e, DS_USAGE,
			"hidden_size=%lld is not a multiple of num_attention_heads=%lld",
			(long long)c->hidden_size, (long long)c->n_heads);
	if (c->arch->traits & DS_ARCH_IMAGES && c->image_size % c->patch_size)
		return ds_fail(e, DS_USAGE, "image_size=%lld is not a multiple of patch_size=%lld",
			(long long)c->image_size, (long long)c->patch_size);
	if (c->arch->traits & DS_ARCH_IMAGES)
		c->max_positions = ds_arch_patches(c) + 1;
	c->n_kv_heads = c->n_heads;
	c->head_dim = c->hidden_size / c->n_heads;
	return DS_OK;
}

/* Numbers of rows, per row of a picture: the class's gets `own`, patch i of picture k `first + k * step + i`. */
static ds_tid numbers(
	ds_graph *g, const char *name, int64_t n, int32_t own, int64_t step, int64_t first)
{
	int32_t *v = DS_NEW(int32_t, (size_t)(g->batch * (n + 1)));
	for (int64_t k = 0; k < g->batch; k++)
		for (int64_t i = 0; i <= n; i++)
			v[k * (n + 1) + i] = i ? (int32_t)(first + k * step + i - 1) : own;
	ds_tid t = ds_g_const(g, name, DS_I32, DS_DIMS(g->batch * (n + 1)), v);
	ds_mem_free(v);
	return t;
}

/* The same row for the class of every picture, and nothing for patches. */
static ds_tid class_rows(ds_graph *g, int64_t n)
{
	int32_t *v = DS_NEW(int32_t, (size_t)(g->batch * (n + 1)));
	for (int64_t i = 0; i < g->batch * (n + 1); i++)
		v[i] = i % (n + 1) ? -1 : 0;
	ds_tid t = ds_g_const(g, "class.rows", DS_I32, DS_DIMS(g->batch * (n + 1)), v);
	ds_mem_free(v);
	return t;
}

static ds_tid project(ds_graph *g, const ds_config *c, const ds_build *b, const ds_patch_names *n)
{
	DS_NAME(weight, "%s.weight", n->patch);
	DS_NAME(bias, "%s.bias", n->patch);
	int64_t p = c->patch_size, in = c->n_channels * p * p;
	ds_tid w =
		ds_g_param(g, weight, DS_DIMS(c->hidden_size, in), ds_init_normal(n->dev_patch), 0);
	ds_g_stored(g, w, DS_DIMS(c->hidden_size, c->n_channels, p, p));
	ds_tid v = n->patch_bias ? ds_g_param(g, bias, DS_DIMS(c->hidden_size),
					   (ds_init){ DS_INIT_ZERO, 0 }, DS_TENSOR_NO_DECAY)
				 : 0;
	return ds_g_linear(g, b->pixels, w, v, false);
}

ds_tid ds_arch_embed_patches(ds_graph *g, const ds_config *c, ds_build *b, const ds_patch_names *n)
{
	int64_t patches = ds_arch_patches(c), width = c->hidden_size;
	ds_g_at(g, -1, "%s", n->patch);
	ds_tid x = project(g, c, b, n);
	x = ds_g_rows(g, x, numbers(g, "patch.rows", patches, -1, patches, 0));
	ds_tid own =
		ds_g_param(g, n->class_state, DS_DIMS(1, width), ds_init_normal(n->dev_class), 0);
	ds_tid place = ds_g_param(
		g, n->positions, DS_DIMS(patches + 1, width), ds_init_normal(n->dev_positions), 0);
	if (n->ranks) {
		ds_g_stored(g, own, DS_DIMS(1, 1, width));
		ds_g_stored(g, place, DS_DIMS(1, patches + 1, width));
	} else {
		ds_g_stored(g, own, DS_DIMS(width));
	}
	x = ds_g_add(g, x, ds_g_embed(g, own, class_rows(g, patches)));
	return ds_g_add(g, x, ds_g_embed(g, place, numbers(g, "position.rows", patches, 0, 0, 1)));
}

/* ---- layers ---- */

typedef struct {
	ds_graph *g;
	const ds_config *c;
	const ds_build *b;
	const ds_layer_names *n;
	int layer;
} layer;

static ds_tid dense(
	const layer *l, const char *name, ds_tid x, int64_t in, int64_t out, bool bias, double dev)
{
	DS_NAME(module, "%s.%d.%s", l->n->layers, l->layer, name);
	return ds_arch_linear(
		l->g, l->b, module, x, (ds_linear_shape){ in, out, bias, false, dev });
}

static ds_tid attention(const layer *l, ds_tid x)
{
	const ds_layer_names *n = l->n;
	int64_t w = l->c->hidden_size;
	ds_tid q = dense(l, n->q, x, w, w, n->qkv_bias, n->dev_qkv);
	ds_tid k = dense(l, n->k, x, w, w, n->qkv_bias, n->dev_qkv);
	ds_tid v = dense(l, n->v, x, w, w, n->qkv_bias, n->dev_qkv);
	ds_tid y = ds_arch_attend(l->g, l->c, l->b, l->layer, q, k, v);
	y = dense(l, n->out, y, w, w, true, n->dev_out);
	return ds_g_dropout(l->g, y, (float)l->c->resid_dropout);
}

static ds_tid mlp(const layer *l, ds_tid x)
{
	const ds_layer_names *n = l->n;
	int64_t w = l->c->hidden_size, m = l->c->intermediate_size;
	ds_tid y = ds_arch_act(l->g, l->c, dense(l, n->up, x, w, m, true, n->dev_up));
	y = dense(l, n->down, y, m, w, true, n->dev_down);
	return ds_g_dropout(l->g, y, (float)l->c->resid_dropout);
}

ds_tid ds_arch_layers(ds_graph *g, const ds_config *c, ds_build *b, const ds_layer_names *n,
	ds_tid x, ds_tid *delta)
{
	*delta = 0;
	for (int i = 0; i < c->n_layers; i++) {
		layer l = { g, c, b, n, i };
		DS_NAME(norm1, "%s.%d.%s", n->layers, i, n->norm1);
		DS_NAME(norm2, "%s.%d.%s", n->layers, i, n->norm2);
		ds_g_at(g, i, "%s", norm1);
		ds_tid y = attention(&l, ds_arch_norm(g, c, norm1, x, *delta, &x));
		ds_g_at(g, i, "%s", norm2);
		*delta = mlp(&l, ds_arch_norm(g, c, norm2, x, y, &x));
	}
	return x;
}
