/*
 * shim.c - failures on order, in front of libc, for programs as they are built for use (LD_PRELOAD)
 *
 * FAULT=KIND:N fails the Nth call of that kind in the process, and later ones work again; KIND is malloc, read,
 * write, fsync, rename, mmap, open or close, or libmalloc, which counts only calls from libraries. FAULT=short
 * lets every read and write do at most seven bytes, FAULT=eintr interrupts every second one. FAULT_COUNT=FILE
 * gets how often each kind was called. What a failure sets is what a full disk, a lack of memory or of
 * descriptors, or a broken device sets.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MALLOC, READ, WRITE, FSYNC, RENAME, MMAP, OPEN, CLOSE, KINDS, PIECE = 7 };
static const char *const names[KINDS] = { "malloc", "read", "write", "fsync", "rename", "mmap",
	"open", "close" };
static const int codes[KINDS] = { ENOMEM, EIO, ENOSPC, EIO, EIO, ENOMEM, EMFILE, EIO };

static atomic_ulong calls[KINDS], turns;
static unsigned long due;
static int kind = -1;
static bool ready, brief, interrupts, of_libraries;

__attribute__((constructor)) static void begin(void)
{
	const char *order = getenv("FAULT");
	ready = true;
	if (!order)
		return;
	brief = strcmp(order, "short") == 0;
	interrupts = strcmp(order, "eintr") == 0;
	if (strncmp(order, "lib", 3) == 0) {
		of_libraries = true;
		order += 3;
	}
	for (int i = 0; i < KINDS; i++) {
		size_t n = strlen(names[i]);
		if (strncmp(order, names[i], n) == 0 && order[n] == ':') {
			due = strtoul(order + n + 1, NULL, 10);
			kind = i;
		}
	}
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("FAULT_COUNT");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
	if (fd < 0)
		return;
	for (int i = 0; i < KINDS; i++)
		dprintf(fd, "%s %lu\n", names[i], atomic_load(&calls[i]));
}

static bool fails(int k)
{
	if (!ready)
		return false;
	unsigned long n = atomic_fetch_add(&calls[k], 1) + 1;
	if (k != kind || n != due)
		return false;
	errno = codes[k];
	return true;
}

/* Whether this turn is an interrupted one. */
static bool interrupted(void)
{
	if (!interrupts || atomic_fetch_add(&turns, 1) % 2)
		return false;
	errno = EINTR;
	return true;
}

static size_t piece(size_t n)
{
	return brief && n > PIECE ? PIECE : n;
}

#define REAL(name) \
	static __typeof__(name) *real; \
	if (!real) \
	real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* dlsym may allocate before malloc is known: glibc's own names need no lookup. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static bool from_program(const void *caller)
{
	Dl_info info;
	return dladdr(caller, &info) && info.dli_fname && !strstr(info.dli_fname, ".so");
}

#define NO_MEMORY \
	(!(of_libraries && ready && from_program(__builtin_return_address(0))) && fails(MALLOC))

void *malloc(size_t n)
{
	return NO_MEMORY ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
	return NO_MEMORY ? NULL : __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
	return NO_MEMORY ? NULL : __libc_realloc(p, n);
}
int posix_memalign(void **p, size_t align, size_t n)
{
	void *q = NO_MEMORY ? NULL : __libc_memalign(align, n);
	if (!q)
		return ENOMEM;
	*p = q;
	return 0;
}
void *aligned_alloc(size_t align, size_t n)
{
	return NO_MEMORY ? NULL : __libc_memalign(align, n);
}

ssize_t read(int fd, void *p, size_t n)
{
	REAL(read);
	return fails(READ) || interrupted() ? -1 : real(fd, p, piece(n));
}
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	REAL(pread);
	return fails(READ) || interrupted() ? -1 : real(fd, p, piece(n), at);
}
ssize_t write(int fd, const void *p, size_t n)
{
	REAL(write);
	/* What is said of a failure is no output. */
	if (fd == STDERR_FILENO)
		return real(fd, p, n);
	return fails(WRITE) || interrupted() ? -1 : real(fd, p, piece(n));
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	REAL(pwrite);
	return fails(WRITE) || interrupted() ? -1 : real(fd, p, piece(n), at);
}
ssize_t writev(int fd, const struct iovec *v, int n)
{
	REAL(writev);
	if (fails(WRITE) || interrupted())
		return -1;
	if (!brief || n == 0)
		return real(fd, v, n);
	struct iovec one = { v->iov_base, piece(v->iov_len) };
	return real(fd, &one, 1);
}
int fsync(int fd)
{
	REAL(fsync);
	return fails(FSYNC) || interrupted() ? -1 : real(fd);
}
int fdatasync(int fd)
{
	REAL(fdatasync);
	return fails(FSYNC) || interrupted() ? -1 : real(fd);
}
int rename(const char *from, const char *to)
{
	REAL(rename);
	return fails(RENAME) ? -1 : real(from, to);
}
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	REAL(mmap);
	return fails(MMAP) ? MAP_FAILED : real(at, n, prot, flags, fd, offset);
}
int open(const char *path, int flags, ...)
{
	REAL(open);
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(OPEN) ? -1 : real(path, flags, mode);
}
int mkostemp(char *path, int flags)
{
	REAL(mkostemp);
	return fails(OPEN) ? -1 : real(path, flags);
}
int close(int fd)
{
	REAL(close);
	if (!fails(CLOSE))
		return real(fd);
	real(fd); /* as a close that failed leaves it */
	errno = EIO;
	return -1;
}
