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
