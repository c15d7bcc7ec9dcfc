# import.bats - what comes in and goes out, format by format

load common
setup() { common_setup; }

# jl [OPTION...] [FILE...]: the input as JSONL
jl() { dsrec import -q --to jsonl "$@"; }
# same EXPECTED COMMAND...: its output
same() {
	local expected=$1
	shift
	diff <(printf '%b' "$expected") <("$@") || { echo "of: $*"; return 1; }
}
# sorted COMMAND...: its JSON lines with sorted keys
sorted() { "$@" | python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))'; }
# seams EXPECTED COMMAND...: the same output whatever the size of a block
seams() {
	local size
	for size in 1 7 64 700; do DS_BLOCK=$size same "$@" || { echo "DS_BLOCK=$size"; return 1; }; done
	same "$@"
}

@test "every key is a field, and values keep what they are" {
	cat >a.jsonl <<-'END'
		{"i":1,"f":1.0,"t":true,"n":null,"s":"é\n\"\u0001","o":{"k":[1, {"x":"}"}]},"e":{}}
		{"i":-9223372036854775808,"f":-0.0,"t":false}
		{"i":12345678901234567890,"f":1e400,"":"empty key"}
		{}
		{"i":-0,"f":0.1000000000000000055511151231257827}
	END
	for size in 1 7 64 700 1000000; do DS_BLOCK=$size jl a.jsonl | diff a.jsonl -; done
	dsrec cat -q a.jsonl | dsrec cat -q | dsrec cat -q --to jsonl | diff a.jsonl -
}

@test "types that differ keep each value as it is" {
	printf '{"a":1}\n{"a":1.0}\n{"a":true}\n{"a":"1"}\n{"a":[1]}\n{"a":null}\n' >a.jsonl
	seams "$(cat a.jsonl)\n" jl a.jsonl
}

@test "well-known fields have fixed types" {
	printf '{"tokens":[1,65535],"docs":[0],"mask":"AAE=","score":0.5,"embedding":[0.25,-1.5]}\n' >a.jsonl
	same "$(cat a.jsonl)\n" jl a.jsonl
	dsrec import -q a.jsonl | dsrec stat -q >types
	for want in 'tokens  *u16\[\]' 'docs  *u16\[\]' 'mask  *bytes' 'score  *f64' 'embedding  *f32\[\]'; do
		grep -q "^$want" types || { echo "no $want in"; cat types; return 1; }
	done
	printf '{"tokens":[70000]}\n' | dsrec import -q | dsrec stat -q | grep -q '^tokens  *u32\[\]'
}

@test "a well-known field that does not fit its type comes back all the same" {
	printf '{"tokens":[1.5],"mask":"A","score":"high","embedding":[null],"docs":[-1],"image":"AAF="}\n' >a.jsonl
	same "$(cat a.jsonl)\n" jl a.jsonl
}

@test "a duplicate key is a record error that names key and line" {
	printf '{"a":1}\n{"b":1,"b":2}\n' >a.jsonl
	fails 1 "a.jsonl:2: offset 8: duplicate key 'b'" dsrec cat a.jsonl
	printf '{"b":1,"b":2}\n' >b
	fails 1 "b:1: offset 8: duplicate key 'b'" dsrec cat b
}

@test "a lone surrogate is three bytes, and only JSON output replaces them" {
	printf '{"text":"a\\ud83dz"}\n{"text":"\\ud83d\\ude00"}\n' >a.jsonl
	same 'a\xed\xa0\xbdz\n\xf0\x9f\x98\x80\n' dsrec cat -q --to text a.jsonl
	same '{"text":"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"}\n{"text":"\xf0\x9f\x98\x80"}\n' jl a.jsonl
}

@test "bytes that are no UTF-8 pass through" {
	printf '{"text":"a\xffb"}\n' >a.jsonl
	same 'a\xffb\n' dsrec cat -q --to text a.jsonl
	printf 'a\xffb\n' >a.txt
	dsrec cat -q --to text a.txt | cmp - a.txt
}

@test "more keys than columns come back as keys" {
	awk 'BEGIN { printf "{"; for (i = 0; i < 2500; i++) printf "%s\"k%d\":%d", i ? "," : "", i, i
		print "}"; print "{\"*\":1,\"k2499\":\"x\"}" }' >a.jsonl
	diff <(sorted cat a.jsonl) <(sorted jl a.jsonl)
	diff <(sorted cat a.jsonl) <(dsrec cat -q a.jsonl | sorted dsrec cat -q --to jsonl)
}

