/*
 * report.h - names and values as a table, TSV or JSON
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/args.h"
#include "base/str.h"

typedef struct {
	ds_buf *out;
	int form; /* 0 table, 1 tsv, 2 json */
	bool any;
} report;

DS_MUST ds_rc report_form(const ds_common *c, int *form, ds_err *e);
void report_key(report *r, const char *name); /* the value follows in r->out, then report_end */
void report_end(report *r);
void report_text(report *r, const char *name, ds_str v);
void report_count(report *r, const char *name, uint64_t v);
void report_ratio(report *r, const char *name, double v);
DS_MUST ds_rc report_write(const ds_common *c, report *r, ds_err *e);

#endif
