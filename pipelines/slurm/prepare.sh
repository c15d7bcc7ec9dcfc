#!/usr/bin/env bash
# prepare.sh - clean, deduplicate and tokenize many shards as Slurm array jobs
#
# Usage: prepare.sh [--clean 'OPTIONS'] [--dedup 'OPTIONS'] [--tok 'OPTIONS'] IN_DIR OUT_DIR
#
#   --clean OPTIONS    of dsclean, as one word
#   --dedup OPTIONS    of dsdedup sign: what is alike, --keep, --against
#   --tok OPTIONS      dstok comes last, with these options ('' for none); without --tok the records keep their text
#   --partitions N     of keys and pairs, default as many as shards. It changes no record
#   --sbatch OPTIONS   for every array: '--partition=cpu --mem-per-cpu=4G --cpus-per-task=2'
#   --at-once N        tasks of an array that run at once, default 1000
#   --no-wait          print the last job's number and end, instead of waiting for the result
#   --local N          no Slurm: N processes here
#   -q                 say nothing unless something is wrong
#
# Each file of IN_DIR is a shard (whatever dsclean reads); what stays of the Nth is OUT_DIR/part-NNNNN.dsr, and
# OUT_DIR/shards.tsv says what became of each. The records, their provenance and its counts are those of
# `dsclean IN_DIR/* | dsdedup`. A shard that is damaged is left out and named, and the exit status is that of its
# program; the others go on. What a task has made is not made again: after an interruption the same command goes on.
#
# IN_DIR, OUT_DIR and this tree lie where all nodes see them. Between two arrays a job of one task looks whether all
# is there, and runs once more what is not (a task that was killed, a node that was lost).
# shellcheck disable=SC2317,SC2154 # stages are called by their names, options come from the file of the run
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
fail() {
	echo "prepare.sh: $2" >&2
	exit "$1"
}

# ---- what a task does: each stage_NAME INDEX [ROUND] makes its file anew, in the folder that the run was begun in

