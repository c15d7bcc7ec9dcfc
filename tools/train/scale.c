/*
 * scale.c - the loss scale of fp16, as PyTorch's GradScaler moves it
 *
 * Small gradients vanish in fp16, so the loss is multiplied by a power of two and the optimizer divides
 * by it. A step whose gradients are over the range changes nothing and halves the scale; after 2000
 * good ones it doubles.
 */
#include "run.h"

#include <math.h>

enum { FIRST = 65536, GROW_AFTER = 2000 };

double train_scale(train_run *r)
{
	if (r->compile.product != DS_F16)
		return 1;
	if (r->state.scale <= 0)
		r->state.scale = FIRST;
	return r->state.scale;
}

bool train_scale_next(train_run *r, train_figures *f)
{
	ds_ckpt *s = &r->state;
	bool finite = isfinite(f->loss) && isfinite(f->grad_norm);
	if (r->compile.product != DS_F16)
		return finite;
	f->scale = s->scale;
	/* Not the scale's doing: the loss itself is summed in fp32. */
	if (!finite && (s->scale <= 1 || !isfinite(f->loss)))
		return false;
	f->skipped = !finite;
	if (f->skipped) {
		s->scale /= 2;
		s->good = 0;
		s->skipped++;
	} else if (++s->good == GROW_AFTER) {
		s->scale *= 2;
		s->good = 0;
	}
	return true;
}
