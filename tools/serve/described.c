/*
 * described.c - looking through a FileDescriptorSet that protoc made when this was built
 *
 * Of descriptor.proto: a set's file = 1; a file's name = 1, package = 2, message_type = 4, enum_type = 5, service = 6; a
 * message's name = 1, nested_type = 3, enum_type = 4; a service's name = 1, method = 2.
 */
#include "described.h"

#include "base/cur.h"

extern const unsigned char described[];
extern const unsigned long described_bytes;

enum { SET_FILE = 1, NAME = 1, PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { NESTED = 3, NESTED_ENUM = 4, METHOD = 2 };

/* The next field with a length; false: there is none. All that is looked at here has one, numbers are passed over. */
static bool next(ds_cur *c, unsigned *number, ds_str *bytes)
{
	while (ds_cur_ok(c) && ds_cur_left(c)) {
		uint64_t v[2] = { 0 };
		for (int i = 0; i < 2; i++) {
			unsigned shift = 0;
			uint8_t b;
			do {
				b = ds_cur_u8(c);
				v[i] |= (uint64_t)(b & 0x7f) << (shift & 63);
				shift += 7;
			} while (b & 0x80 && ds_cur_ok(c));
		}
		if ((v[0] & 7) != 2)
			continue;
		*number = (unsigned)(v[0] >> 3);
		*bytes = ds_cur_bytes(c, v[1]);
		return ds_cur_ok(c);
	}
	return false;
}

static ds_str member(ds_str of, unsigned wanted)
{
	ds_cur c = ds_cur_of(of.at, of.n);
	unsigned number;
	ds_str bytes;
	while (next(&c, &number, &bytes))
		if (number == wanted)
			return bytes;
	return (ds_str){ "", 0 };
}

/* Cuts "first.rest" where it begins with first; false: it does not. */
static bool begins(ds_str *symbol, ds_str first)
{
	if (!ds_str_starts(*symbol, first))
		return false;
	ds_str rest = { symbol->at + first.n, symbol->n - first.n };
	if (rest.n && rest.at[0] != '.')
		return false;
	*symbol = rest.n ? (ds_str){ rest.at + 1, rest.n - 1 } : rest;
	return true;
}

/* Is what is left of a symbol this message, enum, service, or something in it? */
static bool defines(ds_str what, ds_str symbol, bool service)
{
	ds_cur c = ds_cur_of(what.at, what.n);
	unsigned number;
	ds_str bytes;
	if (!begins(&symbol, member(what, NAME)))
		return false;
	if (!symbol.n)
		return true;
	while (next(&c, &number, &bytes)) {
		if (service ? number == METHOD : number == NESTED || number == NESTED_ENUM)
			if (defines(bytes, symbol, false))
				return true;
	}
	return false;
}

static bool file_defines(ds_str file, ds_str symbol)
{
	ds_cur c = ds_cur_of(file.at, file.n);
	unsigned number;
	ds_str bytes;
	if (!begins(&symbol, member(file, PACKAGE)) || !symbol.n)
		return false;
	while (next(&c, &number, &bytes))
		if ((number == FILE_MESSAGE || number == FILE_ENUM || number == FILE_SERVICE) &&
			defines(bytes, symbol, number == FILE_SERVICE))
			return true;
	return false;
}

static ds_str find(ds_str what, bool symbol)
{
	ds_cur c = ds_cur_of(described, described_bytes);
	unsigned number;
	ds_str file;
	while (next(&c, &number, &file))
		if (symbol ? file_defines(file, what) : ds_str_eq(member(file, NAME), what))
			return file;
	return (ds_str){ "", 0 };
}

ds_str described_file(ds_str name)
{
	return find(name, false);
}

ds_str described_of_symbol(ds_str symbol)
{
	return find(symbol, true);
}

ds_str described_service(size_t i, ds_arena *mem)
{
	ds_cur files = ds_cur_of(described, described_bytes);
	unsigned number;
	ds_str file, what;
	while (next(&files, &number, &file)) {
		ds_cur c = ds_cur_of(file.at, file.n);
		while (next(&c, &number, &what)) {
			if (number != FILE_SERVICE || i--)
				continue;
			ds_str package = member(file, PACKAGE), name = member(what, NAME);
			return ds_arena_fmt(
				mem, "%.*s.%.*s", (int)package.n, package.at, (int)name.n, name.at);
		}
	}
	return (ds_str){ "", 0 };
}
