/*
 * choose.c - which model, which data, how many steps
 *
 * Options are settled first (a run that goes on takes them from its config.ini), then the model's
 * config, then the data, whose tokenizer gives a new model its vocabulary.
 */
#include "run.h"

#include <sys/stat.h>

enum { CONFIG_BYTES = 16 << 20, LONGEST_BY_DEFAULT = 1024 };

static const char *in_out(train_run *r, const char *file)
{
	return ds_arena_fmt(r->mem, "%s/%s", r->out, file).at;
}

static bool is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- options ---- */

/* --model config.ini: its keys first, the command line's after them. */
static ds_rc read_model_ini(ds_request *o, const char **base, ds_err *e)
{
	*base = NULL;
	for (size_t i = 0; i < o->n_given; i++) {
		ds_str v = o->given[i].value;
		if (!ds_str_is(o->given[i].name, "model") || !ds_str_ends(v, DS_S(".ini")))
			continue;
		DS_TRY(ds_request_read(o, ds_arena_str(o->mem, v).at, e));
		*base = o->keys.model ? o->keys.model : "";
	}
	return DS_OK;
}

/* Is the data what a program or a library gives? */
static bool made(const train_run *r)
{
	return r->o->ask.keys.exec || r->o->ask.keys.plugin;
}

/* "0.7,0.3": a weight a file. */
static ds_rc parse_mix(train_run *r, ds_err *e)
{
	ds_str rest = ds_str_of(r->o->ask.keys.mix);
	size_t n = 0;
	r->mix = ds_arena_zero(r->mem, (r->n_data + 1) * sizeof(double));
	for (; rest.at && rest.n; n++) {
		ds_str word = ds_str_trim(ds_str_cut(rest, ',', &rest));
		double w;
		if (!ds_str_f64(word, &w))
			return ds_fail(e, DS_USAGE, "mix: '%.*s' is no number", DS_FMT(word));
		if (n < r->n_data)
			r->mix[n] = w;
	}
	if (n != r->n_data)
		return ds_fail(e, DS_USAGE, "mix: %zu weights for %zu files", n, r->n_data);
	return DS_OK;
}

/*
 * What a run that goes on left out it leaves out again. Where rejected records go is said anew: a file that
 * was sent names no path to write to.
 */
static ds_rc settle_errors(train_run *r, ds_err *e)
{
	r->common = *r->c;
	if (r->c->in.on_error == DS_ON_STOP && r->o->ask.skips)
		r->common.in.on_error = DS_ON_SKIP;
	r->c = &r->common;
	r->o->ask.skips = r->c->in.on_error != DS_ON_STOP;
	return r->out && r->c->in.on_error == DS_ON_REJECT && train_is_first(r)
		       ? ds_out_open(&r->rejects, r->c->in.reject_path, e)
		       : DS_OK;
}

ds_rc train_settle(train_run *r, ds_err *e)
{
	ds_request *o = &r->o->ask;
	const char *base;
	if (r->o->resume && is_file(in_out(r, "config.ini"))) {
		DS_TRY(ds_request_read(o, in_out(r, "config.ini"), e));
		DS_TRY_AT(ds_request_resume(o, e), e, "%s", r->out);
	} else {
		DS_TRY(read_model_ini(o, &base, e));
		DS_TRY(ds_request_apply(o, e));
		if (base && ds_str_ends(ds_str_of(o->keys.model), DS_S(".ini")))
			o->keys.model = base[0] ? base : NULL;
	}
	if (!o->keys.model)
		return ds_fail(e, DS_USAGE,
			"no --model: a preset such as gpt2, a model directory, config.json or "
			"config.ini");
	bool named = r->c->in.n_files > 0;
	r->data = named ? r->c->in.files : o->data;
	r->n_data = named ? r->c->in.n_files : o->n_data;
	DS_TRY(ds_request_check_commands(o, e));
	if (o->keys.exec && o->keys.plugin)
		return ds_fail(e, DS_USAGE, "--exec and --plugin exclude each other");
	if (r->n_data && made(r))
		return ds_fail(e, DS_USAGE, "--%s and files exclude each other",
			o->keys.exec ? "exec" : "plugin");
	if (!r->n_data && !made(r) && r->out)
		return ds_fail(e, DS_USAGE,
			"no data: name a shard that dstok made, or text, or --exec, or --plugin");
	return o->keys.mix ? parse_mix(r, e) : DS_OK;
}

/* ---- the model ---- */

