#!/usr/bin/env bash
# estimate.sh - what preparing much text takes: core-hours, bytes handed on, disk, memory, machines
#
# Usage: estimate.sh --size SIZE [--hours N] [--cores N] [--net GBIT] [--disk GB] [--tok] [--to tsv]
#
#   --size SIZE        of the text: 10G, 1T, 1P (powers of 1000)
#   --hours N          machines for so many hours are asked for, default 24
#   --cores N          of a machine, default 64
#   --net GBIT         gigabits a second of a machine's network, default 25
#   --disk GB          gigabytes a second of a machine's share of the storage, default 1
#   --tok              dstok comes last
#   --shards N         default 1 GB of text each, 10 GB from 100 TB on
#   --partitions N     default as many as shards, or what keeps a step within 2 GB
#   --to tsv           the figures alone, a line each
#
# The pipeline is pipelines/slurm/prepare.sh or pipelines/spark/prepare.sh with their defaults. Rates of its stages are those that
# bench/scale.sh measured, as bench/RESULTS.md has them (RATES names another file); what was foretold and what was
# measured at 1 GB and 10 GB stands there, too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,19s/^# \{0,1\}//p' "$0"; }
fail() {
	echo "estimate.sh: $2" >&2
	exit "$1"
}
size='' hours=24 cores=64 net=25 disk=1 tok=0 to=table shards=0 partitions=0
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--tok) tok=1 && shift ;;
	--size | --hours | --cores | --net | --disk | --shards | --partitions | --to)
		[ $# -ge 2 ] || fail 2 "$1: its value is missing"
		[ "$1" = --to ] || [[ $2 =~ ^[0-9]+([.][0-9]+)?[KMGTPE]?B?$ ]] || fail 2 "$1 '$2': wanted a number"
		printf -v "${1#--}" %s "${2%B}"
		shift 2
		;;
	*) fail 2 "unknown word '$1'" ;;
	esac
done
[ -n "$size" ] || { usage >&2; exit 2; }
[[ $to == table || $to == tsv ]] || fail 2 "--to '$to': it is table or tsv"
for x in hours cores net disk; do awk -v v="${!x}" 'BEGIN { exit !(v > 0) }' || fail 2 "--$x ${!x}: wanted more than 0"; done
bytes=$(numfmt --from=si "$size")
[ "$bytes" -gt 0 ] || fail 2 "--size $size: wanted more than 0"
rates=${RATES:-$here/../bench/RESULTS.md}
[ -r "$rates" ] || fail 4 "$rates: no rates; make bench-scale measures them"
grep -q '^rate records' "$rates" || fail 4 "$rates: no rates; make bench-scale measures them"

awk -v bytes="$bytes" -v hours="$hours" -v cores="$cores" -v net="$net" -v disk="$disk" -v tok="$tok" -v to="$to" -v shards="$shards" \
	-v partitions="$partitions" '
function human(b,    u) {
	for (u = 1; b >= 999.5 && u < 6; u++) b /= 1000
	return sprintf(b < 9.95 ? "%.1f %s" : "%.0f %s", b, unit[u])
}
function time(h) { return h < 0.1 ? sprintf("%.1f minutes", h * 60) : h < 9.95 ? sprintf("%.1f hours", h) : sprintf("%.0f hours", h) }
function up(x) { return x == int(x) ? x : int(x) + 1 }
function most(a, b) { return a > b ? a : b }
BEGIN { split("B KB MB GB TB PB", unit, " ") }
$1 == "rate" && $2 == "records" { records = $3; next }
$1 == "rate" { second[$2] = $3; out[$2] = $5; peak[$2] = $9 }
END {
	gb = bytes / 1e9
	if (!shards) shards = up(gb / (gb >= 1e5 ? 10 : 1))
	keys = out["keys"] * gb * 1e6
	# Rows and their order, and half as much again while the rows grow: 40 bytes for a key of 16.
	if (!partitions) partitions = most(shards, up(2.5 * keys / 2e9))
	# Of the 4 shards of the bench a quarter of the pairs stayed within one.
	out["told"] *= (1 - 1 / shards) / 0.75
	n = split("clean sign texts sames keys met told finish tok", stage, " ")
	handed_on["texts"] = handed_on["sames"] = handed_on["keys"] = handed_on["met"] = handed_on["told"] = 1
	for (i = 1; i <= n; i++) {
		if (stage[i] == "tok" && !tok) continue
		core += second[stage[i]] * gb
		if (handed_on[stage[i]]) handed += out[stage[i]] * gb * 1e6
	}
	# A head of 40 bytes for each frame: a shard sends one to each partition, and back.
	handed += 40 * shards * partitions * 4
	# Written once and read as often as stages do: clean, sign, bands, tell, confirm, filter.
	stored = (out["clean"] + out["sign"] + out["finish"] + (tok ? out["tok"] : 0)) * gb * 1e6
	moved = bytes + stored + (2 * out["clean"] + 3 * out["sign"] + (tok ? out["finish"] : 0)) * gb * 1e6
	memory = most(10 + 2.5 * keys / partitions / 1e6, 25 + (out["sign"] + 1.5 * out["told"]) * gb / shards)
	memory = most(memory, most(peak["clean"], most(peak["sign"], tok ? peak["tok"] : 0)))
	one = core / cores / 3600 / 0.8 + handed * 8 / (net * 1e9) / 3600 + moved / (disk * 1e9) / 3600
	machines = up(one / hours)
	if (to == "tsv") {
		printf "bytes\t%.0f\nrecords\t%.0f\nshards\t%d\npartitions\t%d\ncore-seconds\t%.0f\nhanded-on-mb\t%.0f\nstored-mb\t%.0f\n", bytes, records * gb, shards, partitions, core, handed / 1e6, stored / 1e6
		printf "peak-mb\t%.0f\nhours-of-one\t%.2f\nmachines\t%d\n", memory, one, machines
		exit
	}
	printf "%s of text, %.3g records, in %d shards and %d partitions\n\n", human(bytes), records * gb, shards, partitions
	printf "%-10s %14s %16s\n", "stage", "core-hours", "handed on"
	for (i = 1; i <= n; i++)
		if (stage[i] != "tok" || tok)
			printf "%-10s %14.1f %16s\n", stage[i], second[stage[i]] * gb / 3600, handed_on[stage[i]] ? human(out[stage[i]] * gb * 1e6) : "-"
	printf "%-10s %14.1f %16s\n\n", "all", core / 3600, human(handed)
	printf "stored meanwhile   %s besides the input, of which the result is %s\n", human(stored), human(out[tok ? "tok" : "finish"] * gb * 1e6)
	printf "memory             %s a task, %s a machine of %d tasks\n", human(memory * 1e6), human(memory * 1e6 * cores), cores
	printf "one machine        %s: processors %s, network %s, storage %s\n", time(one), time(core / cores / 3600 / 0.8), time(handed * 8 / (net * 1e9) / 3600), time(moved / (disk * 1e9) / 3600)
	printf "machines           %d for %s\n\n", machines, time(one / machines)
	print "Assumed: text that is extracted already, of the lengths and with the share of copies that bench/scale.sh made"
	printf "(a tenth copies, 15 %% changed ones); cores as fast as the one that was measured, %d a machine, busy 80 %% of the\n", cores
	printf "time; %s Gbit/s of network and %s GB/s of storage a machine, and none of the three overlapping. What the engine takes for itself is not\n", net, disk
	print "counted. Clusters (--keep longest) hand on 32 bytes for each pair that is alike, a few times over."
}' "$rates"
