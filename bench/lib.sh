# lib.sh - what benchmarks share: runs of two commands in turn, and the ratio of their medians
# . "$(dirname "$0")/lib.sh"

RUNS=${RUNS:-9}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$ROOT/build/bin:$PATH
WORK=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# seconds COMMAND: of wall time
seconds() {
	local start=$EPOCHREALTIME end
	bash -c "$1" || { echo "failed: $1" >&2; return 1; }
	end=$EPOCHREALTIME
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.4f\n", b - a }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# against NAME BYTES OURS PEER: runs both in turn and prints MB/s of each and the ratio ours / peer
against() {
	local name=$1 bytes=$2 ours=$3 peer=$4 i
	: >"$WORK/ours"
	: >"$WORK/peer"
	seconds "$ours" >/dev/null && seconds "$peer" >/dev/null || return 1
	for ((i = 0; i < RUNS; i++)); do
		seconds "$ours" >>"$WORK/ours" || return 1
		seconds "$peer" >>"$WORK/peer" || return 1
	done
	awk -v name="$name" -v bytes="$bytes" -v a="$(median <"$WORK/ours")" -v b="$(median <"$WORK/peer")" \
		'BEGIN { printf "%-34s %8.0f MB/s %8.0f MB/s   %.2f\n", name, bytes / a / 1e6, bytes / b / 1e6, b / a }'
}

# peak COMMAND...: the largest resident set in MB
peak() {
	/usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -n 1 | awk '{ printf "%.0f", $1 / 1024 }'
}
