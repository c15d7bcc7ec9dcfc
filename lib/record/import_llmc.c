/*
 * import_llmc.c - llm.c's .bin: one row of tokens without bounds
 *
 * A record begins at every token that begins documents there (GPT-2's 50256, Llama 3's 128000), and
 * after 65,536 tokens at the latest.
 */
#include "record/import.h"

#include "record/block_impl.h"

enum { LLMC_HEAD = 1024, LLMC_U16 = 20240520, LLMC_U32 = 20240801, LLMC_LONGEST = 65536 };

typedef struct {
	unsigned width;
	uint32_t first_of_document;
	uint64_t left;   /* tokens that are not cut yet */
	uint64_t walked; /* of a large record */
} llmc;

static bool llmc_looks(ds_str head)
{
	int32_t magic;
	if (head.n < LLMC_HEAD)
		return false;
	memcpy(&magic, head.at, 4);
	return magic == LLMC_U16 || magic == LLMC_U32;
}

static ds_rc llmc_open(ds_input *in, ds_err *e)
{
	int32_t head[LLMC_HEAD / 4];
	size_t got;
	llmc *x = ds_arena_zero(ds_source_mem(in->source), sizeof(*x));
	in->state = x;
	DS_TRY(ds_in_read(in->in, head, sizeof(head), &got, e));
	if (got < sizeof(head))
		return ds_fail(e, DS_SHORT, "%s: input ended early, within its header", in->name);
	bool narrow = head[0] == LLMC_U16;
	if (!narrow && head[0] != LLMC_U32)
		return ds_fail(e, DS_BAD, "%s: not a .bin of llm.c: magic %d", in->name, head[0]);
	if (head[1] != (narrow ? 1 : 7))
		return ds_fail(e, DS_BAD, "%s: version %d of llm.c's .bin is not known", in->name,
			head[1]);
	if (head[2] < 0)
		return ds_fail(e, DS_BAD, "%s: %d tokens", in->name, head[2]);
	*x = (llmc){ narrow ? 2 : 4, narrow ? 50256 : 128000, (uint64_t)head[2], 0 };
	return DS_OK;
}

static uint32_t id_at(const char *p, unsigned width)
{
	uint32_t v = 0;
	memcpy(&v, p, width);
	return v;
}

/* Tokens of the record that begins at the first of n. ended: no more come. 0: it is not all there. */
static size_t llmc_record(const llmc *x, const char *p, size_t n, bool ended)
{
	for (size_t i = 1; i < n; i++)
		if (i == LLMC_LONGEST || id_at(p + i * x->width, x->width) == x->first_of_document)
			return i;
	return ended || n == LLMC_LONGEST ? n : 0;
}

static size_t llmc_last(void *state, ds_str bytes)
{
	const llmc *x = state;
	size_t n = bytes.n / x->width, at = 0;
	bool ended = n >= x->left;
	if (n > x->left)
		n = (size_t)x->left;
	while (at < n) {
		size_t k = llmc_record(x, bytes.at + at * x->width, n - at, ended);
		at += k;
		if (!k)
			break;
	}
	return at * x->width;
}

static size_t llmc_walk(void *state, ds_str bytes, bool first, bool *ended)
{
	llmc *x = state;
	size_t n = bytes.n / x->width, i = 0;
	if (first)
		x->walked = 0;
	*ended = false;
	for (; i < n; i++, x->walked++) {
		uint32_t id = id_at(bytes.at + i * x->width, x->width);
		*ended = x->walked == LLMC_LONGEST || (x->walked && id == x->first_of_document);
		if (*ended || x->walked == x->left)
			break;
	}
	*ended = *ended || x->walked == x->left;
	return i * x->width;
}

static const ds_ends llmc_ends = { llmc_last, llmc_walk, false };

static ds_rc llmc_cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	llmc *x = in->state;
	*more = false;
	if (x->left == 0) {
		char extra;
		size_t got = in->carry.n;
		if (!got)
			DS_TRY(ds_in_read(in->in, &extra, 1, &got, e));
		return got ? ds_fail(e, DS_SHORT, "%s: damaged: more tokens than its header says",
				     in->name)
			   : DS_OK;
	}
	DS_TRY(ds_cut(in, ch, &llmc_ends, x, more, e));
	if (!*more)
		return ds_fail(e, DS_SHORT, "%s: input ended early, %llu tokens are missing",
			in->name, (unsigned long long)x->left);
	size_t n = ch->bytes.n / x->width;
	x->left -= n ? n : x->walked;
	for (size_t at = 0; at < n; ch->n_records++)
		at += llmc_record(x, ch->bytes.at + at * x->width, n - at, true);
	in->n_records += ch->n_records;
	return DS_OK;
}

/* Ids of any width as the rows that off cuts; 16 bits where they fit. */
static void add_tokens(ds_block *b, const void *data, bool wide, const uint32_t *off)
{
	uint32_t n = off[b->n_rows], all = 0;
	ds_col col = { .name = DS_S("tokens"), .decoded = true, .off = off, .data = data };
	const uint32_t *ids = data;
	col.type = wide ? DS_T_U32S : DS_T_U16S;
	for (uint32_t i = 0; wide && i < n; i++)
		all |= ids[i];
	if (wide && all <= UINT16_MAX) {
		uint16_t *narrow = ds_arena_get(b->mem, n * sizeof(*narrow) + 64);
		for (uint32_t i = 0; i < n; i++)
			narrow[i] = (uint16_t)ids[i];
		col.type = DS_T_U16S;
		col.data = narrow;
	}
	ds_block_add(b, &col);
}

static ds_rc llmc_parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	const llmc *x = ch->input->state;
	uint32_t *off = ds_arena_get(ch->mem, (ch->n_records + 1) * sizeof(*off)), rows = 0;
	size_t n = ch->bytes.n / x->width, at = 0;
	off[0] = 0;
	while (at < n) {
		at += llmc_record(x, ch->bytes.at + at * x->width, n - at, true);
		off[++rows] = (uint32_t)at;
	}
	*out = ds_block_new(ch->mem, rows);
	add_tokens(*out, ch->bytes.at, x->width == 4, off);
	return DS_OK;
}

const ds_importer ds_import_llmc = {
	.name = "llmc",
	.what = "llm.c's .bin of tokens",
	.ends_itself = true,
	.magic = llmc_looks,
	.open = llmc_open,
	.cut = llmc_cut,
	.parse = llmc_parse,
};
