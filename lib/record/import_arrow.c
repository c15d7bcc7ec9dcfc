/*
 * import_arrow.c - Arrow IPC: streams and files of record batches, cut into stretches of rows
 *
 * A file is a stream with a magic in front and a footer behind, and is read as one; the footer must be
 * there. Plain files are mapped, of others a message is in memory at a time. Batches and dictionaries are
 * counted by those who use them and go with the last.
 */
#include "record/import.h"

#include "base/mem.h"
#include "record/arrow/values.h"

enum { MOST_MESSAGE = 256 << 20, FIRST_PIECE = 16 << 20, MOST_ROWS = 1 << 20, MOST_NESTED = 64 };
enum { H_SCHEMA = 1, H_DICTIONARY = 2, H_BATCH = 3 };

typedef struct {
	ds_arena *mem;
	ds_str map; /* at NULL: is read */
	size_t at;
	bool is_file, has_schema, ended;
	ds_ar_schema schema;
	ds_ar_columns columns;
	ds_ar_dictionary **dictionaries;
	size_t n_dictionaries;
	ds_ar_batch *batches, *now;
	int64_t row, rows_each; /* of now */
	uint64_t live, limit;
	pthread_mutex_t lock;
} file;

typedef struct { /* a chunk's own: some rows of a batch */
	ds_ar_batch *b;
	int64_t from, to;
} stretch;

typedef struct { /* a piece of the input */
	ds_str bytes;
	void *owned; /* ds_mem_free; NULL: mapped */
} piece;

static bool looks(ds_str head)
{
	uint32_t mark, n;
	if (ds_str_starts(head, DS_S("ARROW1")))
		return true;
	if (head.n < 24)
		return false;
	memcpy(&mark, head.at, 4);
	memcpy(&n, head.at + 4, 4);
	if (mark != UINT32_MAX || n % 8 || n > MOST_MESSAGE)
		return false;
	ds_flat f = ds_flat_of((ds_str){ head.at + 8, head.n - 8 < n ? head.n - 8 : n });
	return ds_flat_int(ds_flat_root(&f), 1, 1, 0) == H_SCHEMA && !f.failed;
}

static ds_rc short_of(const ds_input *in, ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "%s: input ended early, %s", in->name, what);
}

/* As much of n bytes as there is; memory grows with what really comes. */
static ds_rc read_some(ds_input *in, size_t n, piece *out, ds_err *e)
{
	size_t cap = n < FIRST_PIECE ? n : FIRST_PIECE, got;
	char *at = ds_mem_get(cap + 64);
	*out = (piece){ { at, 0 }, at };
	for (;;) {
		ds_rc rc = ds_in_read(in->in, at + out->bytes.n, cap - out->bytes.n, &got, e);
		if (rc != DS_OK) {
			ds_mem_free(at);
			out->owned = NULL;
			return rc;
		}
		out->bytes.n += got;
		if (out->bytes.n < cap || cap == n)
			return DS_OK;
		size_t more = n / 2 < cap ? n : 2 * cap;
		at = out->owned = ds_mem_grow(at, cap + 64, more + 64);
		out->bytes.at = at;
		cap = more;
	}
}

/* n bytes, or fewer at the end. */
static ds_rc take(ds_input *in, size_t n, piece *out, ds_err *e)
{
	file *x = in->state;
	*out = (piece){ { "", 0 }, NULL };
	if (!x->map.at)
		return n ? read_some(in, n, out, e) : DS_OK;
	size_t left = x->map.n - x->at;
	out->bytes = (ds_str){ x->map.at + x->at, n < left ? n : left };
	x->at += out->bytes.n;
	return DS_OK;
}

static void drop(piece *p)
{
	ds_mem_free(p->owned);
	p->owned = NULL;
}

typedef struct {
	piece head, body;
	ds_flat flat;
	ds_flat_table t; /* the header's */
	int64_t kind;
} message;

static ds_rc take_number(ds_input *in, uint32_t *out, bool *there, ds_err *e)
{
	piece p;
	DS_TRY(take(in, 4, &p, e));
	*there = p.bytes.n == 4;
	if (*there)
		memcpy(out, p.bytes.at, 4);
	bool cut = p.bytes.n && !*there;
	drop(&p);
	return cut ? short_of(in, e, "within a message") : DS_OK;
}

