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
