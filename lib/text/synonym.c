/*
 * synonym.c - groups of words, and for each word the groups it draws from
 */
#include "text/synonym.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/unicode.h"

typedef struct {
	size_t first, n; /* in members */
	bool cilin;
} group;

typedef struct {
	uint32_t group, next; /* next: 1 + the word's next link; 0: none */
} link;

typedef struct {
	uint32_t first, last; /* 1 + its links; 0: none */
} word;

struct ds_synonyms {
	ds_map *names; /* 1 + the word's number, which is its place in the table */
	word *words;
	uint32_t *members;
	group *groups;
	link *links;
	size_t cap_words, n_members, cap_members, n_groups, cap_groups, n_links, cap_links;
};

ds_synonyms *ds_synonyms_new(void)
{
	ds_synonyms *s = DS_NEW(ds_synonyms, 1);
	s->names = ds_map_new(0);
	return s;
}

void ds_synonyms_free(ds_synonyms *s)
{
	if (!s)
		return;
	ds_map_free(s->names);
	ds_mem_free(s->words);
	ds_mem_free(s->members);
	ds_mem_free(s->groups);
	ds_mem_free(s->links);
	ds_mem_free(s);
}

static void *grow_by_one(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	size_t more = *cap ? 2 * *cap : 1024;
	p = ds_mem_grow(p, n * size, more * size);
	*cap = more;
	return p;
}

static uint32_t number_of(ds_synonyms *s, ds_str name)
{
	bool is_new;
	uint64_t *v = ds_map_put(s->names, name, &is_new);
	if (is_new) {
		size_t n = ds_map_count(s->names) - 1;
		*v = n + 1;
		s->words = grow_by_one(s->words, n, &s->cap_words, sizeof(*s->words));
		s->words[n] = (word){ 0, 0 };
	}
	return (uint32_t)(*v - 1);
}

static void add_member(ds_synonyms *s, uint32_t w)
{
	s->members = grow_by_one(s->members, s->n_members, &s->cap_members, sizeof(*s->members));
	s->members[s->n_members++] = w;
	s->groups[s->n_groups - 1].n++;
}

static void begin_group(ds_synonyms *s, bool cilin)
{
	s->groups = grow_by_one(s->groups, s->n_groups, &s->cap_groups, sizeof(*s->groups));
	s->groups[s->n_groups++] = (group){ s->n_members, 0, cilin };
}

/* The last group becomes one that the word draws from. */
static void add_link(ds_synonyms *s, uint32_t w)
{
	s->links = grow_by_one(s->links, s->n_links, &s->cap_links, sizeof(*s->links));
	s->links[s->n_links++] = (link){ (uint32_t)s->n_groups - 1, 0 };
	if (s->words[w].last)
		s->links[s->words[w].last - 1].next = (uint32_t)s->n_links;
	else
		s->words[w].first = (uint32_t)s->n_links;
	s->words[w].last = (uint32_t)s->n_links;
}

static bool in(char c, char from, char to)
{
	return c >= from && c <= to;
}

/* Aa01A01 and one of = # @. */
static bool is_code(ds_str s)
{
	return s.n >= 8 && in(s.at[0], 'A', 'Z') && in(s.at[1], 'a', 'z') &&
	       in(s.at[2], '0', '9') && in(s.at[3], '0', '9') && in(s.at[4], 'A', 'Z') &&
	       in(s.at[5], '0', '9') && in(s.at[6], '0', '9') && strchr("=#@", s.at[7]);
}

static void cilin_line(ds_synonyms *s, ds_str line)
{
	if (!is_code(line) || line.at[7] != '=')
		return;
	ds_str rest = { line.at + 8, line.n - 8 };
	begin_group(s, true);
	while (rest.at) {
		ds_str name = ds_str_trim(ds_str_cut(rest, ' ', &rest));
		if (name.n)
			add_member(s, number_of(s, name));
	}
	const group *g = &s->groups[s->n_groups - 1];
	for (size_t i = 0; g->n > 1 && i < g->n; i++)
		add_link(s, s->members[g->first + i]);
}

