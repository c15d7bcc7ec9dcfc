/*
 * exchange.h - dsdedup exchange: the staged run in steps of a shard or a partition each, for an engine
 *
 * Every step is a function of its shard's folder (sign-00000.dsr, made of that shard alone) and of frames, so it
 * can be run again anywhere and in any order; the engine brings each frame to where it goes.
 *
 *   shard      texts     its exact keys                       TEXTS    -> partition
 *   partition  meet      who has the same key as an earlier   SAMES    -> shard
 *   shard      bands     keys of its bands, with SAMES        KEYS     -> partition
 *   partition  meet      who met whom                         PAIRS, ASKS, FULLS -> shard
 *   shard      tell      sketches that ASKS want              SKETCHES -> shard
 *   shard      confirm   SAMES, PAIRS, FULLS and SKETCHES: cluster.dsr; with -o EDGES -> partition
 *
 * and for clusters, until neither of the two says that it changed anything:
 *
 *   partition  large, small                                   EDGES    -> partition
 *   partition  members   who is in whose cluster              MEMBERS  -> shard
 *   shard      values    what its members are worth           VALUES   -> partition
 *   partition  choose    the best of each cluster             VERDICTS -> shard
 *   shard      settle    cluster.dsr of VERDICTS
 */
#ifndef DSDEDUP_EXCHANGE_H
#define DSDEDUP_EXCHANGE_H

#include "frames.h"
#include "options.h"
#include "stage.h"

typedef struct {
	const ds_common *c;
	signs *s; /* of the shard; NULL for a step of a partition */
	uint64_t shard;
	frames_in *in;
	frames_out *out; /* NULL: -o was not given to a step that can do without */
} exchange;

/* Which partition has a key. */
uint64_t exchange_part(const void *key, size_t bytes);

/* A number that is of this shard and has a row: DS_BAD else. */
DS_MUST ds_rc exchange_row(const exchange *x, uint64_t number, uint64_t *row, ds_err *e);
/* Rows of a frame at the end of *rows. */
static inline void exchange_keep(ds_buf *rows, const frame *f)
{
	ds_buf_add(rows, f->words, f->n_rows * frame_words(f->kind) * sizeof(*f->words));
}
DS_MUST ds_rc exchange_unknown(const frame *f, ds_err *e); /* a kind that a step has no use for */

/* What becomes of the records of a shard: cluster.dsr, dup holds numbers, UINT64_MAX for none. */
DS_MUST ds_rc exchange_verdicts(
	const exchange *x, const uint64_t *dup, const uint8_t *why, uint64_t full, ds_err *e);
/* Records that --against has, whatever else was found. */
void exchange_against(const signs *s, uint8_t *why);

DS_MUST ds_rc step_meet(exchange *x, ds_err *e);
DS_MUST ds_rc step_confirm(exchange *x, ds_err *e);
DS_MUST ds_rc step_star(exchange *x, bool large, ds_err *e);
DS_MUST ds_rc step_members(exchange *x, ds_err *e);
DS_MUST ds_rc step_values(exchange *x, ds_err *e);
DS_MUST ds_rc step_choose(exchange *x, ds_err *e);
DS_MUST ds_rc step_settle(exchange *x, ds_err *e);

#endif
