/*
 * main.c - dsgen: completions of records
 *
 * A block's records are admitted into the decoder's slots in order, one as soon as another has ended. Work happens
 * in the ordered part: the model's own kernels use all threads.
 */
#include "embed.h"
#include "fill.h"
#include "resume.h"

#include "base/machine.h"
#include "base/mem.h"
#include "base/progress.h"
#include "infer/slots.h"
#include "label.h"
#include "record/pipe.h"
#include "see.h"
#include "talk.h"

static struct {
	const char *model;
	int64_t max_tokens, batch, context;
	ds_sampling how;
	ds_size memory;
	bool ignore_eos, ignore_keys, any_tokenizer, no_special, logprobs, logits, embed, chat;
	const char *layout, *device, *labels, *prompt, *template, *resume, *precision_name;
	ds_precision precision;
} opt = {
	.max_tokens = 128, .batch = 8, .how = { .temperature = 1, .top_p = 1 }, .device = "auto"
};

typedef struct {
	ds_model *m;
	ds_device *device;
	const ds_common *common;
	ds_slots *slots;
	int64_t n_slots;
	uint32_t *stops;
	size_t n_stops;
	ds_tok_scratch *scratch;
	talker talker;
	filler *filler;  /* NULL: no --template */
	resumed *before; /* NULL: no --resume */
	ds_buf text;
	uint64_t n_tokens;
	size_t seen; /* optional blocks of the input */
} generator;

typedef struct { /* a record's */
	ds_slot_ask ask;
	uint32_t *out;
	float *logprobs, *logits;
	size_t n_out;
	ds_str said; /* by an earlier run; at NULL: nothing */
} job;

static void generator_close(generator *g)
{
	ds_slots_close(g->slots);
	ds_tok_scratch_free(g->scratch);
	ds_device_close(g->device);
	ds_model_close(g->m);
	ds_buf_free(&g->text);
	talker_close(&g->talker);
	filler_close(g->filler);
	resume_close(g->before);
	ds_mem_free(g->stops);
}

/* A record's prompt as ids in the block's arena; *has false: it has neither tokens nor text. */
static ds_rc prompt_of(generator *g, ds_work *w, ds_texts *texts, uint32_t row,
	const ds_col *tokens, ds_slot_ask *s, bool *has, ds_err *e)
{
	ds_str filled = { NULL, 0 };
	*has = false;
	if (g->filler) {
		const char *lacks;
		DS_TRY(filler_text(g->filler, texts->b, row, ds_work_mem(w), &filled, &lacks, e));
		if (lacks)
			return ds_fail(e, DS_BAD, "no '%s' for the template", lacks);
	}
	if (g->talker.chat) {
		ds_chat_tokens t;
		DS_TRY(talker_prompt(&g->talker, g->scratch, w, texts, row, filled, &t, has, e));
		s->prompt = *has ? t.ids : NULL;
		s->n_prompt = *has ? t.n : 0;
		return DS_OK;
	}
	if (tokens && !g->filler)
		DS_TRY(ds_block_ids(texts->b, tokens, row, &s->prompt, &s->n_prompt, has, e));
	if (*has)
		return DS_OK;
	ds_str t = filled;
	const uint32_t *ids;
	*has = true;
	if (!g->filler)
		DS_TRY(ds_texts_get(texts, row, &t, has, e));
	if (!*has)
		return DS_OK;
	if (!g->scratch)
		return ds_fail(e, DS_BAD,
			"%s has no tokenizer, so only records with tokens can be continued",
			ds_model_dir(g->m));
	unsigned flags = opt.no_special ? 0 : DS_TOK_ADD_SPECIAL;
	DS_TRY(ds_tok_encode(ds_model_tok(g->m), g->scratch, t, flags, &ids, &s->n_prompt, e));
	uint32_t *copy = ds_arena_get(ds_work_mem(w), (s->n_prompt + 1) * sizeof(*copy));
	memcpy(copy, ids, s->n_prompt * sizeof(*copy));
	s->prompt = copy;
	return DS_OK;
}

