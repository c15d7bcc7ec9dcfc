/*
 * out.c - strings on their way out: escaped, and made valid UTF-8 where they are not
 *
 * Most bytes need nothing, so runs are copied while they are looked at, 32 or 64 bytes a step, and
 * only quotes, backslashes and controls stop a run.
 */
#include "json/scan.h"

#include "base/cpu.h"

static bool needs_escape(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

size_t ds_json_run(char *out, const char *in, size_t n)
{
	size_t i = 0;
	for (; i < n && !needs_escape((uint8_t)in[i]); i++)
		out[i] = in[i];
	return i;
}

static size_t run(char *out, const char *in, size_t n)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return ds_json_run_avx512(out, in, n);
	case DS_CPU_AVX2:
		return ds_json_run_avx2(out, in, n);
	default:
		return ds_json_run(out, in, n);
	}
}

static size_t put_escape(char *w, uint8_t c)
{
	static const char letter[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};
	char l = c < 32 ? letter[c] : (char)c;
	w[0] = '\\';
	if (l) {
		w[1] = l;
		return 2;
	}
	memcpy(w + 1, "u00", 3);
	w[4] = (char)('0' + (c >> 4));
	w[5] = "0123456789abcdef"[c & 15];
	return 6;
}

size_t ds_json_put(char *out, size_t avail, ds_str s, size_t *took)
{
	const char *p = s.at, *end = s.at + s.n;
	char *w = out, *limit = out + avail - DS_JSON_SLACK;
	while (p < end && w < limit) {
		size_t n = (size_t)(end - p), fits = (size_t)(limit - w);
		if (n > fits)
			n = fits;
		size_t copied = run(w, p, n);
		p += copied;
		w += copied;
		if (copied < n)
			w += put_escape(w, (uint8_t)*p++);
	}
	*took = (size_t)(p - s.at);
	return (size_t)(w - out);
}

/*
 * Length of the valid UTF-8 sequence at p, or 0; *part is then how many bytes one U+FFFD stands for
 * (Unicode 15, 3.9, U+FFFD substitution of maximal subparts).
 */
static size_t sequence(const uint8_t *p, const uint8_t *end, size_t *part)
{
	uint8_t c = *p, low = 0x80, high = 0xBF;
	size_t n = c < 0x80           ? 1
		   : c - 0xC2u < 0x1E ? 2
		   : c - 0xE0u < 0x10 ? 3
		   : c - 0xF0u < 5    ? 4
				      : 0;
	*part = 1;
	if (n < 2)
		return n;
	if (c == 0xE0)
		low = 0xA0;
	else if (c == 0xED)
		high = 0x9F;
	else if (c == 0xF0)
		low = 0x90;
	else if (c == 0xF4)
		high = 0x8F;
	for (size_t i = 1; i < n; i++, low = 0x80, high = 0xBF) {
		if (p + i >= end || p[i] < low || p[i] > high)
			return 0;
		*part = i + 1;
	}
	return n;
}

size_t ds_json_repair(char *out, ds_str s, uint64_t *replaced)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	char *w = out;
	size_t part;
	while (p < end) {
		size_t n = sequence(p, end, &part);
		if (n) {
			memcpy(w, p, n);
			w += n;
			p += n;
			continue;
		}
		memcpy(w, "\xEF\xBF\xBD", 3);
		w += 3;
		p += part;
		++*replaced;
	}
	return (size_t)(w - out);
}

size_t ds_json_compact(char *out, ds_str s)
{
	char *w = out;
	bool inside = false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		if (!inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		*w++ = c;
		if (inside && c == '\\' && i + 1 < s.n)
			*w++ = s.at[++i];
		else if (c == '"')
			inside = !inside;
	}
	return (size_t)(w - out);
}
