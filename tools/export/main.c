/*
 * main.c - dsexport: a trained model in other formats
 */
#include "export.h"

#include "base/io.h"
#include "base/progress.h"

static export_opts opt = { .opset = 17, .dtype = "fp32" };

static ds_rc run(const exporter *x, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_model) m = NULL;
	if (!opt.model)
		return ds_fail(e, DS_USAGE, "name the model with -m DIR");
	if (c->in.n_files)
		return ds_fail(e, DS_USAGE, "'%s': the model is named with -m", c->in.files[0]);
	if (!c->out.path)
		return ds_fail(e, DS_USAGE, "name the file to write with -o");
	size_t n = strlen(c->out.path);
	if (!x->folders || c->out.path[n - 1] != '/') /* folders are made */
		DS_TRY(ds_file_place(c->out.path, x->folders, e));
	DS_TRY(ds_model_open_with(
		&m, opt.model, &(ds_model_opts){ .ignore_keys = opt.ignore_keys }, e));
	DS_TRY(x->write(m, &opt, c, e));
	ds_say(&c->who, "%s written as %s", opt.model, c->out.path);
	return DS_OK;
}

static ds_rc run_onnx(const ds_common *c, ds_err *e)
{
	return run(&export_onnx, c, e);
}

static ds_rc run_gguf(const ds_common *c, ds_err *e)
{
	return run(&export_gguf, c, e);
}

static ds_rc run_safetensors(const ds_common *c, ds_err *e)
{
	return run(&export_safetensors, c, e);
}

#define MODEL \
	DS_ARG('m', "model", &opt.model, "DIR", "the model directory"), \
		DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL, \
			"leave out what a model has and this program does not")
#define CLAMP \
	DS_ARG(0, "clamp", &opt.clamp, NULL, \
		"values over the type's range become its largest; else that is an error")
#define DTYPE \
	DS_ARG(0, "dtype", &opt.dtype, "fp32|bf16|fp16", "the type of the values (fp32)"), CLAMP
static const ds_arg onnx_args[] = {
	MODEL,
	DS_ARG(0, "opset", &opt.opset, "N", "ONNX operator set, 13 to 27 (17)"),
	DS_ARG(0, "input", &opt.inputs, "NAME=B,S",
		"an input and its axes, numbers or names; repeat for more"),
	DTYPE,
	DS_ARG_F(0, "int8", &opt.int8, "qdq",
		"products of signed bytes; qdq: as TensorRT takes them", DS_ARG_OPTIONAL),
	DS_ARG(0, "kv-cache", &opt.kv_cache, NULL,
		"with past_key_values.N.… in and present.N.… out"),
	DS_ARG(0, "external", &opt.external, NULL,
		"the weights in FILE_data beside, as they are anyway over 2 GiB"),
	{ 0 },
};
static const ds_arg gguf_args[] = {
	MODEL,
	DS_ARG(0, "dtype", &opt.dtype, "fp32|bf16|fp16|q8_0",
		"the type of matrices; q8_0: blocks of bytes (fp32)"),
	CLAMP,
	{ 0 },
};
static const ds_arg safetensors_args[] = {
	MODEL,
	DTYPE,
	{ 0 },
};

int main(int argc, char **argv)
{
	enum { TAKES = DS_TAKES_PATH | DS_TAKES_NO_STDIN };
	static const ds_cmd cmds[] = {
		{ "onnx", "-m DIR -o FILE [options]", "for ONNX Runtime and TensorRT", onnx_args,
			TAKES, run_onnx },
		{ "gguf", "-m DIR -o FILE [options]", "for llama.cpp, with the tokenizer",
			gguf_args, TAKES, run_gguf },
		{ "safetensors", "-m DIR -o FILE|DIR/ [options]",
			"the weights as one file, or a folder with a model card", safetensors_args,
			TAKES, run_safetensors },
		{ 0 },
	};
	static const ds_tool tool = {
		.name = "dsexport",
		.usage = "onnx|gguf|safetensors -m DIR -o FILE [options]",
		.what = "a trained model in other formats",
		.cmds = cmds,
		.examples = {
			"dsexport onnx -m run/ -o model.onnx",
			"dsexport onnx -m run/ -o model.onnx --opset 13 --input input_ids=1,128",
			"dsexport gguf -m run/ -o model.gguf --dtype q8_0",
		},
	};
	return ds_main(&tool, argc, argv);
}