# whole FILE COMMAND...: the command's stdout as FILE, whole or not at all
whole() {
	local file=$1 aside
	shift
	aside=$work/attempts/${file##*/}.$HOSTNAME.$$
	"$@" >"$aside"
	mv "$aside" "$file"
}

# Frames of an earlier stage, of all that wrote any.
frames() { find "$work" -maxdepth 1 -name "$1-[0-9]*" | sort; }

exchange() { # STEP ARGUMENTS...
	dsdedup exchange "$1" --parts "$parts" "${@:2}" -o -
}

# over STEP INDEX KIND...: a step of partition or shard INDEX over frames of those kinds that go there
over() {
	local step=$1 index=$2 kind
	local -a files=()
	shift 2
	for kind in "$@"; do mapfile -t -O ${#files[@]} files < <(frames "$kind"); done
	[ ${#files[@]} != 0 ] || files=(/dev/null)
	case $step in
	meet | large | small | members | choose) exchange "$step" --part "$index" "${files[@]}" ;;
	*) exchange "$step" --shard "$index" --part "$index" "$(folder "$index")" "${files[@]}" ;;
	esac
}

folder() { printf '%s/shard-%05d' "$work" "$1"; }
there() { [ -e "$(folder "$1")/clean.dsr" ]; } # a shard that was not left out

stage_clean() {
	local name to aside clean
	name=$(sed -n "$(($1 + 1))p" "$work/shards")
	to=$(folder "$1")
	aside=$work/attempts/shard-$1.$HOSTNAME.$$
	mkdir -p "$aside"
	clean=$aside/clean.dsr
	dsclean -q -j "$jobs" "${clean_options[@]}" -o "$clean" -- "$name"
	dsdedup sign -q -j "$jobs" "${dedup_options[@]}" "$clean" -o "$aside/signs"
	mv "$aside/signs/sign-00000.dsr" "$aside/"
	rmdir "$aside/signs"
	mv -T "$aside" "$to" 2>/dev/null || rm -rf "$aside" # another attempt was first
	whole "$work/texts-$1" exchange texts --shard "$1" "$to"
}
stage_sames() { whole "$work/sames-$1" over meet "$1" texts; }
stage_keys() { ! there "$1" || whole "$work/keys-$1" over bands "$1" sames; }
stage_met() { whole "$work/met-$1" over meet "$1" keys; }
stage_told() { ! there "$1" || whole "$work/told-$1" over tell "$1" met; }
stage_edges() { ! there "$1" || whole "$work/edges0-$1" over confirm "$1" sames met told; }
stage_large() { whole "$work/large$2-$1" over large "$1" "edges$(($2 - 1))"; }
stage_small() { whole "$work/edges$2-$1" over small "$1" "large$2"; }
stage_members() { whole "$work/members-$1" over members "$1" "edges$2"; }
stage_values() { ! there "$1" || whole "$work/values-$1" over values "$1" members; }
stage_verdicts() { whole "$work/verdicts-$1" over choose "$1" values; }
stage_finish() {
	local dir aside text
	there "$1" || return 0
	dir=$work/attempts/finish-$1.$HOSTNAME.$$
	aside=$dir/out.dsr
	mkdir -p "$dir"
	ln -s "$(folder "$1")/sign-00000.dsr" "$dir/"
	local -a files
	if [ -n "$clusters" ]; then mapfile -t files < <(frames verdicts); else mapfile -t files < <(frames sames; frames met; frames told); fi
	dsdedup exchange "$([ -n "$clusters" ] && echo settle || echo confirm)" --shard "$1" --part "$1" "$dir" "${files[@]}"
	dsdedup filter -q -j "$jobs" "$dir" "$(folder "$1")/clean.dsr" -o "$aside"
	if [ -n "$tok" ]; then
		text=$dir/text.dsr
		mv "$aside" "$text"
		dstok -q -j "$jobs" "${tok_options[@]}" "$text" -o "$aside"
	fi
	mv "$aside" "$out/part-$(printf %05d "$1").dsr"
	rm -r "$dir"
}

# ---- tasks and what comes after what

of_partitions() { [[ $1 == sames || $1 == met || $1 == large || $1 == small || $1 == members || $1 == verdicts ]]; }
tasks() { if of_partitions "$1"; then echo "$parts"; else echo "$n"; fi; }
mark() { echo "$work/done/$1${2:+-$2}-$3"; } # STAGE ROUND INDEX

# The bad data of a shard is its own: it is left out. What else goes wrong is tried three times.
task() { # STAGE ROUND INDEX
	local try rc log=$work/log/$1${2:+-$2}-$3
	[ ! -e "$(mark "$@")" ] || return 0
	for try in 1 2 3; do
		rc=0
		# A process of its own, which ends at the first command that fails; what the shell says of its end is for the log, too.
		{ "$self" --stage "$work" "$@" || rc=$?; } 2>"$log"
		if [ $rc = 0 ]; then
			touch "$(mark "$@")"
			return 0
		fi
		[[ $1 == clean || $1 == finish ]] || continue
		if [ $rc -le 3 ] || [ "$try" = 3 ]; then
			[ $rc -le 4 ] || rc=4
			printf '%d\t%s\n' $rc "$(tail -n 1 "$log" | tr '\t' ' ')" >"$work/attempts/failed-$3.$HOSTNAME.$$"
			mv "$work/attempts/failed-$3.$HOSTNAME.$$" "$work/failed-$3"
			touch "$(mark "$@")"
			return 0
		fi
	done
	return 4
}

# What follows, as STAGE and ROUND; nothing: it is the end. 11: the kind of frame that says that a star step moved something.
after() { # STAGE ROUND
	case $1 in
	clean) echo sames ;;
	sames) echo keys ;;
	keys) echo met ;;
	met) echo told ;;
	told) if [ -n "$clusters" ]; then echo edges; else echo finish; fi ;;
	edges) echo large 1 ;;
	large) echo small "$2" ;;
	small)
		if LC_ALL=C grep -qaP 'dsframe1\x0b' "$work/large$2-"* "$work/edges$2-"*; then echo large $(($2 + 1)); else echo members "$2"; fi
		;;
	members) echo values ;;
	values) echo verdicts ;;
	verdicts) echo finish ;;
	esac
}

# All of a stage is there, or is made now; what was needed for it goes.
gate() { # STAGE ROUND
	local i last
	last=$(tasks "$1")
	for ((i = 0; i < last; i++)); do
		task "$1" "$2" "$i" || { echo "$1 $i: $(tail -n 1 "$work/log/$1${2:+-$2}-$i")" >"$work/broken"; return 4; }
	done
	find "$work" -maxdepth 1 -name "$([ "$1" = small ] && echo "edges$2" || echo "$1$2")-*" -printf '%s\n' >>"$work/handed-on"
	[ "$1" != clean ] || find "$work" -maxdepth 1 -name 'texts-*' -printf '%s\n' >>"$work/handed-on"
	case $1 in
	sames) rm -f "$work"/texts-* ;;
	met) rm -f "$work"/keys-* ;;
	small) rm -f "$work/edges$(($2 - 1))-"* ;;
	esac
}

