/*
 * batches.h - vectors and labels of many sequences at once, for batches of several sizes
 *
 * An engine's shape is fixed, so there is one for each length and number of sequences that is needed, made at its
 * first use; all share the weights.
 */
#ifndef SERVE_BATCHES_H
#define SERVE_BATCHES_H

#include "sched.h"

enum { BATCH_MOST = 32 };
typedef struct batches batches;
/* share: whose weights to use, NULL: they are loaded. */
DS_MUST ds_rc batches_open(
	batches **b, const sched_opts *how, work_kind kind, ds_exec *share, ds_err *e);
void batches_close(batches *b); /* NULL is fine */
ds_exec *batches_weights(batches *b);
int64_t batches_longest(const batches *b);
int batches_class(const batches *b, size_t n_tokens); /* sequences of one class go together */
size_t batches_most(const batches *b, int class_of);  /* how many of them */
DS_MUST ds_rc batches_run(batches *b, int class_of, work *const *works, size_t n, ds_err *e);

#endif
