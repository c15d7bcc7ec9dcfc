/*
 * pattern.c - the table of patterns, looked up by name and by the regex that files carry
 */
#include "text/tok/scan.h"

#define PATTERN(name) extern const ds_pattern ds_pattern_##name;
#include "text/tok/patterns.def"
#undef PATTERN

#define PATTERN(name) &ds_pattern_##name,
static const ds_pattern *const patterns[] = {
#include "text/tok/patterns.def"
};
#undef PATTERN
enum { N_PATTERNS = sizeof(patterns) / sizeof(*patterns) };

const ds_pattern *ds_pattern_at(size_t i)
{
	return i < N_PATTERNS ? patterns[i] : NULL;
}

const ds_pattern *ds_pattern_find(const char *name)
{
	for (size_t i = 0; i < N_PATTERNS; i++)
		if (strcmp(patterns[i]->name, name) == 0)
			return patterns[i];
	return NULL;
}

const ds_pattern *ds_pattern_of_regex(ds_str regex)
{
	for (size_t i = 0; i < N_PATTERNS; i++)
		for (const char *const *r = patterns[i]->regexes; *r && !patterns[i]->sequence; r++)
			if (ds_str_is(regex, *r))
				return patterns[i];
	return NULL;
}

const ds_pattern *ds_pattern_of_sequence(const ds_str *regexes, size_t n)
{
	for (size_t i = 0; i < N_PATTERNS; i++) {
		const char *const *r = patterns[i]->regexes;
		size_t k = 0;
		while (k < n && r[k] && ds_str_is(regexes[k], r[k]))
			k++;
		if (k == n && !r[k] && patterns[i]->sequence)
			return patterns[i];
	}
	return NULL;
}
