#!/usr/bin/env bash
# demo.sh - from the pages of a book to a language model, on this machine, in minutes
#
# Usage: make demo, or pipelines/demo.sh [WORK_DIR]. The text is the Debian Administrator's Handbook in
# English and Chinese, from the package debian-handbook. A step whose result is there is not done again:
# after an interruption the same command goes on. Remove WORK_DIR to start over.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
bin=${DS_BIN:-$here/build/bin}
work=${1:-$here/build/demo}
book=${DEMO_PAGES:-/usr/share/doc/debian-handbook/html}
started=$SECONDS
n=0
PATH=$bin:$PATH
mkdir -p "$work"
cd "$work"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

# step RESULT WHAT: says what comes; false where RESULT is there already
step() {
	n=$((n + 1))
	if [ -e "$1" ]; then
		printf '%s[%d/10] %s%s: done before\n' "$bold" $n "$2" "$plain"
		return 1
	fi
	printf '%s[%d/10] %s%s\n' "$bold" $n "$2" "$plain"
}
show() { printf '  $ %s\n' "$*"; }

if [ ! -d "$book/en-US" ] || [ ! -d "$book/zh-CN" ]; then
	echo "demo: no pages in $book; 'make deps' installs the package debian-handbook" >&2
	exit 4
fi

if step clean.dsr "read the pages and keep their text"; then
	show "dsclean en-US/*.html zh-CN/*.html -o clean.dsr"
	(cd "$book" && dsclean en-US/*.html zh-CN/*.html) >clean.part
	mv clean.part clean.dsr
fi
if step text.dsr "cut it into paragraphs, drop what repeats"; then
	show "dsrec cat --split para clean.dsr | dsclean --min-chars 20 | dsdedup -o text.dsr"
	dsrec cat --split para clean.dsr | dsclean --min-chars 20 | dsdedup -o text.dsr
fi
if step held.dsr "put one paragraph in twenty aside for the test"; then
	show "dsrec split --by 0.95,0.05 text.dsr -o train.dsr,held.dsr"
	dsrec split --by 0.95,0.05 text.dsr -o train.dsr,held.dsr
fi
if step tokenizer.json "train a tokenizer of 8,000 pieces"; then
	show "dstok train -V 8000 train.dsr -o tokenizer.json"
	dstok train -V 8000 train.dsr -o tokenizer.json
fi
if step held.tok.dsr "encode and pack"; then
	show "dsrec shuf train.dsr | dstok -t tokenizer.json --seq 256 -o train.tok.dsr"
	dsrec shuf train.dsr | dstok -t tokenizer.json --seq 256 -o train.tok.dsr
	dstok -t tokenizer.json --seq 256 held.dsr -o held.tok.dsr
fi
model=(--model gpt2 --set "n_layer=4,n_embd=192,n_head=6,dropout=0.1,seq=256,batch_tokens=2048"
	--set "lr=2e-3,scheduler=cosine,warmup_steps=50,weight_decay=0.1,log_every=1,seed=1")

# steps: what two and a half minutes allow at the speed of 20 steps, between 300 and 900
steps() {
	dstrain "${model[@]}" --max-steps 20 --save-every 0 -q --out measure train.tok.dsr
	sed -n '$s/.*"tokens_per_second": *\([0-9.e+]*\).*/\1/p' measure/log.jsonl |
		awk '{ n = int(150 * $1 / 2048 / 50) * 50; if (n < 300) n = 300; if (n > 900) n = 900; print n }'
	rm -r measure
}
# halfway STEP: shows what the model writes when the checkpoint of that step is there
halfway() {
	while [ ! -e "run/checkpoint-$1" ]; do sleep 1; done
	sample=$(echo 'The Debian project' |
		dsgen -m run --max-tokens 24 --ignore-eos --temperature 0.7 --seed 7 --to jsonl --from text -j 1 -q |
		sed 's/.*"pred":"\(.*\)".*/\1/')
	printf '\n  half trained, it writes: The Debian project%s\n' "$sample"
}
if step steps.txt "see how fast this machine trains, for the number of steps"; then
	rm -rf measure
	{ [ -n "${DEMO_STEPS-}" ] && echo "$DEMO_STEPS" || steps; } >steps.part
	mv steps.part steps.txt
	printf '  %s steps\n' "$(cat steps.txt)"
fi
steps=$(cat steps.txt)
half=$((steps / 2))
if step run/done "train a small GPT; stop it with Ctrl-C, the same command goes on"; then
	model+=(--set "max_steps=$steps,save_every=$half,eval_data=held.tok.dsr,eval_every=$half")
	show "dstrain ${model[*]} --out run train.tok.dsr --resume"
	halfway "$half" &
	watcher=$!
	trap 'kill $watcher 2>/dev/null || true' EXIT
	dstrain "${model[@]}" --out run train.tok.dsr --resume
	[ ! -e "run/checkpoint-$half" ] || wait $watcher || true
	kill $watcher 2>/dev/null || true
	trap - EXIT
	[ -e "run/checkpoint-$steps" ] || exit 130 # stopped by Ctrl-C, which dstrain takes as a wish to save
	touch run/done
fi
if step perplexity.txt "measure it on the paragraphs it never saw"; then
	show "dseval unigram --fit train.tok.dsr held.tok.dsr; dseval ppl -m run held.tok.dsr"
	dseval unigram --fit train.tok.dsr held.tok.dsr --json -q >unigram.json
	dseval ppl -m run held.tok.dsr --json -q >ppl.json
	score() { sed 's/.*"score":\([0-9.e+]*\).*/\1/' "$1"; }
	printf '%s %s\n' "$(score unigram.json)" "$(score ppl.json)" >perplexity.part
	mv perplexity.part perplexity.txt
fi
if step model.onnx "export it"; then
	show "dsexport onnx -m run -o model.onnx --opset 13 --input input_ids=1,128"
	dsexport onnx -m run -o model.onnx --opset 13 --input input_ids=1,128
fi
if step samples.jsonl "let it write"; then
	show "dsgen -m run --max-tokens 60 --ignore-eos --temperature 0.7 --seed 7 prompts.txt"
	printf 'The Debian project\nTo install a package,\nDebian 系统\n安装软件包\n' >prompts.txt
	dsgen -m run --max-tokens 60 --ignore-eos --temperature 0.7 --seed 7 --to jsonl prompts.txt -o samples.jsonl
fi

read -r unigram ppl <perplexity.txt
printf '\n%sWhat became of the data%s\n' "$bold" "$plain"
dsrec log train.tok.dsr
printf '\n%sLoss%s\n' "$bold" "$plain"
dstrain --plot run
printf '\n%sHeld-out perplexity%s: a model must stay below the unigram model of the same tokens\n' "$bold" "$plain"
printf 'unigram perplexity %.1f\n' "$unigram"
printf 'perplexity %.1f\n' "$ppl"
printf '\n%sIt writes%s\n' "$bold" "$plain"
dsrec view samples.jsonl
cat <<END

${bold}Go on${plain}
  dsgen -m $work/run                       # a prompt a line
  dsrec log $work/train.tok.dsr            # where every record went
  dsrec stat $work/text.dsr
  dstrain --model $work/run --out more --epochs 1 YOUR.dsr
  pipelines/personal.sh MY_FOLDER --out my-model
  pipelines/personal.sh MY_FOLDER --model $work/run --out my-tuned
This took $((SECONDS - started)) seconds.
END
awk -v a="$ppl" -v b="$unigram" 'BEGIN { exit !(a < b / 2) }' || {
	echo "demo: the model's perplexity is not clearly below the unigram model's" >&2
	exit 1
}
