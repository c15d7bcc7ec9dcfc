/*
 * import_tar.c - WebDataset: neighbouring files of one key are a record
 *
 * The key is the path up to the first dot of its last part and becomes `id`; what follows the dot
 * says what a file is: .txt `text`, a picture's suffix `image`, .cls `label`, .json fields, and any
 * other a field of that name with its bytes. Keys that come again later are records of their own, and
 * are named.
 */
#include "record/import.h"
#include "record/json_columns.h"

#include "base/hash.h"
#include "base/progress.h"
#include "record/block_impl.h"
#include "record/export.h"
#include "json/json.h"
#include "record/keyset.h"
#include "record/tar.h"

/* Of more keys than these none is remembered: 32 MiB. */
enum { MOST_KEYS = 1 << 20 };

typedef struct {
	bool after_end; /* what was taken last is an end mark */
	bool done;      /* what follows it is no archive */
	size_t missing; /* of an entry of a large record that is walked over */
	bool has_key;
	ds_h128 key;    /* hash of its key */
	ds_keyset keys; /* of the records so far */
	uint64_t n_again;
	ds_str again; /* the first key that came again */
} cutter;

static ds_str key_of(ds_str name)
{
	const char *slash = name.n ? memrchr(name.at, '/', name.n) : NULL;
	size_t from = slash ? (size_t)(slash + 1 - name.at) : 0;
	const char *dot = memchr(name.at + from, '.', name.n - from);
	return (ds_str){ name.at, dot ? (size_t)(dot - name.at) : name.n };
}

static ds_str suffix_of(ds_str name, ds_str key)
{
	size_t n = key.n < name.n ? key.n + 1 : key.n;
	return (ds_str){ name.at + n, name.n - n };
}

/*
 * A record ends where an entry of another key begins, or an end mark. Archives are written one after
 * another, so what follows the mark is read on.
 */
static size_t last_record(void *state, ds_str bytes)
{
	cutter *x = state;
	ds_tar_entry entry;
	char key_buffer[sizeof(entry.small)];
	ds_str key = { NULL, 0 };
	size_t end = 0, at = 0;
	bool after_end = x->after_end, mark = false; /* mark: one stands before end */
	for (;; at += entry.total) {
		ds_tar_next((ds_str){ bytes.at + at, bytes.n - at }, &entry);
		if (entry.kind == DS_TAR_PART)
			break;
		if (entry.kind == DS_TAR_BROKEN) {
			x->done = after_end;
			mark = after_end;
			end = at ? at : bytes.n;
			break;
		}
		if (entry.kind == DS_TAR_END) {
			end = at + entry.total;
			after_end = mark = true;
			key.at = NULL;
			continue;
		}
		after_end = false;
		if (entry.kind != DS_TAR_FILE)
			continue;
		ds_str now = key_of(entry.name);
		if (key.at && !ds_str_eq(now, key)) {
			end = at;
			mark = false;
		}
		if (entry.name.at == entry.small) {
			memcpy(key_buffer, now.at, now.n);
			now.at = key_buffer;
		}
		key = now;
	}
	if (end)
		x->after_end = mark;
	return end;
}

/* Whether the entry is of the record that is walked over; the first file gives its key. */
static bool belongs(cutter *x, const ds_tar_entry *entry)
{
	ds_str key = key_of(entry->name);
	ds_h128 hash = ds_hash128(key.at, key.n);
	bool same = !x->has_key || memcmp(&hash, &x->key, sizeof(hash)) == 0;
	x->after_end = false;
	x->key = x->has_key ? x->key : hash;
	x->has_key = true;
	return same;
}

static size_t walk(void *state, ds_str bytes, bool first, bool *ended)
{
	cutter *x = state;
	ds_tar_entry entry;
	size_t at;
	*ended = false;
	if (first) {
		x->missing = 0;
		x->has_key = false;
	}
	at = x->missing < bytes.n ? x->missing : bytes.n;
	x->missing -= at;
	while (at < bytes.n) {
		ds_tar_next((ds_str){ bytes.at + at, bytes.n - at }, &entry);
		if (entry.kind == DS_TAR_PART && !entry.named)
			return at;
		if (entry.kind == DS_TAR_END && !x->has_key) {
			x->after_end = *ended = true; /* a chunk without records */
			return at + entry.total;
		}
		if (entry.kind == DS_TAR_END || entry.kind == DS_TAR_BROKEN) {
			*ended = true;
			x->done = !x->has_key && x->after_end;
			return x->has_key ? at : bytes.n;
		}
		if (entry.is_file && !belongs(x, &entry)) {
			*ended = true;
			return at;
		}
		if (entry.total > bytes.n - at) {
			x->missing = entry.total - (bytes.n - at);
			return bytes.n;
		}
		at += entry.total;
	}
	return at;
}

