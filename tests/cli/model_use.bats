#!/usr/bin/env bats
# what a model's ids mean, and what its numbers may be: foreign shards, padded vocabularies, two-byte weights, virtual tokens

load common

setup() {
	common_setup
	for i in $(seq 60); do
		echo "row $i of a small text, $((i * 7 % 13)) and more"
	done >t.txt
	dstok train -q -V 280 --special '<|endoftext|>' t.txt -o tok.json
	dstok -q -t tok.json --seq 32 t.txt -o s.dsr
	gpt=(--model gpt2 --set n_layer=1,n_embd=32,n_head=2,n_positions=64)
}

@test "a shard of another tokenizer is refused by every program that asks a model, or taken when told to" {
	dstrain "${gpt[@]}" --max-steps 2 --out m s.dsr -q
	seq 3000 >n.txt && dstok train -q -V 270 n.txt -o other.json
	dstok -q -t other.json --seq 32 t.txt -o o.dsr
	why="the input was encoded with another tokenizer than that of m; --any-tokenizer takes its ids as they are"
	for run in "dseval ppl" "dsgen --max-tokens 2 --to jsonl" "dsgen --embed --to jsonl"; do
		fails 1 "$why" $run -m m -q o.dsr
		$run -m m -q s.dsr >said
		$run -m m -q --any-tokenizer o.dsr >said
		[ -s said ]
		dsrec cat -q o.dsr | fails 1 "$why" $run -m m -q
	done
	# an encoder, which is asked for labels, too
	printf '{"text":"row %s","label":"%s"}\n' 1 odd 2 even >l.jsonl
	dstok -q -t tok.json l.jsonl -o l.dsr && dstok -q -t other.json l.jsonl -o ol.dsr
	dstrain --model bert --set hidden_size=32,num_hidden_layers=1,num_attention_heads=2,max_position_embeddings=32 --task cls \
		--seq 8 --batch-tokens 16 --max-steps 1 --out c l.dsr -q
	for run in "dsgen --to jsonl" "dseval accuracy"; do
		fails 1 "another tokenizer than that of c" $run -m c -q ol.dsr
		$run -m c -q l.dsr >said
		$run -m c -q --any-tokenizer ol.dsr >said
	done
	# a shard that follows others in one stream is looked at too
	fails 1 "$why" dseval ppl -m m -q s.dsr o.dsr
}

@test "a padded vocabulary trains, exports, and its empty ids are never drawn" {
	dstrain "${gpt[@]}",vocab_size=384 --lr 0 --max-steps 1 --out m s.dsr -q
	size=$(python3 -c 'import json; t = json.load(open("m/tokenizer.json")); print(max([*t["model"]["vocab"].values(), *(a["id"] for a in t["added_tokens"])]) + 1)')
	[ "$size" -lt 384 ]
	# logits of random weights are nearly equal: a quarter of all draws would be of ids that are not there
	for t in 0 1 50; do
		dsgen -m m --temperature $t --max-tokens 30 --ignore-eos --to jsonl -q t.txt >said
		[ "$(wc -l <said)" -eq 60 ]
	done
	python3 - "$size" <<-'P'
		import json, struct, sys
		b = bytearray(open("m/model.safetensors", "rb").read())
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		a, z = h["transformer.wte.weight"]["data_offsets"]
		assert h["transformer.wte.weight"]["shape"] == [384, 32]
		# the embedding of what is padded is what every state points to
		for row in range(int(sys.argv[1]), 384):
		    b[8 + n + a + 128 * row:8 + n + a + 128 * row + 128] = struct.pack("<32f", *([9.0] * 32))
		f = h["transformer.ln_f.bias"]["data_offsets"]
		b[8 + n + f[0]:8 + n + f[1]] = struct.pack("<32f", *([5.0] * 32))
		open("m/model.safetensors", "wb").write(b)
	P
	dsgen -m m --temperature 0 --max-tokens 5 --ignore-eos --logprobs --to jsonl -q t.txt >said
	python3 -c 'import json; assert all(p < -1000 for l in open("said") for p in json.loads(l)["logprobs"])'
	dsexport onnx -m m -o m.onnx -q
	dsexport safetensors -m m -o m.st -q
	dstrain --model m --batch-tokens 64 --max-steps 1 --out n s.dsr -q
	grep -q '"vocab_size": 384' n/config.json
}

