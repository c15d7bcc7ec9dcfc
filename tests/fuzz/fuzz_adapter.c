/* fuzz_adapter.c - any bytes as adapter_config.json: refused, or what is written back reads as the same */
#include "fuzz.h"

#include "base/arena.h"
#include "model/adapter.h"
#include "model/soft.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_str json = { (const char *)data, n };
	const ds_str module = DS_S("model.layers.1.self_attn.q_proj");
	const char *base;
	ds_lora l, again;
	ds_soft soft;
	ds_err e;
	ds_buf out = { 0 };
	if (ds_soft_parse(&soft, json, &base, mem, &e) == DS_OK && soft.kind &&
		(soft.tokens < 1 || soft.tokens > DS_SOFT_MOST))
		abort();
	if (ds_lora_parse(&l, json, &base, mem, &e) != DS_OK)
		return 0;
	ds_lora_wants(&l, module);
	if (ds_lora_rank(&l, module) < 1 || isnan(ds_lora_scale(&l, module)))
		abort();
	ds_lora_print(&l, base, false, true, &out);
	if (ds_lora_parse(&again, ds_buf_view(&out), &base, mem, &e) != DS_OK || again.r != l.r ||
		again.alpha != l.alpha || again.rslora != l.rslora ||
		ds_lora_by_regex(&again) != ds_lora_by_regex(&l))
		abort();
	ds_buf_free(&out);
	return 0;
}
