/*
 * test_graph_ops.c - runs over ops.def: gradients against finite differences, kernels against
 * references, bits against the number of threads
 *
 * op_samples.h makes the instances; test_cuda_ops.c runs the same ones on a device.
 */
#include "op_samples.h"

static double get(ds_exec *x, const ds_graph *g, ds_tid t, int64_t i)
{
	const ds_tensor *d = ds_g_tensor(g, t);
	int64_t at = i / ds_t_cols(d) * d->ld + i % ds_t_cols(d);
	void *p = ds_exec_map(x, t);
	return d->dtype == DS_F64 ? ((double *)p)[at] : ((float *)p)[at];
}

static void set(ds_exec *x, const ds_graph *g, ds_tid t, int64_t i, double v)
{
	void *p = ds_exec_map(x, t);
	if (ds_g_tensor(g, t)->dtype == DS_F64)
		((double *)p)[i] = v;
	else
		((float *)p)[i] = (float)v;
}

/* What the gradients are the gradients of: the loss plus seeds times outputs. */
static double objective(ds_exec *x, const ds_graph *g)
{
	ds_err e;
	if (ds_exec_run(x, DS_PHASE_FWD, &run1, &e) != DS_OK)
		fail_msg("%s", e.msg);
	double sum = g->loss ? get(x, g, g->loss, 0) : 0;
	for (int s = 0; s < g->n_seeds; s++)
		for (int64_t i = 0; i < ds_t_count(ds_g_tensor(g, g->seeds[s].of)); i++)
			sum += get(x, g, g->seeds[s].of, i) * get(x, g, g->seeds[s].seed, i);
	return sum;
}

static void check_param(ds_exec *x, const ds_graph *g, ds_tid t, const char *op)
{
	const ds_tensor *p = ds_g_tensor(g, t);
	int64_t n = ds_t_count(p);
	for (int k = 0; k < 6; k++) { /* some elements, not all: each costs two runs */
		int64_t i = (int64_t)ds_rng_below(
			ds_rng_of(seed_now, (uint64_t)t), 1000 + (uint64_t)k, (uint64_t)n);
		double was = get(x, g, t, i), h = 1e-5 * fmax(1, fabs(was)),
		       got = get(x, g, p->grad, i);
		set(x, g, t, i, was + h);
		double up = objective(x, g);
		set(x, g, t, i, was - h);
		double down = objective(x, g);
		set(x, g, t, i, was);
		double want = (up - down) / (2 * h);
		if (fabs(got - want) > 1e-5 * fmax(1, fabs(want)))
			fail_msg("%s: gradient of %s[%lld] is %.10g, differences give %.10g "
				 "(DS_SEED=%llu)",
				op, p->name, (long long)i, got, want, (unsigned long long)seed_now);
	}
}

static void gradients_are_finite_differences(void **state)
{
	DS_AUTO(ds_device) ref = open_device("ref", 1);
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		if (!ds_op_sampled(op) || !ds_op_differentiable(op))
			continue;
		for (uint64_t round = 0; round < ROUNDS; round++) {
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			widen(g);
			DS_AUTO(ds_exec) x = ready(g, ref);
			run(x, g);
			for (ds_tid t = 1; t < g->n_tensors; t++)
				if (ds_g_tensor(g, t)->grad &&
					!(ds_g_tensor(g, t)->flags & DS_TENSOR_LOADS))
					check_param(x, g, t, op->name);
		}
	}
}

static void kernels_give_what_references_give(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_device) ref = open_device("ref", 2);
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		if (!ds_op_sampled(op))
			continue;
		for (uint64_t round = 0; round < 2 * ROUNDS; round++) {
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			ds_dtype product = product_now;
			product_now = DS_F32;
			DS_AUTO(ds_graph) wide = make((ds_op_kind)k, round);
			product_now = product;
			widen(wide);
			DS_AUTO(ds_exec) x = ready(g, cpu);
			DS_AUTO(ds_exec) y = ready(wide, ref);
			run(x, g);
			run(y, wide);
			for (ds_tid t = 1; t < g->n_tensors; t++)
				if (is_result(ds_g_tensor(g, t)) && t != g->grad_norm)
					compare(x, y, g, wide, t, op->name);
		}
	}
}