/* Why a prompt cannot be continued, or NULL. An empty one starts from bos or eos where there is one. */
static const char *unfit(generator *g, ds_work *w, ds_slot_ask *s)
{
	const ds_config *c = ds_model_config(g->m);
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

static ds_rc said_before(generator *g, ds_work *w, ds_block *b, uint32_t row, job *j, ds_err *e)
{
	ds_str pred;
	DS_TRY(resume_next(g->before, b, row, &pred, e));
	if (pred.at)
		j->said = ds_arena_str(ds_work_mem(w), pred);
	return DS_OK;
}

/* Fills the sequences of the rows that can be continued; of the others those with a prompt are record errors. */
static ds_rc prompts(generator *g, ds_work *w, ds_block *b, job *jobs, bool *ok, ds_err *e)
{
	ds_texts texts;
	const ds_col *tokens;
	DS_TRY(ds_work_texts(w, &texts, e));
	DS_TRY(ds_block_get(b, "tokens", &tokens, e));
	if (g->talker.chat)
		DS_TRY(ds_talk_find(&g->talker.columns, b, ds_chat_of(g->talker.chat), true, e));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		bool has;
		ds_slot_ask *ask = &jobs[i].ask;
		jobs[i] = (job){ .ask = { .how = opt.how,
					 .key = ds_block_record(b, i),
					 .max_tokens = opt.max_tokens,
					 .stops = g->stops,
					 .n_stops = g->n_stops,
					 .logprobs = opt.logprobs } };
		ds_err bad;
		ok[i] = false;
		if (g->before)
			DS_TRY(said_before(g, w, b, i, &jobs[i], e));
		if (jobs[i].said.at)
			continue;
		ds_rc rc = prompt_of(g, w, &texts, i, tokens, ask, &has, &bad);
		if (rc != DS_OK && !(rc == DS_BAD && (g->talker.chat || g->filler))) {
			*e = bad;
			return rc;
		}
		const char *why = rc != DS_OK      ? bad.msg
				  : has            ? unfit(g, w, ask)
				  : g->talker.chat ? "neither a conversation nor text"
						   : NULL;
		ok[i] = rc == DS_OK && has && !why;
		if (why)
			DS_TRY(ds_work_bad(w, b, i, e, "%s", why));
	}
	return DS_OK;
}

/* As many slots as memory has room for, up to --batch. */
static ds_rc open_slots(generator *g, int64_t context, ds_err *e)
{
	double have = opt.memory.bytes ? (double)opt.memory.bytes : ds_device_free_bytes(g->device);
	ds_slots_opts o = { .slots = opt.batch,
		.context = context,
		.limit_bytes = (uint64_t)have,
		.precision = opt.precision };
	for (; o.slots > 1; o.slots /= 2) {
		uint64_t bytes;
		DS_TRY(ds_slots_bytes(g->m, ds_device_backend(g->device), (unsigned)g->common->jobs,
			&o, &bytes, e));
		if (bytes <= o.limit_bytes)
			break;
	}
	g->n_slots = o.slots;
	DS_TRY(ds_slots_open(&g->slots, g->m, g->device, &o, e));
	if (o.slots < opt.batch)
		ds_warn(&g->common->who,
			"%lld sequences of %lld tokens at once instead of --batch %lld: %.0f MiB "
			"of "
			"memory",
			(long long)o.slots, (long long)context, (long long)opt.batch,
			have / (1 << 20));
	return DS_OK;
}

