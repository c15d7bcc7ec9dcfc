/*
 * export.h - what an export format is: a subcommand of dsexport
 *
 * An exporter gets an opened model and its parsed settings and writes one file; its options are its own table. The
 * model's directory, -o and messages are main's.
 */
#ifndef DS_EXPORT_EXPORT_H
#define DS_EXPORT_EXPORT_H

#include "base/args.h"
#include "base/io.h"
#include "model/model.h"

typedef struct { /* of the command line; each exporter's args offer what it looks at */
	const char *model;
	int opset;
	ds_strs inputs;    /* name=dim,dim */
	const char *dtype; /* fp32 bf16 fp16 q8_0 */
	const char *int8;  /* NULL: no; "": dynamic; "qdq" */
	bool ignore_keys, clamp, kv_cache, external;
} export_opts;
extern export_opts export_opt; /* where the tables of options put what is parsed */

typedef struct {
	const char *name, *usage, *help;
	const ds_arg *args;
	bool folders; /* -o may be one */
	ds_rc (*write)(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e);
} exporter;

#define EXPORT(name) extern const exporter export_##name;
#include "exports.def"
#undef EXPORT

/* Options that several have. */
#define EXPORT_MODEL \
	DS_ARG('m', "model", &export_opt.model, "DIR", "the model directory"), \
		DS_ARG(0, "ignore-keys", &export_opt.ignore_keys, NULL, \
			"leave out what a model has and this program does not")
#define EXPORT_CLAMP \
	DS_ARG(0, "clamp", &export_opt.clamp, NULL, \
		"values over the type's range become its largest; else that is an error")
#define EXPORT_DTYPE \
	DS_ARG(0, "dtype", &export_opt.dtype, "fp32|bf16|fp16", "the type of the values (fp32)"), \
		EXPORT_CLAMP

#endif
