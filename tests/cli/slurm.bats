#!/usr/bin/env bats
# pipelines/slurm/prepare.sh without Slurm, its tasks as processes here; on a Slurm in tests/scale

load common

setup() {
	common_setup
	export DS_BIN=${BUILD:-$ROOT/build}/bin
	prepare=$ROOT/pipelines/slurm/prepare.sh
	mkdir in
	near_duplicates 600 5 | split -l 200 -d -a 1 --additional-suffix=.jsonl - in/part-
	: >in/part-3.jsonl
}

same() { cmp <(dsrec cat -q --to jsonl "$1") <(dsrec cat -q --to jsonl out/part-*.dsr); }
no_trace() { [ -z "$(find out -mindepth 1 ! -name 'part-?????.dsr' ! -name shards.tsv)" ]; }

@test "tasks of shards and partitions keep the records of one run, whatever is killed, and name a damaged shard" {
	dsclean -q --lower in/*.jsonl | dsdedup -q --threshold 0.7 -o one.dsr
	printf '{"id":"x","text":"broken' >in/part-9.jsonl
	mkdir bin tried
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	rm bin/dsclean bin/dsdedup
	# The first run of dsclean for each shard, and of each step, ends at once, and so does what started it.
	for p in dsclean dsdedup; do
		cat >bin/$p <<-END
			#!/bin/bash
			mark=\$(echo "$p \$* \$(basename -- "\${@: -1}")" | sed 's# [^ ]*/[^ ]*##g' | tr ' ' _)
			if [[ "$p \$1" != dsdedup\ [sf]* ]] && mkdir "$PWD/tried/\$mark" 2>/dev/null; then kill -KILL \$PPID; exit 1; fi
			exec "$DS_BIN/$p" "\$@"
		END
		chmod +x bin/$p
	done
	run -1 --separate-stderr env DS_BIN="$PWD/bin" "$prepare" -q --local 2 --partitions 3 --clean --lower --dedup '--threshold 0.7' in out
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == *in/part-9.jsonl* ]]
	same one.dsr
	no_trace
	[ "$(ls tried | wc -l)" -gt 10 ]
}

@test "clusters and tokens are those of one run" {
	dsclean -q in/*.jsonl -o clean.dsr
	dsdedup -q --keep longest clean.dsr | dstok -q -o one.dsr
	"$prepare" -q --local 2 --partitions 2 --dedup '--keep longest' --tok '' in out
	same one.dsr
	no_trace
}

@test "an interrupted run goes on, other options are refused" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	mkdir bin
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	ln -sf /bin/false bin/dsdedup
	run env DS_BIN="$PWD/bin" "$prepare" -q --local 2 in out
	[ "$status" != 0 ]
	rm -rf out
	# The driver and all below it end while keys are made.
	cat >bin/stop <<-END
		#!/bin/bash
		case "\$*" in *exchange\\ bands*) touch "$PWD/there"; sleep 60 ;; esac
		exec "$DS_BIN/dsdedup" "\$@"
	END
	chmod +x bin/stop
	ln -sf stop bin/dsdedup
	DS_BIN=$PWD/bin setsid "$prepare" -q --local 2 in out 3>&- &
	driver=$!
	until [ -e there ]; do sleep 0.1; done
	kill -KILL -- -"$driver"
	fails 2 "other options" "$prepare" -q --local 2 --clean --lower in out
	rm bin/dsdedup && ln -s "$DS_BIN/dsdedup" bin/
	DS_BIN=$PWD/bin "$prepare" -q --local 2 in out
	same one.dsr
	no_trace
}