@test "blank lines in JSONL are no records, a BOM in front is ignored" {
	printf '\xef\xbb\xbf{"a":1}\n\n  \n{"a":2}' >a.jsonl
	seams '{"a":1}\n{"a":2}\n' jl a.jsonl
}

@test "--on-error names line and reason, keeps the rest, and the offender byte for byte" {
	printf '{"a":1}\n{"a": tru}\n{"a":"open\n{"a":4} x\n[5]\n{"a":6}\n' >a.jsonl
	fails 1 "a.jsonl:2: offset 6:" dsrec cat a.jsonl --to jsonl
	seams '{"a":1}\n{"a":6}\n' jl --on-error skip a.jsonl
	same '{"a":1}\n{"a":6}\n' jl --on-error reject=bad a.jsonl
	same '{"a": tru}\n{"a":"open\n{"a":4} x\n[5]\n' cat bad
}

@test "NUL bytes behind an object are no blanks" {
	printf '{"a":1}\0\n{"a":2}\n' >a.jsonl
	seams '{"a":2}\n' jl --on-error skip a.jsonl
	printf '{"a":1}\0' >a.json
	run -1 dsrec cat a.json
}

@test "a record over --max-record is refused wherever it lies" {
	{ echo '{"a":1}'; printf '{"a":"%0200000d"}\n' 7; echo '{"a":2}'; } >a.jsonl
	seams '{"a":1}\n{"a":2}\n' jl --max-record 1000 --on-error skip a.jsonl
	fails 1 "a.jsonl:2:" dsrec cat --max-record 1000 a.jsonl
	same '1\n2\n' jl --max-record 1000 --on-error skip --from text --to text --field a <(printf '1\n%05000d\n2\n' 3)
}

@test "text: LF ends a record, CR and empty lines and a BOM stay, the last needs no LF" {
	printf '\xef\xbb\xbfa\r\n\n b \nlast' >a.txt
	seams '\xef\xbb\xbfa\r\n\n b \nlast\n' dsrec cat -q --to text a.txt
}

@test "--split para keeps the lines of a paragraph, file the whole" {
	printf '\n\na\n b\n \t\n\nc\n' >a.txt
	seams '{"text":"a\\n b"}\n{"text":"c"}\n' jl --split para a.txt
	same '{"text":"\\n\\na\\n b\\n \\t\\n\\nc\\n","source":"a.txt"}\n' jl --split file a.txt
	fails 2 "'word'" dsrec cat --split word a.txt
}

@test "input without a name is known by its first bytes" {
	local want='{"a":1}\n{"a":{"b":2}}\n' text
	for text in '{"a":1}\n{"a":{"b":2}}' '\n \r\n\t{"a":1}\n\n{"a":{"b":2}}\n' '[{"a":1},{"a":{"b":2}}]' \
		'\xef\xbb\xbf\n[\n  {\n    "a": 1\n  },\n  {"a": {"b":2}}\n]\n' '{\n "a":1\n}\n{\n "a":\n {"b":2}}' \
		'{"a":1}{"a":{"b":2}}' '\xef\xbb\xbf{"a":1} {"a":{"b":2}}'; do
		printf '%b' "$text" >in
		seams "$want" jl in
		printf '%b' "$text" | same "$want" jl
		cp in in.json
		seams "$want" jl in.json
	done
	for text in '[]' ' [ ]\n' ''; do printf '%b' "$text" | jl | cmp - /dev/null; done
	for text in '[1]' '{' '{a}' '["x"]' 'int f()\n{\n}' '{\nint x;\n}' "{'a':1}" '{}x' '[{x}](y)' 'see:\n{"a":1}\nand\n{"a":2}'; do
		printf '%b\n' "$text" | dsrec import -q --to text | cmp - <(printf '%b\n' "$text")
	done
}

