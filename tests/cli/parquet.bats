# parquet.bats - Parquet files in and out

load common
setup() { common_setup; }

# same OURS THEIRS: JSON Lines, value by value, as docs/formats.md says what becomes of each
same() {
	python3 - "$1" "$2" <<-'END'
		import base64, json, math, re, sys
		def plain(v):
		    if isinstance(v, dict) and list(v) == ["base64"]: return v["base64"]
		    if isinstance(v, str):
		        if v in ("nan", "inf", "-inf"): return None
		        t = re.fullmatch(r"(\d+-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)?", v)
		        return "%s %s%s" % (t[1], t[2], (t[3] or "").rstrip("0").rstrip(".")) if t else v
		    if isinstance(v, dict): return [[k, plain(x)] for k, x in v.items()]
		    if isinstance(v, list): return [plain(x) for x in v]
		    if isinstance(v, float) and not math.isfinite(v): return None
		    return v
		def eq(a, b):
		    if isinstance(a, list) and isinstance(b, list):
		        return len(a) == len(b) and all(eq(x, y) for x, y in zip(a, b))
		    if isinstance(a, bool) or isinstance(b, bool): return a is b
		    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
		        return a == b or abs(a - b) <= 1e-6 * abs(b)
		    if isinstance(a, str) and isinstance(b, str): # bytes that happen to be UTF-8
		        return a == b or a == base64.b64encode(b.encode()).decode()
		    return a == b
		ours, theirs = [[plain(json.loads(l)) for l in open(f)] for f in sys.argv[1:]]
		if len(theirs) < 2000 and len(ours) != len(theirs): sys.exit("%d rows, not %d" % (len(ours), len(theirs)))
		for i, (a, b) in enumerate(zip(ours, theirs)):
		    if not eq(a, b): sys.exit("row %d:\n%s\n%s" % (i, a, b))
	END
}

