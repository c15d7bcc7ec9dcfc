#!/usr/bin/env bats
# pipelines/spark/prepare.sh on more than threads: make check-scale

load ../cli/common
load ../cli/spark

setup() {
	spark_setup
}

prepared() { run --separate-stderr "$prepare" -q "$@"; [ "$status" = 0 ] || { echo "$stderr"; return 1; }; }

@test "one and seven partitions on a cluster of two workers give the same" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	for n in 1 7; do
		prepared --master 'local-cluster[2,1,1024]' --partitions $n in out$n
		same one.dsr out$n/part-*.dsr
		no_trace out$n
	done
}

@test "clusters over machines keep the longest, and tokens come last" {
	dsclean -q in/*.jsonl -o clean.dsr
	dsdedup -q --keep longest clean.dsr | dstok -q -o one.dsr
	prepared --master 'local[2]' --dedup '--keep longest' --tok '' --partitions 4 in out
	same one.dsr out/part-*.dsr
}

@test "a worker that is killed in the middle of any program is made up for, without trace" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	for p in dsclean dsdedup; do killed_once $p '$PPID'; done
	DS_BIN=$PWD/bin prepared --master 'local-cluster[2,1,1024]' in out
	same one.dsr out/part-*.dsr
	no_trace out
}

@test "an executor that is lost takes nothing with it" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	mkdir bin
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	# The first filter of shard 1 ends the executor that it runs on, when all that was shuffled lies there.
	rm bin/dsdedup
	cat >bin/dsdedup <<-END
		#!/bin/bash
		if [[ \$* == filter*clean-00001* ]] && mkdir "$PWD/lost" 2>/dev/null; then
			pid=\$\$
			while ! tr '\\0' ' ' </proc/\$pid/cmdline | grep -q CoarseGrainedExecutorBackend; do pid=\$(awk '{ print \$4 }' /proc/\$pid/stat); done
			kill -KILL \$pid
			sleep 60
		fi
		exec "$DS_BIN/dsdedup" "\$@"
	END
	chmod +x bin/dsdedup
	DS_BIN=$PWD/bin prepared --master 'local-cluster[2,1,1024]' in out
	[ -d lost ]
	same one.dsr out/part-*.dsr
}

@test "of two attempts at one shard there is one whole shard" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	mkdir bin
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	rm bin/dsclean
	# The first attempt at a shard hangs, half of its output written, until the other is done.
	cat >bin/dsclean <<-END
		#!/bin/bash
		if [[ \$* == *part-2.jsonl* ]] && mkdir "$PWD/hung" 2>/dev/null; then
			for ((i = 1; i <= \$#; i++)); do [ "\${!i}" != -o ] || { k=\$((i + 1)); echo half >"\${!k}"; }; done
			sleep 600
		fi
		[[ \$* == *part-2.jsonl* ]] && touch "$PWD/second"
		exec "$DS_BIN/dsclean" "\$@"
	END
	chmod +x bin/dsclean
	DS_BIN=$PWD/bin prepared --master 'local-cluster[2,1,1024]' --conf spark.speculation.quantile=0.5 --conf spark.speculation.minTaskRuntime=100ms in out
	[ -d hung ] && [ -e second ]
	same one.dsr out/part-*.dsr
	no_trace out
}

@test "shards come and go by commands, and records keep the names of their files" {
	mkdir bucket html
	for i in 1 2 3; do echo "<html><body><p>page $i of some words</p></body></html>" >html/p$i.html; done
	cp in/part-0.jsonl html/q.jsonl
	dsclean -q html/* | dsdedup -q -o one.dsr
	# A store of objects under names that are no paths here.
	cat >get <<-END
		#!/bin/sh
		cp "$PWD/\${1#obj://}" "\$2"
	END
	cat >put <<-END
		#!/bin/sh
		mkdir -p "\$(dirname "$PWD/\${2#obj://}")" && cp "\$1" "$PWD/\${2#obj://}"
	END
	cat >list <<-END
		#!/bin/sh
		ls -l "$PWD/\${1#obj://}" | sed 1d
	END
	chmod +x get put list
	prepared --master 'local[2]' --fetch "$PWD/get" --store "$PWD/put" --list "$PWD/list" obj://html obj://bucket/out
	cmp <(dsrec cat -q --to jsonl one.dsr) <(dsrec cat -q --to jsonl bucket/out/part-*.dsr | sed 's#obj://##')
	[ "$(ls bucket/out)" = "$(printf 'part-%05d.dsr\n' 0 1 2 3 && echo shards.tsv)" ]
}

@test "an interrupted run goes on with what it had cleaned" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	killed_once dsdedup '$$'
	# Without other attempts the run ends; what was cleaned and signed stays.
	DS_BIN=$PWD/bin run -4 --separate-stderr "$prepare" -q --master 'local[2,1]' in out
	[ "${#stderr_lines[@]}" = 1 ]
	run -2 --separate-stderr "$prepare" -q --master 'local[2]' --clean --lower in out
	[[ $stderr == *"other options"* ]]
	prepared --master 'local[2]' in out
	same one.dsr out/part-*.dsr
	no_trace out
}
