#!/usr/bin/env bats
# dsgen, dseval and dsexport with encoders: labels, spans, masks, vectors

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_FILE_TMPDIR" || exit 1
	bert=(--model bert --set "hidden_size=32,num_hidden_layers=1,num_attention_heads=2,max_position_embeddings=32" --lr 3e-3 --seq 16 --batch-tokens 64 -q)
	for i in $(seq 8); do
		echo '{"text":"good film","label":"pos"}'
		echo '{"text":"bad film","label":"neg"}'
	done >cls.jsonl
	dstrain "${bert[@]}" --task cls --max-steps 40 --out cls cls.jsonl
	for i in $(seq 8); do
		echo '{"words":["Ann","Lee","sees","Rome"],"labels":["B-PER","I-PER","O","B-LOC"]}'
		echo '{"words":["Rome","sees","Ann"],"labels":["B-LOC","O","B-PER"]}'
	done >tags.jsonl
	dstrain "${bert[@]}" --task tokcls --max-steps 80 --out tags tags.jsonl
	for i in $(seq 16); do echo '{"text":"red green blue red green blue"}'; done >mlm.jsonl
	dstrain "${bert[@]}" --task mlm --max-steps 80 --out mlm mlm.jsonl
}

setup() {
	cd "$BATS_FILE_TMPDIR" || exit 1
}

@test "a classifier adds each record's label and every class's probability" {
	dsgen -m cls -q --to jsonl cls.jsonl | head -n 2 >out
	python3 - <<-END
		import json
		for r in map(json.loads, open("out")):
		    assert r["pred"] == r["label"], r
		    assert abs(sum(r["score"]) - 1) < 1e-6 and max(r["score"]) == r["score"][["neg", "pos"].index(r["pred"])], r
	END
	run --separate-stderr dsgen -m cls -q --to jsonl <<<'{"other":"a"}'
	[ "$status" -eq 1 ]
	[[ $stderr == *"neither 'tokens' nor 'text'"* ]]
	dsgen -m cls -q --on-error skip --to jsonl <<<'{"other":"a"}' >none
	[ ! -s none ]
}

@test "dseval asks a classifier itself, and gets what records with its answers give" {
	dseval accuracy f1:macro auc -m cls --json -q cls.jsonl >asked
	dsgen -m cls -q cls.jsonl | dseval accuracy f1:macro auc --json -q >told
	cmp asked told
	grep -q '"name":"accuracy","score":1' asked
	run --separate-stderr dseval accuracy -m cls -q <<<'{"text":"good film"}'
	[ "$status" -eq 1 ]
	[[ $stderr == *"label"* ]]
}

@test "a token classifier gives spans of words, or of characters" {
	dsgen -m tags -q --to jsonl tags.jsonl | head -n 1 >out
	dsgen -m tags -q --to jsonl <<<'{"text":"Rome  sees Ann."}' >>out
	python3 - <<-END
		import json
		words, text = map(json.loads, open("out"))
		assert [(s["label"], s["start"], s["end"], s["text"]) for s in words["pred"]] == [("PER", 0, 2, "Ann Lee"), ("LOC", 3, 4, "Rome")], words
		assert [(s["label"], text["text"][s["start"]:s["end"]]) for s in text["pred"]][:2] == [("LOC", "Rome"), ("PER", "Ann")], text
		assert all(0 < s["score"] <= 1 for s in words["pred"])
	END
}

@test "a masked language model fills masks" {
	mask=$(sed -n 's/.*"\(<|mask|>\)".*/\1/p' mlm/tokenizer.json | head -n 1)
	dsgen -m mlm -q --to jsonl <<<'{"text":"red green<|mask|> red green blue"}' >out
	[ "$mask" = "<|mask|>" ]
	grep -q '"pred":"red green blue red green blue"' out
	run --separate-stderr dsgen -m mlm -q --to jsonl <<<'{"text":"red"}'
	[ "$status" -eq 1 ]
	[[ $stderr == *"no mask token in it"* ]]
}

@test "--logits of an encoder are of its classes, or of the last token, masks or not" {
	dsgen -m mlm -q --logits --to jsonl <<<'{"text":"red"}' >out
	dsgen -m mlm -q --logits --to jsonl <<<'{"text":"red green<|mask|>"}' >>out
	dsgen -m cls -q --logits --to jsonl <<<'{"text":"red"}' >>out
	python3 - <<-'END'
		import json, math
		a, b, c = map(json.loads, open("out"))
		vocab = json.load(open("mlm/config.json"))["vocab_size"]
		assert len(a["logits"]) == len(b["logits"]) == vocab
		assert "pred" not in a and "score" not in a and len(b["score"]) == 1 and b["pred"].startswith("red green")
		e = [math.exp(x) for x in c["logits"]]
		assert all(abs(x / sum(e) - p) < 1e-6 for x, p in zip(e, c["score"]))
	END
}

@test "any encoder embeds and is exported" {
	for m in cls tags mlm; do
		dsgen -m $m --embed -q --to jsonl <<<'{"text":"red"}' | grep -q '"embedding":\['
		dsexport onnx -m $m -o $m.onnx -q
		grep -aq token_type_ids $m.onnx
		dsexport onnx -m $m -o $m.onnx --input input_ids=1,8 --input attention_mask=1,8 -q
	done
	run --separate-stderr dsexport onnx -m cls -o no.onnx --input tokens=1,8
	[ "$status" -eq 2 ]
}
