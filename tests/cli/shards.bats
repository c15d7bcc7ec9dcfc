#!/usr/bin/env bats
# --shard-size: one output as several files

load common
setup() { common_setup; }

@test "an output is cut at block ends once a file has its size, and each file is whole" {
	numbered 60000 >in.jsonl
	dsrec import -q in.jsonl -o whole.dsr
	dsrec import in.jsonl -o 'o-%03d.dsr' --shard-size 1M 2>err
	[[ $(cat err) == *"60,000 records in, 60,000 out"* ]]
	[ "$(echo o-*)" = "o-000.dsr o-001.dsr o-002.dsr" ] || { ls -l; return 1; }
	for f in o-000.dsr o-001.dsr; do
		[ "$(stat -c %s $f)" -ge 1048576 ] && [ "$(stat -c %s $f)" -lt 2200000 ]
		[[ "$(dsrec log $f)" == *"dsrec import"*"in other shards"* ]]
	done
	dsrec check -q o-*.dsr
	dsrec cat -q o-*.dsr --to jsonl | cmp - <(dsrec cat -q whole.dsr --to jsonl)
	[ "$(cat o-*.dsr | dsrec cat -q --to jsonl | wc -l)" -eq 60000 ]
}

@test "shards do not depend on the threads, and have the format of their name" {
	numbered 30000 >in.jsonl
	for j in 1 4; do
		dsclean -q -j $j in.jsonl -o "c$j-%d.jsonl.gz" --shard-size 1M
		dsrec where -q -j $j "label = 'pos'" in.jsonl -o "w$j-%02d.dsr" --shard-size 500K
	done
	[ -e c1-1.jsonl.gz ] && [ -e w1-01.dsr ]
	for f in c1-* w1-*; do cmp "$f" "${f/1-/4-}"; done
	[ "$(zcat c1-*.gz | wc -l)" -eq 30000 ]
	dsrec export -q in.jsonl -o 'o-%d.csv' --shard-size 1M
	[ "$(head -qn 1 o-*.csv | sort -u)" = "id,text,label" ] && [ -e o-1.csv ]
	printf '' | dsrec import -q --from jsonl -o 'none-%d.dsr' --shard-size 1M
	[ "$(echo none-*)" = none-0.dsr ] && dsrec check -q none-0.dsr
}

@test "all shards come into their places or none, and a name must have a place for the number" {
	numbered 60000 >in.jsonl
	cp in.jsonl bad.jsonl && echo '{' >>bad.jsonl
	fails 1 "bad.jsonl:60001" dsrec import bad.jsonl -o 'o-%d.dsr' --shard-size 1M
	[ -z "$(find . -name 'o-*')" ]
	for o in o.dsr 'o-%d-%d.dsr' 'o-%s.dsr' 'o-%99d.dsr' 'o-%'; do
		fails 2 "one %d in the name" dsrec import in.jsonl -o "$o" --shard-size 1M
	done
	run bash -c 'dsrec import in.jsonl --shard-size 1M --to jsonl >out'
	[ "$status" -eq 2 ] && [ ! -s out ]
	fails 2 "written as several files" dsrec export in.jsonl --to megatron -o 'o-%d' --shard-size 1M
	(export DS_BLOCK=20000 && ulimit -n 64 && fails 4 "Too many open files" dsrec import in.jsonl -o 'o-%d.dsr' --shard-size 1)
	[ -z "$(find . -name 'o-*')" ]
	dsrec import -q in.jsonl -o 'o-%d.dsr' && [ -e 'o-%d.dsr' ]
}

@test "programs that write records cut them into shards: dsdedup, dstok, dsrec head, shuf and split" {
	numbered 40000 >in.jsonl
	dsdedup -q --keep longest in.jsonl -o 'd-%d.dsr' --shard-size 1M
	dsdedup -q --keep longest in.jsonl -o d.dsr
	dstok -q --seq 128 in.jsonl -o 't-%d.dsr' --shard-size 500K
	dstok -q --seq 128 in.jsonl -o t.dsr
	dstok decode -q t.dsr -o 'p-%d.jsonl' --shard-size 500K && dstok decode -q t.dsr -o p.jsonl
	dsrec head -q -n 30000 in.jsonl -o 'h-%d.csv.gz' --shard-size 1M
	dsrec head -q -n 30000 in.jsonl -o h.csv.gz
	dsrec shuf -q in.jsonl -o 's-%d.dsr' --shard-size 1M && dsrec shuf -q in.jsonl -o s.dsr
	for k in d t p h s; do
		[ -e $k-1.* ] || { ls; return 1; }
		cmp <(dsrec cat -q --to jsonl $k-*) <(dsrec cat -q --to jsonl $k.*)
	done
	dstok decode -q t-1.dsr --to text >words && [ -s words ]
	dsdedup -q --memory 1M in.jsonl -o "m-%d.dsr" --shard-size 1M && [ -e m-1.dsr ]
	dsrec split --by 0.8,0.2 in.jsonl -o 'a-%d.dsr,b-%d.dsr' --shard-size 500K 2>err
	dsrec split -q --by 0.8,0.2 in.jsonl -o a.dsr,b.dsr
	[ -e a-1.dsr ] && [ -e b-1.dsr ] && [[ $(cat err) == *"40,000 records in, 40,000 out"* ]]
	cmp <(dsrec cat -q --to jsonl a-*.dsr) <(dsrec cat -q --to jsonl a.dsr)
	cmp <(dsrec cat -q --to jsonl b-*.dsr) <(dsrec cat -q --to jsonl b.dsr)
	[[ $(dsrec log a-0.dsr) == *"in other shards"* ]]
	dsrec check -q ./*-*.dsr
	fails 2 "one %d in the name" dsrec split --by 0.8,0.2 in.jsonl -o 'a-%d.dsr,b.dsr' --shard-size 500K
}
