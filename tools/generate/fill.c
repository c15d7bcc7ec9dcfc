/*
 * fill.c - see fill.h
 */
#include "fill.h"

#include "base/mem.h"
#include "record/field.h"
#include "json/json.h"

typedef struct {
	ds_str literal;  /* before the field */
	ds_field *field; /* NULL: there is none, the template ends */
} piece;

struct filler {
	ds_arena *mem;
	piece *at;
	size_t n;
};

void filler_close(filler *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		ds_field_free(f->at[i].field);
	ds_arena_free(f->mem);
	ds_mem_free(f->at);
	ds_mem_free(f);
}

/* The literal up to a field or the end; s moves on, to the '{' of the field. */
static ds_rc literal(const char **s, ds_buf *out, ds_err *e)
{
	static const char escapes[] = "n\nt\t\\\\";
	const char *p = *s;
	for (; *p; p++) {
		const char *as = *p == '\\' && p[1] ? strchr(escapes, p[1]) : NULL;
		if (*p == '{' && p[1] != '{')
			break;
		if (*p == '}' && p[1] != '}')
			return ds_fail(
				e, DS_USAGE, "--template: '}' stands alone at '%s'; }} is one", p);
		if (*p == '{' || *p == '}')
			p++;
		if (as && (as - escapes) % 2 == 0) {
			ds_buf_add_byte(out, as[1]);
			p++;
		} else {
			ds_buf_add_byte(out, *p);
		}
	}
	*s = p;
	return DS_OK;
}

static ds_rc field(filler *f, const char **s, piece *to, ds_err *e)
{
	const char *close = strchr(*s, '}');
	if (!close || close == *s + 1)
		return ds_fail(e, DS_USAGE, "--template: '%s' names no field; {{ is a brace", *s);
	const char *path = ds_arena_str(f->mem, (ds_str){ *s + 1, (size_t)(close - *s - 1) }).at;
	*s = close + 1;
	DS_TRY_AT(ds_field_new(&to->field, &path, 1, e), e, "--template");
	return DS_OK;
}

static ds_rc read_all(filler *f, const char *s, ds_buf *text, ds_err *e)
{
	for (;;) {
		piece *p = &f->at[f->n++];
		ds_buf_clear(text);
		DS_TRY(literal(&s, text, e));
		p->literal = ds_arena_str(f->mem, ds_buf_view(text));
		if (!*s)
			return DS_OK;
		DS_TRY(field(f, &s, p, e));
	}
}

ds_rc filler_open(filler **out, const char *template, ds_err *e)
{
	filler *f = DS_NEW(filler, 1);
	ds_buf text = { 0 };
	size_t most = 1;
	for (const char *s = template; *s; s++)
		most += *s == '{';
	*out = f;
	f->mem = ds_arena_new(0);
	f->at = DS_NEW(piece, most);
	ds_rc rc = read_all(f, template, &text, e);
	ds_buf_free(&text);
	return rc;
}

static void add_value(ds_buf *to, const ds_json *v)
{
	if (v->kind == DS_J_STR)
		ds_buf_add_str(to, v->s);
	else
		ds_json_add(to, v);
}

/* What a path ends at; *has false: nothing, or null. */
static ds_rc value(
	ds_field *f, ds_block *b, uint32_t row, ds_arena *mem, ds_buf *to, bool *has, ds_err *e)
{
	ds_field_found found = { 0 };
	DS_TRY(ds_field_values(f, b, row, mem, &found, e));
	*has = false;
	for (size_t i = 0; i < found.n; i++) {
		if (found.at[i]->kind == DS_J_NULL)
			continue;
		if (*has)
			ds_buf_add_byte(to, '\n');
		add_value(to, found.at[i]);
		*has = true;
	}
	return DS_OK;
}

static ds_rc fill(filler *f, ds_block *b, uint32_t row, ds_arena *mem, ds_buf *to,
	const char **lacks, ds_err *e)
{
	*lacks = NULL;
	for (size_t i = 0; i < f->n && !*lacks; i++) {
		bool has = true;
		ds_buf_add_str(to, f->at[i].literal);
		if (f->at[i].field)
			DS_TRY(value(f->at[i].field, b, row, mem, to, &has, e));
		if (!has)
			*lacks = ds_field_name(f->at[i].field);
	}
	return DS_OK;
}

ds_rc filler_text(filler *f, ds_block *b, uint32_t row, ds_arena *mem, ds_str *out,
	const char **lacks, ds_err *e)
{
	ds_buf text = { 0 };
	ds_rc rc = fill(f, b, row, mem, &text, lacks, e);
	*out = rc == DS_OK ? ds_arena_str(mem, ds_buf_view(&text)) : DS_S("");
	ds_buf_free(&text);
	return rc;
}
