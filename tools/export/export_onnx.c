/*
 * export_onnx.c - a model as ONNX: input_ids and what --input names in, logits out
 *
 * A classifier's logits are [batch, labels], a token classifier's [batch, sequence, labels], a language model's [batch,
 * sequence, vocabulary]. A trunk without a head gives last_hidden_state, sentence_embedding (dsgen --embed's vector)
 * and, where the files have the layer for it, pooler_output. With --kv-cache there are past_key_values.N.key and .value,
 * [batch, key heads, past, head size], and present.N.key and .value, [batch, key heads, past + sequence, head size].
 *
 * Of pictures: pixel_values, [batch, channels, height, width], prepared; logits of a classifier, last_hidden_state of a
 * trunk. Of texts and pictures both, and text_embeds, image_embeds, logits_per_text and logits_per_image.
 */
#include "export.h"
#include "onnx_walk.h"
#include "provenance.h"
#include "values.h"

#define TOTAL_AXIS "past_sequence_length + sequence_length"

/* The oldest that has bf16, and axes as inputs; the newest that ONNX Runtime takes (1.32). */
enum { MIN_OPSET = 13, MAX_OPSET = 27, BUILT_SEQ = 8 };
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

/* pixel_values=batch, or with the sizes that it has in any case */
static ds_rc parse_pixels(
	const char *text, const ds_config *image, onnx_dim *batch, ds_arena *mem, ds_err *e)
{
	const int64_t sizes[] = { image->n_channels, image->image_size, image->image_size };
	ds_str value, rest, at;
	ds_str_cut(ds_str_of(text), '=', &value);
	at = ds_str_cut(value, ',', &rest);
	DS_TRY_AT(parse_dim(at, mem, batch, e), e, "--input '%s'", text);
	for (int i = 0; rest.at; i++) {
		int64_t n = 0;
		at = ds_str_cut(rest, ',', &rest);
		if (i == 3 || !ds_str_i64(at, &n) || n != sizes[i])
			return ds_fail(e, DS_USAGE,
				"--input '%s': pixel_values=N,%lld,%lld,%lld is what the model "
				"takes",
				text, (long long)sizes[0], (long long)sizes[1],
				(long long)sizes[2]);
	}
	return DS_OK;
}

/* Optimum's sets. */
static void take_all(bool encoder, bool kv_cache, input in[N_INPUTS])
{
	for (int i = 0; i < N_INPUTS; i++)
		if (i != (encoder ? POSITIONS : TYPES))
			in[i] = (input){ in[i].name, true,
				{ { 0, "batch_size" }, { 0, "sequence_length" } } };
	if (kv_cache)
		in[MASK].dims[1].name = TOTAL_AXIS;
}

static ds_rc check_axes(const input *ids, const input *one, bool free_length, ds_err *e)
{
	if (!one->given || (same(&one->dims[0], &ids->dims[0]) &&
				   (free_length || same(&one->dims[1], &ids->dims[1]))))
		return DS_OK;
	return ds_fail(e, DS_USAGE, "--input %s has other axes than input_ids", one->name);
}

static ds_rc parse_inputs(
	const export_opts *o, bool encoder, input in[N_INPUTS], ds_arena *mem, ds_err *e)
{
	if (o->inputs.n == 0) {
		take_all(encoder, o->kv_cache, in);
		return DS_OK;
	}
	for (size_t i = 0; i < o->inputs.n; i++)
		DS_TRY(parse_input(o->inputs.at[i], in, N_INPUTS, mem, e));
	if (!in[IDS].given)
		return ds_fail(e, DS_USAGE, "--input input_ids=… is wanted as well");
	if (in[TYPES].given && !encoder)
		return ds_fail(e, DS_USAGE, "--input token_type_ids: encoders have it");
	for (int i = 1; i < N_INPUTS; i++)
		DS_TRY(check_axes(&in[IDS], &in[i], i == MASK && o->kv_cache, e));
	return DS_OK;
}

typedef struct {
	const ds_model *m;
	const export_opts *o;
	const char *path;
	onnx_type type, stored;
	input in[N_INPUTS];
	onnx_dim past, total;   /* with --kv-cache */
	const ds_config *image; /* NULL: no pictures */
	bool pair;              /* texts too */
	onnx_dim pictures;      /* how many */
} job;

