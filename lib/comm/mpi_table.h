/*
 * mpi_table.h - what libds-mpi.so gives
 */
#ifndef DS_COMM_MPI_TABLE_H
#define DS_COMM_MPI_TABLE_H

#include "comm/link_impl.h"

typedef struct {
	/* zeros, and what frees them; NULL: MPI does not start */
	ds_link *(*open)(void *(*get)(size_t bytes), void (*give_back)(void *));
	void (*abort)(int code);
} ds_mpi;
extern const ds_mpi ds_mpi_table;

#endif
