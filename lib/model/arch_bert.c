/*
 * arch_bert.c - BERT (Devlin et al. 2018): an encoder; attention both ways, norm after each block
 *
 * Three embeddings are added: token, position, segment. The masked-LM head is a small layer and the
 * token embedding once more; the classification heads are in arch.c.
 */
#include "model/arch.h"

static ds_rc finish(ds_config *c, ds_err *e)
{
	if (c->hidden_size % c->n_heads)
		return ds_fail(e, DS_USAGE,
			"hidden_size=%lld is not a multiple of num_attention_heads=%lld",
			(long long)c->hidden_size, (long long)c->n_heads);
	c->n_kv_heads = c->n_heads;
	c->head_dim = c->hidden_size / c->n_heads;
	if (!c->intermediate_size)
		c->intermediate_size = 4 * c->hidden_size;
	return DS_OK;
}

static ds_tid dense(ds_graph *g, const ds_config *c, const ds_build *b, const char *module,
	ds_tid x, int64_t in, int64_t out)
{
	return ds_arch_linear(
		g, b, module, x, (ds_linear_shape){ in, out, true, false, c->init_range });
}

static ds_tid table(ds_graph *g, const ds_config *c, const char *name, int64_t rows)
{
	return ds_g_param(g, name, DS_DIMS(rows, c->hidden_size), ds_init_normal(c->init_range), 0);
}

static ds_tid embeddings(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_tid word = table(g, c, "bert.embeddings.word_embeddings.weight", c->vocab_size);
	ds_tid place = table(g, c, "bert.embeddings.position_embeddings.weight", c->max_positions);
	ds_tid type = table(g, c, "bert.embeddings.token_type_embeddings.weight", c->type_vocab);
	ds_g_at(g, -1, "%s", "bert.embeddings");
	ds_tid x = ds_g_add(g, ds_arch_tokens(g, c, b, word), ds_g_embed(g, place, b->positions));
	x = ds_g_add(g, x, ds_g_embed(g, type, b->segments));
	x = ds_arch_norm(g, c, "bert.embeddings.LayerNorm", x, 0, NULL);
	return ds_g_dropout(g, x, (float)c->resid_dropout);
}

static ds_tid attention(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x)
{
	DS_NAME(q_name, "bert.encoder.layer.%d.attention.self.query", layer);
	DS_NAME(k_name, "bert.encoder.layer.%d.attention.self.key", layer);
	DS_NAME(v_name, "bert.encoder.layer.%d.attention.self.value", layer);
	DS_NAME(out_name, "bert.encoder.layer.%d.attention.output.dense", layer);
	int64_t n = c->hidden_size;
	ds_g_at(g, layer, "bert.encoder.layer.%d.attention", layer);
	ds_tid q = dense(g, c, b, q_name, x, n, n), k = dense(g, c, b, k_name, x, n, n);
	ds_tid v = dense(g, c, b, v_name, x, n, n);
	ds_tid y = ds_arch_attend(g, c, b, layer, q, k, v);
	y = dense(g, c, b, out_name, y, n, n);
	return ds_g_dropout(g, y, (float)c->resid_dropout);
}

static ds_tid mlp(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid x)
{
	DS_NAME(in_name, "bert.encoder.layer.%d.intermediate.dense", layer);
	DS_NAME(out_name, "bert.encoder.layer.%d.output.dense", layer);
	int64_t n = c->hidden_size, m = c->intermediate_size;
	ds_g_at(g, layer, "bert.encoder.layer.%d.output", layer);
	ds_tid y = ds_g_unary(g, dense(g, c, b, in_name, x, n, m), ds_config_act(c));
	y = dense(g, c, b, out_name, y, m, n);
	return ds_g_dropout(g, y, (float)c->resid_dropout);
}

static ds_tid trunk(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_tid x = embeddings(g, c, b);
	for (int i = 0; i < c->n_layers; i++) {
		DS_NAME(first, "bert.encoder.layer.%d.attention.output.LayerNorm", i);
		DS_NAME(second, "bert.encoder.layer.%d.output.LayerNorm", i);
		x = ds_arch_norm(g, c, first, attention(g, c, b, i, x), x, NULL);
		x = ds_arch_norm(g, c, second, mlp(g, c, b, i, x), x, NULL);
	}
	return x;
}

static ds_tid before_head(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid x)
{
	int64_t n = c->hidden_size;
	x = dense(g, c, b, "cls.predictions.transform.dense", x, n, n);
	x = ds_g_unary(g, x, ds_config_act(c));
	return ds_arch_norm(g, c, "cls.predictions.transform.LayerNorm", x, 0, NULL);
}

static const ds_arch_part parts[] = { { "cls.", 1 << DS_HEAD_LM },
	{ "classifier.", 1 << DS_HEAD_SEQ | 1 << DS_HEAD_TOKEN },
	{ "bert.pooler.", 1 << DS_HEAD_SEQ | 1 << DS_HEAD_NONE }, { "qa_outputs.", 0 }, { 0 } };

/* The first BERTs called a norm's weight and bias gamma and beta. */
static const char *const renamed[][2] = { { ".LayerNorm.weight", ".LayerNorm.gamma" },
	{ ".LayerNorm.bias", ".LayerNorm.beta" }, { 0 } };

const ds_arch ds_arch_bert = {
	.name = "bert",
	.class_name = "BertForMaskedLM",
	.class_of = { [DS_HEAD_SEQ] = "BertForSequenceClassification",
		[DS_HEAD_TOKEN] = "BertForTokenClassification",
		[DS_HEAD_NONE] = "BertModel" },
	.help = "BERT: an encoder for masked language modelling and classification",
	.traits = DS_ARCH_ENCODER,
	.spells = "layer_norm_eps hidden_dropout_prob attention_probs_dropout_prob",
	.keys = "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
		"max_position_embeddings type_vocab_size pad_token_id rms_norm_eps "
		"initializer_range resid_pdrop attention_dropout classifier_dropout hidden_act "
		"norm_type tie_word_embeddings",
	.only = "position_embedding_type=absolute",
	.norm_type = DS_NORM_LAYER,
	.defaults = "vocab_size=30522,max_position_embeddings=512,hidden_size=768,"
		    "num_hidden_layers=12,num_attention_heads=12,intermediate_size=3072,"
		    "type_vocab_size=2,"
		    "hidden_act=gelu,hidden_dropout_prob=0.1,attention_probs_dropout_prob=0.1,"
		    "layer_norm_eps=1e-12,tie_word_embeddings=true,norm_type=layernorm,"
		    "pad_token_id=0",
	.prefix = "bert.",
	.finish = finish,
	.trunk = trunk,
	.before_head = before_head,
	.attention_inputs = "query,key,value",
	.embedding = "bert.embeddings.word_embeddings.weight",
	.head = "cls.predictions.decoder.weight",
	.head_bias = "cls.predictions.bias",
	.head_bias_also = "cls.predictions.decoder.bias",
	.layers = "layer.",
	.pooler = "bert.pooler.dense",
	.parts = parts,
	.renamed = renamed,
};
