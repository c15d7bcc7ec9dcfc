/*
 * rule_repeat.c - a character is not repeated more than so often
 *
 * Digits and white space may be: numbers mean something, and white space is for the space rule.
 */
#include "rewrite.h"
#include "rule.h"

#include "base/args.h"
#include "base/mem.h"
#include "text/utf8.h"

static ds_rc open_most(void **state, const char *value, const rule_env *env, ds_err *e)
{
	int64_t n;
	if (!ds_str_i64(ds_str_of(value), &n) || n < 1)
		return ds_fail(e, DS_USAGE, "'%s' is no whole number from 1", value);
	uint64_t *most = DS_NEW(uint64_t, 1);
	*most = (uint64_t)n;
	*state = most;
	return DS_OK;
}

static bool may_repeat(uint32_t c)
{
	return (c >= '0' && c <= '9') || c <= ' ' || c == 0xa0 || c == 0x3000;
}

/* How many of the character of n bytes at i follow one another. */
static size_t run(ds_str s, size_t i, unsigned n)
{
	size_t count = 1;
	while (i + (count + 1) * n <= s.n && memcmp(s.at + i + count * n, s.at + i, n) == 0)
		count++;
	return count;
}

static ds_rc apply(void *state, ds_str *text, ds_arena *mem, ds_err *e)
{
	uint64_t most = *(const uint64_t *)state;
	rewrite w = { .text = *text, .out.mem = mem };
	const uint8_t *p = (const uint8_t *)text->at, *end = p + text->n;
	for (size_t i = 0; i < text->n;) {
		uint32_t c = 0;
		unsigned n = ds_utf8_get(p + i, end, &c);
		if (n == 0 || (i + n < text->n && p[i + n] != p[i])) {
			i += n ? n : 1;
			continue;
		}
		size_t count = run(*text, i, n);
		if (count > most && !may_repeat(c))
			rewrite_put(&w, i + most * n, (count - most) * n, (ds_str){ "", 0 });
		i += count * n;
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

const ds_rule ds_rule_repeat = {
	.name = "repeat",
	.value = "N",
	.help = "at most N of the same character in a row",
	.flags = DS_ARG_HIDDEN,
	.open = open_most,
	.close = ds_mem_free,
	.apply = apply,
};