static const ds_ends ends = { last_record, walk, false };

static ds_rc open_file(ds_input *in, ds_err *e)
{
	in->state = ds_arena_zero(ds_source_mem(in->source), sizeof(cutter));
	return DS_OK;
}

static void close_file(ds_input *in)
{
	cutter *x = in->state;
	if (x)
		ds_keyset_free(&x->keys);
}

/* What was left behind the last archive, and keys that are not neighbours: said once, at the end. */
static void tell(const ds_input *in, const cutter *x)
{
	if (x->done)
		ds_warn(in->how->who, "%s: what follows the archive's end is no archive", in->name);
	if (x->n_again)
		ds_warn(in->how->who,
			"%s: %llu key%s again behind other keys, the first is '%.*s': only "
			"neighbouring files are one record",
			in->name, (unsigned long long)x->n_again,
			x->n_again == 1 ? " comes" : "s come", DS_FMT(x->again));
}

/* Whatever it is, it has no part in this. */
static ds_rc drain(ds_input *in, ds_chunk *ch, ds_err *e)
{
	char *piece = ds_arena_get(ch->mem, 64 << 10);
	size_t got = in->ended ? 0 : 1;
	in->carry.n = 0;
	while (got)
		DS_TRY(ds_in_read(in->in, piece, 64 << 10, &got, e));
	in->ended = true;
	tell(in, in->state);
	return DS_OK;
}

static void remember(ds_input *in, ds_str key)
{
	cutter *x = in->state;
	if (x->keys.n >= MOST_KEYS || ds_keyset_add(&x->keys, key))
		return;
	if (!x->n_again++)
		x->again = ds_arena_str(ds_source_mem(in->source), key);
}

static uint64_t count_keys(ds_input *in, ds_str rest, bool *broken)
{
	ds_tar_entry entry;
	ds_str key = { NULL, 0 };
	char key_buffer[sizeof(entry.small)];
	uint64_t n = 0;
	for (; rest.n; rest = (ds_str){ rest.at + entry.total, rest.n - entry.total }) {
		ds_tar_next(rest, &entry);
		*broken = entry.kind == DS_TAR_BROKEN;
		if (entry.kind == DS_TAR_PART || entry.kind == DS_TAR_BROKEN)
			break;
		if (entry.kind == DS_TAR_END)
			key.at = NULL;
		if (entry.kind != DS_TAR_FILE)
			continue;
		ds_str now = key_of(entry.name);
		if (!key.at || !ds_str_eq(key, now)) {
			n++;
			remember(in, now);
		}
		if (entry.name.at == entry.small) {
			memcpy(key_buffer, now.at, now.n);
			now.at = key_buffer;
		}
		key = now;
	}
	return n;
}

static bool all_zero(ds_str s)
{
	return s.n < DS_TAR_BLOCK && ds_count_byte(s, 0) == s.n;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	cutter *x = in->state;
	bool broken = false;
	*more = false;
	if (x->done)
		return drain(in, ch, e);
	ds_rc rc = ds_cut(in, ch, &ends, x, more, e);
	/* Less than a block of zeros behind the end. */
	if (rc == DS_SHORT && x->after_end && !in->broken && all_zero(ds_buf_view(&in->carry)))
		rc = DS_OK;
	DS_TRY(rc);
	if (!*more && !x->after_end)
		return ds_fail(
			e, DS_SHORT, "%s: input ended early, the archive has no end", in->name);
	if (!*more) {
		tell(in, x);
		return DS_OK;
	}
	ch->n_records = count_keys(in, ch->bytes, &broken);
	in->n_records += ch->n_records;
	if (broken && !x->done)
		return ds_fail(e, DS_SHORT, "%s: damaged: no tar header behind record %llu",
			in->name, (unsigned long long)in->n_records);
	return DS_OK;
}