static ds_rc read_config(train_run *r, const char *path, ds_err *e)
{
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(path, CONFIG_BYTES, &text, e);
	if (rc == DS_OK) {
		rc = ds_config_parse(&r->plan.config, ds_arena_str(r->mem, ds_buf_view(&text)),
			r->o->ask.ignore_keys, r->mem, e);
		if (rc != DS_OK)
			rc = ds_at(e, rc, "%s", path);
	}
	ds_buf_free(&text);
	return rc;
}

/* An adapter is trained further as it is: its shape cannot be chosen again. */
static ds_rc go_on_with_adapter(train_run *r, ds_err *e)
{
	static const char *const shape[] = { "lora_r", "lora_alpha", "target_modules" };
	ds_settings *k = &r->o->ask.keys;
	for (size_t i = 0; i < r->o->ask.n_given; i++)
		for (size_t n = 0; n < sizeof(shape) / sizeof(shape[0]); n++)
			if (ds_key_find(ds_setting_keys, r->o->ask.given[i].name) ==
				ds_key_find(ds_setting_keys, ds_str_of(shape[n])))
				return ds_fail(e, DS_USAGE, "%s: %s has one of its own", shape[n],
					k->model);
	r->plan.lora = *ds_model_keep_apart(r->from);
	if (r->plan.lora.ranks || r->plan.lora.alphas)
		return ds_fail(e, DS_USAGE,
			"%s has a rank_pattern or alpha_pattern: it can be merged, not trained",
			k->model);
	r->plan.lora.dropout = k->lora_dropout;
	k->lora_r = r->plan.lora.r;
	k->lora_alpha = r->plan.lora.alpha;
	k->target_modules = r->plan.lora.targets;
	return DS_OK;
}

static ds_rc choose_adapter(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	const char *targets = k->target_modules;
	if (!r->from)
		return ds_fail(e, DS_USAGE, "tune=%s adapts a model directory, '%s' is none",
			ds_tune_word((ds_tune)k->tune), k->model);
	const ds_soft *soft = ds_model_soft(r->from);
	if (ds_model_is_adapter(r->from) && !soft && k->tune != DS_TUNE_lora)
		return ds_fail(e, DS_USAGE, "%s is an adapter itself: --merge makes a model of it",
			k->model);
	r->state.weights = "adapter_model.safetensors";
	r->adapts = true;
	if (k->tune != DS_TUNE_lora) {
		r->plan.soft.kind = k->tune == DS_TUNE_prompt ? DS_SOFT_PROMPT : DS_SOFT_PREFIX;
		if (soft)
			k->prompt_tokens = soft->tokens;
		r->plan.soft.tokens = k->prompt_tokens;
		if (r->plan.config.arch->traits & DS_ARCH_ENCODER)
			return ds_fail(e, DS_USAGE, "tune=%s is for decoders, %s is an encoder",
				ds_tune_word((ds_tune)k->tune), r->plan.config.arch->name);
		return k->doc_attention
			       ? ds_fail(e, DS_USAGE,
					 "tune=%s with doc_attention: only the first document "
					 "of a row would see the virtual tokens",
					 ds_tune_word((ds_tune)k->tune))
			       : DS_OK;
	}
	if (ds_model_is_adapter(r->from))
		return go_on_with_adapter(r, e);
	if (!targets || strcmp(targets, "query_key_value") == 0)
		targets = r->plan.config.arch->attention_inputs;
	r->plan.lora = (ds_lora){ .r = k->lora_r,
		.alpha = k->lora_alpha,
		.dropout = k->lora_dropout,
		.targets = targets };
	return DS_OK;
}

static ds_rc grow(train_run *r, ds_err *e)
{
	int64_t had = ds_model_config(r->from)->n_layers;
	if (r->plan.config.n_layers < had)
		return ds_fail(e, DS_USAGE,
			"grow: num_hidden_layers=%lld, the model has %lld already",
			(long long)r->plan.config.n_layers, (long long)had);
	ds_model_grow(r->from, r->plan.config.n_layers);
	return DS_OK;
}

enum { FULL_FROM = 100000, LORA_FROM = 10000 };

