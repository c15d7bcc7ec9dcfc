/*
 * pii.c - addresses and numbers, with their check digits
 */
#include "pii.h"

#include <arpa/inet.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool letter(char c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}
static char at(ds_str s, size_t i) /* NUL beyond the end */
{
	return i < s.n ? s.at[i] : '\0';
}

static bool in_local(char c)
{
	return digit(c) || letter(c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

/* Names of files have an @ too: icon@2x.png. */
static bool is_file(ds_str tail)
{
	static const char *const kinds[] = { "png", "jpg", "jpeg", "gif", "svg", "webp", "js",
		"css", "html", "pdf", "mp4" };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (ds_str_is(tail, kinds[i]))
			return true;
	return false;
}

size_t pii_email(ds_str s, size_t sign, size_t from, size_t *start)
{
	size_t a = sign, b = sign + 1, dot = 0, end = 0;
	while (a > from && sign - a < 64 && in_local(s.at[a - 1]))
		a--;
	while (a < sign && !digit(s.at[a]) && !letter(s.at[a]) && s.at[a] != '_')
		a++;
	if (a == sign || s.at[sign - 1] == '.')
		return 0;
	while (b < s.n && b - sign < 255 &&
		(digit(s.at[b]) || letter(s.at[b]) || s.at[b] == '-' || s.at[b] == '.')) {
		if (s.at[b] == '.' && (s.at[b - 1] == '.' || b == sign + 1))
			break;
		dot = s.at[b] == '.' ? b : dot;
		if (dot && letter(s.at[b]))
			end = b + 1;
		b++;
	}
	size_t last = end;
	while (last > sign && last && s.at[last - 1] != '.')
		last--;
	ds_str tail = { s.at + last, end > last ? end - last : 0 };
	if (!end || tail.n < 2 || is_file(tail))
		return 0;
	for (size_t i = 0; i < tail.n; i++)
		if (!letter(tail.at[i]))
			return 0;
	*start = a;
	return end - a;
}

static bool public4(const uint8_t b[4])
{
	return b[0] != 0 && b[0] != 10 && b[0] != 127 && b[0] < 224 &&
	       !(b[0] == 172 && b[1] >= 16 && b[1] < 32) && !(b[0] == 192 && b[1] == 168) &&
	       !(b[0] == 169 && b[1] == 254) && !(b[0] == 100 && b[1] >= 64 && b[1] < 128) &&
	       !(b[0] == 198 && (b[1] == 18 || b[1] == 19)) &&
	       !(b[0] == 192 && b[1] == 0 && (b[2] == 2 || b[2] == 0)) &&
	       !(b[0] == 198 && b[1] == 51 && b[2] == 100) &&
	       !(b[0] == 203 && b[1] == 0 && b[2] == 113);
}

static size_t ip4(ds_str s, size_t i)
{
	uint8_t b[4];
	size_t p = i;
	for (unsigned k = 0; k < 4; k++) {
		unsigned v = 0, n = 0;
		if (k && at(s, p++) != '.')
			return 0;
		for (; digit(at(s, p)) && n < 4; n++)
			v = v * 10 + (unsigned)(s.at[p++] - '0');
		if (n == 0 || n > 3 || v > 255)
			return 0;
		b[k] = (uint8_t)v;
	}
	bool more = digit(at(s, p)) || letter(at(s, p)) || (at(s, p) == '.' && digit(at(s, p + 1)));
	return more || !public4(b) ? 0 : p - i;
}

static size_t ip6(ds_str s, size_t i)
{
	char text[40];
	uint8_t b[16];
	size_t n = 0, colons = 0;
	while (n < 39 && (digit(at(s, i + n)) || at(s, i + n) == ':' ||
				 ((at(s, i + n) | 32) >= 'a' && (at(s, i + n) | 32) <= 'f'))) {
		colons += at(s, i + n) == ':';
		n++;
	}
	if (colons < 2 || letter(at(s, i + n)) || digit(at(s, i + n)))
		return 0;
	memcpy(text, s.at + i, n);
	text[n] = '\0';
	if (n && text[n - 1] == ':' && (n < 2 || text[n - 2] != ':'))
		text[--n] = '\0';
	if (inet_pton(AF_INET6, text, b) != 1 || (b[0] & 0xe0) != 0x20)
		return 0;
	return b[0] == 0x20 && b[1] == 1 && b[2] == 0xd && b[3] == 0xb8 ? 0 : n;
}

size_t pii_ip(ds_str s, size_t i)
{
	if (i && (s.at[i - 1] == '.' || s.at[i - 1] == ':'))
		return 0;
	size_t n = ip4(s, i);
	return n ? n : ip6(s, i);
}

static bool is_date(const char *p) /* yyyymmdd */
{
	static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year = 0, month, day;
	for (unsigned i = 0; i < 4; i++)
		year = year * 10 + (unsigned)(p[i] - '0');
	month = (unsigned)(p[4] - '0') * 10 + (unsigned)(p[5] - '0');
	day = (unsigned)(p[6] - '0') * 10 + (unsigned)(p[7] - '0');
	return year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1];
}

size_t pii_id(ds_str s, size_t i)
{
	static const uint8_t weight[] = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 };
	static const char regions[] =
		"11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
		"61 62 63 64 65 71 81 82 83 ";
	unsigned sum = 0;
	if (s.n - i < 18 || digit(at(s, i + 18)) || letter(at(s, i + 18)))
		return 0;
	for (unsigned k = 0; k < 17; k++) {
		if (!digit(s.at[i + k]))
			return 0;
		sum += weight[k] * (unsigned)(s.at[i + k] - '0');
	}
	const char *region = memmem(regions, sizeof(regions) - 1, s.at + i, 2);
	char last = s.at[i + 17] == 'x' ? 'X' : s.at[i + 17];
	return region && (region - regions) % 3 == 0 && is_date(s.at + i + 6) &&
			       last == "10X98765432"[sum % 11]
		       ? 18
		       : 0;
}

