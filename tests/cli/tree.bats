#!/usr/bin/env bats
# What a machine can check about the source in a second or two; `make lint` does the rest

load common
setup() {
	common_setup
	cd "$ROOT" || return 1
	export BUILD=${BUILD:-build}
}

@test "layers include downwards, and each foreign library has one door" { scripts/layers; }
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
