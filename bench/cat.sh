#!/usr/bin/env bash
# cat.sh - dsrec cat against cat between two pipes, -z against zstd, and the memory it takes
#
# Columns: ours, the peer's, ours / peer. MB= the size of the stream (1000).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
MB=${MB:-1000}
f=$WORK/a.dsr
# Text that packs as text does: numbered sentences of words drawn from a list.
awk -v bytes=$((MB * 1000000)) 'BEGIN {
	srand(1)
	n = split("the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through", w, " ")
	while (sum < bytes) {
		s = ""
		k = 40 + int(rand() * 200)
		for (i = 0; i < k; i++) s = s w[1 + int(rand() * n * rand())] " "
		line = "{\"id\":" NR++ ",\"text\":\"" s "\"}"
		sum += length(line)
		print line
	} }' | dsrec import --from jsonl -q -o "$f"
bytes=$(stat -c %s "$f")
against "cat, checksums on" "$bytes" "cat $f | dsrec cat -q | cat >/dev/null" "cat $f | cat | cat >/dev/null"
against "cat -z3 against zstd -3 -T0" "$bytes" "cat $f | dsrec cat -q -z3 >$WORK/a.z" "cat $f | zstd -3 -T0 -q -c >$WORK/a.zst"
ours=$(stat -c %s "$WORK/a.z") peer=$(stat -c %s "$WORK/a.zst")
awk -v a="$ours" -v b="$peer" 'BEGIN { printf "%-34s %8.1f MB   %8.1f MB     %.2f\n", "its size", a / 1e6, b / 1e6, a / b }'
against "unpacking against zstd -d" "$bytes" "dsrec cat -q $WORK/a.z | cat >/dev/null" "zstd -d -q -c $WORK/a.zst | cat >/dev/null"
echo "peak memory of cat: $(cat "$f" | peak dsrec cat -q) MB from a pipe, $(peak dsrec cat -q "$f") MB from a file, $(peak dsrec cat -q -z3 "$f") MB with -z3"
