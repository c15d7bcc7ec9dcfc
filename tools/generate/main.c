/*
 * main.c - dsgen: completions of records
 *
 * A block's records are continued in groups of --batch, in order; which group a record is in depends
 * on the input alone. Work happens in the ordered part: the model's own kernels use all threads.
 */
#include "embed.h"

#include "base/mem.h"
#include "base/thread.h"
#include "infer/decode.h"
#include "record/pipe.h"
#include "talk.h"

static struct {
	const char *model;
	int64_t max_tokens, batch, context;
	ds_sampling how;
	bool ignore_eos, ignore_keys, logprobs, logits, embed, chat;
	const char *layout;
} opt = { .max_tokens = 128, .batch = 8, .how = { .temperature = 1, .top_p = 1 } };

typedef struct {
	ds_model *m;
	ds_device *device;
	ds_decoder *d;
	ds_tok_scratch *scratch;
	talker talker;
	ds_buf text;
	uint64_t n_tokens;
} generator;

static void generator_close(generator *g)
{
	ds_decoder_close(g->d);
	ds_tok_scratch_free(g->scratch);
	ds_device_close(g->device);
	ds_model_close(g->m);
	ds_buf_free(&g->text);
	talker_close(&g->talker);
}

/* A record's prompt as ids in the block's arena; *has false: it has neither tokens nor text. */
static ds_rc prompt_of(generator *g, ds_work *w, ds_block *b, uint32_t row, const ds_col *tokens,
	const ds_col *text, ds_sequence *s, bool *has, ds_err *e)
{
	*has = false;
	if (g->talker.chat) {
		ds_chat_tokens t;
		DS_TRY(talker_prompt(&g->talker, g->scratch, w, b, row, text, &t, has, e));
		s->prompt = *has ? t.ids : NULL;
		s->n_prompt = *has ? t.n : 0;
		return DS_OK;
	}
	if (tokens)
		DS_TRY(ds_block_ids(b, tokens, row, &s->prompt, &s->n_prompt, has, e));
	if (*has || !text)
		return DS_OK;
	ds_str t;
	const uint32_t *ids;
	DS_TRY(ds_block_text(b, text, row, &t, has, e));
	if (!*has)
		return DS_OK;
	if (!g->scratch)
		return ds_fail(e, DS_BAD,
			"%s has no tokenizer, so only records with tokens can be continued",
			ds_model_dir(g->m));
	DS_TRY(ds_tok_encode(ds_model_tok(g->m), g->scratch, t, 0, &ids, &s->n_prompt, e));
	uint32_t *copy = ds_arena_get(ds_work_mem(w), (s->n_prompt + 1) * sizeof(*copy));
	memcpy(copy, ids, s->n_prompt * sizeof(*copy));
	s->prompt = copy;
	return DS_OK;
}

/* Why a prompt cannot be continued, or NULL. An empty one starts from bos or eos where there is one. */
static const char *unfit(generator *g, ds_work *w, ds_sequence *s, bool has)
{
	const ds_config *c = ds_model_config(g->m);
	if (!has)
		return "neither tokens nor text";
	if (s->n_prompt == 0) {
		int64_t start = c->bos >= 0 ? c->bos : c->eos;
		if (start < 0 || start >= c->vocab_size)
			return "an empty prompt, and the model has no bos token";
		uint32_t *id = ds_arena_get(ds_work_mem(w), sizeof(*id));
		*id = (uint32_t)start;
		s->prompt = id;
		s->n_prompt = 1;
	}
	for (size_t i = 0; i < s->n_prompt; i++)
		if (s->prompt[i] >= c->vocab_size)
			return "a token id that the model does not have";
	if ((int64_t)s->n_prompt > ds_model_longest(g->m))
		return "a prompt longer than the model's context";
	return NULL;
}

/* Fills the sequences of the rows that can be continued; the others are record errors. */
static ds_rc prompts(generator *g, ds_work *w, ds_block *b, ds_sequence *s, bool *ok, ds_err *e)
{
	const ds_common *c = ds_work_common(w);
	const ds_col *tokens, *text;
	DS_TRY(ds_block_get(b, "tokens", &tokens, e));
	DS_TRY(ds_block_get(b, c->field, &text, e));
	if (g->talker.chat)
		DS_TRY(ds_talk_find(&g->talker.columns, b, e));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		bool has;
		s[i] = (ds_sequence){ .key = ds_block_record(b, i) };
		ds_err bad;
		ds_rc rc = prompt_of(g, w, b, i, tokens, text, &s[i], &has, &bad);
		if (rc != DS_OK && !(rc == DS_BAD && g->talker.chat)) {
			*e = bad;
			return rc;
		}
		const char *why = rc == DS_OK ? unfit(g, w, &s[i], has) : bad.msg;
		ok[i] = !why;
		if (why)
			DS_TRY(ds_work_bad(w, b, i, e, "%s", why));
	}
	return DS_OK;
}

