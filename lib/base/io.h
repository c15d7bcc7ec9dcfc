/*
 * io.h - files in and out
 *
 * Input: any file or stdin, with gzip, zstd, bzip2 and xz (also several members after one another)
 * undone on the way, known by their magic. Output: stdout, a device, or a file written beside its final place
 * and renamed by ds_out_finish; ds_out_close without finish leaves nothing behind. SIGPIPE is
 * ignored by ds_main: a reader that went away is DS_PIPE here. One thread at a time per object.
 */
#ifndef DS_BASE_IO_H
#define DS_BASE_IO_H

#include "base/err.h"
#include "base/str.h"

/* What may be around bytes. Those behind DS_XZ have no magic: they come where a header names them. */
typedef enum {
	DS_RAW,
	DS_GZIP,
	DS_ZSTD,
	DS_BZIP2,
	DS_XZ,
	DS_ZLIB,
	DS_DEFLATE, /* without a header */
	DS_BROTLI,
} ds_wrap;
/* The wrap that a name's end says (.gz .zst .bz2 .xz, letters' case does not matter), else DS_RAW. */
ds_wrap ds_wrap_of_name(ds_str name);
ds_str ds_name_unwrapped(ds_str name); /* without that end */

typedef struct ds_in ds_in;
/* path "-" is stdin. DS_IO where it cannot be opened; a directory is DS_IO and says so. */
DS_MUST ds_rc ds_in_open(ds_in **in, const char *path, ds_err *e);
/* What is behind a descriptor that the caller keeps open and closes; name is for messages. */
DS_MUST ds_rc ds_in_from_fd(ds_in **in, int fd, const char *name, ds_err *e);
/* Bytes that the caller keeps alive; unwrapped like a file. For tests, fuzzing and archives. */
ds_in *ds_in_from_mem(const void *p, size_t n, const char *name);
void ds_in_close(ds_in *in);
/*
 * What was not read yet is text of that charset and is given as UTF-8, bad bytes marked as base/charset.h has it.
 * Once, and not where it is mapped. DS_USAGE: there is no such charset.
 */
DS_MUST ds_rc ds_in_decode(ds_in *in, const char *charset, ds_err *e);
/* Fills out up to n; *got < n only at the end of the input. Damaged or cut: DS_SHORT, once all before it was read. */
DS_MUST ds_rc ds_in_read(ds_in *in, void *out, size_t n, size_t *got, ds_err *e);
/* What is there, at least one byte unless at the end: for pipes, where waiting would hurt. */
DS_MUST ds_rc ds_in_some(ds_in *in, void *out, size_t n, size_t *got, ds_err *e);
/* Looks at the next bytes (n <= 64 KiB) without taking them; fewer only at the end. View until the next call. */
DS_MUST ds_rc ds_in_peek(ds_in *in, size_t n, ds_str *view, ds_err *e);
/* The whole regular uncompressed file mapped from here on, or false: then read it. Lives until close. */
bool ds_in_map(ds_in *in, ds_str *view); /* after true, only the view is read */
/* Mapped bytes before this one are done with: they stay readable, but count as memory no more. */
void ds_in_forget(ds_in *in, uint64_t before);
bool ds_in_is_pipe(const ds_in *in);         /* a FIFO or a socket: there is a writer */
const char *ds_in_name(const ds_in *in);     /* as given; "-" is "stdin" */
ds_wrap ds_in_wrap(const ds_in *in);         /* what was found around the bytes */
uint64_t ds_in_offset(const ds_in *in);      /* bytes given so far, after unwrapping */
uint64_t ds_in_file_offset(const ds_in *in); /* bytes taken from the file itself, for progress */
int64_t ds_in_file_size(const ds_in *in);    /* -1: not known */
bool ds_in_damaged(const ds_in *in); /* what is around the bytes is damaged, or ends early */
uint64_t ds_in_unread(
	const ds_in *in); /* bytes of the file behind what came out of it; 0: not known */
DS_AUTO_WITH(ds_in, ds_in_close)

typedef struct ds_out ds_out;
/*
 * path NULL or "-" is stdout. A regular or new file is written as a neighbour and renamed, following
 * symbolic links and keeping the mode; devices, FIFOs and sockets are written directly.
 */
DS_MUST ds_rc ds_out_open(ds_out **out, const char *path, ds_err *e);
/* Behind a descriptor that the caller keeps open and closes; name is for messages. */
ds_out *ds_out_from_fd(int fd, const char *name);
/* Gathers everything in a buffer instead; view until close. For tests and archives. */
ds_out *ds_out_to_mem(ds_buf *into);
/* Compresses what follows as one file of that kind; call before the first write. level 0: default. */
DS_MUST ds_rc ds_out_wrap(ds_out *out, ds_wrap wrap, int level, ds_err *e);
/* Large writes go straight through; small ones are gathered. */
DS_MUST ds_rc ds_out_write(ds_out *out, const void *p, size_t n, ds_err *e);
/* The same for several pieces, in one system call where they are large. */
DS_MUST ds_rc ds_out_parts(ds_out *out, const ds_str *parts, size_t n, ds_err *e);
DS_MUST ds_rc ds_out_flush(ds_out *out, ds_err *e);
DS_MUST ds_rc ds_out_finish(ds_out *out, ds_err *e); /* flush, sync, rename: then it is there */
/* The same but for the rename, which comes when the run has succeeded, with those of its other outputs (outs.h). */
DS_MUST ds_rc ds_out_deliver(ds_out *out, ds_err *e);
void ds_out_close(ds_out *out); /* without finish: discards. NULL is fine */
bool ds_out_is_terminal(const ds_out *out);
bool ds_out_stdout_used(void);             /* something was written to stdout through a ds_out */
uint64_t ds_out_offset(const ds_out *out); /* bytes taken so far, before wrapping */
DS_AUTO_WITH(ds_out, ds_out_close)

/* Reads or writes a small file whole; the read refuses more than limit_bytes with DS_BAD. */
DS_MUST ds_rc ds_file_read(const char *path, size_t limit_bytes, ds_buf *into, ds_err *e);
DS_MUST ds_rc ds_file_deliver(const char *path, ds_str bytes, ds_err *e); /* as ds_out_deliver */
DS_MUST ds_rc ds_file_write(const char *path, ds_str bytes, ds_err *e);   /* beside, sync, rename */
/* DS_IO where no file of that name can be made: its folder is not there, or it is a folder itself. "-" is fine. */
DS_MUST ds_rc ds_file_place(const char *path, bool may_be_folder, ds_err *e);
/* The file that a chain of symbolic links ends at, which need not exist, at the end of `at`. */
DS_MUST ds_rc ds_file_follow(const char *path, ds_buf *at, ds_err *e);
/*
 * What a name stands for: links followed; of a file that is not there, by its folder. NULL: a device, FIFO or
 * socket, or a folder that is not there. The caller frees it with ds_mem_free.
 */
char *ds_file_real(const char *path);
DS_MUST ds_rc ds_dir_make(const char *path, ds_err *e);   /* with its parents; may exist */
DS_MUST ds_rc ds_dir_remove(const char *path, ds_err *e); /* with all in it; may be absent */
/* Names in a folder in byte order, those beginning with a dot left out; NULL-ended, ds_names_free. */
DS_MUST ds_rc ds_dir_list(const char *path, char ***names, ds_err *e);
void ds_names_free(char **names);

#endif
