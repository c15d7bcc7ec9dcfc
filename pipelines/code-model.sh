#!/usr/bin/env bash
# code-model.sh - one's own source code to a small model that completes it, also in the middle of a file
#
# Usage: code-model.sh FOLDER… --out DIR [options]
#        code-model.sh --demo --out DIR
#
# Generated and minified files go, licence comments are cut, near-duplicates go. Half of the files are shown to the
# model as what precedes, what follows and what lies between (fill in the middle). A twentieth is put aside.
#
#   --model DIR     a code model to go on from; without it a small Llama from nothing
#   --fim RATE      share of files to be filled in (0.5; a model directory must have the tokens for it, else 0)
#   --epochs N      times over the code at most (10; 3 with --model)
#   --minutes N     minutes of training at most (60)
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          on the Python programs of this machine
#
# Run again, the same command goes on where it was. DIR/model is the result, in Hugging Face's layout.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

model='' fim=0.5 epochs='' minutes=60
parse 'model fim epochs minutes' '' "$@"
a_model model
begin
seconds=$((minutes * 60))
demo_code() {
	mkdir -p work/code
	find /usr/lib/python3* -maxdepth 2 -name '*.py' -size -60k -type f | LC_ALL=C sort | head -n 220 | xargs -d '\n' cp --backup=numbered -t work/code --
	find work/code -name '*~' -delete
}
if [ -n "$demo" ]; then
	stage work/code "take the programs of Python's library" demo_code
	files=("$PWD/work/code") seconds=60
fi
bytes=$(input_bytes)
size_for "$bytes"
epochs=${epochs:-$([ -n "$model" ] && echo 3 || echo 10)}
how=("${new[@]}")
[ -z "$model" ] || { row_of "$model" && whole_tuning "$model"; }
plan "$(calc "5 + $bytes / 5000000")" "$seconds" "$(calc "$bytes * 6 + 300000000")" \
	"read      $(human "$bytes") of source files" \
	"clean     generated and minified files go, licence comments and near-duplicates too" \
	"train     ${model:-a small Llama of hidden size $hidden from nothing}, $epochs times over the code at most, $fim of it filled in"

cleaned() {
	dsrec import -q --split file --on-error skip "${files[@]}" |
		dsclean -q --utf8 fix --control --code licence,generated,minified --min-chars 100 |
		dsdedup -q --threshold 0.7 -z -o work/text.dsr
}
stage work/text.dsr "read, clean, drop what repeats" cleaned
tok=$model
text_tokens --fim "$fim"
train_text "$seconds" "${how[@]}"
stage model "put the model into its place" as_model work/docs-model model
# Function heads of files put aside, as far as the colon.
heads() {
	dsrec export -q --to text work/text-held.dsr | grep -E '^ *(def|class|function|static|int|void|func|fn|public|struct) .{8,60}[:{]$' |
		awk 'NR % 5 == 1 && n++ < 3' >work/prompts.txt || true
}
stage work/prompts.txt "take heads of functions put aside" heads
[ ! -s work/prompts.txt ] || stage work/written.jsonl "let the model write their bodies" written model work/prompts.txt work/written.jsonl

head_line "What became of the data"
dsrec log work/text-train.tok.dsr
compared "Perplexity on what was put aside: lower is better" ${held:+code work/docs.before work/docs.after}
unigram_note
if [ -s work/written.jsonl ]; then
	head_line "It writes"
	dsrec view work/written.jsonl
fi
next_steps "$out/model" \
	"dsserve -m ${out@Q}/model --http 8080" \
	"curl 127.0.0.1:8080/v1/completions -d '{\"prompt\":\"def main(\",\"max_tokens\":60}'" \
	"$0 MORE --model ${out@Q}/model --out NEXT"
