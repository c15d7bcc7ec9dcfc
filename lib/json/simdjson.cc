/*
 * simdjson.cc - the door to simdjson: where the tokens are, and whether bytes are UTF-8
 *
 * Only its first stage is used. It finds the tokens of a whole chunk of lines at several GB/s; what
 * the records need of them (columns, not a tree) is walked in C. The index is there as well when
 * stage 1 ends with UTF8_ERROR, because it checks UTF-8 last.
 */
extern "C" {
#include "json/scan.h"
}

#include <memory>
#include <simdjson.h>

struct ds_json_index {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
	size_t capacity = 0;
};

extern "C" {

ds_json_index *ds_json_index_new(void)
{
	return new ds_json_index;
}

void ds_json_index_free(ds_json_index *x)
{
	delete x;
}

const uint32_t *ds_json_index_make(ds_json_index *x, ds_str text)
{
	if (text.n == 0 || text.n > 0xFFFFFF00u)
		return nullptr;
	if (text.n > x->capacity) {
		size_t capacity = text.n + text.n / 4 + 64;
		x->capacity = 0;
		if (simdjson::get_active_implementation()->create_dom_parser_implementation(
			    capacity, 16, x->parser) != simdjson::SUCCESS)
			return nullptr;
		x->capacity = capacity;
	}
	auto rc = x->parser->stage1(
		reinterpret_cast<const uint8_t *>(text.at), text.n, simdjson::stage1_mode::regular);
	if (rc != simdjson::SUCCESS && rc != simdjson::UTF8_ERROR)
		return nullptr;
	return x->parser->structural_indexes.get();
}

bool ds_json_valid_utf8(ds_str s)
{
	return simdjson::validate_utf8(s.at, s.n);
}
}
