/*
 * soft.c - prompt and prefix tuning in PEFT's layout
 *
 * Rows are put together with `embed` and `rows`, which give zeros for a number outside the table:
 * [virtual; real] is the sum of both, each with the other's rows zero, and so are the gradients.
 */
#include "model/soft.h"

#include "base/mem.h"
#include "json/json.h"

void ds_soft_print(const ds_soft *s, const ds_config *c, const char *base_model, ds_buf *out)
{
	bool prefix = s->kind == DS_SOFT_PREFIX;
	int64_t heads = prefix ? c->n_kv_heads : c->n_heads;
	int64_t width = prefix ? c->n_kv_heads * c->head_dim : c->hidden_size;
	ds_buf_fmt(out, "{\n  \"peft_type\": \"%s\",\n  \"task_type\": \"CAUSAL_LM\",\n",
		prefix ? "PREFIX_TUNING" : "PROMPT_TUNING");
	ds_buf_add_c(out, "  \"base_model_name_or_path\": ");
	ds_json_add_str(out, ds_str_of(base_model));
	ds_buf_fmt(out,
		",\n  \"num_virtual_tokens\": %lld,\n  \"token_dim\": %lld,\n"
		"  \"num_attention_heads\": %lld,\n  \"num_layers\": %lld,\n"
		"  \"num_transformer_submodules\": 1,\n",
		(long long)s->tokens, (long long)width, (long long)heads, (long long)c->n_layers);
	if (prefix)
		ds_buf_fmt(out,
			"  \"encoder_hidden_size\": %lld,\n  \"prefix_projection\": false,\n",
			(long long)width);
	else
		ds_buf_add_c(out, "  \"prompt_tuning_init\": \"RANDOM\",\n");
	ds_buf_add_c(out, "  \"inference_mode\": true\n}\n");
}

ds_rc ds_soft_parse(ds_soft *s, ds_str json, const char **base_model, ds_arena *mem, ds_err *e)
{
	const ds_json *v;
	*s = (ds_soft){ 0 };
	ds_rc rc = ds_json_parse(&v, mem, json, e);
	if (rc != DS_OK)
		return rc == DS_BAD ? DS_USAGE : rc;
	ds_str type = ds_json_text(v, "peft_type", "");
	s->kind = ds_str_is(type, "PROMPT_TUNING")   ? DS_SOFT_PROMPT
		  : ds_str_is(type, "PREFIX_TUNING") ? DS_SOFT_PREFIX
						     : DS_SOFT_NONE;
	if (s->kind == DS_SOFT_NONE)
		return DS_OK;
	s->tokens = ds_json_int(v, "num_virtual_tokens", 0);
	if (s->tokens < 1 || s->tokens > DS_SOFT_MOST)
		return ds_fail(e, DS_USAGE, "num_virtual_tokens=%lld is not between 1 and %d",
			(long long)s->tokens, DS_SOFT_MOST);
	if (ds_json_int(v, "num_transformer_submodules", 1) > 1)
		return ds_fail(
			e, DS_USAGE, "an adapter of an encoder and decoder is not supported");
	ds_str base = ds_json_text(v, "base_model_name_or_path", "");
	*base_model = ds_arena_str(mem, base).at;
	return base.n && !memchr(base.at, 0, base.n)
		       ? DS_OK
		       : ds_fail(e, DS_USAGE, "no base_model_name_or_path");
}

typedef int32_t index_fn(const ds_graph *g, int64_t tokens, int64_t i);

static ds_tid index_of(ds_graph *g, const char *name, int64_t n, index_fn *fn, int64_t tokens)
{
	ds_tid found = ds_g_find(g, name);
	if (found)
		return found;
	int32_t *at = DS_NEW(int32_t, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		at[i] = fn(g, tokens, i);
	found = ds_g_const(g, name, DS_I32, DS_DIMS(n), at);
	ds_mem_free(at);
	return found;
}

/* Sequences of the graph's own length that begin with the virtual tokens. */
static int32_t in_front(const ds_graph *g, int64_t tokens, int64_t i)
{
	int64_t t = i % g->seq;
	return t < tokens ? (int32_t)t : -1;
}

static int32_t count(const ds_graph *g, int64_t tokens, int64_t i)
{
	return (int32_t)i;
}

ds_tid ds_soft_prompt(ds_graph *g, const ds_config *c, const ds_soft *s, ds_tid x)
{
	ds_tid w = ds_g_param(g, DS_SOFT_PARAM, DS_DIMS(s->tokens, c->hidden_size),
		(ds_init){ DS_INIT_NORMAL, (float)c->init_range }, 0);
	ds_tid at = index_of(g, "soft.prompt", g->batch * g->seq, in_front, s->tokens);
	return ds_g_add(g, x, ds_g_embed(g, w, at));
}

ds_tid ds_soft_prefix(ds_graph *g, const ds_config *c, const ds_soft *s)
{
	int64_t width = c->n_layers * 2 * c->n_kv_heads * c->head_dim;
	ds_tid w = ds_g_param(g, DS_SOFT_PARAM, DS_DIMS(s->tokens, width),
		(ds_init){ DS_INIT_NORMAL, (float)c->init_range }, 0);
	return ds_g_embed(g, w, index_of(g, "soft.all", s->tokens, count, s->tokens));
}

/* ---- longer sequences: [prefix; real] ---- */

static int32_t real_row(const ds_graph *g, int64_t tokens, int64_t i)
{
	int64_t wide = tokens + g->seq, t = i % wide;
	return t < tokens ? -1 : (int32_t)(i / wide * g->seq + t - tokens);
}

static int32_t prefix_row(const ds_graph *g, int64_t tokens, int64_t i)
{
	int64_t t = i % (tokens + g->seq);
	return t < tokens ? (int32_t)t : -1;
}

static int32_t back_row(const ds_graph *g, int64_t tokens, int64_t i)
{
	return (int32_t)(i / g->seq * (tokens + g->seq) + tokens + i % g->seq);
}

ds_tid ds_soft_attend(ds_graph *g, const ds_soft *s, ds_tid prefix, int layer, const ds_tid qkv[3],
	ds_attention_attr a)
{
	int64_t n = g->batch * (s->tokens + g->seq), width = (int64_t)a.kv_heads * a.head_dim;
	ds_tid real = index_of(g, "soft.real", n, real_row, s->tokens);
	ds_tid front = index_of(g, "soft.front", n, prefix_row, s->tokens);
	ds_tid back = index_of(g, "soft.back", g->batch * g->seq, back_row, s->tokens);
	ds_tid all[3];
	for (int i = 0; i < 3; i++) {
		all[i] = ds_g_rows(g, qkv[i], real);
		if (i == 0) /* nobody asks what the virtual tokens see */
			continue;
		ds_tid part = ds_g_slice(g, prefix, (2 * layer + i - 1) * width, width);
		all[i] = ds_g_add(g, all[i], ds_g_rows(g, part, front));
	}
	a.seq = a.kv_seq = (int32_t)(s->tokens + g->seq);
	ds_tid y = ds_g_attention(g, all[0], all[1], all[2], (ds_attention_in){ 0 }, a);
	return ds_g_rows(g, y, back);
}
