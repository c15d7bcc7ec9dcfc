/*
 * seen.c - texts in chunks that never move, clusters as a forest
 *
 * A tree's root is its earliest text, the first of the cluster; paths are halved on the way (Tarjan
 * and van Leeuwen 1984).
 */
#include "base/mem.h"
#include "text/seen_impl.h"

ds_seen *ds_seen_new(const ds_seen_plan *p)
{
	ds_seen *s = DS_NEW(ds_seen, 1);
	s->plan = *p;
	s->texts = ds_arena_new(1 << 20);
	if (p->exact)
		s->same = ds_lsh_new(1, DS_BUCKET_MOST);
	s->batch = 1024;
	if (p->near) {
		s->near = ds_lsh_new(p->bands.bands, DS_BUCKET_MOST);
		s->batch = DS_SEEN_BATCH_BANDS / p->bands.bands;
		s->list = DS_NEW(ds_seen_list, p->bands.bands);
	}
	ds_seen_jobs(s, 1);
	return s;
}

static void free_lanes(ds_seen *s)
{
	for (unsigned i = 0; i < s->n_lanes; i++) {
		ds_buf_free(&s->lane[i].hits);
		ds_mem_free(s->lane[i].chain);
	}
	ds_mem_free(s->lane);
	ds_pool_free(s->pool);
}

void ds_seen_jobs(ds_seen *s, unsigned threads)
{
	free_lanes(s);
	unsigned most = s->plan.near ? s->plan.bands.bands : 1;
	s->n_lanes = threads < most ? threads : most;
	s->pool = s->n_lanes > 1 ? ds_pool_new(s->n_lanes) : NULL;
	s->lane = DS_NEW(ds_seen_lane, s->n_lanes);
	for (unsigned i = 0; i < s->n_lanes; i++)
		s->lane[i].chain = DS_NEW(uint32_t, s->batch);
}

void ds_seen_free(ds_seen *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < DS_SEEN_CHUNKS; i++) {
		ds_mem_free(s->chunk[i]);
		ds_mem_free((void *)s->names[i]);
	}
	for (size_t i = 0; i < s->taken.n; i += sizeof(void *)) {
		void *p;
		memcpy(&p, s->taken.at + i, sizeof(p));
		ds_mem_free(p);
	}
	ds_buf_free(&s->taken);
	ds_arena_free(s->texts);
	ds_lsh_free(s->same);
	ds_lsh_free(s->near);
	free_lanes(s);
	ds_mem_free(s->list);
	ds_mem_free(s);
}

ds_seen_text *ds_seen_next(ds_seen *s)
{
	if (s->n >= DS_LSH_RECORDS)
		return NULL;
	ds_seen_text **chunk = &s->chunk[s->n >> DS_SEEN_BITS];
	if (!*chunk)
		*chunk = DS_NEW(ds_seen_text, DS_SEEN_CHUNK);
	ds_seen_text *t = ds_seen_get(s, (uint32_t)s->n);
	t->parent = (uint32_t)s->n++;
	return t;
}

void ds_seen_take(ds_seen *s, void *sketches)
{
	if (sketches)
		ds_buf_add(&s->taken, &sketches, sizeof(sketches));
}

uint64_t ds_seen_count(const ds_seen *s)
{
	return s->n;
}

uint64_t ds_seen_bytes(const ds_seen *s)
{
	return s->n * sizeof(ds_seen_text) + s->sketch_bytes + s->name_bytes +
	       (s->same ? ds_lsh_bytes(s->same) : 0) + (s->near ? ds_lsh_bytes(s->near) : 0);
}

uint64_t ds_seen_full(const ds_seen *s)
{
	return s->n_full;
}

uint32_t ds_seen_first(ds_seen *s, uint32_t number)
{
	ds_seen_text *r = ds_seen_get(s, number);
	while (r->parent != number) {
		r->parent = ds_seen_get(s, r->parent)->parent;
		number = r->parent;
		r = ds_seen_get(s, number);
	}
	return number;
}

