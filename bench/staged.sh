#!/usr/bin/env bash
# staged.sh - the four stages of dsdedup over a made corpus: seconds, MB/s, peak memory, and hours for 1 TB
#
# RECORDS texts of about 105 words (mean 100 shingles), a tenth of them copies with a word changed, in SHARDS
# shards. Hours for 1 TB are an estimate: the rate here times the size, all else left alone, on JOBS threads
# of this machine; sorting grows a little faster than its input and disks may be slower than what is
# cached here. The last line compares with streaming, whose records are the same (checked).
set -euo pipefail
cd "$(dirname "$0")/.."
make -s all
. bench/lib.sh
RECORDS=${RECORDS:-200000} SHARDS=${SHARDS:-4} JOBS=${JOBS:-$(nproc)}

make_texts() {
	awk -v n="$RECORDS" 'BEGIN {
		srand(7)
		for (i = 0; i < 50000; i++) {
			s = ""
			for (k = 0; k < 15; k++) s = s " w" int(rand() * 50000)
			pool[i] = s
		}
		for (i = 0; i < n; i++) {
			if (i >= 1000 && rand() < 0.1) {
				t = old[int(rand() * 1000)]
				sub(/ w[0-9]+ /, " changed ", t)
			} else {
				t = "t" i
				for (k = 0; k < 7; k++) t = t pool[int(rand() * 50000)]
			}
			old[i % 1000] = t
			print "{\"id\":" i ",\"text\":\"" t "\"}"
		}
	}'
}

# stage NAME COMMAND...: one row of the table
stage() {
	local name=$1 start=$EPOCHREALTIME mem
	shift
	mem=$(/usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -n 1)
	awk -v name="$name" -v a="$start" -v b="$EPOCHREALTIME" -v bytes="$BYTES" -v mem="$mem" 'BEGIN {
		s = b - a
		printf "%-10s %8.2f s %8.1f MB/s %8.0f MB peak %8.2f h/TB\n", name, s, bytes / s / 1e6, mem / 1024, 1e12 / bytes * s / 3600
	}'
}

make_texts | split -n "r/$SHARDS" -d --additional-suffix=.jsonl - "$WORK/in"
inputs=()
for f in "$WORK"/in*.jsonl; do
	dsrec import -q "$f" -o "${f%.jsonl}.dsr"
	rm "$f"
	inputs+=("${f%.jsonl}.dsr")
done
BYTES=$(cat "${inputs[@]}" | wc -c)
echo "$RECORDS records, $((BYTES / 1000000)) MB in $SHARDS shards, $JOBS threads"
stage sign dsdedup sign -q -j "$JOBS" "${inputs[@]}" -o "$WORK/s"
stage band dsdedup band -q -j "$JOBS" "$WORK/s"
stage cluster dsdedup cluster -q -j "$JOBS" "$WORK/s"
stage filter dsdedup filter -q -j "$JOBS" "$WORK/s" "${inputs[@]}" -o "$WORK/staged.dsr"
echo "folder: $(($(cat "$WORK"/s/* | wc -c) / 1000000)) MB"
stage streaming dsdedup -q -j "$JOBS" "${inputs[@]}" -o "$WORK/streaming.dsr"
cmp <(dsrec cat -q --to jsonl "$WORK/staged.dsr") <(dsrec cat -q --to jsonl "$WORK/streaming.dsr") && echo "the same records"
