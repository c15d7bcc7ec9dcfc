/*
 * rule_pii.c - what may name a person becomes a word in brackets
 */
#include "pii.h"
#include "rewrite.h"
#include "rule.h"

#include "base/mem.h"
#include "text/byteset.h"

enum { EMAIL = 1, IP = 2, ID = 4, CARD = 8, PHONE = 16, ALL = 31 };
static const char *const kinds[] = { "email", "ip", "id", "card", "phone" };

typedef struct {
	ds_byteset set; /* bytes that one may begin with, and @ */
	unsigned kinds;
} state;

static ds_rc open_kinds(void **out, const char *value, const rule_env *env, ds_err *e)
{
	state *s = DS_NEW(state, 1);
	*out = s;
	for (ds_str rest = ds_str_of(value); rest.at && strcmp(value, "mask") != 0;) {
		ds_str name = ds_str_cut(rest, ',', &rest);
		unsigned i = 0;
		while (i < 5 && !ds_str_is(name, kinds[i]))
			i++;
		if (i == 5)
			return ds_fail(e, DS_USAGE,
				"'%.*s' is none of mask, email, ip, id, card, phone", DS_FMT(name));
		s->kinds |= 1u << i;
	}
	s->kinds = s->kinds ? s->kinds : ALL;
	ds_byteset_init(&s->set);
	ds_byteset_add_all(&s->set, s->kinds & EMAIL ? "@" : "");
	if (s->kinds & ~(unsigned)EMAIL) {
		ds_byteset_add(&s->set, '0', '9');
		ds_byteset_add_all(&s->set, s->kinds & PHONE ? "+(" : "");
	}
	return DS_OK;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

/* What begins at i; *kind is which. */
static size_t number(const state *s, ds_str text, size_t i, unsigned *kind)
{
	static size_t (*const find[])(
		ds_str, size_t) = { NULL, pii_ip, pii_id, pii_card, pii_phone };
	for (unsigned k = 1; k < 5; k++) {
		size_t n = s->kinds & 1u << k ? find[k](text, i) : 0;
		*kind = k;
		if (n)
			return n;
	}
	return 0;
}

static void put(rewrite *w, size_t at, size_t n, unsigned kind)
{
	char name[16] = "[";
	strcat(strcat(name, kinds[kind]), "]");
	rewrite_put(w, at, n, ds_str_of(name));
}

static size_t word_end(ds_str text, size_t i)
{
	while (i < text.n && is_word(text.at[i]))
		i++;
	return i;
}

static ds_rc apply(void *p, ds_str *text, ds_arena *mem, ds_err *e)
{
	const state *s = p;
	rewrite w = { .text = *text, .out.mem = mem };
	for (size_t i = 0; (i = ds_byteset_find(&s->set, *text, i)) < text->n;) {
		size_t start = i, n;
		unsigned kind = 0;
		char c = text->at[i];
		if (c == '@')
			n = pii_email(*text, i, w.done, &start);
		else if (i > w.done && is_word(text->at[i - 1]))
			n = 0;
		else
			n = number(s, *text, i, &kind);
		if (n) {
			put(&w, start, n, kind);
			i = start + n;
		} else {
			size_t end = word_end(*text, i);
			i = end > i ? end : i + 1;
		}
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

const ds_rule ds_rule_pii = {
	.name = "pii",
	.value = "mask|KINDS",
	.help = "put [email] [ip] [id] [card] [phone] for what names a person",
	.open = open_kinds,
	.close = ds_mem_free,
	.apply = apply,
};