# ended: the table, and nothing else is left
finish() {
	local i names counts
	mapfile -t names <"$work/shards"
	{
		printf 'shard\tinput\trecords\tclean\tstay\terror\n'
		for ((i = 0; i < n; i++)); do
			if [ -e "$work/failed-$i" ]; then
				printf '%d\t%s\t\t\t\t%s\n' "$i" "${names[i]}" "$(cut -f 2 "$work/failed-$i")"
			else
				# Counts of dsclean, in and out, and of dsdedup, out.
				mapfile -t counts < <(dsrec log --json "$out/part-$(printf %05d "$i").dsr" |
					grep -o '"\(in\|out\)":[0-9]*' | grep -o '[0-9]*')
				printf '%d\t%s\t%s\t%s\t%s\t\n' "$i" "${names[i]}" "${counts[0]}" "${counts[1]}" "${counts[3]}"
			fi
		done
	} >"$work/shards.tsv"
	mv "$work/shards.tsv" "$out/shards.tsv"
}

# ---- how a run is driven

# Indices of one task: an array has at most 1000, so each may have several.
WIDTH=1000
each() { # STAGE ROUND FIRST
	local i rc=0
	for ((i = $3; i < $(tasks "$1"); i += WIDTH)); do task "$1" "$2" "$i" || rc=4; done
	return $rc
}

submit() { # STAGE ROUND: its array, and behind it the job that looks after it and submits what follows
	local last id
	last=$(($(tasks "$1") - 1))
	[ $last -lt $WIDTH ] || last=$((WIDTH - 1))
	# shellcheck disable=SC2086 # a list of options
	id=$(sbatch --parsable --requeue --job-name="$job" --output=/dev/null $sbatch_options --array="0-$last%$at_once" \
		--wrap="exec '$self' --task '$work' '$1' '$2'")
	# shellcheck disable=SC2086
	sbatch --parsable --requeue --job-name="$job" --output="$work/log/gate" $sbatch_options --dependency="afterany:${id%%;*}" \
		--wrap="exec '$self' --gate '$work' '$1' '$2'" >"$work/last"
}

# The run is a file of variables, read by every task.
load() {
	work=$1
	# shellcheck disable=SC1091
	. "$work/run"
	cd "$from"
	PATH=$bin:$PATH
}

case ${1-} in
--stage)
	load "$2"
	"stage_$3" "$5" "$4"
	exit
	;;
--task)
	load "$2"
	each "$3" "$4" "${5-$SLURM_ARRAY_TASK_ID}"
	exit
	;;
--gate)
	load "$2"
	next=
	gate "$3" "$4" || { touch "$work/ended"; exit 4; }
	next=$(after "$3" "$4")
	# shellcheck disable=SC2086 # a stage, and a round where there is one
	if [ -n "$next" ]; then submit ${next% *} "$([[ $next != *' '* ]] || echo ${next#* })"; else finish && touch "$work/ended"; fi
	exit
	;;
-h | --help)
	sed -n '2,24s/^# \{0,1\}//p' "$0"
	exit 0
	;;
'')
	sed -n '2,24s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac

clean='' dedup='' tok='' has_tok='' parts='' sbatch_options='' at_once=1000 wait=1 local='' quiet=''
operands=()
while [ $# -gt 0 ]; do
	case $1 in
	--clean | --dedup | --tok | --partitions | --sbatch | --at-once | --local)
		[ $# -ge 2 ] || fail 2 "$1: its value is missing"
		case $1 in
		--clean) clean=$2 ;;
		--dedup) dedup=$2 ;;
		--tok) tok=$2 has_tok=1 ;;
		--partitions) parts=$2 ;;
		--sbatch) sbatch_options=$2 ;;
		--at-once) at_once=$2 ;;
		--local) local=$2 ;;
		esac
		[[ $1 != --partitions && $1 != --at-once && $1 != --local ]] || [[ $2 =~ ^[1-9][0-9]*$ ]] || fail 2 "$1 '$2': wanted a number from 1"
		shift 2
		;;
	--no-wait) wait='' && shift ;;
	-q) quiet=1 && shift ;;
	-*) fail 2 "unknown option $1" ;;
	*) operands+=("$1") && shift ;;
	esac
