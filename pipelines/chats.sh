# shellcheck shell=bash disable=SC2154,SC2034 # variables of lib.sh and of those that read it
# chats.sh - conversations of any shape: gathered from boxes (folder.sh), put aside in part, trained on, measured

# gather_chats RULES…: a stream of train and held-out conversations for each way to write them down
gather_chats() {
	local kind n fields f paths
	boxes_of chatgpt | while read -r n _; do
		[ -e "work/box/$n.messages" ] || put "work/box/$n.messages" python3 "$home/chatgpt.py" < <(dsrec cat -q --to jsonl "work/box/$n.dsr")
	done
	for kind in messages conversations instruction prompt question; do
		[ ! -e "work/chats-$kind-held.dsr" ] || continue
		fields=$(chat_fields "$kind")
		[ -n "$fields" ] || continue
		paths=()
		for f in $fields; do paths+=(--field "$f"); done
		chat_boxes "$kind" | dsclean -q --utf8 fix --nfc --control "$@" "${paths[@]}" --on-error skip |
			dsdedup -q --method exact "${paths[@]}" -z -o "work/chats-$kind.dsr"
		# shellcheck disable=SC2086 # a list of fields
		hold_out "work/chats-$kind" 0.1 $fields
	done
	touch work/chats.done
}
chat_fields() { # KIND: all fields that boxes of this kind have for it
	{ boxes_of "$1" && { [ "$1" != messages ] || boxes_of chatgpt | sed 's/$/ messages[].content/'; }; } |
		cut -d ' ' -f 2- | tr ' ' '\n' | sed '/^$/d' | sort -u
}
chat_boxes() { # KIND
	local n
	while read -r n _; do cat "work/box/$n.dsr"; done < <(boxes_of "$1")
	[ "$1" != messages ] || while read -r n _; do dsrec import -q --from jsonl "work/box/$n.messages"; done < <(boxes_of chatgpt)
}
chat_parts() { # train or held: the files that have records
	local f
	for f in work/chats-*-"$1".dsr; do
		{ [ ! -e "$f" ] || none_in "$f"; } || printf '%s ' "$f"
	done
}
chat_texts() { # what is said in them, a text a line or more
	local kind f fields paths
	for kind in messages conversations instruction prompt question; do
		fields=$(chat_fields "$kind")
		{ [ -n "$fields" ] && [ -e "work/chats-$kind-train.dsr" ]; } || continue
		paths=()
		for f in $fields; do paths+=(--field "$f"); done
		dsrec cat -q --to text "${paths[@]}" "work/chats-$kind-train.dsr"
	done
}

# ---- training -------------------------------------------------------------------------------------------------------

count_chats() { # tokens of them all, and those of the answers put aside
	local all
	read -ra all <<<"$(chat_parts held)"
	[ ${#all[@]} = 0 ] || dstok -q -t "$tok" --chat "$layout" --seq "$seq" --pack bestfit -o work/chats-held.tok.dsr "${all[@]}"
	put work/chats-tokens token_sum < <(dstok -q -t "$tok" --chat "$layout" "${chats[@]}")
}
token_sum() {
	dsrec stat --json -q | sed 's/},{/\n/g' | sed -n 's/.*"name":"tokens".*"present":\([0-9]*\),.*"mean":\([0-9.]*\).*/\1 \2/p' |
		awk '{ printf "%.0f", $1 * $2 }'
}
# train_chats BASE SECONDS ARGS…: work/talk on the files chats=(…), measured before (unless BASE is empty); then model
train_chats() {
	local base=$1 seconds=$2
	shift 2
	stage work/chats-tokens "count the tokens of the chats" count_chats
	set -- --task chat --seq "$seq" --batch-tokens "$batch" --scheduler cosine --precision bf16 "$@"
	chat_held=''
	[ ! -e work/chats-held.tok.dsr ] || chat_held=work/chats-held.tok.dsr
	if [ -n "$chat_held" ] && [ -n "$base" ]; then
		stage work/chats.before "measure the answers put aside" perplexity "$base" "$chat_held" work/chats.before
	fi
	[ -e work/talk.done ] || stage work/talk.steps "see how fast chats are trained" measured work/talk "$seconds" \
		"$(calc "$(cat work/chats-tokens) * $epochs / $batch + 0.5")" "$@" "${chats[@]}"
	stage work/talk.done "train on the chats; Ctrl-C saves, the same command goes on" train work/talk "$@" "${chats[@]}"
	stage model "put the model together" as_model work/talk model
	[ -z "$chat_held" ] || stage work/chats.after "measure the answers again" perplexity model "$chat_held" work/chats.after
	[ -z "$chat_held" ] || stage work/answers.jsonl "let it answer questions put aside" answered
}
answered() {
	local all
	read -ra all <<<"$(chat_parts held)"
	dsrec head -q -n 3 "${all[0]}" |
		dsgen -m model --chat --max-tokens 60 --temperature 0.5 --seed 7 -q --to jsonl -o work/answers.jsonl
}
show_answers() {
	[ -s work/answers.jsonl ] || return 0
	head_line "It answers questions put aside"
	dsrec view work/answers.jsonl
}
