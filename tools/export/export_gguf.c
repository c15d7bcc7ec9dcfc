/*
 * export_gguf.c - a decoder as GGUF, for llama.cpp
 *
 * Tensors by llama.cpp's names. Its llama architecture rotates neighbouring pairs of a head, so rows of q and k are put in
 * that order; gpt2's linear weights are transposed. Vectors and the table of positions stay f32; rows that are no multiple of a
 * block of q8_0 are f16.
 */
#include "export.h"
#include "gguf_tok.h"
#include "provenance.h"

#include "model/engine.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
	const char *ours, *theirs; /* what follows the layer's number, or the whole name */
	gguf_order order;
} name;

typedef struct {
	const char *ours, *theirs; /* architectures */
	const char *act;
	int norm;
	const char *layers; /* what stands before a layer's number */
	const name *names;
} family;

static const name gpt2_names[] = { { "transformer.wte", "token_embd", GGUF_AS_IT_IS },
	{ "transformer.wpe", "position_embd", GGUF_AS_IT_IS },
	{ "transformer.ln_f", "output_norm", GGUF_AS_IT_IS },
	{ "lm_head", "output", GGUF_AS_IT_IS }, { "ln_1", "attn_norm", GGUF_AS_IT_IS },
	{ "ln_2", "ffn_norm", GGUF_AS_IT_IS }, { "attn.c_attn", "attn_qkv", GGUF_TRANSPOSED },
	{ "attn.c_proj", "attn_output", GGUF_TRANSPOSED },
	{ "mlp.c_fc", "ffn_up", GGUF_TRANSPOSED }, { "mlp.c_proj", "ffn_down", GGUF_TRANSPOSED },
	{ 0 } };

#define LLAMA_NAMES(pairs) \
	{ "model.embed_tokens", "token_embd", GGUF_AS_IT_IS }, \
		{ "model.norm", "output_norm", GGUF_AS_IT_IS }, \
		{ "lm_head", "output", GGUF_AS_IT_IS }, \
		{ "input_layernorm", "attn_norm", GGUF_AS_IT_IS }, \
		{ "post_attention_layernorm", "ffn_norm", GGUF_AS_IT_IS }, \
		{ "self_attn.q_proj", "attn_q", pairs }, { "self_attn.k_proj", "attn_k", pairs }, \
		{ "self_attn.v_proj", "attn_v", GGUF_AS_IT_IS }, \
		{ "self_attn.o_proj", "attn_output", GGUF_AS_IT_IS }, \
		{ "self_attn.q_norm", "attn_q_norm", GGUF_AS_IT_IS }, \
		{ "self_attn.k_norm", "attn_k_norm", GGUF_AS_IT_IS }, \
		{ "mlp.gate_proj", "ffn_gate", GGUF_AS_IT_IS }, \
		{ "mlp.up_proj", "ffn_up", GGUF_AS_IT_IS }, \
		{ "mlp.down_proj", "ffn_down", GGUF_AS_IT_IS }, \
	{ \
		0 \
	}
static const name llama_names[] = { LLAMA_NAMES(GGUF_PAIRS) };
static const name qwen_names[] = { LLAMA_NAMES(GGUF_AS_IT_IS) };

static const family families[] = {
	{ "gpt2", "gpt2", "gelu_new", DS_NORM_LAYER, "transformer.h.", gpt2_names },
	{ "llama", "llama", "silu", DS_NORM_RMS, "model.layers.", llama_names },
	{ "mistral", "llama", "silu", DS_NORM_RMS, "model.layers.", llama_names },
	{ "qwen2", "qwen2", "silu", DS_NORM_RMS, "model.layers.", qwen_names },
	{ "qwen3", "qwen3", "silu", DS_NORM_RMS, "model.layers.", qwen_names },
};

typedef struct {
	gguf_file *f;
	const ds_config *c;
	const family *kin;
	value_type type;
	ds_arena *mem;
} job;

static ds_rc find_family(job *j, ds_err *e)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(families[i].ours, j->c->arch->name) == 0)
			j->kin = &families[i];
	if (!j->kin || j->c->head != DS_HEAD_LM)
		return ds_fail(e, DS_BAD,
			"a %s%s has no GGUF form that llama.cpp continues texts with",
			j->c->arch->name, j->kin ? " that is no language model" : "");
	ds_act act = ds_config_act(j->c);
	bool gelu = act == DS_ACT_GELU_TANH, silu = act == DS_ACT_SILU;
	if (j->kin->names == gpt2_names ? !gelu : !silu)
		return ds_fail(e, DS_BAD, "llama.cpp's %s has %s, this model another activation",
			j->kin->theirs, j->kin->act);
	if (j->c->norm_type != j->kin->norm)
		return ds_fail(e, DS_BAD, "llama.cpp's %s has another norm than this model",
			j->kin->theirs);
	return DS_OK;
}

