/*
 * rule_url_list.c - records from listed sites go
 *
 * An entry is a host, which stands for the hosts below it as well, or a host with the beginning of a path,
 * up to a / ? or # of the record's. A scheme, a user and a port do not count, the host's case neither.
 */
#include "listfile.h"
#include "rule.h"

#include "base/args.h"
#include "base/hash.h"
#include "base/mem.h"

enum { PARTS_MAX = 64 }; /* of a host, and of a path, that are looked at */

typedef struct {
	ds_map *entries;
	bool paths; /* some have one */
} state;

typedef struct {
	const state *s;
	ds_buf plain;
} thread;

static size_t until(ds_str s, size_t from, const char *any)
{
	while (from < s.n && !strchr(any, s.at[from] ? s.at[from] : ' '))
		from++;
	return from;
}

/* Writes host and path; returns the host's length. */
static size_t make_plain(ds_buf *out, ds_str url)
{
	ds_buf_clear(out);
	size_t from = 0, first = until(url, 0, "/?#");
	if (first && first + 1 < url.n && memcmp(url.at + first - 1, "://", 3) == 0)
		from = first + 2;
	if (!from && ds_str_starts(url, DS_S("//")))
		from = 2;
	size_t end = until(url, from, "/?#");
	const char *user = memrchr(url.at + from, '@', end - from);
	from = user ? (size_t)(user - url.at) + 1 : from;
	size_t stop = from < end && url.at[from] == '[' ? end : until(url, from, ":/?#");
	while (stop > from && url.at[stop - 1] == '.')
		stop--;
	for (size_t i = from; i < stop; i++) {
		char c = url.at[i];
		ds_buf_add_byte(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
	ds_buf_add(out, url.at + end, url.n - end);
	return stop - from;
}

static ds_rc read_list(state *s, ds_str text, ds_err *e)
{
	ds_str entry;
	ds_buf plain = { 0 };
	unsigned line = 0;
	ds_rc rc = DS_OK;
	while (rc == DS_OK && listfile_next(&text, &line, &entry)) {
		size_t skip = ds_str_starts(entry, DS_S("*.")) ? 2 : entry.at[0] == '.';
		size_t host = make_plain(&plain, (ds_str){ entry.at + skip, entry.n - skip });
		while (plain.n > host && plain.at[plain.n - 1] == '/')
			plain.n--;
		if (host)
			*ds_map_put(s->entries, ds_buf_view(&plain), NULL) = line;
		else
			rc = ds_fail(
				e, DS_USAGE, "line %u: '%.*s' names no host", line, DS_FMT(entry));
		s->paths |= plain.n > host;
	}
	ds_buf_free(&plain);
	return rc;
}

static ds_rc open_list(void **out, const char *value, const rule_env *env, ds_err *e)
{
	ds_buf text = { 0 };
	state *s = DS_NEW(state, 1);
	*out = s;
	s->entries = ds_map_new(1024);
	ds_rc rc = ds_file_read(value, LISTFILE_BYTES_MAX, &text, e);
	if (rc == DS_OK)
		rc = read_list(s, ds_buf_view(&text), e);
	ds_buf_free(&text);
	return rc == DS_USAGE ? ds_at(e, rc, "%s", value) : rc;
}

static void close_list(void *p)
{
	state *s = p;
	if (s)
		ds_map_free(s->entries);
	ds_mem_free(s);
}

static void *thread_new(const void *p)
{
	thread *t = DS_NEW(thread, 1);
	t->s = p;
	return t;
}

static void thread_free(void *p)
{
	thread *t = p;
	ds_buf_free(&t->plain);
	ds_mem_free(t);
}

/* From the host's part that begins at `from`: alone, and with each beginning of the path. */
static bool has_from(const state *s, ds_str plain, size_t from, size_t host)
{
	if (ds_map_find(s->entries, (ds_str){ plain.at + from, host - from }))
		return true;
	size_t end = host;
	for (unsigned i = 0; s->paths && end < plain.n && i < PARTS_MAX; i++) {
		end = until(plain, end + 1, "/?#");
		if (ds_map_find(s->entries, (ds_str){ plain.at + from, end - from }))
			return true;
	}
	return false;
}

static bool is_listed(thread *t, ds_str url)
{
	if (!url.n)
		return false;
	size_t host = make_plain(&t->plain, url), from = 0;
	ds_str plain = ds_buf_view(&t->plain);
	for (unsigned i = 0; from < host && i < PARTS_MAX; i++) {
		if (has_from(t->s, plain, from, host))
			return true;
		while (from < host && plain.at[from] != '.')
			from++;
		from++;
	}
	return false;
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	r->drop = is_listed(p, r->source_name) || is_listed(p, r->url);
	return DS_OK;
}

const ds_rule ds_rule_url_list = {
	.name = "url-list",
	.value = "FILE",
	.help = "drop what is from a host or address in the list",
	.needs = RULE_NEEDS_TEXT | RULE_NEEDS_URL,
	.flags = DS_ARG_FILE,
	.open = open_list,
	.close = close_list,
	.thread_new = thread_new,
	.thread_free = thread_free,
	.judges = true,
	.record = record,
};
