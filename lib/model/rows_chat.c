/*
 * rows_chat.c - conversations as tokens, of which the answers alone are learned
 *
 * `messages` (roles and contents), or `prompt` and `completion`, or `instruction`, `input` and
 * `output`. Messages are framed as ChatML where the tokenizer has <|im_start|>, as Llama 3 has them
 * where it has <|start_header_id|>, else as "role: content" lines. An answer ends with the end token.
 */
#include "model/rows_impl.h"

#include "record/json.h"

/* Beside each token a byte: is it learned? */
static ds_rc add_text(ds_gather *q, ds_str text, bool learned, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	DS_TRY(ds_tok_encode(q->r->tok, q->scratch, text, DS_TOK_SPECIALS, &ids, &n, e));
	ds_buf_add(&q->ids, ids, n * 4);
	for (size_t i = 0; i < n; i++)
		ds_buf_add_byte(&q->beside, (char)learned);
	return DS_OK;
}

/* What a user wrote stays text, whatever special token's name is in it. */
static ds_rc add_content(ds_gather *q, ds_str text, bool learned, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	DS_TRY(ds_tok_encode(q->r->tok, q->scratch, text, 0, &ids, &n, e));
	ds_buf_add(&q->ids, ids, n * 4);
	for (size_t i = 0; i < n; i++)
		ds_buf_add_byte(&q->beside, (char)learned);
	return DS_OK;
}

static void add_end(ds_gather *q)
{
	uint32_t id = ds_tok_special(q->r->tok, DS_TOK_EOS);
	if (id == (uint32_t)DS_TOK_NONE)
		return;
	ds_buf_add(&q->ids, &id, 4);
	ds_buf_add_byte(&q->beside, 1);
}

static bool knows(const ds_gather *q, const char *name)
{
	return ds_tok_find(q->r->tok, ds_str_of(name)) != (uint32_t)DS_TOK_NONE;
}

static ds_rc add_message(ds_gather *q, ds_str role, ds_str content, ds_arena *mem, ds_err *e)
{
	bool answer = ds_str_is(role, "assistant");
	const char *open = "%.*s: ", *close = "\n";
	if (knows(q, "<|im_start|>")) {
		open = "<|im_start|>%.*s\n";
		close = "<|im_end|>";
	} else if (knows(q, "<|start_header_id|>")) {
		open = "<|start_header_id|>%.*s<|end_header_id|>\n\n";
		close = "<|eot_id|>";
	}
	size_t name = role.n > 64 ? 64 : role.n;
	ds_buf head = { 0 };
	const char *at = strstr(open, "%.*s");
	ds_buf_add(&head, open, (size_t)(at - open));
	ds_buf_add(&head, role.at, name);
	ds_buf_add_c(&head, at + 4);
	ds_rc rc = add_text(q, ds_arena_str(mem, ds_buf_view(&head)), false, e);
	ds_buf_free(&head);
	DS_TRY(rc);
	DS_TRY(add_content(q, content, answer, e));
	DS_TRY(add_text(q, ds_str_of(close), answer, e));
	return close[0] == '<' && close[2] == 'i' ? add_text(q, DS_S("\n"), false, e) : DS_OK;
}

static ds_rc add_messages(ds_gather *q, ds_str json, ds_arena *mem, ds_err *e)
{
	const ds_json *list;
	DS_TRY(ds_json_parse(&list, mem, json, e));
	if (list->kind != DS_J_ARR || !list->n)
		return ds_fail(e, DS_BAD, "messages is not a list of messages");
	for (size_t i = 0; i < list->n; i++) {
		const ds_json *content = ds_json_get(list->items[i], "content");
		ds_str role = ds_json_text(list->items[i], "role", "");
		if (!role.n || !content || content->kind != DS_J_STR)
			return ds_fail(e, DS_BAD, "message %zu has no role and content", i + 1);
		DS_TRY(add_message(q, role, content->s, mem, e));
	}
	return DS_OK;
}

static ds_rc text_of(ds_block *b, const char *name, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	const ds_col *c;
	*has = false;
	*out = DS_S("");
	DS_TRY(ds_block_get(b, name, &c, e));
	return c ? ds_block_text(b, c, row, out, has, e) : DS_OK;
}

static ds_rc add_instruction(ds_gather *q, ds_block *b, uint32_t row, bool *done, ds_err *e)
{
	ds_str task, input, output;
	bool has, has_input;
	*done = false;
	DS_TRY(text_of(b, "instruction", row, &task, &has, e));
	if (!has)
		return DS_OK;
	DS_TRY(text_of(b, "output", row, &output, &has, e));
	if (!has)
		return ds_fail(e, DS_BAD, "an instruction without output");
	DS_TRY(text_of(b, "input", row, &input, &has_input, e));
	DS_TRY(add_text(q, DS_S("### Instruction:\n"), false, e));
	DS_TRY(add_content(q, task, false, e));
	if (input.n) {
		DS_TRY(add_text(q, DS_S("\n\n### Input:\n"), false, e));
		DS_TRY(add_content(q, input, false, e));
	}
	DS_TRY(add_text(q, DS_S("\n\n### Response:\n"), false, e));
	DS_TRY(add_content(q, output, true, e));
	*done = true;
	return DS_OK;
}

static ds_rc add_pair(ds_gather *q, ds_block *b, uint32_t row, bool *done, ds_err *e)
{
	ds_str prompt, completion;
	bool has;
	DS_TRY(text_of(b, "prompt", row, &prompt, done, e));
	if (!*done)
		return DS_OK;
	DS_TRY(text_of(b, "completion", row, &completion, &has, e));
	if (!has)
		return ds_fail(e, DS_BAD, "a prompt without completion");
	DS_TRY(add_content(q, prompt, false, e));
	return add_content(q, completion, true, e);
}

static ds_rc add_record(ds_gather *q, ds_block *b, uint32_t row, ds_err *e)
{
	const ds_col *c;
	bool done = false;
	DS_TRY(ds_block_get(b, "messages", &c, e));
	if (c && c->type == DS_T_JSON && ds_col_has(c, row) && !ds_col_null(c, row))
		return add_messages(q, ds_col_bytes(c, row), b->mem, e);
	DS_TRY(add_pair(q, b, row, &done, e));
	if (!done)
		DS_TRY(add_instruction(q, b, row, &done, e));
	if (!done)
		return ds_fail(e, DS_BAD, "neither messages nor prompt nor instruction");
	add_end(q);
	return DS_OK;
}

ds_rc ds_rows_add_chat(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e)
{
	ds_gather q = { .r = r, .scratch = scratch };
	DS_TRY(ds_rows_gather(&q, b, p, add_record, e));
	p->mask = (list_col){ q.kept, p->ids.off, NULL, false };
	return DS_OK;
}
