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

size_t ds_last_line_end(void *state, ds_str bytes)
{
	const char *lf = bytes.n ? memrchr(bytes.at, '\n', bytes.n) : NULL;
	return lf ? (size_t)(lf - bytes.at) + 1 : 0;
}

size_t ds_line_walk(void *state, ds_str bytes, bool first, bool *ended)
{
	const char *lf = bytes.n ? memchr(bytes.at, '\n', bytes.n) : NULL;
	*ended = lf != NULL;
	return lf ? (size_t)(lf - bytes.at) + 1 : bytes.n;
}

static const ds_ends line_ends = { ds_last_line_end, ds_line_walk, false };

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
			memcpy(&v, s.at + i, sizeof(v));
			sum -= (lanes)(v == wanted); /* true is -1 */
		}
		for (size_t k = 0; k < sizeof(lanes); k++)
			n += sum[k];
	}
	for (; i < s.n; i++)
		n += s.at[i] == c;
	return n;
}

/*
 * What is read of a record before it is dropped unparsed. Up to here it goes to parse, which knows where
 * a record begins and ends exactly, and so judges, names and rejects it as it does a small one.
 */
static size_t most_of(const ds_input *in)
{
	uint64_t limit = in->how->max_record, slack = 64 * (uint64_t)ds_block_target();
	return !limit || limit > most_bytes - slack ? most_bytes : (size_t)(limit + slack);
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
	ds_input *in, ds_chunk *ch, const ds_ends *ends, void *state, size_t *end, ds_err *e)
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
		*end = ends->last(state, (ds_str){ at, have });
	if (all)
		ds_buf_add(&in->carry, at + *end, have - *end);
	else
		drop_front(in, *end);
	memset(at + *end, 0, PAD);
	ch->bytes = (ds_str){ at, *end };
	return DS_OK;
}

typedef struct { /* a record that is being dropped */
	ds_chunk *ch;
	ds_buf *raw; /* its first bytes, where it is kept */
	uint64_t bytes, lines;
	char last; /* of the bytes: not kept yet, for a line's end does not belong to it */
} dropped;

static ds_rc keep(dropped *d, ds_str s, size_t most, ds_err *e)
{
	size_t taken = d->raw->n < most ? most - d->raw->n : 0;
	if (taken > s.n)
		taken = s.n;
	ds_buf_add(d->raw, s.at, taken);
	if (taken == s.n)
		return DS_OK;
	return ds_spill_add(d->ch, (ds_str){ s.at + taken, s.n - taken }, e);
}

static ds_rc drop_piece(dropped *d, ds_str s, size_t most, ds_err *e)
{
	if (!s.n)
		return DS_OK;
	if (d->raw && d->bytes)
		DS_TRY(keep(d, (ds_str){ &d->last, 1 }, most, e));
	if (d->raw)
		DS_TRY(keep(d, (ds_str){ s.at, s.n - 1 }, most, e));
	d->last = s.at[s.n - 1];
	d->bytes += s.n;
	d->lines += ds_count_byte(s, '\n');
	return DS_OK;
}

/* Walks to the record's end and no further, so that its neighbours stay what they were. */
static ds_rc walk_large(
	ds_input *in, dropped *d, const ds_ends *ends, void *state, bool *over, ds_err *e)
{
	bool first = true, ended = false, stops = in->how->on_error == DS_ON_STOP;
	size_t most = most_of(in);
	*over = false;
	for (;;) {
		size_t n = ends->walk(state, ds_buf_view(&in->carry), first, &ended);
		first = false;
		DS_TRY(drop_piece(d, (ds_str){ in->carry.at, n }, most, e));
		drop_front(in, n);
		/* Nothing comes after it, so that its size need not be known: it may have no end. */
		*over = stops && !ended && d->bytes > 2 * (uint64_t)most;
		if (ended || *over)
			return DS_OK;
		if (in->ended)
			break;
		DS_TRY(fill(in, in->carry.n + DS_BLOCK_BYTES, e));
	}
	DS_TRY(drop_piece(d, ds_buf_view(&in->carry), most, e));
	in->carry.n = 0;
	if (in->importer->ends_itself && !in->broken) {
		in->broken = DS_SHORT;
		in->why = ds_arena_fmt(ds_source_mem(in->source),
			"%s: input ended early, within record %llu", in->name,
			(unsigned long long)in->n_records + 1)
				  .at;
	}
	return DS_OK;
}

