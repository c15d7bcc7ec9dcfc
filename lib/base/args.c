/*
 * args.c - the tables joined, and argv read by them
 */
#include "base/args_impl.h"

#include "base/mem.h"

static void add_opt(ds_args *a, const ds_arg *arg, bool shared)
{
	a->opts = ds_mem_grow(a->opts, a->n * sizeof(*a->opts), (a->n + 1) * sizeof(*a->opts));
	a->opts[a->n++] =
		(ds_opt_state){ .arg = arg, .shared = shared, .before = ds_args_before(arg) };
}

static const ds_opt_state *find_option(const ds_args *a, const char *name, size_t n)
{
	for (size_t i = 0; i < a->n; i++)
		if (strlen(a->opts[i].arg->name) == n && memcmp(a->opts[i].arg->name, name, n) == 0)
			return &a->opts[i];
	return NULL;
}

static void add_table(ds_args *a, const ds_arg *table)
{
	for (; table && table->name; table++)
		if (!find_option(a, table->name, strlen(table->name)))
			add_opt(a, table, false);
}

void ds_args_open(ds_args *a, const ds_tool *tool, const ds_cmd *cmd)
{
	*a = (ds_args){ .tool = tool, .cmd = cmd, .takes = cmd ? cmd->takes : tool->takes };
	if (cmd)
		add_table(a, cmd->args);
	/* A program that runs without a subcommand keeps its own options to itself. */
	if (!cmd || !tool->run) {
		add_table(a, tool->args);
		if (tool->more_args)
			add_table(a, tool->more_args());
	}
	for (const ds_shared_arg *s = ds_args_common; s->arg.name; s++)
		if ((!s->groups || (s->groups & a->takes)) &&
			!find_option(a, s->arg.name, strlen(s->arg.name)))
			add_opt(a, &s->arg, true);
}

void ds_args_close(ds_args *a)
{
	ds_mem_free(a->opts);
	ds_mem_free(a->called);
	ds_mem_free(a->files);
}

static const ds_opt_state *find_letter(const ds_args *a, char letter)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->opts[i].arg->letter == letter)
			return &a->opts[i];
	return NULL;
}

/* Whether the option takes the word after it. */
static bool wants_word(const ds_arg *arg)
{
	return arg->value && !(arg->flags & DS_ARG_OPTIONAL);
}

/* Of a value that may be left out and is one word, that word may follow. */
static bool takes_word(const ds_arg *arg, const char *next)
{
	return wants_word(arg) || (arg->value && arg->value[0] >= 'a' && arg->value[0] <= 'z' &&
					  strcmp(arg->value, next) == 0);
}

/* Steps over the word at argv[i] and a value that belongs to it, by one program's tables. */
static int step_over(const ds_args *a, int argc, char **argv, int i)
{
	const char *word = argv[i];
	const ds_opt_state *o = NULL;
	if (word[1] == '-') {
		if (!strchr(word, '='))
			o = find_option(a, word + 2, strlen(word + 2));
		return i + 1 + (o && i + 1 < argc && takes_word(o->arg, argv[i + 1]));
	}
	for (const char *p = word + 1; *p; p++) {
		o = find_letter(a, *p);
		if (o && o->arg->value)
			return i + 1 + (!p[1] && wants_word(o->arg) && i + 1 < argc);
	}
	return i + 1;
}

const ds_cmd *ds_args_command(const ds_tool *tool, int argc, char **argv, int *at)
{
	*at = 0;
	if (!tool->cmds)
		return NULL;
	/* Options before the subcommand may be any of the program's or of a subcommand's. */
	const ds_cmd *found = NULL;
	for (int i = 1; i < argc && !found;) {
		if (strcmp(argv[i], "--") == 0)
			break;
		if (argv[i][0] != '-' || !argv[i][1]) {
			for (const ds_cmd *c = tool->cmds; c->name; c++)
				if (strcmp(argv[i], c->name) == 0)
					found = c;
			if (found)
				*at = i;
			break;
		}
		int next = i + 1;
		for (const ds_cmd *c = tool->cmds; c->name && next == i + 1; c++) {
			ds_args a;
			ds_args_open(&a, tool, c);
			next = step_over(&a, argc, argv, i);
			ds_args_close(&a);
		}
		i = next;
	}
	return found;
}

static ds_rc take(ds_args *a, const ds_opt_state *found, const char *value, ds_err *e)
{
	ds_opt_state *o = &a->opts[found - a->opts];
	o->given = true;
	if (o->arg->kind == DS_KIND_CALL) {
		a->called = ds_mem_grow(a->called, a->n_called * sizeof(*a->called),
			(a->n_called + 1) * sizeof(*a->called));
		a->called[a->n_called++] = (ds_called){ (size_t)(o - a->opts), value };
	}
	return ds_args_set(o->arg, value, e);
}

static ds_rc unknown(const ds_args *a, const char *name, size_t n, ds_err *e)
{
	const char *near = ds_args_nearest(a, name, n);
	if (near)
		return ds_fail(e, DS_USAGE, "unknown option '--%.*s', the nearest is '--%s'",
			(int)n, name, near);
	return ds_fail(e, DS_USAGE, "unknown option '--%.*s'", (int)n, name);
}

/* --name, --name=value, --name value; *i is left on the last word used. */
static ds_rc parse_long(ds_args *a, int argc, char **argv, int *i, ds_err *e)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t n = equals ? (size_t)(equals - name) : strlen(name);
	const ds_opt_state *o = find_option(a, name, n);
	if (!o)
		return unknown(a, name, n, e);
	const char *value = equals ? equals + 1 : NULL;
	if (value && !o->arg->value)
		return ds_fail(e, DS_USAGE, "'--%s' takes no value", o->arg->name);
	if (!value && wants_word(o->arg) && *i + 1 >= argc)
		return ds_fail(
			e, DS_USAGE, "'--%s' wants a value: %s", o->arg->name, o->arg->value);
	if (!value && *i + 1 < argc && takes_word(o->arg, argv[*i + 1]))
		value = argv[++*i];
	return take(a, o, value, e);
}

/* -abc: flags, the last of which may be followed by its value, attached or as the next word. */
static ds_rc parse_letters(ds_args *a, int argc, char **argv, int *i, ds_err *e)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const ds_opt_state *o = find_letter(a, *p);
		if (!o)
			return ds_fail(e, DS_USAGE, "unknown option '-%c'", *p);
		if (!o->arg->value) {
			DS_TRY(take(a, o, NULL, e));
			continue;
		}
		const char *value = p[1] ? p + 1 : NULL;
		if (!value && wants_word(o->arg)) {
			if (*i + 1 >= argc)
				return ds_fail(
					e, DS_USAGE, "'-%c' wants a value: %s", *p, o->arg->value);
			value = argv[++*i];
		}
		return take(a, o, value, e);
	}
	return DS_OK;
}

ds_rc ds_args_parse(ds_args *a, int argc, char **argv, int skip, ds_err *e)
{
	bool options = true;
	a->files = DS_NEW(const char *, (size_t)argc + 1);
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		if (i == skip)
			continue;
		if (!options || word[0] != '-' || !word[1])
			a->files[a->n_files++] = word;
		else if (strcmp(word, "--") == 0)
			options = false;
		else if (word[1] == '-')
			DS_TRY(parse_long(a, argc, argv, &i, e));
		else
			DS_TRY(parse_letters(a, argc, argv, &i, e));
	}
	return DS_OK;
}
