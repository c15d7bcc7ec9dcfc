#!/usr/bin/env bats
# dstok: training, round trips, the tokenizer that a stream carries, threads

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
	for i in $(seq 300); do
		echo "Line $i: the quick brown fox doesn't jump over $((i * 7919)) lazy dogs; 敏捷的棕色狐狸跳过了懒狗。"
		[ $((i % 50)) -ne 0 ] || echo
	done >text.txt
	unset DS_TOKENIZER
}

says() { # says RC PATTERN COMMAND...: fails like that, in one line
	local rc=$1 pattern=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" -eq "$rc" ] || { echo "exit $status: $stderr"; return 1; }
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
	[[ $stderr == "dstok: "*$pattern* ]] || { echo "$stderr"; return 1; }
}

@test "training does not depend on threads, and what it gives goes there and back" {
	dstok train -q -j 1 -V 700 text.txt -o a.json
	dstok train -q -j 3 -V 700 text.txt -o b.json
	cmp a.json b.json
	dstok -q -t a.json text.txt | dstok decode -q --to text | cmp - text.txt
	dstok -q text.txt | dstok decode -q --to text | cmp - text.txt
}

@test "a WordPiece is what Hugging Face's trainer makes of the text" {
	printf 'hug hugs pug pugs Pun! bún\nhug huge 中文中\n' >w.txt
	# Ties are by ids; theirs for what stands inside words come in random order, these are in the order of characters.
	dstok train -q --model wordpiece -V 30 w.txt -o w.json
	run python3 - <<-END
		import json
		t = json.load(open("w.json"))
		v = t["model"]["vocab"]
		assert [v[x] for x in v] == list(range(30))
		want = "[PAD] [UNK] [CLS] [SEP] [MASK] ! b e g h n p s u 中 文 ##e ##g ##n ##s ##u"
		assert list(v)[:21] == want.split(), list(v)
		assert list(v)[21:] == "##ug hug pug ##un bun pun huge hugs pugs".split(), list(v)[21:]
		assert t["normalizer"]["lowercase"] and t["model"]["type"] == "WordPiece"
	END
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ "$(echo 'Hugs BUN 文' | dstok -q -t w.json --add-special | dstok decode -q --to text)" = '[CLS] hugs bun 文 [SEP]' ]
}

@test "an alphabet has its most frequent characters, and a word loses the others" {
	printf 'aab abz aaz\n' >w.txt
	dstok train -q --pattern bert-cased --limit-alphabet 2 -V 12 w.txt -o w.json
	run python3 -c 'import json; print(" ".join(json.load(open("w.json"))["model"]["vocab"]))'
	[ "$output" = "[PAD] [UNK] [CLS] [SEP] [MASK] a b ##a ##b aa ab aab" ]
	says 2 "characters alone take" dstok train -q --pattern bert -V 8 w.txt -o x.json
	says 2 "--limit-alphabet" dstok train -q --limit-alphabet 2 -V 400 w.txt -o x.json
	says 2 "[UNK]" dstok train -q --pattern bert --special '<x>' -V 40 w.txt -o x.json
	says 2 "bert or bert-cased" dstok train -q --model wordpiece --pattern qwen2 -V 40 w.txt -o x.json
	says 2 "is for wordpiece" dstok train -q --model bpe --pattern bert -V 40 w.txt -o x.json
	[ ! -e x.json ]
}

@test "training keeps to --memory or says what it would take" {
	dstok train -q -V 700 text.txt -o a.json
	dstok train -q -V 700 --memory 1M text.txt -o b.json
	cmp a.json b.json
	says 4 "the limit is 1 KiB" dstok train -q -V 700 --memory 1K text.txt -o c.json
	[ ! -e c.json ]
}

@test "any bytes survive" {
	head -c 200000 /dev/urandom | tr -d '\n' >bytes.txt
	echo >>bytes.txt
	dstok -q --from text bytes.txt | dstok decode -q --to text | cmp - bytes.txt
}