typedef struct { /* one file of a record that becomes a field of bytes or text */
	ds_str field, bytes;
	size_t record; /* index into records */
} part;

typedef struct {
	ds_str key, raw;        /* raw: its entries in the archive */
	size_t json_at, json_n; /* its line in work.json */
	const char *why;        /* what is wrong with it, or NULL */
} record;

typedef struct {
	ds_chunk *ch;
	ds_text json; /* an object a record: the members of .json, the id and the label */
	record *records;
	size_t n, n_parts;
	part *parts;
} work;

static bool is_picture(ds_str suffix)
{
	static const char *const known[] = { "png", "jpg", "jpeg", "gif", "bmp", "webp", "ppm",
		"pgm" };
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (ds_str_is(suffix, known[i]))
			return true;
	return false;
}

static ds_str lower(ds_arena *mem, ds_str s)
{
	char *at = ds_arena_bytes(mem, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		at[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] | 32) : s.at[i];
	return (ds_str){ at, s.n };
}

static void add_label(ds_text *t, ds_str text)
{
	int64_t number;
	uint64_t unused = 0;
	text = ds_str_trim(text);
	ds_text_add(t, ",\"label\":", 9);
	if (ds_str_i64(text, &number) && text.at[0] != '+')
		ds_text_i64(t, number);
	else
		ds_text_json_str(t, text, &unused);
}

/* Members of the .json file behind what is there already; its own id counts. */
static const char *add_members(work *w, ds_str json, bool *has_id)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	const ds_json *v;
	ds_err unused;
	if (ds_json_parse(&v, mem, json, &unused) != DS_OK || v->kind != DS_J_OBJ)
		return "its .json is not an object";
	*has_id = ds_json_get(v, "id") != NULL;
	json = ds_str_trim(json);
	const char *open = memchr(json.at, '{', json.n);
	if (!v->n || !open)
		return NULL;
	ds_text_byte(&w->json, ',');
	ds_text_add(&w->json, open + 1, (size_t)(json.at + json.n - 1 - (open + 1)));
	return NULL;
}

static const char *add_file(work *w, record *r, const ds_tar_entry *entry, bool *has_id)
{
	ds_str suffix = lower(w->ch->mem, suffix_of(entry->name, key_of(entry->name))),
	       field = suffix;
	if (ds_str_is(suffix, "json"))
		return add_members(w, entry->bytes, has_id);
	if (ds_str_is(suffix, "cls")) {
		add_label(&w->json, entry->bytes);
		return NULL;
	}
	if (ds_str_is(suffix, "txt"))
		field = ds_str_of(w->ch->input->how->field.column);
	else if (is_picture(suffix))
		field = DS_S("image");
	if (!field.n)
		return "a file without a suffix";
	size_t index = (size_t)(r - w->records);
	for (size_t i = w->n_parts; i-- && w->parts[i].record == index;)
		if (ds_str_eq(w->parts[i].field, field))
			return "two files for one field";
	w->parts[w->n_parts++] = (part){ field, entry->bytes, index };
	return NULL;
}

/* The entries of one key from *rest on. */
static void add_record(work *w, ds_str *rest, const ds_tar_entry *first)
{
	record *r = &w->records[w->n++];
	ds_tar_entry entry = *first;
	const char *start = rest->at;
	bool has_id = false;
	uint64_t unused = 0;
	if (entry.name.at == first->small)
		entry.name.at = entry.small;
	*r = (record){ .key = ds_arena_str(w->ch->mem, key_of(entry.name)), .json_at = w->json.n };
	do {
		const char *why =
			entry.kind == DS_TAR_FILE ? add_file(w, r, &entry, &has_id) : NULL;
		r->why = r->why ? r->why : why;
		*rest = (ds_str){ rest->at + entry.total, rest->n - entry.total };
		ds_tar_next(*rest, &entry);
	} while (entry.kind == DS_TAR_OTHER ||
		 (entry.kind == DS_TAR_FILE && ds_str_eq(key_of(entry.name), r->key)));
	r->raw = (ds_str){ start, (size_t)(rest->at - start) };
	if (!has_id) {
		ds_text_add(&w->json, ",\"id\":", 6);
		ds_text_json_str(&w->json, r->key, &unused);
	}
	w->json.at[r->json_at] = '{'; /* in the place of the first comma */
	ds_text_byte(&w->json, '}');
	r->json_n = w->json.n - r->json_at;
}

