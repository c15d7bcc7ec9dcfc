/*
 * gen.h - texts for one request: prompts, settings, and an answer or several for each
 *
 * Made and started on the thread of the request; then it belongs to the scheduler's thread until `over` was called, which
 * is when all choices are finished. `piece` is called whenever more of a choice is sure. Two hold it: who answers,
 * and the scheduler; the last to drop it frees it.
 */
#ifndef SERVE_GEN_H
#define SERVE_GEN_H

#include "fields.h"
#include "infer/answer.h"
#include "infer/penalty.h"
#include "serve.h"

enum { GEN_TEXT = 1, GEN_CHAT = 2, GEN_MOST_LIKELY = 20, GEN_MOST_STOPS = 16 };

typedef struct { /* what a request says; gen_ask_init gives the defaults */
	ds_str model, suffix;
	const ds_json *prompt, *messages, *stop, *logit_bias, *stream_options, *stop_ids,
		*response_format, *tools, *tool_choice, *functions, *logprobs;
	int64_t max_tokens, max_completion_tokens, n, best_of, seed, top_k, min_tokens,
		top_logprobs, truncate;
	double temperature, top_p, min_p, presence, frequency, repetition;
	bool stream, echo, ignore_eos, with_stop, skip_special, add_special, token_ids;
} gen_ask;
extern const field gen_fields[];
void gen_ask_init(gen_ask *a);

typedef struct { /* a token of the prompt or of the answer */
	uint32_t id;
	float logprob;
	bool known;   /* the first token of a prompt has none */
	size_t chars; /* of the text before it */
} gen_mark;

typedef struct gen gen;
typedef struct {
	work work;
	gen *of;
	size_t index;
	const uint32_t *prompt;
	size_t n_prompt;
	ds_str prompt_text;
	ds_answer answer;
	ds_penalty penalty;
	uint32_t *out;
	size_t n_out,
		n_chars;    /* characters of the text so far, the prompt's too where it is echoed */
	ds_buf marks;       /* gen_mark */
	ds_buf likely;      /* ds_likely, gen.n_likely a mark */
	const char *finish; /* NULL: it goes on */
	uint64_t last_ns;
	size_t n_sent, n_sent_marks; /* of streams */
	bool began;                  /* its stream has */
} gen_choice;

struct gen {
	server *server;
	ds_arena *mem;
	gen_ask ask;
	unsigned kind; /* GEN_TEXT or GEN_CHAT */
	ds_sampling how;
	ds_penalty penalty;
	const ds_str *stops;
	size_t n_stops;
	const uint32_t *stop_ids;
	size_t n_stop_ids;
	bool with_logprobs;
	size_t n_likely;
	gen_choice *choices;
	size_t n;
	size_t left;  /* choices that are not finished */
	work_end end; /* the first that was not WORK_DONE */
	ds_err why;
	size_t n_in, n_out, n_reused; /* tokens */
	int64_t created;
	uint64_t began_ns;
	atomic_int refs;
	/* the user's */
	char id[80];
	http_call *call;
	void *own;
	void (*piece)(gen *g, gen_choice *c);
	void (*over)(gen *g);
};

/* Reads a request; NULL: it is refused. kind: GEN_TEXT or GEN_CHAT. */
gen *gen_new(server *s, unsigned kind, const ds_json *request, ds_arena *mem, refusal *r);
/* The same from what was read otherwise; mem is taken. */
gen *gen_from(server *s, unsigned kind, const gen_ask *ask, ds_arena *mem, refusal *r);
void gen_drop(gen *g); /* NULL is fine */
/* With piece and over set. gone: its client is; it lives as long as the gen. */
bool gen_start(gen *g, const atomic_bool *gone, uint64_t deadline_ns, refusal *r);

#endif