done
[ ${#operands[@]} = 2 ] || fail 2 "wanted IN_DIR and OUT_DIR"
in=${operands[0]} from=$PWD
[ -d "$in" ] || fail 4 "$in: no such folder"
mkdir -p "${operands[1]}"
out=$(cd "${operands[1]}" && pwd)
work=$out/.work
bin=${DS_BIN:-$(dirname "$self")/../../build/bin}
[ -x "$bin/dsdedup" ] || bin=$(dirname "$(command -v dsdedup || echo /none/dsdedup)")
[ -x "$bin/dsdedup" ] || fail 4 "no dsdedup: build it with make, or name its folder in DS_BIN"
bin=$(cd "$bin" && pwd)
PATH=$bin:$PATH
[ -n "$local" ] || command -v sbatch >/dev/null || fail 4 "no sbatch here; --local N runs without Slurm"
[ ! -e "$out/shards.tsv" ] || fail 2 "${operands[1]}: is not empty"
[ -d "$work" ] || [ -z "$(ls "$out")" ] || fail 2 "${operands[1]}: is not empty"

# Words as a shell has them, so that quotes hold blanks together.
eval "clean_options=($clean) dedup_options=($dedup) tok_options=($tok)"
clusters=
for ((i = 0; i < ${#dedup_options[@]}; i++)); do
	case ${dedup_options[i]} in
	--keep) clusters=${dedup_options[i + 1]-} ;;
	--keep=*) clusters=${dedup_options[i]#--keep=} ;;
	esac
done
[ "$clusters" != first ] || clusters=

# What our programs do not understand is told before anything begins.
try() {
	local rc=0 said
	said=$("$@" 2>&1 >/dev/null) || rc=$?
	[ $rc != 2 ] || { echo "$said" >&2; exit 2; }
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/empty.jsonl"
dsrec import -q "$tmp/empty.jsonl" -o "$tmp/empty.dsr"
try dsclean -q "${clean_options[@]}" "$tmp/empty.jsonl" -o "$tmp/clean.dsr"
try dsdedup sign -q "${dedup_options[@]}" "$tmp/empty.dsr" -o "$tmp/signs"
[ -z "$has_tok" ] || try dstok -q "${tok_options[@]}" "$tmp/empty.dsr" -o "$tmp/tok.dsr"

mkdir -p "$work/done" "$work/log"
find "$in" -type f ! -path '*/.*' ! -name '_*' | LC_ALL=C sort >"$work/shards.new"
n=$(wc -l <"$work/shards.new")
[ "$n" != 0 ] || { rm -r "$work"; fail 1 "$in: no shards"; }
parts=${parts:-$n} tok=$has_tok job=dstools-$$ jobs=1
declare -p in out from bin n parts clusters tok clean_options dedup_options tok_options sbatch_options at_once jobs |
	sed 's/^declare /declare -g /' >"$work/run.new"
if [ -e "$work/run" ] && ! { cmp -s "$work/run" "$work/run.new" && cmp -s "$work/shards" "$work/shards.new"; }; then
	fail 2 "$work: of a run with other options or shards; remove it to begin anew"
fi
mv "$work/run.new" "$work/run"
mv "$work/shards.new" "$work/shards"
rm -rf "$work/attempts" "$work/ended" "$work/broken"
mkdir "$work/attempts"

if [ -n "$local" ]; then
	next=clean round=
	while [ -n "$next" ]; do
		# A task that failed is for the gate.
		seq 0 $(($(tasks "$next") < WIDTH ? $(tasks "$next") - 1 : WIDTH - 1)) |
			xargs -P "$local" -I @ "$self" --task "$work" "$next" "$round" @ || true
		gate "$next" "$round" || fail 4 "$(cat "$work/broken")"
		read -r next round < <(after "$next" "$round") || next=
	done
	finish
else
	echo "job=$job" >>"$work/run"
	submit clean ''
	if [ -z "$wait" ]; then
		cat "$work/last"
		exit 0
	fi
	gone=0
	until [ -e "$work/ended" ]; do
		sleep 1
		# Between a job that ends and what it submitted there is always one of the name.
		if [ -n "$(squeue -h -n "$job" -o %i)" ]; then gone=0; else gone=$((gone + 1)); fi
		[ $gone -lt 10 ] || [ -e "$work/ended" ] || fail 4 "the jobs are gone: $(tail -n 1 "$work/log/gate" 2>/dev/null)"
	done
	[ ! -e "$work/broken" ] || fail 4 "$(cat "$work/broken")"
fi
rc=0
for f in "$work"/failed-*; do
	[ -e "$f" ] || continue
	echo "prepare.sh: $(sed -n "$((${f##*-} + 1))p" "$work/shards"): left out: $(cut -f 2 "$f")" >&2
	[ "$rc" != 0 ] || rc=$(cut -f 1 "$f")
done
handed=$(awk '{ n += $1 } END { printf "%.0f", n / 1e6 }' "$work/handed-on")
rm -rf "$work"
[ -n "$quiet" ] || awk -F '\t' -v handed="$handed" 'NR > 1 { n++; r += $3; s += $5; bad += $6 != "" }
	END { printf "prepare.sh: %d of %d shards, %d records, %d stay, %d MB handed on\n", n - bad, n, r, s, handed }' "$out/shards.tsv" >&2
exit "$rc"
