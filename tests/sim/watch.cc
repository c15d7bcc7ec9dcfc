/*
 * watch.cc - races and statistics
 */
#include "runtime.h"

namespace sim
{

Watcher *new_watcher(bool, bool)
{
	return nullptr;
}

} // namespace sim
