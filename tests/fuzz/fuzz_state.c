/* fuzz_state.c - any bytes as a state of dseval: refused, or what is gathered can be added to itself and stored */
#include "fuzz.h"

#include "../../tools/eval/state.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

/* The bytes with the magic and the right hash, so that what lies behind them is reached. */
static void add(state_sum *s, const uint8_t *data, size_t n)
{
	ds_buf b = { 0 };
	ds_err e;
	ds_buf_add_c(&b, "DSEVAL01");
	ds_buf_add(&b, data, n);
	uint64_t hash = ds_hash64(b.at, b.n);
	ds_buf_add(&b, &hash, 8);
	if (state_add_bytes(s, ds_buf_view(&b), &e) == DS_OK &&
		state_add_bytes(s, ds_buf_view(&b), &e) != DS_OK && s->g->all->n == 0)
		abort();
	ds_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_common common = { .jobs = 1 };
	for (int i = 0; i < 2; i++) {
		state_sum s = { .l = wanted_new(), .common = &common };
		ds_err e;
		if (i)
			add(&s, data, n);
		else if (state_add_bytes(&s, (ds_str){ (const char *)data, n }, &e) == DS_OK &&
			 !s.g)
			abort();
		state_sum_release(&s);
	}
	return 0;
}