@test "dsgen adds what the tokenizer puts around a text, unless told not to" {
	python3 - <<-'P'
		import json
		t = json.load(open("tok.json"))
		bos = next(a["id"] for a in t["added_tokens"])
		t["post_processor"] = {"type": "TemplateProcessing",
		    "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
		    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
		    "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [bos], "tokens": ["<|endoftext|>"]}}}
		json.dump(t, open("bos.json", "w"))
	P
	dstok -q -t bos.json --seq 32 t.txt -o b.dsr
	dstrain "${gpt[@]}" --lr 1e-2 --max-steps 20 --out m b.dsr -q
	head -n 3 t.txt >p.txt
	dstok -q -t bos.json --add-special p.txt -o with.dsr
	dstok -q -t bos.json p.txt -o without.dsr
	logits() { dsgen -m m --max-tokens 0 --logits --to jsonl -q "$@" | python3 -c 'import json,sys; print([json.loads(l)["logits"] for l in sys.stdin])'; }
	[ "$(logits p.txt)" = "$(logits with.dsr)" ]
	[ "$(logits --no-add-special p.txt)" = "$(logits without.dsr)" ]
	[ "$(logits p.txt)" != "$(logits without.dsr)" ]
}

@test "weights over the range of two bytes are named and refused, or clamped when told to" {
	dstrain "${gpt[@]}" --max-steps 1 --out m s.dsr -q
	python3 - <<-'P'
		import json, struct
		b = bytearray(open("m/model.safetensors", "rb").read())
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		a, z = h["transformer.ln_f.bias"]["data_offsets"]
		b[8 + n + a:8 + n + a + 8] = struct.pack("<2f", 70000.0, -70000.0)
		open("m/model.safetensors", "wb").write(b)
	P
	why="tensor 'transformer.ln_f.bias': 70000 is over the range of F16; --clamp stores the largest that there is"
	fails 1 "$why" dsexport safetensors --dtype fp16 -m m -o m.st -q
	[ ! -e m.st ]
	dsexport safetensors --dtype bf16 -m m -o m.st -q
	dsexport safetensors --dtype fp16 --clamp -m m -o m.st -q
	python3 - <<-'P'
		import json, struct
		b = open("m.st", "rb").read()
		n = struct.unpack("<Q", b[:8])[0]
		a, z = json.loads(b[8:8 + n])["transformer.ln_f.bias"]["data_offsets"]
		assert struct.unpack("<2e", b[8 + n + a:8 + n + a + 4]) == (65504.0, -65504.0)
	P
	run=(--model m --batch-tokens 64 --lr 0 --max-steps 1 --save-dtype fp16 -q)
	fails 1 "$why" dstrain "${run[@]}" --out o s.dsr
	[ ! -e o/model.safetensors ]
	dstrain "${run[@]}" --clamp true --out p s.dsr
	dsgen -m p --max-tokens 1 --to jsonl -q t.txt >said
}

@test "virtual tokens are no part of a row, but a table of positions holds both" {
	llama=num_hidden_layers=1,hidden_size=32,num_attention_heads=2,num_key_value_heads=2,head_dim=16,intermediate_size=64,rope_scaling=none,max_position_embeddings=32
	dstrain --model llama --set $llama --max-steps 1 --out base s.dsr -q
	for kind in prompt prefix; do
		dstrain --model base --tune $kind --set prompt_tokens=5 --batch-tokens 64 --max-steps 2 --out $kind s.dsr -q
		# rows as long as the model's longest are measured and continued up to there
		dseval ppl -m $kind --seq 32 -q --to tsv s.dsr >said
		echo '{"tokens":[1,2,3]}' | dsgen -m $kind --ignore-eos --max-tokens 99 --logprobs --to jsonl -q >said
		[ "$(python3 -c 'import json; print(len(json.loads(open("said").read())["logprobs"]))')" -eq 29 ]
	done
	dstrain "${gpt[@]}",n_positions=32 --max-steps 1 --out g s.dsr -q
	fails 2 "the model's longest sequence is max_position_embeddings=32, virtual tokens included" \
		dstrain --model g --tune prompt --set prompt_tokens=5 --batch-tokens 64 --max-steps 2 --out o s.dsr -q
}
