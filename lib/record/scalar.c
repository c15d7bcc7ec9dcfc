/*
 * scalar.c - values as text and as JSON
 */
#include "record/scalar.h"

#include "base/base64.h"
#include "json/scan.h"
#include "record/json_columns.h"

#include <stdio.h>

static const int64_t power10[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
	1000000000 };

static void add_c(ds_text *t, const char *s)
{
	ds_text_add(t, s, strlen(s));
}

/* v with zeros in front, width digits at least */
static void add_digits(ds_text *t, uint64_t v, unsigned width)
{
	char digits[20];
	unsigned n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	ds_text_reserve(t, width + 20);
	for (unsigned i = n; i < width; i++)
		t->at[t->n++] = '0';
	while (n)
		t->at[t->n++] = digits[--n];
}

/* Proleptic Gregorian, by eras of 400 years (Hinnant, "chrono-compatible low-level date algorithms"). */
static void add_date(ds_text *t, int64_t days)
{
	/* In 128 bits, so that no count of days overflows. */
	__int128 z = (__int128)days + 719468;
	__int128 era = (z >= 0 ? z : z - 146096) / 146097;
	uint32_t doe = (uint32_t)(z - era * 146097);
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint32_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = (int64_t)(yoe + era * 400) + (month <= 2);
	if (year < 0)
		ds_text_byte(t, '-');
	else if (year > 9999) /* ISO 8601's expanded form */
		ds_text_byte(t, '+');
	add_digits(t, year < 0 ? -(uint64_t)year : (uint64_t)year, 4);
	ds_text_byte(t, '-');
	add_digits(t, month, 2);
	ds_text_byte(t, '-');
	add_digits(t, day, 2);
}

/* 3, 6 or 9 digits of a second, or nothing where it is whole */
static void add_fraction(ds_text *t, uint64_t nanos)
{
	if (!nanos)
		return;
	ds_text_byte(t, '.');
	if (nanos % 1000)
		add_digits(t, nanos, 9);
	else if (nanos % 1000000)
		add_digits(t, nanos / 1000, 6);
	else
		add_digits(t, nanos / 1000000, 3);
}

static void add_clock(ds_text *t, uint64_t seconds, uint64_t nanos)
{
	add_digits(t, seconds / 3600, 2);
	ds_text_byte(t, ':');
	add_digits(t, seconds / 60 % 60, 2);
	ds_text_byte(t, ':');
	add_digits(t, seconds % 60, 2);
	add_fraction(t, nanos);
}

/* v = *whole * by + the rest, which is not negative */
static int64_t floor_div(int64_t v, int64_t by, int64_t *whole)
{
	int64_t q = v / by, r = v % by;
	if (r < 0) {
		r += by;
		q--;
	}
	*whole = q;
	return r;
}

static void add_time(ds_text *t, const ds_scalar *k, int64_t v)
{
	int64_t seconds, part = floor_div(v, power10[k->digits], &seconds);
	if (seconds < 0) {
		ds_text_byte(t, '-');
		seconds = -(seconds + (part != 0));
		part = part ? power10[k->digits] - part : 0;
	}
	add_clock(t, (uint64_t)seconds, (uint64_t)(part * power10[9 - k->digits]));
}

static void add_stamp(ds_text *t, const ds_scalar *k, int64_t v)
{
	int64_t seconds, days, part = floor_div(v, power10[k->digits], &seconds);
	int64_t of_day = floor_div(seconds, 86400, &days);
	add_date(t, days);
	ds_text_byte(t, 'T');
	add_clock(t, (uint64_t)of_day, (uint64_t)(part * power10[9 - k->digits]));
	if (k->utc)
		ds_text_byte(t, 'Z');
}

static void add_int96(ds_text *t, ds_str s)
{
	int64_t nanos, days, of_day;
	uint32_t julian;
	memcpy(&nanos, s.at, 8);
	memcpy(&julian, s.at + 8, 4);
	of_day = floor_div(nanos, 86400 * power10[9], &days);
	add_date(t, (int64_t)(int32_t)julian - 2440588 + days);
	ds_text_byte(t, 'T');
	add_clock(t, (uint64_t)(of_day / power10[9]), (uint64_t)(of_day % power10[9]));
}

