/*
 * recognize.c - which format an input has: by name, by magic, else by its first line
 *
 * A name decides before content does, except that a DSR stream, damaged or not, is always known by
 * its magic, and that content which contradicts a .dsr, .gz, .zst, .bz2 or .xz name is damage.
 */
#include "record/import.h"

#include <strings.h>
#include <unistd.h>

#define IMPORT(name) extern const ds_importer ds_import_##name;
#define EXPORT(name)
#include "record/formats.def"
#undef IMPORT
#define IMPORT(name) &ds_import_##name,
const ds_importer *const ds_importers[] = {
#include "record/formats.def"
	NULL
};
#undef IMPORT
#undef EXPORT

enum { LOOK = 64 << 10, TEXT_LOOK = 4096 };

/* File names without a suffix that are program text. */
static const char code_names[] = " makefile gnumakefile dockerfile cmakelists.txt rakefile "
				 "gemfile vagrantfile jenkinsfile build.bazel ";
static const char code_suffixes[] =
	" .c .h .cc .cpp .cxx .hh .hpp .hxx .inl .ipp .cu .cuh .cl .m .mm .s .asm .py .pyi .pyx "
	".rb "
	".pl .pm .t .lua .tcl .r .jl .php .js .mjs .cjs .jsx .ts .tsx .vue .svelte .java .kt .kts "
	".scala .groovy .gradle .clj .cljs .cs .fs .fsx .vb .go .rs .swift .d .nim .zig .v .sv "
	".vhd "
	".vhdl .hs .lhs .ml .mli .elm .erl .hrl .ex .exs .lisp .el .scm .rkt .f .f90 .f95 .for "
	".ada "
	".adb .ads .pas .pp .dpr .sh .bash .zsh .fish .ksh .awk .sed .bat .cmd .ps1 .psm1 .sql "
	".proto "
	".thrift .graphql .cmake .mk .mak .bzl .css .scss .sass .less .vim .dart .sol .wat .ll .td "
	".y .yy .l .ll .cob .cbl .toml .ini .cfg .conf .yaml .yml .diff .patch .tex .bib ";
static const char markdown_suffixes[] = " .md .markdown .mdown .mkd .rst ";
static const char html_suffixes[] = " .html .htm .xhtml ";

static ds_str base_name(ds_str name)
{
	const char *slash = name.n ? memrchr(name.at, '/', name.n) : NULL;
	if (!slash)
		return name;
	return (ds_str){ slash + 1, (size_t)(name.at + name.n - slash - 1) };
}

