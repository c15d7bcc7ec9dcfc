#!/usr/bin/env bats
# dsrec: its subcommands on whole, cut and changed streams

load common
setup() { common_setup; }

@test "what goes in as JSONL comes out again" {
	printf '{"text":"a"}\n{"text":"b","n":1,"f":1.5,"t":true,"z":null,"o":{"k":[1,"\\u00e9"]}}\n' >in.jsonl
	dsrec cat -q in.jsonl | dsrec cat -q --to jsonl >out.jsonl
	python3 - <<-'END'
		import json
		a, b = [[json.loads(l) for l in open(f)] for f in ("in.jsonl", "out.jsonl")]
		assert [json.dumps(r, sort_keys=True) for r in a] == [json.dumps(r, sort_keys=True) for r in b]
	END
}

@test "the bytes do not depend on the threads" {
	numbered 60000 >in.jsonl
	for j in 1 2 7; do dsrec import -j $j -z in.jsonl -q | sha256sum; done | sort -u >sums
	[ "$(wc -l <sums)" -eq 1 ]
}

@test "a stream cut anywhere near its end exits 3 in one line" {
	numbered 100 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	size=$(stat -c %s a.dsr)
	for cut in 1 2 17 64 100 $((size / 2)) $((size - 1)); do
		head -c -$cut a.dsr >cut.dsr
		fails 3 "cut.dsr" dsrec cat cut.dsr --to jsonl -q
		fails 3 "cut.dsr" dsrec check cut.dsr
	done
}

@test "salvage keeps the whole blocks, says what was lost, and exits 3" {
	numbered 40000 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	blocks=$(dsrec index a.dsr --to tsv | tail -n +2 | wc -l)
	offset=$(dsrec index a.dsr --to tsv | awk -F '\t' '$1 == 1 { print $2 }')
	printf '\377' | dd of=a.dsr bs=1 seek=$((offset + 5000)) conv=notrunc status=none
	fails 3 "a.dsr: block at byte $offset" dsrec cat a.dsr -o b.dsr
	[ ! -e b.dsr ]
	fails 3 "; 1 block and " dsrec cat --salvage a.dsr -o b.dsr
	dsrec check -q b.dsr
	[ "$(dsrec index b.dsr --to tsv | tail -n +2 | wc -l)" -eq $((blocks - 1)) ]
	[[ "$(dsrec log b.dsr)" == *"blocks lost 1"* ]]
}

@test "a stream may follow another; anything else after a trailer is exit 3" {
	numbered 3 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	cat a.dsr a.dsr >two.dsr
	[ "$(dsrec cat two.dsr --to jsonl -q | wc -l)" -eq 6 ]
	[ "$(dsrec index two.dsr --to tsv | wc -l)" -eq 3 ]
	{ cat a.dsr; echo rubbish; } >bad.dsr
	fails 3 "bad.dsr" dsrec cat bad.dsr
}

@test "a writer that failed tells its readers why" {
	printf '{"text":"a"}\n{"text": bad}\n' >in.jsonl
	run --separate-stderr bash -c 'dsrec cat in.jsonl 2>first | dsrec cat --to jsonl -q; echo ${PIPESTATUS[@]}'
	[ "$output" = "1 3" ]
	[[ $(cat first) == "dsrec: in.jsonl:2: "* ]]
	[[ $stderr == *"in.jsonl:2"* ]]
}

@test "check names every kind of file that is not whole" {
	numbered 3 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	run --separate-stderr dsrec check a.dsr
	[ "$status" -eq 0 ]
	[ "$stderr" = "dsrec: a.dsr: whole, 1 block, 3 records" ]
	fails 1 "in.jsonl: not a record stream" dsrec check in.jsonl
	cp in.jsonl wrong.dsr
	fails 3 "wrong.dsr" dsrec check wrong.dsr
	head -c -1 a.dsr >b.dsr
	fails 3 "2 of 3 files are not whole, the first: b.dsr" dsrec check -q a.dsr b.dsr b.dsr
}

