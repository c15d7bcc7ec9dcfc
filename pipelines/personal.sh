#!/usr/bin/env bash
# personal.sh - a folder of one's own documents and chats to a language model of one's own
#
# Usage: personal.sh FOLDER --out DIR [--model DIR] [options]
#        personal.sh --demo --out DIR
#
# FOLDER may hold text, Markdown, web pages, source code, chats (JSONL with messages, conversations, or instruction and
# output; ChatGPT's conversations.json), tables (CSV, TSV, Parquet) and archives (tar, zip) of such files, at any depth.
# PDF, Word, OpenDocument and EPUB files are read where pdftotext and pandoc are installed. Everything stays here:
# nothing is sent anywhere. It cleans, drops what repeats, puts a part aside for the test, trains, measures before and
# after, and says how to serve the model. DIR/model is the result, in Hugging Face's layout.
#
#   --model DIR      go on from this model directory (config.json, model.safetensors, tokenizer.json): documents by
#                    continued pre-training, chats by LoRA. Without it a small model begins from nothing
#   --tune HOW       documents with --model: full, lora, or auto, which is lora for models over 600 MB (auto)
#   --epochs N       times over the data at most (3 with --model, 10 without)
#   --minutes N      minutes of training at most (60)
#   --clean OPTIONS  more rules for dsclean, in one word: '--pii mask --lang zh,en'
#   --dedup OPTIONS  options of dsdedup for the documents: '--threshold 0.7'
#   --serve [PORT]   serve the model when it is there, at 127.0.0.1:PORT (8080)
#   --dry-run        say what it would do, and how long it would take, and end
#   --demo           a small folder made of the Debian Administrator's Handbook and the packages of this machine
#
# Run again, the same command goes on where it was: after Ctrl-C, a full disk or a power cut.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/folder.sh"
. "$home/demo_data.sh"

folder='' out='' model='' tune=auto epochs='' minutes=60 clean='' dedup='' port='' demo='' dry=''
while [ $# -gt 0 ]; do
	case $1 in
	--*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
	esac
	case $1 in
	-h | --help) usage && exit ;;
	--out | --model | --tune | --epochs | --minutes | --clean | --dedup)
		option "$@"
		shift
		;;
	--serve)
		port=8080
		if [[ ${2-} =~ ^[0-9]+$ ]]; then port=$2 && shift; fi
		;;
	--dry-run) dry=1 ;;
	--demo) demo=1 ;;
	--) shift && break ;;
	-?*) wrong "'$1' is no option" ;;
	*)
		[ -z "$folder" ] || wrong "one folder, not '$folder' and '$1'"
		folder=$1
		;;
	esac
	shift
done
[ $# = 0 ] || folder=$1
[ -n "$out" ] || wrong "--out DIR is missing"
[ -n "$folder$demo" ] || wrong "a folder is missing"
[ -z "$folder" ] || [ -z "$demo" ] || wrong "--demo makes its own folder"
case $tune in full | lora | auto) ;; *) wrong "--tune is full, lora or auto, not '$tune'" ;; esac
[ -z "$epochs" ] || whole --epochs "$epochs"
whole --minutes "$minutes"
need_dstools
[ -n "$demo" ] || { [ -d "$folder" ] && [ -r "$folder" ] && [ -x "$folder" ]; } || die 4 "$folder: no folder that can be read"
if [ -n "$model" ]; then
	is_model "$model" || die 2 "$model: no model directory: config.json and tokenizer.json are not in it"
	model=$(realpath "$model")
fi
[ -z "$folder" ] || folder=$(realpath "$folder")
asked=$out
if [ -n "$dry" ]; then
	scratch=$(mktemp -d)
	out=$scratch
fi
begin "$out" "folder $folder
model $model
tune $tune epochs $epochs minutes $minutes
clean $clean
dedup $dedup"
if [ -n "$demo" ]; then
	stage "work/folder.done" "make a folder to show it with: pages of a book in two languages, chats, a table, an archive" demo_folder work/folder
	folder=$PWD/work/folder
	[ "$minutes" != 60 ] || demo_seconds=120
