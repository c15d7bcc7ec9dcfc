/*
 * seen_file.c - the memory of texts as a file
 *
 * Numbers are little-endian u64 except where noted.
 *	magic "dsdedup index\n\0\0", version 2
 *	plan: exact near verify unit ngram perm bands rows seed scope simhash distance bits, threshold as the bits of an f64
 *	texts n, buckets that are full
 *	n times: key lo, hi (exact); n times u32: length of the sketch (near); the sketches, u32 each
 *	for each segment of the table of exact keys, then of each band: members m, m members (lsh.h)
 *	n times: length of the name << 1 | is a number; the names
 *	XXH3-64 of all that is before
 * The sum is checked before anything is believed beyond its size, and every number is held against
 * the size of the file before memory is taken for it.
 */
#include "base/mem.h"
#include "text/seen_impl.h"

static const char magic[16] = "dsdedup index\n\0";
enum { VERSION = 3 };

/* A side: the file and the sum of what went through. */
typedef struct {
	ds_out *out;
	ds_in *in;
	ds_hasher *sum;
	uint64_t left; /* of the file, to be read */
	ds_err *e;
	ds_rc rc;
} side;

static void put(side *f, const void *p, size_t n)
{
	if (f->rc != DS_OK || !n)
		return;
	ds_hasher_add(f->sum, p, n);
	f->rc = ds_out_write(f->out, p, n, f->e);
}

static void put64(side *f, uint64_t v)
{
	put(f, &v, sizeof(v));
}

static void fail_short(side *f)
{
	if (f->rc == DS_OK)
		f->rc = ds_fail(f->e, DS_SHORT, "a damaged index");
}

static void get(side *f, void *p, size_t n)
{
	size_t got = 0;
	if (f->rc == DS_OK && n > f->left)
		fail_short(f);
	if (f->rc == DS_OK && n)
		f->rc = ds_in_read(f->in, p, n, &got, f->e);
	if (f->rc == DS_OK && got < n)
		fail_short(f);
	if (f->rc != DS_OK) {
		memset(p, 0, n);
		return;
	}
	f->left -= n;
	ds_hasher_add(f->sum, p, n);
}

static uint64_t get64(side *f)
{
	uint64_t v;
	get(f, &v, sizeof(v));
	return v;
}

/* Room for n elements that the file still has to hold; NULL where it cannot. */
static void *get_many(side *f, uint64_t n, size_t size)
{
	if (n > f->left / size)
		fail_short(f);
	if (f->rc != DS_OK)
		return NULL;
	void *p = ds_mem_get(n ? n * size : 1);
	get(f, p, n * size);
	return p;
}

static void put_table(side *f, const ds_lsh *t, unsigned bands)
{
	for (unsigned i = 0; t && i < bands * DS_LSH_SEGMENTS; i++) {
		ds_lsh_view v = ds_lsh_segment(t, i / DS_LSH_SEGMENTS, i % DS_LSH_SEGMENTS);
		put64(f, v.n);
		for (size_t k = 0, at = v.first; k < v.n_slots;
			k++, at = at + 1 == v.n_slots ? 0 : at + 1)
			if (v.slot[at])
				put64(f, v.slot[at]);
	}
}

static void put_texts(side *f, const ds_seen *s)
{
	for (uint64_t i = 0; s->plan.exact && i < s->n; i++) {
		put64(f, ds_seen_get(s, (uint32_t)i)->key.lo);
		put64(f, ds_seen_get(s, (uint32_t)i)->key.hi);
	}
	for (uint64_t i = 0; s->plan.near && i < s->n; i++)
		put(f, &ds_seen_get(s, (uint32_t)i)->n_sketch, sizeof(uint32_t));
	for (uint64_t i = 0; s->plan.near && i < s->n; i++) {
		const ds_seen_text *t = ds_seen_get(s, (uint32_t)i);
		put(f, t->sketch, t->n_sketch * sizeof(*t->sketch));
	}
}

ds_rc ds_seen_save(const ds_seen *s, ds_out *out, ds_err *e)
{
	DS_AUTO(ds_hasher) sum = ds_hasher_new();
	side f = { .out = out, .sum = sum, .e = e };
	uint64_t words[DS_SEEN_WORDS];
	ds_seen_plan_words(&s->plan, words);
	put(&f, magic, sizeof(magic));
	put64(&f, VERSION);
	put(&f, words, sizeof(words));
	put64(&f, s->n);
	put64(&f, s->n_full);
	put_texts(&f, s);
	put_table(&f, s->same, 1);
	put_table(&f, s->near, s->plan.bands.bands);
	for (uint64_t i = 0; i < s->n; i++) {
		ds_seen_id id = ds_seen_id_of(s, (uint32_t)i);
		put64(&f, (uint64_t)id.text.n << 1 | id.is_number);
	}
	for (uint64_t i = 0; i < s->n; i++) {
		ds_seen_id id = ds_seen_id_of(s, (uint32_t)i);
		put(&f, id.text.at, id.text.n);
	}
	put64(&f, ds_hasher_get64(sum));
	return f.rc;
}