/* A decoder with room for the longest of them, in steps so that it is seldom made anew. */
static ds_rc fit(generator *g, const job *jobs, const bool *ok, uint32_t n, ds_err *e)
{
	int64_t need = 1;
	for (uint32_t i = 0; i < n; i++)
		if (ok[i] && (int64_t)jobs[i].ask.n_prompt + opt.max_tokens > need)
			need = (int64_t)jobs[i].ask.n_prompt + opt.max_tokens;
	need = (need + 127) / 128 * 128;
	int64_t most = ds_model_longest(g->m);
	need = need < most ? need : most;
	if (g->slots && ds_slots_context(g->slots) >= need)
		return DS_OK;
	ds_slots_close(g->slots);
	g->slots = NULL;
	return open_slots(g, need, e);
}

/* Room for what a job gives. */
static void reserve(generator *g, job *j, ds_arena *mem)
{
	int64_t left = ds_slots_context(g->slots) - (int64_t)j->ask.n_prompt;
	size_t n = (size_t)(left < opt.max_tokens ? left : opt.max_tokens) + 1;
	size_t vocab = (size_t)ds_model_config(g->m)->vocab_size;
	j->out = ds_arena_get(mem, n * sizeof(*j->out));
	j->logprobs = opt.logprobs ? ds_arena_get(mem, n * sizeof(*j->logprobs)) : NULL;
	j->logits = opt.logits ? ds_arena_get(mem, vocab * sizeof(*j->logits)) : NULL;
}

static void take_event(generator *g, job *j, const ds_slot_event *v)
{
	if (j->logits && v->n_out <= 1)
		memcpy(j->logits, v->logits,
			(size_t)ds_model_config(g->m)->vocab_size * sizeof(*j->logits));
	if (!v->has_id || v->end == DS_SLOT_STOP)
		return;
	if (j->logprobs)
		j->logprobs[j->n_out] = v->logprob;
	j->out[j->n_out++] = v->id;
}

static ds_rc run_jobs(generator *g, job *jobs, const bool *ok, uint32_t n, ds_arena *mem, ds_err *e)
{
	job **owner = ds_arena_zero(mem, (size_t)g->n_slots * sizeof(*owner));
	uint32_t next = 0;
	for (;;) {
		const ds_slot_event *events;
		size_t n_events;
		int64_t slot;
		/* A run for prompts costs as much for one as for a few, so a few places are left free first. */
		bool admits = ds_slots_free(g->slots) * 4 >= g->n_slots || !ds_slots_busy(g->slots);
		for (; next < n && (!ok[next] || (admits && ds_slots_free(g->slots))); next++) {
			if (!ok[next])
				continue;
			reserve(g, &jobs[next], mem);
			DS_TRY(ds_slots_admit(g->slots, &jobs[next].ask, &slot, e));
			owner[slot] = &jobs[next];
		}
		if (!ds_slots_busy(g->slots))
			return DS_OK;
		DS_TRY(ds_slots_step(g->slots, &events, &n_events, e));
		for (size_t i = 0; i < n_events; i++) {
			take_event(g, owner[events[i].slot], &events[i]);
			if (events[i].end != DS_SLOT_GOES_ON)
				ds_slots_release(g->slots, events[i].slot);
		}
	}
}

