/*
 * schema.h - the tree of a Parquet file's columns
 */
#ifndef DS_RECORD_PARQUET_SCHEMA_H
#define DS_RECORD_PARQUET_SCHEMA_H

#include "record/parquet/meta.h"
#include "record/parquet/thrift.h"

/* Reads the list of SchemaElements at t into m's root and leaves. */
DS_MUST ds_rc ds_pq_read_schema(
	ds_pq_meta *m, ds_thrift *t, unsigned type, ds_arena *mem, ds_err *e);

#endif
