/*
 * kserve.h - the services over gRPC: inference (KServe's version 2, with Triton's stream), health, reflection
 *
 * Texts are tensors: text_input BYTES [n] gives text_output BYTES [n], and what a request for completions may say is a
 * parameter, or a tensor with one element. Vectors: `embedding` FP32 [n, width]. A classifier gives `label` BYTES [n] and
 * `probabilities` FP32 [n, labels]. input_ids INT64 or INT32 [n, length] stand for texts.
 */
#ifndef SERVE_KSERVE_H
#define SERVE_KSERVE_H

#include "grpc.h"
#include "serve.h"

typedef struct kserve kserve;
/* o: where, limits and keys; its handlers are this service's. The server outlives it. */
DS_MUST ds_rc kserve_open(kserve **k, server *s, const rpc_opts *o, ds_buf *at, ds_err *e);
void kserve_phase(
	kserve *k); /* the server takes requests now, or does not any more; NULL is fine */
void kserve_close(kserve *k); /* NULL is fine */

#endif
