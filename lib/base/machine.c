/*
 * machine.c - how much memory this process may have
 *
 * The machine's, or less where a control group (a container, a batch job) or ulimit -v says so: going
 * over those ends in a kill without a word. Both versions of control groups are asked, from the
 * process's own group upwards.
 */
#include "base/machine.h"

#include "base/io.h"

#include <sys/resource.h>
#include <unistd.h>

enum { FILE_BYTES = 64 << 10 };

/* The smaller of `most` and what the file says, which may be "max" or be missing. */
static double limited_by(double most, const char *path)
{
	ds_buf text = { 0 };
	ds_err e;
	double limit;
	if (ds_file_read(path, FILE_BYTES, &text, &e) == DS_OK &&
		ds_str_f64(ds_str_trim(ds_buf_view(&text)), &limit) && limit > 0 && limit < most)
		most = limit;
	ds_buf_free(&text);
	return most;
}

/* A group and those around it: DIR/a/b/FILE, DIR/a/FILE, DIR/FILE. */
static double limited_by_groups(double most, const char *dir, ds_str group, const char *file)
{
	ds_buf path = { 0 };
	for (;;) {
		ds_buf_clear(&path);
		ds_buf_fmt(&path, "%s%.*s/%s", dir, DS_FMT(group), file);
		most = limited_by(most, ds_buf_text(&path));
		while (group.n && group.at[group.n - 1] != '/')
			group.n--;
		if (!group.n)
			break;
		group.n--;
	}
	ds_buf_free(&path);
	return most;
}

double ds_process_bytes(void)
{
	ds_buf text = { 0 };
	ds_err e;
	int64_t pages = 0;
	if (ds_file_read("/proc/self/statm", FILE_BYTES, &text, &e) == DS_OK) {
		ds_str rest = ds_buf_view(&text);
		ds_str_cut(rest, ' ', &rest); /* the address space; then what of it is resident */
		if (!ds_str_i64(ds_str_cut(rest, ' ', &rest), &pages))
			pages = 0;
	}
	ds_buf_free(&text);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

double ds_machine_bytes(void)
{
	double most = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
	ds_buf text = { 0 };
	struct rlimit as;
	ds_err e;
	if (ds_file_read("/proc/self/cgroup", FILE_BYTES, &text, &e) == DS_OK) {
		ds_str rest = ds_buf_view(&text), group;
		while (rest.n) { /* "0::/a/b", or "5:memory:/a/b" */
			ds_str line = ds_str_cut(rest, '\n', &rest);
			ds_str_cut(line, ':', &line);
			ds_str kind = ds_str_cut(line, ':', &group);
			if (!kind.n)
				most = limited_by_groups(
					most, "/sys/fs/cgroup", group, "memory.max");
			else if (ds_str_is(kind, "memory"))
				most = limited_by_groups(most, "/sys/fs/cgroup/memory", group,
					"memory.limit_in_bytes");
		}
	}
	ds_buf_free(&text);
	if (getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY &&
		(double)as.rlim_cur < most)
		most = (double)as.rlim_cur;
	return most;
}
