/*
 * args_help.c - the table, printed: for people, and for scripts that make manuals and completions
 */
#include "base/args_impl.h"

#include "base/mem.h"

enum { WIDTH = 80, MAX_NAME = 64 };

static void add_option(ds_buf *out, const ds_arg *arg)
{
	bool attached = arg->flags & DS_ARG_OPTIONAL;
	if (arg->letter)
		ds_buf_fmt(out, "-%c, --%s", arg->letter, arg->name);
	else
		ds_buf_fmt(out, "--%s", arg->name);
	if (arg->value)
		ds_buf_fmt(out, attached ? "[=%s]" : " %s", arg->value);
}

/* The shared options as one paragraph: they are the same everywhere, and the screen is small. */
static void add_shared(const ds_args *a, ds_buf *out)
{
	size_t start = out->n;
	ds_buf_add_c(out, "  shared:");
	for (size_t i = 0; i < a->n; i++) {
		const ds_arg *arg = a->opts[i].arg;
		if (!a->opts[i].shared || (arg->flags & DS_ARG_HIDDEN))
			continue;
		ds_buf one = { 0 };
		if (arg->letter)
			ds_buf_fmt(&one, "-%c", arg->letter);
		else
			ds_buf_fmt(&one, "--%s", arg->name);
		if (arg->value)
			ds_buf_fmt(&one, arg->flags & DS_ARG_OPTIONAL ? "[%s]" : " %s", arg->value);
		if (out->n - start + 1 + one.n > WIDTH) {
			start = out->n + 1;
			ds_buf_add_c(out, "\n   ");
		}
		ds_buf_add_byte(out, ' ');
		ds_buf_add(out, one.at, one.n);
		ds_buf_free(&one);
	}
	ds_buf_add_byte(out, '\n');
}

static void add_own(const ds_args *a, ds_buf *out)
{
	size_t hidden = 0;
	for (size_t i = 0; i < a->n; i++) {
		const ds_arg *arg = a->opts[i].arg;
		if (a->opts[i].shared)
			continue;
		if (arg->flags & DS_ARG_HIDDEN) {
			hidden++;
			continue;
		}
		size_t start = out->n;
		ds_buf_add_c(out, arg->letter ? "  " : "      ");
		add_option(out, arg);
		do
			ds_buf_add_byte(out, ' ');
		while (out->n - start < 28);
		ds_buf_fmt(out, "%s\n", arg->help);
	}
	if (hidden)
		ds_buf_fmt(out, "      and %zu more in the manual, %s(1)\n", hidden, a->tool->name);
}

static const char *usage_of(const ds_args *a)
{
	const char *usage = a->cmd ? a->cmd->usage : a->tool->usage;
	if (usage)
		return usage;
	return a->takes & (DS_TAKES_INPUT | DS_TAKES_STREAM) ? "[OPTION...] [FILE...]"
							     : "[OPTION...]";
}

void ds_args_help(const ds_args *a, ds_buf *out)
{
	const ds_tool *t = a->tool;
	ds_buf_fmt(out, "usage: %s%s%s %s\n", t->name, a->cmd ? " " : "",
		a->cmd ? a->cmd->name : "", usage_of(a));
	ds_buf_fmt(out, "%s\n\n", a->cmd ? a->cmd->what : t->what);
	for (const ds_cmd *c = a->cmd ? NULL : t->cmds; c && c->name; c++)
		ds_buf_fmt(out, "  %-10s %s\n", c->name, c->what);
	if (a->cmd || t->run || !t->cmds)
		add_own(a, out);
	add_shared(a, out);
	ds_buf_add_c(out, "\n");
	for (int i = 0; i < 3; i++)
		if (t->examples[i])
			ds_buf_fmt(out, "  $ %s\n", t->examples[i]);
}

static void print_table(const ds_args *a, ds_buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		const ds_arg *arg = a->opts[i].arg;
		char letter[2] = { arg->letter ? arg->letter : '-', '\0' };
		const char *form = !arg->value                    ? "flag"
				   : arg->flags & DS_ARG_OPTIONAL ? "maybe"
								  : "value";
		ds_buf_fmt(out, "option\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a->cmd ? a->cmd->name : "-",
			letter, arg->name, form, arg->value ? arg->value : "-",
			a->opts[i].shared ? "shared" : "own", arg->help);
	}
}

void ds_args_print(const ds_tool *tool, ds_buf *out)
{
	ds_args a;
	ds_buf_fmt(out, "tool\t%s\t%s\n", tool->name, tool->what);
	ds_args_open(&a, tool, NULL);
	print_table(&a, out);
	ds_args_close(&a);
	for (const ds_cmd *c = tool->cmds; c && c->name; c++) {
		ds_buf_fmt(out, "command\t%s\t%s\n", c->name, c->what);
		ds_args_open(&a, tool, c);
		print_table(&a, out);
		ds_args_close(&a);
	}
}

/* Edits (insert, delete, replace, swap neighbours) from a to b. */
static unsigned distance(ds_str a, ds_str b)
{
	unsigned d[MAX_NAME + 1][MAX_NAME + 1];
	for (size_t i = 0; i <= a.n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= b.n; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		for (size_t j = 1; j <= b.n; j++) {
			unsigned best = d[i - 1][j - 1] + (a.at[i - 1] != b.at[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] &&
				a.at[i - 2] == b.at[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[a.n][b.n];
}

/* Keeps the better one of what was found so far and this candidate. */
static void consider(ds_str wanted, const char *candidate, const char **best, unsigned *least)
{
	ds_str c = ds_str_of(candidate);
	if (wanted.n > MAX_NAME || c.n > MAX_NAME)
		return;
	unsigned d = distance(wanted, c);
	/* A word begun, or more of one, is nearer than its length says. */
	if (wanted.n > 2 && (ds_str_starts(c, wanted) || ds_str_starts(wanted, c)))
		d = 1;
	if (d < *least && d < wanted.n) {
		*least = d;
		*best = candidate;
	}
}

const char *ds_args_nearest(const ds_args *a, const char *name, size_t n)
{
	const char *best = NULL;
	unsigned least = ~0u;
	for (size_t i = 0; i < a->n; i++)
		consider((ds_str){ name, n }, a->opts[i].arg->name, &best, &least);
	return best;
}

const char *ds_args_nearest_command(const ds_tool *tool, const char *name)
{
	const char *best = NULL;
	unsigned least = ~0u;
	for (const ds_cmd *c = tool->cmds; c && c->name; c++)
		consider(ds_str_of(name), c->name, &best, &least);
	return best;
}
