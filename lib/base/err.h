/*
 * err.h - how failure travels
 *
 * What can fail returns ds_rc, which is also the exit status of the programs, and takes a ds_err as
 * its last parameter. The place that knows what is wrong calls ds_fail once; callers add only where
 * (DS_TRY_AT). A ds_err is a plain value in the caller's storage and needs no clean-up. The library
 * never prints one; main does, as a single line.
 */
#ifndef DS_BASE_ERR_H
#define DS_BASE_ERR_H

typedef enum {
	DS_OK = 0,
	DS_BAD = 1,    /* bad data, a failed check */
	DS_USAGE = 2,  /* what the user wrote is wrong */
	DS_SHORT = 3,  /* input ended early or is damaged */
	DS_IO = 4,     /* cannot read, write or get memory */
	DS_PIPE = 141, /* the reader downstream went away */
} ds_rc;

enum { DS_ERR_BYTES = 1024 };
typedef struct {
	char msg[DS_ERR_BYTES]; /* one line, no line end; longer ones are cut with "..." */
} ds_err;

/* In place: controls, bytes that are no UTF-8 and marks that turn writing around become '?'. */
void ds_tidy(char *text);

#define DS_MUST __attribute__((warn_unused_result))
#define DS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * Writes the message, replacing an earlier one, and returns rc. It is made tidy. This and the two
 * below are macros, so that DS_TRACE=err shows the line that raised the error.
 */
#define ds_fail(e, rc, ...) ds_fail_from(__FILE__, __LINE__, e, rc, __VA_ARGS__)
/* The same with ": " and the text of errno at the end; rc is DS_IO, or DS_PIPE for EPIPE. */
#define ds_fail_errno(e, ...) ds_fail_errno_from(__FILE__, __LINE__, e, __VA_ARGS__)
/* Puts "where: " in front of the message that is there; returns rc. */
#define ds_at(e, rc, ...) ds_at_from(__FILE__, __LINE__, e, rc, __VA_ARGS__)

ds_rc ds_fail_from(const char *file, int line, ds_err *e, ds_rc rc, const char *fmt, ...)
	DS_PRINTF(5, 6);
ds_rc ds_fail_errno_from(const char *file, int line, ds_err *e, const char *fmt, ...)
	DS_PRINTF(4, 5);
ds_rc ds_at_from(const char *file, int line, ds_err *e, ds_rc rc, const char *fmt, ...)
	DS_PRINTF(5, 6);

#define DS_TRY(call) \
	do { \
		ds_rc ds_try_rc = (call); \
		if (ds_try_rc != DS_OK) \
			return ds_try_rc; \
	} while (0)
#define DS_TRY_AT(call, e, ...) \
	do { \
		ds_rc ds_try_rc = (call); \
		if (ds_try_rc != DS_OK) \
			return ds_at(e, ds_try_rc, __VA_ARGS__); \
	} while (0)

/*
 * DS_AUTO(ds_arena) a = NULL; closes at the end of the scope. A type joins with
 * DS_AUTO_WITH(ds_arena, ds_arena_free) beside its declaration; the function takes NULL.
 */
#define DS_AUTO(type) __attribute__((cleanup(type##_auto))) type *
#define DS_AUTO_WITH(type, fn) \
	static inline __attribute__((unused)) void type##_auto(type **p) \
	{ \
		fn(*p); \
	}

#endif
