/*
 * protect.c - one pass; at each place the rules are asked in turn, each looks ahead a bounded way
 */
#include "text/protect.h"

#include "text/tok/category.h"

#include <strings.h>

enum { FAR = 200 }; /* bytes from a bracket to its partner */

typedef struct {
	const char *at;
	size_t n, i;
	ds_text_span *out;
	size_t n_out, cap;
	ds_arena *mem;
} scan;

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Printable ASCII that is no bracket or quote: what addresses, numbers and names are made of. */
static bool solid(char c)
{
	switch (c) {
	case '"':
	case '(':
	case ')':
	case '<':
	case '>':
	case '[':
	case ']':
	case '{':
	case '}':
	case '`':
		return false;
	default:
		return c > ' ' && c < 127;
	}
}

static void put(scan *s, size_t from, size_t to, bool number)
{
	if (s->n_out && s->out[s->n_out - 1].to >= from) { /* 3 May: the month joins the day */
		ds_text_span *last = &s->out[s->n_out - 1];
		last->to = to > last->to ? to : last->to;
		last->number &= number;
		return;
	}
	if (s->n_out == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		ds_text_span *more = ds_arena_get(s->mem, cap * sizeof(*more));
		if (s->n_out)
			memcpy(more, s->out, s->n_out * sizeof(*more));
		s->out = more;
		s->cap = cap;
	}
	s->out[s->n_out++] = (ds_text_span){ from, to, number };
}

/* A month's name at p, whole or its first three letters, a dot behind it or not; its length or 0. */
static size_t month(const char *p, size_t n)
{
	static const char *const names[] = { "January", "February", "March", "April", "May", "June",
		"July", "August", "September", "October", "November", "December" };
	for (unsigned i = 0; i < 12; i++) {
		size_t whole = strlen(names[i]), len = 0;
		if (n >= whole && memcmp(p, names[i], whole) == 0)
			len = whole;
		else if (n >= 3 && memcmp(p, names[i], 3) == 0)
			len = 3;
		if (len && len < n && p[len] == '.' && len == 3)
			len++;
		if (len && (len == n || !letter(p[len])))
			return len;
	}
	return 0;
}

/* The month before a day or behind it belongs to the date. */
static size_t month_before(const scan *s, size_t from)
{
	size_t i = from;
	while (i > 0 && s->at[i - 1] == ' ' && from - i < 2)
		i--;
	size_t end = i;
	while (i > 0 && end - i < 10 && (letter(s->at[i - 1]) || s->at[i - 1] == '.'))
		i--;
	return end < from && end > i && month(s->at + i, end - i) == end - i ? i : from;
}

static size_t month_behind(const scan *s, size_t to)
{
	size_t i = to;
	if (i < s->n && s->at[i] == ' ')
		i++;
	size_t len = i > to && i < s->n ? month(s->at + i, s->n - i) : 0;
	return len ? i + len : to;
}

static size_t one_of(const scan *s, size_t i, const char *const *list)
{
	for (; *list; list++) {
		size_t n = strlen(*list);
		if (s->n - i >= n && memcmp(s->at + i, *list, n) == 0)
			return n;
	}
	return 0;
}

static const char *const units[] = { "年", "月", "日", "号", "时", "点", "分", "秒", "岁", "元",
	"块", "％", "年代", "世纪", "個", "个", "號", "時", "點", "歲", NULL };
static const char *const dates[] = { "年", "月", "日", "号", "號", NULL };
static const char *const numerals[] = { "〇", "零", "一", "二", "三", "四", "五", "六", "七", "八",
	"九", "十", "百", "千", "万", "亿", "两", "０", "１", "２", "３", "４", "５", "６", "７",
	"８", "９", NULL };

/* 年5月3日 behind 2024. */
static size_t units_behind(const scan *s, size_t to)
{
	for (;;) {
		size_t n = one_of(s, to, units), more = to + n;
		if (!n)
			return to;
		while (more < s->n && digit(s->at[more]))
			more++;
		to = more;
	}
}

static size_t numerals_from(const scan *s, size_t i, size_t *count)
{
	for (size_t n; i < s->n && (n = one_of(s, i, numerals)) > 0; (*count)++)
		i += n;
	return i;
}

/* 一九九八年三月, or three numerals and more. */
static bool chinese(scan *s)
{
	size_t count = 0, from = s->i, to = numerals_from(s, from, &count), unit;
	if (!count)
		return false;
	bool date = false;
	for (size_t next = to; next < s->n && (unit = one_of(s, next, dates)) > 0;) {
		size_t more = 0;
		date = true;
		to = next + unit;
		next = numerals_from(s, to, &more);
		if (!more)
			break;
	}
	s->i = to;
	if (date || count > 2)
		put(s, from, to, true);
	return true;
}

