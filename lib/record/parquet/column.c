/*
 * column.c - pages of a column chunk, found in order and loaded by whoever needs them first
 *
 * How many rows a page has is in its header, unless values repeat and the page is of version 1: then it
 * must be loaded to be counted, and so must those before it. The lock is held for finding alone.
 */
#include "record/parquet/column.h"

#include "base/mem.h"

typedef enum { FRESH, BUSY, READY } page_state;

typedef struct page {
	ds_pq_page p;
	struct page *next;
	page_state state;
	bool counted;       /* n_rows is known */
	bool inside;        /* its first entries go on with the row before first_row */
	uint64_t first_row; /* the first that begins here */
	uint32_t n_rows;    /* that begin here */
	uint32_t left;      /* entries that nobody has read yet */
} page;

struct ds_pq_part {
	page *from;
	uint32_t first, n; /* entries */
};

struct ds_pq_chunk {
	ds_pq_file *file;
	const ds_pq_node *leaf;
	ds_pq_column column;
	uint64_t n_rows, next_at, n_entries, rows_found;
	ds_pq_dictionary dictionary;
	page *pages, *last; /* those that are needed still */
	pthread_mutex_t lock;
	pthread_cond_t loaded;
};

static ds_compressor *take_compressor(ds_pq_file *f)
{
	ds_compressor *p = NULL;
	pthread_mutex_lock(&f->lock);
	if (f->n_compressors)
		p = f->compressors[--f->n_compressors];
	pthread_mutex_unlock(&f->lock);
	return p ? p : ds_compressor_new(1);
}

static void give_compressor(ds_pq_file *f, ds_compressor *p)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_compressors < sizeof(f->compressors) / sizeof(f->compressors[0])) {
		f->compressors[f->n_compressors++] = p;
		p = NULL;
	}
	pthread_mutex_unlock(&f->lock);
	ds_compressor_free(p);
}

static ds_pq_loader loader_of(ds_pq_chunk *c)
{
	return (ds_pq_loader){ &c->file->meta, c->leaf, c->column.codec, &c->file->budget,
		take_compressor(c->file) };
}

static ds_rc at_page(const ds_pq_chunk *c, const ds_pq_head *h, ds_rc rc, ds_err *e)
{
	return ds_at(e, rc, "column '%.*s': page at byte %llu", DS_FMT(c->leaf->name),
		(unsigned long long)h->header_at);
}

static ds_rc read_dictionary(ds_pq_chunk *c, const ds_pq_head *h, ds_err *e)
{
	ds_pq_loader l = loader_of(c);
	ds_rc rc = ds_pq_load_dictionary(&c->dictionary, h, &l, e);
	give_compressor(c->file, l.compressor);
	return rc == DS_OK ? rc : at_page(c, h, rc, e);
}

/* The next page that has values; a dictionary comes first or never. */
static ds_rc find_page(ds_pq_chunk *c, ds_pq_head *h, ds_err *e)
{
	for (;;) {
		uint64_t next;
		DS_TRY_AT(ds_pq_read_head(h, &c->file->meta, c->next_at, &next, e), e,
			"column '%.*s'", DS_FMT(c->leaf->name));
		bool data = h->type == DS_PQ_DATA || h->type == DS_PQ_DATA_V2;
		if (data && h->n)
			return DS_OK;
		if (h->type == DS_PQ_DICTIONARY && c->next_at == (uint64_t)c->column.first_page)
			DS_TRY(read_dictionary(c, h, e));
		c->next_at = next;
	}
}

ds_rc ds_pq_chunk_open(ds_pq_chunk **out, ds_pq_file *f, const ds_pq_node *leaf,
	const ds_pq_column *column, uint64_t n_rows, ds_err *e)
{
	ds_pq_chunk *c = *out = DS_NEW(ds_pq_chunk, 1);
	ds_pq_head h;
	c->file = f;
	c->leaf = leaf;
	c->column = *column;
	c->n_rows = n_rows;
	c->next_at = (uint64_t)column->first_page;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->loaded, NULL);
	if (!leaf->max_rep && (uint64_t)column->n_values != n_rows)
		return ds_fail(e, DS_SHORT, "damaged: column '%.*s' has %lld values for %llu rows",
			DS_FMT(leaf->name), (long long)column->n_values,
			(unsigned long long)n_rows);
	return column->n_values ? find_page(c, &h, e) : DS_OK;
}

static void free_page(ds_pq_chunk *c, page *p)
{
	ds_pq_unload(&p->p, &c->file->budget);
	ds_mem_free(p);
}

void ds_pq_chunk_close(ds_pq_chunk *c)
{
	if (!c)
		return;
	for (page *p = c->pages, *next; p; p = next) {
		next = p->next;
		free_page(c, p);
	}
	ds_pq_free_dictionary(&c->dictionary, &c->file->budget);
	pthread_cond_destroy(&c->loaded);
	pthread_mutex_destroy(&c->lock);
	ds_mem_free(c);
}

const ds_pq_dictionary *ds_pq_chunk_dictionary(const ds_pq_chunk *c)
{
	return &c->dictionary;
}

