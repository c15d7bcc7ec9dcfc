/*
 * sentencepiece.c - see sentencepiece.h; what it does follows normalizer.cc, unigram_model.cc
 * (EncodeOptimized) and sentencepiece_processor.cc of sentencepiece, rounding included
 */
#include "text/tok/sentencepiece.h"

static const char space[] = "\xe2\x96\x81"; /* U+2581 stands for a space */
enum { SPACE = 3, MAX_MATCHES = 32 };

typedef struct {
	float score;
	uint32_t id;
	int64_t from; /* -1: not reached */
} best;

struct sp_mem {
	ds_buf text;
	best *path;
	size_t cap;
};

sp_mem *ds_sp_mem_new(void)
{
	return DS_NEW(sp_mem, 1);
}

void ds_sp_mem_free(sp_mem *m)
{
	if (!m)
		return;
	ds_buf_free(&m->text);
	ds_mem_free(m->path);
	ds_mem_free(m);
}

static uint32_t unit(const struct tok_sp *sp, size_t i)
{
	uint32_t v = 0;
	if (i < sp->n_map)
		memcpy(&v, sp->map + 4 * i, 4);
	return v;
}

static size_t offset(uint32_t u)
{
	return (size_t)(u >> 10) << ((u & 1 << 9) >> 6);
}

/* The longest key of the map at p: its length (0: none) and what it becomes. */
static size_t longest_key(const struct tok_sp *sp, const uint8_t *p, size_t n, ds_str *to)
{
	size_t found = 0, matches = 0;
	if (sp->n_map == 0)
		return 0;
	size_t at = offset(unit(sp, 0));
	for (size_t i = 0; i < n; i++) {
		at ^= p[i];
		uint32_t u = unit(sp, at);
		if (at >= sp->n_map || (u & (1u << 31 | 0xff)) != p[i])
			break;
		at ^= offset(u);
		if (!(u >> 8 & 1))
			continue;
		if (++matches > MAX_MATCHES)
			break;
		uint32_t value = unit(sp, at) & ~(1u << 31);
		if (value < sp->strings.n) {
			found = i + 1;
			*to = ds_str_of(sp->strings.at + value);
		}
	}
	return found;
}

bool ds_sp_shortest_key(const struct tok_sp *sp, ds_str s, ds_str *to)
{
	size_t at = sp->n_map ? offset(unit(sp, 0)) : 0;
	for (size_t i = 0; i < s.n && sp->n_map; i++) {
		at ^= (uint8_t)s.at[i];
		uint32_t u = unit(sp, at);
		if (at >= sp->n_map || (u & (1u << 31 | 0xff)) != (uint8_t)s.at[i])
			return false;
		at ^= offset(u);
		if (!(u >> 8 & 1))
			continue;
		uint32_t value = unit(sp, at) & ~(1u << 31);
		if (value >= sp->strings.n)
			return false;
		*to = ds_str_of(sp->strings.at + value);
		return true;
	}
	return false;
}

size_t ds_sp_step(const struct tok_sp *sp, const uint8_t *p, size_t n, ds_str *to)
{
	static const char replacement[] = "\xef\xbf\xbd";
	unsigned len;
	size_t k = longest_key(sp, p, n, to);
	if (k)
		return k;
	bool good = ds_utf8_at(p, n, &len) < 0x110000;
	*to = good ? (ds_str){ (const char *)p, len } : (ds_str){ replacement, 3 };
	return len;
}

static void add_space(const struct tok_sp *sp, ds_buf *out)
{
	ds_buf_add(out, sp->escape ? space : " ", sp->escape ? SPACE : 1);
}

static void add_text(const struct tok_sp *sp, ds_buf *out, ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == ' ')
			add_space(sp, out);
		else
			ds_buf_add_byte(out, s.at[i]);
}