/* Seconds with their sign: one may be over the other's range, so in parts. */
static void add_seconds(ds_text *t, int64_t v, int64_t unit)
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v, by = (uint64_t)unit;
	if (v < 0)
		ds_text_byte(t, '-');
	add_digits(t, u / by, 1);
	add_fraction(t, u % by * (uint64_t)(power10[9] / unit));
	ds_text_byte(t, 'S');
}

/* ISO 8601: P1M2DT3.5S; zero parts are left out */
static void add_interval(ds_text *t, int64_t months, int64_t days, int64_t part, int64_t unit)
{
	ds_text_byte(t, 'P');
	if (months) {
		ds_text_i64(t, months);
		ds_text_byte(t, 'M');
	}
	if (days) {
		ds_text_i64(t, days);
		ds_text_byte(t, 'D');
	}
	if (part || (!months && !days)) {
		ds_text_byte(t, 'T');
		add_seconds(t, part, unit);
	}
}

/* Divides a number of n 32-bit words, the highest first, and gives the rest. */
static uint32_t divide(uint32_t *w, size_t n, uint32_t by)
{
	uint64_t rest = 0;
	for (size_t i = 0; i < n; i++) {
		rest = rest << 32 | w[i];
		w[i] = (uint32_t)(rest / by);
		rest %= by;
	}
	return (uint32_t)rest;
}

static void add_decimal_digits(ds_text *t, bool minus, const char *digits, size_t n, int scale)
{
	if (minus)
		ds_text_byte(t, '-');
	if (scale <= 0) {
		ds_text_add(t, digits, n);
		for (int i = scale; i < 0 && !(n == 1 && digits[0] == '0'); i++)
			ds_text_byte(t, '0');
		return;
	}
	size_t after = (size_t)scale;
	if (n > after) {
		ds_text_add(t, digits, n - after);
		ds_text_byte(t, '.');
		ds_text_add(t, digits + n - after, after);
		return;
	}
	add_c(t, "0.");
	for (size_t i = n; i < after; i++)
		ds_text_byte(t, '0');
	ds_text_add(t, digits, n);
}

static void add_decimal_i64(ds_text *t, int64_t v, int scale)
{
	char digits[20], *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	add_decimal_digits(t, v < 0, p, (size_t)(digits + sizeof(digits) - p), scale);
}

static void add_decimal(ds_text *t, ds_str s, const ds_scalar *k)
{
	enum { WORDS = DS_DECIMAL_BYTES / 4, DIGITS = DS_DECIMAL_BYTES * 5 / 2 };
	uint32_t w[WORDS] = { 0 };
	char digits[DIGITS], *p = digits + DIGITS;
	size_t n = s.n > DS_DECIMAL_BYTES ? DS_DECIMAL_BYTES : s.n, first = 0;
	bool minus = n && (k->little ? s.at[n - 1] : s.at[0]) & 0x80;
	uint32_t carry = minus;
	for (size_t i = 0; i < n; i++) { /* from the lowest byte */
		uint32_t byte = (uint8_t)(k->little ? s.at[i] : s.at[n - 1 - i]);
		if (minus) {
			byte = (byte ^ 0xff) + carry;
			carry = byte >> 8;
			byte &= 0xff;
		}
		w[WORDS - 1 - i / 4] |= byte << 8 * (i % 4);
	}
	do {
		while (first < WORDS && !w[first])
			first++;
		uint32_t rest = divide(w + first, WORDS - first, 1000000000);
		while (first < WORDS && !w[first])
			first++;
		for (unsigned i = 0; i < 9 && (rest || first < WORDS); i++, rest /= 10)
			*--p = (char)('0' + rest % 10);
	} while (first < WORDS);
	if (p == digits + DIGITS)
		*--p = '0';
	add_decimal_digits(t, minus, p, (size_t)(digits + DIGITS - p), k->scale);
}

static void add_uuid(ds_text *t, ds_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ds_text_byte(t, '-');
		ds_text_byte(t, "0123456789abcdef"[(uint8_t)s.at[i] >> 4]);
		ds_text_byte(t, "0123456789abcdef"[s.at[i] & 15]);
	}
}

static int32_t i32_at(const char *p)
{
	int32_t v;
	memcpy(&v, p, 4);
	return v;
}