/* The axes of what comes before: what the mask has more than the ids, where both are numbers. */
static ds_rc past_axes(job *j, ds_err *e)
{
	const onnx_dim *seq = &j->in[IDS].dims[1], *mask = &j->in[MASK].dims[1];
	j->past.name = "past_sequence_length";
	j->total.name = TOTAL_AXIS;
	if (!j->in[MASK].given || seq->name || mask->name) {
		if (j->in[MASK].given && mask->name && !same(mask, seq))
			j->total.name = mask->name;
		else if (j->in[MASK].given)
			j->in[MASK].dims[1] = j->total;
		return DS_OK;
	}
	if (mask->n <= seq->n)
		return ds_fail(e, DS_USAGE,
			"--input attention_mask: it covers what came before too, %lld is not over "
			"the %lld of input_ids",
			(long long)mask->n, (long long)seq->n);
	j->past = (onnx_dim){ mask->n - seq->n, NULL };
	j->total = *mask;
	return DS_OK;
}

static void name_caches(onnx_file *f, const job *j, ds_arena *mem, bool present)
{
	const ds_config *c = ds_model_config(j->m);
	const onnx_dim dims[] = { j->in[IDS].dims[0], { c->n_kv_heads, NULL },
		present ? j->total : j->past, { c->head_dim, NULL } };
	for (int i = 0; i < 2 * (int)c->n_layers; i++) {
		const char *what = i % 2 ? "value" : "key";
		const char *name = ds_arena_fmt(
			mem, "%s.%d.%s", present ? "present" : "past_key_values", i / 2, what)
					   .at;
		if (present)
			onnx_output(f, name, j->type, dims, 4);
		else
			onnx_input(f, name, j->type, dims, 4);
	}
}

static void name_images(onnx_file *f, const job *j)
{
	const ds_config *c = ds_model_config(j->m), *i = j->image;
	const onnx_dim texts = j->in[IDS].dims[0], width = { c->hidden_size, NULL };
	const onnx_dim rows = {
		(i->image_size / i->patch_size) * (i->image_size / i->patch_size) + 1, NULL
	};
	if (j->pair) {
		onnx_output(f, "logits_per_image", j->type, (onnx_dim[]){ j->pictures, texts }, 2);
		onnx_output(f, "logits_per_text", j->type, (onnx_dim[]){ texts, j->pictures }, 2);
		onnx_output(f, "text_embeds", j->type, (onnx_dim[]){ texts, width }, 2);
		onnx_output(f, "image_embeds", j->type, (onnx_dim[]){ j->pictures, width }, 2);
	} else if (c->head == DS_HEAD_NONE) {
		onnx_output(f, "last_hidden_state", j->type,
			(onnx_dim[]){ j->pictures, rows, width }, 3);
	} else {
		onnx_output(f, "logits", j->type,
			(onnx_dim[]){ j->pictures, { c->n_labels, NULL } }, 2);
	}
}

static void name_outputs(onnx_file *f, const job *j)
{
	const ds_config *c = ds_model_config(j->m);
	const onnx_dim *dims = j->in[IDS].dims;
	onnx_dim out[] = { dims[0], dims[1], { c->vocab_size, NULL } };
	if (c->head == DS_HEAD_NONE) {
		out[2].n = c->hidden_size;
		onnx_output(f, "last_hidden_state", j->type, out, 3);
		out[1] = out[2];
		onnx_output(f, "sentence_embedding", ONNX_FLOAT, out, 2);
		if (ds_model_find(j->m, ONNX_POOLER ".weight", NULL))
			onnx_output(f, "pooler_output", j->type, out, 2);
		return;
	}
	if (c->head != DS_HEAD_LM)
		out[2].n = c->n_labels;
	if (c->head == DS_HEAD_SEQ)
		out[1] = out[2];
	onnx_output(f, "logits", j->type, out, c->head == DS_HEAD_SEQ ? 2 : 3);
}

