/*
 * half.h - 16-bit floats: bf16 and IEEE half
 */
#ifndef DS_BASE_HALF_H
#define DS_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float ds_f32_of_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static inline uint32_t ds_bits_of_f32(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static inline float ds_f32_of_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 0x3ff;
	if (exp == 31)
		return ds_f32_of_bits(sign | 0x7f800000 | man << 13);
	if (exp)
		return ds_f32_of_bits(sign | (exp + 112) << 23 | man << 13);
	float f = (float)man * 0x1p-24f; /* exact */
	return sign ? -f : f;
}

/* Round to nearest, ties to even; over the range is infinity; NaN stays one. */
static inline uint16_t ds_f16_of_f32(float f)
{
	uint32_t u = ds_bits_of_f32(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
	if (a > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (a >= 0x477ff000)
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x38800000) { /* below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 */
		float r = ds_f32_of_bits(a) + 0.5f;
		return (uint16_t)(sign | (ds_bits_of_f32(r) - ds_bits_of_f32(0.5f)));
	}
	return (uint16_t)(sign | (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13);
}

static inline uint16_t ds_bf16_of_f32(float f)
{
	uint32_t u = ds_bits_of_f32(f);
	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float ds_f32_of_bf16(uint16_t h)
{
	return ds_f32_of_bits((uint32_t)h << 16);
}

#endif
