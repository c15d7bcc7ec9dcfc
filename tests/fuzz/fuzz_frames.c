/*
 * fuzz_frames.c - what steps of dsdedup exchange hand one another, from any bytes
 */
#include "fuzz.h"

#include "../../tools/dedup/frames.h"

static uint64_t read_sketches(const frame *f)
{
	frame_sketch s;
	uint64_t sum = 0;
	bool more;
	ds_err e;
	for (size_t at = 0; frame_sketch_next(f, &at, &s, &more, &e) == DS_OK && more;)
		for (uint32_t i = 0; i < s.n; i++)
			sum += s.at[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	frames_in *in = frames_of_mem((ds_str){ (const char *)data, n }, "input");
	frame f;
	ds_err e;
	volatile uint64_t sum = 0;
	while (frames_next(in, &f, &e) == DS_OK && f.kind) {
		if (f.kind == FRAME_SKETCHES)
			sum += read_sketches(&f);
		for (size_t i = 0;
			i < f.n_rows * (f.kind == FRAME_SKETCHES ? 1 : frame_words(f.kind)); i++)
			sum += f.words[i];
	}
	frames_close(in);
	return 0;
}
