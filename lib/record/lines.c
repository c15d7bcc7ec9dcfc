/*
 * lines.c - cutting input into chunks of whole records
 *
 * A chunk is about one block of bytes and ends where a record ends; where that is depends on the
 * bytes alone, never on timing or threads. What was read beyond it is carried to the next chunk.
 */
#include "record/import.h"

/* Smaller files are read: thousands of maps would cost more than copies. */
enum { PAD = 64, MAP_FROM = 4 << 20 };
/* Offsets within a chunk are 32 bits. */
static const uint64_t most_bytes = 0xFFFF0000u;

size_t ds_line_end(void *state, ds_str bytes, size_t from, bool last)
{
	const char *lf = last ? memrchr(bytes.at, '\n', bytes.n)
			      : memchr(bytes.at + from, '\n', bytes.n - from);
	return lf ? (size_t)(lf - bytes.at) + 1 : 0;
}

size_t ds_count_byte(ds_str s, char c)
{
	typedef uint8_t lanes __attribute__((vector_size(16)));
	const lanes wanted = (lanes){ 0 } + (uint8_t)c;
	size_t n = 0, i = 0;
	while (s.n - i >= sizeof(lanes)) { /* 255 steps at most, so that no lane overflows */
		lanes sum = { 0 };
		size_t stop = s.n - i < 255 * sizeof(lanes) ? s.n : i + 255 * sizeof(lanes);
		for (; stop - i >= sizeof(lanes); i += sizeof(lanes)) {
			lanes v;
			memcpy(&v, s.at + i, sizeof v);
			sum -= (lanes)(v == wanted); /* true is -1 */
		}
		for (size_t k = 0; k < sizeof(lanes); k++)
			n += sum[k];
	}
	for (; i < s.n; i++)
		n += s.at[i] == c;
	return n;
}

static uint64_t limit_of(const ds_input *in)
{
	uint64_t limit = in->common->max_record;
	return !limit || limit > most_bytes ? most_bytes : limit;
}

/* Reads n bytes to `to`, fewer only at the end. Damage is remembered: what is whole goes on first. */
static ds_rc read_on(ds_input *in, char *to, size_t n, size_t *got, ds_err *e)
{
	*got = 0;
	if (in->ended || n == 0)
		return DS_OK;
	ds_rc rc = ds_in_read(in->in, to, n, got, e);
	if (rc != DS_OK && rc != DS_SHORT)
		return rc;
	if (rc == DS_SHORT) {
		in->broken = rc;
		in->why = ds_arena_str(ds_source_mem(in->source), ds_str_of(e->msg)).at;
	}
	in->ended = rc == DS_SHORT || *got < n;
	return DS_OK;
}

/* Reads until carry has want bytes, or the input has no more. */
static ds_rc fill(ds_input *in, size_t want, ds_err *e)
{
	size_t got;
	if (in->carry.n >= want)
		return DS_OK;
	ds_buf_reserve(&in->carry, want - in->carry.n + PAD);
	DS_TRY(read_on(in, in->carry.at + in->carry.n, want - in->carry.n, &got, e));
	in->carry.n += got;
	return DS_OK;
}

static void drop_front(ds_input *in, size_t n)
{
	in->carry.n -= n;
	if (in->carry.n)
		memmove(in->carry.at, in->carry.at + n, in->carry.n);
	if (in->carry.cap > 4 * DS_BLOCK_BYTES && in->carry.n <= DS_BLOCK_BYTES) {
		ds_buf small = { 0 }; /* after a large record its room is given back */
		ds_buf_add(&small, in->carry.at, in->carry.n);
		ds_buf_free(&in->carry);
		in->carry = small;
	}
}

/*
 * The usual case: a record ends within the first block. Read straight to where the chunk will be;
 * only what is behind the last end goes through carry. *end 0: none ended, all is in carry.
 */
static ds_rc cut_block(
	ds_input *in, ds_chunk *ch, ds_record_end *find, void *state, size_t *end, ds_err *e)
{
	size_t block = ds_block_target(), got, have = in->carry.n < block ? in->carry.n : block;
	bool all = in->carry.n <= block;
	char *at = ds_arena_get(ch->mem, block + PAD);
	if (have)
		memcpy(at, in->carry.at, have);
	if (all) {
		in->carry.n = 0;
		DS_TRY(read_on(in, at + have, block - have, &got, e));
		have += got;
	}
	if (all && in->ended && !in->broken && !in->importer->ends_itself)
		*end = have;
	else
		*end = find(state, (ds_str){ at, have }, 0, true);
	if (all)
		ds_buf_add(&in->carry, at + *end, have - *end);
	else
		drop_front(in, *end);
	memset(at + *end, 0, PAD);
	ch->bytes = (ds_str){ at, *end };
	return DS_OK;
}

/* The record at the start of carry is too large: drops it up to its end. */
static ds_rc drop_large(
	ds_input *in, ds_chunk *ch, ds_record_end *find, void *state, size_t limit, ds_err *e)
{
	ds_str raw = { "", 0 };
	size_t end, from = limit + 1;
	if (in->common->on_error == DS_ON_REJECT)
		raw = ds_arena_str(ch->mem, (ds_str){ in->carry.at, limit });
	ds_fail(e, DS_BAD, "the record is larger than --max-record, %zu bytes", limit);
	DS_TRY(ds_reject(ch, in->n_records + 1, raw, e));
	while (!(end = find(state, ds_buf_view(&in->carry), from, false)) && !in->ended) {
		in->carry.n = from = 0;
		DS_TRY(fill(in, DS_BLOCK_BYTES, e));
	}
	drop_front(in, end ? end : in->carry.n);
	in->n_records++;
	ch->first_record = in->n_records + 1;
	return DS_OK;
}

