#!/usr/bin/env bash
# backtranslate.sh - more training records: each text, and what is left of it after a journey through another language
#
# Usage: backtranslate.sh FILE… --out DIR [options]
#        backtranslate.sh --demo --out DIR
#
#   --there CMD     a program that prints a translated line for each line it reads ('apertium -u eng-spa')
#   --back CMD      and one for the way back ('apertium -u spa-eng')
#   --minutes N     nothing new is begun after so many minutes (60); what was translated is kept
#   --dry-run       say what it would do, and how long it would take, and end
#   --demo          on sentences of the Debian Administrator's Handbook
#
# Labels and other fields ride along. Copies too near to their text, or too far from it, are left out. Run again, the
# same command goes on where it was: translations are kept. DIR/augmented.dsr is the result.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/demo_data.sh"

there='' back='' minutes=60
parse 'there back minutes' '' "$@"
[ -n "$there" ] || need apertium "install apertium and apertium-eng-spa, or name other programs by --there and --back"
there=${there:-apertium -u eng-spa} back=${back:-apertium -u spa-eng}
begin
if [ -n "$demo" ]; then
	need_book
	stage work/sentences.txt "take sentences of a book" put work/sentences.txt book_sentences
	files=("$PWD/work/sentences.txt")
fi
bytes=$(input_bytes)
speed() { # bytes a second, there and back, of a sample
	local began
	dsrec head -q -n 40 "${files[0]}" --to text >work/sample.txt
	began=$(date +%s%N)
	bash -c "$there" <work/sample.txt | bash -c "$back" >/dev/null
	awk -v b="$(wc -c <work/sample.txt)" -v n="$(($(date +%s%N) - began))" 'BEGIN { printf "%.0f", b * 1e9 / n }' >work/speed
}
[ -s work/speed ] || speed
needed=$(calc "$bytes / ($(cat work/speed) + 1)")
plan "$needed" 0 "$(calc "$bytes * 4 + 10000000")" \
	"read      $(human "$bytes") of text, and translate it there ($there) and back ($back)" \
	"keep      copies that differ from their text, but not by too much"
[ "$needed" -le $((minutes * 60)) ] || die 1 "that takes $(span "$needed"), more than --minutes $minutes allows"

translated() {
	# Copies that resemble another record are no gain: the later goes.
	dsclean -q --default "${files[@]}" |
		dsaug --backtranslate --translator "$there" --back "$back" --cache work/translations --keep-original |
		dsdedup -q --threshold 0.95 -z -o augmented.dsr
}
stage augmented.dsr "translate there and back" translated

head_line "What became of the data"
dsrec log augmented.dsr
head_line "A few of them"
dsrec head -q -n 6 augmented.dsr | dsrec select -q text | dsrec view -q
head_line "The records are in $out/augmented.dsr; what to do next"
show "dsrec export ${out@Q}/augmented.dsr -o augmented.jsonl"
show "$home/classify.sh ${out@Q}/augmented.dsr --out CLASSIFIER      # where they have labels"
