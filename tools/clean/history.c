/*
 * history.c - the rules that a chain names, in its own spelling
 *
 * Of branches only what holds for each counts. A run without rules is one of the default list.
 */
#include "history.h"

#include "base/args.h"

/* The next word as a shell would cut it, quotes left in it: what is looked for has none. */
static ds_str next_word(ds_str *rest)
{
	bool quoted = false;
	size_t n = 0;
	*rest = ds_str_trim(*rest);
	for (; n < rest->n && (quoted || rest->at[n] != ' '); n++)
		quoted ^= rest->at[n] == '\'';
	ds_str word = { rest->at, n };
	*rest = (ds_str){ rest->at + n, rest->n - n };
	return ds_str_starts(word, DS_S("--")) ? (ds_str){ word.at + 2, word.n - 2 } : word;
}

static unsigned after_rule(unsigned left, const ds_rule *rule, const char *value)
{
	return left | (rule->leaves ? rule->leaves(value) : 0);
}

static unsigned after_defaults(unsigned left, const ds_rule *off)
{
	for (size_t i = 0; ds_rules[i]; i++)
		if (ds_rules[i]->default_value && ds_rules[i] != off)
			left = after_rule(left, ds_rules[i], ds_rules[i]->default_value);
	return left;
}

static unsigned after_run(unsigned left, ds_str args)
{
	const ds_rule *off = NULL;
	bool any = false;
	for (ds_str rest = args, word; (word = next_word(&rest)).n;) {
		ds_str value, name = ds_str_cut(word, '=', &value);
		const ds_rule *rule = ds_rule_find(name);
		if (rule && rule->off && ds_str_is(value, rule->off))
			off = rule;
	}
	for (ds_str rest = args, word; (word = next_word(&rest)).n;) {
		ds_str value, name = ds_str_cut(word, '=', &value);
		const ds_rule *rule = ds_rule_find(name);
		if (ds_str_is(name, "default")) {
			left = after_defaults(left, off);
		} else if (rule && !(rule->off && ds_str_is(value, rule->off))) {
			char word_of[32] = "";
			if (value.n < sizeof(word_of))
				memcpy(word_of, value.n ? value.at : "", value.n);
			left = after_rule(left, rule, word_of);
		} else if (!ds_str_is(name, "rules")) {
			continue;
		}
		any = true;
	}
	return any ? left : after_defaults(left, off);
}

unsigned history_of(const ds_chain *chain)
{
	unsigned left = 0;
	for (size_t i = 0; chain && i < chain->n; i++) {
		const ds_stage_entry *s = &chain->stages[i];
		for (size_t k = 0; k < s->n_branches; k++) {
			unsigned branch = history_of(s->branches[k]);
			left = k ? left & branch : branch;
		}
		if (ds_str_is(s->program, "dsclean"))
			left = after_run(left, s->args);
	}
	return left;
}
