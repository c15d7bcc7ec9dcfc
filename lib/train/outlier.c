/*
 * outlier.c - losses that stand far above those before them
 *
 * The mean remembers about ten steps, the squared distance to it about fifty. A loss more than five
 * deviations above the mean is told and marked in the log. It enters the figures at that border only, so
 * that a row of bad batches does not make itself the rule.
 */
#include "train/trainer.h"

#include <math.h>

enum { SETTLED = 20, FAR = 5 };
static const double KEEP_MEAN = 0.9, KEEP_VAR = 0.98;

double ds_train_outlier(ds_ckpt *s, int64_t step, double loss)
{
	if (!isfinite(loss))
		return 0;
	if (step == 1) {
		s->mean = loss;
		s->var = 0;
		return 0;
	}
	/* The average of so few squares began at 0. */
	double deviation = sqrt(s->var / (1 - pow(KEEP_VAR, (double)(step - 2))));
	double z = step > 2 && deviation > 0 ? (loss - s->mean) / deviation : 0;
	bool far = step > SETTLED && z > FAR;
	double d = far ? FAR * deviation : loss - s->mean;
	s->mean += (1 - KEEP_MEAN) * d;
	s->var = KEEP_VAR * s->var + (1 - KEEP_VAR) * d * d;
	return far ? z : 0;
}
