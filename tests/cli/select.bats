#!/usr/bin/env bats
# dsrec select, rename, drop, where: fields taken, and records by what is in them

load common
setup() {
	common_setup
	cat >a.jsonl <<-'END'
		{"id":1,"text":"Lorem ipsum","label":"pos","n":20,"meta":{"score":0.5,"tags":["a","b"]}}
		{"id":2,"text":"hello 3.5","label":"neg","n":7,"meta":{"score":"x"}}
		{"id":3,"text":"it's","label":null,"n":7.5}
		{"id":4,"text":"caf\u00e9","n":9007199254740993,"meta":{"score":2,"tags":["c"]},"ok":true}
	END
}

# ids EXPR IDS: the ids of the records for which it holds
ids() {
	local got
	got=$(dsrec where -q "$1" a.jsonl --to jsonl | sed 's/[^:]*:\([0-9]*\).*/\1/' | paste -sd ' ')
	[ "$got" = "$2" ] || { echo "$1: '$got', not '$2'"; return 1; }
}

@test "select takes fields in the order asked for, drop leaves them out" {
	[ "$(dsrec select -q label,id a.jsonl --to jsonl | sed -n '1p;4p' | paste -sd ' ')" = '{"label":"pos","id":1} {"id":4}' ]
	[ "$(dsrec drop -q meta,text,ok,n a.jsonl --to jsonl | head -n 1)" = '{"id":1,"label":"pos"}' ]
	dsrec import -q a.jsonl | dsrec select -q label,id | dsrec cat -q --to jsonl >piped
	dsrec select -q label,id a.jsonl --to jsonl | cmp - piped
	[ "$(echo '{"a.b":1,"a":{"b":2}}' | dsrec select -q a.b --to jsonl)" = '{"a.b":1}' ]
	[[ "$(dsrec select label a.jsonl -o b.dsr 2>&1)" == *"4 records in, 4 out (2 without label)"* ]]
}

@test "a field that no record has is exit 1 with those that there are" {
	for c in "select id,nope" "drop nope" "rename nope=x" "where nope=1"; do
		# shellcheck disable=SC2086 # two words
		fails 1 "no record has the field 'nope'; there are id, text, label, n" dsrec $c a.jsonl -o out.dsr
		[ ! -e out.dsr ]
	done
}

@test "rename exchanges names and writes over nothing" {
	[ "$(dsrec rename -q id=n,n=id a.jsonl --to jsonl | head -n 1 | cut -c1-8)" = '{"n":1,"' ]
	[ "$(dsrec rename -q 'n=a b' a.jsonl --to jsonl | grep -c '"a b":')" -eq 4 ]
	fails 1 "there is a field 'text' already" dsrec rename id=text a.jsonl -o out.dsr
	fails 2 "'a' comes twice" dsrec rename id=a,n=a a.jsonl -o out.dsr
	fails 2 "wanted OLD=NEW" dsrec rename id a.jsonl -o out.dsr
	fails 2 "'id' comes twice" dsrec select id,id a.jsonl -o out.dsr
	fails 2 "wanted FIELD" dsrec drop id,, a.jsonl -o out.dsr
}

@test "where compares strings by bytes and numbers by value" {
	ids "label = 'pos'" "1"
	ids 'text = "it'"'"'s"' "3"
	ids "text < 'd'" "1 4"
	ids "n > 7" "1 3 4"
	ids "n >= 7.0 and n<=7.5" "2 3"
	ids "n == 9007199254740992" ""
	ids "n = 9007199254740993" "4"
	ids "n > 9007199254740992.0" "4"
	ids "ok = true" "4"
	ids "ok != true" ""
}

@test "where: what is not there or null compares as false" {
	ids "label != 'pos'" "2"
	ids "not label = 'pos'" "2 3 4"
	ids "label !~ 'x'" "1 2"
	ids "label = null" "3"
	ids "label != null" "1 2"
	ids "not label != null" "3 4"
	ids "meta.score < 1" "1"
	ids "meta.score != 2" "1 2"
	ids "meta.score != 0.5 and meta.score !~ '^x'" "4"
}

