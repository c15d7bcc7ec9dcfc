/*
 * task.c - what is predicted, and what that makes of the model's head and a row's targets
 */
#include "run.h"

static ds_rc choose_mask(train_run *r, bool fixed, ds_err *e)
{
	const ds_settings *k = &r->o->ask.keys;
	const ds_tok *tok = r->rows ? ds_rows_tok(r->rows) : NULL;
	uint32_t mask = tok ? ds_tok_special(tok, DS_TOK_MASK) : (uint32_t)DS_TOK_NONE;
	if (k->mlm_mask_share + k->mlm_random_share > 1)
		return ds_fail(
			e, DS_USAGE, "mlm_mask_share and mlm_random_share are over 1 together");
	r->mlm = (ds_mlm){ .probability = k->mlm_probability,
		.mask = k->mlm_mask_share,
		.random = k->mlm_random_share,
		.whole_word = k->whole_word,
		.mask_id = (int64_t)mask,
		.seed = (uint64_t)k->seed };
	/* A tokenizer without one: the first id behind it, which a new model has room for. */
	if (mask == (uint32_t)DS_TOK_NONE) {
		r->mlm.mask_id = tok ? ds_tok_size(tok) : r->plan.config.vocab_size - 1;
		if (!fixed && r->plan.config.vocab_size <= r->mlm.mask_id)
			r->plan.config.vocab_size = r->mlm.mask_id + 1;
		if (r->plan.config.vocab_size <= r->mlm.mask_id)
			return ds_fail(e, DS_USAGE,
				"task=mlm: the tokenizer has no mask token, and vocab_size=%lld "
				"has no "
				"room for one behind its %lld ids",
				(long long)r->plan.config.vocab_size, (long long)r->mlm.mask_id);
	}
	r->mlm.vocab_size = tok ? ds_tok_size(tok) : r->plan.config.vocab_size;
	ds_mlm_kinds(&r->mlm, tok, r->mem);
	r->plan.per_row = ds_mlm_most(&r->mlm, r->plan.seq);
	return DS_OK;
}

static int own_task(const ds_config *c)
{
	if (c->head == DS_HEAD_PAIR)
		return DS_TASK_clip;
	if (!(c->arch->traits & DS_ARCH_ENCODER))
		return DS_TASK_clm;
	return c->head == DS_HEAD_SEQ || c->arch->traits & DS_ARCH_IMAGES ? DS_TASK_cls
	       : c->head == DS_HEAD_TOKEN                                 ? DS_TASK_tokcls
									  : DS_TASK_mlm;
}

static ds_rc check_task(const ds_config *c, int task, ds_err *e)
{
	bool pairs = c->head == DS_HEAD_PAIR, encoder = c->arch->traits & DS_ARCH_ENCODER;
	bool images = c->arch->traits & DS_ARCH_IMAGES;
	bool decodes = task == DS_TASK_clm || task == DS_TASK_chat;
	const char *name = c->arch->name;
	if (pairs != (task == DS_TASK_clip))
		return pairs ? ds_fail(e, DS_USAGE, "%s compares texts and pictures: task=clip",
				       name)
			     : ds_fail(e, DS_USAGE,
				       "task=clip is of models such as clip, not of %s", name);
	if (images && task != DS_TASK_cls)
		return ds_fail(e, DS_USAGE, "%s takes pictures: task=cls", name);
	if (encoder == decodes)
		return ds_fail(e, DS_USAGE,
			encoder ? "%s is an encoder: task=mlm, cls or tokcls"
				: "%s predicts the next token: task=clm or chat",
			name);
	return DS_OK;
}

ds_rc train_choose_task(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	if (k->task == DS_TASK_auto)
		k->task = own_task(&r->plan.config);
	DS_TRY(check_task(&r->plan.config, k->task, e));
	if (ds_task_labels(k->task) && r->adapts)
		return ds_fail(e, DS_USAGE, "task=cls and tokcls train all weights: tune=full");
	ds_head was = r->plan.config.head;
	r->plan.config.head = k->task == DS_TASK_cls      ? DS_HEAD_SEQ
			      : k->task == DS_TASK_tokcls ? DS_HEAD_TOKEN
			      : k->task == DS_TASK_clip   ? DS_HEAD_PAIR
							  : DS_HEAD_LM;
	if (r->plan.config.head != was)
		r->plan.config.n_labels = 0;
	return DS_OK;
}

ds_rc train_open_task(train_run *r, bool fixed, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	size_t n = 0;
	bool one = k->task == DS_TASK_cls || k->task == DS_TASK_clip;
	r->plan.per_row = one ? 1 : r->plan.seq;
	r->plan.targets = one                      ? DS_TARGETS_ROW
			  : k->task == DS_TASK_mlm ? DS_TARGETS_PICKED
						   : DS_TARGETS_TOKENS;
	if (k->task == DS_TASK_mlm)
		return choose_mask(r, fixed, e);
	if (!ds_task_labels(k->task) || !r->rows)
		return DS_OK;
	const char *const *labels = ds_rows_labels(r->rows, &n);
	r->plan.config.labels = ds_arena_get(r->mem, n * sizeof(char *));
	memcpy(r->plan.config.labels, labels, n * sizeof(char *));
	r->plan.config.n_labels = (int64_t)n;
	return DS_OK;
}
