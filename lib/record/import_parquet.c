/*
 * import_parquet.c - Apache Parquet: row groups, cut into stretches of rows of about a block
 *
 * The footer is read when the file is opened, a row group's metadata and dictionaries when its first rows
 * are cut; pages are found and loaded while stretches are parsed, on all threads (parquet/column.c). A
 * row group goes when its last stretch is parsed.
 */
#include "record/import.h"

#include "base/mem.h"
#include "record/parquet/fields.h"
#include "record/whole.h"

/* Bytes that strings out of dictionaries may have in a stretch: a short index may stand for a long one. */
enum { MOST_LOOKED_UP = 64 << 20, MOST_ROWS = 1 << 20 };

typedef struct group {
	struct group *next;
	size_t number;
	ds_pq_group meta;
	ds_arena *mem;
	ds_pq_chunk **chunks; /* one a leaf; NULL: not wanted */
	uint64_t left;        /* rows that are not parsed */
	uint64_t bytes, first_byte;
} group;

typedef struct {
	ds_whole whole;
	ds_in *in;
	ds_pq_file f;
	ds_pq_fields fields;
	group *groups, *now;
	size_t next_group;
	uint64_t row, rows_each; /* of now */
} file;

typedef struct { /* a chunk's own: some rows of a group */
	group *g;
	uint64_t from, to;
} stretch;

static bool looks(ds_str head)
{
	return ds_str_starts(head, DS_S("PAR1")) || ds_str_starts(head, DS_S("PARE"));
}

static void free_group(group *g, uint32_t n_leaves)
{
	for (uint32_t i = 0; i < n_leaves; i++)
		ds_pq_chunk_close(g->chunks[i]);
	ds_arena_free(g->mem);
}

static void close_file(ds_input *in)
{
	file *x = in->state;
	if (!x)
		return;
	for (group *g = x->groups, *next; g; g = next) {
		next = g->next;
		free_group(g, x->f.meta.n_leaves);
	}
	for (size_t i = 0; i < x->f.n_compressors; i++)
		ds_compressor_free(x->f.compressors[i]);
	pthread_mutex_destroy(&x->f.lock);
	ds_arena_free(x->f.mem);
	ds_whole_close(&x->whole);
	ds_mem_free(x);
}

static ds_rc open_file(ds_input *in, ds_err *e)
{
	file *x = DS_NEW(file, 1);
	uint64_t most = in->how->max_record;
	in->state = x;
	x->in = in->in;
	x->whole.fd = -1;
	x->f.mem = ds_arena_new(64 << 10);
	pthread_mutex_init(&x->f.lock, NULL);
	x->f.budget.limit = 4 * (most > 64 << 20 ? most : 64 << 20);
	x->f.most_entries = most / 16 + (1 << 20);
	DS_TRY_AT(ds_whole_open(&x->whole, in->in, e), e, "%s", in->name);
	in->map = x->whole.bytes; /* so that it stays open */
	DS_TRY(ds_pq_read_meta(&x->f.meta, x->whole.bytes, ds_str_of(in->name), x->f.mem, e));
	if (x->f.meta.chain.n)
		DS_TRY_AT(ds_source_add_chain(in, x->f.meta.chain, e), e, "%s: %s", in->name,
			DS_PQ_CHAIN);
	return ds_pq_choose(&x->fields, &x->f, in->how, e);
}

/* What a row of a leaf takes in a block, about. */
static double row_bytes(
	const ds_pq_node *leaf, const ds_pq_column *c, const ds_pq_dictionary *d, uint64_t n_rows)
{
	double each = (double)c->n_values / (double)n_rows;
	double bytes = (double)c->raw_bytes / (double)n_rows;
	if (d->n && leaf->scalar.form == DS_FORM_BYTES)
		bytes += each * (double)d->bytes / d->n;
	return bytes + each * (leaf->max_rep || leaf->width < 8 ? 8 : 1);
}

static void choose_rows(file *x, group *g)
{
	double bytes = 0, looked_up = 0, rows;
	for (uint32_t i = 0; i < x->f.meta.n_leaves; i++) {
		if (!g->chunks[i])
			continue;
		const ds_pq_dictionary *d = ds_pq_chunk_dictionary(g->chunks[i]);
		bytes += row_bytes(
			x->f.meta.leaves[i], &g->meta.columns[i], d, (uint64_t)g->meta.n_rows);
		looked_up += (double)d->longest;
		g->bytes += (uint64_t)g->meta.columns[i].compressed_bytes;
	}
	rows = (double)ds_block_target() / (bytes > 1e-3 ? bytes : 1e-3);
	if (rows * looked_up > MOST_LOOKED_UP)
		rows = MOST_LOOKED_UP / looked_up;
	x->rows_each = rows < 1 ? 1 : rows > MOST_ROWS ? MOST_ROWS : (uint64_t)rows;
}

