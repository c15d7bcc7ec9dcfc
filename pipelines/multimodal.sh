#!/usr/bin/env bash
# multimodal.sh - pictures with captions to a model that finds the one by the other
#
# Usage: multimodal.sh FOLDER|FILE… --out DIR [options]
#        multimodal.sh --demo --out DIR
#
# FOLDER has pictures (JPEG, PNG, WebP, GIF, BMP, PNM) with NAME.txt beside each, or a metadata.jsonl with file_name and
# text; FILE is a WebDataset tar or records with image and text. Damaged pictures are left out and counted.
#
#   --model NAME    clip-tiny, clip, or a model directory to go on from (clip-tiny)
#   --epochs N      times over the pairs at most (30; 3 with a directory)
#   --minutes N     minutes of training at most (60)
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          pictures of what DS_TEST_DATA has, else drawn ones: shapes in colours
#
# A tenth is put aside, and measured by how often a caption finds its own picture among 64. Run again, the same command
# goes on where it was. DIR/model is the result, in Hugging Face's layout.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/demo_data.sh"

model=clip-tiny epochs='' minutes=60
parse 'model epochs minutes' '' "$@"
[ ! -d "$model" ] || a_model model
begin
seconds=$((minutes * 60))
if [ -n "$demo" ]; then
	stage work/pictures "make pictures with captions" demo_pictures work/pictures
	files=("$PWD/work/pictures") seconds=40
fi
bytes=$(input_bytes)
epochs=${epochs:-$([ -d "$model" ] && echo 3 || echo 30)}
plan "$(calc "5 + $bytes / 5000000")" "$seconds" "$(calc "$bytes * 3 + 500000000")" \
	"read      $(human "$bytes") of pictures and captions" \
	"train     $model, $epochs times over them at most" \
	"measure   captions find their pictures among 64, before and after"

paired() {
	dsrec import -q --on-error skip "${files[@]}" | dsclean -q --utf8 fix --nfc --control --space --drop-empty |
		dsrec select -q image,text | dsrec shuf -q -o work/pairs.dsr
}
stage work/pairs.dsr "read pictures and captions" paired
stage work/pairs-held.dsr "put one in ten aside for the test" hold_out work/pairs 0.1
seq=32 batch=2048
how=(--model "$model" --task clip --seq "$seq" --batch-tokens "$batch" --scheduler cosine --lr 1e-3)
if [ -d "$model" ]; then
	how[-1]=1e-5
else
	learned() { dstok train -q -V 2000 work/pairs-train.dsr -o work/tokenizer.json; }
	stage work/tokenizer.json "learn a tokenizer of the captions" learned
	encoded() { dstok -q -t work/tokenizer.json --keep-text "work/pairs-$1.dsr" -o "work/pairs-$1.tok.dsr"; }
	stage work/pairs-held.tok.dsr "encode the captions put aside" encoded held
	stage work/pairs-train.tok.dsr "encode the rest" encoded train
fi
train_file=work/pairs-train.tok.dsr
[ -e "$train_file" ] || train_file=work/pairs-train.dsr
[ -e work/clip.done ] || stage work/clip.steps "see how fast this machine trains" \
	measured work/clip "$seconds" "$(calc "$(records "$train_file") * $seq * $epochs / $batch + 1")" "${how[@]}" "$train_file"
retrieved() { # MODEL OUT
	dseval retrieval -m "$1" work/pairs-held.dsr --json -q >"$2.json"
	put "$2" awk -v s="$(json_number score "$2.json")" 'BEGIN { print 100 * s }'
}
[ ! -d "$model" ] || stage work/clip.before "measure the model" retrieved "$model" work/clip.before
stage work/clip.done "train; Ctrl-C saves, the same command goes on" train work/clip "${how[@]}" "$train_file"
stage model "put the model into its place" as_model work/clip model
stage work/clip.after "measure it on what is put aside" retrieved model work/clip.after

head_line "What became of the data"
dsrec log "$train_file"
n=$(records work/pairs-held.dsr)
compared "How many of $n captions put aside find their own picture, in % (by chance $(calc "100 / ($n < 64 ? $n : 64)"))" retrieval work/clip.before work/clip.after
next_steps "$out/model" \
	"dsgen -m ${out@Q}/model --labels 'cat,dog,car' --prompt 'a photo of a {}' PICTURES/ --to jsonl   # which is it" \
	"dsgen -m ${out@Q}/model --embed PICTURES/ -o vectors.parquet" \
	"dsserve -m ${out@Q}/model --grpc 8081"
