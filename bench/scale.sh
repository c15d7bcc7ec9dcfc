#!/usr/bin/env bash
# scale.sh - what each stage of pipelines/slurm/prepare.sh takes of a processor and hands on, and how well that foretells larger runs
#
# Rates are of the processor, a stage at a time over 100 MB in 4 shards; pipelines/estimate.sh reads them from here. The texts are
# made: words by Zipf's law, 3,000 bytes in the mean, a tenth of the records copies, 15 % copies with words changed, over all
# shards. Then the pipeline is run over SIZES (default 1G; 10G takes 30 GB of BENCH_DIR), and its processor time, the bytes handed on and
# the largest process are compared with what was foretold. A thousandth and a hundredth of 1 TB are 1G and 10G.
# shellcheck disable=SC2016,SC2018 # commands for another shell; the letters are ASCII
set -euo pipefail
cd "$(dirname "$0")/.."
make -s all
. bench/lib.sh
SIZES=${SIZES-1G}
PIECE=20000000 # bytes of made text; larger corpora have it under other letters, so that nothing repeats from one to the next

make_piece() {
	awk -v bytes=$PIECE 'BEGIN {
		srand(3)
		for (i = 1; i <= 50000; i++) {
			w = ""
			for (k = 2 + int(log(i)) * rand(); k > 0; k--) w = w substr("etaoinshrdlucmfwypvbgkjqxz", 1 + int(26 * rand() ^ 2), 1)
			word[i] = w
		}
		for (n = 0; size < bytes; n++) {
			kind = rand()
			if (n > 200 && kind < 0.1) t = old[int(rand() * 200)]
			else if (n > 200 && kind < 0.25) { t = old[int(rand() * 200)]; sub(/ [a-z]+ /, " changed ", t) }
			else {
				t = ""
				for (k = int(300 * exp(sqrt(-2 * log(1 - rand())) * cos(6.2832 * rand()))) + 5; k > 0; k--)
					t = t word[int(exp(log(50000) * rand()))] (k % 60 ? " " : ".|")
			}
			old[n % 200] = t
			size += length(t) + 14
			print t
		}
	}'
}

# corpus DIR BYTES SHARDS: pieces in turn, each under letters of its own
corpus() {
	local letters=abcdefghijklmnopqrstuvwxyz i
	mkdir -p "$1"
	for ((i = 0; i < ($2 + PIECE - 1) / PIECE; i++)); do
		tr a-z "$(python3 -c "import random; l = list('$letters'); random.Random($i).shuffle(l); print(''.join(l))")" <"$WORK/piece" |
			sed 's/|/\\n/g; s/.*/{"text":"&"}/' | (cd "$1" && split -n "r/$3" -d -a 4 --filter 'zstd -q1 >>"$FILE.jsonl.zst"' - s)
	done
}

# rate STAGE BYTES_OUT COMMAND...: a line for estimate.sh: processor seconds and bytes handed on for 1e9 bytes of input, peak MB
rate() {
	local stage=$1 out=$2 seconds mem user sys
	shift 2
	read -r user sys mem < <({ /usr/bin/time -f '%U %S %M' bash -c "$1" 2>&1 >/dev/null; } | tail -n 1)
	seconds=$(awk -v a="$user" -v b="$sys" 'BEGIN { print a + b }')
	# shellcheck disable=SC2086 # names of files
	awk -v stage="$stage" -v s="$seconds" -v in_bytes="$BYTES" -v out="$(cat $out | wc -c)" -v mem="$mem" \
		'BEGIN { printf "rate %-7s %8.2f core-s/GB %9.1f MB/GB handed on %6.0f MB peak\n", stage, s / in_bytes * 1e9, out / in_bytes * 1e3, mem / 1024 }'
}

make_piece >"$WORK/piece"
corpus "$WORK/in" 100000000 4
BYTES=$(zstd -dcq "$WORK"/in/* | wc -c)
cd "$WORK"
x="dsdedup exchange --parts 4"
each() { echo "set -e; for i in 0 1 2 3; do $1; done"; }
{
	rate clean 'c?.dsr' "$(each 'dsclean -q -j 1 in/s000$i.jsonl.zst -o c$i.dsr')"
	rate sign 'd?/sign*' "$(each 'dsdedup sign -q -j 1 c$i.dsr -o d$i')"
	rate texts 'texts?' "$(each "$x texts --shard \$i d\$i -o texts\$i")"
	rate sames 'sames?' "$(each "$x meet --part \$i texts? -o sames\$i")"
	rate keys 'keys?' "$(each "$x bands --shard \$i --part \$i d\$i sames? -o keys\$i")"
	rate met 'met?' "$(each "$x meet --part \$i keys? -o met\$i")"
	rate told 'told?' "$(each "$x tell --shard \$i --part \$i d\$i met? -o told\$i")"
	rate finish 'o?.dsr' "$(each "$x confirm --shard \$i --part \$i d\$i sames? met? told?; dsdedup filter -q -j 1 d\$i c\$i.dsr -o o\$i.dsr")"
	rate tok 't?.dsr' "$(each 'dstok -q -j 1 o$i.dsr -o t$i.dsr')"
	records=$(dsrec log --json c?.dsr | grep -o '"out":[0-9]*' | awk -F: '{ n += $2 } END { print n }')
	echo "rate records  $(awk -v n="$records" -v b="$BYTES" 'BEGIN { printf "%.0f", n / b * 1e9 }') /GB"
} | tee "$WORK/rates.txt"
cd "$ROOT"
rm -rf "$WORK"/{in,[cdo][0-3]*,t[0-3]*,texts?,sames?,keys?,met?,told?}

for size in $SIZES; do
	bytes=$(numfmt --from=si "$size")
	shards=$(((bytes + 249999999) / 250000000))
	corpus "$WORK/in" "$bytes" "$shards"
	read -r user sys mem handed < <(/usr/bin/time -f 'took %U %S %M' pipelines/slurm/prepare.sh --local 2 --tok '' "$WORK/in" "$WORK/out" 2>&1 |
		awk '/handed on/ { for (i = 1; i < NF; i++) if ($i == "MB") h = $(i - 1) } /^took/ { u = $2; s = $3; m = $4 } END { print u, s, m, h }')
	read -r p_seconds p_mem p_handed < <(RATES=$WORK/rates.txt pipelines/estimate.sh --size "$(zstd -dcq "$WORK"/in/* | wc -c)" --shards "$shards" --tok --to tsv |
		awk '$1 == "core-seconds" { s = $2 } $1 == "peak-mb" { m = $2 } $1 == "handed-on-mb" { h = $2 } END { print s, m, h }')
	awk -v size="$size" -v s="$(echo "$user $sys" | awk '{ print $1 + $2 }')" -v m="$mem" -v h="$handed" -v ps="$p_seconds" -v pm="$p_mem" -v ph="$p_handed" 'BEGIN {
		printf "%-4s core-seconds: foretold %8.0f measured %8.0f  %.2f\n", size, ps, s, s / ps
		printf "%-4s MB handed on: foretold %8.0f measured %8.0f  %.2f\n", size, ph, h, h / ph
		printf "%-4s MB peak:      foretold %8.0f measured %8.0f  %.2f\n", size, pm, m / 1024, m / 1024 / pm
	}'
	rm -rf "$WORK/in" "$WORK/out"
done
