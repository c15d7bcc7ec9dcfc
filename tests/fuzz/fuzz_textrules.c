/*
 * fuzz_textrules.c - rules that rewrite a text, over any bytes; valid text stays valid
 */
#include "fuzz.h"

#include "../../tools/clean/rule.h"
#include "text/unicode.h"

#include <stdlib.h>

static void run(const ds_rule *rule, const char *value, ds_str text, ds_arena *mem)
{
	const rule_env env = { 0 };
	void *state = NULL;
	ds_err e;
	bool valid = ds_utf8_valid(text) == text.n;
	rule_record r = { .text = text, .mem = mem };
	if (rule->open && rule->open(&state, value, &env, &e) != DS_OK)
		abort();
	ds_rc rc = rule->apply ? rule->apply(state, &r.text, mem, &e) : rule->record(state, &r, &e);
	if (rc != DS_OK || (valid && ds_utf8_valid(r.text) != r.text.n))
		abort();
	if (rule->close)
		rule->close(state);
}

/* The rules of the default list from --utf8 on, one after the other; no record knows where it comes from. */
static ds_str once(ds_str text, const ds_html_lines *pre, bool decoded, ds_arena *mem)
{
	const rule_env env = { 0 };
	ds_err e;
	rule_record r = { .text = text,
		.mem = mem,
		.block_mem = mem,
		.decoded = decoded,
		.spaced = decoded && !pre };
	if (pre)
		r.shaped = *pre;
	for (size_t i = 0; ds_rules[i]; i++) {
		const ds_rule *rule = ds_rules[i];
		void *state = NULL;
		if (!rule->default_value || rule == &ds_rule_html || rule->keep ||
			(!decoded && rule == &ds_rule_entities))
			continue;
		if (rule->open &&
			rule->open(&state, *rule->default_value ? rule->default_value : NULL, &env,
				&e) != DS_OK)
			abort();
		ds_rc rc = rule->apply ? rule->apply(state, &r.text, mem, &e)
				       : rule->record(state, &r, &e);
		if (rc != DS_OK)
			abort();
		if (rule->close)
			rule->close(state);
	}
	return r.text;
}

/* A second time they change nothing: neither where a stream tells of the first, nor where none does. */
static void defaults(ds_str text, ds_arena *mem)
{
	ds_html_lines pre = { 0 };
	ds_str plain = once(text, NULL, false, mem);
	if (!ds_str_eq(once(plain, NULL, false, mem), plain))
		abort();
	size_t n;
	ds_str page = ds_html_strip(ds_utf8_repair(text, mem, &n), &pre, mem);
	ds_str first = once(page, &pre, true, mem);
	if (!ds_str_eq(once(first, NULL, true, mem), first))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_str text = { (const char *)data, n };
	if (n > 65536)
		return 0;
	run(&ds_rule_width, "half", text, mem);
	run(&ds_rule_punct, "ascii", text, mem);
	run(&ds_rule_punct, "zh", text, mem);
	run(&ds_rule_repeat, "2", text, mem);
	run(&ds_rule_drop_chars, "emoji,symbols,boxes", text, mem);
	run(&ds_rule_pii, "mask", text, mem);
	run(&ds_rule_unwrap, NULL, text, mem);
	run(&ds_rule_nfkc, NULL, text, mem);
	run(&ds_rule_mojibake, NULL, text, mem);
	run(&ds_rule_control, NULL, text, mem);
	run(&ds_rule_space, NULL, text, mem);
	run(&ds_rule_space, "collapse", text, mem);
	defaults(text, mem);
	return 0;
}
