/*
 * select.c - dsrec select, rename, drop: columns taken, named anew, left out
 *
 * Columns move as they are stored. That every field is there in at least one record is the pipe's to check.
 */
#include "record.h"

#include "base/mem.h"
#include "record/run.h"

#include <unistd.h>

typedef struct {
	ds_arena *mem;
	const char **names;
	const char **to; /* rename */
	size_t n;
	const char **paths; /* the names as --field would have them; NULL-ended */
} columns;

static const char *const stdin_alone[] = { "-" };

ds_rc worded_open(worded_run *w, const ds_common *c, const char *what, ds_err *e)
{
	*w = (worded_run){ .common = *c, .word = c->in.files[0] };
	if (strcmp(w->word, "-") == 0)
		return ds_fail(e, DS_USAGE, "%s wants %s before the files", c->who.command, what);
	w->common.in.files++;
	w->common.in.n_files--;
	if (w->common.in.n_files == 0) {
		if (isatty(STDIN_FILENO))
			return ds_fail(e, DS_USAGE, "no input: name a file, or pipe one in");
		w->common.in.files = (const char **)stdin_alone;
		w->common.in.n_files = 1;
	}
	/* The command is the first word of what is recorded. */
	size_t n = strlen(c->who.command);
	ds_buf_add(&w->recorded, c->recorded.at, n);
	ds_buf_add_byte(&w->recorded, ' ');
	ds_args_add_word(&w->recorded, w->word);
	ds_buf_add(&w->recorded, c->recorded.at + n, c->recorded.n - n);
	w->common.recorded = ds_buf_view(&w->recorded);
	return DS_OK;
}

void worded_close(worded_run *w)
{
	ds_buf_free(&w->recorded);
}

static bool is_one_of(const char **names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Dots and brackets in a column's name are no steps. */
static const char *path_of(ds_arena *mem, const char *name)
{
	char *out = ds_arena_bytes(mem, 2 * strlen(name) + 1), *w = out;
	for (; *name; name++) {
		if (strchr(".[\\", *name))
			*w++ = '\\';
		*w++ = *name;
	}
	*w = '\0';
	return out;
}

/* FIELD,... or OLD=NEW,... */
static ds_rc read_names(columns *s, const char *list, bool pairs, ds_err *e)
{
	size_t most = 1;
	for (const char *p = list; *p; p++)
		most += *p == ',';
	s->names = ds_arena_zero(s->mem, (most + 1) * sizeof(*s->names));
	s->to = ds_arena_zero(s->mem, (most + 1) * sizeof(*s->to));
	s->paths = ds_arena_zero(s->mem, (most + 1) * sizeof(*s->paths));
	for (ds_str rest = ds_str_of(list); rest.at; s->n++) {
		ds_str new = { 0 }, old = ds_str_cut(rest, ',', &rest);
		if (pairs)
			old = ds_str_cut(old, '=', &new);
		if (!old.n || (pairs && !new.n))
			return ds_fail(e, DS_USAGE, "'%s': wanted %s", list,
				pairs ? "OLD=NEW,..." : "FIELD,...");
		const char *name = ds_arena_str(s->mem, old).at;
		const char *to = pairs ? ds_arena_str(s->mem, new).at : NULL;
		if (is_one_of(s->names, s->n, name) || (to && is_one_of(s->to, s->n, to)))
			return ds_fail(e, DS_USAGE, "'%s': '%s' comes twice", list,
				is_one_of(s->names, s->n, name) ? name : to);
		s->names[s->n] = name;
		s->to[s->n] = to;
		s->paths[s->n] = path_of(s->mem, name);
	}
	return DS_OK;
}

static ds_rc select_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	const columns *s = state;
	ds_col *kept = ds_arena_get(ds_work_mem(w), (s->n + 1) * sizeof(*kept));
	uint32_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const ds_col *c = ds_block_find(b, s->names[i]);
		if (c)
			kept[n++] = *c;
	}
	if (n)
		memcpy(b->cols, kept, n * sizeof(*kept));
	b->n_cols = n;
	return DS_OK;
}

static ds_rc drop_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	const columns *s = state;
	for (size_t i = 0; i < s->n; i++)
		ds_block_remove(b, s->names[i]);
	return DS_OK;
}

/* All at once, so that names can be exchanged. */
static ds_rc rename_work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	const columns *s = state;
	ds_col **found = ds_arena_get(ds_work_mem(w), (s->n + 1) * sizeof(*found));
	for (size_t i = 0; i < s->n; i++)
		found[i] = ds_block_find(b, s->names[i]);
	for (size_t i = 0; i < s->n; i++)
		if (found[i] && ds_block_find(b, s->to[i]) && !is_one_of(s->names, s->n, s->to[i]))
			return ds_fail(e, DS_BAD, "there is a field '%s' already: drop it first",
				s->to[i]);
	for (size_t i = 0; i < s->n; i++)
		if (found[i])
			found[i]->name = ds_arena_str(ds_work_mem(w), ds_str_of(s->to[i]));
	return DS_OK;
}

static ds_rc change(const ds_common *c, ds_stage stage, bool pairs, ds_err *e)
{
	worded_run w;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	columns s = { .mem = mem };
	ds_rc rc = worded_open(&w, c, pairs ? "OLD=NEW,..." : "FIELD,...", e);
	if (rc == DS_OK)
		rc = read_names(&s, w.word, pairs, e);
	stage.name = c->who.command;
	stage.state = &s;
	stage.reads = s.paths;
	if (rc == DS_OK)
		rc = ds_run_stage(&w.common, &stage, e);
	worded_close(&w);
	return rc;
}

ds_rc run_select(const ds_common *c, ds_err *e)
{
	return change(c, (ds_stage){ .work = select_work }, false, e);
}

ds_rc run_drop(const ds_common *c, ds_err *e)
{
	return change(c, (ds_stage){ .work = drop_work }, false, e);
}

ds_rc run_rename(const ds_common *c, ds_err *e)
{
	return change(c, (ds_stage){ .work = rename_work }, true, e);
}
