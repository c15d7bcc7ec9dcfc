/*
 * jinja_impl.h - between the parser, the interpreter and what can be called
 */
#ifndef DS_TEXT_CHAT_JINJA_IMPL_H
#define DS_TEXT_CHAT_JINJA_IMPL_H

#include "text/chat/jinja.h"

typedef enum { /* J_NONE is Python's None */
	J_UNDEFINED,
	J_NONE,
	J_BOOL,
	J_INT,
	J_FLOAT,
	J_STR,
	J_LIST,
	J_MAP,
	J_FUNCTION, /* s is its name; list NULL, or the one value that it is a method of */
} jinja_kind;

typedef struct jinja_value jinja_value;
typedef struct {
	jinja_value *at;
	ds_str *keys; /* of a map; NULL: a list */
	size_t n, cap;
} jinja_list;
struct jinja_value {
	jinja_kind kind;
	int64_t i; /* and BOOL */
	double f;
	ds_str s;
	jinja_list *list; /* shared: a namespace is changed in place */
};

typedef enum {
	/* expressions */
	N_VALUE,
	N_NAME,
	N_ATTR,   /* a . s */
	N_INDEX,  /* a [b] */
	N_SLICE,  /* a [b : c : d] */
	N_CALL,   /* a (args) */
	N_FILTER, /* a | s (args) */
	N_TEST,   /* a is s (args) */
	N_NOT,
	N_NEGATE,
	N_AND,
	N_OR,
	N_OP,   /* a s b */
	N_COND, /* b if a else c */
	N_LIST,
	N_MAP, /* args: key, value, key, value */
	/* statements */
	N_TEXT,
	N_PRINT,
	N_IF,        /* a; b: then; c: else */
	N_FOR,       /* s (and names) in a if d: b, else c */
	N_SET,       /* s or the attribute s of name `owner` = a */
	N_SET_BLOCK, /* s = what b prints */
} jinja_node_kind;

typedef struct jinja_node jinja_node;
struct jinja_node {
	jinja_node_kind kind;
	ds_str s, owner;
	ds_str name; /* of a keyword argument; at NULL: by position */
	jinja_value v;
	jinja_node *a, *b, *c, *d;
	jinja_node *args; /* linked by next */
	jinja_node *next; /* statement, or argument */
};

struct ds_jinja {
	jinja_node *body;
};

enum { JINJA_DEPTH = 100, JINJA_LEVELS = 2000, JINJA_STEPS = 1 << 20, JINJA_BYTES = 1 << 24 };

typedef struct {
	ds_arena *mem;
	ds_str *names; /* of variables, the newest last */
	jinja_value *values;
	size_t n, cap, frame;       /* variables from frame on belong to the loop at hand */
	size_t depth, level, steps; /* of statements, of expressions; of both */
} jinja_state;

typedef struct { /* of a call: those by position, then by name */
	jinja_value at[8];
	ds_str names[8];
	size_t n;
} jinja_args;

/* jinja_run.c */
void ds_jinja_add(jinja_state *st, jinja_list *l, ds_str key, jinja_value v);
jinja_value ds_jinja_new_list(jinja_state *st, bool map);
const jinja_value *ds_jinja_get(const jinja_list *l, ds_str key); /* NULL: no such key */
bool ds_jinja_true(const jinja_value *v);
/* A namespace may hold itself: false beyond JINJA_DEPTH lists in one another, or too many steps. */
bool ds_jinja_equal(jinja_state *st, const jinja_value *a, const jinja_value *b);
bool ds_jinja_contains(jinja_state *st, const jinja_value *in, const jinja_value *v);
void ds_jinja_print(const jinja_value *v, ds_buf *out);
ds_str ds_jinja_text(jinja_state *st, const jinja_value *v);
jinja_value ds_jinja_str(ds_str s);
jinja_value ds_jinja_bool(bool b);
jinja_value ds_jinja_int(int64_t i);
/* ds_jinja_call.c: filters, tests, functions and methods */
DS_MUST ds_rc ds_jinja_filter(jinja_state *st, ds_str name, const jinja_value *v,
	const jinja_args *a, jinja_value *out, ds_err *e);
DS_MUST ds_rc ds_jinja_test(jinja_state *st, ds_str name, const jinja_value *v, const jinja_args *a,
	bool *out, ds_err *e);
DS_MUST ds_rc ds_jinja_call(
	jinja_state *st, const jinja_value *f, const jinja_args *a, jinja_value *out, ds_err *e);
bool ds_jinja_has_method(const jinja_value *v, ds_str name);
/* Python's json.dumps(v, ensure_ascii=False); lists deeper than JINJA_DEPTH are null. */
void ds_jinja_dump(const jinja_value *v, ds_buf *out);

#endif
