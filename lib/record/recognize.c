/*
 * recognize.c - which format an input has: by name, by magic, else by its first bytes
 *
 * A name decides before content does, except that a DSR stream, damaged or not, is always known by
 * its magic, and that content which contradicts a .dsr, .gz, .zst, .bz2 or .xz name is damage.
 */
#include "base/charset.h"
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
static bool lines_wanted(const ds_input_opts *c)
{
	return c->split && strcmp(c->split, "file") != 0;
}

static const ds_importer *as_split(const ds_input_opts *c, const ds_importer *im)
{
	bool of_text = im && (strcmp(im->name, "html") == 0 || strcmp(im->name, "markdown") == 0 ||
				     strcmp(im->name, "code") == 0);
	if (of_text && lines_wanted(c))
		return ds_importer_find("text");
	if (im && strcmp(im->name, "text") == 0 && c->split && strcmp(c->split, "file") == 0)
		return ds_importer_find("textfile");
	return im;
}

const ds_importer *ds_recognize_name(const ds_input_opts *c, const char *path)
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

typedef struct {
	size_t nul, control;
	bool utf16;
} odd_bytes;

static odd_bytes count_odd(ds_str head)
{
	const uint8_t *p = (const uint8_t *)head.at;
	size_t n = head.n < TEXT_LOOK ? head.n : TEXT_LOOK, second = 0;
	bool bom = n >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF));
	odd_bytes odd = { 0 };
	for (size_t i = 0; i < n; i++) {
		odd.nul += p[i] == 0;
		second += p[i] == 0 && i % 2;
		odd.control += p[i] < 0x20 && !(p[i] >= '\t' && p[i] <= '\r') && p[i] != 0x1B;
	}
	/* Latin letters in UTF-16 have a zero in every second byte, and hardly a character has the other. */
	odd.utf16 = bom || (odd.nul && odd.nul * 10 >= n * 3 &&
				   (second * 10 <= odd.nul || second * 10 >= odd.nul * 9));
	if (odd.control * 10 <= n)
		odd.control = 0;
	return odd;
}

static ds_rc is_utf16(ds_err *e)
{
	return ds_fail(e, DS_BAD,
		"UTF-16 text without a byte order mark: --encoding UTF-16LE or UTF-16BE, or "
		"--from text takes the bytes as they are");
}

/* Formats that say themselves what they are in; a folder may have images beside its text. */
static ds_rc check_encoding(const ds_importer *im, const ds_input_opts *c, ds_in *in, ds_err *e)
{
	if (!c->encoding || strcmp(im->name, "images") == 0)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "%s: --encoding is for text, tables and JSON, not for %s",
		ds_in_name(in), im->name);
}

ds_rc ds_decode_text(
	const ds_importer *im, const ds_input_opts *c, ds_in *in, const char **charset, ds_err *e)
{
	enum { BOM_MOST = 4 };
	ds_str head;
	size_t bom;
	*charset = NULL;
	if (im && !im->of_text)
		return check_encoding(im, c, in, e);
	bool as_it_is = im && (strcmp(im->name, "html") == 0 ||
				      (c->from && strncmp(im->name, "text", 4) == 0));
	DS_TRY(ds_in_peek(in, BOM_MOST, &head, e));
	const char *said = c->encoding, *by_bom = ds_charset_of_bom(head, &bom);
	/* UTF-8 with a mark is as ever: importers take it away where it is none of the text. */
	if (by_bom && (said || (!as_it_is && strcmp(by_bom, "UTF-8") != 0)))
		said = by_bom;
	if (said)
		DS_TRY_AT(ds_in_decode(in, said, e), e, "%s", ds_in_name(in));
	*charset = said;
	return DS_OK;
}

