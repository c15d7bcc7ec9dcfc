/* fuzz_infer.c - any bytes as a ModelInferRequest: tensors whose elements are all there, or a refusal */
#include "fuzz.h"

#include "../../tools/serve/described.h"
#include "../../tools/serve/pb.h"
#include "../../tools/serve/tensors.h"

#include <stdlib.h>

static void read_tensor(const infer_request *q, size_t i, ds_arena *mem)
{
	tensor t;
	refusal r;
	if (!tensor_read(q, i, &t, &r))
		return;
	ds_str *texts = ds_arena_get(mem, (t.n + 1) * sizeof(*texts));
	int64_t *ids = ds_arena_get(mem, (t.n + 1) * sizeof(*ids)), sum = 0;
	if (tensor_texts(&t, mem, texts, &r))
		for (size_t k = 0; k < t.n; k++)
			for (size_t b = 0; b < texts[k].n; b++)
				sum += texts[k].at[b];
	if (tensor_ids(&t, ids, &r))
		for (size_t k = 0; k < t.n; k++)
			sum ^= ids[k];
	const ds_json *v = tensor_json(&t, "k", mem, &r);
	if (sum == 1234567 && v && v->kind == DS_J_NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_str bytes = { (const char *)data, n };
	const infer_request *q = pb_read(&inference__model_infer_request__descriptor, bytes, mem);
	described_of_symbol(bytes);
	if (!q)
		return 0;
	for (size_t i = 0; i < q->n_inputs; i++)
		read_tensor(q, i, mem);
	for (size_t i = 0; i < q->n_parameters; i++)
		parameter_json(q->parameters[i]->value, mem);
	return 0;
}
