/*
 * save.c - the folder --out: config, tokenizer, checkpoints
 *
 * The folder itself is locked (flock on its descriptor), so nothing is left behind when the process
 * dies, and a second run in the same folder is refused.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

ds_rc train_write_in_out(train_run *r, const char *file, ds_buf *text, ds_err *e)
{
	ds_rc rc =
		ds_file_write(ds_arena_fmt(r->mem, "%s/%s", r->out, file).at, ds_buf_view(text), e);
	ds_buf_free(text);
	return rc;
}

static ds_rc lock(train_run *r, ds_err *e)
{
	r->out_fd = open(r->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->out_fd < 0)
		return ds_fail_errno(e, "%s: cannot open", r->out);
	if (flock(r->out_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK
			       ? ds_fail(e, DS_USAGE, "%s: another run is writing there", r->out)
			       : ds_fail_errno(e, "%s: cannot lock", r->out);
	return DS_OK;
}

ds_rc train_out_open(train_run *r, ds_err *e)
{
	char **names;
	if (!train_is_first(r))
		return DS_OK;
	DS_TRY(ds_dir_make(r->out, e));
	DS_TRY(lock(r, e));
	DS_TRY(ds_dir_list(r->out, &names, e));
	bool empty = !names[0];
	ds_names_free(names);
	if (!empty && !r->o->resume)
		return ds_fail(
			e, DS_USAGE, "%s: not empty; --resume goes on with what is there", r->out);
	return DS_OK;
}

/* A run that goes on has them already, and it is them that it goes on with. */
ds_rc train_write_tokenizer(train_run *r, const ds_tok *tok, ds_err *e)
{
	ds_buf json = { 0 };
	const char *base = r->from ? ds_model_base(r->from) : NULL,
		   *dir = r->from ? ds_model_dir(r->from) : NULL;
	if (tok) {
		DS_TRY(ds_tok_json(tok, &json, e));
		DS_TRY(train_write_in_out(r, "tokenizer.json", &json, e));
	}
	if (base)
		DS_TRY(ds_side_carry(base, r->out, &r->side, tok, e));
	if (dir && strcmp(dir, base) != 0)
		DS_TRY(ds_side_carry(dir, r->out, &r->side, tok, e));
	const char *settings = ds_arena_fmt(r->mem, "%s/tokenizer_config.json", r->out).at;
	if (!tok || access(settings, F_OK) == 0)
		return DS_OK;
	ds_side_print(tok, r->plan.config.max_positions, &json);
	return train_write_in_out(r, "tokenizer_config.json", &json, e);
}

static ds_rc write_folder(train_run *r, ds_err *e)
{
	ds_buf config = { 0 }, ini = { 0 }, chat = { 0 };
	if (r->plan.soft.kind)
		ds_soft_print(&r->plan.soft, &r->plan.config, ds_model_base(r->from), &config);
	else if (r->plan.lora.r)
		ds_lora_print(&r->plan.lora, ds_model_base(r->from),
			r->plan.config.arch->traits & DS_ARCH_IN_OUT,
			!(r->plan.config.arch->traits & DS_ARCH_ENCODER), &config);
	else
		ds_config_print(&r->plan.config, &config);
	DS_TRY(train_write_in_out(
		r, r->adapts ? "adapter_config.json" : "config.json", &config, e));
	if (!r->state.step)
		DS_TRY(train_write_tokenizer(r, ds_rows_tok(r->rows), e));
	if (ds_config_images(&r->plan.config) && !r->adapts) {
		ds_buf prep = { 0 };
		ds_pair_print_prep(&r->prep, &r->plan.config, &prep);
		DS_TRY(train_write_in_out(r, "preprocessor_config.json", &prep, e));
	}
	if (r->chat && !r->own_chat) {
		ds_chat_jinja(ds_rows_layout(r->rows), &chat);
		DS_TRY(train_write_in_out(r, "chat_template.jinja", &chat, e));
	}
	ds_request_print(&r->o->ask, &r->plan.config, r->data, r->n_data, &ini);
	DS_TRY(train_write_in_out(r, "config.ini", &ini, e));
	DS_TRY(ds_ckpt_prune(r->out, r->o->ask.keys.save_total_limit, r->state.best_step, e));
	return ds_dir_make(ds_arena_fmt(r->mem, "%s/tb", r->out).at, e);
}

ds_rc train_out_begin(train_run *r, ds_err *e)
{
	if (train_is_first(r))
		DS_TRY(write_folder(r, e));
	if (r->state.step)
		return ds_ckpt_publish(
			r->out, &r->state, r->train->x, ds_settings_stored(&r->o->ask.keys), e);
	return DS_OK;
}

/* The rows' own ids are in their identity; what is put between and behind them is not. */
uint64_t train_data_identity(const train_run *r)
{
	const ds_tok *tok = ds_rows_tok(r->rows);
	uint64_t all[1 + DS_TOK_N_SPECIAL] = { ds_rows_identity(r->rows) };
	for (int i = 0; i < DS_TOK_N_SPECIAL && tok; i++)
		all[1 + i] = ds_tok_special(tok, (ds_tok_special_kind)i);
	return ds_hash64(all, sizeof(all));
}

/* What is in the log must not be lost after the step is. */
static ds_rc sync_log(train_run *r, ds_err *e)
{
	int failed;
	while ((failed = fdatasync(fileno(r->report.log))) != 0 && errno == EINTR)
		;
	return failed && errno != EINVAL ? ds_fail_errno(e, "%s/log.jsonl: cannot sync", r->out)
					 : DS_OK;
}

ds_rc train_save(train_run *r, ds_err *e)
{
	r->state.log_bytes = r->report.log_bytes;
	r->state.data = train_data_identity(r);
	ds_str chain = ds_rows_chain(r->rows);
	r->state.chain = chain.n ? ds_arena_str(r->mem, chain).at : "";
	if (train_is_first(r))
		DS_TRY(sync_log(r, e));
	DS_TRY(ds_ckpt_save(r->out, &r->state, r->train->x, e));
	DS_TRY(ds_ckpt_publish(
		r->out, &r->state, r->train->x, ds_settings_stored(&r->o->ask.keys), e));
	if (!train_is_first(r))
		return DS_OK;
	return ds_ckpt_prune(r->out, r->o->ask.keys.save_total_limit, r->state.best_step, e);
}
