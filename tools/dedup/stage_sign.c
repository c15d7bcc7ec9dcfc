/*
 * stage_sign.c - dsdedup sign: a stream of signatures for each input
 *
 * A column for each band, so that the next stage reads one of them and leaves the rest on the disk. An
 * input whose signatures are there, whole, and of the same beginning, end and size is not signed again.
 */
#include "options.h"
#include "stage.h"

#include "base/mem.h"
#include "base/outs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
	plan plan;
	ds_minhash *perm;
	against *evil;
	bool values; /* --keep needs them */
	stage_head head;
	/* A file of many may be without the field, as one stream of all may be in parts. */
	uint64_t n_records, n_texts;
	ds_field_names names;
} sign_run;

enum { PIECE = 1 << 16 };

/* Of all that a file holds; zero for what is none. One that cannot be read is told of when it is signed. */
static ds_h128 sum_input(const char *path)
{
	struct stat st;
	ds_h128 sum = { 0, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return sum;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		DS_AUTO(ds_hasher) h = ds_hasher_new();
		char *piece = ds_mem_get(PIECE);
		ssize_t n;
		while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
			ds_hasher_add(h, piece, n > 0 ? (size_t)n : 0);
		ds_mem_free(piece);
		if (n == 0)
			sum = ds_hasher_get128(h);
	}
	close(fd);
	return sum;
}

static void *scratch_new(void *state)
{
	sign_run *r = state;
	return signer_new(&r->plan, r->perm, r->evil);
}

static const ds_seen_item *item_of(const signed_block *s, uint32_t row)
{
	return s->rows[row].n ? &s->items[s->rows[row].first] : NULL;
}

static ds_rc put_values(ds_block *b, const signed_block *s, const double *v, ds_err *e)
{
	ds_colb *to = ds_colb_new(b, "value", DS_T_F64);
	for (uint32_t row = 0; row < b->n_rows; row++)
		if (s->rows[row].n)
			ds_colb_f64(to, v[row]);
		else
			ds_colb_absent(to);
	return ds_colb_put(to, e);
}

/* What the record is by itself: its number, a hash of its text, and whether --against has it. */
static ds_rc put_records(ds_block *b, const signed_block *s, ds_err *e)
{
	ds_colb *record = ds_colb_new(b, "record", DS_T_I64),
		*hash = ds_colb_new(b, "hash", DS_T_I64),
		*evil = ds_colb_new(b, "against", DS_T_BOOL);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *it = &s->rows[row];
		ds_colb_i64(record, (int64_t)ds_block_record(b, row));
		if (it->n)
			ds_colb_i64(hash,
				(int64_t)ds_hash64(s->texts[it->first].at, s->texts[it->first].n));
		else
			ds_colb_absent(hash);
		if (it->contaminated)
			ds_colb_bool(evil, true);
		else
			ds_colb_absent(evil);
	}
	DS_TRY(ds_colb_put(record, e));
	DS_TRY(ds_colb_put(hash, e));
	return ds_colb_put(evil, e);
}

static ds_rc put_exact(ds_block *b, const signed_block *s, ds_err *e)
{
	ds_colb *to = ds_colb_new(b, "key", DS_T_BYTES);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const ds_seen_item *it = item_of(s, row);
		if (it)
			ds_colb_bytes(to, (ds_str){ (const char *)&it->key, sizeof(it->key) });
		else
			ds_colb_absent(to);
	}
	return ds_colb_put(to, e);
}

static ds_rc put_near(const sign_run *r, ds_block *b, const signed_block *s, ds_err *e)
{
	for (unsigned band = 0; band < r->plan.seen.bands.bands; band++) {
		char name[32];
		ds_colb *to = ds_colb_new(b, signs_band_name(band, name), DS_T_I64);
		for (uint32_t row = 0; row < b->n_rows; row++) {
			const ds_seen_item *it = item_of(s, row);
			if (it && it->n_sketch)
				ds_colb_i64(
					to, (int64_t)(it->bands[band] & ((UINT64_C(1) << 40) - 1)));
			else
				ds_colb_absent(to);
		}
		DS_TRY(ds_colb_put(to, e));
	}
	ds_colb *to = ds_colb_new(b, "sketch", DS_T_U32S);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const ds_seen_item *it = item_of(s, row);
		if (it && it->n_sketch)
			ds_colb_list(to, it->sketch, it->n_sketch);
		else
			ds_colb_absent(to);
	}
	return ds_colb_put(to, e);
}

static void remove_fields(ds_block *b)
{
	for (uint32_t i = b->n_cols; i-- > 0;)
		if (!ds_str_is(b->cols[i].name, "id")) {
			ds_str name = ds_arena_str(b->mem, b->cols[i].name);
			ds_block_remove(b, name.at);
		}
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	sign_run *r = state;
	signed_block *s = signer_result(ds_work_scratch(w));
	for (size_t i = 0; i < s->n_rows; i++)
		r->n_texts += s->rows[i].n > 0 || s->rows[i].contaminated;
	r->n_records += s->n_rows;
	if (!r->n_texts)
		DS_TRY(ds_field_names_add(&r->names, b, e));
	double *values = ds_arena_get(b->mem, (b->n_rows + 1) * sizeof(*values));
	if (r->values)
		DS_TRY(keep_values(opt.keep, b, s, values, e));
	remove_fields(b);
	if (r->values)
		DS_TRY(put_values(b, s, values, e));
	DS_TRY(put_records(b, s, e));
	if (r->plan.seen.exact)
		DS_TRY(put_exact(b, s, e));
	if (r->plan.seen.near)
		DS_TRY(put_near(r, b, s, e));
	ds_mem_free(s->sketches);
	s->sketches = NULL;
	return DS_OK;
}

