/*
 * format.c - the fixed parts of a stream, to bytes and back (docs/format.md)
 */
#include "record/stream_impl.h"

#include "base/hash.h"

/* As PNG's: a byte over 127, line ends and a NUL, which a transfer as text would change. */
const uint8_t ds_stream_magic[DS_MAGIC_BYTES] = { 0x89, 'D', 'S', 'R', '\r', '\n', 0x1a, '\n', 0x00,
	0xff, 'd', 's', 't', 'o', 'o', 'l' };
static const uint8_t footer_magic[DS_MAGIC_BYTES] = { 0x89, 'D', 'S', 'E', '\r', '\n', 0x1a, '\n',
	0x00, 0xff, 'd', 's', 't', 'o', 'o', 'l' };
/* C1, F5 and FF are in no UTF-8 text, so a search for the next frame stops at few other places. */
const uint8_t ds_frame_magic[8] = { 0xff, 'D', 'S', 'B', '\r', '\n', 0xc1, 0xf5 };

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* The last eight bytes of every fixed part are the hash of those before. */
static void seal(uint8_t *p)
{
	put64(p + DS_HEAD_BYTES - 8, ds_hash64(p, DS_HEAD_BYTES - 8));
}

static bool sealed(const uint8_t *p)
{
	return get64(p + DS_HEAD_BYTES - 8) == ds_hash64(p, DS_HEAD_BYTES - 8);
}

bool ds_zeros(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= b[i];
	return any == 0;
}

bool ds_stream_looks(ds_str head)
{
	size_t n = head.n < DS_MAGIC_BYTES ? head.n : DS_MAGIC_BYTES, same = 0;
	for (size_t i = 0; i < n; i++)
		same += (uint8_t)head.at[i] == ds_stream_magic[i];
	return n > 0 && same * DS_MAGIC_BYTES >= n * 11;
}

void ds_stream_head_put(uint8_t out[DS_HEAD_BYTES], uint64_t payload_bytes, uint64_t payload_hash)
{
	memset(out, 0, DS_HEAD_BYTES);
	memcpy(out, ds_stream_magic, DS_MAGIC_BYTES);
	put16(out + 16, DS_MAJOR);
	put16(out + 18, DS_MINOR);
	put64(out + 24, payload_bytes);
	put64(out + 32, payload_hash);
	seal(out);
}

ds_rc ds_stream_head_get(
	const uint8_t in[DS_HEAD_BYTES], uint64_t *payload_bytes, uint64_t *payload_hash, ds_err *e)
{
	if (memcmp(in, ds_stream_magic, DS_MAGIC_BYTES) != 0 || !sealed(in))
		return ds_fail(e, DS_SHORT, "the stream's header is damaged");
	unsigned major = get16(in + 16), minor = get16(in + 18);
	if (major != DS_MAJOR)
		return ds_fail(e, DS_BAD, "version %u.%u is %s than this program's %d.%d", major,
			minor, major > DS_MAJOR ? "newer" : "older", DS_MAJOR, DS_MINOR);
	if (get32(in + 20) != 0)
		return ds_fail(e, DS_BAD, "version %u.%u with flags %#x, which are not known here",
			major, minor, get32(in + 20));
	*payload_bytes = get64(in + 24);
	*payload_hash = get64(in + 32);
	return DS_OK;
}

void ds_frame_head_put(uint8_t out[DS_HEAD_BYTES], const ds_frame_head *h)
{
	memcpy(out, ds_frame_magic, 8);
	put16(out + 8, h->kind);
	put16(out + 10, h->n_cols);
	put32(out + 12, h->n_rows);
	put64(out + 16, h->body_bytes);
	put64(out + 24, h->data_bytes);
	put64(out + 32, h->seq);
	put64(out + 40, h->first);
	put64(out + 48, h->body_hash);
	seal(out);
}

ds_head_state ds_frame_head_get(const uint8_t in[DS_HEAD_BYTES], ds_frame_head *h)
{
	if (memcmp(in, ds_frame_magic, 8) != 0)
		return DS_HEAD_NO_MAGIC;
	*h = (ds_frame_head){ get16(in + 8), get16(in + 10), get32(in + 12), get64(in + 16),
		get64(in + 24), get64(in + 32), get64(in + 40), get64(in + 48) };
	return sealed(in) ? DS_HEAD_OK : DS_HEAD_DAMAGED;
}

