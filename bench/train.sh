#!/usr/bin/env bash
# train.sh - tokens a second and peak memory of training, beside PyTorch with transformers and peft, and llm.c
#
# Rows x tokens of a step, two threads each, dropout 0, AdamW, clipping; PyTorch with autocast for bf16, eager and
# compiled; the ratio is ours over the faster of the two. gpt2 is the 124M, lora r = 16 on its c_attn, bert the base
# model's masked language modelling. PYTHON= an interpreter that has torch, transformers and peft (without: dstrain
# alone); LLMC= a directory with llm.c's train_gpt2, built, beside the weights and tokens it wants; STEPS= steps of
# each; ONLY= a word of the lines wanted. Programs run one after the other; medians over steps, the first two left
# out.
. "$(dirname "$0")/lib.sh"

STEPS=${STEPS:-9}
PYTHON=${PYTHON:-python3}
unset OPENBLAS_CORETYPE # names another CPU where it is set
for i in $(seq 4000); do
	echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * i % 997)) more"
done >"$WORK/text.txt"

ours() { # ours MODEL ROWS SEQ PRECISION
	local kb model=$1 more=()
	case $1 in
	gpt2*) model=gpt2 more=(--set vocab_size=50257) ;;
	lora)
		model=$WORK/base more=(--set "lora_r=16,lora_alpha=32" --tune lora)
		rm -rf "$WORK/base"
		dstrain --model gpt2 --max-steps 1 -q --set vocab_size=50257,seq=64,batch_tokens=64 --out "$WORK/base" \
			"$WORK/text.txt"
		;;
	moe) model=llama-15m more=(--set "vocab_size=32000,num_experts=8") ;;
	llama-15m) more=(--set vocab_size=32000) ;;
	bert) more=(--task mlm --set "vocab_size=30522,hidden_dropout_prob=0,attention_probs_dropout_prob=0") ;;
	esac
	[[ $1 == *checkpoint ]] && more+=(--set gradient_checkpointing=true)
	rm -rf "$WORK/run"
	kb=$(/usr/bin/time -f %M dstrain --model "$model" --max-steps "$STEPS" --precision "$4" -j 2 -q "${more[@]}" \
		--set "seq=$3,batch_tokens=$(($2 * $3)),save_every=0" --out "$WORK/run" "$WORK/text.txt" 2>&1 | tail -n 1)
	echo "$(sed '1,2d; s/.*second": \([0-9.]*\).*/\1/' "$WORK/run/log.jsonl" | median) $((kb / 1024))"
}

peer() { "$PYTHON" "$(dirname "$0")/train.py" "$1" "$2" "$3" "$STEPS" "$4" "$5" 2>/dev/null | tail -n 1; }

line() { # line MODEL ROWS SEQ PRECISION
	local name="$1 $2 x $3 $4" mine speed mb best=0
	[[ $name == *"${ONLY:-}"* ]] || return 0
	read -r mine mb <<<"$(ours "$@")"
	printf '%-40s %8.0f %8d\n' "$name dstrain" "$mine" "$mb"
	[[ $1 == *checkpoint ]] && return 0
	"$PYTHON" -c 'import torch, transformers' 2>/dev/null || return 0
	for how in eager compile; do
		read -r speed mb <<<"$(peer "$@" $how)"
		printf '%-40s %8.0f %8d\n' "$name $how" "${speed:-0}" "${mb:-0}"
		((${speed:-0} > best)) && best=$speed
	done
	awk -v n="$name" -v a="$mine" -v b="$best" 'BEGIN { if (b) printf "%-40s %8.2f\n", n " ratio", a / b }'
}

printf '%-40s %8s %8s\n' "" "tokens/s" "MB"
line gpt2 4 64 bf16
line gpt2 1 1024 bf16
if [[ -x ${LLMC:-}/train_gpt2 && "llm.c" == *"${ONLY:-}"* ]]; then
	(cd "$LLMC" && OMP_NUM_THREADS=2 timeout 60 stdbuf -oL ./train_gpt2 || true) |
		sed -n 's/^step .*took \([0-9.]*\) ms.*/\1/p' | median |
		awk '{ printf "%-40s %8.0f\n", "gpt2 4 x 64 fp32 llm.c", 256000 / $1 }'
fi
line gpt2-checkpoint 1 1024 bf16
line lora 4 64 bf16
line llama-15m 4 256 bf16
line moe 4 256 bf16
line moe 4 256 fp32
line bert 4 128 bf16
line gpt2 4 64 fp32
line gpt2 1 1024 fp32