static void bits_do_not_depend_on_threads(void **state)
{
	DS_AUTO(ds_device) one = open_device("cpu", 1);
	DS_AUTO(ds_device) three = open_device("cpu", 3);
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		if (!ds_op_sampled(op))
			continue;
		for (uint64_t round = 0; round < ROUNDS; round++) {
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			DS_AUTO(ds_exec) x = ready(g, one);
			DS_AUTO(ds_exec) y = ready(g, three);
			run(x, g);
			run(y, g);
			for (ds_tid t = 1; t < g->n_tensors; t++) {
				const ds_tensor *d = ds_g_tensor(g, t);
				if (!is_result(d) || d->base || t == g->grad_norm)
					continue;
				if (memcmp(ds_exec_map(x, t), ds_exec_map(y, t), ds_t_bytes(d)) !=
					0)
					fail_msg("%s: the bits of %s depend on threads "
						 "(DS_SEED=%llu)",
						op->name, d->name, (unsigned long long)seed_now);
			}
		}
	}
}

static void a_second_micro_batch_adds_to_the_gradients(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		if (!ds_op_sampled(op) || !ds_op_differentiable(op) || k == DS_OP_dropout)
			continue;
		DS_AUTO(ds_graph) g = make((ds_op_kind)k, 1);
		DS_AUTO(ds_exec) x = ready(g, cpu);
		DS_AUTO(ds_exec) y = ready(g, cpu);
		ds_run second = run1;
		second.micro = 1;
		ds_err e;
		run(x, g);
		run(y, g);
		assert_int_equal(ds_exec_run(x, DS_PHASE_FWD, &second, &e), DS_OK);
		assert_int_equal(ds_exec_run(x, DS_PHASE_BWD, &second, &e), DS_OK);
		for (ds_tid t = 1; t < g->n_tensors; t++)
			for (int64_t i = 0; ds_g_tensor(g, t)->memory == DS_CLASS_GRAD &&
					    i < ds_t_count(ds_g_tensor(g, t));
				i++) {
				double want = 2 * get(y, g, t, i), got = get(x, g, t, i);
				if (fabs(want - got) > 1e-4 * fmax(1, fabs(want)))
					fail_msg("%s: %s[%lld]: %.9g after two, %.9g wanted",
						op->name, ds_g_tensor(g, t)->name, (long long)i,
						got, want);
			}
	}
}

/* ---- for other programs to check: DS_DUMP_OPS=FILE writes instances and their results ---- */

static void put_values(FILE *f, ds_exec *x, const ds_graph *g, ds_tid t)
{
	const ds_tensor *d = ds_g_tensor(g, t);
	fprintf(f, "[");
	for (int64_t i = 0; i < ds_t_count(d); i++)
		if (d->dtype == DS_I32)
			fprintf(f, "%s%d", i ? "," : "", ((int32_t *)ds_exec_map(x, t))[i]);
		else
			fprintf(f, "%s%.9g", i ? "," : "", get(x, g, t, i));
	fprintf(f, "]");
}

static void put_ids(FILE *f, const char *key, const ds_tid *ids, int n)
{
	fprintf(f, "\"%s\":[", key);
	for (int i = 0; i < n; i++)
		fprintf(f, "%s%d", i ? "," : "", ids[i] > 0 ? ids[i] : 0);
	fprintf(f, "]");
}

