/*
 * mpi.h - ranks that mpirun or srun started: the transport of libds-mpi.so, which is loaded by name
 *
 * MPI is not linked: a program that nobody started so loads nothing of it.
 */
#ifndef DS_COMM_MPI_H
#define DS_COMM_MPI_H

#include "comm/world.h"

/* How many ranks this process is one of, by what mpirun or srun left in the environment; 1: it was not started so. */
int ds_mpi_ranks(void);
/* The caller becomes one of them. DS_USAGE: libds-mpi.so is not there, DS_IO: it does not start. */
DS_MUST ds_rc ds_mpi_open(ds_world **w, ds_err *e);
/* How this rank ended, and whether it said why: others that go on are ended too where rc is no DS_OK. Closes the world. */
void ds_mpi_end(ds_world *w, ds_rc rc, bool said);

#endif