static ds_rc take_body(ds_input *in, message *m, int64_t n, ds_err *e)
{
	const file *x = in->state;
	if (n < 0 || m->flat.failed)
		return ds_fail(e, DS_SHORT, "%s: damaged: a message", in->name);
	if ((uint64_t)n > x->limit)
		return ds_fail(e, DS_BAD,
			"%s: a message of %lld bytes, --max-record sets the limit to %llu",
			in->name, (long long)n, (unsigned long long)x->limit);
	DS_TRY(take(in, (size_t)n, &m->body, e));
	return m->body.bytes.n == (size_t)n ? DS_OK : short_of(in, e, "within a message");
}

/* The next message; *there false at the end. */
static ds_rc take_message(ds_input *in, message *m, bool *there, ds_err *e)
{
	uint32_t n;
	*m = (message){ 0 };
	DS_TRY(take_number(in, &n, there, e));
	if (*there && n == UINT32_MAX) { /* what was before version 0.15 begins with the size */
		DS_TRY(take_number(in, &n, there, e));
		if (!*there)
			return short_of(in, e, "within a message");
	}
	*there &= n != 0;
	if (!*there)
		return DS_OK;
	if (n > MOST_MESSAGE)
		return ds_fail(e, DS_SHORT, "%s: damaged: a message's size", in->name);
	DS_TRY(take(in, n, &m->head, e));
	if (m->head.bytes.n < n)
		return short_of(in, e, "within a message");
	m->flat = ds_flat_of(m->head.bytes);
	ds_flat_table root = ds_flat_root(&m->flat);
	m->kind = ds_flat_int(root, 1, 1, 0);
	m->t = ds_flat_child(root, 2);
	return take_body(in, m, ds_flat_int(root, 3, 8, 0), e);
}

static ds_rc open_file(ds_input *in, ds_err *e)
{
	file *x = DS_NEW(file, 1);
	uint64_t most = in->how->max_record;
	ds_str head;
	in->state = x;
	x->mem = ds_arena_new(64 << 10);
	x->limit = 4 * (most > 64 << 20 ? most : 64 << 20);
	pthread_mutex_init(&x->lock, NULL);
	DS_TRY(ds_in_peek(in->in, 8, &head, e));
	if (!head.n)
		return short_of(in, e, "the file is empty");
	if (ds_str_starts(head, DS_S("FEA1")))
		return ds_fail(e, DS_BAD, "%s: Feather version 1 is not read here", in->name);
	x->is_file = ds_str_starts(head, DS_S("ARROW1"));
	if (ds_in_map(in->in, &x->map))
		in->map = x->map; /* so that it stays open */
	piece magic = { { "", 0 }, NULL };
	if (x->is_file)
		DS_TRY(take(in, 8, &magic, e));
	drop(&magic);
	return DS_OK;
}

static void close_file(ds_input *in)
{
	file *x = in->state;
	if (!x)
		return;
	for (ds_ar_batch *b = x->batches, *next; b; b = next) {
		next = b->next;
		ds_ar_batch_free(b);
	}
	for (size_t i = 0; i < x->n_dictionaries; i++)
		ds_ar_dictionary_drop(x->dictionaries[i]);
	ds_mem_free(x->dictionaries);
	pthread_mutex_destroy(&x->lock);
	ds_arena_free(x->mem);
	ds_mem_free(x);
}

/* What follows the last message: nothing, or a file's footer and its magic. */
static ds_rc take_end(ds_input *in, ds_err *e)
{
	const file *x = in->state;
	char last[6] = { 0 };
	bool any = false;
	piece p;
	do {
		DS_TRY(take(in, 64 << 10, &p, e));
		size_t n = p.bytes.n, k = n < sizeof(last) ? n : sizeof(last);
		any |= n != 0;
		memmove(last, last + k, sizeof(last) - k);
		memcpy(last + sizeof(last) - k, p.bytes.at + n - k, k);
		bool more = n == 64 << 10;
		drop(&p);
		if (!more)
			break;
	} while (true);
	if (x->is_file && memcmp(last, "ARROW1", 6) != 0)
		return short_of(in, e, "it has no footer");
	if (!x->is_file && any)
		return ds_fail(
			e, DS_SHORT, "%s: damaged: something follows the stream's end", in->name);
	return DS_OK;
}

