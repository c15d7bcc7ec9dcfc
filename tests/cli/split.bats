#!/usr/bin/env bats
# --split on records: a record for every line or paragraph, the other fields with each

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
	printf '{"text":"a\\nb\\n\\nc","x":1}\n{"y":2}\n{"text":5}\n{"text":"\\n"}\n' >in.jsonl
}

@test "--split para gives every paragraph the record's other fields" {
	dsrec cat --split para in.jsonl --to jsonl -q >out
	printf '{"text":"a\\nb","x":1}\n{"text":"c","x":1}\n{"y":2}\n{"text":5}\n' | diff - out
}

@test "--split line keeps empty lines" {
	[ "$(dsrec cat --split line in.jsonl --to jsonl -q | wc -l)" -eq 7 ]
}

@test "a stream is cut like the JSONL it came from, for any -j" {
	for i in $(seq 3000); do cat in.jsonl; done >many.jsonl
	dsrec cat --split para many.jsonl --to jsonl -q >want
	dsrec cat many.jsonl -q >many.dsr
	for j in 1 3; do dsrec cat -j $j --split para many.dsr --to jsonl -q | cmp - want; done
}
