/*
 * jsonl.cc - the baseline of jsonl.sh: simdjson's own parse of a file of JSON Lines, and nothing else
 *
 * The file is in memory, every document becomes simdjson's tape and is dropped. Prints seconds.
 */
#include <chrono>
#include <cstdio>
#include <simdjson.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	simdjson::padded_string text;
	if (simdjson::padded_string::load(argv[1]).get(text))
		return 4;
	auto start = std::chrono::steady_clock::now();
	simdjson::dom::parser parser;
	simdjson::dom::document_stream records;
	size_t n = 0;
	if (parser.parse_many(text, 1 << 20).get(records))
		return 1;
	for (auto record : records)
		n += !record.error();
	std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
	std::printf("%.6f %zu\n", took.count(), n);
}
