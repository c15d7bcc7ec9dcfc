#!/bin/bash
# tok.sh - encoding beside gigatoken, fastokens, tiktoken, tokenizers and sentencepiece, and training beside tokenizers
#
# Peers come from PyPI into build/bench/venv. Texts are of up to 64 MB without a long line that is there twice, so that
# nobody's caches are warmed by copies: English is $DS_TEST_DATA's books and articles and the system's manual pages without their
# markup, Chinese its news, poems (some of them in traditional characters) and headlines, code the system's Python files and
# C headers. All encode in memory, on one core, in a process of their own, which has loaded text and tokenizer before the
# clock starts: dstok by its library (tok_encode.c), peers by their fastest call for a single thread. Numbers are MB/s of
# wall time: the first time the text is seen / the same text again; in brackets dstok over the peer, both ways. Texts for
# tiktoken, tokenizers and sentencepiece are the first 16, 4 and 8 MB, where dstok is measured again. GPT-2 to Qwen 2 get one
# document, the others each line as one. Ids are hashed and compared ("other ids" where they are not the same).
# ONLY="gpt2 t5" runs some. What flatters us: about two thirds of the English is manual pages, which repeat words; the program over
# lines is beside gigatoken's call alone, which makes an array of arrays.
# First of all (tok.py) a tokenizer trained here is run beside tokenizers, dstok as a program, start and all, on 6 MB.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
bin=${BUILD:-build}/bin
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
book=/usr/share/doc/debian-handbook/html
utf8() { iconv -c -f utf-8 -t utf-8 || true; } # peers take nothing else
once() { LC_ALL=C awk 'length($0) < 20 || !seen[$0]++' | head -c 64000000 | utf8; }
roff() { sed -E "/^[.']\\\\\"/d; s/^\\.[A-Za-z]+ ?//; s/\\\\f[A-Z]//g; s/\\\\-/-/g"; }
unzst() { zstd -dqc "$@"; }
python=$out/venv/bin/python
[ -x "$python" ] || python3 -m venv "$out/venv"
# gigatoken and fastokens are not there for every machine: who is missing is named in the line.
"$python" -c 'import tokenizers' 2>/dev/null || "$out/venv/bin/pip" -q install tokenizers
if [ -d "$data/en" ] && [ -d "$data/zh" ]; then
	"$python" -c 'import gigatoken, fastokens, tiktoken, sentencepiece' 2>/dev/null ||
		for p in numpy tiktoken gigatoken fastokens sentencepiece; do "$out/venv/bin/pip" -q install $p || true; done
	[ -f "$out/tok-english.txt" ] || {
		unzst "$data"/en/*utf8*.zst "$data"/en/*ascii*.zst "$data"/en/wikitext2*.zst
		find /usr/share/man/man[1-9]* -name '*.gz' ! -name 'gcloud*' | LC_ALL=C sort | xargs zcat -f | roff
	} | once >"$out/tok-english.txt"
	[ -f "$out/tok-chinese.txt" ] || {
		unzst "$data"/zh/*.txt.zst "$data"/zh/*.tsv.zst
		unzst "$data"/zh/tang*.jsonl.zst | "$python" -c 'import json, sys
for line in sys.stdin:
    print(*json.loads(line)["paragraphs"], sep="\n")'
	} | once >"$out/tok-chinese.txt"
else
	"$bin/dsclean" -q "$book"/en-US/*.html --to text >"$out/tok-english.txt"
	"$bin/dsclean" -q "$book"/zh-CN/*.html --to text >"$out/tok-chinese.txt"
fi
[ -f "$out/tok-code.txt" ] || {
	find /usr/lib/python3* -name '*.py' -type f | LC_ALL=C sort | xargs cat
	find /usr/include -name '*.h' -type f | LC_ALL=C sort | xargs cat
} | once >"$out/tok-code.txt"
prog=${BUILD:-build}/bench/tok_encode
make -s "$prog"
[ -n "${ONLY:-}" ] || "$python" bench/tok.py "$bin/dstok" "$out"
[ -d "$data/tokenizers" ] || exit 0
# shellcheck disable=SC2086 # names
exec "$python" bench/tok_peers.py "$bin/dstok" "$prog" "$out" "$data/tokenizers" ${ONLY:-}
