/*
 * tb.h - scalars for TensorBoard
 *
 * Writes event files as TensorBoard reads them: TFRecord frames with masked CRC-32C around Event
 * messages. A run that goes on at step N starts a file of its own, named by N, whose first event
 * makes TensorBoard forget what an earlier file says of N and later steps.
 */
#ifndef DS_MODEL_TB_H
#define DS_MODEL_TB_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ds_tb ds_tb;
typedef struct {
	const char *tag;
	float value;
} ds_tb_scalar;

/* dir must exist; seconds is the time since 1970 that the file's first events carry. */
DS_MUST ds_rc ds_tb_open(ds_tb **t, const char *dir, int64_t first_step, double seconds, ds_err *e);
void ds_tb_close(ds_tb *t); /* NULL is fine */
/* Written and flushed, so that a killed run loses nothing. */
DS_MUST ds_rc ds_tb_add(
	ds_tb *t, int64_t step, double seconds, const ds_tb_scalar *s, size_t n, ds_err *e);
DS_AUTO_WITH(ds_tb, ds_tb_close)

#endif
