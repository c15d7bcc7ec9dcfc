/*
 * lazy.h - foreign libraries that are opened when they are first needed
 *
 * What few inputs need, as .xz files or pictures do, costs no start-up. The door of such a library lists the functions that it
 * takes, and calls them as members of a table, by the types of the library's own header:
 *
 *	#define FUNCTIONS(F) F(lzma_code) F(lzma_end)
 *	DS_LAZY(xz, DS_SONAME_lzma, FUNCTIONS)
 *	…
 *	DS_TRY(ds_lazy_open(&xz_lazy, e));
 *	rc = xz.lzma_code(&stream, LZMA_RUN);
 *
 * Sonames are of the libraries that the program was built beside: gen/sonames.h. Any thread may open; it stays open.
 */
#ifndef DS_BASE_LAZY_H
#define DS_BASE_LAZY_H

#include "base/err.h"

#include <stdbool.h>

typedef struct {
	const char *soname, *const *names; /* of the functions, ended by NULL */
	void **at;                         /* their addresses */
	bool open;
} ds_lazy;

#define DS_LAZY_MEMBER(f) __typeof__(f) *f;
#define DS_LAZY_TEXT(f) #f
#define DS_LAZY_NAME(f) DS_LAZY_TEXT(f),
#define DS_LAZY(table, soname, functions) \
	static struct { \
		functions(DS_LAZY_MEMBER) \
	} table; \
	static const char *const table##_names[] = { functions(DS_LAZY_NAME) NULL }; \
	static ds_lazy table##_lazy = { soname, table##_names, (void **)&table, false };

/* DS_IO: it is not on this machine, or lacks a function. */
DS_MUST ds_rc ds_lazy_open(ds_lazy *l, ds_err *e);
/* The same, and `opened` is called once, before anybody else can call it. */
DS_MUST ds_rc ds_lazy_open_with(ds_lazy *l, void (*opened)(void), ds_err *e);

#endif
