/*
 * json.h - JSON in and out for configs, tokenizers and records (simdjson behind simdjson.cc)
 *
 * A parsed document is a tree in an arena. Strings are decoded views (a lone surrogate is its three
 * bytes). Numbers know whether they are whole. Duplicate keys are an error named by the key. Depth is
 * at most 512.
 */
#ifndef DS_JSON_JSON_H
#define DS_JSON_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef enum {
	DS_J_NULL,
	DS_J_BOOL,
	DS_J_I64,
	DS_J_F64,
	DS_J_BIG,
	DS_J_STR,
	DS_J_ARR,
	DS_J_OBJ
} ds_json_kind;
typedef struct ds_json ds_json;
struct ds_json {
	ds_json_kind kind;
	bool b;
	int64_t i;
	double f;                    /* set for I64 and F64 and (rounded) BIG */
	ds_str s;                    /* STR: decoded; numbers: as spelled */
	ds_str key;                  /* in an object: decoded key */
	size_t n;                    /* ARR, OBJ: members */
	const ds_json *first, *next; /* members in order, siblings */
	const ds_json *const *items; /* ARR: by index; OBJ: in order */
};
/* DS_BAD: "offset 12: what". */
DS_MUST ds_rc ds_json_parse(const ds_json **out, ds_arena *mem, ds_str text, ds_err *e);
const ds_json *ds_json_get(
	const ds_json *obj, const char *key); /* NULL: not there, or not an object */
/* Typed reading of a member, false/default where it is absent or null or of another kind. */
ds_str ds_json_text(const ds_json *obj, const char *key, const char *otherwise);
int64_t ds_json_int(const ds_json *obj, const char *key, int64_t otherwise);
double ds_json_num(const ds_json *obj, const char *key, double otherwise);
bool ds_json_flag(const ds_json *obj, const char *key, bool otherwise);

/* Quoted and escaped; invalid UTF-8 becomes U+FFFD, the number of replacements is returned. */
size_t ds_json_add_str(ds_buf *out, ds_str s);
void ds_json_add(ds_buf *out, const ds_json *v); /* compact; numbers as spelled */

#endif
