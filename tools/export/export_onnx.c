/*
 * export_onnx.c - a model as ONNX: input_ids and what --input names in, logits out
 *
 * A classifier's logits are [batch, labels], a token classifier's [batch, sequence, labels], a language model's [batch,
 * sequence, vocabulary]. A trunk without a head gives last_hidden_state, sentence_embedding (dsgen --embed's vector)
 * and, where the files have the layer for it, pooler_output.
 */
#include "export.h"
#include "onnx_walk.h"

enum { MIN_OPSET = 13, MAX_OPSET = 21, BUILT_SEQ = 8 };
enum { IDS, MASK, POSITIONS, TYPES, N_INPUTS };

typedef struct {
	const char *name;
	bool given;
	onnx_dim dims[2];
} input;

static ds_rc parse_dim(ds_str s, ds_arena *mem, onnx_dim *out, ds_err *e)
{
	int64_t n;
	*out = (onnx_dim){ 0 };
	if (ds_str_i64(s, &n)) {
		if (n < 1 || n > INT32_MAX)
			return ds_fail(e, DS_USAGE, "'%.*s' is no size", DS_FMT(s));
		out->n = n;
		return DS_OK;
	}
	if (s.n == 0)
		return ds_fail(e, DS_USAGE, "an axis is empty");
	out->name = ds_arena_str(mem, s).at;
	return DS_OK;
}

static bool same(const onnx_dim *a, const onnx_dim *b)
{
	return a->n == b->n && !a->name == !b->name && (!a->name || strcmp(a->name, b->name) == 0);
}

/* name=batch,seq */
static ds_rc parse_input(const char *text, input *in, size_t n_in, ds_arena *mem, ds_err *e)
{
	ds_str value, seq, name = ds_str_cut(ds_str_of(text), '=', &value);
	ds_str batch = ds_str_cut(value, ',', &seq);
	input *at = NULL;
	for (size_t i = 0; i < n_in; i++)
		if (ds_str_is(name, in[i].name))
			at = &in[i];
	if (!at)
		return ds_fail(e, DS_USAGE,
			"--input '%s': the inputs are input_ids, attention_mask, position_ids and "
			"an encoder's token_type_ids",
			text);
	if (at->given)
		return ds_fail(e, DS_USAGE, "--input %s is given twice", at->name);
	if (!value.at || !seq.at || memchr(seq.at, ',', seq.n))
		return ds_fail(e, DS_USAGE, "--input '%s': two axes are wanted, as in %s=1,128",
			text, at->name);
	at->given = true;
	DS_TRY_AT(parse_dim(batch, mem, &at->dims[0], e), e, "--input '%s'", text);
	DS_TRY_AT(parse_dim(seq, mem, &at->dims[1], e), e, "--input '%s'", text);
	return DS_OK;
}

static ds_rc parse_inputs(
	const export_opts *o, bool encoder, input in[N_INPUTS], ds_arena *mem, ds_err *e)
{
	if (o->inputs.n == 0) { /* Optimum's sets */
		for (int i = 0; i < N_INPUTS; i++)
			if (i != (encoder ? POSITIONS : TYPES))
				in[i] = (input){ in[i].name, true,
					{ { 0, "batch_size" }, { 0, "sequence_length" } } };
		return DS_OK;
	}
	for (size_t i = 0; i < o->inputs.n; i++)
		DS_TRY(parse_input(o->inputs.at[i], in, N_INPUTS, mem, e));
	if (!in[0].given)
		return ds_fail(e, DS_USAGE, "--input input_ids=… is wanted as well");
	if (in[TYPES].given && !encoder)
		return ds_fail(e, DS_USAGE, "--input token_type_ids: encoders have it");
	for (int i = 1; i < N_INPUTS; i++)
		if (in[i].given && !(same(&in[i].dims[0], &in[0].dims[0]) &&
					   same(&in[i].dims[1], &in[0].dims[1])))
			return ds_fail(e, DS_USAGE, "--input %s has other axes than input_ids",
				in[i].name);
	return DS_OK;
}

static ds_rc write_file(onnx_file *f, const char *path, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_TRY(ds_out_open(&out, path, e));
	DS_TRY_AT(onnx_write(f, out, e), e, "%s", path);
	return ds_out_finish(out, e);
}

static void name_outputs(onnx_file *f, const ds_model *m, const onnx_dim dims[2])
{
	const ds_config *c = ds_model_config(m);
	onnx_dim out[] = { dims[0], dims[1], { c->vocab_size, NULL } };
	if (c->head == DS_HEAD_NONE) {
		out[2].n = c->hidden_size;
		onnx_output(f, "last_hidden_state", ONNX_FLOAT, out, 3);
		out[1] = out[2];
		onnx_output(f, "sentence_embedding", ONNX_FLOAT, out, 2);
		if (ds_model_find(m, ONNX_POOLER ".weight", NULL))
			onnx_output(f, "pooler_output", ONNX_FLOAT, out, 2);
		return;
	}
	if (c->head != DS_HEAD_LM)
		out[2].n = c->n_labels;
	if (c->head == DS_HEAD_SEQ)
		out[1] = out[2];
	onnx_output(f, "logits", ONNX_FLOAT, out, c->head == DS_HEAD_SEQ ? 2 : 3);
}

static ds_rc walk(const ds_model *m, const export_opts *o, const input in[N_INPUTS],
	const char *path, ds_arena *mem, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	DS_AUTO(onnx_file) f = onnx_new(o->opset, c->arch->name);
	ds_engine_opts eo = { .config = c, .batch = 1, .seq = BUILT_SEQ, .weights = m };
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	for (int i = 0; i < N_INPUTS; i++)
		if (in[i].given)
			onnx_input(f, in[i].name, ONNX_INT64, in[i].dims, 2);
	name_outputs(f, m, in[IDS].dims);
	onnx_meta(f, "model_type", c->arch->name);
	onnx_walk w = { .f = f,
		.g = n->g,
		.b = &n->b,
		.x = n->x,
		.mem = mem,
		.trunk = c->head == DS_HEAD_NONE,
		.attention_mask = in[MASK].given,
		.position_ids = in[POSITIONS].given,
		.token_type_ids = in[TYPES].given };
	DS_TRY(onnx_walk_run(&w, e));
	if (w.trunk)
		DS_TRY(onnx_pool(&w, m, e));
	return write_file(f, path, e);
}

static ds_rc write_onnx(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	const ds_config *config = ds_model_config(m);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	input in[N_INPUTS] = { { .name = "input_ids" }, { .name = "attention_mask" },
		{ .name = "position_ids" }, { .name = "token_type_ids" } };
	bool encoder = config->arch->traits & DS_ARCH_ENCODER;
	if (o->opset < MIN_OPSET || o->opset > MAX_OPSET)
		return ds_fail(e, DS_USAGE, "opset %d is not between %d and %d", o->opset,
			MIN_OPSET, MAX_OPSET);
	DS_TRY(parse_inputs(o, encoder, in, mem, e));
	if (!in[0].dims[1].name && in[0].dims[1].n > config->max_positions)
		return ds_fail(e, DS_USAGE, "a sequence of %lld, the model's context is %lld",
			(long long)in[0].dims[1].n, (long long)config->max_positions);
	return walk(m, o, in, c->out_path, mem, e);
}

const exporter export_onnx = {
	.name = "onnx",
	.help = "for ONNX Runtime and TensorRT",
	.write = write_onnx,
};
