/*
 * report.h - scores as a table, TSV, JSON or Markdown
 */
#ifndef DS_EVAL_REPORT_H
#define DS_EVAL_REPORT_H

#include "score.h"

typedef struct {
	const wanted_list *l;
	const scored *all; /* l->n */
	const char *by;    /* NULL: no groups */
	const names *values;
	const uint32_t *order; /* groups in the order in which they are shown */
	uint32_t n_groups;
	const scored *groups; /* n_groups × l->n, by number of the group */
	const uint64_t *counts;
	uint64_t n;
} report;

typedef enum { REPORT_TABLE, REPORT_TSV, REPORT_JSON, REPORT_MARKDOWN } report_form;
void report_print(ds_buf *out, const report *r, report_form form);

#endif