static void read_all(work *w)
{
	ds_str rest = w->ch->bytes;
	ds_tar_entry entry;
	for (;;) {
		ds_tar_next(rest, &entry);
		if (entry.kind == DS_TAR_FILE)
			add_record(w, &rest, &entry);
		else if (entry.kind == DS_TAR_OTHER || entry.kind == DS_TAR_END)
			rest = (ds_str){ rest.at + entry.total, rest.n - entry.total };
		else
			return;
	}
}

/* Checks each record; rows[i] becomes its row, or SIZE_MAX. */
static ds_rc choose(work *w, ds_json_columns *columns, size_t *rows, ds_good_rows *kept, ds_err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		record *r = &w->records[i];
		uint64_t number = w->ch->first_record + i;
		ds_json_scan s = {
			.text = w->json.at, .at = r->json_at, .end = r->json_at + r->json_n
		};
		bool fits;
		rows[i] = SIZE_MAX;
		DS_TRY(ds_check_record(w->ch, number, r->raw, &fits, e));
		if (!fits)
			continue;
		if (!r->why && ds_json_columns_add(columns, &s)) {
			rows[i] = ds_json_columns_rows(columns) - 1;
			ds_good_rows_add(kept, w->ch->mem, i);
			continue;
		}
		ds_fail(e, DS_BAD, "key '%.*s': %s%s%.*s", DS_FMT(r->key), r->why ? r->why : s.why,
			s.key.n ? " " : "", DS_FMT(s.key));
		DS_TRY(ds_reject(w->ch, number, r->raw, e));
	}
	return DS_OK;
}

/* The column of parts[first]'s field; the parts it takes lose their field's name. */
static ds_rc put_field(work *w, ds_block *b, size_t first, const size_t *rows, ds_err *e)
{
	ds_str field = w->parts[first].field;
	bool is_text = ds_str_is(field, w->ch->input->how->field.column);
	ds_colb *col = ds_colb_new_n(b, field, is_text ? DS_T_UTF8 : DS_T_BYTES);
	ds_col *json = ds_block_find_str(b, field), said;
	uint32_t row = 0;
	if (json)
		said = *json;
	for (size_t i = first; i < w->n_parts; i++) {
		part *p = &w->parts[i];
		if (!ds_str_eq(p->field, field))
			continue;
		p->field.n = 0;
		if (rows[p->record] == SIZE_MAX)
			continue;
		for (; row < rows[p->record]; row++)
			ds_colb_absent(col);
		ds_colb_bytes(col, p->bytes);
		row++;
	}
	for (; row < b->n_rows; row++)
		ds_colb_absent(col);
	DS_TRY(ds_colb_put(col, e));
	return json ? ds_fill_column(b, &said, e) : DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	size_t most = ch->bytes.n / DS_TAR_BLOCK + 1;
	work w = { .ch = ch, .json = ds_text_new(ch->mem, ch->bytes.n / 8) };
	ds_good_rows kept = { 0 };
	uint64_t lone = 0;
	w.records = ds_arena_get(ch->mem, most * sizeof(*w.records));
	w.parts = ds_arena_get(ch->mem, most * sizeof(*w.parts));
	size_t *rows = ds_arena_get(ch->mem, most * sizeof(*rows));
	read_all(&w);
	DS_AUTO(ds_json_columns) columns = ds_json_columns_new(ch->mem, w.json.at, w.n);
	DS_TRY(choose(&w, columns, rows, &kept, e));
	DS_TRY(ds_json_columns_finish(columns, out, &lone, e));
	(*out)->row_of = kept.row_of;
	ds_source_count_lone(ch->input->source, lone);
	for (size_t i = 0; i < w.n_parts; i++)
		if (w.parts[i].field.n)
			DS_TRY(put_field(&w, *out, i, rows, e));
	return DS_OK;
}

static bool looks(ds_str head)
{
	return head.n > 262 && memcmp(head.at + 257, "ustar", 5) == 0;
}

const ds_importer ds_import_tar = {
	.name = "tar",
	.what = "WebDataset, neighbouring files of one key a record",
	.suffixes = ".tar",
	.ends_itself = true,
	.magic = looks,
	.open = open_file,
	.cut = cut,
	.parse = parse,
	.close = close_file,
};
