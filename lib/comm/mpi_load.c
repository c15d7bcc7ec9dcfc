/*
 * mpi_load.c - finds libds-mpi.so beside the program or above it, or where libraries lie
 */
#include "comm/mpi.h"

#include "base/mem.h"
#include "comm/mpi_table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const ds_mpi *mpi;

static int number(const char *name)
{
	const char *v = getenv(name);
	return v && *v ? atoi(v) : 0;
}

/* srun sets its variables for a single process of salloc too, but a rank's number for those of a step alone. */
int ds_mpi_ranks(void)
{
	int n = number("OMPI_COMM_WORLD_SIZE");
	if (!n)
		n = number("PMI_SIZE");
	if (!n && getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID"))
		n = number("SLURM_STEP_NUM_TASKS");
	return n > 1 ? n : 1;
}

static void *open_beside(void)
{
	static const char *const at[] = { "libds-mpi.so", "../libds-mpi.so",
		"../lib/libds-mpi.so" };
	char self[PATH_BYTES], path[PATH_BYTES + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	void *lib = NULL;
	if (n > 0) {
		self[n] = 0;
		*strrchr(self, '/') = 0;
		for (size_t i = 0; i < sizeof(at) / sizeof(at[0]) && !lib; i++) {
			snprintf(path, sizeof(path), "%s/%s", self, at[i]);
			lib = access(path, F_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
		}
	}
	return lib ? lib : dlopen("libds-mpi.so", RTLD_NOW | RTLD_GLOBAL);
}

ds_rc ds_mpi_open(ds_world **w, ds_err *e)
{
	void *lib = open_beside();
	mpi = lib ? dlsym(lib, "ds_mpi_table") : NULL;
	if (!mpi)
		return ds_fail(e, DS_USAGE, "started by mpirun or srun, but no libds-mpi.so: %s",
			dlerror());
	ds_link *l = mpi->open(ds_mem_zero, ds_mem_free);
	if (!l)
		return ds_fail(e, DS_IO, "MPI does not start");
	*w = ds_world_over(l);
	return DS_OK;
}

/*
 * What was said goes through mpirun, which loses what is on its way when it ends the ranks; and a rank that said nothing
 * leaves that to another.
 */
void ds_mpi_end(ds_world *w, ds_rc rc, bool said)
{
	const struct timespec spoken = { 0, 300 * 1000 * 1000 }, silent = { 3, 0 };
	if (rc != DS_OK) {
		nanosleep(said ? &spoken : &silent, NULL);
		mpi->abort((int)rc);
	}
	ds_world_close(w);
}