/* word stands in the list between blanks; letters' case does not matter */
static bool in_list(const char *list, ds_str word)
{
	for (const char *p = list; word.n && *p;) {
		p += strspn(p, " ");
		size_t n = strcspn(p, " ");
		if (n == word.n && strncasecmp(p, word.at, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static bool suffix_in(ds_str name, const char *list)
{
	ds_str base = base_name(ds_name_unwrapped(name));
	const char *dot = base.n ? memrchr(base.at, '.', base.n) : NULL;
	return dot && in_list(list, (ds_str){ dot, (size_t)(base.at + base.n - dot) });
}

bool ds_name_ends(const char *name, const char *suffixes)
{
	return suffixes && suffix_in(ds_str_of(name), suffixes);
}

static bool is_program(ds_str name)
{
	return suffix_in(name, code_suffixes) || in_list(code_names, base_name(name));
}

bool ds_source_is_code(ds_str name)
{
	return is_program(name) || suffix_in(name, markdown_suffixes);
}

bool ds_source_is_html(ds_str name)
{
	return suffix_in(name, html_suffixes);
}

const ds_importer *ds_importer_find(const char *name)
{
	for (size_t i = 0; ds_importers[i]; i++)
		if (strcmp(ds_importers[i]->name, name) == 0)
			return ds_importers[i];
	return NULL;
}

/* --split line and para make lines and paragraphs of what would be one record. */
static bool lines_wanted(const ds_common *c)
{
	return c->split && strcmp(c->split, "file") != 0;
}

static const ds_importer *as_split(const ds_common *c, const ds_importer *im)
{
	bool of_text = im && (strcmp(im->name, "html") == 0 || strcmp(im->name, "markdown") == 0 ||
				     strcmp(im->name, "code") == 0);
	if (of_text && lines_wanted(c))
		return ds_importer_find("text");
	if (im && strcmp(im->name, "text") == 0 && c->split && strcmp(c->split, "file") == 0)
		return ds_importer_find("textfile");
	return im;
}

const ds_importer *ds_recognize_name(const ds_common *c, const char *path)
{
	if (c->from)
		return as_split(c, ds_importer_find(c->from));
	if (strcmp(path, "-") == 0)
		return NULL;
	if (is_program(ds_str_of(path)))
		return as_split(c, ds_importer_find("code"));
	for (size_t i = 0; ds_importers[i]; i++)
		if (ds_name_ends(path, ds_importers[i]->suffixes))
			return as_split(c, ds_importers[i]);
	return NULL;
}

static bool first_line_is_object(ds_str head, bool all)
{
	const char *lf = memchr(head.at, '\n', head.n);
	ds_str line = { head.at, lf ? (size_t)(lf - head.at) : head.n };
	ds_json_span span;
	if (ds_str_starts(line, DS_S("\xEF\xBB\xBF")))
		line = (ds_str){ line.at + 3, line.n - 3 };
	ds_json_scan s = ds_json_scan_of(line);
	if (ds_json_peek(&s) != '{')
		return false;
	if (ds_json_skip(&s, 0, &span)) {
		ds_json_peek(&s);
		return s.at >= s.end;
	}
	if (strcmp(s.why, "duplicate key") == 0)
		return true; /* a record error, but an object */
	/* A first line longer than the look, and right as far as it goes. */
	return !lf && !all && (s.where >= line.n || strcmp(s.why, "a string without its end") == 0);
}

ds_rc ds_check_text(ds_str head, ds_err *e)
{
	const uint8_t *p = (const uint8_t *)head.at;
	size_t n = head.n < TEXT_LOOK ? head.n : TEXT_LOOK, nul = 0, odd = 0, control = 0;
	bool bom = n >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF));
	for (size_t i = 0; i < n; i++) {
		nul += p[i] == 0;
		odd += p[i] == 0 && i % 2;
		control += p[i] < 0x20 && !(p[i] >= '\t' && p[i] <= '\r') && p[i] != 0x1B;
	}
	if (!nul && !bom && control * 10 <= n)
		return DS_OK;
	/* Latin letters in UTF-16 have a zero in every second byte. */
	if (bom || (nul * 10 >= n * 3 && (odd == 0 || odd == nul)))
		return ds_fail(e, DS_BAD,
			"UTF-16 text, not UTF-8: convert it with iconv, or "
			"--from text takes the bytes as they are");
	return ds_fail(e, DS_BAD,
		"not text: %s in the first 4 KiB; --from text takes it all the same",
		nul ? "NUL bytes" : "over 10 % control bytes");
}

/* The half of a pair that is not the one to name. */
static bool is_megatron_bin(const char *name)
{
	char other[4096];
	size_t n = strlen(name);
	if (n < 4 || n >= sizeof other || strcmp(name + n - 4, ".bin") != 0)
		return false;
	memcpy(other, name, n + 1);
	memcpy(other + n - 4, ".idx", 4);
	return access(other, F_OK) == 0;
}

ds_rc ds_recognize(const ds_importer **out, ds_input *in, ds_err *e)
{
	ds_str head;
	bool text = false;
	DS_TRY(ds_in_peek(in->in, LOOK, &head, e));
	*out = ds_recognize_name(in->common, in->name);
	if (in->common->from)
		return DS_OK;
	if (ds_stream_looks(head)) {
		*out = ds_importer_find("dsr");
		return DS_OK;
	}
	if (suffix_in(ds_str_of(in->name), " .dsr "))
		return ds_fail(e, DS_SHORT,
			head.n ? "%s: damaged: this is not a record stream"
			       : "%s: input ended early: the file is empty",
			in->name);
	for (size_t i = 0; !*out && ds_importers[i]; i++)
		if (ds_importers[i]->magic && ds_importers[i]->magic(head))
			*out = as_split(in->common, ds_importers[i]);
	if (!*out && first_line_is_object(head, head.n < LOOK))
		*out = ds_importer_find("jsonl");
	if (!*out && is_megatron_bin(in->name))
		return ds_fail(
			e, DS_USAGE, "%s: belongs to the .idx beside it: name that", in->name);
	text = !*out || strcmp((*out)->name, "text") == 0 || strcmp((*out)->name, "textfile") == 0;
	if (!*out)
		*out = as_split(in->common, ds_importer_find("text"));
	return text ? ds_check_text(head, e) : DS_OK;
}
