/*
 * scalar.h - values of columnar formats (Parquet, Arrow) as fields of records
 *
 * A kind says what a value means. In which form a decoder has it is the kind's `form`: an integer, a double
 * or bytes. Dates, times, decimals, UUIDs and intervals become text, as docs/formats.md says.
 */
#ifndef DS_RECORD_SCALAR_H
#define DS_RECORD_SCALAR_H

#include "record/block.h"
#include "record/export.h"

typedef enum {
	DS_SC_NULL, /* has no value, ever */
	DS_SC_BOOL,
	DS_SC_I64,
	DS_SC_U64, /* in an int64_t's bits */
	DS_SC_F64,
	DS_SC_F32, /* in a double */
	DS_SC_TEXT,
	DS_SC_BYTES,
	DS_SC_JSON,     /* JSON text, as it claims */
	DS_SC_DECIMAL,  /* scale; an integer, or two's complement of up to DS_DECIMAL_BYTES */
	DS_SC_DATE,     /* days since 1970 */
	DS_SC_TIME,     /* of the day; digits: 0 s, 3 ms, 6 us, 9 ns */
	DS_SC_STAMP,    /* since 1970; digits, utc */
	DS_SC_INT96,    /* nanoseconds of the day (8 bytes), Julian day (4) */
	DS_SC_UUID,     /* 16 bytes */
	DS_SC_INTERVAL, /* months, days, milliseconds, 32 bits each */
	DS_SC_MONTHS,   /* an integer */
	DS_SC_DAY_MS,   /* days and milliseconds, 32 bits each */
	DS_SC_MONTH_NS, /* months and days, 32 bits each, nanoseconds, 64 bits */
	DS_SC_DURATION, /* digits */
} ds_scalar_kind;

typedef enum { DS_FORM_INT, DS_FORM_FLOAT, DS_FORM_BYTES } ds_scalar_form;

enum { DS_DECIMAL_BYTES = 128, DS_DECIMAL_SCALE = 1000 };

typedef struct {
	ds_scalar_kind kind;
	ds_scalar_form form;
	uint8_t digits;
	bool utc, little; /* little: a decimal's bytes begin with the lowest */
	int scale;
} ds_scalar;

/* Many values of one form, and where they are not all there, which: rows n, values one after the other. */
typedef struct {
	size_t n_values;
	const int64_t *i; /* one of the three */
	const double *f;
	const ds_str *s;
} ds_scalars;

/* As it is written in text; for kinds that become utf8. */
void ds_scalar_text(ds_text *t, const ds_scalar *k, const ds_scalars *v, size_t at);
/* As JSON; strings keep their bytes, valid UTF-8 or not. */
void ds_scalar_json(ds_text *t, const ds_scalar *k, const ds_scalars *v, size_t at);
bool ds_scalar_is_json(ds_str s);
/* s, or a copy in which U+FFFD stands for what is not UTF-8. */
ds_str ds_valid_text(ds_arena *mem, ds_str s, uint64_t *replaced);
void ds_json_raw_str(ds_text *t, ds_str s); /* quoted and escaped, the same */

/*
 * A column of b out of values: row i has one where valid is NULL or valid[i], the others are null. Bytes are
 * copied, numbers are used as they lie.
 */
DS_MUST ds_rc ds_scalar_column(ds_block *b, ds_str name, const ds_scalar *k, const ds_scalars *v,
	const uint8_t *valid, ds_err *e);

/* One that is built already; off NULL: numbers. valid as above, n_values says how many it has. */
void ds_ready_column(ds_block *b, ds_col col, const uint8_t *valid);

#endif
