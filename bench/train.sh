#!/usr/bin/env bash
# train.sh - tokens a second and peak memory of training GPT-2 124M, beside PyTorch and transformers
#
# Rows x tokens of a step, two threads each, dropout 0, AdamW, clipping; PyTorch with autocast for bf16, eager and
# compiled. PYTHON= an interpreter that has torch and transformers (without: dstrain alone); STEPS= steps of each.
# Programs run one after the other; medians over steps, the first left out.
. "$(dirname "$0")/lib.sh"

STEPS=${STEPS:-9}
PYTHON=${PYTHON:-python3}
for i in $(seq 4000); do
	echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * i % 997)) more"
done >"$WORK/text.txt"

ours() { # ours ROWS SEQ PRECISION
	local kb
	rm -rf "$WORK/run"
	kb=$(/usr/bin/time -f %M dstrain --model gpt2 --max-steps "$STEPS" --precision "$3" -j 2 -q \
		--set "vocab_size=50257,seq=$2,batch_tokens=$(($1 * $2)),dropout=0,save_every=0" \
		--out "$WORK/run" "$WORK/text.txt" 2>&1 | tail -n 1)
	echo "$(sed '1d; s/.*second": \([0-9.]*\).*/\1/' "$WORK/run/log.jsonl" | median) $((kb / 1024))"
}

printf '%-24s %10s %8s\n' "" "tokens/s" "MB"
for shape in "4 64" "1 1024"; do
	read -r rows seq <<<"$shape"
	for precision in fp32 bf16; do
		read -r speed mb <<<"$(ours "$rows" "$seq" $precision)"
		printf '%-24s %10.0f %8d\n' "$rows x $seq $precision dstrain" "$speed" "$mb"
		"$PYTHON" -c 'import torch, transformers' 2>/dev/null || continue
		for how in eager compile; do
			read -r speed mb <<<"$("$PYTHON" "$(dirname "$0")/train.py" "$rows" "$seq" "$STEPS" \
				$precision $how 2>/dev/null | tail -n 1)"
			printf '%-24s %10.0f %8d\n' "$rows x $seq $precision $how" "${speed:-0}" "${mb:-0}"
		done
	done
done
