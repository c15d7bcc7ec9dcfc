/*
 * values.c - f32 values written as another type, on the way out
 */
#include "values.h"

#include "base/half.h"

#include <math.h>

enum { AT_ONCE = 4096 }; /* a multiple of VALUE_BLOCK */

uint64_t values_bytes(value_type t, int64_t n)
{
	if (t == VALUE_Q8_0)
		return (uint64_t)n / VALUE_BLOCK * VALUE_BLOCK_BYTES;
	return (uint64_t)n * (t == VALUE_F32 ? 4 : 2);
}

static bool is_over(value_type t, uint16_t half, float v)
{
	return (half & 0x7fff) == (t == VALUE_BF16 ? 0x7f80 : 0x7c00) && isfinite(v);
}

/* Index of the first finite value that the type cannot hold, or n. */
static int64_t halves(const float *v, int64_t n, values_how how, uint16_t *out)
{
	uint16_t most = how.type == VALUE_BF16 ? 0x7f7f : 0x7bff;
	for (int64_t i = 0; i < n; i++) {
		out[i] = how.type == VALUE_BF16 ? ds_bf16_of_f32(v[i]) : ds_f16_of_f32(v[i]);
		if (!is_over(how.type, out[i], v[i]))
			continue;
		if (!how.clamp)
			return i;
		out[i] = (uint16_t)(most | (v[i] < 0 ? 0x8000 : 0));
	}
	return n;
}

/* The scale is the largest magnitude / 127, and what is stored of it divides. */
static int64_t blocks(const float *v, int64_t n, values_how how, uint8_t *out)
{
	for (int64_t i = 0; i < n; i += VALUE_BLOCK, out += VALUE_BLOCK_BYTES) {
		float most = 0;
		for (int j = 0; j < VALUE_BLOCK; j++)
			most = fmaxf(most, fabsf(v[i + j]));
		float d = most / 127, by = d ? 1 / d : 0;
		uint16_t scale = ds_f16_of_f32(d);
		if (is_over(VALUE_F16, scale, d)) {
			if (!how.clamp)
				return i;
			scale = 0x7bff;
			by = 1 / 65504.0f;
		}
		memcpy(out, &scale, 2);
		for (int j = 0; j < VALUE_BLOCK; j++) {
			float q = roundf(v[i + j] * by);
			out[2 + j] = (uint8_t)(int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
		}
	}
	return n;
}

ds_rc values_write(
	ds_out *out, const char *name, const float *v, int64_t n, values_how how, ds_err *e)
{
	union {
		uint16_t halves[AT_ONCE];
		uint8_t blocks[AT_ONCE / VALUE_BLOCK * VALUE_BLOCK_BYTES];
	} part;
	if (how.type == VALUE_F32)
		return ds_out_write(out, v, (size_t)n * 4, e);
	for (int64_t from = 0; from < n; from += AT_ONCE) {
		int64_t m = n - from < AT_ONCE ? n - from : AT_ONCE;
		int64_t done = how.type == VALUE_Q8_0 ? blocks(v + from, m, how, part.blocks)
						      : halves(v + from, m, how, part.halves);
		if (done < m)
			return ds_fail(e, DS_BAD,
				"tensor '%s': %g is over the range of the type; --clamp stores the "
				"largest that there is",
				name, (double)v[from + done]);
		DS_TRY(ds_out_write(out, &part, values_bytes(how.type, m), e));
	}
	return DS_OK;
}

ds_rc values_type(const char *name, value_type *t, ds_err *e)
{
	static const struct {
		const char *name;
		value_type t;
	} types[] = { { "fp32", VALUE_F32 }, { "bf16", VALUE_BF16 }, { "fp16", VALUE_F16 },
		{ "f32", VALUE_F32 }, { "f16", VALUE_F16 } };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(name, types[i].name) == 0) {
			*t = types[i].t;
			return DS_OK;
		}
	return ds_fail(e, DS_USAGE, "--dtype '%s': fp32, bf16 or fp16", name);
}
