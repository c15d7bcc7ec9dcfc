/*
 * meta.c - the footer: Thrift's FileMetaData, as parquet.thrift has it
 */
#include "record/parquet/meta.h"

#include "base/hash.h"
#include "record/parquet/schema.h"
#include "record/parquet/thrift.h"

enum { MAGIC = 4, TAIL = 8 };

static ds_rc damaged(const ds_pq_meta *m, ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "%.*s: damaged: %s", DS_FMT(m->name), what);
}

static void read_key_value(ds_thrift *t, ds_pq_meta *m)
{
	ds_str key = { "", 0 }, value = { "", 0 };
	unsigned type;
	int id = 0;
	while (ds_thrift_field(t, &id, &type))
		if (id == 1)
			key = ds_thrift_bytes(t, type);
		else if (id == 2)
			value = ds_thrift_bytes(t, type);
		else
			ds_thrift_skip(t, type);
	if (ds_thrift_ok(t) && ds_str_is(key, DS_PQ_CHAIN))
		m->chain = value;
}

/* Where each row group's metadata lies; they are read when their turn comes. */
static void find_groups(ds_thrift *t, unsigned type, ds_pq_meta *m, ds_arena *mem)
{
	size_t n = ds_thrift_list(t, type, DS_THRIFT_STRUCT);
	m->groups = ds_arena_get(mem, (n + 1) * sizeof(*m->groups));
	for (; m->n_groups < n && ds_thrift_ok(t); m->n_groups++) {
		const uint8_t *at = t->cur.at;
		ds_thrift_skip(t, DS_THRIFT_STRUCT);
		m->groups[m->n_groups] = (ds_str){ (const char *)at, (size_t)(t->cur.at - at) };
	}
}

static ds_rc read_footer(ds_pq_meta *m, ds_str footer, ds_arena *mem, ds_err *e)
{
	ds_thrift t = ds_thrift_of(footer);
	unsigned type;
	int id = 0;
	while (ds_thrift_field(&t, &id, &type))
		switch (id) {
		case 2:
			DS_TRY(ds_pq_read_schema(m, &t, type, mem, e));
			break;
		case 4:
			find_groups(&t, type, m, mem);
			break;
		case 5:
			for (size_t n = ds_thrift_list(&t, type, DS_THRIFT_STRUCT); n; n--)
				read_key_value(&t, m);
			break;
		default:
			ds_thrift_skip(&t, type);
		}
	if (!ds_thrift_ok(&t) || !m->root)
		return damaged(m, e, "the footer cannot be read");
	return DS_OK;
}

ds_rc ds_pq_read_meta(ds_pq_meta *m, ds_str bytes, ds_str name, ds_arena *mem, ds_err *e)
{
	uint32_t n;
	*m = (ds_pq_meta){ .name = name, .bytes = bytes };
	if (!ds_str_starts(bytes, DS_S("PAR1")) && !ds_str_starts(bytes, DS_S("PARE")))
		return ds_fail(e, bytes.n < MAGIC ? DS_SHORT : DS_BAD, "%.*s: %s", DS_FMT(name),
			bytes.n < MAGIC ? "input ended early" : "is not a Parquet file");
	if (bytes.n < MAGIC + TAIL ||
		(!ds_str_ends(bytes, DS_S("PAR1")) && !ds_str_ends(bytes, DS_S("PARE"))))
		return ds_fail(
			e, DS_SHORT, "%.*s: input ended early: it has no footer", DS_FMT(name));
	if (ds_str_ends(bytes, DS_S("PARE")))
		return ds_fail(e, DS_BAD, "%.*s: is encrypted", DS_FMT(name));
	memcpy(&n, bytes.at + bytes.n - TAIL, 4);
	if (n > bytes.n - MAGIC - TAIL)
		return damaged(m, e, "the footer is longer than the file");
	m->data_end = bytes.n - TAIL - n;
	return read_footer(m, (ds_str){ bytes.at + m->data_end, n }, mem, e);
}

