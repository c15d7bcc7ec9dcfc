#!/usr/bin/env bash
# pretrain.sh - raw files to a language model trained from nothing
#
# Usage: pretrain.sh FILE… --out DIR [options]        (FILE: html, text, jsonl, csv, parquet, folders of them)
#        pretrain.sh --demo --out DIR
#
#   --model NAME    gpt2, llama, qwen3 or another preset of dstrain (a small Llama, by the amount of text)
#   --set K=V,…     sizes and anything else that dstrain knows: 'n_layer=6,n_embd=384,n_head=6'
#   --vocab N       pieces of the tokenizer (by the amount of text, at most 16000)
#   --seq N         tokens of a row (256 or 512)
#   --epochs N      times over the text at most (10)
#   --minutes N     minutes of training at most (60)
#   --clean WORDS   options of dsclean, and --dedup WORDS of dsdedup, each in one word
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          on the Debian Administrator's Handbook
#
# Run again, the same command goes on where it was. DIR/model is the result, in Hugging Face's layout.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/demo_data.sh"

model='' set='' vocab='' seq='' epochs=10 minutes=60 clean='' dedup=''
parse 'model set vocab seq epochs minutes clean dedup' '' "$@"
begin
seconds=$((minutes * 60))
if [ -n "$demo" ]; then
	stage work/pages "take the pages of a book" book_pages work/pages en-US 3
	files=("$PWD/work/pages") seconds=60
fi
bytes=$(input_bytes)
asked_vocab=$vocab asked_seq=$seq
size_for "$bytes"
vocab=${asked_vocab:-$vocab} seq=${asked_seq:-$seq} named=$model model=''
[ -z "$named" ] || new=(--model "$named")
[ -z "$set" ] || new+=(--set "$set")
tps=$(rate_of "${named:-llama}" ${set:+--set "$set"} --set "seq=$seq,batch_tokens=$batch,vocab_size=$vocab") || tps=1000
plan "$(calc "5 + $bytes / 3000000")" "$(least "$bytes / 4 * $epochs / $tps" "$seconds")" \
	"$(calc "$bytes * 6 + 300000000")" \
	"read      $(human "$bytes") of ${files[0]##*/}$([ ${#files[@]} = 1 ] || echo " and $((${#files[@]} - 1)) more")" \
	"clean     markup to text, broken characters; near-duplicates go" \
	"train     a tokenizer of $vocab pieces, then ${named:-a small Llama of hidden size $hidden}, $epochs times over the text at most"

read -ra more_clean <<<"$clean"
read -ra more_dedup <<<"$dedup"
cleaned() {
	dsclean -q --default "${more_clean[@]}" "${files[@]}" | dsdedup -q "${more_dedup[@]}" -z -o work/documents.dsr
}
stage work/documents.dsr "read, clean, drop what repeats" cleaned
stage work/text.dsr "cut few documents into paragraphs" cut_small work/documents.dsr work/text.dsr
text_tokens --pack concat
train_text "$seconds" "${new[@]}"
stage model "put the model into its place" as_model work/docs-model model

head_line "What became of the data"
dsrec log work/text-train.tok.dsr
compared "Perplexity on what was put aside: lower is better" ${held:+documents work/docs.before work/docs.after}
unigram_note
sampled model
next_steps "$out/model" \
	"dstrain --plot ${out@Q}/work/docs                       # how the loss fell" \
	"dsgen -m ${out@Q}/model --to text                      # a prompt a line" \
	"$home/finetune-lora.sh CHATS.jsonl --model ${out@Q}/model --out TUNED" \
	"dsserve -m ${out@Q}/model --http 8080"