bool ds_seen_same(const ds_seen *s, uint32_t a, uint32_t b)
{
	ds_h128 x = ds_seen_get(s, a)->key, y = ds_seen_get(s, b)->key;
	return s->plan.exact && x.lo == y.lo && x.hi == y.hi;
}

const uint32_t *ds_seen_sketch(const ds_seen *s, uint32_t number, uint32_t *n)
{
	*n = ds_seen_get(s, number)->n_sketch;
	return ds_seen_get(s, number)->sketch;
}

void ds_seen_join(ds_seen *s, uint32_t a, uint32_t b)
{
	a = ds_seen_first(s, a);
	b = ds_seen_first(s, b);
	if (a < b)
		ds_seen_get(s, b)->parent = a;
	else
		ds_seen_get(s, a)->parent = b;
}

void ds_seen_name(ds_seen *s, uint32_t number, ds_seen_id id)
{
	const char ***names = &s->names[number >> DS_SEEN_BITS];
	if (!*names)
		*names = DS_NEW(const char *, DS_SEEN_CHUNK);
	uint64_t head = (uint64_t)id.text.n << 1 | id.is_number;
	char *p = ds_arena_bytes(s->texts, sizeof(head) + id.text.n);
	memcpy(p, &head, sizeof(head));
	if (id.text.n)
		memcpy(p + sizeof(head), id.text.at, id.text.n);
	(*names)[number & (DS_SEEN_CHUNK - 1)] = p;
	s->name_bytes += sizeof(char *) + sizeof(head) + id.text.n;
}

ds_seen_id ds_seen_id_of(const ds_seen *s, uint32_t number)
{
	const char **names = s->names[number >> DS_SEEN_BITS];
	const char *p = names ? names[number & (DS_SEEN_CHUNK - 1)] : NULL;
	if (!p)
		return (ds_seen_id){ { "", 0 }, false };
	uint64_t head;
	memcpy(&head, p, sizeof(head));
	return (ds_seen_id){ { p + sizeof(head), head >> 1 }, head & 1 };
}

static void add_cell(ds_buf *out, ds_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		static const char from[] = "\t\n\r\\", to[] = "tnr\\";
		const char *special = s.at[i] ? strchr(from, s.at[i]) : NULL;
		if (special)
			ds_buf_add_byte(out, '\\');
		ds_buf_add_byte(out, special ? to[special - from] : s.at[i]);
	}
}

void ds_seen_add_row(ds_buf *out, ds_str cluster, ds_str id)
{
	add_cell(out, cluster);
	ds_buf_add_byte(out, '\t');
	add_cell(out, id);
	ds_buf_add_byte(out, '\n');
}

/* A bit for each text that another one has as its first. */
static uint8_t *find_leads(ds_seen *s)
{
	uint8_t *leads = DS_NEW(uint8_t, s->n / 8 + 1);
	for (uint64_t i = 0; i < s->n; i++) {
		uint32_t first = ds_seen_first(s, (uint32_t)i);
		if (first != i)
			leads[first / 8] |= (uint8_t)(1 << first % 8);
	}
	return leads;
}

ds_rc ds_seen_write_clusters(ds_seen *s, ds_out *out, ds_err *e)
{
	ds_buf line = { 0 };
	uint8_t *leads = find_leads(s);
	ds_rc rc = ds_out_write(out, "cluster\tid\n", 11, e);
	for (uint64_t i = 0; i < s->n && rc == DS_OK; i++) {
		uint32_t first = ds_seen_first(s, (uint32_t)i);
		if (!(leads[first / 8] >> first % 8 & 1))
			continue;
		ds_buf_clear(&line);
		ds_seen_add_row(
			&line, ds_seen_id_of(s, first).text, ds_seen_id_of(s, (uint32_t)i).text);
		rc = ds_out_write(out, line.at, line.n, e);
	}
	ds_buf_free(&line);
	ds_mem_free(leads);
	return rc;
}