/* More records than an adapter can take up are worth training everything; few are soon learned by heart. */
static ds_rc choose_tune(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	int64_t n = r->rows ? ds_rows_records(r->rows) : 0;
	bool encoder = r->plan.config.arch->traits & DS_ARCH_ENCODER;
	if (k->tune != DS_TUNE_auto)
		return DS_OK;
	const char *why = "over 100,000 train all weights";
	k->tune = DS_TUNE_full;
	if (!r->from || ds_task_labels(k->task)) {
		why = !r->from ? "a model that begins at random is trained whole"
			       : "a classifier is trained whole";
	} else if (n <= FULL_FROM) {
		/* Conversations that are kept apart in a row have no place for a prompt each. */
		k->tune = n >= LORA_FROM || encoder || k->doc_attention ? DS_TUNE_lora
									: DS_TUNE_prompt;
		why = k->tune == DS_TUNE_lora ? "up to 100,000 train adapters"
					      : "under 10,000 train a prompt";
	}
	ds_tell(&r->c->who, "tune=auto: %s, %lld record%s: %s", ds_tune_word((ds_tune)k->tune),
		(long long)n, ds_s((uint64_t)n), why);
	return k->tune == DS_TUNE_full ? DS_OK : choose_adapter(r, e);
}

/* Virtual tokens can be trained further, and nothing else can be done with them. */
static ds_rc check_soft(const train_run *r, ds_err *e)
{
	const ds_soft *soft = ds_model_soft(r->from);
	int tune = r->o->ask.keys.tune;
	if (!soft || tune == (soft->kind == DS_SOFT_PROMPT ? DS_TUNE_prompt : DS_TUNE_prefix))
		return DS_OK;
	return ds_fail(e, DS_USAGE, "%s is a %s: only --tune %s goes on with it",
		r->o->ask.keys.model, soft->kind == DS_SOFT_PROMPT ? "prompt" : "prefix",
		soft->kind == DS_SOFT_PROMPT ? "prompt" : "prefix");
}

/* Where --set makes another token bos, eos or pad, it is that for the tokenizer too, and beside the model. */
static ds_rc change_specials(train_run *r, ds_err *e)
{
	static const ds_tok_special_kind kinds[DS_SIDE_N] = { DS_TOK_BOS, DS_TOK_EOS, DS_TOK_PAD };
	const ds_tok *tok = ds_model_tok(r->from);
	static const char *const names[DS_SIDE_N] = { "bos_token_id", "eos_token_id",
		"pad_token_id" };
	r->side = ds_side_of(ds_model_config(r->from), &r->plan.config);
	for (int i = 0; i < DS_SIDE_N; i++)
		r->side.changed[i] |= ds_request_gave(
			&r->o->ask, ds_key_find(ds_config_keys, ds_str_of(names[i])));
	for (int i = 0; i < DS_SIDE_N && tok && !r->state.step; i++) {
		uint32_t id = r->side.id[i] < 0 ? DS_TOK_NONE : (uint32_t)r->side.id[i];
		if (!r->side.changed[i] || id == ds_tok_special(tok, kinds[i]))
			continue;
		if (id != (uint32_t)DS_TOK_NONE && id >= ds_tok_size(tok))
			return ds_fail(e, DS_USAGE, "id %u is not one of the tokenizer's %u", id,
				ds_tok_size(tok));
		if (!r->kept_tok)
			DS_TRY(ds_tok_open(&r->kept_tok, ds_tok_name(tok), NULL, e));
		ds_tok_set_special(r->kept_tok, kinds[i], id);
	}
	return DS_OK;
}

/*
 * A preset's name is the preset, also where a folder is called so (./gpt2 is the folder). fixed: the
 * vocabulary is the model's, whatever the data says.
 */
static ds_rc choose_model(train_run *r, bool *fixed, ds_err *e)
{
	const char *model = r->o->ask.keys.model;
	*fixed = true;
	bool adapts = r->o->ask.keys.tune != DS_TUNE_full && r->o->ask.keys.tune != DS_TUNE_auto,
	     own = r->state.step && !adapts;
	if (r->state.step && ds_tok_in_folder(r->out))
		DS_TRY(ds_tok_open(&r->kept_tok, r->out, NULL, e));
	if (own) {
		DS_TRY(read_config(r, in_out(r, "config.json"), e));
	} else if (is_folder(model) && !ds_config_is_preset(ds_str_of(model))) {
		DS_TRY(ds_model_open_with(&r->from, model,
			&(ds_model_opts){ .soft = true, .ignore_keys = r->o->ask.ignore_keys }, e));
		DS_TRY(check_soft(r, e));
		ds_config_copy(&r->plan.config, ds_model_config(r->from), r->mem);
	} else if (is_file(model) && !ds_config_is_preset(ds_str_of(model))) {
		DS_TRY(read_config(r, model, e));
	} else {
		DS_TRY(ds_config_preset(&r->plan.config, ds_str_of(model), r->mem, e));
		*fixed = false;
	}
	for (size_t i = 0; i < r->o->ask.n_model && !own; i++)
		DS_TRY(ds_config_set(&r->plan.config, r->o->ask.model[i].name,
			r->o->ask.model[i].value, r->mem, e));
	if (ds_config_given(&r->plan.config, "vocab_size"))
		*fixed = true;
	if (r->from)
		DS_TRY(change_specials(r, e));
	if (r->from && r->o->ask.keys.grow)
		DS_TRY(grow(r, e));
	return adapts ? choose_adapter(r, e) : DS_OK;
}

