/*
 * rows_chat.c - conversations as rows, of which the answers alone are learned
 *
 * A conversation is never torn: rows take as many whole ones as fit, in order, and are filled up with padding. One
 * that is longer than a row is cut at its end, and counted. Records of tokens (dstok --chat) are conversations as well,
 * their mask says what is learned.
 */
#include "model/rows_impl.h"
#include "model/talk.h"

typedef struct { /* from record `rec` of piece `piece` on, n of them */
	uint32_t piece, rec, n;
} chat_row;

struct ds_rows_chat {
	const ds_chat_layout *layout;
	ds_chat *chat;   /* opened when the tokenizer is known */
	ds_talk columns; /* of the block at hand */
	chat_row *rows;
	ds_rows_loss loss;
};

void ds_rows_chat_new(ds_rows *r, const ds_chat_layout *l)
{
	r->chat = ds_arena_zero(r->mem, sizeof(*r->chat));
	r->chat->layout = l;
}

void ds_rows_chat_free(ds_rows *r)
{
	if (r->chat)
		ds_chat_close(r->chat->chat);
}

const ds_chat_layout *ds_rows_layout(const ds_rows *r)
{
	return !r->chat ? NULL : r->chat->chat ? ds_chat_of(r->chat->chat) : r->chat->layout;
}

void ds_rows_cut(const ds_rows *r, ds_rows_loss *l)
{
	*l = r->chat ? r->chat->loss : (ds_rows_loss){ 0 };
}

static ds_rc add_record(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	const struct ds_rows_chat *c = q->r->chat;
	ds_chat_turns turns;
	ds_chat_tokens t;
	bool has;
	DS_TRY(ds_talk_get(&c->columns, b, row, b->mem, &turns, &has, e));
	if (!has)
		return ds_fail(e, DS_BAD, "no conversation: known are %s", ds_talk_known);
	DS_TRY(ds_chat_encode(c->chat, q->scratch, &turns, false, b->mem, &t, e));
	ds_buf_add(&q->ids, t.ids, t.n * 4);
	ds_buf_add(&q->beside, t.mask, t.n);
	return DS_OK;
}

ds_rc ds_rows_add_chat(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e)
{
	ds_gather q = { .r = r, .scratch = scratch };
	if (!r->chat->chat)
		DS_TRY(ds_chat_open(&r->chat->chat, r->chat->layout, r->tok, e));
	DS_TRY(ds_talk_find(&r->chat->columns, b, ds_chat_of(r->chat->chat), false, e));
	DS_TRY(ds_rows_gather(&q, b, p, add_record, e));
	p->mask = (list_col){ q.kept, p->ids.off, NULL, false };
	return DS_OK;
}

/* ---- rows ---- */

static uint32_t length(const piece *p, uint32_t rec)
{
	return p->ids.off[rec + 1] - p->ids.off[rec];
}

/* How many of a record's tokens from `from` on are learned. */
static int64_t targets_from(const piece *p, uint32_t rec, uint32_t from)
{
	int64_t n = 0;
	for (uint32_t i = from; i < length(p, rec); i++)
		n += ds_rows_is_target(p, rec, i);
	return n;
}

static void count_cut(ds_rows *r, const piece *p, uint32_t rec)
{
	ds_rows_loss *c = &r->chat->loss;
	c->targets += targets_from(p, rec, 1); /* nothing predicts the first token */
	if (length(p, rec) <= (uint64_t)r->seq)
		return;
	c->records++;
	c->targets_cut += targets_from(p, rec, (uint32_t)r->seq);
}

/* Numbers rows over the pieces [from, to), which one row does not cross the ends of. */
static int64_t pack(ds_rows *r, size_t from, size_t to, int64_t n)
{
	chat_row *rows = r->chat->rows;
	int64_t left = 0, first = n;
	for (size_t i = from; i < to; i++) {
		const piece *p = &r->pieces[i];
		for (uint32_t rec = 0; rec < p->n_rows; rec++) {
			int64_t need = length(p, rec);
			count_cut(r, p, rec);
			if (need > left) {
				rows[n++] = (chat_row){ (uint32_t)i, rec, 0 };
				left = r->seq;
			}
			if (n > first)
				rows[n - 1].n++;
			left = need && r->alone ? 0 : left - (need < left ? need : left);
		}
	}
	return n;
}

ds_rc ds_rows_settle_chat(ds_rows *r, ds_err *e)
{
	size_t records = 0;
	int64_t n = 0;
	for (size_t i = 0; i < r->n; i++)
		records += r->pieces[i].n_rows;
	r->chat->rows = ds_arena_get(r->mem, (records + 1) * sizeof(chat_row));
	for (size_t k = 0; k < r->n_parts; k++) {
		part *t = &r->parts[k];
		size_t end = k + 1 < r->n_parts ? r->parts[k + 1].piece : r->n;
		t->first = n;
		n = pack(r, t->piece, end, n);
		t->count = n - t->first;
		t->end = n;
	}
	r->count = n;
	if (!n)
		return ds_fail(e, DS_BAD, "no conversation in the input");
	if (!r->chat->loss.targets)
		return ds_fail(e, DS_BAD, "not one answer in the input");
	if (r->chat->loss.targets == r->chat->loss.targets_cut)
		return ds_fail(e, DS_BAD, "not one answer is left: all are behind seq=%lld",
			(long long)r->seq);
	return DS_OK;
}

ds_rc ds_rows_get_chat(ds_rows *r, int64_t row, ds_row *out, ds_err *e)
{
	const chat_row *at = &r->chat->rows[row];
	const piece *p = &r->pieces[at->piece];
	filler f = { .out = out };
	uint32_t rec = at->rec;
	for (uint32_t k = 0; k < at->n; k++, rec++) {
		for (; rec == p->n_rows; rec = 0)
			p++;
		f.begins = true;
		for (uint32_t i = 0, n = length(p, rec); i < n && f.n < r->seq; i++)
			DS_TRY(ds_rows_put(r, &f, p, rec, i, e));
	}
	ds_rows_pad(r, &f);
	return DS_OK;
}
