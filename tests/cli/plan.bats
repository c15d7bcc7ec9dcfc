#!/usr/bin/env bats
# dsplan: layouts that fit, exact bytes on this machine, what would fit

load common

setup() {
	common_setup
}

best() { python3 -c 'import json, sys; print(json.load(sys.stdin)["layouts"][0][sys.argv[1]])' "$1"; }

@test "a layout that fits comes first and uses all GPUs" {
	dsplan --params 10B --gpu a100-80g --gpus 8 --json >p.json
	[ "$(best fits <p.json)" = True ]
	[ "$(($(best tp <p.json) * $(best pp <p.json) * $(best dp <p.json)))" -eq 8 ]
	[ "$(best bytes_per_gpu <p.json)" -le $((80 << 30)) ]
}

@test "planned bytes are those that the trainer takes" {
	seq -f 'line %g of many' 600 >text.txt
	for s in dp=1 tp=2 pp=2 dp=2; do
		k=(--model gpt2 --set "n_layer=2,n_embd=32,n_head=2,batch_tokens=256,seq=32,parallel_strategy=$s")
		dstrain "${k[@]}" --max-steps 1 -q --out "$s" text.txt
		dsplan "${k[@]}" --host --json >p.json
		[ "$(best bytes_per_gpu <p.json)" = "$(python3 -c 'import json, sys; print(max(json.load(open(sys.argv[1]))["bytes_by_rank"]))' "$s/plan.json")" ]
	done
}

@test "what does not fit, and what is not known" {
	fails 1 'would fit' dsplan --params 100B --gpu a100-80g
	fails 2 "nearest is 'h100-80g'" dsplan --params 10B --gpu h100-8g
	fails 2 '--params' dsplan --params ten --gpu h200
	fails 2 'name the machine' dsplan --params 1B
	fails 2 'name the model' dsplan --host
	fails 2 'next token' dsplan --model bert --host
}
