/*
 * complete.c - a model directory goes on from a prompt, the most probable token each time
 *
 *	cc -o complete complete.c $(pkg-config --cflags --libs --static libds)
 *	./complete run/ 'The Debian project'
 *
 * A decoder has slots for sequences that come and go; here there is one. dsgen and dsserve are loops like this one.
 */
#include "graph/device.h"
#include "infer/slots.h"

#include <stdio.h>
#include <string.h>

enum { TOKENS = 24 };

static ds_rc complete(const char *dir, const char *prompt, ds_err *e)
{
	DS_AUTO(ds_model) m = NULL;
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_slots) slots = NULL;
	DS_TRY(ds_model_open(&m, dir, e));
	const ds_tok *tok = ds_model_tok(m);
	if (!tok)
		return ds_fail(e, DS_USAGE, "%s: no tokenizer", dir);
	DS_TRY(ds_device_open(&device, "cpu", 1, e));
	DS_TRY(ds_slots_open(&slots, m, device,
		&(ds_slots_opts){ .slots = 1,
			.context = ds_model_longest(m) < 256 ? ds_model_longest(m) : 256 },
		e));

	DS_AUTO(ds_tok_scratch) scratch = ds_tok_scratch_new(tok);
	const uint32_t *ids;
	size_t n;
	DS_TRY(ds_tok_encode(
		tok, scratch, (ds_str){ prompt, strlen(prompt) }, DS_TOK_ADD_SPECIAL, &ids, &n, e));
	ds_slot_ask ask = { .prompt = ids,
		.n_prompt = n,
		.max_tokens = TOKENS,
		.how = { .temperature = 0, .top_p = 1, .n_ids = ds_tok_size(tok) } };
	int64_t slot;
	uint32_t out[TOKENS];
	size_t n_out = 0;
	DS_TRY(ds_slots_admit(slots, &ask, &slot, e));
	while (ds_slots_busy(slots)) {
		const ds_slot_event *events;
		size_t n_events;
		DS_TRY(ds_slots_step(slots, &events, &n_events, e));
		for (size_t i = 0; i < n_events; i++) {
			if (events[i].has_id)
				out[n_out++] = events[i].id;
			if (events[i].end != DS_SLOT_GOES_ON)
				ds_slots_release(slots, events[i].slot);
		}
	}
	ds_buf text = { 0 };
	ds_rc rc = ds_tok_decode(tok, out, n_out, true, &text, e);
	if (rc == DS_OK)
		printf("%s%s\n", prompt, ds_buf_text(&text));
	ds_buf_free(&text);
	return rc;
}

int main(int argc, char **argv)
{
	ds_err e;
	if (argc != 3) {
		fprintf(stderr, "usage: complete MODEL_DIR PROMPT\n");
		return DS_USAGE;
	}
	ds_rc rc = complete(argv[1], argv[2], &e);
	if (rc != DS_OK)
		fprintf(stderr, "complete: %s\n", e.msg);
	return (int)rc;
}
