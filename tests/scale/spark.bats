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

# A cluster of its own: Spark gives a second attempt to another host only, which an address is.
start_cluster() {
	local home port=$((20000 + RANDOM % 20000)) host
	home=$("$DS_PYSPARK/bin/python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
	cluster=spark://127.0.0.1:$port
	pids=()
	export SPARK_LOCAL_DIRS=$PWD SPARK_NO_DAEMONIZE=1 PYSPARK_PYTHON=$DS_PYSPARK/bin/python
	"$home/bin/spark-class" org.apache.spark.deploy.master.Master --host 127.0.0.1 --port $port --webui-port 0 >master.log 2>&1 3>&- &
	pids+=($!)
	for host in 127.0.0.2 127.0.0.3; do
		SPARK_LOCAL_IP=$host "$home/bin/spark-class" org.apache.spark.deploy.worker.Worker --host $host --cores 1 --memory 1g --webui-port 0 \
			--work-dir "$PWD/worker" $cluster >worker-$host.log 2>&1 3>&- &
		pids+=($!)
	done
	for _ in $(seq 600); do
		[ "$(cat worker-*.log | grep -c 'Successfully registered')" -lt 2 ] || return 0
		sleep 0.2
	done
	tail -n 3 ./*.log
	return 1
}

teardown() {
	[ -z "${pids-}" ] || kill "${pids[@]}" || true
	wait
}

@test "of two attempts at one shard there is one whole shard, on a cluster by its address" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	start_cluster
	mkdir bin
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	rm bin/dsclean
	# The first attempt at a shard hangs, half of its output written, and the other is to end it.
	cat >bin/dsclean <<-END
		#!/bin/bash
		if [[ \$* == *part-2.jsonl* ]] && mkdir "$PWD/hung" 2>/dev/null; then
			for ((i = 1; i <= \$#; i++)); do [ "\${!i}" != -o ] || { k=\$((i + 1)); echo half >"\${!k}"; }; done
			echo \$\$ >"$PWD/hung/pid"
			sleep 3600
		fi
		[[ \$* == *part-2.jsonl* ]] && touch "$PWD/second"
		exec "$DS_BIN/dsclean" "\$@"
	END
	chmod +x bin/dsclean
	DS_BIN=$PWD/bin prepared --master $cluster --conf spark.driver.host=127.0.0.1 --conf spark.speculation.quantile=0.5 --conf spark.executor.memory=512m in out
	[ -d hung ] && [ -e second ]
	same one.dsr out/part-*.dsr
	no_trace out
	for _ in $(seq 100); do [ -e "/proc/$(cat hung/pid)" ] || break; sleep 0.1; done
	[ ! -e "/proc/$(cat hung/pid)" ]
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
