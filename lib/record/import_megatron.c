/*
 * import_megatron.c - Megatron-LM's indexed dataset, named by its .idx: a sequence is a record
 *
 * Both files are mapped, so they must be plain files. What the .idx says is believed only as far as
 * the .bin goes. Which sequences make a document is not kept.
 */
#include "record/import.h"

#include "base/cur.h"
#include "base/mem.h"
#include "record/block_impl.h"
#include "record/megatron.h"

typedef struct {
	ds_in *bin;
	ds_str bytes; /* of the .bin */
	unsigned type, width;
	uint64_t n, next; /* sequences */
	const char *lengths, *offsets;
} dataset;

static bool looks(ds_str head)
{
	return head.n >= DS_MEGATRON_MAGIC &&
	       memcmp(head.at, DS_MEGATRON_MAGIC_TEXT, DS_MEGATRON_MAGIC) == 0;
}

static ds_rc read_head(ds_input *in, dataset *d, ds_str index, ds_err *e)
{
	ds_cur c = ds_cur_of(index.at, index.n);
	ds_str magic = ds_cur_bytes(&c, DS_MEGATRON_MAGIC);
	uint64_t version = ds_cur_u64(&c), documents;
	size_t need, part;
	d->type = ds_cur_u8(&c);
	d->n = ds_cur_u64(&c);
	documents = ds_cur_u64(&c);
	if (!ds_cur_ok(&c))
		return ds_fail(e, DS_SHORT, "%s: input ended early, within its header", in->name);
	if (!looks(magic) || version != 1)
		return ds_fail(e, DS_BAD, "%s: version %llu of the format is not known", in->name,
			(unsigned long long)version);
	d->width = d->type == DS_MEGATRON_U8    ? 1
		   : d->type == DS_MEGATRON_U16 ? 2
		   : d->type == DS_MEGATRON_I32 ? 4
		   : d->type == DS_MEGATRON_I64 ? 8
						: 0;
	if (!d->width)
		return ds_fail(e, DS_BAD, "%s: type %u is not one of tokens", in->name, d->type);
	if (!ds_mul(d->n, 12, &need) || !ds_mul(documents, 8, &part) ||
		!ds_add(need, part, &need) || need > ds_cur_left(&c))
		return ds_fail(e, DS_SHORT, "%s: input ended early: %llu sequences were promised",
			in->name, (unsigned long long)d->n);
	d->lengths = ds_cur_bytes(&c, (size_t)d->n * 4).at;
	d->offsets = ds_cur_bytes(&c, (size_t)d->n * 8).at;
	return DS_OK;
}

static ds_rc open_file(ds_input *in, ds_err *e)
{
	ds_arena *mem = ds_source_mem(in->source);
	dataset *d = ds_arena_zero(mem, sizeof(*d));
	ds_str index, name = ds_str_of(in->name);
	in->state = d;
	if (!ds_str_ends(name, DS_S(".idx")))
		return ds_fail(
			e, DS_BAD, "%s: is not named .idx, so its .bin cannot be found", in->name);
	if (!ds_in_map(in->in, &index))
		return ds_fail(e, DS_BAD, "%s: must be a plain file", in->name);
	DS_TRY(read_head(in, d, index, e));
	ds_str bin = ds_arena_fmt(mem, "%.*s.bin", (int)(name.n - 4), name.at);
	DS_TRY(ds_in_open(&d->bin, bin.at, e));
	if (ds_in_file_size(d->bin) != 0 && !ds_in_map(d->bin, &d->bytes))
		return ds_fail(e, DS_BAD, "%s: must be a plain file", bin.at);
	return DS_OK;
}

static void close_file(ds_input *in)
{
	dataset *d = in->state;
	if (d)
		ds_in_close(d->bin);
}

/* The bytes of sequence i; DS_SHORT where the .bin has them not. */
static ds_rc sequence(const ds_input *in, uint64_t i, ds_str *out, ds_err *e)
{
	const dataset *d = in->state;
	int32_t length;
	int64_t at;
	size_t n;
	memcpy(&length, d->lengths + 4 * i, 4);
	memcpy(&at, d->offsets + 8 * i, 8);
	if (length < 0 || at < 0 || !ds_mul((size_t)length, d->width, &n) ||
		(uint64_t)at > d->bytes.n || n > d->bytes.n - (size_t)at)
		return ds_fail(e, DS_SHORT, "%s: damaged: sequence %llu is outside the .bin",
			in->name, (unsigned long long)i + 1);
	*out = (ds_str){ n ? d->bytes.at + at : "", n };
	return DS_OK;
}

