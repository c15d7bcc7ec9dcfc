/*
 * tokenize.h - what the subcommands of dstok share
 *
 * Options are set by main.c before a command runs and do not change afterwards.
 */
#ifndef TOKENIZE_H
#define TOKENIZE_H

#include "base/args.h"
#include "record/block.h"
#include "record/run.h"
#include "report.h"
#include "text/tok/tok.h"

typedef struct {
	const char *tokenizer; /* -t; NULL: $DS_TOKENIZER, else built-in */
	const char *pattern;
	bool nfc, specials, bos, eos, no_eos, add_special, keep_text, skip_special;
	int64_t seq;
	const char *pack, *chat, *pair, *truncate;
	double fim;
	const char *model, *write;
	int64_t vocab;
	uint64_t min_frequency, limit_alphabet;
	ds_strs special, text;
	bool languages, offsets;
	ds_size memory;
} tokenize_options;
extern tokenize_options opt;

/* count.c: records, bytes, characters, tokens of all inputs, and the same by language. */
DS_MUST ds_rc count_texts(
	const ds_common *c, const ds_tok *t, bool languages, report *r, ds_err *e);
ds_rc encode_run(const ds_common *c, ds_err *e);
ds_rc decode_run(const ds_common *c, ds_err *e);
ds_rc train_run(const ds_common *c, ds_err *e);
ds_rc count_run(const ds_common *c, ds_err *e);
ds_rc info_run(const ds_common *c, ds_err *e);

/* As tokenizer.json, to path or (NULL) stdout. */
DS_MUST ds_rc write_tokenizer(const char *path, const ds_tok *t, ds_err *e);
/* The tokenizer that the options name. */
DS_MUST ds_rc open_tokenizer(ds_tok **t, ds_err *e);
/* The one that the inputs' optional blocks carry, *t = NULL where none does; several: DS_BAD. */
DS_MUST ds_rc stream_tokenizer(ds_tok **t, const ds_opt *opts, size_t n, ds_err *e);

/*
 * Reads all inputs on c->jobs threads and calls fn for every text of --field, with the field lang or an
 * empty one; worker is below c->jobs, and what fn changes belongs to its worker. Returns how many records had no such field.
 */
typedef ds_rc each_text(void *context, unsigned worker, ds_str text, ds_str lang, ds_err *e);
DS_MUST ds_rc read_texts(const ds_common *c, each_text *fn, void *context, ds_err *e);

#endif
