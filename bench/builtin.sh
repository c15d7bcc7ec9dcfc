#!/usr/bin/env bash
# builtin.sh - bytes a token of the built-in tokenizer beside published ones
#
# Texts of $DS_TEST_DATA that the tokenizer was not trained on: seven novels, encyclopaedia articles, news sentences,
# headlines, Song poems, Tang poems in traditional characters, and code (C, Python, C++, TypeScript, JavaScript, Go,
# Rust, Ruby). The mixture of its corpus was chosen among a few by these scores, the corpus itself was not. More is
# better; it has 32,768 ids, GPT-2 50,257, cl100k 100,277, Llama 3 128,256, Qwen 151,643, o200k 200,019.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
data=${DS_TEST_DATA:-$ROOT/../shared/data}
if [ ! -d "$data/tokenizers" ]; then
	echo "builtin.sh: set DS_TEST_DATA to the folder that has tokenizers/, en/, zh/ and code/"
	exit 0
fi
cd "$WORK"
unpack() { zstd -dqc "${@/#/$data/}" | tr -d '\r'; }
unpack en/{anna-karenina.utf8,great-expectations.ascii,middlemarch.ascii,moby-dick.utf8}.txt.zst \
	en/{pride-and-prejudice.utf8,sherlock-holmes.ascii,war-and-peace.utf8}.txt.zst >novels
unpack en/{taylorswift.wiki,wikitext2.valid}.txt.zst >articles
unpack zh/msra-news-sentences.txt.zst >news
unpack zh/thucnews-titles.10class.dev.tsv.zst | cut -f 1 >headlines
unpack zh/song-ci.txt.zst >song
unpack zh/tang-shi-trad.jsonl.zst | python3 -c 'import json, sys
for line in sys.stdin: print(*json.loads(line)["paragraphs"], sep="\n")' >tang
unpack code/code.jsonl.zst | dsrec import -q --from jsonl | dsrec export -q --to text >code
mkdir gpt2
unpack tokenizers/gpt2/encoder.json.zst >gpt2/vocab.json
unpack tokenizers/gpt2/vocab.bpe.zst >gpt2/merges.txt
for f in tiktoken/cl100k_base tiktoken/o200k_base llama3/llama3 qwen/qwen; do
	unpack "tokenizers/$f.tiktoken.zst" >"$(basename "$f")"
done

texts=(novels articles news headlines song tang code)
# row NAME OPTION...: bytes a token of each text
row() {
	local t line
	line=$(printf '%-10s' "$1")
	shift
	for t in "${texts[@]}"; do
		line+=$(dstok count "$@" --from text --split file --json "$t" |
			awk -F'"bytes_per_token":' '{ printf "%11.2f", $2 }')
	done
	echo "$line"
}
printf '%-10s' ''
printf '%11s' "${texts[@]}"
echo
row built-in
row GPT-2 -t gpt2
row cl100k -t cl100k_base --pattern cl100k
row 'Llama 3' -t llama3 --pattern llama3
row Qwen -t qwen --pattern qwen2
row o200k -t o200k_base --pattern o200k
