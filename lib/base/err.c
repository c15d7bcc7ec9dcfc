/*
 * err.c - messages are built in place; nothing here allocates, so it works when memory is gone
 */
#include "base/err.h"

#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the character at p, 0 where they are no UTF-8; *c is its number. */
static unsigned character(const unsigned char *p, uint32_t *c)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = *p < 0x80   ? 1
		     : *p < 0xc2 ? 0
		     : *p < 0xe0 ? 2
		     : *p < 0xf0 ? 3
		     : *p < 0xf5 ? 4
				 : 0;
	*c = n < 2 ? *p : *p & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0; /* the NUL at the end stops here too */
		*c = *c << 6 | (p[i] & 0x3f);
	}
	bool surrogate = *c >= 0xd800 && *c < 0xe000;
	return n && (*c < least[n] || surrogate || *c > 0x10ffff) ? 0 : n;
}

/* What moves a terminal's cursor, ends a line, or turns what follows around. */
static bool shows(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x2028 && c != 0x2029 &&
	       !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

void ds_tidy(char *text)
{
	unsigned char *w = (unsigned char *)text;
	uint32_t c;
	for (const unsigned char *p = w; *p;) {
		unsigned n = character(p, &c);
		if (n && shows(c))
			for (unsigned i = 0; i < n; i++)
				*w++ = p[i];
		else
			*w++ = '?';
		p += n ? n : 1;
	}
	*w = '\0';
}

/* Makes one line of it; cut ones end in "...", never inside a UTF-8 sequence. */
static void tidy(ds_err *e, int wanted)
{
	if (wanted >= DS_ERR_BYTES) {
		size_t n = DS_ERR_BYTES - 4;
		while (n > 0 && ((unsigned char)e->msg[n] & 0xc0) == 0x80)
			n--;
		memcpy(e->msg + n, "...", 4);
	}
	ds_tidy(e->msg);
}

static void trace(const char *file, int line, const char *what, ds_rc rc, const ds_err *e)
{
	if (__builtin_expect(ds_log_mask & DS_LOG_ERR, 0))
		ds_log_line(file, line, "%s, code %d: %s", what, (int)rc, e->msg);
}

ds_rc ds_fail_from(const char *file, int line, ds_err *e, ds_rc rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tidy(e, vsnprintf(e->msg, sizeof(e->msg), fmt, ap));
	va_end(ap);
	trace(file, line, "raised", rc, e);
	return rc;
}

ds_rc ds_fail_errno_from(const char *file, int line, ds_err *e, const char *fmt, ...)
{
	int code = errno;
	char why[128], what[DS_ERR_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* The GNU form, which may return a constant instead of filling the buffer. */
	const char *text = strerror_r(code, why, sizeof(why));
	return ds_fail_from(file, line, e, code == EPIPE ? DS_PIPE : DS_IO, "%s: %s", what, text);
}

ds_rc ds_at_from(const char *file, int line, ds_err *e, ds_rc rc, const char *fmt, ...)
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
	trace(file, line, "passed on", rc, e);
	return rc;
}
