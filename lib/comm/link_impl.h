/*
 * link_impl.h - what carries bytes between ranks; world.c makes everything else of it
 *
 * put and get never wait: they move what there is room for, or what has come. Bytes from one rank to another arrive in
 * their order.
 */
#ifndef DS_COMM_LINK_IMPL_H
#define DS_COMM_LINK_IMPL_H

#include "comm/world.h"

typedef struct ds_link ds_link;

enum { DS_SAYING_BYTES = 160 };

struct ds_link {
	int rank, n;
	size_t (*put)(ds_link *l, int to, const void *at, size_t n);
	size_t (*get)(ds_link *l, int from, void *at, size_t n);
	/* A number that changes when something may have come or room been made; wait sleeps while it is `seen`,
	 * some milliseconds at most. */
	uint32_t (*bell)(ds_link *l);
	void (*wait)(ds_link *l, uint32_t seen);
	/* The first rank that failed, -1: none; its words in *why, which lives as long as the link. */
	int (*failed)(ds_link *l, const char **why);
	void (*say)(ds_link *l, const char *what, int waits_for); /* waits_for -1: for nobody */
	/* What another rank does; false: not known. */
	bool (*saying)(
		ds_link *l, int rank, char what[DS_SAYING_BYTES], int *waits_for, double *seconds);
	void (*close)(ds_link *l);
};

/* Takes the link. */
ds_world *ds_world_over(ds_link *l);

#endif