static ds_rc begin(void *state, ds_work *w, ds_err *e)
{
	sign_run *r = state;
	ds_work_swallow_opt(w, DS_OPT_DEDUP);
	ds_work_opt(w, (ds_opt){ DS_OPT_DEDUP, { (const char *)&r->head, sizeof(r->head) } });
	return DS_OK;
}

/* Where what cannot be read of an input lies until all are signed: it outlives runs, as signatures do. */
static void reject_part(ds_buf *path, const ds_common *c, size_t part)
{
	ds_buf_fmt(path, "%s/reject-%05zu", c->out.path, part);
}

static ds_rc sign_input(sign_run *r, const ds_common *c, size_t part, ds_err *e)
{
	const ds_stage stage = {
		.name = "sign",
		.state = r,
		.scratch_new = scratch_new,
		.scratch_free = signer_free,
		.begin = begin,
		.reads_field = DS_FIELD_COUNTED,
		.work = signer_work,
		.order = order,
	};
	char name[32];
	snprintf(name, sizeof(name), "sign-%05zu.dsr", part);
	r->head = stage_head_of(STAGE_SIGN, part, &r->plan.seen, opt.keep);
	r->head.from = sum_input(c->in.files[part]);
	bool is_file = r->head.from.lo || r->head.from.hi;
	if (is_file && stage_is_done(c->out.path, name, &r->head))
		return DS_OK;
	ds_buf path = { 0 };
	ds_buf_fmt(&path, "%s/%s", c->out.path, name);
	ds_common one = *c;
	one.in.files = &c->in.files[part];
	one.in.n_files = 1;
	one.out.path = ds_buf_text(&path);
	one.shard_size = (ds_size){ 0 };
	one.out.to = "dsr";
	ds_buf rejects = { 0 };
	reject_part(&rejects, c, part);
	one.in.reject_path = ds_buf_text(&rejects);
	ds_rc rc = ds_run_stage(&one, &stage, e);
	if (rc == DS_OK) /* of a folder that a later run goes on with: each input by itself */
		rc = ds_outs_commit(e);
	ds_buf_free(&path);
	ds_buf_free(&rejects);
	return rc;
}

/* Signatures of an earlier run over more inputs would be taken for some of this one. */
static ds_rc check_folder(const ds_common *c, ds_err *e)
{
	ds_buf path = { 0 };
	ds_buf_fmt(&path, "%s/sign-%05zu.dsr", c->out.path, c->in.n_files);
	bool more = access(ds_buf_text(&path), F_OK) == 0;
	ds_buf_free(&path);
	return more ? ds_fail(e, DS_USAGE, "%s: holds signatures of more than these %zu inputs",
			      c->out.path, c->in.n_files)
		    : DS_OK;
}

static ds_rc copy_to(ds_out *to, const char *path, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	char buf[PIECE];
	size_t n;
	DS_TRY(ds_in_open(&in, path, e));
	do {
		DS_TRY(ds_in_read(in, buf, sizeof(buf), &n, e));
		DS_TRY(ds_out_write(to, buf, n, e));
	} while (n == sizeof(buf));
	return DS_OK;
}

/* --on-error reject=FILE: of all inputs, in their order. */
static ds_rc join_rejects(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_out) to = NULL;
	DS_TRY(ds_out_open(&to, c->in.reject_path, e));
	for (size_t i = 0; i < c->in.n_files; i++) {
		ds_buf path = { 0 };
		reject_part(&path, c, i);
		ds_rc rc = access(ds_buf_text(&path), F_OK) == 0
				   ? copy_to(to, ds_buf_text(&path), e)
				   : DS_OK;
		ds_buf_free(&path);
		DS_TRY(rc);
	}
	return ds_out_deliver(to, e);
}

static ds_rc sign_all(sign_run *r, const ds_common *c, ds_err *e)
{
	DS_TRY(read_plan(&r->plan, c, e));
	DS_TRY(keep_check(opt.keep, e));
	r->plan.seen.join = false;
	if (!c->out.path)
		return ds_fail(e, DS_USAGE, "-o DIR is needed, a folder for the signatures");
	if (!c->in.n_files)
		return ds_fail(e, DS_USAGE, "no input is named; - is stdin");
	if (r->plan.seen.near && r->plan.seen.bands.bands > STAGE_BANDS_MOST)
		return ds_fail(e, DS_USAGE, "more than %d bands", STAGE_BANDS_MOST);
	if (strlen(opt.keep) >= sizeof(r->head.keep))
		return ds_fail(e, DS_USAGE, "--keep: a field name of over %zu bytes",
			sizeof(r->head.keep) - 5);
	if (opt.against)
		DS_TRY(against_load(&r->evil, c, opt.against, &r->plan, e));
	r->values = strcmp(opt.keep, "first") != 0;
	r->perm = ds_minhash_new(r->plan.seen.n_perm, r->plan.seen.seed);
	DS_TRY(ds_dir_make(c->out.path, e));
	DS_TRY(check_folder(c, e));
	for (size_t i = 0; i < c->in.n_files; i++)
		DS_TRY(sign_input(r, c, i, e));
	if (r->n_records && !r->n_texts)
		return ds_field_missing(c->in.field.paths.n ? c->in.field.paths.at[0] : "text",
			&r->names, "--field", e);
	return c->in.on_error == DS_ON_REJECT ? join_rejects(c, e) : DS_OK;
}

ds_rc run_sign(const ds_common *c, ds_err *e)
{
	sign_run r = { 0 };
	ds_rc rc = sign_all(&r, c, e);
	against_free(r.evil);
	ds_field_names_free(&r.names);
	ds_minhash_free(r.perm);
	return rc;
}