static const char *key(job *j, const char *what)
{
	return ds_arena_fmt(j->mem, "%s.%s", j->kin->theirs, what).at;
}

static void put_scaling(job *j)
{
	const ds_config *c = j->c;
	if (c->scaling != DS_SCALING_LINEAR && c->scaling != DS_SCALING_YARN)
		return;
	bool yarn = c->scaling == DS_SCALING_YARN;
	gguf_text(j->f, key(j, "rope.scaling.type"), yarn ? DS_S("yarn") : DS_S("linear"));
	gguf_f32(j->f, key(j, "rope.scaling.factor"), (float)c->scaling_factor);
	if (yarn)
		gguf_u32(j->f, key(j, "rope.scaling.original_context_length"),
			(uint32_t)c->scaling_original);
}

/* What llama.cpp fixes about YaRN must be what the model has. */
static ds_rc check_scaling(const job *j, ds_err *e)
{
	const ds_config *c = j->c;
	if (c->scaling != DS_SCALING_YARN)
		return DS_OK;
	if (c->scaling_fast != 32 || c->scaling_slow != 1 ||
		fabs(c->scaling_attention - (0.1 * log(c->scaling_factor) + 1)) > 1e-6)
		return ds_fail(e, DS_BAD, "GGUF has no keys for these settings of YaRN");
	return DS_OK;
}