/* Behind the lock. */
static ds_rc add_page(ds_pq_chunk *c, ds_err *e)
{
	ds_pq_head h;
	DS_TRY(find_page(c, &h, e));
	if ((uint64_t)h.n > (uint64_t)c->column.n_values - c->n_entries) {
		ds_fail(e, DS_SHORT, "damaged: it has more values than its column");
		return at_page(c, &h, DS_SHORT, e);
	}
	page *p = DS_NEW(page, 1);
	p->p.head = h;
	p->p.n = p->left = (uint32_t)h.n;
	p->first_row = c->rows_found;
	if (!c->leaf->max_rep) {
		p->counted = true;
		p->n_rows = p->p.n;
		c->rows_found += p->n_rows;
	}
	c->n_entries += p->p.n;
	c->next_at = h.at + (uint64_t)h.compressed_bytes;
	if (c->last)
		c->last->next = p;
	else
		c->pages = p;
	c->last = p;
	return DS_OK;
}

static ds_rc count_rows(ds_pq_chunk *c, page *p, ds_err *e)
{
	uint8_t first = 1;
	ds_pq_runs_u8(&p->p.rep, 0, 1, &first);
	p->inside = first != 0;
	if (p->inside && !c->rows_found) {
		ds_fail(e, DS_SHORT, "damaged: it begins within a row");
		return at_page(c, &p->p.head, DS_SHORT, e);
	}
	p->n_rows = p->p.rep.n_match;
	c->rows_found += p->n_rows;
	p->counted = true;
	return DS_OK;
}

/* Behind the lock, which is left meanwhile. */
static ds_rc load(ds_pq_chunk *c, page *p, ds_err *e)
{
	while (p->state == BUSY)
		pthread_cond_wait(&c->loaded, &c->lock);
	if (p->state == READY)
		return DS_OK;
	p->state = BUSY;
	pthread_mutex_unlock(&c->lock);
	ds_pq_loader l = loader_of(c);
	ds_rc rc = ds_pq_load(&p->p, &l, e);
	if (rc != DS_OK) {
		ds_pq_unload(&p->p, &c->file->budget);
		rc = at_page(c, &p->p.head, rc, e);
	}
	give_compressor(c->file, l.compressor);
	pthread_mutex_lock(&c->lock);
	p->state = rc == DS_OK ? READY : FRESH;
	if (rc == DS_OK && !p->counted)
		rc = count_rows(c, p, e);
	pthread_cond_broadcast(&c->loaded);
	return rc;
}

/* Whether all pages are known that have entries of rows before `to`. */
static bool found(const ds_pq_chunk *c, uint64_t to)
{
	if (c->n_entries == (uint64_t)c->column.n_values)
		return true;
	/* Where values repeat, the last row may go on in the next page. */
	return c->leaf->max_rep ? c->rows_found > to : c->rows_found >= to;
}

/* Behind the lock. */
static ds_rc find_rows(ds_pq_chunk *c, uint64_t to, ds_err *e)
{
	for (;;) {
		if (c->last && !c->last->counted)
			DS_TRY(load(c, c->last, e));
		else if (found(c, to))
			break;
		else
			DS_TRY(add_page(c, e));
	}
	if (c->rows_found < to ||
		(c->n_entries == (uint64_t)c->column.n_values && c->rows_found != c->n_rows))
		return ds_fail(e, DS_SHORT,
			"damaged: column '%.*s' has %llu rows, its row group %llu",
			DS_FMT(c->leaf->name), (unsigned long long)c->rows_found,
			(unsigned long long)c->n_rows);
	return DS_OK;
}

/* The entries of p that belong to rows from..to; n 0: none. */
static struct ds_pq_part part_of(const ds_pq_chunk *c, page *p, uint64_t from, uint64_t to)
{
	struct ds_pq_part part = { .from = p };
	uint64_t end = p->first_row + p->n_rows, begin = p->first_row - (p->inside ? 1 : 0);
	uint32_t first = 0, last = p->p.n;
	if (end <= from || begin >= to)
		return part;
	if (from >= p->first_row)
		first = c->leaf->max_rep
				? ds_pq_runs_find(&p->p.rep, (uint32_t)(from - p->first_row), 0)
				: (uint32_t)(from - p->first_row);
	if (to < end)
		last = c->leaf->max_rep
			       ? ds_pq_runs_find(&p->p.rep, (uint32_t)(to - p->first_row), 0)
			       : (uint32_t)(to - p->first_row);
	part.first = first;
	part.n = last > first ? last - first : 0;
	return part;
}

/* Behind the lock: the pages with these rows, all of them loaded. */
static ds_rc take(
	ds_pq_chunk *c, uint64_t from, uint64_t to, ds_arena *mem, ds_pq_stretch *s, ds_err *e)
{
	size_t n = 0;
	DS_TRY(find_rows(c, to, e));
	for (page *p = c->pages; p; p = p->next)
		n++;
	s->parts = ds_arena_get(mem, (n + 1) * sizeof(*s->parts));
	for (page *p = c->pages; p; p = p->next) {
		struct ds_pq_part part = part_of(c, p, from, to);
		if (part.n)
			s->parts[s->n_parts++] = part;
		s->n += part.n;
	}
	for (size_t i = 0; i < s->n_parts; i++)
		DS_TRY(load(c, s->parts[i].from, e));
	return DS_OK;
}