/* Digits from i on, single blanks and hyphens between them left out; *end is after the last. */
static size_t digits(ds_str s, size_t i, char *out, size_t most, size_t *end)
{
	size_t n = 0;
	*end = i;
	while (i < s.n) {
		if (digit(s.at[i])) {
			if (n == most)
				return most + 1;
			out[n++] = s.at[i++];
			*end = i;
		} else if ((s.at[i] == ' ' || s.at[i] == '-') && digit(at(s, i + 1)) && n) {
			i++;
		} else {
			break;
		}
	}
	return n;
}

static bool luhn(const char *d, size_t n)
{
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned v = (unsigned)(d[n - 1 - i] - '0') << (i & 1);
		sum += v > 9 ? v - 9 : v;
	}
	return sum % 10 == 0;
}

static bool issued(const char *d, size_t n)
{
	unsigned two = (unsigned)(d[0] - '0') * 10 + (unsigned)(d[1] - '0');
	if (d[0] == '4')
		return n == 13 || n == 16 || n == 19;
	if ((two >= 51 && two <= 55) || (two >= 22 && two <= 27) || two == 35 || two == 65)
		return n == 16;
	if (two == 34 || two == 37)
		return n == 15;
	if (two == 30 || two == 36 || two == 38)
		return n == 14;
	return (two == 62 && n >= 16) || (two == 60 && n == 16) || (two == 64 && n == 16);
}

size_t pii_card(ds_str s, size_t i)
{
	char d[20];
	size_t end, n = digits(s, i, d, 19, &end);
	bool flat = true;
	for (size_t k = 1; k < n && n <= 19; k++)
		flat &= d[k] == d[0];
	if (n < 13 || n > 19 || flat || letter(at(s, end)) || (i && s.at[i - 1] == '.'))
		return 0;
	return issued(d, n) && luhn(d, n) ? end - i : 0;
}

/* Digits as a pattern has them: 'd' a digit, 'n' one from 2, '-' a hyphen, dot or blank. */
static size_t shape(ds_str s, size_t i, const char *pattern)
{
	size_t k = 0;
	for (; pattern[k]; k++) {
		char c = at(s, i + k), p = pattern[k];
		bool fits = p == 'd'   ? digit(c)
			    : p == 'n' ? c >= '2' && c <= '9'
			    : p == 'm' ? c >= '3' && c <= '9'
			    : p == '-' ? c == '-' || c == ' ' || c == '.'
				       : c == p;
		if (!fits)
			return 0;
	}
	char after = at(s, i + k);
	return digit(after) || letter(after) ||
			       ((after == '-' || after == '.') && digit(at(s, i + k + 1)))
		       ? 0
		       : k;
}

static size_t international(ds_str s, size_t i)
{
	size_t p = i + 1, n = 0, end = 0;
	if (!digit(at(s, p)) || s.at[p] == '0')
		return 0;
	while (p < s.n && n <= 15) {
		if (digit(s.at[p])) {
			n++;
			end = ++p;
		} else if (strchr(" -.()", s.at[p]) && s.at[p] &&
			   (digit(at(s, p + 1)) || at(s, p + 1) == '(' || at(s, p + 1) == ' ')) {
			p++;
		} else {
			break;
		}
	}
	return n >= 8 && n <= 15 && !letter(at(s, end)) ? end - i : 0;
}

size_t pii_phone(ds_str s, size_t i)
{
	static const char *const shapes[] = { "1mddddddddd", "1md-dddd-dddd", "86-1mddddddddd",
		"861mddddddddd", "0dd-dddddddd", "0ddd-dddddddd", "0ddd-ddddddd", "400-ddd-dddd",
		"800-ddd-dddd", "(ndd) ndd-dddd", "(ndd)ndd-dddd", "ndd-ndd-dddd",
		"1-ndd-ndd-dddd" };
	if (at(s, i) == '+')
		return international(s, i);
	if (i > 1 && (s.at[i - 1] == '.' || s.at[i - 1] == '-') && digit(s.at[i - 2]))
		return 0;
	for (size_t k = 0; k < sizeof(shapes) / sizeof(*shapes); k++) {
		size_t n = shape(s, i, shapes[k]);
		if (n)
			return n;
	}
	return 0;
}
