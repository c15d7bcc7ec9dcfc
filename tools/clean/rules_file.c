/*
 * rules_file.c - rules from a file: one a line, comments, conditions in brackets, files in files
 */
#include "rules.h"

#include <limits.h>
#include <stdlib.h>

#include "base/args.h"
#include "base/io.h"
#include "base/mem.h"
#include "when.h"

enum { FILE_BYTES_MAX = 16 << 20, DEPTH_MAX = 16 };

struct rules_file { /* one that is being read */
	const char *name;
	char path[PATH_MAX]; /* as the system has it, to find circles; empty: none */
	unsigned depth;
	const struct rules_file *from;
};

/* "include FILE": FILE's folder is that of the file that names it. */
static void path_of(ds_buf *out, const char *from, const char *value)
{
	const char *slash = from ? strrchr(from, '/') : NULL;
	if (slash && value[0] != '/')
		ds_buf_add_str(out, (ds_str){ from, (size_t)(slash + 1 - from) });
	ds_buf_add_c(out, value);
}

static ds_rc read_text(rules *r, const struct rules_file *file, ds_str text, ds_err *e);

static ds_rc open_file(rules *r, const char *name, const struct rules_file *from, ds_err *e)
{
	struct rules_file file = {
		.name = name, .from = from, .depth = from ? from->depth + 1 : 0
	};
	if (!realpath(name, file.path))
		file.path[0] = '\0';
	for (const struct rules_file *f = from; f && file.path[0]; f = f->from)
		if (strcmp(f->path, file.path) == 0)
			return ds_fail(e, DS_USAGE,
				"'%s' is being read already: it includes itself", name);
	if (file.depth == DEPTH_MAX)
		return ds_fail(
			e, DS_USAGE, "'%s': more than %d files in one another", name, DEPTH_MAX);
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(name, FILE_BYTES_MAX, &text, e);
	if (rc == DS_OK)
		rc = read_text(r, &file, ds_buf_view(&text), e);
	if (rc == DS_OK && from) {
		ds_buf_add_c(&r->inner, " include=");
		rc = ds_args_add_file(&r->inner, "FILE", name, e);
	}
	ds_buf_free(&text);
	return rc;
}

ds_rc rules_open_file(rules *r, const char *name, ds_err *e)
{
	return open_file(r, name, NULL, e);
}

/* --name=value, --name value, name value; the value may stand in quotes, as in a shell. */
static ds_rc read_rule(
	rules *r, const struct rules_file *file, const char *where, ds_str line, ds_err *e)
{
	if (ds_str_starts(line, DS_S("--")))
		line = (ds_str){ line.at + 2, line.n - 2 };
	size_t n = 0;
	while (n < line.n && line.at[n] != ' ' && line.at[n] != '\t' && line.at[n] != '=')
		n++;
	ds_str name = { line.at, n }, rest = { line.at + n, line.n - n };
	if (rest.n && rest.at[0] == '=')
		rest = (ds_str){ rest.at + 1, rest.n - 1 };
	rest = ds_str_trim(rest);
	if (rest.n > 1 && (rest.at[0] == '\'' || rest.at[0] == '"') &&
		rest.at[rest.n - 1] == rest.at[0])
		rest = (ds_str){ rest.at + 1, rest.n - 2 };
	if (rest.n && memchr(rest.at, '\0', rest.n))
		return ds_fail(e, DS_USAGE, "a NUL in the line");
	bool include = ds_str_is(name, "include") || ds_str_is(name, "rules");
	if (include && !rest.n)
		return ds_fail(e, DS_USAGE, "'%.*s' wants a file's name", DS_FMT(name));
	ds_buf value = { 0 }, path = { 0 };
	ds_buf_add_str(&value, rest);
	if (include)
		path_of(&path, file->name, ds_buf_text(&value));
	ds_rc rc = include ? open_file(r, ds_buf_text(&path), file, e)
			   : rules_note(r, where, name, rest.n ? ds_buf_text(&value) : NULL, e);
	ds_buf_free(&value);
	ds_buf_free(&path);
	return rc;
}

/* "[lang=zh source=*.html]": the rules below are for such records; "[]": for those that they were for before. */
static ds_rc read_when(rules *r, const char *before, ds_str line, ds_err *e)
{
	if (line.at[line.n - 1] != ']')
		return ds_fail(e, DS_USAGE, "'%.*s' has no ']' at its end", DS_FMT(line));
	ds_str inside = ds_str_trim((ds_str){ line.at + 1, line.n - 2 });
	if (inside.n && memchr(inside.at, '\0', inside.n))
		return ds_fail(e, DS_USAGE, "a NUL in the line");
	DS_TRY(when_check(inside, e));
	ds_buf text = { 0 };
	ds_buf_add_str(&text, inside);
	ds_mem_free(r->when);
	r->when = inside.n ? ds_mem_text(ds_buf_text(&text)) : before ? ds_mem_text(before) : NULL;
	ds_buf_free(&text);
	return DS_OK;
}

static ds_rc read_lines(
	rules *r, const struct rules_file *file, const char *before, ds_str text, ds_err *e)
{
	for (unsigned number = 1; text.at && text.n; number++) {
		ds_str line = ds_str_trim(ds_str_cut(text, '\n', &text));
		if (line.n == 0 || line.at[0] == '#')
			continue;
		ds_buf where = { 0 };
		ds_buf_fmt(&where, "%s:%u", file->name, number);
		ds_rc rc = line.at[0] == '[' ? read_when(r, before, line, e)
					     : read_rule(r, file, ds_buf_text(&where), line, e);
		if (rc != DS_OK)
			ds_at(e, rc, "%s:%u", file->name, number);
		ds_buf_free(&where);
		DS_TRY(rc);
	}
	return DS_OK;
}

static ds_rc read_text(rules *r, const struct rules_file *file, ds_str text, ds_err *e)
{
	char *before = r->when ? ds_mem_text(r->when) : NULL;
	if (ds_str_starts(text, DS_S("\xef\xbb\xbf")))
		text = (ds_str){ text.at + 3, text.n - 3 };
	ds_rc rc = read_lines(r, file, before, text, e);
	ds_mem_free(r->when); /* a condition ends with its file */
	r->when = before;
	return rc;
}

ds_rc rules_read(rules *r, const char *name, ds_str text, ds_err *e)
{
	struct rules_file file = { .name = name };
	return read_text(r, &file, text, e);
}
