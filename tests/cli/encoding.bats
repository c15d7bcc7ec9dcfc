#!/usr/bin/env bats
# --encoding, and text that says by a mark what it is in

load common
setup() { common_setup; }

jl() { dsrec cat -q --to jsonl "$@"; }

@test "UTF-16 and UTF-32 with a mark are read by themselves, as text, tables, JSON and program text" {
	local text='Grüße, 世界 😀'
	for e in UTF-16LE UTF-16BE UTF-32LE UTF-32BE; do
		in_it() { (printf '\357\273\277' && cat) | iconv -f UTF-8 -t $e; }
		printf 'id,text\n1,"%s"\n' "$text" | in_it >a.csv
		printf 'id\ttext\r\n1\t%s\r\n' "$text" | in_it >a.tsv
		printf '{"id":"1","text":"%s"}\n' "$text" | in_it >a.jsonl
		printf '[{"id":"1",\n"text":"%s"}]' "$text" | in_it >a.json
		for f in a.csv a.tsv a.jsonl a.json; do
			[ "$(jl $f)" = "{\"id\":\"1\",\"text\":\"$text\"}" ] || { echo "$e $f"; jl $f; return 1; }
			[ "$(jl --from ${f#a.} <$f)" = "$(jl $f)" ]
		done
		[ "$(jl <a.jsonl)" = "$(jl a.jsonl)" ]
		echo "x = '$text'" | in_it | tee a.py | gzip >a.txt.gz
		[ "$(jl a.py)" = "{\"text\":\"x = '$text'\\n\",\"source\":\"a.py\"}" ]
		[ "$(dsclean -q --to text a.txt.gz)" = "x = '$text'" ]
	done
	(printf '\357\273\277' && seq 1 300000) | iconv -f UTF-8 -t UTF-16LE >long.txt
	cmp <(dsrec cat -q --to text long.txt) <(seq 1 300000)
	cmp <(DS_BLOCK=512 dsrec cat -q -j 3 --to text long.txt) <(seq 1 300000)
}

@test "--encoding names the charset of text, in every program that reads" {
	printf '{"text":"\304\343\272\303"}\n' >g.jsonl
	printf 'text\n\304\343\272\303\n' >g.csv
	printf '\304\343\272\303\n' >g.txt
	for f in g.*; do [ "$(jl --encoding gbk $f)" = '{"text":"你好"}' ]; done
	[ "$(dsclean -q --encoding GB18030 --to text g.txt)" = 你好 ]
	[ "$(dsdedup -q --encoding gbk --to text g.txt g.jsonl)" = 你好 ]
	[ "$(dstok -q --encoding gbk g.txt | dstok decode -q --to text)" = 你好 ]
	[ "$(dsrec view -q --encoding gbk g.txt | grep -c 你好)" = 1 ]
	printf 'caf\351 \200\n' >w && [ "$(jl --encoding windows-1252 w)" = '{"text":"café €"}' ]
	printf 'h\0i\0\n\0' >u && [ "$(jl --encoding UTF-16 u)$(jl --encoding utf-16le u)" = '{"text":"hi"}{"text":"hi"}' ]
	printf '<html><meta charset=utf-8><p>\304\343\272\303' >g.html
	[ "$(dsclean -q --encoding gbk --to text g.html)" = 你好 ]
	printf '\377\376h\0i\0\n\0' >m && [ "$(jl --encoding gbk m)" = '{"text":"hi"}' ]
	[ "$(printf '\357\273\277a\n' | jl --encoding utf-8)" = '{"text":"a"}' ]
	run dsrec log --json <(dsrec cat --encoding gbk g.txt) && [[ $output == *"--encoding=gbk"* ]]
}

@test "bytes that are no text of the charset are record errors that name them, and are rejected as they were" {
	printf 'good\n\304\343\201\n\272\303\n' >g
	fails 1 "g:2: bytes that are no gbk: 81" dsrec cat --encoding gbk g
	[ "$(jl --encoding gbk --on-error reject=r g)" = '{"text":"good"}
{"text":"好"}' ]
	cmp r <(printf '你\201\n')
	printf 'text\na\n\377\376\n' >t.csv
	fails 1 "t.csv:3: bytes that are no utf-8: FF FE" dsrec cat --encoding utf-8 t.csv
	printf '{"text":"a"}\n{"text":"\377"}\n{"text":"b"}\n' >t.jsonl
	[ "$(jl --on-error skip --encoding utf-8 t.jsonl | wc -l)" = 2 ]
	printf '[{"text":"a"},{"text":"\377"},{"text":"b"}]' >t.json
	[ "$(jl --on-error skip --encoding utf-8 t.json | wc -l)" = 2 ]
	printf '\377\376o\0k\0\n\0x\0\0\330y\0\n\0z\0\n\0q' >half.txt
	[ "$(jl --on-error skip half.txt)" = '{"text":"ok"}
{"text":"z"}' ]
	printf 'x = "\377"\n' >c.py
	fails 1 "c.py:1: bytes that are no" dsrec cat --encoding ascii c.py
	head -c 300000 /dev/zero | tr '\0' 'a' >large && printf '\377\n' >>large
	jl --encoding utf-8 --max-record 1000 --on-error reject=r large && cmp r large
}

@test "--encoding is refused where it is unknown or of no use" {
	fails 2 "--encoding: no charset is named 'klingon'" dsrec cat --encoding klingon -o x g
	echo '{"text":"a"}' | dsrec export -q -o a.parquet
	fails 2 "not for parquet" dsrec cat --encoding gbk a.parquet -o x
	echo a | dsrec import -q -o a.dsr
	fails 2 "not for dsr" dsclean --encoding gbk a.dsr -o x
	printf 'a,b\n1,2\n' | iconv -t UTF-16LE >u.csv
	fails 1 "--encoding UTF-16LE" dsrec cat u.csv -o x
	[ "$(printf '\377\376a' | jl --from text)" = '{"text":"��a"}' ]
}
