/* images.c - decodes and prepares the files that are named, ROUNDS times: user seconds of it */
#include "base/io.h"
#include "image/prep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { SIDE = 224, PATCH = 32 };

static double user(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	ds_prep p = ds_prep_clip(SIDE);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	float *out = malloc(3 * SIDE * SIDE * sizeof(*out));
	ds_buf *files = calloc((size_t)argc, sizeof(*files));
	ds_err e;
	for (int i = 2; i < argc; i++)
		if (ds_file_read(argv[i], 1 << 26, &files[i], &e) != DS_OK)
			return 1;
	double start = user();
	for (int r = 0; r < rounds; r++)
		for (int i = 2; i < argc; i++) {
			ds_image im;
			ds_arena_reset(mem);
			if (ds_image_decode(ds_buf_view(&files[i]), mem, &im, &e) != DS_OK ||
				ds_prep_run(&p, &im, NULL, PATCH, mem, out, &e) != DS_OK)
				return 1;
		}
	printf("%.6f\n", user() - start);
	return 0;
}
