/*
 * scale.c - the loss scale of fp16, as PyTorch's GradScaler moves it
 *
 * Small gradients vanish in fp16, so the loss is multiplied by a power of two and the optimizer divides
 * by it. A step whose gradients are over the range changes nothing and halves the scale; after 2000
 * good ones it doubles.
 */
#include "train/trainer.h"

#include <math.h>

enum { FIRST = 65536, GROW_AFTER = 2000 };

double ds_train_scale(const ds_train_plan *p, ds_ckpt *s)
{
	if (p->compile.product != DS_F16)
		return 1;
	if (s->scale <= 0)
		s->scale = FIRST;
	return s->scale;
}

bool ds_train_scale_next(const ds_train_plan *p, ds_ckpt *s, ds_figures *f)
{
	bool finite = isfinite(f->loss) && isfinite(f->grad_norm);
	if (p->compile.product != DS_F16)
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
