/*
 * blank.c - most texts have nothing to change: the first place that may is found at memory speed
 */
#include "blank.h"

const uint8_t blank_look[256] = { ['\t'] = 1,
	['\n'] = 1,
	['\r'] = 1,
	[' '] = 1,
	[0xc2] = 1,
	[0xe1] = 1,
	[0xe2] = 1,
	[0xe3] = 1 };

void blank_quick_init(blank_quick *q)
{
	ds_byteset_init(&q->single);
	ds_byteset_init(&q->pair);
	ds_byteset_init(&q->mark);
	ds_byteset_add_all(&q->single, "\r\xc2\xe1\xe2\xe3");
	ds_byteset_add_all(&q->pair, "\t\n\r \xc2\xe1\xe2\xe3");
	ds_byteset_add_all(&q->mark, "`~|>@");
}

/* Nothing changes about a run of blanks that ends before what is no line end. */
static inline bool stays(const blank_run *b, bool begins_line, bool all)
{
	return b->one || (!all && (begins_line || (!b->mixed && b->tabs)));
}

size_t blank_first_change(const blank_quick *q, ds_str s, bool all)
{
	const uint8_t *start = (const uint8_t *)s.at, *end = start + s.n, *p = start;
	unsigned lines = 2; /* as many as may not come again: at the start none may */
	while (p < end) {
		if (!blank_look[*p]) {
			lines = 0;
			p = start + blank_skip(q, s, (size_t)(p - start));
			continue;
		}
		blank_run b = blank_take(p, end);
		if (b.n) {
			if (p == start || b.end == end || line_end(b.end, end) ||
				!stays(&b, lines > 0, all))
				break;
			lines = 0;
			p = b.end;
			continue;
		}
		if (!line_end(p, end)) {
			lines = 0;
			p++;
			continue;
		}
		if (*p != '\n' || lines == 2 || p + 1 == end)
			break;
		lines++;
		p++;
	}
	return (size_t)(p - start);
}
