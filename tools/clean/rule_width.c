/*
 * rule_width.c - full-width ASCII and signs in half width
 */
#include "rewrite.h"
#include "rule.h"

#include "base/args.h"
#include "base/mem.h"
#include "text/byteset.h"
#include "text/utf8.h"

static ds_rc open_half(void **state, const char *value, const rule_env *env, ds_err *e)
{
	if (strcmp(value, "half") != 0)
		return ds_fail(e, DS_USAGE, "'%s': it is half", value);
	ds_byteset *set = DS_NEW(ds_byteset, 1);
	ds_byteset_init(set);
	ds_byteset_add_all(set, "\xe3\xef");
	*state = set;
	return DS_OK;
}

static uint32_t half(uint32_t c)
{
	static const uint16_t signs[] = { 0xa2, 0xa3, 0xac, 0xaf, 0xa6, 0xa5, 0x20a9 };
	if (c == 0x3000)
		return ' ';
	if (c >= 0xff01 && c <= 0xff5e)
		return c - 0xfee0;
	return c >= 0xffe0 && c <= 0xffe6 ? signs[c - 0xffe0] : c;
}

static ds_rc apply(void *set, ds_str *text, ds_arena *mem, ds_err *e)
{
	rewrite w = { .text = *text, .out.mem = mem };
	const uint8_t *p = (const uint8_t *)text->at, *end = p + text->n;
	for (size_t i = 0; (i = ds_byteset_find(set, *text, i)) < text->n;) {
		uint8_t bytes[4];
		uint32_t c = 0;
		unsigned n = ds_utf8_get(p + i, end, &c);
		if (n && half(c) != c)
			rewrite_put(
				&w, i, n, (ds_str){ (char *)bytes, ds_utf8_put(bytes, half(c)) });
		i += n ? n : 1;
	}
	*text = rewrite_end(&w);
	return DS_OK;
}

const ds_rule ds_rule_width = {
	.name = "width",
	.value = "half",
	.help = "full-width letters, digits and signs to half width",
	.keeps_lines = true,
	.flags = DS_ARG_HIDDEN,
	.open = open_half,
	.close = ds_mem_free,
	.apply = apply,
};
