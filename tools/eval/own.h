/*
 * own.h - metrics of the user's own: shared libraries and programs
 */
#ifndef DS_EVAL_OWN_H
#define DS_EVAL_OWN_H

#include "metric.h"

typedef struct plugin plugin;
/* Loads a library (plugin.h); DS_USAGE where it is none. It stays loaded until plugin_close. */
DS_MUST ds_rc plugin_open(plugin **out, const char *path, ds_err *e);
void plugin_close(plugin *p);
const char *plugin_name(const plugin *p);
DS_AUTO_WITH(plugin, plugin_close)

/* The metric to which metric_args.plugin is given. */
extern const metric own_plugin;
/* The metric to which metric_args.command is given: records as JSON lines in, a score out. */
extern const metric own_exec;

#endif
