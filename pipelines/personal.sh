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
#   --serve          serve the model when it is there, at 127.0.0.1:8080, or --port PORT
#   --dry-run        say what it would do, and how long it would take, and end
#   --demo           a small folder made of the Debian Administrator's Handbook and the packages of this machine
#
# Run again, the same command goes on where it was: after Ctrl-C, a full disk or a power cut.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$home/folder.sh"
. "$home/chats.sh"
. "$home/demo_data.sh"

model='' tune=auto epochs='' minutes=60 clean='' dedup='' port=8080 serve='' wanted='a folder is'
parse 'model tune epochs minutes clean dedup port' serve "$@"
[ ${#files[@]} -le 1 ] || wrong "one folder, not '${files[0]}' and '${files[1]}'"
folder=${files[0]-}
case $tune in full | lora | auto) ;; *) wrong "--tune is full, lora or auto, not '$tune'" ;; esac
[ -z "$folder" ] || { [ -d "$folder" ] && [ -x "$folder" ]; } || die 4 "$folder: no folder that can be read"
a_model model
begin
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
	row_of "$model"
	epochs=${epochs:-3}
	tps=$(rate_of "$model/config.json" --set "seq=$seq,batch_tokens=$batch") || tps=
	need_bytes=$(calc "$bytes * 6 + $(weights_bytes "$model") * 6")
else
	epochs=${epochs:-10}
	tps=$(rate_of "${new[@]:1:3}" --set "seq=$seq,batch_tokens=$batch,vocab_size=$vocab") || tps=
	need_bytes=$(calc "$bytes * 6 + 300000000")
fi
tokens=$(calc "$bytes / 4")
training=$(least "$tokens * $epochs / ${tps:-2000}" "$seconds")
what="a small Llama from nothing, hidden size $hidden; then chats"
[ -z "$model" ] || what="$model, documents: $tune; chats: LoRA"
little='enough'
[ "$bytes" -ge 200000 ] || little='not much to learn from: expect it to learn by heart rather than to write'
plan "$(calc "10 + $bytes / 3000000")" "$training" "$need_bytes" \
	"read      $(folder_words); $little" \
	"clean     markup, broken characters; near-duplicates and repeated paragraphs go" \
	"train     $what" \
	"          about $tokens tokens, at most $epochs times over them, at some $(calc "${tps:-2000}") tokens a second" \
	"measure   on a part that is put aside, before and after"

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

# ---- documents ------------------------------------------------------------------------------------------------------

learn_of_all() {
	local texts=()
	chat_texts >work/chat-texts.txt
	[ ! -s work/chat-texts.txt ] || texts+=(work/chat-texts.txt)
	[ -z "$have_documents" ] || texts+=(work/text-train.dsr)
	learn_tokenizer "${texts[@]}"
}
tok=$model held='' base=$model chat_seconds=$seconds
if [ -n "$have_documents" ]; then
	stage work/text.dsr "cut few documents into paragraphs" cut_small work/documents.dsr work/text.dsr
	stage work/text-held.dsr "put one in twenty aside for the test" hold_out work/text 0.05
fi
if [ -z "$model" ]; then
	stage work/tokenizer/tokenizer.json "learn a tokenizer of $vocab pieces" learn_of_all
	tok=work/tokenizer
fi
if [ -n "$have_documents" ]; then
	text_tokens --pack concat
	case ${model:+$tune} in
	'') how=("${new[@]}") ;;
	lora) how=(--model "$model" --tune lora --target-modules all-linear) ;;
	full) whole_tuning "$model" ;;
	esac
	# Chats take a fifth of the time.
	chat_seconds=$(calc "$seconds / 5")
	[ -z "$have_chats" ] || seconds=$((seconds - chat_seconds))
	train_text "$seconds" "${how[@]}"
	base=$PWD/work/docs-model
fi

# ---- chats ----------------------------------------------------------------------------------------------------------

chat_held=''
if [ -n "$have_chats" ]; then
	layout=auto
	how=(--model "$base" --tune lora --target-modules all-linear)
	if [ -z "$model" ]; then
		layout=chatml
		how=("${new[@]}" --chat chatml)
		# A small model of our own is trained whole, gently, so that it keeps what documents taught it.
		[ -z "$base" ] || how=(--model "$base" --lr "$(awk -v l="$lr" 'BEGIN { print l / 8 }')" --chat chatml)
	fi
	train_chats "$base" "$chat_seconds" "${how[@]}"
else
	stage model "put the model into its place" as_model "$base" model
fi

# ---- what came of it ------------------------------------------------------------------------------------------------

[ -z "$held" ] || stage work/docs.end "measure it once more on the documents" perplexity model "$held" work/docs.end

head_line "What became of the data"
[ -z "$have_documents" ] || dsrec log work/text-train.tok.dsr
[ -z "$have_chats" ] || dsrec log "${chats[0]}"
compared "Perplexity on what was put aside: lower is better" ${held:+"documents" work/docs.before work/docs.end} \
	${chat_held:+"answers in chats" work/chats.before work/chats.after}
unigram_note
sampled model
show_answers
ask=(completions '{"prompt":"The","max_tokens":40}')
[ -z "$have_chats" ] || ask=(chat/completions '{"messages":[{"role":"user","content":"Hello"}]}')
say '' "Better answers come from a better beginning, --model with a directory that others published, and from more data."
next_steps "$out/model" \
	"dsserve -m ${out@Q}/model --http 8080                  # or this command with --serve" \
	"curl 127.0.0.1:8080/v1/${ask[0]} -d '${ask[1]}'" \
	"dsgen -m ${out@Q}/model --to text                      # a prompt a line" \
	"dsexport gguf -m ${out@Q}/model -o model.gguf          # for llama.cpp and what is made of it" \
	"$0 ${folder@Q} --model ${out@Q}/model --out MORE       # go on from it, with more files"
if [ -n "$serve" ]; then
	head_line "Serving at http://127.0.0.1:$port; Ctrl-C ends it"
	trap - EXIT INT TERM HUP
	exec dsserve -m model --http "$port" --name personal
fi