void ds_scalar_text(ds_text *t, const ds_scalar *k, const ds_scalars *v, size_t at)
{
	int64_t wide;
	switch (k->kind) {
	case DS_SC_DECIMAL:
		if (k->form == DS_FORM_INT)
			add_decimal_i64(t, v->i[at], k->scale);
		else
			add_decimal(t, v->s[at], k);
		return;
	case DS_SC_DATE:
		add_date(t, v->i[at]);
		return;
	case DS_SC_TIME:
		add_time(t, k, v->i[at]);
		return;
	case DS_SC_STAMP:
		add_stamp(t, k, v->i[at]);
		return;
	case DS_SC_INT96:
		add_int96(t, v->s[at]);
		return;
	case DS_SC_UUID:
		add_uuid(t, v->s[at]);
		return;
	case DS_SC_INTERVAL:
		add_interval(t, (uint32_t)i32_at(v->s[at].at), (uint32_t)i32_at(v->s[at].at + 4),
			(uint32_t)i32_at(v->s[at].at + 8), 1000);
		return;
	case DS_SC_MONTHS:
		add_interval(t, v->i[at], 0, 0, 1);
		return;
	case DS_SC_DAY_MS:
		add_interval(t, 0, i32_at(v->s[at].at), i32_at(v->s[at].at + 4), 1000);
		return;
	case DS_SC_MONTH_NS:
		memcpy(&wide, v->s[at].at + 8, 8);
		add_interval(t, i32_at(v->s[at].at), i32_at(v->s[at].at + 4), wide, power10[9]);
		return;
	case DS_SC_DURATION:
		add_interval(t, 0, 0, v->i[at], power10[k->digits]);
		return;
	default: /* text, bytes, JSON */
		ds_text_add(t, v->s[at].at, v->s[at].n);
	}
}

void ds_json_raw_str(ds_text *t, ds_str s)
{
	ds_text_byte(t, '"');
	while (s.n) {
		size_t took;
		ds_text_reserve(t, s.n + 2 * DS_JSON_SLACK);
		t->n += ds_json_put(t->at + t->n, t->cap - t->n, s, &took);
		s = (ds_str){ s.at + took, s.n - took };
	}
	ds_text_byte(t, '"');
}

ds_str ds_valid_text(ds_arena *mem, ds_str s, uint64_t *replaced)
{
	if (ds_json_valid_utf8(s))
		return s;
	char *at = ds_arena_get(mem, 3 * s.n + 1);
	return (ds_str){ at, ds_json_repair(at, s, replaced) };
}

static void add_float(ds_text *t, double v, bool narrow)
{
	if (!__builtin_isfinite(v)) { /* JSON has no number for it */
		add_c(t, "null");
		return;
	}
	ds_text_reserve(t, 32);
	t->n += narrow ? ds_f32_print(t->at + t->n, (float)v) : ds_f64_print(t->at + t->n, v);
}

bool ds_scalar_is_json(ds_str s)
{
	ds_json_scan scan = ds_json_scan_of(s);
	ds_json_span span;
	return ds_json_skip(&scan, 0, &span) && (ds_json_peek(&scan), scan.at >= scan.end);
}

void ds_scalar_json(ds_text *t, const ds_scalar *k, const ds_scalars *v, size_t at)
{
	ds_str s;
	switch (k->kind) {
	case DS_SC_NULL:
		add_c(t, "null");
		return;
	case DS_SC_BOOL:
		add_c(t, v->i[at] ? "true" : "false");
		return;
	case DS_SC_I64:
		ds_text_i64(t, v->i[at]);
		return;
	case DS_SC_U64:
		add_digits(t, (uint64_t)v->i[at], 1);
		return;
	case DS_SC_F64:
	case DS_SC_F32:
		add_float(t, v->f[at], k->kind == DS_SC_F32);
		return;
	case DS_SC_JSON:
		s = v->s[at];
		if (ds_scalar_is_json(s)) {
			ds_text_reserve(t, s.n);
			t->n += ds_json_compact(t->at + t->n, s);
		} else {
			ds_json_raw_str(t, s);
		}
		return;
	case DS_SC_TEXT:
		ds_json_raw_str(t, v->s[at]);
		return;
	case DS_SC_BYTES:
		s = v->s[at];
		ds_text_byte(t, '"');
		ds_text_reserve(t, s.n / 3 * 4 + 8);
		t->n += ds_base64_encode(t->at + t->n, s);
		ds_text_byte(t, '"');
		return;
	default:
		ds_text_byte(t, '"');
		ds_scalar_text(t, k, v, at);
		ds_text_byte(t, '"');
	}
}
