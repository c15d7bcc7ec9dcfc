/*
 * onednn.c - the door to oneDNN: matrix products on one thread
 *
 * The library is built with OpenMP and would start threads of its own; each of our threads asks it
 * for one. dnnl_sgemm was as fast as a cached matmul primitive on the shapes of small and middle
 * models (130-175 Gflop/s a core for both on an AVX-512 CPU at M = 256) and takes any strides, so it
 * is all that fp32 needs. bf16 has matmul primitives alone; they take twice that on the same tiles.
 * Their scratch is the caller's, so that a plan knows it and any thread may run them.
 */
#include "base/cpu.h"
#include "base/mem.h"
#include "graph/cpu/cpu_impl.h"

#include <dnnl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libgomp's; declared here because clang brings another omp.h, or none. */
extern void omp_set_num_threads(int n);

static void on_one_thread(void)
{
	static _Thread_local bool is_single;
	if (!is_single)
		omp_set_num_threads(1);
	is_single = true;
}

/* ---- bf16: matmul primitives, made once a shape and kept ---- */

typedef struct {
	int64_t m, n, k, lda, ldb, ldc;
	bool a_trans, b_trans, add;
} gemm_key;

typedef struct matmul matmul;
struct matmul {
	gemm_key key;
	matmul *next;
	dnnl_primitive_t primitive;
	dnnl_memory_desc_t a, b, c, room;
};

