# faults.bats - the campaigns of tests/faults, shortened; make torture runs them whole
load common
setup() { common_setup; }

@test "each kind of call fails once under every program, and is one line, a code and no file" {
	not_sanitized
	MOST=1 EVERY=4 "$ROOT/tests/faults/walk"
}

@test "streams, indexes and journals of bad intentions are refused or harmless" {
	"${BUILD:-$ROOT/build}/test/mutate" 300
}

@test "a pipeline or a training that is killed anywhere leaves nothing that is not whole" {
	"$ROOT/tests/faults/kill" 4
}

@test "a disk that is too small leaves what was there" {
	unshare -rm true 2>/dev/null || skip "needs user namespaces"
	"$ROOT/tests/faults/disk" 4
}