/* A decoder with room for the longest of them, in steps so that it is seldom made anew. */
static ds_rc fit(generator *g, const ds_sequence *s, const bool *ok, uint32_t n, ds_err *e)
{
	int64_t need = 1;
	for (uint32_t i = 0; i < n; i++)
		if (ok[i] && (int64_t)s[i].n_prompt + opt.max_tokens > need)
			need = (int64_t)s[i].n_prompt + opt.max_tokens;
	need = (need + 127) / 128 * 128;
	int64_t most = ds_model_longest(g->m);
	need = need < most ? need : most;
	if (g->d && ds_decoder_context(g->d) >= need)
		return DS_OK;
	ds_decoder_close(g->d);
	g->d = NULL;
	return ds_decoder_open(&g->d, g->m, g->device, opt.batch, need, e);
}

static ds_rc run_groups(
	generator *g, ds_sequence *s, const bool *ok, uint32_t n, ds_arena *mem, ds_err *e)
{
	const ds_config *c = ds_model_config(g->m);
	int64_t chat_end = g->talker.chat ? (int64_t)ds_chat_end(g->talker.chat) : 0;
	size_t n_ends;
	const int64_t *ends = ds_model_ends(g->m, &n_ends);
	if (g->talker.chat) {
		ends = &chat_end;
		n_ends = 1;
	}
	ds_sequence *group = ds_arena_get(mem, (size_t)opt.batch * sizeof(*group));
	uint32_t *row = ds_arena_get(mem, (size_t)opt.batch * sizeof(*row));
	for (uint32_t i = 0, k = 0; i < n; i++) {
		if (ok[i]) {
			s[i].out =
				ds_arena_get(mem, ((size_t)opt.max_tokens + 1) * sizeof(uint32_t));
			if (opt.logprobs)
				s[i].logprobs = ds_arena_get(
					mem, ((size_t)opt.max_tokens + 1) * sizeof(float));
			if (opt.logits)
				s[i].logits =
					ds_arena_get(mem, (size_t)c->vocab_size * sizeof(float));
			row[k] = i;
			group[k++] = s[i];
		}
		if (k == opt.batch || (i + 1 == n && k)) {
			DS_TRY(ds_decoder_run(g->d, group, k, &opt.how, opt.max_tokens, ends,
				opt.ignore_eos ? 0 : n_ends, e));
			while (k)
				k--, s[row[k]] = group[k];
		}
	}
	return DS_OK;
}

static ds_rc put_columns(generator *g, ds_block *b, const ds_sequence *s, const bool *ok, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(g->m);
	ds_colb *pred = ds_colb_new(b, "pred", tok ? DS_T_UTF8 : DS_T_U32S);
	ds_colb *probs = opt.logprobs ? ds_colb_new(b, "logprobs", DS_T_F32S) : NULL;
	ds_colb *logits = opt.logits ? ds_colb_new(b, "logits", DS_T_F32S) : NULL;
	size_t vocab = (size_t)ds_model_config(g->m)->vocab_size;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		g->n_tokens += ok[i] ? s[i].n_out : 0;
		g->text.n = 0;
		if (!ok[i]) {
			ds_colb_absent(pred);
		} else if (tok) {
			DS_TRY(ds_tok_decode(tok, s[i].out, s[i].n_out, true, &g->text, e));
			ds_colb_bytes(pred, ds_buf_view(&g->text));
		} else {
			ds_colb_list(pred, s[i].out, s[i].n_out);
		}
		if (probs)
			ds_colb_list(probs, s[i].logprobs, ok[i] ? s[i].n_out : 0);
		if (logits)
			ds_colb_list(logits, s[i].logits, ok[i] ? vocab : 0);
	}
	DS_TRY(ds_colb_put(pred, e));
	if (probs)
		DS_TRY(ds_colb_put(probs, e));
	return logits ? ds_colb_put(logits, e) : DS_OK;
}

