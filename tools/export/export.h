/*
 * export.h - what an export format is: a subcommand of dsexport
 *
 * An exporter gets an opened model and its parsed settings and writes one file. It fills `write` only;
 * the model's directory, -o and messages are main's.
 */
#ifndef DS_EXPORT_EXPORT_H
#define DS_EXPORT_EXPORT_H

#include "base/args.h"
#include "base/io.h"
#include "model/model.h"

typedef struct { /* of the command line; each exporter looks at what its args table offers */
	const char *model;
	int opset;
	ds_strs inputs;    /* name=dim,dim */
	const char *dtype; /* fp32 bf16 fp16 q8_0 */
	const char *int8;  /* NULL: no; "": dynamic; "qdq" */
	bool ignore_keys, clamp, kv_cache, external;
} export_opts;

typedef struct {
	const char *name, *help;
	bool folders; /* -o may be one */
	ds_rc (*write)(const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e);
} exporter;

extern const exporter export_onnx, export_gguf, export_safetensors;

#endif
