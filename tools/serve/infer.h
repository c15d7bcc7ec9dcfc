/*
 * infer.h - ModelInfer: tensors in, a model's answer as tensors out
 */
#ifndef SERVE_INFER_H
#define SERVE_INFER_H

#include "grpc.h"
#include "serve.h"

/*
 * Answers one request of a call, now or later, on any thread: whole it ends the call; of a stream it asks for the next message
 * then. bytes are read before it returns.
 */
void infer_run(server *s, rpc *c, ds_str bytes, bool stream);
/* ModelMetadata's answer. */
void infer_describe(const server *s, ds_buf *out, ds_arena *mem);

#endif
