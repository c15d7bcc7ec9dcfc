/*
 * compact.c - a byte-level BPE in few bytes: special tokens' names, then pairs of ids
 *
 * What `dstok train` makes needs no vocabulary: ids are the special tokens, the 256 bytes in the
 * order of GPT-2's characters, then what each merge gives. The built-in tokenizer is kept so, and
 * travels so in token streams. Layout, little-endian:
 *
 *   u8 length, pattern's name · u8 1: NFC · u8 n special tokens, each u8 length, name ·
 *   u32 n merges, each u32 left, u32 right
 */
#include "base/cur.h"
#include "text/tok/tok_impl.h"

enum { MAX_MERGES = 1 << 23 };

/* Bytes in the order of their characters in GPT-2's spelling, which is that of their ids. */
static void byte_order(uint8_t order[256])
{
	unsigned n = 0;
	for (unsigned c = 0; c < 324; c++)
		for (unsigned b = 0; b < 256; b++)
			if (ds_tok_char_of_byte[b] == c)
				order[n++] = (uint8_t)b;
}

ds_rc ds_tok_put_bytes(ds_tok *t, ds_err *e)
{
	uint8_t order[256];
	byte_order(order);
	for (int i = 0; i < 256; i++)
		DS_TRY(ds_tok_put(t, t->n_ids, (ds_str){ (const char *)&order[i], 1 }, 0, e));
	return DS_OK;
}

ds_rc ds_tok_put_special(ds_tok *t, ds_str name, ds_err *e)
{
	tok_added a = { .id = t->n_ids, .special = true };
	DS_TRY(ds_tok_put(t, a.id, name, 0, e));
	ds_tok_put_added(t, &a);
	return DS_OK;
}

static ds_rc join(ds_tok *t, uint32_t left, uint32_t right, ds_err *e)
{
	ds_str a = t->bytes[left], b = t->bytes[right];
	char few[64], *at = a.n + b.n > sizeof(few) ? ds_arena_bytes(t->mem, a.n + b.n) : few;
	memcpy(at, a.at, a.n);
	memcpy(at + a.n, b.at, b.n);
	ds_tok_put_merge(t, left, right, t->n_ids);
	return ds_tok_put(t, t->n_ids, (ds_str){ at, a.n + b.n }, 0, e);
}

ds_rc ds_compact_read(ds_tok *t, ds_str bytes, ds_err *e)
{
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	ds_str name = ds_cur_bytes(&c, ds_cur_u8(&c));
	char text[256];
	memcpy(text, name.at, name.n);
	text[name.n] = 0;
	t->kind = TOK_BPE;
	t->pattern = ds_pattern_find(text);
	t->nfc = ds_cur_u8(&c) == 1;
	unsigned n_special = ds_cur_u8(&c);
	if (!t->pattern || !ds_cur_ok(&c))
		return ds_fail(e, DS_BAD, "the pattern '%s' is not known", text);
	for (unsigned i = 0; i < n_special && ds_cur_ok(&c); i++)
		DS_TRY(ds_tok_put_special(t, ds_cur_bytes(&c, ds_cur_u8(&c)), e));
	DS_TRY(ds_tok_put_bytes(t, e));
	uint32_t n = ds_cur_u32(&c);
	if (!ds_cur_ok(&c) || n > MAX_MERGES || ds_cur_left(&c) != (size_t)n * 8)
		return ds_fail(e, DS_BAD, "the tokenizer is cut short");
	ds_tok_reserve(t, t->n_ids + (size_t)n, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t left = ds_cur_u32(&c), right = ds_cur_u32(&c);
		if (left < n_special || right < n_special || left >= t->n_ids || right >= t->n_ids)
			return ds_fail(e, DS_BAD, "merge %u: no such id", i);
		if (t->bytes[left].n + t->bytes[right].n > 1 << 16)
			return ds_fail(e, DS_BAD, "merge %u gives more than 65536 bytes", i);
		DS_TRY(join(t, left, right, e));
	}
	ds_tok_build_find(t);
	return DS_OK;
}

static void add_u32(ds_buf *out, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
	ds_buf_add(out, b, 4);
}

void ds_compact_write(const ds_tok *t, ds_buf *out)
{
	size_t n = strlen(t->pattern->name);
	ds_buf_add_byte(out, (char)n);
	ds_buf_add(out, t->pattern->name, n);
	ds_buf_add_byte(out, t->nfc);
	ds_buf_add_byte(out, (char)t->n_added);
	for (size_t i = 0; i < t->n_added; i++) {
		ds_buf_add_byte(out, (char)t->added[i].content.n);
		ds_buf_add_str(out, t->added[i].content);
	}
	add_u32(out, (uint32_t)t->n_pairs);
	for (size_t i = 0; i < t->n_pairs; i++) {
		add_u32(out, t->pairs[i][0]);
		add_u32(out, t->pairs[i][1]);
	}
}

bool ds_compact_fits(const ds_tok *t)
{
	if (t->kind != TOK_BPE || t->whole || t->prefix_space || t->n_added > 255 ||
		t->n_added + 256 + t->n_pairs != t->n_ids)
		return false;
	uint8_t order[256];
	byte_order(order);
	for (size_t i = 0; i < t->n_added; i++)
		if (t->added[i].id != i || !t->added[i].special || t->added[i].content.n > 255)
			return false;
	for (size_t i = 0; i < 256; i++)
		if (t->bytes[t->n_added + i].n != 1 ||
			(uint8_t)t->bytes[t->n_added + i].at[0] != order[i])
			return false;
	for (size_t i = 0; i < t->n_pairs; i++)
		if (t->pair_id[i] != t->n_added + 256 + i)
			return false;
	return true;
}
