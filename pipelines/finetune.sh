#!/usr/bin/env bash
# finetune.sh - go on training a model directory on files of one's own
#
# Usage: finetune.sh MODEL_DIR OUT_DIR FILE…
#
# MODEL_DIR is in Hugging Face's layout (config.json, model.safetensors, tokenizer.json): what dstrain
# wrote or others published. EPOCHS=3 SEQ=512 in the environment. Run again, it goes on.
set -euo pipefail

[ $# -ge 3 ] || {
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
model=$1 out=$2
shift 2
PATH=${DS_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
mkdir -p "$out"
have() { [ -e "$out/$1" ]; }

have text.dsr || dsclean "$@" | dsdedup -z -o "$out/text.dsr"
have held.dsr || dsrec split --by 0.95,0.05 "$out/text.dsr" -o "$out/train.dsr,$out/held.dsr"
for part in train held; do
	have $part.tok.dsr || dstok -t "$model/tokenizer.json" --seq "${SEQ:-512}" "$out/$part.dsr" -o "$out/$part.tok.dsr"
done
# Few records may leave nothing aside; then there is nothing to measure on.
held=()
[ -z "$(dsrec head -n 1 "$out/held.tok.dsr" --to jsonl -q)" ] ||
	held=(--eval-data "$out/held.tok.dsr" --early-stopping-patience 3)
measure() { [ ${#held[@]} = 0 ] || dseval ppl -m "$1" "$out/held.tok.dsr"; }
echo "before:"
measure "$model"
dstrain --model "$model" --seq "${SEQ:-512}" --epochs "${EPOCHS:-3}" "${held[@]}" \
	--out "$out/run" --resume "$out/train.tok.dsr"
echo "after:"
measure "$out/run"
