#!/usr/bin/env bats
# pipelines/spark/prepare.sh: the records of one machine, whatever happens to tasks; more of it in tests/scale

load common
load spark

setup() {
	spark_setup
}

@test "Spark keeps the records, provenance and counts of one run, though programs are killed and a shard is damaged" {
	dsclean -q in/*.jsonl | dsdedup -q --threshold 0.7 -o one.dsr
	printf '{"id":"x","text":"broken' >in/part-9.jsonl
	killed_once dsclean '$$'
	DS_BIN=$PWD/bin run -1 --separate-stderr "$prepare" -q --master 'local[2]' --dedup '--threshold 0.7' --partitions 3 in out
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == *in/part-9.jsonl* ]]
	same one.dsr out/part-*.dsr
	grep -q "^6.in/part-9.jsonl.*dsclean: " out/shards.tsv
	[ "$(ls tried | wc -l)" = 7 ]
	no_trace out
}

@test "what is wrong with the command line is one line, before Spark is started" {
	fails 2 "no-such" "$prepare" --clean --no-such in out
	fails 2 "no-such" "$prepare" --dedup '--threshold 0.7 --no-such' in out
	fails 2 "OUT_DIR" "$prepare" in
	fails 4 "nowhere" "$prepare" nowhere out
	mkdir out && touch out/part-00000.dsr
	fails 2 "not empty" "$prepare" in out
	[ "$(ls out)" = part-00000.dsr ]
}
