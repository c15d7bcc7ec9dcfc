/*
 * frames.c - rows in frames, written sorted by where they go and read with their hashes checked
 */
#include "frames.h"

#include "base/cur.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sort.h"

static const char magic[8] = "dsframe1";
static const unsigned words_of[FRAME_KINDS] = {
	[FRAME_TEXTS] = 3,
	[FRAME_SAMES] = 2,
	[FRAME_KEYS] = 2,
	[FRAME_PAIRS] = 2,
	[FRAME_FULLS] = 1,
	[FRAME_ASKS] = 2,
	[FRAME_SKETCHES] = 2,
	[FRAME_EDGES] = 2,
	[FRAME_MEMBERS] = 2,
	[FRAME_VALUES] = 5,
	[FRAME_CHANGED] = 1,
	[FRAME_VERDICTS] = 3,
};

/* Bytes of rows that wait, of a kind; of a frame that is read; of a step in reading a pipe. */
enum { WAIT_BYTES = 64 << 20, READ_STEP = 1 << 20 };
#define FRAME_MOST ((uint64_t)1 << 34)

unsigned frame_words(frame_kind kind)
{
	return words_of[kind];
}

struct frames_out {
	ds_out *out;
	struct {
		ds_buf to, rows; /* u64 each, words */
	} kinds[FRAME_KINDS];
};

ds_rc frames_create(frames_out **out, const char *path, ds_err *e)
{
	DS_AUTO(frames_out) o = DS_NEW(frames_out, 1);
	DS_TRY(ds_out_open(&o->out, path, e));
	*out = o;
	o = NULL;
	return DS_OK;
}

static uint64_t hash_of(frame_kind kind, uint64_t to, ds_str rows)
{
	return ds_hash64_seed(rows.at, rows.n, to * FRAME_KINDS + kind);
}

ds_rc frames_whole(frames_out *o, frame_kind kind, uint64_t to, ds_str rows, ds_err *e)
{
	struct {
		char magic[8];
		uint32_t kind, none;
		uint64_t to, bytes, hash;
	} head = { .kind = kind, .to = to, .bytes = rows.n, .hash = hash_of(kind, to, rows) };
	_Static_assert(sizeof(head) == FRAME_HEAD, "the head of a frame");
	memcpy(head.magic, magic, sizeof(magic));
	DS_TRY(ds_out_write(o->out, &head, sizeof(head), e));
	return ds_out_write(o->out, rows.at, rows.n, e);
}

static ds_rc flush(frames_out *o, frame_kind kind, ds_err *e)
{
	const uint64_t *to = (const uint64_t *)(const void *)o->kinds[kind].to.at;
	size_t n = o->kinds[kind].to.n / sizeof(*to), bytes = words_of[kind] * sizeof(*to);
	uint64_t *order = ds_mem_get((n + 1) * sizeof(*order));
	ds_buf rows = { 0 };
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < n; i++)
		order[i] = to[i] << 32 | i;
	ds_sort_u64(order, n);
	for (size_t i = 0, end; i < n && rc == DS_OK; i = end) {
		ds_buf_clear(&rows);
		for (end = i; end < n && order[end] >> 32 == order[i] >> 32; end++)
			ds_buf_add(&rows,
				o->kinds[kind].rows.at + (order[end] & UINT32_MAX) * bytes, bytes);
		rc = frames_whole(o, kind, order[i] >> 32, ds_buf_view(&rows), e);
	}
	ds_buf_free(&rows);
	ds_mem_free(order);
	ds_buf_clear(&o->kinds[kind].to);
	ds_buf_clear(&o->kinds[kind].rows);
	return rc;
}

ds_rc frames_row(frames_out *o, frame_kind kind, uint64_t to, const uint64_t *words, ds_err *e)
{
	ds_buf_add(&o->kinds[kind].to, &to, sizeof(to));
	ds_buf_add(&o->kinds[kind].rows, words, words_of[kind] * sizeof(*words));
	return o->kinds[kind].rows.n < WAIT_BYTES ? DS_OK : flush(o, kind, e);
}

ds_rc frames_finish(frames_out *o, ds_err *e)
{
	for (unsigned i = 1; i < FRAME_KINDS; i++)
		DS_TRY(flush(o, i, e));
	return ds_out_finish(o->out, e);
}

void frames_discard(frames_out *o)
{
	for (unsigned i = 0; o && i < FRAME_KINDS; i++) {
		ds_buf_free(&o->kinds[i].to);
		ds_buf_free(&o->kinds[i].rows);
	}
	if (o)
		ds_out_close(o->out);
	ds_mem_free(o);
}

struct frames_in {
	const char *const *files;
	size_t n_files, file; /* the next one */
	int64_t to;
	ds_in *in; /* NULL: none is open */
	const char *name;
	bool mapped;
	ds_str rest; /* mapped: what was not read yet */
	ds_buf rows; /* aligned */
};

frames_in *frames_open(const char *const *files, size_t n, int64_t to)
{
	frames_in *f = DS_NEW(frames_in, 1);
	f->files = files;
	f->n_files = n;
	f->to = to;
	return f;
}