@test "JSON that is broken in its first record is JSON all the same" {
	local text
	for text in '{"a":1\n{"a":2}\n' '{"a":"x\n{"a":2}\n' 'x"}\n{"a":2}\n{"a":2}\n' '{"a":1} x\n{"a":2}\n' '{"a":1' \
		'[{"a":tru},{"a":2}]' '{\n "a": tru\n}\n{\n "a":2}'; do
		printf '%b' "$text" >in
		fails 1 "in:1: offset" dsrec cat in
		cp in in.json
		fails 1 "in.json:1: offset" dsrec cat in.json
		[ -z "$(jl --on-error skip in | grep -v '^{"a":2}$')" ]
	done
}

@test "lines in a .json cost themselves alone where they are wrong" {
	numbered 1000 | sed '5s/}//;500s/:/;/;700s/"//' >a.json
	[ "$(jl --on-error skip a.json | wc -l)" = 997 ]
	gzip <a.json >b.json.gz
	[ "$(jl --on-error skip b.json.gz | wc -l)" = 997 ]
	fails 1 "a.json:5: " dsrec cat a.json
}

@test "what is no text is called by its name" {
	printf 'GGUF\3\0\0\0' >weights
	fails 1 "weights:1: not text: a GGUF model" dsrec cat weights
	cp weights table.csv
	fails 1 "table.csv:1: not csv, but a GGUF model" dsrec cat table.csv
	printf '%%PDF-1.4\nx\n' >p
	fails 1 "p:1: not text: a PDF" dsrec cat p
	printf 'a,b\n1,"\360\237\230\200"\n' | iconv -t UTF-16LE >u.csv
	fails 1 "u.csv:1: UTF-16 text" dsrec cat u.csv
	printf '{"a":1}\n' | iconv -t UTF-16LE >u.jsonl
	fails 1 "u.jsonl:1: UTF-16 text" dsrec cat u.jsonl
	printf '\x04\x22\x4d\x18\0\0' >u.tsv
	fails 1 "lz4 data" dsrec cat u.tsv
}

@test "what is no text is a record error, UTF-16 by name; --from text insists" {
	printf 'a\0b\n' >bin
	fails 1 "bin:1: not text: NUL bytes" dsrec cat bin
	printf 'h\0i\0' >utf16
	fails 1 "utf16:1: UTF-16" dsrec cat utf16
	printf '\1\2\3\4abcdefg\n' >control
	fails 1 "control bytes" dsrec cat control
	same '{"text":"a\\u0000b"}\n' jl --from text bin
	same '' jl --on-error skip bin
}

@test "pages, Markdown and program text are a record a file with its name" {
	mkdir -p d/sub d/.hidden
	echo '<p>x' >d/b.html
	echo '# t' >d/a.md
	echo 'int x;' >d/sub/z.c
	echo 'all:' >d/Makefile
	echo no >d/.hidden/n.html
	echo no >d/.n.html
	same '{"text":"all:\\n","source":"d/Makefile"}
{"text":"# t\\n","source":"d/a.md"}
{"text":"<p>x\\n","source":"d/b.html"}
{"text":"int x;\\n","source":"d/sub/z.c"}\n' jl d
	DS_BLOCK=5 jl d | cmp - <(jl d)
	same '{"text":"<!DOCTYPE html>\\nx\\n","source":"stdin"}\n' jl <<<$'<!DOCTYPE html>\nx'
	same '<p>x\n\n' dsrec cat -q --to text d/b.html
}

@test "gzip and zstd are undone around any format" {
	echo '<p>x' | gzip >b.html.gz
	same '{"text":"<p>x\\n","source":"b.html.gz"}\n' jl b.html.gz
	printf '{"a":1}\n' | gzip >a.jsonl.gz
	printf '{"a":2}\n' | gzip >>a.jsonl.gz
	same '{"a":1}\n{"a":2}\n' jl a.jsonl.gz
	printf 'a,b\n1,2\n' | zstd -q >c.csv.zst
	same '{"a":"1","b":"2"}\n' jl c.csv.zst
	echo plain >p.csv.zst
	fails 3 "p.csv.zst" dsrec cat p.csv.zst
	echo plain >p.dsr
	fails 3 "p.dsr" dsrec cat p.dsr
}

