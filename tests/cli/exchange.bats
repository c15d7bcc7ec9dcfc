#!/usr/bin/env bats
# dsdedup exchange: the staged run in steps of a shard or a partition, as an engine drives it

load common

setup() {
	common_setup
	near_duplicates 1200 11 | split -l 400 -d -a 1 --additional-suffix=.jsonl - p
	for part in 0 1 2; do echo '{"title":"no text"}' >>p$part.jsonl; done
	: >p3.jsonl
	head -n 20 p2.jsonl >evil.jsonl
}

# shards STEP OUT FRAMES...: a step over all shards (OUT empty: no -o); partitions the same over all partitions
shards() {
	local step=$1 out=$2 i
	shift 2
	for i in 0 1 2 3; do dsdedup exchange "$step" --shard $i --part $i --parts "$PARTS" d$i "$@" ${out:+-o $out-$i}; done
}
partitions() {
	local step=$1 out=$2 i
	shift 2
	for ((i = 0; i < PARTS; i++)); do dsdedup exchange "$step" --part $i --parts "$PARTS" "$@" -o "$out-$i"; done
}

# exchanged PARTS OPTIONS: o2 has the records, l2 the log
exchanged() {
	local PARTS=$1 i round
	rm -rf d? f o2-*
	mkdir f
	# shellcheck disable=SC2086 # a list of options
	for i in 0 1 2 3; do dsdedup sign -q $2 p$i.jsonl -o d$i; done
	shards texts f/texts
	partitions meet f/sames f/texts-*
	shards bands f/keys f/sames-*
	partitions meet f/pairs f/keys-*
	shards tell f/sketches f/pairs-*
	if [[ $2 != *"--keep "* ]]; then
		shards confirm "" f/sames-* f/pairs-* f/sketches-*
	else
		shards confirm f/edges0 f/sames-* f/pairs-* f/sketches-*
		for ((round = 1; round < 20; round++)); do
			partitions large f/large f/edges$((round - 1))-*
			partitions small f/edges$round f/large-*
			changed f/large-* f/edges$round-* || break
		done
		partitions members f/members f/edges$round-*
		shards values f/values f/members-*
		partitions choose f/verdicts f/values-*
		shards settle "" f/verdicts-*
	fi
	for i in 0 1 2 3; do dsdedup filter -q d$i p$i.jsonl -o o2-$i.dsr; done
	dsrec cat -q o2-?.dsr --to jsonl >o2
}

# changed FILE...: a star step moved an edge, which a frame of kind 11 says
changed() { LC_ALL=C grep -qaP 'dsframe1\x0b' "$@"; }

# A chain without sizes in bytes, which depend on how records lie in blocks.
chain() { dsrec log --json "$@" | sed 's/"bytes_[a-z]*":[0-9]*,//g; s/,{"program":"dsrec"[^}]*}//'; }

same() {
	# shellcheck disable=SC2086
	dsdedup -q $2 p?.jsonl -o o1.dsr
	exchanged "$@"
	cmp <(dsrec cat -q o1.dsr --to jsonl) o2
	[ "$(wc -l <o2)" -gt 300 ] && [ "$(wc -l <o2)" -lt 1100 ]
	# One chain of all, and its counts are those of one run.
	dsrec cat -q o2-?.dsr -o all.dsr
	chain o1.dsr >l1 && chain all.dsr >l2
	diff l1 l2
}

@test "steps of shards and partitions keep the same records as one run, for any number of partitions" {
	same 1 ""
	same 3 ""
	same 7 ""
	same 2 "--method exact"
	same 2 "--method minhash --threshold 0.6 --verify --ngram 3"
	same 2 "--method simhash --distance 3"
	same 5 "--against evil.jsonl --keep-labels"
}

@test "clusters over partitions keep the same record as one run" {
	same 1 "--keep longest"
	same 5 "--keep max:n"
}
