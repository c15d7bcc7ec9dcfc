/*
 * when.c - conditions over the label, the language and the source of a record
 */
#include "when.h"

typedef struct {
	ds_str key, values;
} condition;

/* The next one, which rest goes past; false: no more. */
static bool next(ds_str *rest, condition *c)
{
	*rest = ds_str_trim(*rest);
	if (!rest->n)
		return false;
	size_t n = 0;
	while (n < rest->n && rest->at[n] != ' ' && rest->at[n] != '\t')
		n++;
	ds_str word = { rest->at, n };
	*rest = (ds_str){ rest->at + n, rest->n - n };
	c->key = ds_str_cut(word, '=', &c->values);
	return true;
}

ds_rc when_check(ds_str conditions, ds_err *e)
{
	condition c;
	while (next(&conditions, &c)) {
		if (!ds_str_is(c.key, "lang") && !ds_str_is(c.key, "label") &&
			!ds_str_is(c.key, "source"))
			return ds_fail(e, DS_USAGE, "condition '%.*s': it is label, lang or source",
				DS_FMT(c.key));
		if (!c.values.n)
			return ds_fail(e, DS_USAGE, "condition '%.*s' wants =VALUE", DS_FMT(c.key));
	}
	return DS_OK;
}

/* * stands for any bytes, ? for one. */
static bool matches(ds_str pattern, ds_str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;
	while (i < s.n) {
		if (p < pattern.n && pattern.at[p] == '*') {
			star = p++;
			mark = i;
		} else if (p < pattern.n && (pattern.at[p] == '?' || pattern.at[p] == s.at[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.at[p] == '*')
		p++;
	return p == pattern.n;
}

static bool one_of(ds_str values, ds_str s)
{
	while (s.n && values.n)
		if (matches(ds_str_cut(values, ',', &values), s))
			return true;
	return false;
}

/* What the rule lang of this run found counts before the field that came in. */
static ds_str lang_of(const rule_record *r)
{
	for (unsigned i = 0; i < r->n_tags; i++)
		if (strcmp(r->tags[i].name, "lang") == 0 && r->tags[i].kind == RULE_TAG_TEXT)
			return ds_str_of(r->tags[i].text);
	return r->lang;
}

bool when_holds(const char *conditions, const rule_record *r)
{
	condition c;
	ds_str rest = ds_str_of(conditions);
	while (next(&rest, &c)) {
		ds_str value = ds_str_is(c.key, "lang")    ? lang_of(r)
			       : ds_str_is(c.key, "label") ? r->label.text
							   : r->source_name;
		if (!one_of(c.values, value))
			return false;
	}
	return true;
}

bool when_names(const char *conditions, const char *key)
{
	condition c;
	ds_str rest = ds_str_of(conditions ? conditions : "");
	while (next(&rest, &c))
		if (ds_str_is(c.key, key))
			return true;
	return false;
}