/* Every attribute under its own name; a reader takes those of the node's op. */
static void put_attr(FILE *f, const ds_node *n)
{
	const ds_attr *a = &n->attr;
	switch (n->op) {
	case DS_OP_linear:
		fprintf(f, ",\"in_out\":%d", a->linear.in_out);
		break;
	case DS_OP_norm:
		fprintf(f, ",\"rms\":%d,\"eps\":%.9g", a->norm.rms, (double)a->norm.eps);
		break;
	case DS_OP_attention:
	case DS_OP_cache_put:
		fprintf(f,
			",\"heads\":%d,\"kv_heads\":%d,\"dim\":%d,\"seq\":%d,\"kv_seq\":%d,"
			"\"scale\":%.9g,\"causal\":%d,\"window\":%d,\"dropout\":%.9g",
			a->attention.heads, a->attention.kv_heads, a->attention.head_dim,
			a->attention.seq, a->attention.kv_seq, (double)a->attention.scale,
			a->attention.causal, a->attention.window, (double)a->attention.drop.p);
		break;
	case DS_OP_matmul:
		fprintf(f, ",\"a_rows\":%d,\"b_rows\":%d,\"a_transposed\":%d,\"b_transposed\":%d",
			a->matmul.a_rows, a->matmul.b_rows, a->matmul.a_transposed,
			a->matmul.b_transposed);
		break;
	case DS_OP_rope:
		fprintf(f, ",\"dim\":%d,\"rot\":%d,\"interleaved\":%d,\"factor\":%.9g",
			a->rope.head_dim, a->rope.rot, a->rope.interleaved, (double)a->rope.factor);
		break;
	case DS_OP_unary:
	case DS_OP_glu:
		fprintf(f, ",\"act\":\"%s\"", ds_act_name(a->act));
		break;
	case DS_OP_route:
	case DS_OP_route_stats:
	case DS_OP_dispatch:
		fprintf(f,
			",\"experts\":%d,\"k\":%d,\"groups\":%d,\"top_groups\":%d,\"group_best\":%"
			"d,"
			"\"sigmoid\":%d,\"norm\":%d,\"scale\":%.9g",
			a->route.experts, a->route.k, a->route.groups, a->route.top_groups,
			a->route.group_best, a->route.sigmoid, a->route.norm,
			(double)a->route.scale);
		break;
	case DS_OP_scale:
		fprintf(f, ",\"by\":%.9g", (double)a->scale);
		break;
	case DS_OP_dropout:
		fprintf(f, ",\"p\":%.9g", (double)a->dropout.p);
		break;
	case DS_OP_slice:
		fprintf(f, ",\"from\":%lld,\"n\":%lld", (long long)a->slice.from,
			(long long)a->slice.n);
		break;
	default:
		break;
	}
}

/* before: only filled; after: run */
static void put_instance(
	FILE *f, const char *op, const ds_graph *g, ds_exec *before, ds_exec *after)
{
	fprintf(f, "{\"op\":\"%s\",\"loss\":%d,\"tensors\":[null", op, g->loss);
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *d = ds_g_tensor(g, t);
		bool leaf = d->memory == DS_CLASS_PARAM || d->memory == DS_CLASS_IN ||
			    d->memory == DS_CLASS_CONST || d->memory == DS_CLASS_STATE;
		fprintf(f, ",{\"grad\":%d,\"rank\":%d,\"rows\":%lld,\"cols\":%lld",
			d->flags & DS_TENSOR_LOADS ? 0 : d->grad, d->rank, (long long)ds_t_rows(d),
			(long long)ds_t_cols(d));
		fprintf(f, leaf ? ",\"values\":" : "");
		if (leaf)
			put_values(f, before, g, t);
		fprintf(f, is_result(d) && t != g->grad_norm ? ",\"result\":" : "");
		if (is_result(d) && t != g->grad_norm)
			put_values(f, after, g, t);
		fprintf(f, "}");
	}
	fprintf(f, "],\"nodes\":[");
	for (int32_t i = 0, k = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		if (n->phase != DS_PHASE_FWD)
			continue;
		fprintf(f, "%s{\"op\":\"%s\",", k++ ? "," : "", ds_op_of(n->op)->name);
		put_ids(f, "in", n->in, DS_MAX_IN);
		fprintf(f, ",");
		put_ids(f, "out", n->out, DS_MAX_OUT);
		put_attr(f, n);
		fprintf(f, "}");
	}
	fprintf(f, "],\"seeds\":[");
	for (int i = 0; i < g->n_seeds; i++)
		fprintf(f, "%s[%d,%d]", i ? "," : "", g->seeds[i].of, g->seeds[i].seed);
	fprintf(f, "]}\n");
}

static int dump(const char *path)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	FILE *f = fopen(path, "w");
	for (int k = 1; f && k < DS_N_OPS; k++)
		for (uint64_t round = 0; ds_op_sampled(ds_op_of((ds_op_kind)k)) && round < ROUNDS;
			round++) {
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			DS_AUTO(ds_exec) x = ready(g, cpu);
			DS_AUTO(ds_exec) y = ready(g, cpu);
			run(y, g);
			put_instance(f, ds_op_of((ds_op_kind)k)->name, g, x, y);
		}
	return f && fclose(f) == 0 ? 0 : 4;
}

static void rounded_factors_stay_near_and_their_bits_too(void **state)
{
	product_now = DS_BF16;
	kernels_give_what_references_give(state);
	bits_do_not_depend_on_threads(state);
	product_now = DS_F32;
}

