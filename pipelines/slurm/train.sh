#!/usr/bin/env bash
# train.sh - dstrain as a Slurm job, on one node or many
#
# Usage: train.sh [--nodes N] [--per-node N] [--time LIMIT] [--sbatch OPTIONS] [--no-wait] DSTRAIN_OPTIONS... SHARD...
#
#   --nodes N          nodes, default 1
#   --per-node N       ranks of each: its GPUs, or its sockets; default 1
#   --time LIMIT       of one job (Slurm's spelling); two minutes before it the ranks save
#   --sbatch OPTIONS   more of sbatch's: '--partition=gpu --gres=gpu:8 --cpus-per-task=8'
#   --no-wait          print the job's number and end
#
# A run that the time limit cut is gone on with by another job, until it is done. The rest of the line is dstrain's, of which
# --out is needed; it and the shards lie where all nodes see them, and OUT.slurm has the job's log. How ranks share
# the work is --set parallel_strategy=..., as with mpirun (dstrain(1), RANKS).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
fail() {
	echo "train.sh: $2" >&2
	exit "$1"
}
nodes=1 per_node=1 limit='' more='' wait=1
while [ $# -gt 0 ]; do
	case $1 in
	--nodes | --per-node | --time | --sbatch)
		[ $# -ge 2 ] || fail 2 "$1: its value is missing"
		case $1 in
		--nodes) nodes=$2 ;;
		--per-node) per_node=$2 ;;
		--time) limit=$2 ;;
		--sbatch) more=$2 ;;
		esac
		shift 2
		;;
	--no-wait) wait='' && shift ;;
	-h | --help)
		usage
		exit 0
		;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
out='' last=''
for word in "$@"; do
	[ "$last" = --out ] && out=$word
	[[ $word != --out=* ]] || out=${word#--out=}
	last=$word
done
[ -n "$out" ] || fail 2 "no --out DIR"
command -v sbatch >/dev/null || fail 4 "no sbatch here"
bin=${DS_BIN:-$here/../../build/bin}
[ ! -x "$bin/dstrain" ] || PATH=$(cd "$bin" && pwd):$PATH
# Beside the run, as that begins in an empty folder.
notes=${out%/}.slurm
mkdir -p "$notes"
while :; do
	rm -f "$notes/ended"
	# The job's own exit status is among what it left in `ended`.
	# shellcheck disable=SC2086 # a list of options
	sbatch ${wait:+--wait} --parsable --nodes="$nodes" --ntasks-per-node="$per_node" ${limit:+--time="$limit"} --open-mode=append \
		--output="$notes/log" --export="ALL,DS_ENDED=$notes/ended" $more "$here/train.sbatch" "$@" >"$notes/job" 2>"$notes/sbatch" ||
		[ -s "$notes/job" ] || fail 4 "$(tail -n 1 "$notes/sbatch")"
	if [ -z "$wait" ]; then
		cat "$notes/job"
		exit 0
	fi
	[ -e "$notes/ended" ] || fail 4 "job $(cat "$notes/job") ended without a word: $notes/log"
	read -r rc cut <"$notes/ended"
	[ "$rc" = 0 ] || fail "$rc" "$(tail -n 1 "$notes/log")"
	[ "$cut" = cut ] || break
done
