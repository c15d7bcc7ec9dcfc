#!/usr/bin/env bats
# -o NAME: the name says what is written

load common
setup() {
	common_setup
	printf '{"id":1,"text":"one"}\n{"id":2,"text":"two"}\n' >in.jsonl
}

@test "the suffix after -o decides the format, and what stands around it" {
	for name in o.jsonl o.JSONL o.ndjson o.json o.csv o.tsv o.txt o.tar o.dsr o.jsonl.gz o.json.zst o.csv.gz o.tgz; do
		dsclean in.jsonl -q -o $name
		[ "$(dsrec export $name -q --to text)" = $'one\ntwo' ] || { echo "$name"; return 1; }
	done
	[ "$(head -c 1 o.jsonl)" = "{" ]
	[ "$(gzip -dc o.jsonl.gz | head -c 1)" = "{" ]
	[ "$(zstd -dc o.json.zst | head -c 1)" = "[" ]
	[ "$(head -n 1 o.csv)" = "id,text" ]
	[ "$(cat o.txt)" = $'one\ntwo' ]
	tar tf o.tar | grep -q 'txt$'
	gzip -dc o.tgz | tar tf - | grep -q 'txt$'
	for name in o.xyz o plain.txt.of; do
		dsclean in.jsonl -q -o $name
		[ "$(head -c 4 $name | tail -c 3)" = DSR ]
	done
}

@test "a .json is one array, for no records and for many blocks too" {
	numbered 3000 >many.jsonl
	dsrec import -q many.jsonl -o many.json
	DS_BLOCK=512 dsrec import -q -j 3 many.jsonl -o seams.json
	cmp many.json seams.json
	: >none.jsonl
	dsrec import -q none.jsonl -o none.json
	python3 - <<-'END'
		import json
		want = [json.loads(l) for l in open("many.jsonl")]
		assert json.load(open("many.json")) == want and json.load(open("none.json")) == []
	END
	[ "$(dsrec import -q many.jsonl | dsrec export -q --to json | sha256sum)" = "$(sha256sum <many.json)" ]
}

@test "a name and --to that contradict one another are exit 2, before anything is read" {
	for pair in csv:o.jsonl jsonl:o.dsr dsr:o.csv text:o.tsv tsv:o.txt csv:o.tar jsonl:o.csv.gz; do
		fails 2 "contradict" dsclean absent.jsonl --to ${pair%%:*} -o ${pair#*:}
		[ ! -e ${pair#*:} ]
	done
	fails 2 "contradict" dsrec export in.jsonl --to csv -o o.jsonl
	fails 2 "contradict" dsrec head in.jsonl --to csv -o o.jsonl
	dsclean in.jsonl -q --to jsonl -o lines.json
	[ "$(wc -l <lines.json)" -eq 2 ]
	dsclean in.jsonl -q --to text -o o.words
	[ "$(cat o.words)" = $'one\ntwo' ]
}

@test "a suffix of a format that is not written is exit 2" {
	for name in o.html o.md o.warc o.png o.xlsx o.zip o.pdf; do
		fails 2 "cannot be written" dsclean in.jsonl -o $name
		[ ! -e $name ]
	done
	fails 2 "cannot be written" dsclean in.jsonl --to jsonl -o o.html
	fails 2 "cannot be written" dsrec split in.jsonl --by 1,1 -o a.jsonl,b.html
	[ ! -e a.jsonl ]
}

@test "each part, what is rejected and what waits in a folder are written as they are named" {
	dsrec split -q in.jsonl --by 1,1 -o a.csv,b.jsonl
	[ "$(head -n 1 a.csv | cut -c 1-2)" = "id" ]
	dsclean -q --min-chars 100 in.jsonl --rejected gone.csv -o /dev/null
	[ "$(head -n 1 gone.csv)" = "id,text,rejected" ]
	dsclean -q --min-chars 100 in.jsonl --rejected gone -o /dev/null
	[ "$(head -c 1 gone)" = "{" ]
	mkfifo out.csv
	head -n 1 out.csv >got &
	dsdedup -q --memory 1M in.jsonl -o out.csv || true
	wait
	[ "$(cat got)" = "id,text" ]
}

@test "a report is written as it is named" {
	dsrec import -q in.jsonl -o in.dsr
	dsrec stat -q in.dsr -o r.json
	python3 -c 'import json; json.load(open("r.json"))'
	dsrec stat -q in.dsr -o r.tsv
	[ "$(head -n 1 r.tsv | tr -dc '\t' | wc -c)" -gt 0 ]
	fails 2 "contradict" dsrec stat in.dsr --json -o r.tsv
	fails 2 "not written as" dsrec stat in.dsr -o r.csv
}
