/*
 * gen_fields.c - what a request for texts may say, and what of it may not be said together
 */
#include "gen_impl.h"

#include <float.h>

#define AT(member) offsetof(gen_ask, member)
#define BOTH (GEN_TEXT | GEN_CHAT)
#define STRINGS \
	"\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]"
#define PROMPTS \
	"\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}," \
	"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}," \
	"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}]"

const field gen_fields[] = {
	{ "model", FIELD_TEXT, BOTH, AT(model), 0, 0, NULL,
		"The model's name, as /v1/models lists it." },
	{ "prompt", FIELD_JSON, GEN_TEXT, AT(prompt), 0, 0, PROMPTS,
		"A text, several, token ids, or several lists of them." },
	{ "messages", FIELD_JSON, GEN_CHAT, AT(messages), 0, 0,
		"\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"role\":{"
		"\"type\":"
		"\"string\"},\"content\":{}},\"required\":[\"role\"]}",
		"The conversation so far." },
	{ "max_tokens", FIELD_INT, BOTH, AT(max_tokens), 0, 1 << 24, NULL,
		"Tokens of an answer at most; 16 for completions, what the context leaves for "
		"chat." },
	{ "max_completion_tokens", FIELD_INT, GEN_CHAT, AT(max_completion_tokens), 0, 1 << 24, NULL,
		"The same by its newer name." },
	{ "temperature", FIELD_NUM, BOTH, AT(temperature), 0, 100, NULL,
		"0 takes the most probable token (1)." },
	{ "top_p", FIELD_NUM, BOTH, AT(top_p), 0, 1, NULL,
		"Draw among the fewest tokens that reach this probability (1)." },
	{ "top_k", FIELD_INT, BOTH, AT(top_k), -1, 1 << 24, NULL,
		"Draw among the k most probable; 0 or -1: all." },
	{ "min_p", FIELD_NUM, BOTH, AT(min_p), 0, 1, NULL,
		"Draw among tokens with this share of the best one's probability." },
	{ "n", FIELD_INT, BOTH, AT(n), 1, 128, NULL, "Answers to each prompt (1)." },
	{ "best_of", FIELD_INT, GEN_TEXT, AT(best_of), 1, 128, NULL,
		"Only as much as n: the best of more is not chosen here." },
	{ "stream", FIELD_BOOL, BOTH, AT(stream), 0, 0, NULL, "Send the answer as it is made." },
	{ "stream_options", FIELD_JSON, BOTH, AT(stream_options), 0, 0,
		"\"type\":\"object\",\"properties\":{\"include_usage\":{\"type\":\"boolean\"}}",
		"include_usage: a last chunk with the numbers of tokens." },
	{ "logprobs", FIELD_JSON, BOTH, AT(logprobs), 0, 0,
		"\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"boolean\"}]",
		"Completions: a number up to 20 of most probable tokens; chat: true or false." },
	{ "top_logprobs", FIELD_INT, GEN_CHAT, AT(top_logprobs), 0, GEN_MOST_LIKELY, NULL,
		"Most probable tokens at each place, with logprobs." },
	{ "echo", FIELD_BOOL, GEN_TEXT, AT(echo), 0, 0, NULL,
		"The prompt before the answer, with log probabilities of its tokens where these "
		"are wanted." },
	{ "stop", FIELD_JSON, BOTH, AT(stop), 0, 0, STRINGS,
		"Strings at which an answer ends; up to 16." },
	{ "stop_token_ids", FIELD_JSON, BOTH, AT(stop_ids), 0, 0,
		"\"type\":\"array\",\"items\":{\"type\":\"integer\"}", "Tokens at which it ends." },
	{ "include_stop_str_in_output", FIELD_BOOL, BOTH, AT(with_stop), 0, 0, NULL,
		"The stop string belongs to the answer." },
	{ "ignore_eos", FIELD_BOOL, BOTH, AT(ignore_eos), 0, 0, NULL,
		"Go on after the end-of-sequence token." },
	{ "min_tokens", FIELD_INT, BOTH, AT(min_tokens), 0, 1 << 24, NULL,
		"Nothing ends an answer before so many." },
	{ "seed", FIELD_INT, BOTH, AT(seed), -9e18, 9e18, NULL,
		"The same seed gives the same text, whatever else is being computed." },
	{ "presence_penalty", FIELD_NUM, BOTH, AT(presence), -2, 2, NULL,
		"Taken from the logits of tokens that the answer has." },
	{ "frequency_penalty", FIELD_NUM, BOTH, AT(frequency), -2, 2, NULL,
		"The same, times how often." },
	{ "repetition_penalty", FIELD_NUM, BOTH, AT(repetition), 0.01, 100, NULL,
		"Divides logits of tokens that prompt or answer have (1)." },
	{ "logit_bias", FIELD_JSON, BOTH, AT(logit_bias), 0, 0,
		"\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}",
		"Token id to what is added to its logit, -100 to 100." },
	{ "skip_special_tokens", FIELD_BOOL, BOTH, AT(skip_special), 0, 0, NULL,
		"Leave the names of special tokens out of the text (true)." },
	{ "add_special_tokens", FIELD_BOOL, GEN_TEXT, AT(add_special), 0, 0, NULL,
		"Put around a prompt what the tokenizer does (true)." },
	{ "truncate_prompt_tokens", FIELD_INT, BOTH, AT(truncate), 1, 1 << 24, NULL,
		"Only the last so many tokens of a prompt." },
	{ "return_token_ids", FIELD_BOOL, BOTH, AT(token_ids), 0, 0, NULL,
		"Also the ids of prompt and answer." },
	{ "suffix", FIELD_TEXT, GEN_TEXT, AT(suffix), 0, 0, NULL, "Only empty." },
	{ "response_format", FIELD_JSON, BOTH, AT(response_format), 0, 0, "\"type\":\"object\"",
		"Only {\"type\":\"text\"}." },
	{ "tools", FIELD_JSON, GEN_CHAT, AT(tools), 0, 0, "\"type\":\"array\"", "Only empty." },
	{ "functions", FIELD_JSON, GEN_CHAT, AT(functions), 0, 0, "\"type\":\"array\"",
		"Only empty." },
	{ "tool_choice", FIELD_JSON, GEN_CHAT, AT(tool_choice), 0, 0, NULL, "Only none or auto." },
	{ "parallel_tool_calls", FIELD_HINT, GEN_CHAT, 0, 0, 0, NULL, "Changes nothing." },
	{ "user", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ "metadata", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ "store", FIELD_HINT, GEN_CHAT, 0, 0, 0, NULL, "Changes nothing: nothing is stored." },
	{ "service_tier", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ "safety_identifier", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ "prompt_cache_key", FIELD_HINT, BOTH, 0, 0, 0, NULL, "Changes nothing." },
	{ 0 },
};

