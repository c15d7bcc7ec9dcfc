#!/usr/bin/env bash
# pretrain.sh - raw files to a model trained from nothing
#
# Usage: pretrain.sh OUT_DIR FILE…     (html, text, jsonl, csv, folders: what dsclean reads)
#
# VOCAB=16000 SEQ=512 MODEL=gpt2 SET=n_layer=6,n_embd=384,n_head=6 STEPS= EPOCHS=1 in the environment
# change the size. A step whose result is in OUT_DIR is not done again, and training goes on where it
# stopped, so after an interruption run the same command.
set -euo pipefail

[ $# -ge 2 ] || {
	sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
out=$1
shift
PATH=${DS_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
mkdir -p "$out"
have() { [ -e "$out/$1" ]; }
length=(--epochs "${EPOCHS:-1}")
[ -z "${STEPS-}" ] || length=(--max-steps "$STEPS")

have text.dsr || dsclean "$@" | dsdedup -z -o "$out/text.dsr"
have held.dsr || dsrec split --by 0.98,0.02 "$out/text.dsr" -o "$out/train.dsr,$out/held.dsr"
have tokenizer.json || dstok train -V "${VOCAB:-16000}" "$out/train.dsr" -o "$out/tokenizer.json"
have train.tok.dsr || dsrec shuf "$out/train.dsr" |
	dstok -t "$out/tokenizer.json" --seq "${SEQ:-512}" -o "$out/train.tok.dsr"
have held.tok.dsr || dstok -t "$out/tokenizer.json" --seq "${SEQ:-512}" "$out/held.dsr" -o "$out/held.tok.dsr"
# Few files may leave nothing aside; then there is nothing to measure on.
held=()
[ -z "$(dsrec head -n 1 "$out/held.tok.dsr" --to jsonl -q)" ] || held=(--eval-data "$out/held.tok.dsr")
dstrain --model "${MODEL:-gpt2}" --set "${SET:-n_layer=6,n_embd=384,n_head=6}" --seq "${SEQ:-512}" \
	--scheduler cosine "${held[@]}" "${length[@]}" \
	--out "$out/run" --resume "$out/train.tok.dsr"
[ ${#held[@]} = 0 ] || dseval ppl -m "$out/run" "$out/held.tok.dsr"
dsrec log "$out/train.tok.dsr"
