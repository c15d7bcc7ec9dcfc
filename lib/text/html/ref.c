/*
 * ref.c - character references: &amp; &#38; &#x26; and the old ones without a semicolon
 */
#include "text/html/html_impl.h"

#include "text/grow.h"
#include "text/utf8.h"

/* Numbers 0x80 to 0x9f mean windows-1252 (13.2.5.80); 0: themselves. */
static const uint16_t old_numbers[32] = { 0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d,
	0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178 };

static int digit_of(char c, bool hex)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (hex && (c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static size_t numeric(ds_str s, char *out, size_t *n_out)
{
	bool hex = s.n > 1 && (s.at[1] | 32) == 'x';
	size_t i = hex ? 2 : 1, first = i;
	uint32_t c = 0;
	for (int d; i < s.n && (d = digit_of(s.at[i], hex)) >= 0; i++)
		if (c <= 0x10ffff)
			c = c * (hex ? 16 : 10) + (uint32_t)d;
	if (i == first)
		return 0;
	if (i < s.n && s.at[i] == ';')
		i++;
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	else if (c >= 0x80 && c <= 0x9f && old_numbers[c - 0x80])
		c = old_numbers[c - 0x80];
	*n_out = ds_utf8_put((uint8_t *)out, c);
	return i;
}

/* The first of the names in [lo, hi) whose byte k is at least c; all are longer than k or end there. */
static unsigned bound(unsigned lo, unsigned hi, unsigned k, int c)
{
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const ds_html_entity *e = &ds_html_entities[mid];
		int here = e->n > k ? (uint8_t)ds_html_entity_names[e->at + k] : -1;
		if (here < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The longest name that s begins with. */
static const ds_html_entity *longest(ds_str s)
{
	uint8_t first = s.n ? (uint8_t)s.at[0] : 0;
	if (first >= 128)
		return NULL;
	unsigned lo = ds_html_entity_first[first], hi = ds_html_entity_first[first + 1];
	const ds_html_entity *found = NULL;
	for (unsigned k = 1; lo < hi; k++) {
		if (ds_html_entities[lo].n == k)
			found = &ds_html_entities[lo];
		if (k == s.n)
			break;
		lo = bound(lo, hi, k, (uint8_t)s.at[k]);
		hi = bound(lo, hi, k, (uint8_t)s.at[k] + 1);
	}
	return found;
}

size_t ds_html_ref(ds_str s, bool in_attribute, char out[DS_HTML_REF_BYTES], size_t *n_out)
{
	if (s.n && s.at[0] == '#')
		return numeric(s, out, n_out);
	const ds_html_entity *e = longest(s);
	if (!e)
		return 0;
	bool ended = ds_html_entity_names[e->at + e->n - 1] == ';';
	if (in_attribute && !ended && s.n > e->n && (s.at[e->n] == '=' || is_word(s.at[e->n])))
		return 0;
	memcpy(out, e->out, sizeof(e->out));
	*n_out = e->n_out;
	return e->n;
}

static ds_str decode(ds_str s, bool in_attribute, ds_arena *mem, size_t *n)
{
	ds_grow out = { .mem = mem };
	size_t done = 0, i = 0;
	*n = 0;
	for (const char *amp; i < s.n && (amp = memchr(s.at + i, '&', s.n - i));) {
		char text[DS_HTML_REF_BYTES];
		size_t n_text, at = (size_t)(amp - s.at);
		size_t used =
			ds_html_ref((ds_str){ amp + 1, s.n - at - 1 }, in_attribute, text, &n_text);
		i = at + 1 + used;
		if (!used)
			continue;
		if (!(*n)++)
			ds_grow_reserve(&out, s.n + 16);
		ds_grow_add(&out, s.at + done, at - done);
		ds_grow_add(&out, text, n_text);
		done = i;
	}
	if (!*n)
		return s;
	ds_grow_add(&out, s.at + done, s.n - done);
	return ds_grow_view(&out);
}

ds_str ds_html_decode(ds_str s, ds_arena *mem, size_t *n)
{
	return decode(s, false, mem, n);
}

bool ds_html_attr_get(ds_str attrs, const char *name, ds_arena *mem, ds_str *value)
{
	ds_str key;
	size_t n = strlen(name), n_refs;
	while (ds_html_attr(&attrs, &key, value)) {
		if (key.n != n)
			continue;
		size_t i = 0;
		while (i < n && (key.at[i] >= 'A' && key.at[i] <= 'Z' ? key.at[i] + 32
								      : key.at[i]) == name[i])
			i++;
		if (i == n) {
			*value = decode(*value, true, mem, &n_refs);
			return true;
		}
	}
	return false;
}