static ds_rc put_columns(generator *g, ds_block *b, const job *s, const bool *ok, ds_err *e)
{
	const ds_tok *tok = ds_model_tok(g->m);
	ds_colb *pred = ds_colb_new(b, "pred", tok ? DS_T_UTF8 : DS_T_U32S);
	ds_colb *probs = opt.logprobs ? ds_colb_new(b, "logprobs", DS_T_F32S) : NULL;
	ds_colb *logits = opt.logits ? ds_colb_new(b, "logits", DS_T_F32S) : NULL;
	size_t vocab = (size_t)ds_model_config(g->m)->vocab_size;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		g->n_tokens += ok[i] ? s[i].n_out : 0;
		g->text.n = 0;
		if (s[i].said.at) {
			ds_colb_bytes(pred, s[i].said);
		} else if (!ok[i]) {
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
	size_t n_opts;
	const ds_opt *opts = ds_work_opts(w, &n_opts);
	if (!opt.any_tokenizer)
		DS_TRY(ds_model_meet(g->m, opts, n_opts, &g->seen, e));
	job *jobs = ds_arena_get(mem, (b->n_rows + 1) * sizeof(*jobs));
	bool *ok = ds_arena_get(mem, b->n_rows + 1);
	DS_TRY(prompts(g, w, b, jobs, ok, e));
	DS_TRY(fit(g, jobs, ok, b->n_rows, e));
	DS_TRY(run_jobs(g, jobs, ok, b->n_rows, mem, e));
	return put_columns(g, b, jobs, ok, e);
}

/* Where a continuation ends. */
static void settle_stops(generator *g)
{
	size_t n;
	const int64_t *ends = ds_model_ends(g->m, &n);
	if (opt.ignore_eos)
		return;
	g->stops = DS_NEW(uint32_t, n + 1);
	for (size_t i = 0; i < n; i++)
		if (ends[i] >= 0 && ends[i] < UINT32_MAX)
			g->stops[g->n_stops++] = (uint32_t)ends[i];
	if (g->talker.chat)
		g->stops[g->n_stops++] = ds_chat_end(g->talker.chat);
}

static void summary(void *state, ds_buf *out)
{
	const generator *g = state;
	ds_buf_fmt(out, "%llu token%s", (unsigned long long)g->n_tokens, ds_s(g->n_tokens));
	if (g->before)
		ds_buf_fmt(out, ", %llu record%s taken from before",
			(unsigned long long)resume_taken(g->before), ds_s(resume_taken(g->before)));
}

static bool is_encoder(const ds_model *m)
{
	return ds_model_config(m)->arch->traits & DS_ARCH_ENCODER;
}

static ds_rc open_files(generator *g, const ds_common *c, ds_err *e)
{
	if ((opt.template || opt.resume) && (opt.embed || is_encoder(g->m)))
		return ds_fail(e, DS_USAGE, "--%s is for texts that are continued",
			opt.template ? "template" : "resume");
	if (opt.resume && (opt.logprobs || opt.logits || !ds_model_tok(g->m)))
		return ds_fail(e, DS_USAGE,
			"--resume takes pred as text alone: not --logprobs, --logits or a model "
			"without a tokenizer");
	if (opt.template)
		DS_TRY(filler_open(&g->filler, opt.template, e));
	return opt.resume ? resume_open(&g->before, opt.resume, c, e) : DS_OK;
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	generator g = { .common = c };
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
	DS_TRY(ds_precision_find(&opt.precision, opt.precision_name, e));
	ds_model_opts how = { .soft = !opt.embed, .ignore_keys = opt.ignore_keys };
	ds_rc rc = ds_model_open_with(&g.m, opt.model, &how, e);
	if (rc == DS_OK)
		rc = ds_device_open(&g.device, opt.device, (unsigned)c->jobs, e);
	if (rc == DS_OK && ds_config_images(ds_model_config(g.m))) {
		rc = opt.precision
			     ? ds_fail(e, DS_USAGE, "--precision is for models of texts")
			     : see_run(g.m, g.device,
				       &(see_opts){ opt.embed, opt.labels, opt.prompt }, c, e);
	} else if (rc == DS_OK && (opt.labels || opt.prompt)) {
		rc = ds_fail(e, DS_USAGE,
			"--labels and --prompt are for models of texts and pictures, %s is none",
			ds_model_config(g.m)->arch->name);
	} else if (rc == DS_OK) {
		if (ds_model_tok(g.m))
			g.scratch = ds_tok_scratch_new(ds_model_tok(g.m));
		if (opt.chat)
			rc = talker_open(&g.talker, g.m, opt.layout, c, e);
		if (rc == DS_OK)
			rc = open_files(&g, c, e);
		settle_stops(&g);
		opt.how.n_ids = ds_model_tok(g.m) ? ds_tok_size(ds_model_tok(g.m)) : 0;
		embed_run r = { g.m, g.device, g.scratch, opt.batch, opt.precision, NULL,
			opt.any_tokenizer, 0 };
		ds_stage generate = {
			.name = "dsgen",
			.state = &g,
			.reads_field =
				opt.chat || opt.template ? DS_FIELD_OPTIONAL : DS_FIELD_NEEDED,
			.instead = "tokens",
			.order = continue_block,
			.summary = summary,
		};
		ds_stage embed = {
			.name = "dsgen",
			.state = &r,
			.reads_field = DS_FIELD_NEEDED,
			.instead = "tokens",
			.order = embed_block,
		};
		ds_stage label = {
			.name = "dsgen",
			.reads_field = DS_FIELD_OPTIONAL, /* or words, or tokens */
			.order = label_block,
		};
		bool labels = !opt.embed && is_encoder(g.m);
		DS_AUTO(ds_predictor) p = NULL;
		if (rc == DS_OK && labels)
			rc = ds_predictor_open(&p, g.m, g.device, opt.batch, opt.precision, e);
		if (rc == DS_OK && labels && opt.any_tokenizer)
			ds_predict_any_tokenizer(p);
		if (rc == DS_OK && labels && opt.logits)
			ds_predict_logits(p);
		label_run said = { p, 0 };
		label.state = &said;
		if (rc == DS_OK)
			rc = ds_run_stage(c, opt.embed ? &embed : labels ? &label : &generate, e);
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
	DS_ARG(0, "template", &opt.template, "TEXT",
		"the prompt, with {field} for what a record has; {{ is a brace"),
	DS_ARG_F(0, "resume", &opt.resume, "FILE",
		"an earlier output of this run that was cut short: go on from its end",
		DS_ARG_UNRECORDED),
	DS_ARG(0, "ignore-eos", &opt.ignore_eos, NULL, "go on after the end-of-sequence token"),
	DS_ARG(0, "no-add-special", &opt.no_special, NULL,
		"leave out the tokens that the tokenizer puts around a text (BOS)"),
	DS_ARG(0, "any-tokenizer", &opt.any_tokenizer, NULL,
		"take shards of another tokenizer than the model's, their ids as they are"),
	DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	DS_ARG(0, "logprobs", &opt.logprobs, NULL, "add each token's log probability"),
	DS_ARG(0, "logits", &opt.logits, NULL, "add the logits after the prompt"),
	DS_ARG(0, "labels", &opt.labels, "A,B|FILE",
		"labels among which a model of texts and pictures chooses"),
	DS_ARG(0, "prompt", &opt.prompt, "TEXT",
		"the text of a label, {} in its place ('a photo of a {}')"),
	DS_ARG(0, "embed", &opt.embed, NULL,
		"add a vector for the whole record, and no completion"),
	DS_ARG_F(0, "batch", &opt.batch, "N", "sequences computed together (8)", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "memory", &opt.memory, "SIZE",
		"what weights and sequences may take: as many at once as fit, up to --batch",
		DS_ARG_UNRECORDED),
	DS_ARG(0, "precision", &opt.precision_name, "fp32|bf16|int8",
		"in which matrix products take their operands (fp32)"),
	DS_ARG_F(0, "device", &opt.device, "auto|cpu|cuda",
		"where it runs (auto: an NVIDIA device if there is one)", DS_ARG_UNRECORDED),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const ds_tool tool = {
		.name = "dsgen",
		.usage = "-m DIR [options] [FILE...]",
		.what = "what a model says of records: completions, labels, spans, filled masks, vectors",
		.args = args,
		.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS,
		.run = run,
		.failed = ds_run_failed,
		.examples = {
			"echo 'The Debian project' | dsgen -m run/ --to jsonl",
			"dsgen -m run/ --temperature 0.7 --top-p 0.9 --seed 7 prompts.jsonl",
			"dsgen -m run/ --max-tokens 0 --logits prompts.txt --to jsonl",
		},
	};
	return ds_main(&tool, argc, argv);
}
