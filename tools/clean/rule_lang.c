/*
 * rule_lang.c - the language of a record, as a field, and only some languages
 */
#include "rule.h"

#include "base/mem.h"
#include "text/lang.h"

enum { LANGS_MAX = 64 };

typedef struct {
	char *list; /* codes, cut by NUL */
	const char *codes[LANGS_MAX];
	unsigned n;
} state;

static void close_state(void *p)
{
	state *s = p;
	if (!s)
		return;
	ds_mem_free(s->list);
	ds_mem_free(s);
}

static ds_rc add_code(state *s, const char *code, ds_err *e)
{
	if (!ds_lang_known(code))
		return ds_fail(e, DS_USAGE, "no language has the code '%s'", code);
	if (s->n == LANGS_MAX)
		return ds_fail(e, DS_USAGE, "more than %d languages", LANGS_MAX);
	s->codes[s->n++] = code;
	return DS_OK;
}

static ds_rc open_list(void **out, const char *value, const rule_env *env, ds_err *e)
{
	state *s = DS_NEW(state, 1);
	*out = s;
	if (strcmp(value, "any") == 0)
		return DS_OK;
	s->list = ds_mem_text(value);
	for (char *p = s->list; p;) {
		char *comma = strchr(p, ',');
		if (comma)
			*comma++ = '\0';
		DS_TRY(add_code(s, p, e));
		p = comma;
	}
	return DS_OK;
}

/* "zh" stands for "zh-Hant" as well. */
static bool wanted(const state *s, const char *code)
{
	for (unsigned i = 0; i < s->n; i++) {
		size_t n = strlen(s->codes[i]);
		if (strncmp(code, s->codes[i], n) == 0 && (code[n] == '\0' || code[n] == '-'))
			return true;
	}
	return s->n == 0;
}

static ds_rc record(void *p, rule_record *r, ds_err *e)
{
	const state *s = p;
	ds_lang l = ds_lang_of(r->text.at, r->text.n);
	rule_tag_add(r, (rule_tag){ "lang", RULE_TAG_TEXT, l.code, 0 });
	if (r->tag)
		rule_tag_add(r, (rule_tag){ "lang_share", RULE_TAG_NUMBER, NULL, l.share });
	r->drop = !wanted(s, l.code);
	return DS_OK;
}

const ds_rule ds_rule_lang = {
	.name = "lang",
	.value = "LIST|any",
	.help = "write the field lang; drop what is not in the list (zh,en)",
	.open = open_list,
	.close = close_state,
	.judges = true,
	.record = record,
};