@test "output does not depend on threads, packed or not" {
	for options in "" "--seq 32" "--seq 32 --pack bestfit" "--seq 32 --pack none"; do
		# shellcheck disable=SC2086 # options are words
		DS_BLOCK=512 dstok -q -j 1 $options text.txt >1.dsr
		# shellcheck disable=SC2086
		DS_BLOCK=512 dstok -q -j 5 $options text.txt >5.dsr
		cmp 1.dsr 5.dsr
	done
}

@test "the vector levels of the CPU give the same tokens" {
	for level in scalar avx2 avx512; do
		DS_CPU=$level dstok -q text.txt --to jsonl | cksum
	done >sums
	[ "$(sort -u sums | wc -l)" -eq 1 ]
}

@test "a stream carries its tokenizer; two different ones do not mix" {
	dstok train -q -V 700 text.txt -o a.json
	dstok train -q -V 300 text.txt -o b.json
	dstok -q -t a.json text.txt -o a.dsr
	dstok -q -t b.json text.txt -o b.dsr
	dstok decode -q a.dsr --to text | cmp - text.txt
	cat a.dsr a.dsr | dstok decode -q --to text | cmp - <(cat text.txt text.txt)
	says 1 "different tokenizers" dstok decode -q a.dsr b.dsr -o out.txt --to text
	[ ! -e out.txt ]
	says 1 "another tokenizer" dstok encode -q -t b.json --seq 8 a.dsr -o out.dsr
}

@test "an unpacked shard is packed as its text would have been" {
	dstok train -q -V 700 text.txt -o a.json
	dstok -q -t a.json --seq 64 text.txt --to jsonl >direct
	dstok -q -t a.json text.txt | dstok -q --seq 64 --no-eos --to jsonl | head -n 1 | grep -q '"docs":\[0,'
	dstok -q -t a.json --eos text.txt | dstok -q --seq 64 --no-eos --to jsonl >two
	cmp direct two
}

@test "rows are exactly N long, and every token is in one" {
	for pack in concat bestfit none; do
		dstok -q --seq 40 --pack $pack text.txt --to jsonl >rows
		run python3 - <<-END
			import json
			rows = [json.loads(l) for l in open("rows")]
			assert all(len(r["tokens"]) == 40 for r in rows)
			import base64
			real = sum(sum(base64.b64decode(r["mask"])) if "mask" in r else 40 for r in rows)
			docs = sum(len(r["docs"]) for r in rows)
			assert docs >= 306, docs
			print(real)
		END
		[ "$status" -eq 0 ] || { echo "$output"; return 1; }
		echo "$output"
	done >totals
	[ "$(sort -u totals | wc -l)" -eq 1 ]
}

@test "\$DS_TOKENIZER names the tokenizer, -t goes before it" {
	dstok train -q -V 300 text.txt -o a.json
	echo abc >abc.txt
	DS_TOKENIZER=a.json dstok -q --to jsonl abc.txt >env
	dstok -q -t a.json --to jsonl abc.txt | cmp - env
	says 4 none.json env DS_TOKENIZER=none.json dstok -q abc.txt --to jsonl
}

@test "a run of one letter takes time in proportion" {
	head -c 3000000 /dev/zero | tr '\0' a >run.txt
	dstok train -q -V 300 text.txt -o a.json
	timeout 20 dstok -q -t a.json run.txt | dstok decode -q --to text >back
	cmp -n 3000000 run.txt back
}

@test "broken files are refused in one line" {
	dstok train -q -V 300 text.txt -o a.json
	says 2 "a vocabulary of 3" dstok train -q -V 3 text.txt -o x.json
	says 1 "no text" dstok train -q -V 300 /dev/null -o x.json
	[ ! -e x.json ]
	head -c 5000 a.json >cut.json
	says 1 cut.json dstok -q -t cut.json text.txt --to jsonl
	: >empty.json
	says 1 "empty" dstok -q -t empty.json text.txt --to jsonl
	says 2 "--pattern" dstok -q -t <(printf 'YQ== 0\n') text.txt --to jsonl
	echo '{"tokens":[1,99999999]}' >ids.jsonl
	says 1 "id 99999999" dstok decode -q -t a.json ids.jsonl --to text
}

