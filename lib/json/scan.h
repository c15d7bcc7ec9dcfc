/*
 * scan.h - tokens of JSON text, for json.c and the JSON importers
 *
 * A scan walks the tokens of one value or line. It has two ways that see the same tokens: over an
 * index that simdjson made of a whole chunk, or byte by byte, for text that is small, huge or broken.
 * Nothing here owns the text; it must outlive the scan.
 */
#ifndef DS_JSON_SCAN_H
#define DS_JSON_SCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { DS_JSON_DEPTH = 512, DS_JSON_FEW = 16 };

/* The memory of an index; one thread at a time. */
typedef struct ds_json_index ds_json_index;
ds_json_index *ds_json_index_new(void);
void ds_json_index_free(ds_json_index *x);
/*
 * Where the tokens of text begin (a string at its opening quote, closing quotes not listed), then
 * text.n; lives until the next call. NULL where an open string or a control byte inside one makes
 * the index useless: then scan. Invalid UTF-8 is no obstacle. Takes 4 bytes a byte of text, at most.
 */
const uint32_t *ds_json_index_make(ds_json_index *x, ds_str text);
bool ds_json_valid_utf8(ds_str s);
DS_AUTO_WITH(ds_json_index, ds_json_index_free)

typedef struct {
	const char *text;
	size_t at, end;        /* next byte to look at; tokens that begin at end are not there */
	const uint32_t *index; /* the next token; NULL: byte by byte */
	const char *why;       /* what is wrong, once something is */
	size_t where;          /* and at which offset of text */
	ds_str key;            /* the key it is about, as spelled, or empty */
} ds_json_scan;

typedef enum { /* what a value is, before anyone asks for its worth */
	DS_JT_NULL,
	DS_JT_TRUE,
	DS_JT_FALSE,
	DS_JT_INT,   /* digits alone */
	DS_JT_FLOAT, /* with a point or an exponent */
	DS_JT_STR,   /* without escapes */
	DS_JT_ESC,   /* with escapes, which are right */
	DS_JT_ARR,
	DS_JT_OBJ,
} ds_json_token;

typedef struct {
	ds_json_token kind;
	size_t at, n; /* the bytes of the value, quotes and brackets included */
} ds_json_span;

ds_json_scan ds_json_scan_of(ds_str text);
/* The byte that begins the next token, 0 at the end. */
char ds_json_peek(ds_json_scan *s);
/* Steps over the punctuation c, or fails. */
bool ds_json_eat(ds_json_scan *s, char c);
/* Steps over one value of any kind, checking all that is in it, duplicate keys included. */
bool ds_json_skip(ds_json_scan *s, unsigned depth, ds_json_span *out);
/* Steps over a string; content without the quotes, escaped says whether it needs unescaping. */
bool ds_json_string(ds_json_scan *s, ds_str *content, bool *escaped);
/* "offset 12: what is wrong" after a false. */
ds_rc ds_json_scan_fail(const ds_json_scan *s, ds_err *e);

/*
 * Undoes escapes that were checked; out has room for s.n and may be s.at itself. Returns the size;
 * lone surrogates become three bytes each and are added to *lone, which may be NULL.
 */
size_t ds_json_unescape(char *out, ds_str s, uint64_t *lone);

/* Keys seen in one object. Start with { 0 }, end with ds_json_keys_free. */
typedef struct {
	ds_str few[DS_JSON_FEW];
	size_t n;
	struct ds_map *many;
} ds_json_keys;
/* false: it was there. lasts: the key's bytes live as long as k. */
bool ds_json_keys_add(ds_json_keys *k, ds_str key, bool lasts);
void ds_json_keys_free(ds_json_keys *k);

/* Whole numbers that fit; false also for -0, which an integer cannot hold. */
bool ds_json_i64(ds_str digits, int64_t *out);
/* The nearest double; *exact: printing it in its shortest form gives the same decimal value. */
bool ds_json_f64(ds_str number, double *out, bool *exact);

/*
 * Escapes valid UTF-8, without quotes around it, until less than DS_JSON_SLACK of avail is left (it
 * must be more at first); returns the bytes written, *took those read.
 */
enum { DS_JSON_SLACK = 8 };
size_t ds_json_put(char *out, size_t avail, ds_str s, size_t *took);
/* Copies s with what is not UTF-8 replaced by U+FFFD, one for each maximal part; out has 3 * s.n. */
size_t ds_json_repair(char *out, ds_str s, uint64_t *replaced);
/* The value without the blanks between its tokens; out has room for s.n. */
size_t ds_json_compact(char *out, ds_str s);

/* Copies until a byte that JSON must escape; up to n bytes of out may be written. */
size_t ds_json_run(char *out, const char *in, size_t n);
size_t ds_json_run_avx2(char *out, const char *in, size_t n);
size_t ds_json_run_avx512(char *out, const char *in, size_t n);

#endif