/* ---- parts against the whole: the rules about cutting a node among ranks ---- */

enum { PARTS = 2, OPERANDS = DS_MAX_IN + DS_MAX_OUT };

typedef struct {
	const ds_graph *g;
	const ds_node *n;
	const ds_shard *s;
	ds_ref_arg whole[OPERANDS];
} cut;

static ds_tid operand(const ds_node *n, int i)
{
	return i < DS_MAX_IN ? n->in[i] : n->out[i - DS_MAX_IN];
}

static char letter(const ds_shard *s, int i)
{
	return i < DS_MAX_IN ? s->in[i] : s->out[i - DS_MAX_IN];
}

/* A vector is cut along what it has. */
static int axis_of(const cut *c, int i)
{
	int axis = ds_shard_axis(c->n, letter(c->s, i));
	return axis >= 0 && ds_g_tensor(c->g, operand(c->n, i))->rank == 1 ? 1 : axis;
}

static ds_ref_arg new_arg(const ds_graph *g, int64_t rows, int64_t cols)
{
	return (ds_ref_arg){ ds_arena_zero(g->mem, (size_t)(rows * cols) * sizeof(double)), rows,
		cols };
}

static ds_ref_arg random_arg(const ds_graph *g, ds_tid t)
{
	const ds_tensor *x = ds_g_tensor(g, t);
	ds_ref_arg a = new_arg(g, ds_t_rows(x), ds_t_cols(x));
	for (int64_t i = 0; i < a.rows * a.cols; i++)
		if (x->dtype == DS_I32 && x->data)
			a.at[i] = ((const int32_t *)x->data)[i];
		else if (x->dtype == DS_I32) /* numbers of experts, different in a row */
			a.at[i] = (double)(i % a.cols);
		else
			a.at[i] = ds_rng_normal(ds_rng_of(seed_now, 99), (uint64_t)(i + 1000 * t));
	return a;
}

/* Copies part `part` of operand i out of the whole, or back into it. */
static void move_part(const cut *c, int i, int part, ds_ref_arg *p, ds_ref_arg *whole, bool back)
{
	int axis = axis_of(c, i);
	for (int64_t r = 0; r < p->rows; r++)
		for (int64_t k = 0; k < p->cols; k++) {
			int64_t row = r + (axis == 0 ? part * p->rows : 0);
			int64_t col = k + (axis == 1 ? part * p->cols : 0);
			double *one = &p->at[r * p->cols + k],
			       *all = &whole->at[row * whole->cols + col];
			*(back ? all : one) = *(back ? one : all);
		}
}

static ds_ref_arg part_of(cut *c, int i, int part)
{
	int axis = axis_of(c, i);
	ds_ref_arg *w = &c->whole[i];
	if (!w->at)
		return *w;
	ds_ref_arg p = new_arg(
		c->g, axis == 0 ? w->rows / PARTS : w->rows, axis == 1 ? w->cols / PARTS : w->cols);
	move_part(c, i, part, &p, w, false);
	for (int64_t k = 0; letter(c->s, i) == DS_SHARD_PARTIAL && k < p.rows * p.cols; k++)
		p.at[k] *= part ? 0.75 : 0.25;
	return p;
}

/* What a collective makes of output i's parts. */
static void gather(const cut *c, int i, ds_ref_arg parts[PARTS], ds_ref_arg *whole)
{
	switch (ds_shard_comm(c->n, letter(c->s, i), DS_SHARD_WHOLE)) {
	case DS_COMM_ALL_REDUCE:
		for (int p = 0; p < PARTS; p++)
			for (int64_t k = 0; k < whole->rows * whole->cols; k++)
				whole->at[k] += parts[p].at[k];
		break;
	case DS_COMM_ALL_GATHER:
		for (int p = 0; p < PARTS; p++)
			move_part(c, i, p, &parts[p], whole, true);
		break;
	default:
		move_part(c, i, 0, &parts[0], whole, true);
	}
}

