# shellcheck shell=bash disable=SC2034,SC2154 # variables of those that read it
# lib.sh - what the pipelines share; each begins with: . "$(dirname "$0")/lib.sh"
#
# A pipeline is a list of stages. `stage RESULT WHAT COMMAND…` runs COMMAND where RESULT is not there yet, so the
# same command line goes on where an earlier run stopped: results appear whole or not at all. Folder and options of
# the first run are kept, and others are refused in the same --out.

set -euo pipefail
shopt -s inherit_errexit
# Texts are UTF-8 whatever the user's locale is; messages of other programs are in English.
export LC_ALL=C.UTF-8

me=$(basename "$0")
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$0${*:+ ${*@Q}}"
bin=${DS_BIN:-$home/../build/bin}
[ ! -d "$bin" ] || PATH=$(cd "$bin" && pwd):$PATH
n_stages=0
doing=
scratch=
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }
say() { printf '%s\n' "$@"; }
head_line() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '  $ %s\n' "$*"; }
warn() { printf '%s: warning: %s\n' "$me" "$*" >&2; }
die() { # CODE MESSAGE
	printf '%s: %s\n' "$me" "$2" >&2
	doing=
	exit "$1"
}
wrong() { die 2 "$1; $me --help says what there is"; }
# parse 'OPTIONS' 'FLAGS' ARGS…: --some-name VALUE is the variable some_name, a flag is 1, the rest is files=();
# settings is what runs in one --out are told apart by
parse() {
	local names=" out $1 " flags=" demo dry_run $2 " name
	shift 2
	files=() settings=$me demo='' dry_run='' out=''
	while [ $# -gt 0 ]; do
		case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
		name=${1#--}
		name=${name//-/_}
		case $1 in
		-h | --help) usage && exit ;;
		--) files+=("${@:2}") && set -- "$1" ;;
		-?*)
			if [[ $names == *" $name "* ]]; then
				[ $# -ge 2 ] || wrong "$1 wants a value"
				printf -v "$name" '%s' "$2"
				case $name in out | port) ;; *) settings+=$'\n'"$name $2" ;; esac
				shift
			elif [[ $flags == *" $name "* ]]; then
				printf -v "$name" 1
				case $name in serve | dry_run) ;; *) settings+=$'\n'"$name" ;; esac
			else
				wrong "'$1' is no option"
			fi
			;;
		*) files+=("$1") ;;
		esac
		shift
	done
	[ -n "$out" ] || wrong "--out DIR is missing"
	[ ${#files[@]} != 0 ] || [ -n "$demo" ] || wrong "${wanted:-files are} missing"
	[ ${#files[@]} = 0 ] || [ -z "$demo" ] || wrong "--demo makes its own data"
	for name in epochs minutes; do
		[ -z "${!name-}" ] || whole "--$name" "${!name}"
	done
	need_dstools
	local i
	for i in "${!files[@]}"; do
		[ -r "${files[i]}" ] || die 4 "${files[i]}: not there, or may not be read"
		files[i]=$(realpath -- "${files[i]}")
		settings+=$'\n'${files[i]}
	done
}
# a_model NAME: the variable NAME, where it is not empty, is a model directory's whole path
a_model() {
	[ -n "${!1}" ] || return 0
	is_model "${!1}" || die 2 "${!1}: no model directory: config.json and tokenizer.json are not in it"
	printf -v "$1" '%s' "$(realpath -- "${!1}")"
}
whole() { # NAME VALUE: an option that is a number from 1
	[[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$2" -gt 0 ] || wrong "$1 wants a whole number from 1, not '$2'"
}

# Programs that are needed: need PROGRAM PACKAGE…
need() {
	command -v "$1" >/dev/null || die 4 "'$1' is not there: ${2:-install it}"
}
need_dstools() {
	local p
	for p in dsrec dsclean dsdedup dsaug dstok dstrain dseval dsgen dsplan; do
		need "$p" "'make all' builds it, or DS_BIN=FOLDER says where it is"
	done
}

human() { # bytes
	awk -v n="$1" 'BEGIN { split("B kB MB GB TB", u, " "); i = 1; while (n >= 1000 && i < 5) { n /= 1000; i++ }
		printf((i > 1 && n < 10) ? "%.1f %s" : "%.0f %s", n, u[i]) }'
}
span() { # seconds
	awk -v s="$1" 'BEGIN { if (s < 90) printf "%d s", s; else if (s < 5400) printf "%d min", s / 60 + 0.5;
		else if (s < 172800) printf "%.1f h", s / 3600; else printf "%.1f days", s / 86400 }'
}
calc() { awk "BEGIN { printf \"%.0f\", $1 }"; }
least() { calc "$1 < $2 ? $1 : $2"; }
json_number() { # KEY FILE: its last value there
	sed -n "\$s/.*\"$1\": *\\([-0-9.e+]*\\).*/\\1/p" "$2"
}

# ---- the run --------------------------------------------------------------------------------------------------------

# ended: what an interruption and a failure say; programs themselves wrote the one line that says what
ended() {
	local rc=$?
	trap - EXIT INT TERM HUP
	[ -z "$scratch" ] || rm -rf "$scratch"
	[ -z "$doing" ] || case $rc in
	130 | 143 | 129) printf '\n%s: stopped at: %s. What is done is kept; the same command goes on:\n  %s\n' "$me" "$doing" "$command_line" >&2 ;;
	*) printf '%s: failed at: %s (exit %d). What is done is kept; once it is mended the same command goes on:\n  %s\n' "$me" "$doing" $rc "$command_line" >&2 ;;
	esac
	exit $rc
}

# begin: makes --out and goes there; with --dry-run, a folder that is removed at the end
begin() {
	asked=$out
	if [ -n "$dry_run" ]; then
		scratch=$(mktemp -d)
		out=$scratch
	fi
	mkdir -p "$out/work" || die 4 "$out: cannot be made"
	cd "$out" || die 4 "$out: cannot be entered"
	out=$PWD
	if [ -e work/settings ]; then
		[ "$(cat work/settings)" = "$settings" ] || die 2 "$out was begun with other settings (work/settings there has them): the same ones go on, or take another --out"
	else
		[ -z "$(find . -mindepth 1 ! -path ./work -print -quit)" ] || die 2 "$out is not empty and no run of $me; take another --out"
		put work/settings printf '%s\n' "$settings" || die 4 "$out: cannot write there"
	fi
	# One run at a time: two would write the same files.
	exec 9>work/lock
	! command -v flock >/dev/null || flock -n 9 || die 4 "$out: another run is at work there"
	started=$SECONDS
	trap ended EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

# put FILE COMMAND…: what the command prints, as FILE, whole or not at all
put() {
	local file=$1
	shift
	"$@" >"$file.part" && mv -- "$file.part" "$file"
}

# stage RESULT WHAT COMMAND…
stage() {
	local result=$1 at=$SECONDS
	doing=$2
	n_stages=$((n_stages + 1))
	shift 2
	if [ -e "$result" ]; then
		printf '%s[%d] %s%s: done before\n' "$bold" $n_stages "$doing" "$plain"
	else
		printf '%s[%d] %s%s\n' "$bold" $n_stages "$doing" "$plain"
		"$@"
		[ -e "$result" ] || die 4 "$doing: $result did not come about"
		[ $((SECONDS - at)) -lt 5 ] || printf '  %s\n' "$(span $((SECONDS - at)))"
	fi
	doing=
}

# plan PREPARE TRAIN BYTES LINE…: what will be done, in seconds and bytes; ends a dry run, and one without room
plan() {
	head_line "What this will do"
	printf '  %s\n' "${@:4}"
	say "  time      about $(span "$1") to prepare, at most $(span "$2") to train" "  disk      about $(human "$3") in $asked"
	[ -z "$dry_run" ] || exit 0
	room "$3"
}
input_bytes() { # of files and folders, packed ones as large as they will be
	find -L "${files[@]}" -type f -printf '%s\t%f\n' | awk '{ n += $1 * ($0 ~ /\.(gz|zst|bz2|xz|zip|parquet)$/ ? 4 : 1) } END { printf "%.0f", n }'
}

# room BYTES: enough on the disk of the current folder, with a tenth more
room() {
	local free
	free=$(df -Pk . | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
	[ "$(calc "$1 * 1.1")" -le "$free" ] ||
		die 4 "$out: $(human "$free") are free on this disk, about $(human "$1") are needed"
}

# ---- records --------------------------------------------------------------------------------------------------------

records() { # FILE: how many there are
	dsrec stat --json -q "$1" 2>/dev/null | sed -n 's/^{"records":\([0-9]*\).*/\1/p'
}
none_in() { # FILE: true where there is no record
	[ -z "$(dsrec head -n 1 "$1" --to jsonl -q 2>/dev/null)" ]
}

# hold_out IN SHARE FIELD…: IN.dsr into work/IN-train.dsr and work/IN-held.dsr by a hash of the content, so that equal
# records are never on two sides. Few records may leave one side empty: then a twentieth, the last ones, are put aside.
hold_out() {
	local in=$1 share=$2 paths=() f
	shift 2
	for f; do paths+=(--field "$f"); done
	dsrec split -q --by "$(awk -v s="$share" 'BEGIN { printf "%g,%g", 1 - s, s }')" "${paths[@]}" "$in.dsr" \
		-o "$in-train.dsr,$in-held.dsr"
}

# What follows --html main or auto: dsclean's own list.
clean_rules=(--entities --utf8 fix --nfc --control --space --drop-empty)

# cut_small IN OUT: paragraphs where there are too few documents to put some aside
cut_small() {
	if [ "$(records "$1")" -lt "${3:-200}" ]; then
		dsrec cat -q --split para "$1" | dsclean -q --min-chars 20 -o "$2"
	else
		ln -f -- "$1" "$2"
	fi
}

# learn_tokenizer FILE…: into work/tokenizer; names that layouts of conversations and filling in have are tokens of
# their own
learn_tokenizer() {
	local s special=()
	for s in '<|pad|>' '<|bos|>' '<|eos|>' '<|im_start|>' '<|im_end|>' '<|fim_prefix|>' '<|fim_middle|>' '<|fim_suffix|>'; do
		special+=(--special "$s")
	done
	mkdir -p work/tokenizer
	dstok train -q -V "$vocab" "${special[@]}" "$@" -o work/tokenizer/tokenizer.json
}
encode() { # PART OPTIONS…: work/text-PART.dsr as rows of $seq tokens
	if [ "$1" = train ]; then dsrec shuf -q "work/text-$1.dsr"; else dsrec cat -q "work/text-$1.dsr"; fi |
		dstok -q -t "$tok" --seq "$seq" "${@:2}" -o "work/text-$1.tok.dsr"
}
# text_tokens OPTIONS…: the stages from work/text.dsr to rows; $tok, or a new tokenizer where there is none
text_tokens() {
	[ -e work/text-held.dsr ] || stage work/text-held.dsr "put one in twenty aside for the test" hold_out work/text 0.05
	if [ -z "${tok-}" ]; then
		stage work/tokenizer/tokenizer.json "learn a tokenizer of $vocab pieces" learn_tokenizer work/text-train.dsr
		tok=work/tokenizer
	fi
	stage work/text-held.tok.dsr "encode what is put aside" encode held
	stage work/text-train.tok.dsr "encode the rest" encode train "$@"
	held=''
	none_in work/text-held.tok.dsr || held=work/text-held.tok.dsr
}
row_steps() { # FILE: steps of all epochs over its rows
	calc "$(records "$1") * $seq * $epochs / $batch + 0.5"
}
# train_text SECONDS ARGS…: work/docs-model of work/text-train.tok.dsr, measured before and after; $model is what it
# began from, if anything
train_text() {
	local seconds=$1
	shift
	set -- --seq "$seq" --batch-tokens "$batch" --scheduler cosine --precision bf16 "$@"
	[ -e work/docs.done ] || stage work/docs.steps "see how fast this machine trains" \
		measured work/docs "$seconds" "$(row_steps work/text-train.tok.dsr)" "$@" work/text-train.tok.dsr
	if [ -n "$held" ] && [ -n "$model" ]; then
		stage work/docs.before "measure the model on what is put aside" perplexity "$model" "$held" work/docs.before
	elif [ -n "$held" ]; then
		stage work/docs.before "measure what counting words alone would do" unigram work/text-train.tok.dsr "$held" work/docs.before
	fi
	stage work/docs.done "train; Ctrl-C saves, the same command goes on" train work/docs "$@" work/text-train.tok.dsr
	stage work/docs-model "put the model together" as_model work/docs work/docs-model
	[ -z "$held" ] || stage work/docs.after "measure it on what is put aside" perplexity work/docs-model "$held" work/docs.after
}

# ---- models ---------------------------------------------------------------------------------------------------------

is_model() { # DIR: Hugging Face's layout, or an adapter's
	{ [ -e "$1/config.json" ] || [ -e "$1/adapter_config.json" ]; } && [ -e "$1/tokenizer.json" ]
}
weights_bytes() { # DIR
	find -L "$1" -maxdepth 1 -name '*.safetensors' -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f", n }'
}

# size_for BYTES: family, sizes, vocabulary, row and step for a model from nothing on so much text, for a CPU
size_for() {
	local bytes=$1
	# A piece of the vocabulary must be seen often enough to be learned.
	vocab=$(calc "int($bytes / 300 / 100) * 100")
	if [ "$bytes" -lt 1000000 ]; then
		set -- 3 128 384 4 2000 256 1024 3e-3
	elif [ "$bytes" -lt 5000000 ]; then
		set -- 4 192 512 6 4000 256 1024 2e-3
	elif [ "$bytes" -lt 50000000 ]; then
		set -- 6 384 1024 6 8000 512 8192 1e-3
	else
		set -- 8 512 1408 8 16000 512 16384 8e-4
	fi
	[ "$vocab" -le "$5" ] || vocab=$5
	[ "$vocab" -ge 600 ] || vocab=600
	seq=$6 batch=$7 lr=$8
	new=(--model llama --set "num_hidden_layers=$1,hidden_size=$2,intermediate_size=$3,num_attention_heads=$4,num_key_value_heads=$4,tie_word_embeddings=true,max_position_embeddings=$((2 * $6)),weight_decay=0.1" --lr "$lr")
	hidden=$2
}

# whole_tuning DIR: how all weights of a model directory are trained: small ones bear, and need, larger steps
whole_tuning() {
	how=(--model "$1")
	[ "$(weights_bytes "$1")" -gt 100000000 ] || how+=(--lr 3e-4)
}

# row_of DIR: rows of at most 512 tokens for a model directory, and eight of them a step
row_of() {
	seq=$(sed -n 's/.*"\(max_position_embeddings\|n_positions\)": *\([0-9]*\).*/\2/p' "$1/config.json" | head -n 1)
	[ "${seq:-513}" -le 512 ] || seq=512
	batch=$((8 * seq))
}

# rate_of CONFIG_OR_NAME --set …: tokens a second that this machine is expected to train
rate_of() {
	dsplan --host --json -q --model "$@" 2>/dev/null | sed -n 's/.*"tokens_per_second": *\([0-9.]*\).*/\1/p' | head -n 1
}

# measured NAME SECONDS MOST ARGS…: into NAME.steps, how many steps of this training the seconds allow, MOST at most
measured() {
	local name=$1 seconds=$2 most=$3 tps batch
	shift 3
	rm -rf "$name.try"
	dstrain "$@" --max-steps 6 --save-every 0 --set log_every=1 -q --out "$name.try"
	# The first steps warm caches up.
	read -r tps batch <<<"$(sed -n 's/.*"step": \([0-9]*\),.*"tokens": \([0-9]*\), "tokens_per_second": \([0-9.e+]*\).*/\1 \2 \3/p' "$name.try/log.jsonl" |
		awk '$1 > 2 { s += 1 / $3; n++ } { t = $2 / $1 } END { printf "%.0f %.0f", n / s, t }')"
	rm -rf "$name.try"
	steps=$(awk -v s="$seconds" -v r="$tps" -v b="$batch" -v m="$most" \
		'BEGIN { n = int(s * r / b); if (n > m) n = m; printf "%d", n < 20 ? (m < 20 ? m : 20) : n }')
	printf '  %s tokens a second: %s steps of %s tokens, %s\n' "$tps" "$steps" "$batch" "$(span "$(calc "$steps * $batch / $tps")")"
	put "$name.steps" echo "$steps"
}

# train RUN ARGS…: dstrain to its last step; goes on from a checkpoint where there is one
train() {
	local run=$1 steps
	shift
	steps=$(cat "$run.steps")
	dstrain "$@" --max-steps "$steps" --warmup-steps "$((steps / 20 < 20 ? steps / 20 : 20))" --save-every "$(((steps + 3) / 4))" --save-total-limit 1 \
		--out "$run" --resume --stats "$run.stats"
	# A signal to dstrain alone ends it with 0, with its state saved.
	[ "$(json_number steps "$run.stats")" -ge "$steps" ] || exit 130
	rm -rf "$run"/checkpoint-*
	touch "$run.done"
}

# as_model RUN DIR: the model directory of a run, adapters added to their model
as_model() {
	rm -rf "$2.part"
	if [ -e "$1/adapter_config.json" ]; then
		dstrain -q --model "$1" --merge --out "$2.part"
	else
		mkdir "$2.part"
		find -L "$1" -maxdepth 1 -type f ! -name config.ini ! -name plan.json ! -name log.jsonl -exec cp -l -- {} "$2.part/" \;
	fi
	mv -T -- "$2.part" "$2"
}

# perplexity MODEL FILE OUT, unigram TRAIN FILE OUT: one number in OUT
perplexity() {
	dseval ppl -m "$1" --seq "$seq" "$2" --json -q >"$3.json"
	put "$3" json_number score "$3.json"
}
unigram() {
	dseval unigram --fit "$1" "$2" --json -q >"$3.json"
	put "$3" json_number score "$3.json"
}
figure() { # FILE: the number there, in few digits, or a dash
	if [ -s "$1" ]; then awk '{ printf $1 < 100 ? "%.2f" : "%.0f", $1 }' "$1"; else printf -- '-'; fi
}

# prompts IN OUT: how up to three of the longer texts begin
prompts() {
	dsrec head -q -n 400 "$1" --to text | { grep -oE '^[[:alpha:]][[:alnum:] ,，、-]{23}[[:alnum:]]{0,12}' || true; } |
		awk 'NR % 7 == 1 && n++ < 3' >"$2"
}
# written MODEL PROMPTS OUT: what a model makes of them
written() {
	dsgen -m "$1" --max-tokens 40 --temperature 0.7 --top-p 0.95 --seed 7 -q --from text --to jsonl "$2" -o "$3"
}

# compared: a table of LABEL BEFORE AFTER (files with a number) …
compared() {
	head_line "${1}"
	shift
	printf '  %-24s %10s %10s\n' '' before after
	while [ $# -gt 0 ]; do
		printf '  %-24s %10s %10s\n' "$1" "$(figure "$2")" "$(figure "$3")"
		shift 3
	done
}
commonest_share() { # FILE: of records with the commonest label
	dsrec export -q --field label --to text "$1" | sort | uniq -c | awk '{ n += $1; if ($1 > most) most = $1 } END { printf "%.0f %%", 100 * most / n }'
}
unigram_note() {
	[ -n "$model" ] || [ -z "$held" ] || say "  before: a model that only counts how often each word occurs; a language model must stay below it"
}
sampled() { # MODEL: how it goes on from beginnings of texts put aside
	[ -n "$held" ] || return 0
	stage work/prompts.txt "take beginnings of texts put aside" prompts work/text-held.dsr work/prompts.txt
	[ -s work/prompts.txt ] || return 0
	stage work/written.jsonl "let the model go on from them" written "$1" work/prompts.txt work/written.jsonl
	head_line "It goes on from the beginnings of texts put aside"
	dsrec view work/written.jsonl
}
# next_steps MODEL SHOWN…: commands for what comes next, and how long this took
next_steps() {
	head_line "The model is in $1; what to do next"
	local s
	for s in "${@:2}"; do show "$s"; done
	say "  This took $(span $((SECONDS - started)))."
}
