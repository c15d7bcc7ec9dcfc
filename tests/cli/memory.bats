#!/usr/bin/env bats
# dsdedup --memory: beyond it the staged run by itself, and the same bytes

bats_require_minimum_version 1.5.0
load common

setup() {
	common_setup
	awk 'BEGIN {
		srand(9)
		for (i = 0; i < 2500; i++) {
			kind = rand()
			if (i && kind < 0.1) t = old[int(rand() * i)]
			else if (i && kind < 0.3) { t = old[int(rand() * i)]; sub(/ w[0-9]+ /, " changed ", t) }
			else { t = "start"; for (k = 0; k < 30; k++) t = t " w" int(rand() * 5000) " and" }
			old[i] = t
			print "{" (i % 3 ? "\"id\":\"r" i "\"," : "") "\"n\":" i % 17 ",\"text\":\"" t "\"}"
		}
		for (i = 0; i < 200; i++) print "{\"text\":\"many times " i % 2 "\"}"
	}' >in.jsonl
	head -n 900 in.jsonl >a.jsonl
	tail -n +901 in.jsonl >b.jsonl
}

# The same bytes with little memory, and that it was too little.
same() {
	dsdedup -q "$@" a.jsonl b.jsonl -o whole.dsr
	dsdedup -v "$@" --memory 300K a.jsonl b.jsonl -o little.dsr 2>err
	grep -q 'more than 307 kB of tables: the staged run in ' err
	cmp whole.dsr little.dsr
	[ -z "$(ls "$TMPDIR" | grep '^ds\.')" ]
}

@test "the bytes are the same beyond --memory" {
	same
	same -j 3
	same -z
	same --method exact,simhash --threshold 0.7
	same --mark
	same --keep longest
	same --keep max:n --mark
	head -n 5 a.jsonl >evil.jsonl
	same --verify --against evil.jsonl
	dsdedup -q --memory 300K --against <(cat evil.jsonl) in.jsonl --to jsonl >o1
	dsdedup -q --against evil.jsonl in.jsonl --to jsonl | cmp - o1
}

@test "--stats tells the same beyond --memory" {
	told() { sed 's/"seconds":[0-9.]*//' "$1"; }
	for keep in first longest; do
		dsdedup -q --keep "$keep" --stats s1 a.jsonl b.jsonl -o whole.dsr
		dsdedup -q --keep "$keep" --stats s2 --memory 300K a.jsonl b.jsonl -o little.dsr
		grep -q '"largest":\[{"members":' s1
		cmp <(told s1) <(told s2)
	done
}

@test "clusters are the same beyond --memory" {
	same --clusters c.tsv
	cp c.tsv little.tsv
	dsdedup -q --clusters c.tsv a.jsonl b.jsonl -o whole.dsr
	cmp c.tsv little.tsv
	[ "$(wc -l <c.tsv)" -gt 100 ]
}

@test "stdin and stdout go through the folder" {
	dsdedup -q in.jsonl --to jsonl >whole
	dsdedup -q --memory 300K --to jsonl <in.jsonl | cmp - whole
	cat in.jsonl | dsdedup -q --memory 300K --to jsonl -o little
	cmp little whole
	dsdedup -q --memory 1G --to jsonl <in.jsonl | cmp - whole
	dsdedup -q in.jsonl | dsrec cat --to jsonl | cmp - whole
	dsdedup -q --memory 300K in.jsonl >little.dsr
	dsdedup -q in.jsonl >whole.dsr
	cmp little.dsr whole.dsr
	[ -z "$(ls "$TMPDIR" | grep '^ds\.')" ]
}

@test "bad records are skipped and rejected once beyond --memory" {
	(head -n 300 in.jsonl; echo '{"text":3}'; tail -n +301 in.jsonl; echo '{"text"') >bad.jsonl
	fails 1 "" dsdedup -q --memory 300K bad.jsonl -o out.dsr
	[ ! -e out.dsr ]
	dsdedup -q --on-error reject=r1 bad.jsonl --to jsonl >o1
	dsdedup -q --on-error reject=r2 --memory 300K bad.jsonl --to jsonl >o2
	cmp o1 o2 && cmp r1 r2
	[ "$(wc -l <r1)" -eq 2 ]
	[ -z "$(ls "$TMPDIR" | grep '^ds\.')" ]
}

@test "--memory goes with neither --scope, --index, --tag nor --salvage" {
	fails 2 "--memory goes with" dsdedup --memory 1M --scope line in.jsonl
	fails 2 "--memory goes with" dsdedup --memory 1M --index i in.jsonl
	fails 2 "--memory goes with" dsdedup --memory 1M --tag in.jsonl
	fails 2 "--memory goes with" dsdedup --memory 1M --salvage in.jsonl
}

@test "a signal leaves neither output nor folder" {
	for i in 1 2 3 4; do sed "s/start/start$i/" in.jsonl; done >more.jsonl
	for t in 0.05 0.1 0.2 0.4; do
		timeout -s INT "$t" dsdedup -q --memory 300K more.jsonl -o out.dsr || true
		[ -z "$(ls "$TMPDIR" | grep '^ds\.')" ]
		rm -f out.dsr
	done
}
