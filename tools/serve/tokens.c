/*
 * tokens.c - /tokenize, /detokenize, /tokenizer_info: the model's tokenizer for clients that have none
 */
#include "answers.h"
#include "reply.h"

typedef struct {
	ds_str model, prompt;
	const ds_json *messages, *tokens;
	bool add_special, token_texts, open;
} ask;

#define AT(member) offsetof(ask, member)
const field token_fields[] = {
	{ "model", FIELD_TEXT, TOKEN_ENCODE | TOKEN_DECODE, AT(model), 0, 0, NULL,
		"The model's name, as /v1/models lists it." },
	{ "prompt", FIELD_TEXT, TOKEN_ENCODE, AT(prompt), 0, 0, NULL, "A text." },
	{ "messages", FIELD_JSON, TOKEN_ENCODE, AT(messages), 0, 0, "\"type\":\"array\"",
		"Or a conversation." },
	{ "add_special_tokens", FIELD_BOOL, TOKEN_ENCODE, AT(add_special), 0, 0, NULL,
		"Put around a text what the tokenizer does (true)." },
	{ "add_generation_prompt", FIELD_BOOL, TOKEN_ENCODE, AT(open), 0, 0, NULL,
		"Of a conversation, with the opening of an answer (true)." },
	{ "return_token_strs", FIELD_BOOL, TOKEN_ENCODE, AT(token_texts), 0, 0, NULL,
		"Also each token's text." },
	{ "tokens", FIELD_JSON, TOKEN_DECODE, AT(tokens), 0, 0,
		"\"type\":\"array\",\"items\":{\"type\":\"integer\"}", "Token ids." },
	{ 0 },
};

static bool encode(server *s, const ask *a, ds_arena *mem, ds_buf *out, refusal *r)
{
	const uint32_t *ids;
	size_t n;
	if (!a->messages && !a->prompt.at)
		return refuse(
			r, 400, "missing_required_parameter", "prompt", "'prompt' is missing");
	/* Who asks for ids means the names of special tokens. */
	unsigned flags = DS_TOK_SPECIALS | (a->add_special ? DS_TOK_ADD_SPECIAL : 0);
	if (a->messages ? !serve_encode_chat(s, a->messages, a->open, mem, &ids, &n, r)
			: !serve_encode(s, a->prompt, flags, mem, &ids, &n, r))
		return false;
	ds_buf_fmt(out, "{\"count\":%zu,\"max_model_len\":%lld,\"tokens\":", n,
		(long long)ds_model_longest(s->model));
	reply_ids(ids, n, out);
	ds_buf_add_c(out, ",\"token_strs\":");
	ds_buf_add_c(out, a->token_texts ? "[" : "null}");
	for (size_t i = 0; a->token_texts && i < n; i++) {
		ds_buf_add_c(out, i ? "," : "");
		reply_token(s, ids[i], out);
	}
	ds_buf_add_c(out, a->token_texts ? "]}" : "");
	return true;
}

static bool decode(server *s, const ask *a, ds_arena *mem, ds_buf *out, refusal *r)
{
	const uint32_t *ids;
	size_t n;
	ds_err e;
	ds_buf text = { 0 };
	if (!a->tokens || a->tokens->kind != DS_J_ARR)
		return refuse(r, 400, "invalid_type", "tokens", "'tokens' is not an array of ids");
	if (!serve_read_ids(s, a->tokens, "tokens", mem, &ids, &n, r))
		return false;
	if (!ds_model_tok(s->model))
		return refuse(r, 400, "no_tokenizer", NULL, "the model has no tokenizer");
	bool good = ds_tok_decode(ds_model_tok(s->model), ids, n, false, &text, &e) == DS_OK;
	ds_buf_add_c(out, "{\"prompt\":");
	ds_json_add_str(out, ds_buf_view(&text));
	ds_buf_add_c(out, "}");
	ds_buf_free(&text);
	return good || refuse(r, 400, "invalid_value", "tokens", "'tokens': %s", e.msg);
}

static void serve_tokens(server *s, http_call *call, unsigned kind)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ask a = { .add_special = true, .open = true };
	ds_buf out = { 0 };
	const ds_json *request;
	refusal r;
	if (serve_takes(s, &r) && fields_object(call->body, mem, &request, &r) &&
		fields_read(token_fields, kind, request, &a, &r) &&
		serve_check_model(s, a.model, &r) &&
		(kind == TOKEN_ENCODE ? encode(s, &a, mem, &out, &r)
				      : decode(s, &a, mem, &out, &r)))
		http_answer(call, 200, "application/json", ds_buf_view(&out));
	else
		refusal_answer(&r, call);
	ds_buf_free(&out);
}

void answer_tokenize(server *s, http_call *call)
{
	serve_tokens(s, call, TOKEN_ENCODE);
}

void answer_detokenize(server *s, http_call *call)
{
	serve_tokens(s, call, TOKEN_DECODE);
}

static void add_special(const ds_tok *t, const char *name, ds_tok_special_kind kind, ds_buf *out)
{
	uint32_t id = ds_tok_special(t, kind);
	ds_buf_fmt(out, ",\"%s_token\":", name);
	if (id == DS_TOK_NONE) {
		ds_buf_fmt(out, "null,\"%s_token_id\":null", name);
		return;
	}
	ds_json_add_str(out, ds_tok_bytes(t, id));
	ds_buf_fmt(out, ",\"%s_token_id\":%u", name, id);
}

void answer_tok_info(server *s, http_call *call)
{
	static const char *const names[] = { "pad", "bos", "eos", "mask", "cls", "sep", "unk" };
	ds_buf out = { 0 };
	refusal r;
	const ds_tok *t = atomic_load(&s->phase) == SERVE_LOADS ? NULL : ds_model_tok(s->model);
	if (!serve_takes(s, &r) ||
		(!t && !refuse(&r, 404, "no_tokenizer", NULL, "the model has no tokenizer"))) {
		refusal_answer(&r, call);
		return;
	}
	ds_buf_fmt(&out, "{\"tokenizer_class\":\"%s\",\"vocab_size\":%u,\"model_max_length\":%lld",
		ds_tok_model(t), ds_tok_size(t), (long long)ds_model_longest(s->model));
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++)
		add_special(t, names[k], (ds_tok_special_kind)k, &out);
	ds_buf_add_c(&out, ",\"chat_template\":");
	if (s->template.n)
		ds_json_add_str(&out, s->template);
	else
		ds_buf_add_c(&out, "null");
	ds_buf_add_c(&out, "}");
	http_answer(call, 200, "application/json", ds_buf_view(&out));
	ds_buf_free(&out);
}