static int64_t special(const ds_tok *t, ds_tok_special_kind kind)
{
	uint32_t id = ds_tok_special(t, kind);
	return id == (uint32_t)DS_TOK_NONE ? -1 : (int64_t)id;
}

static int64_t pair_eos(const ds_tok *t)
{
	uint32_t id = ds_pair_eos(t);
	return id == (uint32_t)DS_TOK_NONE ? -1 : (int64_t)id;
}

/* A preset's special tokens are those of the tokenizer at hand; without one, those there is room for. */
static void take_specials(train_run *r, const ds_tok *t)
{
	ds_config *c = ds_config_tokens(&r->plan.config);
	const struct {
		const char *name;
		int64_t *id;
		ds_tok_special_kind kind;
	} all[] = { { "bos_token_id", &c->bos, DS_TOK_BOS },
		{ "eos_token_id", &c->eos, DS_TOK_EOS }, { "pad_token_id", &c->pad, DS_TOK_PAD } };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (ds_config_given(c, all[i].name))
			continue;
		else if (t && all[i].kind == DS_TOK_EOS && c != &r->plan.config)
			*all[i].id = pair_eos(t);
		else if (t)
			*all[i].id = special(t, all[i].kind);
		else if (*all[i].id >= c->vocab_size)
			*all[i].id = -1;
}

/* Is it a preset, whose special tokens will be the data's? */
static bool is_new(const train_run *r)
{
	return !r->from && !r->state.step && ds_config_is_preset(ds_str_of(r->o->ask.keys.model));
}

/* ---- the data ---- */

static const ds_tok *model_tok(const train_run *r)
{
	return r->kept_tok ? r->kept_tok : r->from ? ds_model_tok(r->from) : NULL;
}

static ds_rows_kind rows_kind(const train_run *r)
{
	return r->o->ask.keys.task == DS_TASK_chat     ? DS_ROWS_CHAT
	       : r->o->ask.keys.task == DS_TASK_cls    ? DS_ROWS_CLASS
	       : r->o->ask.keys.task == DS_TASK_tokcls ? DS_ROWS_TAGS
	       : r->o->ask.keys.task == DS_TASK_clip   ? DS_ROWS_PAIR
						       : DS_ROWS_TEXT;
}

/* Does the model take pictures alone? */
static bool sees_only(const train_run *r)
{
	return r->plan.config.arch->traits & DS_ARCH_IMAGES;
}

/* Segments: what has none does not look at them. */
static int64_t n_types(const train_run *r)
{
	const ds_config *c = &r->plan.config;
	return c->arch->traits & DS_ARCH_ENCODER ? c->type_vocab : 0;
}

static void tell_bad(const train_run *r, const ds_rows *rows)
{
	uint64_t n = ds_rows_bad(rows);
	if (n)
		ds_tell(&r->c->who, "%s%llu record%s left out",
			rows == r->rows ? "" : "eval_data: ", (unsigned long long)n, ds_s(n));
}

static void tell_mix(const train_run *r)
{
	ds_buf b = { 0 };
	ds_rows_tell_mix(r->rows, &b);
	if (b.n)
		ds_tell(&r->c->who, "mix: %s", ds_buf_text(&b));
	ds_buf_free(&b);
}

static void tell_chat(const train_run *r)
{
	ds_rows_loss l;
	ds_rows_cut(r->rows, &l);
	if (ds_rows_layout(r->rows) != r->chat)
		ds_warn(&r->c->who, "%s", ds_chat_roles_warning);
	if (l.records)
		ds_warn(&r->c->who,
			"%lld conversation%s cut at seq=%lld: %lld of %lld targets are behind it",
			(long long)l.records, ds_s((uint64_t)l.records),
			(long long)ds_rows_seq(r->rows), (long long)l.targets_cut,
			(long long)l.targets);
}

