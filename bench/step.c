/*
 * step.c - a training step of a GPT against oneDNN's own speed on the same products
 *
 * Builds a decoder of the shapes asked for, runs steps on random ids, and after each gives oneDNN the
 * step's matrix products alone, whole, with its own threads. Prints both rates (medians, since other
 * work on the machine slows both) and their ratio. bf16: oneDNN gets both factors in bf16, as its
 * matmul wants them, and need not round or turn anything.
 */
#include "base/mem.h"
#include "graph/backend.h"
#include "graph/exec.h"
#include "graph/op.h"

#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern void omp_set_num_threads(int n);

typedef struct {
	int layers, width, heads, vocab, batch, seq, threads, steps, bf16;
} setup;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ds_tid matrix(ds_graph *g, const char *name, int layer, int64_t rows, int64_t cols)
{
	char full[64];
	snprintf(full, sizeof(full), "h.%d.%s", layer, name);
	return ds_g_param(g, full, DS_DIMS(rows, cols), (ds_init){ DS_INIT_NORMAL, 0.02f }, 0);
}

static ds_tid vector(ds_graph *g, const char *name, int layer, int64_t n, ds_init_kind kind)
{
	char full[64];
	snprintf(full, sizeof(full), "h.%d.%s", layer, name);
	return ds_g_param(g, full, 1, &n, (ds_init){ kind, 0 }, DS_TENSOR_NO_DECAY);
}

static ds_tid block(ds_graph *g, const setup *s, int l, ds_tid h, ds_tid *stream)
{
	int64_t d = s->width;
	ds_norm_attr norm = { .eps = 1e-5f };
	ds_attention_attr a = { .heads = s->heads,
		.kv_heads = s->heads,
		.head_dim = s->width / s->heads,
		.seq = s->seq,
		.kv_seq = s->seq,
		.causal = true };
	ds_g_at(g, l, "h.%d", l);
	ds_tid qkv = ds_g_linear(
		g, h, matrix(g, "qkv", l, d, 3 * d), vector(g, "qkv.b", l, 3 * d, 0), true);
	ds_tid o = ds_g_attention(g, ds_g_slice(g, qkv, 0, d), ds_g_slice(g, qkv, d, d),
		ds_g_slice(g, qkv, 2 * d, d), (ds_attention_in){ 0 }, a);
	o = ds_g_linear(g, o, matrix(g, "proj", l, d, d), vector(g, "proj.b", l, d, 0), true);
	h = ds_g_norm(g, o, *stream, vector(g, "ln2", l, d, DS_INIT_ONE),
		vector(g, "ln2.b", l, d, 0), norm, stream);
	ds_tid m = ds_g_linear(
		g, h, matrix(g, "fc", l, d, 4 * d), vector(g, "fc.b", l, 4 * d, 0), true);
	m = ds_g_unary(g, m, DS_ACT_GELU_TANH);
	m = ds_g_linear(g, m, matrix(g, "out", l, 4 * d, d), vector(g, "out.b", l, d, 0), true);
	return ds_g_norm(g, m, *stream, vector(g, "ln3", l, d, DS_INIT_ONE),
		vector(g, "ln3.b", l, d, 0), norm, stream);
}

static ds_graph *build(const setup *s)
{
	ds_graph *g = ds_graph_new(s->batch, s->seq);
	int64_t rows = (int64_t)s->batch * s->seq, one = 1;
	ds_norm_attr norm = { .eps = 1e-5f };
	ds_tid ids = ds_g_input(g, "ids", DS_I32, 1, &rows),
	       pos = ds_g_input(g, "pos", DS_I32, 1, &rows);
	ds_tid targets = ds_g_input(g, "targets", DS_I32, 1, &rows);
	ds_tid inv = ds_g_input(g, "inv", DS_F32, 1, &one),
	       wte = matrix(g, "wte", 0, s->vocab, s->width);
	ds_tid stream, p = ds_g_embed(g, matrix(g, "wpe", 0, s->seq, s->width), pos);
	ds_tid h =
		ds_g_norm(g, ds_g_embed(g, wte, ids), p, vector(g, "ln1", 0, s->width, DS_INIT_ONE),
			vector(g, "ln1.b", 0, s->width, 0), norm, &stream);
	for (int l = 0; l < s->layers; l++)
		h = block(g, s, l, h, &stream);
	ds_g_linear_xent(g, h, wte, 0, targets, inv, NULL);
	return g;
}

typedef struct { /* a product that oneDNN is asked for, and how often a step has it */
	int64_t m, n, k;
	char ta, tb;
	int times;
} product;

enum { MAX_PRODUCTS = 32 };

