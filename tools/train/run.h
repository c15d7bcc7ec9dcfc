/*
 * run.h - a training run: what its parts share
 *
 * choose.c decides, setup.c opens everything and trains (lib/train), save.c keeps --out, report.c tells.
 */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "base/machine.h"
#include "base/progress.h"
#include "comm/launch.h"
#include "comm/mpi.h"
#include "model/own_chat.h"
#include "model/pair.h"
#include "model/side.h"
#include "model/tb.h"
#include "opts.h"
#include "train/trainer.h"

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
	ds_world *
		world; /* the ranks that train together, as this process sees them; NULL: it is alone */
	ds_launched *launched;
	ds_trace *trace; /* NULL: none is wanted */
	bool told;       /* what a run tells of itself is wanted: by the first rank */
	const char *const *data;
	size_t n_data;
	double *mix; /* their weights; NULL: they are not mixed */
	ds_train_plan plan;
	bool adapts;    /* only an adapter is trained */
	ds_model *from; /* a model directory to start from, or NULL */
	ds_tok *kept_tok; /* OUT's, of a run that goes on; else from's, where `side` makes it another */
	ds_side side;     /* special tokens that are others than in `from` */
	const ds_chat_layout *chat; /* of task=chat */
	bool own_chat;              /* it is that of the model directory */
	ds_rows *rows, *eval_rows;
	ds_device *device;
	ds_engine *train, *eval;
	ds_engine **slots; /* twins of train */
	int64_t n_rows;    /* of the data */
	ds_ckpt state;
	train_report report;
	ds_mlm mlm;
	ds_prep prep; /* of pictures, where the model takes them */
	ds_feed *feed;
} train_run;

/* setup.c */
DS_MUST ds_rc train_open(train_run *r, ds_err *e);
void train_close(train_run *r);
ds_train_budget train_budget(const train_run *r);
DS_MUST ds_rc train_loop(train_run *r, ds_err *e);
/* ranks.c: processes that train together. What one process does for all is rank 0's. */
/* After train_settle: starts them; *waited: this process only waited for them, and all is done. */
DS_MUST ds_rc train_ranks_layout(train_run *r, ds_err *e); /* the plan's layout, of the settings */
DS_MUST ds_rc train_ranks_start(train_run *r, bool *waited, ds_err *e);
/* A rank does not come back where it failed: the process that waits for it tells why. */
void train_ranks_end(train_run *r, ds_rc rc, const ds_err *e);
/* parallel_strategy=auto: the first layout that the model and a step's rows divide into, and that fits. */
DS_MUST ds_rc train_ranks_auto(train_run *r, ds_err *e);
/* DS_USAGE where ranks have other programs, settings or data. */
DS_MUST ds_rc train_ranks_agree(train_run *r, ds_err *e);
DS_MUST ds_rc train_ranks_plan(train_run *r, ds_err *e);  /* OUT/plan.json */
DS_MUST ds_rc train_ranks_trace(train_run *r, ds_err *e); /* --trace */
/* What ranks sent, all of them together, by kind; bytes are 0 where there is one rank. */
DS_MUST ds_rc train_ranks_traffic(train_run *r, ds_traffic out[DS_N_MOVES], ds_err *e);
static inline bool train_is_first(const train_run *r)
{
	return ds_world_rank(r->world) == 0;
}
/* choose.c: the options alone, from the command line and config.ini */
DS_MUST ds_rc train_settle(train_run *r, ds_err *e);
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
/* task.c */
DS_MUST ds_rc train_choose_task(train_run *r, ds_err *e);           /* before the data */
DS_MUST ds_rc train_open_task(train_run *r, bool fixed, ds_err *e); /* after it */
/* report.c */
DS_MUST ds_rc train_report_open(train_run *r, ds_err *e);
DS_MUST ds_rc train_report_step(train_run *r, const ds_figures *f, ds_err *e);
DS_MUST ds_rc train_report_eval(train_run *r, double loss, ds_err *e);
DS_MUST ds_rc train_report_end(train_run *r, const char *how, ds_err *e);
void train_report_close(train_run *r);
/* show.c */
DS_MUST ds_rc train_show(train_run *r, ds_err *e); /* --dump, --dry-run: to stdout */
/* merge.c */
DS_MUST ds_rc train_merge(train_run *r, ds_err *e);
/* plot.c */
DS_MUST ds_rc train_plot(const ds_common *c, ds_err *e);

#endif
