/*
 * load.c - libds-cuda.so, opened when a device is asked for
 *
 * It lies beside the programs: in the folder above theirs, or in lib/ there; DS_CUDA_LIBRARY names another one. The
 * driver is asked first, by three of its functions: that costs nothing where there is none, and says what is wrong
 * before libraries of hundreds of MiB are mapped. DS_CUDA=sim puts the test build's stand-ins for CUDA's libraries in
 * front: what is loaded by its path first is what the library's own dependencies resolve to.
 */
#include "graph/cuda/cuda_impl.h"

#include "base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRIVER = 13000, PATH = 4096 };

static bool is_simulated(void)
{
	const char *v = getenv("DS_CUDA");
	return v && strcmp(v, "sim") == 0;
}

/* ---- the driver ---- */

typedef struct {
	int version, devices;
} driver;

/* DS_IO with what is missing. */
static ds_rc ask_driver(driver *d, ds_err *e)
{
	int (*init)(unsigned), (*version)(int *), (*count)(int *);
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return ds_fail(e, DS_IO, "cuda: this machine has no NVIDIA driver (libcuda.so.1)");
	*(void **)&init = dlsym(lib, "cuInit");
	*(void **)&version = dlsym(lib, "cuDriverGetVersion");
	*(void **)&count = dlsym(lib, "cuDeviceGetCount");
	if (!init || !version || !count)
		return ds_fail(e, DS_IO, "cuda: libcuda.so.1 is no NVIDIA driver");
	if (version(&d->version) != 0)
		return ds_fail(e, DS_IO, "cuda: the NVIDIA driver does not answer");
	if (d->version < DRIVER)
		return ds_fail(e, DS_IO,
			"cuda: the NVIDIA driver is for CUDA %d.%d, at least %d.%d is needed",
			d->version / 1000, d->version % 1000 / 10, DRIVER / 1000,
			DRIVER % 1000 / 10);
	int rc = init(0);
	if (rc == 0)
		rc = count(&d->devices);
	if (rc != 0 || d->devices == 0)
		return ds_fail(e, DS_IO, "cuda: the driver has no device (its error %d)", rc);
	return DS_OK;
}

bool ds_cuda_present(void)
{
	driver d;
	ds_err e;
	return is_simulated() || ask_driver(&d, &e) == DS_OK;
}

/* ---- the library ---- */

/* The folder above the program's. */
static bool find_home(char out[PATH])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH - 1);
	for (int up = 0; up < 2 && n > 0; up++) {
		out[n] = 0;
		char *slash = strrchr(out, '/');
		n = slash ? slash - out : 0;
	}
	if (n > 0)
		out[n] = 0;
	return n > 0;
}

/* Sets path where a file of that name is. */
static bool find_file(char path[PATH], const char *name)
{
	static const char *const folders[] = { "", "lib/" };
	char home[PATH];
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && find_home(home); i++) {
		int n = snprintf(path, PATH, "%s/%s%s", home, folders[i], name);
		if (n < PATH && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* The stand-in has a device for every rank, unless DS_SIM_DEVICES says otherwise. */
static ds_rc load_stand_ins(int ranks, ds_err *e)
{
	static const char *const names[] = { "sim/libcudart.so.13", "sim/libcublasLt.so.13",
		"sim/libnccl.so.2" };
	size_t n = sizeof(names) / sizeof(*names) - (ranks < 2); /* NCCL's for ranks alone */
	char path[PATH];
	snprintf(path, sizeof(path), "%d", ranks);
	setenv("DS_SIM_DEVICES", path, 0);
	for (size_t i = 0; i < n; i++) {
		if (!find_file(path, names[i]))
			return ds_fail(e, DS_IO,
				"cuda: no %s beside the program: `make sim` builds the simulator",
				names[i]);
		if (!dlopen(path, RTLD_NOW | RTLD_GLOBAL))
			return ds_fail(e, DS_IO, "cuda: %s", dlerror());
	}
	return DS_OK;
}

ds_rc ds_cuda_load(const ds_cuda_api **api, int ranks, ds_err *e)
{
	static const ds_cuda_api *loaded;
	driver d;
	char path[PATH];
	const char *given = getenv("DS_CUDA_LIBRARY");
	if (loaded) {
		*api = loaded;
		return DS_OK;
	}
	DS_TRY(is_simulated() ? load_stand_ins(ranks, e) : ask_driver(&d, e));
	if (given)
		snprintf(path, PATH, "%s", given);
	else if (!find_file(path, "libds-cuda.so"))
		return ds_fail(e, DS_IO,
			"cuda: no libds-cuda.so beside the program: `make cuda` builds it");
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ds_cuda_api_get_fn *get;
	if (!lib)
		return ds_fail(e, DS_IO, "cuda: %s", dlerror());
	*(void **)&get = dlsym(lib, "ds_cuda_api_get");
	if (!get || get()->api != DS_CUDA_API || get()->n_kernels != DS_CUDA_N_KERNELS)
		return ds_fail(
			e, DS_IO, "cuda: %s belongs to another version of the program", path);
	*api = loaded = get();
	return DS_OK;
}
