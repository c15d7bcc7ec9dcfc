/*
 * strategy.c - layouts by words, and whether a model can have one
 */
#include "train/strategy.h"

#include "model/arch.h"

static int *axis_of(ds_layout *l, ds_str name)
{
	return ds_str_is(name, "dp")   ? &l->dp
	       : ds_str_is(name, "tp") ? &l->tp
	       : ds_str_is(name, "pp") ? &l->pp
	       : ds_str_is(name, "ep") ? &l->ep
				       : NULL;
}

static ds_rc parse_axes(ds_layout *l, ds_str words, ds_err *e)
{
	for (ds_str rest = words; rest.at && rest.n;) {
		ds_str value, word = ds_str_trim(ds_str_cut(rest, ',', &rest));
		ds_str name = ds_str_trim(ds_str_cut(word, '=', &value));
		int *axis = axis_of(l, name);
		int64_t n;
		if (!axis)
			return ds_fail(e, DS_USAGE,
				"parallel_strategy: '%.*s' is none of dp, tp, pp, ep, 3d, auto",
				DS_FMT(word));
		if (*axis)
			return ds_fail(
				e, DS_USAGE, "parallel_strategy: %.*s is said twice", DS_FMT(name));
		if (!value.at || !ds_str_i64(ds_str_trim(value), &n) || n < 1 ||
			n > DS_STRATEGY_RANKS)
			return ds_fail(e, DS_USAGE,
				"parallel_strategy: '%.*s' wants a number from 1 to %d, as in tp=2",
				DS_FMT(word), DS_STRATEGY_RANKS);
		*axis = (int)n;
	}
	return DS_OK;
}

/* The prime factors of n, dealt round-robin to tensor, pipeline and data parallelism. */
static void share_out(ds_layout *l, int64_t n)
{
	int *axes[] = { &l->tp, &l->pp, &l->dp };
	l->dp = l->tp = l->pp = 1;
	for (int64_t f = 2, k = 0; n > 1; f++)
		for (; n % f == 0; n /= f)
			*axes[k++ % 3] *= (int)f;
}

/* Neighbouring copies share out the experts. */
static ds_rc check_experts(const ds_layout *l, ds_err *e)
{
	return l->dp % l->ep == 0
		       ? DS_OK
		       : ds_fail(e, DS_USAGE,
				 "parallel_strategy: ep=%d shares out experts among dp=%d copies, "
				 "which is no multiple of it",
				 l->ep, l->dp);
}

ds_rc ds_strategy_parse(ds_layout *l, const char *words, int64_t ranks, ds_err *e)
{
	ds_str w = ds_str_trim(ds_str_of(words ? words : ""));
	*l = (ds_layout){ 0 };
	bool alone[] = { ds_str_is(w, "tp"), ds_str_is(w, "pp") };
	int64_t n = ranks ? ranks : 1;
	if (w.n == 0 || ds_str_is(w, "dp") || ds_str_is(w, "auto"))
		l->dp = (int)n;
	else if (alone[0] || alone[1])
		*(alone[0] ? &l->tp : &l->pp) = (int)n;
	else if (ds_str_is(w, "3d"))
		share_out(l, n);
	else
		DS_TRY(parse_axes(l, w, e));
	bool open = l->dp == 0;
	*l = ds_layout_whole(*l);
	int64_t named = (int64_t)l->dp * l->tp * l->pp;
	if (named > DS_STRATEGY_RANKS)
		return ds_fail(e, DS_USAGE, "parallel_strategy: %lld ranks, the limit is %d",
			(long long)named, DS_STRATEGY_RANKS);
	if (!ranks && open)
		l->dp = l->ep;
	if (!ranks || named == ranks)
		return check_experts(l, e);
	if (!open || ranks % named)
		return ds_fail(e, DS_USAGE,
			"parallel_strategy=%s takes %s%lld ranks, num_gpus=%lld", words,
			open ? "a multiple of " : "", (long long)named, (long long)ranks);
	l->dp = (int)(ranks / named);
	return check_experts(l, e);
}

bool ds_strategy_candidate(ds_layout *l, int ranks, int i)
{
	for (int dp = ranks; dp > 0; dp--) /* more copies before cuts, cuts before stages */
		for (int tp = ranks / dp; ranks % dp == 0 && tp > 0; tp--)
			if (ranks / dp % tp == 0 && i-- == 0) {
				*l = (ds_layout){ .dp = dp, .tp = tp, .pp = ranks / dp / tp };
				return true;
			}
	return false;
}

/* The nearest below and above n that divide a number. */
static ds_rc refuse(const char *axis, int n, const char *what, int64_t value, ds_err *e)
{
	int64_t below = n - 1, above = n + 1;
	while (below > 1 && value % below)
		below--;
	while (above <= value && value % above)
		above++;
	if (above > value)
		return ds_fail(e, DS_USAGE,
			"%s=%d: %s=%lld is no multiple of it; the nearest is %s=%lld", axis, n,
			what, (long long)value, axis, (long long)below);
	return ds_fail(e, DS_USAGE,
		"%s=%d: %s=%lld is no multiple of it; the nearest are %s=%lld and %s=%lld", axis, n,
		what, (long long)value, axis, (long long)below, axis, (long long)above);
}

ds_rc ds_strategy_check(
	const ds_layout *l, const ds_config *c, int64_t step_rows, int64_t n_micro, ds_err *e)
{
	if (c->head == DS_HEAD_PAIR && l->dp * l->tp * l->pp > 1)
		return ds_fail(e, DS_USAGE,
			"%s is trained by one process: its pairs are compared with all of a batch",
			c->arch->name);
	const struct {
		const char *name;
		int64_t value;
	} cut[] = { { "num_attention_heads", c->n_heads }, { "num_key_value_heads", c->n_kv_heads },
		{ "intermediate_size", c->intermediate_size } };
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++)
		if (cut[i].value % l->tp)
			return refuse("tp", l->tp, cut[i].name, cut[i].value, e);
	if (l->ep > 1 && !c->arch->moe)
		return ds_fail(e, DS_USAGE, "ep=%d: %s has no experts", l->ep, c->arch->name);
	if (l->ep > 1 && c->n_experts % l->ep)
		return refuse("ep", l->ep, "num_experts", c->n_experts, e);
	if (l->ep > 1 && l->apart)
		return ds_fail(e, DS_USAGE, "ep=%d with sync_every: copies share experts", l->ep);
	if (l->tp > 1 && l->tp > c->vocab_size)
		return ds_fail(e, DS_USAGE, "tp=%d: vocab_size=%lld is less", l->tp,
			(long long)c->vocab_size);
	if (l->pp > c->n_layers)
		return ds_fail(e, DS_USAGE,
			"pp=%d: num_hidden_layers=%lld is less; the nearest is pp=%lld", l->pp,
			(long long)c->n_layers, (long long)c->n_layers);
	if (step_rows % l->dp)
		return refuse("dp", l->dp, "rows of a step", step_rows, e);
	if (step_rows / l->dp % n_micro)
		return ds_fail(e, DS_USAGE,
			"dp=%d: %lld rows of a step for each, not a multiple of "
			"gradient_accumulation_steps=%lld",
			l->dp, (long long)(step_rows / l->dp), (long long)n_micro);
	return DS_OK;
}
