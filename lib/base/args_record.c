/*
 * args_record.c - one spelling for what was asked, for the provenance chain
 *
 * Long names with =value in the order of the tables, then options whose order counts (DS_KIND_CALL) in
 * the order given. Options that equal their default are left out, so that saying it changes nothing.
 */
#include "base/args_impl.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_default(const ds_opt_state *o)
{
	ds_before now = ds_args_before(o->arg);
	switch (o->arg->kind) {
	case DS_KIND_FLAG:
		return now.flag == o->before.flag;
	case DS_KIND_INT:
		return now.i == o->before.i;
	case DS_KIND_F64:
		return now.f64 == o->before.f64;
	case DS_KIND_TEXT:
		return same_text(now.text, o->before.text);
	case DS_KIND_I64:
	case DS_KIND_U64:
	case DS_KIND_SIZE:
		return now.u64 == o->before.u64;
	case DS_KIND_TEXTS: /* --field text is what it is without */
		return o->shared && ((ds_strs *)o->arg->target)->n == 1 &&
		       strcmp(((ds_strs *)o->arg->target)->at[0], "text") == 0;
	case DS_KIND_CALL:
		break;
	}
	return false;
}

void ds_args_add_word(ds_buf *out, const char *value)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "_-+=.,:/@%^";
	if (*value && value[strspn(value, safe)] == '\0') {
		ds_buf_add_c(out, value);
		return;
	}
	ds_buf_add_byte(out, '\'');
	for (; *value; value++) {
		if (*value == '\'')
			ds_buf_add_c(out, "'\\''");
		else
			ds_buf_add_byte(out, *value);
	}
	ds_buf_add_byte(out, '\'');
}

static ds_rc hash_file(ds_hasher *h, const char *path, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	char *buf = ds_mem_get(1 << 20);
	size_t got = 0;
	ds_rc rc = ds_in_open(&in, path, e);
	do {
		if (rc == DS_OK)
			rc = ds_in_read(in, buf, 1 << 20, &got, e);
		if (rc == DS_OK)
			ds_hasher_add(h, buf, got);
	} while (rc == DS_OK && got == 1 << 20);
	ds_mem_free(buf);
	return rc;
}

/* A folder is its files, by name and content; folders within it do not count. */
static ds_rc hash_folder(ds_hasher *h, const char *path, ds_err *e)
{
	char **names;
	DS_TRY(ds_dir_list(path, &names, e));
	ds_rc rc = DS_OK;
	for (size_t i = 0; names[i] && rc == DS_OK; i++) {
		ds_buf inner = { 0 };
		struct stat st;
		ds_buf_fmt(&inner, "%s/%s", path, names[i]);
		if (stat(ds_buf_text(&inner), &st) == 0 && S_ISREG(st.st_mode)) {
			ds_hasher_add(h, names[i], strlen(names[i]) + 1);
			rc = hash_file(h, ds_buf_text(&inner), e);
		}
		ds_buf_free(&inner);
	}
	ds_names_free(names);
	return rc;
}

/* By content; what can be read only once, such as a FIFO, is left to the program. */
static ds_rc add_file(ds_buf *out, const char *path, ds_err *e)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return ds_fail_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		ds_buf_add_c(out, "stream");
		return DS_OK;
	}
	DS_AUTO(ds_hasher) h = ds_hasher_new();
	DS_TRY(S_ISDIR(st.st_mode) ? hash_folder(h, path, e) : hash_file(h, path, e));
	ds_h128 v = ds_hasher_get128(h);
	ds_buf_fmt(out, "xxh3:%016llx%016llx", (unsigned long long)v.hi, (unsigned long long)v.lo);
	return DS_OK;
}

/* "FILE|sentiment": a word that the table names is not a file. */
static bool is_word_of(const char *wants, const char *value)
{
	for (ds_str rest = ds_str_of(wants); rest.at;)
		if (ds_str_is(ds_str_cut(rest, '|', &rest), value))
			return true;
	return false;
}

ds_rc ds_args_add_file(ds_buf *out, const char *wants, const char *value, ds_err *e)
{
	if (!is_word_of(wants, value))
		return add_file(out, value, e);
	ds_args_add_word(out, value);
	return DS_OK;
}

static ds_rc add_text(ds_buf *out, const ds_arg *arg, const char *value, ds_err *e)
{
	if (out->n)
		ds_buf_add_byte(out, ' ');
	ds_buf_fmt(out, "--%s", arg->name);
	if (!value || !arg->value)
		return DS_OK;
	ds_buf_add_byte(out, '=');
	if (arg->flags & DS_ARG_NEW && access(value, F_OK) != 0 && errno == ENOENT) {
		ds_buf_add_c(out, "new");
		return DS_OK;
	}
	if (arg->flags & DS_ARG_FILE)
		return ds_args_add_file(out, arg->value, value, e);
	/* Where rejected records go is a path; that they left the stream is what counts. */
	if (ds_str_starts(ds_str_of(value), DS_S("reject=")) && strcmp(arg->name, "on-error") == 0)
		value = "skip";
	ds_args_add_word(out, value);
	return DS_OK;
}

static ds_rc add_opt(ds_buf *out, const ds_opt_state *o, ds_err *e)
{
	const ds_arg *arg = o->arg;
	ds_before now = ds_args_before(arg);
	char text[40];
	switch (arg->kind) {
	case DS_KIND_FLAG:
		return add_text(out, arg, NULL, e);
	case DS_KIND_INT:
		snprintf(text, sizeof(text), "%d", now.i);
		return add_text(out, arg, text, e);
	case DS_KIND_I64:
		snprintf(text, sizeof(text), "%lld", (long long)now.i64);
		return add_text(out, arg, text, e);
	case DS_KIND_U64:
	case DS_KIND_SIZE:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)now.u64);
		return add_text(out, arg, text, e);
	case DS_KIND_F64:
		ds_f64_print(text, now.f64);
		return add_text(out, arg, text, e);
	case DS_KIND_TEXT:
		return add_text(out, arg, now.text, e);
	case DS_KIND_TEXTS:
		for (size_t i = 0; i < ((ds_strs *)arg->target)->n; i++)
			DS_TRY(add_text(out, arg, ((ds_strs *)arg->target)->at[i], e));
		return DS_OK;
	case DS_KIND_CALL:
		break;
	}
	return DS_OK;
}

ds_rc ds_args_record(const ds_args *a, ds_buf *out, ds_err *e)
{
	const ds_cmd *cmd = a->cmd;
	/* A bare program that does what a subcommand does is that subcommand. */
	for (const ds_cmd *c = a->tool->cmds; !cmd && c && c->name; c++)
		if (c->run == a->tool->run)
			cmd = c;
	if (cmd)
		ds_buf_add_c(out, cmd->name);
	for (size_t i = 0; i < a->n; i++) {
		const ds_opt_state *o = &a->opts[i];
		if (o->given && !(o->arg->flags & DS_ARG_UNRECORDED) && !is_default(o))
			DS_TRY(add_opt(out, o, e));
	}
	for (size_t i = 0; i < a->n_called; i++) {
		const ds_arg *arg = a->opts[a->called[i].opt].arg;
		if (!(arg->flags & DS_ARG_UNRECORDED))
			DS_TRY(add_text(out, arg, a->called[i].value, e));
	}
	return DS_OK;
}
