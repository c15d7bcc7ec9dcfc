/*
 * walk.c - operands and folders
 *
 * Only the names of the folders on the way down are held, so a tree of any width and any number of
 * files takes no more memory than its largest folders.
 */
#include "record/walk.h"

#include "base/io.h"
#include "base/mem.h"
#include "record/import.h"

#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 256 };

typedef struct {
	char *path;
	char **names;
	size_t next;
} level;

struct ds_walk {
	const ds_input_opts *how;
	size_t next; /* operand */
	level levels[DEPTH];
	size_t depth;
	int64_t bytes;
	ds_buf path;
};

static ds_rc check_operand(ds_walk *w, const char *path, ds_err *e)
{
	struct stat st;
	if (strcmp(path, "-") == 0) {
		w->bytes = -1;
		return DS_OK;
	}
	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		return ds_fail_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		w->bytes = -1;
	if (w->bytes >= 0)
		w->bytes += st.st_size;
	return DS_OK;
}

ds_rc ds_walk_open(ds_walk **w, const ds_input_opts *c, ds_err *e)
{
	DS_AUTO(ds_walk) n = DS_NEW(ds_walk, 1);
	n->how = c;
	for (size_t i = 0; i < c->n_files; i++)
		DS_TRY(check_operand(n, c->files[i], e));
	*w = n;
	n = NULL;
	return DS_OK;
}

static void leave(ds_walk *w)
{
	level *l = &w->levels[--w->depth];
	ds_mem_free(l->path);
	ds_names_free(l->names);
}

void ds_walk_close(ds_walk *w)
{
	if (!w)
		return;
	while (w->depth)
		leave(w);
	ds_buf_free(&w->path);
	ds_mem_free(w);
}

static bool is_image(const char *name)
{
	return ds_name_ends(name, DS_IMAGE_SUFFIXES);
}

static size_t stem(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? (size_t)(dot - name) : strlen(name);
}

/* A caption: text of the same stem as an image, or the table of captions. */
static bool belongs_to_image(char **names, const char *name)
{
	bool is_table = strcmp(name, "metadata.jsonl") == 0;
	size_t n = stem(name);
	if (!is_table && strcmp(name + n, ".txt") != 0)
		return false;
	for (; *names; names++)
		if (is_image(*names) &&
			(is_table || (stem(*names) == n && memcmp(*names, name, n) == 0)))
			return true;
	return false;
}

/* The tokens of a Megatron dataset are found through its .idx. */
static bool belongs_to_index(char **names, const char *name)
{
	size_t n = stem(name);
	if (strcmp(name + n, ".bin") != 0)
		return false;
	for (; *names; names++)
		if (stem(*names) == n && memcmp(*names, name, n) == 0 &&
			strcmp(*names + n, ".idx") == 0)
			return true;
	return false;
}

static ds_rc enter(ds_walk *w, const char *path, ds_err *e)
{
	if (w->depth == DEPTH)
		return ds_fail(e, DS_BAD, "%s: more than %d folders deep", path, DEPTH);
	level *l = &w->levels[w->depth];
	l->next = 0;
	l->names = NULL;
	DS_TRY(ds_dir_list(path, &l->names, e));
	l->path = ds_mem_text(path);
	w->depth++;
	return DS_OK;
}

/* Steps to the next file in the folders entered; *path NULL: they are done. */
static ds_rc step(ds_walk *w, const char **path, uint64_t *bytes, ds_err *e)
{
	*path = NULL;
	while (w->depth) {
		level *l = &w->levels[w->depth - 1];
		const char *name = l->names[l->next];
		struct stat link, st;
		if (!name) {
			leave(w);
			continue;
		}
		l->next++;
		ds_buf_clear(&w->path);
		size_t n = strlen(l->path);
		ds_buf_fmt(
			&w->path, "%s%s%s", l->path, n && l->path[n - 1] == '/' ? "" : "/", name);
		const char *full = ds_buf_text(&w->path);
		if (lstat(full, &link) != 0 || stat(full, &st) != 0)
			continue; /* gone meanwhile, or a link to nothing */
		if (S_ISDIR(link.st_mode)) {
			DS_TRY(enter(w, full, e));
		} else if (S_ISREG(st.st_mode) && !belongs_to_image(l->names, name) &&
			   !belongs_to_index(l->names, name)) {
			*path = full;
			*bytes = (uint64_t)st.st_size;
			return DS_OK;
		}
	}
	return DS_OK;
}

ds_rc ds_walk_next(ds_walk *w, const char **path, uint64_t *bytes, ds_err *e)
{
	for (;;) {
		struct stat st;
		DS_TRY(step(w, path, bytes, e));
		if (*path || w->next == w->how->n_files)
			return DS_OK;
		const char *operand = w->how->files[w->next++];
		if (strcmp(operand, "-") != 0 && stat(operand, &st) == 0 && S_ISDIR(st.st_mode)) {
			DS_TRY(enter(w, operand, e));
			continue;
		}
		*path = operand;
		*bytes =
			strcmp(operand, "-") != 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
		return DS_OK;
	}
}

int64_t ds_walk_bytes(const ds_walk *w)
{
	return w->bytes;
}
