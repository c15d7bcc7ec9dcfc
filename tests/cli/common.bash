# common.bash - what the tests of programs share: load common; setup() { common_setup; }

bats_require_minimum_version 1.5.0

common_setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	PATH=${BUILD:-$ROOT/build}/bin:$PATH
	export TMPDIR=$BATS_TEST_TMPDIR
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return 1
}

# fails CODE WORDS COMMAND...: it ends with CODE and one line on stderr, which holds WORDS
fails() {
	local code=$1 words=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" -eq "$code" ] || { echo "exit $status, not $code: $* ($stderr)"; return 1; }
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "not one line: $stderr"; return 1; }
	[[ $stderr == *"$words"* ]] || { echo "stderr: $stderr"; return 1; }
}

# Some tests measure or limit memory, which sanitizers take for themselves.
not_sanitized() {
	if ldd "$(command -v dsrec)" | grep -Eq 'lib[at]san'; then
		skip "not under a sanitizer"
	fi
}

# Programs that were built, one a line.
programs() {
	local p
	for p in "${BUILD:-$ROOT/build}"/bin/*; do basename "$p"; done
}

# near_duplicates N SEED: N records with id, n and text; a tenth repeat one before, a quarter change a word of one, and a
# tenth are so alike that their buckets are full; every fifth text ends in blanks
near_duplicates() {
	awk -v n="$1" -v seed="$2" 'BEGIN {
		srand(seed)
		for (i = 0; i < n; i++) {
			kind = rand()
			if (i && kind < 0.1) t = old[int(rand() * i)]
			else if (i && kind < 0.4) { t = old[int(rand() * i)]; sub(/ w[0-9]+ /, " changed ", t) }
			else if (kind < 0.5) { t = "of many"; for (k = 0; k < 60; k++) t = t " m" k; t = t " " i }
			else { t = "start"; for (k = 0; k < 40; k++) t = t " w" int(rand() * 5000) " and" }
			old[i] = t
			print "{\"id\":\"r" i "\",\"n\":" i % 17 ",\"text\":\"" t (i % 5 ? "" : "  ") "\"}"
		}
	}'
}

# numbered N: N records of about 100 bytes with id, text and label
numbered() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) {
		printf "{\"id\":%d,\"text\":\"record %d of many, \\u4e2d\\u6587 and %s\",\"label\":\"%s\"}\n",
			i, i, substr("abcdefghijklmnopqrstuvwxyz", i % 26 + 1), i % 3 ? "pos" : "neg" } }'
}

# on_terminal COMMAND: runs it with stdin, stdout and stderr on a terminal of its own
on_terminal() {
	script -qec "$1" /dev/null </dev/null
}
