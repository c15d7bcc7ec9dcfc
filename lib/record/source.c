/*
 * source.c - operands, one after another, as numbered chunks
 *
 * Files of which each is a record are gathered, by their sizes, until they make a block; any other
 * file ends its last chunk. One thread at a time calls everything here except ds_chunk_parse and what
 * importers take from the source meanwhile, which is behind the lock.
 */
#include "record/source.h"

#include "base/charset.h"
#include "base/io.h"
#include "base/mem.h"
#include "record/command.h"
#include "record/import.h"
#include "record/parts.h"
#include "record/walk.h"

#include <pthread.h>

struct ds_source {
	const ds_input_opts *how;
	ds_walk *walk;
	ds_arena *mem;
	ds_input **inputs; /* all that were opened; parsing may still need any of them */
	size_t n_inputs, cap_inputs;
	ds_input *now; /* being cut, or NULL */
	char *path;    /* the file after it, looked up already, or NULL */
	uint64_t path_bytes;
	bool walked;
	ds_command *exec; /* --exec: the only input then */
	ds_in *given;     /* bytes in memory, likewise */
	uint64_t n_records;
	uint32_t saw;
	ds_reader **readers;
	size_t n_readers, cap_readers;
	ds_chain **chains; /* of inputs that are no streams */
	size_t n_chains, cap_chains;
	ds_out *rejects; /* of ds_source_next */
	ds_out *lent;    /* the same, somebody else's; NULL: none */
	uint64_t n_bad;  /* the same */
	pthread_mutex_t lock;
	ds_json_index **free_indexes;
	size_t n_free, cap_free;
	ds_spill **spills;
	size_t n_spills, cap_spills;
	uint64_t lone;
	uint64_t passed[DS_PASSED_KINDS];
	uint64_t n_damaged, lost_bytes; /* inputs that are no streams */
	char *damage;                   /* of the first of them, in byte order */
	ds_opt *opts; /* of all readers; a new list where it has changed, old ones stay */
	size_t n_opts, n_reader_opts;
};

static void *grown(void *at, size_t n, size_t *cap, size_t bytes)
{
	if (n < *cap)
		return at;
	size_t more = *cap ? *cap * 2 : 16;
	at = ds_mem_grow(at, *cap * bytes, more * bytes);
	*cap = more;
	return at;
}

static ds_rc look_ahead(ds_source *s, ds_err *e)
{
	const char *path;
	if (s->path || s->walked)
		return DS_OK;
	DS_TRY(ds_walk_next(s->walk, &path, &s->path_bytes, e));
	s->walked = !path;
	s->path = path ? ds_mem_text(path) : NULL;
	return DS_OK;
}

static void saw(ds_source *s, const ds_importer *im)
{
	for (size_t i = 0; ds_importers[i]; i++)
		if (ds_importers[i] == im)
			s->saw |= 1u << i;
}

static ds_input *new_input(ds_source *s, const char *name, const ds_importer *im)
{
	ds_input *in = DS_NEW(ds_input, 1);
	in->source = s;
	in->how = s->how;
	in->importer = im;
	in->name = ds_arena_str(s->mem, ds_str_of(name)).at;
	s->inputs = grown(s->inputs, s->n_inputs, &s->cap_inputs, sizeof(*s->inputs));
	s->inputs[s->n_inputs++] = in;
	return in;
}

static void forget_path(ds_source *s)
{
	ds_mem_free(s->path);
	s->path = NULL;
}

/* "200", "200,206", "2xx" */
static ds_rc check_status(const char *list, ds_err *e)
{
	for (const char *p = list; p; p = *p ? p + 1 : NULL) {
		for (int i = 0; i < 3; i++, p++)
			if (!(*p == 'x' || (*p >= '0' && *p <= '9')))
				return ds_fail(e, DS_USAGE,
					"--status '%s': numbers of three digits with commas "
					"between, x for any digit",
					list);
		if (*p && *p != ',')
			return ds_fail(e, DS_USAGE, "--status '%s': '%s' is too much", list, p);
	}
	return DS_OK;
}

static ds_rc check_encoding(const char *name, ds_err *e)
{
	DS_AUTO(ds_charset) unused = NULL;
	if (name)
		DS_TRY_AT(ds_charset_open(&unused, name, e), e, "--encoding");
	return DS_OK;
}

