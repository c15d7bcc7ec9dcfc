/*
 * plots.h - what was gathered as drawings, SVG without anything from outside
 */
#ifndef DS_EVAL_PLOTS_H
#define DS_EVAL_PLOTS_H

#include "score.h"

/*
 * Into the folder dir, which is made: confusion.svg where label and predicted class were gathered; roc.svg and reliability.svg
 * where scores were. They are delivered (io.h). DS_USAGE: neither was; DS_BAD: scores that are no probabilities.
 */
DS_MUST ds_rc plots_write(const char *dir, const tally *t, const score_opts *o, ds_err *e);
/* Whether these metrics gather anything that is drawn: asked before anything is read. */
DS_MUST ds_rc plots_can(const wanted_list *l, ds_err *e);

#endif