void gen_ask_init(gen_ask *a)
{
	*a = (gen_ask){ .max_tokens = -1,
		.max_completion_tokens = -1,
		.n = 1,
		.best_of = -1,
		.seed = INT64_MIN,
		.temperature = 1,
		.top_p = 1,
		.repetition = 1,
		.skip_special = true,
		.add_special = true };
}

static bool only(bool allowed, const char *param, const char *what, refusal *r)
{
	return allowed || refuse(r, 400, "unsupported_parameter", param, "'%s': %s", param, what);
}

/* What is known and not done here. */
bool gen_check_unsupported(const gen_ask *a, refusal *r)
{
	const ds_json *f = a->response_format, *t = a->tool_choice;
	return only(!a->suffix.n, "suffix", "text is not inserted here", r) &&
	       only(a->best_of < 0 || a->best_of == a->n, "best_of",
		       "the best of several is not chosen here: leave it out, or ask for as many "
		       "with "
		       "n",
		       r) &&
	       only(!f || ds_str_is(ds_json_text(f, "type", ""), "text"), "response_format",
		       "answers are of type text here", r) &&
	       only(!a->tools || !a->tools->n, "tools", "no tools are called here", r) &&
	       only(!a->functions || !a->functions->n, "functions", "no functions are called here",
		       r) &&
	       only(!t || (t->kind == DS_J_STR &&
				  (ds_str_is(t->s, "none") || ds_str_is(t->s, "auto"))),
		       "tool_choice", "no tools are called here", r);
}

static bool read_stops(gen *g, refusal *r)
{
	const ds_json *v = g->ask.stop;
	ds_str *to = ds_arena_get(g->mem, GEN_MOST_STOPS * sizeof(*to));
	g->stops = to;
	if (!v)
		return true;
	if (v->kind == DS_J_STR && v->s.n)
		to[g->n_stops++] = v->s;
	if (v->kind == DS_J_STR)
		return true;
	if (v->kind != DS_J_ARR || v->n > GEN_MOST_STOPS)
		return refuse(r, 400, "invalid_type", "stop",
			"'stop' is not a string or an array of up to %d", GEN_MOST_STOPS);
	for (const ds_json *s = v->first; s; s = s->next) {
		if (s->kind != DS_J_STR)
			return refuse(r, 400, "invalid_type", "stop",
				"'stop' has something in it that is no string");
		if (s->s.n)
			to[g->n_stops++] = s->s;
	}
	return true;
}