fi

# ---- what there is, what will be done -------------------------------------------------------------------------------

look_through "$folder"
bytes=$(calc "$(cat work/bytes)")
size_for "$bytes"
seconds=${demo_seconds:-$((minutes * 60))}
if [ -n "$model" ]; then
	[ "$tune" != auto ] || { tune=full && [ "$(weights_bytes "$model")" -le 600000000 ] || tune=lora; }
	most=$(sed -n 's/.*"\(max_position_embeddings\|n_positions\)": *\([0-9]*\).*/\2/p' "$model/config.json" | head -n 1)
	seq=${most:-512}
	[ "$seq" -le 512 ] || seq=512
	batch=$((8 * seq)) epochs=${epochs:-3}
	tps=$(rate_of "$model/config.json" --set "seq=$seq,batch_tokens=$batch") || tps=
	need_bytes=$(calc "$bytes * 6 + $(weights_bytes "$model") * 6")
else
	epochs=${epochs:-10}
	tps=$(rate_of llama --set "$shape,seq=$seq,batch_tokens=$batch,vocab_size=$vocab") || tps=
	need_bytes=$(calc "$bytes * 6 + 300000000")
fi
tokens=$(calc "$bytes / 4")
hidden=${shape#*hidden_size=} hidden=${hidden%%,*}
at_most=$(calc "$tokens * $epochs / ${tps:-2000}")
[ "$at_most" -le "$seconds" ] || at_most=$seconds
head_line "What this will do"
cat <<END
  read      $(folder_words)
  clean     markup, broken characters; near-duplicates and repeated paragraphs go
  train     $(if [ -n "$model" ]; then echo "$model, documents: $tune; chats: LoRA"; else echo "a small Llama from nothing, hidden size $hidden; then chats"; fi)
            about $tokens tokens, at most $epochs times over them, at some $(calc "${tps:-2000}") tokens a second
  measure   on a part that is put aside, before and after
  time      about $(span "$(calc "10 + $bytes / 3000000")") to prepare, $(span "$at_most") to train ($(if [ -n "${demo_seconds-}" ]; then echo "the demo's limit"; else echo "--minutes $minutes"; fi) is the limit)
  disk      about $(human "$need_bytes") in $asked
END
[ "$bytes" -ge 200000 ] || say "  little    this is not much to learn from: expect it to learn by heart rather than to write"
[ -z "$dry" ] || exit 0
room "$need_bytes"

# ---- documents and chats --------------------------------------------------------------------------------------------

read -ra more_clean <<<"$clean"
read -ra more_dedup <<<"$dedup"
stage work/boxes.done "open tables, chats and archives" open_boxes
stage work/loose.dsr "read the documents" read_loose
stage work/documents.dsr "clean them, drop what repeats" documents "${more_clean[@]}"
stage work/chats.done "read chats, clean them, drop what repeats" gather_chats "${more_clean[@]}"
stage work/left-out.done "note what was left out" note_left_out
[ ! -s left-out.tsv ] || { say "  left-out.tsv names $(wc -l <left-out.tsv):" && left_out_words; }
have_documents='' have_chats=''
none_in work/documents.dsr || have_documents=1
read -ra chats <<<"$(chat_parts train)"
[ ${#chats[@]} = 0 ] || have_chats=1
[ -n "$have_documents$have_chats" ] || nothing_to_read

if [ -n "$have_documents" ]; then
	stage work/text.dsr "cut few documents into paragraphs" cut_small work/documents.dsr work/text.dsr
	stage work/text-held.dsr "put one in twenty aside for the test" hold_out work/text 0.05
fi

# ---- the tokenizer and the tokens -----------------------------------------------------------------------------------

learn_tokenizer() {
	mkdir -p work/tokenizer
	# Names of the conversation layout are tokens of their own.
	local s special=()
	for s in '<|pad|>' '<|bos|>' '<|eos|>' '<|im_start|>' '<|im_end|>'; do special+=(--special "$s"); done
	chat_texts >work/chat-texts.txt
	local texts=()
	[ ! -s work/chat-texts.txt ] || texts+=(work/chat-texts.txt)
	[ -z "$have_documents" ] || texts+=(work/text-train.dsr)
	dstok train -q -V "$vocab" "${special[@]}" "${texts[@]}" -o work/tokenizer/tokenizer.json
}
if [ -n "$model" ]; then
	tok=$model
else
	stage work/tokenizer/tokenizer.json "learn a tokenizer of $vocab pieces" learn_tokenizer
	tok=work/tokenizer
fi
encode() { # PART
	if [ "$1" = train ]; then dsrec shuf -q "work/text-$1.dsr"; else dsrec cat -q "work/text-$1.dsr"; fi |
		dstok -t "$tok" --seq "$seq" -o "work/text-$1.tok.dsr"
}
if [ -n "$have_documents" ]; then
	stage work/text-held.tok.dsr "encode what is put aside" encode held
	stage work/text-train.tok.dsr "encode the rest" encode train
fi

# ---- training -------------------------------------------------------------------------------------------------------

share() { # of the seconds, for documents where there are chats as well
	if [ -n "$have_chats" ]; then calc "$seconds * 0.8"; else echo "$seconds"; fi
}
count_chats() {
	local all
	read -ra all <<<"$(chat_parts held)"
	[ ${#all[@]} = 0 ] || dstok -q -t "$tok" --chat "$layout" -o work/chats-held.tok.dsr "${all[@]}"
	put work/chats-tokens token_sum < <(dstok -q -t "$tok" --chat "$layout" "${chats[@]}")
}
token_sum() {
	dsrec stat --json -q | sed 's/},{/\n/g' | sed -n 's/.*"name":"tokens".*"present":\([0-9]*\),.*"mean":\([0-9.]*\).*/\1 \2/p' | awk '{ printf "%.0f", $1 * $2 }'
}
rows_steps() { # how many steps all epochs over the documents are
	calc "$(records work/text-train.tok.dsr) * $seq * $epochs / $batch + 0.5"
}
new=(--model llama --set "$shape,weight_decay=0.1")
held=''
base=$model
if [ -n "$have_documents" ]; then
	none_in work/text-held.tok.dsr || held=work/text-held.tok.dsr
	how=(--seq "$seq" --batch-tokens "$batch" --scheduler cosine --precision bf16)
	case ${model:+$tune} in
	'') how+=("${new[@]}" --lr "$lr") ;;
	lora) how+=(--model "$model" --tune lora --target-modules all-linear) ;;
	full) how+=(--model "$model") ;;
	esac
	[ -e work/docs.done ] || stage work/docs.steps "see how fast this machine trains" \
		measured work/docs "$(share)" "$(rows_steps)" "${how[@]}" work/text-train.tok.dsr
	if [ -n "$held" ] && [ -n "$model" ]; then
		stage work/docs.before "measure the model on documents put aside" perplexity "$model" "$held" work/docs.before
	elif [ -n "$held" ]; then
		stage work/docs.before "measure what counting words alone would do" unigram work/text-train.tok.dsr "$held" work/docs.before
	fi
	stage work/docs.done "train on the documents; Ctrl-C saves, the same command goes on" train work/docs "${how[@]}" work/text-train.tok.dsr
	stage work/docs-model "put the model together" as_model work/docs work/docs-model
	base=$PWD/work/docs-model
	[ -z "$held" ] || stage work/docs.between "measure it on the documents put aside" perplexity "$base" "$held" work/docs.between
fi
chat_held=''
if [ -n "$have_chats" ]; then
	layout=chatml
	[ -z "$model" ] || layout=auto
	stage work/chats-tokens "count the tokens of the chats" count_chats
	how=(--task chat --seq "$seq" --batch-tokens "$batch" --scheduler cosine --precision bf16)
	if [ -n "$model" ]; then
		how+=(--model "$base" --tune lora --target-modules all-linear)
	elif [ -n "$base" ]; then
		how+=(--model "$base" --lr "$(awk -v l="$lr" 'BEGIN { print l / 8 }')" --chat chatml)
	else
		how+=("${new[@]}" --lr "$lr" --chat chatml)
	fi
	[ -e work/chats-held.tok.dsr ] && chat_held=work/chats-held.tok.dsr
	if [ -n "$chat_held" ] && [ -n "$base" ]; then
		stage work/chats.before "measure the answers put aside" perplexity "$base" "$chat_held" work/chats.before
	fi
	[ -e work/talk.done ] || stage work/talk.steps "see how fast chats are trained" measured work/talk "$(calc "$seconds * 0.2")" \
		"$(calc "$(cat work/chats-tokens) * $epochs / $batch + 0.5")" "${how[@]}" "${chats[@]}"
	stage work/talk.done "train on the chats" train work/talk "${how[@]}" "${chats[@]}"
	stage model "put the model together" as_model work/talk model
else
	stage model "put the model into its place" as_model "$base" model
fi

# ---- what came of it ------------------------------------------------------------------------------------------------

answered() {
	local all
	read -ra all <<<"$(chat_parts held)"
	dsrec head -q -n 3 "${all[0]}" |
		dsgen -m model --chat --max-tokens 60 --temperature 0.5 --seed 7 -q --to jsonl -o work/answers.jsonl
}
report() {
	head_line "What became of the data"
	if [ -n "$have_documents" ]; then dsrec log work/text-train.tok.dsr; fi
	if [ -n "$have_chats" ]; then dsrec log "${chats[0]}"; fi
	head_line "Perplexity on what was put aside: lower is better"
	printf '  %-20s %9s %16s %12s\n' '' before 'after documents' 'at the end'
	[ -z "$held" ] || printf '  %-20s %9s %16s %12s\n' documents "$(figure work/docs.before)" "$(figure work/docs.between)" "$(figure work/docs.after)"
	[ -z "$chat_held" ] || printf '  %-20s %9s %16s %12s\n' 'answers in chats' - "$(figure work/chats.before)" "$(figure work/chats.after)"
	[ -n "$model" ] || [ -z "$held" ] || say "  before: a model that only counts how often each word occurs; a language model must stay below it"
	if [ -s work/written.jsonl ]; then
		head_line "It goes on from the beginnings of texts put aside"
		dsrec view work/written.jsonl
	fi
	if [ -s work/answers.jsonl ]; then
		head_line "It answers questions put aside"
		dsrec view work/answers.jsonl
	fi
	head_line "The model is in $out/model; what to do next"
	show "dsserve -m ${out@Q}/model --http 8080                 # or this command with --serve"
	if [ -n "$have_chats" ]; then
		show "curl 127.0.0.1:8080/v1/chat/completions -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'"
	else
		show "curl 127.0.0.1:8080/v1/completions -d '{\"prompt\":\"The\",\"max_tokens\":40}'"
	fi
	show "dsgen -m ${out@Q}/model --to text                     # a prompt a line"
	show "dsexport gguf -m ${out@Q}/model -o model.gguf         # for llama.cpp and what is made of it"
	show "$0 ${folder@Q} --model ${out@Q}/model --out MORE      # go on from it, with more files"
	say "  Better answers come from a better beginning: --model with a directory that others published, and more data."
	say "  This took $(span $((SECONDS - started)))."
}

[ -z "$held" ] || stage work/docs.after "measure it once more on the documents" perplexity model "$held" work/docs.after
[ -z "$chat_held" ] || stage work/chats.after "measure it on the answers put aside" perplexity model "$chat_held" work/chats.after
if [ -n "$held" ]; then
	stage work/prompts.txt "take beginnings of texts put aside" prompts work/text-held.dsr work/prompts.txt
	[ ! -s work/prompts.txt ] || stage work/written.jsonl "let the model go on from them" written model work/prompts.txt work/written.jsonl
fi
if [ -n "$chat_held" ]; then
	stage work/answers.jsonl "let it answer questions put aside" answered
fi
report
if [ -n "$port" ]; then
	head_line "Serving at http://127.0.0.1:$port; Ctrl-C ends it"
	trap - EXIT INT TERM HUP
	exec dsserve -m model --http "$port" --name personal
fi
