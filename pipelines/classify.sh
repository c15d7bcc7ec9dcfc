#!/usr/bin/env bash
# classify.sh - labelled texts to a classifier, measured on what it never saw
#
# Usage: classify.sh FILE… --out DIR [options]        (records with text and label: CSV, TSV, JSONL, Parquet)
#        classify.sh --demo --out DIR
#
#   --field NAME    the field with the text (text), and --label NAME that with the label (label)
#   --columns A,B   names of the columns, where a table has none in its first row
#   --labels MAP    make labels uniform first: a file 'positive: pos 1 good', a line a label, or sentiment
#   --model DIR     an encoder to begin from, such as a published BERT; without it a small one from nothing
#   --epochs N      times over the texts at most (10; 3 with --model)
#   --minutes N     minutes of training at most (30)
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          which section a Debian package belongs to, by what its description says
#
# Texts that are there twice go, whatever their label; rare labels are filled up by changed copies of their texts. Run
# again, the same command goes on where it was. DIR/model is the result, in Hugging Face's layout.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/demo_data.sh"

field=text label=label columns='' labels='' model='' epochs='' minutes=30
parse 'field label columns labels model epochs minutes' '' "$@"
a_model model
[ -z "$labels" ] || [ "$labels" = sentiment ] || [ -r "$labels" ] || die 4 "$labels: not there, or may not be read"
[ -z "$labels" ] || [ "$labels" = sentiment ] || labels=$(realpath -- "$labels")
begin
seconds=$((minutes * 60))
if [ -n "$demo" ]; then
	stage work/packages.tsv "take descriptions of packages and their sections" put work/packages.tsv package_sections
	files=("$PWD/work/packages.tsv") seconds=40
fi
bytes=$(input_bytes)
size_for "$bytes"
seq=128 batch=2048
epochs=${epochs:-$([ -n "$model" ] && echo 3 || echo 10)}
plan 5 "$seconds" "$(calc "$bytes * 6 + 200000000 + 6 * $([ -z "$model" ] && echo 0 || weights_bytes "$model")")" \
	"read      $(human "$bytes") of labelled texts; one in ten is put aside" \
	"train     ${model:-a small BERT from nothing}, $epochs times over them at most" \
	"measure   accuracy, F1 and the confusion of labels"

labelled() {
	local rename=() in=("${files[@]}")
	[ "$field" = text ] || rename+=("$field=text")
	[ "$label" = label ] || rename+=("$label=label")
	dsrec import -q ${columns:+--columns "$columns"} "${in[@]}" |
		if [ ${#rename[@]} = 0 ]; then cat; else dsrec rename -q "$(IFS=, && echo "${rename[*]}")"; fi |
		dsrec select -q text,label | dsclean -q --default ${labels:+--labels "$labels"} |
		dsdedup -q --method exact -z -o work/text.dsr
}
stage work/text.dsr "read, clean, drop what is there twice" labelled
stage work/text-held.dsr "put one in ten aside for the test" hold_out work/text 0.1
balanced() {
	dsaug -q --swap 0.1 --delete 0.1 --synonym 0.1 --label-balance --keep-original work/text-train.dsr |
		dsrec select -q text,label | dsrec shuf -q -o work/balanced.dsr
}
stage work/balanced.dsr "fill up rare labels with changed copies" balanced
if [ -z "$model" ]; then
	wordpieces() { dstok train -q --model wordpiece -V "$((vocab < 4000 ? 4000 : vocab))" work/text-train.dsr -o work/tokenizer.json; }
	stage work/tokenizer.json "learn a vocabulary of word pieces" wordpieces
	how=(--model bert --set "num_hidden_layers=2,hidden_size=128,num_attention_heads=4,intermediate_size=512,max_position_embeddings=$seq" --lr 1e-3)
	tok=work/tokenizer.json
else
	how=(--model "$model" --lr 3e-5)
	tok=$model
fi
encoded() { dstok -q -t "$tok" --add-special --truncate longest --seq "$seq" "work/$1.dsr" -o "work/$1.tok.dsr"; }
stage work/balanced.tok.dsr "encode them" encoded balanced
stage work/text-held.tok.dsr "encode what is put aside" encoded text-held
how+=(--task cls --seq "$seq" --batch-tokens "$batch" --scheduler linear --precision bf16)
[ -e work/cls.done ] || stage work/cls.steps "see how fast this machine trains" \
	measured work/cls "$seconds" "$(row_steps work/balanced.tok.dsr)" "${how[@]}" work/balanced.tok.dsr
stage work/cls.done "train; Ctrl-C saves, the same command goes on" train work/cls "${how[@]}" work/balanced.tok.dsr
stage model "put the model into its place" as_model work/cls model
judged() { dsgen -q -m model work/text-held.dsr -o work/judged.dsr; }
stage work/judged.dsr "let it judge what is put aside" judged
scored() { dseval -q accuracy f1:macro mcc confusion --plots plots work/judged.dsr -o scores.txt; }
stage scores.txt "count how often it is right" scored

head_line "What became of the data"
dsrec log work/balanced.tok.dsr
head_line "On $(records work/judged.dsr) texts put aside (the commonest label alone would be right in $(commonest_share work/judged.dsr) of them)"
cat scores.txt
next_steps "$out/model" \
	"echo 'a text' | dsgen -m ${out@Q}/model --to jsonl" \
	"dsserve -m ${out@Q}/model --grpc 8081                  # KServe's protocol" \
	"dsexport onnx -m ${out@Q}/model -o model.onnx" \
	"xdg-open ${out@Q}/plots/confusion.svg"
