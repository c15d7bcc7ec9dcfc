/*
 * han.c - the door to OpenCC, which is looked for when it is needed: programs run without it
 */
#include "text/han.h"

#include "base/mem.h"
#include "text/grow.h"
#include "text/unicode.h"
#include "text/unicode_impl.h"

#include <dlfcn.h>

enum { PIECE = 1 << 16 };

/* OpenCC's C interface, stable since its version 1.0. */
typedef void *open_fn(const char *config);
typedef const char *error_fn(void); /* of the last call that failed */
typedef int close_fn(void *converter);
typedef size_t convert_fn(void *converter, const char *in, size_t n, char *out);

struct ds_han {
	void *library, *converter; /* OpenCC's; NULL: none */
	close_fn *close;
	convert_fn *convert;
	ds_icu_han *icu;
};

/*
 * Nothing where there is no OpenCC. One that is there and cannot read its files is an error: single
 * characters would be other text than the same command gives elsewhere.
 */
static ds_rc open_library(ds_han *h, bool simplify, ds_err *e)
{
	const char *config = simplify ? "t2s.json" : "s2t.json";
	h->library = dlopen("libopencc.so.1.1", RTLD_NOW | RTLD_LOCAL);
	if (!h->library)
		return DS_OK;
	open_fn *open = (open_fn *)dlsym(h->library, "opencc_open");
	h->close = (close_fn *)dlsym(h->library, "opencc_close");
	h->convert = (convert_fn *)dlsym(h->library, "opencc_convert_utf8_to_buffer");
	error_fn *error = (error_fn *)dlsym(h->library, "opencc_error");
	if (!open || !h->close || !h->convert || !error)
		return DS_OK;
	h->converter = open(config);
	if (h->converter != (void *)-1)
		return DS_OK;
	h->converter = NULL;
	return ds_fail(e, DS_IO, "OpenCC's %s: %s", config, error());
}

ds_rc ds_han_new(ds_han **out, bool simplify, ds_err *e)
{
	ds_han *h = *out = DS_NEW(ds_han, 1);
	DS_TRY(open_library(h, simplify, e));
	if (!h->converter)
		h->icu = ds_icu_han_new(simplify);
	return h->converter || h->icu ? DS_OK : ds_fail(e, DS_IO, "ICU has no such conversion");
}

void ds_han_free(ds_han *h)
{
	if (!h)
		return;
	if (h->converter)
		h->close(h->converter);
	if (h->library)
		dlclose(h->library);
	ds_icu_han_free(h->icu);
	ds_mem_free(h);
}

bool ds_han_phrases(const ds_han *h)
{
	return h->converter != NULL;
}

static bool may_change(ds_str text)
{
	unsigned any = 0;
	for (size_t i = 0; i < text.n; i++)
		any |= (uint8_t)text.at[i] >= 0xe3;
	return any;
}

/* A piece of valid UTF-8, cut after a line where there is one. */
static size_t piece(ds_str s)
{
	if (s.n <= PIECE)
		return s.n;
	const char *line = memrchr(s.at, '\n', PIECE);
	size_t n = line ? (size_t)(line - s.at) + 1 : PIECE;
	while (((uint8_t)s.at[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void convert(ds_han *h, ds_grow *out, ds_str s)
{
	/* A phrase may grow, by two characters at most for each of its own. */
	char *to = ds_grow_reserve(out, 4 * s.n + 64);
	size_t n = (size_t)-1;
	if (h->converter && !memchr(s.at, '\0', s.n))
		n = h->convert(h->converter, s.at, s.n, to);
	else if (h->icu)
		n = ds_icu_han_convert(h->icu, s, to, 4 * s.n + 64);
	if (n == (size_t)-1)
		ds_grow_add(out, s.at, s.n);
	else
		out->n += n;
}

ds_str ds_han_convert(ds_han *h, ds_str text, ds_arena *mem)
{
	if (!may_change(text))
		return text;
	ds_grow out = { .mem = mem };
	ds_grow_reserve(&out, text.n + text.n / 8 + 64);
	for (ds_str s = text; s.n;) {
		size_t n = ds_utf8_valid(s);
		if (n == 0) {
			ds_grow_byte(&out, s.at[0]);
			n = 1;
		} else {
			n = piece((ds_str){ s.at, n });
			convert(h, &out, (ds_str){ s.at, n });
		}
		s = (ds_str){ s.at + n, s.n - n };
	}
	return ds_str_eq(ds_grow_view(&out), text) ? text : ds_grow_view(&out);
}