/* The weights into a file of their own where they must be, or are to be: Optimum's name. */
static ds_rc write_file(onnx_file *f, const job *j, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_AUTO(ds_out) data = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	const char *path = ds_arena_fmt(mem, "%s_data", j->path).at, *slash = strrchr(path, '/');
	onnx_how how = { .location = slash ? slash + 1 : path, .clamp = j->o->clamp };
	DS_TRY(ds_out_open(&out, j->path, e));
	if (j->o->external || onnx_bytes(f) > ONNX_LIMIT) {
		DS_TRY(ds_out_open(&data, path, e));
		how.data = data;
	}
	DS_TRY_AT(onnx_write(f, out, how, e), e, "%s", j->path);
	if (data)
		DS_TRY(ds_out_deliver(data, e));
	return ds_out_deliver(out, e);
}

/* Where the model comes from, as metadata. */
static void put_provenance(onnx_file *f, const char *dir, ds_arena *mem)
{
	ds_buf text = { 0 };
	provenance p = provenance_of(dir, mem);
	if (provenance_known(&p)) {
		provenance_json(&p, &text);
		onnx_meta(f, "provenance", ds_buf_text(&text));
	}
	ds_buf_free(&text);
}

static ds_rc walk(const job *j, ds_arena *mem, ds_err *e)
{
	const ds_config *c = ds_model_config(j->m);
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	DS_AUTO(onnx_file) f = onnx_new(j->o->opset, c->arch->name);
	ds_engine_opts eo = { .config = c, .batch = 1, .seq = BUILT_SEQ, .weights = j->m };
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	for (int i = 0; i < N_INPUTS; i++)
		if (j->in[i].given)
			onnx_input(f, j->in[i].name, ONNX_INT64, j->in[i].dims, 2);
	if (j->o->kv_cache)
		name_caches(f, j, mem, false);
	if (j->image) {
		const ds_config *i = j->image;
		const onnx_dim dims[] = { j->pictures, { i->n_channels, NULL },
			{ i->image_size, NULL }, { i->image_size, NULL } };
		onnx_input(f, "pixel_values", j->type, dims, 4);
		name_images(f, j);
	} else {
		name_outputs(f, j);
	}
	if (j->o->kv_cache)
		name_caches(f, j, mem, true);
	onnx_meta(f, "model_type", c->arch->name);
	put_provenance(f, ds_model_dir(j->m), mem);
	onnx_walk w = { .f = f,
		.g = n->g,
		.b = &n->b,
		.x = n->x,
		.mem = mem,
		.type = j->type,
		.stored = j->stored,
		.int8 = !j->o->int8                      ? ONNX_NOT_QUANTIZED
			: strcmp(j->o->int8, "qdq") == 0 ? ONNX_QDQ
							 : ONNX_DYNAMIC,
		.trunk = c->head == DS_HEAD_NONE,
		.image = j->image,
		.pair = j->pair,
		.eos = c->eos,
		.attention_mask = j->in[MASK].given,
		.position_ids = j->in[POSITIONS].given,
		.token_type_ids = j->in[TYPES].given,
		.kv_cache = j->o->kv_cache };
	DS_TRY(onnx_walk_run(&w, e));
	if (w.trunk && !j->image)
		DS_TRY(onnx_pool(&w, j->m, e));
	if (j->pair) {
		const int64_t swap[] = { 1, 0 };
		const char *out = "logits_per_image";
		const char *turned = onnx_permute(&w, "logits_per_text", swap, 2);
		onnx_add(f, "Identity", &turned, 1, &out, 1);
	}
	return write_file(f, j, e);
}

