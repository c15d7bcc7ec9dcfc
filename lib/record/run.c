/*
 * run.c - see run.h
 */
#include "record/run.h"

#include "base/mem.h"

ds_pipe_opts ds_pipe_of(const ds_common *c)
{
	return (ds_pipe_opts){ &c->who, &c->in, &c->out, c->jobs, c->recorded, c->stats_path };
}

ds_rc ds_run_stage(const ds_common *c, const ds_stage *s, ds_err *e)
{
	ds_pipe_opts o = ds_pipe_of(c);
	return ds_pipe_run(&o, s, e);
}

ds_rc ds_run_ahead(const ds_common *c, const ds_stage *s, ds_err *e)
{
	ds_voice who = c->who;
	ds_input_opts in = c->in;
	who.quiet = true;
	if (in.on_error == DS_ON_REJECT)
		in.on_error = DS_ON_SKIP;
	ds_pipe_opts o = { .who = &who, .in = &in, .jobs = c->jobs, .args = c->recorded };
	return ds_pipe_run(&o, s, e);
}

void ds_run_failed(const ds_common *c, const char *reason)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_chain *chain = ds_chain_new(mem);
	ds_chain_push(mem, chain, ds_str_of(c->who.program), DS_S(DS_VERSION), c->recorded);
	ds_sink_failed(&c->out, chain, reason);
}
