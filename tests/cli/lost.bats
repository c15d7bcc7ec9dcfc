#!/usr/bin/env bats
# What was whole before a failure is written, however small

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
	printf '{"text":"a"}\n' >good.jsonl
	printf '{"text": bad}\n' >bad.jsonl
}

@test "records of the file before a bad one are written, for any -j" {
	for j in 1 3; do
		run --separate-stderr dsrec cat -j $j good.jsonl bad.jsonl --to jsonl -q
		[ "$status" -eq 1 ]
		[ "$output" = '{"text":"a"}' ]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}

@test "whole blocks of a stream cut short are written" {
	cat good.jsonl good.jsonl | dsrec cat -q >two.dsr
	head -c -70 two.dsr >cut.dsr
	run --separate-stderr dsrec cat cut.dsr --to jsonl -q
	[ "$status" -eq 3 ]
	[ "${#lines[@]}" -eq 2 ]
}
