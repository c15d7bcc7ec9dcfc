# train.bash - what the tests of training share: load train

bats_require_minimum_version 1.5.0

# train_setup N: the programs, an empty folder, and N lines of text to learn
train_setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR" || return 1
	for i in $(seq "$1"); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
}

# log.jsonl without what depends on the clock
figures() { sed 's/, "tokens_per_second": [0-9.]*//' "$1/log.jsonl"; }

says() { # says RC PATTERN COMMAND...: fails like that, in one line
	local rc=$1 pattern=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" -eq "$rc" ] || { echo "exit $status: $stderr"; return 1; }
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
	[[ $stderr == "dstrain: "*$pattern* ]] || { echo "$stderr"; return 1; }
}
