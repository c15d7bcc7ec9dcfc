/*
 * shard.c - rules of ops.def about cutting a node among ranks, read and checked
 */
#include "graph/op/op_impl.h"

bool ds_shard_next(const char **rules, ds_shard *s)
{
	const char *at = *rules;
	*s = (ds_shard){ 0 };
	while (*at == ' ')
		at++;
	if (!*at)
		return false;
	for (int i = 0; i < DS_MAX_IN && *at && *at != '>'; i++)
		s->in[i] = *at++;
	at += *at == '>';
	for (int i = 0; i < DS_MAX_OUT && *at && *at != ' '; i++)
		s->out[i] = *at++;
	*rules = at;
	return true;
}

int ds_shard_axis(const ds_node *n, char letter)
{
	const ds_linear_attr *linear = &n->attr.linear; /* of those that have such letters */
	switch (letter) {
	case DS_SHARD_ROWS:
	case DS_SHARD_SEQS:
		return 0;
	case DS_SHARD_COLS:
	case DS_SHARD_HEADS:
		return 1;
	case DS_SHARD_GIVEN:
		return linear->in_out ? 1 : 0;
	case DS_SHARD_TAKEN:
		return linear->in_out ? 0 : 1;
	default:
		return -1;
	}
}

/* A vector that goes with rows is cut along what it has. */
static int64_t extent(const ds_node *n, const ds_tensor *t, char letter)
{
	return t->rank == 1 || ds_shard_axis(n, letter) == 1 ? ds_t_cols(t) : ds_t_rows(t);
}

/* How many of the things that may not be torn there are. */
static int64_t units(const ds_graph *g, const ds_node *n, char letter)
{
	const ds_op *o = ds_op_of(n->op);
	const ds_attention_attr *a = &n->attr.attention;
	const ds_tensor *x = in_of(g, n, 0);
	if (letter == DS_SHARD_SEQS) {
		bool sequences = o->traits & (DS_OP_HEADS | DS_OP_SEQUENCES);
		int64_t tensor = o->traits & DS_OP_SEQUENCES ? a->kv_seq : a->seq;
		return ds_t_rows(x) / (sequences ? tensor : n->attr.matmul.a_rows);
	}
	if (o->traits & DS_OP_HEADS)
		return a->kv_heads;
	/* heads of rope, parts of a norm, which are as wide as its weight */
	bool norm = n->op == DS_OP_norm || n->op == DS_OP_norm_grad;
	int64_t width = norm ? ds_t_cols(in_of(g, n, 2)) : n->attr.rope.head_dim;
	return ds_t_cols(x) / width;
}

static bool divides(const ds_graph *g, const ds_node *n, ds_tid t, char letter, int parts)
{
	if (letter == DS_SHARD_ABSENT || letter == 0)
		return t == 0;
	if (t == 0 || ds_shard_axis(n, letter) < 0)
		return true;
	return extent(n, &g->tensors[t], letter) % parts == 0;
}

bool ds_shard_fits(const ds_graph *g, const ds_node *n, const ds_shard *s, int parts)
{
	bool fits = true;
	for (int i = 0; i < DS_MAX_IN; i++)
		fits = fits && divides(g, n, n->in[i], s->in[i], parts);
	for (int i = 0; i < DS_MAX_OUT; i++)
		fits = fits && divides(g, n, n->out[i], s->out[i], parts);
	if (s->in[0] == DS_SHARD_SEQS || s->in[0] == DS_SHARD_HEADS)
		fits = fits && units(g, n, s->in[0]) % parts == 0;
	/* Random numbers are counted by row and head of the whole; a part does not know its first column. */
	unsigned traits = ds_op_of(n->op)->traits;
	bool drops = traits & DS_OP_DROPS && !(traits & DS_OP_HEADS) && n->attr.dropout.p > 0;
	return fits && !(drops && ds_shard_axis(n, s->in[0]) == 1);
}

void ds_shard_attr(ds_node *n, const ds_shard *s, int parts, int part)
{
	ds_attention_attr *a = &n->attr.attention;
	if (s->in[0] != DS_SHARD_HEADS || !(ds_op_of(n->op)->traits & DS_OP_HEADS))
		return;
	a->all_heads = a->all_heads ? a->all_heads : a->heads;
	a->heads /= parts;
	a->kv_heads /= parts;
	a->first_head += part * a->heads;
}

ds_comm ds_shard_comm(const ds_node *n, char from, char to)
{
	int a = ds_shard_axis(n, from), b = ds_shard_axis(n, to);
	if (from == DS_SHARD_PARTIAL)
		return b >= 0                   ? DS_COMM_REDUCE_SCATTER
		       : to == DS_SHARD_PARTIAL ? DS_COMM_NONE
						: DS_COMM_ALL_REDUCE;
	if (a < 0 || a == b)
		return DS_COMM_NONE; /* who has the whole takes its cut of it */
	return b < 0 ? DS_COMM_ALL_GATHER : DS_COMM_ALL_TO_ALL;
}
