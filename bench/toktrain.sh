#!/bin/sh
# toktrain.sh - training a tokenizer of 32,768 ids on a gigabyte: time and memory beside tokenizers
#
# The text is what the system carries: source code, headers, manuals and pages under $TEXT (/usr/share/doc, /usr/include,
# /usr/lib, /usr/share/perl and build/bench/venv by default) and $DS_TEST_DATA's English and Chinese, in order of names, up to
# $MB million bytes (1000). Both programs read one file with all cores (-j, RAYON_NUM_THREADS) in a fresh process; seconds are
# wall time, MB the largest resident set, one run each. tokenizers keeps line ends and dstok does not, which is 2 %
# of the bytes; merges are compared on the first 20 MB, where tokenizers gets lines as well. WordPiece: BERT's cleaning and
# words, the first ids given to tokenizers, whose own order of them is random.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
bin=${BUILD:-build}/bin
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
if [ ! -x "$out/venv/bin/python" ]; then
	python3 -m venv "$out/venv"
fi
python=${PYTHON:-$out/venv/bin/python}
"$python" -c 'import tokenizers' 2>/dev/null || "$out/venv/bin/pip" -q install tokenizers
text=$out/toktrain.txt
if [ ! -f "$text" ]; then
	# shellcheck disable=SC2086 # folders are words
	{
		find ${TEXT:-/usr/share/doc /usr/include /usr/lib /usr/share/perl "$out/venv"} -type f \( -name '*.py' -o -name '*.h' \
			-o -name '*.hpp' -o -name '*.c' -o -name '*.cc' -o -name '*.js' -o -name '*.pm' -o -name '*.txt' -o -name '*.md' \
			-o -name '*.rst' -o -name '*.html' -o -name '*.xml' -o -name '*.po' \) -print0 2>/dev/null |
			sort -z | xargs -0 cat
		for f in "$data"/en/*utf8*.zst "$data"/zh/*.txt.zst; do
			[ ! -f "$f" ] || zstd -dqc "$f"
		done
	} | "$bin/dsclean" -q --from text --utf8 fix --to text | head -c "${MB:-1000}000000" | head -n -1 >"$text.new"
	mv "$text.new" "$text"
fi
exec "$python" bench/toktrain.py "$bin/dstok" "$text"