static void get_head(side *f, const ds_seen *s)
{
	char head[16];
	uint64_t mine[DS_SEEN_WORDS], theirs[DS_SEEN_WORDS];
	get(f, head, sizeof(head));
	if (f->rc == DS_OK && memcmp(head, magic, sizeof(magic)) != 0)
		f->rc = ds_fail(f->e, DS_BAD, "not an index of dsdedup");
	uint64_t version = get64(f);
	if (f->rc == DS_OK && version != VERSION)
		f->rc = ds_fail(f->e, DS_BAD, "an index of version %llu, this program reads %d",
			(unsigned long long)version, VERSION);
	get(f, theirs, sizeof(theirs));
	ds_seen_plan_words(&s->plan, mine);
	const char *other = ds_seen_plan_differs(mine, theirs);
	if (f->rc == DS_OK && other)
		f->rc = ds_fail(f->e, DS_USAGE, "the index was made with another %s", other);
}

static void get_texts(side *f, ds_seen *s, uint64_t n)
{
	uint64_t total = 0;
	if (n > f->left / sizeof(uint64_t) || n > DS_LSH_RECORDS)
		fail_short(f);
	for (uint64_t i = 0; i < n && f->rc == DS_OK; i++)
		ds_seen_next(s);
	for (uint64_t i = 0; s->plan.exact && i < n && f->rc == DS_OK; i++) {
		ds_seen_text *t = ds_seen_get(s, (uint32_t)i);
		t->key.lo = get64(f);
		t->key.hi = get64(f);
	}
	for (uint64_t i = 0; s->plan.near && i < n && f->rc == DS_OK; i++) {
		ds_seen_text *t = ds_seen_get(s, (uint32_t)i);
		get(f, &t->n_sketch, sizeof(t->n_sketch));
		total += t->n_sketch;
		if (s->plan.simhash && t->n_sketch != 0 && t->n_sketch != s->plan.bits / 32)
			fail_short(f);
	}
	uint32_t *sketches = get_many(f, total, sizeof(*sketches));
	ds_seen_take(s, sketches);
	for (uint64_t i = 0; sketches && s->plan.near && i < n; i++) {
		ds_seen_text *t = ds_seen_get(s, (uint32_t)i);
		t->sketch = sketches;
		sketches += t->n_sketch;
	}
}

static void get_table(side *f, ds_lsh *t, unsigned bands, uint64_t n_texts)
{
	for (unsigned i = 0; t && i < bands * DS_LSH_SEGMENTS && f->rc == DS_OK; i++) {
		uint64_t n = get64(f), *members = get_many(f, n, sizeof(*members));
		if (members && !ds_lsh_put_segment(t, i / DS_LSH_SEGMENTS, i % DS_LSH_SEGMENTS,
				       members, (size_t)n, n_texts))
			fail_short(f);
		ds_mem_free(members);
	}
}

static void get_names(side *f, ds_seen *s)
{
	uint64_t *heads = get_many(f, s->n, sizeof(*heads)), total = 0;
	for (uint64_t i = 0; heads && i < s->n; i++) {
		total += heads[i] >> 1;
		if (total > f->left) {
			fail_short(f);
			break;
		}
	}
	char *names = get_many(f, total, 1), *at = names;
	for (uint64_t i = 0; heads && names && i < s->n; i++) {
		ds_str text = { at, heads[i] >> 1 };
		if (text.n)
			ds_seen_name(s, (uint32_t)i, (ds_seen_id){ text, heads[i] & 1 });
		at += text.n;
	}
	ds_mem_free(heads);
	ds_mem_free(names);
}

ds_rc ds_seen_load(ds_seen *s, ds_in *in, ds_err *e)
{
	DS_AUTO(ds_hasher) sum = ds_hasher_new();
	int64_t size = ds_in_file_size(in);
	if (size < 0)
		return ds_fail(e, DS_USAGE, "an index is a regular file");
	side f = { .in = in, .sum = sum, .left = (uint64_t)size, .e = e };
	get_head(&f, s);
	uint64_t n = get64(&f);
	s->n_full = get64(&f);
	get_texts(&f, s, n);
	get_table(&f, s->same, 1, n);
	get_table(&f, s->near, s->plan.bands.bands, n);
	get_names(&f, s);
	uint64_t want = ds_hasher_get64(sum), got = get64(&f);
	if (f.rc == DS_OK && (got != want || f.left))
		fail_short(&f);
	return f.rc;
}