static ds_rc use_schema(ds_input *in, message *m, ds_err *e)
{
	file *x = in->state;
	if (x->has_schema)
		return ds_fail(e, DS_SHORT, "%s: damaged: two schemas", in->name);
	x->has_schema = true;
	DS_TRY_AT(ds_ar_read_schema(&x->schema, m->t, x->mem, e), e, "%s", in->name);
	DS_TRY_AT(ds_ar_choose(&x->columns, &x->schema, in->how, x->mem, e), e, "%s", in->name);
	drop(&m->head);
	drop(&m->body);
	return DS_OK;
}

/* A batch over what a message has, with those dictionaries of this moment that its fields use. */
static ds_rc new_batch(ds_input *in, message *m, ds_flat_table t, const ds_ar_field *fields,
	ds_ar_batch **out, ds_err *e)
{
	file *x = in->state;
	void *owned[2] = { m->head.owned, m->body.owned };
	m->head.owned = m->body.owned = NULL;
	*out = NULL;
	ds_rc rc = ds_ar_batch_open(out, fields, m->flat, t, m->body.bytes, owned, e);
	ds_ar_batch *b = *out;
	b->live = &x->live;
	b->limit = x->limit;
	b->dictionaries = ds_arena_get(b->mem, (x->n_dictionaries + 1) * sizeof(*b->dictionaries));
	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < x->n_dictionaries; i++)
		if (ds_ar_find_dictionary(fields, x->dictionaries[i]->id)) {
			b->dictionaries[b->n_dictionaries++] = x->dictionaries[i];
			x->dictionaries[i]->refs++;
		}
	pthread_mutex_unlock(&x->lock);
	return rc;
}

static ds_ar_dictionary **place_of(file *x, int64_t id)
{
	for (size_t i = 0; i < x->n_dictionaries; i++)
		if (x->dictionaries[i]->id == id)
			return &x->dictionaries[i];
	size_t n = x->n_dictionaries;
	x->dictionaries = ds_mem_grow(
		x->dictionaries, n * sizeof(*x->dictionaries), (n + 1) * sizeof(*x->dictionaries));
	x->dictionaries[n] = NULL;
	return &x->dictionaries[x->n_dictionaries++];
}

static ds_rc use_dictionary(ds_input *in, message *m, ds_err *e)
{
	file *x = in->state;
	int64_t id = ds_flat_int(m->t, 0, 8, 0);
	bool delta = ds_flat_int(m->t, 2, 1, 0);
	const ds_ar_field *f = ds_ar_find_dictionary(x->schema.first, id);
	ds_ar_batch *b;
	if (!f)
		return ds_fail(e, DS_SHORT, "%s: damaged: dictionary %lld belongs to no field",
			in->name, (long long)id);
	ds_rc rc = new_batch(in, m, ds_flat_child(m->t, 1), f->values, &b, e);
	if (rc == DS_OK)
		rc = ds_ar_batch_ready(b, e);
	if (rc != DS_OK) {
		pthread_mutex_lock(&x->lock);
		ds_ar_batch_free(b);
		pthread_mutex_unlock(&x->lock);
		return ds_at(e, rc, "%s: dictionary %lld", in->name, (long long)id);
	}
	ds_ar_dictionary *d = DS_NEW(ds_ar_dictionary, 1);
	*d = (ds_ar_dictionary){ .id = id, .refs = 1, .batch = b, .values = b->arrays };
	for (size_t i = 0; i < b->n_dictionaries; i++)
		if (b->dictionaries[i]->depth >= d->depth)
			d->depth = b->dictionaries[i]->depth + 1;
	pthread_mutex_lock(&x->lock);
	ds_ar_dictionary **at = place_of(x, id);
	if (delta && *at) {
		d->before = *at; /* its reference */
		d->n_before = d->before->n_before + d->before->values->n;
	} else {
		ds_ar_dictionary_drop(*at);
	}
	*at = d;
	pthread_mutex_unlock(&x->lock);
	if (d->depth > MOST_NESTED) /* so that letting one go is no deep recursion */
		return ds_fail(e, DS_BAD, "%s: dictionaries of dictionaries, too deeply", in->name);
	return DS_OK;
}

static void batch_done(file *x, const stretch *s)
{
	ds_ar_batch **at = &x->batches, *b = s->b;
	pthread_mutex_lock(&x->lock);
	b->left -= (uint64_t)(s->to - s->from);
	bool last = b->left == 0;
	while (last && *at != b)
		at = &(*at)->next;
	if (last) {
		*at = b->next;
		ds_ar_batch_free(b);
	}
	pthread_mutex_unlock(&x->lock);
}