static ds_rc check_from(const ds_input_opts *c, ds_err *e)
{
	ds_buf names = { 0 };
	if (c->split && strcmp(c->split, "line") != 0 && strcmp(c->split, "para") != 0 &&
		strcmp(c->split, "file") != 0)
		return ds_fail(e, DS_USAGE, "--split '%s': line, para or file", c->split);
	DS_TRY(check_status(c->status, e));
	DS_TRY(check_encoding(c->encoding, e));
	if (c->split && c->field.paths.n && strcmp(c->field.paths.at[0], c->field.column) != 0)
		return ds_fail(e, DS_USAGE, "--split cuts one column of text, not '--field %s'",
			c->field.paths.at[0]);
	if (!c->from || ds_importer_find(c->from))
		return DS_OK;
	for (size_t i = 0; ds_importers[i]; i++)
		ds_buf_fmt(&names, "%s%s", i ? ", " : "", ds_importers[i]->name);
	ds_fail(e, DS_USAGE, "--from '%s' is none of %s", c->from, ds_buf_text(&names));
	ds_buf_free(&names);
	return DS_USAGE;
}

static ds_source *new_source(const ds_input_opts *c)
{
	ds_source *s = DS_NEW(ds_source, 1);
	s->how = c;
	s->mem = ds_arena_new(64 << 10);
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

ds_rc ds_source_open(ds_source **out, const ds_input_opts *c, ds_err *e)
{
	DS_TRY(check_from(c, e));
	DS_AUTO(ds_source) s = new_source(c);
	if (c->exec)
		s->walked = true;
	else
		DS_TRY(ds_walk_open(&s->walk, c, e));
	*out = s;
	s = NULL;
	return DS_OK;
}

ds_source *ds_source_from_mem(const ds_input_opts *c, const void *p, size_t n, const char *name)
{
	ds_source *s = new_source(c);
	s->given = ds_in_from_mem(p, n, name);
	s->walked = true;
	return s;
}

/* Damage does not look like success, whoever read. */
static void leave_word(const ds_source *s)
{
	ds_late *late = s->how->who ? s->how->who->late : NULL;
	if (late && late->rc == DS_OK)
		late->rc = ds_source_tell(s, &late->err);
}

void ds_source_close(ds_source *s)
{
	if (!s)
		return;
	leave_word(s);
	for (size_t i = 0; i < s->n_inputs; i++) {
		ds_input *in = s->inputs[i];
		if (in->importer && in->importer->close)
			in->importer->close(in);
		ds_in_close(in->in);
		ds_buf_free(&in->carry);
		ds_mem_free(in);
	}
	for (size_t i = 0; i < s->n_readers; i++)
		ds_reader_close(s->readers[i]);
	for (size_t i = 0; i < s->n_free; i++)
		ds_json_index_free(s->free_indexes[i]);
	for (size_t i = 0; i < s->n_spills; i++)
		ds_spill_free(s->spills[i]);
	ds_command_close(s->exec);
	ds_in_close(s->given);
	ds_out_close(s->rejects);
	ds_walk_close(s->walk);
	ds_arena_free(s->mem);
	pthread_mutex_destroy(&s->lock);
	ds_mem_free(s->inputs);
	ds_mem_free(s->readers);
	ds_mem_free(s->chains);
	ds_mem_free(s->free_indexes);
	ds_mem_free(s->spills);
	ds_mem_free(s->path);
	ds_mem_free(s->damage);
	ds_mem_free(s);
}

static ds_chunk *new_chunk(ds_arena *mem, ds_input *in)
{
	ds_chunk *ch = ds_arena_zero(mem, sizeof(*ch));
	ch->input = in;
	ch->mem = mem;
	ch->first_record = in->n_records + 1;
	ch->last_bad = &ch->bad;
	return ch;
}

/* Files that are one record each, from the one ahead on, up to a block of bytes. */
static ds_rc gather_files(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	const ds_importer *im = ds_recognize_name(s->how, s->path), *first = im;
	ds_input *in = new_input(s, s->path, im);
	ds_chunk *ch = new_chunk(mem, in);
	size_t cap = 0;
	do {
		const char **names = ch->names;
		if (ch->n_names == cap) {
			cap = cap ? 2 * cap : 16;
			names = ds_arena_get(mem, cap * sizeof(*names));
			if (ch->n_names)
				memcpy(names, ch->names, ch->n_names * sizeof(*names));
			ch->names = names;
		}
		names[ch->n_names++] = ds_arena_str(mem, ds_str_of(s->path)).at;
		ch->input_bytes += s->path_bytes;
		saw(s, im);
		forget_path(s);
		DS_TRY(look_ahead(s, e));
		im = s->path ? ds_recognize_name(s->how, s->path) : NULL;
	} while (im && im->a_file_a_record && im->parse == first->parse &&
		 strcmp(s->path, "-") != 0 && ch->input_bytes < ds_block_target());
	ch->n_records = ch->n_names;
	*out = ch;
	return DS_OK;
}

/* Content was needed to know it, or it is stdin: one record out of what is open. */
static ds_chunk *opened_file(ds_source *s, ds_arena *mem)
{
	ds_input *in = s->now;
	ds_chunk *ch = new_chunk(mem, in);
	ch->names = ds_arena_get(mem, sizeof(*ch->names));
	ch->names[0] = in->name;
	ch->n_names = 1;
	ch->n_records = 1;
	ch->opened = in->in;
	s->now = NULL;
	return ch;
}

/* A chunk comes back where the input is unreadable as a record, or wholly one. */
static ds_rc begin(ds_source *s, ds_input *in, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	const ds_importer *im = NULL;
	ds_rc rc = ds_recognize(&im, in, e);
	if (rc == DS_SHORT && ds_goes_on(s->how) && ds_in_damaged(in->in)) {
		ds_source_damaged(in, e->msg, ds_in_unread(in->in));
		return DS_OK;
	}
	if (rc == DS_BAD) {
		in->importer = ds_importer_find("text"); /* of a chunk without bytes */
		*out = new_chunk(mem, in);
		return ds_reject(*out, 1, (ds_str){ "", 0 }, e);
	}
	DS_TRY(rc);
	in->importer = im;
	in->compressed = in->in && ds_in_wrap(in->in) != DS_RAW;
	saw(s, im);
	if (im->open)
		DS_TRY(im->open(in, e));
	s->now = in;
	if (im->a_file_a_record)
		*out = opened_file(s, mem);
	return DS_OK;
}

static ds_rc open_next(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	ds_input *in = new_input(s, strcmp(s->path, "-") == 0 ? "stdin" : s->path, NULL);
	DS_TRY(ds_in_open(&in->in, s->path, e));
	forget_path(s);
	return begin(s, in, mem, out, e);
}

static ds_rc open_given(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	ds_input *in = new_input(s, ds_in_name(s->given), NULL);
	in->in = s->given;
	s->given = NULL;
	return begin(s, in, mem, out, e);
}

static ds_rc open_exec(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	ds_input *in = new_input(s, "--exec", NULL);
	DS_TRY(ds_command_open(&s->exec, s->how->exec, -1, e));
	DS_TRY(ds_in_from_fd(&in->in, ds_command_fd(s->exec), in->name, e));
	return begin(s, in, mem, out, e);
}

static void close_now(ds_source *s)
{
	if (!s->now->map.at) { /* else threads may still look into it */
		ds_in_close(s->now->in);
		s->now->in = NULL;
	}
	ds_buf_free(&s->now->carry);
	s->now = NULL;
}

/* The next chunk of the file being cut; *out = NULL where it has no more. */
static ds_rc cut_next(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	bool more = false;
	ds_chunk *ch = new_chunk(mem, s->now);
	uint64_t before = s->now->in ? ds_in_file_offset(s->now->in) : 0;
	ds_rc rc = s->now->importer->cut(s->now, ch, &more, e);
	if (rc == DS_SHORT && ds_goes_on(s->how) && s->now->in) {
		ds_source_damaged(s->now, e->msg, s->now->carry.n + ds_in_unread(s->now->in));
		more = false;
		rc = DS_OK;
	}
	DS_TRY(rc);
	if (more && s->now->in && !ch->input_bytes)
		ch->input_bytes = ds_in_file_offset(s->now->in) - before;
	if (more)
		*out = ch;
	else
		close_now(s);
	return DS_OK;
}

static ds_rc next_file(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	const ds_importer *im = ds_recognize_name(s->how, s->path);
	if (im && im->a_file_a_record && strcmp(s->path, "-") != 0)
		return gather_files(s, mem, out, e);
	return open_next(s, mem, out, e);
}

ds_rc ds_source_chunk(ds_source *s, ds_arena *mem, ds_chunk **out, ds_err *e)
{
	*out = NULL;
	while (!*out) {
		if (s->now) {
			DS_TRY(cut_next(s, mem, out, e));
			continue;
		}
		DS_TRY(look_ahead(s, e));
		if (s->path)
			DS_TRY(next_file(s, mem, out, e));
		else if (s->given)
			DS_TRY(open_given(s, mem, out, e));
		else if (s->how->exec && !s->exec)
			DS_TRY(open_exec(s, mem, out, e));
		else
			return s->exec ? ds_command_wait(s->exec, e) : DS_OK;
	}
	return DS_OK;
}

ds_rc ds_chunk_parse(ds_chunk *ch, ds_block **out, ds_bad **bad, ds_err *e)
{
	if (ch->bytes.n || ch->block || ch->own || ch->n_names)
		DS_TRY(ch->input->importer->parse(ch, out, e));
	else
		*out = ds_block_new(ch->mem, 0);
	(*out)->origin = ch->n_names > 1 ? NULL : ch->input->name;
	(*out)->origin_record = ch->first_record;
	DS_TRY(ds_reject_large(ch, *out, e));
	const char *split = ch->input->how->split;
	if (split && strcmp(split, "file") != 0 && strcmp(ch->input->importer->name, "text") != 0)
		DS_TRY(ds_parts_cut(
			out, ch->input->how->field.column, strcmp(split, "para") == 0, e));
	(*out)->format = ch->input->importer->name;
	(*out)->input_bytes = ch->input_bytes;
	*bad = ch->bad;
	return DS_OK;
}

void ds_source_number(ds_source *s, ds_chunk *ch, ds_block *b, uint64_t n_records)
{
	b->first_record = s->n_records;
	s->n_records += n_records;
}

static ds_rc write_rejects(ds_source *s, const ds_bad *bad, ds_err *e)
{
	if (s->how->on_error != DS_ON_REJECT || !bad)
		return DS_OK;
	if (!s->rejects && !s->lent)
		DS_TRY(ds_out_open(&s->rejects, s->how->reject_path, e));
	for (; bad; bad = bad->next)
		DS_TRY(ds_bad_write(bad, s->lent ? s->lent : s->rejects, e));
	return DS_OK;
}

void ds_source_reject_to(ds_source *s, ds_out *out)
{
	s->lent = out;
}

ds_rc ds_source_refuse(ds_source *s, ds_block *b, uint32_t row, ds_err *e)
{
	ds_bad bad = { 0 };
	uint64_t record = b->origin_record + (b->row_of ? b->row_of[row] : row);
	if (b->origin)
		ds_at(e, DS_BAD, "%s:%llu", b->origin, (unsigned long long)record);
	else
		ds_at(e, DS_BAD, "record %llu", (unsigned long long)ds_block_record(b, row));
	if (s->how->on_error == DS_ON_STOP)
		return DS_BAD;
	s->n_bad++;
	if (s->how->on_error != DS_ON_REJECT)
		return DS_OK;
	DS_TRY(ds_reject_line(s->how, b, row, b->mem, &bad.raw, e));
	return write_rejects(s, &bad, e);
}

/* Once: the end may be asked for again, by several threads in turn. */
static ds_rc finish_rejects(ds_source *s, ds_err *e)
{
	ds_out *rejects = s->rejects;
	s->rejects = NULL;
	ds_rc rc = rejects ? ds_out_deliver(rejects, e) : DS_OK;
	ds_out_close(rejects);
	return rc;
}

ds_rc ds_source_next(ds_source *s, ds_arena *mem, ds_block **out, ds_err *e)
{
	ds_chunk *ch;
	ds_bad *bad = NULL;
	uint64_t n = 0;
	*out = NULL;
	DS_TRY(ds_source_chunk(s, mem, &ch, e));
	if (!ch)
		return finish_rejects(s, e);
	DS_TRY(ds_chunk_parse(ch, out, &bad, e));
	for (const ds_bad *b = bad; b; b = b->next)
		n++;
	s->n_bad += n;
	ds_source_number(s, ch, *out, (*out)->n_rows + n);
	return write_rejects(s, bad, e);
}

uint64_t ds_source_bad(const ds_source *s)
{
	return s->n_bad;
}

ds_json_index *ds_source_take_index(ds_source *s)
{
	ds_json_index *x = NULL;
	pthread_mutex_lock(&s->lock);
	if (s->n_free)
		x = s->free_indexes[--s->n_free];
	pthread_mutex_unlock(&s->lock);
	return x ? x : ds_json_index_new();
}

void ds_source_give_index(ds_source *s, ds_json_index *x)
{
	pthread_mutex_lock(&s->lock);
	s->free_indexes = grown(s->free_indexes, s->n_free, &s->cap_free, sizeof(*s->free_indexes));
	s->free_indexes[s->n_free++] = x;
	pthread_mutex_unlock(&s->lock);
}

void ds_source_hold_spill(ds_source *s, ds_spill *spill)
{
	pthread_mutex_lock(&s->lock);
	s->spills = grown(s->spills, s->n_spills, &s->cap_spills, sizeof(*s->spills));
	s->spills[s->n_spills++] = spill;
	pthread_mutex_unlock(&s->lock);
}

void ds_source_count_lone(ds_source *s, uint64_t surrogates)
{
	if (surrogates)
		__atomic_fetch_add(&s->lone, surrogates, __ATOMIC_RELAXED);
}

uint64_t ds_source_lone_surrogates(const ds_source *s)
{
	return __atomic_load_n(&s->lone, __ATOMIC_RELAXED);
}

void ds_source_pass(ds_source *s, ds_passed kind)
{
	__atomic_fetch_add(&s->passed[kind], 1, __ATOMIC_RELAXED);
}

uint64_t ds_source_passed(const ds_source *s, ds_passed kind, const char **name)
{
	static const char *const names[] = {
		[DS_PASSED_WARCINFO] = "warcinfo skipped",
		[DS_PASSED_REQUEST] = "request skipped",
		[DS_PASSED_METADATA] = "metadata skipped",
		[DS_PASSED_REVISIT] = "revisit skipped",
		[DS_PASSED_DNS] = "dns skipped",
		[DS_PASSED_TYPE] = "other type skipped",
		[DS_PASSED_STATUS] = "other status skipped",
		[DS_PASSED_MEDIA] = "not text skipped",
		[DS_PASSED_CODING] = "unknown encoding skipped",
		[DS_PASSED_NOT_CUT] = "body cut short",
	};
	*name = names[kind];
	return __atomic_load_n(&s->passed[kind], __ATOMIC_RELAXED);
}

ds_arena *ds_source_mem(ds_source *s)
{
	return s->mem;
}

void ds_source_add_reader(ds_source *s, ds_reader *r)
{
	s->readers = grown(s->readers, s->n_readers, &s->cap_readers, sizeof(*s->readers));
	s->readers[s->n_readers++] = r;
}

ds_rc ds_source_add_chain(ds_input *in, ds_str json, ds_err *e)
{
	ds_source *s = in->source;
	s->chains = grown(s->chains, s->n_chains, &s->cap_chains, sizeof(*s->chains));
	DS_TRY(ds_chain_parse(&s->chains[s->n_chains], s->mem, json, e));
	s->n_chains++;
	return DS_OK;
}

ds_chain *ds_source_chain(const ds_source *s)
{
	size_t n = s->n_readers + s->n_chains;
	ds_chain **chains = ds_arena_get(s->mem, (n + 1) * sizeof(*chains));
	for (size_t i = 0; i < s->n_readers; i++)
		chains[i] = ds_reader_chain(s->readers[i]);
	for (size_t i = 0; i < s->n_chains; i++)
		chains[s->n_readers + i] = s->chains[i];
	return ds_chain_merge(s->mem, chains, n);
}

/* Of all readers, each kind and content once. */
static void gather_opts(ds_source *s, size_t n_all)
{
	ds_opt *opts = ds_arena_get(s->mem, n_all * sizeof(*opts));
	size_t n = 0, k;
	for (size_t i = 0; i < s->n_readers; i++) {
		const ds_opt *of = ds_reader_opts(s->readers[i], &k);
		for (size_t j = 0; j < k; j++) {
			size_t m = 0;
			while (m < n && !(opts[m].kind == of[j].kind &&
						ds_str_eq(opts[m].bytes, of[j].bytes)))
				m++;
			if (m == n)
				opts[n++] = of[j];
		}
	}
	s->opts = opts;
	s->n_opts = n;
	s->n_reader_opts = n_all;
}

const ds_opt *ds_source_opts(ds_source *s, size_t *n)
{
	size_t all = 0, k;
	for (size_t i = 0; i < s->n_readers; i++) {
		ds_reader_opts(s->readers[i], &k);
		all += k;
	}
	if (all != s->n_reader_opts)
		gather_opts(s, all);
	*n = s->n_opts;
	return s->opts;
}

int64_t ds_source_total_bytes(const ds_source *s)
{
	return s->walk ? ds_walk_bytes(s->walk) : -1;
}

bool ds_source_saw(const ds_source *s, const char *format)
{
	for (size_t i = 0; ds_importers[i]; i++)
		if (strcmp(ds_importers[i]->name, format) == 0)
			return s->saw >> i & 1;
	return false;
}

void ds_source_damaged(ds_input *in, const char *why, uint64_t lost_bytes)
{
	ds_source *s = in->source;
	pthread_mutex_lock(&s->lock);
	s->n_damaged += !in->damaged;
	in->damaged = true;
	s->lost_bytes += lost_bytes;
	if (!s->damage || strcmp(why, s->damage) < 0) {
		ds_mem_free(s->damage);
		s->damage = ds_mem_text(why);
	}
	pthread_mutex_unlock(&s->lock);
}

uint64_t ds_source_cut_short(const ds_source *s)
{
	return s->n_damaged;
}

ds_rc ds_source_tell(const ds_source *s, ds_err *e)
{
	ds_reader_stats lost = ds_source_damage(s);
	if (s->n_damaged > 1)
		return ds_fail(e, DS_SHORT,
			"%llu inputs are damaged: what is whole in them was kept, %llu byte%s "
			"lost; "
			"the first: %s",
			(unsigned long long)s->n_damaged, (unsigned long long)lost.lost_bytes,
			lost.lost_bytes == 1 ? " was" : "s were", s->damage);
	if (s->n_damaged)
		return ds_fail(e, DS_SHORT, "%s; what is whole before was kept, %llu byte%s lost",
			s->damage, (unsigned long long)lost.lost_bytes,
			lost.lost_bytes == 1 ? " was" : "s were");
	if (!s->how->salvage || !lost.damaged)
		return DS_OK;
	return ds_fail(e, DS_SHORT,
		"salvaged %llu block%s with %llu record%s; %llu block%s and %llu byte%s were lost, "
		"the first damage is at byte %llu",
		(unsigned long long)lost.blocks, ds_s(lost.blocks),
		(unsigned long long)lost.records, ds_s(lost.records),
		(unsigned long long)lost.bad_blocks, ds_s(lost.bad_blocks),
		(unsigned long long)lost.lost_bytes, ds_s(lost.lost_bytes),
		(unsigned long long)lost.first_bad_offset);
}

ds_reader_stats ds_source_damage(const ds_source *s)
{
	ds_reader_stats sum = { .lost_bytes = s->lost_bytes };
	for (size_t i = 0; i < s->n_readers; i++) {
		ds_reader_stats r = ds_reader_get_stats(s->readers[i]);
		if (r.damaged && !sum.damaged)
			sum.first_bad_offset = r.first_bad_offset;
		sum.damaged |= r.damaged;
		sum.blocks += r.blocks;
		sum.records += r.records;
		sum.bad_blocks += r.bad_blocks;
		sum.lost_bytes += r.lost_bytes;
	}
	return sum;
}
