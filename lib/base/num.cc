/*
 * num.cc - doubles to text and back, exactly (the C library has no shortest form)
 *
 * std::to_chars gives the shortest digits that read back (Ryu: Adams, PLDI 2018), std::from_chars the
 * nearest double. Neither knows a locale.
 */
extern "C" {
#include "base/str.h"
}

#include <charconv>
#include <cmath>

template <typename T> static size_t print(char *out, T v)
{
	T size = std::fabs(v);
	bool plain = size == 0 || (size >= T(1e-4) && size < T(1e16));
	char *end = std::to_chars(
		out, out + 31, v, plain ? std::chars_format::fixed : std::chars_format::scientific)
			    .ptr;
	if (plain && !memchr(out, '.', (size_t)(end - out))) {
		*end++ = '.';
		*end++ = '0';
	}
	*end = '\0';
	return (size_t)(end - out);
}

extern "C" size_t ds_f64_print(char *out, double v)
{
	return print(out, v);
}

extern "C" size_t ds_f32_print(char *out, float v)
{
	return print(out, v);
}

extern "C" bool ds_str_f64(ds_str s, double *out)
{
	const char *at = s.at, *end = s.at + s.n;
	if (s.n && *at == '+')
		at++;
	if (at == end || (*at == '-' && s.at != at))
		return false;
	double v;
	auto got = std::from_chars(at, end, v);
	if (got.ec != std::errc() || got.ptr != end)
		return false;
	*out = v;
	return true;
}
