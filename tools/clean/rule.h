/*
 * rule.h - what a rule of dsclean is
 *
 * A rule changes a record's text, decides whether the record stays, or changes its label. It is one
 * file rule_NAME.c that ends with a const ds_rule, and a line in rules.def. Its state is made once and
 * then only read; a thread that needs more (a match buffer, counts) has it by thread_new. One of
 * apply, keep and record is set. The rules with a default_value are the default list, in rules.def's order.
 */
#ifndef DS_CLEAN_RULE_H
#define DS_CLEAN_RULE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "text/html/html.h"

typedef enum { RULE_UNMAPPED_KEEP, RULE_UNMAPPED_DROP, RULE_UNMAPPED_STOP } rule_unmapped;

typedef struct { /* options that are no rules themselves */
	rule_unmapped unmapped;
	const char *label_table; /* a file's name, or NULL */
	bool markdown;           /* what --html strip and auto make */
} rule_env;

enum { RULE_TAGS_MAX = 64 };

typedef struct { /* a field that a rule writes beside the text */
	const char *name;
	enum { RULE_TAG_TEXT, RULE_TAG_NUMBER, RULE_TAG_COUNT } kind; /* one for a name */
	const char *text; /* lives as long as the rule */
	double number;
} rule_tag;

typedef enum {            /* what the fields of a record say that its text is (origin.h) */
	RULE_SOURCE_NONE, /* nothing that looks like a file */
	RULE_SOURCE_FILE,
	RULE_SOURCE_NAMED_HTML, /* by a field's name: it may have been a page once */
	RULE_SOURCE_HTML,
	RULE_SOURCE_CODE, /* program text or Markdown */
} rule_source;

enum { /* ds_rule.needs: what a rule looks at. Without the text: it is run where there is none, too */
	RULE_NEEDS_TEXT = 1,
	RULE_NEEDS_LABEL = 2,
	RULE_NEEDS_LANG = 4,
	RULE_NEEDS_URL = 8,
};

enum {                          /* what a rule leaves behind */
	RULE_LEAVES_TEXT = 1,   /* no markup and no references */
	RULE_LEAVES_SPACED = 2, /* no run of blanks that was not meant */
};

typedef struct { /* a label, or another value, as it came */
	enum { RULE_VALUE_NONE, RULE_VALUE_TEXT, RULE_VALUE_NUMBER, RULE_VALUE_OTHER } kind;
	ds_str text; /* the text, or the value as JSON */
	double number;
} rule_value;

typedef struct {
	ds_str text;
	rule_source source;
	ds_str source_name, url,
		lang;   /* the fields as they came; empty: none, or none asks for it */
	ds_str charset; /* as an HTTP header had it; empty: none had */
	bool page;      /* the text is what a server sent, in whatever charset */
	bool decoded;   /* markup and references are gone, or never were */
	bool plain;     /* a server said that it is text of another kind: no page */
	bool spaced;    /* runs of blanks are meant: a run of this program has been over them */
	bool composed;  /* the text is in form C */
	ds_html_lines shaped; /* lines that keep their blanks: those of <pre> */
	bool drop;            /* set by a rule: the record goes */
	unsigned reason;      /* set with it by a rule that has reasons: which */
	bool tag;             /* rules say what they measured, as tags */
	rule_tag *tags;       /* room for RULE_TAGS_MAX */
	unsigned n_tags;
	rule_value label;
	bool label_new;      /* set by a rule: label is now label.text */
	ds_arena *mem;       /* for the new text; what the rule before made is elsewhere */
	ds_arena *block_mem; /* for what later rules look at */
} rule_record;

typedef struct ds_rule {
	const char *name;  /* as the option, without dashes */
	const char *value; /* as in ds_arg: what to call it, NULL: a flag */
	const char *help;
	unsigned flags;            /* of ds_arg */
	const char *default_value; /* "" for a flag; NULL: it is not in the default list */
	const char *off;   /* a value that is no rule, but takes it out of the default list */
	const char *mends; /* a format that is not to go without this rule unsaid */
	unsigned needs;    /* 0: the text alone */
	/*
	 * Of a rule by `record`: it looks at the whole text and changes none, as those by `keep` do. Where a field is
	 * several texts, these are given them joined by LF, and all other rules each by itself.
	 */
	bool judges;
	bool keeps_lines; /* the text's lines and blanks stay; other characters may change */
	/* RULE_LEAVES_… of a record that it was run on. NULL: nothing of the kind. */
	unsigned (*leaves)(const char *value);
	/* DS_USAGE where the value is wrong. NULL: there is no state. */
	ds_rc (*open)(void **state, const char *value, const rule_env *env, ds_err *e);
	void (*close)(void *state);
	void *(*thread_new)(const void *state);
	void (*thread_free)(void *thread);
	/* Given what thread_new made, else the state. DS_BAD: the record is bad, by this rule. */
	ds_rc (*apply)(void *thread, ds_str *text, ds_arena *mem, ds_err *e);
	ds_rc (*keep)(void *thread, ds_str text, bool *keep, ds_err *e);
	ds_rc (*record)(void *thread, rule_record *r, ds_err *e);
	/* Why it drops, each counted by itself: names, NULL-ended, that live as the state does. NULL: one reason. */
	const char *const *(*reasons)(const void *state);
	/* In stream order, after each block, by one thread at a time: what the thread noted goes to the state. */
	void (*gather)(void *state, void *thread);
	/* Once, after the last block of a run that went well. */
	ds_rc (*finish)(const void *state, ds_err *e);
	/* More words for the summary line. */
	void (*summary)(const void *state, ds_buf *out);
} ds_rule;

/* Writes a field of the record; the last one of a name counts. */
static inline void rule_tag_add(rule_record *r, rule_tag t)
{
	unsigned i = 0;
	while (i < r->n_tags && strcmp(r->tags[i].name, t.name) != 0)
		i++;
	if (i == RULE_TAGS_MAX)
		return;
	r->tags[i] = t;
	r->n_tags += i == r->n_tags;
}

extern const ds_rule *const ds_rules[];   /* rules.def's order, NULL-ended */
const ds_rule *ds_rule_find(ds_str name); /* NULL: none of that name */

#define RULE(name) extern const ds_rule ds_rule_##name;
#include "rules.def"
#undef RULE

#endif
