/*
 * index.c - the block index, as the trailers have it
 */
#include "record.h"

#include "base/mem.h"

static void add_entry(ds_buf *out, char form, size_t number, const ds_index_entry *x, bool first)
{
	unsigned long long offset = x->offset, bytes = x->bytes, record = x->first_record;
	switch (form) {
	case 't':
		ds_buf_fmt(out, "%8zu %16llu %12llu %14llu %10u\n", number, offset, bytes, record,
			x->n_rows);
		break;
	case 's':
		ds_buf_fmt(out, "%zu\t%llu\t%llu\t%llu\t%u\n", number, offset, bytes, record,
			x->n_rows);
		break;
	default:
		ds_buf_fmt(out,
			"%s{\"block\":%zu,\"offset\":%llu,\"bytes\":%llu,\"first_record\":%llu,"
			"\"records\":%u}",
			first ? "" : ",", number, offset, bytes, record, x->n_rows);
	}
}

static ds_rc add_file(const ds_common *c, const char *path, ds_buf *out, bool *first, ds_err *e)
{
	DS_AUTO(ds_reader) r = NULL;
	const ds_index_entry *entries;
	size_t n;
	DS_TRY(open_stream(&r, path, e));
	DS_TRY(ds_reader_index(r, &entries, &n, e));
	for (size_t i = 0; i < n; i++) {
		add_entry(out, report_form(c), i, &entries[i], *first);
		*first = false;
	}
	return DS_OK;
}

ds_rc run_index(const ds_common *c, ds_err *e)
{
	ds_buf out = { 0 };
	ds_rc rc = DS_OK;
	bool first = true;
	char form = report_form(c);
	if (form == 't')
		ds_buf_fmt(&out, "%8s %16s %12s %14s %10s\n", "block", "offset", "bytes",
			"first record", "records");
	else
		ds_buf_add_c(&out, form == 's' ? "block\toffset\tbytes\tfirst_record\trecords\n"
					       : "{\"blocks\":[");
	for (size_t i = 0; i < c->in.n_files && rc == DS_OK; i++)
		rc = add_file(c, c->in.files[i], &out, &first, e);
	if (form == 'j')
		ds_buf_add_c(&out, "]}\n");
	if (rc == DS_OK)
		rc = write_report(c, &out, e);
	ds_buf_free(&out);
	return rc;
}
