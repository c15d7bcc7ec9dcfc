/*
 * block_json.c - values of columns as JSON text, where columns of different types become one
 */
#include "record/block_impl.h"

#include <math.h>
#include <stdio.h>

static size_t put_escaped(char *out, ds_str s)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};
	char *w = out;
	*w++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.at[i];
		char letter = c < 0x20 ? letters[c] : c == '"' || c == '\\' ? (char)c : 0;
		if (letter) {
			*w++ = '\\';
			*w++ = letter;
		} else if (c < 0x20) {
			memcpy(w, "\\u00", 4);
			w[4] = hex[c >> 4];
			w[5] = hex[c & 15];
			w += 6;
		} else {
			*w++ = (char)c;
		}
	}
	*w++ = '"';
	return (size_t)(w - out);
}

ds_str ds_json_quoted(ds_arena *mem, ds_str s)
{
	size_t n = 2;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.at[i];
		n += c < 0x20 ? 6 : c == '"' || c == '\\' ? 2 : 1;
	}
	char *out = ds_arena_bytes(mem, n);
	return (ds_str){ out, put_escaped(out, s) };
}

static ds_str base64(ds_arena *mem, ds_str s)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = ds_arena_bytes(mem, s.n / 3 * 4 + 6), *w = out;
	*w++ = '"';
	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)(uint8_t)s.at[i] << 16;
		v |= left > 1 ? (uint32_t)(uint8_t)s.at[i + 1] << 8 : 0;
		v |= left > 2 ? (uint8_t)s.at[i + 2] : 0;
		*w++ = digit[v >> 18];
		*w++ = digit[v >> 12 & 63];
		*w++ = left > 1 ? digit[v >> 6 & 63] : '=';
		*w++ = left > 2 ? digit[v & 63] : '=';
	}
	*w++ = '"';
	return (ds_str){ out, (size_t)(w - out) };
}

size_t ds_number_print(char *out, double v)
{
	if (isfinite(v))
		return ds_f64_print(out, v);
	memcpy(out, "null", 4); /* JSON has no other word for it */
	return 4;
}

static size_t put_element(char *out, const ds_col *c, size_t i)
{
	if (c->type == DS_T_U16S)
		return (size_t)sprintf(out, "%u", ((const uint16_t *)c->data)[i]);
	if (c->type == DS_T_U32S)
		return (size_t)sprintf(out, "%u", ((const uint32_t *)c->data)[i]);
	return ds_number_print(out, ((const float *)c->data)[i]);
}

ds_str ds_col_json_list(ds_arena *mem, const ds_col *c, uint32_t row)
{
	if (c->type == DS_T_UTF8)
		return ds_json_quoted(mem, ds_col_bytes(c, row));
	if (c->type == DS_T_BYTES)
		return base64(mem, ds_col_bytes(c, row));
	size_t first = c->off[row], n = c->off[row + 1] - first;
	char *out = ds_arena_bytes(mem, 33 * n + 2), *w = out;
	*w++ = '[';
	for (size_t i = 0; i < n; i++) {
		if (i)
			*w++ = ',';
		w += put_element(w, c, first + i);
	}
	*w++ = ']';
	return (ds_str){ out, (size_t)(w - out) };
}
