#!/usr/bin/env bats
# dstrain: adapters that are merged, trained further, or said to be of a kind that is not built

load train
load numbers

setup() {
	train_setup 60
	run=(--set "seq=32,batch_tokens=128,seed=3" -q)
	dstrain --model qwen3 --set "num_hidden_layers=2,hidden_size=32,intermediate_size=64,num_attention_heads=4" \
		--set "num_key_value_heads=2,head_dim=8" "${run[@]}" --max-steps 5 --out base text.txt
	dstrain --model base --tune lora --set "lora_r=4,lr=1e-2,target_modules=all-linear" "${run[@]}" \
		--max-steps 8 --eval-data text.txt --out lora text.txt
}

logits() { echo "the quick" | dsgen -m "$1" --max-tokens 0 --logits --to jsonl -q; }

# the largest difference of two models' logits
apart() {
	paste <(logits "$1" | grep -o '"logits":.*' | grep -o '[-0-9.e]\{2,\}') \
		<(logits "$2" | grep -o '"logits":.*' | grep -o '[-0-9.e]\{2,\}') |
		awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > m) m = d } END { print m + 0, NR }'
}

@test "--merge gives a model with the adapter's logits, without it" {
	dstrain --merge --model lora --out merged -q
	[ "$(ls merged | tr '\n' ' ')" = "config.json model.safetensors tokenizer.json tokenizer_config.json " ]
	[ "$(apart merged lora | awk '{ print ($1 < 1e-5 && $2 > 1000) }')" = 1 ]
	[ "$(apart merged base | awk '{ print ($1 > 1e-2) }')" = 1 ]
	dstrain --merge --model lora --save-dtype bf16 --out half -q
	[ "$(stat -c %s half/model.safetensors)" -lt $(($(stat -c %s merged/model.safetensors) * 6 / 10)) ]
}

@test "--merge refuses what it cannot do" {
	says 2 "base is no adapter: there is nothing to merge" dstrain --merge --model base --out o1
	says 2 "takes --model ADAPTER and --out DIR, no data" dstrain --merge --model lora --out o2 text.txt
	says 2 "takes --model ADAPTER and --out DIR, no data" dstrain --merge --out o3
	mkdir full && touch full/x
	says 2 "full: not empty" dstrain --merge --model lora --out full
	mv base elsewhere
	says 4 "lora/adapter_config.json: the model 'base' that it adapts is not there" dstrain --merge --model lora --out o5
	mv elsewhere base
	rm lora/adapter_model.safetensors
	says 4 "adapter_model.safetensors" dstrain --merge --model lora --out o4
}

@test "an adapter is trained further from where it was, and resumes to the bit" {
	more=(--model lora --tune lora --lr 1e-3 "${run[@]}" --eval-data text.txt --save-every 4)
	dstrain "${more[@]}" --lr 0 --max-steps 1 --out still text.txt
	[ "$(sed -n 's/.*"eval_loss": //p' still/log.jsonl)" = "$(sed -n 's/.*"eval_loss": //p' lora/log.jsonl)" ]
	dstrain "${more[@]}" --max-steps 8 --out whole text.txt
	dstrain "${more[@]}" --max-steps 8 --out cut text.txt
	rm -r cut/checkpoint-8
	dstrain --resume --out cut -q
	cmp whole/adapter_model.safetensors cut/adapter_model.safetensors
	cmp <(figures whole) <(figures cut)
	grep -q '"base_model_name_or_path": "base"' whole/adapter_config.json
	grep -q '"r": 4,' whole/adapter_config.json
	says 2 "lora_r: lora has one of its own" dstrain "${more[@]}" --lora-r 8 --max-steps 1 --out o text.txt
}

@test "a prompt and a prefix are read by dsgen and dseval, trained further, and by nothing else" {
	for kind in prompt prefix; do
		dstrain --model base --tune $kind --set prompt_tokens=5,lr=1e-1 "${run[@]}" --max-steps 10 \
			--eval-data text.txt --out $kind text.txt
		dstok --seq 32 -q -t base text.txt -o packed.dsr
		dstrain --model $kind --tune $kind --lr 0 "${run[@]}" --max-steps 1 --eval-data text.txt --out $kind-on text.txt
		[ "$(sed -n 's/.*"eval_loss": //p' $kind-on/log.jsonl)" = "$(sed -n 's/.*"eval_loss": //p' $kind/log.jsonl)" ]
		[ "$(apart $kind base | awk '{ print ($1 > 1e-2 && $2 > 1000) }')" = 1 ]
		want=$(sed -n 's/.*"eval_loss": \([0-9.]*\).*/\1/p' $kind/log.jsonl)
		got=$(dseval ppl -m $kind packed.dsr --json -q | sed 's/.*"score":\([0-9.]*\).*/\1/')
		within 0.02 "$want" "$(awk -v p="$got" 'BEGIN { print log(p) }')"
		says 2 "$kind is a $kind: only --tune $kind goes on with it" dstrain --model $kind "${run[@]}" --out o text.txt
		says 2 "virtual tokens (a $kind) are read by" dstrain --merge --model $kind --out o2
		run ! dsexport safetensors -m $kind -o x.safetensors
	done
}

@test "what is trained is said, as a share" {
	run --separate-stderr dstrain --model base --tune lora --set "seq=32,batch_tokens=128" --max-steps 1 --out l text.txt
	[[ $stderr == *"trained: 5120 of "*" parameters (0."*" %)"* ]]
}

@test "an adapter with parts that are not built, or for another model, is refused by name" {
	cp -r lora odd
	sed -i 's/"modules_to_save": null/"modules_to_save": ["lm_head"]/' odd/adapter_config.json
	says 2 "odd/adapter_config.json: modules_to_save is not supported" dstrain --merge --model odd --out o1
	cp lora/adapter_config.json odd
	sed -i 's/"bias": "none"/"bias": "all"/' odd/adapter_config.json
	says 2 "bias='all' is not supported" dstrain --merge --model odd --out o2
	sed -i 's/"bias": "all"/"bias": "none", "use_dora": true/' odd/adapter_config.json
	says 2 "use_dora is not supported" dstrain --merge --model odd --out o3
	cp lora/adapter_config.json odd
	dstrain --model gpt2 --set n_layer=1,n_embd=32,n_head=4 "${run[@]}" --max-steps 1 --out other text.txt
	sed -i 's/"base_model_name_or_path": "base"/"base_model_name_or_path": "other"/' odd/adapter_config.json
	says 1 "the adapter changes 'model.layers.0." dstrain --merge --model odd --out o4
}

@test "a long expression for target_modules is read whole" {
	long=$(printf 'no_such_module_%s|' $(seq 20))
	for modules in ".*\\.(q_proj|v_proj)" ".*\\.($long""q_proj|v_proj)"; do
		dstrain --model base --tune lora --set "lora_r=4,lr=1e-2" --target-modules "$modules" "${run[@]}" --max-steps 2 --out "long-${#modules}" text.txt
	done
	cmp long-*/adapter_model.safetensors
}
