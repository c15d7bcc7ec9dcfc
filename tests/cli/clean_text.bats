#!/usr/bin/env bats
# dsclean: text that is meant stays: program text, what was cleaned before, what another program extracted

load common
setup() { common_setup; }

@test "every program of the set still parses, by path, by language, bare, fenced, indented and in answers" {
	[ -n "$DS_TEST_DATA" ] || skip "DS_TEST_DATA is not set"
	zstd -dqc "$DS_TEST_DATA/code/code.jsonl.zst" >code.jsonl
	zstd -dqc "$DS_TEST_DATA/instruct/gpteacher-codegen.jsonl.zst" >answers.jsonl
	python3 "$ROOT/tests/cli/clean_code.py" code.jsonl answers.jsonl
}

@test "program files are cleaned as program text" {
	printf 'def f(x):\n    if x:   # two  ways\n        return "a  b"   \n\n\n    return 2\n' >x.py
	[ "$(dsclean --to text -q x.py)" = "$(sed 's/ *$//' x.py)" ]
}

@test "what the default list made it leaves alone" {
	printf '<!DOCTYPE html><p>Use &lt;b&gt;x&lt;/b&gt; and &amp;lt;.<pre>a   b\n  c   d</pre><p>e &nbsp; f' >a.html
	printf 'a &amp;amp; b  c\f<p>x</p>\n' >b.txt
	dsclean -q a.html b.txt >once.dsr
	[ "$(dsrec cat once.dsr --to text | head -n 1)" = 'Use <b>x</b> and &lt;.' ]
	dsrec cat once.dsr --to jsonl >once
	dsclean -q once.dsr --to jsonl | diff once -
	dsclean -q once.dsr | dsclean --default -q --to jsonl | diff once -
	dsrec cat -q once.dsr | dsrec shuf | dsclean -q --to jsonl | sort | diff <(sort once) -
	dsclean -q --default --regex 's/q/p/' a.html b.txt | dsclean -q --to jsonl | diff once -
}

@test "a stream that was not cleaned is, beside one that was" {
	printf '<!DOCTYPE html><p>Use &lt;b>x&lt;/b>' >a.html
	printf '<html><p>one</p><p>two' >b.html
	dsclean -q a.html >a.dsr
	dsrec import -q b.html -o b.dsr
	cat a.dsr b.dsr | dsclean -q --to text >out
	printf 'Use <b>x</b>\none\n\ntwo\n' | diff - out
	dsclean -q a.dsr b.html --to text | diff out -
	# Without the rule nothing was cleaned; asked for by name it runs all the same.
	dsclean -q --html off b.html | dsclean -q --to text | diff <(printf 'one\n\ntwo\n') -
	dsclean -q a.dsr --html strip --to text | diff <(printf 'Use x\n') -
}

@test "rules that a file names are known in the next run" {
	printf 'html strip\nutf8 fix\n' >r
	printf '<p>&amp;lt;<p>b' >a.html
	dsclean -q --rules r a.html | dsclean -q --to text | diff <(printf '&lt;\n\nb\n') -
}

@test "the default list is the identity on its own output, on pages and on random texts" {
	[ -n "$DS_TEST_DATA" ] || skip "DS_TEST_DATA is not set"
	mkdir pages
	zstd -dqc "$DS_TEST_DATA/html/readability-pages.tar.zst" | tar -x -C pages
	dsclean -q pages/*/source.html >once.dsr
	dsclean -q once.dsr --to jsonl | cmp - <(dsrec cat -q once.dsr --to jsonl)
	python3 "$ROOT/tests/cli/clean_random.py" 20000 >random.jsonl
	dsclean -q random.jsonl >once.dsr
	dsclean -q once.dsr --to jsonl | cmp - <(dsrec cat -q once.dsr --to jsonl)
}

@test "a rule that is named twice is counted once" {
	printf 'a  b\n' | dsclean -q --space --regex s/b/b\ \ c/ --space >x.dsr
	dsrec check -q x.dsr
	[ "$(dsrec cat -q x.dsr --to text)" = 'a b c' ]
}

@test "a file of OpenCC's that cannot be used is named, and no other conversion is done instead" {
	dsclean -q --han hans --to text <<<"漢" >out 2>err
	run --separate-stderr dsclean --han hans --to text <<<"漢"
	[[ $stderr != *"no OpenCC"* ]] || skip "no OpenCC"
	echo '{' >t2s.json # it looks here first
	fails 4 "OpenCC's t2s.json: " dsclean -q --han hans --to text <<<"漢"
}
