#!/usr/bin/env bash
# finetune-lora.sh - conversations teach a model directory to answer, by LoRA adapters
#
# Usage: finetune-lora.sh FILE… --model DIR --out DIR [options]
#        finetune-lora.sh --demo --out DIR
#
# FILE: JSONL, JSON, CSV or Parquet with messages, conversations, instruction and output, or prompt and completion;
# ChatGPT's conversations.json. Exact repetitions go, a tenth is put aside, and its answers are measured before and
# after. DIR/adapter has PEFT's layout, DIR/model is the model with the adapter in it.
#
#   --model DIR     the model directory to begin from (config.json, model.safetensors, tokenizer.json)
#   --rank N        of the adapters (16)
#   --layout NAME   how conversations are laid out: chatml, llama3, … (the model's own)
#   --epochs N      times over the conversations at most (3)
#   --minutes N     minutes of training at most (60)
#   --clean WORDS   more options of dsclean in one word: '--pii mask'
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          questions about this machine's packages, and a small model made for it
#
# Run again, the same command goes on where it was.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/folder.sh"
. "$home/chats.sh"
. "$home/demo_data.sh"

model='' rank=16 layout=auto epochs=3 minutes=60 clean=''
parse 'model rank layout epochs minutes clean' '' "$@"
whole --rank "$rank"
[ -n "$model$demo" ] || wrong "--model DIR is missing"
a_model model
begin
seconds=$((minutes * 60))
if [ -n "$demo" ]; then
	stage work/base "make a small model to begin from" demo_model work/base
	stage work/chats.jsonl "take questions about packages" put work/chats.jsonl package_chats
	model=$PWD/work/base files=("$PWD/work/chats.jsonl") seconds=25
fi
bytes=$(input_bytes)
row_of "$model"
tps=$(rate_of "$model/config.json" --set "seq=$seq,batch_tokens=$batch") || tps=1000
plan 5 "$(least "$bytes / 4 * $epochs / $tps" "$seconds")" \
	"$(calc "$bytes * 4 + $(weights_bytes "$model") * 3")" \
	"read      $(human "$bytes") of conversations; a tenth is put aside" \
	"train     adapters of rank $rank beside every linear layer of $model" \
	"measure   the answers put aside, before and after"

read -ra more_clean <<<"$clean"
printf '%s\0' "${files[@]}" >work/boxes.list0
: >work/archives.list0 && : >work/papers.list0
stage work/boxes.done "read the files" open_boxes
stage work/chats.done "clean them, drop repetitions, put a tenth aside" gather_chats "${more_clean[@]}"
[ ! -s work/left-out.boxes ] || warn "left out: $(head -n 1 work/left-out.boxes | tr '\t' ':')"
read -ra chats <<<"$(chat_parts train)"
[ ${#chats[@]} != 0 ] || die 1 "no conversation in them: messages, conversations, instruction and output, or prompt and completion"
tok=$model
train_chats "$model" "$seconds" --model "$model" --tune lora --lora-r "$rank" --target-modules all-linear --chat "$layout"
ln -sfn work/talk adapter

head_line "What became of the data"
dsrec log "${chats[0]}"
compared "Perplexity on what was put aside: lower is better" ${chat_held:+answers work/chats.before work/chats.after}
show_answers
next_steps "$out/model" \
	"dsserve -m ${out@Q}/model --http 8080" \
	"curl 127.0.0.1:8080/v1/chat/completions -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'" \
	"dsexport gguf -m ${out@Q}/model -o model.gguf          # for llama.cpp and what is made of it" \
	"ls ${out@Q}/adapter/                                   # the adapter alone, for PEFT"
