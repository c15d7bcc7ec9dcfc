/*
 * sched.h - one thread that computes for everybody
 *
 * Works wait in a queue of bounded length, in the order of their coming. The thread takes texts into the decoder's slots as
 * these become free and computes a step of all of them together; between steps it computes vectors and labels, as many
 * of about one length at once as there are. A work whose client left, or whose time is over, is given up, waiting or
 * not. What a work calls back runs on that thread.
 */
#ifndef SERVE_SCHED_H
#define SERVE_SCHED_H

#include "infer/slots.h"

#include <stdatomic.h>

typedef enum { WORK_TEXT, WORK_VECTOR, WORK_LABEL } work_kind;
typedef enum {
	WORK_DONE,
	WORK_GONE,    /* nobody wants it any more */
	WORK_LATE,    /* its time is over */
	WORK_STOPPED, /* the server ends */
	WORK_FAILED,
} work_end;

typedef struct work work;
struct work {
	work_kind kind;
	ds_slot_ask ask; /* of a vector or a label the prompt alone */
	float *out;      /* the vector; the logits of the labels */
	const atomic_bool *gone;
	uint64_t deadline_ns; /* 0: none */
	/* A token came; true: it has enough. Of texts. */
	bool (*token)(work *w, const ds_slot_event *v);
	void (*done)(work *w, work_end end, const char *why); /* the last that is heard of it */
	void *owner;
	/* got */
	size_t n_reused;
	uint64_t put_ns, begun_ns, first_ns; /* queued, taken, first result; 0: not yet */
	work *next;
};

typedef struct {
	const ds_model *model;
	ds_device *device;
	int64_t slots, context; /* of texts; 0 slots: none are made */
	bool labels;            /* its head is a classifier's */
	uint64_t limit_bytes;
	ds_precision precision;
	size_t most_waiting;
} sched_opts;

typedef struct sched sched;
/* Loads the model, and computes once what will be computed. */
DS_MUST ds_rc sched_open(sched **s, const sched_opts *o, ds_err *e);
void sched_stop(
	sched *s); /* gives up what there is (WORK_STOPPED), takes nothing more; NULL is fine */
void sched_close(sched *s); /* stops it too; NULL is fine */
DS_AUTO_WITH(sched, sched_close)

/* All of them, or none: there is no room. Works are borrowed until they are done. */
bool sched_put(sched *s, work *const *works, size_t n);
typedef struct {
	size_t waiting, running;
	double used;    /* share of the caches' positions that are in use */
	double wait_s;  /* about how long a new work would wait */
	uint64_t steps; /* so far */
} sched_state;
sched_state sched_look(sched *s);
int64_t sched_longest(const sched *s, work_kind kind); /* tokens of a prompt, and what follows */

#endif
