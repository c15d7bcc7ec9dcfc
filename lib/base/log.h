/*
 * log.h - tracing that is always there
 *
 * DS_TRACE=io,graph,plan,sched,err[:FILE] prints events, one a line, with time, file and line. When
 * off, DS_LOG costs one branch. Threads may call it at once; lines do not mix.
 */
#ifndef DS_BASE_LOG_H
#define DS_BASE_LOG_H

#include "base/err.h"

enum { DS_LOG_IO = 1, DS_LOG_GRAPH = 2, DS_LOG_PLAN = 4, DS_LOG_SCHED = 8, DS_LOG_ERR = 16 };
extern unsigned ds_log_mask;
void ds_log_line(const char *file, int line, const char *fmt, ...) DS_PRINTF(3, 4);
#define DS_LOG(kind, ...) \
	do { \
		if (__builtin_expect(ds_log_mask & (kind), 0)) \
			ds_log_line(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#endif
