#!/usr/bin/env bats
# dsgen, dsexport and dseval ppl on a small model that was just trained

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_FILE_TMPDIR"
	for i in $(seq 100); do echo "line $i: the quick brown fox jumps over the lazy dog"; done >text.txt
	dstrain --model gpt2 --set n_layer=2,n_embd=32,n_head=4,seq=32,batch_tokens=128,lr=3e-3,seed=3 \
		--max-steps 30 --out run -q text.txt
}

setup() {
	cd "$BATS_FILE_TMPDIR"
}

says() { # says RC PATTERN COMMAND...: fails like that, in one line
	local rc=$1 pattern=$2
	shift 2
	run --separate-stderr "$@"
	[ "$status" -eq "$rc" ] || { echo "exit $status: $stderr"; return 1; }
	[ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
	[[ $stderr == *$pattern* ]] || { echo "$stderr"; return 1; }
}

@test "greedy text is the same for any -j, --batch and company" {
	head -5 text.txt | dsgen -m run --temperature 0 --max-tokens 12 -j 1 --batch 1 --to jsonl -q >a
	head -5 text.txt | dsgen -m run --temperature 0 --max-tokens 12 -j 3 --batch 4 --to jsonl -q >b
	cmp a b
	[ "$(wc -l <a)" -eq 5 ]
	sed -n 5p text.txt | dsgen -m run --temperature 0 --max-tokens 12 --to jsonl -q | cmp - <(sed -n 5p a)
}

@test "a seed draws the same text again, another one another" {
	gen() { head -3 text.txt | dsgen -m run --max-tokens 20 --seed "$1" --to jsonl -q; }
	cmp <(gen 1) <(gen 1)
	! cmp -s <(gen 1) <(gen 2)
}

@test "a prompt longer than the context is a record error" {
	seq 3000 | tr '\n' ' ' >long.txt
	says 1 "a prompt longer than the model's context" dsgen -m run long.txt --to jsonl -q
	[ "$(cat long.txt <(echo) <(echo short) | dsgen -m run --on-error skip --max-tokens 2 --to jsonl -q | wc -l)" -eq 1 ]
}

@test "an id that the model does not have is a record error" {
	says 1 "a token id that the model does not have" dsgen -m run --to jsonl -q <<<'{"tokens":[1,99999999]}'
}

@test "settings that make no sense are usage errors" {
	says 2 "top-p" dsgen -m run --top-p 2 text.txt
	says 2 "-m DIR" dsgen text.txt
	says 4 "nowhere" dsgen -m nowhere text.txt
}

@test "perplexity is the same for any -j, for tokens and for the text they came from" {
	a=$(dseval ppl -m run -j 1 --json -q text.txt)
	[ "$a" = "$(dseval ppl -m run -j 3 --json -q text.txt)" ]
	[ "$a" = "$(dstok -t run/tokenizer.json text.txt -q | dseval ppl -m run --json -q)" ]
}

@test "exported weights are the model's" {
	rm -rf copy && cp -r run copy
	dsexport safetensors -m run -o copy/model.safetensors -q
	[ "$(dseval ppl -m run --json -q text.txt)" = "$(dseval ppl -m copy --json -q text.txt)" ]
	dsexport safetensors -m run -o copy/model.safetensors --dtype bf16 -q
	dseval ppl -m copy --json -q text.txt
}

@test "an ONNX file is written whole, or not at all" {
	dsexport onnx -m run -o m.onnx --opset 13 --input input_ids=1,16 -q
	grep -q input_ids m.onnx
	dsexport onnx -m run -o again.onnx --opset 13 --input input_ids=1,16 -q
	cmp m.onnx again.onnx
	says 2 "opset 12" dsexport onnx -m run -o no.onnx --opset 12
	says 2 "tokens" dsexport onnx -m run -o no.onnx --input tokens=1,16
	says 2 "input_ids" dsexport onnx -m run -o no.onnx --input input_ids=1
	[ ! -e no.onnx ]
}

@test "what a record gets does not depend on those beside it, and memory is asked for first" {
	for i in $(seq 20); do echo "$i is a line of its own, $(printf 'word %.0s' $(seq $((i % 7))))"; done >lines.txt
	dstrain --model llama --set "num_hidden_layers=1,hidden_size=32,num_attention_heads=2,num_key_value_heads=1,head_dim=16,intermediate_size=32,max_position_embeddings=96,rope_scaling=none" \
		--seq 32 --batch-tokens 64 --max-steps 3 --out m -q lines.txt
	dsgen -m m --temperature 0 --max-tokens 6 --logprobs --batch 3 -q --to jsonl lines.txt >all
	for i in 1 8 20; do
		sed -n "${i}p" lines.txt | dsgen -m m --temperature 0 --max-tokens 6 --logprobs --batch 3 -q --to jsonl | cmp - <(sed -n "${i}p" all)
	done
	run --separate-stderr dsgen -m m --batch 8 --memory 5M --max-tokens 40 --to jsonl lines.txt
	[ "$status" -eq 0 ]
	[[ $stderr == *"sequences of 96 tokens at once instead of --batch 8: 5 MiB"* ]]
	run --separate-stderr dsgen -m m --memory 1M --to jsonl lines.txt
	[ "$status" -eq 4 ]
	[[ $stderr == *"1 sequences of 96 tokens take "*" MiB with the weights, the limit is 1 MiB"* ]]
}

# ppl METRIC... : scores of text.txt's first lines
ppl() { head -5 text.txt | dseval "$@" -m run --json -q | python3 -c 'import json,sys; print(*("%.6f" % m["score"] for m in json.load(sys.stdin)["metrics"]))'; }

@test "perplexity of tokens, words and bytes is one sum divided differently" {
	read -r token word byte bits <<<"$(ppl ppl ppl:word ppl:byte ppl:bits)"
	head -5 text.txt | dseval ppl -m run --json -q >out
	python3 - "$token" "$word" "$byte" "$bits" <<-'END'
		import json, math, sys
		token, word, byte, bits = map(float, sys.argv[1:])
		m = json.load(open("out"))["metrics"][0]["matrix"]
		lines = open("text.txt").read().split("\n")[:5]
		assert m["words"] == sum(len(l.split()) for l in lines) and m["bytes"] == sum(map(len, lines))
		for got, n in ((token, m["tokens"]), (word, m["words"]), (byte, m["bytes"])):
		    assert abs(math.log(got) * n / m["nats"] - 1) < 1e-6
		assert abs(bits - math.log2(byte)) < 1e-5
	END
	[ "$(ppl ppl:bos | cut -d. -f1)" != "$(echo $token | cut -d. -f1)" ]
	says 2 "line" dseval ppl:line -m run text.txt
}

@test "windows that overlap predict every token once, with more context" {
	head -3 text.txt | tr '\n' ' ' >long
	for s in 8 4 1; do dseval ppl -m run --seq 8 --stride $s --json -q long; done >out
	python3 - <<-'END'
		import json
		m = [json.loads(l)["metrics"][0] for l in open("out")]
		assert len({x["matrix"]["tokens"] for x in m}) == 1
		assert m[1]["signature"] == "window:8|stride:4", m
		assert len({x["score"] for x in m}) == 3
	END
	[ "$(dseval ppl -m run --seq 8 --to tsv -q long)" = "$(dseval ppl -m run --seq 8 --stride 8 --to tsv -q long)" ]
	says 2 "--stride 9" dseval ppl -m run --seq 8 --stride 9 long
}

@test "multiple choice takes what the model finds most probable" {
	cat >choices <<-'END'
		{"text":"line 7: the quick brown","choices":["fox","line dog","over over"],"label":0}
		{"text":"line 7: the quick brown ","choices":["dog quick","fox jumps"],"label":"fox jumps"}
		{"text":"line 7: the quick","choices":["lazy lazy","brown"],"label":0}
	END
	dseval choice choice:norm -m run --json -q choices >out
	python3 - <<-'END'
		import json, subprocess
		def nats(text):
		    run = ["dseval", "ppl", "-m", "run", "--json", "-q"]
		    return json.loads(subprocess.run(run, input=text.encode(), capture_output=True, check=True).stdout)["metrics"][0]["matrix"]["nats"]
		right = [0, 0]
		for line in open("choices"):
		    r = json.loads(line)
		    text = r["text"].rstrip()
		    cost = [nats(text + " " + c) - nats(text) for c in r["choices"]]
		    label = r["label"] if isinstance(r["label"], int) else r["choices"].index(r["label"])
		    for k, by in enumerate((lambda c: 1, len)):
		        each = [v / by(c) for v, c in zip(cost, r["choices"])]
		        right[k] += each.index(min(each)) == label
		got = [m["score"] for m in json.load(open("out"))["metrics"]]
		assert got == [x / 3 for x in right], (got, right)
	END
	long=$(printf 'over %.0s' $(seq 60)) # what parts these choices is behind 200 bytes: their order decides nothing
	for pair in "\"${long}fox\",\"${long}dog\"" "\"${long}dog\",\"${long}fox\""; do
		echo "{\"text\":\"the\",\"choices\":[$pair],\"label\":\"${long}fox\"}" >one
		dseval choice -m run --to tsv -q one
	done | sort -u >out
	[ "$(grep -c ^choice out)" = 1 ]
	says 1 "record 0: label 'x'" dseval choice -m run -q - <<<'{"text":"a","choices":["b","c"],"label":"x"}'
	says 1 "choices" dseval choice -m run -q - <<<'{"text":"a","choices":["b"],"label":0}'
	says 1 "choices" dseval choice -m run -q - <<<'{"text":"a","label":0}'
}

@test "--template makes prompts of fields, and what a record lacks is named" {
	cat >rows <<-'END'
		{"a":"line 1:","n":2,"deep":{"x":["the","quick"]}}
		{"a":"line 3:","deep":{"x":[]}}
	END
	head -n 1 rows | dsgen -m run --temperature 0 --max-tokens 6 --template '{a} {n}{{ {deep.x[1]}' --to jsonl -q |
		sed 's/.*"pred"/"pred"/' >got
	printf 'line 1: 2{ quick' | dsgen -m run --temperature 0 --max-tokens 6 --to jsonl -q | sed 's/.*"pred"/"pred"/' | cmp - got
	says 1 "no 'n' for the template" dsgen -m run --template '{a} {n}' --to jsonl -q -o no rows
	says 2 "names no field" dsgen -m run --template '{a' --to jsonl -q -o no rows
	says 2 "stands alone" dsgen -m run --template 'a}' --to jsonl -q -o no rows
	[ ! -e no ]
}

@test "--resume gives the bytes of a run that was not interrupted" {
	head -12 text.txt | dsgen -m run --max-tokens 6 --seed 3 --to jsonl -q >whole
	head -c $(($(wc -c <whole) * 2 / 3)) whole >part
	head -12 text.txt | dsgen -m run --max-tokens 6 --seed 3 --to jsonl --resume part 2>err >again
	cmp whole again
	grep -q "[5-9] records taken from before" err
	head -12 text.txt | dsgen -m run --max-tokens 6 --seed 3 --to jsonl -q --resume whole | cmp - whole
	sed 's/line 2/line 9/' part >wrong
	head -12 text.txt >in
	says 1 "record 1 is not that of the input" dsgen -m run --max-tokens 6 --to jsonl -q -o no --resume wrong in
	says 2 "--resume" dsgen -m run --logprobs --to jsonl -q -o no --resume part in
}
