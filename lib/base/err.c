/*
 * err.c - messages are built in place; nothing here allocates, so it works when memory is gone
 */
#include "base/err.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes one line of it; cut ones end in "...", never inside a UTF-8 sequence. */
static void tidy(ds_err *e, int wanted)
{
	if (wanted >= DS_ERR_BYTES) {
		size_t n = DS_ERR_BYTES - 4;
		while (n > 0 && ((unsigned char)e->msg[n] & 0xc0) == 0x80)
			n--;
		memcpy(e->msg + n, "...", 4);
	}
	for (char *p = e->msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

ds_rc ds_fail(ds_err *e, ds_rc rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tidy(e, vsnprintf(e->msg, sizeof(e->msg), fmt, ap));
	va_end(ap);
	DS_LOG(DS_LOG_ERR, "born, code %d: %s", (int)rc, e->msg);
	return rc;
}

ds_rc ds_fail_errno(ds_err *e, const char *fmt, ...)
{
	int code = errno;
	char why[128], what[DS_ERR_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* The GNU form, which may return a constant instead of filling the buffer. */
	const char *text = strerror_r(code, why, sizeof(why));
	return ds_fail(e, code == EPIPE ? DS_PIPE : DS_IO, "%s: %s", what, text);
}

ds_rc ds_at(ds_err *e, ds_rc rc, const char *fmt, ...)
{
	char was[DS_ERR_BYTES];
	memcpy(was, e->msg, sizeof(was));
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if (n < DS_ERR_BYTES)
		n += snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", was);
	tidy(e, n);
	return rc;
}
