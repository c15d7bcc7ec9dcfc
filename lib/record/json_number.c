/*
 * json_number.c - what a JSON number is worth, and whether a double holds it
 *
 * A number keeps its value, not its spelling: 1.50 may come back as 1.5, but 1 never as 1.0, and a
 * decimal that a double would round is not made one. Fifteen digits always fit (IEEE 754 binary64),
 * and with a small power of ten one multiplication gives the nearest double (Clinger 1990); all
 * others are printed again and compared.
 */
#include "record/json_impl.h"

bool ds_json_i64(ds_str digits, int64_t *out)
{
	if (digits.n >= 2 && digits.at[0] == '-' && digits.at[1] == '0')
		return false;
	if (digits.n > 18)
		return ds_str_i64(digits, out);
	const char *p = digits.at, *end = p + digits.n;
	bool minus = p < end && *p == '-';
	int64_t v = 0;
	for (p += minus; p < end; p++)
		v = v * 10 + (*p - '0');
	*out = minus ? -v : v;
	return true;
}

/* A decimal as digits without zeros at both ends, times a power of ten. */
typedef struct {
	char digits[40];
	size_t n;        /* more than fit are counted and not kept */
	uint64_t head;   /* the digits as a number while there are at most 19 */
	int64_t power;
	bool minus;
} decimal;

static void take_digit(decimal *d, char c, size_t *zeros)
{
	if (c == '0') { /* in front they do not count, behind only when another digit follows */
		*zeros += d->n != 0;
		return;
	}
	for (size_t n = *zeros + 1; n--;) {
		if (d->n < sizeof d->digits)
			d->digits[d->n] = n ? '0' : c;
		if (d->n < 19)
			d->head = d->head * 10 + (uint64_t)(n ? 0 : c - '0');
		d->n++;
	}
	*zeros = 0;
}

static int64_t exponent(const char *p, const char *end)
{
	int64_t v = 0;
	bool minus = p < end && *p == '-';
	p += p < end && (*p == '-' || *p == '+');
	for (; p < end; p++)
		if (v < 1000000)
			v = v * 10 + (*p - '0');
	return minus ? -v : v;
}

static decimal decimal_of(ds_str s)
{
	decimal d = { .n = 0 };
	const char *p = s.at, *end = s.at + s.n;
	size_t zeros = 0;
	d.minus = p < end && *p == '-';
	p += d.minus;
	bool behind = false;
	for (; p < end && (*p | 32) != 'e'; p++) {
		if (*p == '.') {
			behind = true;
			continue;
		}
		take_digit(&d, *p, &zeros);
		d.power -= behind;
	}
	d.power += (int64_t)zeros;
	if (p < end)
		d.power += exponent(p + 1, end);
	return d;
}

static bool same(const decimal *a, const decimal *b)
{
	if (a->n == 0 || b->n == 0)
		return a->n == b->n && a->minus == b->minus;
	return a->n == b->n && a->n <= sizeof a->digits && a->power == b->power &&
	       a->minus == b->minus && memcmp(a->digits, b->digits, a->n) == 0;
}

bool ds_json_f64(ds_str number, double *out, bool *exact)
{
	static const double ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
		1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	decimal d = decimal_of(number), again;
	char text[40];
	if (d.n <= 15 && d.power >= -22 && d.power <= 22) {
		double v = (double)d.head;
		v = d.power < 0 ? v / ten[-d.power] : v * ten[d.power];
		*out = d.minus ? -v : v;
		*exact = true;
		return true;
	}
	*exact = false;
	if (!ds_str_f64(number, out) || !__builtin_isfinite(*out))
		return false;
	again = decimal_of((ds_str){ text, ds_f64_print(text, *out) });
	*exact = same(&d, &again);
	return true;
}
