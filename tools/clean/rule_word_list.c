/*
 * rule_word_list.c - texts with a listed word or phrase go
 *
 * Words are the units of ngram.h: lower-cased, a Han character each, what is between them does not count.
 * The table has every beginning of every phrase, as the 64-bit hashes of its units; a filter of first
 * units, small enough for the cache, answers for most places of a text.
 */
#include "listfile.h"
#include "rule.h"

#include "base/args.h"
#include "base/hash.h"
#include "base/mem.h"
#include "text/ngram.h"

enum { ENDS = 1, GOES_ON = 2, FILTER_BITS = 16 };

typedef struct {
	ds_map *phrases;
	uint8_t *filter;
	uint64_t mask;
} state;

typedef struct {
	const state *s;
	ds_ngram *reader;
	ds_buf ids; /* of the units, 8 bytes each */
} thread;

static void add_ids(ds_ngram *reader, ds_str text, ds_buf *ids)
{
	uint64_t some[DS_NGRAM_BATCH];
	ds_buf_clear(ids);
	ds_ngram_start(reader, text);
	for (size_t n; (n = ds_ngram_next64(reader, some));)
		ds_buf_add(ids, some, n * sizeof(*some));
}

static ds_rc read_list(state *s, ds_str text, ds_err *e)
{
	DS_AUTO(ds_ngram) reader = ds_ngram_new(DS_UNIT_LETTERS, 1);
	ds_buf ids = { 0 };
	ds_str entry;
	unsigned line = 0;
	ds_rc rc = DS_OK;
	while (rc == DS_OK && listfile_next(&text, &line, &entry)) {
		add_ids(reader, entry, &ids);
		if (ids.n == 0 || ids.n > DS_NGRAM_MAX * sizeof(uint64_t))
			rc = ds_fail(e, DS_USAGE, "line %u: '%.*s' has %s", line, DS_FMT(entry),
				ids.n ? "more than 64 words" : "no word");
		for (size_t n = sizeof(uint64_t); rc == DS_OK && n <= ids.n; n += sizeof(uint64_t))
			*ds_map_put(s->phrases, (ds_str){ ids.at, n }, NULL) |=
				n == ids.n ? ENDS : GOES_ON;
	}
	ds_buf_free(&ids);
	return rc;
}

static uint64_t id_at(const char *p)
{
	uint64_t id;
	memcpy(&id, p, sizeof(id));
	return id;
}

static void make_filter(state *s)
{
	size_t n = ds_map_count(s->phrases), bits = 1024;
	while (bits < n * FILTER_BITS)
		bits *= 2;
	s->mask = bits - 1;
	s->filter = ds_mem_zero(bits / 8);
	for (size_t i = 0; i < n; i++) {
		uint64_t bit = id_at(ds_map_key(s->phrases, i).at) & s->mask;
		s->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

static ds_rc open_list(void **out, const char *value, const rule_env *env, ds_err *e)
{
	ds_buf text = { 0 };
	state *s = DS_NEW(state, 1);
	*out = s;
	s->phrases = ds_map_new(1024);
	ds_rc rc = ds_file_read(value, LISTFILE_BYTES_MAX, &text, e);
	if (rc == DS_OK)
		rc = read_list(s, ds_buf_view(&text), e);
	make_filter(s);
	ds_buf_free(&text);
	return rc == DS_USAGE ? ds_at(e, rc, "%s", value) : rc;
}

static void close_list(void *p)
{
	state *s = p;
	if (!s)
		return;
	ds_map_free(s->phrases);
	ds_mem_free(s->filter);
	ds_mem_free(s);
}

static void *thread_new(const void *p)
{
	thread *t = DS_NEW(thread, 1);
	t->s = p;
	t->reader = ds_ngram_new(DS_UNIT_LETTERS, 1);
	return t;
}

static void thread_free(void *p)
{
	thread *t = p;
	ds_ngram_free(t->reader);
	ds_buf_free(&t->ids);
	ds_mem_free(t);
}

static bool begins_one(const state *s, ds_str ids)
{
	uint64_t bit = id_at(ids.at) & s->mask;
	if (!(s->filter[bit / 8] >> bit % 8 & 1))
		return false;
	for (size_t n = sizeof(uint64_t); n <= ids.n; n += sizeof(uint64_t)) {
		const uint64_t *found = ds_map_find(s->phrases, (ds_str){ ids.at, n });
		if (!found || *found & ENDS)
			return found;
	}
	return false;
}

static ds_rc keep(void *p, ds_str text, bool *stays, ds_err *e)
{
	thread *t = p;
	add_ids(t->reader, text, &t->ids);
	*stays = true;
	for (size_t i = 0; i < t->ids.n && *stays; i += sizeof(uint64_t))
		*stays = !begins_one(t->s, (ds_str){ t->ids.at + i, t->ids.n - i });
	return DS_OK;
}

const ds_rule ds_rule_word_list = {
	.name = "word-list",
	.value = "FILE",
	.help = "drop texts with a word or phrase of the list",
	.flags = DS_ARG_FILE,
	.open = open_list,
	.close = close_list,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.keep = keep,
};
