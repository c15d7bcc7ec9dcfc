/*
 * fuzz_rules.c - a rule file of any bytes, opened where it is right
 */
#include "fuzz.h"

#include "../../tools/clean/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	rules r = { 0 };
	rule_env env = { RULE_UNMAPPED_KEEP };
	ds_err e;
	ds_str text = { (const char *)data, n };
	/* Maps and includes are files, which a fuzzer is to leave alone. */
	if (n < 16384 && !memmem(text.at, n, "labels", 6) && !memmem(text.at, n, "include", 7) &&
		!memmem(text.at, n, "rules", 5) && rules_read(&r, "rules", text, &e) == DS_OK &&
		rules_open(&r, &env, &e) == DS_OK)
		rules_threads_free(&r, rules_threads_new(&r));
	rules_close(&r);
	return 0;
}
