/*
 * pb.h - protobuf messages in arenas, by protobuf-c
 */
#ifndef SERVE_PB_H
#define SERVE_PB_H

#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>

/* NULL: it is none, or it would take more than PB_BYTES. What it points to is in mem. */
enum { PB_BYTES = 64 << 20 };
void *pb_read(const ProtobufCMessageDescriptor *d, ds_str bytes, ds_arena *mem);
/* Appended. */
void pb_add(const void *message, ds_buf *out);
/* A new message with its defaults, in mem. */
void *pb_new(const ProtobufCMessageDescriptor *d, ds_arena *mem);
char *pb_text(ds_arena *mem, const char *text); /* a copy that a message may point to */

#endif