@test "head gives the first records and no more" {
	numbered 5000 >in.jsonl
	dsrec head -n 3 in.jsonl --to jsonl -q >out.jsonl
	head -n 3 in.jsonl | dsrec cat --to jsonl -q | cmp - out.jsonl
	[ "$(dsrec head -n 0 in.jsonl --to jsonl -q | wc -l)" -eq 0 ]
	[ "$(dsrec head in.jsonl -q | dsrec cat --to jsonl -q | wc -l)" -eq 10 ]
	[ "$(yes '{"text":"y"}' | dsrec head -n 2 --from jsonl --to jsonl -q | wc -l)" -eq 2 ]
	fails 2 "below 0" dsrec head -n -1 in.jsonl
}

@test "shuf is a permutation that the seed decides and the memory does not" {
	numbered 60000 >in.jsonl
	dsrec shuf --seed 1 in.jsonl -q -o a.dsr
	dsrec shuf --seed 1 --memory 1M in.jsonl -q -o b.dsr
	dsrec shuf --seed 2 in.jsonl -q -o c.dsr
	cmp a.dsr b.dsr
	! cmp -s a.dsr c.dsr
	dsrec cat in.jsonl --to jsonl -q | sort >want
	for f in a c; do dsrec cat $f.dsr --to jsonl -q | sort | cmp - want; done
	[ "$(dsrec cat a.dsr --to jsonl -q | head -n 1)" != "$(head -n 1 in.jsonl)" ]
	[ "$(ls -A | grep -c 'ds\.')" -eq 0 ]
}

@test "split sends equal texts to one side, whatever is around them" {
	numbered 20000 >in.jsonl
	dsrec split --by 0.9,0.1 in.jsonl -q -o a.dsr,b.dsr
	n=$(dsrec cat b.dsr --to jsonl -q | wc -l)
	[ "$n" -gt 1800 ] && [ "$n" -lt 2200 ]
	dsrec cat a.dsr b.dsr --to jsonl -q | sort >got
	dsrec cat in.jsonl --to jsonl -q | sort | cmp - got
	tail -n +5001 in.jsonl | dsrec split --by 9,1 - -q -o c.dsr,d.dsr
	dsrec cat d.dsr --to jsonl -q | sort >few
	dsrec cat b.dsr --to jsonl -q | sort >all
	[ "$(comm -23 few all | wc -l)" -eq 0 ]
}

@test "split wants a share and a name for each part" {
	numbered 3 >in.jsonl
	fails 2 "two shares or more" dsrec split in.jsonl -o a.dsr
	fails 2 "is not a share" dsrec split --by 1,x in.jsonl -o a.dsr,b.dsr
	fails 2 "names 1 files, '--by' has 2 shares" dsrec split --by 1,1 in.jsonl -o a.dsr
	fails 2 "names a.dsr twice" dsrec split --by 1,1 in.jsonl -o a.dsr,a.dsr
	fails 2 "wants a name for each part" dsrec split --by 1,1 in.jsonl
}

@test "log shows a line a stage, program first, and what was dropped" {
	numbered 100 >in.jsonl
	dsrec import in.jsonl -q | dsrec split --by 1,1 - -q -o a.dsr,b.dsr
	run -0 dsrec log a.dsr
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == "dsrec import"*100* ]]
	[[ ${lines[1]} == "dsrec split --by=1,1"*"in other parts"* ]]
	dsrec log a.dsr --json | python3 -c 'import json,sys; json.load(sys.stdin)'
	fails 1 "not a record stream" dsrec log in.jsonl
}

@test "different chains become branches above the stage that merged them" {
	numbered 10 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	dsrec shuf in.jsonl -q -o b.dsr
	dsrec cat a.dsr b.dsr -q -o c.dsr
	run -0 dsrec log c.dsr
	[[ ${lines[0]} == "  dsrec import"* ]]
	[[ ${lines[1]} == "  dsrec shuf"* ]]
	[[ ${lines[2]} == "dsrec cat"*20* ]]
}