/* The directory whose chat template counts: of a run that goes on --out itself, which was given it. */
static const char *chat_dir(const train_run *r)
{
	const char *model = r->o->ask.keys.model;
	if (r->state.step && ds_own_chat_has(r->out))
		return r->out;
	if (r->from && !ds_own_chat_has(ds_model_dir(r->from)))
		return ds_model_base(r->from);
	return is_folder(model) && !ds_config_is_preset(ds_str_of(model)) ? model : NULL;
}

/*
 * Conversations stay apart by default. Virtual tokens stand before a row alone, so there each has a row.
 */
static ds_rc choose_chat(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	bool soft = k->tune == DS_TUNE_prompt || k->tune == DS_TUNE_prefix;
	if (k->task != DS_TASK_chat)
		return k->chat && *k->chat
			       ? ds_fail(e, DS_USAGE, "chat=%s needs task=chat", k->chat)
			       : DS_OK;
	if (!r->o->ask.docs_given)
		k->doc_attention = !soft;
	const char *dir = chat_dir(r);
	DS_TRY(ds_own_chat(&r->chat, k->chat, dir, r->mem, e));
	bool own = !k->chat || !*k->chat || strcmp(k->chat, "auto") == 0;
	r->own_chat = own && dir && ds_own_chat_has(dir);
	return DS_OK;
}

static ds_rc open_data(train_run *r, bool fixed, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	ds_config *c = ds_config_tokens(&r->plan.config);
	int64_t longest = ds_arch_longest(c, r->plan.soft.tokens);
	if (sees_only(r))
		longest = k->seq = ds_arch_patches(c) + 1;
	ds_rows_opts o = { .kind = rows_kind(r),
		.labels = r->plan.config.labels,
		.n_labels = (size_t)r->plan.config.n_labels,
		.exec = k->exec,
		.plugin = k->plugin,
		.plugin_options = k->plugin_options,
		.weights = r->mix,
		.files = r->data,
		.n_files = r->n_data,
		.seq = k->seq,
		.seq_max = longest < LONGEST_BY_DEFAULT ? longest : LONGEST_BY_DEFAULT,
		.docs = k->doc_attention,
		.any_tok = k->any_tokenizer,
		.chat = r->chat,
		.alone = r->plan.soft.kind != DS_SOFT_NONE,
		.tok = model_tok(r),
		.vocab_size = fixed ? c->vocab_size : 0,
		.n_types = n_types(r),
		.images = sees_only(r),
		.threads = (unsigned)r->c->jobs,
		.eos = is_new(r) ? -2 : c->eos,
		.rejects = r->rejects };
	if (r->n_data || made(r)) {
		DS_TRY(ds_rows_open(&r->rows, &r->c->in, &o, e));
		tell_bad(r, r->rows);
		r->n_rows = ds_rows_count(r->rows);
		tell_mix(r);
		tell_chat(r);
	}
	r->plan.seq = r->rows ? ds_rows_seq(r->rows) : k->seq ? k->seq : o.seq_max;
	const ds_tok *tok = r->rows ? ds_rows_tok(r->rows) : o.tok;
	if (tok && !fixed)
		c->vocab_size = ds_tok_size(tok);
	if (is_new(r))
		take_specials(r, tok);
	if (tok && fixed && ds_tok_size(tok) > c->vocab_size)
		ds_warn(&r->c->who, "the tokenizer has %u ids, vocab_size is %lld",
			ds_tok_size(tok), (long long)c->vocab_size);
	return DS_OK;
}

/* After the data, whose tokenizer and labels hold here too. */
static ds_rc open_eval(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	if (!k->eval_data && k->patience)
		ds_warn(&r->c->who, "early_stopping_patience=%lld without eval_data stops nothing",
			(long long)k->patience);
	if (!k->eval_data || !r->out)
		return DS_OK;
	const ds_tok *tok = r->rows ? ds_rows_tok(r->rows) : model_tok(r);
	ds_rows_opts o = { .kind = rows_kind(r),
		.labels = r->plan.config.labels,
		.n_labels = (size_t)r->plan.config.n_labels,
		.files = &k->eval_data,
		.n_files = 1,
		.seq = r->plan.seq,
		.seq_max = r->plan.seq,
		.docs = k->doc_attention,
		.any_tok = k->any_tokenizer,
		.chat = r->chat,
		.alone = r->plan.soft.kind != DS_SOFT_NONE,
		.tok = tok,
		.vocab_size = ds_config_tokens(&r->plan.config)->vocab_size,
		.n_types = n_types(r),
		.images = sees_only(r),
		.threads = (unsigned)r->c->jobs,
		.eos = ds_config_tokens(&r->plan.config)->eos,
		.rejects = r->rejects };
	DS_TRY_AT(ds_rows_open(&r->eval_rows, &r->c->in, &o, e), e, "eval_data");
	tell_bad(r, r->eval_rows);
	return DS_OK;
}