static struct {
	pthread_mutex_t lock;
	dnnl_engine_t engine;
	matmul *first;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The library fails here only for want of memory. */
static void must(dnnl_status_t s)
{
	if (s != dnnl_success) {
		fprintf(stderr, "oneDNN: error %d\n", (int)s);
		abort();
	}
}

static void describe(
	dnnl_memory_desc_t *d, int64_t rows, int64_t cols, int64_t ld, bool turned, bool half)
{
	dnnl_dims_t dims = { rows, cols }, strides = { turned ? 1 : ld, turned ? ld : 1 };
	must(dnnl_memory_desc_init_by_strides(d, 2, dims, half ? dnnl_bf16 : dnnl_f32, strides));
}

static matmul *make_matmul(const gemm_key *k)
{
	matmul *p = DS_NEW(matmul, 1);
	dnnl_matmul_desc_t d;
	dnnl_primitive_attr_t attr;
	dnnl_primitive_desc_t desc;
	p->key = *k;
	describe(&p->a, k->m, k->k, k->lda, k->a_trans, true);
	describe(&p->b, k->k, k->n, k->ldb, k->b_trans, true);
	describe(&p->c, k->m, k->n, k->ldc, false, false);
	must(dnnl_primitive_attr_create(&attr));
	must(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
	if (k->add) {
		dnnl_post_ops_t ops;
		must(dnnl_post_ops_create(&ops));
		must(dnnl_post_ops_append_sum(ops, 1));
		must(dnnl_primitive_attr_set_post_ops(attr, ops));
		must(dnnl_post_ops_destroy(ops));
	}
	must(dnnl_matmul_desc_init(&d, &p->a, &p->b, NULL, &p->c));
	must(dnnl_primitive_desc_create(&desc, &d, attr, cache.engine, NULL));
	p->room = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
	must(dnnl_primitive_create(&p->primitive, desc));
	must(dnnl_primitive_desc_destroy(desc));
	must(dnnl_primitive_attr_destroy(attr));
	return p;
}

static const matmul *find_matmul(const ds_gemm *g)
{
	gemm_key k;
	memset(&k, 0, sizeof(k)); /* padding is compared too */
	k.m = g->m;
	k.n = g->n;
	k.k = g->k;
	k.lda = g->lda;
	k.ldb = g->ldb;
	k.ldc = g->ldc;
	k.a_trans = g->a_trans;
	k.b_trans = g->b_trans;
	k.add = g->beta != 0;
	on_one_thread();
	pthread_mutex_lock(&cache.lock);
	if (!cache.engine)
		must(dnnl_engine_create(&cache.engine, dnnl_cpu, 0));
	matmul *p = cache.first;
	while (p && memcmp(&p->key, &k, sizeof(k)) != 0)
		p = p->next;
	if (!p) {
		p = make_matmul(&k);
		p->next = cache.first;
		cache.first = p;
	}
	pthread_mutex_unlock(&cache.lock);
	return p;
}

static void run_matmul(const ds_gemm *g)
{
	const matmul *p = find_matmul(g);
	dnnl_exec_arg_t args[4] = { { DNNL_ARG_SRC, NULL }, { DNNL_ARG_WEIGHTS, NULL },
		{ DNNL_ARG_DST, NULL }, { DNNL_ARG_SCRATCHPAD, NULL } };
	dnnl_stream_t stream;
	must(dnnl_stream_create(&stream, cache.engine, dnnl_stream_default_flags));
	must(dnnl_memory_create(&args[0].memory, &p->a, cache.engine, (void *)g->a));
	must(dnnl_memory_create(&args[1].memory, &p->b, cache.engine, (void *)g->b));
	must(dnnl_memory_create(&args[2].memory, &p->c, cache.engine, g->c));
	must(dnnl_memory_create(&args[3].memory, &p->room, cache.engine, g->room));
	must(dnnl_primitive_execute(p->primitive, stream, 4, args));
	must(dnnl_stream_wait(stream));
	for (int i = 0; i < 4; i++)
		must(dnnl_memory_destroy(args[i].memory));
	must(dnnl_stream_destroy(stream));
}

/* ---- two bytes a number without instructions for it: by blocks, in f32 ---- */

enum { PART_M = 256, PART_N = 512, PART_K = 512 };

/* Rows [i, i + rows) and columns [k, k + cols) of a stored matrix, as floats. */
static void widen(
	ds_dtype type, float *to, const void *from, int64_t ld, int64_t rows, int64_t cols)
{
	for (int64_t i = 0; i < rows; i++)
		ds_simd_now()->widen(type, to + i * cols, (const uint16_t *)from + i * ld, cols);
}

static void run_part(const ds_gemm *g, int64_t i, int64_t j, int64_t k)
{
	ds_gemm p = *g;
	float *a = g->room, *b = a + PART_M * PART_K;
	const uint16_t *from_a = g->a, *from_b = g->b;
	p.type = DS_F32;
	p.m = min_i64(PART_M, g->m - i);
	p.n = min_i64(PART_N, g->n - j);
	p.k = min_i64(PART_K, g->k - k);
	from_a += g->a_trans ? k * g->lda + i : i * g->lda + k;
	from_b += g->b_trans ? j * g->ldb + k : k * g->ldb + j;
	p.lda = g->a_trans ? p.m : p.k;
	p.ldb = g->b_trans ? p.k : p.n;
	widen(g->type, a, from_a, g->lda, g->a_trans ? p.k : p.m, p.lda);
	widen(g->type, b, from_b, g->ldb, g->b_trans ? p.n : p.k, p.ldb);
	p.a = a;
	p.b = b;
	p.beta = k > 0 ? 1 : g->beta;
	p.c = g->c + i * g->ldc + j;
	ds_cpu_gemm(&p);
}

static void run_parts(const ds_gemm *g)
{
	for (int64_t i = 0; i < g->m; i += PART_M)
		for (int64_t j = 0; j < g->n; j += PART_N)
			for (int64_t k = 0; k < g->k; k += PART_K)
				run_part(g, i, j, k);
}

static bool has_product(ds_dtype type)
{
	return type == DS_BF16 && ds_cpu_level() == DS_CPU_AVX512 && ds_cpu_has_bf16();
}

size_t ds_cpu_gemm_room(const ds_gemm *g)
{
	if (g->type == DS_F32)
		return 0;
	if (has_product(g->type))
		return dnnl_memory_desc_get_size(&find_matmul(g)->room);
	return (PART_M + PART_N) * PART_K * sizeof(float);
}

void ds_cpu_gemm(const ds_gemm *g)
{
	if (g->type != DS_F32) {
		if (has_product(g->type))
			run_matmul(g);
		else
			run_parts(g);
		return;
	}
	on_one_thread();
	dnnl_sgemm(g->a_trans ? 'T' : 'N', g->b_trans ? 'T' : 'N', g->m, g->n, g->k, 1.0f, g->a,
		g->lda, g->b, g->ldb, g->beta, g->c, g->ldc);
}

ds_tiling ds_cpu_tiling(int64_t m, int64_t n, int64_t want)
{
	/* 256 x 512: tiles of 128 rows lose about 5 %. */
	ds_tiling t = { 256, 512, 0, 0 };
	for (;;) {
		t.n_m = ceil_div(m, t.tm);
		t.n_n = ceil_div(n, t.tn);
		if (t.n_m * t.n_n >= want || (t.tm <= 64 && t.tn <= 128))
			break;
		if (t.tn > 128 && t.tn / 2 >= t.tm)
			t.tn /= 2;
		else
			t.tm /= 2;
	}
	/* Equal tiles, whole vectors. */
	t.tm = ceil_div(ceil_div(m, t.n_m), 8) * 8;
	t.tn = ceil_div(ceil_div(n, t.n_n), 16) * 16;
	t.n_m = ceil_div(m, t.tm);
	t.n_n = ceil_div(n, t.tn);
	return t;
}