@test "where: paths, patterns and what joins them" {
	ids "meta.tags[] = 'b'" "1"
	ids "meta.tags[0] ~ '^[ac]$'" "1 4"
	ids "text ~ '/LOREM/i' or text ~ '\\d\\.\\d'" "1 2"
	ids "n = 7 or label = 'pos' and id = 2" "2"
	ids "(n = 7 or label = 'pos') and not text ~ 'h'" "1"
	ids "not (n = 7 or (not \`id\` != 1))" "3 4"
}

@test "where records what was asked, and counts what it dropped" {
	[[ "$(dsrec where "label = 'pos'" -o b.dsr a.jsonl 2>&1)" == *"4 records in, 1 out (3 dropped, 2 without label)"* ]]
	run dsrec log b.dsr
	[[ $output == *"where 'label = '\\''pos'\\'''"*"dropped 3"* ]] || { echo "$output"; return 1; }
	dsrec where -q 'n < 8' a.jsonl --stats s.json -o b.dsr
	grep -q '"dropped":2' s.json
	[[ "$(dsrec select -q id,n <a.jsonl | dsrec log)" == *"select id,n"* ]]
}

@test "a bad expression is exit 2 with the place" {
	fails 2 "ends at byte 0, wanted a field" dsrec where "" a.jsonl -o out.dsr
	fails 2 "ends at byte 1, wanted one of" dsrec where "n" a.jsonl -o out.dsr
	fails 2 "byte 5: 'x', wanted a number, a quoted string" dsrec where "n = x" a.jsonl -o out.dsr
	fails 2 "byte 5: 'null', wanted a number" dsrec where "n < null" a.jsonl -o out.dsr
	fails 2 "wanted and, or, or )" dsrec where "(n = 1" a.jsonl -o out.dsr
	fails 2 "byte 7: 'm = 2'" dsrec where "n = 1 m = 2" a.jsonl -o out.dsr
	fails 2 "byte 5: at 1 of '('" dsrec where "n ~ '('" a.jsonl -o out.dsr
	fails 2 "byte 5: ''a'" dsrec where "n = 'a" a.jsonl -o out.dsr
	fails 2 "byte 1: 'a..b = 1', wanted a path" dsrec where "a..b = 1" a.jsonl -o out.dsr
	fails 2 "more than 100 levels" dsrec where "$(printf '(%.0s' $(seq 101))n = 1" a.jsonl -o out.dsr
	fails 2 "more than 256 comparisons" dsrec where "$(printf 'n=1 or %.0s' $(seq 256))n=1" a.jsonl -o out.dsr
	fails 2 "where wants an expression" dsrec where <a.jsonl
	[ ! -e out.dsr ]
}

@test "the bytes of where and select do not depend on the threads" {
	numbered 30000 >in.jsonl
	for j in 1 4; do dsrec where -q -j $j "label = 'pos' and id >= 100" in.jsonl | dsrec select -q -j $j text | sha256sum; done | sort -u >sums
	[ "$(wc -l <sums)" -eq 1 ]
	[ "$(dsrec where -q "label = 'pos' and id >= 100" in.jsonl --to jsonl | wc -l)" -eq 19934 ]
}

@test "ids that programs write have one type: strings, where one of them is a string" {
	printf '{"id":7,"text":"one two three"}\n{"text":"four five six"}\n{"text":"four five six"}\n' >n.jsonl
	printf '{"id":"a","text":"one two three"}\n' | cat - n.jsonl >s.jsonl
	types() { python3 -c 'import json, sys
for f in ("id", "aug_of", "dup_of"):
	print(f, *sorted({type(r[f]).__name__ for r in map(json.loads, open(sys.argv[1])) if f in r}))' "$1"; }
	dsaug -q --swap 0.9 --keep-original n.jsonl --to jsonl >out.jsonl
	[ "$(types out.jsonl | paste -sd ' ')" = "id str aug_of str dup_of" ]
	dsdedup -q --mark n.jsonl --to jsonl >out.jsonl
	[ "$(types out.jsonl | paste -sd ' ')" = "id int aug_of dup_of int" ]
	for block in 10 1000000; do
		DS_BLOCK=$block dsdedup -q --mark s.jsonl --to jsonl | grep -v '"id":7' >out.jsonl
		[ "$(types out.jsonl | paste -sd ' ')" = "id str aug_of dup_of str" ] || { cat out.jsonl; return 1; }
	done
}