/* The products of the first layer stand for those of all. */
static int products_of(const ds_graph *g, int layers, product *out)
{
	int n = 0;
	for (int32_t i = 0; i < g->n_nodes && n + 3 <= MAX_PRODUCTS; i++) {
		const ds_node *node = &g->nodes[i];
		bool is_head = node->op == DS_OP_linear_xent_grad;
		if (!is_head && (node->op != DS_OP_linear || node->layer != 0))
			continue;
		const ds_tensor *x = ds_g_tensor(g, node->in[0]), *w = ds_g_tensor(g, node->in[1]);
		bool in_out = !is_head && node->attr.linear.in_out;
		int64_t rows = ds_t_rows(x), in = ds_t_cols(x), width = ds_t_count(w) / in;
		int times = is_head ? 1 : layers;
		out[n++] = (product){ rows, width, in, 'N', in_out ? 'N' : 'T', times };
		out[n++] = (product){ rows, in, width, 'N', in_out ? 'T' : 'N', times };
		out[n++] = (product){ in_out ? in : width, in_out ? width : in, rows, 'T', 'N',
			times };
	}
	return n;
}

static void must(dnnl_status_t s)
{
	if (s != dnnl_success) {
		fprintf(stderr, "step: oneDNN: error %d\n", (int)s);
		exit(1);
	}
}

static void describe(dnnl_memory_desc_t *d, const dnnl_dims_t dims, bool turned, dnnl_data_type_t t)
{
	dnnl_dims_t strides = { turned ? 1 : dims[1], turned ? dims[0] : 1 };
	must(dnnl_memory_desc_init_by_strides(d, 2, dims, t, strides));
}

/* One product of bf16 factors, as a primitive that is made beforehand. */
typedef struct {
	dnnl_primitive_t primitive;
	dnnl_exec_arg_t args[3];
} made;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static made make(const product *p, void *const buf[3])
{
	made m = { .args = { { DNNL_ARG_SRC, NULL }, { DNNL_ARG_WEIGHTS, NULL },
			   { DNNL_ARG_DST, NULL } } };
	dnnl_memory_desc_t d[3];
	dnnl_matmul_desc_t desc;
	dnnl_primitive_desc_t pd;
	describe(&d[0], (dnnl_dims_t){ p->m, p->k }, p->ta == 'T', dnnl_bf16);
	describe(&d[1], (dnnl_dims_t){ p->k, p->n }, p->tb == 'T', dnnl_bf16);
	describe(&d[2], (dnnl_dims_t){ p->m, p->n }, false, dnnl_f32);
	must(dnnl_matmul_desc_init(&desc, &d[0], &d[1], NULL, &d[2]));
	dnnl_status_t known = dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL);
	if (known == dnnl_unimplemented) {
		printf("bf16: left out, oneDNN multiplies no bf16 on this CPU\n");
		exit(0);
	}
	must(known);
	must(dnnl_primitive_create(&m.primitive, pd));
	must(dnnl_primitive_desc_destroy(pd));
	for (int i = 0; i < 3; i++)
		must(dnnl_memory_create(&m.args[i].memory, &d[i], engine, buf[i]));
	return m;
}

static void run_bf16(const product *p, void *const buf[3], double *seconds)
{
	static const product *seen[MAX_PRODUCTS];
	static made cache[MAX_PRODUCTS];
	int k = 0;
	while (seen[k] && seen[k] != p)
		k++;
	if (!seen[k]) {
		if (!engine) {
			must(dnnl_engine_create(&engine, dnnl_cpu, 0));
			must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
		}
		seen[k] = p;
		cache[k] = make(p, buf);
	}
	double t = now();
	for (int i = 0; i < p->times; i++)
		must(dnnl_primitive_execute(cache[k].primitive, stream, 3, cache[k].args));
	must(dnnl_stream_wait(stream));
	*seconds += now() - t;
}

static void run_fp32(const product *p, void *const buf[3], double *seconds)
{
	double t = now();
	for (int k = 0; k < p->times; k++)
		dnnl_sgemm(p->ta, p->tb, p->m, p->n, p->k, 1, buf[0], p->ta == 'N' ? p->k : p->m,
			buf[1], p->tb == 'N' ? p->n : p->k, 0, buf[2], p->n);
	*seconds += now() - t;
}

/* Seconds of all of them, whole, with oneDNN's own threads. */
static double run_products(const product *p, int n, const setup *s)
{
	static void *buf[3];
	size_t need[3] = { 0 };
	double seconds = 0;
	for (int i = 0; i < n; i++) {
		size_t sizes[3] = { (size_t)(p[i].m * p[i].k), (size_t)(p[i].k * p[i].n),
			(size_t)(p[i].m * p[i].n) };
		for (int b = 0; b < 3; b++)
			need[b] = sizes[b] > need[b] ? sizes[b] : need[b];
	}
	for (int b = 0; b < 3; b++)
		if (!buf[b]) {
			buf[b] = ds_mem_huge(need[b] * sizeof(float));
			memset(buf[b], 0, need[b] * sizeof(float));
		}
	omp_set_num_threads(s->threads);
	for (int i = 0; i < n; i++)
		(s->bf16 ? run_bf16 : run_fp32)(&p[i], buf, &seconds);
	omp_set_num_threads(1);
	return seconds;
}

