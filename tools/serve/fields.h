/*
 * fields.h - the members of a request, by a table: read, checked and described by it
 */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include "json/json.h"
#include "refuse.h"

typedef enum {
	FIELD_TEXT, /* ds_str */
	FIELD_INT,  /* int64_t */
	FIELD_NUM,  /* double */
	FIELD_BOOL, /* bool */
	FIELD_JSON, /* const ds_json *: whatever it is; NULL where it is absent or null */
	FIELD_HINT, /* of any kind, changes nothing here: nowhere */
} field_kind;

typedef struct {
	const char *name; /* NULL ends a table */
	field_kind kind;
	unsigned where; /* bits: the requests that have it */
	size_t at;      /* in what is read into */
	double low, high;
	const char *schema; /* JSON schema of a FIELD_JSON */
	const char *help;
} field;

/* What is absent or null stays as it is. false: a member that is not in the table, of another kind or out of range. */
bool fields_read(
	const field *table, unsigned where, const ds_json *request, void *into, refusal *r);
/* The body of a call as an object, in mem. */
bool fields_object(ds_str body, ds_arena *mem, const ds_json **object, refusal *r);
/* As properties of a JSON schema. */
void fields_schema(const field *table, unsigned where, ds_buf *out);

#endif
