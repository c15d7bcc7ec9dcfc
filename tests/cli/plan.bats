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
	gpt="--model gpt2 --set n_layer=2,n_embd=32,n_head=2,batch_tokens=256,seq=32"
	moe="--model llama --set hidden_size=32,intermediate_size=24,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2,num_experts=4,batch_tokens=256,seq=32"
	for k in "$gpt,parallel_strategy=dp=1" "$gpt,parallel_strategy=tp=2" "$gpt,parallel_strategy=pp=2" "$gpt,parallel_strategy=dp=2" \
		"$gpt,parallel_strategy=dp=2,zero=1" "$gpt,parallel_strategy=tp=2,pp=2,precision=bf16" "$gpt,parallel_strategy=dp=2,pp=2,gradient_checkpointing=true" \
		"$gpt,parallel_strategy=dp=2,tp=2,gradient_accumulation_steps=2" "$moe,parallel_strategy=dp=2,ep=2" "$moe,parallel_strategy=dp=2,pp=2,zero=1"; do
		s=${k##*parallel_strategy=}
		# shellcheck disable=SC2206
		k=($k)
		dstrain "${k[@]}" --max-steps 1 -q --out "$s" text.txt
		dsplan "${k[@]}" --host --json >p.json
		[ "$(best bytes_per_gpu <p.json)" = "$(python3 -c 'import json, sys; print(max(json.load(open(sys.argv[1]))["bytes_by_rank"]))' "$s/plan.json")" ]
	done
}

@test "100B on 32: several layouts fit, and how much stays free is said" {
	dsplan --params 100B --gpu a100-80g --gpus 32 --json >p.json
	python3 - <<-'E'
		import json
		d = json.load(open("p.json"))
		fit = [l for l in d["layouts"] if l["fits"]]
		assert len(fit) >= 3, fit
		for l in fit:
		    assert l["bytes_per_gpu"] + l["free_bytes"] == d["bytes_there"] == 80 << 30
		    assert sum(l["bytes_by_class"].values()) == l["bytes_per_gpu"]
		    # weights, gradients, moments in four bytes, copies in two: of a 32nd of the model, and no copy a micro-batch on its way
		    copy = l["bytes_by_class"]["copy"] * l["tp"] * l["pp"]
		    assert copy < 2.6 * d["parameters"], (l, copy)
		    t = l["time"]
		    parts = sum(t[k] for k in ("compute", "cuts", "stages", "bubble", "copies", "update"))
		    assert abs(parts - t["step"]) < 1e-3 * t["step"]
		    assert abs(d["batch_tokens"] / t["step"] / l["tokens_per_second"] - 1) < 1e-3
	E
}

@test "--emit writes what dstrain takes; days and cost follow from --tokens and --price" {
	dsplan --model gpt2 --set n_layer=2,n_embd=32,n_head=2 --gpu a100-80g --gpus 2 --seq 32 --batch-tokens 256 --tokens 1B --price 2 --emit run.ini --json >p.json
	python3 - <<-'E'
		import json
		d = json.load(open("p.json"))
		l = d["layouts"][0]
		assert abs(l["days"] - 1e9 / l["tokens_per_second"] / 86400) < 1e-4 * l["days"]
		assert abs(l["cost"] - 2 * 2 * 24 * l["days"]) < 1e-4 * l["cost"]
	E
	seq -f 'line %g of many' 600 >text.txt
	dstrain --model run.ini --max-steps 1 --dry-run text.txt >out
	[[ $(cat out) == *"ranks       2: dp=$(best dp <p.json) pp=$(best pp <p.json) tp=$(best tp <p.json)"* ]]
}

@test "BERT and adapters: bytes are the trainer's, and the mission's sizes have an answer" {
	seq -f 'line %g of many' 600 >text.txt
	bert=(--model bert --set "num_hidden_layers=2,hidden_size=32,num_attention_heads=2,batch_tokens=256,seq=32")
	dstrain "${bert[@]}" --max-steps 1 -q --out b text.txt
	dsplan "${bert[@]}" --host --json >p.json
	[ "$(best bytes_per_gpu <p.json)" = "$(python3 -c 'import json, sys; print(max(json.load(open(sys.argv[1]))["bytes_by_rank"]))' b/plan.json)" ]
	dstrain --model gpt2 --set n_layer=2,n_embd=32,n_head=2,seq=32,batch_tokens=256 --max-steps 1 -q --out base text.txt
	lora=(--set tune=lora,lora_r=4,seq=32,batch_tokens=256)
	dstrain --model base "${lora[@]}" --max-steps 1 -q --out tuned text.txt
	dsplan --model base/config.json "${lora[@]}" --host --json >p.json
	[ "$(best bytes_per_gpu <p.json)" = "$(python3 -c 'import json, sys; print(max(json.load(open(sys.argv[1]))["bytes_by_rank"]))' tuned/plan.json)" ]
	dsplan --params 10B --gpu a100-80g --gpus 8 --set tune=lora --json >p.json
	[ "$(best fits <p.json)" = True ]
	dsplan --model bert --gpu a100-80g --gpus 8 --seq 512 --json >p.json
	[ "$(best fits <p.json)" = True ]
}

@test "experts are shared out among replicas where that divides" {
	dsplan --model mixtral --set num_hidden_layers=4 --gpu h100-80g --gpus 8 --json >p.json
	python3 - <<-'E'
		import json
		eps = {l["ep"] for l in json.load(open("p.json"))["layouts"]}
		assert {1, 2, 4, 8} <= eps, eps
	E
}

@test "what does not fit, and what is not known" {
	fails 1 'would fit' dsplan --params 100B --gpu a100-80g
	fails 2 "nearest is 'h100-80g'" dsplan --params 10B --gpu h100-8g
	fails 2 '--params' dsplan --params ten --gpu h200
	fails 2 'name the machine' dsplan --params 1B
	fails 2 'name the model' dsplan --host
	fails 2 'predict tokens' dsplan --model vit --host
}