static ds_rc tsv_line(ds_synonyms *s, ds_str line, size_t number, ds_arena *mem, ds_err *e)
{
	if (!ds_str_trim(line).n || line.at[0] == '#')
		return DS_OK;
	ds_str rest, name = ds_str_trim(ds_str_cut(line, '\t', &rest));
	if (!rest.at || !name.n)
		return ds_fail(
			e, DS_USAGE, "line %zu: it is a word, a tab and its synonyms", number);
	uint32_t w = number_of(s, ds_utf8_lower(name, mem));
	begin_group(s, false);
	while (rest.at) {
		ds_str other = ds_str_trim(ds_str_cut(rest, '\t', &rest));
		if (other.n)
			add_member(s, number_of(s, other));
	}
	add_link(s, w);
	return DS_OK;
}

static bool looks_cilin(ds_str text)
{
	while (text.at)
		if (is_code(ds_str_cut(text, '\n', &text)))
			return true;
	return false;
}

ds_rc ds_synonyms_add(ds_synonyms *s, ds_str bytes, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	if (bytes.n > UINT32_MAX)
		return ds_fail(e, DS_USAGE, "%zu bytes, the limit is 4 GiB", bytes.n);
	if (ds_utf8_valid(bytes) != bytes.n)
		DS_TRY(ds_charset_decode(&bytes, bytes, "gb18030", mem, e));
	if (ds_str_starts(bytes, DS_S("\xef\xbb\xbf")))
		bytes = (ds_str){ bytes.at + 3, bytes.n - 3 };
	if (ds_str_trim(bytes).n == 0)
		return ds_fail(e, DS_USAGE, "there is no word in it");
	bool cilin = looks_cilin(bytes);
	for (size_t number = 1; bytes.at; number++) {
		ds_str line = ds_str_cut(bytes, '\n', &bytes);
		if (line.n && line.at[line.n - 1] == '\r')
			line.n--;
		if (cilin)
			cilin_line(s, line);
		else
			DS_TRY(tsv_line(s, line, number, mem, e));
	}
	return DS_OK;
}

static bool is_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t chars(ds_str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += is_start(s.at[i]);
	return n;
}

static bool share_char(ds_str a, ds_str b)
{
	for (size_t i = 0, to; i < a.n; i = to) {
		for (to = i + 1; to < a.n && !is_start(a.at[to]);)
			to++;
		if (memmem(b.at, b.n, a.at + i, to - i))
			return true;
	}
	return false;
}

enum { CHOSEN, UNFIT = 4 };

/*
 * How well a word of Cilin stands for another, from 1, the best. Its groups do not tell meanings apart, so a
 * Chinese word of one character, nearly always part of a longer one or of a name, stands for nothing and
 * nothing for it; of the others those are nearest that are as long and share a character.
 */
static unsigned fit(ds_str a, ds_str b)
{
	size_t n = chars(a), m = chars(b);
	if (!a.n || (unsigned char)a.at[0] < 0x80)
		return 1;
	if (n < 2 || m < 2 || n > m + 1 || m > n + 1)
		return UNFIT;
	return n != m ? 3 : share_char(a, b) ? 1 : 2;
}

ds_str *ds_synonyms_find(const ds_synonyms *s, ds_str name, ds_arena *mem, size_t *n)
{
	const uint64_t *v = ds_map_find(s->names, name);
	unsigned fits[DS_SYNONYMS_MOST], best = UNFIT;
	size_t n_all = 0;
	*n = 0;
	if (!v || !s->words[*v - 1].first)
		return NULL;
	uint32_t self = (uint32_t)*v - 1;
	ds_str *out = ds_arena_get(mem, DS_SYNONYMS_MOST * sizeof(*out));
	for (uint32_t at = s->words[self].first; at; at = s->links[at - 1].next) {
		const group *g = &s->groups[s->links[at - 1].group];
		for (size_t i = 0; i < g->n && n_all < DS_SYNONYMS_MOST; i++) {
			if (s->members[g->first + i] == self)
				continue;
			out[n_all] = ds_map_key(s->names, s->members[g->first + i]);
			fits[n_all] = g->cilin ? fit(name, out[n_all]) : CHOSEN;
			if (g->cilin && fits[n_all] < best)
				best = fits[n_all];
			n_all++;
		}
	}
	for (size_t i = 0; i < n_all; i++)
		if (fits[i] == CHOSEN || (fits[i] == best && best != UNFIT))
			out[(*n)++] = out[i];
	return out;
}