static bool levels_right(const uint8_t *level, size_t n, unsigned most)
{
	uint8_t highest = 0;
	for (size_t i = 0; i < n; i++)
		highest = level[i] > highest ? level[i] : highest;
	return highest <= most;
}

static ds_rc read_levels(const ds_pq_chunk *c, ds_pq_stretch *s, ds_arena *mem, ds_err *e)
{
	bool gaps = false;
	size_t at = 0;
	for (size_t i = 0; i < s->n_parts; i++)
		gaps |= !s->parts[i].from->p.all_there;
	if (gaps)
		s->def = ds_arena_get(mem, s->n + 64);
	if (c->leaf->max_rep)
		s->rep = ds_arena_get(mem, s->n + 64);
	for (size_t i = 0; i < s->n_parts; i++) {
		const struct ds_pq_part *part = &s->parts[i];
		const ds_pq_page *p = &part->from->p;
		if (gaps && p->all_there)
			memset(s->def + at, c->leaf->max_def, part->n);
		else if (gaps)
			ds_pq_runs_u8(&p->def, part->first, part->n, s->def + at);
		if (s->rep)
			ds_pq_runs_u8(&p->rep, part->first, part->n, s->rep + at);
		at += part->n;
	}
	if ((s->def && !levels_right(s->def, s->n, c->leaf->max_def)) ||
		(s->rep && !levels_right(s->rep, s->n, c->leaf->max_rep)))
		return ds_fail(e, DS_SHORT, "damaged: column '%.*s' has impossible levels",
			DS_FMT(c->leaf->name));
	return DS_OK;
}

/* Where in a page's values those of a part begin and end. */
static void value_range(
	const ds_pq_chunk *c, const struct ds_pq_part *part, uint32_t *from, uint32_t *to)
{
	const ds_pq_page *p = &part->from->p;
	*from = part->first;
	*to = part->first + part->n;
	if (!p->all_there) {
		*from = ds_pq_runs_rank(&p->def, *from, c->leaf->max_def);
		*to = ds_pq_runs_rank(&p->def, *to, c->leaf->max_def);
	}
}

static ds_rc read_values(const ds_pq_chunk *c, ds_pq_stretch *s, ds_arena *mem, ds_err *e)
{
	bool bytes = c->leaf->scalar.form == DS_FORM_BYTES;
	size_t n = 0, size = bytes ? sizeof(ds_str) : 8;
	uint32_t from, to;
	for (size_t i = 0; i < s->n_parts; i++) {
		value_range(c, &s->parts[i], &from, &to);
		n += to - from;
	}
	char *all = ds_arena_get(mem, n * size + 64), *w = all;
	for (size_t i = 0; i < s->n_parts; i++) {
		const ds_pq_page *p = &s->parts[i].from->p;
		value_range(c, &s->parts[i], &from, &to);
		if (!ds_pq_get(&p->values, c->leaf, &c->dictionary, from, to - from, w)) {
			ds_fail(e, DS_SHORT,
				"damaged: a value is not in the dictionary or has "
				"another size than its type");
			return at_page(c, &p->head, DS_SHORT, e);
		}
		w += (to - from) * size;
	}
	s->values.n_values = n;
	if (bytes)
		s->values.s = (const ds_str *)(const void *)all;
	else if (c->leaf->scalar.form == DS_FORM_INT)
		s->values.i = (const int64_t *)(const void *)all;
	else
		s->values.f = (const double *)(const void *)all;
	return DS_OK;
}

ds_rc ds_pq_chunk_read(
	ds_pq_chunk *c, uint64_t from, uint64_t to, ds_arena *mem, ds_pq_stretch *out, ds_err *e)
{
	*out = (ds_pq_stretch){ 0 };
	pthread_mutex_lock(&c->lock);
	ds_rc rc = take(c, from, to, mem, out, e);
	pthread_mutex_unlock(&c->lock);
	DS_TRY(rc);
	if (out->n > c->file->most_entries)
		return ds_fail(e, DS_BAD,
			"column '%.*s': %zu values in %llu rows, with this --max-record the limit "
			"is "
			"%llu",
			DS_FMT(c->leaf->name), out->n, (unsigned long long)(to - from),
			(unsigned long long)c->file->most_entries);
	DS_TRY(read_levels(c, out, mem, e));
	return read_values(c, out, mem, e);
}

void ds_pq_stretch_done(ds_pq_chunk *c, ds_pq_stretch *s)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < s->n_parts; i++) {
		page *p = s->parts[i].from;
		p->left -= s->parts[i].n;
		if (!p->left)
			ds_pq_unload(&p->p, &c->file->budget);
	}
	while (c->pages && !c->pages->left) {
		page *p = c->pages;
		c->pages = p->next;
		if (!c->pages)
			c->last = NULL;
		free_page(c, p);
	}
	pthread_mutex_unlock(&c->lock);
}
