/*
 * cxx.cc - what C++ libraries do where they can do nothing: new without memory, exceptions that nobody takes
 *
 * They must not cross into C. Without memory it is the one line and the code that it is everywhere (mem.h).
 */
extern "C" {
#include "base/mem.h"
}

#include <exception>
#include <new>

static void on_terminate()
{
	const char *what = "an exception in a library";
	if (std::current_exception()) {
		try {
			throw;
		} catch (const std::bad_alloc &) {
			ds_mem_out(0);
		} catch (const std::exception &x) {
			ds_mem_die(x.what());
		} catch (...) {
		}
	}
	ds_mem_die(what);
}

static void on_no_memory()
{
	ds_mem_out(0);
}

extern "C" void ds_mem_cxx(void)
{
	std::set_new_handler(on_no_memory);
	std::set_terminate(on_terminate);
}
