/*
 * variant.c - the words after a metric's name: bleu:zh:order=2
 */
#include "metric.h"

bool metric_word(const char **variant, ds_str *word, ds_str *value)
{
	ds_str rest, all = ds_str_of(*variant);
	if (!all.n)
		return false;
	ds_str w = ds_str_cut(all, ':', &rest);
	*variant = rest.at ? rest.at : "";
	*word = ds_str_cut(w, '=', value);
	if (!value->at)
		*value = DS_S("");
	return true;
}

ds_rc metric_no_word(const char *name, ds_str word, const char *known, ds_err *e)
{
	if (!*known)
		return ds_fail(e, DS_USAGE, "%s has no variants", name);
	return ds_fail(e, DS_USAGE, "%s has no variant '%.*s': %s", name, DS_FMT(word), known);
}