@test "stat counts records, fields, lengths and labels" {
	printf '{"text":"abc","label":"pos","n":1}\n{"text":"\\u4e2d","label":"pos","n":null}\n{"label":"neg"}\n' >in.jsonl
	dsrec stat in.jsonl --json >s.json
	python3 - <<-'END'
		import json
		s = json.load(open("s.json"))
		f = {x["name"]: x for x in s["fields"]}
		assert s["records"] == 3
		assert f["text"]["present"] == 2 and f["text"]["least"] == 1 and f["text"]["most"] == 3
		assert f["text"]["bytes"] == 6 and f["n"]["null"] == 1
		assert s["label"] == [{"value": "pos", "records": 2}, {"value": "neg", "records": 1}]
		assert sum(x["records"] for x in f["text"]["lengths"]) == 2
	END
	run -0 dsrec stat in.jsonl
	[[ $output == *"3 records in 1 block,"* ]]
	[[ $output == *"text, characters"* ]]
	dsrec stat in.jsonl --to tsv | grep -qP '^label\tpos\trecords\t2$'
}

@test "stat of nothing is no error" {
	run -0 dsrec stat /dev/null
	[[ $output == "0 records in 0 blocks"* ]]
}

@test "view shows texts as they read and no control bytes" {
	printf '{"text":"two\\nlines \\u001b[31m","n":5}\n' >in.jsonl
	run -0 dsrec view in.jsonl
	[ "${lines[0]}" = "record 0" ]
	[ "${lines[2]}" = "    two" ]
	[ "${lines[3]}" = '    lines \x1b[31m' ]
	[ "${lines[4]}" = "  n: 5" ]
}

@test "index lists every block with its place" {
	numbered 40000 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	dsrec index a.dsr --to tsv | awk -F '\t' 'NR > 1 { if ($4 != sum) exit 1; sum += $5 } END { exit sum != 40000 }'
	fails 3 "a.dsr" bash -c 'head -c 5000 a.dsr >b.dsr; mv b.dsr a.dsr; dsrec index a.dsr'
}

@test "import --exec reads what a command prints, and fails as it does" {
	numbered 5 >in.jsonl
	[ "$(dsrec import --exec 'cat in.jsonl' -q | dsrec cat --to jsonl -q | wc -l)" -eq 5 ]
	run --separate-stderr dsrec import --exec 'cat in.jsonl; echo oh no >&2; exit 3' -o out.dsr
	[ "$status" -eq 4 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"oh no"* ]]
	[ ! -e out.dsr ]
}

@test "export knows the format by the output's name" {
	printf '{"text":"a,b","n":1}\n' >in.jsonl
	dsrec export in.jsonl -q -o out.csv
	[ "$(tail -n 1 out.csv | tr -d '\r')" = '"a,b",1' ]
	[ "$(dsrec export in.jsonl -q)" = '{"text":"a,b","n":1}' ]
	fails 2 "'--to': 'xlsx' is none of" dsrec export --to xlsx in.jsonl
}

@test "a record over --max-record is refused" {
	printf '{"text":"%s"}\n' "$(head -c 5000 /dev/zero | tr '\0' a)" >in.jsonl
	fails 1 "the limit is" dsrec cat --max-record 4096 in.jsonl --to jsonl
}

@test "unknown versions, absurd sizes and rubbish end with their code, never a crash" {
	numbered 3 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	for i in 0 5 17 20 40 60 100 130 200; do
		cp a.dsr b.dsr
		printf '\377\377\377\377\377\377\377\377' | dd of=b.dsr bs=1 seek=$i conv=notrunc status=none
		fails 3 "" dsrec cat b.dsr --to jsonl -q
	done
	head -c 1000000 /dev/urandom >r.dsr
	fails 3 "" dsrec cat r.dsr
	: >empty.dsr
	fails 3 "" dsrec cat empty.dsr
}