ds_rc ds_check_text(ds_str head, ds_err *e)
{
	odd_bytes odd = count_odd(head);
	const char *name = ds_magic_name(head);
	bool pdf = ds_str_starts(head, DS_S("%PDF-"));
	if (!odd.nul && !odd.control && !odd.utf16 && !pdf)
		return DS_OK;
	if (name && !odd.utf16)
		return ds_fail(e, DS_BAD, "not text: %s; --from text takes it all the same", name);
	if (odd.utf16)
		return is_utf16(e);
	return ds_fail(e, DS_BAD,
		"not text: %s in the first 4 KiB; --from text takes it all the same",
		odd.nul ? "NUL bytes" : "over 10 % control bytes");
}

/* A name that says JSON or a table, over what is neither: better told as what it is. */
static ds_rc check_named(const ds_importer *im, ds_str head, ds_err *e)
{
	if (!im->of_text || im->a_file_a_record)
		return DS_OK;
	odd_bytes odd = count_odd(head);
	const char *name = odd.nul || odd.control ? ds_magic_name(head) : NULL;
	if (odd.utf16)
		return is_utf16(e);
	return name ? ds_fail(e, DS_BAD, "not %s, but %s", im->name, name) : DS_OK;
}

/* .json names both shapes: lines only where the content is no array and not over several lines. */
static const ds_importer *json_by_shape(const ds_importer *im, ds_str head)
{
	if (im && strcmp(im->name, "json") != 0)
		return im;
	ds_json_shape shape = ds_json_shape_of(head, head.n < LOOK);
	if (shape == DS_JSON_LINES ||
		(im && shape == DS_JSON_NONE && !ds_str_starts(ds_str_trim(head), DS_S("["))))
		return ds_importer_find("jsonl");
	return shape == DS_JSON_VALUES ? ds_importer_find("json") : im;
}

/* The half of a pair that is not the one to name. */
static bool is_megatron_bin(const char *name)
{
	char other[4096];
	size_t n = strlen(name);
	if (n < 4 || n >= sizeof(other) || strcmp(name + n - 4, ".bin") != 0)
		return false;
	memcpy(other, name, n + 1);
	memcpy(other + n - 4, ".idx", 4);
	return access(other, F_OK) == 0;
}

static void by_magic(const ds_importer **out, const ds_input_opts *c, ds_str head)
{
	for (size_t i = 0; !*out && ds_importers[i]; i++)
		if (ds_importers[i]->magic && ds_importers[i]->magic(head))
			*out = as_split(c, ds_importers[i]);
}

ds_rc ds_recognize(const ds_importer **out, ds_input *in, ds_err *e)
{
	ds_str head;
	bool text = false;
	DS_TRY(ds_in_peek(in->in, LOOK, &head, e));
	*out = ds_recognize_name(in->how, in->name);
	if (in->how->from)
		return ds_decode_text(*out, in->how, in->in, &in->charset, e);
	/* A program that meant to write nothing would have begun a stream; one that died could not. */
	if (!head.n && ds_in_is_pipe(in->in) && !in->how->exec)
		return ds_fail(e, DS_SHORT,
			"%s: input ended early, before its first byte (--from says that it may be "
			"empty)",
			in->name);
	if (ds_stream_looks(head)) {
		*out = ds_importer_find("dsr");
		return check_encoding(*out, in->how, in->in, e);
	}
	if (suffix_in(ds_str_of(in->name), " .dsr "))
		return ds_fail(e, DS_SHORT,
			head.n ? "%s: damaged: this is not a record stream"
			       : "%s: input ended early: the file is empty",
			in->name);
	by_magic(out, in->how, head);
	DS_TRY(ds_decode_text(*out, in->how, in->in, &in->charset, e));
	if (in->charset) {
		DS_TRY(ds_in_peek(in->in, LOOK, &head, e));
		by_magic(out, in->how, head);
	}
	*out = json_by_shape(*out, head);
	if (!*out && is_megatron_bin(in->name))
		return ds_fail(
			e, DS_USAGE, "%s: belongs to the .idx beside it: name that", in->name);
	text = !*out || strcmp((*out)->name, "text") == 0 || strcmp((*out)->name, "textfile") == 0;
	if (!*out)
		*out = as_split(in->how, ds_importer_find("text"));
	return text ? ds_check_text(head, e) : check_named(*out, head, e);
}