void ds_footer_put(uint8_t out[DS_HEAD_BYTES], const ds_footer *f)
{
	memset(out, 0, DS_HEAD_BYTES);
	memcpy(out, footer_magic, DS_MAGIC_BYTES);
	put64(out + 16, f->trailer_bytes);
	put64(out + 24, f->stream_bytes);
	put64(out + 32, f->checksum);
	seal(out);
}

bool ds_footer_get(const uint8_t in[DS_HEAD_BYTES], ds_footer *f)
{
	*f = (ds_footer){ get64(in + 16), get64(in + 24), get64(in + 32) };
	return memcmp(in, footer_magic, DS_MAGIC_BYTES) == 0 && sealed(in) && ds_zeros(in + 40, 16);
}

void ds_totals_put(uint8_t out[DS_TOTALS_BYTES], const ds_totals *t)
{
	put64(out, t->records);
	put64(out + 8, t->blocks);
	put64(out + 16, t->frames);
	put64(out + 24, t->raw_bytes);
	put64(out + 32, t->checksum);
	put64(out + 40, t->trailer_at);
	put64(out + 48, t->chain_bytes);
	put64(out + 56, 0);
}

void ds_totals_get(const uint8_t in[DS_TOTALS_BYTES], ds_totals *t)
{
	*t = (ds_totals){ get64(in), get64(in + 8), get64(in + 16), get64(in + 24), get64(in + 32),
		get64(in + 40), get64(in + 48), get64(in + 56) };
}

void ds_index_put(uint8_t out[DS_INDEX_BYTES], const ds_index_row *r)
{
	put64(out, r->offset);
	put64(out + 8, r->bytes);
	put64(out + 16, r->first);
	put32(out + 24, r->n_rows);
	put16(out + 28, r->kind);
	put16(out + 30, 0);
}

void ds_index_get(const uint8_t in[DS_INDEX_BYTES], ds_index_row *r)
{
	*r = (ds_index_row){ get64(in), get64(in + 8), get64(in + 16), get32(in + 24),
		get16(in + 28) };
}

void ds_entry_put(uint8_t out[DS_ENTRY_BYTES], const ds_entry *x)
{
	put32(out, x->name_at);
	put32(out + 4, x->name_bytes);
	out[8] = x->type;
	out[9] = x->presence;
	out[10] = x->codec;
	out[11] = x->tail;
	put32(out + 12, 0);
	put64(out + 16, x->at);
	put64(out + 24, x->bytes);
	put64(out + 32, x->raw_bytes);
	put64(out + 40, x->hash);
}

void ds_entry_get(const uint8_t in[DS_ENTRY_BYTES], ds_entry *x)
{
	*x = (ds_entry){ get32(in), get32(in + 4), in[8], in[9], in[10], in[11], get64(in + 16),
		get64(in + 24), get64(in + 32), get64(in + 40) };
}

bool ds_type_known(unsigned t)
{
	return t >= DS_T_UTF8 && t <= DS_T_F32S;
}

unsigned ds_type_size(ds_type t)
{
	static const uint8_t size[] = { 0, 1, 1, 1, 1, 8, 8, 2, 4, 4 };
	return size[t];
}

bool ds_type_lists(ds_type t)
{
	return t != DS_T_BOOL && t != DS_T_I64 && t != DS_T_F64;
}

const char *ds_type_name(ds_type t)
{
	static const char *const name[] = { "?", "utf8", "json", "bytes", "bool", "i64", "f64",
		"u16[]", "u32[]", "f32[]" };
	return name[ds_type_known(t) ? t : 0];
}

ds_block_layout ds_layout_of(ds_type type, unsigned presence, uint32_t n_rows, uint64_t elements)
{
	uint64_t map = ds_pad(((uint64_t)n_rows + 7) / 8);
	ds_block_layout l = { 0 };
	l.present = presence & DS_HAS_PRESENT ? map : 0;
	l.nulls = presence & DS_HAS_NULLS ? map : 0;
	l.off = ds_type_lists(type) ? ds_pad(4 * ((uint64_t)n_rows + 1)) : 0;
	l.data = ds_pad(elements * ds_type_size(type));
	l.all = l.present + l.nulls + l.off + l.data;
	return l;
}
