#!/bin/sh
# jsonl.sh - import and export of JSON Lines beside simdjson's own parse and cat
#
# 256,000 records of 1 KB, made here. Nine rounds, one measurement of each after the other in every
# round, so that a busy machine slows all alike; the ratios are medians. Import is the whole program,
# from the file to a stream with checksums; simdjson parses what is in memory already. Asked for:
# import at least 0.5 of simdjson, export at least 0.5 of cat.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
dsrec=${BUILD:-build}/bin/dsrec
mkdir -p "$out"
"${CXX:-g++}" -std=gnu++17 -O2 bench/jsonl.cc -lsimdjson -lpthread -o "$out/jsonl"
[ -s "$out/k.jsonl" ] || awk 'BEGIN {
	srand(1)
	for (i = 0; i < 5000; i++) {
		w[i] = ""
		for (n = 2 + rand() * 8; n > 0; n--)
			w[i] = w[i] sprintf("%c", 97 + rand() * 26)
	}
	for (i = 0; i < 256000; i++) {
		t = ""
		while (length(t) < 920)
			t = t w[int(rand() * 5000)] (rand() < .02 ? "\\n" : " ")
		printf "{\"id\":%d,\"url\":\"https://example.org/%d\",\"text\":\"%s\",\"lang\":\"en\",\"score\":%.3f}\n",
			i, i, t, rand()
	}
}' >"$out/k.jsonl"
"$dsrec" import -q "$out/k.jsonl" -o "$out/k.dsr"
now() { date +%s.%N; }
for _ in 1 2 3 4 5 6 7 8 9; do
	set -- "$("$out/jsonl" "$out/k.jsonl" | cut -d' ' -f1)"
	a=$(now); "$dsrec" import -q "$out/k.jsonl" >/dev/null
	b=$(now); "$dsrec" import -q -j1 "$out/k.jsonl" >/dev/null
	c=$(now); "$dsrec" export -q --to jsonl "$out/k.dsr" | cat >/dev/null
	d=$(now); cat "$out/k.jsonl" | cat >/dev/null
	e=$(now)
	echo "$1 $a $b $c $d $e"
done | awk '
function median(v, n, i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return v[int((n + 1) / 2)]
}
{ n++; im[n] = $1 / ($3 - $2); one[n] = $1 / ($4 - $3); ex[n] = ($6 - $5) / ($5 - $4) }
END {
	printf "import, all threads  %.2f of simdjson\n", median(im, n)
	printf "import, one thread   %.2f of simdjson\n", median(one, n)
	printf "export               %.2f of cat\n", median(ex, n)
}'
