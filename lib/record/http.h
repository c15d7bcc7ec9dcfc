/*
 * http.h - HTTP responses as crawls keep them: what the header says, and the body before it was sent
 *
 * For importers. Servers and crawlers claim what is not so: a body that is said to be chunked or compressed
 * and is plain is taken as it is, one that ends early as far as it goes. Views live as the content does
 * or in the arena. One thread at a time per ds_http_coders.
 */
#ifndef DS_RECORD_HTTP_H
#define DS_RECORD_HTTP_H

#include "base/arena.h"
#include "base/codec.h"

/*
 * The values of header fields by their names, n = 0 where there is none; lines may end in LF alone. A
 * field that comes again is joined to the first by a comma in mem; with mem NULL the first counts.
 */
void ds_http_fields(
	ds_str header, const char *const *names, size_t n, ds_str *values, ds_arena *mem);
/* Behind the empty line that ends a header, or 0. */
size_t ds_http_header_end(ds_str s);

typedef struct {
	ds_str media;   /* "text/html", in lower case; n = 0: not said, or no media type */
	ds_str charset; /* in lower case; n = 0: not said */
} ds_http_type;
ds_http_type ds_http_type_of(ds_str content_type, ds_arena *mem);

typedef struct {
	unsigned status; /* 0: the content is no HTTP response; then all of it is body */
	ds_http_type type;
	ds_str transfer, coding; /* what is to be undone, as the header says */
	ds_str body;
	bool cut; /* the body ends within its chunks or its coding */
} ds_http;
ds_http ds_http_open(ds_str content, ds_arena *mem);

typedef struct ds_http_coders ds_http_coders; /* their memory, used again for the next body */
ds_http_coders *ds_http_coders_new(void);
void ds_http_coders_free(ds_http_coders *c);
DS_AUTO_WITH(ds_http_coders, ds_http_coders_free)
/*
 * Undoes transfer and content encoding; chunks are joined in place. DS_BAD: it comes to more than
 * limit bytes (0: none). DS_SHORT: it cannot be decoded; h->body is then what came before the damage.
 * *unknown, with DS_OK: a word that names no coding known here stands over bytes that are not plain.
 */
DS_MUST ds_rc ds_http_decode(
	ds_http *h, ds_http_coders *c, ds_arena *mem, uint64_t limit, bool *unknown, ds_err *e);
/* No NUL and at most one control byte of a hundred in the first KiB: what is compressed has ten. */
bool ds_http_is_plain(ds_str s);

#endif
