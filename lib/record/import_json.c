/*
 * import_json.c - a JSON file: the objects of its array, or objects one after another
 *
 * Streamed: cutting follows brackets and strings only, and a chunk ends behind a comma of the array
 * or behind an object. An element that is wrong is thus one record error, and the next goes on.
 */
#include "record/import.h"
#include "record/json_columns.h"

typedef struct {
	bool now_in_array; /* where the look is */
	bool in_string, escape;
	unsigned depth; /* within the element */
	bool begun;     /* something of the element was seen */
} lexer;

typedef struct {
	bool in_array; /* where the next chunk begins */
	lexer walk;
} file;

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One byte further; true: an element, or the array, ends behind it. */
static bool advance(lexer *x, char c)
{
	if (x->in_string) {
		x->in_string = c != '"' || x->escape;
		x->escape = c == '\\' && !x->escape;
		return false;
	}
	if (is_blank(c))
		return false;
	if (!x->depth && !x->begun && !x->now_in_array && c == '[') {
		x->now_in_array = true;
		return false;
	}
	if (x->now_in_array && !x->depth && (c == ',' || c == ']')) {
		x->now_in_array = c == ',';
		x->begun = false;
		return true;
	}
	x->begun = true;
	if (c == '"')
		x->in_string = true;
	else if (c == '{' || c == '[')
		x->depth++;
	else if ((c == '}' || c == ']') && x->depth)
		x->depth--;
	if (x->depth || x->now_in_array || c != '}')
		return false;
	x->begun = false;
	return true; /* an object that stands alone */
}

/* Behind the element, or the array, that ends first; where the bytes end if none does. */
static size_t element_walk(lexer *x, ds_str bytes, bool *ended)
{
	size_t i = 0;
	*ended = false;
	while (i < bytes.n && !*ended) {
		if (x->in_string && !x->escape) { /* strings are most of the bytes */
			while (i < bytes.n && bytes.at[i] != '"' && bytes.at[i] != '\\')
				i++;
			if (i == bytes.n)
				break;
		}
		*ended = advance(x, bytes.at[i++]);
	}
	return i;
}

static size_t walk_on(void *state, ds_str bytes, bool first, bool *ended)
{
	file *f = state;
	if (first)
		f->walk = (lexer){ .now_in_array = f->in_array };
	return element_walk(&f->walk, bytes, ended);
}

static size_t last_element(void *state, ds_str bytes)
{
	const file *f = state;
	lexer x = { .now_in_array = f->in_array };
	size_t end = 0, at = 0;
	while (at < bytes.n) {
		bool ended;
		at += element_walk(&x, (ds_str){ bytes.at + at, bytes.n - at }, &ended);
		if (ended)
			end = at;
	}
	return end;
}

static const ds_ends ends = { last_element, walk_on, false };

static ds_rc open_file(ds_input *in, ds_err *e)
{
	ds_str head;
	char bom[3];
	size_t got;
	in->state = ds_arena_zero(ds_source_mem(in->source), sizeof(file));
	DS_TRY(ds_in_peek(in->in, sizeof(bom), &head, e)); /* RFC 8259 lets a parser ignore it */
	return ds_str_is(head, "\xEF\xBB\xBF") ? ds_in_read(in->in, bom, sizeof(bom), &got, e)
					       : DS_OK;
}

/* The next element of *rest; false at the end. What is between [ and ] alone is no element. */
static bool next_element(ds_str *rest, lexer *x, ds_str *element)
{
	bool after_comma = x->now_in_array;
	size_t i = 0;
	for (;;) {
		while (rest->n && is_blank(*rest->at))
			*rest = (ds_str){ rest->at + 1, rest->n - 1 };
		if (!rest->n)
			return false;
		if (*rest->at == '[' && !x->now_in_array) {
			x->now_in_array = true;
			after_comma = false;
		} else if (*rest->at == ']' && x->now_in_array && !after_comma) {
			x->now_in_array = false;
		} else {
			break;
		}
		*rest = (ds_str){ rest->at + 1, rest->n - 1 };
	}
	while (i < rest->n && !advance(x, rest->at[i]))
		i++;
	bool ended = i < rest->n;
	*element = (ds_str){ rest->at, ended && rest->at[i] == '}' ? i + 1 : i };
	*rest = (ds_str){ rest->at + i + ended, rest->n - i - ended };
	return true;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	file *f = in->state;
	ds_str rest, element;
	bool was = f->in_array;
	ds_rc rc = ds_cut(in, ch, &ends, f, more, e);
	/* Blanks behind the last element are no element without its end. */
	if (rc == DS_SHORT && !in->broken && ds_is_blank(ds_buf_view(&in->carry)))
		rc = DS_OK;
	DS_TRY(rc);
	if (!*more)
		return f->in_array && !in->broken
			       ? ds_fail(e, DS_SHORT, "%s: input ended early, within its array",
					 in->name)
			       : DS_OK;
	lexer walk = { .now_in_array = was };
	ch->flags = was;
	for (rest = ch->bytes; next_element(&rest, &walk, &element);)
		ch->n_records++;
	/* A chunk without bytes is an element that was walked over. */
	f->in_array = ch->bytes.n ? walk.now_in_array : f->walk.now_in_array;
	in->n_records += ch->n_records;
	return DS_OK;
}

static ds_rc add(ds_json_columns *columns, ds_chunk *ch, ds_str element, uint64_t number,
	bool *good, ds_err *e)
{
	size_t first = (size_t)(element.at - ch->bytes.at), end = first + element.n;
	ds_json_scan s = { .text = ch->bytes.at, .at = first, .end = end };
	*good = false;
	DS_TRY(ds_check_record(ch, number, element, good, e));
	if (!*good)
		return DS_OK;
	*good = ds_json_columns_add(columns, &s);
	ds_json_peek(&s);
	if (*good && s.at < s.end) {
		*good = false;
		ds_json_columns_undo(columns);
		s.why = "more after the object";
		s.where = s.at;
	}
	if (*good)
		return DS_OK;
	s.where -= first;
	ds_json_scan_fail(&s, e);
	return ds_reject(ch, number, element, e);
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	DS_AUTO(ds_json_columns)
	columns = ds_json_columns_new(ch->mem, ch->bytes.at, ch->n_records);
	lexer x = { .now_in_array = ch->flags };
	ds_str rest = ch->bytes, element;
	ds_good_rows rows = { 0 };
	uint64_t lone = 0, i = 0;
	while (next_element(&rest, &x, &element)) {
		bool good;
		DS_TRY(add(columns, ch, element, ch->first_record + i, &good, e));
		if (good)
			ds_good_rows_add(&rows, ch->mem, i);
		i++;
	}
	DS_TRY(ds_json_columns_finish(columns, out, &lone, e));
	(*out)->row_of = rows.row_of;
	ds_source_count_lone(ch->input->source, lone);
	return DS_OK;
}

const ds_importer ds_import_json = {
	.name = "json",
	.what = "a JSON array of objects, or objects one after another",
	.suffixes = ".json",
	.ends_itself = true,
	.open = open_file,
	.of_text = true,
	.cut = cut,
	.parse = parse,
};