static void put_config(job *j)
{
	const ds_config *c = j->c;
	bool gpt2 = j->kin->names == gpt2_names;
	/* llama.cpp's llama has no window: within one it is the same. */
	int64_t context = c->sliding_window && c->sliding_window < c->max_positions
				  ? c->sliding_window
				  : c->max_positions;
	gguf_u32(j->f, key(j, "context_length"), (uint32_t)context);
	gguf_u32(j->f, key(j, "embedding_length"), (uint32_t)c->hidden_size);
	gguf_u32(j->f, key(j, "block_count"), (uint32_t)c->n_layers);
	gguf_u32(j->f, key(j, "feed_forward_length"), (uint32_t)c->intermediate_size);
	gguf_u32(j->f, key(j, "attention.head_count"), (uint32_t)c->n_heads);
	gguf_u32(j->f, key(j, "vocab_size"), (uint32_t)c->vocab_size);
	gguf_f32(j->f,
		key(j, gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
		(float)c->norm_eps);
	if (gpt2)
		return;
	gguf_u32(j->f, key(j, "attention.head_count_kv"), (uint32_t)c->n_kv_heads);
	gguf_u32(j->f, key(j, "attention.key_length"), (uint32_t)c->head_dim);
	gguf_u32(j->f, key(j, "attention.value_length"), (uint32_t)c->head_dim);
	gguf_u32(j->f, key(j, "rope.dimension_count"), (uint32_t)c->head_dim);
	gguf_f32(j->f, key(j, "rope.freq_base"), (float)c->rope_theta);
	put_scaling(j);
}

/* The tensor's name there, NULL: it has none. */
static const char *named(job *j, const char *full, const name **found)
{
	static const char *const ends[] = { ".weight", ".bias" };
	ds_str s = ds_str_of(full), rest = s;
	const char *end = NULL;
	long layer = -1;
	size_t before = strlen(j->kin->layers);
	for (int i = 0; i < 2; i++)
		if (ds_str_ends(s, ds_str_of(ends[i])))
			end = ends[i];
	if (!end)
		return NULL;
	if (strncmp(full, j->kin->layers, before) == 0) {
		char *after;
		layer = strtol(full + before, &after, 10);
		rest = ds_str_of(after + 1);
	}
	rest.n -= strlen(end);
	for (const name *n = j->kin->names; n->ours; n++) {
		if (!ds_str_is(rest, n->ours))
			continue;
		*found = n;
		return layer < 0 ? ds_arena_fmt(j->mem, "%s%s", n->theirs, end).at
				 : ds_arena_fmt(j->mem, "blk.%ld.%s%s", layer, n->theirs, end).at;
	}
	return NULL;
}

static value_type type_of(const job *j, const gguf_tensor *t)
{
	int64_t row = t->rank == 2 ? t->dims[t->order == GGUF_TRANSPOSED ? 0 : 1] : 0;
	if (t->rank == 1 || strcmp(t->name, "position_embd.weight") == 0)
		return VALUE_F32;
	return j->type == VALUE_Q8_0 && row % VALUE_BLOCK ? VALUE_F16 : j->type;
}

static ds_rc put_tensor(job *j, ds_exec *x, const ds_tensor *p, ds_err *e)
{
	const name *n = NULL;
	const char *theirs = named(j, p->name, &n);
	const void *values;
	if (!theirs || p->rank > 2)
		return ds_fail(e, DS_BAD, "tensor '%s' has no place in a GGUF %s", p->name,
			j->kin->theirs);
	DS_TRY(ds_exec_view(x, p->id, j->mem, &values, e));
	gguf_tensor t = { .name = theirs,
		.order = p->rank == 1 && n->order == GGUF_TRANSPOSED ? GGUF_AS_IT_IS : n->order,
		.rank = p->rank,
		.dims = { p->dims[0], p->rank == 2 ? p->dims[1] : 1 },
		.data = values };
	if (t.order == GGUF_PAIRS)
		t.heads = p->dims[0] / j->c->head_dim;
	t.type = type_of(j, &t);
	gguf_add(j->f, &t);
	return DS_OK;
}

/* Llama 3's scaling: by what each frequency is divided, which the graph's frequencies tell. */
static void put_factors(job *j, const ds_graph *g)
{
	for (ds_tid i = 1; i < g->n_tensors && j->c->scaling == DS_SCALING_LLAMA3; i++) {
		const ds_tensor *t = ds_g_tensor(g, i);
		if (!t->name || strcmp(t->name, "rope.frequencies") != 0)
			continue;
		const float *f = t->data;
		float *by = ds_arena_get(j->mem, (size_t)t->dims[0] * sizeof(*by));
		for (int64_t k = 0; k < t->dims[0]; k++)
			by[k] = (float)(pow(j->c->rope_theta,
						-2.0 * (double)k / (double)j->c->head_dim) /
					(double)f[k]);
		gguf_add(j->f, &(gguf_tensor){ .name = "rope_freqs.weight",
				       .rank = 1,
				       .dims = { t->dims[0], 1 },
				       .data = by });
		return;
	}
}

static ds_rc write_file(job *j, const ds_engine *n, const char *path, bool clamp, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	for (ds_tid i = 1; i < n->g->n_tensors; i++)
		if (ds_g_tensor(n->g, i)->memory == DS_CLASS_PARAM)
			DS_TRY(put_tensor(j, n->x, ds_g_tensor(n->g, i), e));
	put_factors(j, n->g);
	DS_TRY(ds_out_open(&out, path, e));
	DS_TRY_AT(gguf_write(j->f, out, clamp, e), e, "%s", path);
	return ds_out_deliver(out, e);
}

static void put_provenance(gguf_file *f, const char *dir, ds_arena *mem)
{
	ds_buf text = { 0 };
	provenance p = provenance_of(dir, mem);
	if (provenance_known(&p)) {
		provenance_json(&p, &text);
		gguf_text(f, "dstools.provenance", ds_buf_view(&text));
	}
	ds_buf_free(&text);
}

static ds_rc pick_type(const export_opts *o, value_type *t, ds_err *e)
{
	bool q8 = strcmp(o->dtype, "q8_0") == 0;
	if (!q8)
		return values_type(o->dtype, t, e);
	*t = VALUE_Q8_0;
	return DS_OK;
}

static ds_rc write_gguf(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	static const uint32_t file_types[] = {
		[VALUE_F32] = 0, [VALUE_F16] = 1, [VALUE_Q8_0] = 7, [VALUE_BF16] = 32
	};
	DS_AUTO(gguf_file) f = gguf_new();
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	job j = { .f = f, .c = ds_model_config(m), .mem = mem };
	DS_TRY(pick_type(o, &j.type, e));
	DS_TRY(find_family(&j, e));
	DS_TRY(check_scaling(&j, e));
	gguf_text(f, "general.architecture", ds_str_of(j.kin->theirs));
	gguf_text(f, "general.name", ds_str_of(j.c->arch->name));
	gguf_u32(f, "general.file_type", file_types[j.type]);
	gguf_u32(f, "general.quantization_version", 2);
	put_config(&j);
	put_provenance(f, ds_model_dir(m), mem);
	DS_TRY(gguf_tokenizer(f, m, e));
	ds_engine_opts eo = { .config = j.c, .batch = 1, .seq = 8, .weights = m };
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	return write_file(&j, n, c->out.path, o->clamp, e);
}

static const ds_arg args[] = {
	EXPORT_MODEL,
	DS_ARG(0, "dtype", &export_opt.dtype, "fp32|bf16|fp16|q8_0",
		"the type of matrices; q8_0: blocks of bytes (fp32)"),
	EXPORT_CLAMP,
	{ 0 },
};

const exporter export_gguf = {
	.name = "gguf",
	.usage = "-m DIR -o FILE [options]",
	.help = "for llama.cpp, with the tokenizer",
	.args = args,
	.write = write_gguf,
};
