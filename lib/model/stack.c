/*
 * stack.c - parameters that are several tensors in files
 */
#include "model/stack.h"

#include <stdio.h>

int64_t ds_stack_parts(const ds_tensor *t)
{
	return t->rank > 1 && strchr(t->name, '*') ? t->dims[0] : 1;
}

const char *ds_stack_name(const char *name, int64_t i, char *buffer, size_t size)
{
	const char *star = strchr(name, '*');
	if (!star)
		return name;
	snprintf(buffer, size, "%.*s%lld%s", (int)(star - name), name, (long long)i, star + 1);
	return buffer;
}

int ds_stack_shape(const ds_tensor *t, int64_t dims[DS_MAX_RANK])
{
	ds_dims whole = ds_t_stored(t);
	int skip = strchr(t->name, '*') && whole.rank > 1;
	for (int d = skip; d < whole.rank; d++)
		dims[d - skip] = whole.dims[d];
	return whole.rank - skip;
}

static int64_t item_parts(const ds_st_item *t)
{
	return t->rank > 1 && strchr(t->name, '*') ? t->dims[0] : 1;
}

/* Part i, its name in mem. */
static ds_st_item part_of(const ds_st_item *t, int64_t i, ds_arena *mem)
{
	ds_st_item part = *t;
	int64_t each = 1;
	char name[512];
	for (int d = 1; d < t->rank; d++)
		each *= part.dims[d - 1] = t->dims[d];
	part.rank--;
	part.data += i * each;
	part.name = ds_stack_name(t->name, i, name, sizeof(name));
	part.name = ds_arena_str(mem, ds_str_of(part.name)).at;
	return part;
}

ds_st_item *ds_stack_split(const ds_st_item *items, size_t *n, ds_arena *mem)
{
	size_t all = 0, k = 0;
	for (size_t i = 0; i < *n; i++)
		all += (size_t)item_parts(&items[i]);
	ds_st_item *out = ds_arena_zero(mem, (all + 1) * sizeof(*out));
	for (size_t i = 0; i < *n; i++) {
		bool stack = items[i].rank > 1 && strchr(items[i].name, '*');
		for (int64_t j = 0; j < item_parts(&items[i]); j++)
			out[k++] = stack ? part_of(&items[i], j, mem) : items[i];
	}
	*n = all;
	return out;
}