/* Ids as 32 bits; false where one does not fit. */
static bool widen(const dataset *d, ds_str s, uint32_t *out)
{
	for (size_t i = 0; i < s.n / d->width; i++) {
		int64_t v = 0;
		int32_t narrow;
		memcpy(&v, s.at + i * d->width, d->width);
		if (d->type == DS_MEGATRON_I32) {
			memcpy(&narrow, &v, 4);
			v = narrow;
		}
		if (v < 0 || v > UINT32_MAX)
			return false;
		out[i] = (uint32_t)v;
	}
	return true;
}

typedef struct {
	ds_input *in;
	ds_chunk *ch;
	uint32_t *ids, *off;
	ds_good_rows rows;
} work;

static ds_rc add_sequence(work *w, uint64_t i, ds_str s, ds_err *e)
{
	const dataset *d = w->in->state;
	bool fits;
	uint32_t at = w->off[w->rows.n];
	DS_TRY(ds_check_record(w->ch, i + 1, s, &fits, e));
	if (!fits)
		return DS_OK;
	if (!widen(d, s, w->ids + at)) {
		ds_fail(e, DS_BAD, "an id that is no token");
		return ds_reject(w->ch, i + 1, s, e);
	}
	ds_good_rows_add(&w->rows, w->ch->mem, i + 1 - w->ch->first_record);
	w->off[w->rows.n] = at + (uint32_t)(s.n / d->width);
	return DS_OK;
}

static void put_tokens(work *w)
{
	uint32_t n = w->off[w->rows.n], all = 0;
	ds_block *b = w->ch->block = ds_block_new(w->ch->mem, (uint32_t)w->rows.n);
	ds_col col = { .name = DS_S("tokens"),
		.type = DS_T_U32S,
		.decoded = true,
		.off = w->off,
		.data = w->ids };
	for (uint32_t i = 0; i < n; i++)
		all |= w->ids[i];
	if (all <= UINT16_MAX) {
		uint16_t *narrow = ds_arena_get(w->ch->mem, n * sizeof(*narrow) + 64);
		for (uint32_t i = 0; i < n; i++)
			narrow[i] = (uint16_t)w->ids[i];
		col.type = DS_T_U16S;
		col.data = narrow;
	}
	b->row_of = w->rows.row_of;
	ds_block_add(b, &col);
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	dataset *d = in->state;
	uint64_t first = d->next, end = first;
	size_t bytes = 0;
	work w = { .in = in, .ch = ch };
	ds_str s;
	for (; end < d->n && bytes < ds_block_target() && end - first < DS_MAX_ROWS; end++) {
		DS_TRY(sequence(in, end, &s, e));
		bytes += s.n;
	}
	*more = end > first;
	if (!*more)
		return DS_OK;
	if (bytes / d->width > UINT32_MAX - 64)
		return ds_fail(e, DS_BAD, "%s: sequence %llu is too long", in->name,
			(unsigned long long)end);
	w.off = ds_arena_zero(ch->mem, (size_t)(end - first + 1) * sizeof(*w.off));
	w.ids = ds_arena_get(ch->mem, bytes / d->width * sizeof(*w.ids) + 64);
	for (uint64_t i = first; i < end; i++) {
		DS_TRY(sequence(in, i, &s, e));
		DS_TRY(add_sequence(&w, i, s, e));
	}
	put_tokens(&w);
	d->next = end;
	ch->n_records = end - first;
	in->n_records += ch->n_records;
	ch->input_bytes = bytes;
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	*out = ch->block;
	return DS_OK;
}

const ds_importer ds_import_megatron = {
	.name = "megatron",
	.what = "Megatron-LM's indexed dataset, named by its .idx",
	.suffixes = ".idx",
	.magic = looks,
	.open = open_file,
	.cut = cut,
	.parse = parse,
	.close = close_file,
};