/* From an opening bracket to what closes it on the same line; 0: nothing does. */
static size_t closed(const scan *s, size_t from, const char *close)
{
	size_t n = strlen(close), end = s->n - from > FAR ? from + FAR : s->n;
	for (size_t i = from; i + n <= end && s->at[i] != '\n'; i++)
		if (memcmp(s->at + i, close, n) == 0)
			return i + n;
	return 0;
}

static bool capitals(const scan *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!(s->at[i] >= 'A' && s->at[i] <= 'Z') && !digit(s->at[i]) &&
			!strchr("_-: ", s->at[i]))
			return false;
	return from < to;
}

static bool bracket(scan *s)
{
	size_t i = s->i, to = 0;
	char c = s->at[i], next = i + 1 < s->n ? s->at[i + 1] : 0;
	if (c == '{')
		to = closed(s, i + 1, next == '{' ? "}}" : "}");
	else if (c == '<' && (letter(next) || (next && strchr("/!|", next))))
		to = closed(s, i + 1, ">");
	else if (c == '`')
		to = closed(s, i + 1, "`");
	else if (c == '[' && (to = closed(s, i + 1, "]")) && !capitals(s, i + 1, to - 1))
		to = 0;
	if (!to)
		return false;
	/* ${x} and %{x} take what stands in front */
	put(s, i && strchr("$%#", s->at[i - 1]) ? i - 1 : i, to, false);
	s->i = to;
	return true;
}

static bool has(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what)) != NULL;
}

/* What a run of solid characters is: 0 words, 1 a number, 2 something that stands for itself. */
static int judge(const char *p, size_t n)
{
	bool digits = false;
	if (has(p, n, "://") || has(p, n, "__") || memchr(p, '\\', n) || memchr(p, '_', n))
		return 2;
	if (n > 4 && strncasecmp(p, "www.", 4) == 0)
		return 2;
	if (n > 1 && strchr("@#$", p[0]) && (letter(p[1]) || p[1] == '_'))
		return 2;
	if (n > 1 && ((p[0] == '%' && letter(p[1])) || (p[0] == '/' && letter(p[1]))))
		return 2;
	const char *at = memchr(p, '@', n);
	if (at && at > p && at + 1 < p + n)
		return 2;
	if (p[0] == '&' && memchr(p, ';', n))
		return 2;
	for (size_t i = 0; i < n; i++)
		digits |= digit(p[i]);
	return digits ? 1 : 0;
}

static void run_of_solid(scan *s)
{
	size_t from = s->i, to = from;
	while (to < s->n && letter(s->at[to]))
		to++;
	if (to == s->n || s->at[to] == ' ') { /* a plain word, nearly always */
		s->i = to;
		return;
	}
	while (to < s->n && solid(s->at[to]))
		to++;
	s->i = to;
	/* %(name)s */
	if (s->at[to - 1] == '%' && to + 1 < s->n && s->at[to] == '(' && letter(s->at[to + 1])) {
		size_t end = closed(s, to, ")");
		if (end && end < s->n && letter(s->at[end])) {
			put(s, to - 1, end + 1, false);
			s->i = end + 1;
			return;
		}
	}
	while (to > from && strchr(".,;:!?'*", s->at[to - 1]) &&
		!(s->at[to - 1] == ';' && s->at[from] == '&'))
		to--;
	while (from < to && strchr("'*,;:!?", s->at[from]))
		from++;
	int kind = from < to ? judge(s->at + from, to - from) : 0;
	if (kind == 1) {
		put(s, month_before(s, from), month_behind(s, units_behind(s, to)), true);
		s->i = s->out[s->n_out - 1].to > s->i ? s->out[s->n_out - 1].to : s->i;
	} else if (kind == 2) {
		put(s, from, to, false);
	}
}

ds_text_span *ds_protect(ds_str text, ds_arena *mem, size_t *n)
{
	scan s = { .at = text.at, .n = text.n, .mem = mem };
	while (s.i < s.n) {
		char c = s.at[s.i];
		unsigned len = 1;
		if ((unsigned char)c >= 0x80) {
			if (!chinese(&s)) {
				ds_utf8_at((const uint8_t *)s.at + s.i, s.n - s.i, &len);
				s.i += len;
			}
		} else if (solid(c)) {
			run_of_solid(&s);
		} else if (!bracket(&s)) {
			s.i++;
		}
	}
	*n = s.n_out;
	return s.out;
}