@test "bzip2 and xz, one after another too, and zstd with a window of 2 GiB are undone" {
	local pack
	numbered 3000 >a.jsonl
	for pack in "bzip2 -c" "xz -c" "zstd -q --long=31 -c"; do
		{ $pack <a.jsonl; $pack <a.jsonl; } >p
		jl a.jsonl a.jsonl | cmp - <(jl p)
		head -c -5 p >cut
		fails 3 "input ended early, within" dsrec cat -q cut -o x
		{ $pack <a.jsonl; echo more; } >tail
		fails 3 "is followed by something else" dsrec cat -q tail -o x
	done
	{ xz -c a.jsonl; head -c 8 /dev/zero; xz -c a.jsonl; } >padded.jsonl.xz
	[ "$(jl padded.jsonl.xz | wc -l)" = 6000 ]
	cp a.jsonl a.bz2
	fails 3 "a.bz2: named .bz2, but does not begin as bzip2 does" dsrec cat a.bz2
	printf 'BZh9 is how it begins\n' >text
	same "$(cat text)\n" dsrec cat -q --to text text
}

@test "a name after -o that ends with .gz, .zst, .bz2 or .xz is written so" {
	jl -o o.jsonl.bz2 <<<'{"a":1}'
	same '{"a":1}\n' bzip2 -dc o.jsonl.bz2
	numbered 5000 | dsrec import -q -o o.dsr.xz
	xz -t o.dsr.xz
	[ "$(jl o.dsr.xz | wc -l)" = 5000 ]
	jl -o o.jsonl.gz <<<'{"a":1}'
	same '{"a":1}\n' gzip -dc o.jsonl.gz
	dsrec export -q --to csv -o o.csv.zst <<<'{"a":1}'
	same 'a\n1\n' zstd -dc o.csv.zst
}

@test "a JSON file gives the objects of its array, or one after another" {
	printf '[{"a":1}, {"a" : [1,\n 2]},\n{"a":"]},"}]\n' >a.json
	seams '{"a":1}\n{"a":[1,2]}\n{"a":"]},"}\n' jl a.json
	printf '{\n "a": 1\n}\n{"a":2}' >b.json
	seams '{"a":1}\n{"a":2}\n' jl b.json
	for text in '[]' '[ ]' ''; do
		printf '%s' "$text" >c.json
		seams '' jl c.json
	done
	for text in '[{},]' '[,{}]' '[{} {}]' '[1]' ']' '5' '[[{}]]' '[{"a":}]'; do
		printf '%s' "$text" >d.json
		run -1 dsrec cat d.json
	done
	printf '[{"a":1}' >e.json
	fails 3 "ended early" dsrec cat -q e.json
	printf '[{"a":1},7,{"a":2},{"a":tru}]' >f.json
	seams '{"a":1}\n{"a":2}\n' jl --on-error skip f.json
}

@test "CSV is RFC 4180; the first row names the fields" {
	printf 'a,b\r\n"x ""q"", y",2\r\n\r\n"l1\nl2",\r\n3,"in "d\n,\n' >a.csv
	seams '{"a":"x \\"q\\", y","b":"2"}\n{"a":"l1\\nl2","b":""}\n{"a":"","b":""}\n' \
		jl --on-error skip a.csv
	fails 1 "a.csv:6: a quoted cell" dsrec cat a.csv
	printf '1,2\n1\n' >b.csv
	same '{"x":"1","y":"2"}\n' jl --columns x,y --on-error skip b.csv
	fails 1 "b.csv:2: 1 cells, the columns are 2" dsrec cat b.csv
	printf 'a,a\n' >c.csv
	fails 1 "two columns are named 'a'" dsrec cat c.csv
}

@test "TSV has no quotes; --tsv-escapes reads back what is written" {
	printf '{"a":"t\\tn\\nr\\r\\\\","b":"\\"q\\""}\n' >a.jsonl
	diff <(dsrec cat -q --to tsv a.jsonl) <(printf '%s\t%s\n' a b 't\tn\nr\r\\' '"q"')
	dsrec cat -q --to tsv a.jsonl >a.tsv
	jl --tsv-escapes a.tsv | diff a.jsonl -
	DS_BLOCK=1 jl --tsv-escapes a.tsv | diff a.jsonl -
	printf 'a\tb\r\n1\t2\r\n' >crlf.tsv
	seams '{"a":"1","b":"2"}\n' jl crlf.tsv
}

