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
	return 0;
}