frames_in *frames_of_mem(ds_str bytes, const char *name)
{
	frames_in *f = frames_open(NULL, 0, FRAMES_ALL);
	f->in = ds_in_from_mem(bytes.at, bytes.n, name);
	f->name = name;
	return f;
}

void frames_close(frames_in *f)
{
	if (f && f->in)
		ds_in_close(f->in);
	if (f)
		ds_buf_free(&f->rows);
	ds_mem_free(f);
}

/* n bytes into rows, or as many as there are: what a head claims is not believed before it came. */
static ds_rc take(frames_in *f, uint64_t n, ds_err *e)
{
	ds_buf_clear(&f->rows);
	if (f->mapped) {
		uint64_t got = n < f->rest.n ? n : f->rest.n;
		ds_buf_add(&f->rows, f->rest.at, got);
		f->rest = (ds_str){ f->rest.at + got, f->rest.n - got };
		return DS_OK;
	}
	for (size_t got = READ_STEP; f->rows.n < n && got == READ_STEP; f->rows.n += got) {
		size_t step = n - f->rows.n < READ_STEP ? n - f->rows.n : READ_STEP;
		ds_buf_reserve(&f->rows, step);
		DS_TRY(ds_in_read(f->in, f->rows.at + f->rows.n, step, &got, e));
	}
	return DS_OK;
}

static ds_rc skip(frames_in *f, uint64_t n, ds_err *e)
{
	if (!f->mapped || f->rest.n < n)
		return take(f, n, e);
	f->rest = (ds_str){ f->rest.at + n, f->rest.n - n };
	ds_buf_clear(&f->rows);
	return DS_OK;
}

static ds_rc read_frame(frames_in *f, frame *out, bool *wanted, ds_err *e)
{
	*out = (frame){ 0 };
	DS_TRY(take(f, FRAME_HEAD, e));
	if (!f->rows.n)
		return DS_OK;
	ds_cur c = ds_cur_of(f->rows.at, f->rows.n);
	ds_str m = ds_cur_bytes(&c, sizeof(magic));
	uint32_t kind = ds_cur_u32(&c), none = ds_cur_u32(&c);
	uint64_t to = ds_cur_u64(&c), bytes = ds_cur_u64(&c), hash = ds_cur_u64(&c);
	if (!ds_cur_ok(&c))
		return ds_fail(e, DS_SHORT, "%s: ended within a frame", f->name);
	if (memcmp(m.at, magic, sizeof(magic)) != 0)
		return ds_fail(e, DS_BAD, "%s: no rows of a step of dsdedup exchange", f->name);
	if (!kind || kind >= FRAME_KINDS || none || bytes > FRAME_MOST || to > UINT32_MAX ||
		bytes % (kind == FRAME_SKETCHES ? 8 : 8 * words_of[kind]))
		return ds_fail(e, DS_SHORT, "%s: a damaged frame", f->name);
	*wanted = f->to == FRAMES_ALL || (uint64_t)f->to == to;
	*out = (frame){ .kind = kind, .to = to };
	if (!*wanted)
		return skip(f, bytes, e);
	DS_TRY(take(f, bytes, e));
	if (f->rows.n != bytes)
		return ds_fail(e, DS_SHORT, "%s: ended within a frame", f->name);
	if (hash_of(kind, to, ds_buf_view(&f->rows)) != hash)
		return ds_fail(e, DS_SHORT, "%s: a damaged frame", f->name);
	out->words = (const uint64_t *)(const void *)f->rows.at;
	out->n_rows = bytes / 8 / (kind == FRAME_SKETCHES ? 1 : words_of[kind]);
	return DS_OK;
}

ds_rc frames_next(frames_in *f, frame *out, ds_err *e)
{
	for (;;) {
		bool wanted = false;
		*out = (frame){ 0 };
		if (f->in) {
			DS_TRY(read_frame(f, out, &wanted, e));
			if (wanted)
				return DS_OK;
			if (out->kind)
				continue;
			ds_in_close(f->in);
			f->in = NULL;
		}
		if (f->file == f->n_files)
			return DS_OK;
		f->name = f->files[f->file++];
		DS_TRY(ds_in_open(&f->in, f->name, e));
		f->mapped = ds_in_map(f->in, &f->rest);
	}
}

ds_rc frame_sketch_next(const frame *f, size_t *at, frame_sketch *out, bool *more, ds_err *e)
{
	size_t left = f->n_rows - *at;
	*more = left > 0;
	if (!left)
		return DS_OK;
	const uint64_t *w = f->words + *at;
	if (left < 2 || w[1] > UINT32_MAX || (w[1] + 1) / 2 > left - 2)
		return ds_fail(e, DS_BAD, "a damaged sketch");
	*out = (frame_sketch){ w[0], (const uint32_t *)(const void *)(w + 2), (uint32_t)w[1] };
	*at += 2 + (w[1] + 1) / 2;
	return DS_OK;
}