@test "a tokenizer of any format is written as tokenizer.json, and gives the same tokens" {
	for b in $(seq 0 255); do printf '%s %s\n' "$(printf "\\x$(printf %x "$b")" | base64)" "$b"; done >ranks
	printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the fox '##es' line lazy >vocab.txt
	for options in "-t ranks --pattern o200k" "-t vocab.txt --pattern bert"; do
		# shellcheck disable=SC2086 # options are words
		dstok info -q $options --write t.json >/dev/null
		# shellcheck disable=SC2086
		dstok -q $options --to jsonl text.txt | cmp - <(dstok -q -t t.json --to jsonl text.txt)
	done
	says 2 "means something else" dstok info -q -t ranks --pattern 'a$' --write no.json
	[ ! -e no.json ]
}

@test "count and info say what there is" {
	[ "$(printf 'ab\ncd\n' | dstok count -q --json | sed 's/.*"bytes":\([0-9]*\).*/\1/')" = 4 ]
	dstok info --json | grep -q '"pattern":"qwen2"'
	dstok info | grep -q '^identity *[0-9a-f]\{32\}$'
}

@test "answers alone are targets, packed or not, and what people write is plain text" {
	dstok train -q -V 400 --special '<|pad|>' --special '<|im_start|>' --special '<|im_end|>' text.txt -o c.json
	echo '{"messages":[{"role":"user","content":"lazy <|im_end|>"},{"role":"assistant","content":"dogs"}]}' >m.jsonl
	echo '{"instruction":"the","input":"fox","output":"dogs"}' >>m.jsonl
	dstok -q -t c.json --chat chatml m.jsonl --to jsonl >out
	dstok -q -t c.json --chat chatml --seq 100 m.jsonl --to jsonl >packed
	run python3 - <<-END
		import base64, json
		rows = [json.loads(line) for line in open("out")]
		names = {}
		for r in rows:
		    mask = base64.b64decode(r["mask"])
		    assert len(mask) == len(r["tokens"])
		    names[tuple(t for t, m in zip(r["tokens"], mask) if m)] = 1
		    assert r["tokens"].count(1) == 2 and r["tokens"].count(2) == 2, r
		assert len(names) == 1, names
		one = json.loads(open("packed").read())
		assert one["tokens"][:len(rows[0]["tokens"])] == rows[0]["tokens"]
		both = b"".join(base64.b64decode(r["mask"]) for r in rows)
		assert base64.b64decode(one["mask"]) == both + bytes(100 - len(both))
	END
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	says 2 "no token '<|begin_of_text|>'" dstok -q -t c.json --chat llama3 m.jsonl --to jsonl
}

@test "a text that is filled in keeps all its characters, in the order prefix, suffix, middle" {
	dstok train -q -V 400 --special '<fim_prefix>' --special '<fim_suffix>' --special '<fim_middle>' text.txt -o c.json
	dstok -q -t c.json --fim 1 --seed 7 text.txt | dstok decode -q --to text |
		sed 's/^<fim_prefix>\(.*\)<fim_suffix>\(.*\)<fim_middle>\(.*\)$/\1\3\2/' | cmp - text.txt
	dstok -q -t c.json --fim 0.5 -j 1 --seed 7 text.txt | cksum >one
	dstok -q -t c.json --fim 0.5 -j 4 --seed 7 text.txt | cksum | cmp - one
	says 2 "--fim" dstok -q --fim 1 text.txt --to jsonl
}

@test "any regex cuts text: of a rank file, and in training" {
	dstok train -q -V 300 --pattern '\w+|\W' text.txt -o a.json
	dstok -q -t a.json text.txt | dstok decode -q --to text | cmp - text.txt
	for b in $(seq 0 255); do printf '%s %s\n' "$(printf "\\x$(printf %x "$b")" | base64)" "$b"; done >ranks
	dstok -q -t ranks --pattern '[a-z]+| |.' text.txt | dstok decode -q --to text | cmp - text.txt
	says 2 "missing" dstok -q -t ranks --pattern '[a' text.txt --to jsonl
}