static bool read_stop_ids(gen *g, refusal *r)
{
	const ds_json *v = g->ask.stop_ids;
	const server *s = g->server;
	const uint32_t *own = NULL;
	size_t n_own = 0, n_ends = g->ask.ignore_eos ? 0 : s->n_ends;
	if (v && v->kind != DS_J_ARR)
		return refuse(r, 400, "invalid_type", "stop_token_ids",
			"'stop_token_ids' is not an array");
	if (v && !serve_read_ids(s, v, "stop_token_ids", g->mem, &own, &n_own, r))
		return false;
	uint32_t *all = ds_arena_get(g->mem, (n_own + s->n_ends + 1) * sizeof(*all));
	memcpy(all, s->ends, n_ends * sizeof(*all));
	if (n_own)
		memcpy(all + n_ends, own, n_own * sizeof(*all));
	g->n_stop_ids = n_ends + n_own;
	if (g->kind == GEN_CHAT && s->chat && !g->ask.ignore_eos)
		all[g->n_stop_ids++] = ds_chat_end(s->chat);
	g->stop_ids = all;
	return true;
}

static bool read_biases(gen *g, refusal *r)
{
	const ds_json *v = g->ask.logit_bias;
	int64_t most = ds_model_config(g->server->model)->vocab_size;
	if (!v)
		return true;
	if (v->kind != DS_J_OBJ)
		return refuse(
			r, 400, "invalid_type", "logit_bias", "'logit_bias' is not an object");
	ds_bias *to = ds_arena_get(g->mem, (v->n + 1) * sizeof(*to));
	for (const ds_json *m = v->first; m; m = m->next) {
		int64_t id;
		bool number = m->kind == DS_J_I64 || m->kind == DS_J_F64;
		if (!ds_str_i64(m->key, &id) || id < 0 || id >= most)
			return refuse(r, 400, "invalid_value", "logit_bias",
				"'logit_bias' has a key that is no token id of the model's %lld",
				(long long)most);
		if (!number || !(m->f >= -100 && m->f <= 100))
			return refuse(r, 400, "invalid_value", "logit_bias",
				"'logit_bias': that of %lld is not a number from -100 to 100",
				(long long)id);
		to[g->penalty.n_biases++] = (ds_bias){ (uint32_t)id, (float)m->f };
	}
	g->penalty.biases = to;
	return true;
}

static bool read_logprobs(gen *g, refusal *r)
{
	const ds_json *v = g->ask.logprobs;
	bool chat = g->kind == GEN_CHAT;
	if (chat && g->ask.top_logprobs && !(v && v->kind == DS_J_BOOL && v->b))
		return refuse(r, 400, "invalid_value", "top_logprobs",
			"'top_logprobs' needs 'logprobs' to be true");
	if (!v || (v->kind == DS_J_BOOL && !v->b))
		return true;
	if (chat && v->kind != DS_J_BOOL)
		return refuse(r, 400, "invalid_type", "logprobs", "'logprobs' is not a boolean");
	if (!chat && (v->kind != DS_J_I64 || v->i < 0 || v->i > GEN_MOST_LIKELY))
		return refuse(r, 400, "invalid_value", "logprobs",
			"'logprobs' is not an integer from 0 to %d", GEN_MOST_LIKELY);
	g->with_logprobs = true;
	g->n_likely = (size_t)(chat ? g->ask.top_logprobs : v->i);
	if (g->n_likely > (size_t)ds_model_config(g->server->model)->vocab_size)
		g->n_likely = (size_t)ds_model_config(g->server->model)->vocab_size;
	return true;
}

static bool read_sampling(gen *g, refusal *r)
{
	const gen_ask *a = &g->ask;
	const ds_tok *tok = ds_model_tok(g->server->model);
	ds_err e;
	g->how = (ds_sampling){ .temperature = a->temperature,
		.top_k = a->top_k < 0 ? 0 : a->top_k,
		.top_p = a->top_p,
		.min_p = a->min_p,
		.seed = (uint64_t)a->seed,
		.n_ids = tok ? ds_tok_size(tok) : 0 };
	g->penalty.presence = a->presence;
	g->penalty.frequency = a->frequency;
	g->penalty.repetition = a->repetition;
	if (ds_sampling_check(&g->how, &e) == DS_OK)
		return true;
	return refuse(r, 400, "invalid_value", a->top_p > 0 ? NULL : "top_p", "%s", e.msg);
}

bool gen_read_settings(gen *g, refusal *r)
{
	return gen_check_unsupported(&g->ask, r) && read_stops(g, r) && read_stop_ids(g, r) &&
	       read_biases(g, r) && read_logprobs(g, r) && read_sampling(g, r);
}