/* A record larger than a block: carry grows until its end is there. */
static ds_rc cut_large(
	ds_input *in, ds_chunk *ch, ds_record_end *find, void *state, size_t *end, ds_err *e)
{
	uint64_t limit = limit_of(in);
	size_t looked = ds_block_target(), want = 2 * looked;
	for (;; want *= 2) {
		if (want > limit + 2)
			want = limit + 2;
		DS_TRY(fill(in, want, e));
		size_t have = in->carry.n < want ? in->carry.n : want;
		*end = find(state, (ds_str){ in->carry.at, have }, looked, false);
		if (*end || have < want || (in->ended && have == in->carry.n))
			break;
		looked = have;
		if (have > limit + 1)
			return drop_large(in, ch, find, state, limit, e);
	}
	if (!*end && !in->broken && !in->importer->ends_itself)
		*end = in->carry.n;
	char *at = ds_arena_get(ch->mem, *end + PAD);
	memcpy(at, in->carry.at, *end);
	memset(at + *end, 0, PAD);
	ch->bytes = (ds_str){ at, *end };
	drop_front(in, *end);
	return DS_OK;
}

ds_rc ds_cut(ds_input *in, ds_chunk *ch, ds_record_end *find, void *state, bool *more, ds_err *e)
{
	size_t end = 0;
	DS_TRY(cut_block(in, ch, find, state, &end, e));
	if (!end && in->carry.n && !(in->ended && in->carry.n <= ds_block_target()))
		DS_TRY(cut_large(in, ch, find, state, &end, e));
	*more = end || ch->bad;
	if (*more)
		return DS_OK;
	if (in->broken)
		return ds_fail(e, in->broken, "%s", in->why);
	if (in->carry.n) /* of a format whose records end themselves */
		return ds_fail(e, DS_SHORT, "%s: input ended early, within record %llu", in->name,
			(unsigned long long)in->n_records + 1);
	return DS_OK;
}

/*
 * The same for a file that is mapped: a chunk is a view into it, which saves a copy of everything
 * (14 % of an import). Threads may still read what lies less than BEHIND back.
 */
static ds_rc cut_map(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	enum { BEHIND = 16 << 20 };
	ds_str rest = { in->map.at + in->map_at, in->map.n - in->map_at };
	size_t block = ds_block_target(), n = rest.n;
	if (n > block) {
		n = ds_line_end(NULL, (ds_str){ rest.at, block }, 0, true);
		if (!n)
			n = ds_line_end(NULL, rest, block, false);
		if (!n)
			n = rest.n;
	}
	if (n > limit_of(in) + 1 && n > block) {
		ds_fail(e, DS_BAD, "the record is larger than --max-record, %llu bytes",
			(unsigned long long)limit_of(in));
		DS_TRY(ds_reject(ch, in->n_records + 1, (ds_str){ rest.at, limit_of(in) }, e));
		in->n_records++;
		ch->first_record = in->n_records + 1;
	} else {
		ch->bytes = (ds_str){ rest.at, n };
	}
	in->map_at += n;
	ch->input_bytes = n;
	*more = n > 0;
	if (in->map_at - in->map_forgotten > 2 * (size_t)BEHIND) {
		in->map_forgotten = in->map_at - BEHIND;
		ds_in_forget(in->in, in->map_forgotten);
	}
	return DS_OK;
}

ds_rc ds_cut_lines(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	if (in->importer->keeps_bytes && !in->asked_map && ds_in_file_size(in->in) >= MAP_FROM &&
		!ds_in_map(in->in, &in->map))
		in->map = (ds_str){ NULL, 0 };
	in->asked_map = true;
	if (in->map.at)
		DS_TRY(cut_map(in, ch, more, e));
	else
		DS_TRY(ds_cut(in, ch, ds_line_end, NULL, more, e));
	ch->n_records = ds_count_byte(ch->bytes, '\n');
	if (ch->bytes.n && ch->bytes.at[ch->bytes.n - 1] != '\n')
		ch->n_records++;
	in->n_records += ch->n_records;
	return DS_OK;
}

bool ds_next_line(ds_str *rest, ds_str *line)
{
	if (!rest->n)
		return false;
	const char *lf = memchr(rest->at, '\n', rest->n);
	size_t n = lf ? (size_t)(lf - rest->at) : rest->n;
	*line = (ds_str){ rest->at, n };
	rest->at += n + (lf != NULL);
	rest->n -= n + (lf != NULL);
	return true;
}

bool ds_is_blank(ds_str line)
{
	return ds_str_trim(line).n == 0;
}

bool ds_next_para(ds_str *rest, ds_str *para)
{
	ds_str line;
	do {
		if (!ds_next_line(rest, &line))
			return false;
	} while (ds_is_blank(line));
	*para = line;
	for (ds_str after = *rest; ds_next_line(&after, &line) && !ds_is_blank(line); *rest = after)
		para->n = (size_t)(line.at + line.n - para->at);
	return true;
}