static ds_rc open_chunks(file *x, group *g, ds_err *e)
{
	const ds_pq_meta *m = &x->f.meta;
	g->first_byte = UINT64_MAX;
	for (uint32_t i = 0; i < m->n_leaves; i++) {
		const ds_pq_column *c = &g->meta.columns[i];
		if (!x->fields.wanted[i])
			continue;
		DS_TRY_AT(ds_pq_chunk_open(&g->chunks[i], &x->f, m->leaves[i], c,
				  (uint64_t)g->meta.n_rows, e),
			e, "%.*s: row group %zu", DS_FMT(m->name), g->number);
		if ((uint64_t)c->first_page < g->first_byte)
			g->first_byte = (uint64_t)c->first_page;
	}
	return DS_OK;
}

/* The last of a group's stretches takes the group with it. */
static void stretch_done(file *x, const stretch *s)
{
	group **at = &x->groups, *g = s->g;
	pthread_mutex_lock(&x->f.lock);
	g->left -= s->to - s->from;
	bool last = g->left == 0;
	while (last && *at != g)
		at = &(*at)->next;
	if (last)
		*at = g->next;
	pthread_mutex_unlock(&x->f.lock);
	if (last)
		free_group(g, x->f.meta.n_leaves);
}

static ds_rc open_group(file *x, ds_err *e)
{
	ds_arena *mem = ds_arena_new(4096);
	group *g = ds_arena_zero(mem, sizeof(*g));
	g->mem = mem;
	g->chunks = ds_arena_zero(mem, (x->f.meta.n_leaves + 1) * sizeof(ds_pq_chunk *));
	pthread_mutex_lock(&x->f.lock);
	g->next = x->groups;
	x->groups = g;
	pthread_mutex_unlock(&x->f.lock);
	g->number = ++x->next_group;
	DS_TRY(ds_pq_read_group(&g->meta, &x->f.meta, g->number - 1, mem, e));
	g->left = (uint64_t)g->meta.n_rows;
	if (!g->meta.n_rows) {
		stretch_done(x, &(stretch){ g, 0, 0 });
		return DS_OK;
	}
	if (!x->f.meta.n_leaves)
		return ds_fail(e, DS_BAD, "%.*s: has rows but no columns", DS_FMT(x->f.meta.name));
	DS_TRY(open_chunks(x, g, e));
	choose_rows(x, g);
	ds_whole_forget(&x->whole, x->in, g->first_byte);
	x->now = g;
	x->row = 0;
	return DS_OK;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	file *x = in->state;
	while (!x->now && x->next_group < x->f.meta.n_groups)
		DS_TRY(open_group(x, e));
	*more = x->now != NULL;
	if (!*more)
		return DS_OK;
	group *g = x->now;
	stretch *s = ds_arena_get(ch->mem, sizeof(*s));
	uint64_t left = (uint64_t)g->meta.n_rows - x->row;
	uint64_t n = x->rows_each < left ? x->rows_each : left;
	*s = (stretch){ g, x->row, x->row + n };
	ch->own = s;
	ch->n_records = n;
	ch->input_bytes = (uint64_t)((double)g->bytes * (double)n / (double)g->meta.n_rows) + 1;
	in->n_records += n;
	x->row += n;
	if (n == left)
		x->now = NULL;
	return DS_OK;
}

/* Under --salvage and --on-error the rows of a damaged page are lost, and no others. */
static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	file *x = ch->input->state;
	const stretch *s = ch->own;
	ds_rc rc = ds_pq_make_block(&x->fields, s->g->chunks, s->from, s->to, ch->mem, out, e);
	if (rc != DS_OK)
		ds_at(e, rc, "%s: row group %zu", ch->input->name, s->g->number);
	if (rc == DS_SHORT && ds_goes_on(ch->input->how)) {
		ds_source_damaged(ch->input, e->msg, ch->input_bytes);
		*out = ds_block_new(ch->mem, 0);
		rc = DS_OK;
	}
	stretch_done(x, s);
	return rc;
}

const ds_importer ds_import_parquet = {
	.name = "parquet",
	.what = "Apache Parquet, a row a record, nested columns as JSON",
	.suffixes = ".parquet .parq .pq",
	.magic = looks,
	.open = open_file,
	.cut = cut,
	.parse = parse,
	.close = close_file,
};
