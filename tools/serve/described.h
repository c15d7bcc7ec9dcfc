/*
 * described.h - the services' own definitions, for reflection
 */
#ifndef SERVE_DESCRIBED_H
#define SERVE_DESCRIBED_H

#include "base/arena.h"

/* The FileDescriptorProto with this name, or that defines this symbol ("inference.ModelInferRequest"); n 0: none does. */
ds_str described_file(ds_str name);
ds_str described_of_symbol(ds_str symbol);
/* The i-th service's full name, in mem; n 0: there are no more. */
ds_str described_service(size_t i, ds_arena *mem);

#endif
