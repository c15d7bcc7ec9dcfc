/*
 * json_shape.c - is it JSON, by its first bytes, and of which shape
 *
 * Objects a line each are JSONL, an array and objects over several lines are `json`. A line that is
 * wrong among lines that are right does not make it text: that would turn a record error into records.
 */
#include "record/import.h"

/* Where the value's first byte is: behind a BOM and blanks. */
static ds_str begin(ds_str head)
{
	if (ds_str_starts(head, DS_S("\xEF\xBB\xBF")))
		head = (ds_str){ head.at + 3, head.n - 3 };
	ds_json_scan s = ds_json_scan_of(head);
	ds_json_peek(&s);
	return (ds_str){ head.at + s.at, head.n - s.at };
}

/* `{ "key" :`, or `{}` by itself: no prose begins so. */
static bool object_begins(ds_str at)
{
	ds_json_scan s = ds_json_scan_of(at);
	ds_str key;
	bool escaped;
	if (ds_json_peek(&s) != '{')
		return false;
	s.at++;
	if (ds_json_peek(&s) == '}') {
		ds_str rest = { at.at + s.at + 1, at.n - s.at - 1 }, line;
		line = ds_next_line(&rest, &line) ? ds_str_trim(line) : rest;
		return !line.n || strchr("{[,]", *line.at);
	}
	return ds_json_peek(&s) == '"' && ds_json_string(&s, &key, &escaped) &&
	       ds_json_peek(&s) == ':';
}

/* One object and nothing else; with a key twice it is one too, though a record error. */
static bool line_is_object(ds_str line)
{
	ds_json_scan s = ds_json_scan_of(line);
	ds_json_span span;
	if (ds_json_peek(&s) != '{')
		return false;
	if (!ds_json_skip(&s, 0, &span))
		return strcmp(s.why, "duplicate key") == 0;
	ds_json_peek(&s);
	return s.at >= s.end;
}

typedef struct {
	unsigned good, bad;
} lines;

/* Those of the head that are whole; blank ones do not count. */
static lines count_lines(ds_str rest, bool all)
{
	lines n = { 0, 0 };
	ds_str line;
	while ((all || memchr(rest.at, '\n', rest.n)) && ds_next_line(&rest, &line)) {
		if (ds_is_blank(line))
			continue;
		if (line_is_object(line))
			n.good++;
		else
			n.bad++;
	}
	return n;
}

/* What begins with an object: one a line, or over lines, or several on a line. */
static ds_json_shape of_objects(ds_str at, bool all)
{
	const char *lf = memchr(at.at, '\n', at.n);
	size_t line = lf ? (size_t)(lf - at.at) : at.n;
	ds_json_scan s = ds_json_scan_of(at);
	ds_json_span span;
	bool whole = ds_json_skip(&s, 0, &span);
	if (whole && s.at > line)
		return DS_JSON_VALUES;
	if (whole) {
		ds_str after = ds_str_trim((ds_str){ at.at + s.at, line - s.at });
		return after.n && *after.at == '{' ? DS_JSON_VALUES : DS_JSON_LINES;
	}
	if (!lf || line_is_object((ds_str){ at.at, line }))
		return DS_JSON_LINES;
	/* Wrong or not all there: over lines if the first looks so and most do not stand for themselves. */
	ds_str first = ds_str_trim((ds_str){ at.at, line });
	char last = first.at[first.n - 1];
	lines n = count_lines(at, all);
	bool open = last == '{' || last == '[' || last == ',';
	return open && n.good <= n.bad ? DS_JSON_VALUES : DS_JSON_LINES;
}

ds_json_shape ds_json_shape_of(ds_str head, bool all)
{
	ds_str at = begin(head);
	if (at.n && *at.at == '[') {
		ds_str rest = begin((ds_str){ at.at + 1, at.n - 1 });
		bool empty = all && rest.n && *rest.at == ']' &&
			     ds_is_blank((ds_str){ rest.at + 1, rest.n - 1 });
		return empty || object_begins(rest) ? DS_JSON_VALUES : DS_JSON_NONE;
	}
	if (object_begins(at))
		return of_objects(at, all);
	lines n = count_lines(at, all); /* the first line may be the end of one that was cut */
	return n.good > 1 && n.good >= 2 * n.bad ? DS_JSON_LINES : DS_JSON_NONE;
}