static void choose_rows(file *x, const ds_ar_batch *b)
{
	double bytes = (double)b->body.n / (double)b->n_rows * (b->codec >= 0 ? 3 : 1) + 1;
	for (const ds_ar_field *f = b->fields; f; f = f->next) {
		const ds_ar_dictionary *d =
			f->encoded ? ds_ar_batch_dictionary(b, f->dictionary) : NULL;
		if (d && d->values->n)
			bytes += (double)d->batch->body.n / (double)d->values->n;
	}
	double rows = (double)ds_block_target() / bytes;
	x->rows_each = rows < 1 ? 1 : rows > MOST_ROWS ? MOST_ROWS : (int64_t)rows;
}

static ds_rc use_batch(ds_input *in, message *m, ds_err *e)
{
	file *x = in->state;
	ds_ar_batch *b;
	ds_rc rc = new_batch(in, m, m->t, x->schema.first, &b, e);
	pthread_mutex_lock(&x->lock);
	b->next = x->batches;
	x->batches = b;
	pthread_mutex_unlock(&x->lock);
	if (rc != DS_OK)
		return ds_at(e, rc, "%s", in->name);
	if (!b->n_rows) {
		batch_done(x, &(stretch){ b, 0, 0 });
		return DS_OK;
	}
	if (!x->schema.n)
		return ds_fail(e, DS_BAD, "%s: has rows but no fields", in->name);
	choose_rows(x, b);
	if (x->map.at) /* what threads still look into is read again */
		ds_in_forget(in->in, (uint64_t)(b->body.at - x->map.at));
	x->now = b;
	x->row = 0;
	return DS_OK;
}

static ds_rc use_message(ds_input *in, message *m, ds_err *e)
{
	const file *x = in->state;
	if (m->kind == H_SCHEMA)
		return use_schema(in, m, e);
	if (!x->has_schema)
		return ds_fail(
			e, DS_BAD, "%s: is not an Arrow stream: no schema comes first", in->name);
	if (m->kind == H_DICTIONARY)
		return use_dictionary(in, m, e);
	if (m->kind == H_BATCH)
		return use_batch(in, m, e);
	return ds_fail(e, DS_BAD, "%s: a message of kind %lld is not known here", in->name,
		(long long)m->kind);
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	file *x = in->state;
	while (!x->now && !x->ended) {
		message m;
		bool there = false;
		ds_rc rc = take_message(in, &m, &there, e);
		if (rc == DS_OK && there)
			rc = use_message(in, &m, e);
		drop(&m.head);
		drop(&m.body);
		DS_TRY(rc);
		x->ended = !there;
		if (x->ended && !x->has_schema)
			return short_of(in, e, "it has no schema");
		if (x->ended)
			DS_TRY(take_end(in, e));
	}
	*more = x->now != NULL;
	if (!*more)
		return DS_OK;
	ds_ar_batch *b = x->now;
	int64_t left = b->n_rows - x->row, n = x->rows_each < left ? x->rows_each : left;
	stretch *s = ds_arena_get(ch->mem, sizeof(*s));
	*s = (stretch){ b, x->row, x->row + n };
	ch->own = s;
	ch->n_records = (uint64_t)n;
	ch->input_bytes = (uint64_t)((double)b->body.n * (double)n / (double)b->n_rows) + 1;
	in->n_records += (uint64_t)n;
	x->row += n;
	if (n == left)
		x->now = NULL;
	return DS_OK;
}

/* Under --salvage and --on-error the rows of a damaged batch are lost, and no others. */
static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	file *x = ch->input->state;
	const stretch *s = ch->own;
	ds_rc rc = ds_ar_batch_ready(s->b, e);
	if (rc == DS_OK)
		rc = ds_ar_make_block(&x->columns, s->b, s->from, s->to, ch->mem, out, e);
	if (rc != DS_OK)
		ds_at(e, rc, "%s: record %llu", ch->input->name,
			(unsigned long long)ch->first_record);
	if (rc == DS_SHORT && ds_goes_on(ch->input->how)) {
		ds_source_damaged(ch->input, e->msg, ch->input_bytes);
		*out = ds_block_new(ch->mem, 0);
		rc = DS_OK;
	}
	batch_done(x, s);
	return rc;
}

const ds_importer ds_import_arrow = {
	.name = "arrow",
	.what = "Arrow IPC streams and files, a row a record",
	.suffixes = ".arrow .arrows .ipc .feather",
	.magic = looks,
	.open = open_file,
	.cut = cut,
	.parse = parse,
	.close = close_file,
};