ds_str ds_sp_normalize(const ds_tok *t, sp_mem *m, ds_str text)
{
	const struct tok_sp *sp = t->sp;
	const uint8_t *p = (const uint8_t *)text.at;
	size_t n = text.n, used;
	ds_buf *out = &m->text;
	ds_str to;
	ds_buf_clear(out);
	ds_buf_reserve(out, n + n / 4 + 16);
	while (sp->remove_extra && n && (used = ds_sp_step(sp, p, n, &to), ds_str_is(to, " "))) {
		p += used;
		n -= used;
	}
	if (n == 0)
		return (ds_str){ "", 0 };
	if (!sp->suffix && sp->dummy_prefix)
		add_space(sp, out);
	bool after_space = sp->remove_extra;
	for (; n; p += used, n -= used) {
		used = ds_sp_step(sp, p, n, &to);
		while (after_space && to.n && to.at[0] == ' ')
			to = (ds_str){ to.at + 1, to.n - 1 };
		if (to.n == 0)
			continue;
		add_text(sp, out, to);
		after_space = sp->remove_extra && to.at[to.n - 1] == ' ';
	}
	ds_str last = sp->escape ? (ds_str){ space, SPACE } : DS_S(" ");
	while (sp->remove_extra && ds_str_ends(ds_buf_view(out), last))
		out->n -= last.n;
	if (sp->suffix && sp->dummy_prefix)
		add_space(sp, out);
	return ds_buf_view(out);
}