static bool near(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

static void check_rule(const ds_graph *g, const ds_node *n, const ds_shard *s)
{
	cut c = { .g = g, .n = n, .s = s };
	ds_ref all = { .node = n, .run = &run1 };
	ds_ref_arg parts[OPERANDS][PARTS];
	for (int i = 0; i < OPERANDS; i++)
		if (operand(n, i))
			c.whole[i] = random_arg(g, operand(n, i));
	for (int p = 0; p < PARTS; p++) {
		ds_node local = *n;
		ds_run run = run1;
		ds_ref r = { .node = &local, .run = &run };
		ds_shard_attr(&local, s, PARTS, p);
		for (int i = 0; i < OPERANDS; i++) {
			parts[i][p] = part_of(&c, i, p);
			*(i < DS_MAX_IN ? &r.in[i] : &r.out[i - DS_MAX_IN]) = parts[i][p];
		}
		run.row0 += axis_of(&c, 0) == 0 ? p * r.in[0].rows : 0;
		ds_op_of(n->op)->ref(&r);
	}
	for (int i = 0; i < OPERANDS; i++)
		*(i < DS_MAX_IN ? &all.in[i] : &all.out[i - DS_MAX_IN]) = c.whole[i];
	ds_op_of(n->op)->ref(&all);
	for (int i = 0; i < DS_MAX_OUT; i++) {
		if (!n->out[i])
			continue;
		ds_ref_arg got = new_arg(g, all.out[i].rows, all.out[i].cols);
		gather(&c, DS_MAX_IN + i, parts[DS_MAX_IN + i], &got);
		for (int64_t k = 0; k < got.rows * got.cols; k++)
			if (!near(got.at[k], all.out[i].at[k]))
				fail_msg("%s: rule %s: output %d: %g from parts, %g whole "
					 "(DS_SEED=%llu)",
					ds_op_of(n->op)->name, s->in, i, got.at[k],
					all.out[i].at[k], (unsigned long long)seed_now);
	}
}

/* Every rule of every op that models or autodiff make, on nodes that it fits. */
static void parts_give_the_whole(void **state)
{
	enum { RULES = 4 };
	int seen[DS_N_OPS][RULES] = { 0 };
	for (int k = 1; k < DS_N_OPS; k++)
		for (uint64_t round = 0;
			ds_op_sampled(ds_op_of((ds_op_kind)k)) && round < 4 * ROUNDS; round++) {
			train_now =
				round % 4 > 0 || (ds_op_of((ds_op_kind)k)->traits & DS_OP_PASSES);
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			train_now = true;
			for (int32_t i = 0; i < g->n_nodes; i++) {
				const char *rules = ds_op_of(g->nodes[i].op)->shards;
				ds_shard s;
				for (int r = 0; ds_shard_next(&rules, &s); r++)
					if (ds_shard_fits(g, &g->nodes[i], &s, PARTS)) {
						check_rule(g, &g->nodes[i], &s);
						seen[g->nodes[i].op][r]++;
					}
			}
		}
	for (int k = 1; k < DS_N_OPS; k++) {
		const char *rules = ds_op_of((ds_op_kind)k)->shards;
		ds_shard s;
		bool sampled = k != DS_OP_cast && k != DS_OP_accum; /* the same formula as others */
		for (int r = 0; sampled && ds_shard_next(&rules, &s); r++)
			if (!seen[k][r])
				fail_msg("%s: rule %d fitted no sample",
					ds_op_of((ds_op_kind)k)->name, r);
	}
}

static void every_op_has_a_rule_or_says_why_not(void **state)
{
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		assert_non_null(op->name);
		assert_non_null(op->shape);
		assert_non_null(op->grad);
		assert_non_null(op->flops);
		assert_non_null(op->bytes);
		assert_non_null(op->shards);
		assert_non_null(op->print);
		assert_non_null(op->ref);
		/* one rank has nobody to send to: tests/cli/train_ranks.bats */
		assert_true(ds_op_sampled(op) || !ds_op_differentiable(op) ||
			    (op->traits & DS_OP_COMM));
	}
}

int main(void)
{
	const char *given = getenv("DS_SEED");
	traits_now = &ds_backend_cpu()->traits;
	seed_now = given ? strtoull(given, NULL, 0) : 1;
	if (getenv("DS_DUMP_OPS"))
		return dump(getenv("DS_DUMP_OPS"));
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_has_a_rule_or_says_why_not),
		cmocka_unit_test(gradients_are_finite_differences),
		cmocka_unit_test(kernels_give_what_references_give),
		cmocka_unit_test(bits_do_not_depend_on_threads),
		cmocka_unit_test(rounded_factors_stay_near_and_their_bits_too),
		cmocka_unit_test(parts_give_the_whole),
		cmocka_unit_test(a_second_micro_batch_adds_to_the_gradients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
