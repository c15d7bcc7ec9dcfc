/*
 * run.h - a training run: what its parts share
 *
 * setup.c opens everything, loop.c trains, save.c keeps --out, report.c tells, eval.c measures.
 */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "base/machine.h"
#include "base/progress.h"
#include "model/checkpoint.h"
#include "model/mlm.h"
#include "model/engine.h"
#include "model/own_chat.h"
#include "model/rows.h"
#include "model/side.h"
#include "model/tb.h"
#include "opts.h"

#include <stdio.h>

typedef struct {
	FILE *log; /* OUT/log.jsonl */
	int64_t log_bytes;
	ds_tb *tb;
	ds_progress *progress;
	double gemm_flops; /* a second, measured at the start; 0: not measured */
	double step_flops;
	double started, last; /* seconds */
	int64_t first_step, tokens_before;
	double first_loss, loss, eval_loss;
} train_report;

typedef struct {
	const ds_common *c;
	ds_common common; /* c's own, where a config.ini says more */
	ds_out *rejects;  /* of --on-error reject; NULL: none */
	train_opts *o;
	ds_arena *mem;
	const char *out; /* NULL with --dump and --dry-run */
	int out_fd;      /* locked; -1: none */
	const char *const *data;
	size_t n_data;
	double *mix; /* their weights; NULL: they are not mixed */
	ds_config config;
	ds_lora lora;   /* r 0: none */
	ds_soft soft;   /* kind NONE: none */
	bool adapts;    /* only an adapter is trained */
	ds_model *from; /* a model directory to start from, or NULL */
	ds_tok *kept_tok; /* OUT's, of a run that goes on; else from's, where `side` makes it another */
	ds_side side;     /* special tokens that are others than in `from` */
	const ds_chat_layout *chat; /* of task=chat */
	bool own_chat;              /* it is that of the model directory */
	ds_rows *rows, *eval_rows;
	ds_device *device;
	ds_compile compile;
	ds_engine *train, *eval;
	int64_t seq, wide; /* tokens of a row; with the virtual ones in front: the graph's seq */
	int64_t step_rows, micro_rows, n_micro;
	int64_t n_rows;     /* of the data */
	int64_t limit_rows; /* over all epochs; INT64_MAX where only steps are counted */
	int64_t steps;      /* of the whole run */
	ds_schedule schedule;
	ds_ckpt state;
	train_report report;
	ds_mlm mlm;
	int64_t per_row;   /* targets of a row: seq, or as many as a task has */
	ds_arena *row_mem; /* for the row at hand */
	/* a step's rows, all of them: [step_rows * seq] */
	int32_t *ids, *positions, *first, *last, *types;
	int32_t *targets, *picks; /* [step_rows * per_row]; picks: their positions in the row */
	uint8_t *plain;           /* [seq] */
} train_run;

/* setup.c */
DS_MUST ds_rc train_open(train_run *r, ds_err *e);
void train_close(train_run *r);
ds_compile train_compile(const train_opts *o);
/* The graph of a run, as it is trained or evaluated. */
ds_engine_opts train_engine_opts(const train_run *r, bool train, ds_exec_opts opts);
/* choose.c: options, model and data, everything that needs no memory yet */
DS_MUST ds_rc train_choose(train_run *r, ds_err *e);
/* save.c */
DS_MUST ds_rc train_write_in_out(
	train_run *r, const char *file, ds_buf *text, ds_err *e); /* frees text */
DS_MUST ds_rc train_out_open(
	train_run *r, ds_err *e); /* locks; refuses a folder with something in it */
DS_MUST ds_rc train_out_begin(
	train_run *r, ds_err *e); /* config.json, config.ini, tokenizer.json */
DS_MUST ds_rc train_write_tokenizer(
	train_run *r, const ds_tok *tok, ds_err *e); /* and what is beside it; tok may be NULL */
DS_MUST ds_rc train_save(train_run *r, ds_err *e);
uint64_t train_data_identity(
	const train_run *r); /* of the rows and of what made and separates them */
/* fetch.c: row i of what is kept for a step; number: of the row among all that are ever used */
DS_MUST ds_rc train_fetch_row(train_run *r, ds_rows *rows, int64_t row, int64_t i, uint64_t number,
	int64_t *n_targets, ds_err *e);
void train_blank_row(train_run *r, int64_t i);
DS_MUST ds_rc train_choose_task(train_run *r, ds_err *e);           /* before the data */
DS_MUST ds_rc train_open_task(train_run *r, bool fixed, ds_err *e); /* after it */
void train_fetch_open(train_run *r);
void train_copy_rows(train_run *r, ds_engine *t, int64_t row, int64_t n);
int64_t train_graph_targets(const train_run *r); /* of a row, in the graph */
/* loop.c */
DS_MUST ds_rc train_loop(train_run *r, ds_err *e);
/* eval.c */
DS_MUST ds_rc train_eval(train_run *r, double *loss, ds_err *e);
/* report.c */
DS_MUST ds_rc train_report_open(train_run *r, ds_err *e);
typedef struct {
	double loss, lr, grad_norm;
	double scale; /* of the loss; 0: there is none */
	double z;     /* of a loss far above those before: deviations from their mean; else 0 */
	bool skipped; /* the gradients were over fp16's range */
	bool empty;   /* no row had a target: nothing was computed */
} train_figures;
DS_MUST ds_rc train_report_step(train_run *r, const train_figures *f, ds_err *e);
DS_MUST ds_rc train_report_eval(train_run *r, double loss, ds_err *e);
DS_MUST ds_rc train_report_end(train_run *r, const char *how, ds_err *e);
void train_report_close(train_run *r);
/* outlier.c: how many deviations a step's loss is above those before it; 0: it is no outlier */
double train_outlier(train_run *r, int64_t step, double loss);
/* fit.c */
DS_MUST ds_rc train_fit(train_run *r, ds_err *e); /* into --memory or the machine's, or says how */
DS_MUST ds_rc train_explain_ways(train_run *r, uint64_t activations, ds_buf *b, ds_err *e);
/* What evaluation takes beside the weights, 0 without eval_data. */
DS_MUST ds_rc train_eval_bytes(train_run *r, uint64_t *bytes, ds_err *e);
/* scale.c */
double train_scale(train_run *r); /* what the loss is multiplied by */
/* The scale for the next step; false where this one is not finite, and that is no overflow. */
bool train_scale_next(train_run *r, train_figures *f);
/* gemm.c: floating-point operations a second of a large matrix product, measured for `seconds` */
DS_MUST ds_rc train_gemm_rate(const train_run *r, double seconds, double *flops, ds_err *e);
/* show.c */
DS_MUST ds_rc train_show(train_run *r, ds_err *e); /* --dump, --dry-run: to stdout */
/* merge.c */
DS_MUST ds_rc train_merge(train_run *r, ds_err *e);
/* plot.c */
DS_MUST ds_rc train_plot(const ds_common *c, ds_err *e);

double train_now(void); /* seconds, monotonic */

#endif
