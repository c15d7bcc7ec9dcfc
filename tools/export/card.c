/*
 * card.c - see card.h
 */
#include "card.h"

#include <math.h>

static const char *task(const ds_config *c)
{
	bool encoder = c->arch->traits & DS_ARCH_ENCODER;
	return c->head == DS_HEAD_SEQ     ? "text-classification"
	       : c->head == DS_HEAD_TOKEN ? "token-classification"
	       : c->head == DS_HEAD_NONE  ? "feature-extraction"
	       : encoder                  ? "fill-mask"
					  : "text-generation";
}

/* A cell of a table: no bars, no line ends, nothing that a terminal obeys. */
static void cell(ds_buf *out, ds_str s)
{
	ds_buf shown = { 0 };
	ds_buf_add_shown(&shown, s);
	for (size_t i = 0; i < shown.n; i++) {
		if (shown.at[i] == '|' || shown.at[i] == '`')
			ds_buf_add_byte(out, '\\');
		ds_buf_add_byte(out, shown.at[i]);
	}
	ds_buf_free(&shown);
}

static void put_model(const ds_config *c, int64_t n_weights, ds_buf *out)
{
	ds_buf_fmt(out,
		"A `%s` model of %.1f million parameters: %lld layers of width %lld, %lld heads, a "
		"context of %lld tokens, a vocabulary of %lld.\n",
		c->arch->name, (double)n_weights / 1e6, (long long)c->n_layers,
		(long long)c->hidden_size, (long long)c->n_heads, (long long)c->max_positions,
		(long long)c->vocab_size);
	if (c->n_labels && (c->head == DS_HEAD_SEQ || c->head == DS_HEAD_TOKEN)) {
		ds_buf_add_c(out, "\nIts labels: ");
		for (int64_t i = 0; i < c->n_labels; i++) {
			ds_buf_add_c(out, i ? ", " : "");
			cell(out, ds_str_of(c->labels[i]));
		}
		ds_buf_add_c(out, ".\n");
	}
}

/* What a stage counted: "duplicates 12, short 3" */
static void put_counts(const ds_json *counts, ds_buf *out)
{
	bool first = true;
	for (const ds_json *v = counts ? counts->first : NULL; v; v = v->next) {
		if (v->kind != DS_J_I64 || v->i == 0)
			continue;
		ds_buf_add_c(out, first ? "" : ", ");
		first = false;
		cell(out, v->key);
		ds_buf_fmt(out, " %lld", (long long)v->i);
	}
}

static void put_stages(const ds_json *chain, ds_buf *out)
{
	const ds_json *stages = ds_json_get(chain, "stages");
	ds_buf_add_c(out, "\n| stage | records in | records out | counted |\n"
			  "| --- | ---: | ---: | --- |\n");
	for (const ds_json *s = stages ? stages->first : NULL; s; s = s->next) {
		ds_buf_add_c(out, "| `");
		cell(out, ds_json_text(s, "program", ""));
		ds_buf_add_byte(out, ' ');
		cell(out, ds_json_text(s, "args", ""));
		ds_buf_fmt(out, "` | %lld | %lld | ", (long long)ds_json_int(s, "in", 0),
			(long long)ds_json_int(s, "out", 0));
		put_counts(ds_json_get(s, "counts"), out);
		ds_buf_add_c(out, " |\n");
	}
}

static void put_data(const provenance *p, ds_buf *out)
{
	ds_buf_add_c(out, "\n## Data\n");
	if (!p->chain)
		ds_buf_add_c(out, "\nNot recorded.\n");
	for (const ds_json *c = p->chain ? p->chain->first : NULL; c; c = c->next)
		put_stages(c, out);
}

static void put_training(const provenance *p, ds_buf *out)
{
	ds_buf_add_c(out, "\n## Training\n\n");
	if (p->steps)
		ds_buf_fmt(out, "%lld steps over %lld tokens.\n\n", (long long)p->steps,
			(long long)p->tokens);
	if (!p->n_settings) {
		ds_buf_add_c(out, p->steps ? "" : "Not recorded.\n");
		return;
	}
	ds_buf_add_c(out, "| setting | value |\n| --- | --- |\n");
	for (size_t i = 0; i < p->n_settings; i++) {
		ds_buf_add_c(out, "| ");
		cell(out, p->settings[i][0]);
		ds_buf_add_c(out, " | ");
		cell(out, p->settings[i][1]);
		ds_buf_add_c(out, " |\n");
	}
}

static void put_evaluation(const ds_config *c, const provenance *p, ds_buf *out)
{
	bool lm = c->head == DS_HEAD_LM && !(c->arch->traits & DS_ARCH_ENCODER);
	ds_buf_add_c(out, "\n## Evaluation\n\n");
	if (isnan(p->loss) && isnan(p->eval_loss)) {
		ds_buf_add_c(out, "Not recorded.\n");
		return;
	}
	ds_buf_add_c(out, "| figure | value |\n| --- | ---: |\n");
	if (!isnan(p->loss))
		ds_buf_fmt(out, "| loss of the last step | %.4f |\n", p->loss);
	if (!isnan(p->eval_loss))
		ds_buf_fmt(out, "| loss on held-out data | %.4f |\n", p->eval_loss);
	if (!isnan(p->eval_loss) && lm)
		ds_buf_fmt(out, "| perplexity on held-out data | %.2f |\n", exp(p->eval_loss));
}

static void put_use(const ds_config *c, ds_buf *out)
{
	ds_buf_fmt(out,
		"\n## Use\n\n"
		"    from transformers import pipeline\n"
		"    model = pipeline(\"%s\", \"path/to/this/folder\")\n\n"
		"    dsgen -m path/to/this/folder%s --to jsonl records.jsonl\n",
		task(c), c->head == DS_HEAD_NONE ? " --embed" : "");
}

void card_print(const ds_model *m, int64_t n_weights, const provenance *p, ds_buf *out)
{
	const ds_config *c = ds_model_config(m);
	ds_buf_fmt(out,
		"---\nlibrary_name: transformers\npipeline_tag: %s\ntags:\n- %s\n- dstools\n---\n\n"
		"# %s\n\n",
		task(c), c->arch->name, c->arch->name);
	put_model(c, n_weights, out);
	put_data(p, out);
	put_training(p, out);
	put_evaluation(c, p, out);
	put_use(c, out);
}