static void *input(ds_exec *x, const char *name)
{
	return ds_exec_input(x, ds_g_find(ds_exec_graph(x), name));
}

static void fill(ds_exec *x, const setup *s, int64_t step)
{
	int32_t *ids = input(x, "ids"), *pos = input(x, "pos");
	int32_t *targets = input(x, "targets");
	int64_t rows = (int64_t)s->batch * s->seq;
	for (int64_t i = 0; i < rows; i++) {
		ids[i] = (int32_t)ds_rng_below(
			ds_rng_of(1, 0), (uint64_t)(step * rows + i), (uint64_t)s->vocab);
		pos[i] = (int32_t)(i % s->seq);
		targets[i] = ids[i] / 2;
	}
	*(float *)input(x, "inv") = 1.0f / (float)rows;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static int fail(const ds_err *e)
{
	fprintf(stderr, "step: %s\n", e->msg);
	return 1;
}

int main(int argc, char **argv)
{
	setup s = { 4, 256, 4, 8192, 8, 256, 2, 15, 0 };
	int *fields[] = { &s.layers, &s.width, &s.heads, &s.vocab, &s.batch, &s.seq, &s.threads,
		&s.steps, &s.bf16 };
	for (int i = 1; i < argc && i <= 9; i++)
		*fields[i - 1] = atoi(argv[i]);
	ds_err e;
	DS_AUTO(ds_graph) g = build(&s);
	ds_compile c = { .train = true,
		.product = s.bf16 ? DS_BF16 : DS_F32,
		.beta1 = 0.9f,
		.beta2 = 0.95f,
		.eps = 1e-8f,
		.max_norm = 1,
		.traits = &ds_backend_find(NULL)->traits };
	DS_AUTO(ds_device) d = NULL;
	DS_AUTO(ds_exec) x = NULL;
	bool profile = getenv("DS_PROFILE") != NULL;
	float loss;
	if (ds_graph_compile(g, &c, &e) != DS_OK ||
		ds_device_open(&d, NULL, (unsigned)s.threads, &e) != DS_OK ||
		ds_exec_new(&x, g, d, (ds_exec_opts){ .profile = profile }, &e) != DS_OK ||
		ds_exec_init(x, 1, &e) != DS_OK)
		return fail(&e);
	product products[MAX_PRODUCTS];
	int n_products = products_of(g, s.layers, products);
	double flops = 0, product_flops = 0, *times = ds_mem_get((size_t)s.steps * sizeof(double));
	double *alone = ds_mem_get((size_t)s.steps * sizeof(double));
	for (int p = 0; p < DS_N_PHASES; p++)
		flops += ds_graph_flops(g, (ds_phase)p);
	for (int i = 0; i < n_products; i++)
		product_flops += 2.0 * products[i].times * (double)products[i].m *
				 (double)products[i].n * (double)products[i].k;
	for (int i = 0; i < s.steps; i++) {
		ds_run r = { .seed = 1, .step = i + 1 };
		fill(x, &s, i);
		ds_hyper(ds_exec_input(x, g->hyper), &c, i + 1, 1e-3);
		double t = now();
		for (int p = 0; p < DS_N_PHASES; p++)
			if (ds_exec_run(x, (ds_phase)p, &r, &e) != DS_OK)
				return fail(&e);
		times[i] = now() - t;
		alone[i] = run_products(products, n_products, &s);
	}
	qsort(times, (size_t)s.steps, sizeof(double), compare);
	qsort(alone, (size_t)s.steps, sizeof(double), compare);
	double median = times[s.steps / 2], rate = product_flops / alone[s.steps / 2];
	if (ds_exec_read(x, g->loss, 0, 1, &loss, &e) != DS_OK)
		return fail(&e);
	printf("%d layers, width %d, vocabulary %d, %d x %d tokens, %s, %d threads: %.1f ms a "
	       "step, "
	       "%.0f tokens/s, loss %.3f\n",
		s.layers, s.width, s.vocab, s.batch, s.seq, s.bf16 ? "bf16" : "fp32", s.threads,
		1e3 * median, (double)s.batch * s.seq / median, (double)loss);
	printf("step %.1f Gflop/s; oneDNN on its products %.1f Gflop/s; ratio %.2f\n",
		1e-9 * flops / median, 1e-9 * rate, flops / median / rate);
	if (profile) {
		ds_buf out = { 0 };
		ds_exec_profile(x, s.steps, &out);
		fputs(ds_buf_text(&out), stdout);
		ds_buf_free(&out);
	}
	ds_mem_free(times);
	ds_mem_free(alone);
	return 0;
}
