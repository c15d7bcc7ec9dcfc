/*
 * provenance.c - see provenance.h
 */
#include "provenance.h"

#include "base/io.h"
#include "model/keys.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_SETTINGS = 256, MOST_BYTES = 1 << 28 };

typedef struct {
	provenance *p;
	ds_arena *mem;
	const char *dir;
	ds_buf text; /* of the file being read */
} reading;

/* A file of the directory into r->text; false: there is none that can be read. */
static bool read_file(reading *r, const char *name)
{
	ds_err ignored;
	ds_buf_clear(&r->text);
	return ds_file_read(ds_arena_fmt(r->mem, "%s/%s", r->dir, name).at, MOST_BYTES, &r->text,
		       &ignored) == DS_OK;
}

static ds_rc add_setting(void *context, ds_str name, ds_str value, ds_err *e)
{
	reading *r = context;
	provenance *p = r->p;
	if (p->n_settings == MOST_SETTINGS || !value.n)
		return DS_OK;
	p->settings[p->n_settings][0] = ds_arena_str(r->mem, name);
	p->settings[p->n_settings++][1] = ds_arena_str(r->mem, value);
	return DS_OK;
}

static void read_settings(reading *r)
{
	ds_err ignored;
	if (!read_file(r, "config.ini"))
		return;
	ds_str text = ds_buf_view(&r->text);
	/* [model] repeats config.json. */
	const char *model = memmem(text.at, text.n, "\n[model]", 8);
	if (model)
		text.n = (size_t)(model - text.at);
	r->p->settings = ds_arena_get(r->mem, MOST_SETTINGS * sizeof(*r->p->settings));
	if (ds_ini_each(text, add_setting, r, &ignored) != DS_OK)
		r->p->n_settings = 0;
}

/* The last line that has the key, as an object; NULL. */
static const ds_json *last_line(reading *r, const char *key)
{
	ds_str text = ds_buf_view(&r->text);
	size_t end = text.n;
	while (end) {
		size_t from = end - 1;
		while (from && text.at[from - 1] != '\n')
			from--;
		ds_str line = { text.at + from, end - from };
		const ds_json *v;
		ds_err ignored;
		if (memmem(line.at, line.n, key, strlen(key)) &&
			ds_json_parse(&v, r->mem, line, &ignored) == DS_OK)
			return v;
		end = from;
	}
	return NULL;
}

static void read_log(reading *r)
{
	provenance *p = r->p;
	if (!read_file(r, "log.jsonl"))
		return;
	const ds_json *step = last_line(r, "\"loss\""), *eval = last_line(r, "\"eval_loss\"");
	p->steps = ds_json_int(step, "step", 0);
	p->tokens = ds_json_int(step, "tokens", 0);
	p->loss = ds_json_num(step, "loss", NAN);
	p->eval_loss = ds_json_num(eval, "eval_loss", NAN);
}

static void read_state(reading *r)
{
	static const char before[] = "checkpoint-";
	char **names;
	ds_err ignored;
	long newest = -1;
	const ds_json *v;
	if (ds_dir_list(r->dir, &names, &ignored) != DS_OK)
		return;
	for (char **n = names; *n; n++) {
		char *end;
		if (strncmp(*n, before, sizeof(before) - 1) != 0)
			continue;
		long step = strtol(*n + sizeof(before) - 1, &end, 10);
		newest = !*end && step > newest ? step : newest;
	}
	ds_names_free(names);
	if (newest < 0 ||
		!read_file(r, ds_arena_fmt(r->mem, "%s%ld/state.json", before, newest).at))
		return;
	if (ds_json_parse(&v, r->mem, ds_arena_str(r->mem, ds_buf_view(&r->text)), &ignored) !=
		DS_OK)
		return;
	const ds_json *chain = ds_json_get(v, "chain");
	r->p->chain = chain && chain->kind == DS_J_ARR && chain->n ? chain : NULL;
	ds_str sum = ds_json_text(v, "data", "");
	r->p->data_sum = sum.n ? ds_arena_str(r->mem, sum).at : NULL;
}

provenance provenance_of(const char *dir, ds_arena *mem)
{
	provenance p = { .loss = NAN, .eval_loss = NAN };
	reading r = { .p = &p, .mem = mem, .dir = dir };
	read_settings(&r);
	read_log(&r);
	read_state(&r);
	ds_buf_free(&r.text);
	return p;
}

bool provenance_known(const provenance *p)
{
	return p->chain || p->n_settings || p->steps;
}

static void add_number(ds_buf *out, const char *key, double v)
{
	char number[32];
	if (isnan(v))
		return;
	ds_buf_fmt(out, ",\"%s\":", key);
	ds_buf_add(out, number, ds_f64_print(number, v));
}

void provenance_json(const provenance *p, ds_buf *out)
{
	ds_buf_fmt(
		out, "{\"steps\":%lld,\"tokens\":%lld", (long long)p->steps, (long long)p->tokens);
	add_number(out, "loss", p->loss);
	add_number(out, "eval_loss", p->eval_loss);
	ds_buf_add_c(out, ",\"settings\":{");
	for (size_t i = 0; i < p->n_settings; i++) {
		ds_buf_add_c(out, i ? "," : "");
		ds_json_add_str(out, p->settings[i][0]);
		ds_buf_add_byte(out, ':');
		ds_json_add_str(out, p->settings[i][1]);
	}
	ds_buf_add_c(out, "},\"chain\":");
	if (p->chain)
		ds_json_add(out, p->chain);
	else
		ds_buf_add_c(out, "[]");
	ds_buf_add_byte(out, '}');
}