static void read_column_meta(ds_thrift *t, unsigned of, ds_pq_column *c, int64_t *type)
{
	unsigned ty;
	int id = 0;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &ty))
		switch (id) {
		case 1:
			*type = ds_thrift_int(t, ty);
			break;
		case 4:
			c->codec = ds_thrift_int(t, ty);
			break;
		case 5:
			c->n_values = ds_thrift_int(t, ty);
			break;
		case 6:
			c->raw_bytes = ds_thrift_int(t, ty);
			break;
		case 7:
			c->compressed_bytes = ds_thrift_int(t, ty);
			break;
		case 9:
			c->first_page = ds_thrift_int(t, ty);
			break;
		case 11:
			c->dictionary_page = ds_thrift_int(t, ty);
			break;
		default:
			ds_thrift_skip(t, ty);
		}
}

/* What is wrong with a column chunk, or NULL. */
static const char *read_column(
	ds_thrift *t, const ds_pq_meta *m, const ds_pq_node *leaf, ds_pq_column *c)
{
	unsigned type;
	int id = 0;
	int64_t physical = -1;
	bool elsewhere = false, encrypted = false;
	*c = (ds_pq_column){ .n_values = -1 };
	while (ds_thrift_field(t, &id, &type)) {
		if (id == 3) {
			read_column_meta(t, type, c, &physical);
			continue;
		}
		elsewhere |= id == 1;
		encrypted |= id == 8;
		ds_thrift_skip(t, type);
	}
	if (elsewhere)
		return "is in another file";
	if (encrypted)
		return "is encrypted";
	if (!ds_thrift_ok(t) || c->n_values < 0)
		return "has no metadata";
	if (physical != (int64_t)leaf->type)
		return "is of another type than the schema says";
	/* Some writers leave zero for a dictionary page that is there; the first page says what it is. */
	if (c->dictionary_page > 0 && c->dictionary_page < c->first_page)
		c->first_page = c->dictionary_page;
	/* A column without a value need not lie anywhere. */
	if (c->n_values && (c->first_page < MAGIC || (uint64_t)c->first_page > m->data_end))
		return "lies outside the file";
	if (c->compressed_bytes < 0 || c->raw_bytes < 0)
		return "has a size below zero";
	return NULL;
}

ds_rc ds_pq_read_group(ds_pq_group *g, const ds_pq_meta *m, size_t i, ds_arena *mem, ds_err *e)
{
	ds_thrift t = ds_thrift_of(m->groups[i]);
	unsigned type;
	int id = 0;
	size_t n = 0;
	*g = (ds_pq_group){ .n_rows = -1 };
	g->columns = ds_arena_zero(mem, (m->n_leaves + 1) * sizeof(*g->columns));
	while (ds_thrift_field(&t, &id, &type)) {
		if (id == 3)
			g->n_rows = ds_thrift_int(&t, type);
		if (id == 1)
			n = ds_thrift_list(&t, type, DS_THRIFT_STRUCT);
		if (id != 1 && id != 3)
			ds_thrift_skip(&t, type);
		if (id == 1 && n != m->n_leaves)
			return ds_fail(e, DS_SHORT,
				"%.*s: damaged: row group %zu has %zu columns, the schema %u",
				DS_FMT(m->name), i + 1, n, m->n_leaves);
		for (size_t k = 0; id == 1 && k < n; k++) {
			const char *wrong = read_column(&t, m, m->leaves[k], &g->columns[k]);
			if (wrong)
				return ds_fail(e, DS_BAD, "%.*s: row group %zu: column '%.*s' %s",
					DS_FMT(m->name), i + 1, DS_FMT(m->leaves[k]->name), wrong);
		}
	}
	if (!ds_thrift_ok(&t) || g->n_rows < 0 || n != m->n_leaves)
		return ds_fail(e, DS_SHORT, "%.*s: damaged: row group %zu cannot be read",
			DS_FMT(m->name), i + 1);
	return DS_OK;
}
