/*
 * sink_format.c - what an output is written as: what --to says and what its name says
 *
 * Every exporter lists the suffixes that stand for it. A suffix of a format that is only read, or that no
 * program here writes, is refused: a stream of records named .xlsx helps nobody. Any other name is dsr.
 */
#include "record/sink.h"

#include "record/export.h"
#include "record/import.h"

#include <strings.h>

#define IMPORT(name)
#define EXPORT(name) extern const ds_exporter ds_export_##name;
#include "record/formats.def"
#undef EXPORT
#define EXPORT(name) &ds_export_##name,
const ds_exporter *const ds_exporters[] = {
#include "record/formats.def"
	NULL
};
#undef EXPORT
#undef IMPORT

typedef struct {
	const char *suffix;
	ds_wrap wrap;
	const char *inner; /* what the name ends with once this is gone; NULL: what is before it */
} wrapping;
static const wrapping wrappings[] = {
	{ ".gz", DS_GZIP, NULL },
	{ ".zst", DS_ZSTD, NULL },
	{ ".bz2", DS_BZIP2, NULL },
	{ ".xz", DS_XZ, NULL },
	{ ".tgz", DS_GZIP, ".tar" },
	{ ".tbz2", DS_BZIP2, ".tar" },
	{ ".txz", DS_XZ, ".tar" },
};

/* Names under which nobody expects a record stream, and that nothing here can write. */
static const char unwritten[] =
	".lz4 .br .zip .7z .rar .orc .avro .xlsx .xls .ods .pdf "
	".doc "
	".docx .epub .npy .npz .pkl .h5 .hdf5 .safetensors .gguf .onnx .sqlite .db .yaml .yml .xml";

static bool ends_in(ds_str name, const char *suffix)
{
	size_t n = strlen(suffix);
	return name.n > n && strncasecmp(name.at + name.n - n, suffix, n) == 0;
}

const ds_exporter *ds_exporter_find(const char *name)
{
	for (size_t i = 0; ds_exporters[i]; i++)
		if (strcmp(ds_exporters[i]->name, name) == 0)
			return ds_exporters[i];
	return NULL;
}

static ds_rc unknown(const char *to, ds_err *e)
{
	ds_buf names = { 0 };
	for (size_t i = 0; ds_exporters[i]; i++)
		ds_buf_fmt(&names, ", %s", ds_exporters[i]->name);
	ds_fail(e, DS_USAGE, "--to '%s' is none of dsr%s", to, ds_buf_text(&names));
	ds_buf_free(&names);
	return DS_USAGE;
}

typedef struct {
	ds_wrap wrap;
	ds_buf bare; /* the name without what wraps it */
	const ds_exporter *exporter;
	bool dsr;     /* named so */
	bool refused; /* nothing writes what it is named */
} named;

static named read_name(const char *path)
{
	named n = { .wrap = DS_RAW };
	ds_str name = ds_str_of(path);
	for (size_t i = 0; i < sizeof(wrappings) / sizeof(*wrappings) && n.wrap == DS_RAW; i++) {
		if (!ends_in(name, wrappings[i].suffix))
			continue;
		n.wrap = wrappings[i].wrap;
		name.n -= strlen(wrappings[i].suffix);
		if (wrappings[i].inner)
			name = ds_str_of(wrappings[i].inner);
	}
	ds_buf_add_str(&n.bare, name);
	const char *bare = ds_buf_text(&n.bare);
	n.dsr = ds_name_ends(bare, ".dsr");
	for (size_t i = 0; ds_exporters[i] && !n.exporter; i++)
		if (ds_name_ends(bare, ds_exporters[i]->suffixes))
			n.exporter = ds_exporters[i];
	n.refused = !n.exporter && ds_name_ends(bare, unwritten);
	for (size_t i = 0; ds_importers[i] && !n.exporter && !n.dsr && !n.refused; i++)
		n.refused = ds_name_ends(bare, ds_importers[i]->suffixes);
	return n;
}

/* Both are one object after another, so a .json may be asked to be JSON Lines. */
static bool agree(const ds_exporter *said, const ds_exporter *by_name)
{
	return said == by_name || (said && by_name && strcmp(said->name, "jsonl") == 0 &&
					  strcmp(by_name->name, "json") == 0);
}

static ds_rc choose(const char *to, const char *path, const named *n, const char *otherwise,
	const ds_exporter **exporter, ds_err *e)
{
	const char *dot = strrchr(n->bare.at, '.');
	bool is_dsr = to && strcmp(to, "dsr") == 0;
	*exporter = to && !is_dsr ? ds_exporter_find(to) : NULL;
	if (to && !is_dsr && !*exporter)
		return unknown(to, e);
	if (n->refused)
		return ds_fail(e, DS_USAGE, "-o %s: %s cannot be written", path, dot);
	if (to && ((n->dsr && !is_dsr) || (n->exporter && !agree(*exporter, n->exporter))))
		return ds_fail(e, DS_USAGE, "-o %s and --to %s contradict one another", path, to);
	if (!to)
		*exporter = n->exporter || n->dsr || !otherwise ? n->exporter
								: ds_exporter_find(otherwise);
	return DS_OK;
}

ds_rc ds_sink_format(
	ds_sink_form *out, const char *to, const char *path, const char *otherwise, ds_err *e)
{
	named n = read_name(path ? path : "");
	ds_rc rc = choose(to, path ? path : "-", &n, otherwise, &out->exporter, e);
	out->wrap = n.wrap;
	ds_buf_free(&n.bare);
	return rc;
}

ds_rc ds_sink_check(const ds_output_opts *c, ds_err *e)
{
	ds_sink_form unused;
	return ds_sink_format(&unused, c->to, c->path, NULL, e);
}
