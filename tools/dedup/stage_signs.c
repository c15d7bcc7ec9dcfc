/*
 * stage_signs.c - the signatures of a folder, looked up by record number
 */
#include "stage.h"

#include "base/mem.h"

static bool is_sign(const char *name)
{
	ds_str s = ds_str_of(name);
	return ds_str_starts(s, DS_S("sign-")) && ds_str_ends(s, DS_S(".dsr"));
}

/* Parts 0, 1, 2 … of one plan. */
static ds_rc check_part(const signs *s, const stage_file *f, uint64_t part, ds_err *e)
{
	const stage_file *first = &s->files[0];
	if (f->head.part != part)
		return ds_fail(e, DS_BAD, "%s: the signatures of input %llu are missing", s->dir,
			(unsigned long long)part);
	const char *other = ds_seen_plan_differs(f->head.words, first->head.words);
	if (other)
		return ds_fail(e, DS_BAD, "%s: signed with another %s than %s", f->path, other,
			first->path);
	if (strcmp(f->head.keep, first->head.keep) != 0)
		return ds_fail(
			e, DS_BAD, "%s: signed with another --keep than %s", f->path, first->path);
	return DS_OK;
}

static void index_blocks(signs *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_files; i++)
		n += s->files[i].n_blocks;
	s->blocks = ds_mem_get((n + 1) * sizeof(*s->blocks));
	for (size_t i = 0; i < s->n_files; i++)
		for (size_t k = 0; k < s->files[i].n_blocks; k++) {
			s->blocks[s->n_blocks].first = s->n;
			s->blocks[s->n_blocks].block = s->files[i].blocks[k];
			s->blocks[s->n_blocks++].of = &s->files[i];
			s->n += s->files[i].blocks[k]->n_rows;
		}
}

static ds_rc open_all(signs *s, char **names, const char *const *columns, ds_err *e)
{
	DS_AUTO(ds_hasher) sum = ds_hasher_new();
	uint64_t inputs = 0;
	for (size_t i = 0; names[i]; i++) {
		if (!is_sign(names[i]))
			continue;
		stage_file *f = &s->files[s->n_files++];
		DS_TRY(stage_open(f, s->dir, names[i], STAGE_SIGN, columns, e));
		DS_TRY(check_part(s, f, s->n_files - 1, e));
		f->first_input = inputs;
		inputs += f->n_input;
		ds_hasher_add(sum, &f->sum, sizeof(f->sum));
	}
	if (!s->n_files)
		return ds_fail(e, DS_BAD, "%s: no signatures, which `dsdedup sign` makes", s->dir);
	s->sum = ds_hasher_get128(sum);
	return DS_OK;
}

ds_rc signs_open(signs **out, const char *dir, const char *const *columns, ds_err *e)
{
	DS_AUTO(signs) s = DS_NEW(signs, 1);
	char **names = NULL;
	size_t n = 0;
	s->dir = dir;
	s->mem = ds_arena_new(1 << 16);
	DS_TRY(ds_dir_list(dir, &names, e));
	while (names[n])
		n++;
	s->files = DS_NEW(stage_file, n + 1);
	ds_rc rc = open_all(s, names, columns, e);
	ds_names_free(names);
	DS_TRY(rc);
	s->plan = ds_seen_plan_of(s->files[0].head.words);
	if (s->plan.bands.bands > STAGE_BANDS_MOST)
		return ds_fail(
			e, DS_BAD, "%s: not of this stage of a staged run", s->files[0].path);
	memcpy(s->keep, s->files[0].head.keep, sizeof(s->keep));
	index_blocks(s);
	if (s->n >= DS_NO_TEXT)
		return ds_fail(e, DS_BAD, "more than %u records to compare", DS_NO_TEXT - 1);
	*out = s;
	s = NULL;
	return DS_OK;
}

void signs_close(signs *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_files; i++)
		stage_close(&s->files[i]);
	ds_mem_free(s->files);
	ds_mem_free(s->blocks);
	ds_arena_free(s->mem);
	ds_mem_free(s);
}

size_t signs_find(const signs *s, uint64_t number, uint32_t *row)
{
	size_t low = 0, high = s->n_blocks;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (s->blocks[mid].first <= number)
			low = mid;
		else
			high = mid;
	}
	/* Blocks without rows share their number with the next one. */
	while (low + 1 < s->n_blocks && s->blocks[low + 1].first <= number)
		low++;
	*row = (uint32_t)(number - s->blocks[low].first);
	return low;
}

ds_rc signs_id(const signs *s, uint64_t number, ds_arena *mem, ds_seen_id *id, ds_err *e)
{
	uint32_t row;
	size_t at = signs_find(s, number, &row);
	ds_block *b = s->blocks[at].block;
	const ds_col *record, *col;
	DS_TRY(ds_block_get(b, "id", &col, e));
	if (col && ds_col_has(col, row) && !ds_col_null(col, row))
		return row_id(b, col, row, id, e);
	DS_TRY(ds_block_get(b, "record", &record, e));
	if (!record || record->type != DS_T_I64)
		return ds_fail(e, DS_BAD, "%s: damaged signatures", s->blocks[at].of->path);
	id->is_number = true;
	id->text = ds_arena_fmt(mem, "%llu",
		(unsigned long long)(s->blocks[at].of->first_input +
				     (uint64_t)ds_col_i64(record, row)));
	return DS_OK;
}

const char *signs_band_name(unsigned band, char name[32])
{
	ds_buf b = { 0 };
	ds_buf_fmt(&b, "band%u", band);
	memcpy(name, ds_buf_text(&b), b.n + 1);
	ds_buf_free(&b);
	return name;
}

unsigned signs_bands(const signs *s)
{
	return (s->plan.near ? s->plan.bands.bands : 0) + s->plan.exact;
}
