/* fuzz_request.c - any bytes as the body of a request: refused with a reason, or every setting within its bounds */
#include "fuzz.h"

#include "../../tools/serve/answers.h"
#include "../../tools/serve/gen.h"

#include <stdlib.h>

static void read_all(const ds_json *o)
{
	gen_ask a;
	refusal r = { 0 };
	ds_buf out = { 0 };
	for (unsigned kind = GEN_TEXT; kind <= GEN_CHAT; kind++) {
		gen_ask_init(&a);
		r.why.msg[0] = 0;
		bool good = fields_read(gen_fields, kind, o, &a, &r);
		if (!good && (r.status != 400 || !r.why.msg[0]))
			abort();
		if (good && (!(a.temperature >= 0 && a.temperature <= 100) || a.n < 1 ||
				    a.n > 128 || a.max_tokens < -1))
			abort();
		if (!good)
			refusal_json(&r, &out);
	}
	ds_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	const ds_json *o;
	refusal r;
	if (fields_object((ds_str){ (const char *)data, n }, mem, &o, &r))
		read_all(o);
	return 0;
}