@test "files of every encoding, codec and nesting have the rows that pyarrow reads" {
	[ -d "${DS_TEST_DATA:-}/parquet" ] || skip "DS_TEST_DATA has no parquet/"
	local rows file failed=0
	for rows in "$DS_TEST_DATA"/parquet/*.rows.jsonl; do
		file=${rows%.rows.jsonl}
		case $file in *corrupt-checksum* | *malformed*) continue ;; esac
		dsrec import -q --to jsonl "$file" >ours.jsonl || failed=1
		same ours.jsonl "$rows" || { echo "of $file"; failed=1; }
		DS_BLOCK=100 dsrec import -q -j 3 --to jsonl "$file" | cmp ours.jsonl - || failed=1
		cat "$file" | dsrec import -q --to jsonl | cmp ours.jsonl - || failed=1
	done
	[ "$failed" = 0 ]
}

@test "a page whose checksum is wrong is damage" {
	[ -d "${DS_TEST_DATA:-}/parquet" ] || skip "DS_TEST_DATA has no parquet/"
	local file
	for file in "$DS_TEST_DATA"/parquet/*corrupt-checksum*.parquet; do
		run --separate-stderr dsrec import -q "$file" -o out.dsr
		[ "$status" -eq 3 ] && [[ $stderr == *"checksum is wrong"* ]]
		[ ! -e out.dsr ]
	done
}

@test "a Parquet file that is cut anywhere is damage" {
	[ -d "${DS_TEST_DATA:-}/parquet" ] || skip "DS_TEST_DATA has no parquet/"
	local n size file=$DS_TEST_DATA/parquet/alltypes_plain.parquet
	size=$(stat -c %s "$file")
	for ((n = 0; n < size; n += 97)); do
		head -c "$n" "$file" >cut.parquet
		run dsrec import -q cut.parquet -o out.dsr
		[ "$status" -eq 3 ] || { echo "$n bytes: $status $output"; return 1; }
	done
}

# roundtrip FILE.jsonl: through Parquet and back, null where a record lacks a field
roundtrip() {
	dsrec cat -q "$1" -o out.parquet
	dsrec cat -q out.parquet --to jsonl
}

@test "records of every type come back from Parquet, null where a field was absent" {
	cat >a.jsonl <<-'END'
		{"id":1,"s":"aé\u0000","f":1.5,"b":true,"tokens":[1,70000],"embedding":[0.25,-1.5],"mask":"AAE=","j":1}
		{"id":-9223372036854775808,"s":null,"f":-0.0,"b":false,"tokens":[],"j":"a"}
		{"id":9223372036854775807,"s":"","j":[1,{"k":null}]}
	END
	cat >want <<-'END'
		{"id":1,"s":"aé\u0000","f":1.5,"b":true,"tokens":[1,70000],"embedding":[0.25,-1.5],"mask":"AAE=","j":1}
		{"id":-9223372036854775808,"s":null,"f":-0.0,"b":false,"tokens":[],"embedding":null,"mask":null,"j":"a"}
		{"id":9223372036854775807,"s":"","f":null,"b":null,"tokens":null,"embedding":null,"mask":null,"j":[1,{"k":null}]}
	END
	roundtrip a.jsonl | diff want -
	dsrec stat -q out.parquet | grep -q '^tokens  *u32\[\]'
	dsrec stat -q out.parquet | grep -q '^embedding  *f32\[\]'
	dsrec stat -q out.parquet | grep -q '^mask  *bytes'
}

@test "nested values are lists and structs in Parquet, and come back" {
	cat >a.jsonl <<-'END'
		{"m":[{"role":"user","n":[1,2]},{"role":"tool","n":[]}],"t":["x",null,"y"],"o":{"a":{"b":1.5}},"l":[[1],[],[2,3]]}
		{"m":[],"t":[],"o":{"a":null},"l":null}
		{"m":[{"role":null,"n":null}],"t":null,"o":null,"l":[null,[]]}
	END
	roundtrip a.jsonl | diff a.jsonl -
	roundtrip a.jsonl >/dev/null
	DS_BLOCK=1 dsrec cat -q out.parquet --to jsonl | diff a.jsonl -
}

@test "a list and a struct that agree on nothing stay JSON" {
	printf '%s\n' '{"a":[1,"x"],"b":{"k":1}}' '{"a":[{}],"b":[2]}' '{"a":[],"b":null}' >a.jsonl
	roundtrip a.jsonl | diff a.jsonl -
}

@test "numbers that no double holds stay as they are" {
	printf '%s\n' '{"a":9007199254740993}' '{"a":0.5}' >a.jsonl
	roundtrip a.jsonl | diff a.jsonl -
	printf '%s\n' '{"a":3}' '{"a":0.5}' >a.jsonl
	roundtrip a.jsonl | diff <(printf '%s\n' '{"a":3.0}' '{"a":0.5}') -
}

@test "a field that is null everywhere is a column" {
	printf '{"a":1,"b":null}\n' >a.jsonl
	roundtrip a.jsonl | diff a.jsonl -
}

@test "records without a field are no Parquet file, no records are one" {
	printf '{}\n' >a.jsonl
	fails 1 "no record has a field" dsrec cat -q a.jsonl -o out.parquet
	[ ! -e out.parquet ]
	: >b.jsonl
	dsrec cat -q b.jsonl -o b.parquet
	[ "$(dsrec cat -q b.parquet --to jsonl | wc -l)" = 0 ]
}

@test "a field that comes in a later row group is null in those before" {
	awk 'BEGIN { for (i = 0; i < 1100000; i++) printf "{\"i\":%d}\n", i
		print "{\"i\":-1,\"late\":[\"x\"],\"image\":\"AAE=\"}" }' >a.jsonl
	dsrec cat -q a.jsonl -o a.parquet
	dsrec cat -q a.parquet --to jsonl >b.jsonl
	[ "$(wc -l <b.jsonl)" = 1100001 ]
	[ "$(head -n 1 b.jsonl)" = '{"i":0,"late":null,"image":null}' ]
	[ "$(tail -n 1 b.jsonl)" = '{"i":-1,"late":["x"],"image":"AAE="}' ]
	[ "$(cut -d, -f1 b.jsonl | tr -d '}' | md5sum)" = "$(cut -d, -f1 a.jsonl | tr -d '}' | md5sum)" ]
}

@test "what is written does not depend on -j" {
	numbered 20000 >a.jsonl
	dsrec cat -q -j 1 a.jsonl -o 1.parquet
	dsrec cat -q -j 3 a.jsonl -o 3.parquet
	cmp 1.parquet 3.parquet
	dsrec cat -q 3.parquet --to jsonl | diff <(dsrec cat -q a.jsonl --to jsonl) -
}

@test "values repeated go into a dictionary, and -z sets the level within" {
	awk 'BEGIN { for (i = 0; i < 50000; i++) printf "{\"lang\":\"language %d\",\"n\":%d}\n", i % 7, i % 300 }' >a.jsonl
	dsrec cat -q a.jsonl -o a.parquet
	dsrec cat -q -z19 a.jsonl -o b.parquet
	[ "$(head -c 4 b.parquet)" = PAR1 ]
	[ "$(stat -c %s a.parquet)" -lt 30000 ]
	dsrec cat -q a.parquet --to jsonl | diff a.jsonl -
	dsrec cat -q b.parquet --to jsonl | diff a.jsonl -
}

@test "a Parquet file is read from a pipe, and only the columns that --columns names" {
	printf '{"a":1,"b":"x","c":[1]}\n' >a.jsonl
	dsrec cat -q a.jsonl -o a.parquet
	cat a.parquet | dsrec cat -q --to jsonl | diff a.jsonl -
	dsrec cat -q --columns c,a a.parquet --to jsonl | diff <(printf '{"c":[1],"a":1}\n') -
	fails 2 "none of a, b, c" dsrec cat -q --columns d a.parquet
	gzip -k a.parquet
	dsrec cat -q a.parquet.gz --to jsonl | diff a.jsonl -
	cp a.parquet noname
	dsrec cat -q noname --to jsonl | diff a.jsonl -
}

@test "bytes that are not UTF-8 become U+FFFD in Parquet's strings, and are counted" {
	printf '{"text":"a\xffb"}\n' >a.jsonl
	run dsrec cat a.jsonl -o a.parquet
	[[ $output == *"1 invalid"* ]]
	dsrec cat -q a.parquet --to jsonl | diff <(printf '{"text":"a\xef\xbf\xbdb"}\n') -
}

@test "the chain of programs is in the file, and goes on from there" {
	printf '{"text":"a"}\n{"text":"a"}\n' >a.jsonl
	dsclean -q a.jsonl | dsdedup -q -o a.parquet
	dsrec cat -q a.parquet -o a.dsr
	dsrec log a.dsr >log
	cat log
	grep -q '^dsclean.* 2' log
	grep -q '^dsdedup.* 1' log
}

@test "with --on-error skip or --salvage a damaged page costs its rows" {
	numbered 60000 >a.jsonl
	dsrec cat -q a.jsonl -o a.parquet
	printf '\xa5\xa5' | dd of=a.parquet bs=1 seek=$(($(stat -c %s a.parquet) / 2)) conv=notrunc status=none
	fails 3 "bytes were lost" dsrec cat -q --on-error skip a.parquet --to jsonl -o out.jsonl
	[ "$(wc -l <out.jsonl)" -gt 20000 ] && [ "$(wc -l <out.jsonl)" -lt 60000 ]
	fails 3 "bytes were lost" dsrec cat -q --salvage -j 3 a.parquet --to jsonl -o salvaged.jsonl
	cmp out.jsonl salvaged.jsonl
}

@test "a damaged byte in a page is damage" {
	numbered 200 >a.jsonl
	dsrec cat -q a.jsonl -o a.parquet
	printf '\xa5' | dd of=a.parquet bs=1 seek=400 conv=notrunc status=none
	fails 3 "checksum" dsrec cat -q a.parquet -o out.dsr
	[ ! -e out.dsr ]
}
