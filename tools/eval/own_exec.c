/*
 * own_exec.c - a metric in any language: a program that reads all records as JSON lines and prints a score
 *
 * Records are gathered in a file without a name first, which is the program's stdin: it may read as it
 * likes, and cannot block us. It prints a number, or a JSON object with "score" and perhaps "signature"
 * and "detail".
 */
#include "own.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/temp.h"
#include "record/command.h"
#include "record/export.h"
#include "json/json.h"

#include <math.h>
#include <unistd.h>

enum { MAX_ANSWER = 1 << 20 };

typedef struct {
	char *command;
	const ds_common *common;
	int fd; /* -1: none yet */
	ds_out *out;
	bool any;
} program;

static void close_exec(void *state)
{
	program *p = state;
	if (!p)
		return;
	ds_out_close(p->out);
	if (p->fd >= 0)
		close(p->fd);
	ds_mem_free(p->command);
	ds_mem_free(p);
}

static ds_rc open_exec(void **state, metric_args *a, ds_err *e)
{
	program *p = DS_NEW(program, 1);
	*state = p;
	p->fd = -1;
	p->command = ds_mem_text(a->command);
	p->common = a->common;
	DS_TRY(ds_temp_file(&p->fd, e));
	p->out = ds_out_from_fd(p->fd, "--exec");
	return DS_OK;
}

static void *part_new(void *state)
{
	return DS_NEW(char, 1);
}

static ds_rc update(
	void *state, void *part, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	program *p = state;
	ds_sink_part part_ = { 0 };
	p->any = p->any || b->n_rows;
	DS_TRY(ds_exporter_find("jsonl")->encode(&p->common->out, b, &part_, e));
	return ds_out_write(p->out, part_.text.at, part_.text.n, e);
}

static ds_rc read_answer(program *p, ds_buf *answer, ds_err *e)
{
	DS_AUTO(ds_command) x = NULL;
	DS_AUTO(ds_in) in = NULL;
	char chunk[4096];
	size_t got;
	DS_TRY(ds_command_open(&x, p->command, p->fd, e));
	DS_TRY(ds_in_from_fd(&in, ds_command_fd(x), "--exec", e));
	do {
		DS_TRY(ds_in_read(in, chunk, sizeof(chunk), &got, e));
		ds_buf_add(answer, chunk, got);
		if (answer->n > MAX_ANSWER)
			return ds_fail(
				e, DS_BAD, "the program prints more than %d bytes", MAX_ANSWER);
	} while (got == sizeof(chunk));
	return ds_command_wait(x, e);
}

static ds_rc take_answer(ds_str answer, metric_result *out, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	const ds_json *v;
	ds_str text = ds_str_trim(answer);
	if (ds_str_f64(text, &out->score))
		return DS_OK;
	if (ds_json_parse(&v, mem, text, e) != DS_OK || v->kind != DS_J_OBJ ||
		!ds_json_get(v, "score"))
		return ds_fail(e, DS_BAD,
			"the program printed no number and no object with 'score': '%.*s'",
			DS_FMT(text));
	out->score = ds_json_num(v, "score", NAN);
	ds_buf_add_str(&out->signature, ds_json_text(v, "signature", ""));
	ds_buf_add_str(&out->detail, ds_json_text(v, "detail", ""));
	return DS_OK;
}

static ds_rc compute(void *state, void *part, metric_result *out, ds_err *e)
{
	program *p = state;
	ds_buf answer = { 0 };
	if (!p->any)
		return ds_fail(e, DS_BAD, "there are no records");
	DS_TRY(ds_out_flush(p->out, e));
	if (lseek(p->fd, 0, SEEK_SET) != 0)
		return ds_fail_errno(e, "--exec");
	ds_rc rc = read_answer(p, &answer, e);
	if (rc == DS_OK)
		rc = take_answer(ds_buf_view(&answer), out, e);
	ds_buf_free(&answer);
	if (rc == DS_OK && !isfinite(out->score))
		return ds_fail(e, DS_BAD, "the score is not finite");
	return rc;
}

const metric own_exec = {
	.name = "exec",
	.open = open_exec,
	.close = close_exec,
	.serial = true,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.update = update,
	.compute = compute,
};
