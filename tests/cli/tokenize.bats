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

@test "two texts are joined as the tokenizer says, cut and padded, and other fields stay with them" {
	printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the fox '##es' line lazy >vocab.txt
	echo '{"text":"the fox the fox","b":"lazy foxes line","label":"x"}' >p.jsonl
	echo '{"text":"fox","b":"the lazy line the lazy line","image":"/9j/"}' >>p.jsonl
	echo '{"text":"lazy fox"}' >>p.jsonl
	dstok -q -t vocab.txt --pattern bert --add-special --pair b p.jsonl --to jsonl >pairs
	dstok -q -t vocab.txt --pattern bert --add-special --pair b --seq 9 p.jsonl --to jsonl >rows
	dstok -q -t vocab.txt --pattern bert --add-special --pair b --seq 9 --truncate second p.jsonl --to jsonl >second
	run python3 - <<-END
		import base64, json
		def read(name):
		    return [json.loads(line) for line in open(name)]
		def bits(r, field):
		    return list(base64.b64decode(r[field]))
		a, b, c = read("pairs")
		assert a["tokens"] == [2, 5, 6, 5, 6, 3, 9, 6, 7, 8, 3] and bits(a, "types") == [0] * 6 + [1] * 5, a
		assert a["label"] == "x" and "text" not in a and "b" not in a and b["image"] == "/9j/"
		assert c["tokens"] == [2, 9, 6, 3] and bits(c, "types") == [0] * 4, c
		a, b, c = read("rows")
		assert a["tokens"] == [2, 5, 6, 5, 3, 9, 6, 7, 3] and bits(a, "types") == [0] * 5 + [1] * 4, a
		assert b["tokens"] == [2, 6, 3, 5, 9, 8, 5, 9, 3] and b["image"] == "/9j/", b
		assert "mask" not in a and bits(c, "mask") == [1] * 4 + [0] * 5 and c["tokens"][4:] == [0] * 5, c
		assert read("second")[0]["tokens"] == [2, 5, 6, 5, 6, 3, 9, 6, 3]
	END
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	run dstok -t vocab.txt --pattern bert --add-special --pair b --seq 9 p.jsonl -o out.dsr
	[[ $output == *"22 tokens in 3 rows of 9, 81.5% filled, 5 padding, 2 records cut"* ]]
	says 1 "the first text has 4" dstok -q -t vocab.txt --pattern bert --pair b --seq 4 --truncate first p.jsonl --to jsonl
	says 2 "--pack concat" dstok -q --pair b --seq 4 --pack concat p.jsonl --to jsonl
	says 2 "--truncate needs --seq" dstok -q --truncate first p.jsonl --to jsonl
}

@test "of a Unigram's paths whose sums are the same float the first one stays, as sentencepiece has it" {
	local model=${DS_TEST_DATA:-}/tokenizers/sentencepiece/chinese_sp_20k.model
	[ -f "$model" ] || skip "no test data"
	printf '\xf0\x9f\x92\xbb\t\xcc\x81AAA\n' >u.txt
	run dstok -q -t "$model" --to jsonl u.txt
	[ "$output" = '{"tokens":[4,0,4,14078,211,8013]}' ]
}

@test "offsets are where in the text a token comes from" {
	printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the fox '##es' line cafe >vocab.txt
	printf 'The  FOXES, caf\xc3\xa9 line\n' >o.txt
	run dstok -q -t vocab.txt --pattern bert --add-special --offsets o.txt --to jsonl
	[ "$output" = '{"offsets":[0,0,0,3,5,8,8,10,10,11,12,17,18,22,0,0],"tokens":[2,5,6,7,1,9,8,3]}' ]
	# Those of a byte-level tokenizer lie end to end.
	dstok -q --offsets text.txt --keep-text --to jsonl >o.jsonl
	run python3 - <<-END
		import json
		for r in map(json.loads, open("o.jsonl")):
		    o = r["offsets"]
		    assert len(o) == 2 * len(r["tokens"])
		    assert [0, *o[1::2]][:-1] == o[::2] and (not o or o[-1] == len(r["text"].encode())), r
	END
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	says 2 "--offsets goes with none" dstok -q --offsets --seq 8 text.txt --to jsonl
	says 2 "normalizers" dstok -q --offsets -t <(echo '{"normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
		"model":{"type":"WordLevel","vocab":{"<unk>":0},"unk_token":"<unk>"}}') text.txt --to jsonl
}

@test "bytes a token are counted by language, said or detected" {
	printf '{"text":"aaaa","lang":"x"}\n{"text":"这是中文的一句话，说的是语言。"}\n{"text":"aa","lang":"x"}\n' >l.jsonl
	dstok count -q --languages --to tsv l.jsonl | grep -q "$(printf '^lang\tx\t2\t6\t')"
	dstok info --text l.jsonl --to tsv | grep -q "$(printf '^lang\tzh\t1\t45\t')"
	dstok count -q --languages -j 1 --json l.jsonl >1
	DS_BLOCK=512 dstok count -q --languages -j 3 --json l.jsonl | cmp - 1
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
	echo '{"turns":[{"speaker":"a","say":"hi"}]}' >u.jsonl
	says 1 "'messages, conversations, prompt and completion" dstok -t c.json --chat chatml u.jsonl -o none.dsr
	says 1 "there are turns\[\].speaker, turns\[\].say" dstok -t c.json --chat chatml u.jsonl -o none.dsr
	echo '{"messages":[{"speaker":"a","say":"hi"}]}' >u.jsonl
	says 1 "known are role and content" dstok -t c.json --chat chatml u.jsonl -o none.dsr
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

@test "added tokens of white space beside one with rstrip, and of one byte-level letter, are the reference's" {
	python3 - <<-'END'
		import json
		chars = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
		letters = {b: chr(b) for b in chars}
		letters.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in chars)})
		vocab = {letters[b]: b for b in range(256)}
		flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
		def added(id, content, **more): return dict(flags, id=id, content=content, **more)
		json.dump({"version": "1.0", "added_tokens": [added(ord("a"), "a", single_word=True), added(0xe9, "é"), added(256, "<r>", rstrip=True),
		    added(257, "  "), added(258, "<l>", lstrip=True, rstrip=True), added(259, "Ġx")],
		    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
		    "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, "model": {"type": "BPE", "vocab": vocab, "merges": []}}, open("t.json", "w"))
	END
	printf '%s\n' '{"text":"<r>     <l>   <l>  <r> x"}' '{"text":"ab a é"}' '{"text":"Ġx x  Ġ"}' >in.jsonl
	dstok encode -q -t t.json --to jsonl in.jsonl >ids
	diff ids - <<-'END' # what tokenizers 0.23 gives
		{"tokens":[256,257,257,258,257,258,257,256,120]}
		{"tokens":[97,98,32,97,32,233]}
		{"tokens":[259,32,120,257,196,160]}
	END
	diff <(dstok decode -q -t t.json --to jsonl ids) - <<-'END'
		{"text":"<r>    <l>  <l>  <r>x"}
		{"text":"ab a �"}
		{"text":" x x  Ġ"}
	END
}
