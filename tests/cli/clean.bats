#!/usr/bin/env bats
# dsclean: what only a process shows: charsets of files, the summary, what is put aside, -j

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
}

page() { printf '<html><head><meta charset="%s"><title>t</title></head><body><p>%s</p></body></html>' "$1" "$2"; }

@test "pages are decoded by mark, meta and guess" {
	page GB2312 '中文网页的内容' | iconv -t GB18030 >gb.html
	page big5 '中文網頁的內容' | iconv -t BIG5 >big5.html
	page Shift_JIS '日本語のページ' | iconv -t SHIFT_JIS >sjis.html
	page utf-16 '中文' | iconv -t UTF-16LE >wide.html
	{ printf '\376\377'; page x 'marked'; } >be.html
	page x '中文' | iconv -t UTF-16 >mark.html
	page iso-8859-1 'naïve €' | iconv -t WINDOWS-1252 >latin.html
	page iso-8859-1 'wrong charset: 中文' >lies.html
	dsclean --to text -q gb.html big5.html sjis.html wide.html mark.html latin.html lies.html >out
	printf '%s\n' 中文网页的内容 中文網頁的內容 日本語のページ 中文 中文 'naïve €' 'wrong charset: 中文' | diff - out
}

@test "a page without a word about its charset is guessed" {
	printf '<p>%s</p>' '这是一个没有声明编码的网页,内容是中文,应该能够被正确地识别出来。' | iconv -t GB18030 >x.html
	[ "$(dsclean --to text -q x.html)" = '这是一个没有声明编码的网页,内容是中文,应该能够被正确地识别出来。' ]
}

@test "the summary says when HTML came in and no rule was for it" {
	page utf-8 x >a.html
	run --separate-stderr dsclean --space --to text a.html
	[[ $stderr == *"no rule was --html or --utf8 (--default adds them)"* ]]
	run --separate-stderr dsclean --html strip --to text a.html
	[[ $stderr == *"no rule was --utf8 (--default adds them)"* ]]
	run --separate-stderr dsclean --to text a.html
	[[ $stderr != *"adds them"* ]]
}

@test "what is dropped is kept aside as it came, with its rule" {
	printf '{"text":"ab "}\n{"text":"long enough","k":[1]}\n{"text":" "}\n' >in.jsonl
	dsclean --space --drop-empty --min-chars 3 --rejected out.jsonl --to jsonl -q in.jsonl >kept
	diff - kept <<<'{"text":"long enough","k":[1]}'
	diff - out.jsonl <<'END'
{"text":"ab ","rejected":"min-chars","id":0}
{"text":" ","rejected":"drop-empty","id":2}
END
	dsclean --min-chars 3 --rejected out.dsr -q in.jsonl >/dev/null
	dsrec check out.dsr
	[ "$(dsrec cat --to text -q out.dsr)" = ' ' ]
}

@test "no file is left where the run fails" {
	run dsclean --labels sentiment --unmapped stop --drop-empty --rejected out.jsonl --to jsonl <<<'{"text":"","label":"x"}'
	[ "$status" -eq 1 ]
	[ ! -e out.jsonl ]
}

@test "records and counts do not depend on -j" {
	for i in $(seq 3000); do
		printf '{"text":"<p>a &amp; %d</p><p> b  c</p>","label":"l%d"}\n{"text":" "}\n' $i $((i % 7))
	done >in.jsonl
	for j in 1 2 5; do
		dsclean --default --labels sentiment -j $j in.jsonl -o $j.dsr --stats $j.json 2>$j.err --rejected $j.rej
		grep -o 'labels not.*' $j.err >$j.labels
	done
	cmp 1.dsr 2.dsr && cmp 1.dsr 5.dsr && cmp 1.rej 5.rej && cmp 1.labels 5.labels
	dsrec log 1.dsr | grep -q 'drop-empty'
}