/* The record at the start of carry is far too large to be parsed. */
static ds_rc drop_large(ds_input *in, ds_chunk *ch, const ds_ends *ends, void *state, ds_err *e)
{
	ds_buf raw = { 0 };
	dropped d = { .ch = ch, .raw = in->how->on_error == DS_ON_REJECT ? &raw : NULL };
	bool over;
	ds_rc rc = walk_large(in, &d, ends, state, &over, e);
	bool by_line = ends->last == ds_last_line_end && d.last == '\n';
	if (rc == DS_OK && d.raw && !by_line)
		rc = keep(&d, (ds_str){ &d.last, 1 }, most_of(in), e);
	ds_str kept = ds_arena_str(ch->mem, ds_buf_view(&raw));
	ds_buf_free(&raw);
	DS_TRY(rc);
	ds_fail(e, DS_BAD, "%s%llu bytes, the limit is %llu (--max-record)", over ? "over " : "",
		(unsigned long long)(d.bytes - by_line), (unsigned long long)in->how->max_record);
	DS_TRY(ds_reject(ch, in->n_records + 1, kept, e));
	in->n_records += !ends->counts_lines ? 1 : d.lines + (d.last != '\n');
	ch->first_record = in->n_records + 1;
	return DS_OK;
}

/* A record larger than a block: carry grows until its end is there. */
static ds_rc cut_large(
	ds_input *in, ds_chunk *ch, const ds_ends *ends, void *state, size_t *end, ds_err *e)
{
	size_t most = most_of(in), walked = 0;
	bool ended = false;
	for (bool first = true; !ended; first = false) {
		size_t have = in->carry.n;
		walked += ends->walk(
			state, (ds_str){ in->carry.at + walked, have - walked }, first, &ended);
		if (ended || in->ended)
			break;
		if (have > most)
			return drop_large(in, ch, ends, state, e);
		size_t want = have > DS_BLOCK_BYTES ? 2 * have : have + DS_BLOCK_BYTES;
		DS_TRY(fill(in, want > most ? most + 1 : want, e));
	}
	if (ended)
		*end = walked;
	else if (!in->broken && !in->importer->ends_itself)
		*end = in->carry.n;
	if (*end > most_bytes) /* more than a chunk can hold */
		return *end = 0, drop_large(in, ch, ends, state, e);
	char *at = ds_arena_get(ch->mem, *end + PAD);
	if (*end)
		memcpy(at, in->carry.at, *end);
	memset(at + *end, 0, PAD);
	ch->bytes = (ds_str){ at, *end };
	drop_front(in, *end);
	return DS_OK;
}

ds_rc ds_cut(ds_input *in, ds_chunk *ch, const ds_ends *ends, void *state, bool *more, ds_err *e)
{
	size_t end = 0;
	DS_TRY(cut_block(in, ch, ends, state, &end, e));
	if (!end && in->carry.n && !(in->ended && in->carry.n <= ds_block_target()))
		DS_TRY(cut_large(in, ch, ends, state, &end, e));
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
		bool ended;
		n = ds_last_line_end(NULL, (ds_str){ rest.at, block });
		if (!n)
			n = block + ds_line_walk(NULL, (ds_str){ rest.at + block, rest.n - block },
					    false, &ended);
	}
	if (n > most_bytes) { /* more than a chunk can hold */
		size_t bare = n - (rest.at[n - 1] == '\n');
		ds_fail(e, DS_BAD, "%zu bytes, the limit is %zu", bare, (size_t)most_bytes);
		DS_TRY(ds_reject(ch, in->n_records + 1, (ds_str){ rest.at, bare }, e));
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
		DS_TRY(ds_cut(in, ch, &line_ends, NULL, more, e));
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
