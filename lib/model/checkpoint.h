/*
 * checkpoint.h - the state of a run on disk
 *
 * OUT/checkpoint-STEP/ holds model.safetensors, optimizer.safetensors ("NAME.m" and so on), state.json
 * and the hashes of these three, xxh128sums, as `xxh128sum -c` reads them. Frozen weights are not in
 * it. It is written as OUT/checkpoint-STEP.part and renamed when everything is on the disk, so a
 * checkpoint is whole or not there; what happened to it later, the hashes tell. Tensors go by their
 * names and as wholes: any layout can read them. The ranks of a job call these together, and rank 0 writes.
 */
#ifndef DS_MODEL_CHECKPOINT_H
#define DS_MODEL_CHECKPOINT_H

#include "graph/exec.h"
#include "model/safetensors.h"

typedef struct {           /* everything that is not a tensor */
	int64_t step;      /* steps done */
	int64_t tokens;    /* trained on so far */
	int64_t log_bytes; /* length of log.jsonl */
	uint64_t data;     /* identity of what it is trained on */
	double best;       /* smallest eval loss; infinite: none yet */
	int64_t best_step; /* where that was; 0: none yet */
	int64_t worse;     /* evaluations since */
	double mean, var;  /* of the loss lately, for outliers */
	double scale;      /* of the loss, fp16 alone; 0: not begun */
	int64_t good;      /* steps since the scale changed */
	int64_t empty;     /* steps in which no row had a target */
	int64_t skipped;   /* steps that changed nothing, their gradients being over the range */
	bool clamp; /* weights over the range of the type they are published in; not read back */
	const char *weights; /* their file in OUT; NULL: model.safetensors; not read back */
	const char *chain;   /* the data's provenance, JSON; not read back */
} ds_ckpt;

/* Writes checkpoint-STEP, whole or not at all. */
DS_MUST ds_rc ds_ckpt_save(const char *out, const ds_ckpt *s, ds_exec *x, ds_err *e);
/* Makes the weights of checkpoint-STEP those of OUT itself, stored as type, in one rename. */
DS_MUST ds_rc ds_ckpt_publish(
	const char *out, const ds_ckpt *s, ds_exec *x, ds_st_type type, ds_err *e);
/*
 * The newest whole checkpoint's step, 0 where there is none. All of its bytes are read and compared
 * with its hashes. What is damaged is passed over and named in *passed (may be NULL), which lives in
 * mem.
 */
DS_MUST ds_rc ds_ckpt_newest(
	const char *out, int64_t *step, ds_arena *mem, const char **passed, ds_err *e);
DS_MUST ds_rc ds_ckpt_load(
	const char *out, int64_t step, ds_ckpt *s, ds_exec *x, const ds_graph *g, ds_err *e);
/* Removes all but the `keep` newest (0 keeps all) and that of step best, and what an interrupted write left. */
DS_MUST ds_rc ds_ckpt_prune(const char *out, int64_t keep, int64_t best, ds_err *e);

#endif