@test "a column that no rule changes is passed on as it was" {
	printf '{"text":"plain text","n":1}\n' | dsrec cat >a.dsr
	[ "$(dsclean a.dsr --to jsonl -q)" = '{"text":"plain text","n":1}' ]
}

@test "--sample shows by rule what was done to some records, the same for any -j" {
	seq 5000 | sed 's/$/ \&amp;  x/' >in
	run --separate-stderr dsclean --default --regex s/x/y/ --sample 2 --seed 3 in
	[ "$(grep -c '^record' <<<"$output")" = 2 ]
	[ "$(grep -c '^ regex s/x/y/' <<<"$output")" = 2 ]
	[[ "$output" == *"& x"*" | "*"& y"* && "$output" != *$'\033'* ]]
	[[ "$stderr" == *"5,000 records in, 0 out"* ]]
	[ "$(dsclean -q -j1 --space --sample 9 in)" = "$(dsclean -q -j4 --space --sample 9 in)" ]
	[ "$(dsclean -q --space --sample 9 in)" != "$(dsclean -q --seed 1 --space --sample 9 in)" ]
	run dsclean --sample -1 in
	[ "$status" = 2 ]
}

@test "--explain shows both sides and writes no records" {
	run --separate-stderr dsclean --explain --default <<<'{"text":"a  &lt;b","id":"r7"}'
	[ "$status" -eq 0 ]
	[[ $output == "record r7 of stdin: 8 characters, then 4"* ]]
	[[ $output == *"a  &lt;b"*" | a <b" ]]
}

@test "--field names what is cleaned" {
	[ "$(dsclean --field body --to jsonl -q <<<'{"body":"a  b","text":"a  b"}')" = '{"body":"a b","text":"a  b"}' ]
}

@test "rule files count by content in the chain, a built-in map by name" {
	echo space >one; echo space >two
	for f in one two; do dsclean --rules $f -q <<<'{"text":"a"}' | dsrec log - >$f.log; done
	cmp one.log two.log
	dsclean --labels sentiment -q <<<'{"text":"a","label":"pos"}' | dsrec log - | grep -q -- '--labels=sentiment'
}

@test "files that rule files name count by content too" {
	mkdir a b
	for d in a b; do
		echo 'include inner' >$d/rules; echo 'labels map' >$d/inner; cp $d/inner $d/copy
	done
	echo 'yes: y' >map
	chain() { dsclean --rules $1/rules -q <<<'{"text":"a","label":"y"}' | dsrec log --json -; }
	chain a >first
	grep -q -- '--rules=xxh3:.* include=xxh3:.* labels=xxh3:' first
	chain b | cmp - first
	echo 'yes: y yeah' >map; chain a >second
	run ! cmp -s first second
	echo '# one line more' >>b/inner
	run ! cmp -s <(chain b) second
}

@test "a line of many megabytes and a million tags are no trouble" {
	{ printf '<p>'; head -c 20000000 /dev/zero | tr '\0' x; } >big.html
	[ "$(timeout 60 dsclean --to text -q big.html | wc -c)" -eq 20000001 ]
	for i in $(seq 2000); do printf '<div><b><svg><table>'; done >deep.html
	timeout 20 dsclean --to text -q deep.html >/dev/null
}

@test "a field that is no text is a record error, or skipped" {
	run --separate-stderr dsclean --space <<<'{"text":7}'
	[ "$status" -eq 1 ]
	[[ $stderr == "dsclean: stdin:1: "*"wanted a string"* ]]
	[ "$(printf '{"text":7}\n{"text":"a  b"}\n' | dsclean --space --on-error skip --to text -q)" = "a b" ]
}

@test "the table of labels has every value, what it became, and its records" {
	printf '{"text":"a","label":"%s"}\n' 积极 neg 积极 blurp POS >in.jsonl
	dsclean --labels sentiment --label-table t.tsv -j 3 -q --to jsonl in.jsonl >/dev/null
	printf '%s\t%s\t%s\n' value label records 积极 positive 2 neg negative 1 blurp '' 1 POS positive 1 | diff - t.tsv
}
