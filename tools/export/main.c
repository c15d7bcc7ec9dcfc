/*
 * main.c - dsexport: a trained model in other formats
 */
#include "export.h"

#include "base/io.h"
#include "base/progress.h"

export_opts export_opt = { .opset = 17, .dtype = "fp32" };

static ds_rc run(const exporter *x, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_model) m = NULL;
	if (!export_opt.model)
		return ds_fail(e, DS_USAGE, "name the model with -m DIR");
	if (c->in.n_files)
		return ds_fail(e, DS_USAGE, "'%s': the model is named with -m", c->in.files[0]);
	if (!c->out.path)
		return ds_fail(e, DS_USAGE, "name the file to write with -o");
	size_t n = strlen(c->out.path);
	if (!x->folders || c->out.path[n - 1] != '/') /* folders are made */
		DS_TRY(ds_file_place(c->out.path, x->folders, e));
	DS_TRY(ds_model_open_with(&m, export_opt.model,
		&(ds_model_opts){ .ignore_keys = export_opt.ignore_keys }, e));
	DS_TRY(x->write(m, &export_opt, c, e));
	ds_say(&c->who, "%s written as %s", export_opt.model, c->out.path);
	return DS_OK;
}

#define EXPORT(name) \
	static ds_rc run_##name(const ds_common *c, ds_err *e) \
	{ \
		return run(&export_##name, c, e); \
	}
#include "exports.def"
#undef EXPORT

static const struct {
	const exporter *x;
	ds_rc (*run)(const ds_common *c, ds_err *e);
} exports[] = {
#define EXPORT(name) { &export_##name, run_##name },
#include "exports.def"
#undef EXPORT
};

enum { N = sizeof(exports) / sizeof(*exports) };

/* A bar in front of each name. */
static const char usage[] =
#define EXPORT(name) "|" #name
#include "exports.def"
#undef EXPORT
	" -m DIR -o FILE [options]";

int main(int argc, char **argv)
{
	enum { TAKES = DS_TAKES_PATH | DS_TAKES_NO_STDIN };
	static ds_cmd cmds[N + 1];
	for (int i = 0; i < N; i++) {
		const exporter *x = exports[i].x;
		cmds[i] = (ds_cmd){ x->name, x->usage, x->help, x->args, TAKES, exports[i].run };
	}
	static const ds_tool tool = {
		.name = "dsexport",
		.usage = usage + 1,
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