@test "--columns where nothing is CSV or TSV is told of" {
	dsrec import --columns a,b -o o.dsr <<<'{"a":1}' 2>err
	grep -q 'warning: --columns has no effect' err
	dsrec import --columns a,b --to csv -o o.csv <<<'{"a":1}' 2>err
	! grep -q warning err
}

@test "names and bytes of others are not obeyed by a terminal" {
	local name=$'a\e[31m\xc2\x9b\xffb.jsonl'
	printf '{"\e\xff":1}\n{"a":1,"\xc2\x9b\xff":0,"\xc2\x9b\xff":1}\n' >"$name"
	run -1 --separate-stderr dsrec cat "$name"
	[[ $stderr == *a?'[31m'??b.jsonl* ]] || { echo "$stderr"; return 1; }
	! LC_ALL=C grep -q $'[\001-\010\013-\037\177-\377]' <<<"$stderr"
	sed -i 1d "$name"
	run -1 --separate-stderr dsrec cat "$name"
	[[ $stderr == *"duplicate key '??'"* ]] || { echo "$stderr"; return 1; }
	! LC_ALL=C grep -q $'[\001-\010\013-\037\177-\377]' <<<"$stderr"
}

@test "CSV and TSV leave no field out in silence" {
	printf '{"a":1}\n{"a":2,"b":[1]}\n' >a.jsonl
	same 'a,b\n1,\n2,[1]\n' dsrec cat -q --to csv a.jsonl
	DS_BLOCK=4 fails 1 "--columns" dsrec cat --to csv a.jsonl
	DS_BLOCK=4 same 'b,a\n,1\n[1],2\n' dsrec cat -q --to csv --columns b,a a.jsonl
}

@test "--to text needs the field somewhere" {
	same 'x\n\n' dsrec cat -q --to text <(printf '{"text":"x"}\n{"a":1}\n')
	fails 1 "no record has the field 'body'" dsrec cat --to text --field body <(printf '{"a":1}\n')
	same '7\n[1]\n' dsrec cat -q --to text --field a <(printf '{"a":7}\n{"a":[1]}\n')
}