static ds_rc check_opts(const job *j, ds_err *e)
{
	const export_opts *o = j->o;
	const ds_config *c = ds_model_config(j->m);
	if (o->opset < MIN_OPSET || o->opset > MAX_OPSET)
		return ds_fail(e, DS_USAGE, "opset %d is not between %d and %d", o->opset,
			MIN_OPSET, MAX_OPSET);
	if (o->int8 && o->int8[0] && strcmp(o->int8, "qdq") != 0)
		return ds_fail(e, DS_USAGE, "--int8 '%s': qdq, or nothing", o->int8);
	if (o->int8 && j->stored != ONNX_FLOAT)
		return ds_fail(e, DS_USAGE, "--int8 and --dtype %s exclude one another", o->dtype);
	if (o->kv_cache && c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(e, DS_USAGE, "--kv-cache: an encoder has none");
	if (o->kv_cache && c->head != DS_HEAD_LM)
		return ds_fail(e, DS_USAGE, "--kv-cache: this model does not continue texts");
	return DS_OK;
}

/* Of pictures, then of texts where there are any. */
static ds_rc parse_all(job *j, ds_arena *mem, ds_err *e)
{
	export_opts texts = *j->o;
	bool encoder = ds_model_config(j->m)->arch->traits & DS_ARCH_ENCODER;
	if (!j->image)
		return parse_inputs(j->o, encoder, j->in, mem, e);
	j->pictures.name = j->pair ? "image_batch_size" : "batch_size";
	texts.inputs.n = 0;
	texts.inputs.at = ds_arena_get(mem, (j->o->inputs.n + 1) * sizeof(*texts.inputs.at));
	for (size_t i = 0; i < j->o->inputs.n; i++) {
		const char *text = j->o->inputs.at[i];
		if (ds_str_starts(ds_str_of(text), DS_S("pixel_values=")))
			DS_TRY(parse_pixels(text, j->image, &j->pictures, mem, e));
		else
			texts.inputs.at[texts.inputs.n++] = text;
	}
	if (!j->pair && texts.inputs.n)
		return ds_fail(
			e, DS_USAGE, "--input '%s': pixel_values is the input", texts.inputs.at[0]);
	if (!j->pair)
		return DS_OK;
	DS_TRY(parse_inputs(&texts, true, j->in, mem, e));
	j->in[TYPES].given = false;
	if (!texts.inputs.n)
		j->in[IDS].dims[0].name = j->in[MASK].dims[0].name = "text_batch_size";
	return DS_OK;
}

static ds_rc write_onnx(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	static const onnx_type types[] = {
		[VALUE_F32] = ONNX_FLOAT, [VALUE_F16] = ONNX_FLOAT16, [VALUE_BF16] = ONNX_BFLOAT16
	};
	const ds_config *config = ds_model_config(m);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	value_type t = VALUE_F32;
	job j = { .m = m,
		.o = o,
		.path = c->out.path,
		.image = ds_config_images(config),
		.pair = config->towers[DS_TOWER_TEXT] != NULL,
		.in = { { .name = "input_ids" }, { .name = "attention_mask" },
			{ .name = "position_ids" }, { .name = "token_type_ids" } } };
	DS_TRY(values_type(o->dtype, &t, e));
	j.stored = types[t];
	j.type = t == VALUE_F16 ? ONNX_FLOAT16 : ONNX_FLOAT;
	DS_TRY(check_opts(&j, e));
	DS_TRY(parse_all(&j, mem, e));
	if (o->kv_cache)
		DS_TRY(past_axes(&j, e));
	if (j.in[IDS].given && !j.in[IDS].dims[1].name &&
		j.in[IDS].dims[1].n > config->max_positions)
		return ds_fail(e, DS_USAGE, "a sequence of %lld, the model's context is %lld",
			(long long)j.in[IDS].dims[1].n, (long long)config->max_positions);
	return walk(&j, mem, e);
}

static const ds_arg args[] = {
	EXPORT_MODEL,
	DS_ARG(0, "opset", &export_opt.opset, "N", "ONNX operator set, 13 to 27 (17)"),
	DS_ARG(0, "input", &export_opt.inputs, "NAME=B,S",
		"an input and its axes, numbers or names; repeat for more"),
	EXPORT_DTYPE,
	DS_ARG_F(0, "int8", &export_opt.int8, "qdq",
		"products of signed bytes; qdq: as TensorRT takes them", DS_ARG_OPTIONAL),
	DS_ARG(0, "kv-cache", &export_opt.kv_cache, NULL,
		"with past_key_values.N.… in and present.N.… out"),
	DS_ARG(0, "external", &export_opt.external, NULL,
		"the weights in FILE_data beside, as they are anyway over 2 GiB"),
	{ 0 },
};

const exporter export_onnx = {
	.name = "onnx",
	.usage = "-m DIR -o FILE [options]",
	.help = "for ONNX Runtime and TensorRT",
	.args = args,
	.write = write_onnx,
};
