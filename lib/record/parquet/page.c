/*
 * page.c - a page from the file to values that can be read
 *
 * A checksum is of the bytes as they lie in the file. Version 1 packs levels and values together,
 * version 2 leaves the levels as they are.
 */
#include "record/parquet/page.h"

#include "base/codec_block.h"
#include "base/mem.h"
#include "record/parquet/thrift.h"

enum { PLAIN = 0, PLAIN_DICTIONARY = 2, RLE = 3, BIT_PACKED = 4 };

/* Of data, or of a dictionary, whose first two fields are the same. */
static void read_data_head(ds_thrift *t, unsigned of, int last, ds_pq_head *h)
{
	unsigned type;
	int id = 0;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &type)) {
		int64_t *number[] = { NULL, &h->n, &h->encoding, &h->def_encoding,
			&h->rep_encoding };
		if (id >= 1 && id <= last)
			*number[id] = ds_thrift_int(t, type);
		else
			ds_thrift_skip(t, type);
	}
}

static void read_data_head_v2(ds_thrift *t, unsigned of, ds_pq_head *h)
{
	unsigned type;
	int id = 0;
	int64_t nulls;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &type)) {
		int64_t *number[] = { NULL, &h->n, &nulls, &h->n_rows, &h->encoding, &h->def_bytes,
			&h->rep_bytes };
		if (id >= 1 && id <= 6)
			*number[id] = ds_thrift_int(t, type);
		else if (id == 7)
			h->plain = !ds_thrift_bool(t, type);
		else
			ds_thrift_skip(t, type);
	}
}

static void read_fields(ds_thrift *t, ds_pq_head *h)
{
	unsigned type;
	int id = 0;
	while (ds_thrift_field(t, &id, &type))
		switch (id) {
		case 1:
			h->type = ds_thrift_int(t, type);
			break;
		case 2:
			h->raw_bytes = ds_thrift_int(t, type);
			break;
		case 3:
			h->compressed_bytes = ds_thrift_int(t, type);
			break;
		case 4:
			h->crc = (uint32_t)ds_thrift_int(t, type);
			h->has_crc = true;
			break;
		case 5:
			read_data_head(t, type, 4, h);
			break;
		case 7:
			read_data_head(t, type, 2, h);
			break;
		case 8:
			read_data_head_v2(t, type, h);
			break;
		default:
			ds_thrift_skip(t, type);
		}
}

ds_rc ds_pq_read_head(ds_pq_head *h, const ds_pq_meta *m, uint64_t at, uint64_t *next, ds_err *e)
{
	*h = (ds_pq_head){ .type = -1, .header_at = at, .def_encoding = RLE, .rep_encoding = RLE };
	if (at > m->data_end)
		return ds_fail(e, DS_SHORT, "damaged: a page lies outside the file");
	ds_thrift t = ds_thrift_of((ds_str){ m->bytes.at + at, m->data_end - at });
	read_fields(&t, h);
	uint64_t left = ds_cur_left(&t.cur);
	if (!ds_thrift_ok(&t) || h->type < 0)
		return ds_fail(e, DS_SHORT, "damaged: the header of the page at byte %llu",
			(unsigned long long)at);
	if (h->raw_bytes < 0 || h->compressed_bytes < 0 || (uint64_t)h->compressed_bytes > left ||
		h->n < 0 || h->n > INT32_MAX || h->def_bytes < 0 || h->rep_bytes < 0 ||
		h->n_rows < 0 || h->def_bytes > INT32_MAX || h->rep_bytes > INT32_MAX ||
		h->raw_bytes > INT32_MAX)
		return ds_fail(e, DS_SHORT, "damaged: the sizes of the page at byte %llu",
			(unsigned long long)at);
	h->at = m->data_end - left;
	*next = h->at + (uint64_t)h->compressed_bytes;
	return DS_OK;
}

