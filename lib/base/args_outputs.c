/*
 * args_outputs.c - whether two outputs of a run, or an output and an input, are one file
 *
 * Looked at before anything is opened. A name is compared by what it stands for: links are followed, and
 * of a file that is not there yet, its folder. Devices, FIFOs and sockets may serve several ends.
 */
#include "base/args_impl.h"

#include "base/io.h"
#include "base/mem.h"

#include <string.h>

typedef struct {
	const char *option; /* "-o" */
	const char *given;
	char *real;
} named;

typedef struct {
	named at[32];
	size_t n;
} names;

static void add(names *l, const char *option, const char *given)
{
	if (l->n == sizeof(l->at) / sizeof(*l->at))
		return;
	l->at[l->n++] = (named){ option, given,
		strcmp(given, "-") == 0 ? ds_mem_text("-") : ds_file_real(given) };
}

static void add_outputs(names *l, const ds_args *a, const ds_common *c)
{
	bool has_out = false;
	for (size_t i = 0; i < a->n; i++) {
		const ds_arg *arg = a->opts[i].arg;
		if (!(arg->flags & DS_ARG_OUT))
			continue;
		const char *value = *(const char **)arg->target;
		bool is_out = strcmp(arg->name, "out") == 0;
		has_out |= is_out && value;
		if (value)
			add(l, is_out ? "-o" : arg->name, value);
	}
	if (c->in.on_error == DS_ON_REJECT)
		add(l, "on-error reject", c->in.reject_path);
	if (!has_out && a->takes & (DS_TAKES_OUTPUT | DS_TAKES_REPORT))
		add(l, "stdout", "-");
}

/*
 * Several names after -o, and folders that are made, are looked at by the command; where --to is given, the name
 * may be the beginning of other names.
 */
static ds_rc check_place(const named *x, const ds_args *a, const ds_common *c, ds_err *e)
{
	bool is_out = strcmp(x->option, "-o") == 0;
	if (!x->given[0])
		return ds_fail(
			e, DS_USAGE, "%s%s: a name is not empty", is_out ? "" : "--", x->option);
	if (is_out && (a->takes & DS_TAKES_PATH || strchr(x->given, ',')))
		return DS_OK;
	return ds_file_place(x->given, is_out && c->out.to, e);
}

ds_rc ds_args_places(const ds_args *a, const ds_common *c, ds_err *e)
{
	names l = { .n = 0 };
	ds_rc rc = DS_OK;
	add_outputs(&l, a, c);
	for (size_t i = 0; i < l.n && rc == DS_OK; i++)
		rc = check_place(&l.at[i], a, c, e);
	for (size_t i = 0; i < l.n; i++)
		ds_mem_free(l.at[i].real);
	return rc;
}

static ds_rc same(const named *x, const char *as, const char *what, ds_err *e)
{
	bool is_long = strcmp(x->option, "-o") != 0 && strcmp(x->option, "stdout") != 0;
	return ds_fail(e, DS_USAGE, "%s%s and %s%s are one file: '%s'", is_long ? "--" : "",
		x->option, as, what, x->given);
}

static ds_rc check_pairs(const names *l, ds_err *e)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < i; k++) {
			bool is_long = strcmp(l->at[k].option, "-o") != 0 &&
				       strcmp(l->at[k].option, "stdout") != 0;
			if (l->at[i].real && l->at[k].real &&
				strcmp(l->at[i].real, l->at[k].real) == 0)
				return same(&l->at[i], is_long ? "--" : "", l->at[k].option, e);
		}
	return DS_OK;
}

/* -o may be an input: it is replaced when all was read. */
static ds_rc check_input(const names *l, const char *input, ds_err *e)
{
	char *real = strcmp(input, "-") == 0 ? NULL : ds_file_real(input);
	ds_rc rc = DS_OK;
	for (size_t i = 0; real && rc == DS_OK && i < l->n; i++)
		if (l->at[i].real && strcmp(l->at[i].option, "-o") != 0 &&
			strcmp(l->at[i].real, real) == 0)
			rc = same(&l->at[i], "the input ", input, e);
	ds_mem_free(real);
	return rc;
}

static ds_rc check(const names *l, const ds_args *a, const ds_common *c, ds_err *e)
{
	DS_TRY(check_pairs(l, e));
	for (size_t i = 0; i < c->in.n_files; i++)
		DS_TRY(check_input(l, c->in.files[i], e));
	for (size_t i = 0; i < a->n; i++) {
		const ds_arg *arg = a->opts[i].arg;
		if (a->opts[i].given && arg->kind == DS_KIND_TEXT && arg->flags & DS_ARG_FILE &&
			!(arg->flags & DS_ARG_OUT) && *(const char **)arg->target)
			DS_TRY(check_input(l, *(const char **)arg->target, e));
	}
	for (size_t i = 0; i < a->n_called; i++)
		if (a->called[i].value && a->opts[a->called[i].opt].arg->flags & DS_ARG_FILE)
			DS_TRY(check_input(l, a->called[i].value, e));
	return DS_OK;
}

ds_rc ds_args_outputs(const ds_args *a, const ds_common *c, ds_err *e)
{
	names l = { .n = 0 };
	add_outputs(&l, a, c);
	ds_rc rc = l.n > 1 || c->in.reject_path ? check(&l, a, c, e) : DS_OK;
	for (size_t i = 0; i < l.n; i++)
		ds_mem_free(l.at[i].real);
	return rc;
}
