#!/usr/bin/env bash
# domain-medical.sh - a general model learns a field, by default medicine, without forgetting the rest
#
# Usage: domain-medical.sh FILE… --model DIR --out DIR [options]
#        domain-medical.sh --demo --out DIR
#
# Of FILE (any text, pages, tables) the records stay that speak of the field; what names a person (e-mail, phone, card and
# identity numbers) is masked, near-duplicates go, and so does what the test set has. The model is trained on them
# mixed with general text, and measured before and after on both.
#
#   --model DIR     the model directory to begin from
#   --general FILE  general text to mix in, against forgetting: one part to four of the field
#   --test FILE     a test set of the field: what shares 13 words in a row with it is not trained on
#   --terms FILE    words of the field, a line each, for another field than medicine
#   --tune HOW      full or lora (lora for models over 600 MB)
#   --epochs N      times over the text at most (3)
#   --minutes N     minutes of training at most (60)
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          WordNet's definitions of what medicine speaks of, on a small model made for it
#
# Run again, the same command goes on where it was. A model is no doctor: what it writes must be checked by one.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/demo_data.sh"

model='' general='' test='' terms='' tune='' epochs=3 minutes=60
parse 'model general test terms tune epochs minutes' '' "$@"
[ -n "$model$demo" ] || wrong "--model DIR is missing"
case $tune in full | lora | '') ;; *) wrong "--tune is full or lora, not '$tune'" ;; esac
a_model model
for f in general test terms; do
	[ -z "${!f}" ] || [ -r "${!f}" ] || die 4 "${!f}: not there, or may not be read"
	[ -z "${!f}" ] || printf -v "$f" '%s' "$(realpath -- "${!f}")"
done
begin
seconds=$((minutes * 60))
if [ -n "$demo" ]; then
	stage work/base "make a small general model to begin from" demo_model work/base
	stage work/wordnet.txt "take WordNet's definitions" put work/wordnet.txt glosses
	stage work/general.txt "and other text, to mix in" put work/general.txt book_text
	model=$PWD/work/base files=("$PWD/work/wordnet.txt") general=$PWD/work/general.txt seconds=30 epochs=1
	tune=full
fi
bytes=$(input_bytes)
row_of "$model"
[ -n "$tune" ] || { tune=full && [ "$(weights_bytes "$model")" -le 600000000 ]; } || tune=lora
plan "$(calc "5 + $bytes / 3000000")" "$seconds" "$(calc "$bytes * 6 + $(weights_bytes "$model") * 6")" \
	"read      $(human "$bytes"), of which what speaks of ${terms:-medicine} stays" \
	"clean     personal data masked, near-duplicates out${test:+, nothing that is in $test}" \
	"train     $model, $tune${general:+, mixed with one part in five of $general}" \
	"measure   on the field${general:+ and on general text}, before and after"

medical='disease|symptom|syndrome|patient|clinical|diagnos|therap|surg|medic(al|ine)|drug|dose|infect|inflamm|tumou?r|cancer|vaccin|pain|fever|blood|artery|vein|nerve|muscle|bone|organ of|tissue|病|症|患者|临床|诊断|治疗|药|手术|感染|肿瘤|疫苗|血'
# shellcheck disable=SC2016 # sed's $
field_words() {
	if [ -n "$terms" ]; then grep -v '^ *$' "$terms" | sed 's/[][\.*^$(){}?+|/]/\\&/g' | paste -sd '|'; else echo "$medical"; fi
}
of_the_field() {
	local against=()
	[ -z "$test" ] || against=(--against "$test")
	dsclean -q --default --keep-regex "(?i)$(field_words)" --pii mask --min-chars 20 "${files[@]}" |
		dsdedup -q "${against[@]}" -z -o work/text.dsr
}
stage work/text.dsr "read, keep the field, mask persons, drop what repeats" of_the_field
! none_in work/text.dsr || die 1 "nothing in it speaks of the field: --terms FILE names its words"
tok=$model
text_tokens --pack concat
how=(--model "$model" --tune lora --target-modules all-linear)
[ "$tune" = lora ] || whole_tuning "$model"
more=()
if [ -n "$general" ]; then
	general_text() { dsclean -q --default "$general" | dsdedup -q -z -o work/general.dsr; }
	stage work/general.dsr "read general text" general_text
	stage work/general-held.dsr "put a twentieth of it aside" hold_out work/general 0.05
	general_rows() { dsrec shuf -q "work/general-$1.dsr" | dstok -q -t "$tok" --seq "$seq" -o "work/general-$1.tok.dsr"; }
	stage work/general-held.tok.dsr "encode it" general_rows held
	stage work/general-train.tok.dsr "encode the rest" general_rows train
	none_in work/general-held.tok.dsr || stage work/general.before "measure the model on general text" perplexity "$model" work/general-held.tok.dsr work/general.before
	how+=(--mix "1,4" work/general-train.tok.dsr)
fi
train_text "$seconds" "${how[@]}"
stage model "put the model into its place" as_model work/docs-model model
[ ! -e work/general.before ] || {
	stage work/general.after "measure it on general text again" perplexity model work/general-held.tok.dsr work/general.after
	more=('general text' work/general.before work/general.after)
}

head_line "What became of the data"
dsrec log work/text-train.tok.dsr
compared "Perplexity on what was put aside: lower is better" ${held:+'the field' work/docs.before work/docs.after} "${more[@]}"
sampled model
next_steps "$out/model" \
	"$home/finetune-lora.sh QUESTIONS.jsonl --model ${out@Q}/model --out TUNED" \
	"dseval choice:norm -m ${out@Q}/model EXAM.jsonl        # questions with choices and a label" \
	"dsserve -m ${out@Q}/model --http 8080"