static ds_block_codec codec_of(int64_t codec)
{
	static const uint8_t as[] = { DS_BLOCK_RAW, DS_BLOCK_SNAPPY, DS_BLOCK_GZIP, 0,
		DS_BLOCK_BROTLI, DS_BLOCK_LZ4_HADOOP, DS_BLOCK_ZSTD, DS_BLOCK_LZ4 };
	return codec > 0 && codec < (int64_t)sizeof(as) ? as[codec] : DS_BLOCK_RAW;
}

/* n bytes decompressed, or the bytes themselves where nothing is compressed. */
static ds_rc decompress(const ds_pq_loader *l, ds_str in, size_t n, void **own, ds_str *out,
	uint64_t *counted, ds_err *e)
{
	ds_block_codec codec = codec_of(l->codec);
	if (codec == DS_BLOCK_RAW && l->codec != 0)
		return ds_fail(e, DS_BAD, "compression %lld is not known", (long long)l->codec);
	if (codec == DS_BLOCK_RAW) {
		*out = in;
		return DS_OK;
	}
	DS_TRY(ds_pq_count(l->budget, n, counted, e));
	*own = ds_mem_get(n + 64);
	*out = (ds_str){ *own, n };
	return n ? ds_block_decompress(codec, l->compressor, in, *own, n, e) : DS_OK;
}

static ds_rc check_crc(const ds_pq_head *h, ds_str bytes, ds_err *e)
{
	if (h->has_crc && ds_crc32(bytes.at, bytes.n) != h->crc)
		return ds_fail(e, DS_SHORT, "damaged: its checksum is wrong");
	return DS_OK;
}

static unsigned bits_for(unsigned most)
{
	return most ? 32 - (unsigned)__builtin_clz(most) : 0;
}

/* Levels of version 1 from the front of *rest. */
static bool read_levels(
	ds_pq_runs *r, ds_str *rest, unsigned most, int64_t encoding, uint32_t n, uint32_t match)
{
	ds_cur c = ds_cur_of(rest->at, rest->n);
	unsigned bits = bits_for(most);
	ds_str bytes;
	bool right;
	if (!most)
		return true;
	if (encoding == BIT_PACKED) {
		bytes = ds_cur_bytes(&c, ((size_t)n * bits + 7) / 8);
		right = ds_cur_ok(&c) && ds_pq_runs_read_old(r, bytes, bits, n, match);
	} else {
		bytes = ds_cur_bytes(&c, ds_cur_u32(&c));
		right = encoding == RLE && ds_cur_ok(&c) &&
			ds_pq_runs_read(r, bytes, bits, n, match);
	}
	*rest = (ds_str){ (const char *)c.at, ds_cur_left(&c) };
	return right;
}

static ds_rc load_v1(ds_pq_page *p, const ds_pq_loader *l, ds_str in, ds_str *values, ds_err *e)
{
	const ds_pq_node *leaf = l->leaf;
	DS_TRY(decompress(l, in, (size_t)p->head.raw_bytes, &p->raw, values, &p->counted, e));
	if (!read_levels(&p->rep, values, leaf->max_rep, p->head.rep_encoding, p->n, 0) ||
		!read_levels(
			&p->def, values, leaf->max_def, p->head.def_encoding, p->n, leaf->max_def))
		return ds_fail(e, DS_SHORT, "damaged: levels");
	return DS_OK;
}

static ds_rc load_v2(ds_pq_page *p, const ds_pq_loader *l, ds_str in, ds_str *values, ds_err *e)
{
	const ds_pq_node *leaf = l->leaf;
	ds_cur c = ds_cur_of(in.at, in.n);
	ds_str rep = ds_cur_bytes(&c, (size_t)p->head.rep_bytes);
	ds_str def = ds_cur_bytes(&c, (size_t)p->head.def_bytes);
	ds_str rest = { (const char *)c.at, ds_cur_left(&c) };
	int64_t n = p->head.raw_bytes - p->head.rep_bytes - p->head.def_bytes;
	if (!ds_cur_ok(&c) || n < 0)
		return ds_fail(e, DS_SHORT, "damaged: levels");
	if ((leaf->max_rep && !ds_pq_runs_read(&p->rep, rep, bits_for(leaf->max_rep), p->n, 0)) ||
		(leaf->max_def && !ds_pq_runs_read(&p->def, def, bits_for(leaf->max_def), p->n,
					  leaf->max_def)))
		return ds_fail(e, DS_SHORT, "damaged: levels");
	*values = rest;
	if (p->head.plain)
		return DS_OK;
	return decompress(l, rest, (size_t)n, &p->raw, values, &p->counted, e);
}

