/*
 * number.c - what a JSON number is worth, and whether a double holds it
 *
 * A number keeps its value, not its spelling: 1.50 may come back as 1.5, but 1 never as 1.0, and a
 * decimal that a double would round is not made one. Fifteen digits always fit (IEEE 754 binary64),
 * and with a small power of ten one multiplication gives the nearest double (Clinger 1990); all
 * others are printed again and compared.
 */
#include "json/scan.h"

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

/* A decimal as an integer without zeros at its end, times a power of ten. */
typedef struct {
	uint64_t head; /* right while n <= 19 */
	size_t n;      /* digits of it */
	int64_t power;
	bool minus;
} decimal;

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
	const char *p = s.at, *end = s.at + s.n, *point = NULL;
	d.minus = p < end && *p == '-';
	for (p += d.minus; p < end; p++) {
		uint8_t digit = (uint8_t)(*p - '0');
		if (digit > 9) {
			if (*p != '.')
				break;
			point = p + 1;
			continue;
		}
		d.head = d.head * 10 + digit;
		d.n += d.n || digit; /* zeros in front do not count */
	}
	d.power = point ? -(p - point) : 0;
	if (p < end)
		d.power += exponent(p + 1, end);
	while (d.n && d.n <= 19 && d.head % 10 == 0) {
		d.head /= 10;
		d.power++;
		d.n--;
	}
	return d;
}

static bool same(const decimal *a, const decimal *b)
{
	if (a->n == 0 || b->n == 0)
		return a->n == b->n && a->minus == b->minus;
	return a->n == b->n && a->n <= 19 && a->power == b->power && a->minus == b->minus &&
	       a->head == b->head;
}

bool ds_json_f64(ds_str number, double *out, bool *exact)
{
	static const double ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
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
