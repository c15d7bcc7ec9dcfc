#!/usr/bin/env bats
# dstrain: a run killed anywhere and resumed leaves the bits of one that was not, whatever it trains

load common

load train
setup() {
	common_setup
	for i in $(seq 200); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
	head -n 20 text.txt >held.txt
	common=save_every=20,max_steps=100,seq=32,batch_tokens=128,lr=1e-3,seed=3,dropout=0.1
	small=n_layer=2,n_embd=32,n_head=4
}

base() {
	dstrain --model gpt2 --set "$small,seq=32,batch_tokens=128" --max-steps 2 --out base -q text.txt
}

# killed DIR LINES: the run in the background is shot when its log has so many lines
killed() {
	local pid=$!
	for _ in $(seq 3000); do
		[ "$(cat "$1/log.jsonl" 2>/dev/null | wc -l)" -ge "$2" ] && break
		kill -0 $pid 2>/dev/null || break
		sleep 0.002
	done
	{ kill -9 $pid && wait $pid; } 2>/dev/null || true
}

# survives WEIGHTS ARG...: shot twice, it ends as the run that nobody shot
survives() {
	local weights=$1
	shift
	dstrain "$@" -q -j 1 --out whole
	dstrain "$@" -q --out cut &
	killed cut 25
	[ "$(wc -l <cut/log.jsonl)" -lt "$(wc -l <whole/log.jsonl)" ]
	dstrain "$@" -q --resume --out cut &
	killed cut 65
	dstrain -q --resume --out cut
	cmp whole/$weights cut/$weights
	cmp <(figures whole) <(figures cut)
	[ -z "$(ls -d cut/*.part 2>/dev/null)" ]
	rm -r whole cut
}

@test "with parts, layers computed again, LAMB, and documents apart" {
	survives model.safetensors --model gpt2 --set "$small,$common,gradient_accumulation_steps=2,gradient_checkpointing=true,optimizer=lamb,doc_attention=true" text.txt
}

@test "in bf16, and in fp16 while its loss scale moves" {
	survives model.safetensors --model gpt2 --set "$small,$common" --precision bf16 text.txt
	survives model.safetensors --model gpt2 --set "$small,$common,max_norm=0" --precision fp16 text.txt
}

@test "with evaluation and patience" {
	survives model.safetensors --model gpt2 --set "$small,$common,eval_every=10,early_stopping_patience=3,scheduler=constant" \
		--eval-data held.txt text.txt
}

@test "with adapters and their dropout, of a prompt, of prefixes" {
	base
	survives adapter_model.safetensors --model base --tune lora --set "$common,lora_dropout=0.1,lora_r=4" text.txt
	survives adapter_model.safetensors --model base --tune prompt --set "$common,prompt_tokens=4" text.txt
	survives adapter_model.safetensors --model base --tune prefix --set "$common,prompt_tokens=4" text.txt
}

@test "of masked tokens, whole words of them, and of labels" {
	survives model.safetensors --model bert --set "$small,$common,whole_word=true" text.txt
	awk '{ printf "{\"text\":\"%s\",\"label\":\"%s\"}\n", $0, NR % 2 ? "odd" : "even" }' text.txt >cls.jsonl
	survives model.safetensors --model bert --task cls --set "$small,$common" cls.jsonl
}

@test "shot while a checkpoint is being written" {
	dstrain --model gpt2 --set "$small,$common,max_steps=40,save_every=1" -q --out whole text.txt
	for round in 1 2 3; do
		dstrain --model gpt2 --set "$small,$common,max_steps=40,save_every=1" -q --resume --out cut text.txt &
		for _ in $(seq 3000); do
			compgen -G 'cut/checkpoint-*.part' >/dev/null && break
			kill -0 $! 2>/dev/null || break
		done
		{ kill -9 $! && wait $!; } 2>/dev/null || true
	done
	dstrain -q --resume --out cut
	cmp whole/model.safetensors cut/model.safetensors
	cmp <(figures whole) <(figures cut)
}

@test "threads change no bit of any precision or task" {
	base
	local i=0
	same() { # same WEIGHTS ARG...
		local weights=$1
		shift
		i=$((i + 1))
		for j in 1 2 3; do
			dstrain "$@" -q -j $j --max-steps 4 --out "$i-$j"
			cmp "$i-1/$weights" "$i-$j/$weights"
		done
	}
	common=seq=32,batch_tokens=128,lr=1e-3,dropout=0.1
	for p in fp32 bf16 fp16; do
		same model.safetensors --model gpt2 --precision $p --set "$small,$common" text.txt
		same model.safetensors --model bert --precision $p --set "$small,$common" text.txt
	done
	llama=hidden_size=32,intermediate_size=48,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2,head_dim=8
	same model.safetensors --model mistral --set "$llama,seq=32,batch_tokens=128,sliding_window=5" text.txt
	same adapter_model.safetensors --model base --tune lora --precision bf16 --set "$common" text.txt
	same adapter_model.safetensors --model base --tune prefix --set "$common" text.txt
}

@test "the best checkpoint stays beside the newest" {
	# the loss on other text falls, then rises again
	seq 1000 | head -c 3000 >other.txt
	dstrain --model gpt2 --set "$small,seq=32,batch_tokens=128,lr=1e-2,save_every=100,scheduler=constant" --max-steps 60 \
		--eval-data other.txt --eval-every 5 --save-total-limit 1 --out run text.txt 2>said
	best=$(sed -n 's/.*"step": \([0-9]*\), "eval_loss": \([0-9.]*\)}/\2 \1/p' run/log.jsonl | sort -g | head -n 1)
	[ "$(cd run && echo checkpoint-*)" = "$(printf 'checkpoint-%s\n' 60 "${best#* }" | sort -u | paste -sd ' ')" ]
	grep -q "at step ${best#* }" said
	[ "${best#* }" -lt 60 ]
	dstrain --resume --max-steps 61 --out run -q
	[ -e "run/checkpoint-${best#* }" ]
}
