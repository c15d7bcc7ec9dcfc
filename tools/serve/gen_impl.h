/* gen_impl.h - between the files of gen */
#ifndef SERVE_GEN_IMPL_H
#define SERVE_GEN_IMPL_H

#include "fields.h"
#include "gen.h"

bool gen_check_unsupported(const gen_ask *a, refusal *r);
bool gen_read_settings(gen *g, refusal *r);

#endif
