/*
 * schedules.c - how the learning rate falls after its warm-up
 */
#include "graph/opt/opt_impl.h"

#include <math.h>

static double linear(double done)
{
	return 1 - done;
}

static double cosine(double done)
{
	return 0.5 * (1 + cos(M_PI * done));
}

static double constant(double done)
{
	return 1;
}

/* Warm-up, stable, decay (Hu et al., 2024): the last fifth falls straight to 0. */
static double wsd(double done)
{
	return done < 0.8 ? 1 : (1 - done) / 0.2;
}

const ds_schedule_kind ds_schedule_linear = { "linear", "straight to 0", linear };
const ds_schedule_kind ds_schedule_cosine = { "cosine", "half a cosine to 0", cosine };
const ds_schedule_kind ds_schedule_constant = { "constant", "no fall", constant };
const ds_schedule_kind ds_schedule_wsd = { "wsd", "none for four fifths, then straight to 0", wsd };