static size_t char_bytes(uint8_t lead)
{
	return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

uint32_t ds_sp_child(const struct tok_sp *sp, uint32_t node, uint8_t byte)
{
	if (node == 0)
		return sp->root[byte];
	uint32_t lo = sp->trie[node].first, hi = lo + sp->trie[node].n;
	while (hi - lo > 8) {
		uint32_t mid = (lo + hi) / 2;
		if (sp->trie[mid].byte <= byte)
			lo = mid;
		else
			hi = mid;
	}
	for (; lo < hi; lo++)
		if (sp->trie[lo].byte == byte)
			return lo;
	return 0;
}

/* All pieces that begin at `at`, and the unknown one where no piece is just the character there. */
static void extend(const ds_tok *t, best *path, ds_str text, size_t at)
{
	const struct tok_sp *sp = t->sp;
	const float here = path[at].score;
	size_t len = char_bytes((uint8_t)text.at[at]);
	bool single = false;
	if (len > text.n - at)
		len = text.n - at;
	uint32_t node = 0;
	for (size_t i = at; i < text.n; i++) {
		node = ds_sp_child(sp, node, (uint8_t)text.at[i]);
		if (node == 0)
			break;
		uint32_t id = sp->trie[node].id;
		if (id == DS_TOK_NONE)
			continue;
		/* In float, sums compared as they are kept: of equal ones the first stays. */
		float score = sp->score[id] + here;
		best *b = &path[i + 1];
		if (b->from < 0 || score > b->score)
			*b = (best){ score, id, (int64_t)at };
		single |= i + 1 - at == len;
	}
	best *b = &path[at + len];
	float score = (sp->min_score - 10.0f) + here;
	if (!single && (b->from < 0 || score > b->score))
		*b = (best){ score, t->special[DS_TOK_UNK], (int64_t)at };
}

/* Ids of the bytes of a character that no piece covers, at the end of out, backwards. */
static size_t fall_back(const ds_tok *t, const uint8_t *p, size_t n, uint32_t *end)
{
	for (size_t i = n; i > 0; i--)
		*--end = t->sp->byte_piece[p[i - 1]];
	return n;
}

size_t ds_sp_best_path(const ds_tok *t, sp_mem *m, ds_str text, uint32_t *out)
{
	size_t k = 0;
	if (text.n == 0)
		return 0;
	if (text.n + 1 > m->cap) {
		ds_mem_free(m->path);
		m->cap = text.n + text.n / 2 + 64;
		m->path = ds_mem_get(m->cap * sizeof(best));
	}
	m->path[0] = (best){ 0, 0, 0 };
	for (size_t i = 1; i <= text.n; i++)
		m->path[i].from = -1;
	for (size_t at = 0; at < text.n; at += char_bytes((uint8_t)text.at[at]))
		extend(t, m->path, text, at);
	/* From the end, into the upper part of the buffer of text.n ids; then moved to the front. */
	uint32_t *end = out + text.n;
	for (size_t at = text.n; at > 0; at = (size_t)m->path[at].from) {
		const best *b = &m->path[at];
		if (b->id == t->special[DS_TOK_UNK] && t->sp->byte_fallback)
			k += fall_back(t, (const uint8_t *)text.at + b->from, at - (size_t)b->from,
				end - k);
		else
			end[-(ptrdiff_t)++k] = b->id;
	}
	memmove(out, end - k, k * sizeof(*out));
	return k;
}

size_t ds_sp_join_unknown(const ds_tok *t, uint32_t *ids, size_t n)
{
	uint32_t unk = t->special[DS_TOK_UNK];
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		if (ids[i] != unk || k == 0 || ids[k - 1] != unk)
			ids[k++] = ids[i];
	return k;
}

size_t ds_sp_chars_to_ids(const ds_tok *t, const uint8_t *p, size_t n, uint32_t *out)
{
	size_t k = 0;
	unsigned len;
	for (size_t at = 0; at < n; at += len) {
		uint32_t c = ds_utf8_at(p + at, n - at, &len);
		uint32_t id = ds_tok_lookup(t, (ds_str){ (const char *)p + at, len });
		out[k++] = id != DS_TOK_NONE ? id : sp_stand_in(t, c);
	}
	return k;
}

/* Stand-ins become bytes or the unknown id; from the back, since there may be more ids than before. */
size_t ds_sp_resolve(const ds_tok *t, uint32_t *ids, size_t n)
{
	size_t more = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = ids[i] - t->n_ids;
		if (ids[i] >= t->n_ids && t->sp->byte_fallback)
			more += (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
	}
	size_t to = n + more;
	for (size_t i = n; i-- > 0;) {
		uint32_t c = ids[i] - t->n_ids;
		if (ids[i] < t->n_ids) {
			ids[--to] = ids[i];
		} else if (!t->sp->byte_fallback) {
			ids[--to] = t->special[DS_TOK_UNK];
		} else {
			unsigned len = 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
			static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
			for (unsigned b = len; b-- > 1; c >>= 6)
				ids[--to] = t->sp->byte_piece[0x80 | (c & 63)];
			ids[--to] = t->sp->byte_piece[lead[len] | c];
		}
	}
	return n + more;
}

/* A piece with its U+2581 as spaces. */
static void add_piece(ds_buf *out, ds_str s)
{
	while (s.n) {
		if (s.n >= SPACE && memcmp(s.at, space, SPACE) == 0) {
			ds_buf_add_byte(out, ' ');
			s = (ds_str){ s.at + SPACE, s.n - SPACE };
		} else {
			ds_buf_add_byte(out, s.at[0]);
			s = (ds_str){ s.at + 1, s.n - 1 };
		}
	}
}

ds_rc ds_sp_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e)
{
	size_t start = out->n;
	bool space_seen = false;
	const struct tok_sp *sp = t->sp;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] >= t->n_ids || !t->flags[ids[i]])
			return ds_fail(e, DS_BAD, "id %u is not in the tokenizer", ids[i]);
		ds_str s = t->bytes[ids[i]];
		if (t->flags[ids[i]] & TOK_SPECIAL) {
			if (!skip_special && ids[i] == t->special[DS_TOK_UNK])
				ds_buf_add_str(out, sp->unk_surface);
			else if (!skip_special)
				ds_buf_add_str(out, s);
			continue;
		}
		bool first = out->n == start && !space_seen && !(t->flags[ids[i]] & TOK_BYTE);
		if (first && (sp->dummy_prefix || sp->remove_extra) && s.n >= SPACE &&
			memcmp(s.at, space, SPACE) == 0) {
			s = (ds_str){ s.at + SPACE, s.n - SPACE };
			space_seen = !sp->remove_extra;
		}
		add_piece(out, s);
	}
	return DS_OK;
}