ds_rc ds_pq_load(ds_pq_page *p, const ds_pq_loader *l, ds_err *e)
{
	ds_str in = { l->meta->bytes.at + p->head.at, (size_t)p->head.compressed_bytes }, values;
	DS_TRY(check_crc(&p->head, in, e));
	DS_TRY(p->head.type == DS_PQ_DATA_V2 ? load_v2(p, l, in, &values, e)
					     : load_v1(p, l, in, &values, e));
	DS_TRY(ds_pq_count(
		l->budget, (p->rep.cap + p->def.cap) * sizeof(ds_pq_run), &p->counted, e));
	p->all_there = !l->leaf->max_def || p->def.n_match == p->n;
	return ds_pq_read_values(&p->values, l, p->head.encoding, values,
		l->leaf->max_def ? p->def.n_match : p->n, &p->counted, e);
}

void ds_pq_unload(ds_pq_page *p, ds_pq_budget *b)
{
	ds_pq_runs_free(&p->rep);
	ds_pq_runs_free(&p->def);
	ds_pq_free_values(&p->values);
	ds_mem_free(p->raw);
	p->raw = NULL;
	p->rep.cap = p->def.cap = 0;
	__atomic_sub_fetch(&b->live, p->counted, __ATOMIC_RELAXED);
	p->counted = 0;
}

static ds_rc fill_dictionary(
	ds_pq_dictionary *d, const ds_pq_loader *l, ds_pq_values *v, uint64_t *counted, ds_err *e)
{
	size_t size = l->leaf->scalar.form == DS_FORM_BYTES ? sizeof(ds_str) : 8;
	void *all;
	DS_TRY(ds_pq_count(l->budget, v->n * size, counted, e));
	d->n = v->n;
	all = ds_mem_get(v->n * size + 64);
	d->i = all;
	d->f = all;
	d->s = all;
	if (!ds_pq_get(v, l->leaf, NULL, 0, v->n, all))
		return ds_fail(e, DS_SHORT, "damaged: the dictionary");
	for (uint32_t i = 0; i < d->n && size == sizeof(ds_str); i++) {
		d->bytes += d->s[i].n;
		d->longest = d->s[i].n > d->longest ? d->s[i].n : d->longest;
	}
	return DS_OK;
}

ds_rc ds_pq_load_dictionary(
	ds_pq_dictionary *d, const ds_pq_head *h, const ds_pq_loader *l, ds_err *e)
{
	ds_str in = { l->meta->bytes.at + h->at, (size_t)h->compressed_bytes }, raw;
	ds_pq_values v = { 0 };
	uint64_t counted = 0;
	*d = (ds_pq_dictionary){ 0 };
	if (h->encoding != PLAIN && h->encoding != PLAIN_DICTIONARY)
		return ds_fail(e, DS_BAD, "encoding %lld of a dictionary is not known",
			(long long)h->encoding);
	DS_TRY(check_crc(h, in, e));
	ds_rc rc = decompress(l, in, (size_t)h->raw_bytes, &d->own, &raw, &counted, e);
	if (rc == DS_OK)
		rc = ds_pq_read_values(&v, l, PLAIN, raw, (uint32_t)h->n, &counted, e);
	if (rc == DS_OK)
		rc = fill_dictionary(d, l, &v, &counted, e);
	ds_pq_free_values(&v);
	d->counted = counted;
	return rc;
}

void ds_pq_free_dictionary(ds_pq_dictionary *d, ds_pq_budget *b)
{
	ds_mem_free(d->s);
	ds_mem_free(d->own);
	__atomic_sub_fetch(&b->live, d->counted, __ATOMIC_RELAXED);
	*d = (ds_pq_dictionary){ 0 };
}
