#!/usr/bin/env bats
# dstrain with experts in the place of feed-forward parts: runs, what they leave, what goes on and what is refused

load train
load numbers

setup() {
	train_setup 120
	sizes="hidden_size=32,intermediate_size=24,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2"
	tiny=(--model llama --set "$sizes,num_experts=6,seq=32,batch_tokens=128,lr=1e-3,seed=3" -q)
}

@test "num_experts makes a Mixtral of a Llama, in its own layout, which learns and tells its loads" {
	dstrain "${tiny[@]}" --max-steps 30 --out run text.txt
	grep -q '"model_type": "mixtral"' run/config.json
	grep -q '"num_local_experts": 6' run/config.json
	strings -n 20 run/model.safetensors | grep -q 'model.layers.1.block_sparse_moe.experts.5.w2.weight'
	! strings -n 20 run/model.safetensors | grep -q 'experts\.\*'
	first=$(sed -n '1s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	last=$(sed -n '30s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	awk -v a="$first" -v b="$last" 'BEGIN { exit !(b > 0 && a - b > 0.5) }'
	# loads are parts of one; the balance loss of two choices is 2 or more
	sed -n '$s/.*"expert_load": \[\([^]]*\)\].*/\1/p' run/log.jsonl |
		awk -F', ' '{ for (i = 1; i <= NF; i++) s += $i; n = NF } END { exit !(n == 6 && s > 0.999 && s < 1.001) }'
	under 1.99 "$(sed -n '$s/.*"aux_loss": \([0-9.]*\).*/\1/p' run/log.jsonl)"
}

@test "experts: threads, computing again and going on change no bit" {
	dstrain "${tiny[@]}" -j 1 --max-steps 12 --out a text.txt
	dstrain "${tiny[@]}" -j 3 --gradient-checkpointing true --max-steps 12 --out b text.txt
	dstrain "${tiny[@]}" -j 2 --scheduler constant --max-steps 12 --out e text.txt
	dstrain "${tiny[@]}" -j 2 --scheduler constant --max-steps 5 --out f text.txt
	dstrain "${tiny[@]}" -j 2 --scheduler constant --max-steps 12 --out f --resume text.txt
	cmp a/model.safetensors b/model.safetensors
	cmp e/model.safetensors f/model.safetensors
	cmp <(figures e) <(figures f)
}

@test "experts: bf16 products, weights and all, stay near" {
	dstrain "${tiny[@]}" --max-steps 8 --out a text.txt
	dstrain "${tiny[@]}" --precision bf16 --max-steps 8 --out b text.txt
	a=$(sed -n '8s/.*"loss": \([0-9.]*\).*/\1/p' a/log.jsonl)
	b=$(sed -n '8s/.*"loss": \([0-9.]*\).*/\1/p' b/log.jsonl)
	within 0.05 "$a" "$b"
}

@test "a model with experts is generated from, measured, tuned by LoRA and exported" {
	dstrain "${tiny[@]}" --max-steps 3 --out run text.txt
	echo "line 7: the" | dsgen -m run --max-tokens 6 --to jsonl -q | grep -q '"pred"'
	dseval ppl -m run --json text.txt | grep -q '"name": *"ppl"'
	dstrain --model run --tune lora --max-steps 3 --set seq=32,batch_tokens=128 --out tuned -q text.txt
	[ -s tuned/adapter_model.safetensors ]
	strings -n 12 tuned/adapter_model.safetensors | grep -q 'self_attn.q_proj.lora_A'
	dsexport safetensors -m run -o again.safetensors -q
	cmp again.safetensors run/model.safetensors
}

@test "other decoders take experts too; GPT-2 with biases, Qwen2 with one that all tokens share" {
	for model in gpt2 mistral qwen2 qwen3; do
		dstrain --model $model --set "num_hidden_layers=2,hidden_size=32,intermediate_size=24,num_attention_heads=4" \
			--set "num_experts=4,num_experts_per_tok=1,seq=32,batch_tokens=128" --max-steps 2 --out $model -q text.txt
	done
	grep -q '"model_type": "gpt2_moe"' gpt2/config.json
	grep -q '"model_type": "mixtral"' mistral/config.json
	strings -n 20 gpt2/model.safetensors | grep -q 'transformer.h.0.mlp.experts.3.c_fc.bias'
	strings -n 20 qwen2/model.safetensors | grep -q 'mlp.shared_expert_gate.weight'
	strings -n 20 qwen3/model.safetensors | grep -q 'mlp.experts.3.gate_proj.weight'
}

@test "what experts cannot be is refused by name" {
	says 2 "num_experts_per_tok=3 of num_experts=2" dstrain "${tiny[@]}" --num-experts 2 --num-experts-per-tok 3 --out x text.txt
	says 2 "llama has no key 'num_experts_per_tok' without num_experts" \
		dstrain --model llama --set "$sizes,num_experts_per_tok=2" --out x -q text.txt
	says 2 "mixtral has no key 'mlp_bias'" dstrain "${tiny[@]}" --mlp-bias true --out x text.txt
	says 2 "bert has no key 'num_experts'" dstrain --model bert --num-experts 4 --out x -q text.txt
	dstrain "${tiny[@]}" --max-steps 1 --out run text.txt
	sed -i 's/"num_local_experts": 6/"num_local_experts": 7/' run/config.json
	says 1 "block_sparse_moe" dstrain --model run --max-steps 1 --out y -q text.txt
}

@test "experts shared out among ranks follow one process, and checkpoints do not know of it" {
	set -- "${tiny[@]}" --scheduler constant -j 2
	dstrain "$@" --max-steps 6 --out one text.txt
	dstrain "$@" --procs 2 --set parallel_strategy=ep=2 --max-steps 3 --out two text.txt
	dstrain "$@" --max-steps 6 --out two --resume text.txt
	for f in one two; do sed 's/.*"loss": \([0-9.]*\).*/\1/' $f/log.jsonl >$f.loss; done
	paste one.loss two.loss | awk '{ d = $1 - $2; if (d > 1e-3 || d < -1e-3) exit 1 } END { exit NR != 6 }'
	says 2 "ep=4: num_experts=6 is no multiple of it" dstrain "${tiny[@]}" --procs 4 --set parallel_strategy=ep=4 --out x text.txt
	says 2 "llama has no experts" dstrain --model llama --set "$sizes,parallel_strategy=ep=2" --procs 2 --out x -q text.txt
}

@test "a bias evens out loads without a loss, is kept and goes on" {
	set -- "${tiny[@]}" --scheduler constant --set output_router_logits=false,batch_tokens=512
	load() { tail -n 10 "$1/log.jsonl" | sed 's/.*"expert_load_max": \([0-9.]*\).*/\1/' | awk '{ s += $1 } END { print s }'; }
	dstrain "$@" --max-steps 30 --out plain text.txt
	dstrain "$@" --router-bias-update-rate 0.01 --max-steps 30 --out even text.txt
	under "$(load even)" "$(load plain)"
	strings -n 20 even/model.safetensors | grep -q 'gate.e_score_correction_bias'
	dstrain "$@" --scoring-func sigmoid --router-bias-update-rate 0.02 --max-steps 4 --out a text.txt
	dstrain "$@" --scoring-func sigmoid --router-bias-update-rate 0.02 --max-steps 2 --out b text.txt
	dstrain "$@" --scoring-func sigmoid --router-bias-update-rate 0.02 --max-steps 4 --out b --resume text.txt
	cmp a/model.safetensors b/model.safetensors
	dsgen -m even --max-tokens 2 --to jsonl -q <<<"line 7" | grep -q '"pred"'
}

@test "experts: every layout of two ranks gives the losses of one" {
	set -- "${tiny[@]}" --scheduler constant -j 2 --max-steps 4 --set router_bias_update_rate=0.01
	dstrain "$@" --out one text.txt
	for layout in dp=2 ep=2 pp=2 tp=2; do
		dstrain "$@" --procs 2 --comm-timeout 60 --set parallel_strategy=$layout --out $layout text.txt
		for f in one $layout; do sed 's/.*"loss": \([0-9.]*\).*/\1/' $f/log.jsonl >$f.loss; done
		paste one.loss $layout.loss | awk '{ d = $1 - $2; if (d > 1e-3 || d < -1e-3) bad = 1 } END { exit bad || !NR }' ||
			{ paste one.loss $layout.loss; return 1; }
	done
}
