/*
 * values.h - f32 values written as another type, on the way out
 */
#ifndef DS_EXPORT_VALUES_H
#define DS_EXPORT_VALUES_H

#include "base/io.h"

typedef enum {
	VALUE_F32,
	VALUE_F16,
	VALUE_BF16,
	VALUE_Q8_0, /* blocks of 32: an f16 scale and 32 signed bytes */
} value_type;
enum { VALUE_BLOCK = 32, VALUE_BLOCK_BYTES = 34 };

typedef struct {
	value_type type;
	bool clamp; /* finite values over the type's range become its largest; else they are DS_BAD */
} values_how;

/* n values; for VALUE_Q8_0 a multiple of VALUE_BLOCK. name is for messages. */
DS_MUST ds_rc values_write(
	ds_out *out, const char *name, const float *v, int64_t n, values_how how, ds_err *e);
uint64_t values_bytes(value_type t, int64_t n);
/* fp32 bf16 fp16, also without the p. */
DS_MUST ds_rc values_type(const char *name, value_type *t, ds_err *e);

#endif
