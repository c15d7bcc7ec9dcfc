#!/bin/sh
# tok.sh - encoding and training beside tokenizers: same bytes, same tokenizer, one core each
#
# The peer comes from PyPI into build/bench/venv. Text: $DS_TEST_DATA's English, Chinese and code; without it
# the handbook's pages and the system's headers. The tokenizer is the built-in one, as tokenizer.json.
# dstok is measured as a program, start and all, in a fresh process (so cold: no word is known yet);
# the peer only while it encodes text that is in memory. Times are of the processor, the best of three;
# ids are compared; a ratio over 1 is in our favour. With $DS_TEST_DATA the published vocabularies of GPT-2, cl100k,
# o200k and Qwen are run beside gigatoken, fastokens and tiktoken as well (tok_peers.py).
# What flatters us there: a peer's time has the making of its Python list of ids in it, and gigatoken's is that
# of all its threads and far below the rate it publishes, so its column is no measure of gigatoken.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
bin=${BUILD:-build}/bin
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
book=/usr/share/doc/debian-handbook/html
utf8() { iconv -c -f utf-8 -t utf-8 || true; } # the peer takes nothing else
if [ -d "$data/en" ] && [ -d "$data/zh" ]; then
	zstd -dqc "$data"/en/*utf8*.zst "$data"/en/*ascii*.zst | utf8 >"$out/tok-english.txt"
	zstd -dqc "$data"/zh/*.txt.zst | utf8 >"$out/tok-chinese.txt"
else
	"$bin/dsclean" -q "$book"/en-US/*.html --to text >"$out/tok-english.txt"
	"$bin/dsclean" -q "$book"/zh-CN/*.html --to text >"$out/tok-chinese.txt"
fi
find /usr/include -name '*.h' -type f | sort | head -n 1200 | xargs cat | utf8 >"$out/tok-code.txt"
if [ ! -x "$out/venv/bin/python" ]; then
	python3 -m venv "$out/venv"
fi
"$out/venv/bin/python" -c 'import tokenizers' 2>/dev/null || "$out/venv/bin/pip" -q install tokenizers
"$out/venv/bin/python" bench/tok.py "$bin/dstok" "$out"
[ -d "$data/tokenizers" ] || exit 0
# gigatoken and fastokens are not there for every machine: who is missing is named in the line.
"$out/venv/bin/pip" -q install tiktoken gigatoken fastokens || true
exec "$out/venv/bin/python" bench/tok_peers.py "$bin/dstok" "$out" "$data/tokenizers"
