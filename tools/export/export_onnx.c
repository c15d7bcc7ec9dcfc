/*
 * export_onnx.c - a decoder as an ONNX model: input_ids and what --input names in, logits out
 */
#include "export.h"
#include "onnx_walk.h"

enum { MIN_OPSET = 13, MAX_OPSET = 21, BUILT_SEQ = 8 };

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
			"--input '%s': the inputs are input_ids, attention_mask, position_ids",
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

static ds_rc parse_inputs(const export_opts *o, input in[3], ds_arena *mem, ds_err *e)
{
	if (o->inputs.n == 0) { /* Optimum's set for text generation */
		for (int i = 0; i < 3; i++)
			in[i] = (input){ in[i].name, true,
				{ { 0, "batch_size" }, { 0, "sequence_length" } } };
		return DS_OK;
	}
	for (size_t i = 0; i < o->inputs.n; i++)
		DS_TRY(parse_input(o->inputs.at[i], in, 3, mem, e));
	if (!in[0].given)
		return ds_fail(e, DS_USAGE, "--input input_ids=… is wanted as well");
	for (int i = 1; i < 3; i++)
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

static ds_rc walk(const ds_model *m, const export_opts *o, const input in[3], const char *path,
	ds_arena *mem, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	const onnx_dim out[] = { in[0].dims[0], in[0].dims[1], { c->vocab_size, NULL } };
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	DS_AUTO(onnx_file) f = onnx_new(o->opset, c->arch->name);
	if (c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(e, DS_USAGE, "onnx: encoders are not exported yet, safetensors is");
	ds_engine_opts eo = { .config = c, .batch = 1, .seq = BUILT_SEQ, .weights = m };
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	for (int i = 0; i < 3; i++)
		if (in[i].given)
			onnx_input(f, in[i].name, ONNX_INT64, in[i].dims, 2);
	onnx_output(f, "logits", ONNX_FLOAT, out, 3);
	onnx_meta(f, "model_type", c->arch->name);
	onnx_walk w = { .f = f,
		.g = n->g,
		.b = &n->b,
		.x = n->x,
		.mem = mem,
		.attention_mask = in[1].given,
		.position_ids = in[2].given };
	DS_TRY(onnx_walk_run(&w, e));
	return write_file(f, path, e);
}

static ds_rc write_onnx(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	const ds_config *config = ds_model_config(m);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	input in[3] = { { .name = "input_ids" }, { .name = "attention_mask" },
		{ .name = "position_ids" } };
	if (o->opset < MIN_OPSET || o->opset > MAX_OPSET)
		return ds_fail(e, DS_USAGE, "opset %d is not between %d and %d", o->opset,
			MIN_OPSET, MAX_OPSET);
	DS_TRY(parse_inputs(o, in, mem, e));
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