static ds_rc continue_block(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	generator *g = state;
	ds_arena *mem = ds_work_mem(w);
	ds_sequence *s = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*s));
	bool *ok = ds_arena_get(mem, b->n_rows + 1);
	DS_TRY(prompts(g, w, b, s, ok, e));
	DS_TRY(fit(g, s, ok, b->n_rows, e));
	DS_TRY(run_groups(g, s, ok, b->n_rows, mem, e));
	return put_columns(g, b, s, ok, e);
}

static void summary(void *state, ds_buf *out)
{
	const generator *g = state;
	ds_buf_fmt(out, "%llu tokens", (unsigned long long)g->n_tokens);
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	generator g = { 0 };
	opt.how.seed = c->seed;
	if (!opt.model)
		return ds_fail(e, DS_USAGE, "name the model with -m DIR");
	if (opt.max_tokens < 0 || opt.max_tokens > 1 << 24)
		return ds_fail(e, DS_USAGE, "--max-tokens %lld is not between 0 and 16777216",
			(long long)opt.max_tokens);
	if (opt.batch < 1 || opt.batch > 1024)
		return ds_fail(e, DS_USAGE, "--batch %lld is not between 1 and 1024",
			(long long)opt.batch);
	DS_TRY(ds_sampling_check(&opt.how, e));
	ds_model_opts how = { .soft = !opt.embed, .ignore_keys = opt.ignore_keys };
	ds_rc rc = ds_model_open_with(&g.m, opt.model, &how, e);
	if (rc == DS_OK)
		rc = ds_device_open(&g.device, NULL, (unsigned)c->jobs, e);
	if (rc == DS_OK) {
		if (ds_model_tok(g.m))
			g.scratch = ds_tok_scratch_new(ds_model_tok(g.m));
		if (opt.chat)
			rc = talker_open(&g.talker, g.m, opt.layout, c, e);
		embed_run r = { g.m, g.device, g.scratch, opt.batch, NULL };
		ds_stage generate = {
			.name = "dsgen", .state = &g, .order = continue_block, .summary = summary
		};
		ds_stage embed = { .name = "dsgen", .state = &r, .order = embed_block };
		if (rc == DS_OK)
			rc = ds_pipe_run(c, opt.embed ? &embed : &generate, e);
		ds_embedder_close(r.d);
	}
	generator_close(&g);
	return rc;
}

static ds_rc on_chat(void *context, const char *name, const char *value, ds_err *e)
{
	opt.chat = true;
	opt.layout = value;
	return DS_OK;
}

static ds_call chat_call = { on_chat, NULL };

static const ds_arg args[] = {
	DS_ARG_F('m', "model", &opt.model, "DIR", "the model directory", DS_ARG_UNRECORDED),
	DS_ARG(0, "max-tokens", &opt.max_tokens, "N", "tokens to add at most (128)"),
	DS_ARG(0, "temperature", &opt.how.temperature, "T", "0 takes the most probable token (1)"),
	DS_ARG(0, "top-k", &opt.how.top_k, "K", "draw among the K most probable (0: all)"),
	DS_ARG(0, "top-p", &opt.how.top_p, "P", "draw among the fewest that reach P (1)"),
	DS_ARG_F(0, "chat", &chat_call, "LAYOUT",
		"answer conversations, laid out as the model's own or this", DS_ARG_OPTIONAL),
	DS_ARG(0, "ignore-eos", &opt.ignore_eos, NULL, "go on after the end-of-sequence token"),
	DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	DS_ARG(0, "logprobs", &opt.logprobs, NULL, "add each token's log probability"),
	DS_ARG(0, "logits", &opt.logits, NULL, "add the logits after the prompt"),
	DS_ARG(0, "embed", &opt.embed, NULL,
		"add a vector for the whole record, and no completion"),
	DS_ARG_F(0, "batch", &opt.batch, "N", "sequences computed together (8)", DS_ARG_UNRECORDED),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const ds_tool tool = {
		.name = "dsgen",
		.usage = "-m DIR [options] [FILE...]",
		.what = "completions of records by a model, as the field pred, or their embeddings",
		.args = args,
		.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS,
		.run = run,
		.examples = {
			"echo 'The Debian project' | dsgen -m run/ --to jsonl",
			"dsgen -m run/ --temperature 0.7 --top-p 0.9 --seed 7 prompts.jsonl",
			"dsgen -m run/ --max-tokens 0 --logits prompts.txt --to jsonl",
		},
	};
	return ds_main(&tool, argc, argv);
}