@test "WARC gives pages with id, source and meta, bodies decoded" {
	python3 - <<-'END'
		import gzip
		def rec(kind, uri, body):
		    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{uri}>\r\nWARC-Date: 2024\r\n"
		    head += f"WARC-Target-URI: {uri}\r\nContent-Length: {len(body)}\r\n\r\n"
		    return head.encode() + body + b"\r\n\r\n"
		def http(head, body): return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body
		all = [rec("warcinfo", "i", b"x"), rec("conversion", "u1", b"one\r\n\r\nWARC/1.0\r\n"),
		    rec("request", "r", b"GET /"), rec("response", "u2", http(b"", b"<p>")),
		    rec("response", "u3", http(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")),
		    rec("response", "u4", http(b"Content-Encoding: gzip\r\n", gzip.compress(b"zip")))]
		open("a.warc", "wb").write(b"".join(all))
		open("a.warc.gz", "wb").write(b"".join(gzip.compress(r) for r in all))
		open("cut.warc", "wb").write(b"".join(all)[:-6])
	END
	seams '{"source":"u1","text":"one\\r\\n\\r\\nWARC/1.0\\r\\n"}
{"source":"u2","text":"<p>"}
{"source":"u3","text":"abcde"}
{"source":"u4","text":"zip"}\n' bash -c 'dsrec import -q --to jsonl a.warc | sed -E "s/\"(id|meta)\":(\{[^}]*\}|\"[^\"]*\"),//g"'
	jl a.warc | head -1 | grep -qF '"id":"<u1>","source":"u1","meta":{"date":"2024","type":"conversion"}'
	cmp <(jl a.warc) <(jl a.warc.gz)
	fails 3 "ended early" dsrec cat -q cut.warc
}

@test "WebDataset goes out and comes in" {
	printf '%s\n' '{"id":"a-1","text":"hi","label":3,"image":"/9j/","o":{"x":1}}' \
		'{"id":"b.2","text":"t\n","label":"cat","image":null}' '{"id":"c","label":"7"}' >a.jsonl
	dsrec export -q --to wds a.jsonl -o a.tar
	tar tf a.tar >names
	grep -qx a-1.jpg names
	diff <(sorted cat a.jsonl) <(sorted jl a.tar)
	DS_BLOCK=600 sorted jl a.tar | diff <(sorted cat a.jsonl) -
	head -c 2000 a.tar >cut.tar
	fails 3 "ended early" dsrec cat -q cut.tar
	mkdir s
	printf x >s/k.txt; printf '{"n":1}' >s/k.json; printf 5 >s/k.cls; printf npy >s/k.npy
	printf y >s/l.TXT
	tar cf s.tar -C s k.txt k.json k.cls k.npy l.TXT
	diff <(sorted jl s.tar) - <<-'END'
		{"id": "k", "label": 5, "n": 1, "npy": "bnB5", "text": "x"}
		{"id": "l", "text": "y"}
	END
}

@test "archives after one another are read on, whatever stands between them" {
	local i want=''
	for i in 1 2 3; do
		printf '{"label":%d,"id":"k%d","text":"text %d"}\n' "$i" "$i" "$i" >$i.jsonl
		dsrec export -q --to wds $i.jsonl -o $i.tar
		want+='{"label":'$i',"id":"k'$i'","text":"text '$i'"}\n'
	done
	cat 1.tar 2.tar >two.tar
	head -c 5120 /dev/zero | cat 1.tar - 2.tar >padded.tar
	seams "$(head -c $((2 * ${#want} / 3)) <<<"$want")" jl two.tar
	seams "$(head -c $((2 * ${#want} / 3)) <<<"$want")" jl padded.tar
	cat two.tar 3.tar >three.tar
	seams "$want" jl three.tar
	{ cat two.tar 3.tar; head -c 300 /dev/zero; } | same "$want" jl
	{ cat 1.tar; echo junk behind it; head -c 2000 /dev/zero; } >junk.tar
	for size in 1 700 9000; do DS_BLOCK=$size same '{"label":1,"id":"k1","text":"text 1"}\n' jl junk.tar; done
	dsrec import junk.tar -o o.dsr 2>err
	grep -qF "warning: junk.tar: what follows the archive's end is no archive" err
	head -c 1024 2.tar >cut
	cat 1.tar cut >cut.tar
	fails 3 "ended early" dsrec cat -q cut.tar
	fails 3 "ended early" dsrec import --max-record 10 --on-error skip -q cut.tar
}

@test "records of one id, and ids that are numbers, go out to WebDataset and come back" {
	local ids
	printf '%s\n' '{"id":"000000001","n":1}' '{"text":"second"}' '{"text":"third"}' '{"id":"000000002-1","n":4}' \
		'{"id":"a","n":5}' '{"id":"a","text":"other"}' '{"id":"b","text":"x"}' '{"id":"a","text":"y"}' '{"id":"000000005","n":9}' >a.jsonl
	for size in 1 700 9000; do
		DS_BLOCK=$size dsrec export -q --to wds a.jsonl -o a.tar
		dsrec import --to jsonl a.tar -o o.jsonl 2>err
		! grep -q warning err
		[ "$(wc -l <o.jsonl)" = 9 ]
		grep -o '"text":"[a-z]*"' o.jsonl | tr -d '\n' | grep -qx '"text":"second""text":"third""text":"other""text":"x""text":"y"'
		ids=$(python3 -c 'import json; print([json.loads(l)["id"] for l in open("o.jsonl")])')
		[ "$ids" = "['000000001', '000000001-1', '000000002', '000000002-1', 'a', 'a', 'b', 'a', '000000005']" ] || { echo "$ids"; return 1; }
	done
	[ "$(tar tf a.tar | sed 's/\..*//' | uniq | sort | uniq -d)" = '' ]
	mkdir s
	for f in x.txt y.txt; do printf t >s/$f; printf '{}' >s/${f%.txt}.json; done
	tar cf s.tar -C s x.txt y.txt x.json y.json
	dsrec import s.tar -o o.dsr 2>err
	grep -qF "warning: s.tar: 2 keys come again behind other keys, the first is 'x'" err
}

@test "pictures come with the caption beside them" {
	mkdir -p p/q
	printf '\x89PNG\r\n\x1a\n1' | tee p/a.png p/b.png >p/q/c.png
	echo 'a caption' >p/a.txt
	echo '{"file_name":"c.png","text":"from the table","n":5}' >p/q/metadata.jsonl
	diff <(sorted jl p) - <<-'END'
		{"image": "iVBORw0KGgox", "source": "p/a.png", "text": "a caption"}
		{"image": "iVBORw0KGgox", "source": "p/b.png"}
		{"file_name": "c.png", "image": "iVBORw0KGgox", "n": 5, "source": "p/q/c.png", "text": "from the table"}
	END
	DS_BLOCK=1 sorted jl p | diff <(sorted jl p) -
}

@test "llm.c's and Megatron's shards go out and come in" {
	printf '{"tokens":[50256,1,2]}\n{"tokens":[50256,65499]}\n' >a.jsonl
	dsrec export -q --to llmc a.jsonl -o a.bin
	[ "$(od -An -td4 -N12 a.bin | tr -s ' ')" = " 20240520 1 5" ] && [ "$(stat -c %s a.bin)" = 1034 ]
	seams "$(cat a.jsonl)\n" jl a.bin
	dsrec export -q --to megatron a.jsonl -o m
	[ "$(od -An -tu2 m.bin | tr -s ' ')" = " 50256 1 2 50256 65499" ]
	seams "$(cat a.jsonl)\n" jl m.idx
	printf '{"tokens":[128000,70000]}\n{"tokens":[128000]}\n' >b.jsonl
	dsrec export -q --to llmc b.jsonl -o b.bin
	[ "$(od -An -td4 -N12 b.bin | tr -s ' ')" = " 20240801 7 3" ]
	seams "$(cat b.jsonl)\n" jl b.bin
	dsrec export -q --to megatron b.jsonl -o n
	seams "$(cat b.jsonl)\n" jl n.idx
	head -c -1 a.bin >cut.bin
	fails 3 "ended early" dsrec cat -q cut.bin
	truncate -s 5 m.bin
	fails 3 "m.idx: damaged" dsrec cat -q m.idx
	fails 1 "no tokens" dsrec export -q --to llmc -o x.bin <<<'{"a":1}'
	[ ! -e x.bin ]
}

@test "--exec quotes the last line of the program's stderr" {
	fails 4 "exited with 3: it broke" dsrec import --exec 'echo "{}"; echo first >&2; echo it broke >&2; exit 3'
	fails 4 "signal 9" dsrec import --exec 'kill -9 $$'
	same '{"a":1}\n' dsrec import -q --to jsonl --exec 'echo "{\"a\":1}"; echo noise >&2'
	same '{"a":1}\n' dsrec import -q --to jsonl --exec 'echo "{\"a\":1}" | dsrec cat -q'
}


@test "a record over --max-record: all formats leave it out, name it, and reject it whole" {
	{ echo '{"text":"one"}'; printf '{"text":"%0300000d"}\n' 7; echo '{"text":"two"}'; } >a.jsonl
	dsrec import a.jsonl -q -o a.dsr
	dsrec import a.jsonl -q -z -o z.dsr
	dsrec cat a.jsonl -q --to text -o a.txt
	local f
	for f in a.jsonl a.dsr z.dsr a.txt; do
		seams 'one\ntwo\n' dsrec cat -q --max-record 1000 --on-error skip --to text $f
		same 'one\ntwo\n' dsrec cat -q --max-record 1000 --on-error reject=bad.$f --to text $f
		[ "$(tr -cd 07 <bad.$f | wc -c)" -eq 300000 ]
		fails 1 "$f:2: 300" dsrec cat -q --max-record 1000 $f -o out
	done
	same 'one\ntwo\n' dsrec cat -q --max-record 1000 --on-error skip --to text <a.dsr
	[ "$(cat bad.a.dsr)" = "$(sed -n 2p a.jsonl)" ]
	# Far over it, so that it is not held in memory.
	DS_BLOCK=512 dsrec cat -q --max-record 1000 --on-error reject=bad2 --to text a.txt >out.txt
	same 'one\ntwo\n' cat out.txt
	cmp bad2 bad.a.txt
	head -c 300000 /dev/zero | tr '\0' a >a.html
	fails 1 "a.html:1: 300000 bytes, the limit is 1000" dsrec cat --max-record 1000 a.html -o out
	dsrec cat -q --max-record 1000 --on-error reject=bad.html a.html -o out
	[ "$(wc -c <bad.html)" -eq 300001 ]
}
