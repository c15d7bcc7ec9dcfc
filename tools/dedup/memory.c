/*
 * memory.c - within --memory streaming, beyond it the staged run in a temporary folder: the same bytes
 *
 * Nothing may have left the program when the tables turn out too large, so output that cannot be taken
 * back waits in the folder until the run is done, and so does input that can be read only once.
 */
#include "options.h"

#include "base/mem.h"
#include "base/outs.h"
#include "base/progress.h"
#include "base/temp.h"

#include <stdio.h>
#include <sys/stat.h>

typedef struct {
	ds_temp_dir *dir;
	ds_common c; /* of the run: files and output that can be gone back to */
	const char **files;
	bool held; /* the output waits */
} limited;

static bool once_only(const char *path)
{
	struct stat st;
	return strcmp(path, "-") == 0 ||
	       (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

static ds_rc copy(ds_in *in, ds_out *out, ds_err *e)
{
	enum { PIECE = 1 << 20 };
	char *piece = ds_mem_get(PIECE);
	size_t n = 1;
	ds_rc rc = DS_OK;
	while (n && rc == DS_OK) {
		rc = ds_in_some(in, piece, PIECE, &n, e);
		if (rc == DS_OK)
			rc = ds_out_write(out, piece, n, e);
	}
	ds_mem_free(piece);
	return rc == DS_OK ? ds_out_finish(out, e) : rc;
}

static ds_rc copy_in(const char *from, const char *to, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	DS_AUTO(ds_out) out = NULL;
	DS_TRY(ds_in_open(&in, from, e));
	DS_TRY(ds_out_open(&out, to, e));
	return copy(in, out, e);
}

/* As it is, compressed or not. */
static ds_rc copy_out(const char *from, const char *to, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	DS_AUTO(ds_out) out = NULL;
	ds_str all;
	DS_TRY(ds_in_open(&in, from, e));
	DS_TRY(ds_out_open(&out, to, e));
	if (!ds_in_map(in, &all))
		return copy(in, out, e);
	DS_TRY(ds_out_write(out, all.at, all.n, e));
	return ds_out_finish(out, e);
}

/* Names of what the stages write, so that a signal removes it. */
static void hold_stages(limited *l, const plan *p)
{
	char name[32];
	for (size_t i = 0; i < l->c.in.n_files; i++) {
		snprintf(name, sizeof(name), "sign-%05zu.dsr", i);
		ds_temp_dir_file(l->dir, name);
	}
	for (unsigned i = 0; i <= p->seen.bands.bands; i++) {
		snprintf(name, sizeof(name), "band-%05u.dsr", i);
		ds_temp_dir_file(l->dir, name);
	}
	ds_temp_dir_file(l->dir, "cluster.dsr");
}

static ds_rc prepare(limited *l, const ds_common *c, ds_err *e)
{
	char name[32];
	l->c = *c;
	l->files = DS_NEW(const char *, c->in.n_files + 1);
	DS_TRY(ds_temp_dir_new(&l->dir, e));
	for (size_t i = 0; i < c->in.n_files; i++) {
		l->files[i] = c->in.files[i];
		if (!once_only(c->in.files[i]))
			continue;
		snprintf(name, sizeof(name), "input-%zu", i);
		l->files[i] = ds_temp_dir_file(l->dir, name);
		DS_TRY(copy_in(c->in.files[i], l->files[i], e));
	}
	l->c.in.files = l->files;
	if (opt.against && once_only(opt.against)) {
		const char *path = ds_temp_dir_file(l->dir, "against");
		DS_TRY(copy_in(opt.against, path, e));
		opt.against = path;
	}
	l->held = !c->out.path || once_only(c->out.path);
	if (l->held) {
		/* With the name's end, which says what is written there. */
		const char *base = c->out.path ? strrchr(c->out.path, '/') : NULL;
		ds_buf held = { 0 };
		ds_buf_fmt(&held, "output-%s", base ? base + 1 : c->out.path ? c->out.path : "");
		l->c.out.path = ds_temp_dir_file(l->dir, ds_buf_text(&held));
		ds_buf_free(&held);
	}
	return DS_OK;
}

/* The same run as stages; the last has the options of the whole, and so its chain and its bytes. */
static ds_rc run_stages(limited *l, ds_err *e)
{
	const char *dir = ds_temp_dir_path(l->dir);
	const char **files = DS_NEW(const char *, l->c.in.n_files + 2);
	ds_common quiet = l->c, last = l->c;
	quiet.who.command = "stage";
	opt.sizes = wants_report(&l->c);
	quiet.who.quiet = true;
	quiet.who.verbose = false;
	quiet.stats_path = NULL;
	quiet.in.reject_path = NULL;
	quiet.out.level = 0;
	if (quiet.in.on_error == DS_ON_REJECT)
		quiet.in.on_error = DS_ON_SKIP;
	quiet.out.path = dir;
	ds_rc rc = run_sign(&quiet, e);
	quiet.out.path = NULL;
	quiet.in.files = &dir;
	quiet.in.n_files = 1;
	if (rc == DS_OK)
		rc = run_band(&quiet, e);
	if (rc == DS_OK)
		rc = run_cluster(&quiet, e);
	files[0] = dir;
	memcpy((void *)(files + 1), (const void *)l->files, l->c.in.n_files * sizeof(*files));
	last.in.files = files;
	last.in.n_files++;
	if (rc == DS_OK)
		rc = run_filter(&last, e);
	ds_mem_free((void *)files);
	return rc;
}

static ds_rc run_within(limited *l, const ds_common *c, const plan *p, ds_err *e)
{
	bool over = false;
	char size[16];
	DS_TRY(prepare(l, c, e));
	ds_rc rc = run_streaming(&l->c, opt.limit.bytes, &over, e);
	if (over) {
		if (c->who.verbose)
			ds_tell(&c->who, "more than %s of tables: the staged run in %s",
				ds_human_bytes(size, (double)opt.limit.bytes),
				ds_temp_dir_path(l->dir));
		hold_stages(l, p);
		opt.memory = opt.limit;
		rc = run_stages(l, e);
	}
	DS_TRY(rc);
	if (l->held)
		DS_TRY(ds_outs_commit_one(l->c.out.path, e));
	return l->held ? copy_out(l->c.out.path, c->out.path, e) : DS_OK;
}

ds_rc run_limited(const ds_common *c, ds_err *e)
{
	plan p = { 0 };
	limited l = { 0 };
	DS_TRY(read_plan(&p, c, e));
	if (p.scope != SCOPE_TEXT || opt.index || p.tag || c->in.salvage)
		return ds_fail(e, DS_USAGE,
			"--memory goes with neither --scope, --index, --tag nor --salvage");
	ds_rc rc = run_within(&l, c, &p, e);
	ds_temp_dir_free(l.dir);
	ds_mem_free((void *)l.files);
	return rc;
}