/* Is there anything to learn? Only rows without a target are looked at beyond the first. */
static ds_rc check_targets(train_run *r, ds_rows *rows, ds_err *e)
{
	size_t n = (size_t)r->plan.seq;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_row row = { .ids = ds_arena_get(mem, n * 4),
		.targets = ds_arena_get(mem, n * 4),
		.positions = ds_arena_get(mem, n * 4),
		.plain = ds_arena_get(mem, n) };
	bool mlm = r->o->ask.keys.task == DS_TASK_mlm;
	for (int64_t i = 0; i < ds_rows_count(rows); i++) {
		DS_TRY(ds_rows_get(rows, i, &row, e));
		if (mlm ? memchr(row.plain, 1, n) != NULL : row.n_targets > 0)
			return DS_OK;
	}
	return ds_fail(e, DS_BAD,
		"not one target in %lld rows: all tokens are masked, without a label or cut off at "
		"seq=%lld",
		(long long)ds_rows_count(rows), (long long)r->plan.seq);
}

static ds_rc check_data(train_run *r, ds_err *e)
{
	if (r->rows && r->out)
		DS_TRY(check_targets(r, r->rows, e));
	if (r->eval_rows)
		DS_TRY_AT(check_targets(r, r->eval_rows, e), e, "eval_data");
	return r->rejects ? ds_out_finish(r->rejects, e) : DS_OK;
}

/* Where nothing whole is left of a run that got that far, beginning again would train over its model. */
static ds_rc find_checkpoint(train_run *r, ds_err *e)
{
	static const char *const weights[] = { "model.safetensors", "adapter_model.safetensors" };
	const char *passed = NULL;
	DS_TRY(ds_ckpt_newest(r->out, &r->state.step, r->mem, &passed, e));
	if (passed && !r->state.step)
		return ds_fail(e, DS_SHORT, "%s, and there is no other checkpoint", passed);
	if (passed)
		ds_warn(&r->c->who, "a checkpoint is not whole and passed over: %s", passed);
	for (int i = 0; i < 2 && !r->state.step; i++)
		if (is_file(in_out(r, weights[i])))
			return ds_fail(e, DS_SHORT, "%s: no checkpoint to go on from, but a model",
				in_out(r, weights[i]));
	return DS_OK;
}

/* The first rank looks, and all hear of it. */
static ds_rc find_step(train_run *r, ds_err *e)
{
	ds_group all = ds_world_all(r->world);
	if (train_is_first(r))
		DS_TRY(find_checkpoint(r, e));
	return r->world ? ds_world_broadcast(
				  r->world, &all, 0, &r->state.step, sizeof(r->state.step), e)
			: DS_OK;
}

ds_rc train_choose(train_run *r, ds_err *e)
{
	bool fixed;
	DS_TRY(settle_errors(r, e));
	if (r->o->resume && r->out)
		DS_TRY(find_step(r, e));
	r->state.clamp = r->o->ask.keys.clamp;
	DS_TRY(choose_model(r, &fixed, e));
	DS_TRY(train_choose_task(r, e));
	DS_TRY(choose_chat(r, e));
	DS_TRY(open_data(r, fixed, e));
	DS_TRY(choose_tune(r, e));
	DS_TRY(train_open_task(r, fixed, e));
	DS_TRY(open_eval(r, e));
	DS_TRY(check_data(r, e));
	DS_TRY(ds_config_finish(&r->plan.config, e));
	if (ds_config_images(&r->plan.config))
		DS_TRY(ds_pair_prep(
			&r->prep, r->from ? ds_model_base(r->from) : NULL, &r->plan.config, e));
	ds_settings *k = &r->o->ask.keys;
	r->plan.docs = k->doc_attention;
	r->plan.evaluates = k->eval_data != NULL;
	r->plan.compile = ds_settings_compile(k);
	DS_TRY(train_ranks_auto(r, e));
	DS_TRY(ds_train_plan_batch(&r->plan, k, e));
	return ds_train_plan_steps(&r->plan, k, r->n_rows, r->from != NULL, e);
}
