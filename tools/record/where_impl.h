/*
 * where_impl.h - the tree that an expression is parsed into
 */
#ifndef DS_TOOLS_RECORD_WHERE_IMPL_H
#define DS_TOOLS_RECORD_WHERE_IMPL_H

#include "where.h"

#include "json/json.h"
#include "text/regex.h"

enum { WHERE_TESTS = 256, WHERE_DEPTH = 100 };

typedef enum {
	WHERE_EQ,
	WHERE_NE,
	WHERE_LT,
	WHERE_LE,
	WHERE_GT,
	WHERE_GE,
	WHERE_LIKE,   /* ~ */
	WHERE_UNLIKE, /* !~ */
} where_op;

typedef struct where_node where_node;
struct where_node {
	enum { WHERE_TEST, WHERE_NOT, WHERE_AND, WHERE_OR } kind;
	const where_node *left, *right; /* NOT: left alone */
	where_op op;
	const ds_field *field;
	ds_json value; /* on the right; a scalar */
	size_t regex;  /* LIKE, UNLIKE: which */
};

struct where {
	ds_arena *mem;
	const where_node *root;
	ds_field *fields[WHERE_TESTS];
	const char *paths[WHERE_TESTS + 1];
	ds_regex *regexes[WHERE_TESTS];
	size_t n_fields, n_regexes, n_tests;
};

#endif
