#!/usr/bin/env bats
# What a machine can check about the source in a second or two; `make lint` does the rest

load common
setup() {
	common_setup
	cd "$ROOT" || return 1
	export BUILD=${BUILD:-build}
}

@test "layers use what the table of edges gives them, foreign libraries have one door, names are unique" { scripts/layers; }

# layers_say TEXT FILE LINE: with that line added to that file, scripts/layers fails and says so
layers_say() {
	local root=$BATS_TEST_TMPDIR/tree
	rm -rf "$root"
	mkdir -p "$root"
	cp -r lib tools kernels scripts "$root"
	echo "$3" >>"$root/$2"
	run env -C "$root" BUILD=none scripts/layers
	[ "$status" -eq 1 ] && [[ $output == *"$1"* ]]
}
@test "an edge between layers that is not in the table is named" {
	layers_say "text -> record is no edge: lib/text/utf8.c:" lib/text/utf8.c '#include "record/block.h"'
}
@test "a foreign header beside its door is named" {
	layers_say "zlib.h enters by lib/base/codec.c" lib/text/utf8.c '#include <zlib.h>'
}
@test "a type that is defined twice is named" {
	layers_say "type ds_block is defined twice" lib/text/utf8.c 'typedef struct ds_block ds_block;'
}
@test "a tool that includes another is named" {
	layers_say "a tool includes no other tool" tools/clean/main.c '#include "dedup/dedup.h"'
}
@test "a function of a header with too many parameters is named" {
	layers_say "ds_many takes 7 parameters" lib/text/utf8.h 'int ds_many(int a, int b, int c, int d, int e, int f, int g);'
}
@test "the guide names files that there are, and sizeof has brackets, defaults are called so" { scripts/lint guide operators words; }
@test "files and functions are short" { scripts/lint sizes; }
@test "malloc lives in lib/base" { scripts/lint memory; }
@test "no blank ends a line" { scripts/lint text; }

@test "shell scripts pass shellcheck" {
	command -v shellcheck >/dev/null || skip "no shellcheck"
	scripts/lint shell
}

@test "every program has its manual, and the manual has every option" {
	command -v scdoc >/dev/null || skip "no scdoc"
	scripts/lint manuals
}

@test "the examples of the manuals run" {
	shopt -s nullglob
	for page in man/*.scd; do
		name=$(basename "$page" .1.scd)
		[ -x "$BUILD/bin/$name" ] || continue
		scripts/run-examples "$page" || return 1
	done
}
